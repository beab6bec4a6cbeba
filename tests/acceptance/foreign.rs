//! Foreign entries on a shared bucket stay the same when Tandem changes its own.

use std::time::Duration;

use aws_sdk_s3::types::{
    Event, EventBridgeConfiguration, FilterRule, FilterRuleName, LambdaFunctionConfiguration,
    NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter,
    TopicConfiguration,
};
use serde_json::{Value as Json, json};

use crate::proxy::Phase;
use crate::stage::{On, Stage};

fn filter(prefix: &str) -> NotificationConfigurationFilter {
    let rule = FilterRule::builder().name(FilterRuleName::Prefix).value(prefix).build();
    NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(rule).build()).build()
}

/// Puts foreign entries of these sorts on a bucket.
pub(crate) fn put(stage: &Stage, bucket: &str, sorts: &[&str]) {
    let arn =
        |service: &str, rest: &str| format!("arn:aws:{service}:eu-central-1:{}:{rest}", stage.account.id);
    let event = Event::from("s3:ObjectCreated:*");
    let mut document = NotificationConfiguration::builder();
    for sort in sorts {
        document = match *sort {
            "queue" => {
                let queue = QueueConfiguration::builder().id("their-queue").queue_arn(arn("sqs", "jobs"));
                let queue = queue.events(event.clone()).filter(filter("q/"));
                document.queue_configurations(queue.build().expect("an entry"))
            }
            "topic" => {
                let topic = TopicConfiguration::builder().id("their-topic").topic_arn(arn("sns", "their"));
                let topic = topic.events(event.clone()).filter(filter("t/"));
                document.topic_configurations(topic.build().expect("an entry"))
            }
            "function" => {
                let function = LambdaFunctionConfiguration::builder().id("their-function");
                let function = function.lambda_function_arn(arn("lambda", "function:their"));
                let function = function.events(event.clone()).filter(filter("f/"));
                document.lambda_function_configurations(function.build().expect("an entry"))
            }
            _ => document.event_bridge_configuration(EventBridgeConfiguration::builder().build()),
        };
    }
    let request = stage.aws.clients.s3.put_bucket_notification_configuration().bucket(bucket);
    let request = request.skip_destination_validation(true).notification_configuration(document.build());
    stage.aws.wait(request.send()).expect("the notifications");
}

fn put_foreign(stage: &Stage, bucket: &str) {
    put(stage, bucket, &["queue", "topic", "function", "event bridge"]);
}

fn function(name: &str, bucket: &str, prefix: &str) -> Json {
    json!({ "name": name, "code": { "bootstrap": "bootstrap" }, "on": [{ "bucket": bucket, "prefix": prefix }] })
}

#[test]
fn foreign_entries_are_equal_before_and_after() {
    let stage = Stage::new(On::MiniStack);
    let bucket = format!("shared-{}", stage.account.id);
    stage.aws.create("s3_bucket", &json!({ "bucket": bucket }));
    stage.aws.create("sqs_queue", &json!({ "name": "jobs" }));
    put_foreign(&stage, &bucket);
    let before = stage.aws.notifications(&bucket);
    assert_eq!(before["event bridge"].len(), 1);

    let check = |ours: usize| {
        let now = stage.aws.notifications(&bucket);
        for sort in ["queues", "topics", "event bridge"] {
            assert_eq!(now[sort], before[sort], "{sort}");
        }
        assert!(now["functions"].is_superset(&before["functions"]));
        assert_eq!(now["functions"].len(), before["functions"].len() + ours);
    };
    // Two own entries, so that the resources take turns as well.
    let two = |prefix: &str| json!({ "tandem_event_function": { "a": function("a", &bucket, prefix), "b": function("b", &bucket, "b/") } });
    stage.configure_with(two("a/"));
    stage.terraform.apply().expect_success();
    check(2);
    stage.configure_with(two("aa/"));
    stage.terraform.apply().expect_success();
    check(2);
    stage.terraform.expect_empty_plan();
    stage.terraform.destroy().expect_success();
    check(0);
    assert_eq!(stage.aws.notifications(&bucket), before);
}

#[test]
fn an_entry_of_ours_that_is_overwritten_is_drift() {
    let stage = Stage::new(On::MiniStack);
    let bucket = format!("shared-{}", stage.account.id);
    stage.aws.create("s3_bucket", &json!({ "bucket": bucket }));
    stage.aws.create("sqs_queue", &json!({ "name": "jobs" }));
    stage.configure_with(json!({ "tandem_event_function": { "a": function("a", &bucket, "a/") } }));
    stage.terraform.apply().expect_success();
    // Another owner overwrites the document, without Tandem's entry.
    put_foreign(&stage, &bucket);
    stage.terraform.plan().expect_success().expect_text(&["s3_bucket_notification.on_shared_", "is missing"]);
    stage.terraform.apply().expect_success();
    assert_eq!(stage.aws.notifications(&bucket)["functions"].len(), 2);
    stage.terraform.expect_empty_plan();
}

#[test]
fn a_foreign_entry_that_overlaps_is_named() {
    let stage = Stage::new(On::MiniStack);
    let bucket = format!("shared-{}", stage.account.id);
    stage.aws.create("s3_bucket", &json!({ "bucket": bucket }));
    stage.aws.create("sqs_queue", &json!({ "name": "jobs" }));
    put_foreign(&stage, &bucket);
    stage.configure_with(json!({ "tandem_event_function": { "a": function("a", &bucket, "q/deeper/") } }));
    stage.terraform.apply().expect_failure(&[
        "the notification `their-queue` of bucket",
        "belongs to another owner",
        "[TDM113]",
    ]);
    stage.terraform.destroy().expect_success();
}

/// Two states, two providers, one bucket: each reads and writes the whole document.
#[test]
fn two_processes_keep_each_others_entries() {
    let (one, proxy) = Stage::proxied(On::MiniStack, |at, _, call| {
        // Enough time between read and write for the other process, if there were no lock.
        if at == Phase::Before && call.contains("?notification") {
            std::thread::sleep(Duration::from_millis(500));
        }
        true
    });
    let other = one.beside();
    let bucket = format!("shared-{}", one.account.id);
    one.aws.create("s3_bucket", &json!({ "bucket": bucket }));
    one.configure_with(json!({ "tandem_event_function": { "a": function("a", &bucket, "a/") } }));
    other.configure_with(json!({ "tandem_event_function": { "b": function("b", &bucket, "b/") } }));
    for (arguments, entries) in [("apply", 2), ("destroy", 0)] {
        let run = |stage: &Stage| stage.terraform.spawn(&[arguments, "-auto-approve", "-no-color"]);
        for child in [run(&one), run(&other)] {
            tandem_testkit::terraform::run(&child.wait_with_output().expect("terraform")).expect_success();
        }
        assert_eq!(one.aws.notifications(&bucket)["functions"].len(), entries);
    }
    assert!(proxy.mutating().iter().filter(|call| call.contains("?notification")).count() >= 4);
}
