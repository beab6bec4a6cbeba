//! CloudWatch Logs.

use crate::composite::Settings;
use crate::kind::access;
use crate::kind::declare::{Number, Text, kind};
use crate::kind::documented::{Fault, documented, text};

kind! {
    /// A log group.
    LogGroup, LOG_GROUP {
        name: Text => immutable().sets("CreateLogGroup.logGroupName"),
        retention_in_days: Number => sets("PutRetentionPolicy.retentionInDays").property("RetentionInDays"),
        kms_key_id: Option<Text> => optional().sets("CreateLogGroup.kmsKeyId"),
    }
    name: "cloudwatch_log_group",
    title: "CloudWatch log group",
    service: "logs",
    cloudformation: Some("AWS::Logs::LogGroup"),
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:logs:{region}:{account}:log-group:{name}")), ("name", None)],
    tags: true,
    tags_member: Some("CreateLogGroup.tags"),
    exclusive: true,
    // A log group is deleted with its logs, regardless of `force_destroy`.
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
    documented: &[
        documented(&["name"], reserved_name, "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html"),
    ],
}

/// Checks that CloudWatch Logs does not reserve the name of a log group.
fn reserved_name(settings: &Settings) -> Option<Fault> {
    let name = text(settings, "name");
    name.starts_with("aws/").then(|| Fault {
        fault: format!("the name `{name}` begins with `aws/`, which CloudWatch Logs reserves"),
        help: "Choose another name.",
    })
}
