//! Native modules under the real hashicorp/aws, on an emulator: it creates the objects that the composites create.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_judges::figures;
use tandem_model::kinds;
use tandem_testkit::environment::root;
use tandem_testkit::hashicorp::{mirror_or_registry, provider_block};
use tandem_testkit::terraform::Run;

use crate::stage::{On, Stage, is_full};

/// Examples without containers. The first two run always: the smallest one, and the one with the most kinds.
const EXAMPLES: &[&str] = &[
    "upload-notice",
    "content-moderation",
    "function-chaining",
    "image-thumbnail",
    "queues",
    "route-counter",
    "stream-analysis",
];

/// Attributes that the emulator reports otherwise than AWS, so that a second plan changes them: type of the resource,
/// attribute (`*` for all), reason.
const OF_THE_EMULATOR: &[(&str, &str, &str)] = &[
    (
        "aws_cloudwatch_metric_alarm",
        "*",
        "hashicorp/aws reads alarms with another protocol than the Rust SDK: MiniStack answers it without most members",
    ),
    (
        "aws_sfn_state_machine",
        "tracing_configuration",
        "MiniStack leaves out tracing that is off; AWS reports it",
    ),
    (
        "aws_lambda_function_event_invoke_config",
        "maximum_event_age_in_seconds",
        "MiniStack reports a default that nothing set",
    ),
];

/// Fields that differ, with the reason.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("apigatewayv2_route", "target", "it contains the id of the integration, which AWS assigns"),
    (
        "sqs_queue",
        "max_message_size",
        "hashicorp/aws 5 sends the former default of SQS, 256 KiB, and accepts no more",
    ),
    (
        "lambda_permission",
        "statement_id",
        "it contains the name of the source, for which a native module has a variable",
    ),
    (
        "s3_bucket_notification",
        "id",
        "it contains the name of the bucket, for which a native module has a variable",
    ),
];

/// Kinds that native modules do not make: the user pushes the image.
const NOT_MADE: &[&str] = &["ecr_image"];

/// The objects of a stage: kind and id by module and key, e.g. `notice lambda_function.function`.
type Objects = BTreeMap<String, (String, String)>;

/// A stage with an example's module of this flavor applied, and everything that was in the account before.
fn applied(example: &str, flavor: &str) -> (Stage, BTreeSet<String>) {
    let stage = Stage::new(On::MiniStack);
    let before = stage.aws.everything();
    let hashicorp = mirror_or_registry().expect("checked before");
    stage.terraform.add_hashicorp(&hashicorp).expect("a CLI configuration");
    let source = root().join("modules").join(example).join(flavor);
    let provider = match flavor {
        "native" => provider_block(&stage.account),
        _ => format!(
            "terraform {{\n  required_providers {{\n    tandem = {{ source = \"tandem/tandem\" }}\n  }}\n}}\n\nprovider \
             \"tandem\" {{\n  project = {example:?}\n}}\n"
        ),
    };
    let module =
        format!("{provider}\nmodule \"app\" {{\n  source = {:?}\n}}\n", source.display().to_string());
    stage.terraform.write("main.tf", module);
    stage.terraform.run(&["init", "-no-color", "-input=false"]).expect_success();
    stage.terraform.apply().expect_success();
    (stage, before)
}

/// The resources of a state: module, type, name and attributes.
fn resources(stage: &Stage) -> Vec<(String, String, String, Json)> {
    fn collect(module: &Json, found: &mut Vec<(String, String, String, Json)>) {
        let address = module["address"].as_str().unwrap_or_default();
        let entry = address.rsplit('.').next().unwrap_or_default().to_owned();
        for resource in module["resources"].as_array().into_iter().flatten() {
            if resource["mode"] == "managed" {
                let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
                found.push((entry.clone(), text("type"), text("name"), resource["values"].clone()));
            }
        }
        module["child_modules"].as_array().into_iter().flatten().for_each(|child| collect(child, found));
    }
    let shown = stage.terraform.run(&["show", "-json"]).expect_success();
    let shown: Json = serde_json::from_str(shown.text.lines().next().expect("JSON")).expect("JSON");
    let mut found = Vec::new();
    collect(&shown["values"]["root_module"], &mut found);
    found
}

