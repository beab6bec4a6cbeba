//! SNS: topics, their policies and their subscriptions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, pair_list, parsed, refuse, refuse_with,
    tag_pairs, text, text_list, unknown,
};

const TAGS: TagForm = TagForm::pairs("Tags", "TagKeys", "Key", "Value");

/// Attributes of a topic or a subscription. All values are strings.
type Attributes = BTreeMap<String, String>;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    topics: BTreeMap<String, Topic>,
    /// The time at which a topic of that name was deleted.
    deleted: BTreeMap<String, Duration>,
}

#[derive(Clone, Debug, Default)]
struct Topic {
    /// The attributes that the client chose, and its policy.
    attributes: Attributes,
    tags: Tags,
    subscriptions: Vec<Subscription>,
}

#[derive(Clone, Debug)]
struct Subscription {
    arn: String,
    protocol: String,
    endpoint: String,
    /// The attributes that the client chose.
    attributes: Attributes,
    deleted: Option<Duration>,
}

/// The time for which lists still contain a deleted object.
const LINGERS: Duration = Duration::from_secs(3);
/// The id of the default policy of a topic.
const DEFAULT_POLICY: &str = "__default_policy_ID";
/// The suffix of the name of a FIFO topic.
const FIFO: &str = ".fifo";
/// The maximum length of a display name, in characters.
const DISPLAY_NAME: usize = 100;
/// Protocols whose subscriptions need no confirmation.
const TRUSTED: [&str; 5] = ["application", "firehose", "lambda", "sms", "sqs"];
/// Protocols whose subscriptions must be confirmed.
const ASKED: [&str; 4] = ["email", "email-json", "http", "https"];
/// Protocols that support raw message delivery.
const RAW: [&str; 4] = ["firehose", "http", "https", "sqs"];

fn arn(name: &str) -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}")
}

/// The policy that SNS attaches to a new topic.
fn default_policy(name: &str) -> String {
    let actions = [
        "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes",
        "SNS:AddPermission",
        "SNS:RemovePermission",
        "SNS:DeleteTopic",
        "SNS:Subscribe",
        "SNS:ListSubscriptionsByTopic",
        "SNS:Publish",
    ];
    let policy = json!({
        "Version": "2008-10-17",
        "Id": DEFAULT_POLICY,
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions,
            "Resource": arn(name),
            "Condition": { "StringEquals": { "AWS:SourceOwner": ACCOUNT } },
        }],
    });
    policy.to_string()
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, topic) in &self.topics {
            let chosen = topic.attributes.iter().filter(|(attribute, _)| attribute.as_str() != "Policy");
            let settings =
                chosen.map(|(attribute, value)| (attribute.clone(), Json::from(value.as_str()))).collect();
            items.push(Item { kind: "topic", name: name.clone(), tags: Some(topic.tags.clone()), settings });
            let policy = parsed(topic.attributes.get("Policy").map_or("", String::as_str));
            if policy["Id"] != DEFAULT_POLICY {
                items.push(Item { kind: "topic policy", name: name.clone(), tags: None, settings: policy });
            }
            let subscriptions = topic.subscriptions.iter();
            items.extend(subscriptions.filter(|subscription| subscription.deleted.is_none()).map(
                |subscription| Item {
                    kind: "subscription",
                    name: format!("{name}|{}", subscription.endpoint),
                    tags: None,
                    settings: subscription.settings(),
                },
            ));
        }
        items
    }
}

impl Topic {
    fn is_fifo(&self) -> bool {
        self.attributes.contains_key("FifoTopic")
    }

    /// The answer of GetTopicAttributes.
    fn described(&self, arn: &str) -> Attributes {
        let alive = || self.subscriptions.iter().filter(|subscription| subscription.deleted.is_none());
        let pending = alive().filter(|subscription| subscription.is_pending()).count();
        let delivery = json!({ "http": { "defaultHealthyRetryPolicy": { "numRetries": 3 } } });
        let mut attributes = self.attributes.clone();
        attributes.extend([
            ("TopicArn".to_owned(), arn.to_owned()),
            ("Owner".to_owned(), ACCOUNT.to_owned()),
            ("SubscriptionsConfirmed".to_owned(), (alive().count() - pending).to_string()),
            ("SubscriptionsPending".to_owned(), pending.to_string()),
            ("SubscriptionsDeleted".to_owned(), (self.subscriptions.len() - alive().count()).to_string()),
            ("EffectiveDeliveryPolicy".to_owned(), delivery.to_string()),
        ]);
        attributes
    }
}

