//! The limits that AWS publishes.

mod shared;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use shared::{Predict, context, fixture, set, steps};
use tandem_model::composite::{Definition, Expansion};
use tandem_model::composites;
use tandem_model::context::Context;
use tandem_model::finding::Findings;
use tandem_model::input::{Bounds, Field, Rule};
use tandem_model::limits::{self, Limit, ValuePart};
use tandem_model::value::Value;

fn expand(definition: &Definition, inputs: &Json) -> Expansion {
    definition.expand(&definition.with_defaults(&Value::from(inputs)), &context())
}

#[test]
fn the_graphs_of_all_fixtures_keep_to_the_limits() {
    for definition in composites::ALL {
        for step in steps(definition) {
            let findings = expand(definition, &step.inputs).findings;
            assert_eq!(findings, Findings::default(), "{}: {}", definition.type_name, step.change);
        }
    }
}

/// The first finding for a fixture with another value of one input.
fn finding(composite: &str, path: &str, value: &Json) -> String {
    let definition = composites::ALL.iter().find(|one| one.type_name == composite).expect("a composite");
    let mut inputs = fixture(definition)["inputs"].clone();
    set(&mut inputs, path, value);
    let findings = expand(definition, &inputs).findings.0;
    findings.first().map(|one| format!("{} {} | {}", one.path, one.message, one.help)).unwrap_or_default()
}

#[test]
fn a_value_outside_of_a_limit_is_found_at_its_input() {
    let long = |length: usize| "x".repeat(length);
    for (composite, path, value, found) in [
        (
            "event_function",
            "description",
            json!(long(257)),
            "description 257 characters, but AWS allows at most 256 characters | Set `description` to at most 256 characters.",
        ),
        (
            "event_function",
            "on.6.event_pattern",
            json!(format!("{{\"a\":[\"{}\"]}}", long(4096))),
            "on[6].event_pattern `on[6].event_pattern`: 4106 characters",
        ),
        (
            "event_function",
            "permissions_boundary",
            json!("arn:aws:iam::1:a"),
            "permissions_boundary `permissions_boundary`: 16 characters, but AWS allows 20 to 2048 characters",
        ),
        (
            "event_function",
            "role_path",
            json!("//"),
            "role_path `role_path`: \"//\" does not match the pattern of AWS",
        ),
        (
            "event_function",
            "on.3",
            json!({ "http": "url", "auth": "none", "cors_origins": [long(254)] }),
            "on[3].cors_origins[0] `on[3].cors_origins[0]`: 254 characters, but AWS allows",
        ),
        (
            "event_function",
            "on.3",
            json!({ "http": "url", "auth": "none", "cors_origins": ["*"], "cors_methods": ["CONNECT"] }),
            "on[3].cors_methods[0] ",
        ),
        (
            "event_function",
            "on.3",
            json!({ "http": "url", "auth": "none", "cors_origins": ["*"], "cors_headers": [long(1025)] }),
            "on[3].cors_headers[0] `on[3].cors_headers[0]`: 1025 characters, but AWS allows",
        ),
        (
            "workflow",
            "step.9",
            json!({ "name": "failed", "fail": long(40_000) }),
            "step[9].fail 40000 characters, but Step Functions allows at most 32768",
        ),
        ("bucket", "kms_key_arn", json!("not an arn"), "kms_key_arn \"not an arn\" is not an ARN"),
        (
            "bucket",
            "kms_key_arn",
            json!("arn:aws:kms:::x"),
            "kms_key_arn \"arn:aws:kms:::x\" is not the ARN of a KMS key",
        ),
    ] {
        let finding = finding(composite, path, &value);
        assert!(finding.starts_with(found), "{composite}.{path}: {finding:?}");
    }
}

/// The paths of all scalars in a value, e.g. `on.0.prefix`.
fn scalars(value: &Json, path: &str, found: &mut Vec<String>) {
    let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Json::Object(entries) => {
            entries.iter().for_each(|(name, value)| scalars(value, &within(name), found));
        }
        Json::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| scalars(value, &within(&index.to_string()), found));
        }
        _ => found.push(path.to_owned()),
    }
}

/// The values of all fields with a limit, by kind and field.
fn limited(expansion: &Expansion) -> BTreeMap<(String, &'static str, &'static str), Json> {
    let Some(graph) = &expansion.graph else { return BTreeMap::new() };
    let predict = Predict(graph, context());
    let mut values = BTreeMap::new();
    for object in graph.objects() {
        for (field, value) in predict.settings(object) {
            if let Some(limit) = limits::of(object.kind.name, &field).next() {
                values.insert((object.key.to_string(), limit.kind, limit.field), value);
            }
        }
    }
    values
}

