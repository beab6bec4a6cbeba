//! checkov on native modules: each finding is a decision with a reason, or disappears if an input is set.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use tandem::module::Flavor;
use tandem::project::Part;
use tandem_testkit::environment::{Packages, root};

use crate::project::{examples, generate, read};

/// Checks that fail for every spec, and the reason.
const DECISIONS: &[(&str, &str)] = &[
    ("CKV_AWS_18", "access logs need another bucket, which the account must provide"),
    ("CKV_AWS_21", "versioning multiplies the cost of uploads; lost objects can be created again"),
    ("CKV_AWS_50", "tracing is an optional feature of handlers, and costs money per call"),
    ("CKV_AWS_65", "container insights cost more than the monitored tasks"),
    ("CKV_AWS_115", "reserved concurrency of one function reduces the shared limit of the account"),
    (
        "CKV_AWS_116",
        "asynchronous failures go to an on-failure destination, whose messages contain the error",
    ),
    ("CKV_AWS_117", "a function without a VPC cannot reach private networks, and starts faster"),
    ("CKV_AWS_144", "cross-region replication needs a bucket that the account must provide"),
    ("CKV_AWS_272", "code signing needs a signing profile, which the account must provide"),
    ("CKV_AWS_382", "a task pulls its image and calls AWS over the internet; no inbound traffic is allowed"),
    ("CKV2_AWS_5", "functions start tasks and pass the security group at run time; no resource refers to it"),
    ("CKV2_AWS_62", "the listeners of a bucket are in another module, or there are none"),
];

/// Checks that pass if an input is set, and that input.
const BY_INPUT: &[(&str, &str)] = &[
    ("CKV_AWS_119", "kms_key_arn"),
    ("CKV_AWS_136", "kms_key_arn"),
    ("CKV_AWS_145", "kms_key_arn"),
    ("CKV_AWS_158", "kms_key_arn"),
    ("CKV_AWS_173", "kms_key_arn"),
    ("CKV_AWS_284", "tracing"),
    ("CKV_AWS_285", "log_data"),
    ("CKV_AWS_297", "kms_key_arn"),
    ("CKV_AWS_309", "auth"),
    ("CKV_AWS_338", "log_retention_days"),
];

/// Runs checkov. Returns the ids of the checks that fail.
fn scan(modules: &Path) -> BTreeSet<String> {
    let mut checkov = Command::new(Packages::Checkov.program("checkov"));
    checkov.args(["--directory", "modules", "--skip-path", "examples", "--framework", "terraform"]);
    checkov.args(["--output", "json", "--quiet", "--compact", "--skip-download"]).current_dir(modules);
    let output = checkov.output().expect("checkov");
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Json = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    assert_ne!(report["summary"]["passed"], 0, "{report:#}");
    assert_eq!(report["summary"]["parsing_errors"], 0, "{report:#}");
    let failed = report["results"]["failed_checks"].as_array().expect("a list").iter();
    failed.map(|check| check["check_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn checkov_finds_nothing_but_what_was_decided() {
    assert!(DECISIONS.len() <= 12);
    let decided: BTreeSet<String> = DECISIONS.iter().map(|(id, _)| (*id).to_owned()).collect();
    let work = tempfile::tempdir().expect("a folder");
    let spec = root().join("tests/data/specs/hardened.yaml");
    generate(&read(&spec), &spec, work.path(), Flavor::Native, Some(Part::Modules));
    assert_eq!(scan(work.path()), decided, "with every security input of a spec set");
    let by_input = BY_INPUT.iter().map(|(id, _)| (*id).to_owned());
    let known: BTreeSet<String> = by_input.chain(decided).collect();
    for (name, _) in examples() {
        let found = scan(&root().join("modules").join(&name).join("native"));
        let new: Vec<_> = found.difference(&known).collect();
        assert!(new.is_empty(), "{name}: {new:?}");
    }
}
