//! Recovers the inputs of a composite from the settings of its objects: an expansion, read backwards.
//!
//! An expansion with a variable in place of an input shows the fields that the input sets. The settings of these
//! fields in AWS are the value of the input. Inputs with a few values, e.g. `fifo`, get the value whose graph is most
//! similar to the objects. So a composite writes no code for this, and a new input is recovered without a line.

mod similar;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use self::similar::{Observed, name_of_list};
use crate::composite::{Definition, NamedBlocks, Settings};
use crate::composites::{LAUNCHES, RESOURCES};
use crate::context::Context;
use crate::finding::{Path, Step};
use crate::graph::Graph;
use crate::input::{Body, Field, Rule, Shape, Source};
use crate::value::Value;

/// How often the inputs are read: an input can depend on another one that was read before.
const ROUNDS: usize = 2;

/// The variable in place of an input, and the string in place of a structural one.
const MARKER: &str = "tandem-marker";

/// Recovers the inputs of a composite from the settings of its objects, by key. Inputs that AWS does not report are
/// missing.
pub(crate) fn recover(
    definition: &Definition,
    name: &str,
    objects: &BTreeMap<String, Settings>,
    context: &Context,
) -> Value {
    let fields = (definition.fields)();
    let reading = Reading { definition, context, observed: Observed::new(objects, context) };
    let mut shapes = vec![(definition.seed)(name)];
    shapes.extend((definition.other_seeds)(name));
    let mut named = BTreeSet::new();
    if let Some(NamedBlocks { input, names }) = (definition.named_blocks)(objects) {
        let blocks = names.into_iter().map(|name| Value::map([("name", Value::String(name))]));
        let blocks: Vec<Value> = blocks.collect();
        let path = |index| Path::field(input).join(Step::Index(index)).join(Step::Field("name".to_owned()));
        named.extend((0..blocks.len()).map(path));
        shapes.iter_mut().for_each(|shape| set(shape, &Path::field(input).0, Value::List(blocks.clone())));
    }
    let mut recovered = Value::map([("name", Value::String(name.to_owned()))]);
    let Some(mut inputs) = reading.best(shapes) else { return recovered };
    for field in fields.iter().filter(|field| matches!(field.shape, Shape::Block(_)) && !field.required) {
        let mut without = inputs.clone();
        remove(&mut without, &Path::field(field.name).0);
        inputs = reading.best(vec![inputs.clone(), without]).unwrap_or(inputs);
    }
    let mut found = BTreeMap::new();
    for _ in 0..ROUNDS {
        let mut leaves = leaves(&inputs, &fields, &Path::default(), &named);
        // Of two inputs that explain a setting, the scalar one is simpler than a list.
        leaves.sort_by_key(|leaf| !leaf.field.scalar);
        for leaf in leaves {
            let value = reading.read(&inputs, &leaf);
            if let Some(value) = &value {
                set(&mut inputs, &leaf.path.0, value.clone());
            }
            found.insert(leaf.path.clone(), value.unwrap_or_default());
        }
    }
    for (path, value) in found.into_iter().filter(|(_, value)| !value.is_null()) {
        set(&mut recovered, &path.0, value);
    }
    for path in &named {
        set(&mut recovered, &path.0, inputs.at(path).clone());
    }
    drop_incomplete(&mut recovered, &fields);
    if let (Value::Map(recovered), Value::Map(more)) = (&mut recovered, (definition.read_back)(objects)) {
        recovered.extend(more.into_iter().filter(|(_, value)| !is_empty(value)));
    }
    recovered
}

/// An input that is not a block.
struct Leaf {
    path: Path,
    field: Field,
}

struct Reading<'a> {
    definition: &'a Definition,
    context: &'a Context,
    observed: Observed<'a>,
}

