//! The orphaned objects of one instance of a composite, as a record to delete.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::{Change, Kind};
use tandem_model::ownership::STATUS;

use super::Reason;
use super::find::Tagged;
use crate::driver::Failure;
use crate::import;
use crate::job::Job;
use crate::problem::Problem;
use crate::record::{Entry, Record};
use crate::resolve::{Attributes, Resolver};
use crate::search::{self, Found, Objects};

/// Tagged objects, and objects without tags that belong to them.
pub(super) struct Bundle {
    pub(super) record: Record,
    /// The parent of each object without tags: its id or ARN.
    pub(super) hangs_on: BTreeMap<Key, String>,
}

impl Bundle {
    /// Finds the objects without tags that belong to these objects. The seed gives the order of deletes.
    pub(super) async fn gather(
        job: &Job<'_>,
        seed: &Graph,
        instance: &str,
        tagged: impl IntoIterator<Item = &Tagged>,
    ) -> Result<Self, Problem> {
        let none = Attributes::new();
        let resolver = Resolver::new(seed, job.context, &none);
        let mut found = Objects::default();
        for Tagged { kind, observed } in tagged {
            let mut same = seed.objects().iter().filter(|object| object.kind.name == kind.name);
            let in_seed = same.find(|object| resolver.id(object).as_deref() == Some(&observed.id));
            let key = search::key_of(seed, kind, observed, in_seed.map(|object| &object.key));
            found.add(key, Found { kind, observed: observed.clone(), parent: None });
        }
        // The event source mappings of this instance are among the tagged objects.
        let children = found.add_children(job, |_| false).await;
        children.map_err(|(kind, failure)| unseen(job, kind, &failure))?;
        Ok(Self::of(job, seed, instance, found))
    }

    fn of(job: &Job<'_>, seed: &Graph, instance: &str, found: Objects) -> Self {
        let found = found.by_key;
        let carries = |key: &Key| found.get(key).is_some_and(|seen| seen.observed.tags.contains_key(STATUS));
        let in_seed = seed.objects().iter().map(|object| &object.key).find(|key| carries(key));
        let anchor = in_seed.or_else(|| found.keys().find(|key| carries(key))).cloned();
        let mut record = Record { instance: instance.to_owned(), objects: BTreeMap::new() };
        let mut hangs_on = BTreeMap::new();
        for (key, Found { kind, observed, parent }) in found {
            if let Some(named) = named_parent(kind, &observed.settings) {
                hangs_on.insert(key.clone(), named.to_owned());
            }
            let needs = import::needs(seed, &key, parent);
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

fn parent_fields(kind: &Kind) -> impl Iterator<Item = &'static str> {
    kind.fields.iter().filter(|field| field.change == Change::WithParent).map(|field| field.name)
}

/// The parent of an object without tags: its id or ARN, as a field names it.
fn named_parent<'a>(kind: &Kind, settings: &'a Settings) -> Option<&'a str> {
    if kind.tags {
        return None;
    }
    parent_fields(kind).find_map(|field| settings.get(field).and_then(Json::as_str))
}

fn unseen(job: &Job<'_>, kind: &Kind, failure: &Failure) -> Problem {
    Problem::of_sweep(format!("Finding every {} of `{}` failed", kind.title, job.owner), failure)
}
