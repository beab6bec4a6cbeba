//! DynamoDB.

use crate::kind::{Kind, access, field};

/// A table.
pub static TABLE: Kind = Kind {
    name: "dynamodb_table",
    title: "DynamoDB table",
    service: "dynamodb",
    fields: &[
        field("name").immutable(),
        field("hash_key").immutable(),
        // `S`, `N` or `B`, as for the sort key.
        field("hash_key_type").immutable(),
        field("range_key").immutable().optional(),
        field("range_key_type").immutable().optional(),
        field("billing_mode"),
        field("point_in_time_recovery"),
        field("ttl_attribute").optional(),
        field("stream_view_type").optional().renews("stream_arn"),
        // Without it, DynamoDB encrypts with a key of AWS.
        field("kms_key_arn").optional(),
        field("deletion_protection_enabled"),
    ],
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:dynamodb:{region}:{account}:table/{name}")),
        ("name", None),
        // It contains the time at which the stream was turned on, so only AWS can report it.
        ("stream_arn", None),
    ],
    tags: true,
    exclusive: true,
    data: true,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:dynamodb:{region}:{account}:table/{name}",
            &[
                "dynamodb:CreateTable",
                "dynamodb:DeleteTable",
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:ListTagsOfResource",
                "dynamodb:Scan",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ],
        ),
        access("{kms_key_arn}", &["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey"]),
        access("*", &["dynamodb:ListTables"]).to_sweep(),
    ],
};
