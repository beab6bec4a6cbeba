//! The record of a composite in Terraform's state, and the computed attributes.

use std::collections::BTreeMap;

use tandem_engine::difference::{Difference, Values};
use tandem_engine::plan::Planned;
use tandem_engine::read::Reading;
use tandem_engine::record::{Entry, Record};
use tandem_model::composite::Definition;
use tandem_model::graph::Key;
use tfplugin::Value;
use tfplugin::schema::{Attribute, Block, Mode, NestedBlock, Nesting, Schema};
use tfplugin::types::Type;

use crate::{convert, upgrade};

/// The schema of a composite's resource.
pub(crate) fn schema(definition: &Definition) -> Schema {
    let mut block = convert::block(&(definition.fields)(), definition.doc);
    let mut attribute = |name: &str, ty: Type, mode: Mode, description: &str| {
        block.attributes.push(Attribute::new(name, ty, mode, description));
    };
    attribute(
        "ignore_drift",
        Type::list(Type::String),
        Mode::Optional,
        "Fields or objects of `components` whose drift is ignored, e.g. `lambda_function.function.memory_size`. A `*` \
         at the end matches any rest. A missing object that other objects of the composite need is still repaired.",
    );
    attribute(
        "id",
        Type::String,
        Mode::Computed,
        "Id of the composite: project, region, type and name, e.g. `shop-prod/eu-central-1/queue/orders`.",
    );
    attribute(
        "components",
        Type::map(Type::String),
        Mode::Computed,
        "Settings of every AWS object of the composite, by key, as JSON. Secrets are replaced by digests.",
    );
    attribute(
        "ids",
        Type::map(Type::String),
        Mode::Computed,
        "ARN or id of every AWS object of the composite, by key.",
    );
    attribute(
        "iam_policies",
        Type::map(Type::String),
        Mode::Computed,
        "Every policy document of the composite, by key, as JSON.",
    );
    attribute(
        "drift",
        Type::list(Type::String),
        Mode::Computed,
        "Differences between the settings of the last apply and AWS, one string each. The next apply repairs them.",
    );
    attribute(
        "instance",
        Type::String,
        Mode::Computed,
        "Value of the tag `tandem:instance` of every AWS object that this state records.",
    );
    attribute(
        "record",
        Type::map(record_type()),
        Mode::Computed,
        "AWS objects that the composite owns, by key, with their drift. Plans, updates and deletes use this record.",
    );
    for output in definition.outputs {
        let ty = if output.map { Type::map(Type::String) } else { Type::String };
        attribute(output.name, ty, Mode::Computed, output.doc);
    }
    block.blocks.push(NestedBlock {
        name: "timeouts".to_owned(),
        nesting: Nesting::Single,
        block: Block {
            description: "Longest time of an operation, e.g. `30m`.".to_owned(),
            attributes: ["create", "update", "delete"]
                .into_iter()
                .map(|name| {
                    let text = format!("Longest time of a {name}. Default: `20m`.");
                    Attribute::new(name, Type::String, Mode::Optional, text)
                })
                .collect(),
            ..Block::default()
        },
        min_items: 0,
        max_items: 0,
    });
    Schema { version: upgrade::VERSION, block }
}

fn record_type() -> Type {
    Type::object([
        ("kind", Type::String),
        ("id", Type::String),
        ("region", Type::String),
        ("account", Type::String),
        ("digest", Type::String),
        ("needs", Type::list(Type::String)),
        ("attributes", Type::map(Type::String)),
        ("anchor", Type::Bool),
        ("differences", Type::list(Type::object([("what", Type::String), ("field", Type::String)]))),
    ])
}

/// The computed attributes that every composite has.
pub(crate) const COMPUTED: [&str; 7] =
    ["id", "components", "ids", "iam_policies", "drift", "instance", "record"];

/// Reads the record from a state.
pub(crate) fn record(state: &Value) -> Record {
    let text = |value: &Value, name: &str| value.get(name).as_str().unwrap_or_default().to_owned();
    let lines = state.get("components");
    let ids = state.get("ids");
    let instance = text(state, "instance");
    let entries = state.get("record").as_map().into_iter().flatten();
    let objects = entries.map(|(key, value)| {
        let id = text(value, "id");
        let shown = ids.get(key).as_str().unwrap_or_default();
        let needs = value.get("needs").as_list().unwrap_or_default().iter();
        let attributes = value.get("attributes").as_map().into_iter().flatten();
        let entry = Entry {
            kind: text(value, "kind"),
            region: text(value, "region"),
            account: text(value, "account"),
            digest: text(value, "digest"),
            line: lines.get(key).as_str().unwrap_or_default().to_owned(),
            arn: (shown != id && !shown.is_empty()).then(|| shown.to_owned()),
            attributes: attributes
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            needs: needs.filter_map(|need| need.as_str().map(Key::from)).collect(),
            anchor: *value.get("anchor") == Value::Bool(true),
            differences: differences(value, &instance),
            id,
        };
        (Key::from(key.as_str()), entry)
    });
    let objects = objects.collect();
    Record { instance, objects }
}

