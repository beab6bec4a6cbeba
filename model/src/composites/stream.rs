//! A stream of records.

use std::collections::BTreeMap;

use super::common::{self, check_key_arn, setting};
use super::part::Part;
use crate::composite::{Composite, Output, Settings};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::Findings;
use crate::graph::Graph;
use crate::input::{Inputs, Rule};
use crate::kinds::kinesis;
use crate::names;
use crate::policy::Grant;
use crate::scalar::Scalar;
use crate::value::Value;

/// A Kinesis stream.
pub(super) struct Stream;

/// Inputs of [`Stream`].
#[derive(Debug, Inputs)]
pub(super) struct StreamInputs {
    /// Name of the stream. The name in AWS is made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    /// Number of shards, of which each takes 1,000 records or 1 MiB in a second; without it, as many as are needed. Kinesis doubles or halves the number at the most, ten times in a day: a change that is larger takes several steps, and perhaps another apply.
    #[input(rule = Rule::Range(1, 10_000))]
    shard_count: Option<Scalar<i64>>,
    /// Hours for which records are kept.
    #[input(default = 24, rule = Rule::Range(24, 8760))]
    retention_hours: Scalar<i64>,
    /// ARN of the KMS key that encrypts records; without one, AWS's own key for Kinesis does.
    #[input(rule = Rule::Check("ARN", check_key_arn))]
    kms_key_arn: Option<Scalar<String>>,
    /// Tags for everything in this composite that can carry tags.
    tags: Option<super::Tags>,
}

/// AWS's own key for Kinesis.
const OWN_KEY: &str = "alias/aws/kinesis";

impl Composite for Stream {
    type Inputs = StreamInputs;
    const TYPE: &'static str = "stream";
    const DOC: &'static str = "A Kinesis stream, encrypted, that grows with what comes.\n\n\
        There is no `force_destroy`: a destroy deletes the stream with the records that it still holds.\n\n\
        A function with a trigger `stream` reads it; one that names it in its `writes` may put records \
        into it.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("stream_name", "Name of the stream."),
        Output::text("arn", "ARN of the stream."),
        Output::text("reader_policy", "The IAM policy, in JSON, that whoever reads the stream needs."),
        Output::text("writer_policy", "The IAM policy, in JSON, that whoever puts records into it needs."),
    ];

    fn expand(inputs: &StreamInputs, context: &Context, _findings: &mut Findings) -> Graph {
        let mut graph = Graph::new(true);
        let part = Part::new(context, &inputs.name);
        let mode = if inputs.shard_count.is_some() { "PROVISIONED" } else { "ON_DEMAND" };
        let encrypted_by = inputs.kms_key_arn.as_ref().map_or_else(|| OWN_KEY.into(), Expr::from);
        let stream = graph
            .add(&kinesis::STREAM, "main")
            .set("name", part.regional("", 128))
            .set("stream_mode", mode)
            .set_if("shard_count", inputs.shard_count.as_ref())
            .set("retention_period", &inputs.retention_hours)
            .set("encryption_type", "KMS")
            .set("kms_key_id", encrypted_by)
            .handle();
        let policy = |grant| common::policy_text([grant], inputs.kms_key_arn.as_ref());
        graph.outputs = BTreeMap::from([
            ("stream_name", stream.attribute("name")),
            ("arn", stream.arn()),
            ("reader_policy", policy(Grant::ConsumeStream(stream.arn()))),
            ("writer_policy", policy(Grant::PutRecords(stream.arn()))),
        ]);
        graph.tags = super::tags(inputs.tags.as_ref());
        graph
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }

    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value {
        let stream = |field| setting(objects, "kinesis_stream.main", field);
        let key = Some(stream("kms_key_id")).filter(|key| key.as_text() != Some(OWN_KEY)).unwrap_or_default();
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("shard_count", stream("shard_count")),
            ("retention_hours", stream("retention_period")),
            ("kms_key_arn", key),
        ])
    }
}
