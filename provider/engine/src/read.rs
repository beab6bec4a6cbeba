//! Reads the recorded objects, and compares them with the record.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value as Json;
use tandem_model::graph::Key;
use tandem_model::kind::{Form, Kind};
use tandem_model::ownership::{INSTANCE, KEY, STATUS};

use crate::canonical::{self, TAGS};
use crate::driver::{Failure, Observed};
use crate::job::{Job, Problem};
use crate::ownership::{self, Status};
use crate::record::{Entry, Record};

/// The result of reading a composite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// True if no recorded object exists any more.
    pub gone: bool,
    /// Every difference, as a line for the user.
    pub drift: Vec<String>,
}

/// The drift that a plan uses.
#[derive(Clone, Debug, Default)]
pub struct Drifted {
    /// The objects that are missing.
    pub missing: BTreeSet<Key>,
    /// The fields with another value.
    pub fields: BTreeSet<(Key, String)>,
}

/// Parses the lines of [`Reading::drift`], which the state contains.
pub fn drifted<'a>(drift: impl IntoIterator<Item = &'a str>) -> Drifted {
    let mut drifted = Drifted::default();
    for line in drift {
        if let Some(key) = line.strip_suffix(MISSING) {
            drifted.missing.insert(Key::from(key));
        } else if let Some((key, rest)) = line.split_once(": ") {
            let field = rest.split(' ').next().unwrap_or_default();
            drifted.fields.insert((Key::from(key), field.to_owned()));
        }
    }
    drifted
}

const MISSING: &str = " is missing";

/// Reads every recorded object.
pub async fn read(job: &Job<'_>, record: &Record) -> Result<Reading, Vec<Problem>> {
    job.check_place(record).map_err(|problem| vec![problem])?;
    let looks = record.objects.iter().map(|(key, entry)| async move { (key, entry, look(job, entry).await) });
    let mut reading = Reading { gone: true, drift: Vec::new() };
    let mut problems = Vec::new();
    let mut missing = BTreeSet::new();
    for (key, entry, found) in join_all(looks).await {
        match found {
            Ok(Some(found)) => {
                reading.gone = false;
                reading.drift.extend(drift(job, key, entry, record, &found));
            }
            Ok(None) => {
                missing.insert(key.clone());
            }
            Err(failure) => problems.push(Problem::failed("Reading", key, &failure)),
        }
    }
    let left = left_gone(job, record, &missing);
    reading.drift.extend(missing.difference(&left).map(|key| format!("{key}{MISSING}")));
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

/// Reads one recorded object.
pub(crate) async fn look(job: &Job<'_>, entry: &Entry) -> Result<Option<Observed>, Failure> {
    let Some(kind) = entry.kind() else {
        return Err(Failure::local(
            &entry.kind,
            "this version of the provider does not support this kind of object; use the version that created it, \
             or a newer one",
        ));
    };
    job.call(|| job.drivers.driver(kind).observe(&entry.id)).await
}

/// Observed settings in canonical form, with the user's tags.
pub(crate) fn settings(kind: &Kind, found: &Observed) -> tandem_model::composite::Settings {
    let mut settings = canonical::settings(kind, &found.settings);
    if kind.tags {
        let tags =
            ownership::user_tags(&found.tags).map(|(key, value)| (key.clone(), Json::from(value.clone())));
        settings.insert(TAGS.to_owned(), Json::Object(tags.collect()));
    }
    settings
}

fn drift(job: &Job<'_>, key: &Key, entry: &Entry, record: &Record, found: &Observed) -> Vec<String> {
    let instance = record.instance.as_str();
    let Some(kind) = entry.kind() else { return Vec::new() };
    let wanted = entry.settings();
    let now = canonical::shown(kind, &settings(kind, found));
    let mut drift: Vec<String> = canonical::differing(kind, &wanted, &now)
        .into_iter()
        .filter(|field| !job.ignores(key, field))
        .map(|field| describe(kind, key, field, wanted.get(field), now.get(field)))
        .collect();
    if kind.tags && !ownership::is_ours(found, instance) {
        drift.push(format!("{key}: tag `{INSTANCE}` is not `{instance}`: another state may own the object"));
    } else if kind.tags && !ownership::has_key(found, key) {
        let is = found.tags.get(KEY).map_or_else(|| "not set".to_owned(), |tag| format!("`{tag}`"));
        let sets = if found.tags.contains_key(KEY) { format!("`{key}`") } else { "it".to_owned() };
        drift.push(format!("{key}: tag `{KEY}` is {is}; the next apply sets {sets}"));
    }
    if entry.anchor {
        let status = Status::of(&found.tags);
        if !status.is_complete() {
            drift.push(format!(
                "{key}: tag `{STATUS}` was written by an apply that did not end; the next apply completes it"
            ));
        } else if status.is_of_another(record) {
            drift.push(format!(
                "{key}: tag `{STATUS}` was written by an apply whose state was not saved; the next apply \
                 reconciles it"
            ));
        }
    }
    drift
}

fn describe(kind: &Kind, key: &Key, field: &str, wanted: Option<&Json>, now: Option<&Json>) -> String {
    let form = kind.field(field).map_or(Form::Plain, |field| field.form);
    match (form, wanted, now) {
        (Form::SecretMap, wanted, Some(Json::Object(now))) => {
            let wanted = wanted.and_then(Json::as_object).cloned().unwrap_or_default();
            let names = wanted.keys().chain(now.keys().filter(|name| !wanted.contains_key(*name)));
            let changed =
                names.filter(|name| wanted.get(*name) != now.get(*name)).map(|name| format!("{name:?}"));
            format!("{key}: {field} is changed at {}", changed.collect::<Vec<_>>().join(", "))
        }
        (Form::SecretMap | Form::Policy, ..) => format!("{key}: {field} is changed"),
        (_, Some(wanted), Some(now)) => format!("{key}: {field} is {now}, should be {wanted}"),
        (_, Some(wanted), None) => format!("{key}: {field} is not set, should be {wanted}"),
        (_, None, now) => {
            format!(
                "{key}: {field} is {}, should not be set",
                now.map(ToString::to_string).unwrap_or_default()
            )
        }
    }
}
