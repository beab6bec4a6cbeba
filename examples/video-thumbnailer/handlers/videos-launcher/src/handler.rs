//! Handler of the function `videos-launcher`. This file is yours: tandem checks it but never overwrites it.

use lambda_runtime::Error;
use serde_json::json;

use crate::Context;
use crate::event::Object;

/// Handles an event of an object in the bucket.
pub async fn on_object(object: Object, context: &Context) -> Result<(), Error> {
    for task in &context.tasks {
        let variables = [("TANDEM_BUCKET", &*object.bucket), ("TANDEM_KEY", &*object.key)];
        let started = task.start(&object.token, &variables).await?;
        println!("{}", json!({ "message": "task started", "key": object.key, "task": started }));
    }
    Ok(())
}
