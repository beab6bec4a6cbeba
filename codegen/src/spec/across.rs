//! Checks across the entries of a spec.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::checks::filters;
use tandem_model::checks::visibility::too_short;
use tandem_model::context::Context;
use tandem_model::expr::Expr;
use tandem_model::finding::Code;
use tandem_model::graph::Object;
use tandem_model::input::{Rule, Shape};
use tandem_model::value::Value;

use super::{Entry, Reader, Target};
use crate::documents::statements;
use crate::handlers;

impl Reader {
    /// Runs all checks across entries.
    pub(super) fn across(&mut self, entries: &[Entry]) {
        self.handlers(entries);
        self.cycles(entries);
        self.filters(entries);
        self.loops(entries);
        self.outputs(entries);
        self.event_bridge(entries);
        self.visibility(entries);
    }

    /// An entry uses an output that is null, e.g. the stream of a table without `stream`.
    fn outputs(&mut self, entries: &[Entry]) {
        for entry in entries {
            for target in entry.references.values() {
                let Some(other) = find(entries, target) else { continue };
                if other.graph.outputs.get(target.output) != Some(&Expr::Literal(Json::Null)) {
                    continue;
                }
                let message = format!(
                    "`{}` uses `{}` of `{}`, but that output is null",
                    entry.name, target.output, other.name
                );
                let help = if let Some((input, value)) = creates(other, target.output) {
                    format!("Set `{input}` of `{}`, e.g. `{input}: {value}`.", other.name)
                } else {
                    let doc = other.definition.outputs.iter().find(|output| output.name == target.output);
                    let doc = doc.map_or("", |output| output.doc);
                    format!("Change `{}` so that it has the output. {doc}", other.name)
                };
                self.error(Code::Missing, entry.span.clone(), message, help);
            }
        }
    }

    /// An EventBridge rule on the objects of a bucket needs a bucket that sends events to EventBridge.
    fn event_bridge(&mut self, entries: &[Entry]) {
        for entry in entries {
            let mut reported = BTreeSet::new();
            let rules =
                entry.graph.objects().iter().filter(|object| object.kind.name == "cloudwatch_event_rule");
            for pattern in rules.filter_map(|rule| rule.fields.get("event_pattern")) {
                let mut variables = Vec::new();
                inputs(pattern, &mut variables);
                for other in
                    variables.iter().filter_map(|variable| find(entries, entry.references.get(*variable)?))
                {
                    let sends_events = |object: &Object| object.kind.name == "s3_bucket_eventbridge";
                    let bucket = other.definition.type_name == "bucket";
                    if bucket
                        && !other.graph.objects().iter().any(sends_events)
                        && reported.insert(&other.name)
                    {
                        let message = format!(
                            "`{}` is triggered by objects of bucket `{}`, but the bucket sends no events to EventBridge",
                            entry.name, other.name
                        );
                        let help = format!("Set `event_bridge: true` on `{}`.", other.name);
                        self.error(Code::Missing, entry.span.clone(), message, help);
                    }
                }
            }
        }
    }

    /// A visibility timeout must not be shorter than the timeout of a function of another entry that reads
    /// the queue.
    fn visibility(&mut self, entries: &[Entry]) {
        for entry in entries {
            for mapping in entry.graph.objects().iter().filter(|object| object.kind.name == MAPPING) {
                let Some(Expr::Input(variable)) = mapping.fields.get("event_source_arn") else { continue };
                let Some(target) = entry.references.get(variable) else { continue };
                let queue = find(entries, target).and_then(|other| {
                    let Expr::Attribute(key, _) = other.graph.outputs.get(target.output)? else {
                        return None;
                    };
                    other.graph.get(key)
                });
                let function = match mapping.fields.get("function_name") {
                    Some(Expr::Attribute(key, _)) => entry.graph.get(key),
                    _ => None,
                };
                let (visibility, timeout) =
                    (number(queue, "visibility_timeout_seconds"), number(function, "timeout"));
                let wrong = visibility.zip(timeout).and_then(|(queue, function)| too_short(queue, function));
                if let Some((message, help)) = wrong {
                    let message = format!("`{}` reads `{}`: {message}", entry.name, target.entry);
                    self.error(Code::VisibilityTimeout, entry.span.clone(), message, help);
                }
            }
        }
    }

