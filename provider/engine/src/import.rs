//! Finds the objects of a composite by its name alone: objects whose names follow from it, and objects that
//! belong to these. An import creates a record from them. An apply uses the same search for the objects of an
//! earlier apply that did not end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::code::Code;
use tandem_model::composite::Settings;
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::Kind;
use tandem_model::kinds;
use tandem_model::names;
use tandem_model::ownership::{INSTANCE, OWNER, STATUS};

use crate::canonical;
use crate::driver::{Failure, Observed};
use crate::job::Job;
use crate::ownership::{Status, is_ours};
use crate::problem::{Problem, Remedy};
use crate::read;
use crate::record::{Entry, Record};
use crate::resolve::{Attributes, Resolver};

/// The result of an import.
#[derive(Clone, Debug)]
pub struct Found {
    /// The record of the objects that were found.
    pub record: Record,
    /// The settings of every object, by key.
    pub settings: BTreeMap<String, Settings>,
}

/// Objects by key, each with its kind.
pub(crate) type Objects = BTreeMap<Key, (&'static Kind, Observed)>;

/// Finds a composite with its seed, a graph with every object whose name follows from the composite's.
pub async fn import(job: &Job<'_>, seed: &Graph) -> Result<Found, Problem> {
    let found = named(job, seed).await?;
    // The anchor depends on the inputs, which are not known yet. Its status tag identifies it.
    let owner = job.owner.to_string();
    let says = |key: &&Key| {
        found.get(*key).is_some_and(|(_, observed)| {
            observed.tags.get(OWNER) == Some(&owner) && observed.tags.contains_key(STATUS)
        })
    };
    let keys = || seed.objects().iter().map(|object| &object.key);
    let anchor = keys().chain(found.keys()).find(says).or_else(|| keys().next()).cloned();
    let instance = instance(job, anchor.as_ref().and_then(|key| found.get(key)))?;
    let found = keep(job, seed, found, |observed| is_ours(observed, &instance)).await?;
    let mut record = Record { instance, objects: BTreeMap::new() };
    let mut settings = BTreeMap::new();
    for (key, (kind, observed)) in found {
        let needs = needs(seed, &key);
        settings.insert(key.to_string(), observed.settings.clone());
        let entry = entry(job, kind, observed, needs, Some(&key) == anchor.as_ref());
        record.objects.insert(key, entry);
    }
    Ok(Found { record, settings })
}

/// Finds every object with the tag of this owner, and the objects without tags that belong to these.
pub(crate) async fn of_owner(job: &Job<'_>, seed: &Graph) -> Result<Objects, Problem> {
    let owner = job.owner.to_string();
    let found = named(job, seed).await?;
    keep(job, seed, found, |observed| observed.tags.get(OWNER) == Some(&owner)).await
}

/// Keeps the objects that are ours by their tags, and adds the objects that belong to them.
async fn keep(
    job: &Job<'_>,
    seed: &Graph,
    mut found: Objects,
    is_ours: impl Fn(&Observed) -> bool,
) -> Result<Objects, Problem> {
    let ours = |kind: &Kind, observed: &Observed| !kind.tags || is_ours(observed);
    found.retain(|_, (kind, observed)| ours(kind, observed));
    let known: BTreeSet<Key> = found.keys().cloned().collect();
    // An object whose parent is not ours is not ours either.
    found.retain(|key, (kind, _)| {
        kind.tags || seed.get(key).is_some_and(|object| object.parents().is_subset(&known))
    });
    add_belonging(job, &mut found).await?;
    found.retain(|_, (kind, observed)| ours(kind, observed));
    Ok(found)
}

/// Finds the objects of a seed that exist.
async fn named(job: &Job<'_>, seed: &Graph) -> Result<Objects, Problem> {
    // The search for an object may need attributes that the cloud assigned to an earlier object.
    let mut attributes = Attributes::new();
    let mut found = Objects::new();
    for object in seed.objects() {
        let resolver = Resolver::new(seed, job.context, &attributes);
        let driver = job.drivers.driver(object.kind);
        let observed = match (resolver.id(object), resolver.settings(object)) {
            (Some(id), _) => job.call(|| driver.observe(&id)).await,
            // The cloud chose the id: the search needs all settings.
            (None, Ok(settings)) => job.call(|| driver.find(&settings)).await,
            (None, Err(_)) => continue,
        };
        let observed = observed.map_err(|failure| Problem::failed("Finding", &object.key, &failure))?;
        if let Some(observed) = observed {
            attributes.insert(object.key.clone(), observed.attributes.clone());
            found.insert(object.key.clone(), (object.kind, observed));
        }
    }
    if seed.open {
        add_listed(job, seed, &mut found).await?;
    }
    Ok(found)
}

/// Adds objects with the names of parts of the composite, for any inputs that name objects.
async fn add_listed(job: &Job<'_>, seed: &Graph, found: &mut Objects) -> Result<(), Problem> {
    let owner = job.owner.to_string();
    let mut kinds: Vec<&'static Kind> = Vec::new();
    for object in seed.objects().iter().filter(|object| object.kind.tags) {
        if !kinds.iter().any(|kind| kind.name == object.kind.name) {
            kinds.push(object.kind);
        }
    }
    for kind in kinds {
        let driver = job.drivers.driver(kind);
        let failed = |failure: Failure| Problem::failed("Finding", &kind.name.into(), &failure);
        for id in job.call(|| driver.list(&job.owner.project)).await.map_err(failed)? {
            let name = id.rsplit([':', '/']).next().unwrap_or(&id);
            let Some(role) = names::slot_among(&job.owner, name) else { continue };
            let key = Key::new(kind, &role);
            if found.contains_key(&key) {
                continue;
            }
            let observed = job.call(|| driver.observe(&id)).await.map_err(failed)?;
            if let Some(observed) = observed.filter(|observed| observed.tags.get(OWNER) == Some(&owner)) {
                found.insert(key, (kind, observed));
            }
        }
    }
    Ok(())
}

/// Adds objects that belong to the objects found so far, but have no name that follows from the composite's.
async fn add_belonging(job: &Job<'_>, found: &mut Objects) -> Result<(), Problem> {
    for kind in kinds::ALL {
        let known = found.iter().map(|(key, (_, observed))| (key.to_string(), observed.clone())).collect();
        let driver = job.drivers.driver(kind);
        let more = job.call(|| driver.belonging(&known)).await;
        let more = more.map_err(|failure| Problem::failed("Finding", &kind.name.into(), &failure))?;
        for (role, observed) in more {
            found.entry(Key::new(kind, &role)).or_insert((*kind, observed));
        }
    }
    Ok(())
}

fn instance(job: &Job<'_>, anchor: Option<&(&'static Kind, Observed)>) -> Result<String, Problem> {
    let owner = job.owner.to_string();
    let Some((kind, observed)) = anchor else {
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
pub(crate) fn needs(seed: &Graph, key: &Key) -> Vec<Key> {
    match seed.get(key) {
        Some(object) => object.needs().into_iter().collect(),
        None => seed.objects().iter().map(|object| object.key.clone()).collect(),
    }
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
