//! Changes and deletes behind Terraform's back: named one by one, and repaired by one apply.

use serde_json::{Value as Json, json};
use tandem_engine::canonical;
use tandem_engine::driver::Tags;
use tandem_model::kind::{Form, Role};
use tandem_model::kinds;

use crate::fixture::Fixture;
use crate::stage::{On, Stage, moto_cannot_judge};

/// Another valid value for a field. A field that no line covers fails the test.
fn another(kind: &str, field: &str, value: &Json, account: &str) -> Json {
    let arn = |service: &str, rest: &str| json!(format!("arn:aws:{service}:eu-central-1:{account}:{rest}"));
    match (field, value) {
        ("retention_in_days", _) => json!(14),
        ("message_retention_seconds", _) => json!(86_400),
        ("kms_key_id" | "kms_key_arn" | "kms_master_key_id", _) => arn("kms", "key/behind"),
        ("permissions_boundary", _) => json!(format!("arn:aws:iam::{account}:policy/behind")),
        ("role" | "target_role_arn", _) => json!(format!("arn:aws:iam::{account}:role/behind")),
        ("target_arn" | "lambda_function_arn", _) => arn("lambda", "function:behind"),
        ("on_failure" | "dead_letter_arn" | "arn", _) => arn("sqs", "jobs"),
        ("runtime", _) => json!("provided.al2"),
        ("architectures", _) => json!([if value[0] == "arm64" { "x86_64" } else { "arm64" }]),
        ("log_format", _) => json!("Text"),
        ("log_group", _) => json!("/aws/lambda/behind"),
        ("statistic", _) => json!("Sum"),
        ("comparison_operator", _) => json!("GreaterThanOrEqualToThreshold"),
        ("treat_missing_data", _) => json!("breaching"),
        ("dimensions", _) => json!({ "QueueName": "behind" }),
        ("alarm_actions", _) => json!([arn("sns", "behind")]),
        ("function_response_types", _) => json!([]),
        ("events", _) => json!(["s3:ObjectRemoved:*"]),
        ("schedule_expression", _) => json!("rate(7 minutes)"),
        ("schedule_expression_timezone", _) => json!("Asia/Tokyo"),
        ("state", _) => json!("DISABLED"),
        ("object_ownership", _) => json!("BucketOwnerPreferred"),
        ("sse_algorithm", _) => json!(if value == "AES256" { "aws:kms" } else { "AES256" }),
        ("action", _) => json!("lambda:InvokeFunctionUrl"),
        ("principal", _) => json!("sns.amazonaws.com"),
        ("source_arn", _) => json!("arn:aws:s3:::behind"),
        ("source_account", _) => json!("999999999999"),
        ("path", _) => json!("/behind/"),
        ("command" | "entry_point", _) => json!(["behind"]),
        ("capacity_providers", _) => json!(["FARGATE"]),
        ("cpu_architecture", _) => json!(if value == "arm64" { "x86_64" } else { "arm64" }),
        ("image_tag_mutability", _) => json!("MUTABLE"),
        ("event_pattern", _) => json!({ "source": ["behind"] }),
        ("secrets", _) => json!({ "BEHIND": arn("ssm", "parameter/behind") }),
        ("policy", Json::Object(policy)) if policy.contains_key("rules") => {
            let mut policy = policy.clone();
            policy["rules"][0]["description"] = json!("behind");
            Json::Object(policy)
        }
        ("environment" | "tags", _) => json!({ "BEHIND": "x" }),
        (_, Json::Object(policy)) if policy.contains_key("Statement") => {
            let mut policy = policy.clone();
            policy["Statement"][0]["Sid"] = json!("Behind");
            Json::Object(policy)
        }
        (_, Json::Bool(value)) => json!(!value),
        (_, Json::Number(number)) => json!(number.as_i64().unwrap_or_default() + 1),
        (_, Json::String(text)) => json!(format!("{text}behind")),
        _ => panic!("no other value is known for {kind}.{field}"),
    }
}

/// Fields that cannot be changed behind the back of an object that stays the same.
fn identifies(kind: &str, field: &str) -> bool {
    let kind = kinds::find(kind).expect("a kind");
    let in_id = kind.id.is_some_and(|template| template.contains(&format!("{{{field}}}")));
    // An event source mapping is another one when it is made again; a function's package type goes
    // with its code.
    in_id
        || kind.id.is_none() && kind.field(field).is_some_and(|field| field.role != Role::Mutable)
        || field == "package_type"
}

fn drift_lines(text: &str) -> Vec<String> {
    let mut lines = text.lines().map(str::trim);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("~ drift") {
            found.extend(lines.by_ref().take_while(|line| !line.starts_with(']')).map(ToOwned::to_owned));
        }
    }
    found
}

#[test]
fn every_field_that_is_changed_is_named_and_mended() {
    fields_are_mended(On::MiniStack);
}

#[test]
fn every_field_that_is_changed_is_named_and_mended_on_moto() {
    fields_are_mended(On::Moto);
}

