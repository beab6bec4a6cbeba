//! What expressions of graphs name: things of the application, and of others.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::expr::Expr;
use tandem_model::graph::{Key, Object};

use super::Shape;
use crate::arn;
use crate::documents;
use crate::spec::{App, Entry};

/// A thing that is drawn.
pub(super) enum Thing<'a> {
    /// An object of an entry.
    Made(&'a Entry, &'a Object),
    /// What nobody here makes.
    Given(Given),
}

/// What nobody here makes.
pub(super) struct Given {
    /// What tells it from others.
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

    /// Whether what failed waits there.
    pub(super) fn is_dead_letters(&self) -> bool {
        matches!(self, Self::Made(_, object) if object.key.as_str().ends_with("dead_letters"))
    }
}

/// A rule of EventBridge: its pattern says what it hears of.
const RULE: &str = "cloudwatch_event_rule";

/// An entry among the others.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) app: &'a App,
    pub(super) entry: &'a Entry,
}

impl<'a> Scope<'a> {
    /// The shape of an object, if it is drawn: a rule is not, where what it hears of is.
    pub(super) fn shape(self, object: &'a Object) -> Option<Shape> {
        Shape::of(object).filter(|_| object.kind.name != RULE || self.source(object).is_none())
    }

    /// The first thing that an expression names.
    pub(super) fn thing(self, expr: &'a Expr) -> Option<Thing<'a>> {
        self.things(expr).into_iter().next()
    }

    /// The bucket that an expression names, be it by its name.
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
            Expr::Json(inner) | Expr::Hash(inner) | Expr::VpcOf(inner) => self.collect(inner, found),
            Expr::Literal(_) => found.extend(self.of_arn(expr)),
            Expr::Unknown | Expr::Place(_) => {}
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

    /// What a rule hears of, when its pattern names that.
    fn source(self, rule: &'a Object) -> Option<Thing<'a>> {
        let pattern = rule.fields.get("event_pattern")?;
        if let Some(Expr::List(buckets)) = at(pattern, &["detail", "bucket", "name"]) {
            return self.bucket(buckets.first()?);
        }
        // Not what it happens in: a cluster that somebody else made.
        self.things(pattern).into_iter().find(|thing| matches!(thing, Thing::Made(..)))
    }

    /// What another entry gives, and where it stands.
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

    /// What an ARN is of that stands there.
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

/// What stands at a path into maps.
pub(super) fn at<'a>(expr: &'a Expr, path: &[&str]) -> Option<&'a Expr> {
    path.iter().try_fold(expr, |expr, name| match expr {
        Expr::Map(entries) => entries.get(*name),
        _ => None,
    })
}

/// A text, with `*` for what only the place says.
pub(super) fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(text) => text.as_str().map(ToOwned::to_owned),
        Expr::Place(_) => Some("*".to_owned()),
        Expr::Concat(parts) => parts.iter().map(text).collect(),
        _ => None,
    }
}

/// The ARN of an object in the same way.
fn told(object: &Object) -> Option<String> {
    let fields = object.fields.iter();
    let settings: BTreeMap<String, Json> =
        fields.filter_map(|(name, expr)| Some(((*name).to_owned(), text(expr)?.into()))).collect();
    object.kind.predict("arn", &settings, &|_| Some("*".to_owned()))
}
