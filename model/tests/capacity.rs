//! The capacity of a task in the definition of a workflow that runs it: a launch type or a strategy.

#[allow(dead_code, reason = "each test uses a part")]
mod shared;

use serde_json::{Value as Json, json};
use tandem_model::composite::{Definition, Expansion};
use tandem_model::expr::{Ambient, Expr, Scope};
use tandem_model::key::Key;
use tandem_model::value::Value;

use shared::{ACCOUNT, Predict, context};

/// A launch handle, as every version writes it.
fn handle(capacity: &Json) -> String {
    let here = |service: &str, rest: &str| format!("arn:aws:{service}:eu-central-1:{ACCOUNT}:{rest}");
    json!({
        "name": "k", "task_definition": here("ecs", "task-definition/k"), "cluster": here("ecs", "cluster/k"),
        "container": "main", "roles": [format!("arn:aws:iam::{ACCOUNT}:role/k")], "subnets": "subnet-1,subnet-2",
        "security_groups": "sg-1", "assign_public_ip": true, "capacity": capacity,
    })
    .to_string()
}

/// The expansion of a workflow with one step, which runs the task of this handle.
fn workflow(handle: Value) -> Expansion {
    let text = |text: &str| Value::String(text.to_owned());
    let step = Value::map([("name", text("run")), ("task", handle)]);
    let inputs = Value::map([("name", text("w")), ("step", Value::List(vec![step]))]);
    let definition = Definition::find("workflow").expect("a composite");
    definition.expand(&definition.with_defaults(&inputs), &context())
}

/// Predicted attributes, and the value of every variable.
struct Given<'a>(Predict<'a>, String);

impl Scope for Given<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        self.0.place(place)
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        self.0.attribute(key, attribute)
    }

    fn input(&self, _name: &str) -> Option<Json> {
        Some(self.1.clone().into())
    }
}

/// The arguments of RunTask in the definition of the workflow.
fn arguments(expansion: &Expansion, given: &str) -> Json {
    let graph = expansion.graph.as_ref().unwrap_or_else(|| panic!("{:?}", expansion.findings));
    let machine = graph.objects().iter().find(|object| object.kind.name == "sfn_state_machine");
    let definition = &machine.expect("a state machine").fields["definition"];
    let definition = definition.evaluate(&Given(Predict(graph, context()), given.to_owned()));
    let definition = definition.expect("a known definition");
    definition["States"]["run container"]["Branches"][0]["States"]["run run"]["Arguments"].clone()
}

#[test]
fn a_step_starts_its_task_with_a_launch_type_or_a_strategy() {
    for (capacity, name, expected) in [
        ("fargate", "LaunchType", json!("FARGATE")),
        (
            "fargate_spot",
            "CapacityProviderStrategy",
            json!([{ "CapacityProvider": "FARGATE_SPOT", "Weight": 1 }]),
        ),
        (
            "mixed",
            "CapacityProviderStrategy",
            json!([
                { "CapacityProvider": "FARGATE", "Weight": 1 },
                { "CapacityProvider": "FARGATE_SPOT", "Weight": 1 },
            ]),
        ),
    ] {
        let text = handle(&capacity.into());
        for (form, given) in [
            ("a known handle", Value::String(text.clone())),
            ("a handle that is known at apply", Value::Reference("launch".to_owned())),
        ] {
            let found = arguments(&workflow(given), &text);
            assert_eq!(found[name], expected, "{capacity}, {form}: {found}");
            let mut names: Vec<&String> = found.as_object().expect("arguments").keys().collect();
            names.retain(|name| ["LaunchType", "CapacityProviderStrategy"].contains(&name.as_str()));
            assert_eq!(names, [name], "{capacity}, {form}: AWS rejects a call with both");
            assert_eq!(found["Cluster"], format!("arn:aws:ecs:eu-central-1:{ACCOUNT}:cluster/k"), "{form}");
        }
    }
}

#[test]
fn an_unknown_handle_is_no_error_and_a_handle_without_a_capacity_is_one() {
    let expansion = workflow(Value::Unknown);
    assert!(!expansion.findings.any_error(), "{:?}", expansion.findings);
    let graph = expansion.graph.expect("a graph");
    let machine = graph.objects().iter().find(|object| object.kind.name == "sfn_state_machine");
    let definition = machine.map(|machine| &machine.fields["definition"]).expect("a definition");
    assert_eq!(definition.evaluate(&Predict(&graph, context())), None);
    for capacity in [Json::Null, "other".into()] {
        let expansion = workflow(Value::String(handle(&capacity)));
        assert!(expansion.findings.any_error(), "{capacity}");
    }
}

#[test]
fn a_schedule_has_the_word_of_its_task() {
    let definition = Definition::find("container_task").expect("a composite");
    let inputs = json!({ "name": "k", "image": "busybox", "on": [{ "schedule": "rate(1 day)" }] });
    let graph = definition.expand(&definition.with_defaults(&Value::from(&inputs)), &context()).graph;
    let graph = graph.expect("a graph");
    let schedule = graph.objects().iter().find(|object| object.kind.name == "scheduler_schedule");
    assert_eq!(schedule.expect("a schedule").fields["ecs_capacity"], Expr::from("fargate"));
}
