//! What the function `analysis` does. This file is yours: tandem reads it, and never writes over it.

use std::collections::BTreeSet;

use lambda_runtime::Error;
use serde_json::Value;

use crate::Context;
use crate::event::Record;

/// A post came out of the stream. An error brings it again, and all after it.
pub async fn on_record(record: Record, context: &Context) -> Result<(), Error> {
    let post: Value = serde_json::from_slice(&record.data)?;
    let text = post["text"].as_str().ok_or("a post without a text")?;
    for hashtag in hashtags(text) {
        context.counts.add(&[("hashtag", &hashtag)], "posts", 1).await?;
    }
    Ok(())
}

/// The hashtags of a text, each of them once.
fn hashtags(text: &str) -> BTreeSet<String> {
    let text = text.to_lowercase();
    let within = |c: &char| c.is_alphanumeric() || *c == '_';
    let tails = text.split('#').skip(1);
    let words = tails.map(|tail| tail.chars().take_while(within).collect::<String>());
    words.filter(|word| !word.is_empty()).collect()
}
