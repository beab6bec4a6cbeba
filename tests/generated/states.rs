//! asl-validator judges the definition of every state machine that examples and fixtures make.

use std::process::Command;

use serde_json::{Value as Json, json};
use tandem::spec::{App, Entry};
use tandem_crash::fixture::Fixture;
use tandem_judges::figures;
use tandem_model::context::Context;
use tandem_model::expr::{Ambient, Scope};
use tandem_model::graph::{Graph, Key};
use tandem_model::value::Value;
use tandem_testkit::environment::root;
use tandem_testkit::node;

use crate::project::{ACCOUNT, examples, read};

/// The values of a graph, with ARNs of the right form in place of those that AWS chooses.
struct Example<'a> {
    graph: &'a Graph,
    /// The entry of the graph, and its spec.
    of: Option<(&'a App, &'a Entry)>,
}

impl Scope for Example<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        Some(match place {
            Ambient::Account => ACCOUNT.to_owned(),
            Ambient::Partition => "aws".to_owned(),
            Ambient::Region => "eu-central-1".to_owned(),
            Ambient::DefaultVpc => "vpc-1".to_owned(),
            Ambient::DefaultSubnets => "subnet-1,subnet-2".to_owned(),
        })
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        let object = self.graph.get(key)?;
        let settings = object
            .fields
            .iter()
            .map(|(name, expr)| ((*name).to_owned(), expr.evaluate(self).unwrap_or(Json::Null)));
        let known = object.kind.predict(attribute, &settings.collect(), &|place| self.place(place));
        Some(known.unwrap_or_else(|| format!("{}-1", object.kind.name)).into())
    }

    fn input(&self, name: &str) -> Option<Json> {
        let (app, entry) = self.of?;
        let Some(target) = entry.references.get(name) else {
            return Some(format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{name}").into());
        };
        let entry = app.entries.iter().find(|entry| entry.name == target.entry)?;
        let output = entry.graph.outputs.get(target.output)?;
        output.evaluate(&Example { graph: &entry.graph, of: Some((app, entry)) })
    }
}

/// Removes a field that the schema of asl-validator does not know: AWS documents `QueryLanguage` for every state, but
/// asl-validator 4.0.0 accepts it for all types but Succeed.
fn without_query_language_of_succeed(value: &mut Json) {
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
    let mut add = |name: &str, example: &Example<'_>| {
        let definitions = definitions(example).into_iter().enumerate();
        all.extend(definitions.map(|(number, definition)| (format!("{name}-{number}"), definition)));
    };
    let mut specs = examples();
    specs.push(("mixed".to_owned(), root().join("tests/data/specs/mixed.yaml")));
    for (name, path) in specs {
        let app = read(&path);
        for entry in &app.entries {
            let example = Example { graph: &entry.graph, of: Some((&app, entry)) };
            add(&format!("{name}-{}", entry.name), &example);
        }
    }
    let context = Context { project: Some("test".to_owned()), ..Context::default() };
    for fixture in Fixture::all() {
        for (number, inputs) in fixture.variants(ACCOUNT).into_iter().enumerate() {
            let graph = fixture.definition.expand(&Value::from(&inputs), &context).graph;
            if let Some(graph) = graph {
                let name = format!("{}-{number}", fixture.definition.type_name);
                add(&name, &Example { graph: &graph, of: None });
            }
        }
    }
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
