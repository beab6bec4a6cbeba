//! The triggers of a function: their inputs.

use crate::edge::{KeyPattern, ObjectFilter};
use crate::expr::Expr;
use crate::graph::ObjectBuilder;
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::sqs;
use crate::scalar::Scalar;
use crate::unit::Unit;
use crate::value::Value;

/// A trigger of a function.
#[derive(Debug, Inputs)]
pub(super) enum Trigger {
    /// Invokes the function for objects that are created in a bucket or removed from it.
    Bucket(BucketTrigger),
    /// Invokes the function for messages of an SQS queue.
    Queue(QueueTrigger),
    /// Invokes the function on a schedule.
    Schedule(ScheduleTrigger),
    /// Invokes the function for HTTPS requests.
    Http(HttpTrigger),
    /// Invokes the function for records of a Kinesis stream.
    Stream(StreamTrigger),
    /// Invokes the function for changes of a table's items.
    Table(TableTrigger),
    /// Invokes the function for messages of an SNS topic.
    Topic(TopicTrigger),
    /// Invokes the function for events on the default event bus.
    Event(EventTrigger),
}

#[derive(Debug, Inputs)]
pub(super) struct BucketTrigger {
    /// Name of the bucket, in the same account and region.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    pub(super) bucket: Scalar<String>,
    /// Object events that invoke the function. Default: `["created"]`.
    #[input(rule = Rule::OneOf(&["created", "removed"]))]
    pub(super) events: Vec<String>,
    /// Prefix of the object keys, e.g. `uploads/`. Objects with other keys do not invoke the function.
    #[input(rule = Rule::KEY_PART)]
    pub(super) prefix: Option<String>,
    /// Suffix of the object keys, e.g. `.mp4`. Objects with other keys do not invoke the function.
    #[input(rule = Rule::KEY_PART)]
    pub(super) suffix: Option<String>,
    #[input(flatten)]
    pub(super) loops: AllowLoop,
}

#[derive(Debug, Inputs)]
pub(super) struct QueueTrigger {
    /// ARN of the queue.
    #[input(refers = Reference::QUEUE, rule = Rule::ARN, source = Source::Object(&sqs::QUEUE))]
    pub(super) queue: Scalar<String>,
    /// Maximum number of messages per invocation. More than 10 require a standard queue and a `maximum_batching_window` of at least 1.
    #[input(flatten(batch_size(default = 10)))]
    pub(super) batch: Batching,
    #[input(flatten)]
    pub(super) loops: AllowLoop,
}

