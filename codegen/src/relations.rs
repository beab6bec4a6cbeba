//! Edges of all graphs of a spec, with their ends resolved across entries.

use std::collections::BTreeMap;

use tandem_model::checks::loops::base;
use tandem_model::edge::{Edge, End, ResourceType};
use tandem_model::expr::Expr;
use tandem_model::graph::{Key, Object};

use crate::arn;
use crate::spec::Entry;

/// An edge of an entry.
#[derive(Clone, Copy)]
pub(crate) struct Relation<'a> {
    /// The entry whose graph has the edge.
    pub(crate) entry: &'a Entry,
    /// The edge.
    pub(crate) edge: &'a Edge,
    /// The node at its beginning; `None` if it cannot be known from the spec.
    pub(crate) from: Option<Node<'a>>,
    /// The node at its end.
    pub(crate) to: Option<Node<'a>>,
}

/// An object of an entry, or an existing resource.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    /// An object of an entry.
    Made(&'a Entry, &'a Object),
    /// An existing resource that is not in the spec: the name of a bucket, or an ARN.
    Given(ResourceType, &'a str),
}

/// The identity of a node: an entry and a key, or a type and a name or ARN. Equal identities are the same
/// node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    /// An object of an entry.
    Made(String, String),
    /// An existing resource.
    Given(ResourceType, String),
}

/// Slots of main objects. An entry and its first main object have the same name.
const MAIN: &[&str] = &["function", "main", "task", "workflow"];

/// True for a main object of an entry.
pub(crate) fn is_main(object: &Object) -> bool {
    MAIN.contains(&object.key.slot())
}

impl<'a> Node<'a> {
    /// The identity of the node.
    pub(crate) fn identity(self) -> Identity {
        match self {
            Self::Made(entry, object) => Identity::Made(entry.name.clone(), object.key.to_string()),
            Self::Given(ty, text) => Identity::Given(ty, base(text).to_owned()),
        }
    }

    /// The name for messages: of the entry, or of the existing resource.
    pub(crate) fn name(self) -> &'a str {
        match self {
            Self::Made(entry, _) => &entry.name,
            Self::Given(_, text) => arn::parse(text).map_or(text, |(_, name)| name),
        }
    }

    /// The name for messages that tell objects of one entry apart, e.g. `orders` or `orders` (dead letters).
    pub(crate) fn quoted(self) -> String {
        match self {
            Self::Made(entry, object) if !is_main(object) => {
                format!("`{}` ({})", entry.name, object.key.slot().replace('_', " "))
            }
            _ => format!("`{}`", self.name()),
        }
    }

    /// The object, if it belongs to an entry.
    pub(crate) fn object(self) -> Option<&'a Object> {
        match self {
            Self::Made(_, object) => Some(object),
            Self::Given(..) => None,
        }
    }
}

impl<'a> Relation<'a> {
    /// Both nodes, if they are known.
    pub(crate) fn ends(&self) -> Option<(Node<'a>, Node<'a>)> {
        Some((self.from?, self.to?))
    }
}

/// Every edge of these entries.
pub(crate) fn relations(entries: &[Entry]) -> Vec<Relation<'_>> {
    let by_name: BTreeMap<&str, &Entry> = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let resolver = Resolver { by_name };
    let edges = entries.iter().flat_map(|entry| entry.graph.edges().iter().map(move |edge| (entry, edge)));
    edges
        .map(|(entry, edge)| Relation {
            entry,
            edge,
            from: resolver.end(entry, &edge.from),
            to: resolver.end(entry, &edge.to),
        })
        .collect()
}

struct Resolver<'a> {
    by_name: BTreeMap<&'a str, &'a Entry>,
}

impl<'a> Resolver<'a> {
    fn end(&self, entry: &'a Entry, end: &'a End) -> Option<Node<'a>> {
        match end {
            End::Object(key) => made(entry, key),
            End::Resource(ty, expr) => self.resource(entry, *ty, expr),
        }
    }

    fn resource(&self, entry: &'a Entry, ty: ResourceType, expr: &'a Expr) -> Option<Node<'a>> {
        match expr {
            Expr::Attribute(key, _) => made(entry, key),
            Expr::Input(variable) => {
                let (other, output) = self.output(entry, variable)?;
                self.resource(other, ty, output)
            }
            Expr::Member(text, name) => {
                let (other, member) = self.member(entry, text, name)?;
                self.resource(other, ty, member)
            }
            Expr::Literal(text) => Some(Node::Given(ty, text.as_str()?)),
            _ => None,
        }
    }

    /// The output of another entry that a variable refers to, and that entry.
    fn output(&self, entry: &'a Entry, variable: &str) -> Option<(&'a Entry, &'a Expr)> {
        let target = entry.references.get(variable)?;
        let other = self.by_name.get(target.entry.as_str())?;
        Some((other, other.graph.outputs.get(target.output)?))
    }

    /// The entry of a map that is encoded as a JSON string, e.g. of a launch handle.
    fn member(&self, entry: &'a Entry, text: &'a Expr, name: &str) -> Option<(&'a Entry, &'a Expr)> {
        match text {
            Expr::Input(variable) => {
                let (other, output) = self.output(entry, variable)?;
                self.member(other, output, name)
            }
            _ => Some((entry, text.member(name)?)),
        }
    }
}

fn made<'a>(entry: &'a Entry, key: &Key) -> Option<Node<'a>> {
    entry.graph.get(key).map(|object| Node::Made(entry, object))
}
