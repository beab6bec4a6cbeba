//! Requests are counted per route.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{Applied, Example, Result, expect, wait};

pub(super) const EXAMPLE: Example = Example {
    name: "route-counter",
    title: "Requests are counted per route: an HTTP API, a function and a table",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf", "resources/main.tf"],
    drive,
};

/// Number of requests, and number of concurrent requests.
const REQUESTS: usize = 1000;
const AT_A_TIME: usize = 50;

/// Sends the requests to one route, and checks that all are counted.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let (url, table) = (applied.output("url")?, applied.output("table")?);
    let counts = send(applied, url)?;
    let largest = counts.iter().max().copied().unwrap_or_default();
    expect("the largest returned count", largest, REQUESTS)?;
    let key = json!({ "route": { "S": "/hello" } });
    let stored = wait("the count in the table", || {
        let body = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
        let found = applied.account.json("dynamodb", "DynamoDB_20120810.GetItem", &body)?;
        Ok(found["Item"]["requests"]["N"].as_str().map(ToOwned::to_owned))
    })?;
    expect("the count in the table", stored.as_str(), &REQUESTS.to_string())?;
    let mut different = counts;
    different.sort_unstable();
    different.dedup();
    expect("the number of distinct responses", different.len(), REQUESTS)?;
    Ok(vec![format!("{REQUESTS} requests to /hello, {AT_A_TIME} at a time: the table counts {stored}")])
}

/// Sends all requests. Returns the counts in the responses.
fn send(applied: &Applied<'_>, url: &str) -> Result<Vec<usize>> {
    let next = AtomicUsize::new(0);
    let worker = || -> std::result::Result<Vec<usize>, String> {
        let mut counts = Vec::new();
        while next.fetch_add(1, Ordering::SeqCst) < REQUESTS {
            let answer = applied.account.http_api(url, "/hello").map_err(|error| error.to_string())?;
            counts.push(answer.trim().parse().map_err(|_| format!("{answer:?} is not a number"))?);
        }
        Ok(counts)
    };
    let counts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(worker)).collect();
        let counts =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a panic".into())));
        counts.collect::<std::result::Result<Vec<_>, _>>()
    })?;
    Ok(counts.concat())
}
