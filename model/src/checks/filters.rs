//! Overlapping triggers on one bucket. S3 rejects notifications of which two match the same key.

use crate::finding::{Code, Findings, Path};
use crate::scalar::Scalar;

/// One trigger on a bucket.
#[derive(Clone, Debug)]
pub struct Filter<'a> {
    /// The path of the trigger in the inputs.
    pub path: Path,
    /// The bucket's name.
    pub bucket: &'a Scalar<String>,
    /// The event types in S3's terms, e.g. `s3:ObjectCreated:*`.
    pub events: Vec<String>,
    /// The prefix of keys; an empty string matches every key.
    pub prefix: &'a str,
    /// The suffix of keys; an empty string matches every key.
    pub suffix: &'a str,
}

/// True if a key can match both pairs of prefix and suffix.
pub fn overlap(one: (&str, &str), two: (&str, &str)) -> bool {
    let prefixes = one.0.starts_with(two.0) || two.0.starts_with(one.0);
    let suffixes = one.1.ends_with(two.1) || two.1.ends_with(one.1);
    prefixes && suffixes
}

/// True if two lists of event types have one in common. `s3:ObjectCreated:*` contains `s3:ObjectCreated:Put`.
pub fn share_event(one: &[String], two: &[String]) -> bool {
    let within = |pattern: &str, event: &str| match pattern.strip_suffix('*') {
        Some(prefix) => event.starts_with(prefix),
        None => pattern == event,
    };
    one.iter().any(|a| two.iter().any(|b| within(a, b) || within(b, a)))
}

/// Reports every pair of overlapping triggers, at the path of the later one.
pub fn check(filters: &[Filter<'_>], findings: &mut Findings) {
    for (index, later) in filters.iter().enumerate() {
        for earlier in &filters[..index] {
            if !later.bucket.surely_equals(earlier.bucket)
                || !share_event(&later.events, &earlier.events)
                || !overlap((earlier.prefix, earlier.suffix), (later.prefix, later.suffix))
            {
                continue;
            }
            findings.error(
                Code::OverlappingFilters,
                later.path.clone(),
                format!(
                    "overlaps with `{}`: S3 rejects triggers that match the same object, here with prefix \
                     {:?} and suffix {:?}, and with prefix {:?} and suffix {:?}",
                    earlier.path, earlier.prefix, earlier.suffix, later.prefix, later.suffix
                ),
                "Set prefixes or suffixes that exclude each other, or merge the two triggers.",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_are_found() {
        for (one, two, expected) in [
            (("", ""), ("", ""), true),
            (("a/", ""), ("a/b/", ".mp4"), true),
            (("a/", ".mp4"), ("b/", ".mp4"), false),
            (("", ".mp4"), ("", ".jpg"), false),
            (("", "4"), ("", ".mp4"), true),
            (("in/", ""), ("in", ""), true),
        ] {
            assert_eq!(overlap(one, two), expected, "{one:?} {two:?}");
            assert_eq!(overlap(two, one), expected, "{two:?} {one:?}");
        }
        let events = |events: &[&str]| events.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(share_event(&events(&["s3:ObjectCreated:*"]), &events(&["s3:ObjectCreated:Put"])));
        assert!(!share_event(&events(&["s3:ObjectCreated:*"]), &events(&["s3:ObjectRemoved:*"])));
    }

    #[test]
    fn unknown_buckets_are_not_compared() {
        let (known, unknown) = (Scalar::Known("b".to_owned()), Scalar::Unknown);
        let filter = |bucket| Filter {
            path: Path::default(),
            bucket,
            events: vec!["s3:ObjectCreated:*".into()],
            prefix: "",
            suffix: "",
        };
        let count = |filters: &[Filter<'_>]| {
            let mut findings = Findings::default();
            check(filters, &mut findings);
            findings.0.len()
        };
        assert_eq!(count(&[filter(&known), filter(&known)]), 1);
        assert_eq!(count(&[filter(&unknown), filter(&unknown)]), 0);
        assert_eq!(count(&[filter(&known), filter(&unknown)]), 0);
    }
}
