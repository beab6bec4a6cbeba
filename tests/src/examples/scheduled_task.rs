//! A scheduled container sums up the sales of a day.

use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, expect, wait};

pub(super) const EXAMPLE: Example = Example {
    name: "scheduled-task",
    title: "A schedule starts a container every night, which writes a report to a bucket",
    container: Some("write-report"),
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// Three o'clock in Berlin, on the night when daylight saving time begins.
const DUE: &str = "2026-03-29T01:00:00Z";

const SALES: &str = "product,pieces\napples,3\npears,2\napples,4\n";

/// Runs the task like the scheduler, for a night without `sales.csv` and for one with it.
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
        format!("a night with sales: {key} is {report}"),
        format!("report: {}", path.display()),
    ])
}

/// Returns the only schedule of the account, as it is stored.
fn schedule(applied: &Applied<'_>) -> Result<Json> {
    let listed = applied.account.get_json("scheduler", "/schedules")?;
    let listed = listed["Schedules"].as_array().cloned().unwrap_or_default();
    expect("the number of schedules", listed.len(), 1)?;
    let text = |field: &str| listed[0][field].as_str().ok_or_else(|| format!("the schedule has no {field}"));
    let path = format!("/schedules/{}?groupName={}", text("Name")?, text("GroupName")?);
    applied.account.get_json("scheduler", &path)
}

/// Runs the target of the schedule to its end. Returns the exit code.
///
/// The emulator starts no tasks. This is the call that AWS makes, with values of the stored schedule only.
fn run(applied: &Applied<'_>, target: &Json) -> Result<i64> {
    let parameters = &target["EcsParameters"];
    let network = &parameters["NetworkConfiguration"]["awsvpcConfiguration"];
    // AWS substitutes this placeholder too.
    let input = target["Input"].as_str().unwrap_or_default().replace("<aws.scheduler.scheduled-time>", DUE);
    let mut body = json!({
        "cluster": target["Arn"],
        "taskDefinition": parameters["TaskDefinitionArn"],
        "count": parameters["TaskCount"],
        "networkConfiguration": { "awsvpcConfiguration": {
            "subnets": network["Subnets"],
            "securityGroups": network["SecurityGroups"],
            "assignPublicIp": network["AssignPublicIp"],
        } },
        "overrides": serde_json::from_str::<Json>(&input)?,
    });
    // AWS accepts only one of the two.
    let capacity = [("launchType", "LaunchType"), ("capacityProviderStrategy", "CapacityProviderStrategy")];
    for (member, given) in capacity.map(|(member, name)| (member, &parameters[name])) {
        if !given.is_null() {
            body[member] = given.clone();
        }
    }
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
