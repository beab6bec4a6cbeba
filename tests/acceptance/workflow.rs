//! Runs workflows: the data that steps pass to each other, with the types of steps that no example has.

use serde_json::{Value as Json, json};
use tandem_testkit::environment::copy;
use tandem_testkit::examples::wait;

use crate::stage::{On, Stage, base_image};

/// A function that answers `{"text": "x"}` with `{"text": "f1(x)"}`, and fails without `text`.
const FUNCTION: &str = "examples/function-chaining/handlers/target/lambda/f1";

/// Applies a workflow of these steps, with the resources that they use.
fn applied(ty: &str, steps: &Json) -> Stage {
    let stage = Stage::new(On::MiniStack);
    copy(&[FUNCTION], stage.terraform.path())
        .unwrap_or_else(|error| panic!("{error}: run `cargo xtask test`, which builds it"));
    let code = json!({ "bootstrap": format!("{FUNCTION}/bootstrap") });
    let container = json!({ "name": "show", "image": base_image(), "command": ["/ffmpeg", "-version"] });
    stage.configure_with(json!({
        "tandem_bucket": { "lists": { "name": "lists", "force_destroy": true } },
        "tandem_queue": { "questions": { "name": "questions", "force_destroy": true } },
        "tandem_event_function": { "f1": { "name": "f1", "code": code } },
        "tandem_container_task": { "show": container },
        "tandem_workflow": { "it": { "name": "it", "type": ty, "step": steps, "force_destroy": true } },
    }));
    stage.terraform.apply().expect_success();
    stage.terraform.expect_empty_plan();
    stage
}

fn states(stage: &Stage, call: &str, body: &Json) -> Json {
    let answer = stage.account.states(call, body);
    answer.unwrap_or_else(|error| panic!("{call}: {error}"))
}

fn attribute(stage: &Stage, address: &str, name: &str) -> String {
    stage.terraform.output_of(address, name)
}

/// Starts an execution with this input, and returns its ARN.
fn start(stage: &Stage, input: &Json) -> String {
    let body = json!({
        "stateMachineArn": attribute(stage, "tandem_workflow.it", "arn"), "input": input.to_string(),
    });
    states(stage, "StartExecution", &body)["executionArn"].as_str().expect("its ARN").to_owned()
}

/// Waits for an execution to succeed, and returns its output.
fn output(stage: &Stage, execution: &str) -> Json {
    let ended = wait("the end of the execution", || {
        let told = states(stage, "DescribeExecution", &json!({ "executionArn": execution }));
        Ok((told["status"] != "RUNNING").then_some(told))
    });
    let ended = ended.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ended["status"], "SUCCEEDED", "{ended}");
    serde_json::from_str(ended["output"].as_str().expect("an output")).expect("JSON")
}

/// Takes `count` questions from the queue of callbacks, and answers them.
fn answer(stage: &Stage, count: usize, answer: impl Fn(&Json) -> Json) {
    let queue = attribute(stage, "tandem_queue.questions", "url");
    for _ in 0..count {
        let message = wait("a question", || {
            let body = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 1 });
            let found = stage.account.json("sqs", "AmazonSQS.ReceiveMessage", &body)?;
            Ok(Some(found["Messages"][0].clone()).filter(Json::is_object))
        });
        let message = message.unwrap_or_else(|error| panic!("{error}"));
        let question: Json = serde_json::from_str(message["Body"].as_str().expect("a string")).expect("JSON");
        let output = answer(&question["input"]).to_string();
        states(stage, "SendTaskSuccess", &json!({ "taskToken": question["token"], "output": output }));
        let body = json!({ "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"] });
        stage.account.json("sqs", "AmazonSQS.DeleteMessage", &body).expect("an answer");
    }
}

fn left_clean(stage: &Stage) {
    stage.terraform.expect_empty_plan();
    stage.terraform.destroy().expect_success();
}

