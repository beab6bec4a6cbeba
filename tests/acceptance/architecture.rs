//! Dependencies point one way.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value as Json;
use tandem_tests::environment::root;

/// What each crate of ours may depend on, of ours.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tandem-model-derive", &[]),
    ("tandem-model", &["tandem-model-derive"]),
    ("tandem-engine", &["tandem-model"]),
    ("tfplugin", &["tfplugin"]),
    ("terraform-provider-tandem", &["tandem-engine", "tandem-model", "tfplugin"]),
    ("tandem-tests", &["tandem-engine", "tandem-model", "terraform-provider-tandem"]),
    ("xtask", &["tandem-tests"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    let metadata: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    let entries = packages.iter().map(|package| {
        let names = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .map(|entry| text(&entry["name"]));
        (text(&package["name"]), names.collect())
    });
    entries.collect()
}

#[test]
fn dependencies_point_one_way() {
    let dependencies = dependencies();
    let ours: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    let listed: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, listed);
    for (name, allowed) in ALLOWED {
        for needed in dependencies[*name].iter().filter(|needed| ours.contains(needed.as_str())) {
            assert!(allowed.contains(&needed.as_str()), "{name} must not depend on {needed}");
        }
    }
}

#[test]
fn each_crate_knows_only_its_own_world() {
    for (name, needed) in dependencies() {
        let knows = |prefix: &str| needed.iter().find(|needed| needed.starts_with(prefix)).cloned();
        if name != "tfplugin" {
            assert_eq!(knows("tonic"), None, "only tfplugin knows tonic, not {name}");
            assert_eq!(knows("prost"), None, "only tfplugin knows prost, not {name}");
        }
        if !["terraform-provider-tandem", "tandem-tests"].contains(&name.as_str()) {
            assert_eq!(knows("aws-"), None, "only the provider knows AWS, not {name}");
        }
        if name.starts_with("tandem-model") {
            assert_eq!(knows("tokio"), None, "the model is pure");
        }
    }
}
