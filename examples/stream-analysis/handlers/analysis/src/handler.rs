//! Handler of the function `analysis`. This file is yours: tandem checks it but never overwrites it.

use std::collections::BTreeSet;

use lambda_runtime::Error;
use serde_json::Value;

use crate::Context;
use crate::event::Record;

/// Handles a record of the stream. After an error Lambda delivers this record and all later ones again.
pub async fn on_record(record: Record, context: &Context) -> Result<(), Error> {
    let post: Value = serde_json::from_slice(&record.data)?;
    let text = post["text"].as_str().ok_or("the post has no `text`")?;
    for hashtag in hashtags(text) {
        context.counts.add(&[("hashtag", &hashtag)], "posts", 1).await?;
    }
    Ok(())
}

/// Returns the distinct hashtags of a post.
fn hashtags(text: &str) -> BTreeSet<String> {
    let text = text.to_lowercase();
    let within = |c: &char| c.is_alphanumeric() || *c == '_';
    let tails = text.split('#').skip(1);
    let words = tails.map(|tail| tail.chars().take_while(within).collect::<String>());
    words.filter(|word| !word.is_empty()).collect()
}
