//! What an apply would make, without a single call.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::context::Context;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::{Kind, Role};

use crate::canonical;
use crate::job::Problem;
use crate::record::Record;
use crate::resolve::{Attributes, Resolver};

/// What a plan shows. `None` is known only after apply.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// Every object with its settings in one line.
    pub components: BTreeMap<Key, Option<String>>,
    /// Every object with its ARN or id.
    pub ids: BTreeMap<Key, Option<String>>,
    /// Every policy document, as JSON text.
    pub policies: BTreeMap<Key, Option<String>>,
    /// What the composite gives to others.
    pub outputs: BTreeMap<&'static str, Option<Json>>,
    /// Objects that will be deleted and made again.
    pub replaced: BTreeSet<Key>,
}

/// Plans a graph over what is recorded.
pub fn plan(graph: &Graph, context: &Context, record: &Record) -> Planned {
    let attributes = lasting_attributes(graph, context, record);
    let resolver = Resolver::new(graph, context, &attributes);
    let mut planned = Planned { replaced: replaced(graph, context, record), ..Planned::default() };
    for object in graph.objects() {
        let line = resolver.settings(object).ok().map(|settings| {
            let settings = canonical::settings(object.kind, &settings);
            canonical::line(&canonical::shown(object.kind, &settings))
        });
        let arn = Expr::Attribute(object.key.clone(), "arn").evaluate(&resolver);
        let arn = arn.and_then(|arn| arn.as_str().map(ToOwned::to_owned));
        let has_arn = object.kind.attributes.iter().any(|(name, _)| *name == "arn");
        let kept = record.objects.get(&object.key).filter(|_| !planned.replaced.contains(&object.key));
        let id =
            if has_arn { arn } else { resolver.id(object).or_else(|| kept.map(|entry| entry.id.clone())) };
        planned.components.insert(object.key.clone(), line);
        planned.ids.insert(object.key.clone(), id);
    }
    for (key, policy) in graph.policies() {
        planned.policies.insert(key.clone(), policy.evaluate(&resolver).map(|json| json.to_string()));
    }
    for (name, output) in &graph.outputs {
        planned.outputs.insert(name, output.evaluate(&resolver));
    }
    planned
}

/// Attributes of recorded objects that an apply will leave as they are.
fn lasting_attributes(graph: &Graph, context: &Context, record: &Record) -> Attributes {
    let replaced = replaced(graph, context, record);
    let lasting = record.objects.iter().filter(|(key, _)| !replaced.contains(*key));
    // Only what cannot be told beforehand: the rest follows from the wanted settings.
    let unpredictable = lasting.map(|(key, entry)| {
        let attributes = entry.attributes.iter();
        (key.clone(), attributes.map(|(name, value)| (name.clone(), value.clone().into())).collect())
    });
    unpredictable.collect()
}

/// Recorded objects that must be made again: an immutable field changes, or the parent is replaced.
pub fn replaced(graph: &Graph, context: &Context, record: &Record) -> BTreeSet<Key> {
    let none = Attributes::new();
    let resolver = Resolver::new(graph, context, &none);
    let mut replaced = BTreeSet::new();
    for object in graph.objects() {
        let Some(entry) = record.objects.get(&object.key) else { continue };
        let before = entry.settings();
        let fields = resolver.fields(object);
        let changed = object.kind.fields.iter().any(|field| {
            let immutable = matches!(field.role, Role::Immutable | Role::Parent);
            match fields.get(field.name) {
                Some(Some(after)) => {
                    immutable && before.get(field.name).is_some_and(|before| before != after)
                }
                _ => false,
            }
        });
        let orphaned = object.kind.fields.iter().filter(|field| field.role == Role::Parent).any(|field| {
            let mut found = Vec::new();
            if let Some(expr) = object.fields.get(field.name) {
                expr.references(&mut found);
            }
            found.into_iter().any(|(key, _)| replaced.contains(key))
        });
        if changed || orphaned {
            replaced.insert(object.key.clone());
        }
    }
    replaced
}

/// Refuses to replace objects that hold data.
pub fn check_data(graph: &Graph, replaced: &BTreeSet<Key>) -> Vec<Problem> {
    let lost = replaced.iter().filter(|key| graph.get(key).is_some_and(|object| object.kind.data));
    let refused = lost.filter(|_| !graph.force_destroy).map(|key| {
        Problem::error(
            format!("{key} would be replaced, and it holds data"),
            "The change can only be made by deleting the object with all that it holds. Take the change \
             back, or set `force_destroy = true` to lose the data.",
        )
    });
    refused.collect()
}

/// The fields in which two lines differ, for messages and for what to update.
pub fn changed_fields(before: &Settings, after: &Settings) -> BTreeSet<String> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// Whether a field can be changed in place.
pub(crate) fn mutable(kind: &Kind, field: &str) -> bool {
    kind.field(field).is_none_or(|field| field.role == Role::Mutable)
}