/// Words for differences in a record.
const MISSING: &str = "missing";
const FIELD: &str = "field";
const OTHER_INSTANCE: &str = "other_instance";
const UNLABELED: &str = "unlabeled";
const UNFINISHED: &str = "unfinished";
const OF_ANOTHER_APPLY: &str = "of_another_apply";

/// Reads the differences of an entry. A newer version may have written others: these are ignored until the next
/// read.
fn differences(entry: &Value, instance: &str) -> Vec<Difference> {
    let differences = entry.get("differences").as_list().unwrap_or_default().iter();
    let difference = |value: &Value| match value.get("what").as_str()? {
        MISSING => Some(Difference::Missing),
        FIELD => {
            let name = value.get("field").as_str()?.to_owned();
            Some(Difference::Field { name, values: Values::Hidden })
        }
        OTHER_INSTANCE => Some(Difference::OtherInstance { instance: instance.to_owned() }),
        UNLABELED => Some(Difference::Unlabeled { found: None }),
        UNFINISHED => Some(Difference::Unfinished),
        OF_ANOTHER_APPLY => Some(Difference::OfAnotherApply),
        _ => None,
    };
    differences.filter_map(difference).collect()
}

/// The differences of an entry as the record contains them. The values of a field are only in the lines of
/// `drift`.
fn difference_values<'a>(differences: impl Iterator<Item = &'a Difference>) -> Value {
    let value = |difference: &Difference| {
        let (what, field) = match difference {
            Difference::Missing => (MISSING, ""),
            Difference::Field { name, .. } => (FIELD, name.as_str()),
            Difference::OtherInstance { .. } => (OTHER_INSTANCE, ""),
            Difference::Unlabeled { .. } => (UNLABELED, ""),
            Difference::Unfinished => (UNFINISHED, ""),
            Difference::OfAnotherApply => (OF_ANOTHER_APPLY, ""),
        };
        Value::map([("what", Value::from(what)), ("field", Value::from(field))])
    };
    Value::List(differences.map(value).collect())
}

/// Writes the result of a read to a state: each difference to the entry of its object, and a line about it to
/// `drift`.
pub(crate) fn set_reading(state: &mut Value, reading: &Reading) {
    let lines = reading.lines().into_iter().map(Value::String);
    state.set("drift", Value::List(lines.collect()));
    let Value::Map(mut entries) = state.get("record").clone() else { return };
    for (key, entry) in &mut entries {
        let own = reading.differences.iter().filter(|(of, _)| of.as_str() == key);
        entry.set("differences", difference_values(own.map(|(_, difference)| difference)));
    }
    state.set("record", Value::Map(entries));
}

/// Writes a record to a state.
pub(crate) fn set_record(state: &mut Value, record: &Record) {
    let entries = |value: &dyn Fn(&Entry) -> Value| {
        let entries = record.objects.iter().map(|(key, entry)| (key.to_string(), value(entry)));
        Value::Map(entries.collect::<BTreeMap<_, _>>())
    };
    let shown = |entry: &Entry| Value::String(entry.arn.clone().unwrap_or_else(|| entry.id.clone()));
    state.set("components", entries(&|entry| Value::String(entry.line.clone())));
    state.set("ids", entries(&shown));
    state.set("instance", Value::String(record.instance.clone()));
    let known = |entry: &Entry| {
        object(entry, Value::from(&*entry.id), Value::from(&*entry.digest), attributes(entry))
    };
    state.set("record", entries(&known));
}

/// The record after an apply, with unknown values where they are known only at apply.
pub(crate) fn planned_record(planned: &Planned) -> Value {
    let or_unknown = |known: bool, value: Value| if known { value } else { Value::UNKNOWN };
    let entries = planned.entries.iter().map(|(key, planned)| {
        let entry = &planned.entry;
        let id = or_unknown(planned.id, Value::from(&*entry.id));
        let digest = or_unknown(planned.digest, Value::from(&*entry.digest));
        (key.to_string(), object(entry, id, digest, or_unknown(planned.attributes, attributes(entry))))
    });
    Value::map(entries)
}

fn attributes(entry: &Entry) -> Value {
    Value::map(entry.attributes.iter().map(|(name, value)| (name, Value::String(value.clone()))))
}

fn object(entry: &Entry, id: Value, digest: Value, attributes: Value) -> Value {
    Value::map([
        ("kind", Value::String(entry.kind.clone())),
        ("id", id),
        ("region", Value::String(entry.region.clone())),
        ("account", Value::String(entry.account.clone())),
        ("digest", digest),
        ("needs", Value::List(entry.needs.iter().map(|key| Value::String(key.to_string())).collect())),
        ("attributes", attributes),
        ("anchor", Value::Bool(entry.anchor)),
        ("differences", difference_values(entry.differences.iter())),
    ])
}
