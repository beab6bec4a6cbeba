//! Replacement is per object: the rest of the composite stays, and dependent objects are created again.

use serde_json::json;

use crate::stage::{On, Stage};

#[test]
fn a_function_that_becomes_an_image_is_replaced_alone() {
    let stage = Stage::new(On::MiniStack);
    let bucket = format!("shared-{}", stage.account.id);
    stage.aws.create("s3_bucket", &json!({ "bucket": bucket }));
    let before = stage.aws.everything();
    let with = |code| {
        json!({ "tandem_event_function": { "it": {
            "name": "notice", "code": code, "on": [{ "bucket": bucket, "suffix": ".mp4" }],
        } } })
    };
    stage.configure_with(with(json!({ "bootstrap": "bootstrap" })));
    stage.terraform.apply().expect_success();
    let role = stage.terraform.resource("tandem_event_function.it")["role_arn"].clone();
    let image = format!("{}.dkr.ecr.eu-central-1.amazonaws.com/notice:1", stage.account.id);
    stage.configure_with(with(json!({ "image_uri": image, "architecture": "arm64" })));
    stage.terraform.plan().expect_text(&["1 to change", "Image"]);
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    let state = stage.terraform.resource("tandem_event_function.it");
    assert_eq!(state["role_arn"], role);
    let function = stage.aws.observe("lambda_function", "test-notice").expect("the function");
    assert_eq!(function.settings["package_type"], "Image");
    assert_eq!(function.settings["architectures"], json!(["arm64"]));
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn another_name_makes_another_composite() {
    let stage = Stage::new(On::MiniStack);
    let with = |name| json!({ "tandem_bucket": { "it": { "name": name } } });
    stage.configure_with(with("one"));
    stage.terraform.apply().expect_success();
    stage.configure_with(with("two"));
    stage.terraform.plan().expect_text(&["must be replaced", "1 to add, 0 to change, 1 to destroy"]);
    stage.terraform.apply().expect_success();
    let left = stage.aws.everything();
    assert!(left.iter().any(|item| item.starts_with("bucket test-two-")), "{left:?}");
    assert!(!left.iter().any(|item| item.starts_with("bucket test-one-")), "{left:?}");
}
