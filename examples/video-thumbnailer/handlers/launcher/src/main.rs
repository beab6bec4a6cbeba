//! Starts the container for every video that lands in the bucket.

mod task;

use aws_config::BehaviorVersion;
use aws_lambda_events::event::s3::{S3Event, S3EventRecord};
use aws_sdk_ecs::Client;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use percent_encoding::percent_decode_str;
use serde_json::json;
use sha2::{Digest, Sha256};
use task::Task;

/// S3 sends keys as a form does: `+` is a space, everything else unusual is `%XX`.
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The same for the same event, however often it is delivered: ECS starts one task for one token.
fn token(record: &S3EventRecord) -> String {
    let mut hash = Sha256::new();
    let object = &record.s3.object;
    for part in [&record.s3.bucket.name, &object.key, &object.version_id, &object.sequencer] {
        let part = part.as_deref().unwrap_or_default();
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn handle(event: LambdaEvent<S3Event>, ecs: &Client, task: &Task) -> Result<(), Error> {
    for record in &event.payload.records {
        let bucket = record.s3.bucket.name.clone().unwrap_or_default();
        let key = decode(record.s3.object.key.as_deref().unwrap_or_default());
        let variables = [("THUMBNAILER_BUCKET", &*bucket), ("THUMBNAILER_KEY", &*key)];
        let started = task.start(ecs, &token(record), &variables).await?;
        println!("{}", json!({ "message": "task started", "bucket": bucket, "key": key, "task": started }));
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    let (ecs, task) = (Client::new(&config), Task::from_environment()?);
    run(service_fn(|event| handle(event, &ecs, &task))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, sequencer: &str) -> S3EventRecord {
        let record = json!({
            "eventTime": "2026-01-01T00:00:00Z", "userIdentity": {}, "requestParameters": {},
            "responseElements": {}, "s3": { "bucket": { "name": "b" }, "object": { "key": key, "sequencer": sequencer } }
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn keys_are_decoded_as_forms_are() {
        assert_eq!(decode("my+video%2B%C3%BC.mp4"), "my video+ü.mp4");
    }

    #[test]
    fn one_event_has_one_token_however_often_it_comes() {
        let first = token(&record("a", "1"));
        assert_eq!(first, token(&record("a", "1")));
        assert_ne!(first, token(&record("a", "2")));
        assert_ne!(first, token(&record("b", "1")));
        // ECS takes 64 characters.
        assert!(first.len() <= 64);
    }
}
