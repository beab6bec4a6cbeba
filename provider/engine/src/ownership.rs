//! The tags that say whose an object is, and whether its composite is complete.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tandem_model::graph::Key;
use tandem_model::ownership::{INSTANCE, OWNER, Owner, STATUS};

use crate::driver::{Observed, Tags};
use crate::job::Problem;
use crate::record::Record;

/// How far two clocks can be apart when AWS takes requests of both.
const CLOCKS: Duration = Duration::from_secs(30 * 60);

/// Prefixes of tags that are not the user's.
const FOREIGN: [&str; 2] = ["aws:", "tandem:"];

/// The tags of every object.
pub fn tags(owner: &Owner, instance: &str) -> Tags {
    Tags::from([(OWNER.to_owned(), owner.to_string()), (INSTANCE.to_owned(), instance.to_owned())])
}

/// The user's tags among all.
pub fn user_tags(tags: &Tags) -> impl Iterator<Item = (&String, &String)> {
    tags.iter().filter(|(key, _)| FOREIGN.iter().all(|prefix| !key.starts_with(prefix)))
}

/// Whether a composite is complete, as its anchor's tag says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Everything was made.
    Complete {
        /// What: the digest of a record's keys. An object made by an older version does not say it.
        of: Option<String>,
    },
    /// Somebody is, or was, making it.
    Creating {
        /// When whoever makes it last promised to be done or to renew: seconds since 1970.
        until: u64,
        /// Who makes it: host and process.
        by: String,
    },
}

impl Status {
    /// The status of an anchor; one without the tag was never completed.
    pub fn of(tags: &Tags) -> Self {
        let text = tags.get(STATUS).map(String::as_str).unwrap_or_default();
        if let Some(rest) = text.strip_prefix("complete") {
            return Self::Complete { of: rest.strip_prefix('/').map(ToOwned::to_owned) };
        }
        let mut parts = text.splitn(3, '/').skip(1);
        let until = parts.next().and_then(|until| until.parse().ok()).unwrap_or(0);
        Self::Creating { until, by: parts.next().unwrap_or("unknown").to_owned() }
    }

    /// That all of a record was made.
    pub fn complete(record: &Record) -> Self {
        Self::Complete { of: Some(record.digest()) }
    }

    /// Whether everything was made.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete { .. })
    }

    /// Whether everything was made, and it was more, less or other than what is recorded: an apply did
    /// that whose state was not saved.
    pub fn is_of_another(&self, record: &Record) -> bool {
        matches!(self, Self::Complete { of: Some(of) } if *of != record.digest())
    }

    /// A lease from now on, for this process.
    pub fn lease(now: SystemTime, length: Duration) -> Self {
        Self::Creating { until: seconds(now) + length.as_secs() + 1, by: myself() }
    }

    /// As the value of the tag.
    pub fn tag(&self) -> Tags {
        let text = match self {
            Self::Complete { of: None } => "complete".to_owned(),
            Self::Complete { of: Some(of) } => format!("complete/{of}"),
            Self::Creating { until, by } => format!("creating/{until}/{by}"),
        };
        Tags::from([(STATUS.to_owned(), text)])
    }

    /// Whether somebody may still be at work. A lease that ran out long ago is over whatever the
    /// clocks: AWS refuses requests of one that is off by more than 15 minutes.
    pub fn may_be_held(&self, now: SystemTime) -> bool {
        match self {
            Self::Complete { .. } => false,
            Self::Creating { until, .. } => until.saturating_add(CLOCKS.as_secs()) > seconds(now),
        }
    }
}

/// Whether an object carries a state's instance.
pub fn is_ours(found: &Observed, instance: &str) -> bool {
    found.tags.get(INSTANCE).is_some_and(|tag| tag == instance)
}

/// The error for objects that do not carry this state's instance; none when there are no such objects.
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
            format!("`{owner}` was made again, and this state does not know it"),
            format!(
                "This state is `{instance}`, and these objects carry another `{INSTANCE}`:\n{list}\n\nEither a \
                 replacement was cut off before its state was saved, or another state holds them. Nothing was \
                 touched. If no other state holds them, make this one forget what it recorded, with the address \
                 that Terraform prints above:\n\n  terraform state rm ADDRESS\n\nand apply again: that completes \
                 what is incomplete, and prints the `import` block for what is complete."
            ),
        ));
    }
    Some(Problem::error(
        format!("{key} belongs to somebody else"),
        format!(
            "This state is `{instance}`, and these objects were made or taken over by another:\n{list}\n\nThey are \
             not touched. If they are yours, set their tag `{INSTANCE}` to `{instance}` (the first is `{}`); if \
             not, remove the resource from this state with `terraform state rm`.",
            first.id
        ),
    ))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Host and process, in characters that a tag may hold.
fn myself() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "host".to_owned());
    let host: String =
        host.trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect();
    format!("{host}:{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_its_tag() {
        let now = SystemTime::now();
        let lease = Status::lease(now, Duration::from_secs(30));
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
