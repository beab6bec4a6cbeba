//! Deletes recorded objects: against the edges, the anchor last, and only objects of this state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tandem_model::code::Code;
use tandem_model::graph::Key;
use tandem_model::kind::Kind;

use crate::driver::{Class, Failure, Observed};
use crate::job::{Job, Outcome};
use crate::order;
use crate::ownership::{is_ours, of_others};
use crate::problem::{Instead, Problem, Remedy};
use crate::read::look;
use crate::record::{Entry, Record};

/// Deletes every recorded object. With `content` it also deletes the content of data objects.
pub async fn delete(job: &Job<'_>, record: Record, content: bool) -> Outcome {
    if let Err(problem) = job.check_place(&record) {
        return Outcome { record, problems: vec![problem] };
    }
    let keys: BTreeSet<Key> = record.objects.keys().cloned().collect();
    delete_objects(job, record, &keys, content).await
}

/// Deletes some of the recorded objects.
pub(crate) async fn delete_objects(
    job: &Job<'_>,
    record: Record,
    keys: &BTreeSet<Key>,
    content: bool,
) -> Outcome {
    // Everything is checked before anything is deleted: a refusal must not leave half a composite.
    let parents = parents(&record, keys);
    let chosen = record.objects.iter().filter(|(key, _)| keys.contains(*key) && !parents.contains_key(*key));
    let checks = chosen.map(|(key, entry)| check(job, key, entry, &record.instance, content));
    let (mut refusals, mut others, mut ours) = (Vec::new(), Vec::new(), false);
    for checked in join_all(checks).await {
        match checked {
            Ok(carries_instance) => ours |= carries_instance,
            Err(Refusal::Problem(problem)) => refusals.push(problem),
            Err(Refusal::OfOthers(key, found)) => others.push((key, *found)),
        }
    }
    refusals.extend(of_others(&job.owner, &record.instance, &others, ours));
    if !refusals.is_empty() {
        return Outcome { record, problems: refusals };
    }
    let mut needs = edges(&record, keys);
    inherit(&mut needs, &parents);
    let left = Mutex::new(record.clone());
    let problems = Mutex::new(Vec::new());
    let stopped = order::run(&order::reversed(&needs), &|| job.go_on(), |key| {
        let entry = &record.objects[&key];
        let (left, problems, parents) = (&left, &problems, &parents);
        async move {
            // It stays in the record until its parent is deleted.
            if parents.contains_key(&key) {
                return true;
            }
            let Some(kind) = entry.kind() else { return false };
            match delete_one(job, kind, &entry.id, content).await {
                Ok(()) => {
                    let objects = &mut left.lock().unwrap_or_else(PoisonError::into_inner).objects;
                    objects.remove(&key);
                    objects.retain(|child, _| parents.get(child) != Some(&key));
                    true
                }
                Err(failure) => {
                    let problem = Problem::failed("Deleting", &key, &failure);
                    problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
                    false
                }
            }
        }
    })
    .await;
    let mut problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !stopped.is_empty() && problems.is_empty() {
        problems.push(Problem::error(
            Code::DeleteInterrupted,
            "The delete was interrupted",
            format!("{} objects were not deleted, and stay in the state.", stopped.len()),
            Remedy::RunAgain,
        ));
    }
    Outcome { record: left.into_inner().unwrap_or_else(PoisonError::into_inner), problems }
}

/// The time for which a deleted object may still be visible.
const LINGERS: Duration = Duration::from_secs(2 * 60);

/// Deletes one object. With `content` it deletes the content first, in parts: it can stop between them.
pub(crate) async fn delete_one(
    job: &Job<'_>,
    kind: &'static Kind,
    id: &str,
    content: bool,
) -> Result<(), Failure> {
    let driver = job.drivers.driver(kind);
    while content && job.call(|| driver.empty(id)).await? {
        if !job.go_on() {
            return Err(Failure::local(
                "emptying",
                "stopped, or ran out of time, before the object was empty",
            ));
        }
    }
    // Repeat the delete until the object is no longer visible. The create call that replaces it looks for an
    // existing object first, and must not find this one. If the create call fails for an existing object,
    // this is not needed.
    let delete = || async {
        driver.delete(id).await?;
        if kind.exclusive || driver.is_gone(id).await? {
            return Ok(());
        }
        Err(Failure {
            class: Class::Passing(LINGERS),
            denied: false,
            operation: format!("deleting {}", kind.title),
            code: String::new(),
            message: format!("`{id}` still exists"),
        })
    };
    job.call(delete).await
}

