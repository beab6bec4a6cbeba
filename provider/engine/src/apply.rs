//! Makes what exists into what is wanted.
//!
//! The order of an apply: look at what is recorded; delete what is not wanted any more and what must
//! be made again; the anchor; everything else along the edges; what others needed until now; and at
//! last the anchor says `complete`. Whatever happens in between, the record says what exists.

mod claim;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::graph::{Graph, Key, Object};
use tandem_model::kind::Kind;
use tokio::sync::Notify;
use tracing::{debug, info};

use crate::canonical::{self, TAGS};
use crate::delete::{delete_objects, delete_one};
use crate::driver::{Class, Driver, Failure, Observed, Tags};
use crate::import;
use crate::job::{Job, Outcome, Problem};
use crate::order;
use crate::ownership::{self, Status, is_ours, of_others};
use crate::plan::{mutable, replaced};
use crate::read;
use crate::record::{Entry, Record};
use crate::resolve::{Attributes, Resolver};
use claim::taken_over;

/// Makes a graph real. The record is what the state holds; an empty one with a fresh instance makes
/// a create of it. The seed has every object whose name follows from the composite's: where to look
/// for what an apply made that did not end.
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
    /// Whether nothing is recorded.
    creating: bool,
    prior: Record,
    /// What was found of the recorded objects.
    seen: BTreeMap<Key, Option<Observed>>,
    /// Recorded objects that are missing, and stay so.
    left_gone: BTreeSet<Key>,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    record: Record,
    attributes: Attributes,
    problems: Vec<Problem>,
    /// What was taken over from an earlier apply that did not complete.
    resumed: Vec<Key>,
    /// Whether the anchor was found incomplete, or complete and adopted: its objects may be claimed.
    claiming: bool,
    /// What the anchor says, when it says `complete`.
    status: Option<Status>,
    /// Whether somebody else took the composite over meanwhile.
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
            // A renewal that is under way ends before the anchor says `complete`.
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
            let problem = taken_over(&self.job.owner, "It was taken over while this apply was at work");
            self.shared().problems.push(problem);
        } else if !left.is_empty() && !self.failed() {
            self.interrupted(left.len());
        }
        self.finish()
    }

    /// Says that so many objects were not made.
    fn interrupted(&self, left: usize) {
        let why = if (self.job.stopped)() { "was asked to stop" } else { "ran out of time" };
        let all = self.graph.objects().len();
        self.shared().problems.push(Problem::error(
            "The apply was interrupted",
            format!("It {why} before {left} of {all} objects were made; what was made is in the state."),
        ));
    }

    fn failed(&self) -> bool {
        self.shared().problems.iter().any(|problem| problem.error)
    }

    fn finish(self) -> Outcome {
        let mut shared = self.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !shared.resumed.is_empty() {
            let list: Vec<String> = shared.resumed.iter().map(|key| format!("- {key}")).collect();
            shared.problems.push(Problem::warning(
                "An earlier apply was resumed",
                format!(
                    "An apply of `{}` that did not complete had left these objects; they are now this \
                     state's:\n{}",
                    self.job.owner,
                    list.join("\n")
                ),
            ));
        }
        if self.creating
            && !shared.record.objects.is_empty()
            && shared.problems.iter().any(|problem| problem.error)
        {
            shared.problems.push(Problem::warning(
                "The composite is incomplete",
                "Terraform marks it as tainted: the next apply would destroy it and make it anew. To complete \
                 it instead, run `terraform untaint ADDRESS` with the address that Terraform prints above \
                 (such as tandem_event_function.NAME), and apply again.",
            ));
        }
        Outcome { record: shared.record, problems: shared.problems }
    }

    /// Looks at everything recorded; whether work may begin.
    async fn survey(&mut self) -> bool {
        let job = self.job;
        let looks = self
            .prior
            .objects
            .iter()
            .map(|(key, entry)| async move { (key, entry, read::look(job, entry).await) });
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
                Err(failure) => problems.push(Problem::failed("Looking at", key, &failure)),
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

    /// The anchor as it is recorded, or as it is wanted where none is.
    fn recorded_anchor(&self, wanted: &Object) -> (Key, Option<&'static Kind>) {
        match self.prior.anchor() {
            Some((key, entry)) => (key.clone(), entry.kind()),
            None => (wanted.key.clone(), Some(wanted.kind)),
        }
    }

    /// Before an update: what an earlier apply made that did not end, or whose state was not saved, comes
    /// into the record. Whether work may begin.
    async fn catch_up(&mut self, anchor: &Object) -> bool {
        let (key, _) = self.recorded_anchor(anchor);
        let Some(Some(found)) = self.seen.get(&key) else { return true };
        let status = Status::of(&found.tags);
        if status.is_complete() && !status.is_of_another(&self.prior) {
            return true;
        }
        self.gather().await
    }

    /// An update that makes objects says so at the anchor, so that the next apply looks for them if this
    /// one does not end. Whether work may begin.
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

    /// Takes what carries our owner, and is neither wanted nor recorded, into the record, so that it
    /// is deleted with what is not wanted. Whether that worked.
    async fn gather(&mut self) -> bool {
        let found = match import::of_owner(self.job, self.seed).await {
            Ok(found) => found,
            Err(problem) => {
                self.shared().problems.push(problem);
                return false;
            }
        };
        for (key, (kind, observed)) in found {
            if self.graph.get(&key).is_some() || self.prior.objects.contains_key(&key) {
                continue;
            }
            info!(%key, "left by an apply that did not end, and not wanted");
            if kind.tags && !is_ours(&observed, &self.prior.instance) {
                let ours = ownership::tags(&self.job.owner, &self.prior.instance);
                let driver = self.job.drivers.driver(kind);
                if let Err(failure) = self.job.call(|| driver.tag(&observed.id, &ours, &[])).await {
                    self.shared().problems.push(Problem::failed("Taking over", &key, &failure));
                    return false;
                }
            }
            let needs = import::needs(self.seed, &key);
            let entry = import::entry(self.job, kind, observed, needs, false);
            self.shared().record.objects.insert(key.clone(), entry.clone());
            self.prior.objects.insert(key, entry);
        }
        true
    }

    /// Recorded objects that are not wanted: those that go first, and those that something else needed
    /// until this apply.
    fn unwanted(&self, again: &BTreeSet<Key>) -> (BTreeSet<Key>, BTreeSet<Key>) {
        let unwanted: BTreeSet<&Key> =
            self.prior.objects.keys().filter(|key| self.graph.get(key).is_none()).collect();
        // The anchor goes last of all: it says meanwhile that an apply is at work.
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

    /// Carries out one object; whether what needs it may go on.
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
                format!("{}: {field} is still unknown", object.key),
                "A value that should be known by now is not. This is a bug in the provider; please report it.",
            )
        })?;
        let driver = self.job.drivers.driver(object.kind);
        let failed =
            |doing: &'static str| move |failure: Failure| Problem::failed(doing, &object.key, &failure);

        let existing = match self.seen.get(&object.key) {
            Some(Some(seen)) => Some(seen.clone()),
            Some(None) if self.left_gone.contains(&object.key) => {
                let entry = self.shared().record.objects.get(&object.key).cloned();
                // One that is replaced is not recorded any more.
                if let Some(Entry { id, attributes, .. }) = entry {
                    let attributes = attributes.into_iter().map(|(name, value)| (name, value.into()));
                    self.keep(object, id, &settings, attributes.collect());
                    return Ok(());
                }
                None
            }
            // Its create call would overwrite what somebody else made in its place.
            _ if !object.kind.exclusive => {
                self.find(driver, object, &settings, &resolver).await.map_err(failed("Looking for"))?
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
                    // Some create calls answer with what somebody else made at the same moment.
                    if !object.kind.exclusive
                        && !self.still_ours(driver, &created.id).await.map_err(failed("Looking at"))?
                        && let Some(found) = self
                            .find(driver, object, &settings, &resolver)
                            .await
                            .map_err(failed("Looking for"))?
                    {
                        return self.converge(object, driver, settings, found).await;
                    }
                    // Without an anchor there was no complete composite: what is left of one is ours.
                    self.shared().claiming = true;
                }
                self.keep(object, created.id.clone(), &settings, created.attributes);
                self.job.call(|| driver.ready(&created.id)).await.map_err(failed("Waiting for"))
            }
            Err(failure) if failure.class == Class::AlreadyExists => {
                let found =
                    self.find(driver, object, &settings, &resolver).await.map_err(failed("Looking for"))?;
                let Some(found) = found else { return Err(failed("Creating")(failure)) };
                self.converge(object, driver, settings, found).await
            }
            Err(failure) => {
                self.keep_if_made(driver, object, &settings, &resolver).await;
                Err(failed("Creating")(failure))
            }
        }
    }

    /// A create call can fail after it made the object (a lost answer, a second call of the driver):
    /// what exists and is ours must be in the record, or a destroy would leave it.
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

    /// Makes an existing object as wanted.
    async fn converge(
        &self,
        object: &Object,
        driver: &dyn Driver,
        settings: Settings,
        found: Observed,
    ) -> Result<(), Problem> {
        let key = &object.key;
        let failed = |doing: &'static str| move |failure: Failure| Problem::failed(doing, key, &failure);
        let wanted = canonical::settings(object.kind, &settings);
        let now = read::settings(object.kind, &found);
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
        // Recorded before it is changed: a failure halfway must not lose it.
        self.keep(object, found.id.clone(), &settings, found.attributes.clone());
        let fields: Vec<&str> = differing.iter().copied().filter(|field| *field != TAGS).collect();
        if !fields.is_empty() {
            info!(%key, ?fields, "updating");
            // An update often sends every field: what others manage is sent as they have it.
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
        if differing.contains(&TAGS) {
            let (set, remove) = tag_changes(&wanted, &now);
            self.job.call(|| driver.tag(&found.id, &set, &remove)).await.map_err(failed("Tagging"))?;
        }
        self.job.call(|| driver.ready(&found.id)).await.map_err(failed("Waiting for"))?;
        let renews = |field: &&str| object.kind.field(field).is_some_and(|field| field.renews.is_some());
        if fields.iter().any(renews) {
            let now = self.job.call(|| driver.observe(&found.id)).await.map_err(failed("Looking at"))?;
            self.keep(object, found.id, &settings, now.unwrap_or_default().attributes);
        }
        Ok(())
    }

    /// Whether a field differs because others manage it, and the configuration did not change it.
    fn left_alone(&self, object: &Object, field: &str, wanted: &Settings, recorded: Option<&Entry>) -> bool {
        let shown = canonical::shown(object.kind, wanted);
        self.job.ignores(&object.key, field)
            && recorded.is_some_and(|entry| entry.settings().get(field) == shown.get(field))
    }

    /// Deletes and creates one object whose immutable fields are not as wanted.
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
                format!("{} would be replaced, and it holds data", object.key),
                "Set `force_destroy = true` to lose the data, or change it by hand to what is wanted.",
            ));
        }
        delete_one(self.job, object.kind, &found.id, self.graph.force_destroy)
            .await
            .map_err(failed("Deleting"))?;
        let tags = self.tags(object, &settings);
        let created = self.job.call(|| driver.create(&settings, &tags)).await.map_err(failed("Creating"))?;
        self.keep(object, created.id.clone(), &settings, created.attributes);
        self.job.call(|| driver.ready(&created.id)).await.map_err(failed("Waiting for"))
    }

    /// The tags of a create call: whose it is, the user's, and for the anchor the lease.
    fn tags(&self, object: &Object, settings: &Settings) -> Tags {
        if !object.kind.tags {
            return Tags::new();
        }
        let user = settings.get(TAGS).and_then(Json::as_object).into_iter().flatten();
        let mut tags: Tags =
            user.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
        tags.extend(ownership::tags(&self.job.owner, &self.prior.instance));
        if self.is_anchor(&object.key) {
            tags.extend(self.job.new_lease().tag());
        }
        tags
    }

    fn is_anchor(&self, key: &Key) -> bool {
        self.graph.objects().first().is_some_and(|object| object.key == *key)
    }

    fn keep(&self, object: &Object, id: String, settings: &Settings, attributes: BTreeMap<String, Json>) {
        let canonical = canonical::settings(object.kind, settings);
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
