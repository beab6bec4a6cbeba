//! Resolves expressions of graphs to objects of the application or to existing resources.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::expr::Expr;
use tandem_model::graph::{Key, Object};

use super::Shape;
use crate::arn;
use crate::documents;
use crate::spec::{App, Entry};

/// A node of the diagram.
pub(super) enum Thing<'a> {
    /// An object of an entry.
    Made(&'a Entry, &'a Object),
    /// An existing resource that is not in the spec.
    Given(Given),
}

/// An existing resource that is not in the spec.
pub(super) struct Given {
    /// Its ARN, or the name of a bucket. It identifies the resource.
    pub(super) identity: String,
    pub(super) name: String,
    pub(super) shape: Shape,
}

impl Given {
    fn bucket(name: &str) -> Self {
        Self { identity: name.to_owned(), name: name.to_owned(), shape: Shape::Store }
    }

    fn of_arn(text: &str) -> Option<Self> {
        let (service, name) = arn::parse(text)?;
        let shape = match service {
            "s3" => return Some(Self::bucket(name)),
            "ecs" => Shape::Container,
            "lambda" => Shape::Function,
            "states" => Shape::Workflow,
            _ => Shape::Store,
        };
        // The stream of a table is drawn as the table.
        let identity = text.split_once("/stream/").map_or(text, |(table, _)| table);
        Some(Self { identity: identity.to_owned(), name: name.to_owned(), shape })
    }
}

impl Thing<'_> {
    pub(super) fn shape(&self) -> Option<Shape> {
        match self {
            Self::Made(_, object) => Shape::of(object),
            Self::Given(given) => Some(given.shape),
        }
    }

    /// True for a dead-letter queue.
    pub(super) fn is_dead_letters(&self) -> bool {
        matches!(self, Self::Made(_, object) if object.key.as_str().ends_with("dead_letters"))
    }
}

/// The kind of an EventBridge rule. Its event pattern contains the source of the events.
const RULE: &str = "cloudwatch_event_rule";

/// An entry and its application.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) app: &'a App,
    pub(super) entry: &'a Entry,
}

impl<'a> Scope<'a> {
    /// The shape of an object; none if it is not drawn. A rule is not drawn if the source of its events is.
    pub(super) fn shape(self, object: &'a Object) -> Option<Shape> {
        Shape::of(object).filter(|_| object.kind.name != RULE || self.source(object).is_none())
    }

    /// The first node that an expression refers to.
    pub(super) fn thing(self, expr: &'a Expr) -> Option<Thing<'a>> {
        self.things(expr).into_iter().next()
    }

    /// The bucket that an expression refers to, by reference or by name.
    pub(super) fn bucket(self, expr: &'a Expr) -> Option<Thing<'a>> {
        match expr {
            Expr::Literal(name) => Some(Thing::Given(Given::bucket(name.as_str()?))),
            _ => self.thing(expr),
        }
    }

    fn things(self, expr: &'a Expr) -> Vec<Thing<'a>> {
        let mut found = Vec::new();
        self.collect(expr, &mut found);
        found
    }

    fn collect(self, expr: &'a Expr, found: &mut Vec<Thing<'a>>) {
        match expr {
            Expr::Attribute(key, _) => found.extend(self.made(key)),
            Expr::Input(variable) => {
                if let Some((other, output)) = self.output(variable) {
                    other.collect(output, found);
                }
            }
            Expr::Member(text, name) => {
                if let Some((other, member)) = self.member(text, name) {
                    other.collect(member, found);
                }
            }
            Expr::Concat(parts) => {
                let before = found.len();
                parts.iter().for_each(|part| self.collect(part, found));
                if found.len() == before {
                    found.extend(self.of_arn(expr));
                }
            }
            Expr::List(parts) | Expr::Merge(parts) | Expr::Product(parts) => {
                parts.iter().for_each(|part| self.collect(part, found));
            }
            Expr::Map(entries) => entries.values().for_each(|value| self.collect(value, found)),
            Expr::Lookup(map, _) => self.collect(map, found),
            Expr::Json(inner) | Expr::Hash(inner) | Expr::VpcOf(inner) => self.collect(inner, found),
            Expr::Literal(_) => found.extend(self.of_arn(expr)),
            Expr::Unknown | Expr::Ambient(_) => {}
        }
    }

    fn made(self, key: &Key) -> Option<Thing<'a>> {
        let object = self.entry.graph.get(key)?;
        if object.kind.name == RULE
            && let Some(source) = self.source(object)
        {
            return Some(source);
        }
        Shape::of(object).map(|_| Thing::Made(self.entry, object))
    }

    /// The source of the events of a rule, if its pattern contains one.
    fn source(self, rule: &'a Object) -> Option<Thing<'a>> {
        let pattern = rule.fields.get("event_pattern")?;
        if let Some(Expr::List(buckets)) = at(pattern, &["detail", "bucket", "name"]) {
            return self.bucket(buckets.first()?);
        }
        // An existing resource in a pattern is not the source, e.g. the cluster of a task.
        self.things(pattern).into_iter().find(|thing| matches!(thing, Thing::Made(..)))
    }

    /// The output of another entry that a variable refers to, and the scope of that entry.
    fn output(self, variable: &str) -> Option<(Self, &'a Expr)> {
        let target = self.entry.references.get(variable)?;
        let entry = self.app.entries.iter().find(|made| made.name == target.entry)?;
        Some((Self { entry, ..self }, entry.graph.outputs.get(target.output)?))
    }

    fn member(self, text: &'a Expr, name: &str) -> Option<(Self, &'a Expr)> {
        match text {
            Expr::Input(variable) => {
                let (other, output) = self.output(variable)?;
                other.member(output, name)
            }
            _ => Some((self, documents::entry(text, name)?)),
        }
    }

    /// The object or existing resource with a literal ARN.
    fn of_arn(self, expr: &Expr) -> Option<Thing<'a>> {
        let arn = text(expr).filter(|text| text.starts_with("arn:"))?;
        let mut objects = self.entry.graph.objects().iter();
        let own = objects.find(|object| Shape::of(object).is_some() && told(object).as_ref() == Some(&arn));
        match own {
            Some(object) => Some(Thing::Made(self.entry, object)),
            None => Given::of_arn(&arn).map(Thing::Given),
        }
    }
}

/// The value at a path into nested maps.
pub(super) fn at<'a>(expr: &'a Expr, path: &[&str]) -> Option<&'a Expr> {
    path.iter().try_fold(expr, |expr, name| match expr {
        Expr::Map(entries) => entries.get(*name),
        _ => None,
    })
}

/// The string value of an expression. `*` replaces each `Ambient`, e.g. the region.
pub(super) fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(text) => text.as_str().map(ToOwned::to_owned),
        Expr::Ambient(_) => Some("*".to_owned()),
        Expr::Concat(parts) => parts.iter().map(text).collect(),
        _ => None,
    }
}

/// The predicted ARN of an object, in the same form as [`text`].
fn told(object: &Object) -> Option<String> {
    let fields = object.fields.iter();
    let settings: BTreeMap<String, Json> =
        fields.filter_map(|(name, expr)| Some(((*name).to_owned(), text(expr)?.into()))).collect();
    object.kind.predict("arn", &settings, &|_| Some("*".to_owned()))
}