impl Reading<'_> {
    fn expand(&self, inputs: &Value) -> Option<Graph> {
        self.definition.expand_unchecked(inputs, self.context).graph
    }

    /// The inputs whose graph is most similar to the objects; of equal ones, the first.
    fn best(&self, shapes: Vec<Value>) -> Option<Value> {
        let scored =
            shapes.into_iter().filter_map(|shape| Some((self.observed.score(&self.expand(&shape)?), shape)));
        scored.reduce(|best, other| if other.0 > best.0 { other } else { best }).map(|(_, shape)| shape)
    }

    /// Reads one input; `None` if the objects do not show it.
    fn read(&self, inputs: &Value, leaf: &Leaf) -> Option<Value> {
        match (&leaf.field.shape, leaf.field.rule) {
            _ if leaf.field.source.is_some_and(Source::is_local) => None,
            _ if leaf.field.scalar => self.trace(inputs, leaf, Value::Reference(MARKER.to_owned())),
            (Shape::Bool, _) => self.choose(inputs, leaf, vec![Value::Bool(false), Value::Bool(true)]),
            (Shape::String, Some(Rule::OneOf(words))) => {
                let words = words.iter().map(|word| Value::String((*word).to_owned()));
                // An input without a default can be missing.
                let absent =
                    (!leaf.field.must_be_set() && leaf.field.default.is_none()).then_some(Value::Null);
                self.choose(inputs, leaf, absent.into_iter().chain(words).collect())
            }
            (Shape::String, _) => self.trace(inputs, leaf, Value::String(MARKER.to_owned())),
            (Shape::List(_), _) => {
                let variable = Value::Reference(name_of_list(MARKER));
                self.trace(inputs, leaf, Value::List(vec![variable]))
            }
            _ => None,
        }
    }

    /// The value whose graph is most similar to the objects; `None` if two values are equally similar.
    fn choose(&self, inputs: &Value, leaf: &Leaf, values: Vec<Value>) -> Option<Value> {
        let with = |value: &Value| {
            let mut inputs = inputs.clone();
            set(&mut inputs, &leaf.path.0, value.clone());
            Some(self.observed.score(&self.expand(&inputs)?))
        };
        let mut scored: Vec<(i64, Value)> =
            values.into_iter().filter_map(|value| Some((with(&value)?, value))).collect();
        scored.sort_by_key(|(score, _)| -score);
        let mut scored = scored.into_iter();
        match (scored.next(), scored.next()) {
            (Some((best, value)), second) if second.as_ref().is_none_or(|(score, _)| *score < best) => {
                Some(value)
            }
            _ => None,
        }
    }

    /// The value at the fields that a variable in place of the input sets.
    fn trace(&self, inputs: &Value, leaf: &Leaf, variable: Value) -> Option<Value> {
        let with = |value: Value| {
            let mut inputs = inputs.clone();
            set(&mut inputs, &leaf.path.0, value);
            self.expand(&inputs)
        };
        let (key, field, value) = self.observed.binding(&with(variable)?, MARKER)?;
        let mut value = typed(&value, &leaf.field.shape)?;
        if let Value::Map(entries) = &mut value {
            entries.retain(|name, _| ![RESOURCES, LAUNCHES].contains(&name.as_str()));
        }
        if leaf.field.must_be_set() || leaf.field.default.is_some() {
            return Some(value);
        }
        // Without the input, the composite or AWS can set the same value.
        let (with, without) = (with(value.clone())?, with(Value::Null)?);
        let is_set = |graph: &Graph| {
            graph
                .objects()
                .iter()
                .any(|object| object.key.as_str() == key && object.fields.contains_key(field))
        };
        let (score, score_without) = (self.observed.score(&with), self.observed.score(&without));
        let is_given = if is_set(&without) {
            score > score_without
        } else {
            score >= score_without && !is_empty(&value)
        };
        is_given.then_some(value)
    }
}

/// Returns true for a value that AWS reports for a setting that was never set.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number == "0",
        Value::String(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        Value::Unknown | Value::Reference(_) => false,
    }
}

