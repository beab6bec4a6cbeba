//! Create, an empty plan, destroy, nothing left: every composite on both emulators.

use std::collections::BTreeSet;

use serde_json::json;

use crate::stage::{On, Stage, wait};
use tandem_crash::fixture::Fixture;

fn lifecycle(on: On) {
    for fixture in Fixture::all() {
        let stage = Stage::new(on);
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        stage.terraform.expect_empty_plan();
        let state = stage.terraform.resource(&fixture.address());
        assert_eq!(state["drift"], json!([]));
        let keys = |name: &str| -> BTreeSet<String> {
            state[name].as_object().expect(name).keys().cloned().collect()
        };
        assert_eq!(keys("components"), keys("ids"));
        assert_eq!(keys("components"), keys("record"));
        for (key, entry) in state["record"].as_object().expect("the record") {
            let (kind, id) = (entry["kind"].as_str().expect("a kind"), entry["id"].as_str().expect("an id"));
            assert!(stage.aws.observe(kind, id).is_some(), "{key} does not exist");
        }
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before, "{}", fixture.definition.type_name);
    }
}

#[test]
fn every_composite_lives_and_leaves_nothing_on_ministack() {
    lifecycle(On::MiniStack);
}

#[test]
fn every_composite_lives_and_leaves_nothing_on_moto() {
    lifecycle(On::Moto);
}

#[test]
fn a_real_upload_runs_the_function() {
    let stage = Stage::new(On::MiniStack);
    stage.configure_with(json!({
        "tandem_bucket": { "inbox": { "name": "inbox", "force_destroy": true } },
        "tandem_event_function": { "it": {
            "name": "notice",
            "code": { "bootstrap": "bootstrap" },
            "on": [{ "bucket": "${tandem_bucket.inbox.bucket}", "suffix": ".mp4" }],
        } },
    }));
    stage.terraform.apply().expect_success();
    let bucket =
        stage.terraform.resource("tandem_bucket.inbox")["bucket"].as_str().expect("a name").to_owned();
    stage.account.put_object(&bucket, "not a video.txt", b"x").expect("an upload");
    stage.account.put_object(&bucket, "my video+ü.mp4", b"x").expect("an upload");
    let messages = wait("the log line", || {
        let messages = stage.account.log_messages("/aws/lambda/test-notice").expect("logs");
        messages.iter().any(|message| message.contains("my video+ü.mp4")).then_some(messages)
    });
    assert!(!messages.iter().any(|message| message.contains("not a video")), "{messages:?}");
    stage.terraform.destroy().expect_success();
    let left = stage.aws.everything();
    assert!(left.iter().all(|item| item.ends_with(" default")), "{left:?}");
}