    /// Handlers become crates, so their names must be unique. Cargo uses the name `target` for its output.
    fn handlers(&mut self, entries: &[Entry]) {
        let mut seen = BTreeSet::new();
        for entry in entries {
            for handler in entry.handlers.values() {
                let message = if handler == "target" {
                    "the handler would have the name `target`, which cargo uses for its output".to_owned()
                } else if !seen.insert(handler) {
                    format!("two functions have a handler with the name `{handler}`")
                } else {
                    continue;
                };
                self.error(Code::DuplicateName, entry.span.clone(), message, "Rename the entry.");
            }
            if handlers::answers_differ(entry) {
                self.error(
                    Code::Mixed,
                    entry.span.clone(),
                    format!(
                        "the triggers of `{}` have different values of `partial_batch_response`",
                        entry.name
                    ),
                    "Set `partial_batch_response` to one value on all of them, or write two functions.",
                );
            }
        }
    }

    fn cycles(&mut self, entries: &[Entry]) {
        let edges: BTreeMap<&str, Vec<&str>> = entries
            .iter()
            .map(|entry| {
                let targets = entry.references.values().map(|target| target.entry.as_str());
                (entry.name.as_str(), targets.collect())
            })
            .collect();
        for entry in entries {
            let mut reached = BTreeSet::new();
            let mut next: Vec<&str> = edges[entry.name.as_str()].clone();
            while let Some(name) = next.pop() {
                if reached.insert(name) {
                    next.extend(edges.get(name).into_iter().flatten());
                }
            }
            if reached.contains(entry.name.as_str()) {
                let message =
                    format!("the references of `{}` form a cycle, which Terraform rejects", entry.name);
                self.error(Code::Cycle, entry.span.clone(), message, "Remove one of the references.");
            }
        }
    }

    /// Triggers of different entries on one bucket must not overlap. The model checks the triggers within an
    /// entry.
    fn filters(&mut self, entries: &[Entry]) {
        let mut triggers: Vec<(&Entry, Trigger)> = Vec::new();
        for entry in entries {
            for later in entry.graph.objects().iter().filter_map(|object| Trigger::of(entry, object)) {
                let clash = triggers.iter().find(|(other, earlier)| {
                    other.name != entry.name
                        && earlier.bucket == later.bucket
                        && filters::share_event(&earlier.events, &later.events)
                        && filters::overlap(
                            (&earlier.prefix, &earlier.suffix),
                            (&later.prefix, &later.suffix),
                        )
                });
                if let Some((other, earlier)) = clash {
                    let message = format!(
                        "a trigger of `{}` overlaps with one of `{}`: one object could match prefix {:?} and suffix \
                         {:?} as well as prefix {:?} and suffix {:?}, which S3 rejects",
                        entry.name, other.name, later.prefix, later.suffix, earlier.prefix, earlier.suffix
                    );
                    let help = "Change `prefix` or `suffix` of one trigger so that no object matches both.";
                    self.error(Code::OverlappingFilters, entry.span.clone(), message, help);
                }
                triggers.push((entry, later));
            }
        }
    }

    /// A function, or a task that it launches, must not write objects that trigger the function again.
    fn loops(&mut self, entries: &[Entry]) {
        for entry in entries {
            let launched = entry.references.values().filter(|target| target.output == "launch");
            let launched =
                launched.filter_map(|target| entries.iter().find(|other| other.name == target.entry));
            for writer in launched.chain([entry]) {
                for trigger in entry.graph.objects().iter().filter_map(|object| Trigger::of(entry, object)) {
                    let again = writes(writer).into_iter().find(|(bucket, prefix)| {
                        *bucket == trigger.bucket
                            && trigger.suffix.is_empty()
                            && prefix.starts_with(&trigger.prefix)
                            && trigger.events.iter().any(|event| event.starts_with("s3:ObjectCreated:"))
                    });
                    if let Some((_, prefix)) = again {
                        let message = format!(
                            "`{}` writes objects with prefix {prefix:?} to bucket `{}`, and each of them triggers `{}` \
                             again: an endless loop",
                            writer.name, trigger.bucket.0, entry.name
                        );
                        let help = "Set `prefix` or `suffix` of the trigger so that it matches no written object, or \
                                    write to another bucket.";
                        self.error(Code::Loop, entry.span.clone(), message, help);
                    }
                }
            }
        }
    }
}

/// The kind of the event source mappings, with which Lambda polls queues and streams.
const MAPPING: &str = "lambda_event_source_mapping";

