//! Changes and deletes outside Terraform: a plan names each of them, and one apply repairs all.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tandem_engine::canonical;
use tandem_engine::driver::Tags;
use tandem_model::kind::Change;
use tandem_model::kinds;
use tandem_model::limits;

use crate::stage::{On, Stage, judged, moto_cannot_judge, sampled};
use tandem_crash::fixture::Fixture;

/// The values that AWS publishes for a field.
fn known(kind: &str, field: &str) -> Option<&'static [&'static str]> {
    limits::of(kind, field).map(|limit| limit.values).find(|values| !values.is_empty())
}

/// Another valid value for a field: from the values and limits that AWS publishes, unless another field or the emulator
/// has a say. A field that no line covers fails the test.
fn another(kind: &str, field: &str, value: &Json, account: &str) -> Json {
    let arn = |service: &str, rest: &str| json!(format!("arn:aws:{service}:eu-central-1:{account}:{rest}"));
    let other = |one: &str, two: &str| json!(if value == one { two } else { one });
    match (field, value) {
        ("retention_in_days", _) => json!(14),
        ("message_retention_seconds", _) => json!(86_400),
        ("kms_key_id" | "kms_key_arn" | "kms_master_key_id", _) => arn("kms", "key/behind"),
        ("permissions_boundary", _) => json!(format!("arn:aws:iam::{account}:policy/behind")),
        ("role" | "role_arn" | "target_role_arn", _) => json!(format!("arn:aws:iam::{account}:role/behind")),
        ("target_arn", Json::String(target)) if target.contains(":ecs:") => arn("ecs", "cluster/behind"),
        ("target_arn" | "lambda_function_arn", _) => arn("lambda", "function:behind"),
        ("on_failure" | "dead_letter_arn" | "arn", _) => arn("sqs", "jobs"),
        ("runtime", _) => json!("provided.al2"),
        ("architectures", _) => json!([if value[0] == "arm64" { "x86_64" } else { "arm64" }]),
        ("log_mode", _) => other("non-blocking", "blocking"),
        ("log_group", _) => json!("/aws/lambda/behind"),
        ("treat_missing_data", _) => json!("breaching"),
        ("dimensions", _) => json!({ "QueueName": "behind" }),
        ("alarm_actions", _) => json!([arn("sns", "behind")]),
        ("function_response_types", _) => json!([]),
        ("events", _) => json!(["s3:ObjectRemoved:*"]),
        ("schedule_expression", _) => json!("rate(7 minutes)"),
        ("schedule_expression_timezone", _) => json!("Asia/Tokyo"),
        ("state", _) => json!("DISABLED"),
        ("sse_algorithm", _) => json!(if value == "AES256" { "aws:kms" } else { "AES256" }),
        ("action", _) => other("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"),
        ("principal", _) => other("sns.amazonaws.com", "s3.amazonaws.com"),
        ("source_arn", _) => json!("arn:aws:s3:::behind"),
        ("source_account", _) => json!("999999999999"),
        ("path", _) => json!("/behind/"),
        ("command" | "entry_point" | "authorization_scopes" | "jwt_audience", _) => json!(["behind"]),
        ("capacity_providers", _) => json!(["FARGATE"]),
        ("cpu_architecture", _) => json!(if value == "arm64" { "x86_64" } else { "arm64" }),
        ("maximum_event_age_in_seconds" | "maximum_record_age_in_seconds", _) => {
            json!(if value == 120 { 180 } else { 120 })
        }
        ("redrive_policy", Json::Object(policy)) if policy.contains_key("maxReceiveCount") => {
            let mut policy = policy.clone();
            policy["maxReceiveCount"] = json!(policy["maxReceiveCount"].as_i64().unwrap_or_default() + 1);
            Json::Object(policy)
        }
        ("redrive_policy", _) => json!({ "deadLetterTargetArn": arn("sqs", "jobs") }),
        ("redrive_allow_policy", _) => json!({ "redrivePermission": "denyAll" }),
        ("filter_policy_scope", _) => other("MessageBody", "MessageAttributes"),
        ("protocol", _) => other("lambda", "sqs"),
        ("encryption_type", _) if kind == "kinesis_stream" => other("NONE", "KMS"),
        ("log_destination", _) => arn("logs", "log-group:behind:*"),
        ("definition", Json::Object(definition)) => {
            let mut definition = definition.clone();
            definition.insert("Comment".to_owned(), json!("behind"));
            Json::Object(definition)
        }
        ("authorization_type" | "function_url_auth_type", _) => other("AWS_IAM", "NONE"),
        ("identity_sources", _) => json!(["$request.header.Behind"]),
        ("authorizer_type", _) => json!("REQUEST"),
        ("integration_type", _) => json!("HTTP_PROXY"),
        ("payload_format_version", _) => other("1.0", "2.0"),
        ("timeout_milliseconds", _) => json!(if value == 7000 { 8000 } else { 7000 }),
        ("access_log_destination_arn", _) => arn("logs", "log-group:behind"),
        ("access_log_format", _) => json!("$context.requestId"),
        ("cors_allow_origins" | "allowed_origins", _) => json!(["https://behind.example"]),
        ("cors_allow_methods", _) => json!(["PATCH"]),
        ("allowed_methods", _) => json!(["HEAD"]),
        ("cors_allow_headers" | "allowed_headers" | "expose_headers", _) => json!(["x-behind"]),
        ("rules", _) => {
            json!([{ "id": "tandem-behind", "status": "Enabled", "filter": {}, "expiration": { "days": 9 } }])
        }
        ("input", _) => json!({ "behind": true }),
        ("ecs_task_definition_arn", _) => arn("ecs", "task-definition/behind"),
        ("ecs_capacity", _) => other("fargate_spot", "fargate"),
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
        // A pattern.
        (_, Json::Object(_)) => json!({ "behind": ["x"] }),
        (_, Json::Bool(value)) => json!(!value),
        (_, Json::Number(number)) => {
            let number = number.as_i64().unwrap_or_default();
            let fits = limits::of(kind, field).all(|limit| limit.max.is_none_or(|max| number < max));
            json!(if fits { number + 1 } else { number - 1 })
        }
        (_, Json::String(text)) if known(kind, field).is_some() => {
            json!(known(kind, field).into_iter().flatten().find(|value| *value != text))
        }
        (_, Json::String(text)) => json!(format!("{text}behind")),
        _ => panic!("no other value is known for {kind}.{field}"),
    }
}