#[derive(Debug, Inputs)]
pub(super) struct ScheduleTrigger {
    /// Schedule expression, e.g. `rate(5 minutes)` or `cron(0 12 * * ? *)`.
    #[input(rule = Rule::SCHEDULE)]
    pub(super) schedule: Scalar<String>,
    /// Time zone of a cron schedule, e.g. `Europe/Berlin`.
    #[input(default = "UTC", rule = Rule::TIME_ZONE)]
    pub(super) timezone: Scalar<String>,
    /// Payload of the function, as JSON. Default: an EventBridge event with the scheduled time.
    #[input(rule = Rule::JSON)]
    pub(super) input: Option<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct HttpTrigger {
    /// Endpoint: `api` is an API Gateway HTTP API with throttling and access logs; it waits 30 seconds for a response, regardless of `timeout`. `url` is a Lambda function URL. A change of the endpoint changes the output `url`.
    #[input(rule = Rule::OneOf(&["api", "url"]))]
    pub(super) http: String,
    /// Access: `none` is public, `iam` requires an IAM permission, `jwt` (`api` only) a token of `jwt_issuer`. With `cors_origins`, an `api` passes `OPTIONS` requests without authorization: the function must do nothing for route `OPTIONS /{proxy+}`.
    #[input(rule = Rule::OneOf(&["iam", "jwt", "none"]))]
    pub(super) auth: String,
    /// URL of the token issuer (claim `iss`), e.g. `https://login.example.com/`.
    #[input(rule = Rule::Check("an HTTPS URL, e.g. `https://login.example.com`", check_https))]
    pub(super) jwt_issuer: Option<Scalar<String>>,
    /// Accepted audiences. A token must contain one of them in `aud` or `client_id`.
    pub(super) jwt_audience: Vec<Scalar<String>>,
    /// Accepted scopes. A token must contain one of them. Default: no scope is required.
    pub(super) jwt_scopes: Vec<Scalar<String>>,
    /// Origins of web pages that may send requests from a browser, e.g. `https://example.com`. Default: none.
    pub(super) cors_origins: Vec<Scalar<String>>,
    /// HTTP methods that pages of `cors_origins` may use, e.g. `POST`.
    pub(super) cors_methods: Vec<Scalar<String>>,
    /// Request headers that pages of `cors_origins` may send, e.g. `content-type`. AWS stores them in lower case.
    #[input(rule = Rule::Check("names of HTTP headers, e.g. `content-type`", check_header))]
    pub(super) cors_headers: Vec<Scalar<String>>,
    /// Requests per second that an `api` accepts before it responds with status 429.
    #[input(default = 100, rule = Rule::Range(1, 10000))]
    pub(super) throttling_rate: Scalar<i64>,
    /// Burst limit of an `api`: the requests that it accepts at the same time.
    #[input(default = 200, rule = Rule::Range(1, 5000))]
    pub(super) throttling_burst: Scalar<i64>,
}

#[derive(Debug, Inputs)]
pub(super) struct StreamTrigger {
    /// ARN of the stream.
    #[input(refers = Reference::STREAM, rule = Rule::ARN)]
    pub(super) stream: Scalar<String>,
    #[input(flatten)]
    pub(super) records: Records,
}

#[derive(Debug, Inputs)]
pub(super) struct TableTrigger {
    /// ARN of the table's stream: the output `stream_arn` of a `table` with a stream.
    #[input(refers = Reference::TABLE_STREAM, rule = Rule::ARN)]
    pub(super) table: Scalar<String>,
    #[input(flatten)]
    pub(super) records: Records,
}

/// The batches in which Lambda reads a queue or a stream.
#[derive(Debug, Inputs)]
pub(super) struct Batching {
    /// Maximum number of records per invocation.
    #[input(default = 100, rule = Rule::Range(1, 10000))]
    pub(super) batch_size: Scalar<i64>,
    /// Seconds for which Lambda gathers messages or records before an invocation.
    #[input(unit = Unit::Seconds, default = 0, rule = Rule::Range(0, 300))]
    pub(super) maximum_batching_window: Scalar<i64>,
    /// Lets the function report the failed messages or records of a batch, so that only those are delivered again. A stream continues from the first failed record.
    #[input(default = true)]
    pub(super) partial_batch_response: bool,
}

/// The input of a trigger that can be part of a loop.
#[derive(Debug, Default, Inputs)]
pub(super) struct AllowLoop {
    /// Accepts an endless loop through this trigger, e.g. of a function that ends the loop itself. Default: `false`.
    pub(super) allow_loop: Option<bool>,
}

/// Settings for reading the records of a stream.
#[derive(Debug, Inputs)]
pub(super) struct Records {
    /// Position at which a new event source mapping starts: `TRIM_HORIZON` reads from the oldest record, `LATEST` only new records. A change replaces the mapping, which starts again.
    #[input(default = "TRIM_HORIZON", rule = Rule::OneOf(&["LATEST", "TRIM_HORIZON"]))]
    pub(super) starting_position: String,
    #[input(flatten)]
    pub(super) batch: Batching,
    /// Splits a failed batch in two, so that one bad record does not block the rest.
    #[input(default = true)]
    pub(super) bisect_on_error: Scalar<bool>,
    /// Retries of a failed batch before Lambda reports it to the dead-letter queue.
    #[input(default = 3, rule = Rule::Range(0, 10000))]
    pub(super) retry_attempts: Scalar<i64>,
    /// Age in seconds at which Lambda gives up a failed record and reports it to the dead-letter queue.
    #[input(unit = Unit::Seconds, default = 86400, rule = Rule::Range(60, 604_800))]
    pub(super) maximum_record_age: Scalar<i64>,
    /// Batches of one shard that run at the same time. Records with the same partition key stay in order.
    #[input(default = 1, rule = Rule::Range(1, 10))]
    pub(super) parallelization_factor: Scalar<i64>,
    #[input(flatten)]
    pub(super) loops: AllowLoop,
}

#[derive(Debug, Inputs)]
pub(super) struct TopicTrigger {
    /// ARN of a standard topic. SNS delivers messages of a FIFO topic to queues only.
    #[input(refers = Reference::TOPIC, rule = Rule::ARN)]
    pub(super) topic: Scalar<String>,
    #[input(flatten)]
    pub(super) filter: TopicFilter,
    #[input(flatten)]
    pub(super) loops: AllowLoop,
}

/// The messages of a topic that a subscription receives.
#[derive(Debug, Inputs)]
pub(super) struct TopicFilter {
    /// Filter policy of the subscription, as JSON, e.g. `{"kind": ["video"]}`. Default: the function receives every message.
    #[input(rule = Rule::JSON_OBJECT)]
    filter_policy: Option<String>,
    /// Part of a message to which `filter_policy` applies.
    #[input(default = "MessageAttributes", rule = Rule::OneOf(&["MessageAttributes", "MessageBody"]))]
    filter_policy_scope: Scalar<String>,
}

impl TopicFilter {
    /// Sets the filter of a subscription.
    pub(super) fn set<'a>(&self, subscription: ObjectBuilder<'a>) -> ObjectBuilder<'a> {
        match &self.filter_policy {
            Some(filter) => subscription
                .set("filter_policy", parsed(filter))
                .set("filter_policy_scope", &self.filter_policy_scope),
            None => subscription,
        }
    }
}

