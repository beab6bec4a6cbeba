//! SNS topics, their policies and their subscriptions.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::{Subscription, Tag};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::{lambda, sns, sqs};
use tandem_model::names;

use super::failure::{call, found, gone};
use super::permission;
use super::queue::{QUEUE, attribute_text};
use super::{only_child, pages, parse_policy, split};

/// Fields of a topic and their attributes, which are strings in SNS.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("display_name", "DisplayName"),
    ("fifo_topic", "FifoTopic"),
    ("content_based_deduplication", "ContentBasedDeduplication"),
    ("kms_master_key_id", "KmsMasterKeyId"),
];
/// Fields that only a FIFO topic has.
const OF_FIFO: [&str; 2] = ["fifo_topic", "content_based_deduplication"];

pub(super) struct Topics(pub(super) Client);

fn tag_list(tags: &Tags) -> Vec<Tag> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.map(|tag| tag.expect("key and value are set")).collect()
}

/// The name at the end of a topic's ARN.
fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

async fn attributes(client: &Client, arn: &str) -> Result<Option<HashMap<String, String>>, Failure> {
    let topic = found(call!("sns:GetTopicAttributes", client.get_topic_attributes().topic_arn(arn)))?;
    Ok(topic.map(|topic| topic.attributes.unwrap_or_default()))
}

/// Sets an attribute of a topic; an empty value removes it.
async fn set(client: &Client, arn: &str, attribute: &str, value: String) -> Result<(), Failure> {
    let request = client.set_topic_attributes().topic_arn(arn);
    let request = request.attribute_name(attribute).attribute_value(value);
    call!("sns:SetTopicAttributes", request).map(|_| ())
}

fn given(settings: &Settings) -> HashMap<String, String> {
    let fifo = View::<sns::Topic>::of(settings).fifo_topic() == Some(true);
    // SNS rejects these on a standard topic.
    let chosen = ATTRIBUTES.iter().filter(|(field, _)| fifo || !OF_FIFO.contains(field));
    chosen
        .filter_map(|(field, name)| Some(((*name).to_owned(), attribute_text(settings.get(*field)?))))
        .collect()
}

#[async_trait]
impl Driver for Topics {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(attributes) = attributes(&self.0, id).await? else { return Ok(None) };
        let request = self.0.list_tags_for_resource().resource_arn(id);
        let Some(listed) = found(call!("sns:ListTagsForResource", request))? else { return Ok(None) };
        let given = |name: &str| attributes.get(name).filter(|text| !text.is_empty());
        let is = |name: &str| given(name).is_some_and(|text| text == "true");
        let fifo = is("FifoTopic");
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<sns::Topic>::default()
                .name(name(id))
                .display_name(given("DisplayName"))
                .fifo_topic(fifo.then_some(true))
                .content_based_deduplication(fifo.then(|| is("ContentBasedDeduplication")))
                .kms_master_key_id(given("KmsMasterKeyId"))
                .settings(),
            attributes: [("arn".to_owned(), json!(id))].into(),
            tags: listed.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let topics = pages(|token| async {
            let page = call!("sns:ListTopics", self.0.list_topics().set_next_token(token))?;
            Ok((page.topics.unwrap_or_default(), page.next_token))
        });
        let arns = topics.await?.into_iter().filter_map(|topic| topic.topic_arn);
        let prefix = names::prefix(project);
        Ok(arns.filter(|arn| name(arn).starts_with(&prefix)).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let request = self
            .0
            .create_topic()
            .name(View::<sns::Topic>::of(settings).name())
            .set_attributes(Some(given(settings)))
            .set_tags(Some(tag_list(tags)));
        let arn = call!("sns:CreateTopic", request)?.topic_arn.unwrap_or_default();
        Ok(Created { id: arn.clone(), attributes: [("arn".to_owned(), arn.into())].into() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        for (field, name) in ATTRIBUTES {
            if fields.contains(field) {
                let value = settings.get(*field).map(attribute_text).unwrap_or_default();
                set(&self.0, id, name, value).await?;
            }
        }
        Ok(())
    }

    async fn add_tags(&self, id: &str, set: &Tags) -> Result<(), Failure> {
        let request = self.0.tag_resource().resource_arn(id).set_tags(Some(tag_list(set)));
        call!("sns:TagResource", request).map(|_| ())
    }

    async fn remove_tags(&self, id: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(id).set_tag_keys(Some(remove.to_vec()));
        call!("sns:UntagResource", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("sns:DeleteTopic", self.0.delete_topic().topic_arn(id)))
    }
}

pub(super) struct TopicPolicies(pub(super) Client);

/// The id of the policy that AWS gives every topic.
const DEFAULT_POLICY: &str = "__default_policy_ID";

/// The policy that AWS gives a new topic: a topic always has one.
fn default_policy(arn: &str) -> Json {
    let account = arn.split(':').nth(4).unwrap_or_default();
    json!({
        "Version": "2008-10-17",
        "Id": DEFAULT_POLICY,
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": [
                "SNS:GetTopicAttributes",
                "SNS:SetTopicAttributes",
                "SNS:AddPermission",
                "SNS:RemovePermission",
                "SNS:DeleteTopic",
                "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic",
                "SNS:Publish",
                "SNS:Receive",
            ],
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": account } },
        }],
    })
}

