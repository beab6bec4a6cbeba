//! Applies a graph: creates, changes and deletes objects until they are as wanted.
//!
//! The order of an apply:
//! 1. Read the recorded objects.
//! 2. Delete objects that are not wanted any more, and objects that must be replaced.
//! 3. Create or update the anchor.
//! 4. Create or update all other objects, in the order of the edges.
//! 5. Delete unwanted objects that other objects needed until now.
//! 6. Set the status of the anchor to `complete`.
//!
//! At any moment the record contains the objects that exist.

mod claim;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use serde_json::Value as Json;
use tandem_model::code::Code;
use tandem_model::composite::Settings;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key, Object};
use tandem_model::kind::Kind;
use tokio::sync::Notify;
use tracing::{debug, info};

use crate::canonical::{self, TAGS};
use crate::delete::{delete_objects, delete_one};
use crate::driver::{Class, Created, Driver, Failure, Observed, Tags};
use crate::import;
use crate::job::{Job, Outcome};
use crate::order;
use crate::ownership::{self, Status, is_ours, of_others};
use crate::plan::{mutable, replaced};
use crate::problem::{Instead, Problem, Remedy};
use crate::read;
use crate::record::{Entry, Record};
use crate::resolve::{Attributes, Resolver};
use crate::search::{self, Found};
use claim::taken_over;

/// Applies a graph. `record` is the record of the state; a create has an empty one, with a new instance.
/// `seed` has every object whose name follows from the composite's: an apply that did not end may have
/// created them.
pub async fn apply(job: &Job<'_>, record: Record, graph: &Graph, seed: &Graph) -> Outcome {
    let run = Run {
        job,
        graph,
        seed,
        creating: record.objects.is_empty(),
        prior: record.clone(),
        seen: BTreeMap::new(),
        left_gone: BTreeSet::new(),
        shared: Mutex::new(Shared { record, ..Shared::default() }),
    };
    run.carry_out().await
}

struct Run<'a> {
    job: &'a Job<'a>,
    graph: &'a Graph,
    seed: &'a Graph,
    /// True if no object is recorded.
    creating: bool,
    prior: Record,
    /// The recorded objects as they exist; `None` for a missing one.
    seen: BTreeMap<Key, Option<Observed>>,
    /// Recorded objects that are missing, and are not created again.
    left_gone: BTreeSet<Key>,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    record: Record,
    attributes: Attributes,
    problems: Vec<Problem>,
    /// The objects that this apply created.
    created: BTreeSet<Key>,
    /// The objects taken over from an earlier apply that did not complete, or from an adopted composite.
    resumed: Vec<Key>,
    /// True if the composite was complete and was adopted.
    adopted: bool,
    /// True if the anchor was created, was incomplete, or was complete and adopted: its objects may be
    /// claimed.
    claiming: bool,
    /// The status of the anchor, if it is `complete`.
    status: Option<Status>,
    /// True if another apply took the composite over meanwhile.
    lost: bool,
}

