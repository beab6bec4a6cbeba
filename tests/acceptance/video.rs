//! Runs the example `video-thumbnailer`: real functions, real containers, real pictures.
//!
//! The emulator differs from AWS. It gives tasks no credentials, publishes no event when a task ends, and
//! starts a second task for the same token. Each test documents its replacement.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use tandem_testkit::environment::{VIDEO_THUMBNAILER, copy};
use tandem_testkit::ffmpeg;

use crate::stage::{On, Stage, base_image, for_containers, wait};

/// The example in a stage, with either of its configurations.
fn stage(configuration: &str) -> Stage {
    let mut stage = Stage::new(On::MiniStack);
    copy(VIDEO_THUMBNAILER, stage.terraform.path())
        .unwrap_or_else(|error| panic!("{error}: run `cargo xtask test`, which builds it"));
    let variables = for_containers(&stage);
    stage.terraform.set("TF_VAR_base_image", base_image());
    stage.terraform.set("TF_VAR_task_environment", &variables.to_string());
    let folder = configuration.strip_suffix("main.tf").expect("a configuration");
    stage.terraform.enter(&format!("examples/video-thumbnailer/{folder}"));
    // Installs the modules; the provider comes from an override.
    stage.terraform.run(&["get"]).expect_success();
    stage
}

fn sample() -> Vec<u8> {
    let file = tempfile::Builder::new().suffix(".mp4").tempfile().expect("a file");
    ffmpeg::sample(file.path()).expect("a video");
    std::fs::read(file.path()).expect("a video")
}

fn thumbnail(stage: &Stage, bucket: &str, video: &str) -> Vec<u8> {
    let key = format!("thumbnails/{video}.jpg");
    wait(&key, || stage.account.get_object(bucket, &key).expect("an answer"))
}

fn second_of(picture: &[u8]) -> Option<usize> {
    let file = tempfile::Builder::new().suffix(".jpg").tempfile().expect("a file");
    std::fs::write(file.path(), picture).expect("a picture");
    ffmpeg::second_shown(file.path()).expect("a look at the picture")
}

fn every_name_gives_the_right_picture(configuration: &str) {
    let stage = stage(configuration);
    let before = stage.aws.everything();
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    let bucket = stage.terraform.output("bucket");
    let video = sample();
    // Spaces and unicode, a folder, no time in the name.
    let mut expected = BTreeMap::from([
        ("cat_00-03.mp4".to_owned(), 3),
        ("cat_00-01.mp4".to_owned(), 1),
        ("my cat+ü.mp4".to_owned(), 0),
        ("a folder/dög_00-05.mp4".to_owned(), 5),
    ]);
    // And twenty at once.
    expected.extend((0..16).map(|number| (format!("clip {number}_00-0{}.mp4", number % 6), number % 6)));
    std::thread::scope(|scope| {
        for name in expected.keys() {
            scope.spawn(|| stage.account.put_object(&bucket, name, &video).expect("an upload"));
        }
    });
    for (name, second) in &expected {
        let picture = thumbnail(&stage, &bucket, name);
        assert_eq!(second_of(&picture), Some(*second), "{name}");
        assert_eq!(ffmpeg::size(&picture), Some((640, 360)), "{name}");
    }
    stage.terraform.expect_empty_plan();
    stage.terraform.destroy().expect_success();
    assert_eq!(stage.aws.everything(), before);
}

#[test]
fn every_name_gives_the_right_picture_with_the_composite() {
    every_name_gives_the_right_picture("main.tf");
}

#[test]
fn every_name_gives_the_right_picture_with_its_parts() {
    every_name_gives_the_right_picture("parts/main.tf");
}

const ECS: &str = "AmazonEC2ContainerServiceV20141113";

/// The one task of a cluster that has ended.
fn ended_task(stage: &Stage, cluster: &str) -> Json {
    let call = |name: &str, body: &Json| {
        stage.account.json("ecs", &format!("{ECS}.{name}"), body).expect("an answer")
    };
    wait("the end of the task", || {
        let listed = call("ListTasks", &json!({ "cluster": cluster, "desiredStatus": "STOPPED" }));
        let tasks = listed["taskArns"].clone();
        if tasks.as_array().is_none_or(Vec::is_empty) {
            return None;
        }
        let described = call("DescribeTasks", &json!({ "cluster": cluster, "tasks": tasks }));
        Some(described["tasks"][0].clone()).filter(|task| task["lastStatus"] == "STOPPED")
    })
}

/// The event that ECS publishes for a task, if the rule matches it.
fn rule_takes(stage: &Stage, rule: &str, task: &Json) -> Option<Json> {
    let call = |name: &str, body: &Json| {
        stage.account.json("events", &format!("AWSEvents.{name}"), body).expect("an answer")
    };
    let pattern = call("DescribeRule", &json!({ "Name": rule }))["EventPattern"].clone();
    let event = json!({
        "version": "0", "id": "1", "source": "aws.ecs", "detail-type": "ECS Task State Change",
        "account": stage.account.id, "time": "2026-01-01T00:00:00Z", "region": stage.account.region,
        "resources": [task["taskArn"]], "detail": task,
    });
    let tested = call("TestEventPattern", &json!({ "EventPattern": pattern, "Event": event.to_string() }));
    (tested["Result"] == true).then_some(event)
}

