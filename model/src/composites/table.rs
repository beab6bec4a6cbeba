//! The `table` composite: a DynamoDB table.

use super::common::{self, Encryption, Identity, Tags};
use super::part::Part;
use crate::composite::{Composite, Outputs};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path};
use crate::graph::Graph;
use crate::input::{Inputs, Rule};
use crate::kinds::dynamodb;
use crate::policy::Grant;
use crate::scalar::Scalar;
use crate::value::Value;

/// A DynamoDB table.
pub(super) struct Table;

/// Types of key attributes.
const TYPES: Rule = Rule::OneOf(&["S", "N", "B"]);

impl Rule {
    /// The name of an attribute of a table.
    const ATTRIBUTE: Self = Self::Check("the name of an attribute, e.g. `id`", check_attribute);
}

/// Checks the name of a key attribute or of the TTL attribute.
fn check_attribute(name: &str) -> Result<(), String> {
    match name.len() {
        1..=255 => Ok(()),
        length => {
            Err(format!("the name of an attribute must have 1 to 255 bytes, but this one has {length}"))
        }
    }
}

/// Inputs of [`Table`].
#[derive(Debug, Inputs)]
pub(super) struct TableInputs {
    /// Name of the table. The name in AWS consists of the project and this name, e.g. `shop-prod-counts`.
    #[input(flatten)]
    identity: Identity,
    /// Name of the partition key attribute. A change of `key`, `key_type`, `sort_key` or `sort_key_type` replaces the table, deletes its items, and requires `force_destroy`.
    #[input(rule = Rule::ATTRIBUTE)]
    key: String,
    /// Type of `key`: `S` (string), `N` (number) or `B` (binary).
    #[input(default = "S", rule = TYPES)]
    key_type: String,
    /// Name of the sort key attribute. Without it, the table has one item per partition key.
    #[input(rule = Rule::ATTRIBUTE)]
    sort_key: Option<String>,
    /// Type of `sort_key`: `S` (string), `N` (number) or `B` (binary).
    #[input(default = "S", rule = TYPES)]
    sort_key_type: String,
    /// Attribute with the expiry time of an item, in seconds since 1970 (Unix time). Without it, items do not expire. DynamoDB accepts one change per hour: to switch to another attribute, apply twice, an hour apart.
    #[input(rule = Rule::ATTRIBUTE)]
    ttl_attribute: Option<Scalar<String>>,
    /// View type of the DynamoDB stream: the data in each change record. A function with a `table` trigger requires a stream. Without it, the table has none.
    #[input(rule = Rule::OneOf(&["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]))]
    stream: Option<String>,
    /// Enables point-in-time recovery: the table can be restored to any second of the last 35 days.
    #[input(default = true)]
    point_in_time_recovery: Scalar<bool>,
    /// Enables deletion protection: DynamoDB rejects every request to delete the table.
    #[input(default = false)]
    deletion_protection: Scalar<bool>,
    /// ARN of the KMS key that encrypts the table. Without it, DynamoDB uses its own key.
    #[input(flatten)]
    encryption: Encryption,
    #[input(flatten)]
    tags: Tags,
    /// Allows deletion of a table that contains items. The items are deleted with it.
    #[input(default = false)]
    force_destroy: bool,
}

/// Outputs of [`Table`].
#[derive(Outputs)]
pub(super) struct TableOutputs {
    /// Name of the table.
    table_name: Expr,
    /// ARN of the table.
    arn: Expr,
    /// ARN of the DynamoDB stream; null if `stream` is not set.
    stream_arn: Option<Expr>,
    /// IAM policy document (JSON) that allows reading items of the table.
    reader_policy: Expr,
    /// IAM policy document (JSON) that allows writing items of the table.
    writer_policy: Expr,
}

impl Composite for Table {
    type Inputs = TableInputs;
    type Outputs = TableOutputs;
    const TYPE: &'static str = "table";
    const TERMS: &'static [&'static str] = &["dynamodb", "databases"];
    const DOC: &'static str = "Creates an encrypted DynamoDB table with on-demand capacity.\n\n\
        Point-in-time recovery is on by default. A table that contains items is deleted only with \
        `force_destroy`. A function with the table in `reads` or `writes` gets exactly that access.";

    fn expand(
        inputs: &TableInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<TableOutputs> {
        inputs.tags.set(graph);
        graph.force_destroy = inputs.force_destroy;
        if inputs.sort_key.as_ref() == Some(&inputs.key) {
            let message = "`sort_key` is the same attribute as `key`";
            findings.error(
                Code::Choice,
                Path::field("sort_key"),
                message,
                "Set `sort_key` to another attribute.",
            );
        }
        let part = Part::new(context, &inputs.identity.name);
        let sorted = inputs.sort_key.as_ref().map(|_| inputs.sort_key_type.as_str());
        let table = graph
            .add(dynamodb::Table, "main")
            .name(part.regional("", 255))
            .hash_key(inputs.key.as_str())
            .hash_key_type(inputs.key_type.as_str())
            .range_key(inputs.sort_key.as_deref())
            .range_key_type(sorted)
            .billing_mode("PAY_PER_REQUEST")
            .point_in_time_recovery(&inputs.point_in_time_recovery)
            .ttl_attribute(inputs.ttl_attribute.as_ref())
            .stream_view_type(inputs.stream.as_deref())
            .kms_key_arn(inputs.encryption.key())
            .deletion_protection_enabled(&inputs.deletion_protection)
            .handle();
        let stream_arn = inputs.stream.as_ref().map(|_| table.attribute("stream_arn"));
        let policy = |grant| common::policy_text([grant], &inputs.encryption);
        Some(TableOutputs {
            table_name: table.attribute("name"),
            arn: table.arn(),
            stream_arn,
            reader_policy: policy(Grant::ReadItems(table.arn())),
            writer_policy: policy(Grant::WriteItems(table.arn())),
        })
    }

    fn seed(name: &str) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        Value::map([("name", text(name)), ("key", text("key")), ("stream", text("KEYS_ONLY"))])
    }
}
