//! Regression tests: changes and imports of inputs that no fixture contains.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use tandem_crash::carrier::Process;
use tandem_crash::double::{ACCOUNT, Item};
use tandem_crash::fixture::Fixture;
use tandem_crash::scene::{Scene, drivers};
use tandem_crash::terraform::{End, Terraform};
use tandem_engine::driver::{Drivers as _, Tags};
use tandem_model::composite::{Definition, Settings};
use tandem_model::context::Context;
use tandem_model::graph::Graph;
use tandem_model::kinds;
use tandem_model::value::Value;

use crate::{counts, in_virtual_time};

/// Another composite in the same world.
fn terraform(composite: &str) -> Terraform {
    Terraform::new(Definition::find(composite).expect("a composite"))
}

/// Keys of the record in the state.
fn recorded(terraform: &Terraform) -> Vec<String> {
    let record = terraform.state().get("record");
    record.as_map().expect("a record").keys().cloned().collect()
}

#[test]
fn the_first_queue_of_a_group_that_nobody_reads_is_another() {
    in_virtual_time(async {
        let mut scene = Scene::new("queues", 1).await;
        let process = Process::new(&scene.world);
        let group = |queues: Json| json!({ "name": "work", "queue": queues, "force_destroy": true });
        for queues in [
            json!([{ "name": "a" }, { "name": "b" }]),
            json!([{ "name": "b" }, { "name": "c" }]),
            json!([{ "name": "d" }]),
        ] {
            let inputs = group(queues);
            assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{inputs}");
            let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
            assert!(changes.is_empty(), "{inputs}: {changes:?}");
        }
        assert_eq!(scene.terraform.destroy(&process).await, End::Done);
        assert_eq!(counts(&scene.made()), BTreeMap::new());
    });
}

#[test]
fn a_function_reads_fifo_queues_without_a_batching_window() {
    in_virtual_time(async {
        let mut scene = Scene::new("queues", 1).await;
        let process = Process::new(&scene.world);
        let group = |batch_size: i64| {
            let consumer = json!({ "code": { "bootstrap": "bootstrap" }, "batch_size": batch_size });
            let queues = json!([{ "name": "a", "fifo": true }, { "name": "b" }]);
            json!({ "name": "work", "queue": queues, "consumer": consumer, "force_destroy": true })
        };
        // The double refuses a window of FIFO queues, and then reports the window 0.
        for inputs in [group(5), group(7)] {
            assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{inputs}");
            let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
            assert!(changes.is_empty(), "{inputs}: {changes:?}");
        }
        assert_eq!(scene.terraform.destroy(&process).await, End::Done);
        assert_eq!(counts(&scene.made()), BTreeMap::new());
    });
}

#[test]
fn a_bucket_in_the_namespace_of_the_account_is_made_and_imported() {
    in_virtual_time(async {
        let mut scene = Scene::new("bucket", 1).await;
        let process = Process::new(&scene.world);
        let inputs =
            json!({ "name": "files", "bucket_namespace": "account-regional", "force_destroy": true });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let mut other = terraform("bucket");
        assert_eq!(other.import(&process, "files").await, End::Done);
        assert_eq!(recorded(&other), recorded(&scene.terraform));
        assert_eq!(scene.terraform.destroy(&process).await, End::Done);
        assert_eq!(counts(&scene.made()), BTreeMap::new());
    });
}

#[test]
fn a_container_starts_in_the_default_subnets_of_aws_alone() {
    in_virtual_time(async {
        let mut scene = Scene::new("container_task", 1).await;
        let process = Process::new(&scene.world);
        let inputs = json!({ "name": "render", "image": "busybox", "force_destroy": true });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let launch = scene.terraform.state().get("launch").clone();
        let launch = format!("{launch:?}");
        assert!(launch.contains("subnet-1,subnet-2") && !launch.contains("subnet-4"), "{launch}");
    });
}

