//! Handler of the function `videos-on-thumbnail`. This file is yours: tandem checks it but never overwrites it.

use lambda_runtime::Error;
use serde_json::json;

use crate::Context;
use crate::event::Object;

/// Handles an uploaded thumbnail.
pub async fn on_object(object: Object, _context: &Context) -> Result<(), Error> {
    println!("{}", json!({ "message": "thumbnail landed", "bucket": object.bucket, "key": object.key, "size": object.size }));
    Ok(())
}
