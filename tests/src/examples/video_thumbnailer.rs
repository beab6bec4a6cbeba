//! A video becomes a thumbnail.

use serde_json::json;

use super::{Applied, Example, Result, expect, wait};
use crate::ffmpeg;

pub(super) const EXAMPLE: Example = Example {
    name: "video-thumbnailer",
    title: "A video becomes a thumbnail: functions and a container with ffmpeg",
    container: Some("make-thumbnail"),
    ffmpeg: true,
    configurations: &["main.tf", "parts/main.tf", "without-code/main.tf"],
    drive,
};

/// The name contains the position of the frame: 3 seconds.
const VIDEO: &str = "cat_00-03.mp4";
const SECOND: usize = 3;

/// Uploads a video whose seconds differ in color and number, and checks the thumbnail.
fn drive(applied: &Applied<'_>) -> Result<Vec<String>> {
    let bucket = applied.output("bucket")?;
    std::fs::create_dir_all(applied.folder)?;
    let video = applied.folder.join(VIDEO);
    ffmpeg::sample(&video)?;
    applied.account.put_object(bucket, VIDEO, &std::fs::read(video)?)?;
    let key = format!("thumbnails/{VIDEO}.jpg");
    let picture = wait(&format!("the thumbnail {key}"), || applied.account.get_object(bucket, &key))
        .map_err(|error| format!("{error}{}", logs(applied)))?;
    let kept = applied.keep(&format!("{VIDEO}.jpg"), &picture)?;
    expect("the second that the thumbnail shows", ffmpeg::second_shown(&kept)?, Some(SECOND))?;
    let size = ffmpeg::size(&picture).ok_or("the thumbnail is not a JPEG")?;
    expect("the size of the thumbnail", size, (640, 360))?;
    if let Some(workflow) = applied.outputs["workflow"].as_str() {
        succeeded(applied, workflow)?;
    }
    // Without a launcher, only the container has a log.
    applied.entry("log_groups", "container")?;
    let mut said = Vec::new();
    for (who, text) in [("launcher", VIDEO), ("container", VIDEO), ("on_thumbnail", key.as_str())] {
        if let Ok(group) = applied.entry("log_groups", who) {
            said.push(format!("{who:>12}  {}", applied.log_line(group, text)?));
        }
    }
    said.push(format!("{:>12}  {} ({}x{})", "thumbnail", kept.display(), size.0, size.1));
    Ok(said)
}

/// Waits for the end of all executions of a workflow, and checks that there is one, which succeeded.
fn succeeded(applied: &Applied<'_>, workflow: &str) -> Result<()> {
    let body = json!({ "stateMachineArn": workflow });
    let ends = wait("the end of the workflow", || {
        let listed = applied.account.states("ListExecutions", &body)?;
        let executions = listed["executions"].as_array().cloned().unwrap_or_default();
        let ends = executions.into_iter().map(|mut execution| execution["status"].take());
        let ends: Vec<_> = ends.collect();
        Ok((!ends.is_empty() && ends.iter().all(|status| status != "RUNNING")).then_some(ends))
    })?;
    expect("the status of its executions", ends, vec![json!("SUCCEEDED")])
}

/// Returns all log lines of the example.
fn logs(applied: &Applied<'_>) -> String {
    let groups = applied.outputs["log_groups"].as_object().into_iter().flatten();
    let log = |(who, group): (&String, &serde_json::Value)| {
        let lines = applied.account.log_messages(group.as_str().unwrap_or_default());
        format!("\n{who}: {}", lines.unwrap_or_default().join("\n  "))
    };
    groups.map(log).collect()
}
