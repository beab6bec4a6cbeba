//! The limits that AWS publishes.

mod shared;

use serde_json::{Value as Json, json};
use shared::{context, fixture, steps};
use tandem_model::composites;
use tandem_model::finding::Findings;
use tandem_model::value::Value;

#[test]
fn the_graphs_of_all_fixtures_keep_to_the_limits() {
    for definition in composites::ALL {
        for step in steps(definition) {
            let expansion =
                definition.expand(&definition.with_defaults(&Value::from(&step.inputs)), &context());
            assert_eq!(expansion.findings, Findings::default(), "{}: {}", definition.type_name, step.change);
        }
    }
}

/// The first finding for a fixture with another value of one input.
fn finding(composite: &str, path: &str, value: &Json) -> String {
    let definition = composites::ALL.iter().find(|one| one.type_name == composite).expect("a composite");
    let mut inputs = fixture(definition)["inputs"].clone();
    shared::set(&mut inputs, path, value);
    let expansion = definition.expand(&definition.with_defaults(&Value::from(&inputs)), &context());
    let findings =
        expansion.findings.0.iter().map(|one| format!("{} {} | {}", one.path, one.message, one.help));
    findings.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_value_outside_of_a_limit_is_found_at_its_input() {
    let long = |length: usize| "x".repeat(length);
    for (composite, path, value, found) in [
        ("event_function", "description", json!(long(257)), "description"),
        (
            "event_function",
            "on.6.event_pattern",
            json!(format!("{{\"a\":[\"{}\"]}}", long(4096))),
            "on[6].event_pattern",
        ),
        ("event_function", "role_path", json!("/a b/"), "role_path"),
        ("event_function", "permissions_boundary", json!("arn:aws:iam::1:a"), "permissions_boundary"),
        ("container_task", "role_path", json!("/a b/"), "role_path"),
    ] {
        let finding = finding(composite, path, &value);
        println!("{finding}\n");
        assert!(finding.starts_with(&format!("{found} ")), "{composite}.{path}: {finding:?}");
    }
}