impl Subscription {
    fn is_pending(&self) -> bool {
        ASKED.contains(&self.protocol.as_str())
    }

    fn settings(&self) -> Json {
        let attributes = self.attributes.iter().map(|(name, value)| {
            let value = if name.ends_with("Policy") { parsed(value) } else { value.as_str().into() };
            (name.clone(), value)
        });
        let mut settings: Json = attributes.collect();
        settings["Protocol"] = self.protocol.as_str().into();
        settings
    }

    /// The answer of GetSubscriptionAttributes.
    fn described(&self) -> Attributes {
        let mut attributes = self.attributes.clone();
        // SNS returns the scope of a filter only with a filter. It then returns the default, too.
        if !attributes.contains_key("FilterPolicy") {
            attributes.remove("FilterPolicyScope");
        } else if !attributes.contains_key("FilterPolicyScope") {
            attributes.insert("FilterPolicyScope".to_owned(), "MessageAttributes".to_owned());
        }
        let (topic, _) = self.arn.rsplit_once(':').unwrap_or_default();
        let pending = self.is_pending();
        attributes.extend([
            ("SubscriptionArn".to_owned(), self.arn.clone()),
            ("TopicArn".to_owned(), topic.to_owned()),
            ("Protocol".to_owned(), self.protocol.clone()),
            ("Endpoint".to_owned(), self.endpoint.clone()),
            ("Owner".to_owned(), ACCOUNT.to_owned()),
            ("PendingConfirmation".to_owned(), pending.to_string()),
            ("ConfirmationWasAuthenticated".to_owned(), (!pending).to_string()),
        ]);
        attributes
    }

    /// Its entry in lists.
    fn listed(&self, topic: &str) -> Json {
        let arn = match (self.deleted, self.is_pending()) {
            (Some(_), _) => "Deleted",
            (None, true) => "PendingConfirmation",
            (None, false) => self.arn.as_str(),
        };
        json!({
            "SubscriptionArn": arn,
            "Owner": ACCOUNT,
            "Protocol": self.protocol,
            "Endpoint": self.endpoint,
            "TopicArn": topic,
        })
    }
}

/// Refuses a parameter that is missing or invalid.
fn invalid<T>(what: &str) -> Result<T, Refusal> {
    refuse("InvalidParameter", format!("Invalid parameter: {what}"))
}

/// The topic that a member names. Calls on tags refuse a missing topic with another code.
fn named<'a>(
    cloud: &'a mut Cloud,
    input: &Json,
    member: &str,
    (code, message): (&str, &str),
) -> Result<&'a mut Topic, Refusal> {
    let Some(name) = text(input, member).strip_prefix(&arn("")) else {
        return invalid(&format!("{member} Reason: An ARN must have at least 6 elements"));
    };
    match cloud.sns.topics.get_mut(name) {
        Some(topic) => Ok(topic),
        None => refuse_with(404, code, message),
    }
}

fn topic<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Topic, Refusal> {
    named(cloud, input, "TopicArn", ("NotFound", "Topic does not exist"))
}

/// The topic of a call on tags.
fn tagged<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Topic, Refusal> {
    named(cloud, input, "ResourceArn", ("ResourceNotFound", "Resource does not exist"))
}

/// The subscription of a call, if it exists. The ARN must be valid.
fn subscription<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<Option<&'a mut Subscription>, Refusal> {
    let arn = text(input, "SubscriptionArn");
    if arn.split(':').count() < 6 {
        return invalid("SubscriptionArn Reason: An ARN must have at least 6 elements, not 1");
    }
    let mut all = cloud.sns.topics.values_mut().flat_map(|topic| &mut topic.subscriptions);
    Ok(all.find(|subscription| subscription.arn == arn && subscription.deleted.is_none()))
}