/// A value of the same type just outside of a limit; `None` if the limit has only known values.
fn outside(limit: &Limit, value: &Json) -> Option<Json> {
    let length = |max: i64| usize::try_from(max + 1).expect("a length");
    match (value, limit.max) {
        (Json::Number(_), Some(max)) => Some(json!(max + 1)),
        (Json::String(_), Some(max)) => Some(json!("x".repeat(length(max)))),
        (Json::String(_), None) if !limit.patterns.is_empty() => Some(json!("\u{1}")),
        _ => None,
    }
}

#[test]
fn a_value_just_outside_of_each_limit_is_found() {
    let mut reached = BTreeSet::new();
    for definition in composites::ALL {
        let inputs = fixture(definition)["inputs"].clone();
        let before = limited(&expand(definition, &inputs));
        let mut paths = Vec::new();
        scalars(&inputs, "", &mut paths);
        for path in paths {
            let now = inputs.pointer(&format!("/{}", path.replace('.', "/"))).expect("a value");
            // Another value shows which fields the input sets as they are.
            let other = match now {
                Json::String(text) => json!(format!("{text}x")),
                Json::Number(number) => json!(number.as_i64().unwrap_or_default() + 1),
                _ => continue,
            };
            let mut changed = inputs.clone();
            set(&mut changed, &path, &other);
            let after = limited(&expand(definition, &changed));
            let set_by_it =
                before.iter().filter(|(key, value)| *value == now && after.get(*key) == Some(&other));
            for (_, kind, field) in set_by_it.map(|(key, _)| key) {
                for limit in limits::of(kind, field).filter(|limit| limit.part == ValuePart::Whole) {
                    let Some(value) = outside(limit, now) else { continue };
                    let mut wrong = inputs.clone();
                    set(&mut wrong, &path, &value);
                    let findings = expand(definition, &wrong).findings;
                    assert!(findings.any_error(), "{}.{path}: {limit:?} takes {value}", definition.type_name);
                    reached.insert((*kind, *field));
                }
            }
        }
    }
    let all: BTreeSet<(&str, &str)> = limits::all().iter().map(|limit| (limit.kind, limit.field)).collect();
    println!(
        "{} members have a limit, all of them are checked, {} are set by an input as it is",
        all.len(),
        reached.len()
    );
    assert!(reached.len() >= 15, "{reached:?}");
}

/// Values outside of a limit: the composite, the inputs to change, and the start of the finding.
type Outside = (&'static str, Vec<(&'static str, Json)>, &'static str);

