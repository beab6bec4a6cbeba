//! Bad input: the diagnostic names the exact attribute, comes as early as possible, and no object is created.

use serde_json::{Value as Json, json};
use tandem_model::composites;
use tandem_testkit::environment::root;
use tandem_testkit::terraform::Run;

use crate::stage::{On, Stage};

fn function(extra: &Json) -> Json {
    let mut inputs = json!({ "name": "notice", "code": { "bootstrap": "bootstrap" } });
    inputs.as_object_mut().expect("inputs").extend(extra.as_object().expect("inputs").clone());
    json!({ "tandem_event_function": { "it": inputs } })
}

fn validate(resources: Json) -> Run {
    let stage = Stage::new(On::MiniStack);
    stage.terraform.write("no.zip", "hello");
    stage.terraform.write("mac", [0xcf, 0xfa, 0xed, 0xfe]);
    stage.configure_with(resources);
    stage.terraform.run(&["validate", "-no-color"])
}

#[test]
fn bad_input_is_found_at_validate() {
    let two_filters =
        json!([{ "bucket": "inbox", "prefix": "in/" }, { "bucket": "inbox", "prefix": "in/deeper/" }]);
    for (inputs, parts) in [
        (
            json!({ "code": { "zip": "no.zip" } }),
            vec!["`no.zip` is not a zip file", "in resource.tandem_event_function.it.code", "TDM010"],
        ),
        (json!({ "code": { "bootstrap": "mac" } }), vec!["a macOS binary", "cargo lambda build"]),
        (json!({ "code": {} }), vec!["`code` needs one of `zip`, `bootstrap`, `image_uri`", "TDM005"]),
        (
            json!({ "code": { "bootstrap": "bootstrap", "image_uri": "x" } }),
            vec!["`bootstrap` and `image_uri` cannot be combined"],
        ),
        (json!({ "on": two_filters }), vec!["overlaps with `on[0]`", "TDM020", "S3 rejects"]),
        (json!({ "name": "a".repeat(70) }), vec!["is 70 characters long", "TDM004"]),
        (json!({ "name": "My Function" }), vec!["contains 'M'"]),
        (json!({ "on": [{ "schedule": "cron(0 12 * * MON *)" }] }), vec!["one of them must be `?`"]),
        (json!({ "on": [{ "schedule": "rate(1 minutes)" }] }), vec!["must be `rate(1 minute)`"]),
        (
            json!({ "on": [{ "schedule": "rate(1 hour)", "timezone": "Europe/Berln" }] }),
            vec!["did you mean \"Europe/Berlin\"?"],
        ),
        (
            json!({ "on": [{ "schedule": "rate(1 hour)", "prefix": "x" }] }),
            vec!["`prefix` cannot be combined with `schedule`"],
        ),
        (json!({ "on": [{ "bucket": "inbox", "sufix": ".mp4" }] }), vec!["Did you mean \"suffix\"?"]),
        (json!({ "memory_size": 64 }), vec!["64 is not between 128 and 10240"]),
        (json!({ "memory_size": 128.5 }), vec!["an integer"]),
        (json!({ "environment": { "AWS_REGION": "x" } }), vec!["Lambda sets `AWS_REGION` itself"]),
        (json!({ "timeouts": { "create": "soon" } }), vec!["is not a duration"]),
        (json!({ "kms_key_arn": "key" }), vec!["is not an ARN"]),
    ] {
        let run = validate(function(&inputs)).expect_failure(&parts);
        assert!(!run.text.contains("panicked"), "{inputs}: {}", run.text);
    }
    validate(function(&json!({}))).expect_success();
    validate(function(&json!({ "environment": { "DB_PASSWORD": "x" } })))
        .expect_success()
        .expect_text(&["looks like a secret"]);
}