#[test]
fn matching_events_of_a_bus_start_the_workflow() {
    let stage = Stage::new(On::MiniStack);
    let before = stage.aws.everything();
    let pattern = json!({ "source": ["shop"], "detail": { "amount": [{ "numeric": [">", 100] }] } });
    stage.configure_with(json!({
        "tandem_event_bus": { "orders": { "name": "orders" } },
        "tandem_workflow": { "it": {
            "name": "large",
            "on": [{ "event_bus": "${tandem_event_bus.orders.arn}", "event_pattern": pattern.to_string() }],
            "step": [{ "name": "pause", "wait": 1 }],
        } },
    }));
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    // Of these, only the last is on the bus and matches.
    for (bus, amount) in [("default", 500), ("test-orders", 5), ("test-orders", 500)] {
        let event = json!({
            "EventBusName": bus,
            "Source": "shop",
            "DetailType": "order",
            "Detail": json!({ "amount": amount, "bus": bus }).to_string(),
        });
        let put = stage.account.json("events", "AWSEvents.PutEvents", &json!({ "Entries": [event] }));
        assert_eq!(put.expect("an answer")["FailedEntryCount"], 0);
    }
    let machine = stage.terraform.resource("tandem_workflow.it")["arn"].clone();
    let started = wait("the execution", || {
        let listed = stage.account.states("ListExecutions", &json!({ "stateMachineArn": machine }));
        let started = listed.expect("executions")["executions"].as_array().cloned().unwrap_or_default();
        (!started.is_empty()).then_some(started)
    });
    assert_eq!(started.len(), 1, "{started:?}");
    let described =
        stage.account.states("DescribeExecution", &json!({ "executionArn": started[0]["executionArn"] }));
    let input = described.expect("an execution")["input"].to_string();
    assert!(input.contains("500") && input.contains("test-orders"), "{input}");
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn messages_that_no_filter_matches_do_not_reach_the_function() {
    let stage = Stage::new(On::MiniStack);
    let filter = json!({ "body": { "kind": ["video"] } });
    stage.configure_with(json!({
        "tandem_queue": { "jobs": { "name": "jobs", "visibility_timeout": 360, "force_destroy": true } },
        "tandem_event_function": { "it": {
            "name": "notice",
            "code": { "bootstrap": "bootstrap" },
            "on": [{ "queue": "${tandem_queue.jobs.arn}", "filter": filter.to_string() }],
        } },
    }));
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    let url = stage.terraform.resource("tandem_queue.jobs")["url"].as_str().expect("a URL").to_owned();
    let starts = || {
        let messages = stage.account.log_messages("/aws/lambda/test-notice").unwrap_or_default();
        messages.iter().filter(|message| message.starts_with("START")).count()
    };
    // The second message is sent when the first one has been taken: one run of the function does not get both.
    for kind in ["picture", "video"] {
        stage.account.send_message(&url, &json!({ "kind": kind }).to_string()).expect("a message");
        wait("an empty queue", || stage.account.messages(&url).expect("messages").is_empty().then_some(()));
    }
    wait("the run", || (starts() > 0).then_some(()));
    assert_eq!(starts(), 1);
    stage.terraform.destroy().expect_success();
}

#[test]
fn a_bucket_that_holds_objects_is_not_deleted() {
    let stage = Stage::new(On::MiniStack);
    let resources = |force| json!({ "tandem_bucket": { "it": { "name": "full", "force_destroy": force } } });
    stage.configure_with(resources(false));
    stage.terraform.apply().expect_success();
    let bucket = stage.terraform.resource("tandem_bucket.it")["bucket"].as_str().expect("a name").to_owned();
    stage.account.put_object(&bucket, "precious", b"x").expect("an upload");
    stage.terraform.destroy().expect_failure(&["s3_bucket.main is not empty", "precious", "[TDM141]"]);
    stage.terraform.expect_empty_plan();
    stage.configure_with(resources(true));
    stage.terraform.apply().expect_success();
    stage.terraform.destroy().expect_success();
}

#[test]
fn a_function_with_a_key_of_its_own_uses_it_everywhere() {
    let stage = Stage::new(On::MiniStack);
    let before = stage.aws.everything();
    let key = format!("arn:aws:kms:eu-central-1:{}:key/1", stage.account.id);
    stage.configure_with(json!({ "tandem_event_function": { "it": {
        "name": "notice", "code": { "bootstrap": "bootstrap" }, "kms_key_arn": key, "on": [{ "schedule": "rate(1 hour)" }],
    } } }));
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    for (kind, id, field) in [
        ("cloudwatch_log_group", "/aws/lambda/test-notice", "kms_key_id"),
        ("sqs_queue", "test-notice--dead-letters", "kms_master_key_id"),
        ("lambda_function", "test-notice", "kms_key_arn"),
        ("scheduler_schedule", "test-notice/on_schedule", "kms_key_arn"),
    ] {
        let found = stage.aws.observe(kind, id).unwrap_or_else(|| panic!("{kind} {id}"));
        assert_eq!(found.settings[field], json!(key), "{kind}");
    }
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}
