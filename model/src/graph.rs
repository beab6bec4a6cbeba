//! The graph of AWS objects that a composite expands to.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::expr::{Expr, Place};
use crate::kind::{Form, Kind, Role};

/// The key of an object in its graph: `kind.role`, such as `iam_role.function`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key of a kind's object in a role.
    pub fn new(kind: &Kind, role: &str) -> Self {
        Self(format!("{}.{role}", kind.name))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One AWS object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its key.
    pub key: Key,
    /// Its kind.
    pub kind: &'static Kind,
    /// Its fields; one that is not here is left to AWS's default.
    pub fields: BTreeMap<&'static str, Expr>,
    /// Objects that must exist first although no field names them.
    pub after: BTreeSet<Key>,
}

impl Object {
    /// The keys of all objects that must exist before this one.
    pub fn needs(&self) -> BTreeSet<Key> {
        let mut found = Vec::new();
        self.fields.values().for_each(|field| field.references(&mut found));
        let named = found.into_iter().map(|(key, _)| key.clone());
        named.chain(self.after.iter().cloned()).collect()
    }

    /// The keys of the objects that this one hangs on, and goes with.
    pub fn parents(&self) -> BTreeSet<Key> {
        let fields = self.kind.fields.iter().filter(|field| field.role == Role::Parent);
        let mut found = Vec::new();
        fields.filter_map(|field| self.fields.get(field.name)).for_each(|value| value.references(&mut found));
        found.into_iter().map(|(key, _)| key.clone()).collect()
    }
}

/// What a composite expands to.
#[derive(Clone, Debug)]
pub struct Graph {
    objects: Vec<Object>,
    /// What the composite gives to others.
    pub outputs: BTreeMap<&'static str, Expr>,
    /// Tags of everything that can carry some, beside those of ownership.
    pub tags: Expr,
    /// Whether data objects may be deleted with their content.
    pub force_destroy: bool,
    /// Set when a key depends on a value that is not yet known, and may be another at apply.
    pub unstable: bool,
    /// Set when inputs name objects, so that more may exist than a graph of other inputs has.
    pub open: bool,
}

/// An object just added, to set its fields and to refer to it.
#[derive(Debug)]
pub struct Added<'a>(&'a mut Object);

impl Added<'_> {
    /// Sets a field.
    pub fn set(self, name: &'static str, value: impl Into<Expr>) -> Self {
        assert!(self.0.kind.field(name).is_some(), "{} has no field {name}", self.0.kind.name);
        self.0.fields.insert(name, value.into());
        self
    }

    /// Sets a field when there is a value for it.
    pub fn set_if(self, name: &'static str, value: Option<impl Into<Expr>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Makes another object exist first.
    pub fn after(self, other: &Handle) -> Self {
        self.0.after.insert(other.key.clone());
        self
    }

    /// A handle to refer to the object by.
    pub fn handle(self) -> Handle {
        Handle { key: self.0.key.clone(), kind: self.0.kind }
    }
}

/// Refers to an object of the graph.
#[derive(Clone, Debug)]
pub struct Handle {
    key: Key,
    kind: &'static Kind,
}

impl Handle {
    /// One of its attributes.
    pub fn attribute(&self, name: &'static str) -> Expr {
        let known = self.kind.attributes.iter().any(|(attribute, _)| *attribute == name);
        assert!(known, "{} has no attribute {name}", self.kind.name);
        Expr::Attribute(self.key.clone(), name)
    }

    /// Its ARN.
    pub fn arn(&self) -> Expr {
        self.attribute("arn")
    }
}

impl Graph {
    /// A graph without objects.
    pub fn new(force_destroy: bool) -> Self {
        Self {
            objects: Vec::new(),
            outputs: BTreeMap::new(),
            tags: Expr::Map(BTreeMap::new()),
            force_destroy,
            unstable: false,
            open: false,
        }
    }

    /// Adds an object. The first is the anchor: made first and deleted last, it says whether the
    /// composite is complete, so it must be of a kind that carries tags.
    pub fn add(&mut self, kind: &'static Kind, role: &str) -> Added<'_> {
        assert!(!self.objects.is_empty() || kind.tags, "the anchor must carry tags");
        let key = Key::new(kind, role);
        assert!(self.get(&key).is_none(), "{key} is added twice");
        self.objects.push(Object { key, kind, fields: BTreeMap::new(), after: BTreeSet::new() });
        Added(self.objects.last_mut().expect("just pushed"))
    }

    /// Adds the objects of another graph that this one does not have.
    pub(crate) fn merge(&mut self, other: Graph) {
        for object in other.objects {
            if self.get(&object.key).is_none() {
                self.objects.push(object);
            }
        }
    }

    /// The objects, the anchor first; each stands after those that it needs.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object of that key.
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.iter().find(|object| object.key == *key)
    }

    /// Whether some field or output speaks of a place.
    pub fn speaks_of(&self, place: Place) -> bool {
        let fields = self.objects.iter().flat_map(|object| object.fields.values());
        fields.chain(self.outputs.values()).any(|expr| expr.speaks_of(place))
    }

    /// Every IAM policy document of the graph: key of its object and the document.
    pub fn policies(&self) -> impl Iterator<Item = (&Key, &Expr)> {
        self.objects.iter().flat_map(|object| {
            let policies = object.kind.fields.iter().filter(|field| field.form == Form::Policy);
            policies.filter_map(|field| Some((&object.key, object.fields.get(field.name)?)))
        })
    }
}
