//! SQS: queues and their policies.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, last, parsed, refuse, text, text_list,
    text_map, unknown,
};

const TAGS: TagForm = TagForm::map("Tags", "TagKeys");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) queues: BTreeMap<String, Queue>,
    /// The time at which a queue of that name was deleted.
    deleted: BTreeMap<String, Duration>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    attributes: BTreeMap<String, String>,
    tags: Tags,
    messages: usize,
}

/// The time after a delete in which the name cannot be used again.
const RECENTLY: Duration = Duration::from_secs(60);
/// The time for which a deleted queue stays visible.
const LINGERS: Duration = Duration::from_secs(2);

const MISSING: &str = "The specified queue does not exist.";

const DEFAULTS: [(&str, &str); 6] = [
    ("VisibilityTimeout", "30"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("DelaySeconds", "0"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("SqsManagedSseEnabled", "true"),
];
/// Further defaults of a FIFO queue.
const FIFO_DEFAULTS: [(&str, &str); 3] = [
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
];
/// Attributes that are numbers, with their minimum and maximum.
const NUMBERS: [(&str, u32, u32); 6] = [
    ("VisibilityTimeout", 0, 43_200),
    ("MaximumMessageSize", 1024, 1_048_576),
    ("MessageRetentionPeriod", 60, 1_209_600),
    ("DelaySeconds", 0, 900),
    ("ReceiveMessageWaitTimeSeconds", 0, 20),
    ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
];
/// Attributes of other types.
const OTHERS: [&str; 6] =
    ["FifoQueue", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled"];
/// Policies of a queue that count as separate items.
const POLICIES: [(&str, &str); 2] =
    [("Policy", "queue policy"), ("RedriveAllowPolicy", "queue redrive allow policy")];
/// The suffix of the name of a FIFO queue.
const FIFO: &str = ".fifo";

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

fn url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, queue) in &self.queues {
            let (tags, settings) = (Some(queue.tags.clone()), queue.settings());
            items.push(Item { kind: "queue", name: name.clone(), tags, settings });
            for (attribute, kind) in POLICIES {
                if let Some(policy) = queue.attributes.get(attribute).filter(|policy| !policy.is_empty()) {
                    let settings = parsed(policy);
                    items.push(Item { kind, name: name.clone(), tags: None, settings });
                }
            }
        }
        items
    }
}

impl Queue {
    /// Its attributes, except those that are separate items.
    fn settings(&self) -> Json {
        let apart = |name: &str| name == "QueueArn" || POLICIES.iter().any(|(policy, _)| *policy == name);
        let attributes = self.attributes.iter().filter(|(name, value)| !apart(name) && !value.is_empty());
        let told = attributes.map(|(name, value)| {
            let value = if name.ends_with("Policy") { parsed(value) } else { value.as_str().into() };
            (name.clone(), value)
        });
        told.collect()
    }
}

fn queue<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Queue, Refusal> {
    let name = last(text(input, "QueueUrl"));
    match cloud.sqs.queues.get_mut(name) {
        Some(queue) => Ok(queue),
        None => refuse("AWS.SimpleQueueService.NonExistentQueue", MISSING),
    }
}

/// Checks the name of a new queue. Only the name of a FIFO queue has the suffix.
fn check_name(name: &str, fifo: bool) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let plain = if fifo { name.strip_suffix(FIFO).unwrap_or_default() } else { name };
    if !plain.is_empty() && plain.bytes().all(allowed) && name.len() <= 80 {
        return Ok(());
    }
    let message = if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end \
         with .fifo suffix and be 1 to 80 in length."
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    };
    refuse("InvalidParameterValue", message)
}

/// Checks each attribute of a queue by itself.
fn check(cloud: &Cloud, name: &str, given: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let fifo = name.ends_with(FIFO);
    for (attribute, value) in given {
        let number = NUMBERS.iter().find(|(known, ..)| known == attribute);
        let of_fifo = FIFO_DEFAULTS.iter().any(|(known, _)| known == attribute);
        let known = number.is_some() || OTHERS.contains(&attribute.as_str()) || of_fifo && fifo;
        // A standard queue omits `FifoQueue`.
        if !known || attribute == "FifoQueue" && !(fifo && value == "true") {
            return refuse("InvalidAttributeName", format!("Unknown Attribute {attribute}."));
        }
        let fits = match attribute.as_str() {
            "ContentBasedDeduplication" | "SqsManagedSseEnabled" => {
                ["true", "false"].contains(&value.as_str())
            }
            _ => number.is_none_or(|(_, low, high)| {
                value.parse::<u32>().is_ok_and(|number| (*low..=*high).contains(&number))
            }),
        };
        if !fits {
            let message = format!("Invalid value for the parameter {attribute}.");
            return refuse("InvalidAttributeValue", message);
        }
        let fault = match attribute.as_str() {
            _ if value.is_empty() => None,
            "RedrivePolicy" => redrive_fault(cloud, name, &parsed(value)),
            "RedriveAllowPolicy" => redrive_allow_fault(&parsed(value)),
            "Policy" if !parsed(value).is_object() => Some("It is not JSON.".to_owned()),
            _ => None,
        };
        if let Some(fault) = fault {
            let message = format!("Value {value} for parameter {attribute} is invalid. Reason: {fault}");
            return refuse("InvalidParameterValue", message);
        }
    }
    Ok(())
}

