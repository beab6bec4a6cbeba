//! Converts the model's inputs and findings to Terraform's schemas, values and diagnostics, and back.

use std::collections::BTreeMap;

use tandem_model::finding::{
    Finding, Findings, Path as InputPath, Severity as InputSeverity, Step as InputStep,
};
use tandem_model::input::{Body, Bounds, Field, Rule, Shape, Variant, union};
use tandem_model::value::Value as Input;
use tfplugin::schema::{Attribute, Block, Mode, NestedBlock, Nesting};
use tfplugin::types::Type;
use tfplugin::value::Number;
use tfplugin::{Diagnostic, Path, Severity, Step, Value};

/// The schema block of these inputs.
pub(crate) fn block(fields: &[Field], description: &str) -> Block {
    let mut block = Block { description: description.to_owned(), ..Block::default() };
    for field in fields {
        match &field.shape {
            Shape::Block(body) => block.blocks.push(nested(field, body, true)),
            Shape::Blocks(body) => block.blocks.push(nested(field, body, false)),
            plain => block.attributes.push(attribute(field, plain)),
        }
    }
    block
}

fn nested(field: &Field, body: &Body, single: bool) -> NestedBlock {
    let block = match body {
        Body::Fields(fields) => block(fields, field.doc),
        // The required fields depend on the chosen shape: the reader of inputs checks them.
        Body::Choice(variants) => choice(variants, field.doc),
    };
    let nesting = if single { Nesting::Single } else { Nesting::List };
    // With `min_items`, Terraform reports a missing block itself, before the provider validates.
    let min_items = i64::from(single && field.required);
    NestedBlock { name: field.name.to_owned(), nesting, block, min_items, max_items: min_items }
}

/// The schema block of a choice of shapes: all their inputs, each documented with the shapes that have it.
fn choice(variants: &[Variant], description: &str) -> Block {
    let mut fields = union(variants);
    fields.iter_mut().for_each(|field| field.required = false);
    let mut block = block(&fields, description);
    for attribute in &mut block.attributes {
        attribute.description = describe_among(variants, &attribute.name);
    }
    for nested in &mut block.blocks {
        nested.block.description = describe_among(variants, &nested.name);
    }
    block
}

/// The documentation of an input of a choice. Each shape can have its own rules and default for it.
fn describe_among(variants: &[Variant], name: &str) -> String {
    let mut texts: Vec<(String, Vec<&str>)> = Vec::new();
    for variant in variants {
        let shape = variant.discriminator().name;
        let Some(field) = variant.fields.iter().find(|field| field.name == name) else { continue };
        if shape == name {
            return format!("{} {}", variant.doc, describe(field));
        }
        let required = if field.required && field.default.is_none() { "Required. " } else { "" };
        let text = format!("{required}{}", describe(field));
        match texts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, shapes)) => shapes.push(shape),
            None => texts.push((text, vec![shape])),
        }
    }
    let of = |shapes: &[&str]| {
        let without: Vec<&str> = variants.iter().map(|variant| variant.discriminator().name).collect();
        let without: Vec<&str> = without.into_iter().filter(|shape| !shapes.contains(shape)).collect();
        match without[..] {
            [] => String::new(),
            _ if texts.len() == 1 && without.len() < shapes.len() => {
                format!("Not with {}. ", either(&without))
            }
            _ => format!("With {}: ", either(shapes)),
        }
    };
    texts.iter().map(|(text, shapes)| format!("{}{text}", of(shapes))).collect::<Vec<_>>().join(" ")
}

