//! States that older versions of the provider wrote.

use serde_json::{Value as Json, json};

use crate::stage::{On, Stage};
use tandem_crash::fixture::Fixture;

/// Changes a state of the current schema version to one of version 0, which recorded no differences.
fn to_version_0(state: &mut Json) {
    let resources = state["resources"].as_array_mut().expect("resources");
    for instance in resources.iter_mut().flat_map(|one| one["instances"].as_array_mut().expect("instances")) {
        assert_eq!(instance["schema_version"], 1);
        instance["schema_version"] = json!(0);
        for entry in instance["attributes"]["record"].as_object_mut().expect("a record").values_mut() {
            let differences = entry.as_object_mut().expect("an entry").remove("differences");
            assert_eq!(differences, Some(json!([])));
        }
    }
}

#[test]
fn a_state_of_version_0_has_an_empty_plan_and_can_be_destroyed() {
    let stage = Stage::new(On::MiniStack);
    let fixture = Fixture::named("queue");
    let inputs = stage.prepare(&fixture);
    let before = stage.aws.everything();
    stage.configure(&fixture, &inputs);
    stage.terraform.apply().expect_success();
    let file = stage.terraform.path().join("terraform.tfstate");
    let text = std::fs::read_to_string(&file).expect("a state");
    let mut state: Json = serde_json::from_str(&text).expect("JSON");
    to_version_0(&mut state);
    std::fs::write(&file, state.to_string()).expect("written");
    stage.terraform.expect_empty_plan();
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}