#[test]
fn a_queue_that_hides_messages_too_briefly_is_found_at_plan() {
    let stage = Stage::new(On::MiniStack);
    stage.aws.create("sqs_queue", &json!({ "name": "brief", "visibility_timeout_seconds": 10 }));
    let arn = format!("arn:aws:sqs:eu-central-1:{}:brief", stage.account.id);
    stage.configure_with(function(&json!({ "on": [{ "queue": arn }] })));
    let parts = ["`visibility_timeout` of 10 s", "`timeout` of 30 s", "180 (six times"];
    // The same apply may raise the queue's timeout: the plan only warns, and the apply creates nothing.
    stage.terraform.plan().expect_success().expect_text(&parts);
    let before = stage.aws.everything();
    stage.terraform.apply().expect_failure(&parts);
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn code_that_is_not_there_is_found_at_plan_and_needed_for_nothing_else() {
    let stage = Stage::new(On::MiniStack);
    stage.configure_with(function(&json!({})));
    stage.terraform.apply().expect_success();
    std::fs::remove_file(stage.terraform.path().join("bootstrap")).expect("the code");
    stage.terraform.run(&["validate", "-no-color"]).expect_success();
    let parts = ["`bootstrap` does not exist", "build it first"];
    stage.terraform.plan().expect_success().expect_text(&parts);
    stage.terraform.apply().expect_failure(&parts);
    stage.terraform.destroy().expect_success();
    stage.terraform.plan().expect_failure(&parts);
}

#[test]
fn reserved_tags_and_a_queue_given_twice_are_refused() {
    validate(function(&json!({ "tags": { "tandem:instance": "x" } })))
        .expect_failure(&["is reserved", "TDM014"]);
    let queue = json!({ "queue": "arn:aws:sqs:eu-central-1:123456789012:jobs" });
    validate(function(&json!({ "on": [queue, queue] }))).expect_failure(&["`on[0]` has the same `queue`"]);
}

fn provider(extra: &Json) -> Run {
    let stage = Stage::new(On::MiniStack);
    let mut provider = json!({ "project": "test" });
    provider.as_object_mut().expect("a provider").extend(extra.as_object().expect("a provider").clone());
    let configuration = json!({
        "terraform": { "required_providers": { "tandem": { "source": "tandem/tandem" } } },
        "provider": { "tandem": provider },
        "resource": { "tandem_bucket": { "it": { "name": "it" } } },
    });
    stage.terraform.write("main.tf.json", configuration.to_string());
    let run = stage.terraform.plan();
    assert!(
        stage.aws.everything().iter().all(|item| item.ends_with(" default")),
        "{:?}",
        stage.aws.everything()
    );
    run
}

#[test]
fn bad_provider_configuration_is_named() {
    provider(&json!({ "region": "eu-moon-1" })).expect_failure(&["cannot be an AWS region"]);
    provider(&json!({ "endpoint": "localhost" })).expect_failure(&["is not a URL"]);
    provider(&json!({ "endpoints": { "lamda": "http://127.0.0.1:1" } }))
        .expect_failure(&["There is no service `lamda`"]);
    provider(&json!({ "account_id": "12" })).expect_failure(&["12 digits"]);
    provider(&json!({ "account_id": "999999999999" })).expect_failure(&["Credentials of another account"]);
    provider(&json!({ "access_key": "x" }))
        .expect_failure(&["Only one of `access_key` and `secret_key` is set"]);
    provider(&json!({ "default_tags": { "aws:x": "y" } })).expect_failure(&["is reserved"]);
    provider(&json!({ "project": "My Project" })).expect_failure(&["contains 'M'"]);
    provider(&json!({ "max_retries": 0, "endpoint": "http://127.0.0.1:1" }))
        .expect_failure(&["No valid AWS credentials, or AWS is unreachable"]);
    provider(&json!({ "region": "eu-central-1", "max_retries": 2 })).expect_success();
}

#[test]
fn missing_credentials_are_said_plainly() {
    let mut stage = Stage::new(On::MiniStack);
    stage.configure_with(json!({ "tandem_bucket": { "it": { "name": "it" } } }));
    stage.terraform.set("AWS_ACCESS_KEY_ID", "");
    stage.terraform.set("AWS_SECRET_ACCESS_KEY", "");
    stage.terraform.plan().expect_failure(&[
        "No valid AWS credentials, or AWS is unreachable",
        "no credentials were found",
        "AWS_PROFILE",
    ]);
}

#[test]
fn an_object_of_somebody_else_is_named_and_not_touched() {
    let stage = Stage::new(On::MiniStack);
    stage.aws.create(
        "cloudwatch_log_group",
        &json!({ "name": "/aws/lambda/test-notice", "retention_in_days": 3 }),
    );
    stage.configure_with(function(&json!({})));
    let before = stage.aws.everything();
    stage.terraform.apply().expect_failure(&[
        "`/aws/lambda/test-notice` exists already",
        "not created by Tandem",
        "is not touched",
    ]);
    assert_eq!(stage.aws.everything(), before);
    let group = stage.aws.observe("cloudwatch_log_group", "/aws/lambda/test-notice").expect("the group");
    assert_eq!(group.settings["retention_in_days"], 3);
}

#[test]
fn a_provider_configured_by_what_is_made_works() {
    let stage = Stage::new(On::MiniStack);
    let configuration = json!({
        "terraform": { "required_providers": { "tandem": { "source": "tandem/tandem" } } },
        // Unknown until `terraform_data` is created.
        "provider": { "tandem": { "project": "test", "region": "${terraform_data.region.output}" } },
        "resource": {
            "terraform_data": { "region": { "input": "eu-central-1" } },
            "tandem_bucket": { "it": { "name": "it" } },
        },
    });
    stage.terraform.write("main.tf.json", configuration.to_string());
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    stage.terraform.destroy().expect_success();
}

#[test]
fn another_account_is_refused() {
    let mut stage = Stage::new(On::MiniStack);
    stage.configure_with(json!({ "tandem_bucket": { "it": { "name": "it" } } }));
    stage.terraform.apply().expect_success();
    let other: String = stage.account.id.chars().rev().collect();
    stage.terraform.set("AWS_ACCESS_KEY_ID", &other);
    stage.terraform.plan().expect_failure(&["configured for another account", &stage.account.id]);
}

/// The examples on the documentation pages are valid input.
#[test]
fn examples_of_the_documentation_are_valid() {
    let folder = root().join("examples/resources");
    let mut seen = 0;
    for example in std::fs::read_dir(&folder).expect("examples") {
        let path = example.expect("an example").path().join("resource.tf");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let stage = Stage::new(On::MiniStack);
        let providers =
            "terraform {\n  required_providers {\n    tandem = { source = \"tandem/tandem\" }\n  }\n}";
        stage.terraform.write("main.tf", format!("{providers}\n{text}"));
        let run = stage.terraform.run(&["validate", "-no-color"]);
        assert!(run.text.contains("The configuration is valid"), "{}:\n{}", path.display(), run.text);
        seen += 1;
    }
    assert_eq!(seen, composites::ALL.len());
}
