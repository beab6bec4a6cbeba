//! The tags with the owner and the key of an object, and the tag with the status of its composite.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tandem_model::code::Code;
use tandem_model::graph::Key;
use tandem_model::kind::Kind;
use tandem_model::ownership::{INSTANCE, KEY, OWNER, Owner, STATUS, is_reserved};

use crate::driver::{Observed, Tags};
use crate::problem::{Problem, Remedy};
use crate::record::Record;

/// The maximum difference between two clocks whose requests the cloud accepts.
const CLOCKS: Duration = Duration::from_secs(30 * 60);

/// The ownership tags of an object.
pub fn tags(owner: &Owner, instance: &str, key: &Key) -> Tags {
    let mut tags = label(key);
    tags.insert(OWNER.to_owned(), owner.to_string());
    tags.insert(INSTANCE.to_owned(), instance.to_owned());
    tags
}

/// The tag with the key of an object.
pub(crate) fn label(key: &Key) -> Tags {
    Tags::from([(KEY.to_owned(), key.to_string())])
}

/// Returns true if an object carries this key.
pub(crate) fn has_key(found: &Observed, key: &Key) -> bool {
    found.tags.get(KEY).is_some_and(|tag| tag == key.as_str())
}

/// The key that an object carries; `None` for an object of an older version, and for a tag that Tandem does
/// not write.
pub(crate) fn key(kind: &Kind, found: &Observed) -> Option<Key> {
    let key = Key::from(found.tags.get(KEY)?.as_str());
    key.slot_of(kind).is_some().then_some(key)
}

/// The tags that the user set.
pub fn user_tags(tags: &Tags) -> impl Iterator<Item = (&String, &String)> {
    tags.iter().filter(|(key, _)| !is_reserved(key))
}

/// The status of a composite, from the tag of its anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every object was created.
    Complete {
        /// The digest of the keys of the record. Older versions did not write it.
        of: Option<String>,
    },
    /// An apply is, or was, at work.
    Creating {
        /// The end of the lease, in seconds since 1970.
        until: u64,
        /// The holder of the lease: host and process.
        by: String,
    },
}

impl Status {
    /// The status of an anchor. An anchor without the tag was never completed.
    pub fn of(tags: &Tags) -> Self {
        let text = tags.get(STATUS).map(String::as_str).unwrap_or_default();
        if let Some(rest) = text.strip_prefix("complete") {
            return Self::Complete { of: rest.strip_prefix('/').map(ToOwned::to_owned) };
        }
        let mut parts = text.splitn(3, '/').skip(1);
        let until = parts.next().and_then(|until| until.parse().ok()).unwrap_or(0);
        Self::Creating { until, by: parts.next().unwrap_or("unknown").to_owned() }
    }

    /// The status after every object of a record was created.
    pub fn complete(record: &Record) -> Self {
        Self::Complete { of: Some(record.digest()) }
    }

    /// Returns true if every object was created.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete { .. })
    }

    /// Returns true if the composite is complete, but with other objects than those recorded. The state of
    /// the apply that created them was not saved.
    pub fn is_of_another(&self, record: &Record) -> bool {
        matches!(self, Self::Complete { of: Some(of) } if *of != record.digest())
    }

    /// A lease of this holder that starts now.
    pub fn lease(now: SystemTime, length: Duration, holder: &str) -> Self {
        Self::Creating { until: seconds(now) + length.as_secs() + 1, by: holder.to_owned() }
    }

    /// The tag with this status.
    pub fn tag(&self) -> Tags {
        let text = match self {
            Self::Complete { of: None } => "complete".to_owned(),
            Self::Complete { of: Some(of) } => format!("complete/{of}"),
            Self::Creating { until, by } => format!("creating/{until}/{by}"),
        };
        Tags::from([(STATUS.to_owned(), text)])
    }

    /// Returns true if the holder of the lease may still be at work. A lease that ended more than half an
    /// hour ago is over on every clock. The cloud rejects requests from a clock that is off by more than 15
    /// minutes.
    pub fn may_be_held(&self, now: SystemTime) -> bool {
        match self {
            Self::Complete { .. } => false,
            Self::Creating { until, .. } => until.saturating_add(CLOCKS.as_secs()) > seconds(now),
        }
    }
}

/// Returns true if an object carries the instance of a state.
pub fn is_ours(found: &Observed, instance: &str) -> bool {
    found.tags.get(INSTANCE).is_some_and(|tag| tag == instance)
}

/// The error for objects that do not carry the instance of this state; `None` if there are no such objects.
/// With `some_are_ours` other objects of the record do carry it.
pub(crate) fn of_others(
    owner: &Owner,
    instance: &str,
    found: &[(Key, Observed)],
    some_are_ours: bool,
) -> Option<Problem> {
    let (key, first) = found.first()?;
    let list = found.iter().map(|(key, found)| {
        let tag = found.tags.get(INSTANCE).map_or_else(|| "not set".to_owned(), |tag| format!("`{tag}`"));
        format!("- {key}: `{}`, `{INSTANCE}` is {tag}", found.id)
    });
    let list = list.collect::<Vec<_>>().join("\n");
    let name = owner.to_string();
    let of_owner =
        |found: &Observed| found.tags.get(OWNER) == Some(&name) && found.tags.contains_key(INSTANCE);
    if !some_are_ours && found.iter().all(|(_, found)| of_owner(found)) {
        return Some(Problem::error(
            Code::OtherInstance,
            format!("The objects of `{owner}` do not belong to this state"),
            format!(
                "The instance of this state is `{instance}`, but the objects carry another one in their tag \
                 `{INSTANCE}`:\n{list}\n\nEither a replacement was interrupted before its state was saved, or \
                 another state owns them. Nothing was changed."
            ),
            Remedy::ForgetState,
        ));
    }
    Some(Problem::error(
        Code::OtherOwner,
        format!("{key} belongs to another owner"),
        format!(
            "The instance of this state is `{instance}`, but another owner created or took over these \
             objects:\n{list}\n\nNothing was changed."
        ),
        Remedy::SetInstanceTag { instance: instance.to_owned(), first: first.id.clone() },
    ))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_its_tag() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let lease = Status::lease(now, Duration::from_secs(30), "host:1");
        assert_eq!(Status::of(&lease.tag()), lease);
        assert!(lease.may_be_held(now));
        // The other clock may be behind ours.
        assert!(Status::Creating { until: seconds(now) - 600, by: String::new() }.may_be_held(now));
        assert!(!Status::Creating { until: seconds(now) - 3600, by: String::new() }.may_be_held(now));
        for complete in [Status::Complete { of: None }, Status::complete(&Record::default())] {
            assert_eq!(Status::of(&complete.tag()), complete);
        }
        let none = Status::of(&Tags::new());
        assert!(matches!(none, Status::Creating { until: 0, .. }) && !none.may_be_held(now));
    }
}
