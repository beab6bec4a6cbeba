//! What the function `videos-on-thumbnail` does. This file is yours: tandem reads it, and never writes over it.

use lambda_runtime::Error;
use serde_json::json;

use crate::Context;
use crate::event::Object;

/// A thumbnail landed in the bucket.
pub async fn on_object(object: Object, _context: &Context) -> Result<(), Error> {
    println!("{}", json!({ "message": "thumbnail landed", "bucket": object.bucket, "key": object.key, "size": object.size }));
    Ok(())
}
