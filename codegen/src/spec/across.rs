//! Checks across the entries of a spec.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::checks::fifo;
use tandem_model::checks::loops::{self, Link};
use tandem_model::checks::visibility::too_short;
use tandem_model::code::Code;
use tandem_model::context::Context;
use tandem_model::edge::{End, Event, ResourceType, Verb};
use tandem_model::expr::Expr;
use tandem_model::finding::{Path, Step};
use tandem_model::graph::Object;
use tandem_model::input::{Rule, Shape};
use tandem_model::value::Value;

use super::{Entry, Reader, Target};
use crate::handlers;
use crate::relations::{Identity, Node, Relation, relations};
use crate::source::{Pair, Span};

/// The entries of a spec, with the place of each in the text.
pub(super) struct Entries<'a> {
    all: &'a [Entry],
    pairs: BTreeMap<&'a str, &'a Pair>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(all: &'a [Entry], pairs: impl Iterator<Item = &'a Pair>) -> Self {
        Self { all, pairs: pairs.map(|pair| (pair.key.as_str(), pair)).collect() }
    }

    /// The place of an input of an entry.
    fn span(&self, entry: &Entry, path: &Path) -> Span {
        let pair = self.pairs.get(entry.name.as_str()).filter(|_| !path.0.is_empty());
        pair.map_or_else(|| entry.span.clone(), |pair| pair.value.locate(path, &pair.key_span))
    }
}

impl Reader {
    /// Runs all checks across entries.
    pub(super) fn across(&mut self, entries: &Entries<'_>) {
        let relations = relations(entries.all);
        self.handlers(entries.all);
        self.cycles(entries.all);
        self.filters(entries, &relations);
        self.loops(entries, &relations);
        self.outputs(entries.all);
        self.event_bridge(entries, &relations);
        self.visibility(entries, &relations);
        self.fifo(entries, &relations);
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
    fn event_bridge(&mut self, entries: &Entries<'_>, relations: &[Relation<'_>]) {
        let on_buckets = relations
            .iter()
            .filter(|relation| relation.edge.event == Some(Event::Bus) && relation.edge.objects.is_some());
        let mut reported = BTreeSet::new();
        for relation in on_buckets {
            let Some(Node::Made(other, bucket)) = relation.from else { continue };
            let sends = other.graph.objects().iter().any(|object| {
                object.kind.name == "s3_bucket_eventbridge" && object.parents().contains(&bucket.key)
            });
            let entry = relation.entry;
            if sends || !reported.insert((&entry.name, &other.name)) {
                continue;
            }
            let message = format!(
                "`{}` is triggered by objects of bucket `{}`, but the bucket sends no events to EventBridge",
                entry.name, other.name
            );
            let help = format!("Set `event_bridge: true` on `{}`.", other.name);
            self.error(Code::Missing, entries.span(entry, &relation.edge.path), message, help);
        }
    }

