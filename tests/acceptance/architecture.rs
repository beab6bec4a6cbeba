//! The architecture: dependencies between crates, code that names no composite, words that the engine does not
//! contain, and the policy of a deployment compared with the drivers.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value as Json;
use tandem_model::code::Code;
use tandem_model::composite::Definition;
use tandem_model::kind::call::actions;
use tandem_model::kinds;
use tandem_testkit::environment::root;

/// The crates of the workspace, each with the crates of the workspace that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tandem-model-derive", &[]),
    ("tandem-model", &["tandem-model-derive"]),
    ("tandem-engine", &["tandem-engine", "tandem-model"]),
    ("tfplugin", &["tfplugin"]),
    ("terraform-provider-tandem", &["tandem-engine", "tandem-model", "tfplugin"]),
    ("tandem", &["tandem-model"]),
    ("tandem-judges", &[]),
    (
        "tandem-crash",
        &["tandem-engine", "tandem-judges", "tandem-model", "terraform-provider-tandem", "tfplugin"],
    ),
    (
        "tandem-testkit",
        &[
            "tandem",
            "tandem-crash",
            "tandem-engine",
            "tandem-judges",
            "tandem-model",
            "terraform-provider-tandem",
            "tfplugin",
        ],
    ),
    ("xtask", &["tandem", "tandem-judges", "tandem-model", "tandem-testkit"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    let metadata: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Json| value.as_str().expect("a string").to_owned();
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
            assert_eq!(knows("tonic"), None, "{name} depends on tonic, but only tfplugin may");
            assert_eq!(knows("prost"), None, "{name} depends on prost, but only tfplugin may");
        }
        if !["terraform-provider-tandem", "tandem-crash", "tandem-testkit"].contains(&name.as_str()) {
            assert_eq!(knows("aws-"), None, "{name} depends on an AWS crate, but only the provider may");
        }
        if name.starts_with("tandem-model") {
            assert_eq!(knows("tokio"), None, "the model depends on tokio, but it must do no I/O");
        }
    }
}

/// Sources that work with any composite: the generator, the provider and the engine.
const GENERAL: &[&str] = &["codegen/src", "provider/src", "provider/engine/src"];

/// Sources of the generator for particular composites: clients of handlers, and examples to start from.
const PARTICULAR: &[&str] = &["codegen/src/handlers", "codegen/src/commands/init"];

/// Types of composites that are no words of AWS: in quotes they can only mean the composite.
const TYPES: &[&str] = &["event_function", "container_task", "thumbnailer"];

/// The Rust files below a large folder of the repository, each with its path and without its tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let sources = all_sources(folder);
    assert!(sources.len() > 12, "{} sources", sources.len());
    sources
}

/// The Rust files below any folder of the repository.
fn all_sources(folder: &str) -> Vec<(String, String)> {
    let mut folders = vec![root().join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                // The module with the tests is at the end.
                let (product, _) = text.split_once("\n#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                sources.push((name, product.to_owned()));
            }
        }
    }
    sources
}

/// A new composite needs no change outside of the model.
#[test]
fn code_for_all_composites_names_none_of_them() {
    for composite in TYPES {
        assert!(Definition::find(composite).is_some(), "there is no composite {composite}");
    }
    for (path, text) in GENERAL.iter().flat_map(|folder| sources(folder)) {
        if PARTICULAR.iter().any(|particular| path.starts_with(particular)) {
            continue;
        }
        for composite in TYPES {
            assert!(!text.contains(&format!("\"{composite}\"")), "{path} contains {composite:?}");
        }
        // Fields of the model have the references to outputs of particular composites.
        assert!(!text.contains("Reference::"), "{path} contains a constant of `Reference`");
    }
}

/// Names of documents that edges replace: nothing derives a relation from a policy, from the definition of a state
/// machine or from an environment variable. The code that writes a document may name its parts.
const OF_DOCUMENTS: &[(&str, &[&str])] = &[
    ("\"Statement\"", &["model/src/policy.rs", "model/src/access.rs"]),
    ("\"Principal\"", &["model/src/policy.rs"]),
    ("\"States\"", &["model/src/composites/definition.rs"]),
    ("\"TANDEM_RESOURCES\"", &["model/src/composites/variables.rs"]),
    ("\"TANDEM_LAUNCHES\"", &["model/src/composites/variables.rs"]),
    ("ends_with(\"_", &[]),
    ("ends_with(\"dead", &[]),
];

