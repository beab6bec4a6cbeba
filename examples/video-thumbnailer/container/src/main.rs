//! Makes a thumbnail of one video: downloads it, runs ffmpeg, uploads the thumbnail.

use std::path::Path;
use std::process::ExitCode;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use regex_lite::Regex;
use serde_json::json;
use tokio::process::Command;

/// Settings of the thumbnailer and values from the launcher, from environment variables.
struct Job {
    bucket: String,
    key: String,
    input_prefix: String,
    output_prefix: String,
    pattern: Regex,
    default_timestamp: String,
    width: u32,
}

impl Job {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let given = |name: String| variable(&name).ok_or_else(|| format!("{name} is not set"));
        let text = |name: &str| given(format!("THUMBNAILER_{name}"));
        let pattern = text("TIMESTAMP_PATTERN")?;
        Ok(Self {
            bucket: given("TANDEM_BUCKET".to_owned())?,
            key: given("TANDEM_KEY".to_owned())?,
            input_prefix: text("INPUT_PREFIX")?,
            output_prefix: text("OUTPUT_PREFIX")?,
            pattern: Regex::new(&pattern).map_err(|error| format!("{pattern:?}: {error}"))?,
            default_timestamp: text("DEFAULT_TIMESTAMP")?,
            width: text("WIDTH")?.parse().map_err(|error| format!("THUMBNAILER_WIDTH: {error}"))?,
        })
    }

    /// Position of the frame in the video: minutes and seconds from the key, or the default.
    fn timestamp(&self) -> String {
        match self.pattern.captures(&self.key) {
            Some(found) => format!("{}:{}", &found[1], &found[2]),
            None => self.default_timestamp.clone(),
        }
    }

    /// Key of the thumbnail. It contains the full name of the video, so that the thumbnails of `a.mp4`
    /// and `a.mov` do not collide.
    fn output(&self) -> String {
        let name = self.key.strip_prefix(&self.input_prefix).unwrap_or(&self.key);
        format!("{}{name}.jpg", self.output_prefix)
    }
}

async fn client() -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let shared = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    // A custom endpoint, e.g. an emulator, rarely resolves a host name per bucket.
    let own = shared.endpoint_url().is_some();
    Client::from_conf(aws_sdk_s3::config::Builder::from(&shared).force_path_style(own).build())
}

async fn make(job: &Job) -> Result<String, String> {
    let (video, picture) = (Path::new("/tmp/video"), Path::new("/tmp/thumbnail.jpg"));
    let s3 = client().await;
    let object = s3.get_object().bucket(&job.bucket).key(&job.key).send().await;
    let object = object.map_err(|error| format!("cannot get the video: {}", DisplayErrorContext(&error)))?;
    let scratch = |error: std::io::Error| format!("cannot write to /tmp: {error}");
    let mut file = tokio::fs::File::create(video).await.map_err(scratch)?;
    let mut body = object.body.into_async_read();
    tokio::io::copy(&mut body, &mut file).await.map_err(|error| format!("cannot get the video: {error}"))?;
    file.sync_all().await.map_err(scratch)?;

    let timestamp = job.timestamp();
    let ffmpeg = Command::new("/ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-ss", &timestamp, "-i"])
        .arg(video)
        .args(["-frames:v", "1", "-vf", &format!("scale={}:-2", job.width)])
        .arg(picture)
        .output()
        .await
        .map_err(|error| format!("/ffmpeg: {error}"))?;
    let said = String::from_utf8_lossy(&ffmpeg.stderr);
    if !ffmpeg.status.success() {
        return Err(format!("ffmpeg ended with {}: {}", ffmpeg.status, said.trim()));
    }
    if !picture.exists() {
        return Err(format!("the video has no frame at {timestamp}"));
    }
    let output = job.output();
    let body = ByteStream::from_path(picture).await.map_err(|error| error.to_string())?;
    let stored = s3.put_object().bucket(&job.bucket).key(&output).content_type("image/jpeg").body(body);
    stored
        .send()
        .await
        .map_err(|error| format!("cannot put the thumbnail: {}", DisplayErrorContext(&error)))?;
    Ok(output)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let job = match Job::read(|name| std::env::var(name).ok()) {
        Ok(job) => job,
        Err(error) => {
            eprintln!("{}", json!({ "level": "ERROR", "message": error }));
            return ExitCode::from(2);
        }
    };
    match make(&job).await {
        Ok(output) => {
            let at = job.timestamp();
            println!("{}", json!({ "message": "thumbnail made", "key": job.key, "at": at, "output": output }));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", json!({ "level": "ERROR", "message": error, "bucket": job.bucket, "key": job.key }));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(key: &str, input_prefix: &str) -> Job {
        Job {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            input_prefix: input_prefix.to_owned(),
            output_prefix: "thumbnails/".to_owned(),
            pattern: Regex::new(r"_([0-9]+)-([0-9]+)\.[^./]*$").unwrap(),
            default_timestamp: "00:00:01".to_owned(),
            width: 640,
        }
    }

    #[test]
    fn the_name_says_when() {
        for (key, expected) in [
            ("cat_00-03.mp4", "00:03"),
            ("in/my cat_12-34.mp4", "12:34"),
            ("cat.mp4", "00:00:01"),
            ("cat_00-03/plain.mp4", "00:00:01"),
        ] {
            assert_eq!(job(key, "").timestamp(), expected, "{key}");
        }
    }

    #[test]
    fn outputs_never_collide() {
        assert_eq!(job("in/a/cat.mp4", "in/").output(), "thumbnails/a/cat.mp4.jpg");
        assert_eq!(job("my video+ü.mp4", "").output(), "thumbnails/my video+ü.mp4.jpg");
        assert_ne!(job("cat.mp4", "").output(), job("cat.mov", "").output());
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Job::read(|_| None).err();
        assert_eq!(error.as_deref(), Some("THUMBNAILER_TIMESTAMP_PATTERN is not set"));
    }
}
