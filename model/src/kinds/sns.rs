//! SNS.

use serde_json::Value as Json;

use crate::composite::Settings;
use crate::finding::Code;
use crate::kind::declare::{Document, Flag, Text, kind};
use crate::kind::documented::{Fault, at_most, documented, json_length};
use crate::kind::{Form, Look, access};

kind! {
    /// A topic.
    Topic, TOPIC {
        name: Text => immutable().sets("CreateTopic.Name").property("TopicName"),
        display_name: Option<Text> => optional().property("DisplayName"),
        fifo_topic: Option<Flag> => immutable(),
        content_based_deduplication: Option<Flag>,
        kms_master_key_id: Option<Text> => optional().property("KmsMasterKeyId"),
    }
    name: "sns_topic",
    title: "SNS topic",
    service: "sns",
    cloudformation: Some("AWS::SNS::Topic"),
    id: Some("arn:{partition}:sns:{region}:{account}:{name}"),
    attributes: &[("arn", Some("arn:{partition}:sns:{region}:{account}:{name}")), ("name", None)],
    tags: true,
    tags_member: Some("CreateTopic.Tags"),
    // CreateTopic returns an existing topic with equal attributes and tags.
    exclusive: false,
    access: &[
        access(
            "arn:{partition}:sns:{region}:{account}:{name}",
            &[
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:GetTopicAttributes",
                "sns:ListTagsForResource",
                "sns:SetTopicAttributes",
                "sns:TagResource",
                "sns:UntagResource",
            ],
        ),
        access("*", &["sns:ListTopics"]).to_sweep(),
    ],
    look: Some(Look::Topic),
}

kind! {
    /// The policy of a topic. Without it, the topic has the default policy of AWS.
    TopicPolicy, TOPIC_POLICY {
        arn: Text => parent().property("Topics[]"),
        policy: Document => form(Form::Policy).property("PolicyDocument"),
    }
    name: "sns_topic_policy",
    title: "SNS topic policy",
    service: "sns",
    cloudformation: Some("AWS::SNS::TopicPolicy"),
    id: Some("{arn}"),
    goes_with: Some("arn"),
    access: &[access("{arn}", &["sns:GetTopicAttributes", "sns:SetTopicAttributes"])],
    documented: &[
        documented(&["policy"], policy_size, "https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html"),
    ],
}

kind! {
    /// A subscription to a topic. AWS gives it a random UUID, so the id here consists of topic and endpoint.
    TopicSubscription, TOPIC_SUBSCRIPTION {
        topic_arn: Text => parent().sets("Subscribe.TopicArn").property("TopicArn"),
        protocol: Text => immutable().sets("Subscribe.Protocol").property("Protocol"),
        endpoint: Text => parent().sets("Subscribe.Endpoint").property("Endpoint"),
        /// JSON, like `redrive_policy`, which contains the dead-letter queue.
        filter_policy: Option<Document> => optional(),
        filter_policy_scope: Option<Text> => property("FilterPolicyScope"),
        redrive_policy: Option<Document> => optional(),
        raw_message_delivery: Option<Flag>,
    }
    name: "sns_topic_subscription",
    title: "SNS subscription",
    service: "sns",
    cloudformation: Some("AWS::SNS::Subscription"),
    id: Some("{topic_arn}|{endpoint}"),
    // Subscribe returns an existing subscription.
    exclusive: false,
    access: &[
        access("{topic_arn}", &["sns:ListSubscriptionsByTopic", "sns:Subscribe"]),
        // IAM has no resource type for subscriptions.
        access("*", &["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"]),
    ],
    documented: &[documented(&["filter_policy"], filter_size, "https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html").code(Code::Pattern)],
}

/// Checks the size of a topic policy.
fn policy_size(settings: &Settings) -> Option<Fault> {
    let help = "Allow fewer publishers.";
    at_most(30 << 10, json_length(settings, "policy"), "bytes in a topic policy", "SNS", help)
}

/// Checks the size of a filter policy, the number of its keys at the top, and of the combinations of its values.
fn filter_size(settings: &Settings) -> Option<Fault> {
    let help = "Filter by fewer attributes and values, and by the rest in the subscriber.";
    let filter = settings.get("filter_policy")?;
    let keys = filter.as_object().map_or(0, serde_json::Map::len);
    let combinations = combinations(filter);
    at_most(256 << 10, json_length(settings, "filter_policy"), "bytes in a filter policy", "SNS", help)
        .or_else(|| at_most(5, keys, "keys in a filter policy", "SNS", help))
        .or_else(|| at_most(150, combinations, "combinations of values in a filter policy", "SNS", help))
}

/// The product of the numbers of values of all keys. Alternatives (`$or`) count as one.
fn combinations(filter: &Json) -> usize {
    let Json::Object(entries) = filter else { return 1 };
    let counts = entries.iter().map(|(key, value)| match value {
        Json::Array(values) if key != "$or" => values.len().max(1),
        nested => combinations(nested),
    });
    counts.fold(1, usize::saturating_mul)
}
