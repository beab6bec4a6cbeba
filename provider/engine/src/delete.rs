//! Deletes what is recorded: against the edges, the anchor last, and only what is this state's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use tandem_model::graph::Key;
use tandem_model::ownership::INSTANCE;

use crate::driver::{Driver, Failure, Observed};
use crate::job::{Job, Outcome, Problem};
use crate::order;
use crate::read::look;
use crate::record::{Entry, Record};

/// Deletes everything recorded. With `content`, also what data objects hold.
pub async fn delete(job: &Job<'_>, record: Record, content: bool) -> Outcome {
    if let Err(problem) = job.check_place(&record) {
        return Outcome { record, problems: vec![problem] };
    }
    let keys: BTreeSet<Key> = record.objects.keys().cloned().collect();
    delete_objects(job, record, &keys, content).await
}

/// Deletes some of what is recorded.
pub(crate) async fn delete_objects(
    job: &Job<'_>,
    record: Record,
    keys: &BTreeSet<Key>,
    content: bool,
) -> Outcome {
    // Everything is checked before anything is deleted: a refusal must not leave half a composite.
    let chosen = record.objects.iter().filter(|(key, _)| keys.contains(*key));
    let checks = chosen.map(|(key, entry)| check(job, key, entry, &record.instance, content));
    let refusals: Vec<Problem> = join_all(checks).await.into_iter().filter_map(Result::err).collect();
    if !refusals.is_empty() {
        return Outcome { record, problems: refusals };
    }
    let needs = edges(&record, keys);
    let left = Mutex::new(record.clone());
    let problems = Mutex::new(Vec::new());
    let stopped = order::run(&order::reversed(&needs), &|| job.go_on(), |key| {
        let entry = &record.objects[&key];
        let (left, problems) = (&left, &problems);
        async move {
            let Some(kind) = entry.kind() else { return false };
            match delete_one(job, job.drivers.driver(kind), &entry.id, content).await {
                Ok(()) => {
                    left.lock().unwrap_or_else(PoisonError::into_inner).objects.remove(&key);
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
            "The delete was interrupted",
            format!(
                "{} objects are left, and stay in the state. Run it again to delete them.",
                stopped.len()
            ),
        ));
    }
    Outcome { record: left.into_inner().unwrap_or_else(PoisonError::into_inner), problems }
}

/// Deletes one object; with `content`, what it holds first, part by part, so that a Stop is heard.
pub(crate) async fn delete_one(
    job: &Job<'_>,
    driver: &dyn Driver,
    id: &str,
    content: bool,
) -> Result<(), Failure> {
    while content && job.call(|| driver.empty(id)).await? {
        if !job.go_on() {
            return Err(Failure::local("emptying", "it was asked to stop, or ran out of time; some is left"));
        }
    }
    job.call(|| driver.delete(id)).await
}

fn edges(record: &Record, keys: &BTreeSet<Key>) -> BTreeMap<Key, BTreeSet<Key>> {
    let anchor = record.anchor().map(|(key, _)| key.clone());
    let edges = keys.iter().filter_map(|key| {
        let mut needs: BTreeSet<Key> = record.objects.get(key)?.needs.iter().cloned().collect();
        needs.extend(anchor.clone().filter(|anchor| anchor != key));
        Some((key.clone(), needs))
    });
    edges.collect()
}

/// Whether an object may be deleted: it must be this state's, and empty unless its content goes too.
async fn check(
    job: &Job<'_>,
    key: &Key,
    entry: &Entry,
    instance: &str,
    content: bool,
) -> Result<(), Problem> {
    let found = look(job, entry).await.map_err(|failure| Problem::failed("Looking at", key, &failure))?;
    let (Some(kind), Some(found)) = (entry.kind(), found) else { return Ok(()) };
    if kind.tags {
        check_instance(key, &found, instance)?;
    }
    if !kind.data || content {
        return Ok(());
    }
    let driver = job.drivers.driver(kind);
    let held = job.call(|| driver.content(&entry.id)).await;
    match held.map_err(|failure| Problem::failed("Looking into", key, &failure))? {
        None => Ok(()),
        Some(held) => Err(Problem::error(
            format!("{key} is not empty"),
            format!(
                "{} `{}` holds {held}. Nothing was deleted. Empty it, or set `force_destroy = true`, apply \
                 that, and destroy again.",
                kind.title, entry.id
            ),
        )),
    }
}

/// Refuses an object that does not carry this state's instance.
pub(crate) fn check_instance(key: &Key, found: &Observed, instance: &str) -> Result<(), Problem> {
    match found.tags.get(INSTANCE) {
        Some(tag) if tag == instance => Ok(()),
        other => Err(Problem::error(
            format!("{key} belongs to somebody else"),
            format!(
                "`{}` carries {}, and this state is `{instance}`: it was made or taken over by another \
                 state, and is not touched. If it is yours, set its tag `{INSTANCE}` to `{instance}`; if not, \
                 remove the resource from this state with `terraform state rm`.",
                found.id,
                other.map_or_else(|| format!("no tag `{INSTANCE}`"), |tag| format!("`{INSTANCE} = {tag}`")),
            ),
        )),
    }
}
