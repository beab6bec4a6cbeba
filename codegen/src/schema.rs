//! The JSON Schema of a spec, for completion and validation in editors.

use serde_json::{Map, Value as Json, json};
use tandem_model::composites;
use tandem_model::input::{Body, Bounds, Field, Rule, Shape};

use crate::spec::{IGNORED, body_fields, is_code, section};

/// Returns the JSON Schema of `tandem.yaml`.
pub fn schema() -> Json {
    let name = json!({
        "type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "maxLength": tandem_model::names::MAX_NAME,
        "description": "Name of the application. Every name in AWS begins with it.",
    });
    let mut properties = Map::from_iter([("app".to_owned(), name)]);
    for definition in composites::ALL {
        let fields: Vec<Field> =
            (definition.fields)().into_iter().filter(|field| field.name != "name").collect();
        let mut entry = block(&fields);
        entry["type"] = json!(["object", "null"]);
        properties.insert(
            section(definition),
            json!({
                "type": ["object", "null"],
                "description": definition.doc,
                "propertyNames": { "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$" },
                "additionalProperties": entry,
            }),
        );
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tandem spec",
        "type": "object",
        "required": ["app"],
        "additionalProperties": false,
        "patternProperties": {
            (format!("^{IGNORED}")): { "description": "Ignored: a place for YAML anchors." },
        },
        "properties": properties,
    })
}

fn block(fields: &[Field]) -> Json {
    let properties: Map<String, Json> =
        fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    // An entry without code gets a Rust handler.
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.must_be_set() && !is_code(field))
        .map(|field| field.name)
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

fn body(body: &Body) -> Json {
    match body {
        Body::Fields(fields) => block(fields),
        Body::Choice(variants) => {
            json!({ "oneOf": variants.iter().map(|variant| block(&variant.fields)).collect::<Vec<_>>() })
        }
    }
}

fn property(field: &Field) -> Json {
    let mut property = match &field.shape {
        Shape::Block(inner) => body(inner),
        // A single block is accepted as a list of one block.
        Shape::Blocks(inner) => {
            let one = body(inner);
            json!({ "anyOf": [{ "type": "array", "items": one.clone() }, one] })
        }
        Shape::List(element) => {
            let one = ruled(plain(element), field.rule);
            json!({ "anyOf": [{ "type": "array", "items": one.clone() }, one] })
        }
        shape => ruled(plain(shape), field.rule),
    };
    property["description"] = field.doc.into();
    if let Some(default) = &field.default {
        property["default"] = default.clone();
    }
    property
}

fn plain(shape: &Shape) -> Json {
    match shape {
        Shape::String => json!({ "type": "string" }),
        Shape::Integer => json!({ "type": "integer" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::List(element) => json!({ "type": "array", "items": plain(element) }),
        Shape::Map(element) => json!({ "type": "object", "additionalProperties": plain(element) }),
        Shape::Block(inner) | Shape::Blocks(inner) => block(&body_fields(inner)),
    }
}

fn ruled(mut schema: Json, rule: Option<Rule>) -> Json {
    match rule.and_then(Rule::bounds) {
        Some(Bounds::Numbers(low, high)) => {
            schema["minimum"] = low.into();
            schema["maximum"] = high.into();
        }
        Some(Bounds::AtLeast(low)) => schema["minimum"] = low.into(),
        Some(Bounds::Characters(low, high)) => {
            if low > 0 {
                schema["minLength"] = low.into();
            }
            schema["maxLength"] = high.into();
        }
        None => {}
    }
    match rule {
        Some(Rule::OneOfNumbers(allowed)) => schema["enum"] = allowed.into(),
        Some(Rule::OneOf(allowed)) => schema["enum"] = allowed.into(),
        Some(rule) if !rule.published().is_empty() => schema["examples"] = rule.published().into(),
        Some(Rule::Range(..) | Rule::Limit(..) | Rule::Check(..) | Rule::Coded(..)) | None => {}
    }
    schema
}