/// The objects that composites recorded.
fn recorded(stage: &Stage) -> Objects {
    let mut objects = Objects::new();
    for (entry, _, _, values) in resources(stage) {
        for (key, recorded) in values["record"].as_object().expect("a record") {
            let text = |name: &str| recorded[name].as_str().unwrap_or_default().to_owned();
            if kinds::find(&text("kind")).is_some() {
                objects.insert(format!("{entry} {key}"), (text("kind"), text("id")));
            }
        }
    }
    objects
}

/// The ids of the objects that hashicorp/aws made, by the addresses of those that composites made.
fn pairs(
    objects: &Objects,
    resources: &[(String, String, String, Json)],
    own: &str,
    native: &str,
) -> BTreeMap<String, String> {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    // The keys of these contain the name of a source, for which a native module has a variable.
    let by_order = |kind: &str| -> Option<Vec<String>> {
        let of = |ty: &'static str| {
            resources.iter().filter(move |resource| resource.1 == ty).map(|resource| &resource.3)
        };
        Some(match kind {
            "lambda_event_source_mapping" => {
                of("aws_lambda_event_source_mapping").map(|values| text(&values["uuid"])).collect()
            }
            "lambda_permission" => of("aws_lambda_permission")
                .map(|values| format!("{}:{}", text(&values["function_name"]), text(&values["statement_id"])))
                .collect(),
            "s3_bucket_notification" => of("aws_s3_bucket_notification")
                .flat_map(|values| {
                    let blocks = values["lambda_function"].as_array().into_iter().flatten();
                    blocks.map(move |block| format!("{}:{}", text(&values["bucket"]), text(&block["id"])))
                })
                .collect(),
            _ => return None,
        })
    };
    let assigned = |address: &String, kind: &str| {
        let found = resources.iter().find(|(entry, ty, name, _)| {
            format!("{entry} {}.{name}", ty.trim_start_matches("aws_")) == *address && ty.ends_with(kind)
        });
        found.map(|(.., values)| text(&values["id"]))
    };
    let mut pairs = BTreeMap::new();
    let mut replaced = vec![(own.to_owned(), native.to_owned())];
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    // Objects with ids of their own first: others contain these ids.
    let kind_of = |name: &str| kinds::find(name).expect("a kind");
    for (address, (kind, id)) in objects {
        let other = if let Some(all) = by_order(kind) {
            let count = counts.entry(kind.as_str()).or_default();
            *count += 1;
            all.get(*count - 1).cloned()
        } else if kind_of(kind).id.is_none() || kind_of(kind).hashed_name {
            assigned(address, kind)
        } else {
            continue;
        };
        if let Some(other) = other {
            replaced.push((id.clone(), other.clone()));
            pairs.insert(address.clone(), other);
        }
    }
    for (address, (_, id)) in objects {
        if !pairs.contains_key(address) {
            let other = replaced.iter().fold(id.clone(), |id, (from, to)| id.replace(from.as_str(), to));
            pairs.insert(address.clone(), other);
        }
    }
    pairs
}

/// The settings of an object, with the ids of objects and the account replaced by words.
fn settings(stage: &Stage, kind: &str, id: &str, ids: &BTreeMap<String, String>) -> Option<Json> {
    let observed = stage.aws.observe(kind, id)?;
    let mut text = Json::from_iter(observed.settings).to_string();
    for (id, word) in ids {
        text = text.replace(id.as_str(), word);
    }
    Some(serde_json::from_str(&text.replace(&stage.account.id, "ACCOUNT")).expect("JSON"))
}

/// The differences of a second plan: `TYPE.ATTRIBUTE`.
fn changes(plan: &Json) -> Vec<String> {
    let mut changed = Vec::new();
    for resource in plan["resource_changes"].as_array().into_iter().flatten() {
        let change = &resource["change"];
        if change["actions"] == serde_json::json!(["no-op"]) || resource["mode"] != "managed" {
            continue;
        }
        let (before, after) = (&change["before"], &change["after"]);
        let names = after.as_object().into_iter().flatten().map(|(name, _)| name);
        let ty = resource["type"].as_str().unwrap_or_default();
        let differs = names.filter(|name| before[name.as_str()] != after[name.as_str()]);
        changed.extend(differs.map(|name| format!("{ty}.{name}: {} -> {}", before[name], after[name])));
    }
    changed
}

