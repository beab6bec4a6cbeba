//! The provider's configuration: several aliases, and an assumed role.

use serde_json::json;

use crate::stage::{On, Stage};

/// A configuration with these providers and resources.
fn configure(stage: &Stage, providers: serde_json::Value, buckets: serde_json::Value) {
    let configuration = json!({
        "terraform": { "required_providers": { "tandem": { "source": "tandem/tandem" } } },
        "provider": { "tandem": providers },
        "resource": { "tandem_bucket": buckets },
    });
    stage.terraform.write("main.tf.json", configuration.to_string());
}

#[test]
fn several_aliases_work_beside_each_other() {
    let stage = Stage::new(On::MiniStack);
    let before = stage.aws.everything();
    let providers = json!([
        { "project": "test" },
        { "alias": "west", "project": "test", "region": "us-west-2", "default_tags": { "side": "west" } },
        { "alias": "other", "project": "else" },
    ]);
    let buckets = json!({
        "here": { "name": "it" },
        "west": { "name": "it", "provider": "tandem.west" },
        "other": { "name": "it", "provider": "tandem.other" },
    });
    configure(&stage, providers, buckets);
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    let ids = ["here", "west", "other"].map(|name| {
        stage.terraform.resource(&format!("tandem_bucket.{name}"))["id"].as_str().expect("an id").to_owned()
    });
    assert_eq!(
        ids,
        ["test/eu-central-1/bucket/it", "test/us-west-2/bucket/it", "else/eu-central-1/bucket/it"]
    );
    let west = stage.terraform.resource("tandem_bucket.west");
    assert!(west["components"].to_string().contains("side"), "{west}");
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn an_assumed_role_is_where_the_work_is_done() {
    let stage = Stage::new(On::MiniStack);
    let there = stage.elsewhere();
    let role = format!("arn:aws:iam::{}:role/deployer", there.account.id);
    let provider = json!({ "project": "test", "assume_role": { "role_arn": role } });
    let (here_before, there_before) = (stage.aws.everything(), there.aws.everything());
    configure(&stage, json!([provider]), json!({ "it": { "name": "it" } }));
    stage.terraform.apply().expect_success();
    let record = stage.terraform.resource("tandem_bucket.it")["record"].to_string();
    assert!(record.contains(&there.account.id) && !record.contains(&stage.account.id), "{record}");
    assert_eq!(stage.aws.everything(), here_before);
    assert_ne!(there.aws.everything(), there_before);
    stage.terraform.expect_empty_plan();

    // Without the role it is another account: nothing is touched.
    configure(&stage, json!([{ "project": "test" }]), json!({ "it": { "name": "it" } }));
    stage.terraform.plan().expect_failure(&["[TDM104]", "Nothing was changed"]);
    let expected = json!([{ "project": "test", "account_id": there.account.id }]);
    configure(&stage, expected, json!({ "it": { "name": "it" } }));
    stage.terraform.plan().expect_failure(&[&there.account.id, &stage.account.id]);

    configure(&stage, json!([provider]), json!({ "it": { "name": "it" } }));
    stage.terraform.destroy().expect_success();
    assert_eq!(there.aws.everything(), there_before);
}
