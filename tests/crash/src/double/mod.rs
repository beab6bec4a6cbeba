//! AWS in memory. It is as strict as AWS wherever the provider must cope with it.
//!
//! It replaces the HTTPS connection, so that the SDK, the drivers and their error handling are the real ones.
//! A request is decoded by [`wire`], executed by its service on the [`Cloud`], and its answer is encoded by
//! [`wire`].
//!
//! Create calls do not overwrite objects, and changes of immutable fields are refused. Changes in one service
//! become visible to other services after [`SETTLE`], in virtual time.

mod apigatewayv2;
mod cloudwatch;
mod dynamodb;
mod ec2;
mod ecr;
mod ecs;
mod events;
mod iam;
mod kinesis;
mod lambda;
mod logs;
mod s3;
mod scheduler;
mod sfn;
mod sns;
mod sqs;
mod sts;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tandem_model::names;
use tandem_model::ownership::{INSTANCE, OWNER};

/// The only account.
pub const ACCOUNT: &str = "123456789012";
/// The only region.
pub const REGION: &str = "eu-central-1";

/// The time after which a change in one service is visible to other services.
pub(crate) const SETTLE: Duration = Duration::from_secs(3);

/// Tags of an object.
pub(crate) type Tags = BTreeMap<String, String>;

/// All objects in AWS. A clone is a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    /// The time since the start of the world.
    pub(crate) now: Duration,
    /// The number of UUIDs created for each name.
    times: BTreeMap<String, u32>,
    /// The last number used for an id that AWS assigns.
    serial: u64,
    apigatewayv2: apigatewayv2::State,
    cloudwatch: cloudwatch::State,
    dynamodb: dynamodb::State,
    ec2: ec2::State,
    ecr: ecr::State,
    ecs: ecs::State,
    events: events::State,
    iam: iam::State,
    kinesis: kinesis::State,
    lambda: lambda::State,
    logs: logs::State,
    s3: s3::State,
    scheduler: scheduler::State,
    sfn: sfn::State,
    sns: sns::State,
    sqs: sqs::State,
}

/// A call, independent of its protocol.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The service as in the signature, e.g. `lambda`.
    pub(crate) service: String,
    /// The operation, e.g. `CreateFunction`.
    pub(crate) operation: String,
    /// Its members by their names in the service's model, including those from path and query.
    pub(crate) input: Json,
}

/// Members that identify the object of a call and have the same value in every run.
const SUBJECTS: [&str; 33] = [
    "RoleName",
    "PolicyName",
    "FunctionName",
    "StatementId",
    "QueueName",
    "QueueUrl",
    "logGroupName",
    "resourceArn",
    "ResourceArn",
    "ResourceARN",
    "Resource",
    "Bucket",
    "Name",
    "Rule",
    "GroupName",
    "repositoryName",
    "imageTag",
    "clusterName",
    "cluster",
    "family",
    "taskDefinition",
    "AlarmName",
    "AlarmNames",
    "EventSourceArn",
    "UUID",
    "GroupDescription",
    "TableName",
    "StreamName",
    "TopicArn",
    "Endpoint",
    "routeKey",
    "stateMachineArn",
    "name",
];

impl Call {
    /// The name of the call: service, operation, and the values of its [`SUBJECTS`].
    pub(crate) fn name(&self) -> String {
        let subjects = SUBJECTS.iter().filter_map(|member| match &self.input[*member] {
            Json::String(text) => Some(text.clone()),
            Json::Array(items) => Some(items.first()?.as_str()?.to_owned()),
            _ => None,
        });
        // The ARN of an API contains an id that AWS assigns, which can differ between runs.
        let subjects = subjects.filter(|text| !text.contains(":apigateway:"));
        let subjects: Vec<String> = subjects.collect();
        format!("{}:{} {}", self.service, self.operation, subjects.join(" "))
    }
}

/// The error of a refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The error code.
    pub(crate) code: String,
    /// The error message.
    pub(crate) message: String,
}

/// The answer of a call: the members of its output, by their names in the service's model.
pub(crate) type Answer = Result<Json, Refusal>;

/// Refuses a call with HTTP status 400, which most errors have.
pub(crate) fn refuse<T>(code: &str, message: impl Into<String>) -> Result<T, Refusal> {
    refuse_with(400, code, message)
}

/// Refuses a call with this HTTP status.
pub(crate) fn refuse_with<T>(status: u16, code: &str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { status, code: code.to_owned(), message: message.into() })
}

