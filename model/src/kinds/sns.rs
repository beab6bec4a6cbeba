//! SNS.

use crate::kind::{Form, Kind, access, field};

/// A topic.
pub static TOPIC: Kind = Kind {
    name: "sns_topic",
    title: "SNS topic",
    service: "sns",
    fields: &[
        field("name").immutable(),
        field("display_name").optional(),
        field("fifo_topic").immutable(),
        field("content_based_deduplication"),
        field("kms_master_key_id").optional(),
    ],
    id: Some("arn:{partition}:sns:{region}:{account}:{name}"),
    attributes: &[("arn", Some("arn:{partition}:sns:{region}:{account}:{name}")), ("name", None)],
    tags: true,
    // CreateTopic returns an existing topic with equal attributes and tags.
    exclusive: false,
    data: false,
    hashed_name: false,
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
};

/// The policy of a topic. Without it, the topic has the default policy of AWS.
pub static TOPIC_POLICY: Kind = Kind {
    name: "sns_topic_policy",
    title: "SNS topic policy",
    service: "sns",
    fields: &[field("arn").parent(), field("policy").form(Form::Policy)],
    id: Some("{arn}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access("{arn}", &["sns:GetTopicAttributes", "sns:SetTopicAttributes"])],
};

/// A subscription to a topic. AWS gives it a random UUID, so the id here consists of topic and endpoint.
pub static TOPIC_SUBSCRIPTION: Kind = Kind {
    name: "sns_topic_subscription",
    title: "SNS subscription",
    service: "sns",
    fields: &[
        field("topic_arn").parent(),
        field("protocol").immutable(),
        field("endpoint").parent(),
        // JSON, like `redrive_policy`, which contains the dead-letter queue.
        field("filter_policy").optional(),
        field("filter_policy_scope"),
        field("redrive_policy").optional(),
        field("raw_message_delivery"),
    ],
    id: Some("{topic_arn}|{endpoint}"),
    attributes: &[],
    tags: false,
    // Subscribe returns an existing subscription.
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access("{topic_arn}", &["sns:ListSubscriptionsByTopic", "sns:Subscribe"]),
        // IAM has no resource type for subscriptions.
        access("*", &["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"]),
    ],
};
