//! Finds the objects of a project by their tags, and deletes orphaned objects: those that no given state has.
//!
//! The objects of each composite become a record, as in an import. They are deleted as in a destroy: against
//! the edges, the anchor last.

mod bundle;
mod find;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tandem_model::code::Code;
use tandem_model::composite::Definition;
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::Kind;
use tandem_model::ownership::{INSTANCE, OWNER, Owner, STATUS};
use tokio::time::Instant;
use tracing::info;

use crate::delete;
use crate::driver::{Failure, Observed, Tags};
use crate::job::Job;
use crate::ownership::Status;
use crate::problem::{Problem, Remedy};
use crate::resolve::{Attributes, Resolver};
use bundle::Bundle;
use find::Tagged;

/// The number of composites that are worked on at a time.
const PARALLEL: usize = 4;

/// The maximum time for the delete of one composite.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// The parameters of a sweep.
pub struct Request<'a> {
    /// The project.
    pub project: &'a str,
    /// The resources in the given states.
    pub owned: &'a [Owned],
    /// True to delete the orphaned objects.
    pub remove: bool,
    /// True to delete data objects with their content.
    pub content: bool,
    /// Receives progress messages for the user.
    pub progress: &'a (dyn Fn(String) + Send + Sync),
}

/// The objects of a resource in a given state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The resource and its state, for messages.
    pub resource: String,
    /// The random string in the tag `tandem:instance` of its objects.
    pub instance: String,
    /// Kind and id of every object in its record.
    pub objects: BTreeSet<(String, String)>,
}

/// The result of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Composites with orphaned objects.
    pub composites: Vec<Composite>,
    /// Errors for kinds that could not be listed, and for objects that could not be read.
    pub problems: Vec<Problem>,
}

/// The orphaned objects of a composite.
#[derive(Clone, Debug)]
pub struct Composite {
    /// Its owner, from the tags.
    pub owner: String,
    /// Its orphaned objects.
    pub objects: Vec<Object>,
    /// Errors of this composite.
    pub problems: Vec<Problem>,
}

/// An orphaned object: no given state has it.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its id.
    pub id: String,
    /// The reason why it is orphaned.
    pub why: Why,
    /// The outcome.
    pub fate: Fate,
}

/// The reason why an object is orphaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// No given state has its instance.
    UnknownInstance(String),
    /// The state of this resource has its instance, and does not have the object in its record.
    NotRecorded(String),
    /// It has a tag with its owner, but none with its instance. Tandem creates no such objects.
    NoInstance,
    /// It has no tags, and is deleted with this object.
    With(String),
}

/// The outcome for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It can be deleted.
    Removable,
    /// It was deleted.
    Removed,
    /// It should have been deleted. The problems contain the reason for the failure.
    Left,
    /// It stays, for this reason.
    Stays(Reason),
}

/// The reason why an object stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// This process may be at work on its composite.
    AtWork(String),
    /// It holds data.
    Holds(String),
    /// It belongs to this object, which stays.
    With(String),
    /// It is the anchor, and another object of its composite stays.
    Anchor,
    /// It has no tag with its instance, so its state is unknown.
    NoInstance,
    /// This version does not support such composites.
    UnknownComposite,
    /// A part of the project could not be listed or read.
    Unseen,
}

impl Report {
    /// Every orphaned object.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.composites.iter().flat_map(|composite| &composite.objects)
    }

    /// Returns true if every read and every delete succeeded.
    pub fn good(&self) -> bool {
        self.problems.is_empty() && self.composites.iter().all(|composite| composite.problems.is_empty())
    }
}

/// Finds the objects with the tags of a project, in the region of the job, and deletes orphaned objects if
/// the request sets `remove`.
pub async fn sweep(job: &Job<'_>, request: &Request<'_>) -> Report {
    let found = find::find(job, request).await;
    let mut by_owner: BTreeMap<String, Vec<Tagged>> = BTreeMap::new();
    for tagged in found.tagged {
        by_owner.entry(tagged.tag(OWNER).unwrap_or_default().to_owned()).or_default().push(tagged);
    }
    let everything_is_known = found.everything;
    let works: Vec<_> = by_owner
        .into_iter()
        .map(|(owner, tagged)| composite(job, request, everything_is_known, owner, tagged))
        .collect();
    let mut composites: Vec<Composite> = stream::iter(works)
        .buffer_unordered(PARALLEL)
        .filter_map(async |composite: Option<Composite>| composite)
        .collect()
        .await;
    composites.sort_by(|one, other| one.owner.cmp(&other.owner));
    Report { composites, problems: found.problems }
}

