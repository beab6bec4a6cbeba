//! A container that the clock starts at night sums up what was sold.

use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, expect, wait};

pub(super) const EXAMPLE: Example = Example {
    name: "scheduled-task",
    title: "A container that the clock starts at night writes a report into a bucket",
    container: Some("write-report"),
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// Three at night in Berlin, when the clocks went from two to three.
const DUE: &str = "2026-03-29T01:00:00Z";

const SALES: &str = "product,pieces\napples,3\npears,2\napples,4\n";

/// Has the task run as the clock would start it: in a night without sales, and in one with some.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let (account, bucket) = (applied.account, applied.output("bucket")?);
    let schedule = schedule(applied)?;
    for (field, wanted) in [
        ("ScheduleExpression", "cron(0 3 * * ? *)"),
        ("ScheduleExpressionTimezone", "Europe/Berlin"),
        ("State", "ENABLED"),
    ] {
        expect(&format!("{field} of the schedule"), schedule[field].as_str(), Some(wanted))?;
    }
    let key = format!("reports/{DUE}.json");
    let failed = run(applied, &schedule["Target"])?;
    expect("the exit code of a night without sales", failed, 1)?;
    expect("the report of a night without sales", account.get_object(bucket, &key)?, None)?;

    account.put_object(bucket, "sales.csv", SALES.as_bytes())?;
    let done = run(applied, &schedule["Target"])?;
    if done != 0 {
        let log = account.log_messages(applied.output("log_group")?)?;
        return Err(format!("the task ended with {done}:\n{}", log.join("\n")).into());
    }
    let report = account.get_object(bucket, &key)?.ok_or_else(|| format!("there is no {key}"))?;
    let report: Json = serde_json::from_slice(&report)?;
    expect("the report", &report, &json!({ "due": DUE, "sold": { "apples": 7, "pears": 2 } }))?;
    let path = applied.keep("report.json", report.to_string().as_bytes())?;
    Ok(vec![
        format!("a night without sales.csv: the task exits with {failed}, and there is no report"),
        format!("a night with sales: {key} says {report}"),
        format!("report: {}", path.display()),
    ])
}

/// The one schedule of the account, as it is stored.
fn schedule(applied: &Applied<'_>) -> Result<Json> {
    let listed = applied.account.get_json("scheduler", "/schedules")?;
    let listed = listed["Schedules"].as_array().cloned().unwrap_or_default();
    expect("the number of schedules", listed.len(), 1)?;
    let text = |field: &str| listed[0][field].as_str().ok_or_else(|| format!("the schedule has no {field}"));
    let path = format!("/schedules/{}?groupName={}", text("Name")?, text("GroupName")?);
    applied.account.get_json("scheduler", &path)
}

/// Runs the target of the schedule to its end; the exit code.
///
/// The emulator starts no tasks: this is the call that AWS makes, out of what is stored and nothing else.
fn run(applied: &Applied<'_>, target: &Json) -> Result<i64> {
    let parameters = &target["EcsParameters"];
    let network = &parameters["NetworkConfiguration"]["awsvpcConfiguration"];
    // AWS puts the time in the place of this, too.
    let input = target["Input"].as_str().unwrap_or_default().replace("<aws.scheduler.scheduled-time>", DUE);
    let body = json!({
        "cluster": target["Arn"],
        "taskDefinition": parameters["TaskDefinitionArn"],
        "count": parameters["TaskCount"],
        "capacityProviderStrategy": parameters["CapacityProviderStrategy"],
        "networkConfiguration": { "awsvpcConfiguration": {
            "subnets": network["Subnets"],
            "securityGroups": network["SecurityGroups"],
            "assignPublicIp": network["AssignPublicIp"],
        } },
        "overrides": serde_json::from_str::<Json>(&input)?,
    });
    let started = call(applied, "RunTask", &body)?;
    let task = &started["tasks"][0]["taskArn"];
    if !task.is_string() {
        return Err(format!("no task was started: {started}").into());
    }
    let body = json!({ "cluster": target["Arn"], "tasks": [task] });
    let ended = wait("the end of the task", || {
        let told = call(applied, "DescribeTasks", &body)?["tasks"][0].clone();
        Ok((told["lastStatus"] == "STOPPED").then_some(told))
    })?;
    let code = ended["containers"][0]["exitCode"].as_i64();
    code.ok_or_else(|| format!("the container did not run: {}", ended["stoppedReason"]).into())
}

fn call(applied: &Applied<'_>, name: &str, body: &Json) -> Result<Json> {
    applied.account.json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{name}"), body)
}