/// Values outside of the limits that AWS documents.
fn documented() -> Vec<Outside> {
    let long = |length: usize| "x".repeat(length);
    let words = |count: usize| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>();
    let sixty: Json = (0..60)
        .map(|n| (format!("SETTING_{n:02}"), long(54).into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let queue = |n: usize| json!({ "queue": format!("arn:aws:sqs:us-east-1:123456789012:team-linux-arm64-builds-{n:02}") });
    let accounts =
        |count: usize| (0..count).map(|n| format!("arn:aws:iam::{n:012}:root")).collect::<Vec<_>>();
    let _ = accounts;
    vec![
        (
            "event_function",
            vec![("environment", sixty)],
            "environment: TDM012 `environment`: 4418 bytes as JSON (217 of them are `TANDEM_RESOURCES`, which the \
             composite adds), but Lambda allows at most 4096",
        ),
        (
            "event_function",
            vec![
                ("environment", json!({ "RUNNER_CONFIG": long(3_947) })),
                ("sends_to", (0..12).map(queue).collect()),
            ],
            "environment: TDM012 `environment`: 4",
        ),
        (
            "event_function",
            vec![("environment", json!({})), ("sends_to", (0..80).map(queue).collect())],
            "sends_to: TDM012 `sends_to`: ",
        ),
        (
            "event_function",
            vec![("code", json!({ "image_uri": "docker.io/library/alpine:3" }))],
            "code.image_uri: TDM004 `code.image_uri`: the image is in the registry `docker.io`, but Lambda",
        ),
        (
            "event_function",
            vec![(
                "reads",
                (0..140).map(|n| json!({ "bucket": format!("team-{n}-{}", long(40)) })).collect(),
            )],
            "reads: TDM004 `reads`: 1",
        ),
        (
            "event_function",
            vec![("on.5.filter_policy", json!(format!("{{\"a\":{:?},\"b\":{:?}}}", words(15), words(11))))],
            "on[5].filter_policy: TDM017 `on[5].filter_policy`: 165 combinations of values in a filter policy, but SNS \
             allows at most 150",
        ),
        (
            "container_task",
            vec![("command", (0..70).map(|_| json!(long(1000))).collect())],
            "command: TDM004 `command`: 70",
        ),
        (
            "container_task",
            vec![("build", Json::Null), ("image", json!("a b"))],
            "image: TDM004 `image`: the reference \"a b\" contains ' '",
        ),
        (
            "container_task",
            vec![("on.0.command", (0..9).map(|_| json!(long(1000))).collect())],
            "on[0].command: TDM004 `on[0].command`: 9129 characters of overrides",
        ),
        (
            "container_task",
            vec![("network", json!({ "subnets": words(17) }))],
            "network.subnets: TDM004 `subnets` has 17 entries, but a task on Fargate takes at most 16",
        ),
        (
            "container_task",
            vec![("network", json!({ "subnets": ["subnet-1"], "security_groups": words(6) }))],
            "network.security_groups: TDM004 `security_groups` has 6 entries",
        ),
        (
            "workflow",
            vec![("step.4.environment", json!({ "LONG": long(8_200) }))],
            "step[4].environment: TDM004 `step[4].environment`: 8",
        ),
        (
            "bucket",
            vec![("cors", json!({ "origins": ["*"] }))],
            ": TDM001 `allowed_methods` of s3_bucket_cors_configuration.main: it is empty, but S3 requires",
        ),
        (
            "bucket",
            vec![("lifecycle_rule.0.storage_class", json!("STANDARD_IA"))],
            "lifecycle_rule[0].transition_days: TDM004 `transition_days` is 10, but S3 moves objects to STANDARD_IA after \
             30 days at the earliest",
        ),
        (
            "bucket",
            vec![("lifecycle_rule.0.expiration_days", json!(10))],
            "lifecycle_rule[0].expiration_days: TDM004 `expiration_days` is 10, but `transition_days` is 10",
        ),
        (
            "topic",
            vec![("publishers", (0..900).map(|n| json!(format!("{}{n}.amazonaws.com", long(20)))).collect())],
            "publishers: TDM004 `publishers`: 224128 bytes",
        ),
    ]
}

#[test]
fn a_value_outside_of_a_documented_limit_is_found() {
    for (composite, changes, expected) in documented() {
        let definition = composites::ALL.iter().find(|one| one.type_name == composite).expect("a composite");
        let mut inputs = fixture(definition)["inputs"].clone();
        for (path, value) in &changes {
            set(&mut inputs, path, value);
        }
        let findings = expand(definition, &inputs).findings.0;
        let found: Vec<String> =
            findings.iter().map(|one| format!("{}: {} {}", one.path, one.code, one.message)).collect();
        let changed: Vec<&str> = changes.iter().map(|(path, _)| *path).collect();
        assert!(
            found.iter().any(|one| one.starts_with(expected)),
            "{composite} {changed:?}: no {expected:?} in {found:#?}"
        );
    }
}

#[test]
fn a_project_whose_names_aws_reserves_is_found() {
    for (project, composite, expected) in [
        ("sg", "container_task", "the name `sg-render` begins with `sg-`, which EC2 reserves"),
        ("sthree", "bucket", "S3 reserves `sthree-` in the name `sthree-files-"),
        ("amzn-s3-demo", "bucket", "S3 reserves `amzn-s3-demo-` in the name `amzn-s3-demo-files-"),
    ] {
        let definition = composites::ALL.iter().find(|one| one.type_name == composite).expect("a composite");
        let inputs = definition.with_defaults(&Value::from(&fixture(definition)["inputs"]));
        let context = Context { project: Some(project.to_owned()), ..context() };
        let findings = definition.expand(&inputs, &context).findings.0;
        let found: Vec<&str> = findings.iter().map(|one| one.message.as_str()).collect();
        assert!(found.iter().any(|one| one.contains(expected)), "{project}: no {expected:?} in {found:#?}");
    }
}

#[test]
fn tags_suit_every_service() {
    let many = |count: usize| -> Json {
        (0..count).map(|n| (format!("tag-{n}"), "x".into())).collect::<serde_json::Map<_, _>>().into()
    };
    for (composite, tags, expected) in [
        ("queue", json!({ "Note": "Test #2" }), "tags[\"Note\"] the value of the tag \"Note\" contains '#'"),
        (
            "queue",
            json!({ "Service": "a & b" }),
            "tags[\"Service\"] the value of the tag \"Service\" contains '&'",
        ),
        ("queue", json!({ "team": "${team}" }), "tags[\"team\"] the value of the tag \"team\" contains '$'"),
        ("queue", json!({ "a(b)": "x" }), "tags[\"a(b)\"] the key of the tag \"a(b)\" contains '('"),
        (
            "queue",
            json!({ "Purpose": "x".repeat(257) }),
            "tags[\"Purpose\"] the value of the tag \"Purpose\" has 257",
        ),
        ("queue", json!({ "k".repeat(129): "x" }), "tags[\"kkk"),
        (
            "queue",
            json!({ "": "x" }),
            "tags[\"\"] the key of the tag \"\" has 0 characters, but AWS allows 1 to 128",
        ),
        ("queue", json!({ "aws:team": "x" }), "tags[\"aws:team\"] the tag `aws:team` is reserved"),
        ("queue", many(47), "tags there are 47 tags, with those of the provider, but AWS allows 50"),
        ("queue", many(46), ""),
        ("queue", json!({ "Größe": "10 m @home: a/b=c+d-e_f." }), ""),
        ("queue", json!({ "empty": "" }), ""),
        // Lambda, IAM, ECS and Logs publish the characters that they take.
        (
            "event_function",
            json!({ "Service": "a & b" }),
            "tags[\"Service\"] the tag \"Service\" contains '&', which the ",
        ),
        // EventBridge Scheduler alone refuses an empty value.
        (
            "container_task",
            json!({ "empty": "" }),
            "tags[\"empty\"] the tag \"empty\" does not suit the EventBridge schedule group: 0 characters, but AWS allows 1 \
             to 256 characters",
        ),
    ] {
        let found = finding(composite, "tags", &tags);
        let fits = if expected.is_empty() { found.is_empty() } else { found.starts_with(expected) };
        assert!(fits, "{composite} {tags}: {found:?} is not {expected:?}");
    }
}

#[test]
fn tags_of_the_provider_count() {
    let definition = composites::ALL.iter().find(|one| one.type_name == "queue").expect("a composite");
    let inputs = definition.with_defaults(&Value::from(&fixture(definition)["inputs"]));
    let default_tags = (0..46).map(|n| (format!("tag-{n}"), "x".to_owned())).collect();
    let findings = definition.expand(&inputs, &Context { default_tags, ..context() }).findings.0;
    assert!(findings[0].message.starts_with("there are 47 tags"), "{findings:?}");
}

/// The ranges that inputs had as numbers of their own, before they came from the data.
const BEFORE: &[(&str, &str, i64, i64)] = &[
    ("event_function", "memory_size", 128, 10_240),
    ("event_function", "timeout", 1, 900),
    ("event_function", "maximum_retry_attempts", 0, 2),
    ("event_function", "on.maximum_batching_window", 0, 300),
    ("event_function", "on.parallelization_factor", 1, 10),
    ("container_task", "on.flexible_window", 1, 1440),
    ("container_task", "on.retry_attempts", 0, 185),
    ("container_task", "on.maximum_event_age", 60, 86_400),
    ("queue", "visibility_timeout", 0, 43_200),
    ("queue", "message_retention", 60, 1_209_600),
    ("queue", "delay", 0, 900),
];

#[test]
fn ranges_from_the_data_are_those_of_before() {
    for (composite, path, low, high) in BEFORE {
        let definition = composites::ALL.iter().find(|one| one.type_name == *composite).expect("a composite");
        let mut fields = (definition.fields)();
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let field =
                fields.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("{path}")).clone();
            if names.peek().is_some() {
                fields = field.shape.fields();
            } else {
                let bounds = field.rule.and_then(Rule::bounds);
                assert_eq!(bounds, Some(Bounds::Numbers(*low, *high)), "{composite}.{path}");
                assert!(matches!(field.rule, Some(Rule::Limit(..))), "{composite}.{path} repeats the limit");
            }
        }
    }
}

/// Every limit that an input names exists.
#[test]
fn limits_of_inputs_are_in_the_data() {
    fn check(fields: &[Field], composite: &str, found: &mut usize) {
        for field in fields {
            if let Some(rule @ Rule::Limit(kind, name)) = field.rule {
                assert!(
                    kind.field(name).is_some(),
                    "{composite}.{}: {} has no {name}",
                    field.name,
                    kind.name
                );
                assert!(
                    rule.bounds().is_some() || !rule.published().is_empty(),
                    "{composite}.{}: no limit of {name} is published",
                    field.name
                );
                *found += 1;
            }
            check(&field.shape.fields(), composite, found);
        }
    }
    let mut found = 0;
    for definition in composites::ALL {
        check(&(definition.fields)(), definition.type_name, &mut found);
    }
    assert!(found >= BEFORE.len(), "{found}");
}