#[test]
fn a_task_definition_without_a_log_mode_gets_a_new_revision() {
    in_virtual_time(async {
        let mut scene = Scene::new("container_task", 1).await;
        let process = Process::new(&scene.world);
        let inputs = json!({ "name": "render", "image": "busybox", "force_destroy": true });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let aws = drivers(&scene.world).await;
        let driver = aws.driver(&kinds::ecs::TASK_DEFINITION);
        let id = "test-render";
        let now = driver.observe(id).await.expect("an answer").expect("a task definition");
        assert_eq!(now.settings["log_mode"], "blocking");
        // An older version of the provider left the mode to ECS.
        let mut old = now.settings;
        old.remove("log_mode");
        driver.update(id, &["log_mode"], &old).await.expect("a revision");
        let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
        assert!(changes.iter().any(|change| change.contains("log_mode")), "{changes:?}");
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        // Drivers of another process: those above still list the revision that they registered.
        let aws = drivers(&scene.world).await;
        let now = aws.driver(&kinds::ecs::TASK_DEFINITION).observe(id).await.expect("an answer");
        let now = now.expect("a task definition").settings;
        assert_eq!((&now["log_mode"], &now["active_revisions"]), (&json!("blocking"), &json!(1)));
        let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
        assert!(changes.is_empty(), "{changes:?}");
    });
}

#[test]
fn an_import_takes_nothing_that_belongs_to_another_composite() {
    in_virtual_time(async {
        let mut scene = Scene::new("event_function", 1).await;
        let process = Process::new(&scene.world);
        let function =
            json!({ "name": "orders", "code": { "bootstrap": "bootstrap" }, "force_destroy": true });
        assert_eq!(scene.terraform.apply(&process, &function).await, End::Done);
        let mut queue = terraform("queue");
        let inputs = json!({ "name": "orders", "dead_letters": false, "force_destroy": true });
        assert_eq!(queue.apply(&process, &inputs).await, End::Done);
        // The dead-letter queue of the function has the name that the one of the queue would have.
        let mut imported = terraform("queue");
        assert_eq!(imported.import(&process, "orders").await, End::Done);
        assert_eq!(recorded(&imported), recorded(&queue));
        assert_eq!(imported.apply(&process, &inputs).await, End::Done);
        let changes = scene.terraform.plan(&process, &function).await.expect("a plan");
        assert!(changes.is_empty(), "{changes:?}");
    });
}

#[test]
fn an_import_finds_every_topic_that_a_queue_is_on() {
    in_virtual_time(async {
        let mut scene = Scene::new("queue", 1).await;
        let process = Process::new(&scene.world);
        let on = |topic: &str| json!({ "topic": format!("arn:aws:sns:eu-central-1:{ACCOUNT}:{topic}") });
        let inputs = json!({ "name": "jobs", "on": [on("news"), on("more")], "force_destroy": true });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let mut imported = terraform("queue");
        assert_eq!(imported.import(&process, "jobs").await, End::Done);
        assert_eq!(recorded(&imported), recorded(&scene.terraform));
    });
}

#[test]
fn an_import_finds_topics_whose_slots_are_equal() {
    in_virtual_time(async {
        let mut scene = Scene::new("queue", 1).await;
        let process = Process::new(&scene.world);
        let aws = drivers(&scene.world).await;
        let topics = ["more-news", "more_news"];
        for name in topics {
            let settings = Settings::from([("name".to_owned(), name.into())]);
            aws.driver(&kinds::sns::TOPIC).create(&settings, &Tags::new()).await.expect("a topic");
        }
        let on = |topic: &&str| json!({ "topic": format!("arn:aws:sns:eu-central-1:{ACCOUNT}:{topic}") });
        let inputs = |topics: &[&str]| {
            let on: Vec<Json> = topics.iter().map(on).collect();
            json!({ "name": "jobs", "on": on, "force_destroy": true })
        };
        let mut before = Vec::new();
        for order in [&topics[..], &topics[..1], &[topics[1], topics[0]]] {
            assert_eq!(scene.terraform.apply(&process, &inputs(order)).await, End::Done);
            let mut imported = terraform("queue");
            assert_eq!(imported.import(&process, "jobs").await, End::Done);
            assert_eq!(recorded(&imported), recorded(&scene.terraform));
            assert_eq!(imported.apply(&process, &inputs(order)).await, End::Done);
            before.push(recorded(&scene.terraform));
        }
        assert_eq!(before[0], before[2], "the order of the topics counts");
    });
}

