//! Handler of the function `moderate`. This file is yours: tandem checks it but never overwrites it.

use aws_sdk_rekognition::Client;
use aws_sdk_rekognition::error::DisplayErrorContext;
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{Image, ModerationLabel};
use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::Context;
use crate::event::Object;

/// Handles an image uploaded to `incoming/`.
pub async fn on_object(object: Object, context: &Context) -> Result<(), Error> {
    let known = context.results.get(&[("image", &object.key)]).await?;
    // S3 may deliver an event twice.
    if known.is_none_or(|known| known["token"] != object.token) {
        judge(&object, context).await?;
    }
    // Last: if an earlier step fails, a retry still finds the image.
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
    // Upload the moderated bytes. A copy could be of a newer object with the same key.
    let kind = if image.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
    context.uploads.put(&to, image, kind).await?;
    if blocked {
        context.uploads.tag(&to, &[("moderation", verdict)]).await?;
        context.review.send(&result.to_string()).await?;
    }
    println!("{result}");
    context.results.put(&result).await
}

/// Returns the moderation labels of an image.
async fn labels(image: Vec<u8>, minimum: f32, context: &Context) -> Result<Vec<ModerationLabel>, Error> {
    let rekognition = Client::new(&context.config);
    let image = Image::builder().bytes(Blob::new(image)).build();
    // The default of Rekognition is 50 %: it returns less certain labels only on request.
    let call = rekognition.detect_moderation_labels().image(image);
    let found = call.min_confidence(minimum.min(50.0)).send().await;
    let found = found.map_err(|error| DisplayErrorContext(error).to_string())?;
    Ok(found.moderation_labels().to_vec())
}

fn plain(label: &ModerationLabel) -> Value {
    json!({ "name": label.name(), "confidence": label.confidence() })
}

/// Confidence, in percent, from which a label blocks an image.
fn minimum_confidence() -> Result<f32, Error> {
    let text = std::env::var("MINIMUM_CONFIDENCE").unwrap_or_else(|_| "80".to_owned());
    match text.parse::<f32>() {
        Ok(minimum) if (0.0..=100.0).contains(&minimum) => Ok(minimum),
        _ => Err(format!("MINIMUM_CONFIDENCE is {text:?}: set a number from 0 to 100").into()),
    }
}