fn existing<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Subscription, Refusal> {
    match subscription(cloud, input)? {
        Some(subscription) => Ok(subscription),
        None => refuse_with(404, "NotFound", "Subscription does not exist"),
    }
}

/// The attributes of a call.
fn given(input: &Json) -> Attributes {
    tag_pairs(&input["Attributes"]["entry"], "key", "value")
}

fn check_name(name: &str, fifo: bool) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let plain = if fifo { name.strip_suffix(FIFO).unwrap_or_default() } else { name };
    if !plain.is_empty() && plain.bytes().all(allowed) && name.len() <= 256 {
        return Ok(());
    }
    invalid("Topic Name")
}

/// Checks a mutable attribute of a topic.
fn check_attribute(fifo: bool, attribute: &str, value: &str) -> Result<(), Refusal> {
    match attribute {
        "DisplayName" if value.chars().count() > DISPLAY_NAME => invalid("DisplayName"),
        "Policy" => check_policy(value),
        "ContentBasedDeduplication" if !fifo => {
            invalid("Content-based deduplication can only be set for FIFO topics")
        }
        "ContentBasedDeduplication" if !["true", "false"].contains(&value) => {
            invalid("ContentBasedDeduplication")
        }
        "ContentBasedDeduplication"
        | "DeliveryPolicy"
        | "DisplayName"
        | "KmsMasterKeyId"
        | "SignatureVersion"
        | "TracingConfig" => Ok(()),
        _ => invalid("AttributeName"),
    }
}

/// Checks the policy of a topic. A wildcard is refused, because it includes actions that topics do not have.
fn check_policy(text: &str) -> Result<(), Refusal> {
    let policy = parsed(text);
    let Some(statements) = policy["Statement"].as_array() else { return invalid("Policy Error: null") };
    for statement in statements {
        let mut actions = text_list(&statement["Action"]);
        actions.extend(statement["Action"].as_str().map(ToOwned::to_owned));
        let of_topics =
            |action: &String| action.to_ascii_lowercase().starts_with("sns:") && !action.contains('*');
        if actions.is_empty() || !actions.iter().all(of_topics) {
            return invalid("Policy statement action out of service scope!");
        }
    }
    Ok(())
}

/// Creates a topic. An existing one with the same attributes and tags is returned as if it were new.
fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = text(input, "Name");
    let (mut given, tags) = (given(input), TAGS.given(input));
    let fifo = given.get("FifoTopic").is_some_and(|value| value == "true");
    check_name(name, fifo)?;
    for (attribute, value) in given.iter().filter(|(attribute, _)| attribute.as_str() != "FifoTopic") {
        check_attribute(fifo, attribute, value)?;
    }
    given.retain(|attribute, value| attribute != "FifoTopic" || value == "true");
    let made = json!({ "TopicArn": arn(name) });
    if let Some(topic) = cloud.sns.topics.get(name) {
        if given.iter().any(|(attribute, value)| topic.attributes.get(attribute) != Some(value)) {
            return invalid("Attributes Reason: Topic already exists with different attributes");
        }
        if !tags.is_empty() && topic.tags != tags {
            return invalid("Tags Reason: Topic already exists with different tags");
        }
        return Ok(made);
    }
    let mut attributes = Attributes::from([
        ("DisplayName".to_owned(), String::new()),
        ("Policy".to_owned(), default_policy(name)),
    ]);
    if fifo {
        attributes.insert("ContentBasedDeduplication".to_owned(), "false".to_owned());
    }
    attributes.extend(given);
    cloud.sns.deleted.remove(name);
    cloud.sns.topics.insert(name.to_owned(), Topic { attributes, tags, subscriptions: Vec::new() });
    Ok(made)
}

fn set_topic_attribute(cloud: &mut Cloud, input: &Json) -> Answer {
    let (attribute, value) = (text(input, "AttributeName"), text(input, "AttributeValue"));
    let topic = topic(cloud, input)?;
    check_attribute(topic.is_fifo(), attribute, value)?;
    if value.is_empty() && attribute != "DisplayName" {
        topic.attributes.remove(attribute);
    } else {
        topic.attributes.insert(attribute.to_owned(), value.to_owned());
    }
    Ok(json!({}))
}