#[derive(Debug, Inputs)]
pub(super) struct EventTrigger {
    /// Event pattern, as JSON, e.g. `{"source": ["aws.ecs"]}`.
    #[input(rule = Rule::JSON_OBJECT)]
    pub(super) event_pattern: String,
}

impl Rule {
    /// A prefix or suffix of object keys.
    pub(super) const KEY_PART: Self =
        Self::Check("a prefix or suffix without wildcards, e.g. `uploads/` or `.mp4`", check_key_part);
    /// JSON of any type.
    pub(super) const JSON: Self = Self::Check("a string of JSON, e.g. `{ \"full\": true }`", check_json);
    /// A JSON object with at least one member.
    pub(super) const JSON_OBJECT: Self = Self::Check(
        "a string that contains a JSON object, e.g. `{ \"source\": [\"aws.ecs\"] }`",
        check_object,
    );
}

/// The value of a string of JSON that was checked before.
pub(super) fn parsed(text: &str) -> Expr {
    serde_json::from_str(text).map_or(Expr::Unknown, Expr::Literal)
}

/// Checks a prefix or suffix of keys: S3 matches it literally.
pub(super) fn check_key_part(text: &str) -> Result<(), String> {
    if text.contains('*') {
        return Err(format!(
            "{text:?} contains `*`, but S3 does not support wildcards in prefixes and suffixes"
        ));
    }
    Ok(())
}

/// Checks a string of JSON.
pub(super) fn check_json(text: &str) -> Result<(), String> {
    serde_json::from_str::<serde_json::Value>(text)
        .map(drop)
        .map_err(|error| format!("{} is not valid JSON: {error}", described(text)))
}

/// Checks an HTTPS URL.
fn check_https(url: &str) -> Result<(), String> {
    let host = url.strip_prefix("https://").unwrap_or_default();
    if host.is_empty() { Err(format!("{url:?} is not an HTTPS URL with a host name")) } else { Ok(()) }
}

/// Checks the name of a header: AWS stores headers in lower case.
fn check_header(name: &str) -> Result<(), String> {
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(format!(
            "{name:?} contains upper case: AWS stores the header as `{}`",
            name.to_lowercase()
        ));
    }
    Ok(())
}

/// Checks a string of a JSON object with at least one member.
pub(super) fn check_object(text: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(members)) if members.is_empty() => {
            Err("the object is empty and matches everything: add a condition, or remove the input".to_owned())
        }
        Ok(serde_json::Value::Object(_)) => Ok(()),
        Ok(_) => Err(format!("{} is valid JSON, but not an object (`{{…}}`)", described(text))),
        Err(error) => Err(format!("{} is not valid JSON: {error}", described(text))),
    }
}

/// A string for a message; a long one is cut.
fn described(text: &str) -> String {
    Value::String(text.to_owned()).describe()
}

impl Trigger {
    /// The input with the source of its events.
    pub(super) fn source(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "bucket",
            Self::Queue(_) => "queue",
            Self::Schedule(_) => "schedule",
            Self::Http(_) => "http",
            Self::Stream(_) => "stream",
            Self::Table(_) => "table",
            Self::Topic(_) => "topic",
            Self::Event(_) => "event_pattern",
        }
    }
}

impl BucketTrigger {
    /// The objects that invoke the function.
    pub(super) fn objects(&self) -> ObjectFilter {
        let (prefix, suffix) = self.filter();
        let has = |kind: &str| self.kinds().contains(&kind);
        let keys = KeyPattern::new(prefix, suffix);
        ObjectFilter { keys, created: has("created"), removed: has("removed") }
    }

    /// The kinds of events: `created`, `removed`, or both.
    pub(super) fn kinds(&self) -> Vec<&str> {
        if self.events.is_empty() {
            vec!["created"]
        } else {
            self.events.iter().map(String::as_str).collect()
        }
    }

    /// The event types in S3's terms, e.g. `s3:ObjectCreated:*`.
    pub(super) fn events(&self) -> Vec<String> {
        let kinds = self.kinds().into_iter();
        kinds
            .map(|kind| {
                if kind == "created" { "s3:ObjectCreated:*" } else { "s3:ObjectRemoved:*" }.to_owned()
            })
            .collect()
    }

    /// Prefix and suffix of the keys; an empty string matches every key.
    pub(super) fn filter(&self) -> (&str, &str) {
        (self.prefix.as_deref().unwrap_or_default(), self.suffix.as_deref().unwrap_or_default())
    }
}
