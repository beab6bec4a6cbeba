//! States that older versions of the provider wrote.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tandem_crash::fixture::Fixture;
use tandem_engine::driver::Tags;
use tandem_model::kinds;
use tandem_model::ownership::KEY;
use tandem_testkit::environment::root;

use crate::stage::{On, Stage};

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

/// The states that the provider of commit f16c3d8 wrote for the fixtures, without the account. No object had a tag
/// with its key.
const OLD: &str = "tests/fixtures/states/f16c3d8";

/// Composites with such a state. That of the function and that of the task differ a little from their fixtures of
/// today.
const WITH_STATE: &[&str] =
    &["bucket", "queue", "queues", "stream", "table", "topic", "workflow", "event_function"];

/// The values that the cloud, this machine or a later version chose, by those in the old state: ids, attributes,
/// hashes of code and descriptions.
fn chosen(old: &Json, now: &Json) -> BTreeMap<String, String> {
    let mut chosen = BTreeMap::new();
    let mut add = |old: &Json, now: &Json| {
        if let (Some(old), Some(now)) = (old.as_str(), now.as_str())
            && old != now
        {
            chosen.insert(old.to_owned(), now.to_owned());
        }
    };
    for (key, entry) in old["record"].as_object().expect("a record") {
        add(&entry["id"], &now["record"][key]["id"]);
        for (name, value) in entry["attributes"].as_object().expect("attributes") {
            add(value, &now["record"][key]["attributes"][name]);
        }
        let line = |state: &Json| -> Json {
            serde_json::from_str(state["components"][key].as_str().unwrap_or("null")).expect("a line")
        };
        // Code of another build, and descriptions that a later version worded in another way.
        for field in ["source_code_hash", "alarm_description", "description"] {
            add(&line(old)[field], &line(now)[field]);
        }
        // The digest of a value that contains the account.
        let resources = "/environment/TANDEM_RESOURCES";
        let digest = |state: &Json| line(state).pointer(resources).cloned().unwrap_or_default();
        add(&digest(old), &digest(now));
    }
    add(&old["instance"], &now["instance"]);
    chosen
}

/// Gives a state the definitions and policies of today. AWS has them in the test. A later version starts tasks with a
/// launch type, and names log groups in policies once.
fn set_documents(old: &mut Json, now: &Json) {
    for field in ["definition", "iam_policies"] {
        if !old[field].is_null() {
            old[field] = now[field].clone();
        }
    }
    for (key, line) in old["components"].as_object_mut().expect("components") {
        let parsed =
            |line: &Json| -> Json { serde_json::from_str(line.as_str().unwrap_or("null")).expect("a line") };
        let mut settings = parsed(line);
        let today = parsed(&now["components"][key]);
        let of_policy = key.starts_with("iam_role_policy.").then_some("policy");
        for field in of_policy.into_iter().chain(["definition"]).filter(|field| !today[field].is_null()) {
            settings[field] = today[field].clone();
            *line = settings.to_string().into();
        }
    }
}

/// The inputs that a state has, also those of triggers: the fixture has got more since.
fn only_inputs_of(old: &Json, inputs: &mut Json) {
    inputs.as_object_mut().expect("inputs").retain(|name, _| !old[name].is_null());
    let now = inputs.get_mut("on").and_then(Json::as_array_mut);
    let (Some(old), Some(now)) = (old["on"].as_array(), now) else { return };
    now.truncate(old.len());
    for (now, old) in now.iter_mut().zip(old) {
        now.as_object_mut().expect("a trigger").retain(|name, _| !old[name].is_null());
    }
}

#[test]
fn states_of_an_older_version_get_keys_and_change_nothing_else() {
    for composite in WITH_STATE {
        let stage = Stage::new(On::MiniStack);
        let fixture = Fixture::named(composite);
        let text =
            std::fs::read_to_string(root().join(OLD).join(format!("{composite}.json"))).expect("a state");
        let text = text.replace("ACCOUNT", &stage.account.id);
        let mut old: Json = serde_json::from_str(&text).expect("JSON");
        let mut inputs = stage.prepare(&fixture);
        only_inputs_of(&old, &mut inputs);
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        let file = stage.terraform.path().join("terraform.tfstate");
        let mut state: Json =
            serde_json::from_str(&std::fs::read_to_string(&file).expect("a state")).expect("JSON");
        let instance = &mut state["resources"][0]["instances"][0];
        // The objects of the older version carried no key.
        let mut keys = Vec::new();
        for (key, entry) in instance["attributes"]["record"].as_object().expect("a record") {
            let kind = kinds::find(entry["kind"].as_str().expect("a kind")).expect("a kind");
            if kind.tags {
                let id = entry["id"].as_str().expect("an id");
                let driver = stage.aws.driver(kind.name);
                stage.aws.wait(driver.tag(id, &Tags::new(), &[KEY.to_owned()])).expect("no key");
                keys.push((key.clone(), kind.name, id.to_owned()));
            }
        }
        set_documents(&mut old, &instance["attributes"]);
        let mut text = old.to_string();
        let mut chosen: Vec<(String, String)> = chosen(&old, &instance["attributes"]).into_iter().collect();
        chosen.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
        for (old, now) in &chosen {
            text = text.replace(old.as_str(), now);
        }
        instance["attributes"] = serde_json::from_str(&text).expect("JSON");
        instance["schema_version"] = json!(0);
        std::fs::write(&file, state.to_string()).expect("written");

        let plan = stage.terraform.plan().expect_success();
        let lines: Vec<&str> = plan.text.lines().map(str::trim).collect();
        for (key, ..) in &keys {
            let line = format!("- \"{key}: tag `{KEY}` is not set; the next apply sets it\",");
            assert!(lines.contains(&line.as_str()), "{composite}: {line} is not in:\n{}", plan.text);
        }
        let drift = lines.iter().filter(|line| line.starts_with("- \"") && line.contains(": ")).count();
        assert_eq!(drift, keys.len(), "{composite}:\n{}", plan.text);
        stage.terraform.apply().expect_success();
        for (key, kind, id) in &keys {
            let seen = stage.aws.observe(kind, id).unwrap_or_else(|| panic!("{key} is gone"));
            assert_eq!(seen.tags.get(KEY), Some(key), "{composite}");
        }
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
    }
}