#[async_trait]
impl Driver for TopicPolicies {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let attributes = attributes(&self.0, id).await?;
        let policy = attributes.as_ref().and_then(|attributes| attributes.get("Policy"));
        let policy = policy.filter(|policy| !policy.is_empty()).map(|policy| parse_policy(policy));
        let Some(policy) = policy.filter(|policy| policy["Id"] != DEFAULT_POLICY) else { return Ok(None) };
        let settings = Seen::<sns::TopicPolicy>::default().arn(id).policy(policy).settings();
        Ok(Some(Observed { id: id.to_owned(), settings, ..Observed::default() }))
    }

    async fn children(&self, parent: &'static Kind, topic: &Observed) -> Result<Vec<Observed>, Failure> {
        only_child(self, parent, &sns::TOPIC, topic).await
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let wanted = View::<sns::TopicPolicy>::of(settings);
        let arn = wanted.arn();
        set(&self.0, arn, "Policy", wanted.policy()).await?;
        Ok(Created { id: arn.to_owned(), ..Created::default() })
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        set(&self.0, id, "Policy", View::<sns::TopicPolicy>::of(settings).policy()).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        match set(&self.0, id, "Policy", default_policy(id).to_string()).await {
            // A deleted topic has no policy.
            Err(failure) if failure.code == "NotFound" => Ok(()),
            result => result,
        }
    }
}

pub(super) struct Subscriptions(pub(super) Client);

/// The field with the scope of a filter: message attributes or message body.
const SCOPE: &str = "filter_policy_scope";
/// Fields of a subscription and the attributes that hold them.
const OF_SUBSCRIPTION: [(&str, &str); 4] = [
    ("filter_policy", "FilterPolicy"),
    ("redrive_policy", "RedrivePolicy"),
    ("raw_message_delivery", "RawMessageDelivery"),
    (SCOPE, "FilterPolicyScope"),
];

/// Listings contain this in place of the ARN until the subscription is confirmed.
const PENDING: &str = "PendingConfirmation";
/// Listings contain this in place of the ARN for a while after a delete.
const DELETED: &str = "Deleted";

/// Attributes with their values, all of them or those of `fields`, in the order in which SNS accepts them. A
/// filter must be valid for the current scope, and a filter for attributes is also valid for bodies.
fn chosen(settings: &Settings, fields: Option<&[&str]>) -> Vec<(&'static str, Option<String>)> {
    let wanted = View::<sns::TopicSubscription>::of(settings);
    let filtered = wanted.filter_policy().is_some();
    let of_body = wanted.filter_policy_scope() == Some("MessageBody");
    let mut chosen: Vec<(&str, &str)> = OF_SUBSCRIPTION
        .into_iter()
        // Without a filter there is no scope.
        .filter(|(field, _)| filtered || *field != SCOPE)
        .filter(|(field, _)| fields.is_none_or(|fields| fields.contains(field)))
        .collect();
    chosen.sort_by_key(|(field, _)| (*field == SCOPE) != of_body);
    chosen.into_iter().map(|(field, name)| (name, settings.get(field).map(attribute_text))).collect()
}

