//! Import: the next apply changes nothing in AWS, and then the plan is empty.

use serde_json::{Value as Json, json};
use tandem_crash::fixture::Fixture;
use tandem_model::context::Context;
use tandem_model::value::Value;

use crate::stage::{On, Stage, judged};

/// Returns true if a value equals the given one; blocks may have additional fields.
fn holds(value: &Json, given: &Json) -> bool {
    match (value, given) {
        (Json::Object(value), Json::Object(given)) => {
            given.iter().all(|(name, given)| value.get(name).is_some_and(|value| holds(value, given)))
        }
        (Json::Array(values), Json::Array(given)) => {
            values.len() == given.len() && values.iter().zip(given).all(|(value, given)| holds(value, given))
        }
        _ => value == given,
    }
}

#[test]
fn after_an_import_nothing_is_changed_and_the_plan_is_empty() {
    import_and_apply(On::MiniStack, false);
}

#[test]
fn the_import_block_that_an_apply_prints_works() {
    import_and_apply(On::MiniStack, true);
}

#[test]
fn after_an_import_nothing_is_changed_and_the_plan_is_empty_on_moto() {
    import_and_apply(On::Moto, false);
}

/// Loses the state and restores it, with the command or with the block that a refused apply prints.
fn import_and_apply(on: On, by_block: bool) {
    // All composites print the same block, so some of them are enough.
    for fixture in judged(if by_block { On::Moto } else { on }) {
        let (stage, proxy) = Stage::proxied(on, |_, _, _| true);
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        let made = stage.terraform.resource(&fixture.address());

        // The state is lost: an apply refuses and prints the import.
        stage.terraform.run(&["state", "rm", &fixture.address()]).expect_success();
        let name = inputs["name"].as_str().expect("a name");
        let refused = stage.terraform.apply();
        let refused = refused.expect_failure(&["[TDM130]", "import {", &format!("id = \"{name}\"")]);
        let calls = proxy.mutating().len();
        if by_block {
            stage.follow_import(&refused.text);
            stage.terraform.apply().expect_success().expect_text(&["1 imported"]);
            let after = proxy.mutating().split_off(calls);
            assert!(on == On::Moto || after.is_empty(), "{after:?}");
        } else {
            stage.terraform.run(&["import", "-no-color", &fixture.address(), name]).expect_success();
        }
        let imported = stage.terraform.resource(&fixture.address());
        assert_eq!(imported["ids"], made["ids"]);
        assert_eq!(imported["instance"], made["instance"]);
        if by_block {
            continue;
        }
        // Inputs that AWS returns are read back. The tests of the model check that none is missing.
        let mut recovered = 0;
        for (name, value) in inputs.as_object().expect("inputs") {
            let empty = imported[name].is_null() || imported[name].as_array().is_some_and(Vec::is_empty);
            if !empty {
                assert!(holds(&imported[name], value), "{name}: {} is not {value}", imported[name]);
                recovered += 1;
            }
        }
        let least = if fixture.definition.type_name == "event_bus" { 1 } else { 2 };
        assert!(recovered >= least, "{}: {recovered} inputs are read back", fixture.definition.type_name);

        stage.terraform.apply().expect_success();
        let mut after = proxy.mutating().split_off(calls);
        // moto does not return the logging settings of a function: they are set again.
        after.retain(|call| on != On::Moto || !call.contains("/configuration"));
        assert_eq!(after, [] as [String; 0], "{}", fixture.definition.type_name);
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before);
    }
}

/// The inputs without those that a composite does not need.
fn least(fixture: &Fixture, inputs: &Json) -> Json {
    let mut least = inputs.clone();
    for field in (fixture.definition.fields)() {
        let mut without = least.clone();
        let entries = without.as_object_mut().expect("inputs");
        entries.remove(field.name);
        let expansion = fixture.definition.expand(&Value::from(&without), &Context::default());
        if !expansion.findings.any_error() {
            least = without;
        }
    }
    least
}

/// The paths of the values that a change removes.
fn removed(before: &Json, after: &Json, path: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => {
            for (name, before) in before {
                let after = after.get(name).unwrap_or(&Json::Null);
                removed(before, after, &format!("{path}.{name}"), found);
            }
        }
        (Json::Array(before), Json::Array(after)) if before.len() == after.len() => {
            for (before, after) in before.iter().zip(after) {
                removed(before, after, path, found);
            }
        }
        (Json::Null, _) => {}
        (before, Json::Null) => found.push(format!("{path} = {before}")),
        _ => {}
    }
}

#[test]
fn the_plan_after_an_import_shows_no_default_of_aws_as_a_removal() {
    for fixture in judged(On::MiniStack) {
        let stage = Stage::new(On::MiniStack);
        let all = stage.prepare(&fixture);
        for inputs in [least(&fixture, &all), all] {
            stage.configure(&fixture, &inputs);
            stage.terraform.apply().expect_success();
            stage.terraform.run(&["state", "rm", &fixture.address()]).expect_success();
            let name = inputs["name"].as_str().expect("a name");
            stage.terraform.run(&["import", "-no-color", &fixture.address(), name]).expect_success();
            stage.terraform.run(&["plan", "-no-color", "-input=false", "-out=plan"]).expect_success();
            let plan = stage.terraform.run(&["show", "-json", "plan"]).expect_success();
            let plan = plan.text.lines().find(|line| line.starts_with('{')).expect("JSON");
            let plan: Json = serde_json::from_str(plan).expect("JSON");
            let change = &plan["resource_changes"][0]["change"];
            let (mut after, unknown) = (change["after"].clone(), &change["after_unknown"]);
            // Terraform leaves out values that are known only after the apply.
            for (name, _) in
                unknown.as_object().into_iter().flatten().filter(|(_, unknown)| **unknown != json!(false))
            {
                after[name] = change["before"][name].clone();
            }
            let mut found = Vec::new();
            removed(&change["before"], &after, fixture.definition.type_name, &mut found);
            assert_eq!(found, [] as [String; 0], "inputs: {inputs}");
            stage.terraform.apply().expect_success();
            stage.terraform.destroy().expect_success();
        }
    }
}

#[test]
fn what_does_not_exist_cannot_be_imported() {
    for fixture in Fixture::all() {
        let stage = Stage::new(On::MiniStack);
        let inputs = stage.prepare(&fixture);
        stage.configure(&fixture, &inputs);
        let address = fixture.address();
        stage
            .terraform
            .run(&["import", "-no-color", &address, "nothing"])
            .expect_failure(&["There is no `test/eu-central-1/", "[TDM150]"]);
    }
}

#[test]
fn a_matching_composite_is_adopted_when_the_provider_says_so() {
    for fixture in judged(On::MiniStack) {
        let stage = Stage::new(On::MiniStack);
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        stage.terraform.run(&["state", "rm", &fixture.address()]).expect_success();
        let file = stage.terraform.path().join("main.tf.json");
        let adopting = std::fs::read_to_string(&file).expect("the configuration");
        std::fs::write(
            &file,
            adopting.replace(r#""project": "test""#, r#""project": "test", "adopt": "matching""#),
        )
        .expect("a file");
        stage.terraform.apply().expect_success().expect_text(&["[TDM115]"]);
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before);
    }
}
