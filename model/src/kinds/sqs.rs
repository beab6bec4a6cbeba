//! SQS.

use crate::kind::{Form, Kind, access, field};

/// A queue.
pub static QUEUE: Kind = Kind {
    name: "sqs_queue",
    title: "SQS queue",
    service: "sqs",
    fields: &[
        field("name").immutable(),
        // The name of a FIFO queue ends in `.fifo`.
        field("fifo_queue").immutable(),
        field("content_based_deduplication"),
        field("message_retention_seconds"),
        field("visibility_timeout_seconds"),
        field("delay_seconds"),
        field("receive_wait_time_seconds"),
        // In bytes.
        field("max_message_size"),
        // JSON with the dead-letter queue, and the number of receives before a message moves there.
        field("redrive_policy").optional(),
        field("sqs_managed_sse_enabled"),
        field("kms_master_key_id").optional(),
    ],
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:sqs:{region}:{account}:{name}")),
        ("name", None),
        ("url", None),
    ],
    tags: true,
    // CreateQueue returns an existing queue with equal attributes.
    exclusive: false,
    data: true,
    hashed_name: false,
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
};

/// The policy of a queue.
pub static QUEUE_POLICY: Kind = Kind {
    name: "sqs_queue_policy",
    title: "SQS queue policy",
    service: "sqs",
    fields: &[field("queue").parent(), field("policy").form(Form::Policy)],
    id: Some("{queue}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:sqs:{region}:{account}:{queue}",
        &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"],
    )],
};

/// The queues that may use a queue as their dead-letter queue.
pub static QUEUE_REDRIVE_ALLOW_POLICY: Kind = Kind {
    name: "sqs_queue_redrive_allow_policy",
    title: "SQS redrive allow policy",
    service: "sqs",
    fields: &[field("queue").parent(), field("redrive_allow_policy")],
    id: Some("{queue}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:sqs:{region}:{account}:{queue}",
        &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"],
    )],
};