/// The reason why an object is orphaned; `None` if a given state has it.
fn judge(owned: &[Owned], kind: &Kind, observed: &Observed) -> Option<Why> {
    let Some(instance) = observed.tags.get(INSTANCE) else { return Some(Why::NoInstance) };
    let mut same = owned.iter().filter(|owned| owned.instance == *instance).peekable();
    let Some(first) = same.peek() else { return Some(Why::UnknownInstance(instance.clone())) };
    let resource = first.resource.clone();
    let object = (kind.name.to_owned(), observed.id.clone());
    (!same.any(|owned| owned.objects.contains(&object))).then_some(Why::NotRecorded(resource))
}

/// Sweeps one composite; `None` if the given states have all of its objects.
async fn composite(
    base: &Job<'_>,
    request: &Request<'_>,
    everything_is_known: bool,
    owner: String,
    tagged: Vec<Tagged>,
) -> Option<Composite> {
    let held = tagged.iter().find_map(|tagged| held(base, &tagged.observed.tags));
    let all = tagged.len();
    let mut left_over: BTreeMap<Option<String>, Vec<(Tagged, Why)>> = BTreeMap::new();
    for tagged in tagged {
        if let Some(why) = judge(request.owned, tagged.kind, &tagged.observed) {
            let instance = tagged.tag(INSTANCE).map(ToOwned::to_owned);
            left_over.entry(instance).or_default().push((tagged, why));
        }
    }
    let count: usize = left_over.values().map(Vec::len).sum();
    if count == 0 {
        return None;
    }
    let mut composite = Composite { owner, objects: Vec::new(), problems: Vec::new() };
    let seed = Owner::parse(&composite.owner).and_then(|owner| Some((seed(base, &owner)?, owner)));
    let stays = match (seed, held) {
        (_, Some(by)) => Reason::AtWork(by),
        (None, None) => Reason::UnknownComposite,
        (Some((seed, owner)), None) => {
            let job = Job { owner, deadline: Instant::now() + TIMEOUT, ..*base };
            let work = Work { job: &job, request, everything_is_known, seed: &seed };
            // If a given state has a part of the composite, its anchor stays.
            work.carry_out(&mut composite, left_over, count < all).await;
            return Some(composite);
        }
    };
    composite.all_stay(left_over.into_values().flatten(), &stays);
    Some(composite)
}

/// The graph of every object whose name follows from the composite's.
fn seed(job: &Job<'_>, owner: &Owner) -> Option<Graph> {
    let definition = Definition::find(&owner.composite)?;
    definition.expand_seed(&owner.name, job.context).graph
}

/// The process that may be at work on the composite, from the tags of its anchor.
fn held(job: &Job<'_>, tags: &Tags) -> Option<String> {
    if !tags.contains_key(STATUS) {
        return None;
    }
    match Status::of(tags) {
        status if !status.may_be_held((job.clock)()) => None,
        Status::Creating { by, .. } => Some(by),
        Status::Complete { .. } => None,
    }
}

impl Composite {
    fn all_stay(&mut self, tagged: impl IntoIterator<Item = (Tagged, Why)>, reason: &Reason) {
        self.objects.extend(tagged.into_iter().map(|(tagged, why)| Object {
            kind: tagged.kind,
            id: tagged.observed.id,
            why,
            fate: Fate::Stays(reason.clone()),
        }));
    }
}

/// The work on one composite.
struct Work<'a> {
    job: &'a Job<'a>,
    request: &'a Request<'a>,
    everything_is_known: bool,
    seed: &'a Graph,
}