fn fields_are_mended(on: On) {
    for fixture in Fixture::all() {
        let stage = Stage::new(on);
        let inputs = stage.prepare(&fixture);
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        let state = stage.terraform.resource(&fixture.address());
        let mut count = 0;
        for (key, line) in state["components"].as_object().expect("components") {
            let entry = &state["record"][key];
            let (kind, id) = (entry["kind"].as_str().expect("a kind"), entry["id"].as_str().expect("an id"));
            let known = kinds::find(kind).expect("a kind");
            let fields = canonical::parse_line(line.as_str().expect("a line"));
            for (field, value) in fields.iter().filter(|(field, _)| !identifies(kind, field)) {
                if on == On::Moto && moto_cannot_judge(key, field) {
                    continue;
                }
                let mut now = stage.aws.observe(kind, id).unwrap_or_else(|| panic!("{key} is missing"));
                let other = another(kind, field, value, &stage.account.id);
                let role = known.field(field).map(|field| field.role);
                if known.data && role == Some(Role::Immutable) {
                    // Mending it would lose data, and is refused.
                    continue;
                }
                if field == canonical::TAGS {
                    stage.aws.tag(kind, id, &[("behind", "x")]);
                } else if field == "active_revisions" {
                    stage.aws.create_again(kind, &now.settings, &tags(&now.tags));
                } else if field == "source_code_hash" || field == "architectures" {
                    now.settings.insert("source_code_hash".into(), hash_of(&stage, "bootstrap2"));
                    now.settings.insert(
                        "source".into(),
                        json!({ "kind": "bootstrap", "path": stage.terraform.path().join("bootstrap2") }),
                    );
                    if field == "architectures" {
                        now.settings.insert("architectures".into(), other);
                    }
                    stage.aws.update(kind, id, field, &now.settings).expect("a change");
                } else {
                    now.settings.insert(field.clone(), other);
                    if role == Some(Role::Mutable) {
                        stage.aws.update(kind, id, field, &now.settings).expect("a change");
                    } else {
                        stage.aws.recreate(kind, id, &now.settings, &tags(&now.tags));
                    }
                }
                let run = stage.terraform.apply().expect_success();
                let drift = drift_lines(&run.text);
                let named = drift.iter().any(|line| line.contains(&format!("{key}: {field} is")));
                assert!(named, "{key}.{field} is not named: {drift:?}\n{}", run.text);
                // Two fields of one call, and children of an object that was made again, go together.
                let alone = field != "architectures" && role.is_none_or(|role| role == Role::Mutable);
                // moto drops a queue's policy when it is given another attribute.
                assert!(
                    !alone || on == On::Moto || drift.len() == 1,
                    "more than {key}.{field} is named: {drift:?}"
                );
                let form = known.field(field).map(|field| field.form);
                if form == Some(Form::SecretMap) {
                    assert!(!run.text.contains("= \"x\""), "a secret is shown");
                }
                count += 1;
            }
        }
        stage.terraform.expect_empty_plan();
        assert!(count > 5, "{count} fields of {}", fixture.definition.type_name);
        stage.terraform.destroy().expect_success();
    }
}

fn tags(tags: &Tags) -> Tags {
    tags.clone()
}

fn hash_of(stage: &Stage, file: &str) -> Json {
    let bytes = std::fs::read(stage.terraform.path().join(file)).expect("code");
    let code =
        tandem_model::artifact::prepare(tandem_model::artifact::CodeKind::Bootstrap, &bytes).expect("code");
    json!(tandem_model::artifact::base64(&code.facts.sha256))
}

#[test]
fn every_object_that_is_deleted_is_named_and_made_again() {
    objects_are_made_again(On::MiniStack);
}

#[test]
fn every_object_that_is_deleted_is_named_and_made_again_on_moto() {
    objects_are_made_again(On::Moto);
}

fn objects_are_made_again(on: On) {
    for fixture in Fixture::all() {
        let stage = Stage::new(on);
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        let state = stage.terraform.resource(&fixture.address());
        for key in state["record"].as_object().expect("the record").keys() {
            // Ids of some change when they are made again.
            let entry = stage.terraform.resource(&fixture.address())["record"][key].clone();
            let (kind, id) = (entry["kind"].as_str().expect("a kind"), entry["id"].as_str().expect("an id"));
            stage.aws.delete(kind, id);
            let run = stage.terraform.apply().expect_success();
            let drift = drift_lines(&run.text);
            // A bucket without encryption settings has AWS's defaults: that is a change, not an absence.
            let named = drift.iter().any(|line| line.contains(&format!("{key} is missing")))
                || !drift.is_empty()
                    && key.starts_with("s3_bucket_server_side")
                    && drift.iter().all(|line| line.contains(key.as_str()));
            // Where those are what is wanted, nothing has changed.
            let same = key.starts_with("s3_bucket_server_side") && run.text.contains("No changes");
            // With its bucket, everything of a bucket is gone, and so is the composite.
            let gone = run.text.contains(&format!("{} will be created", fixture.address()));
            assert!(
                named || same || (gone && key == "s3_bucket.main"),
                "{key} is not named: {drift:?}\n{}",
                run.text
            );
        }
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before);
    }
}