/// Deletes a topic with its subscriptions. A missing topic is not an error.
fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    let Some(name) = text(input, "TopicArn").strip_prefix(&arn("")) else { return invalid("TopicArn") };
    if cloud.sns.topics.remove(name).is_some() {
        cloud.sns.deleted.insert(name.to_owned(), cloud.now);
    }
    Ok(json!({}))
}

fn list(cloud: &Cloud) -> Json {
    let lingering = cloud.sns.deleted.iter().filter(|(_, at)| cloud.now < **at + LINGERS);
    let names = cloud.sns.topics.keys().chain(lingering.map(|(name, _)| name));
    let topics: Vec<Json> = names.map(|name| json!({ "TopicArn": arn(name) })).collect();
    json!({ "Topics": topics })
}

/// Checks the protocol and the endpoint of a subscription.
fn check_endpoint(fifo: bool, protocol: &str, endpoint: &str) -> Result<(), Refusal> {
    // A FIFO topic delivers to queues only.
    let known = TRUSTED.contains(&protocol) || ASKED.contains(&protocol);
    if !known || fifo && protocol != "sqs" {
        return invalid(&format!("Invalid protocol type: {protocol}"));
    }
    match protocol {
        "lambda" if !(endpoint.starts_with("arn:aws:lambda:") && endpoint.contains(":function:")) => {
            invalid("Lambda endpoint ARN")
        }
        "sqs" if !endpoint.starts_with("arn:aws:sqs:") => invalid("SQS endpoint ARN"),
        "sqs" if !fifo && endpoint.ends_with(FIFO) => invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        ),
        _ if endpoint.is_empty() => invalid("Endpoint"),
        _ => Ok(()),
    }
}

/// Checks the attributes of a subscription, and that they fit each other.
fn check_subscription(protocol: &str, attributes: &Attributes) -> Result<(), Refusal> {
    for (attribute, value) in attributes {
        match attribute.as_str() {
            "FilterPolicy" => check_filter(&parsed(value), attributes)?,
            "FilterPolicyScope" if ["MessageAttributes", "MessageBody"].contains(&value.as_str()) => {}
            "RawMessageDelivery" if value == "true" && !RAW.contains(&protocol) => {
                return invalid(&format!(
                    "Attributes Reason: Delivery protocol [{protocol}] does not support raw message delivery."
                ));
            }
            "RawMessageDelivery" if ["true", "false"].contains(&value.as_str()) => {}
            "RedrivePolicy" => {
                if !text(&parsed(value), "deadLetterTargetArn").starts_with("arn:aws:sqs:") {
                    return invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn");
                }
            }
            "DeliveryPolicy" | "SubscriptionRoleArn" => {}
            "FilterPolicyScope" | "RawMessageDelivery" => return invalid(attribute),
            _ => return invalid("AttributeName"),
        }
    }
    Ok(())
}

fn check_filter(filter: &Json, attributes: &Attributes) -> Result<(), Refusal> {
    let Some(fields) = filter.as_object() else { return invalid("FilterPolicy: failed to parse JSON") };
    let of_body = attributes.get("FilterPolicyScope").is_some_and(|scope| scope == "MessageBody");
    for (name, value) in fields {
        match value {
            Json::Array(_) => {}
            Json::Object(_) if of_body => check_filter(value, attributes)?,
            Json::Object(_) => {
                return invalid(
                    "Filter policy scope MessageAttributes does not support nested filter policy",
                );
            }
            _ => return invalid(&format!("FilterPolicy: \"{name}\" must be an object or an array")),
        }
    }
    Ok(())
}

