//! An image in tiles: a container renders each one, and another container merges them.

use std::process::Command;

use serde_json::{Value as Json, json};

use super::{Applied, Example, Result, STATIC_TARGET, expect, wait};
use crate::environment::root;

pub(super) const EXAMPLE: Example = Example {
    name: "ray-tracing",
    title: "An image is rendered in sixteen parallel tiles: a workflow with a distributed map and containers",
    container: Some("trace"),
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// Number of tiles of the container's program, and the tile whose first try fails in the spec.
const TILES: usize = 16;
const FAILS: usize = 5;

/// Runs the workflow, and compares its image with one that the same program renders in one run.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let (bucket, workflow) = (applied.output("bucket")?, applied.output("workflow")?);
    let started = applied.account.states("StartExecution", &json!({ "stateMachineArn": workflow }))?;
    let execution = started["executionArn"].as_str().ok_or("an execution has no ARN")?;

    let records = records(applied, bucket, execution)?;
    let whole = whole(applied)?;
    let ended = wait("the end of the execution", || {
        let state = applied.account.states("DescribeExecution", &json!({ "executionArn": execution }))?;
        Ok(Some(state).filter(|state| state["status"] != "RUNNING"))
    })?;
    if ended["status"] != "SUCCEEDED" {
        return Err(
            format!("the execution is {}: {} {}", ended["status"], ended["error"], ended["cause"]).into()
        );
    }
    expect("the number of records", records.len(), TILES)?;

    let mut tasks: Vec<&str> = records.iter().map(|record| record.task.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    expect("the number of tasks that traced a tile", tasks.len(), TILES)?;
    if let Some(other) = tasks.iter().find(|task| !task.contains(":task/")) {
        return Err(format!("{other:?} is not the ARN of a task").into());
    }
    let at_once = at_once(&records);
    if at_once < 4 {
        return Err(format!("no more than {at_once} containers ran at the same time").into());
    }

    let failed = Record::read(applied, bucket, &format!("tiles/{FAILS:02}.failed.json"))?;
    let failed = failed.ok_or_else(|| format!("no record of a failure of tile {FAILS}"))?;
    let again = &records[FAILS];
    if tasks.contains(&failed.task.as_str()) || failed.ended > again.began {
        return Err(format!("tile {FAILS} failed in {failed:?}, and was rendered in {again:?}").into());
    }
    let wanted: Vec<usize> = (0..TILES).map(|tile| if tile == FAILS { 2 } else { 1 }).collect();
    expect("the number of tries of each tile", tries(applied, execution)?, wanted)?;

    let picture = applied.account.get_object(bucket, "picture.png")?.ok_or("there is no picture.png")?;
    let path = applied.keep("picture.png", &picture)?;
    if picture != whole {
        return Err(format!("{} differs from the image rendered in one run", path.display()).into());
    }
    Ok(vec![
        format!("{TILES} tiles by {TILES} containers, {at_once} of them at the same time"),
        format!("tile {FAILS} failed in its first try, and was retried"),
        format!("{} has the same bytes as the image rendered in one run", path.display()),
    ])
}

/// The record that a container writes for a tile.
#[derive(Debug)]
struct Record {
    /// The ARN of its task.
    task: String,
    /// Start and end, in milliseconds since 1970.
    began: u64,
    ended: u64,
}

impl Record {
    /// Reads a record, if it exists.
    fn read(applied: &Applied<'_>, bucket: &str, key: &str) -> Result<Option<Self>> {
        let Some(found) = applied.account.get_object(bucket, key)? else { return Ok(None) };
        let found: Json = serde_json::from_slice(&found)?;
        let record = || {
            let (began, ended) = (found["began"].as_u64()?, found["ended"].as_u64()?);
            Some(Self { task: found["task"].as_str()?.to_owned(), began, ended })
        };
        record().map(Some).ok_or_else(|| format!("{key} is {found}").into())
    }
}

/// Waits for the records of all tiles, in order. Returns fewer if the execution ends without them.
fn records(applied: &Applied<'_>, bucket: &str, execution: &str) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    wait("the last tile", || {
        let state = applied.account.states("DescribeExecution", &json!({ "executionArn": execution }))?;
        while let Some(record) = Record::read(applied, bucket, &format!("tiles/{:02}.json", records.len()))? {
            records.push(record);
        }
        Ok((records.len() == TILES || state["status"] != "RUNNING").then_some(()))
    })?;
    Ok(records)
}

/// Returns the largest number of containers that ran at the same time.
fn at_once(records: &[Record]) -> usize {
    let alive = |at: u64| records.iter().filter(|record| record.began <= at && at < record.ended).count();
    records.iter().map(|record| alive(record.began)).max().unwrap_or_default()
}

/// Returns the number of tries of each tile, from the history of the map's executions.
fn tries(applied: &Applied<'_>, execution: &str) -> Result<Vec<usize>> {
    let maps = applied.account.states("ListMapRuns", &json!({ "executionArn": execution }))?;
    let maps = maps["mapRuns"].as_array().cloned().unwrap_or_default();
    expect("the number of maps that ran", maps.len(), 1)?;
    let listed = applied.account.states("ListExecutions", &json!({ "mapRunArn": maps[0]["mapRunArn"] }))?;
    let listed = listed["executions"].as_array().cloned().unwrap_or_default();
    expect("the number of executions of the map", listed.len(), TILES)?;
    let mut tries = vec![0; TILES];
    for one in listed {
        let of = json!({ "executionArn": one["executionArn"] });
        let input =
            applied.account.states("DescribeExecution", &of)?["input"].as_str().map(ToOwned::to_owned);
        let input: Json = serde_json::from_str(&input.unwrap_or_default())?;
        let tile = input["item"].as_u64().and_then(|item| usize::try_from(item).ok());
        let Some(tile) = tile.filter(|tile| *tile < TILES) else {
            return Err(format!("an execution of the map has the input {input}").into());
        };
        let history = applied.account.states("GetExecutionHistory", &of)?;
        let events = history["events"].as_array().cloned().unwrap_or_default();
        tries[tile] += events.iter().filter(|event| event["type"] == "TaskScheduled").count();
    }
    Ok(tries)
}

/// Renders the image in one run with the same program, outside of a container.
fn whole(applied: &Applied<'_>) -> Result<Vec<u8>> {
    let program = root().join("examples/ray-tracing/container/target").join(STATIC_TARGET);
    let path = applied.keep("whole.png", &[])?;
    let output = Command::new(program.join("release/trace")).arg("whole").arg(&path).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("`trace whole` ended with {}: {}", output.status, said.trim()).into());
    }
    Ok(std::fs::read(&path)?)
}