impl Work<'_> {
    async fn carry_out(
        &self,
        composite: &mut Composite,
        left_over: BTreeMap<Option<String>, Vec<(Tagged, Why)>>,
        mut lives: bool,
    ) {
        let mut groups: Vec<_> = left_over.into_iter().collect();
        let has_anchor =
            |group: &[(Tagged, Why)]| group.iter().any(|(tagged, _)| tagged.tag(STATUS).is_some());
        // The anchor is deleted last, for any instance.
        groups.sort_by_key(|(_, group)| has_anchor(group));
        for (instance, group) in groups {
            let Some(instance) = instance else {
                composite.all_stay(group, &Reason::NoInstance);
                lives = true;
                continue;
            };
            let objects = match self.instance(composite, &instance, &group, lives).await {
                Ok(objects) => objects,
                Err(problem) => {
                    composite.problems.push(problem);
                    composite.all_stay(group, &Reason::Unseen);
                    lives = true;
                    continue;
                }
            };
            lives |= objects.iter().any(|object| !matches!(object.fate, Fate::Removable | Fate::Removed));
            composite.objects.extend(objects);
        }
    }

    /// Sweeps one instance of the composite. With `lives` the anchor stays.
    async fn instance(
        &self,
        composite: &mut Composite,
        instance: &str,
        group: &[(Tagged, Why)],
        lives: bool,
    ) -> Result<Vec<Object>, Problem> {
        let tagged = group.iter().map(|(tagged, _)| tagged);
        let bundle = Bundle::gather(self.job, self.seed, instance, tagged).await?;
        let mut stays = bundle.stays(self.job, self.request.content, lives).await?;
        let mut left: BTreeSet<Key> = BTreeSet::new();
        if self.request.remove {
            if let Some(reason) = self.objection(composite).await {
                stays = bundle.record.objects.keys().map(|key| (key.clone(), reason.clone())).collect();
            } else {
                left = self.remove(composite, &bundle, &stays).await;
            }
        }
        let objects = bundle.record.objects.iter().filter_map(|(key, entry)| {
            let kind = entry.kind()?;
            let of_group = group
                .iter()
                .find(|(tagged, _)| tagged.kind.name == kind.name && tagged.observed.id == entry.id)
                .map(|(_, why)| why.clone());
            let why = of_group.or_else(|| Some(Why::With(bundle.hangs_on.get(key)?.clone())));
            let fate = match stays.get(key) {
                Some(reason) => Fate::Stays(reason.clone()),
                None if !self.request.remove => Fate::Removable,
                None if left.contains(key) => Fate::Left,
                None => Fate::Removed,
            };
            Some(Object { kind, id: entry.id.clone(), why: why.unwrap_or(Why::NoInstance), fate })
        });
        Ok(objects.collect())
    }

    /// The reason why no object of the composite may be deleted now.
    async fn objection(&self, composite: &mut Composite) -> Option<Reason> {
        if !self.everything_is_known {
            return Some(Reason::Unseen);
        }
        match self.at_work().await {
            Ok(by) => by.map(Reason::AtWork),
            Err(failure) => {
                let fact = format!("The lease of `{}` could not be read", composite.owner);
                composite.problems.push(Problem::of_sweep(fact, &failure));
                Some(Reason::Unseen)
            }
        }
    }

    /// The process that may have begun to work on the composite since it was found. Any object that needs no
    /// other object can be the anchor.
    async fn at_work(&self) -> Result<Option<String>, Failure> {
        let none = Attributes::new();
        let resolver = Resolver::new(self.seed, self.job.context, &none);
        let first = self.seed.objects().iter().filter(|object| object.kind.tags && object.needs().is_empty());
        let looks = first.filter_map(|object| Some((object.kind, resolver.id(object)?)));
        let looks = looks.map(|(kind, id)| async move {
            let driver = self.job.drivers.driver(kind);
            self.job.call(|| driver.observe(&id)).await
        });
        let owner = self.job.owner.to_string();
        for observed in join_all(looks).await {
            let by = observed?
                .filter(|observed| observed.tags.get(OWNER) == Some(&owner))
                .and_then(|observed| held(self.job, &observed.tags));
            if by.is_some() {
                return Ok(by);
            }
        }
        Ok(None)
    }

    /// Deletes the objects that do not stay. Returns the objects that are left.
    async fn remove(
        &self,
        composite: &mut Composite,
        bundle: &Bundle,
        stays: &BTreeMap<Key, Reason>,
    ) -> BTreeSet<Key> {
        let mut record = bundle.record.clone();
        record.objects.retain(|key, _| !stays.contains_key(key));
        info!(owner = composite.owner, objects = record.objects.len(), "deleting");
        (self.request.progress)(format!("deleting {} objects of {}", record.objects.len(), composite.owner));
        let outcome = delete::delete(self.job, record, self.request.content).await;
        let left: BTreeSet<Key> = outcome.record.objects.into_keys().collect();
        let interrupted = !left.is_empty() && !self.job.go_on();
        let failed = |problem: &Problem| problem.code != Code::DeleteInterrupted || !interrupted;
        composite.problems.extend(outcome.problems.into_iter().filter(failed));
        if interrupted {
            composite.problems.push(Problem::error(
                Code::SweepInterrupted,
                "The sweep was interrupted",
                "It was asked to stop, or ran out of time.",
                Remedy::SweepAgain,
            ));
        }
        left
    }
}
