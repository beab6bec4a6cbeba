//! The shapes of a service model.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json};

/// The models, written by `cargo xtask aws-facts`.
static MODELS: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/aws-models.json")).expect("generated JSON")
});

/// The model of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model(&'static Json);

impl Model {
    /// The model of a service by its name in a signature.
    pub(crate) fn of(service: &str) -> Option<Self> {
        MODELS.get(service).map(Self)
    }

    pub(crate) fn protocol(self) -> &'static str {
        self.0["protocol"].as_str().unwrap_or_default()
    }

    /// The operations, by name.
    pub(crate) fn operations(self) -> impl Iterator<Item = (&'static str, &'static Json)> {
        self.0["operations"].as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// The input of an operation.
    pub(crate) fn input(self, operation: &str) -> Option<Shape> {
        let name = self.0["operations"].get(operation)?["input"].as_str()?;
        // An operation without members has no shape.
        Some(Shape { model: self, reference: &Json::Null, own: &self.0["shapes"][name] })
    }

    fn shape(self, reference: &'static Json) -> Shape {
        let own = &self.0["shapes"][reference["shape"].as_str().unwrap_or_default()];
        Shape { model: self, reference, own }
    }
}

/// A shape at one place: the shape, and the member, item, key or value that refers to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    model: Model,
    reference: &'static Json,
    own: &'static Json,
}

/// The type of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Structure,
    List,
    Map,
    String,
    Blob,
    Boolean,
    Integer,
    Float,
    Timestamp,
}

impl Shape {
    pub(crate) fn ty(self) -> Type {
        match self.own["type"].as_str() {
            Some("list") => Type::List,
            Some("map") => Type::Map,
            Some("string" | "character") => Type::String,
            Some("blob") => Type::Blob,
            Some("boolean") => Type::Boolean,
            Some("integer" | "long" | "short" | "byte") => Type::Integer,
            Some("float" | "double" | "bigdecimal") => Type::Float,
            Some("timestamp") => Type::Timestamp,
            _ => Type::Structure,
        }
    }

    /// The members of a structure, by name.
    pub(crate) fn members(self) -> impl Iterator<Item = (&'static str, Self)> {
        let members: Option<&'static Map<String, Json>> = self.own["members"].as_object();
        members.into_iter().flatten().map(move |(name, member)| (name.as_str(), self.model.shape(member)))
    }

    pub(crate) fn member(self, name: &str) -> Option<Self> {
        self.own["members"].get(name).map(|member| self.model.shape(member))
    }

    /// The names of required members.
    pub(crate) fn required(self) -> impl Iterator<Item = &'static str> {
        texts(&self.own["required"])
    }

    /// The items of a list.
    pub(crate) fn item(self) -> Self {
        self.model.shape(&self.own["member"])
    }

    /// The keys of a map.
    pub(crate) fn key(self) -> Self {
        self.model.shape(&self.own["key"])
    }

    /// The values of a map.
    pub(crate) fn value(self) -> Self {
        self.model.shape(&self.own["value"])
    }

    pub(crate) fn min(self) -> Option<f64> {
        self.own["min"].as_f64()
    }

    pub(crate) fn max(self) -> Option<f64> {
        self.own["max"].as_f64()
    }

    pub(crate) fn pattern(self) -> Option<&'static str> {
        self.own["pattern"].as_str()
    }

    pub(crate) fn values(self) -> impl Iterator<Item = &'static str> {
        texts(&self.own["enum"])
    }

    /// The name on the wire, if it is not the name of the member.
    pub(crate) fn location_name(self) -> Option<&'static str> {
        self.reference["locationName"].as_str().or(self.own["locationName"].as_str())
    }

    /// The name in a form of EC2.
    pub(crate) fn query_name(self) -> Option<&'static str> {
        self.reference["queryName"].as_str()
    }

    /// `uri`, `querystring`, `header` or `headers`; otherwise the member is in the body.
    pub(crate) fn location(self) -> Option<&'static str> {
        self.reference["location"].as_str()
    }

    /// True if the items of a list or map have no element around them.
    pub(crate) fn is_flattened(self) -> bool {
        self.reference["flattened"] == true || self.own["flattened"] == true
    }

    /// The member that is the whole body.
    pub(crate) fn payload(self) -> Option<&'static str> {
        self.own["payload"].as_str()
    }
}

fn texts(list: &'static Json) -> impl Iterator<Item = &'static str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str)
}

/// A value with the type of a shape, as it is on the wire. A string that has another type stays a string.
pub(crate) fn typed(shape: Shape, text: &str) -> Json {
    let value = match shape.ty() {
        Type::Boolean => text.parse().ok().map(Json::Bool),
        Type::Integer => text.parse::<i64>().ok().map(Json::from),
        Type::Float => text.parse::<f64>().ok().map(Json::from),
        _ => None,
    };
    value.unwrap_or_else(|| text.into())
}
