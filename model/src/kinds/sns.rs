//! SNS.

use crate::kind::declare::{Document, Flag, Text, kind};
use crate::kind::{Form, Look, access};

kind! {
    /// A topic.
    Topic, TOPIC {
        name: Text => immutable().sets("CreateTopic.Name").property("AWS::SNS::Topic.TopicName"),
        display_name: Option<Text> => optional().property("AWS::SNS::Topic.DisplayName"),
        fifo_topic: Option<Flag> => immutable(),
        content_based_deduplication: Option<Flag>,
        kms_master_key_id: Option<Text> => optional().property("AWS::SNS::Topic.KmsMasterKeyId"),
    }
    name: "sns_topic",
    title: "SNS topic",
    service: "sns",
    id: Some("arn:{partition}:sns:{region}:{account}:{name}"),
    attributes: &[("arn", Some("arn:{partition}:sns:{region}:{account}:{name}")), ("name", None)],
    tags: true,
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
        arn: Text => parent(),
        policy: Document => form(Form::Policy).property("AWS::SNS::TopicPolicy.PolicyDocument"),
    }
    name: "sns_topic_policy",
    title: "SNS topic policy",
    service: "sns",
    id: Some("{arn}"),
    access: &[access("{arn}", &["sns:GetTopicAttributes", "sns:SetTopicAttributes"])],
}

kind! {
    /// A subscription to a topic. AWS gives it a random UUID, so the id here consists of topic and endpoint.
    TopicSubscription, TOPIC_SUBSCRIPTION {
        topic_arn: Text => parent().sets("Subscribe.TopicArn").property("AWS::SNS::Subscription.TopicArn"),
        protocol: Text => immutable().sets("Subscribe.Protocol").property("AWS::SNS::Subscription.Protocol"),
        endpoint: Text => parent().sets("Subscribe.Endpoint").property("AWS::SNS::Subscription.Endpoint"),
        /// JSON, like `redrive_policy`, which contains the dead-letter queue.
        filter_policy: Option<Document> => optional(),
        filter_policy_scope: Option<Text> => property("AWS::SNS::Subscription.FilterPolicyScope"),
        redrive_policy: Option<Document> => optional(),
        raw_message_delivery: Option<Flag>,
    }
    name: "sns_topic_subscription",
    title: "SNS subscription",
    service: "sns",
    id: Some("{topic_arn}|{endpoint}"),
    // Subscribe returns an existing subscription.
    exclusive: false,
    access: &[
        access("{topic_arn}", &["sns:ListSubscriptionsByTopic", "sns:Subscribe"]),
        // IAM has no resource type for subscriptions.
        access("*", &["sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"]),
    ],
}