/// Creates a subscription. An existing one with the same attributes is returned as if it were new.
fn subscribe(cloud: &mut Cloud, input: &Json) -> Answer {
    let (protocol, endpoint) = (text(input, "Protocol"), text(input, "Endpoint"));
    let mut given = given(input);
    let found = topic(cloud, input)?;
    check_endpoint(found.is_fifo(), protocol, endpoint)?;
    check_subscription(protocol, &given)?;
    given.retain(|attribute, value| attribute != "FilterPolicy" || value != "{}");
    let pending = ASKED.contains(&protocol);
    let answer = |arn: &str| {
        let arn = if pending { "pending confirmation" } else { arn };
        json!({ "SubscriptionArn": arn })
    };
    let same = |other: &&Subscription| {
        other.deleted.is_none() && other.protocol == protocol && other.endpoint == endpoint
    };
    if let Some(existing) = found.subscriptions.iter().find(same) {
        let differs = |(attribute, value): (&String, &String)| {
            existing.attributes.get(attribute).is_none_or(|now| parsed(now) != parsed(value))
        };
        if given.iter().any(differs) {
            return invalid("Attributes Reason: Subscription already exists with different attributes");
        }
        return Ok(answer(&existing.arn));
    }
    let arn = format!("{}:{}", text(input, "TopicArn"), cloud.uuid());
    let mut attributes = Attributes::from([("RawMessageDelivery".to_owned(), "false".to_owned())]);
    attributes.extend(given);
    let answer = answer(&arn);
    topic(cloud, input)?.subscriptions.push(Subscription {
        arn,
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        attributes,
        deleted: None,
    });
    Ok(answer)
}

fn set_subscription_attribute(cloud: &mut Cloud, input: &Json) -> Answer {
    let (attribute, value) = (text(input, "AttributeName"), &input["AttributeValue"]);
    let subscription = existing(cloud, input)?;
    let mut attributes = subscription.attributes.clone();
    match value.as_str() {
        Some(value) => {
            attributes.insert(attribute.to_owned(), value.to_owned());
            check_subscription(&subscription.protocol, &attributes)?;
        }
        // An omitted value removes a redrive policy. A filter is removed by one that matches everything.
        None if attribute == "RedrivePolicy" => {
            attributes.remove(attribute);
        }
        None => return invalid("AttributeValue"),
    }
    attributes.retain(|attribute, value| attribute != "FilterPolicy" || value != "{}");
    subscription.attributes = attributes;
    Ok(json!({}))
}

fn list_subscriptions(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    let subscriptions = topic(cloud, input)?.subscriptions.iter();
    let seen = subscriptions.filter(|subscription| subscription.deleted.is_none_or(|at| now < at + LINGERS));
    let listed = seen.map(|subscription| subscription.listed(text(input, "TopicArn")));
    Ok(json!({ "Subscriptions": listed.collect::<Vec<_>>() }))
}

/// Deletes a subscription. A missing one is not an error.
fn unsubscribe(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    if let Some(subscription) = subscription(cloud, input)? {
        if subscription.is_pending() {
            return invalid("Cannot unsubscribe a subscription that is pending confirmation");
        }
        subscription.deleted = Some(now);
    }
    Ok(json!({}))
}

/// The attributes in the form of an answer.
fn entries(attributes: &Attributes) -> Json {
    json!({ "Attributes": pair_list(attributes, "key", "value") })
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    match operation {
        "CreateTopic" => create(cloud, input),
        "GetTopicAttributes" => Ok(entries(&topic(cloud, input)?.described(text(input, "TopicArn")))),
        "SetTopicAttributes" => set_topic_attribute(cloud, input),
        "DeleteTopic" => delete(cloud, input),
        "ListTopics" => Ok(list(cloud)),
        "Subscribe" => subscribe(cloud, input),
        "GetSubscriptionAttributes" => Ok(entries(&existing(cloud, input)?.described())),
        "SetSubscriptionAttributes" => set_subscription_attribute(cloud, input),
        "ListSubscriptionsByTopic" => list_subscriptions(cloud, input),
        "Unsubscribe" => unsubscribe(cloud, input),
        "ListTagsForResource" => Ok(TAGS.list(&tagged(cloud, input)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut tagged(cloud, input)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut tagged(cloud, input)?.tags, input)),
        other => unknown("sns", other),
    }
}
