//! The graph of AWS objects that a composite expands to.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use crate::edge::{Edge, End};
use crate::expr::{Ambient, Expr};
use crate::flow::Flow;
pub use crate::key::Key;
use crate::kind::declare::Declared;
use crate::kind::{Change, Form, Kind, names_field};

/// One AWS object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its key.
    pub key: Key,
    /// Its kind.
    pub kind: &'static Kind,
    /// Its fields. A missing field keeps the default of AWS.
    pub fields: BTreeMap<&'static str, Expr>,
    /// Objects that must exist first, although no field refers to them.
    pub after: BTreeSet<Key>,
    /// True if inputs decide the name of the object, or the number of such objects: other inputs give objects
    /// that this graph does not have. A search lists the objects of the kind.
    pub named_by_inputs: bool,
}

impl Object {
    /// The keys of all objects that must exist before this one.
    pub fn needs(&self) -> BTreeSet<Key> {
        let mut found = Vec::new();
        self.fields.values().for_each(|field| field.references(&mut found));
        let named = found.into_iter().map(|(key, _)| key.clone());
        named.chain(self.after.iter().cloned()).collect()
    }

    /// The fields of its id.
    fn id_parts(&self) -> Vec<&Expr> {
        let template = self.kind.id.unwrap_or_default();
        self.fields.iter().filter(|(name, _)| names_field(template, name)).map(|(_, value)| value).collect()
    }

    /// The keys of its parents, which this object does not outlive.
    pub fn parents(&self) -> BTreeSet<Key> {
        let fields = self.kind.fields.iter().filter(|field| field.change == Change::WithParent);
        let mut found = Vec::new();
        fields.filter_map(|field| self.fields.get(field.name)).for_each(|value| value.references(&mut found));
        found.into_iter().map(|(key, _)| key.clone()).collect()
    }
}

/// The AWS objects and outputs that a composite expands to.
#[derive(Clone, Debug)]
pub struct Graph {
    objects: Vec<Object>,
    edges: Vec<Edge>,
    flows: Vec<Flow>,
    /// The outputs of the composite.
    pub outputs: BTreeMap<&'static str, Expr>,
    /// The tags of every object that supports tags, in addition to the ownership tags.
    pub tags: Expr,
    /// True if data objects may be deleted with their content.
    pub force_destroy: bool,
    /// True if a key depends on a value that is not known yet: at apply the key may be a different one.
    pub unstable: bool,
    /// True while added objects get names from inputs.
    names_from_inputs: bool,
}

/// An object that was just added, to set its fields and to refer to it. A declared kind has a method per field.
#[derive(Debug)]
pub struct ObjectBuilder<'a, K = Any> {
    object: &'a mut Object,
    kind: PhantomData<K>,
}

/// A kind by its value, whose fields are set by name.
#[derive(Debug)]
pub struct Any;

/// What can be added to a graph: a declared kind, or any kind by its value.
pub trait Addable {
    /// The type of its builder.
    type Of;

    /// The kind.
    fn kind(&self) -> &'static Kind;
}

impl Addable for &'static Kind {
    type Of = Any;

    fn kind(&self) -> &'static Kind {
        self
    }
}

impl<K: Declared> Addable for K {
    type Of = K;

    fn kind(&self) -> &'static Kind {
        K::kind()
    }
}

impl ObjectBuilder<'_, Any> {
    /// Sets a field.
    pub fn set(self, name: &'static str, value: impl Into<Expr>) -> Self {
        assert!(self.object.kind.field(name).is_some(), "{} has no field {name}", self.object.kind.name);
        self.put(name, Some(value.into()))
    }

    /// Sets a field if there is a value for it.
    pub fn set_if(self, name: &'static str, value: Option<impl Into<Expr>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }
}

