//! What the function `moderate` does. This file is yours: tandem reads it, and never writes over it.

use aws_sdk_rekognition::Client;
use aws_sdk_rekognition::error::DisplayErrorContext;
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{Image, ModerationLabel};
use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::Context;
use crate::event::Object;

/// An image landed below `incoming/`.
pub async fn on_object(object: Object, context: &Context) -> Result<(), Error> {
    let known = context.results.get(&[("image", &object.key)]).await?;
    // S3 may deliver an event twice.
    if known.is_none_or(|known| known["token"] != object.token) {
        judge(&object, context).await?;
    }
    // Last, so that whatever failed before is tried again with the image still there.
    context.uploads.delete(&object.key).await
}

async fn judge(object: &Object, context: &Context) -> Result<(), Error> {
    let minimum = minimum_confidence()?;
    let image = context.uploads.get(&object.key).await?;
    let found = labels(image.clone(), minimum, context).await?;
    let counts = |label: &ModerationLabel| label.confidence().is_none_or(|sure| sure >= minimum);
    let blocked = found.iter().any(counts);
    let verdict = if blocked { "blocked" } else { "clean" };
    let folder = if blocked { "quarantine" } else { "approved" };
    let to = object.key.replacen("incoming", folder, 1);
    let result = json!({
        "image": object.key,
        "verdict": verdict,
        "labels": found.iter().map(plain).collect::<Vec<_>>(),
        "moved_to": to,
        "token": object.token,
    });
    // What was judged, and not what may be there by now.
    let kind = if image.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
    context.uploads.put(&to, image, kind).await?;
    if blocked {
        context.uploads.tag(&to, &[("moderation", verdict)]).await?;
        context.review.send(&result.to_string()).await?;
    }
    println!("{result}");
    context.results.put(&result).await
}

/// What Rekognition sees in an image.
async fn labels(image: Vec<u8>, minimum: f32, context: &Context) -> Result<Vec<ModerationLabel>, Error> {
    let rekognition = Client::new(&context.config);
    let image = Image::builder().bytes(Blob::new(image)).build();
    // Rekognition tells of nothing that it is less than half sure of, unless it is asked to.
    let call = rekognition.detect_moderation_labels().image(image);
    let found = call.min_confidence(minimum.min(50.0)).send().await;
    let found = found.map_err(|error| DisplayErrorContext(error).to_string())?;
    Ok(found.moderation_labels().to_vec())
}

fn plain(label: &ModerationLabel) -> Value {
    json!({ "name": label.name(), "confidence": label.confidence() })
}

/// How sure, in percent, Rekognition must be of a label that blocks an image.
fn minimum_confidence() -> Result<f32, Error> {
    let text = std::env::var("MINIMUM_CONFIDENCE").unwrap_or_else(|_| "80".to_owned());
    match text.parse::<f32>() {
        Ok(minimum) if (0.0..=100.0).contains(&minimum) => Ok(minimum),
        _ => Err(format!("MINIMUM_CONFIDENCE is {text:?}, and should be a percentage").into()),
    }
}
