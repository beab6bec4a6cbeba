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
    // CreateTopic answers with an existing topic of equal attributes and tags.
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

/// The policy of a topic. Without one, the default that AWS gives it stands.
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

/// What gets the messages of a topic. AWS names it by a random UUID; to us it is what goes where.
pub static TOPIC_SUBSCRIPTION: Kind = Kind {
    name: "sns_topic_subscription",
    title: "SNS subscription",
    service: "sns",
    fields: &[
        field("topic_arn").parent(),
        field("protocol").immutable(),
        field("endpoint").parent(),
        // JSON, as of the queue for what cannot be delivered.
        field("filter_policy").optional(),
        field("filter_policy_scope"),
        field("redrive_policy").optional(),
        field("raw_message_delivery"),
    ],
    id: Some("{topic_arn}|{endpoint}"),
    attributes: &[],
    tags: false,
    // Subscribe answers with an existing subscription.
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access("{topic_arn}", &["sns:ListSubscriptionsByTopic", "sns:Subscribe"]),
        // Subscriptions are no resources to IAM.
        access("*", &["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"]),
    ],
};
