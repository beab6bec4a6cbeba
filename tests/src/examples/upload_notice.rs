//! An upload triggers a function.

use serde_json::Value as Json;

use super::{Applied, Example, Result, expect};

pub(super) const EXAMPLE: Example = Example {
    name: "upload-notice",
    title: "An upload triggers a function, which logs it: the smallest example",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf"],
    drive,
};

/// A key that S3 encodes in events: the handler must decode it.
const KEY: &str = "my video+ü.mp4";
const CONTENT: &[u8] = b"not really a video";

/// Uploads a video and another object. Checks that only the video is logged.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let (bucket, group) = (applied.output("bucket")?, applied.output("log_group")?);
    applied.account.put_object(bucket, "not a video.txt", CONTENT)?;
    applied.account.put_object(bucket, KEY, CONTENT)?;
    let line = applied.log_line(group, KEY)?;
    let note: Json = serde_json::from_str(&line).map_err(|error| format!("{line:?} is not JSON: {error}"))?;
    expect("the logged bucket", note["bucket"].as_str(), Some(bucket))?;
    expect("the logged key", note["key"].as_str(), Some(KEY))?;
    expect(&format!("the logged size in {line}"), note["size"].as_u64(), Some(CONTENT.len() as u64))?;
    let lines = applied.account.log_messages(group)?;
    let notes = lines.iter().filter(|line| line.contains("ObjectCreated")).count();
    expect("the number of log lines", notes, 1)?;
    Ok(vec![line])
}
