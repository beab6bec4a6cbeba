//! Finds the objects of a composite without a record.
//!
//! Objects with tags are found by the names of the seed, and carry their key in a tag. If inputs decide the
//! name of an object, or the number of such objects, the objects of its kind are listed. Objects without tags
//! are found as children of these: the cloud knows the children of an object, and the model their keys.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tandem_model::composite::Settings;
use tandem_model::graph::{Graph, Key};
use tandem_model::keys::{is_child, keys_of_children, kinds_of_children};
use tandem_model::kind::Kind;
use tandem_model::names;
use tandem_model::ownership::OWNER;

use crate::driver::{Failure, Observed};
use crate::job::Job;
use crate::ownership;
use crate::problem::Problem;
use crate::resolve::{Attributes, Resolver};

/// An object that was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) kind: &'static Kind,
    pub(crate) observed: Observed,
    /// The object of which this one is a child.
    pub(crate) parent: Option<Key>,
}

/// Objects by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Objects {
    pub(crate) by_key: BTreeMap<Key, Found>,
    /// Kind and id of every object.
    known: BTreeSet<(&'static str, String)>,
}

impl Objects {
    /// Adds an object. If it has no key, or if another object has that key, its id takes the place of the
    /// slot. Returns the key; `None` if the object was added before.
    pub(crate) fn add(&mut self, key: Option<Key>, found: Found) -> Option<Key> {
        if !self.known.insert((found.kind.name, found.observed.id.clone())) {
            return None;
        }
        let free = key.filter(|key| !self.by_key.contains_key(key));
        let key = free.unwrap_or_else(|| key_of_id(found.kind, &found.observed.id));
        self.by_key.insert(key.clone(), found);
        Some(key)
    }

    /// Adds the objects without tags that hang on these objects, and the event source mappings for which
    /// `is_ours` is true. A failure has the kind that could not be searched.
    pub(crate) async fn add_children(
        &mut self,
        job: &Job<'_>,
        is_ours: impl Fn(&Observed) -> bool,
    ) -> Result<(), (&'static Kind, Failure)> {
        let mut left: VecDeque<Key> = self.by_key.keys().cloned().collect();
        while let Some(key) = left.pop_front() {
            let Some(Found { kind: of, observed: parent, .. }) = self.by_key.get(&key).cloned() else {
                continue;
            };
            for kind in kinds_of_children(of) {
                let driver = job.drivers.driver(kind);
                let children = job.call(|| driver.children(of, &parent)).await;
                let children = children.map_err(|failure| (kind, failure))?;
                let siblings: Vec<&Settings> = children.iter().map(|child| &child.settings).collect();
                let keys = keys_of_children(&job.owner, (&key, of), kind, &siblings);
                for (observed, own) in children.into_iter().zip(keys) {
                    if kind.tags && !is_ours(&observed) {
                        continue;
                    }
                    let Some(own) = ownership::key(kind, &observed).or(own) else { continue };
                    let found = Found { kind, observed, parent: Some(key.clone()) };
                    left.extend(self.add(Some(own), found));
                }
            }
        }
        Ok(())
    }
}

/// The key of an object that the seed does not have, and that carries none.
pub(crate) fn key_of_id(kind: &Kind, id: &str) -> Key {
    Key::new(kind, id)
}

/// The key of an object with tags: its tag, or the key in the seed of an object with this id. The tag of an
/// older version can have a key that the seed does not have any more.
pub(crate) fn key_of(seed: &Graph, kind: &Kind, observed: &Observed, in_seed: Option<&Key>) -> Option<Key> {
    let own = ownership::key(kind, observed).filter(|key| in_seed.is_none() || seed.get(key).is_some());
    own.or_else(|| in_seed.cloned())
}

/// Finds the objects with tags: of any owner at the names of the seed, and of this owner at other names.
pub(crate) async fn tagged(job: &Job<'_>, seed: &Graph) -> Result<Objects, Problem> {
    let owner = job.owner.to_string();
    let is_ours = |observed: &Observed| observed.tags.get(OWNER) == Some(&owner);
    // The search for an object may need attributes that the cloud assigned to an earlier object.
    let mut attributes = Attributes::new();
    let mut found = Objects::default();
    for object in seed.objects().iter().filter(|object| object.kind.tags && !is_child(object.kind)) {
        let resolver = Resolver::new(seed, job.context, &attributes);
        let driver = job.drivers.driver(object.kind);
        let observed = match (resolver.id(object), resolver.settings(object)) {
            (Some(id), _) => job.call(|| driver.observe(&id)).await,
            // The cloud chose the id: the search needs all settings.
            (None, Ok(settings)) => job.call(|| driver.find(&settings)).await,
            (None, Err(_)) => continue,
        };
        let observed = observed.map_err(|failure| Problem::failed("Finding", &object.key, &failure))?;
        let Some(observed) = observed else { continue };
        attributes.insert(object.key.clone(), observed.attributes.clone());
        let key = if is_ours(&observed) {
            key_of(seed, object.kind, &observed, Some(&object.key))
        } else {
            Some(object.key.clone())
        };
        found.add(key, Found { kind: object.kind, observed, parent: None });
    }
    let prefix = names::prefix_of(&job.owner);
    for kind in named_by_inputs(seed) {
        let driver = job.drivers.driver(kind);
        let failed = |failure: Failure| Problem::failed("Finding", &kind.name.into(), &failure);
        for id in job.call(|| driver.list(&job.owner.project)).await.map_err(failed)? {
            let name = id.rsplit([':', '/']).next().unwrap_or(&id);
            if !name.starts_with(&prefix) || found.known.contains(&(kind.name, id.clone())) {
                continue;
            }
            let observed = job.call(|| driver.observe(&id)).await.map_err(failed)?;
            if let Some(observed) = observed.filter(is_ours) {
                let key = key_of(seed, kind, &observed, None);
                found.add(key, Found { kind, observed, parent: None });
            }
        }
    }
    Ok(found)
}

/// The kinds with objects that inputs name.
fn named_by_inputs(seed: &Graph) -> Vec<&'static Kind> {
    let mut kinds: Vec<&'static Kind> = Vec::new();
    for object in seed.objects().iter().filter(|object| object.named_by_inputs && object.kind.tags) {
        if !kinds.iter().any(|kind| kind.name == object.kind.name) {
            kinds.push(object.kind);
        }
    }
    kinds
}
