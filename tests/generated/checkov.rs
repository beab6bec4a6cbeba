//! Native modules under checkov: what it finds is a decision with a reason, or one that an input turns.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;
use tandem::module::Flavor;
use tandem::project::Part;
use tandem_tests::environment::{Packages, root};

use crate::project::{examples, generate, read};

/// What no spec turns, and why.
const DECISIONS: &[(&str, &str)] = &[
    ("CKV_AWS_18", "access logs of a bucket need another bucket, which is the account's matter"),
    ("CKV_AWS_21", "versions multiply what uploads cost; what is lost here can be made again"),
    ("CKV_AWS_50", "tracing is behind a feature of the handlers, and costs at each call"),
    ("CKV_AWS_65", "container insights cost more than the tasks that they watch"),
    ("CKV_AWS_115", "a limit of one function takes from what all others of the account share"),
    ("CKV_AWS_116", "asynchronous failures go to an on-failure destination, which knows more than a DLQ"),
    ("CKV_AWS_117", "a function without a VPC has no way into one, and starts faster"),
    ("CKV_AWS_144", "a copy in another region is the account's matter"),
    ("CKV_AWS_272", "signed code needs a signer, which is the account's matter"),
    ("CKV_AWS_382", "a task fetches its image and calls AWS over the internet; nothing comes in"),
    ("CKV2_AWS_5", "tasks are started by functions, which name the group; no resource does"),
    ("CKV2_AWS_62", "who hears of a bucket is in another module, or nobody is meant to"),
];

/// What is not found once an input is given.
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

/// The ids of checks that fail.
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
    assert_eq!(scan(work.path()), decided, "with every input given that a spec can give");
    let by_input = BY_INPUT.iter().map(|(id, _)| (*id).to_owned());
    let known: BTreeSet<String> = by_input.chain(decided).collect();
    for (name, _) in examples() {
        let found = scan(&root().join("modules").join(&name).join("native"));
        let new: Vec<_> = found.difference(&known).collect();
        assert!(new.is_empty(), "{name}: {new:?}");
    }
}
