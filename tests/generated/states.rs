//! asl-validator judges the definition of every state machine that examples and fixtures make.

use std::process::Command;

use serde_json::{Value as Json, json};
use tandem_judges::figures;
use tandem_testkit::node;

use crate::example::{self, Example};

/// Removes a field that the schemas of asl-validator 4.0.0 and of cfn-lint 1.58.0 do not know: AWS documents
/// `QueryLanguage` for every state, but they accept it for all types except Succeed.
pub(crate) fn without_query_language_of_succeed(value: &mut Json) {
    match value {
        Json::Object(members) => {
            if members.get("Type") == Some(&json!("Succeed")) {
                members.remove("QueryLanguage");
            }
            members.values_mut().for_each(without_query_language_of_succeed);
        }
        Json::Array(items) => items.iter_mut().for_each(without_query_language_of_succeed),
        _ => {}
    }
}

/// The definitions of the state machines of a graph.
fn definitions(example: &Example<'_>) -> Vec<Json> {
    let machines = example.graph.objects().iter().filter(|object| object.kind.name == "sfn_state_machine");
    let definitions = machines.map(|machine| {
        let definition = machine.fields["definition"].evaluate(example);
        let mut definition: Json = match definition.unwrap_or_else(|| panic!("{} is unknown", machine.key)) {
            Json::String(text) => serde_json::from_str(&text).expect("a definition is JSON"),
            other => other,
        };
        without_query_language_of_succeed(&mut definition);
        definition
    });
    definitions.collect()
}

/// The state machines of examples, of fixtures, and of fixtures with each of their changes.
fn all_definitions() -> Vec<(String, Json)> {
    let mut all = Vec::new();
    example::each(|name, example| {
        let definitions = definitions(example).into_iter().enumerate();
        all.extend(definitions.map(|(number, definition)| (format!("{name}-{number}"), definition)));
    });
    all
}

#[test]
fn asl_validator_accepts_every_state_machine() {
    let Some(program) = node::asl_validator() else { return };
    let work = tempfile::tempdir().expect("a folder");
    let mut validate = Command::new(program);
    let mut judged = 0;
    for (name, definition) in all_definitions() {
        let file = work.path().join(format!("{name}.asl.json"));
        std::fs::write(&file, definition.to_string()).expect("written");
        validate.arg("--json-path").arg(file);
        judged += 1;
    }
    assert!(judged > 20, "{judged} definitions are no measure");
    let output = validate.output().expect("asl-validator");
    figures::add("state machines judged by asl-validator", judged, u64::from(!output.status.success()));
    figures::keep();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");

    // The judge refuses a definition with a fault.
    let broken = work.path().join("broken.json");
    let definition = json!({ "StartAt": "a", "States": { "a": { "Type": "Task", "Next": "nowhere" } } });
    std::fs::write(&broken, definition.to_string()).expect("written");
    let mut validate = Command::new(validate.get_program());
    let refused = validate.arg("--json-path").arg(broken).output().expect("asl-validator");
    assert!(!refused.status.success(), "asl-validator accepts a state that nothing defines");
}