fn plan(stage: &Stage) -> Json {
    stage.terraform.run(&["plan", "-out=second", "-no-color", "-input=false"]).expect_success();
    let Run { text, .. } = stage.terraform.run(&["show", "-json", "second"]).expect_success();
    serde_json::from_str(text.lines().next().expect("JSON")).expect("JSON")
}

/// Applies an example with both providers, compares the objects, and destroys both.
fn compare(example: &str) {
    let (own, before) = applied(example, "composite");
    let (native, before_native) = applied(example, "native");
    let again = changes(&plan(&native));
    let unexpected: Vec<&String> = again
        .iter()
        .filter(|change| {
            !OF_THE_EMULATOR.iter().any(|(ty, name, _)| {
                let name = name.trim_end_matches('*');
                let end = if name.is_empty() { "" } else { ":" };
                change.starts_with(&format!("{ty}.{name}{end}"))
            })
        })
        .collect();
    assert!(unexpected.is_empty(), "{example}: the second plan is not empty: {unexpected:#?}");

    let objects = recorded(&own);
    let pairs = pairs(&objects, &resources(&native), &own.account.id, &native.account.id);
    // The ids that AWS assigns differ, and so do the names of buckets, which contain a hash of the account.
    let mut words: [BTreeMap<String, String>; 2] = Default::default();
    for (address, (kind, id)) in &objects {
        let kind = kinds::find(kind).expect("a kind");
        if let Some(other) = pairs.get(address).filter(|_| kind.id.is_none() || kind.hashed_name) {
            words[0].insert(id.clone(), format!("<{address}>"));
            words[1].insert(other.clone(), format!("<{address}>"));
        }
    }
    let (mut compared, mut wrong) = (0_u64, Vec::new());
    for (address, (kind, id)) in objects.iter().filter(|(_, (kind, _))| !NOT_MADE.contains(&kind.as_str())) {
        compared += 1;
        let other = pairs.get(address).cloned().unwrap_or_default();
        let (mine, theirs) =
            (settings(&own, kind, id, &words[0]), settings(&native, kind, &other, &words[1]));
        let (Some(mine), Some(theirs)) = (mine, theirs) else {
            wrong.push(format!("{address} is missing: {id}, {other}"));
            continue;
        };
        for (name, value) in mine.as_object().expect("settings") {
            let excepted = DIFFERENT.iter().any(|(of, field, _)| (*of, *field) == (kind.as_str(), name));
            if theirs[name] != *value && !excepted {
                wrong.push(format!("{address} {name}: {value}, but hashicorp/aws made {}", theirs[name]));
            }
        }
    }
    figures::add(
        "native objects of hashicorp/aws compared with those of composites",
        compared,
        u64::try_from(wrong.len()).expect("a small number"),
    );
    figures::keep();
    assert!(wrong.is_empty(), "{example}: {wrong:#?}");
    for (stage, before) in [(&own, before), (&native, before_native)] {
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before, "{example}");
    }
}

#[test]
fn hashicorp_aws_makes_what_the_composites_make() {
    if mirror_or_registry().is_none() {
        return;
    }
    let examples = if is_full() { EXAMPLES } else { &EXAMPLES[..2] };
    let mut failed = Vec::new();
    // hashicorp/aws mostly waits: it reads a new queue for 25 seconds.
    for pair in examples.chunks(2) {
        std::thread::scope(|scope| {
            let runs: Vec<_> =
                pair.iter().map(|example| (example, scope.spawn(|| compare(example)))).collect();
            failed.extend(runs.into_iter().filter_map(|(example, run)| run.join().err().map(|_| *example)));
        });
    }
    assert!(failed.is_empty(), "see above: {failed:?}");
}
