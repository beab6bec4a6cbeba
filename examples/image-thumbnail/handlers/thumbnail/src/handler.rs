//! Handler of the function `thumbnail`. This file is yours: tandem checks it but never overwrites it.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use lambda_runtime::Error;
use serde_json::json;

use crate::Context;
use crate::event::Object;

/// Longest edge of each thumbnail, in pixels.
const SIZES: [u32; 2] = [128, 512];

/// Handles an image uploaded to `uploads/`.
pub async fn on_object(object: Object, context: &Context) -> Result<(), Error> {
    let name = object.key.strip_prefix("uploads/").ok_or("the key does not begin with `uploads/`")?;
    let (picture, format) = decode(&context.pictures.get(&object.key).await?)?;
    let longest = picture.width().max(picture.height());
    for size in SIZES {
        let mut thumbnail = Cursor::new(Vec::new());
        let edge = size.min(longest);
        picture.thumbnail(edge, edge).write_to(&mut thumbnail, format)?;
        let (key, kind) = (format!("thumbs/{size}/{name}"), format.to_mime_type());
        context.pictures.put(&key, thumbnail.into_inner(), kind).await?;
    }
    println!("{}", json!({ "message": "thumbnails made", "key": object.key }));
    Ok(())
}

/// Decodes an image and rotates it upright: cameras store the orientation in EXIF, thumbnails have no EXIF.
fn decode(bytes: &[u8]) -> Result<(DynamicImage, ImageFormat), Error> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let format = reader.format().ok_or("the format of the image is unknown")?;
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok((picture, format))
}