#[test]
fn an_import_finds_fifo_queues_and_every_queue_of_a_group() {
    in_virtual_time(async {
        let mut scene = Scene::new("queues", 1).await;
        let process = Process::new(&scene.world);
        // The names of the last two look like that of a dead-letter queue and like a shortened one.
        let queues = json!([{ "name": "a", "fifo": true }, { "name": "b", "dead_letters": false },
            { "name": "my-dead-letters" }, { "name": "n-0123abcd" }]);
        let inputs = json!({ "name": "work", "queue": queues, "force_destroy": true });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let mut imported = terraform("queues");
        assert_eq!(imported.import(&process, "work").await, End::Done);
        assert_eq!(recorded(&imported), recorded(&scene.terraform));
        assert_eq!(imported.apply(&process, &inputs).await, End::Done);
        assert_eq!(imported.destroy(&process).await, End::Done);
        assert_eq!(counts(&scene.made()), BTreeMap::new());
    });
}

#[test]
fn an_import_takes_no_statement_and_no_policy_that_a_user_added() {
    in_virtual_time(async {
        let mut scene = Scene::new("event_function", 1).await;
        let process = Process::new(&scene.world);
        let inputs = scene.fixture.inputs(ACCOUNT);
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let aws = drivers(&scene.world).await;
        let by_hand = [
            (
                &kinds::lambda::PERMISSION,
                json!({ "function_name": "test-notice", "statement_id": "by-hand",
                "action": "lambda:InvokeFunction", "principal": "events.amazonaws.com" }),
            ),
            (
                &kinds::iam::ROLE_POLICY,
                json!({ "role": "test-notice--eu-central-1", "name": "by-hand",
                "policy": { "Version": "2012-10-17", "Statement": [
                    { "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" },
                ] } }),
            ),
        ];
        for (kind, settings) in by_hand {
            let settings = settings.as_object().expect("settings").clone().into_iter().collect();
            aws.driver(kind).create(&settings, &Tags::new()).await.expect("an object of a user");
        }
        let mut imported = terraform("event_function");
        assert_eq!(imported.import(&process, "notice").await, End::Done);
        assert_eq!(recorded(&imported), recorded(&scene.terraform));
    });
}

#[test]
fn an_import_finds_rules_whose_names_are_shortened() {
    in_virtual_time(async {
        let mut scene = Scene::new("workflow", 1).await;
        let process = Process::new(&scene.world);
        let name = "a-workflow-with-a-name-that-takes-all-the-room-that-there-is";
        let start = |source: &str| json!({ "event_pattern": format!("{{\"source\":[\"{source}\"]}}") });
        let inputs = json!({
            "name": name,
            "on": [start("a"), start("b"), start("c")],
            "step": [{ "name": "wait", "wait": 1 }],
            "force_destroy": true,
        });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let mut imported = terraform("workflow");
        assert_eq!(imported.import(&process, name).await, End::Done);
        assert_eq!(recorded(&imported), recorded(&scene.terraform));
    });
}

#[test]
fn an_import_finds_the_rules_of_a_thumbnailer_without_a_launcher() {
    in_virtual_time(async {
        let mut scene = Scene::new("thumbnailer", 1).await;
        let process = Process::new(&scene.world);
        let inputs = json!({
            "name": "videos",
            "task": { "image": "busybox" },
            "video_suffixes": [".mp4", ".mov"],
            "force_destroy": true,
        });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let mut imported = terraform("thumbnailer");
        assert_eq!(imported.import(&process, "videos").await, End::Done);
        assert_eq!(recorded(&imported), recorded(&scene.terraform));
    });
}