/// Returns true for a field that cannot change while the object stays the same.
fn identifies(kind: &str, field: &str) -> bool {
    let kind = kinds::find(kind).expect("a kind");
    // `{field}`, or `{field?/}` for a part of some ids.
    let parts = [format!("{{{field}}}"), format!("{{{field}?")];
    let in_id = kind.id.is_some_and(|template| parts.iter().any(|part| template.contains(part)));
    // Suspended versioning counts as deleted, so no other value leaves the object there.
    if kind.name == "s3_bucket_versioning" {
        return true;
    }
    // An event source mapping that is created again has another id. A function's package type depends on
    // its code, and the type of a topic (FIFO or standard) on its name.
    in_id
        || kind.id.is_none() && kind.field(field).is_some_and(|field| field.change != Change::InPlace)
        || ["package_type", "fifo_topic", "protocol"].contains(&field)
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

/// Fields that an emulator cannot change or does not keep.
const NOT_KEPT: &[(On, &str, &str)] = &[
    (On::MiniStack, "kinesis_stream", "stream_mode"),
    (On::MiniStack, "sfn_state_machine", "tracing_enabled"),
    (On::Moto, "dynamodb_table", "stream_view_type"),
    (On::Moto, "sfn_state_machine", "tracing_enabled"),
];

/// A field of an object that exists.
struct Target {
    key: String,
    kind: String,
    id: String,
    field: String,
    value: Json,
}

impl Target {
    fn name(&self) -> String {
        format!("{}.{}", self.key, self.field)
    }

    fn change(&self) -> Option<Change> {
        kinds::find(&self.kind).expect("a kind").field(&self.field).map(|field| field.change)
    }

    /// Returns true if no other field and no dependent object changes together with this field.
    fn stands_alone(&self) -> bool {
        let with_others = [
            "architectures",
            "source_code_hash",
            "active_revisions",
            // A stream without encryption has no key, and an on-demand stream has no number of shards.
            "encryption_type",
            "stream_mode",
        ];
        self.change().is_none_or(|change| change == Change::InPlace)
            && !with_others.contains(&self.field.as_str())
    }
}

/// Every field that can be changed outside Terraform.
fn targets(stage: &Stage, fixture: &Fixture, on: On) -> Vec<Target> {
    let state = stage.terraform.resource(&fixture.address());
    let mut targets = Vec::new();
    for (key, line) in state["components"].as_object().expect("components") {
        let entry = &state["record"][key];
        let text = |name: &str| entry[name].as_str().expect("a string").to_owned();
        let (kind, id) = (text("kind"), text("id"));
        let data = kinds::find(&kind).expect("a kind").data;
        for (field, value) in canonical::parse_line(line.as_str().expect("a line")) {
            let target = Target { key: key.clone(), kind: kind.clone(), id: id.clone(), field, value };
            let skipped = identifies(&kind, &target.field)
                || on == On::Moto && moto_cannot_judge(key, &target.field)
                || NOT_KEPT.contains(&(on, &kind, &target.field))
                // A repair would lose data, so the provider refuses it.
                || data && target.change() == Some(Change::Replaces);
            targets.extend((!skipped).then_some(target));
        }
    }
    targets
}

fn change(stage: &Stage, target: &Target) {
    let Target { kind, id, field, .. } = target;
    let mut now = stage.aws.observe(kind, id).unwrap_or_else(|| panic!("{} is missing", target.key));
    let other = another(kind, field, &target.value, &stage.account.id);
    if field == canonical::TAGS {
        stage.aws.tag(kind, id, &[("behind", "x")]);
    } else if field == "active_revisions" {
        register_again(stage, id, &now.tags);
    } else if field == "source_code_hash" || field == "architectures" {
        now.settings.insert("source_code_hash".into(), hash_of(stage, "bootstrap2"));
        let path = stage.terraform.path().join("bootstrap2");
        now.settings.insert("source".into(), json!({ "kind": "bootstrap", "path": path }));
        if field == "architectures" {
            now.settings.insert("architectures".into(), other);
        }
        stage.aws.update(kind, id, field, &now.settings).expect("a change");
    } else {
        now.settings.insert(field.clone(), other);
        if target.change() == Some(Change::InPlace) {
            stage.aws.update(kind, id, field, &now.settings).expect("a change");
        } else {
            stage.aws.recreate(kind, id, &now.settings, &now.tags);
        }
    }
}

/// Registers a second revision of a task definition, equal to the first.
fn register_again(stage: &Stage, family: &str, tags: &Tags) {
    let call = |operation: &str, input: &Json| {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        stage.account.json("ecs", &target, input).expect("an answer")
    };
    let described = call("DescribeTaskDefinition", &json!({ "taskDefinition": family }));
    let mut definition = described["taskDefinition"].clone();
    // Fields that AWS adds by itself.
    let added =
        ["taskDefinitionArn", "revision", "status", "compatibilities", "requiresAttributes", "registeredAt"];
    let members = definition.as_object_mut().expect("a definition");
    members
        .retain(|name, value| !added.contains(&name.as_str()) && name != "registeredBy" && !value.is_null());
    let tags = tags.iter().map(|(key, value)| json!({ "key": key, "value": value }));
    definition["tags"] = tags.collect();
    call("RegisterTaskDefinition", &definition);
}

/// Rounds with one field of each object. A field that changes together with others has its own round.
fn rounds(targets: Vec<Target>, on: On) -> Vec<Vec<Target>> {
    // moto drops a queue's policy when another attribute is set.
    let apart = |target: &Target| on == On::Moto && target.kind == "sqs_queue";
    let (together, alone): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|target| target.stands_alone() && !apart(target));
    let mut rounds: Vec<Vec<Target>> = alone.into_iter().map(|target| vec![target]).collect();
    let fixed = rounds.len();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for target in together {
        let round = counts.entry(target.key.clone()).or_default();
        if rounds.len() <= fixed + *round {
            rounds.push(Vec::new());
        }
        rounds[fixed + *round].push(target);
        *round += 1;
    }
    rounds
}

