//! Evaluates a graph with the known values: place, inputs, and attributes of objects. Attributes are
//! predicted if their kind has a template.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::context::Context;
use tandem_model::expr::{Ambient, Scope};
use tandem_model::graph::{Graph, Key, Object};

use crate::canonical::TAGS;

/// Attributes of objects that exist, by key.
pub type Attributes = BTreeMap<Key, BTreeMap<String, Json>>;

/// Evaluates objects of one graph.
pub struct Resolver<'a> {
    graph: &'a Graph,
    context: &'a Context,
    actual: &'a Attributes,
}

/// The fields of an object; `None` for a value that is not known.
pub type Resolved = BTreeMap<String, Option<Json>>;

impl<'a> Resolver<'a> {
    /// A resolver for these attributes.
    pub fn new(graph: &'a Graph, context: &'a Context, actual: &'a Attributes) -> Self {
        Self { graph, context, actual }
    }

    /// The fields of an object, with its tags.
    pub fn fields(&self, object: &Object) -> Resolved {
        let mut fields: Resolved =
            object.fields.iter().map(|(name, expr)| ((*name).to_owned(), expr.evaluate(self))).collect();
        if object.kind.tags {
            let tags = self.graph.tags.evaluate(self).map(|tags| {
                let defaults = self.context.default_tags.iter();
                let mut all: serde_json::Map<String, Json> =
                    defaults.map(|(key, value)| (key.clone(), value.clone().into())).collect();
                if let Json::Object(own) = tags {
                    all.extend(own);
                }
                Json::Object(all)
            });
            fields.insert(TAGS.to_owned(), tags);
        }
        fields
    }

    /// The settings of an object if all of its fields are known, otherwise the name of the first unknown
    /// field.
    pub fn settings(&self, object: &Object) -> Result<Settings, String> {
        let fields = self.fields(object).into_iter();
        fields.map(|(name, value)| value.map(|value| (name.clone(), value)).ok_or(name)).collect()
    }

    /// The id of an object, if it is predictable.
    pub fn id(&self, object: &Object) -> Option<String> {
        object.kind.predict_id(&self.known(object), &|place| self.place(place))
    }

    /// The settings of an object; a field that is not known is null.
    fn known(&self, object: &Object) -> Settings {
        self.fields(object).into_iter().map(|(name, value)| (name, value.unwrap_or(Json::Null))).collect()
    }
}

impl Scope for Resolver<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        self.context.place(place)
    }

    fn vpc_of(&self, subnet: &str) -> Option<String> {
        self.context.subnets.get(subnet)?.clone().ok()?
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        if let Some(value) = self.actual.get(key).and_then(|attributes| attributes.get(attribute)) {
            return Some(value.clone());
        }
        let object = self.graph.get(key)?;
        let predicted = object.kind.predict(attribute, &self.known(object), &|place| self.place(place));
        predicted.map(Json::from)
    }
}
