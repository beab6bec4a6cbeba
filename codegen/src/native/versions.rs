//! The version of hashicorp/aws that a native module requires.

use std::fmt;

use crate::backend::Placed;

/// A version of hashicorp/aws: major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32);

impl Version {
    /// The first version that has all resources of native modules.
    pub(crate) const FIRST: Self = Self(5, 0);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Attributes and blocks that a later version added: type of the resource, name, and that version, according to
/// the changelog of hashicorp/aws.
const ADDED: &[(&str, &str, Version)] = &[
    ("aws_cloudwatch_event_bus", "kms_key_identifier", Version(5, 60)),
    ("aws_cloudwatch_event_rule", "state", Version(5, 27)),
    ("aws_lambda_event_source_mapping", "tags", Version(5, 70)),
    ("aws_lambda_function", "logging_config", Version(5, 32)),
    ("aws_lambda_permission", "invoked_via_function_url", Version(6, 29)),
    ("aws_s3_bucket", "bucket_namespace", Version(6, 37)),
    ("aws_sfn_state_machine", "encryption_configuration", Version(5, 61)),
];

/// The first version that has every attribute and block of these resources.
pub(crate) fn required<V>(resources: &[Placed<V>]) -> Version {
    let names = resources.iter().flat_map(|resource| {
        let properties = resource.properties.iter().chain(&resource.tags);
        properties.map(|property| {
            (resource.address.ty.as_str(), property.path.split('.').next().unwrap_or_default())
        })
    });
    let added = names.filter_map(|(ty, name)| {
        ADDED.iter().find(|added| (added.0, added.1) == (ty, name)).map(|added| added.2)
    });
    added.max().unwrap_or(Version::FIRST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::{Layout, Module};
    use crate::source::Source;
    use crate::spec;

    /// The versions that the modules of the entries require, in the order of the spec.
    fn versions(entries: &str) -> Vec<String> {
        let text = format!("app: a\n{entries}");
        let (app, diagnostics) = spec::read(&Source { path: "tandem.yaml".into(), text });
        let app = app.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let module = |entry| super::super::module(&app, entry, &Layout::default()).expect("a module");
        let modules = app.entries.iter().map(module);
        modules.map(|Module { requires, .. }| requires.to_string()).collect()
    }

    #[test]
    fn a_module_requires_the_version_of_its_newest_attribute() {
        for (entries, expected) in [
            ("queues: { q: {} }\nbuckets: { b: {} }\ntables: { t: { key: id } }", vec!["5.0", "5.0", "5.0"]),
            ("buckets: { b: { bucket_namespace: account-regional } }", vec!["6.37"]),
            ("functions: { f: {} }", vec!["5.32"]),
            ("functions: { f: { on: { http: api, auth: none } } }", vec!["5.32"]),
            ("functions: { f: { on: { http: url, auth: iam } } }", vec!["5.32"]),
            ("tasks: { k: { image: i } }", vec!["5.27"]),
            ("queues: { q: {} }\nfunctions: { f: { on: { queue: q } } }", vec!["5.0", "5.70"]),
            (
                "functions: { f: {} }\nworkflows:\n  w:\n    step: { name: s, function: f }\n    \
                 kms_key_arn: 'arn:aws:kms:eu-central-1:123456789012:key/k'\n",
                vec!["5.32", "5.61"],
            ),
            ("functions: { f: { on: { http: url, auth: none } } }\nqueues: { q: {} }", vec!["6.29", "5.0"]),
        ] {
            assert_eq!(versions(entries), expected, "{entries}");
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        assert!(Version(5, 100) > Version(5, 32) && Version(6, 0) > Version(5, 100));
    }
}