#[test]
fn what_others_took_away_and_manage_stays_away() {
    in_virtual_time(async {
        let mut scene = Scene::new("queue", 1).await;
        let process = Process::new(&scene.world);
        let inputs = |delay: i64| {
            let ignored = ["cloudwatch_metric_alarm.age", "sqs_queue_policy.main.policy"];
            json!({ "name": "jobs", "delay": delay, "ignore_drift": ignored, "force_destroy": true })
        };
        assert_eq!(scene.terraform.apply(&process, &inputs(0)).await, End::Done);
        let before = counts(&scene.made());
        let alarm = kinds::find("cloudwatch_metric_alarm").expect("a kind");
        let aws = drivers(&scene.world).await;
        let ids = aws.driver(alarm).list("test").await.expect("alarms");
        let age = ids.iter().find(|id| id.ends_with("--age")).expect("an alarm");
        aws.driver(alarm).delete(age).await.expect("a delete");
        let made = counts(&scene.made());
        assert_ne!(made, before);
        // The apply makes another change, and does not create the alarm again.
        assert_eq!(scene.terraform.apply(&process, &inputs(5)).await, End::Done);
        assert_eq!(counts(&scene.made()), made);
        let changes = scene.terraform.plan(&process, &inputs(5)).await.expect("a plan");
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(scene.terraform.destroy(&process).await, End::Done);
        assert_eq!(counts(&scene.made()), BTreeMap::new());
    });
}

#[test]
fn what_others_took_away_is_made_again_where_something_needs_it() {
    in_virtual_time(async {
        let mut scene = Scene::new("event_function", 1).await;
        let process = Process::new(&scene.world);
        let inputs = json!({
            "name": "counter",
            "code": { "bootstrap": "bootstrap" },
            "on": [{ "http": "api", "auth": "none" }],
            "ignore_drift": ["apigatewayv2_api.http"],
            "force_destroy": true,
        });
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let before = counts(&scene.made());
        let api = kinds::find("apigatewayv2_api").expect("a kind");
        let aws = drivers(&scene.world).await;
        let ids = aws.driver(api).list("test").await.expect("APIs");
        aws.driver(api).delete(&ids[0]).await.expect("a delete");
        assert_ne!(counts(&scene.made()), before);
        // The plan must match the apply, although the API gets another id.
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        assert_eq!(counts(&scene.made()), before);
        let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
        assert!(changes.is_empty(), "{changes:?}");
    });
}

/// A lifecycle of another owner.
const FOREIGN_LIFECYCLE: &str = "<LifecycleConfiguration><Rule><ID>theirs</ID><Filter><And><Prefix>logs/</Prefix>\
    <Tag><Key>keep</Key><Value>no</Value></Tag></And></Filter><Status>Enabled</Status>\
    <Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule></LifecycleConfiguration>";

