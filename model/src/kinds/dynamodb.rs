//! DynamoDB.

use crate::kind::declare::{Flag, Text, kind};
use crate::kind::place::{Given, beside, constant};
use crate::kind::{Look, access};

kind! {
    /// A table.
    Table, TABLE {
        name: Text => immutable().sets("CreateTable.TableName").property("TableName"),
        hash_key: Text => immutable().sets("CreateTable.KeySchema[].AttributeName").property("KeySchema#hash.AttributeName"),
        /// `S`, `N` or `B`, as for the sort key.
        hash_key_type: Text => immutable().sets("CreateTable.AttributeDefinitions[].AttributeType").property("AttributeDefinitions#hash.AttributeType").at("attribute#hash.type"),
        range_key: Option<Text> => immutable().optional().sets("CreateTable.KeySchema[].AttributeName").property("KeySchema#range.AttributeName"),
        range_key_type: Option<Text> => immutable().optional().sets("CreateTable.AttributeDefinitions[].AttributeType").property("AttributeDefinitions#range.AttributeType").at("attribute#range.type"),
        billing_mode: Text => sets("CreateTable.BillingMode"),
        point_in_time_recovery: Flag => sets("UpdateContinuousBackups.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled").at("point_in_time_recovery.enabled"),
        ttl_attribute: Option<Text> => optional().sets("UpdateTimeToLive.TimeToLiveSpecification.AttributeName").at("ttl.attribute_name"),
        stream_view_type: Option<Text> => optional().renews("stream_arn").sets("CreateTable.StreamSpecification.StreamViewType"),
        /// Without it, DynamoDB encrypts with a key of AWS.
        kms_key_arn: Option<Text> => optional().sets("CreateTable.SSESpecification.KMSMasterKeyId").property("SSESpecification.KMSMasterKeyId").at("server_side_encryption.kms_key_arn"),
        deletion_protection_enabled: Flag => sets("CreateTable.DeletionProtectionEnabled"),
    }
    name: "dynamodb_table",
    title: "DynamoDB table",
    service: "dynamodb",
    cloudformation: Some("AWS::DynamoDB::Table"),
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:dynamodb:{region}:{account}:table/{name}")),
        ("name", None),
        // It contains the time at which the stream was turned on, so only AWS can report it.
        ("stream_arn", None),
    ],
    tags: true,
    tags_member: Some("CreateTable.Tags"),
    exclusive: true,
    data: true,
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
    beside: &[
        constant("server_side_encryption.enabled", "true").with("kms_key_arn"),
        constant("stream_enabled", "true").with("stream_view_type"),
        constant("ttl.enabled", "true").with("ttl_attribute"),
        beside("attribute#hash.name", Given::Field("hash_key")),
        beside("attribute#range.name", Given::Field("range_key")).with("range_key"),
    ],
    look: Some(Look::Table),
}
