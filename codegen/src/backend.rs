//! Back ends: languages of resources in which the objects of a graph are written, e.g. HCL with resources of
//! hashicorp/aws. A back end knows the resource of an object, the place of a field and the form of its value.
//! [`resources`] puts them together.

use std::collections::BTreeSet;
use std::fmt;

use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key, Object};
use tandem_model::kind::KindField;

/// A language of resources.
pub trait Backend {
    /// A value in this language.
    type Value;

    /// The resource that has the fields of an object; `None` if the language has none for it.
    /// Several objects can have the same resource.
    fn resource(&mut self, object: &Object) -> Result<Option<Address>, Refusal>;

    /// The properties that a field becomes: none if the language has no counterpart.
    fn field(
        &mut self,
        object: &Object,
        field: &'static KindField,
        value: &Expr,
    ) -> Result<Vec<Property<Self::Value>>, Refusal>;

    /// The properties that no field sets.
    fn beside(&mut self, object: &Object) -> Result<Vec<Property<Self::Value>>, Refusal>;

    /// The properties for the tags.
    fn tags(&mut self, object: &Object, tags: &Expr) -> Result<Vec<Property<Self::Value>>, Refusal>;
}

/// The type and name of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The type, e.g. `aws_sqs_queue`.
    pub ty: String,
    /// The name, which is unique among the resources of a type.
    pub name: String,
}

/// A value at a path of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Property<V> {
    /// The type of a second resource with the same name; `None` for the resource of the object.
    pub second: Option<String>,
    /// The path. Names are separated by dots.
    pub path: String,
    /// The value; `None` for an empty block.
    pub value: Option<V>,
}

impl<V> Property<V> {
    /// A value in the resource of the object.
    pub fn new(path: impl Into<String>, value: V) -> Self {
        Self { second: None, path: path.into(), value: Some(value) }
    }
}

/// A resource with the fields of one object or of several.
#[derive(Clone, Debug)]
pub struct Placed<V> {
    /// Its type and name.
    pub address: Address,
    /// Its properties, in the order of the fields.
    pub properties: Vec<Property<V>>,
    /// Its tags.
    pub tags: Vec<Property<V>>,
    /// Resources that must exist before it, although no property refers to them.
    pub after: BTreeSet<Address>,
}

/// The reason that a language cannot represent an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// The name of an object among those of its kind: the part of its key after the kind.
pub fn role(key: &Key) -> &str {
    key.as_str().split_once('.').map_or(key.as_str(), |(_, role)| role)
}

/// Writes all objects of a graph. The error names the first one that the language cannot represent.
pub fn resources<B: Backend>(graph: &Graph, backend: &mut B) -> Result<Vec<Placed<B::Value>>, Refusal> {
    let mut resources = Resources(Vec::new());
    for object in graph.objects() {
        let Some(address) = backend.resource(object)? else { continue };
        let mut properties = Vec::new();
        // The fields of a kind are in a readable order.
        for field in object.kind.fields {
            if let Some(value) = object.fields.get(field.name) {
                properties.extend(backend.field(object, field, value)?);
            }
        }
        properties.extend(backend.beside(object)?);
        let tags = if object.kind.tags { backend.tags(object, &graph.tags)? } else { Vec::new() };
        let mut after = Vec::new();
        for other in object.after.iter().filter_map(|key| graph.get(key)) {
            after.extend(backend.resource(other)?.filter(|other| *other != address));
        }
        let own = resources.at(&address);
        own.tags.extend(tags);
        own.after.extend(after);
        for property in properties {
            let ty = property.second.clone().unwrap_or_else(|| address.ty.clone());
            let resource = resources.at(&Address { ty, name: address.name.clone() });
            // Objects with the same resource have some properties in common, e.g. the name of their parent.
            if resource.properties.iter().all(|known| known.path != property.path) {
                resource.properties.push(property);
            }
        }
    }
    Ok(resources.0)
}

struct Resources<V>(Vec<Placed<V>>);

impl<V> Resources<V> {
    /// The resource with an address, which is made if it is missing.
    fn at(&mut self, address: &Address) -> &mut Placed<V> {
        let known = self.0.iter().rposition(|resource| resource.address == *address);
        let index = known.unwrap_or_else(|| {
            let (properties, tags) = (Vec::new(), Vec::new());
            let after = BTreeSet::new();
            self.0.push(Placed { address: address.clone(), properties, tags, after });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}