#[test]
fn the_lifecycle_of_another_owner_survives_that_of_the_bucket() {
    in_virtual_time(async {
        let mut scene = Scene::new("bucket", 1).await;
        let process = Process::new(&scene.world);
        let inputs = |days: i64| json!({ "name": "inbox", "abort_incomplete_upload_days": days });
        assert_eq!(scene.terraform.apply(&process, &inputs(7)).await, End::Done);
        let bucket = scene.terraform.state().get("bucket").as_str().expect("a name").to_owned();
        // Deletes the rule of the bucket, and not the bucket.
        let without_rule = async |terraform: &Terraform| {
            let mut smaller = terraform.clone();
            smaller.keep_only(|key| key == "s3_bucket_lifecycle_configuration.main");
            assert_eq!(smaller.destroy(&process).await, End::Done);
        };
        let lifecycle = |scene: &Scene| -> Vec<Item> {
            let of_lifecycle = ["lifecycle rule", "minimum size of transitions"];
            scene.made().into_iter().filter(|item| of_lifecycle.contains(&item.kind)).collect()
        };
        without_rule(&scene.terraform).await;
        assert_eq!(lifecycle(&scene), []);

        scene.world.cloud().put_lifecycle(&bucket, FOREIGN_LIFECYCLE, "varies_by_storage_class");
        let theirs = lifecycle(&scene);
        assert_eq!(theirs.len(), 2, "{theirs:?}");
        for days in [7, 14] {
            assert_eq!(scene.terraform.apply(&process, &inputs(days)).await, End::Done, "{days}");
            let now = lifecycle(&scene);
            assert!(theirs.iter().all(|item| now.contains(item)), "{days}: {now:?}");
            let own: Vec<&Item> = now.iter().filter(|item| !theirs.contains(item)).collect();
            assert_eq!(own.len(), 1, "{days}: {own:?}");
            let settings = own[0].settings.to_string();
            assert!(settings.contains(&format!("<DaysAfterInitiation>{days}<")), "{days}: {settings}");
            let changes = scene.terraform.plan(&process, &inputs(days)).await.expect("a plan");
            assert!(changes.is_empty(), "{days}: {changes:?}");
        }
        without_rule(&scene.terraform).await;
        assert_eq!(lifecycle(&scene), theirs);
    });
}

/// Collects the paths of all members of all objects in JSON.
fn members(json: &Json, at: &str, found: &mut Vec<String>) {
    match json {
        Json::Object(entries) => {
            for (name, inner) in entries {
                let path = format!("{at}/{name}");
                members(inner, &path, found);
                found.push(path);
            }
        }
        Json::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, inner)| members(inner, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

/// Fields that have no meaning without another field, which changes with them.
const WITH_ANOTHER: [&str; 3] = [
    // The mode of the stream.
    "kinesis_stream.shard_count",
    // The algorithm.
    "s3_bucket_server_side_encryption_configuration.bucket_key_enabled",
    // The filter.
    "sns_topic_subscription.filter_policy_scope",
];

/// An update sends the wanted fields. A removed field reaches the driver only if its kind marks it as
/// optional.
#[test]
fn a_field_that_may_be_left_out_is_optional() {
    let expand = |fixture: &Fixture, inputs: &Json| -> Option<Graph> {
        let context = Context {
            project: Some("test".to_owned()),
            region: Some("eu-central-1".to_owned()),
            account: Some(ACCOUNT.to_owned()),
            ..Context::default()
        };
        fixture.definition.expand(&Value::from(inputs), &context).graph
    };
    let mut silent = BTreeSet::new();
    for fixture in Fixture::all() {
        let mut all = fixture.inputs(ACCOUNT);
        // Add the inputs that only changes set.
        for change in fixture.changes(ACCOUNT) {
            if change.clear.is_empty() && !change.value.is_null() {
                let mut more = all.clone();
                tandem_crash::fixture::set(&mut more, &change.input, &change.value);
                if expand(&fixture, &more).is_some() {
                    all = more;
                }
            }
        }
        let whole = expand(&fixture, &all).expect("a graph");
        let mut paths = Vec::new();
        members(&all, "", &mut paths);
        for path in paths {
            let mut less = all.clone();
            let (parent, name) = path.rsplit_once('/').expect("a path");
            let parent = less.pointer_mut(parent).and_then(Json::as_object_mut).expect("an object");
            parent.remove(name);
            let Some(graph) = expand(&fixture, &less) else { continue };
            for object in graph.objects() {
                let Some(before) = whole.get(&object.key) else { continue };
                for field in before.fields.keys().filter(|field| !object.fields.contains_key(*field)) {
                    let name = format!("{}.{field}", object.kind.name);
                    let optional = object.kind.field(field).is_some_and(|field| field.optional);
                    if !optional && !WITH_ANOTHER.contains(&name.as_str()) {
                        silent.insert(format!("{name}: without {path}"));
                    }
                }
            }
        }
    }
    assert!(silent.is_empty(), "removed from the configuration, but not from AWS: {silent:#?}");
}
