//! Four functions in sequence. The third one fails for a while, or permanently.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, expect, wait};

pub(super) const EXAMPLE: Example = Example {
    name: "function-chaining",
    title: "Four functions in sequence: a workflow retries failures, then catches them",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// The input, the output, and the input of the third function.
const TEXT: &str = "x";
const OUTPUT: &str = "f4(f3(f2(f1(x))))";
const HALFWAY: &str = "f2(f1(x))";

/// The error of the third function.
const ERROR: &str = "not yet";

/// How long it fails. The retries come after one and three seconds, because the emulator adds no jitter.
const A_WHILE: Duration = Duration::from_millis(2500);

/// A Unix time in the far future: the year 2100.
const NEVER: u64 = 4_102_444_800;

/// Runs the chain three times: without a failure, with a temporary one, and with a permanent one.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    // First alone: it warms up the functions, and the next execution depends on their timing.
    let well = Execution::start(applied, &json!({ "text": TEXT }))?;
    well.expect_output(applied)?;
    let tried = well.history(applied)?;
    expect("the steps", tried.steps, names(&["f1", "f2", "f3", "f4"]))?;
    expect("the steps that failed", tried.failed, Vec::new())?;

    let ready = UNIX_EPOCH.elapsed()? + A_WHILE;
    let late = Execution::start(applied, &json!({ "text": TEXT, "ready": ready.as_secs_f64() }))?;
    let lost = Execution::start(applied, &json!({ "text": TEXT, "ready": NEVER }))?;
    late.expect_output(applied)?;
    let tried = late.history(applied)?;
    expect("the steps of the late execution", tried.steps, names(&["f1", "f2", "f3", "f4"]))?;
    let failures = tried.failed.len();
    if !(1..=2).contains(&failures) || tried.failed.iter().any(|step| step != "f3") {
        return Err(
            format!("f3 should fail once or twice, but these steps failed: {:?}", tried.failed).into()
        );
    }
    let cause = expect_caught(applied, &lost)?;
    expect_dead_letter(applied, &lost, &cause)?;
    Ok(vec![
        format!("{TEXT:?} went through the chain: {OUTPUT:?}"),
        format!("f3 failed {failures} times, was retried, and the chain continued: {OUTPUT:?}"),
        format!("f3 failed permanently: the DLQ has its error {ERROR:?} and its input {HALFWAY:?}"),
    ])
}

/// Checks that the error of the third function was caught, with its input. Returns the cause of the failure.
fn expect_caught(applied: &Applied<'_>, lost: &Execution) -> Result<String> {
    let ended = lost.end(applied)?;
    expect("the status of the failed execution", ended["status"].as_str(), Some("FAILED"))?;
    let tried = lost.history(applied)?;
    expect("the steps of the failed execution", tried.steps, names(&["f1", "f2", "f3", "give-up"]))?;
    expect("the steps that failed", tried.failed, names(&["f3", "f3", "f3"]))?;
    // The step `give-up` ends the workflow with its whole input as the cause.
    let cause = ended["cause"].as_str().ok_or("the failed execution has no cause")?;
    let caught: Json = serde_json::from_str(cause)?;
    expect("the caught input", &caught["input"], &json!({ "text": HALFWAY, "ready": NEVER }))?;
    if caught["error"].as_str().is_none_or(str::is_empty) {
        return Err(format!("the caught error has no name: {caught}").into());
    }
    let error: Json = serde_json::from_str(caught["cause"].as_str().unwrap_or_default())?;
    expect("the caught cause", error["errorMessage"].as_str(), Some(ERROR))?;
    Ok(cause.to_owned())
}

/// Checks that the dead-letter queue has the failed execution and nothing else.
fn expect_dead_letter(applied: &Applied<'_>, lost: &Execution, cause: &str) -> Result<()> {
    let dead = wait("the failed execution in the dead-letter queue", || {
        let dead = applied.account.messages(applied.output("dead_letters")?)?;
        Ok((!dead.is_empty()).then_some(dead))
    })?;
    expect("the number of messages in the dead-letter queue", dead.len(), 1)?;
    let event: Json = serde_json::from_str(&dead[0])?;
    let detail = &event["detail"];
    expect("the execution in the dead-letter queue", detail["executionArn"].as_str(), Some(&*lost.arn))?;
    expect("its cause in the dead-letter queue", detail["cause"].as_str(), Some(cause))
}

struct Execution {
    arn: String,
}

/// The steps that an execution entered, and the failed ones, once per failure.
struct History {
    steps: Vec<String>,
    failed: Vec<String>,
}

impl Execution {
    fn start(applied: &Applied<'_>, input: &Json) -> Result<Self> {
        let body = json!({ "stateMachineArn": applied.output("workflow")?, "input": input.to_string() });
        let started = applied.account.states("StartExecution", &body)?;
        let arn = started["executionArn"].as_str().ok_or("an execution has no ARN")?;
        Ok(Self { arn: arn.to_owned() })
    }

    /// Waits for the end of the execution. Returns its description.
    fn end(&self, applied: &Applied<'_>) -> Result<Json> {
        wait("the end of an execution", || {
            let told = applied.account.states("DescribeExecution", &json!({ "executionArn": self.arn }))?;
            Ok((told["status"] != "RUNNING").then_some(told))
        })
    }

    fn expect_output(&self, applied: &Applied<'_>) -> Result<()> {
        let ended = self.end(applied)?;
        if ended["status"] != "SUCCEEDED" {
            return Err(format!("an execution should have succeeded: {ended}").into());
        }
        let output: Json = serde_json::from_str(ended["output"].as_str().unwrap_or_default())?;
        expect("the output", output.as_str(), Some(OUTPUT))
    }

    fn history(&self, applied: &Applied<'_>) -> Result<History> {
        let body = json!({ "executionArn": self.arn, "maxResults": 1000 });
        let told = applied.account.states("GetExecutionHistory", &body)?;
        let mut history = History { steps: Vec::new(), failed: Vec::new() };
        for event in told["events"].as_array().into_iter().flatten() {
            if let Some(step) = event["stateEnteredEventDetails"]["name"].as_str() {
                history.steps.push(step.to_owned());
            }
            if event["type"] == "TaskFailed" {
                history.failed.push(history.steps.last().cloned().unwrap_or_default());
            }
        }
        Ok(history)
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