/// The objects that the cloud deletes with another one of these objects, each with that object.
fn parents(record: &Record, keys: &BTreeSet<Key>) -> BTreeMap<Key, Key> {
    let pairs = keys.iter().filter_map(|key| {
        let entry = record.objects.get(key)?;
        let kind = entry.kind()?;
        let settings = entry.settings();
        let named = settings.get(kind.goes_with?)?.as_str()?;
        let parent = entry.needs.iter().filter(|need| keys.contains(*need)).find(|need| {
            record.objects.get(*need).is_some_and(|parent| {
                // A queue and a bucket can have the same id.
                parent.kind().is_some_and(|of| of.service == kind.service && of.goes_with.is_none())
                    && (parent.id == named || parent.arn.as_deref() == Some(named))
            })
        })?;
        Some((key.clone(), parent.clone()))
    });
    pairs.collect()
}

/// Adds the needs of objects that go with their parents to those of the parents: in place of the dead-letter policy of a
/// queue, the queue itself is deleted before its dead-letter queue.
fn inherit(needs: &mut BTreeMap<Key, BTreeSet<Key>>, parents: &BTreeMap<Key, Key>) {
    for (child, parent) in parents {
        for need in needs.get(child).cloned().unwrap_or_default() {
            if need != *parent
                && !order::reaches(needs, &need, parent)
                && let Some(of_parent) = needs.get_mut(parent)
            {
                of_parent.insert(need);
            }
        }
    }
}

fn edges(record: &Record, keys: &BTreeSet<Key>) -> BTreeMap<Key, BTreeSet<Key>> {
    let anchor = record.anchor().map(|(key, _)| key.clone());
    let edges = keys.iter().filter_map(|key| {
        // The anchor needs no object, although an import without the inputs records needs for it.
        if anchor.as_ref() == Some(key) {
            return Some((key.clone(), BTreeSet::new()));
        }
        let mut needs: BTreeSet<Key> = record.objects.get(key)?.needs.iter().cloned().collect();
        needs.extend(anchor.clone());
        Some((key.clone(), needs))
    });
    edges.collect()
}

/// The reason not to delete an object.
enum Refusal {
    Problem(Problem),
    /// It belongs to another state.
    OfOthers(Key, Box<Observed>),
}

/// Checks that an object may be deleted: it must belong to this state, and be empty unless `content` is set.
/// Returns true if it carries the instance of this state; objects without tags do not.
async fn check(
    job: &Job<'_>,
    key: &Key,
    entry: &Entry,
    instance: &str,
    content: bool,
) -> Result<bool, Refusal> {
    let found = look(job, key, entry).await.map_err(Refusal::Problem)?;
    let (Some(kind), Some(found)) = (entry.kind(), found) else { return Ok(false) };
    if kind.tags && !is_ours(&found, instance) {
        return Err(Refusal::OfOthers(key.clone(), Box::new(found)));
    }
    if !kind.data || content {
        return Ok(kind.tags);
    }
    let driver = job.drivers.driver(kind);
    let held = job.call(|| driver.content(&entry.id)).await;
    let failed = |failure| Refusal::Problem(Problem::failed("Reading the content of", key, &failure));
    match held.map_err(failed)? {
        None => Ok(kind.tags),
        Some(held) => Err(Refusal::Problem(Problem::error(
            Code::NotEmpty,
            format!("{key} is not empty"),
            format!("{} `{}` contains {held}. Nothing was deleted.", kind.title, entry.id),
            Remedy::AllowLoss(Instead::Empty),
        ))),
    }
}