/// The emulator publishes no event when a task ends. So the test builds the event from the description of the
/// task, matches it with the stored rule, and sends it to the stored target.
#[test]
fn a_broken_video_ends_in_the_dead_letters_and_raises_the_alarm() {
    let stage = stage("main.tf");
    stage.terraform.apply().expect_success();
    let bucket = stage.terraform.output("bucket");
    let queue = stage.terraform.output("task_dead_letters");
    let cluster = "video-thumbnailer-videos--task";
    let rule = "video-thumbnailer-videos--task--failures";
    stage.account.put_object(&bucket, "broken.mp4", b"not a video").expect("an upload");
    let failed = ended_task(&stage, cluster);
    assert_eq!(failed["containers"][0]["exitCode"], 1, "{failed}");
    let event = rule_takes(&stage, rule, &failed).expect("the rule does not match a task that failed");

    let mut fine = failed.clone();
    fine["containers"][0]["exitCode"] = json!(0);
    fine["stopCode"] = json!("EssentialContainerExited");
    assert_eq!(rule_takes(&stage, rule, &fine), None, "the rule matches a task that succeeded");
    let mut never_started = fine.clone();
    never_started["containers"][0].as_object_mut().expect("a container").remove("exitCode");
    never_started["stopCode"] = json!("TaskFailedToStart");
    assert!(rule_takes(&stage, rule, &never_started).is_some());
    let mut foreign = failed.clone();
    foreign["taskDefinitionArn"] = json!("arn:aws:ecs:eu-central-1:123456789012:task-definition/other:1");
    assert_eq!(rule_takes(&stage, rule, &foreign), None, "the rule matches a foreign task");

    let targets = stage.account.json("events", "AWSEvents.ListTargetsByRule", &json!({ "Rule": rule }));
    let arn = targets.expect("targets")["Targets"][0]["Arn"].as_str().expect("a target").to_owned();
    let name = arn.rsplit(':').next().expect("a name");
    assert!(queue.ends_with(&format!("/{name}")), "{arn} is not {queue}");
    stage.account.send_message(&queue, &event.to_string()).expect("a message");
    let messages = stage.account.messages(&queue).expect("messages");
    assert!(messages[0].contains("\"exitCode\":1") && messages[0].contains("stoppedReason"), "{messages:?}");
    // The reason itself is in the log.
    let lines = stage.account.log_messages("/aws/ecs/video-thumbnailer-videos--task").expect("lines");
    assert!(lines.iter().any(|line| line.contains("broken.mp4") && line.contains("ffmpeg")), "{lines:?}");

    // The emulator publishes no metrics of queues: the test puts the number that AWS would publish.
    let waiting = format!(
        "Action=PutMetricData&Version=2010-08-01&Namespace=AWS/SQS\
         &MetricData.member.1.MetricName=ApproximateNumberOfMessagesVisible&MetricData.member.1.Value=1\
         &MetricData.member.1.Dimensions.member.1.Name=QueueName\
         &MetricData.member.1.Dimensions.member.1.Value={name}"
    );
    stage.account.query("monitoring", &waiting).expect("a measurement");
    wait("the alarm", || {
        let alarms = stage.account.query("monitoring", "Action=DescribeAlarms&Version=2010-08-01");
        let alarms = alarms.expect("alarms");
        let ours = alarms.split("<AlarmName>").find(|alarm| alarm.starts_with(name))?;
        ours.contains("<StateValue>ALARM</StateValue>").then_some(())
    });
    stage.terraform.destroy().expect_success();
}

/// The emulator starts a task for every call; AWS starts one per token. So the test compares the tokens.
#[test]
fn one_event_delivered_twice_asks_for_one_task() {
    let tokens: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = tokens.clone();
    let stage = stage("main.tf");
    let proxy = crate::proxy::Proxy::watching(&stage.account.endpoint, move |name, body| {
        if name == "RunTask" {
            let body: Json = serde_json::from_slice(body).expect("JSON");
            seen.lock().expect("tokens").push(body["clientToken"].as_str().expect("a token").to_owned());
        }
    });
    let path = stage.terraform.path().join("examples/video-thumbnailer/main.tf");
    let main = std::fs::read_to_string(&path).expect("main.tf");
    let watched = main.replace(
        "  videos = {\n",
        &format!(
            "  videos = {{\n    launcher_environment = {{ AWS_ENDPOINT_URL_ECS = \"{}\" }}\n",
            proxy.endpoint
        ),
    );
    assert_ne!(main, watched);
    std::fs::write(path, watched).expect("main.tf");
    stage.terraform.apply().expect_success();
    let record = |sequencer: &str| {
        json!({ "Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2026-01-01T00:00:00.000Z",
            "eventName": "ObjectCreated:Put", "userIdentity": {}, "requestParameters": {},
            "responseElements": {}, "s3": {
                "bucket": { "name": stage.terraform.output("bucket") },
                "object": { "key": "my+video%2B%C3%BC.mp4", "sequencer": sequencer },
            },
        }] })
    };
    for sequencer in ["1", "1", "2"] {
        let payload = aws_sdk_lambda::primitives::Blob::new(record(sequencer).to_string());
        let function = "video-thumbnailer-videos--launcher";
        let invoked = stage.aws.clients.lambda.invoke().function_name(function).payload(payload).send();
        let answer = stage.aws.wait(invoked).expect("an invocation");
        assert_eq!(answer.function_error(), None, "{answer:?}");
    }
    let tokens = tokens.lock().expect("tokens").clone();
    assert_eq!(tokens.len(), 3);
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[0], tokens[2]);
}