#[test]
fn relations_are_read_from_edges_alone() {
    for (path, text) in ["model/src", "codegen/src"].into_iter().flat_map(sources) {
        for (name, allowed) in OF_DOCUMENTS {
            let line =
                text.lines().find(|line| line.contains(name)).filter(|_| !allowed.contains(&path.as_str()));
            assert_eq!(line, None, "{path} contains {name}");
        }
    }
}

/// Sources of back ends, and of everything that writes modules.
const BACK_ENDS: &[&str] =
    &["codegen/src/backend", "codegen/src/native", "codegen/src/module", "codegen/src/readme"];

#[test]
fn back_ends_name_no_kind() {
    let mut read = 0;
    for (path, text) in all_sources("codegen/src") {
        if !BACK_ENDS.iter().any(|start| path.starts_with(start)) {
            continue;
        }
        read += 1;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for kind in tandem_model::kinds::ALL {
            assert!(!code.contains(&format!("\"{}\"", kind.name)), "{path} names {}", kind.name);
        }
    }
    assert!(read > 8, "{read} sources");
}

/// Public types of one crate that may share a name.
const SAME_NAMES: &[(&str, &str)] = &[];

#[test]
fn no_two_public_types_of_one_crate_share_a_name() {
    let crates = [
        "model/src",
        "model/derive/src",
        "provider/src",
        "provider/engine/src",
        "provider/tfplugin/src",
        "codegen/src",
        "tests/src",
        "tests/crash/src",
    ];
    for folder in crates {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        for (path, text) in all_sources(folder) {
            for line in text.lines() {
                let declared = ["struct", "enum", "trait", "type"]
                    .iter()
                    .find_map(|word| line.strip_prefix(&format!("pub {word} ")));
                let Some(declared) = declared else { continue };
                let name: String =
                    declared.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if SAME_NAMES.contains(&(folder, name.as_str())) {
                    continue;
                }
                if let Some(other) = known.insert(name.clone(), path.clone()) {
                    panic!("{folder}: `{name}` is declared in {other} and in {path}");
                }
            }
        }
        let listed = SAME_NAMES.iter().filter(|(of, _)| *of == folder);
        listed.for_each(|(_, name)| assert!(!known.contains_key(*name), "{name} needs no exception"));
    }
}

/// Words that only a driver or the provider may contain: names of Terraform, of its language and of the machine, and
/// parts of error codes and policy documents of AWS.
const NOT_OF_THE_ENGINE: [&str; 22] = [
    "terraform",
    "untaint",
    "hcl",
    "import {{",
    "= true`",
    "adopt = ",
    "/proc",
    "aws",
    "accessdenied",
    "authorizationerror",
    "unauthorized",
    "notauthorized",
    "forbidden",
    "exception",
    "throttl",
    "nosuch",
    "notfounderror",
    "entityalreadyexists",
    "\"statement\"",
    "\"principal\"",
    "\"effect\"",
    "\"condition\"",
];

#[test]
fn the_engine_knows_neither_terraform_nor_a_cloud() {
    for (path, text) in sources("provider/engine/src") {
        let lower = text.to_lowercase();
        for word in NOT_OF_THE_ENGINE {
            let line = lower.lines().find(|line| line.contains(word));
            assert_eq!(line, None, "{path} contains `{word}`");
        }
        for kind in kinds::ALL {
            let line = text.lines().find(|line| line.contains(kind.name));
            assert_eq!(line, None, "{path} contains the kind `{}`", kind.name);
        }
        // `arn: ` is a field of a record.
        let arn = text.split("arn:").skip(1).find(|rest| !rest.starts_with(' '));
        assert_eq!(arn, None, "{path} contains a prefix of ARNs");
    }
}

#[test]
fn the_engine_reports_every_code_of_operations_and_no_other() {
    let sources: String = sources("provider/engine/src").into_iter().map(|(_, text)| text).collect();
    for code in Code::ALL {
        // A conflict between two resources is known before the engine plans either.
        let expected = Code::OF_OPERATIONS.contains(code) && *code != Code::SameObject;
        let reported = sources.contains(&format!("Code::{code:?}"));
        assert_eq!(reported, expected, "{code}, `{code:?}`");
    }
}

