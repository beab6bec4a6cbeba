//! SQS.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{ACCOUNT, Answer, Cloud, Item, REGION, Tags, parsed, refuse, text, text_list, text_map, unknown};

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) queues: BTreeMap<String, Queue>,
    /// When a queue of that name was deleted.
    deleted: BTreeMap<String, Duration>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    attributes: BTreeMap<String, String>,
    tags: Tags,
    messages: usize,
}

/// How long a name is not free after a delete.
const RECENTLY: Duration = Duration::from_secs(60);
/// How long a deleted queue is still seen.
const LINGERS: Duration = Duration::from_secs(2);

const MISSING: &str = "The specified queue does not exist.";

const DEFAULTS: [(&str, &str); 6] = [
    ("VisibilityTimeout", "30"),
    ("MaximumMessageSize", "262144"),
    ("MessageRetentionPeriod", "345600"),
    ("DelaySeconds", "0"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("SqsManagedSseEnabled", "true"),
];

fn url(name: &str) -> String {
    format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}")
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, queue) in &self.queues {
            let (tags, settings) = (Some(queue.tags.clone()), queue.settings());
            items.push(Item { kind: "queue", name: name.clone(), tags, settings });
            if let Some(policy) = queue.attributes.get("Policy").filter(|policy| !policy.is_empty()) {
                let settings = parsed(policy);
                items.push(Item { kind: "queue policy", name: name.clone(), tags: None, settings });
            }
        }
        items
    }
}

impl Queue {
    /// Its attributes, without its policy, which is an item of its own.
    fn settings(&self) -> Json {
        let attributes = self
            .attributes
            .iter()
            .filter(|(name, value)| !matches!(name.as_str(), "Policy" | "QueueArn") && !value.is_empty());
        let told = attributes.map(|(name, value)| {
            let value = if name.ends_with("Policy") { parsed(value) } else { value.as_str().into() };
            (name.clone(), value)
        });
        told.collect()
    }
}

fn queue<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Queue, super::Refusal> {
    let name = text(input, "QueueUrl").rsplit('/').next().unwrap_or_default();
    match cloud.sqs.queues.get_mut(name) {
        Some(queue) => Ok(queue),
        None => refuse("AWS.SimpleQueueService.NonExistentQueue", MISSING),
    }
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let now = cloud.now;
    match operation {
        "CreateQueue" => {
            let name = text(input, "QueueName").to_owned();
            let given = text_map(&input["Attributes"]);
            if let Some(queue) = cloud.sqs.queues.get(&name) {
                // The same queue again is no error; tags are not looked at.
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
            let mut attributes: BTreeMap<String, String> =
                DEFAULTS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            attributes.extend(given);
            attributes.insert("QueueArn".to_owned(), format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"));
            let queue = Queue { attributes, tags: text_map(&input["tags"]), messages: 0 };
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
            queue(cloud, input)?.attributes.extend(given);
            Ok(json!({}))
        }
        "ListQueueTags" => Ok(json!({ "Tags": queue(cloud, input)?.tags })),
        "TagQueue" => {
            queue(cloud, input)?.tags.extend(text_map(&input["Tags"]));
            Ok(json!({}))
        }
        "UntagQueue" => {
            let keys = text_list(&input["TagKeys"]);
            queue(cloud, input)?.tags.retain(|key, _| !keys.contains(key));
            Ok(json!({}))
        }
        "DeleteQueue" => {
            queue(cloud, input)?;
            let name = text(input, "QueueUrl").rsplit('/').next().unwrap_or_default().to_owned();
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
