//! Kinesis Data Streams.

use crate::kind::declare::{Number, Text, kind};
use crate::kind::{Look, access};

kind! {
    /// A stream.
    Stream, STREAM {
        /// Its name.
        name: Text => immutable().sets("CreateStream.StreamName").property("Name"),
        /// `ON_DEMAND` or `PROVISIONED`.
        stream_mode: Text => sets("CreateStream.StreamModeDetails.StreamMode").at("stream_mode_details.stream_mode"),
        /// The number of shards of a provisioned stream.
        shard_count: Option<Number> => sets("CreateStream.ShardCount"),
        /// The retention of records in hours.
        retention_period: Number => sets("IncreaseStreamRetentionPeriod.RetentionPeriodHours"),
        /// `KMS` or `NONE`.
        encryption_type: Text => sets("StartStreamEncryption.EncryptionType").property("StreamEncryption.EncryptionType"),
        /// The ARN or alias of the key.
        kms_key_id: Option<Text> => optional().sets("StartStreamEncryption.KeyId").property("StreamEncryption.KeyId"),
    }
    name: "kinesis_stream",
    title: "Kinesis stream",
    service: "kinesis",
    cloudformation: Some("AWS::Kinesis::Stream"),
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:kinesis:{region}:{account}:stream/{name}")), ("name", None)],
    tags: true,
    tags_member: Some("CreateStream.Tags"),
    exclusive: true,
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
            ],
        ),
        // IAM's reference names no resource for these.
        access("*", &["kinesis:UpdateShardCount", "kinesis:UpdateStreamMode"]),
        // Kinesis uses the key with the permissions of the caller.
        access(
            "{kms_key_id}",
            &["kinesis:StartStreamEncryption", "kinesis:StopStreamEncryption", "kms:DescribeKey"],
        ),
        access("*", &["kinesis:ListStreams"]).to_sweep(),
    ],
    look: Some(Look::Stream),
}
