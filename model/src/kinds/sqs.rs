//! SQS.

use crate::composite::Settings;
use crate::kind::declare::{Document, Flag, Number, Text, kind};
use crate::kind::documented::{Fault, at_most, documented, json_length};
use crate::kind::place::Written;
use crate::kind::{Form, Look, access};

kind! {
    /// A queue.
    Queue, QUEUE {
        name: Text => immutable().sets("CreateQueue.QueueName").property("QueueName"),
        /// The name of a FIFO queue ends in `.fifo`.
        fifo_queue: Option<Flag> => immutable(),
        content_based_deduplication: Option<Flag>,
        message_retention_seconds: Number => property("MessageRetentionPeriod"),
        visibility_timeout_seconds: Option<Number> => property("VisibilityTimeout"),
        delay_seconds: Option<Number> => property("DelaySeconds"),
        receive_wait_time_seconds: Option<Number> => property("ReceiveMessageWaitTimeSeconds"),
        /// In bytes.
        max_message_size: Option<Number> => property("MaximumMessageSize"),
        /// JSON with the dead-letter queue, and the number of receives before a message moves there.
        redrive_policy: Option<Document> => optional(),
        sqs_managed_sse_enabled: Option<Flag>,
        kms_master_key_id: Option<Text> => optional().property("KmsMasterKeyId"),
    }
    name: "sqs_queue",
    title: "SQS queue",
    service: "sqs",
    cloudformation: Some("AWS::SQS::Queue"),
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:sqs:{region}:{account}:{name}")),
        ("name", None),
        ("url", None),
    ],
    tags: true,
    tags_member: Some("CreateQueue.tags"),
    // CreateQueue returns an existing queue with equal attributes.
    exclusive: false,
    data: true,
    access: &[
        access(
            "arn:{partition}:sqs:{region}:{account}:{name}",
            &[
                "sqs:CreateQueue",
                "sqs:DeleteQueue",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ListQueueTags",
                "sqs:SetQueueAttributes",
                "sqs:TagQueue",
                "sqs:UntagQueue",
            ],
        ),
        access("*", &["sqs:ListQueues"]).to_sweep(),
    ],
    look: Some(Look::Queue),
}

kind! {
    /// The policy of a queue.
    QueuePolicy, QUEUE_POLICY {
        queue: Text => parent().property("Queues[]").at("queue_url").written(Written::Attribute("url")),
        policy: Document => form(Form::Policy).property("PolicyDocument"),
    }
    name: "sqs_queue_policy",
    title: "SQS queue policy",
    service: "sqs",
    cloudformation: Some("AWS::SQS::QueuePolicy"),
    id: Some("{queue}"),
    goes_with: Some("queue"),
    access: &[access(
        "arn:{partition}:sqs:{region}:{account}:{queue}",
        &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"],
    )],
    documented: &[
        documented(&["policy"], policy_size, "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html"),
    ],
}

kind! {
    /// The queues that may use a queue as their dead-letter queue.
    QueueRedriveAllowPolicy, QUEUE_REDRIVE_ALLOW_POLICY {
        queue: Text => parent().at("queue_url").written(Written::Attribute("url")),
        redrive_allow_policy: Document,
    }
    name: "sqs_queue_redrive_allow_policy",
    title: "SQS redrive allow policy",
    service: "sqs",
    cloudformation: Some("AWS::SQS::Queue"),
    id: Some("{queue}"),
    goes_with: Some("queue"),
    access: &[access(
        "arn:{partition}:sqs:{region}:{account}:{queue}",
        &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"],
    )],
}

/// Checks the size of a queue policy.
fn policy_size(settings: &Settings) -> Option<Fault> {
    let help = "Allow fewer senders.";
    at_most(8192, json_length(settings, "policy"), "bytes in a queue policy", "SQS", help)
}
