//! AWS in memory: as strict as AWS is known to be, where the provider must cope with it.
//!
//! It stands where HTTPS would carry the calls, so that the SDK, the drivers and what they make of
//! errors are the real ones. A call is read from its protocol ([`wire`]), carried out by its service on
//! the [`Cloud`], and its answer written back. Objects are made by create-only calls, immutable fields
//! are refused, and what AWS lets others see only later ([`SETTLE`]) is seen later here: in virtual time.

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

use serde_json::Value as Json;
use tandem_model::names;
use tandem_model::ownership::{INSTANCE, OWNER};

/// The one account.
pub const ACCOUNT: &str = "123456789012";
/// The one region.
pub const REGION: &str = "eu-central-1";

/// How long what one service was told takes to be seen by another.
pub(crate) const SETTLE: Duration = Duration::from_secs(3);

/// Tags of an object.
pub(crate) type Tags = BTreeMap<String, String>;

/// Everything that exists. A copy of it is AWS as it was.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    /// The time, since the beginning.
    pub(crate) now: Duration,
    /// How often something of this name was made.
    times: BTreeMap<String, u32>,
    /// The last number given to something that AWS names by itself.
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

/// A call, freed of its protocol.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The service, as the signature names it: `lambda`.
    pub(crate) service: String,
    /// The operation: `CreateFunction`.
    pub(crate) operation: String,
    /// Its members, those of path and query as well, by their names in the service's model.
    pub(crate) input: Json,
}

/// Members that say what a call is about, and that no two runs name differently.
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
    /// What it is called: service, operation, and what it is about.
    pub(crate) fn name(&self) -> String {
        let subjects = SUBJECTS.iter().filter_map(|member| match &self.input[*member] {
            Json::String(text) => Some(text.clone()),
            Json::Array(items) => Some(items.first()?.as_str()?.to_owned()),
            _ => None,
        });
        // What AWS numbers by itself, or names by a random text, is nothing to go by.
        let subjects = subjects.filter(|text| !text.contains(":apigateway:"));
        let subjects: Vec<String> = subjects.collect();
        format!("{}:{} {}", self.service, self.operation, subjects.join(" "))
    }
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// The error's code.
    pub(crate) code: String,
    /// What AWS says.
    pub(crate) message: String,
}

/// What a call answers: its output's members, by their names in the service's model.
pub(crate) type Answer = Result<Json, Refusal>;

/// A refusal with the status that most errors have.
pub(crate) fn refuse<T>(code: &str, message: impl Into<String>) -> Result<T, Refusal> {
    refuse_with(400, code, message)
}

/// A refusal.
pub(crate) fn refuse_with<T>(status: u16, code: &str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { status, code: code.to_owned(), message: message.into() })
}

/// One object, for the count of what exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The kind: `role`, `notification`.
    pub kind: &'static str,
    /// What names it for us: what the client chose, or what it is for, never what AWS chose.
    pub name: String,
    /// Its tags; `None` for what carries none.
    pub tags: Option<BTreeMap<String, String>>,
    /// Everything else that AWS would tell of it, so that two runs can be compared; what AWS chose itself
    /// (ids, revisions, times, states that pass) is left out.
    pub settings: Json,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Cloud {
    /// Carries out a call.
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

    /// Everything that exists, things that stand twice included.
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
        // Ids that AWS chose stand in the settings of others: there they are the names of what they are of.
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

    /// Puts a document of notifications in place of a bucket's, as somebody else would.
    pub fn put_notifications(&mut self, bucket: &str, document: &str) {
        self.s3.put_notifications(bucket, document);
    }

    /// Puts a log group there that says whose it is.
    pub fn put_log_group(&mut self, name: &str, owner: &str, instance: &str) {
        let input = serde_json::json!({
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

    /// A number that was never given before.
    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A UUID that was never given before.
    fn uuid(&mut self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.next())
    }

    /// A UUID that was never given before, and that the same run of things gives again: calls are named by it.
    fn uuid_of(&mut self, what: &str) -> String {
        let time = self.times.entry(what.to_owned()).or_default();
        *time += 1;
        format!("00000000-0000-4000-{time:04x}-0000{}", names::hash(what))
    }

    /// Whether what was done at this time is seen everywhere.
    fn settled(&self, since: Duration) -> bool {
        self.now >= since + SETTLE
    }
}

/// What the double does not know: a test that needs it adds it.
fn unknown(service: &str, operation: &str) -> Answer {
    refuse_with(501, "NotImplementedByTheDouble", format!("{service} {operation:?}"))
}

/// A text of an input; empty when it is not given.
fn text<'a>(input: &'a Json, member: &str) -> &'a str {
    input[member].as_str().unwrap_or_default()
}

/// A map of texts of an input.
fn text_map(value: &Json) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

/// Tags given as a list of pairs, whose members are called so.
fn tag_pairs(list: &Json, key: &str, value: &str) -> Tags {
    let pairs = list.as_array().into_iter().flatten();
    pairs.map(|pair| (text(pair, key).to_owned(), text(pair, value).to_owned())).collect()
}

/// Tags as a list of pairs, whose members are called so.
fn pair_list(tags: &Tags, key: &str, value: &str) -> Json {
    let pairs = tags.iter().map(|(name, text)| {
        Json::from(serde_json::Map::from_iter([
            (key.to_owned(), name.as_str().into()),
            (value.to_owned(), text.as_str().into()),
        ]))
    });
    pairs.collect()
}

/// A document as JSON, so that the order of its members does not count; what is none stays a text.
fn parsed(document: &str) -> Json {
    serde_json::from_str(document).unwrap_or_else(|_| document.into())
}

/// Has a member that is a document as JSON.
fn parse(object: &mut Json, member: &str) {
    if let Some(document) = object[member].as_str() {
        object[member] = parsed(document);
    }
}

/// What is left of an object without these members.
fn without(mut object: Json, members: &[&str]) -> Json {
    if let Some(object) = object.as_object_mut() {
        object.retain(|name, _| !members.contains(&name.as_str()));
    }
    object
}

/// Puts names in the place of ids, wherever a text has one.
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

/// A list of texts of an input.
fn text_list(value: &Json) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect()
}

/// What follows the last colon or slash of an ARN.
fn last(arn: &str) -> &str {
    arn.rsplit([':', '/']).next().unwrap_or_default()
}
