//! Compares every known field of a graph with the limits that AWS publishes, and names the input of a value that is
//! outside of them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::documented;
use crate::composite::{Definition, Settings};
use crate::context::Context;
use crate::expr::{Ambient, Expr, Scope};
use crate::finding::{Code, Finding, Findings, Path, Severity, Step};
use crate::graph::{Graph, Key, Object};
use crate::input::Field;
use crate::limits::{self, Violation};
use crate::value::Value;

/// Checks the known fields of a graph.
pub(crate) fn check(
    definition: &Definition,
    inputs: &Value,
    context: &Context,
    graph: &Graph,
    findings: &mut Findings,
) {
    let known = Known { graph, context };
    let fields = (definition.fields)();
    for object in graph.objects() {
        for field in object.kind.fields {
            let Some(value) = known.field(object, field.name) else { continue };
            let violated =
                limits::of(object.kind.name, field.name).find_map(|limit| limit.check(field.ty, &value));
            let Some(Violation { fault, allowed, is_only_unknown }) = violated else { continue };
            let origin = Origin { definition, inputs, context, key: &object.key, field: field.name };
            let help = Help::Allowed(&allowed);
            let severity = if is_only_unknown { Severity::Warning } else { Severity::Error };
            report(
                object,
                field.name,
                (Code::OutOfRange, severity),
                &fault,
                help,
                origin.path(&value),
                findings,
            );
        }
        documented::check(&known, object, inputs, &fields, findings);
    }
}

/// The remedy of a finding.
pub(super) enum Help<'a> {
    /// The values that are allowed.
    Allowed(&'a str),
    /// An imperative.
    Sentence(&'a str),
}

pub(super) fn report(
    object: &Object,
    field: &str,
    (code, severity): (Code, Severity),
    fault: &str,
    help: Help<'_>,
    origin: Option<Path>,
    findings: &mut Findings,
) {
    let (title, key) = (object.kind.title, &object.key);
    let path = origin.clone().unwrap_or_default();
    let input = origin.map(|path| path.to_string());
    let subject = input.as_ref().map_or_else(|| format!("`{field}` of {key}"), |input| format!("`{input}`"));
    let help = match (help, &input) {
        (Help::Sentence(help), _) => help.to_owned(),
        (Help::Allowed(allowed), Some(input)) => format!("Set `{input}` to {allowed}."),
        (Help::Allowed(_), None) => "Change the inputs that it consists of.".to_owned(),
    };
    let message = format!("{subject}: {fault} (`{field}` of the {title})");
    // Several objects can have the value of one input.
    if !findings.0.iter().any(|finding| finding.path == path && finding.message == message) {
        findings.0.push(Finding { code, severity, path, message, help });
    }
}

/// The values that a graph and its context show before any call.
pub(super) struct Known<'a> {
    graph: &'a Graph,
    context: &'a Context,
}

impl Known<'_> {
    fn field(&self, object: &Object, field: &str) -> Option<Json> {
        object.fields.get(field)?.evaluate(self).filter(|value| !value.is_null())
    }

    /// The value of an expression. Of a map that is not known as a whole, it has the known entries.
    pub(super) fn at_least(&self, expr: &Expr) -> Option<Json> {
        if let Some(value) = expr.evaluate(self) {
            return Some(value);
        }
        let mut known = serde_json::Map::new();
        match expr {
            Expr::Merge(parts) => {
                for part in parts.iter().filter_map(|part| self.at_least(part)) {
                    known.extend(part.as_object()?.clone());
                }
            }
            Expr::Map(entries) => {
                let entries = entries.iter();
                known.extend(entries.filter_map(|(name, value)| Some((name.clone(), value.evaluate(self)?))));
            }
            _ => return None,
        }
        Some(known.into())
    }
}

impl Scope for Known<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        self.context.place(place)
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        let object = self.graph.get(key)?;
        // A field that is not known is null, see `Kind::predict`.
        let needed = object.fields.iter().filter(|(name, _)| object.kind.predicts_from(attribute, name));
        let settings: Settings = needed
            .map(|(name, expr)| ((*name).to_owned(), expr.evaluate(self).unwrap_or(Json::Null)))
            .collect::<BTreeMap<_, _>>();
        object.kind.predict(attribute, &settings, &|place| self.place(place)).map(Json::from)
    }
}

/// A field whose input is looked for.
struct Origin<'a> {
    definition: &'a Definition,
    inputs: &'a Value,
    context: &'a Context,
    key: &'a Key,
    field: &'a str,
}

impl Origin<'_> {
    /// The input that sets the field: without its value, the field is not known. Of several, it is the one with the
    /// longest part of the value.
    fn path(&self, value: &Json) -> Option<Path> {
        let mut leaves = Vec::new();
        add_leaves(self.inputs, &Path::default(), &(self.definition.fields)(), &mut leaves);
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        // The field has the whole input: as it is, or without the white space of a document.
        let is_whole =
            |leaf: &str| leaf == text || serde_json::from_str::<Json>(leaf).is_ok_and(|leaf| leaf == *value);
        leaves.retain(|(_, leaf)| !leaf.is_empty() && (text.contains(leaf.as_str()) || is_whole(leaf)));
        leaves.sort_by_key(|(_, leaf)| std::cmp::Reverse(leaf.len()));
        let found = leaves.into_iter().find(|(path, leaf)| match self.is_known_without(path) {
            Some(is_known) => !is_known,
            // Without a structural input there is no graph.
            None => is_whole(leaf),
        });
        found.map(|(path, _)| path)
    }

    /// Returns true if the field is known without this input; `None` if its object is not.
    fn is_known_without(&self, path: &Path) -> Option<bool> {
        let mut inputs = self.inputs.clone();
        *at_mut(&mut inputs, path)? = Value::Unknown;
        let graph = self.definition.expand_unchecked(&inputs, self.context).graph?;
        let known = Known { graph: &graph, context: self.context };
        Some(known.field(graph.get(self.key)?, self.field).is_some())
    }
}

/// The value at a path.
fn at_mut<'a>(value: &'a mut Value, path: &Path) -> Option<&'a mut Value> {
    path.0.iter().try_fold(value, |value, step| match (step, value) {
        (Step::Field(name) | Step::Key(name), Value::Map(entries)) => entries.get_mut(name),
        (Step::Index(index), Value::List(items)) => items.get_mut(*index),
        _ => None,
    })
}

/// Adds the path and the text of every scalar in the value of these fields. An entry of a map has no field.
pub(super) fn add_leaves(value: &Value, path: &Path, fields: &[Field], leaves: &mut Vec<(Path, String)>) {
    match value {
        Value::Map(entries) => {
            for (name, value) in entries {
                let field = fields.iter().find(|field| field.name == name);
                let step = if field.is_some() { Step::Field(name.clone()) } else { Step::Key(name.clone()) };
                let within = field.map(|field| field.shape.fields()).unwrap_or_default();
                add_leaves(value, &path.join(step), &within, leaves);
            }
        }
        Value::List(items) => {
            for (index, value) in items.iter().enumerate() {
                add_leaves(value, &path.join(Step::Index(index)), fields, leaves);
            }
        }
        Value::String(text) | Value::Number(text) => leaves.push((path.clone(), text.clone())),
        _ => {}
    }
}
