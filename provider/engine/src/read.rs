//! What exists of what is recorded, and where it differs.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value as Json;
use tandem_model::graph::Key;
use tandem_model::kind::{Form, Kind};
use tandem_model::ownership::{INSTANCE, STATUS};

use crate::canonical::{self, TAGS};
use crate::driver::{Failure, Observed};
use crate::job::{Job, Problem};
use crate::ownership::{self, Status};
use crate::record::{Entry, Record};

/// What a look at a composite found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Whether every recorded object is gone.
    pub gone: bool,
    /// Every difference, in words.
    pub drift: Vec<String>,
}

/// What a reading found, as far as a plan needs it.
#[derive(Clone, Debug, Default)]
pub struct Drifted {
    /// The objects that are missing.
    pub missing: BTreeSet<Key>,
    /// The fields that are others.
    pub fields: BTreeSet<(Key, String)>,
}

/// What a reading found, from its words.
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

/// Looks at every recorded object.
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
            Err(failure) => problems.push(Problem::failed("Looking at", key, &failure)),
        }
    }
    let left = left_gone(job, record, &missing);
    reading.drift.extend(missing.difference(&left).map(|key| format!("{key}{MISSING}")));
    if problems.is_empty() { Ok(reading) } else { Err(problems) }
}

/// Of the recorded objects that are missing, those that stay so: others manage them, and nothing else that is recorded
/// needs them.
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

/// Looks at one recorded object.
pub(crate) async fn look(job: &Job<'_>, entry: &Entry) -> Result<Option<Observed>, Failure> {
    let Some(kind) = entry.kind() else {
        return Err(Failure::local(
            &entry.kind,
            "this version of the provider does not know this kind of object; use the version that made it, or a newer one",
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
        drift.push(format!("{key}: the tag {INSTANCE} is not {instance}, so it may belong to another state"));
    }
    if entry.anchor {
        let status = Status::of(&found.tags);
        if !status.is_complete() {
            drift.push(format!("{key}: its tag {STATUS} says that the apply that made all this did not end"));
        } else if status.is_of_another(record) {
            drift.push(format!("{key}: its tag {STATUS} tells of other objects than this state records"));
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