/// The inputs that are not blocks, and of lists of blocks those in blocks with names.
fn leaves(value: &Value, fields: &[Field], at: &Path, named: &BTreeSet<Path>) -> Vec<Leaf> {
    let mut found = Vec::new();
    for field in fields {
        let path = at.join(Step::Field(field.name.to_owned()));
        let given = value.get(field.name);
        match &field.shape {
            Shape::Block(body) => found.extend(leaves(given, &chosen(body, given), &path, named)),
            Shape::Blocks(body) => {
                let Value::List(blocks) = given else { continue };
                for (index, block) in blocks.iter().enumerate() {
                    let path = path.join(Step::Index(index));
                    if named.contains(&path.join(Step::Field("name".to_owned()))) {
                        found.extend(leaves(block, &chosen(body, block), &path, named));
                    }
                }
            }
            _ if field.name == "name" => {}
            _ => found.push(Leaf { path, field: field.clone() }),
        }
    }
    found
}

/// The fields of a block: of a choice, those of the variant that the block has.
fn chosen(body: &Body, block: &Value) -> Vec<Field> {
    match body {
        Body::Fields(fields) => fields.clone(),
        Body::Choice(variants) => {
            let set = |variant: &&crate::input::Variant| !block.get(variant.discriminator().name).is_null();
            variants.iter().find(set).map(|variant| variant.fields.clone()).unwrap_or_default()
        }
    }
}

/// Removes blocks of a choice without their discriminator, and blocks without any value.
fn drop_incomplete(value: &mut Value, fields: &[Field]) {
    let Value::Map(entries) = value else { return };
    for field in fields {
        let Shape::Block(body) = &field.shape else { continue };
        let Some(block) = entries.get_mut(field.name) else { continue };
        drop_incomplete(block, &chosen(body, block));
        let variants = if let Body::Choice(variants) = body { &variants[..] } else { &[] };
        let is_of_one = |block: &Value| {
            variants.is_empty()
                || variants.iter().any(|variant| !block.get(variant.discriminator().name).is_null())
        };
        if matches!(block, Value::Map(entries) if entries.is_empty()) || !is_of_one(block) {
            entries.remove(field.name);
        }
    }
}

/// Sets the value at a path. Blocks on the way are created.
fn set(at: &mut Value, path: &[Step], value: Value) {
    let Some((step, rest)) = path.split_first() else {
        *at = value;
        return;
    };
    match step {
        Step::Field(name) | Step::Key(name) => {
            if !matches!(at, Value::Map(_)) {
                *at = Value::Map(BTreeMap::new());
            }
            if let Value::Map(entries) = at {
                set(entries.entry(name.clone()).or_default(), rest, value);
            }
        }
        Step::Index(index) => {
            if !matches!(at, Value::List(_)) {
                *at = Value::List(Vec::new());
            }
            if let Value::List(items) = at {
                items.resize(items.len().max(index + 1), Value::Null);
                set(&mut items[*index], rest, value);
            }
        }
    }
}

/// Removes the value at a path.
fn remove(at: &mut Value, path: &[Step]) {
    match (path, at) {
        ([Step::Field(name) | Step::Key(name)], Value::Map(entries)) => drop(entries.remove(name)),
        ([Step::Field(name) | Step::Key(name), rest @ ..], Value::Map(entries)) => {
            if let Some(entry) = entries.get_mut(name) {
                remove(entry, rest);
            }
        }
        ([Step::Index(index), rest @ ..], Value::List(items)) => {
            if let Some(item) = items.get_mut(*index) {
                remove(item, rest);
            }
        }
        _ => {}
    }
}

/// The value of an input of this shape; `None` if the value has another type.
fn typed(value: &Json, shape: &Shape) -> Option<Value> {
    match (shape, value) {
        (Shape::Integer, Json::Number(number)) => Some(Value::Number(number.to_string())),
        // A variable of an environment is a string.
        (Shape::Integer, Json::String(text)) => {
            text.parse::<i64>().ok().map(|number| Value::Number(number.to_string()))
        }
        (Shape::Bool, Json::Bool(_)) | (Shape::String, Json::String(_)) => Some(value.into()),
        (Shape::List(element), Json::Array(items)) => {
            items.iter().map(|item| typed(item, element)).collect::<Option<Vec<_>>>().map(Value::List)
        }
        (Shape::Map(element), Json::Object(entries)) => {
            let typed = |(name, value): (&String, &Json)| Some((name.clone(), typed(value, element)?));
            entries.iter().map(typed).collect::<Option<BTreeMap<_, _>>>().map(Value::Map)
        }
        _ => None,
    }
}