/// The entry of a target.
fn find<'a>(entries: &'a [Entry], target: &Target) -> Option<&'a Entry> {
    entries.iter().find(|other| other.name == target.entry)
}

/// An optional input that makes an output non-null, with an example value. Tries each optional input that has
/// a known set of values.
fn creates(entry: &Entry, output: &str) -> Option<(&'static str, String)> {
    let context = Context { project: Some("example".to_owned()), ..Context::default() };
    (entry.definition.fields)().into_iter().find_map(|field| {
        let value = match (&field.shape, field.rule) {
            _ if field.required || !entry.inputs.get(field.name).is_null() => return None,
            (Shape::String, Some(Rule::OneOf([value, ..]))) => Value::String((*value).to_owned()),
            (Shape::Bool, _) => Value::Bool(true),
            _ => return None,
        };
        let mut inputs = entry.inputs.clone();
        if let Value::Map(inputs) = &mut inputs {
            inputs.insert(field.name.to_owned(), value.clone());
        }
        let graph = entry.definition.expand(&inputs, &context).graph?;
        let exists = graph.outputs.get(output).is_some_and(|value| *value != Expr::Literal(Json::Null));
        let shown = match value {
            Value::String(text) => text,
            _ => "true".to_owned(),
        };
        exists.then_some((field.name, shown))
    })
}

/// Collects the variables in an expression.
fn inputs<'a>(expr: &'a Expr, found: &mut Vec<&'a str>) {
    match expr {
        Expr::Input(variable) => found.push(variable),
        Expr::Concat(parts) | Expr::List(parts) => parts.iter().for_each(|part| inputs(part, found)),
        Expr::Map(entries) => entries.values().for_each(|value| inputs(value, found)),
        _ => {}
    }
}

/// A numeric field of an object, if it is known.
fn number(object: Option<&Object>, field: &str) -> Option<i64> {
    match object?.fields.get(field)? {
        Expr::Literal(value) => value.as_i64(),
        _ => None,
    }
}

/// A bucket: its name, or an entry and the output with its name.
type Bucket = (String, &'static str);

/// The bucket that an expression names, directly or in an ARN.
fn bucket(entry: &Entry, expr: &Expr) -> Option<Bucket> {
    match expr {
        Expr::Input(variable) => {
            let target = entry.references.get(variable)?;
            Some((target.entry.clone(), target.output))
        }
        // Before an unknown name, the literal ends in a colon and contains no name.
        Expr::Literal(name) => {
            let name = name.as_str()?.rsplit(':').next().filter(|name| !name.is_empty())?;
            Some((name.to_owned(), ""))
        }
        Expr::Attribute(key, _) => {
            let made = |value: &Expr| matches!(value, Expr::Attribute(other, "bucket") if other == key);
            let (output, _) = entry.graph.outputs.iter().find(|(_, value)| made(value))?;
            Some((entry.name.clone(), *output))
        }
        Expr::Concat(parts) => parts.iter().rev().find_map(|part| bucket(entry, part)),
        _ => None,
    }
}

/// The buckets and key prefixes that the roles of an entry may write.
fn writes(entry: &Entry) -> Vec<(Bucket, String)> {
    let all = entry.graph.policies().flat_map(|(_, policy)| statements(policy));
    let puts = all.filter(|statement| statement.names("s3:PutObject"));
    let places = puts.filter_map(|statement| {
        let (of, prefix) = statement.objects()?;
        Some((bucket(entry, of)?, prefix.to_owned()))
    });
    places.collect()
}

/// A trigger on a bucket.
struct Trigger {
    bucket: Bucket,
    events: Vec<String>,
    prefix: String,
    suffix: String,
}

impl Trigger {
    fn of(entry: &Entry, object: &Object) -> Option<Self> {
        if object.kind.name != "s3_bucket_notification" {
            return None;
        }
        let bucket = bucket(entry, object.fields.get("bucket")?)?;
        let text = |field: &str| match object.fields.get(field) {
            Some(Expr::Literal(text)) => text.as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let events = match object.fields.get("events")? {
            Expr::List(events) => events
                .iter()
                .filter_map(|event| match event {
                    Expr::Literal(event) => event.as_str().map(ToOwned::to_owned),
                    _ => None,
                })
                .collect(),
            _ => return None,
        };
        Some(Self { bucket, events, prefix: text("filter_prefix"), suffix: text("filter_suffix") })
    }
}
