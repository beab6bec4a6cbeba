//! Messages about FIFO queues and topics: message and help of each finding.

/// A callback step that sends to a FIFO queue.
pub fn callback() -> (&'static str, &'static str) {
    (
        "`callback` is a FIFO queue, but messages of callback steps have no message group",
        "Set `callback` to a standard queue: the token identifies each message.",
    )
}

/// A FIFO queue that subscribes to a standard topic.
pub fn standard_topic(topic: &str) -> (String, &'static str) {
    (
        format!("a FIFO queue cannot subscribe to the standard topic `{topic}`"),
        "Set `fifo` to `false`, or set `topic` to a FIFO topic (its name ends in `.fifo`).",
    )
}

/// The inputs of a trigger on a FIFO queue that are too large, each with its help.
pub fn batch(batch_size: Option<i64>, window: Option<i64>) -> Vec<(&'static str, &'static str)> {
    let size =
        batch_size.filter(|size| *size > 10).map(|_| ("batch_size", "Set `batch_size` to 10 or less."));
    let window = window
        .filter(|window| *window > 0)
        .map(|_| ("maximum_batching_window", "Set `maximum_batching_window` to 0."));
    size.into_iter().chain(window).collect()
}

/// The limit of [`batch`].
pub const BATCH: &str =
    "a FIFO queue delivers at most 10 messages per batch, and does not support a batching window";
