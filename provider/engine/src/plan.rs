//! Plans an apply, without a single call.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::code::Code;
use tandem_model::composite::Settings;
use tandem_model::context::Context;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::{Change, Kind};

use crate::canonical::{self, Policy};
use crate::difference::Difference;
use crate::problem::{Instead, Problem, Remedy};
use crate::record::{Entry, Record};
use crate::resolve::{Attributes, Resolver};

/// The result of a plan. `None` means known only after apply.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// Every object with its settings in one line.
    pub components: BTreeMap<Key, Option<String>>,
    /// Every object with its ARN or id.
    pub ids: BTreeMap<Key, Option<String>>,
    /// Every policy document, as a JSON string.
    pub policies: BTreeMap<Key, Option<String>>,
    /// The outputs of the composite.
    pub outputs: BTreeMap<&'static str, Option<Json>>,
    /// Objects that will be replaced.
    pub replaced: BTreeSet<Key>,
    /// The planned entry of every object in the record.
    pub entries: BTreeMap<Key, PlannedEntry>,
}

/// The planned entry of an object in the record. `None` means known only after apply.
#[derive(Clone, Debug)]
pub struct PlannedEntry {
    /// The known part. Its id, digest and attributes count only if the other fields are true.
    pub entry: Entry,
    /// True if the id is known.
    pub id: bool,
    /// True if the digest is known.
    pub digest: bool,
    /// True if the attributes are known.
    pub attributes: bool,
}