    /// A visibility timeout must not be shorter than the timeout of a function of another entry that reads
    /// the queue.
    fn visibility(&mut self, entries: &Entries<'_>, relations: &[Relation<'_>]) {
        for relation in relations.iter().filter(|relation| relation.edge.event == Some(Event::Message)) {
            let Some((queue, function)) = relation.ends() else { continue };
            let (visibility, timeout) =
                (number(queue.object(), "visibility_timeout_seconds"), number(function.object(), "timeout"));
            let wrong = visibility.zip(timeout).and_then(|(queue, function)| too_short(queue, function));
            if let Some((message, help)) = wrong.filter(|_| queue.name() != function.name()) {
                let message = format!("`{}` reads `{}`: {message}", function.name(), queue.name());
                let span = entries.span(relation.entry, &relation.edge.path);
                self.error(Code::VisibilityTimeout, span, message, help);
            }
        }
    }

    /// A FIFO queue of another entry has limits that its ARN does not show in a spec.
    fn fifo(&mut self, entries: &Entries<'_>, relations: &[Relation<'_>]) {
        let is_fifo = |node: Node<'_>| {
            let fields = node.object().map(|object| &object.fields);
            fields.is_some_and(|fields| {
                ["fifo_queue", "fifo_topic"].iter().any(|field| fields.contains_key(field))
            })
        };
        for relation in relations {
            let Some((from, to)) = relation.ends() else { continue };
            let (edge, entry) = (relation.edge, relation.entry);
            if edge.verb == Verb::Sends && edge.step.is_some() && is_fifo(to) {
                let (message, help) = fifo::callback();
                let path = edge.path.join(Step::Field("callback".to_owned()));
                self.error(Code::Choice, entries.span(entry, &path), message, help);
            }
            let is_topic = matches!(edge.from, End::Resource(ResourceType::Topic, _));
            if edge.verb == Verb::Triggers
                && is_topic
                && is_fifo(to)
                && from.object().is_some()
                && !is_fifo(from)
            {
                let (message, help) = fifo::standard_topic(from.name());
                self.error(Code::Choice, entries.span(entry, &edge.path), message, help);
            }
            if edge.event == Some(Event::Message) && is_fifo(from) {
                // The trigger is the block of the input that causes the edge.
                let trigger = Path(edge.path.0[..edge.path.0.len().saturating_sub(1)].to_vec());
                let number = |field: &str| entry.inputs.at(&trigger).get(field).as_integer();
                let (size, window) = (number("batch_size"), number("maximum_batching_window"));
                for (field, help) in fifo::batch(size, window) {
                    let path = trigger.join(Step::Field(field.to_owned()));
                    self.error(Code::OutOfRange, entries.span(entry, &path), fifo::BATCH, help);
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
    fn filters(&mut self, entries: &Entries<'_>, relations: &[Relation<'_>]) {
        let mut triggers: Vec<(Identity, &Relation<'_>)> = Vec::new();
        for later in relations.iter().filter(|relation| relation.edge.event == Some(Event::Object)) {
            let (Some(bucket), Some(watched)) = (later.from, &later.edge.objects) else { continue };
            let clash = triggers.iter().find_map(|(identity, earlier)| {
                let other = earlier.edge.objects.as_ref()?;
                let apart = earlier.entry.name == later.entry.name || *identity != bucket.identity();
                (!apart && other.overlaps(watched)).then_some((earlier.entry, &other.keys))
            });
            if let Some((other, keys)) = clash {
                let own = &watched.keys;
                let message = format!(
                    "a trigger of `{}` overlaps with one of `{}`: one object could match prefix {:?} and suffix \
                     {:?} as well as prefix {:?} and suffix {:?}, which S3 rejects",
                    later.entry.name, other.name, own.prefix, own.suffix, keys.prefix, keys.suffix
                );
                let help = "Change `prefix` or `suffix` of one trigger so that no object matches both.";
                let span = entries.span(later.entry, &later.edge.path);
                self.error(Code::OverlappingFilters, span, message, help);
            }
            triggers.push((bucket.identity(), later));
        }
    }

    /// No trigger may start an endless loop, within an entry or through others.
    fn loops(&mut self, entries: &Entries<'_>, relations: &[Relation<'_>]) {
        let mut known = Vec::new();
        for relation in relations {
            if let Some((from, to)) = relation.ends() {
                let link = Link { from: from.identity(), to: to.identity(), edge: relation.edge };
                known.push((link, relation.entry, (from.quoted(), to.quoted())));
            }
        }
        let links: Vec<Link<'_, Identity>> = known.iter().map(|(link, ..)| link.clone()).collect();
        let names: BTreeMap<&Identity, &String> =
            known.iter().flat_map(|(link, _, (from, to))| [(&link.from, from), (&link.to, to)]).collect();
        for path in loops::find(&links) {
            // Without a trigger, the references form a cycle, which has its own code.
            if path.iter().all(|index| links[*index].edge.verb != Verb::Triggers) {
                continue;
            }
            let entry = known[path[0]].1;
            let (message, help) = loops::describe(&links, &path, |node| names[node].clone());
            let span = entries.span(entry, &links[path[0]].edge.path);
            self.error(Code::Loop, span, message, help);
        }
    }
}

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

/// A numeric field of an object, if it is known.
fn number(object: Option<&Object>, field: &str) -> Option<i64> {
    match object?.fields.get(field)? {
        Expr::Literal(value) => value.as_i64(),
        _ => None,
    }
}