/// The ARN of a confirmed subscription; a pending one has no ARN.
fn confirmed(subscription: &Subscription) -> Option<&str> {
    subscription.subscription_arn().filter(|arn| *arn != PENDING)
}

/// The service in permissions and policies.
const SENDER: &str = "sns.amazonaws.com";

/// The topics that may send to a queue, from its policy. A value can be one string or a list.
fn senders(policy: &Json) -> BTreeSet<&str> {
    fn texts(value: &Json) -> Vec<&str> {
        match value {
            Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        }
    }
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let of_topics = statements.filter(|statement| {
        statement["Effect"] == "Allow" && texts(&statement["Principal"]["Service"]).contains(&SENDER)
    });
    let conditions = of_topics.filter_map(|statement| statement["Condition"].as_object());
    let pairs = conditions.flat_map(|operators| operators.values()).filter_map(Json::as_object).flatten();
    let sources = pairs.filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"));
    sources.flat_map(|(_, value)| texts(value)).collect()
}

impl Subscriptions {
    /// The subscriptions of a topic, except deleted ones.
    async fn of_topic(&self, topic: &str) -> Result<Vec<Subscription>, Failure> {
        let subscriptions = pages(|token| async {
            let request = self.0.list_subscriptions_by_topic().topic_arn(topic).set_next_token(token);
            let page = found(call!("sns:ListSubscriptionsByTopic", request))?;
            // A deleted topic has no subscriptions.
            let page = page.map(|page| (page.subscriptions.unwrap_or_default(), page.next_token));
            Ok(page.unwrap_or_default())
        });
        let subscriptions = subscriptions.await?.into_iter();
        Ok(subscriptions.filter(|subscription| subscription.subscription_arn() != Some(DELETED)).collect())
    }

    /// The subscription, as ListSubscriptionsByTopic returns it.
    async fn listed(&self, id: &str) -> Result<Option<Subscription>, Failure> {
        let (topic, endpoint) = split(id, '|', "sns:ListSubscriptionsByTopic")?;
        let mut subscriptions = self.of_topic(topic).await?.into_iter();
        Ok(subscriptions.find(|subscription| subscription.endpoint() == Some(endpoint)))
    }

    async fn observed(
        &self,
        topic: &str,
        endpoint: &str,
        subscription: &Subscription,
    ) -> Result<Option<Observed>, Failure> {
        let attributes = match confirmed(subscription) {
            Some(arn) => self.attributes(arn).await?,
            None => Some(HashMap::new()),
        };
        let Some(attributes) = attributes else { return Ok(None) };
        let document = |name: &str| {
            let text = attributes.get(name).filter(|text| !["", "{}"].contains(&text.as_str()));
            text.map(|text| parse_policy(text))
        };
        let filter = document("FilterPolicy");
        let scope = filter.is_some().then(|| attributes.get("FilterPolicyScope"));
        let raw = attributes.get("RawMessageDelivery").map(|text| text == "true");
        Ok(Some(Observed {
            id: format!("{topic}|{endpoint}"),
            settings: Seen::<sns::TopicSubscription>::default()
                .topic_arn(topic)
                .protocol(subscription.protocol())
                .endpoint(endpoint)
                .filter_policy(filter)
                .filter_policy_scope(scope)
                .redrive_policy(document("RedrivePolicy"))
                .raw_message_delivery(raw)
                .settings(),
            ..Observed::default()
        }))
    }

    async fn attributes(&self, arn: &str) -> Result<Option<HashMap<String, String>>, Failure> {
        let request = self.0.get_subscription_attributes().subscription_arn(arn);
        let subscription = found(call!("sns:GetSubscriptionAttributes", request))?;
        Ok(subscription.map(|subscription| subscription.attributes.unwrap_or_default()))
    }
}

