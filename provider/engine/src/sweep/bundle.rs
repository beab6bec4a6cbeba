//! The orphaned objects of one instance of a composite, as a record to delete.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::{Change, Kind};
use tandem_model::kinds;
use tandem_model::names;
use tandem_model::ownership::STATUS;

use super::Reason;
use super::find::Tagged;
use crate::driver::{Failure, Observed};
use crate::import::{self, Objects};
use crate::job::Job;
use crate::problem::Problem;
use crate::record::{Entry, Record};
use crate::resolve::{Attributes, Resolver};

/// Tagged objects, and objects without tags that belong to them.
pub(super) struct Bundle {
    pub(super) record: Record,
    /// The parent of each object without tags: its id or ARN.
    pub(super) hangs_on: BTreeMap<Key, String>,
}

/// The key of an object that inputs named.
fn named_key(job: &Job<'_>, seed: &Graph, kind: &Kind, observed: &Observed) -> Option<Key> {
    let name = observed.id.rsplit([':', '/']).next().unwrap_or(&observed.id);
    let role = names::slot_among(&job.owner, name).filter(|_| seed.open)?;
    Some(Key::new(kind, &role))
}

impl Bundle {
    /// Finds the objects without tags that belong to these objects. The seed gives the keys, and with them
    /// the order of deletes.
    pub(super) async fn gather(
        job: &Job<'_>,
        seed: &Graph,
        instance: &str,
        tagged: impl IntoIterator<Item = &Tagged>,
    ) -> Result<Self, Problem> {
        let none = Attributes::new();
        let resolver = Resolver::new(seed, job.context, &none);
        let mut found = Objects::new();
        for Tagged { kind, observed } in tagged {
            let known = known_key(seed, &resolver, kind, observed).filter(|key| !found.contains_key(key));
            let known =
                known.or_else(|| named_key(job, seed, kind, observed)).filter(|key| !found.contains_key(key));
            // An older version used another name.
            let key = known.unwrap_or_else(|| Key::new(kind, &observed.id));
            found.insert(key, (*kind, observed.clone()));
        }
        for object in seed.objects().iter().filter(|object| !object.kind.tags) {
            let parents = parent_fields(object.kind).filter_map(|field| object.fields.get(field));
            let mut references = Vec::new();
            parents.for_each(|parent| Expr::references(parent, &mut references));
            if references.is_empty() || !references.iter().all(|(key, _)| found.contains_key(*key)) {
                continue;
            }
            let Some(id) = resolver.id(object) else { continue };
            let driver = job.drivers.driver(object.kind);
            let observed = job.call(|| driver.observe(&id)).await;
            let observed = observed.map_err(|failure| unseen(job, object.kind, &failure))?;
            if let Some(observed) = observed {
                found.insert(object.key.clone(), (object.kind, observed));
            }
        }
        for kind in kinds::ALL.iter().copied().filter(|kind| !kind.tags) {
            let known =
                found.iter().map(|(key, (_, observed))| (key.to_string(), observed.clone())).collect();
            let driver = job.drivers.driver(kind);
            let more = job.call(|| driver.belonging(&known)).await;
            for (role, observed) in more.map_err(|failure| unseen(job, kind, &failure))? {
                found.entry(Key::new(kind, &role)).or_insert((kind, observed));
            }
        }
        Ok(Self::of(job, seed, instance, found))
    }

    fn of(job: &Job<'_>, seed: &Graph, instance: &str, found: Objects) -> Self {
        let carries = |key: &Key| found.get(key).is_some_and(|(_, seen)| seen.tags.contains_key(STATUS));
        let in_seed = seed.objects().iter().map(|object| &object.key).find(|key| carries(key));
        let anchor = in_seed.or_else(|| found.keys().find(|key| carries(key))).cloned();
        let mut record = Record { instance: instance.to_owned(), objects: BTreeMap::new() };
        let mut hangs_on = BTreeMap::new();
        for (key, (kind, observed)) in found {
            if let Some(parent) = parent(kind, &observed.settings) {
                hangs_on.insert(key.clone(), parent.to_owned());
            }
            let needs = import::needs(seed, &key);
            let entry = import::entry(job, kind, observed, needs, Some(&key) == anchor.as_ref());
            record.objects.insert(key, entry);
        }
        Self { record, hangs_on }
    }

    /// The objects that stay, although they could be deleted: without `content` data objects that are not
    /// empty, and their children. The anchor stays if another object stays, or with `lives`.
    pub(super) async fn stays(
        &self,
        job: &Job<'_>,
        content: bool,
        lives: bool,
    ) -> Result<BTreeMap<Key, Reason>, Problem> {
        let mut stays = BTreeMap::new();
        for (key, entry) in &self.record.objects {
            let Some(kind) = entry.kind().filter(|kind| kind.data && !content) else { continue };
            let driver = job.drivers.driver(kind);
            let held = job.call(|| driver.content(&entry.id)).await;
            let Some(held) = held.map_err(|failure| unseen(job, kind, &failure))? else { continue };
            stays.insert(key.clone(), Reason::Holds(held));
            for child in self.children(entry) {
                stays.insert(child.clone(), Reason::With(entry.id.clone()));
            }
        }
        if (lives || !stays.is_empty())
            && let Some((anchor, _)) = self.record.anchor()
        {
            stays.entry(anchor.clone()).or_insert(Reason::Anchor);
        }
        Ok(stays)
    }

    /// The children of an object: objects without tags of the same service that refer to it.
    fn children<'a>(&'a self, parent: &'a Entry) -> impl Iterator<Item = &'a Key> {
        let names = |text: &String| *text == parent.id || Some(text) == parent.arn.as_ref();
        let service = |entry: &Entry| entry.kind().map(|kind| kind.service);
        let same = move |key: &Key| {
            self.record.objects.get(key).is_some_and(|child| service(child) == service(parent))
        };
        self.hangs_on.iter().filter(move |(key, text)| names(text) && same(key)).map(|(key, _)| key)
    }
}

/// The key of an object in the seed: by its id, or by its immutable fields if the cloud chooses the id.
fn known_key(seed: &Graph, resolver: &Resolver<'_>, kind: &Kind, observed: &Observed) -> Option<Key> {
    let same = seed.objects().iter().filter(|object| object.kind.name == kind.name).find(|object| {
        if let Some(id) = resolver.id(object) {
            return id == observed.id;
        }
        let fields = resolver.fields(object).into_iter();
        let mut fixed = fields.filter_map(|(name, value)| {
            let immutable = kind.field(&name).is_some_and(|field| field.change == Change::Replaces);
            immutable.then_some((name, value?))
        });
        let Some(first) = fixed.next() else { return false };
        std::iter::once(first).chain(fixed).all(|(name, value)| observed.settings.get(&name) == Some(&value))
    });
    same.map(|object| object.key.clone())
}

fn parent_fields(kind: &Kind) -> impl Iterator<Item = &'static str> {
    kind.fields.iter().filter(|field| field.change == Change::WithParent).map(|field| field.name)
}

/// The parent of an object without tags: its id or ARN.
fn parent<'a>(kind: &Kind, settings: &'a Settings) -> Option<&'a str> {
    if kind.tags {
        return None;
    }
    parent_fields(kind).find_map(|field| settings.get(field).and_then(Json::as_str))
}

fn unseen(job: &Job<'_>, kind: &Kind, failure: &Failure) -> Problem {
    Problem::of_sweep(format!("Finding every {} of `{}` failed", kind.title, job.owner), failure)
}
