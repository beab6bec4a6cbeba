//! Finds the objects of a composite by its name alone. An import creates a record from them. An apply uses the
//! same search for the objects of an earlier apply that did not end.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::code::Code;
use tandem_model::composite::Settings;
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::Kind;
use tandem_model::ownership::{INSTANCE, OWNER, STATUS};

use crate::canonical;
use crate::driver::Observed;
use crate::job::Job;
use crate::ownership::{Status, is_ours};
use crate::problem::{Problem, Remedy};
use crate::read;
use crate::record::{Entry, Record};
use crate::search;

/// The result of an import.
#[derive(Clone, Debug)]
pub struct Found {
    /// The record of the objects that were found.
    pub record: Record,
    /// The settings of every object, by key.
    pub settings: BTreeMap<String, Settings>,
}

/// Finds a composite with its seed, a graph with every object whose name follows from the composite's.
pub async fn import(job: &Job<'_>, seed: &Graph) -> Result<Found, Problem> {
    let mut found = search::tagged(job, seed).await?;
    // The anchor depends on the inputs, which are not known yet. Its status tag identifies it.
    let owner = job.owner.to_string();
    let says = |key: &&Key| {
        found.by_key.get(*key).is_some_and(|found| {
            found.observed.tags.get(OWNER) == Some(&owner) && found.observed.tags.contains_key(STATUS)
        })
    };
    let keys = || seed.objects().iter().map(|object| &object.key);
    let anchor = keys().chain(found.by_key.keys()).find(says).or_else(|| keys().next()).cloned();
    let instance = instance(job, anchor.as_ref().and_then(|key| found.by_key.get(key)))?;
    found.by_key.retain(|key, found| {
        // Only inputs give the key of an object that an older version created under a name from inputs. The
        // apply after the import finds it again.
        let has_key = *key != search::key_of_id(found.kind, &found.observed.id) || seed.get(key).is_some();
        has_key && is_ours(&found.observed, &instance)
    });
    let children = found.add_children(job, |observed| is_ours(observed, &instance)).await;
    children.map_err(|(kind, failure)| Problem::failed("Finding", &kind.name.into(), &failure))?;
    let mut record = Record { instance, objects: BTreeMap::new() };
    let mut settings = BTreeMap::new();
    for (key, search::Found { kind, observed, parent }) in found.by_key {
        let needs = needs(seed, &key, parent);
        settings.insert(key.to_string(), observed.settings.clone());
        let entry = entry(job, kind, observed, needs, Some(&key) == anchor.as_ref());
        record.objects.insert(key, entry);
    }
    Ok(Found { record, settings })
}

/// Finds every object with the tag of this owner, and the objects that hang on these.
pub(crate) async fn of_owner(job: &Job<'_>, seed: &Graph) -> Result<BTreeMap<Key, search::Found>, Problem> {
    let owner = job.owner.to_string();
    let is_ours = |observed: &Observed| observed.tags.get(OWNER) == Some(&owner);
    let mut found = search::tagged(job, seed).await?;
    found.by_key.retain(|_, found| is_ours(&found.observed));
    let children = found.add_children(job, is_ours).await;
    children.map_err(|(kind, failure)| Problem::failed("Finding", &kind.name.into(), &failure))?;
    Ok(found.by_key)
}

fn instance(job: &Job<'_>, anchor: Option<&search::Found>) -> Result<String, Problem> {
    let owner = job.owner.to_string();
    let Some(search::Found { kind, observed, .. }) = anchor else {
        return Err(Problem::error(
            Code::NotFound,
            format!("There is no `{owner}`"),
            "No object of that name exists in this account and region.",
            Remedy::CheckName { place: true },
        ));
    };
    if observed.tags.get(OWNER) != Some(&owner) {
        return Err(Problem::error(
            Code::NotOurs,
            format!("{} `{}` does not belong to `{owner}`", kind.title, observed.id),
            "Tandem did not create it under that name, so it cannot be imported.",
            Remedy::CheckName { place: false },
        ));
    }
    if !Status::of(&observed.tags).is_complete() {
        return Err(Problem::error(
            Code::ImportIncomplete,
            format!("`{owner}` is incomplete"),
            "The apply that created it did not end.",
            Remedy::RemoveImport,
        ));
    }
    Ok(observed.tags.get(INSTANCE).cloned().unwrap_or_default())
}

/// The objects that an object needs. An object that is not in the seed may need all of its objects.
pub(crate) fn needs(seed: &Graph, key: &Key, parent: Option<Key>) -> Vec<Key> {
    let mut needs = match seed.get(key) {
        Some(object) => object.needs(),
        None => seed.objects().iter().map(|object| object.key.clone()).collect(),
    };
    needs.extend(parent);
    needs.into_iter().collect()
}

/// The entry in the record for an object that was found.
pub(crate) fn entry(
    job: &Job<'_>,
    kind: &'static Kind,
    observed: Observed,
    needs: Vec<Key>,
    anchor: bool,
) -> Entry {
    let canonical = read::settings(job, kind, &observed);
    let arn = observed.attributes.get("arn").and_then(Json::as_str).map(ToOwned::to_owned);
    Entry {
        kind: kind.name.to_owned(),
        region: job.context.region.clone().unwrap_or_default(),
        account: job.context.account.clone().unwrap_or_default(),
        digest: canonical::digest(&canonical),
        line: canonical::line(&canonical::shown(kind, &canonical)),
        arn: arn.or_else(|| kind.predict("arn", &observed.settings, &|place| job.context.place(place))),
        attributes: Entry::lasting(kind, &observed.attributes),
        id: observed.id,
        needs,
        anchor,
        differences: Vec::new(),
    }
}
