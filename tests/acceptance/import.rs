//! Import: the next apply changes nothing in AWS, and then the plan is empty.

use serde_json::Value as Json;

use crate::stage::{On, Stage, judged};
use tandem_crash::fixture::Fixture;

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
        // Inputs that AWS returns are read back.
        let mut recovered = 0;
        for (name, value) in inputs.as_object().expect("inputs") {
            let empty = imported[name].is_null() || imported[name].as_array().is_some_and(Vec::is_empty);
            if !empty {
                assert!(holds(&imported[name], value), "{name}: {} is not {value}", imported[name]);
                recovered += 1;
            }
        }
        assert!(recovered >= 2, "{}: {recovered} inputs are read back", fixture.definition.type_name);

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
    for fixture in Fixture::all() {
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
