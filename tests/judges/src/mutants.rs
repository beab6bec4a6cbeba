//! Calls that AWS would refuse, made from calls that it accepts: they judge the judge.

use serde_json::{Map, Value as Json};

use crate::call::Call;
use crate::shape::{Model, Shape, Type};

/// A call with one fault.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The call.
    pub call: Call,
    /// The fault, e.g. `FunctionName: too long`.
    pub fault: String,
}

/// All mutants of a call.
pub fn of(call: &Call) -> Vec<Mutant> {
    let Some(shape) = Model::of(&call.service).and_then(|model| model.input(&call.operation)) else {
        return Vec::new();
    };
    let mut mutations = Vec::new();
    mutate(shape, &call.input, "", &mut mutations);
    let mutants =
        mutations.into_iter().map(|(fault, input)| Mutant { call: Call { input, ..call.clone() }, fault });
    mutants.collect()
}

/// Adds a fault and the value with this fault, for each fault of a value.
fn mutate(shape: Shape, value: &Json, at: &str, mutations: &mut Vec<(String, Json)>) {
    let mut add = |fault: &str, value: Json| mutations.push((format!("{at}: {fault}"), value));
    match value {
        Json::Object(entries) if shape.ty() == Type::Structure => {
            for (name, inner) in entries {
                let without = || {
                    let mut rest = entries.clone();
                    rest.remove(name);
                    rest
                };
                if shape.required().any(|required| required == name) {
                    add(&format!("without {name}"), without().into());
                }
                let mut renamed = without();
                renamed.insert(format!("{name}s"), inner.clone());
                if shape.member(&format!("{name}s")).is_none() {
                    add(&format!("{name}s in place of {name}"), renamed.into());
                }
            }
            let member = |name: &str| shape.member(name);
            inside(entries, &member, at, mutations);
        }
        Json::Object(entries) => {
            counts(shape, value, &mut add);
            for key in entries.keys() {
                let mut broken = Vec::new();
                mutate(shape.key(), &key.as_str().into(), at, &mut broken);
                for (fault, key) in broken {
                    // Keys have no other type than string.
                    if let Json::String(key) = key {
                        let entries =
                            Map::from_iter([(key, entries.values().next().cloned().unwrap_or_default())]);
                        mutations.push((fault, entries.into()));
                    }
                }
            }
            let value_of = |_: &str| Some(shape.value());
            inside(entries, &value_of, at, mutations);
        }
        Json::Array(items) => {
            counts(shape, value, &mut add);
            for (index, item) in items.iter().enumerate() {
                let mut broken = Vec::new();
                mutate(shape.item(), item, &format!("{at}[{index}]"), &mut broken);
                mutations.extend(broken.into_iter().map(|(fault, item)| {
                    let mut items = items.clone();
                    items[index] = item;
                    (fault, items.into())
                }));
            }
        }
        Json::String(text) => {
            counts(shape, value, &mut add);
            if shape.values().next().is_some() {
                add("outside of the enum", format!("{text}-none").into());
            }
            // Patterns that allow anything allow this, too.
            if shape.pattern().is_some_and(|pattern| !pattern.contains(".*") && !pattern.contains("\\s\\S")) {
                add("outside of the pattern", format!("{text}\u{1}").into());
            }
            add("of another type", serde_json::json!([{ "a": 1 }]));
        }
        Json::Number(_) => {
            if let Some(max) = shape.max() {
                add("too large", whole(max + 1.0).into());
            }
            if let Some(min) = shape.min() {
                add("too small", whole(min - 1.0).into());
            }
            add("of another type", "one".into());
        }
        Json::Bool(_) => add("of another type", "yes".into()),
        Json::Null => {}
    }
}

fn inside(
    entries: &Map<String, Json>,
    shape: &dyn Fn(&str) -> Option<Shape>,
    at: &str,
    mutations: &mut Vec<(String, Json)>,
) {
    for (name, inner) in entries {
        let Some(shape) = shape(name) else { continue };
        let mut broken = Vec::new();
        mutate(shape, inner, &format!("{at}.{name}"), &mut broken);
        mutations.extend(broken.into_iter().map(|(fault, inner)| {
            let mut entries = entries.clone();
            entries.insert(name.clone(), inner);
            (fault, entries.into())
        }));
    }
}

/// Adds a value with too many and one with too few characters, items or entries.
fn counts(shape: Shape, value: &Json, add: &mut impl FnMut(&str, Json)) {
    // A larger value would only take time.
    const LARGEST: f64 = 100_000.0;
    let with = |count: f64| -> Json {
        let count = usize::try_from(whole(count)).unwrap_or_default();
        match value {
            Json::String(text) => {
                let letters = text.chars().chain(std::iter::repeat('a'));
                letters.take(count).collect::<String>().into()
            }
            Json::Array(items) => items.iter().cycle().take(count).cloned().collect(),
            Json::Object(entries) => {
                let value = entries.values().next().cloned().unwrap_or_default();
                Json::Object((0..count).map(|number| (format!("k{number}"), value.clone())).collect())
            }
            other => other.clone(),
        }
    };
    if let Some(max) = shape.max().filter(|max| *max < LARGEST && shape.ty() != Type::Blob) {
        let many = with(max + 1.0);
        // An empty list has nothing to repeat.
        if !many.as_array().is_some_and(Vec::is_empty) {
            add("too many", many);
        }
    }
    if let Some(min) = shape.min().filter(|min| *min > 0.0) {
        add("too few", with(min - 1.0));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "limits are whole numbers")]
fn whole(number: f64) -> i64 {
    number as i64
}