#[test]
fn steps_give_their_results_through_maps_branches_choices_and_callbacks() {
    let (questions, f1) = ("${tandem_queue.questions.arn}", "${tandem_event_function.f1.function_arn}");
    let show = "${tandem_container_task.show.launch}";
    let stage = applied(
        "standard",
        &json!([
            { "name": "begin", "choice": [{ "when": "{% $states.input.go %}", "next": "pause" }],
              "otherwise": "stay" },
            { "name": "stay", "fail": "not wanted" },
            { "name": "pause", "wait": 1 },
            // A single item must become a list, although JSONata's filter returns it without one.
            { "name": "each", "map": { "items": "{% $states.input.list[$ != 'b'] %}" } },
            { "name": "ask", "within": "each", "callback": questions },
            { "name": "work", "within": "each", "function": f1 },
            { "name": "render", "within": "each", "task": show },
            { "name": "both", "parallel": ["left", "right"] },
            { "name": "again", "within": "both", "branch": "left", "callback": questions },
            { "name": "items", "within": "both", "branch": "right",
              "map": { "items": "{% $states.input %}" } },
            { "name": "alone", "within": "items", "task": show },
        ]),
    );
    let execution = start(&stage, &json!({ "go": true, "list": ["a", "b"] }));
    answer(&stage, 1, |input| {
        assert_eq!(input["item"], "a", "{input}");
        assert_eq!(input["index"], 0, "{input}");
        assert_eq!(input["input"]["list"], json!(["a", "b"]), "{input}");
        json!({ "text": input["item"] })
    });
    let worked = json!([{ "text": "f1(a)", "ready": null }]);
    answer(&stage, 1, |input| {
        assert_eq!(*input, worked);
        json!("left")
    });
    assert_eq!(output(&stage, &execution), json!(["left", worked]));
    left_clean(&stage);
}

#[test]
fn a_manifest_is_gone_over_by_executions_of_their_own() {
    let bucket = "${tandem_bucket.lists.bucket}";
    let stage = applied(
        "standard",
        &json!([
            { "name": "each", "distributed": true,
              "map": { "bucket": bucket, "key": "{% $states.input.key %}" } },
            { "name": "show", "within": "each", "task": "${tandem_container_task.show.launch}" },
        ]),
    );
    let list = json!([{ "n": 1 }, { "n": 2 }, { "n": 3 }]);
    let bucket = attribute(&stage, "tandem_bucket.lists", "bucket");
    stage.account.put_object(&bucket, "lists/all.json", list.to_string().as_bytes()).expect("an object");
    let execution = start(&stage, &json!({ "key": "lists/all.json" }));
    let mut shown = output(&stage, &execution);
    // The executions end in any order.
    shown.as_array_mut().expect("a list").sort_by_key(|item| item["n"].as_u64());
    assert_eq!(shown, list);
    left_clean(&stage);
}

/// An express execution publishes no event when it fails: its definition sends the dead letter itself.
#[test]
fn an_express_execution_that_fails_tells_the_dead_letters() {
    let step = json!({
        "name": "work", "function": "${tandem_event_function.f1.function_arn}", "retry_attempts": 0,
    });
    let stage = applied("express", &json!([step]));
    let queue = attribute(&stage, "tandem_workflow.it", "dead_letter_queue_url");
    let machine = attribute(&stage, "tandem_workflow.it", "arn");
    let body = json!({ "stateMachineArn": machine, "input": json!({ "text": "x" }).to_string() });
    let well = states(&stage, "StartSyncExecution", &body);
    assert_eq!(well["status"], "SUCCEEDED", "{well}");
    let given: Json = serde_json::from_str(well["output"].as_str().expect("an output")).expect("JSON");
    assert_eq!(given["text"], "f1(x)", "{well}");
    let execution = start(&stage, &json!({ "nothing": true }));
    let dead = wait("a dead letter", || {
        let dead = stage.account.messages(&queue)?;
        Ok((!dead.is_empty()).then_some(dead))
    });
    let dead = dead.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(dead.len(), 1, "{dead:?}");
    let letter: Json = serde_json::from_str(&dead[0]).expect("JSON");
    assert_eq!(letter["execution"], json!(execution), "{letter}");
    assert_eq!(letter["input"], json!({ "nothing": true }), "{letter}");
    assert!(letter["cause"].as_str().is_some_and(|cause| cause.contains("there is no `text`")), "{letter}");
    left_clean(&stage);
}