impl<K> ObjectBuilder<'_, K> {
    /// Sets a field of the kind if there is a value for it.
    pub(crate) fn put(self, name: &'static str, value: Option<Expr>) -> Self {
        self.object.fields.extend(value.map(|value| (name, value)));
        self
    }

    /// Adds an object that must exist first.
    pub fn after(self, other: &Handle) -> Self {
        self.object.after.insert(other.key.clone());
        self
    }

    /// States that inputs decide the name of the object, or the number of such objects.
    pub fn named_by_inputs(self) -> Self {
        self.object.named_by_inputs = true;
        self
    }

    /// Returns a handle that refers to the object.
    pub fn handle(self) -> Handle {
        Handle { key: self.object.key.clone(), kind: self.object.kind }
    }
}

/// A reference to an object of the graph.
#[derive(Clone, Debug)]
pub struct Handle {
    key: Key,
    kind: &'static Kind,
}

impl Handle {
    /// The key of the object.
    pub fn key(&self) -> &Key {
        &self.key
    }

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

impl From<&Handle> for End {
    fn from(handle: &Handle) -> Self {
        Self::Object(handle.key().clone())
    }
}

impl Default for Graph {
    /// A graph without objects.
    fn default() -> Self {
        Self {
            objects: Vec::new(),
            edges: Vec::new(),
            flows: Vec::new(),
            outputs: BTreeMap::new(),
            tags: Expr::Map(BTreeMap::new()),
            force_destroy: false,
            unstable: false,
            names_from_inputs: false,
        }
    }
}

impl Graph {
    /// Adds an object. The first object is the anchor: it is created first and deleted last. Its tags show if
    /// the composite is complete, so its kind must support tags.
    pub fn add<A: Addable>(&mut self, kind: A, slot: &str) -> ObjectBuilder<'_, A::Of> {
        let kind = kind.kind();
        assert!(!self.objects.is_empty() || kind.tags, "the anchor must carry tags");
        let key = Key::new(kind, slot);
        assert!(self.get(&key).is_none(), "{key} is added twice");
        self.objects.push(Object {
            key,
            kind,
            fields: BTreeMap::new(),
            after: BTreeSet::new(),
            named_by_inputs: self.names_from_inputs,
        });
        ObjectBuilder { object: self.objects.last_mut().expect("just pushed"), kind: PhantomData }
    }

    /// Adds an edge. The caller adds its objects or grants in the same place.
    pub(crate) fn connect(&mut self, edge: Edge) {
        self.edges.push(edge);
    }

    /// Adds objects whose names all follow from inputs.
    pub(crate) fn with_names_from_inputs<T>(&mut self, add: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.names_from_inputs, true);
        let added = add(self);
        self.names_from_inputs = before;
        added
    }

    /// Adds the objects and edges of another graph that this one does not have. An object of the same key and another id
    /// is another one.
    pub(crate) fn merge(&mut self, other: Graph) {
        for object in other.objects {
            if !self.objects.iter().any(|own| own.key == object.key && own.id_parts() == object.id_parts()) {
                self.objects.push(object);
            }
        }
        for edge in other.edges {
            if !self.edges.contains(&edge) {
                self.edges.push(edge);
            }
        }
    }

    /// Adds the flow of a state machine.
    pub(crate) fn add_flow(&mut self, flow: Flow) {
        self.flows.push(flow);
    }

    /// The flows of state machines.
    pub fn flows(&self) -> &[Flow] {
        &self.flows
    }

    /// The relations between objects, and to resources outside of the graph.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The objects. The anchor is the first; each object follows those that it needs.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The object with that key.
    pub fn get(&self, key: &Key) -> Option<&Object> {
        self.objects.iter().find(|object| object.key == *key)
    }

    /// Returns true if a field or an output refers to a fact about the place.
    pub fn speaks_of(&self, place: Ambient) -> bool {
        let fields = self.objects.iter().flat_map(|object| object.fields.values());
        fields.chain(self.outputs.values()).any(|expr| expr.speaks_of(place))
    }

    /// Every IAM policy document of the graph: the key of its object, and the document.
    pub fn policies(&self) -> impl Iterator<Item = (&Key, &Expr)> {
        self.objects.iter().flat_map(|object| {
            let policies = object.kind.fields.iter().filter(|field| field.form == Form::Policy);
            policies.filter_map(|field| Some((&object.key, object.fields.get(field.name)?)))
        })
    }
}
