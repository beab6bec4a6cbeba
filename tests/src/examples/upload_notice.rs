//! An upload sets off a function.

use serde_json::Value as Json;

use super::{Applied, Example, Result, expect};

pub(super) const EXAMPLE: Example = Example {
    name: "upload-notice",
    title: "An upload sets off a function, which takes note of it",
    container: None,
    ffmpeg: false,
    configurations: &["main.tf"],
    drive,
};

/// What S3 encodes comes back as it was.
const KEY: &str = "my video+ü.mp4";
const CONTENT: &[u8] = b"not really a video";

/// Uploads a video and something else, and wants a note of the video.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let (bucket, group) = (applied.output("bucket")?, applied.output("log_group")?);
    applied.account.put_object(bucket, "not a video.txt", CONTENT)?;
    applied.account.put_object(bucket, KEY, CONTENT)?;
    let line = applied.log_line(group, KEY)?;
    let note: Json = serde_json::from_str(&line).map_err(|error| format!("{line:?} is no note: {error}"))?;
    expect("the note's bucket", note["bucket"].as_str(), Some(bucket))?;
    expect("the note's key", note["key"].as_str(), Some(KEY))?;
    expect("the note's size", note["size"].as_u64(), Some(CONTENT.len() as u64))?;
    let lines = applied.account.log_messages(group)?;
    let notes = lines.iter().filter(|line| line.contains("ObjectCreated")).count();
    expect("the number of notes", notes, 1)?;
    Ok(vec![line])
}
