//! Handler of the function `work-consumer`. This file is yours: tandem checks it but never overwrites it.

use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::Context;
use crate::event::Message;

/// Handles a message of one of the queues. After an error SQS delivers this message again, and no other.
pub async fn on_message(message: Message, _context: &Context) -> Result<(), Error> {
    let body: Value = serde_json::from_str(&message.body)?;
    let queue = message.record.event_source_arn;
    println!("{}", json!({ "message": "received", "queue": queue, "body": body }));
    Ok(())
}