/// One object, as the matrix counts and compares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The kind, e.g. `role` or `notification`.
    pub kind: &'static str,
    /// The name that the client chose, or the name of the object that it belongs to. It contains no id that
    /// AWS assigned.
    pub name: String,
    /// Its tags; `None` if the kind has no tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// All other values that AWS would return, so that two runs can be compared. Values that AWS assigns
    /// (ids, revisions, times, transient states) are left out.
    pub settings: Json,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Cloud {
    /// Executes a call.
    pub(crate) fn call(&mut self, call: &Call) -> Answer {
        let (operation, input) = (call.operation.as_str(), &call.input);
        match call.service.as_str() {
            "apigateway" => apigatewayv2::call(self, operation, input),
            "dynamodb" => dynamodb::call(self, operation, input),
            "kinesis" => kinesis::call(self, operation, input),
            "monitoring" => cloudwatch::call(self, operation, input),
            "ec2" => ec2::call(self, operation, input),
            "ecr" => ecr::call(self, operation, input),
            "ecs" => ecs::call(self, operation, input),
            "events" => events::call(self, operation, input),
            "iam" => iam::call(self, operation, input),
            "lambda" => lambda::call(self, operation, input),
            "logs" => logs::call(self, operation, input),
            "s3" => s3::call(self, operation, input),
            "scheduler" => scheduler::call(self, operation, input),
            "sns" => sns::call(self, operation, input),
            "sqs" => sqs::call(self, operation, input),
            "states" => sfn::call(self, operation, input),
            "sts" => sts::call(operation),
            other => unknown(other, operation),
        }
    }

    /// All objects, including duplicates.
    pub fn everything(&self) -> Vec<Item> {
        let mut items = Vec::new();
        items.extend(self.apigatewayv2.items());
        items.extend(self.cloudwatch.items());
        items.extend(self.dynamodb.items());
        items.extend(self.ec2.items());
        items.extend(self.ecr.items());
        items.extend(self.ecs.items());
        items.extend(self.events.items());
        items.extend(self.iam.items());
        items.extend(self.kinesis.items());
        items.extend(self.lambda.items());
        items.extend(self.logs.items());
        items.extend(self.s3.items());
        items.extend(self.scheduler.items());
        items.extend(self.sfn.items());
        items.extend(self.sns.items());
        items.extend(self.sqs.items());
        // Settings of other objects contain ids that AWS assigned. Replace each by the name of its object.
        let mut names = self.ec2.names();
        names.extend(self.apigatewayv2.names());
        for item in &mut items {
            rename(&mut item.settings, &names);
        }
        items.sort_by_cached_key(|item| {
            (item.kind, item.name.clone(), item.settings.to_string(), item.tags.clone())
        });
        items
    }

    /// Executes a call of a user, e.g. of the AWS CLI.
    ///
    /// # Errors
    ///
    /// The code and the message of a refused call.
    pub fn by_hand(&mut self, service: &str, operation: &str, input: Json) -> Result<Json, String> {
        let call = Call { service: service.to_owned(), operation: operation.to_owned(), input };
        self.call(&call).map_err(|Refusal { code, message, .. }| format!("{code}: {message}"))
    }

    /// Replaces the notification configuration of a bucket, as another owner would.
    pub fn put_notifications(&mut self, bucket: &str, document: &str) {
        self.s3.put_notifications(bucket, document);
    }

    /// Replaces the lifecycle of a bucket, as another owner would. `minimum_size` is the setting
    /// `TransitionDefaultMinimumObjectSize`.
    pub fn put_lifecycle(&mut self, bucket: &str, document: &str, minimum_size: &str) {
        self.s3.put_lifecycle(bucket, document, minimum_size);
    }

    /// Creates a log group with the tags of an owner and an instance.
    pub fn put_log_group(&mut self, name: &str, owner: &str, instance: &str) {
        let input = json!({
            "logGroupName": name,
            "tags": { OWNER: owner, INSTANCE: instance },
        });
        let made = logs::call(self, "CreateLogGroup", &input);
        made.expect("a new log group");
    }

    /// Puts an object into a bucket, as a user would.
    pub fn put_object(&mut self, bucket: &str, key: &str) {
        self.s3.put_object(bucket, key);
    }

    /// A number that was not used before.
    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A UUID that was not used before.
    fn uuid(&mut self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.next())
    }

    /// A UUID that was not used before. It is the same in every run, because names of calls contain it.
    fn uuid_of(&mut self, what: &str) -> String {
        let time = self.times.entry(what.to_owned()).or_default();
        *time += 1;
        format!("00000000-0000-4000-{time:04x}-0000{}", names::hash(what))
    }

    /// Returns true if a change at this time is visible to all services.
    fn settled(&self, since: Duration) -> bool {
        self.now >= since + SETTLE
    }
}

