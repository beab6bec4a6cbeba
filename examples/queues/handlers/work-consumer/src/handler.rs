//! What the function `work-consumer` does. This file is yours: tandem reads it, and never writes over it.

use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::Context;
use crate::event::Message;

/// A message came out of one of the queues. An error gives it out again, and it alone.
pub async fn on_message(message: Message, _context: &Context) -> Result<(), Error> {
    let body: Value = serde_json::from_str(&message.body)?;
    let queue = message.record.event_source_arn;
    println!("{}", json!({ "message": "received", "queue": queue, "body": body }));
    Ok(())
}
