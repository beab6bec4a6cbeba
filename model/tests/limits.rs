//! The limits that AWS publishes.

mod shared;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use shared::{Predict, context, fixture, set, steps};
use tandem_model::composite::{Definition, Expansion};
use tandem_model::composites;
use tandem_model::finding::Findings;
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
            "description `description`: 257 characters, but AWS allows at most 256 characters (`description` of the \
             Lambda function) | Set `description` to at most 256 characters.",
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
            entries.iter().for_each(|(name, value)| scalars(value, &within(name), found))
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
