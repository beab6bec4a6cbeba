//! Notes every thumbnail.

use aws_lambda_events::event::s3::S3Event;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use percent_encoding::percent_decode_str;
use serde_json::json;

/// S3 sends keys as a form does: `+` is a space, everything else unusual is `%XX`.
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

async fn handle(event: LambdaEvent<S3Event>) -> Result<(), Error> {
    for record in event.payload.records {
        let bucket = record.s3.bucket.name.unwrap_or_default();
        let key = decode(&record.s3.object.key.unwrap_or_default());
        let size = record.s3.object.size.unwrap_or_default();
        println!("{}", json!({ "message": "thumbnail landed", "bucket": bucket, "key": key, "size": size }));
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_forms_are() {
        assert_eq!(decode("thumbnails%2Fmy+video%2B%C3%BC.mp4.jpg"), "thumbnails/my video+ü.mp4.jpg");
    }
}