/// Plans a graph against the record. Missing objects will be created again, and drifted fields changed back.
pub fn plan(graph: &Graph, context: &Context, record: &Record, policy: Policy) -> Planned {
    let missing = &made_again(graph, record);
    let replaced = replaced(graph, context, record);
    let renewed = renewed(graph, context, record);
    let mut attributes = lasting_attributes(record, &replaced, missing, &renewed);
    let uncertain = uncertain(graph, context, record, &mut attributes);
    let resolver = Resolver::new(graph, context, &attributes);
    let mut planned = Planned { replaced, ..Planned::default() };
    let anchor = graph.objects().first().map(|object| &object.key);
    for object in graph.objects() {
        let canonical = resolver
            .settings(object)
            .ok()
            .map(|settings| canonical::settings(object.kind, &settings, policy));
        let line =
            canonical.as_ref().map(|settings| canonical::line(&canonical::shown(object.kind, settings)));
        let arn = Expr::Attribute(object.key.clone(), "arn").evaluate(&resolver);
        let arn = arn.and_then(|arn| arn.as_str().map(ToOwned::to_owned));
        let has_arn = object.kind.attributes.iter().any(|(name, _)| *name == "arn");
        let again = [&planned.replaced, missing, &uncertain].iter().any(|keys| keys.contains(&object.key));
        let kept = record.objects.get(&object.key).filter(|_| !again);
        let own_id = resolver.id(object).or_else(|| kept.map(|entry| entry.id.clone()));
        let id = if has_arn { arn.clone() } else { own_id.clone() };
        let unpredictable = object
            .kind
            .attributes
            .iter()
            .any(|(name, template)| template.is_none() && object.kind.field(name).is_none());
        let entry = PlannedEntry {
            id: own_id.is_some(),
            digest: canonical.is_some(),
            attributes: kept.is_some() && !renewed.contains_key(&object.key) || !unpredictable,
            entry: Entry {
                kind: object.kind.name.to_owned(),
                id: own_id.unwrap_or_default(),
                region: context.region.clone().unwrap_or_default(),
                account: context.account.clone().unwrap_or_default(),
                digest: canonical.as_ref().map(canonical::digest).unwrap_or_default(),
                line: String::new(),
                arn,
                attributes: kept.map(|entry| entry.attributes.clone()).unwrap_or_default(),
                needs: object.needs().into_iter().collect(),
                anchor: Some(&object.key) == anchor,
                differences: Vec::new(),
            },
        };
        planned.entries.insert(object.key.clone(), entry);
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

/// Attributes that an apply does not change, and that do not follow from the wanted settings.
fn lasting_attributes(
    record: &Record,
    replaced: &BTreeSet<Key>,
    missing: &BTreeSet<Key>,
    renewed: &BTreeMap<Key, BTreeSet<&'static str>>,
) -> Attributes {
    let lasting =
        record.objects.iter().filter(|(key, _)| !replaced.contains(*key) && !missing.contains(*key));
    let attributes = lasting.map(|(key, entry)| {
        let stays = |name: &str| !renewed.get(key).is_some_and(|renewed| renewed.contains(name));
        let attributes = entry.attributes.iter().filter(|(name, _)| stays(name));
        (key.clone(), attributes.map(|(name, value)| (name.clone(), value.clone().into())).collect())
    });
    attributes.collect()
}

/// Recorded objects that an apply may have to replace, because an immutable field is not known yet. Their
/// attributes are removed, so values that follow from these are unknown, too.
fn uncertain(
    graph: &Graph,
    context: &Context,
    record: &Record,
    attributes: &mut Attributes,
) -> BTreeSet<Key> {
    let mut uncertain = BTreeSet::new();
    // Objects follow the objects that they need.
    for object in graph.objects().iter().filter(|object| record.objects.contains_key(&object.key)) {
        let fields = Resolver::new(graph, context, attributes).fields(object);
        let unknown = |field: &str| !mutable(object.kind, field) && fields.get(field) == Some(&None);
        if object.kind.fields.iter().any(|field| unknown(field.name)) {
            attributes.remove(&object.key);
            uncertain.insert(object.key.clone());
        }
    }
    uncertain
}

/// Missing objects, and objects whose drift only a replacement can change back.
fn made_again(graph: &Graph, record: &Record) -> BTreeSet<Key> {
    let again = |key: &Key, difference: &Difference| match difference {
        Difference::Missing => true,
        Difference::Field { name, .. } => graph.get(key).is_some_and(|object| !mutable(object.kind, name)),
        Difference::OtherInstance { .. }
        | Difference::Unlabeled { .. }
        | Difference::Unfinished
        | Difference::OfAnotherApply => false,
    };
    let drifted =
        record.objects.iter().filter(|(key, entry)| entry.differences.iter().any(|it| again(key, it)));
    drifted.map(|(key, _)| key.clone()).collect()
}

/// Attributes of recorded objects that get a new value, because a field changes.
fn renewed(graph: &Graph, context: &Context, record: &Record) -> BTreeMap<Key, BTreeSet<&'static str>> {
    let none = Attributes::new();
    let resolver = Resolver::new(graph, context, &none);
    let mut renewed: BTreeMap<Key, BTreeSet<&'static str>> = BTreeMap::new();
    for object in graph.objects() {
        let Some(entry) = record.objects.get(&object.key) else { continue };
        let (before, after) = (entry.settings(), resolver.fields(object));
        for field in object.kind.fields {
            let Some(attribute) = field.renews else { continue };
            // An unknown value may be a different one.
            let same = match after.get(field.name) {
                None => !before.contains_key(field.name),
                Some(after) => before.get(field.name) == after.as_ref(),
            };
            let changed_back = entry.differences.iter().any(
                |difference| matches!(difference, Difference::Field { name, .. } if *name == field.name),
            );
            if !same || changed_back {
                renewed.entry(object.key.clone()).or_default().insert(attribute);
            }
        }
    }
    renewed
}

/// Recorded objects that must be replaced: an immutable field changes, or the parent is replaced.
pub fn replaced(graph: &Graph, context: &Context, record: &Record) -> BTreeSet<Key> {
    let none = Attributes::new();
    let resolver = Resolver::new(graph, context, &none);
    let mut replaced = BTreeSet::new();
    for object in graph.objects() {
        let Some(entry) = record.objects.get(&object.key) else { continue };
        let before = entry.settings();
        let fields = resolver.fields(object);
        let changed = object.kind.fields.iter().any(|field| {
            let immutable = matches!(field.change, Change::Replaces | Change::WithParent);
            match (before.get(field.name), fields.get(field.name)) {
                (Some(before), Some(Some(after))) => immutable && before != after,
                // An optional field that is not wanted must not be set.
                (Some(_), None) | (None, Some(Some(_))) => immutable && field.optional,
                _ => false,
            }
        });
        let orphaned =
            object.kind.fields.iter().filter(|field| field.change == Change::WithParent).any(|field| {
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

/// Returns an error for each data object that would be replaced without `force_destroy`.
pub fn check_data(graph: &Graph, replaced: &BTreeSet<Key>) -> Vec<Problem> {
    let lost = replaced.iter().filter(|key| graph.get(key).is_some_and(|object| object.kind.data));
    let refused = lost.filter(|_| !graph.force_destroy).map(|key| {
        Problem::error(
            Code::WouldLoseData,
            format!("{key} would be replaced, but it holds data"),
            "The change deletes the object with its data, and creates it again.",
            Remedy::AllowLoss(Instead::UndoChange),
        )
    });
    refused.collect()
}

/// The fields in which two settings differ, for messages and for updates.
pub fn changed_fields(before: &Settings, after: &Settings) -> BTreeSet<String> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
}

/// Returns true if a field can be changed in place.
pub(crate) fn mutable(kind: &Kind, field: &str) -> bool {
    kind.field(field).is_none_or(|field| field.change == Change::InPlace)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tandem_model::composite::Definition;
    use tandem_model::value::Value;

    use super::*;

    /// A container task in this subnet, in a place where the VPC of `subnet-1` is known.
    fn task(subnets: Value) -> (Graph, Context) {
        let context = Context {
            project: Some("test".to_owned()),
            region: Some("eu-central-1".to_owned()),
            account: Some("123456789012".to_owned()),
            subnets: [("subnet-1".to_owned(), Ok(Some("vpc-1".to_owned())))].into(),
            ..Context::default()
        };
        let mut inputs = Value::from(&json!({ "name": "render", "image": "busybox", "network": {} }));
        if let Value::Map(inputs) = &mut inputs {
            inputs.insert("network".to_owned(), Value::map([("subnets", Value::List(vec![subnets]))]));
        }
        let definition = Definition::find("container_task").expect("a composite");
        let expansion = definition.expand(&inputs, &context);
        (expansion.graph.unwrap_or_else(|| panic!("{:?}", expansion.findings)), context)
    }

    #[test]
    fn what_may_be_made_again_is_not_promised() {
        let (graph, context) = task(Value::String("subnet-1".to_owned()));
        let first = plan(&graph, &context, &Record::default(), Json::clone);
        let group = Key::from("security_group.task");
        let mut record = Record { instance: "i".to_owned(), objects: BTreeMap::new() };
        for (key, planned) in first.entries {
            let id = if key == group { "sg-1".to_owned() } else { planned.entry.id.clone() };
            let line = first.components[&key].clone().unwrap_or_default();
            record.objects.insert(key, Entry { id, line, ..planned.entry });
        }
        let again = plan(&graph, &context, &record, Json::clone);
        assert_eq!(again.ids[&group].as_deref(), Some("sg-1"));

        // The VPC of the subnet is not known before the apply: the group may have to move there.
        let (graph, context) = task(Value::Unknown);
        let planned = plan(&graph, &context, &record, Json::clone);
        assert!(planned.replaced.is_empty(), "{:?}", planned.replaced);
        assert_eq!(planned.ids[&group], None);
        assert_eq!(planned.outputs["security_group_id"], None);
    }
}
