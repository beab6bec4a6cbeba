//! Secrets appear only where they were given: not in values that the provider computes, not in its logs, and
//! not in the list of processes.

use serde_json::{Value as Json, json};

use crate::stage::{On, Stage};

/// A value of the environment of a function or container.
const ENVIRONMENT: &str = "sentinel-of-the-environment";
/// The secret key and the token of the provider's configuration.
const KEY: &str = "sentinel-of-the-secret-key";
const TOKEN: &str = "sentinel-of-the-session-token";

/// Collects every string in a value.
fn texts(value: &Json, found: &mut Vec<String>) {
    match value {
        Json::String(text) => found.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Json::Object(entries) => entries.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// The command lines of all processes.
fn process_list() -> String {
    let processes = std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let path = entry.ok()?.path();
        let arguments = std::fs::read(path.join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&arguments).into_owned())
    });
    processes.collect::<Vec<_>>().join("\n")
}

#[test]
fn secrets_stay_where_they_were_given() {
    let (mut stage, _proxy) = Stage::proxied(On::MiniStack, {
        move |_, _, _| {
            let list = process_list();
            assert!(![ENVIRONMENT, KEY, TOKEN].iter().any(|secret| list.contains(secret)), "{list}");
            true
        }
    });
    let logs = tempfile::tempdir().expect("a folder");
    let log = logs.path().join("provider.log");
    stage.terraform.set("TF_LOG_PROVIDER", "TRACE");
    stage.terraform.set("TF_LOG_PATH", &log.display().to_string());
    let configuration = json!({
        "terraform": { "required_providers": { "tandem": { "source": "tandem/tandem" } } },
        "provider": { "tandem": {
            "project": "test",
            "access_key": stage.account.id,
            "secret_key": KEY,
            "token": TOKEN,
        } },
        "resource": {
            "tandem_event_function": { "it": {
                "name": "notice",
                "code": { "bootstrap": "bootstrap" },
                "environment": { "PASSPHRASE": ENVIRONMENT },
            } },
            "tandem_container_task": { "it": {
                "name": "render",
                "build": { "context": "context" },
                "environment": { "PASSPHRASE": ENVIRONMENT },
            } },
        },
    });
    stage.terraform.write("main.tf.json", configuration.to_string());
    stage.terraform.run(&["plan", "-no-color", "-input=false", "-out=plan"]).expect_success();
    let plan = stage.terraform.run(&["show", "-json", "plan"]).expect_success();
    let plan = plan.text.lines().find(|line| line.starts_with('{')).expect("JSON");
    let plan: Json = serde_json::from_str(plan).expect("JSON");
    let run = stage.terraform.run(&["apply", "-no-color", "-input=false", "plan"]).expect_success();
    for change in plan["resource_changes"].as_array().expect("changes") {
        let mut after = change["change"]["after"].clone();
        // The plan repeats the configuration.
        after["environment"] = Json::Null;
        let mut found = Vec::new();
        texts(&after, &mut found);
        assert!(!found.iter().any(|text| text.contains("sentinel")), "{found:?}");
    }
    for address in ["tandem_event_function.it", "tandem_container_task.it"] {
        let mut state = stage.terraform.resource(address);
        assert_eq!(state["environment"]["PASSPHRASE"], ENVIRONMENT);
        state["environment"] = Json::Null;
        let mut found = Vec::new();
        texts(&state, &mut found);
        assert!(!found.iter().any(|text| text.contains("sentinel")), "{found:?}");
        assert!(
            found.iter().any(|text| text.contains("sha256:")),
            "the state contains no digest of the environment"
        );
    }
    stage.terraform.destroy().expect_success();
    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("creating"), "the provider's own lines are missing in the log");
    let told: Vec<&str> = log.lines().filter(|line| line.contains("sentinel")).collect();
    assert!(told.is_empty(), "{told:#?}");
    assert!(!run.text.contains("sentinel"), "{}", run.text);
}
