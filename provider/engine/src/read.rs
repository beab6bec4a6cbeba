//! Reads the recorded objects, and compares them with the record.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value as Json;
use tandem_model::code::Code;
use tandem_model::composite::Settings;
use tandem_model::graph::Key;
use tandem_model::kind::{Form, Kind};
use tandem_model::ownership::KEY;
use tokio::time::Instant;

use crate::canonical::{self, TAGS};
use crate::difference::{Difference, Values};
use crate::driver::Observed;
use crate::job::Job;
use crate::ownership::{self, Status};
use crate::problem::{Problem, Remedy};
use crate::record::{Entry, Record};

/// The result of reading a composite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// True if no recorded object exists any more.
    pub gone: bool,
    /// Every difference, in the order in which the user sees them.
    pub differences: Vec<(Key, Difference)>,
}

impl Reading {
    /// Every difference as a line for the user.
    pub fn lines(&self) -> Vec<String> {
        self.differences.iter().map(|(key, difference)| difference.line(key)).collect()
    }
}

/// Reads every recorded object.
pub async fn read(job: &Job<'_>, record: &Record) -> Result<Reading, Vec<Problem>> {
    job.check_place(record).map_err(|problem| vec![problem])?;
    let looks =
        record.objects.iter().map(|(key, entry)| async move { (key, entry, look(job, key, entry).await) });
    let looks = join_all(looks).await;
    let there: BTreeSet<&Key> =
        looks.iter().filter(|(_, _, found)| matches!(found, Ok(Some(_)))).map(|(key, ..)| *key).collect();
    let settled = looks.into_iter().map(|(key, entry, found)| {
        // Without the objects that it needs, an object is gone for sure.
        let may_be_there = entry.needs.iter().all(|needed| there.contains(needed));
        async move {
            let found = match found {
                Ok(found) if may_be_there => settled(job, key, entry, record, found).await,
                found => found,
            };
            (key, entry, found)
        }
    });
    let mut reading = Reading { gone: true, differences: Vec::new() };
    let mut problems = Vec::new();
    let mut missing = BTreeSet::new();
    for (key, entry, found) in join_all(settled).await {
        match found {
            Ok(Some(found)) => {
                reading.gone = false;
                let drift = drift(job, key, entry, record, &found).into_iter();
                reading.differences.extend(drift.map(|difference| (key.clone(), difference)));
            }
            Ok(None) => {
                missing.insert(key.clone());
            }
            Err(problem) => problems.push(problem),
        }
    }
    let left = left_gone(job, record, &missing);
    reading.differences.extend(missing.difference(&left).map(|key| (key.clone(), Difference::Missing)));
    if problems.is_empty() { Ok(reading) } else { Err(problems) }
}

/// The missing objects that an apply does not create again: `ignore_drift` lists them, and no other recorded
/// object needs them.
pub(crate) fn left_gone(job: &Job<'_>, record: &Record, missing: &BTreeSet<Key>) -> BTreeSet<Key> {
    let ignored = missing
        .iter()
        .filter(|key| job.ignores(key, "*") && record.objects.get(*key).is_some_and(|entry| !entry.anchor));
    let mut left: BTreeSet<Key> = ignored.cloned().collect();
    loop {
        let needed = |key: &Key| {
            let mut others = record.objects.iter().filter(|(other, _)| !left.contains(*other));
            others.any(|(_, entry)| entry.needs.contains(key))
        };
        let Some(key) = left.iter().find(|key| needed(key)).cloned() else { return left };
        left.remove(&key);
    }
}

/// Pause between reads of an object that may not have settled.
const PAUSE: Duration = Duration::from_secs(5);

/// Reads a recorded object again, as long as it differs from the record and its cloud may answer with old settings.
async fn settled(
    job: &Job<'_>,
    key: &Key,
    entry: &Entry,
    record: &Record,
    mut found: Option<Observed>,
) -> Result<Option<Observed>, Problem> {
    let Some(kind) = entry.kind() else { return Ok(found) };
    let start = Instant::now();
    loop {
        let differs = match &found {
            // It may be a setting of another object, which an old answer does not have.
            None => !kind.tags && !job.ignores(key, "*"),
            Some(found) => {
                let mut drift = drift(job, key, entry, record, found).into_iter();
                drift.any(|one| matches!(one, Difference::Field { name, .. } if name != TAGS))
            }
        };
        if !differs || start.elapsed() >= job.drivers.driver(kind).settling() || !job.go_on() {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
        found = look(job, key, entry).await?;
    }
}

/// Reads one recorded object.
pub(crate) async fn look(job: &Job<'_>, key: &Key, entry: &Entry) -> Result<Option<Observed>, Problem> {
    let Some(kind) = entry.kind() else {
        let cause =
            format!("{}: this version of the provider does not support this kind of object", entry.kind);
        let fact = format!("Reading {key} failed");
        return Err(Problem::error(Code::UnknownKind, fact, cause, Remedy::OtherVersion));
    };
    let found = job.call(|| job.drivers.driver(kind).observe(&entry.id)).await;
    found.map_err(|failure| Problem::failed("Reading", key, &failure))
}

/// Observed settings in canonical form, with the user's tags.
pub(crate) fn settings(job: &Job<'_>, kind: &Kind, found: &Observed) -> Settings {
    let mut settings = canonical::settings(kind, &found.settings, job.policy);
    if kind.tags {
        let tags =
            ownership::user_tags(&found.tags).map(|(key, value)| (key.clone(), Json::from(value.clone())));
        settings.insert(TAGS.to_owned(), Json::Object(tags.collect()));
    }
    settings
}

fn drift(job: &Job<'_>, key: &Key, entry: &Entry, record: &Record, found: &Observed) -> Vec<Difference> {
    let instance = record.instance.as_str();
    let Some(kind) = entry.kind() else { return Vec::new() };
    let wanted = entry.settings();
    let now = canonical::shown(kind, &settings(job, kind, found));
    let mut drift: Vec<Difference> = canonical::differing(kind, &wanted, &now)
        .into_iter()
        .filter(|field| !job.ignores(key, field))
        .map(|field| Difference::Field {
            name: field.to_owned(),
            values: values(kind, field, wanted.get(field), now.get(field)),
        })
        .collect();
    if kind.tags && !ownership::is_ours(found, instance) {
        drift.push(Difference::OtherInstance { instance: instance.to_owned() });
    } else if kind.tags && !ownership::has_key(found, key) {
        drift.push(Difference::Unlabeled { found: found.tags.get(KEY).cloned() });
    }
    if entry.anchor {
        let status = Status::of(&found.tags);
        if !status.is_complete() {
            drift.push(Difference::Unfinished);
        } else if status.is_of_another(record) {
            drift.push(Difference::OfAnotherApply);
        }
    }
    drift
}

/// The values of a field, as far as they may be shown.
fn values(kind: &Kind, field: &str, wanted: Option<&Json>, now: Option<&Json>) -> Values {
    let form = kind.field(field).map_or(Form::Plain, |field| field.form);
    match (form, now) {
        (Form::SecretMap, Some(Json::Object(now))) => {
            let wanted = wanted.and_then(Json::as_object).cloned().unwrap_or_default();
            let names = wanted.keys().chain(now.keys().filter(|name| !wanted.contains_key(*name)));
            Values::HiddenAt(names.filter(|name| wanted.get(*name) != now.get(*name)).cloned().collect())
        }
        (Form::SecretMap | Form::Policy, _) => Values::Hidden,
        _ => Values::Shown { is: now.cloned(), should: wanted.cloned() },
    }
}
