//! The `stream` composite: a Kinesis data stream.

use super::common::{self, Encryption, Identity, Tags};
use super::part::Part;
use crate::composite::{Composite, Outputs};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::Findings;
use crate::graph::Graph;
use crate::input::{Inputs, Rule};
use crate::kinds::kinesis;
use crate::policy::Grant;
use crate::scalar::Scalar;
use crate::unit::Unit;
use crate::value::Value;

/// A Kinesis stream.
pub(super) struct Stream;

/// Inputs of [`Stream`].
#[derive(Debug, Inputs)]
pub(super) struct StreamInputs {
    /// Name of the stream. The name in AWS consists of the project and this name, e.g. `shop-prod-clicks`.
    #[input(flatten)]
    identity: Identity,
    /// Number of shards (provisioned mode); each accepts 1,000 records or 1 MiB per second. Without it, the stream is in on-demand mode. Kinesis can at most double or halve the number, ten times a day: a larger change takes several steps, and perhaps another apply.
    #[input(rule = Rule::Range(1, 10_000))]
    shard_count: Option<Scalar<i64>>,
    /// Retention of records in hours.
    #[input(unit = Unit::Hours, default = 24, rule = Rule::Range(24, 8760))]
    retention_hours: Scalar<i64>,
    /// ARN of the KMS key that encrypts records. Without it, the AWS managed key for Kinesis is used.
    #[input(flatten)]
    encryption: Encryption,
    #[input(flatten)]
    tags: Tags,
}

/// Alias of the AWS managed key for Kinesis.
const OWN_KEY: &str = "alias/aws/kinesis";

/// Outputs of [`Stream`].
#[derive(Outputs)]
pub(super) struct StreamOutputs {
    /// Name of the stream.
    stream_name: Expr,
    /// ARN of the stream.
    arn: Expr,
    /// IAM policy document (JSON) that allows reading records of the stream.
    reader_policy: Expr,
    /// IAM policy document (JSON) that allows putting records into the stream.
    writer_policy: Expr,
}

impl Composite for Stream {
    type Inputs = StreamInputs;
    type Outputs = StreamOutputs;
    const TYPE: &'static str = "stream";
    const TERMS: &'static [&'static str] = &["kinesis"];
    const DOC: &'static str = "Creates an encrypted Kinesis data stream.\n\n\
        Without `shard_count`, the stream is in on-demand mode and scales with its load. There is no \
        `force_destroy`: a destroy deletes the stream and its records.\n\n\
        A function with a `stream` trigger reads the stream. A function with the stream in `writes` may put \
        records into it.";

    fn expand(
        inputs: &StreamInputs,
        graph: &mut Graph,
        context: &Context,
        _findings: &mut Findings,
    ) -> Option<StreamOutputs> {
        inputs.tags.set(graph);
        graph.force_destroy = true;
        let part = Part::new(context, &inputs.identity.name);
        let mode = if inputs.shard_count.is_some() { "PROVISIONED" } else { "ON_DEMAND" };
        let encrypted_by = inputs.encryption.key().map_or_else(|| OWN_KEY.into(), Expr::from);
        let stream = graph
            .add(kinesis::Stream, "main")
            .name(part.regional("", 128))
            .stream_mode(mode)
            .shard_count(inputs.shard_count.as_ref())
            .retention_period(&inputs.retention_hours)
            .encryption_type("KMS")
            .kms_key_id(Some(encrypted_by))
            .handle();
        let policy = |grant| common::policy_text([grant], &inputs.encryption);
        Some(StreamOutputs {
            stream_name: stream.attribute("name"),
            arn: stream.arn(),
            reader_policy: policy(Grant::ConsumeStream(stream.arn())),
            writer_policy: policy(Grant::PutRecords(stream.arn())),
        })
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }
}