/// Refuses an operation that the double does not implement. A test that needs the operation adds it.
fn unknown(service: &str, operation: &str) -> Answer {
    refuse_with(501, "NotImplementedByTheDouble", format!("{service} {operation:?}"))
}

/// A string of an input; empty if it is omitted.
fn text<'a>(input: &'a Json, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

/// A map of strings of an input.
fn text_map(value: &Json) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// Reads tags from a list of pairs with these member names.
fn tag_pairs(list: &Json, key: &str, value: &str) -> Tags {
    let pairs = list.as_array().into_iter().flatten();
    pairs.map(|pair| (text(pair, key).to_owned(), text(pair, value).to_owned())).collect()
}

/// Writes tags as a list of pairs with these member names.
fn pair_list(tags: &Tags, key: &str, value: &str) -> Json {
    let pairs = tags.iter().map(|(name, text)| {
        Json::from(serde_json::Map::from_iter([
            (key.to_owned(), name.as_str().into()),
            (value.to_owned(), text.as_str().into()),
        ]))
    });
    pairs.collect()
}

/// The form of tags in the calls of a service: the names of members, and a list of pairs or a map.
struct TagForm {
    /// The member with tags.
    tags: &'static str,
    /// The member with the keys of tags to remove.
    keys: &'static str,
    /// The members of a pair; `None` for a map.
    pair: Option<(&'static str, &'static str)>,
}

impl TagForm {
    const fn pairs(tags: &'static str, keys: &'static str, key: &'static str, value: &'static str) -> Self {
        Self { tags, keys, pair: Some((key, value)) }
    }

    const fn map(tags: &'static str, keys: &'static str) -> Self {
        Self { tags, keys, pair: None }
    }

    /// The tags of an input.
    fn given(&self, input: &Json) -> Tags {
        let given = &input[self.tags];
        self.pair.map_or_else(|| text_map(given), |(key, value)| tag_pairs(given, key, value))
    }

    /// Tags in this form.
    fn shown(&self, tags: &Tags) -> Json {
        self.pair.map_or_else(|| json!(tags), |(key, value)| pair_list(tags, key, value))
    }

    /// The answer of a call that lists the tags of an object.
    fn list(&self, tags: &Tags) -> Json {
        json!({ self.tags: self.shown(tags) })
    }

    /// Adds the tags of an input to an object. Returns the answer.
    fn add(&self, tags: &mut Tags, input: &Json) -> Json {
        tags.extend(self.given(input));
        json!({})
    }

    /// Removes the tags whose keys are in an input from an object. Returns the answer.
    fn remove(&self, tags: &mut Tags, input: &Json) -> Json {
        let keys = text_list(&input[self.keys]);
        tags.retain(|key, _| !keys.contains(key));
        json!({})
    }
}

/// Parses a JSON document, so that the order of its members does not matter. Other documents stay strings.
fn parsed(document: &str) -> Json {
    serde_json::from_str(document).unwrap_or_else(|_| document.into())
}

/// Replaces a member that is a JSON document by its parsed value.
fn parse(object: &mut Json, member: &str) {
    if let Some(document) = object[member].as_str() {
        object[member] = parsed(document);
    }
}

/// Removes these members from an object.
fn without(mut object: Json, members: &[&str]) -> Json {
    if let Some(object) = object.as_object_mut() {
        object.retain(|name, _| !members.contains(&name.as_str()));
    }
    object
}

/// Replaces ids by names in all strings.
fn rename(settings: &mut Json, names: &BTreeMap<String, String>) {
    match settings {
        Json::String(text) => {
            for (id, name) in names {
                if text.contains(id) {
                    *text = text.replace(id, name);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        Json::Object(members) => members.values_mut().for_each(|member| rename(member, names)),
        _ => {}
    }
}

/// A list of strings of an input.
fn text_list(value: &Json) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}

/// The part of an ARN after the last colon or slash.
fn last(arn: &str) -> &str {
    arn.rsplit([':', '/']).next().unwrap_or_default()
}
