//! What sets a function off: the inputs of triggers.

use super::common::{check_arn, check_bucket};
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::sqs;
use crate::scalar::Scalar;
use crate::schedule;

/// What sets a function off.
#[derive(Debug, Inputs)]
pub(super) enum Trigger {
    /// Objects of a bucket.
    Bucket(BucketTrigger),
    /// Messages of a queue.
    Queue(QueueTrigger),
    /// The clock.
    Schedule(ScheduleTrigger),
    /// Requests over HTTPS.
    Http(HttpTrigger),
    /// Records of a Kinesis stream.
    Stream(StreamTrigger),
    /// Changes of a table's items.
    Table(TableTrigger),
    /// Messages of a topic.
    Topic(TopicTrigger),
    /// Events of EventBridge.
    Event(EventTrigger),
}

#[derive(Debug, Inputs)]
pub(super) struct BucketTrigger {
    /// Name of a bucket of this account and region.
    #[input(refers = Reference::BUCKET, rule = Rule::Check("bucket", check_bucket))]
    pub(super) bucket: Scalar<String>,
    /// What happens to the objects: `created`, `removed`, or both. `created` when not given.
    #[input(rule = Rule::OneOf(&["created", "removed"]))]
    pub(super) events: Vec<String>,
    /// What the key must begin with.
    #[input(rule = Rule::Check("part of a key", check_key_part))]
    pub(super) prefix: Option<String>,
    /// What the key must end with.
    #[input(rule = Rule::Check("part of a key", check_key_part))]
    pub(super) suffix: Option<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct QueueTrigger {
    /// ARN of an SQS queue.
    #[input(refers = Reference::QUEUE, rule = Rule::Check("ARN", check_arn), source = Source::Object(&sqs::QUEUE))]
    pub(super) queue: Scalar<String>,
    /// The most messages or records that one invocation is given.
    #[input(default = 10, rule = Rule::Range(1, 10000))]
    pub(super) batch_size: Scalar<i64>,
    /// Seconds for which messages or records are gathered before an invocation.
    #[input(default = 0, rule = Rule::Range(0, 300))]
    pub(super) maximum_batching_window: Scalar<i64>,
    /// Whether the function says which messages or records of a batch failed, so that only those come again: of a stream, all from the first that failed.
    #[input(default = true)]
    pub(super) partial_batch_response: bool,
}

#[derive(Debug, Inputs)]
pub(super) struct ScheduleTrigger {
    /// When: `rate(5 minutes)` or `cron(0 12 * * ? *)`.
    #[input(rule = Rule::Check("schedule", schedule::check))]
    pub(super) schedule: Scalar<String>,
    /// The time zone of a cron schedule, such as `Europe/Berlin`.
    #[input(default = "UTC", rule = Rule::Check("time zone", schedule::check_timezone))]
    pub(super) timezone: Scalar<String>,
    /// What the function is given, as JSON; an event that tells the time without it.
    #[input(rule = Rule::Check("JSON", check_json))]
    pub(super) input: Option<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct HttpTrigger {
    /// What takes the requests: `api` is an HTTP API with throttling and access logs, which waits 30 seconds for an answer, whatever `timeout` says; `url` is an HTTPS address of the function's own. From one to the other the output `url` changes.
    #[input(rule = Rule::OneOf(&["api", "url"]))]
    pub(super) http: String,
    /// Who may call: `none` lets everybody in, `iam` those whom a policy allows to, `jwt` (of an `api`) those who bring a token of `jwt_issuer`. With `cors_origins`, requests of the method OPTIONS are let in by an `api` without, as browsers ask so first: the function must do nothing for those of the route `OPTIONS /{proxy+}`, and a generated handler does nothing.
    #[input(rule = Rule::OneOf(&["none", "iam", "jwt"]))]
    pub(super) auth: String,
    /// URL of the issuer of tokens (their `iss`), such as `https://login.example.com/`.
    #[input(rule = Rule::Check("URL", check_https))]
    pub(super) jwt_issuer: Option<Scalar<String>>,
    /// Audiences, of which a token must name one (in `aud` or `client_id`).
    pub(super) jwt_audience: Vec<Scalar<String>>,
    /// Scopes, of which a token must have one; none is asked for without it.
    pub(super) jwt_scopes: Vec<Scalar<String>>,
    /// Origins of pages that may call from a browser, such as `https://example.com`; none without it.
    pub(super) cors_origins: Vec<Scalar<String>>,
    /// Methods that pages of `cors_origins` may use.
    pub(super) cors_methods: Vec<Scalar<String>>,
    /// Headers that pages of `cors_origins` may send, in lower case, as AWS keeps them.
    #[input(rule = Rule::Check("header", check_header))]
    pub(super) cors_headers: Vec<Scalar<String>>,
    /// Requests in a second that an `api` takes before it answers 429.
    #[input(default = 100, rule = Rule::Range(1, 10000))]
    pub(super) throttling_rate: Scalar<i64>,
    /// Requests that an `api` takes at once.
    #[input(default = 200, rule = Rule::Range(1, 5000))]
    pub(super) throttling_burst: Scalar<i64>,
}

#[derive(Debug, Inputs)]
pub(super) struct StreamTrigger {
    /// ARN of a Kinesis stream.
    #[input(refers = Reference::STREAM, rule = Rule::Check("ARN", check_arn))]
    pub(super) stream: Scalar<String>,
    #[input(flatten)]
    pub(super) records: Records,
}

#[derive(Debug, Inputs)]
pub(super) struct TableTrigger {
    /// ARN of the stream of a table: the output `stream_arn` of a `table` that has one.
    #[input(refers = Reference::TABLE_STREAM, rule = Rule::Check("ARN", check_arn))]
    pub(super) table: Scalar<String>,
    #[input(flatten)]
    pub(super) records: Records,
}

/// How records of a stream are read.
#[derive(Debug, Inputs)]
pub(super) struct Records {
    /// Where a function that is new begins to read: `TRIM_HORIZON`, the oldest record that there is, or `LATEST`. A change makes the mapping anew, which begins there again.
    #[input(default = "TRIM_HORIZON", rule = Rule::OneOf(&["LATEST", "TRIM_HORIZON"]))]
    pub(super) starting_position: String,
    /// The most messages or records that one invocation is given.
    #[input(default = 100, rule = Rule::Range(1, 10000))]
    pub(super) batch_size: Scalar<i64>,
    /// Seconds for which messages or records are gathered before an invocation.
    #[input(default = 0, rule = Rule::Range(0, 300))]
    pub(super) maximum_batching_window: Scalar<i64>,
    /// Whether the function says which messages or records of a batch failed, so that only those come again: of a stream, all from the first that failed.
    #[input(default = true)]
    pub(super) partial_batch_response: bool,
    /// Whether a batch that failed is halved, so that a record which cannot be handled blocks no others.
    #[input(default = true)]
    pub(super) bisect_on_error: Scalar<bool>,
    /// How often a batch that failed is tried again before it goes to the dead letters.
    #[input(default = 3, rule = Rule::Range(0, 10000))]
    pub(super) retry_attempts: Scalar<i64>,
    /// Seconds after which a record that could not be handled goes to the dead letters.
    #[input(default = 86400, rule = Rule::Range(60, 604_800))]
    pub(super) maximum_record_age: Scalar<i64>,
    /// How many batches of one shard are worked on at once; records of one key keep their order.
    #[input(default = 1, rule = Rule::Range(1, 10))]
    pub(super) parallelization_factor: Scalar<i64>,
}

#[derive(Debug, Inputs)]
pub(super) struct TopicTrigger {
    /// ARN of an SNS topic that keeps no order: SNS sends what must keep its order to queues alone.
    #[input(refers = Reference::TOPIC, rule = Rule::Check("ARN", check_arn))]
    pub(super) topic: Scalar<String>,
    /// Which messages come, as JSON: those whose attributes (or body) match; all of them without it.
    #[input(rule = Rule::Check("JSON", check_object))]
    pub(super) filter_policy: Option<String>,
    /// What the filter is about: `MessageAttributes` or `MessageBody`.
    #[input(default = "MessageAttributes", rule = Rule::OneOf(&["MessageAttributes", "MessageBody"]))]
    pub(super) filter_policy_scope: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct EventTrigger {
    /// Pattern of the events of the default bus that set the function off, as JSON: `{"source": ["aws.ecs"]}`.
    #[input(rule = Rule::Check("JSON", check_object))]
    pub(super) event_pattern: String,
}

/// Checks what a key begins or ends with.
pub(super) fn check_key_part(text: &str) -> Result<(), String> {
    if text.contains('*') {
        return Err(format!(
            "{text:?} holds a `*`, and S3 knows no wildcards: what is between may be anything"
        ));
    }
    Ok(())
}

/// Checks a text that holds JSON.
pub(super) fn check_json(text: &str) -> Result<(), String> {
    serde_json::from_str::<serde_json::Value>(text)
        .map(drop)
        .map_err(|error| format!("this is not JSON: {error}"))
}

/// Checks the URL of a place on the web.
fn check_https(url: &str) -> Result<(), String> {
    let host = url.strip_prefix("https://").unwrap_or_default();
    if host.is_empty() { Err(format!("{url:?} does not begin with `https://`")) } else { Ok(()) }
}

/// Checks the name of a header.
fn check_header(name: &str) -> Result<(), String> {
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(format!("{name:?} is not in lower case: write `{}`", name.to_lowercase()));
    }
    Ok(())
}

/// Checks a text that holds an object of JSON.
pub(super) fn check_object(text: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(members)) if members.is_empty() => {
            Err("this matches everything: leave it out, or say what must match".to_owned())
        }
        Ok(serde_json::Value::Object(_)) => Ok(()),
        Ok(_) => Err("this is JSON, but no object (`{…}`)".to_owned()),
        Err(error) => Err(format!("this is not JSON: {error}")),
    }
}

impl BucketTrigger {
    /// What happens to the objects.
    pub(super) fn kinds(&self) -> Vec<&str> {
        if self.events.is_empty() {
            vec!["created"]
        } else {
            self.events.iter().map(String::as_str).collect()
        }
    }

    /// The events as S3 names them.
    pub(super) fn events(&self) -> Vec<String> {
        let kinds = self.kinds().into_iter();
        kinds
            .map(|kind| {
                if kind == "created" { "s3:ObjectCreated:*" } else { "s3:ObjectRemoved:*" }.to_owned()
            })
            .collect()
    }

    /// Prefix and suffix of the keys.
    pub(super) fn filter(&self) -> (&str, &str) {
        (self.prefix.as_deref().unwrap_or_default(), self.suffix.as_deref().unwrap_or_default())
    }
}
