//! A table of items.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::common::{self, check_key_arn, setting};
use super::part::Part;
use crate::composite::{Composite, Output, Settings};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path};
use crate::graph::Graph;
use crate::input::{Inputs, Rule};
use crate::kinds::dynamodb;
use crate::names;
use crate::policy::Grant;
use crate::scalar::Scalar;
use crate::value::Value;

/// A DynamoDB table.
pub(super) struct Table;

/// Types that a key may have.
const TYPES: Rule = Rule::OneOf(&["S", "N", "B"]);

/// Checks the name of an attribute that DynamoDB keeps apart.
fn check_attribute(name: &str) -> Result<(), String> {
    match name.len() {
        1..=255 => Ok(()),
        length => Err(format!("the name of an attribute has 1 to 255 bytes, and this has {length}")),
    }
}

/// Inputs of [`Table`].
#[derive(Debug, Inputs)]
pub(super) struct TableInputs {
    /// Name of the table. The name in AWS is made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    /// Attribute that items are found by. Another one is another table: the old one goes with what it holds, and only with `force_destroy`. So it is with `key_type`, `sort_key` and `sort_key_type`.
    #[input(rule = Rule::Check("attribute", check_attribute))]
    key: String,
    /// Type of `key`: `S` for texts, `N` for numbers, `B` for bytes.
    #[input(default = "S", rule = TYPES)]
    key_type: String,
    /// Attribute that items of one key are sorted by; without it there is one item of each key.
    #[input(rule = Rule::Check("attribute", check_attribute))]
    sort_key: Option<String>,
    /// Type of `sort_key`.
    #[input(default = "S", rule = TYPES)]
    sort_key_type: String,
    /// Attribute with the time, in seconds since 1970, after which an item is thrown away; items stay without it. DynamoDB takes one change of this in an hour: from one attribute to another takes two applies, an hour apart.
    #[input(rule = Rule::Check("attribute", check_attribute))]
    ttl_attribute: Option<Scalar<String>>,
    /// What a stream tells of each change, for functions with a trigger on the table: `KEYS_ONLY`, `NEW_IMAGE`, `OLD_IMAGE` or `NEW_AND_OLD_IMAGES`; no stream without it.
    #[input(rule = Rule::OneOf(&["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]))]
    stream: Option<String>,
    /// Whether the table can be brought back to any second of the last 35 days.
    #[input(default = true)]
    point_in_time_recovery: Scalar<bool>,
    /// Whether AWS refuses to delete the table, by whatever means.
    #[input(default = false)]
    deletion_protection: Scalar<bool>,
    /// ARN of the KMS key that encrypts the table; without one, AWS uses its own keys.
    #[input(rule = Rule::Check("ARN", check_key_arn))]
    kms_key_arn: Option<Scalar<String>>,
    /// Tags for everything in this composite that can carry tags.
    tags: Option<super::Tags>,
    /// Whether a table that holds items may be deleted, with all of them.
    #[input(default = false)]
    force_destroy: bool,
}

impl Composite for Table {
    type Inputs = TableInputs;
    const TYPE: &'static str = "table";
    const DOC: &'static str = "A DynamoDB table that is paid for by the request.\n\n\
        It is encrypted, can be brought back to any second of the last 35 days, and is not deleted while it \
        holds items. A function that names it in its `reads` or `writes` gets exactly that access.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("table_name", "Name of the table."),
        Output::text("arn", "ARN of the table."),
        Output::text("stream_arn", "ARN of the stream of its changes, with the input `stream`."),
        Output::text("reader_policy", "The IAM policy, in JSON, that whoever reads the table needs."),
        Output::text("writer_policy", "The IAM policy, in JSON, that whoever writes the table needs."),
    ];

    fn expand(inputs: &TableInputs, context: &Context, findings: &mut Findings) -> Graph {
        if inputs.sort_key.as_ref() == Some(&inputs.key) {
            let message = "items cannot be sorted by what they are found by";
            findings.error(Code::Choice, Path::field("sort_key"), message, "Name another attribute.");
        }
        let mut graph = Graph::new(inputs.force_destroy);
        let part = Part::new(context, &inputs.name);
        let sorted = inputs.sort_key.as_ref().map(|_| inputs.sort_key_type.as_str());
        let table = graph
            .add(&dynamodb::TABLE, "main")
            .set("name", part.regional("", 255))
            .set("hash_key", inputs.key.as_str())
            .set("hash_key_type", inputs.key_type.as_str())
            .set_if("range_key", inputs.sort_key.as_deref())
            .set_if("range_key_type", sorted)
            .set("billing_mode", "PAY_PER_REQUEST")
            .set("point_in_time_recovery", &inputs.point_in_time_recovery)
            .set_if("ttl_attribute", inputs.ttl_attribute.as_ref())
            .set_if("stream_view_type", inputs.stream.as_deref())
            .set_if("kms_key_arn", inputs.kms_key_arn.as_ref())
            .set("deletion_protection_enabled", &inputs.deletion_protection)
            .handle();
        let stream = match &inputs.stream {
            Some(_) => table.attribute("stream_arn"),
            None => Expr::Literal(Json::Null),
        };
        let policy = |grant| common::policy_text([grant], inputs.kms_key_arn.as_ref());
        graph.outputs = BTreeMap::from([
            ("table_name", table.attribute("name")),
            ("arn", table.arn()),
            ("stream_arn", stream),
            ("reader_policy", policy(Grant::ReadItems(table.arn()))),
            ("writer_policy", policy(Grant::WriteItems(table.arn()))),
        ]);
        graph.tags = super::tags(inputs.tags.as_ref());
        graph
    }

    fn seed(name: &str) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        Value::map([("name", text(name)), ("key", text("key")), ("stream", text("KEYS_ONLY"))])
    }

    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value {
        let table = |field| setting(objects, "dynamodb_table.main", field);
        let inputs = [
            ("name", Value::String(name.to_owned())),
            ("key", table("hash_key")),
            ("key_type", table("hash_key_type")),
            ("sort_key", table("range_key")),
            ("sort_key_type", table("range_key_type")),
            ("ttl_attribute", table("ttl_attribute")),
            ("stream", table("stream_view_type")),
            ("point_in_time_recovery", table("point_in_time_recovery")),
            ("deletion_protection", table("deletion_protection_enabled")),
            ("kms_key_arn", table("kms_key_arn")),
        ];
        Value::map(inputs)
    }
}