impl Run<'_> {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry_out(mut self) -> Outcome {
        if let Err(problem) = self.job.check_place(&self.prior) {
            self.shared().problems.push(problem);
            return self.finish();
        }
        let objects = self.graph.objects();
        let Some(anchor) = objects.first() else { return self.finish() };
        if !self.survey().await || !self.catch_up(anchor).await {
            return self.finish();
        }
        let again = replaced(self.graph, self.job.context, &self.prior);
        let (mut early, mut late) = self.unwanted(&again);
        if !self.remove(&early).await {
            return self.finish();
        }
        for key in &again {
            self.seen.insert(key.clone(), None);
        }
        if !self.job.go_on() {
            self.interrupted(objects.len());
            return self.finish();
        }
        if !self.announce(anchor, &again).await || !self.step(anchor).await {
            return self.finish();
        }
        if self.creating && !self.shared().resumed.is_empty() {
            if !self.gather().await {
                return self.finish();
            }
            (early, late) = self.unwanted(&again);
            if !self.remove(&early).await {
                return self.finish();
            }
        }
        let needs: BTreeMap<Key, BTreeSet<Key>> =
            objects[1..].iter().map(|object| (object.key.clone(), object.needs())).collect();
        let go_on = || self.job.go_on() && !self.shared().lost;
        let work = order::run(&needs, &go_on, |key| {
            let object = self.graph.get(&key).expect("an object of the graph");
            self.step(object)
        });
        let complete = self.shared().status.is_some();
        let left = if complete {
            work.await
        } else {
            // A renewal must end before the status becomes `complete`.
            let done = Notify::new();
            let work = async {
                let left = work.await;
                done.notify_one();
                left
            };
            tokio::join!(work, self.renew_lease(anchor, &done)).0
        };
        if left.is_empty() && !self.failed() && !self.shared().lost && self.remove(&late).await {
            self.complete(anchor).await;
        }
        if self.shared().lost {
            let problem = taken_over(&self.job.owner, "It was taken over while this apply was running");
            self.shared().problems.push(problem);
        } else if !left.is_empty() && !self.failed() {
            self.interrupted(left.len());
        }
        self.finish()
    }

    /// Reports the number of objects that were not applied.
    fn interrupted(&self, left: usize) {
        let why = if (self.job.stopped)() { "was asked to stop" } else { "ran out of time" };
        let all = self.graph.objects().len();
        self.shared().problems.push(Problem::error(
            Code::ApplyInterrupted,
            "The apply was interrupted",
            format!(
                "It {why} before {left} of {all} objects were applied. The objects that were created are in the \
                 state."
            ),
            Remedy::None,
        ));
    }

    fn failed(&self) -> bool {
        self.shared().problems.iter().any(|problem| problem.error)
    }

    fn finish(self) -> Outcome {
        let mut shared = self.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !shared.resumed.is_empty() {
            let list: Vec<String> = shared.resumed.iter().map(|key| format!("- {key}")).collect();
            let (owner, list) = (&self.job.owner, list.join("\n"));
            shared.problems.push(if shared.adopted {
                Problem::warning(
                    Code::Adopted,
                    "An existing composite was adopted",
                    format!("`{owner}` existed with these settings. Its objects belong to this state now:\n{list}"),
                    Remedy::None,
                )
            } else {
                Problem::warning(
                    Code::Resumed,
                    "An earlier apply was resumed",
                    format!(
                        "An earlier apply of `{owner}` did not complete. Its objects belong to this state now:\n{list}"
                    ),
                    Remedy::None,
                )
            });
        }
        if self.creating
            && !shared.record.objects.is_empty()
            && shared.problems.iter().any(|problem| problem.error)
        {
            let fact = "The composite is incomplete";
            shared.problems.push(Problem::warning(Code::Incomplete, fact, "", Remedy::KeepCreated));
        }
        Outcome { record: shared.record, problems: shared.problems }
    }

    /// Reads every recorded object. Returns true if work may begin.
    async fn survey(&mut self) -> bool {
        let job = self.job;
        let looks = self
            .prior
            .objects
            .iter()
            .map(|(key, entry)| async move { (key, entry, read::look(job, key, entry).await) });
        let (mut problems, mut others, mut ours) = (Vec::new(), Vec::new(), false);
        let mut seen = BTreeMap::new();
        for (key, entry, found) in join_all(looks).await {
            match found {
                Ok(found) => {
                    if let Some(found) = found.as_ref().filter(|_| entry.kind().is_some_and(|kind| kind.tags))
                    {
                        if is_ours(found, &self.prior.instance) {
                            ours = true;
                        } else {
                            others.push((key.clone(), found.clone()));
                        }
                    }
                    seen.insert(key.clone(), found);
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(of_others(&job.owner, &self.prior.instance, &others, ours));
        let missing = seen.iter().filter(|(_, found)| found.is_none()).map(|(key, _)| key.clone()).collect();
        self.left_gone = read::left_gone(job, &self.prior, &missing);
        self.seen = seen;
        let good = problems.is_empty();
        let mut shared = self.shared();
        for (key, found) in &self.seen {
            if let Some(found) = found {
                shared.attributes.insert(key.clone(), found.attributes.clone());
            }
        }
        shared.problems.extend(problems);
        drop(shared);
        good
    }

    /// The recorded anchor, or the wanted one if none is recorded.
    fn recorded_anchor(&self, wanted: &Object) -> (Key, Option<&'static Kind>) {
        match self.prior.anchor() {
            Some((key, entry)) => (key.clone(), entry.kind()),
            None => (wanted.key.clone(), Some(wanted.kind)),
        }
    }

    /// Before an update: adds objects of an earlier apply to the record, if that apply did not end or its
    /// state was not saved. Returns true if work may begin.
    async fn catch_up(&mut self, anchor: &Object) -> bool {
        let (key, _) = self.recorded_anchor(anchor);
        let Some(Some(found)) = self.seen.get(&key) else { return true };
        let status = Status::of(&found.tags);
        if status.is_complete() && !status.is_of_another(&self.prior) {
            return true;
        }
        self.gather().await
    }

    /// Before an update that creates objects: sets the status of the anchor to `creating`. If this apply does
    /// not end, the next one then looks for these objects. Returns true if work may begin.
    async fn announce(&mut self, anchor: &Object, again: &BTreeSet<Key>) -> bool {
        let (key, kind) = self.recorded_anchor(anchor);
        let (Some(Some(found)), Some(kind)) = (self.seen.get(&key).cloned(), kind) else { return true };
        let makes = |object: &Object| {
            let there = matches!(self.seen.get(&object.key), Some(Some(_)));
            again.contains(&object.key) || !there && !self.left_gone.contains(&object.key)
        };
        if !Status::of(&found.tags).is_complete() || !self.graph.objects().iter().any(makes) {
            return true;
        }
        let lease = self.job.new_lease().tag();
        let driver = self.job.drivers.driver(kind);
        match self.job.call(|| driver.tag(&found.id, &lease, &[])).await {
            Ok(()) => {
                if let Some(Some(found)) = self.seen.get_mut(&key) {
                    found.tags.extend(lease);
                }
                true
            }
            Err(failure) => {
                self.shared().problems.push(Problem::failed("Tagging", &key, &failure));
                false
            }
        }
    }

    /// Adds objects of our owner that are neither wanted nor recorded to the record, so that they are deleted
    /// with the other unwanted objects. Returns true on success.
    async fn gather(&mut self) -> bool {
        let found = match import::of_owner(self.job, self.seed).await {
            Ok(found) => found,
            Err(problem) => {
                self.shared().problems.push(problem);
                return false;
            }
        };
        // Other inputs gave an object another id under the key of a wanted or recorded one: its id takes the place
        // of the slot.
        let key_of = |key: &Key, kind: &Kind, id: &str| {
            if self.takes_key(key) { search::key_of_id(kind, id) } else { key.clone() }
        };
        let keys: BTreeMap<Key, Key> = found
            .iter()
            .filter(|(_, found)| !self.is_known(found.kind, &found.observed.id))
            .map(|(key, found)| (key.clone(), key_of(key, found.kind, &found.observed.id)))
            .collect();
        for (key, Found { kind, observed, parent }) in found {
            // An object whose id cannot be predicted is found by its settings, if it is wanted.
            let Some(key) = keys.get(&key).filter(|own| **own == key || self.has_predictable_id(&key)) else {
                continue;
            };
            let (key, parent) =
                (key.clone(), parent.map(|parent| keys.get(&parent).cloned().unwrap_or(parent)));
            info!(%key, "an apply that did not end left an unwanted object");
            if kind.tags && !is_ours(&observed, &self.prior.instance) {
                let ours = ownership::tags(&self.job.owner, &self.prior.instance, &key);
                let driver = self.job.drivers.driver(kind);
                if let Err(failure) = self.job.call(|| driver.tag(&observed.id, &ours, &[])).await {
                    self.shared().problems.push(Problem::failed("Taking over", &key, &failure));
                    return false;
                }
            }
            let needs = import::needs(self.seed, &key, parent);
            let entry = import::entry(self.job, kind, observed, needs, false);
            self.shared().record.objects.insert(key.clone(), entry.clone());
            self.prior.objects.insert(key, entry);
        }
        true
    }

    /// Returns true if an object is wanted or recorded under this key.
    fn takes_key(&self, key: &Key) -> bool {
        self.graph.get(key).is_some() || self.prior.objects.contains_key(key)
    }

    /// Returns true if the id of the wanted object with this key is predictable.
    fn has_predictable_id(&self, key: &Key) -> bool {
        let none = Attributes::new();
        let resolver = Resolver::new(self.graph, self.job.context, &none);
        self.graph.get(key).is_some_and(|object| resolver.id(object).is_some())
    }

    /// Returns true if an object is recorded or wanted under any key. A version can rename a key.
    fn is_known(&self, kind: &Kind, id: &str) -> bool {
        let none = Attributes::new();
        let resolver = Resolver::new(self.graph, self.job.context, &none);
        let mut wanted = self.graph.objects().iter().filter(|object| object.kind.name == kind.name);
        self.prior.objects.values().any(|entry| entry.kind == kind.name && entry.id == id)
            || wanted.any(|object| resolver.id(object).as_deref() == Some(id))
    }

    /// Recorded objects to delete: those to delete first, including `again`, and those that other objects
    /// needed until this apply.
    fn unwanted(&self, again: &BTreeSet<Key>) -> (BTreeSet<Key>, BTreeSet<Key>) {
        let unwanted: BTreeSet<&Key> =
            self.prior.objects.keys().filter(|key| self.graph.get(key).is_none()).collect();
        // The anchor is deleted last: meanwhile its tag contains the lease.
        let anchor = self.prior.anchor().map(|(key, _)| key.clone());
        let mut late: BTreeSet<Key> = anchor.into_iter().filter(|key| unwanted.contains(key)).collect();
        loop {
            let more: Vec<Key> = unwanted
                .iter()
                .filter(|key| !late.contains(**key))
                .filter(|key| {
                    self.prior.objects.iter().any(|(other, entry)| {
                        let stays =
                            !unwanted.contains(other) && !again.contains(other) || late.contains(other);
                        stays && entry.needs.contains(**key)
                    })
                })
                .map(|key| (*key).clone())
                .collect();
            if more.is_empty() {
                break;
            }
            late.extend(more);
        }
        let early = unwanted.into_iter().filter(|key| !late.contains(*key)).cloned();
        (early.chain(again.iter().cloned()).collect(), late)
    }

    async fn remove(&self, keys: &BTreeSet<Key>) -> bool {
        if keys.is_empty() {
            return true;
        }
        let record = self.shared().record.clone();
        let outcome = delete_objects(self.job, record, keys, self.graph.force_destroy).await;
        let good = outcome.problems.is_empty();
        let mut shared = self.shared();
        shared.record = outcome.record;
        for key in keys {
            shared.attributes.remove(key);
        }
        shared.problems.extend(outcome.problems);
        good
    }

    /// Applies one object. Returns true if the objects that need it may follow.
    async fn step(&self, object: &Object) -> bool {
        match self.ensure(object).await {
            Ok(()) => true,
            Err(problem) => {
                self.shared().problems.push(problem);
                false
            }
        }
    }

    async fn ensure(&self, object: &Object) -> Result<(), Problem> {
        let attributes = self.shared().attributes.clone();
        let resolver = Resolver::new(self.graph, self.job.context, &attributes);
        let settings = resolver.settings(object).map_err(|field| {
            Problem::error(
                Code::StillUnknown,
                format!("{}: {field} is still unknown", object.key),
                "A value that must be known at apply is unknown.",
                Remedy::ReportBug,
            )
        })?;
        let driver = self.job.drivers.driver(object.kind);
        let failed =
            |doing: &'static str| move |failure: Failure| Problem::failed(doing, &object.key, &failure);

        let existing = match self.seen.get(&object.key) {
            // A read can still show what went with an earlier parent.
            _ if self.has_new_parent(object) => None,
            Some(Some(seen)) => Some(seen.clone()),
            Some(None) if self.left_gone.contains(&object.key) => {
                let entry = self.shared().record.objects.get(&object.key).cloned();
                // A replaced object is not recorded any more.
                if let Some(Entry { id, attributes, .. }) = entry {
                    let attributes = attributes.into_iter().map(|(name, value)| (name, value.into()));
                    self.keep(object, id, &settings, attributes.collect());
                    return Ok(());
                }
                None
            }
            // The create call would overwrite an object that another owner created under this name.
            _ if !object.kind.exclusive => {
                self.find(driver, object, &settings, &resolver).await.map_err(failed("Finding"))?
            }
            _ => None,
        };
        if let Some(existing) = existing {
            return self.converge(object, driver, settings, existing).await;
        }
        let tags = self.tags(object, &settings);
        debug!(key = %object.key, "creating");
        match self.job.call(|| driver.create(&settings, &tags)).await {
            Ok(created) => {
                if self.is_anchor(&object.key) {
                    // Some create calls return an existing object, e.g. one that another apply created at the
                    // same time.
                    if !object.kind.exclusive
                        && !self.still_ours(driver, &created.id).await.map_err(failed("Reading"))?
                        && let Some(found) = self
                            .find(driver, object, &settings, &resolver)
                            .await
                            .map_err(failed("Finding"))?
                    {
                        return self.converge(object, driver, settings, found).await;
                    }
                    // Without an anchor there was no complete composite: its remaining objects may be
                    // claimed.
                    self.shared().claiming = true;
                }
                self.made(object, driver, &settings, created).await
            }
            Err(failure) if failure.class == Class::AlreadyExists => {
                let found =
                    self.find(driver, object, &settings, &resolver).await.map_err(failed("Finding"))?;
                let Some(found) = found else { return Err(failed("Creating")(failure)) };
                self.converge(object, driver, settings, found).await
            }
            Err(failure) => {
                self.keep_if_made(driver, object, &settings, &resolver).await;
                Err(failed("Creating")(failure))
            }
        }
    }

    /// Returns true if this apply created the object with which an object goes, so that the latter does not exist yet.
    ///
    /// It is about parents whose create call fails for an object that exists. Others are looked up until they are gone,
    /// and some of them have settings from the start, e.g. the encryption of a bucket.
    fn has_new_parent(&self, object: &Object) -> bool {
        let parent = object.kind.goes_with.and_then(|field| object.fields.get(field));
        let Some(Expr::Attribute(parent, _)) = parent else { return false };
        let is_exclusive = self.graph.get(parent).is_some_and(|parent| parent.kind.exclusive);
        is_exclusive && self.shared().created.contains(parent)
    }

    /// Records an object that exists although its create call failed. Reasons are a lost response, or a
    /// failure of a later call of the driver. Without the record a destroy would leave the object.
    async fn keep_if_made(
        &self,
        driver: &dyn Driver,
        object: &Object,
        settings: &Settings,
        resolver: &Resolver<'_>,
    ) {
        let Ok(Some(found)) = self.find(driver, object, settings, resolver).await else { return };
        if !object.kind.tags || is_ours(&found, &self.prior.instance) {
            self.keep(object, found.id, settings, found.attributes);
        }
    }

    async fn find(
        &self,
        driver: &dyn Driver,
        object: &Object,
        settings: &Settings,
        resolver: &Resolver<'_>,
    ) -> Result<Option<Observed>, Failure> {
        match resolver.id(object) {
            Some(id) => self.job.call(|| driver.observe(&id)).await,
            None => self.job.call(|| driver.find(settings)).await,
        }
    }

    /// Updates an existing object to the wanted settings.
    async fn converge(
        &self,
        object: &Object,
        driver: &dyn Driver,
        settings: Settings,
        found: Observed,
    ) -> Result<(), Problem> {
        let key = &object.key;
        let failed = |doing: &'static str| move |failure: Failure| Problem::failed(doing, key, &failure);
        let wanted = canonical::settings(object.kind, &settings, self.job.policy);
        let now = read::settings(self.job, object.kind, &found);
        let recorded = self.prior.objects.get(key);
        let differing: Vec<&str> = canonical::differing(object.kind, &wanted, &now)
            .into_iter()
            .filter(|field| !self.left_alone(object, field, &wanted, recorded))
            .collect();
        if object.kind.tags {
            if recorded.is_none() || !is_ours(&found, &self.prior.instance) {
                self.claim(object, driver, &found, differing.is_empty()).await?;
            } else if self.is_anchor(key) {
                let status = Status::of(&found.tags);
                let mut shared = self.shared();
                shared.claiming |= !status.is_complete();
                shared.status = status.is_complete().then_some(status);
            }
        }
        if differing.iter().any(|field| !mutable(object.kind, field)) {
            return self.make_again(object, driver, settings, found).await;
        }
        // Record the object before the update: a failure in between must not lose it.
        self.keep(object, found.id.clone(), &settings, found.attributes.clone());
        let fields: Vec<&str> = differing.iter().copied().filter(|field| *field != TAGS).collect();
        if !fields.is_empty() {
            info!(%key, ?fields, "updating");
            // An update often sends every field. Fields in `ignore_drift` are sent with their current values.
            let mut sent = settings.clone();
            for field in canonical::differing(object.kind, &wanted, &now) {
                if differing.contains(&field) {
                    continue;
                }
                match found.settings.get(field) {
                    Some(value) => sent.insert(field.to_owned(), value.clone()),
                    None => sent.remove(field),
                };
            }
            for (number, part) in driver.parts(&fields).iter().enumerate() {
                if number > 0 {
                    self.job.call(|| driver.ready(&found.id)).await.map_err(failed("Waiting for"))?;
                }
                self.job.call(|| driver.update(&found.id, part, &sent)).await.map_err(failed("Updating"))?;
            }
        }
        let (mut set, mut remove) = (Tags::new(), Vec::new());
        if differing.contains(&TAGS) {
            (set, remove) = tag_changes(&wanted, &now);
        }
        // An older version set no key, or another one. A claim has set it.
        let has_key = ownership::has_key(&found, key) || self.shared().resumed.contains(key);
        if object.kind.tags && !has_key {
            set.extend(ownership::label(key));
        }
        if !set.is_empty() || !remove.is_empty() {
            self.job.call(|| driver.tag(&found.id, &set, &remove)).await.map_err(failed("Tagging"))?;
        }
        self.job.call(|| driver.ready(&found.id)).await.map_err(failed("Waiting for"))?;
        let renews = |field: &&str| object.kind.field(field).is_some_and(|field| field.renews.is_some());
        if fields.iter().any(renews) {
            let now = self.job.call(|| driver.observe(&found.id)).await.map_err(failed("Reading"))?;
            self.keep(object, found.id, &settings, now.unwrap_or_default().attributes);
        }
        Ok(())
    }

    /// Returns true if `ignore_drift` contains a field, and the configuration did not change it.
    fn left_alone(&self, object: &Object, field: &str, wanted: &Settings, recorded: Option<&Entry>) -> bool {
        let shown = canonical::shown(object.kind, wanted);
        self.job.ignores(&object.key, field)
            && recorded.is_some_and(|entry| entry.settings().get(field) == shown.get(field))
    }

    /// Replaces an object whose immutable fields are not as wanted.
    async fn make_again(
        &self,
        object: &Object,
        driver: &dyn Driver,
        settings: Settings,
        found: Observed,
    ) -> Result<(), Problem> {
        let failed =
            |doing: &'static str| move |failure: Failure| Problem::failed(doing, &object.key, &failure);
        if object.kind.data && !self.graph.force_destroy {
            return Err(Problem::error(
                Code::WouldLoseData,
                format!("{} would be replaced, but it holds data", object.key),
                "",
                Remedy::AllowLoss(Instead::ChangeByHand),
            ));
        }
        delete_one(self.job, object.kind, &found.id, self.graph.force_destroy)
            .await
            .map_err(failed("Deleting"))?;
        let tags = self.tags(object, &settings);
        let created = self.job.call(|| driver.create(&settings, &tags)).await.map_err(failed("Creating"))?;
        self.made(object, driver, &settings, created).await
    }

    /// Records a created object, and waits until it can be used.
    async fn made(
        &self,
        object: &Object,
        driver: &dyn Driver,
        settings: &Settings,
        created: Created,
    ) -> Result<(), Problem> {
        self.shared().created.insert(object.key.clone());
        self.keep(object, created.id.clone(), settings, created.attributes);
        let ready = self.job.call(|| driver.ready(&created.id)).await;
        ready.map_err(|failure| Problem::failed("Waiting for", &object.key, &failure))
    }

    /// The tags of a create call: the ownership tags, the tags of the user, and the lease for the anchor.
    fn tags(&self, object: &Object, settings: &Settings) -> Tags {
        if !object.kind.tags {
            return Tags::new();
        }
        let user = settings.get(TAGS).and_then(Json::as_object).into_iter().flatten();
        let mut tags: Tags =
            user.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
        tags.extend(ownership::tags(&self.job.owner, &self.prior.instance, &object.key));
        if self.is_anchor(&object.key) {
            tags.extend(self.job.new_lease().tag());
        }
        tags
    }

    fn is_anchor(&self, key: &Key) -> bool {
        self.graph.objects().first().is_some_and(|object| object.key == *key)
    }

    fn keep(&self, object: &Object, id: String, settings: &Settings, attributes: BTreeMap<String, Json>) {
        let canonical = canonical::settings(object.kind, settings, self.job.policy);
        let context = self.job.context;
        let arn = attributes.get("arn").and_then(Json::as_str).map(ToOwned::to_owned);
        let arn = arn.or_else(|| object.kind.predict("arn", settings, &|place| context.place(place)));
        let entry = Entry {
            kind: object.kind.name.to_owned(),
            id,
            region: context.region.clone().unwrap_or_default(),
            account: context.account.clone().unwrap_or_default(),
            digest: canonical::digest(&canonical),
            line: canonical::line(&canonical::shown(object.kind, &canonical)),
            arn,
            attributes: Entry::lasting(object.kind, &attributes),
            needs: object.needs().into_iter().collect(),
            anchor: self.is_anchor(&object.key),
            differences: Vec::new(),
        };
        let mut shared = self.shared();
        shared.attributes.insert(object.key.clone(), attributes);
        shared.record.objects.insert(object.key.clone(), entry);
    }
}

fn tag_changes(wanted: &Settings, now: &Settings) -> (Tags, Vec<String>) {
    let none = serde_json::Map::new();
    let entries = |settings: &Settings| settings.get(TAGS).and_then(Json::as_object).unwrap_or(&none).clone();
    let (wanted, now) = (entries(wanted), entries(now));
    let set = wanted.iter().filter(|(key, value)| now.get(*key) != Some(*value));
    let set = set.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()));
    let remove = now.keys().filter(|key| !wanted.contains_key(*key)).cloned();
    (set.collect(), remove.collect())
}