#[async_trait]
impl Driver for Subscriptions {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(subscription) = self.listed(id).await? else { return Ok(None) };
        let (topic, endpoint) = split(id, '|', "sns:GetSubscriptionAttributes")?;
        self.observed(topic, endpoint, &subscription).await
    }

    /// The permission of a function and the policy of a queue name the topics that may send to it.
    async fn children(&self, parent: &'static Kind, of: &Observed) -> Result<Vec<Observed>, Failure> {
        let allowed = View::<lambda::Permission>::of(&of.settings);
        let policy: Json;
        let mut topics = BTreeSet::new();
        if parent.name == lambda::PERMISSION.name && allowed.principal() == SENDER {
            topics.insert(allowed.source_arn().unwrap_or_default());
        } else if parent.name == sqs::QUEUE_POLICY.name {
            // The view has the policy as text.
            let text = View::<sqs::QueuePolicy>::of(&of.settings).policy();
            policy = serde_json::from_str(&text).unwrap_or_default();
            topics = senders(&policy);
        }
        let queue = of.attributes.get(QUEUE).and_then(Json::as_str);
        let mut children = Vec::new();
        for topic in topics.into_iter().filter(|topic| topic.split(':').nth(2) == Some("sns")) {
            for subscription in self.of_topic(topic).await? {
                let endpoint = subscription.endpoint().unwrap_or_default();
                if queue == Some(endpoint) || permission::is_of(of, endpoint) {
                    children.extend(self.observed(topic, endpoint, &subscription).await?);
                }
            }
        }
        Ok(children)
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let wanted = View::<sns::TopicSubscription>::of(settings);
        let (topic, endpoint) = (wanted.topic_arn(), wanted.endpoint());
        let attributes = chosen(settings, None).into_iter();
        let attributes = attributes.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let request = self
            .0
            .subscribe()
            .topic_arn(topic)
            .protocol(wanted.protocol())
            .endpoint(endpoint)
            .set_attributes(Some(attributes));
        call!("sns:Subscribe", request)?;
        Ok(Created { id: format!("{topic}|{endpoint}"), ..Created::default() })
    }

    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let subscription = self.listed(id).await?;
        let Some(arn) = subscription.as_ref().and_then(confirmed) else {
            let message = format!("the subscription `{id}` is gone or not confirmed");
            return Err(Failure::local("sns:SetSubscriptionAttributes", message));
        };
        for (name, value) in chosen(settings, Some(fields)) {
            // A filter that matches everything removes the filter; a call without a value removes the others.
            let value = value.or_else(|| (name == "FilterPolicy").then(|| "{}".to_owned()));
            let request = self.0.set_subscription_attributes().subscription_arn(arn);
            let request = request.attribute_name(name).set_attribute_value(value);
            call!("sns:SetSubscriptionAttributes", request)?;
        }
        Ok(())
    }

    /// An unconfirmed subscription cannot be deleted: AWS removes it after some days.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let subscription = self.listed(id).await?;
        let Some(arn) = subscription.as_ref().and_then(confirmed) else { return Ok(()) };
        gone(call!("sns:Unsubscribe", self.0.unsubscribe().subscription_arn(arn)))
    }

    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        let subscription = self.listed(id).await?;
        match subscription.as_ref().and_then(confirmed) {
            Some(arn) => Ok(self.attributes(arn).await?.is_none()),
            None => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_and_form_of_a_policy_do_not_matter() {
        let statement = |service: Json, topics: Json| {
            let condition = json!({ "ArnEquals": { "aws:SourceArn": topics } });
            json!({ "Effect": "Allow", "Principal": { "Service": service }, "Condition": condition })
        };
        let policy = json!({ "Statement": [
            statement(json!(SENDER), json!(["b", "a"])),
            statement(json!(["events.amazonaws.com", SENDER]), json!("c")),
            statement(json!("events.amazonaws.com"), json!("d")),
            json!({ "Effect": "Deny", "Principal": "*", "Condition": { "Bool": { "aws:SecureTransport": "false" } } }),
        ] });
        assert_eq!(senders(&policy), BTreeSet::from(["a", "b", "c"]));
        assert!(senders(&Json::Null).is_empty());
    }
}
