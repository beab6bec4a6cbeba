//! CloudWatch Logs.

use crate::kind::{Kind, access, field};

/// A log group.
pub static LOG_GROUP: Kind = Kind {
    name: "cloudwatch_log_group",
    title: "CloudWatch log group",
    service: "logs",
    fields: &[field("name").immutable(), field("retention_in_days"), field("kms_key_id").optional()],
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:logs:{region}:{account}:log-group:{name}")), ("name", None)],
    tags: true,
    exclusive: true,
    // A log group is deleted with its logs, regardless of `force_destroy`.
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:logs:{region}:{account}:log-group:{name}",
            &[
                "logs:AssociateKmsKey",
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:DeleteRetentionPolicy",
                "logs:DisassociateKmsKey",
                "logs:ListTagsForResource",
                "logs:PutRetentionPolicy",
                "logs:TagResource",
                "logs:UntagResource",
            ],
        ),
        access(
            "arn:{partition}:logs:{region}:{account}:log-group:{name}:*",
            &[
                "logs:AssociateKmsKey",
                "logs:CreateLogGroup",
                "logs:DeleteLogGroup",
                "logs:DeleteRetentionPolicy",
                "logs:DisassociateKmsKey",
                "logs:PutRetentionPolicy",
            ],
        ),
        access("*", &["logs:DescribeLogGroups"]),
        access("*", &["logs:DescribeLogGroups"]).to_sweep(),
    ],
};