fn fields_are_mended(on: On) {
    for fixture in judged(on) {
        let stage = Stage::new(on);
        let inputs = stage.prepare(&fixture);
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        let targets = targets(&stage, &fixture, on);
        let least = if fixture.definition.type_name == "event_bus" { 1 } else { 3 };
        assert!(targets.len() >= least, "{} fields of {}", targets.len(), fixture.definition.type_name);
        for round in rounds(sampled(on, &fixture, targets, Target::name), on) {
            round.iter().for_each(|target| change(&stage, target));
            let run = stage.terraform.apply().expect_success();
            let drift = drift_lines(&run.text);
            for Target { key, field, .. } in &round {
                let named = drift.iter().any(|line| line.contains(&format!("{key}: {field} is")));
                assert!(named, "{key}.{field} is not named: {drift:?}\n{}", run.text);
            }
            let exact =
                on == On::Moto || !round.iter().all(Target::stands_alone) || drift.len() == round.len();
            assert!(exact, "more is named than {} fields: {drift:?}", round.len());
            assert!(!run.text.contains("= \"x\""), "a secret is shown");
        }
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
    }
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
    for fixture in judged(on) {
        let stage = Stage::new(on);
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        let state = stage.terraform.resource(&fixture.address());
        let record = state["record"].as_object().expect("the record");
        let is_anchor = |key: &str| record[key]["anchor"] == true;
        for key in sampled(on, &fixture, record.keys(), |key| (*key).clone()) {
            // Some objects get another id when they are created again.
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
            // If those defaults equal the wanted settings, nothing has changed.
            let same = key.starts_with("s3_bucket_server_side") && run.text.contains("No changes");
            // With a bucket or topic, all objects in it are gone, and so is the composite.
            let gone = run.text.contains(&format!("{} will be created", fixture.address()));
            assert!(named || same || (gone && is_anchor(key)), "{key} is not named: {drift:?}\n{}", run.text);
        }
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before);
    }
}