/// Actions that AWS requires in addition to the calls of drivers: for tags, roles and KMS keys of services, log
/// delivery, and the registry access of the container engine.
const BEHIND: &[&str] = &[
    "iam:CreateServiceLinkedRole",
    "iam:PassRole",
    "kms:",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
    "s3:TagResource",
];

/// The calls that the source of a driver names.
fn calls(text: &str) -> BTreeSet<String> {
    let quoted = text.split('"').skip(1).step_by(2).filter(|quoted| {
        let named = quoted.split_once(':').is_some_and(|(service, call)| {
            service.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && call.starts_with(|c: char| c.is_ascii_uppercase())
                && call.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        // Condition keys of policies are not calls.
        named && *quoted != "lambda:InvokeFunction" && !quoted.starts_with("aws:")
    });
    quoted.map(ToOwned::to_owned).collect()
}

/// Splits the source of a driver into the part without `list` methods and the `list` methods.
fn parted(text: &str) -> (String, String) {
    let mut parts = text.split("    async fn list(");
    let (mut rest, mut listings) = (parts.next().unwrap_or_default().to_owned(), String::new());
    for part in parts {
        let (listing, after) = part.split_once("\n    }\n").expect("the end of a method");
        listings.push_str(listing);
        rest.push_str(after);
    }
    (rest, listings)
}

/// Services that return tags together with the object, under the action that reads the object.
const TELL_TAGS: [&str; 4] = ["apigatewayv2", "ec2", "ecs", "iam"];

/// Each kind needs its own action to read tags, since an application may use one kind only.
#[test]
fn whoever_deploys_may_read_the_tags_of_every_kind() {
    let reads = |action: &str| {
        let verb = action.split_once(':').map_or(action, |(_, verb)| verb);
        verb.contains("Tag") && ["Get", "List", "Describe"].iter().any(|start| verb.starts_with(start))
    };
    for kind in kinds::ALL.iter().filter(|kind| kind.tags && !TELL_TAGS.contains(&kind.service)) {
        let mut actions = kind.access.iter().flat_map(|access| access.actions);
        assert!(actions.any(|action| reads(action)), "no action reads the tags of {}", kind.name);
    }
}

#[test]
fn the_policy_of_a_deployment_has_every_call_of_the_drivers_and_no_other() {
    let (mut called, mut called_to_list) = (BTreeSet::new(), BTreeSet::new());
    for file in std::fs::read_dir(root().join("provider/src/aws")).expect("drivers") {
        let path = file.expect("a driver").path();
        // failure.rs makes no calls, and sts:GetCallerIdentity in clients.rs needs no permission.
        if path.ends_with("failure.rs") || path.ends_with("clients.rs") {
            continue;
        }
        let (rest, listings) = parted(&std::fs::read_to_string(&path).expect("a driver"));
        called.extend(calls(&rest));
        called_to_list.extend(calls(&listings));
    }
    assert!(called.len() > 100, "{called:?}");
    let tagged = kinds::ALL.iter().filter(|kind| kind.tags).count();
    assert_eq!(called_to_list.len(), tagged, "every kind with tags can be listed: {called_to_list:?}");
    // Only a sweep, and the search for objects that inputs name, lists all objects. Other deployments need no
    // permission for that.
    for (called, to_sweep) in [(&called, false), (&called_to_list, true)] {
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        for call in called {
            needed.extend(actions(call));
        }
        let access = kinds::ALL.iter().flat_map(|kind| kind.access);
        let access = access.filter(|access| access.to_sweep == to_sweep);
        let listed: BTreeSet<&str> = access.flat_map(|access| access.actions).copied().collect();
        let behind = |action: &str| BEHIND.iter().any(|start| action.starts_with(start));
        let missing: Vec<&str> = needed.difference(&listed).copied().collect();
        assert!(missing.is_empty(), "not in the policy: {missing:?}");
        let idle: Vec<&str> = listed.difference(&needed).copied().filter(|action| !behind(action)).collect();
        assert!(idle.is_empty(), "no driver calls these: {idle:?}");
    }
}