/// The error in a redrive policy, if any.
fn redrive_fault(cloud: &Cloud, name: &str, policy: &Json) -> Option<String> {
    let (target, count) = (text(policy, "deadLetterTargetArn"), &policy["maxReceiveCount"]);
    if target.is_empty() || count.is_null() {
        return Some("Redrive policy does not contain mandatory attributes.".to_owned());
    }
    // The count may be a string.
    let count: Option<u64> = count.as_u64().or_else(|| count.as_str()?.parse().ok());
    if count.is_none_or(|count| !(1..=1000).contains(&count)) {
        return Some("Invalid value for maxReceiveCount.".to_owned());
    }
    let Some(letters) = cloud.sqs.queues.get(last(target)).filter(|_| target == arn(last(target))) else {
        return Some("Dead letter target does not exist.".to_owned());
    };
    if name.ends_with(FIFO) != target.ends_with(FIFO) {
        return Some("Dead-letter queue must be same type of queue as the source.".to_owned());
    }
    let policy = parsed(letters.attributes.get("RedriveAllowPolicy").map_or("{}", String::as_str));
    let allowed = match text(&policy, "redrivePermission") {
        "denyAll" => false,
        "byQueue" => text_list(&policy["sourceQueueArns"]).contains(&arn(name)),
        _ => true,
    };
    (!allowed).then(|| "Source queue is not allowed by the target's redrive allow policy.".to_owned())
}

/// The error in a redrive allow policy, if any.
fn redrive_allow_fault(policy: &Json) -> Option<String> {
    let queues = text_list(&policy["sourceQueueArns"]);
    let fits = match text(policy, "redrivePermission") {
        "allowAll" | "denyAll" => queues.is_empty(),
        "byQueue" => {
            (1..=10).contains(&queues.len()) && queues.iter().all(|queue| queue.starts_with("arn:aws:sqs:"))
        }
        _ => false,
    };
    (!fits).then(|| "Redrive allow policy is not valid.".to_owned())
}

/// The attributes of a new queue.
fn attributes(name: &str, given: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let fifo: &[(&str, &str)] = if name.ends_with(FIFO) { &FIFO_DEFAULTS } else { &[] };
    let defaults = DEFAULTS.iter().chain(fifo);
    let mut attributes: BTreeMap<String, String> =
        defaults.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    attributes.extend(given);
    attributes.insert("QueueArn".to_owned(), arn(name));
    attributes
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let now = cloud.now;
    match operation {
        "CreateQueue" => {
            let name = text(input, "QueueName").to_owned();
            let given = text_map(&input["Attributes"]);
            check_name(&name, given.get("FifoQueue").is_some_and(|value| value == "true"))?;
            check(cloud, &name, &given)?;
            if let Some(queue) = cloud.sqs.queues.get(&name) {
                // Creating the same queue again is not an error. Its tags are not compared.
                return if given.iter().all(|(key, value)| queue.attributes.get(key) == Some(value)) {
                    Ok(json!({ "QueueUrl": url(&name) }))
                } else {
                    refuse(
                        "QueueAlreadyExists",
                        "A queue already exists with the same name and a different value for attribute VisibilityTimeout",
                    )
                };
            }
            if cloud.sqs.deleted.get(&name).is_some_and(|at| now < *at + RECENTLY) {
                return refuse(
                    "AWS.SimpleQueueService.QueueDeletedRecently",
                    "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
                );
            }
            let queue =
                Queue { attributes: attributes(&name, given), tags: text_map(&input["tags"]), messages: 0 };
            cloud.sqs.queues.insert(name.clone(), queue);
            Ok(json!({ "QueueUrl": url(&name) }))
        }
        "GetQueueUrl" => {
            let name = text(input, "QueueName");
            let lingers = cloud.sqs.deleted.get(name).is_some_and(|at| now < *at + LINGERS);
            if cloud.sqs.queues.contains_key(name) || lingers {
                return Ok(json!({ "QueueUrl": url(name) }));
            }
            refuse("AWS.SimpleQueueService.NonExistentQueue", MISSING)
        }
        "GetQueueAttributes" => {
            let queue = queue(cloud, input)?;
            let mut attributes = queue.attributes.clone();
            attributes.insert("ApproximateNumberOfMessages".to_owned(), queue.messages.to_string());
            attributes.retain(|_, value| !value.is_empty());
            Ok(json!({ "Attributes": attributes }))
        }
        "SetQueueAttributes" => {
            let given = text_map(&input["Attributes"]);
            queue(cloud, input)?;
            check(cloud, last(text(input, "QueueUrl")), &given)?;
            queue(cloud, input)?.attributes.extend(given);
            Ok(json!({}))
        }
        "ListQueueTags" => Ok(TAGS.list(&queue(cloud, input)?.tags)),
        "TagQueue" => Ok(TAGS.add(&mut queue(cloud, input)?.tags, input)),
        "UntagQueue" => Ok(TAGS.remove(&mut queue(cloud, input)?.tags, input)),
        "DeleteQueue" => {
            queue(cloud, input)?;
            let name = last(text(input, "QueueUrl")).to_owned();
            cloud.sqs.queues.remove(&name);
            cloud.sqs.deleted.insert(name, now);
            Ok(json!({}))
        }
        "ListQueues" => {
            let prefix = text(input, "QueueNamePrefix");
            let names = cloud.sqs.queues.keys().filter(|name| name.starts_with(prefix));
            Ok(json!({ "QueueUrls": names.map(|name| url(name)).collect::<Vec<_>>() }))
        }
        other => unknown("sqs", other),
    }
}