/// Joins names to a list: `a`, `b` or `c`.
fn either(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

fn attribute(field: &Field, shape: &Shape) -> Attribute {
    let mode = match (&field.default, field.required) {
        // The plan fills in the default, so that it shows the value.
        (Some(_), _) => Mode::OptionalComputed,
        (None, true) => Mode::Required,
        (None, false) => Mode::Optional,
    };
    let mut attribute = Attribute::new(field.name, plain_type(shape), mode, describe(field));
    attribute.sensitive = field.sensitive;
    attribute.write_only = field.write_only;
    attribute
}

fn plain_type(shape: &Shape) -> Type {
    match shape {
        Shape::String => Type::String,
        Shape::Integer => Type::Number,
        Shape::Bool => Type::Bool,
        Shape::List(element) => Type::list(plain_type(element)),
        Shape::Map(element) => Type::map(plain_type(element)),
        Shape::Block(_) | Shape::Blocks(_) => unreachable!("a block has no attribute type"),
    }
}

/// The documentation of an input, with its rule and default.
fn describe(field: &Field) -> String {
    let mut text = field.doc.to_owned();
    match field.rule.and_then(Rule::bounds) {
        Some(Bounds::Numbers(low, high)) => text.push_str(&format!(" From {low} to {high}.")),
        Some(Bounds::AtLeast(low)) => text.push_str(&format!(" At least {low}.")),
        Some(Bounds::Characters(0, high)) => text.push_str(&format!(" At most {high} characters.")),
        Some(Bounds::Characters(low, high)) => text.push_str(&format!(" {low} to {high} characters.")),
        None => {}
    }
    match field.rule {
        Some(Rule::OneOf(allowed)) => text.push_str(&format!(" One of: `{}`.", allowed.join("`, `"))),
        Some(Rule::OneOfNumbers(allowed)) => {
            let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
            text.push_str(&format!(" One of: {}.", allowed.join(", ")));
        }
        Some(rule) if !rule.published().is_empty() => {
            text.push_str(&format!(" One of: `{}`.", rule.published().join("`, `")));
        }
        Some(Rule::Range(..) | Rule::Limit(..) | Rule::Check(..) | Rule::Coded(..)) | None => {}
    }
    if let Some(default) = &field.default {
        text.push_str(&format!(" Default: `{default}`."));
    }
    if let Some(reason) = field.replaces {
        text.push_str(&format!(" A change replaces the composite: {reason}."));
    }
    text
}

/// Converts the inputs of a composite to the model's form, without the attributes that the provider adds.
pub(crate) fn inputs(value: &Value, fields: &[Field]) -> Input {
    let Value::Map(entries) = value else { return input(value) };
    Input::map(fields.iter().filter_map(|field| Some((field.name, input(entries.get(field.name)?)))))
}

/// Converts a value to the model's form.
pub(crate) fn input(value: &Value) -> Input {
    match value {
        Value::Null => Input::Null,
        Value::Unknown(_) => Input::Unknown,
        Value::Bool(value) => Input::Bool(*value),
        Value::Number(number) => Input::Number(number.to_string()),
        Value::String(text) => Input::String(text.clone()),
        Value::List(items) => Input::List(items.iter().map(input).collect()),
        Value::Map(entries) => Input::map(entries.iter().map(|(key, value)| (key, input(value)))),
        Value::Dynamic(inner) => input(&inner.1),
    }
}

/// Fills the null parts of a Terraform value with the inputs. Keys that the value lacks are ignored.
pub(crate) fn merge(target: &mut Value, inputs: &Input) {
    match (target, inputs) {
        (Value::Map(entries), Input::Map(inputs)) => {
            for (key, input) in inputs {
                if let Some(entry) = entries.get_mut(key) {
                    merge(entry, input);
                }
            }
        }
        (Value::List(items), Input::List(inputs)) if items.len() == inputs.len() => {
            items.iter_mut().zip(inputs).for_each(|(item, input)| merge(item, input));
        }
        (target, input) if target.is_null() => *target = value(input),
        _ => {}
    }
}

/// Converts inputs to a value of a schema block. Whatever the inputs lack is null, or an empty list of blocks.
pub(crate) fn complete(inputs: &Input, block: &Block) -> Value {
    let attributes =
        block.attributes.iter().map(|attribute| (&attribute.name, value(inputs.get(&attribute.name))));
    let blocks = block.blocks.iter().map(|nested| {
        let given = inputs.get(&nested.name);
        let value = match (nested.nesting, given) {
            (Nesting::Single, Input::Map(_)) => complete(given, &nested.block),
            (Nesting::List, Input::List(items)) => {
                Value::List(items.iter().map(|item| complete(item, &nested.block)).collect())
            }
            (Nesting::List, _) => Value::List(Vec::new()),
            // Inputs have no blocks of another form.
            _ => Value::Null,
        };
        (&nested.name, value)
    });
    Value::map(attributes.chain(blocks).map(|(name, value)| (name.clone(), value)))
}

/// Converts a value of the model to Terraform's form.
pub(crate) fn value(input: &Input) -> Value {
    match input {
        Input::Null => Value::Null,
        Input::Unknown | Input::Reference(_) => Value::UNKNOWN,
        Input::Bool(value) => Value::Bool(*value),
        Input::Number(text) => Number::parse(text).map_or(Value::Null, Value::Number),
        Input::String(text) => Value::String(text.clone()),
        Input::List(items) => Value::List(items.iter().map(value).collect()),
        Input::Map(entries) => Value::map(entries.iter().map(|(key, entry)| (key, value(entry)))),
    }
}

/// Converts findings about inputs with these fields to diagnostics.
pub(crate) fn diagnostics(findings: &Findings, fields: &[Field]) -> Vec<Diagnostic> {
    findings.0.iter().map(|finding| diagnostic(finding, fields)).collect()
}

/// Converts a finding to a diagnostic. The summary starts with the path, the detail ends with the code.
fn diagnostic(finding: &Finding, fields: &[Field]) -> Diagnostic {
    let summary = if finding.path.0.is_empty() {
        finding.message.clone()
    } else {
        format!("{}: {}", finding.path, finding.message)
    };
    let severity = match finding.severity {
        InputSeverity::Error => Severity::Error,
        InputSeverity::Warning => Severity::Warning,
    };
    let detail = format!("{} [{}]", finding.help, finding.code);
    Diagnostic { severity, summary, detail, path: Some(path(&finding.path, fields)) }
}

fn path(path: &InputPath, fields: &[Field]) -> Path {
    // Terraform shows the line of an attribute, or of the block that lacks it. For the path of a block it shows the
    // line of the resource.
    let within = block_field(&path.0, fields).map(|name| Step::Attribute(name.to_owned()));
    let steps = path.0.iter().map(|step| match step {
        InputStep::Field(name) => Step::Attribute(name.clone()),
        InputStep::Index(index) => Step::Index(i64::try_from(*index).unwrap_or(i64::MAX)),
        InputStep::Key(key) => Step::Key(key.clone()),
    });
    steps.chain(within).collect()
}

/// The first field of the block at a path. `None` if the path leads to another value.
fn block_field(path: &[InputStep], fields: &[Field]) -> Option<&'static str> {
    let (InputStep::Field(name), rest) = path.split_first()? else { return None };
    let shape = &fields.iter().find(|field| field.name == name)?.shape;
    let ((Shape::Block(body), rest) | (Shape::Blocks(body), [InputStep::Index(_), rest @ ..])) =
        (shape, rest)
    else {
        return None;
    };
    let fields = match body {
        Body::Fields(fields) => fields.clone(),
        Body::Choice(variants) => union(variants),
    };
    if rest.is_empty() { fields.first().map(|field| field.name) } else { block_field(rest, &fields) }
}

/// A map of strings; `None` is an unknown value.
pub(crate) fn text_map<'a, K: ToString + 'a>(
    entries: impl IntoIterator<Item = (&'a K, Option<String>)>,
) -> Value {
    let entries =
        entries.into_iter().map(|(key, text)| (key.to_string(), text.map_or(Value::UNKNOWN, Value::String)));
    Value::Map(entries.collect::<BTreeMap<_, _>>())
}
