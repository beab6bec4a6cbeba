//! Kinesis Data Streams.

use crate::kind::{Kind, access, field};

/// A stream.
pub static STREAM: Kind = Kind {
    name: "kinesis_stream",
    title: "Kinesis stream",
    service: "kinesis",
    fields: &[
        field("name").immutable(),
        // `ON_DEMAND` or `PROVISIONED`.
        field("stream_mode"),
        // For provisioned streams only.
        field("shard_count"),
        // In hours.
        field("retention_period"),
        // `KMS` or `NONE`.
        field("encryption_type"),
        field("kms_key_id").optional(),
    ],
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:kinesis:{region}:{account}:stream/{name}")), ("name", None)],
    tags: true,
    exclusive: true,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:kinesis:{region}:{account}:stream/{name}",
            &[
                "kinesis:AddTagsToStream",
                "kinesis:CreateStream",
                "kinesis:DecreaseStreamRetentionPeriod",
                "kinesis:DeleteStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:IncreaseStreamRetentionPeriod",
                "kinesis:ListTagsForStream",
                "kinesis:RemoveTagsFromStream",
                "kinesis:StartStreamEncryption",
                "kinesis:StopStreamEncryption",
                "kinesis:UpdateShardCount",
                "kinesis:UpdateStreamMode",
            ],
        ),
        access("*", &["kinesis:ListStreams"]).to_sweep(),
    ],
};
