//! Terraform's own rules for answers, checked before an answer is sent. The error contains the path of the
//! value, while Terraform reports some defects only as "inconsistent result after apply".

use crate::path::{Path, Step};
use crate::schema::{Attribute, Block, Mode, NestedBlock, Nesting};
use crate::types::Type;
use crate::value::Value;

/// A broken rule: the path of the value and the message.
pub(crate) type Broken = (Path, String);

/// Checks a planned state against the configuration and the prior state.
pub(crate) fn plan(block: &Block, config: &Value, prior: &Value, planned: &Value) -> Vec<Broken> {
    let mut broken = Vec::new();
    if config.is_null() {
        if !planned.is_null() {
            broken.push((Path::root(), "a destroy must plan null".into()));
        }
        return broken;
    }
    if planned.is_null() {
        broken.push((Path::root(), "planned null for a configured resource".into()));
        return broken;
    }
    plan_block(block, config, prior, planned, &mut broken);
    broken
}

/// Checks the value one step further in. A path is built only for a broken rule. The check stops after 100
/// broken rules, because a value can have millions of them, each with a long path.
fn inside(broken: &mut Vec<Broken>, step: impl FnOnce() -> Step, check: impl FnOnce(&mut Vec<Broken>)) {
    const ENOUGH: usize = 100;
    let before = broken.len();
    if before >= ENOUGH {
        return;
    }
    check(broken);
    if broken.len() > before {
        let step = step();
        broken[before..].iter_mut().for_each(|(path, _)| path.prepend(step.clone()));
    }
}

/// Adds a rule that the current value breaks.
fn here(broken: &mut Vec<Broken>, rule: &str) {
    broken.push((Path::root(), rule.to_owned()));
}

fn plan_block(block: &Block, config: &Value, prior: &Value, planned: &Value, broken: &mut Vec<Broken>) {
    for attribute in &block.attributes {
        let name = &attribute.name;
        inside(
            broken,
            || Step::Attribute(name.clone()),
            |broken| {
                plan_attribute(attribute, config.get(name), prior.get(name), planned.get(name), broken);
            },
        );
    }
    for nested in &block.blocks {
        let name = &nested.name;
        inside(
            broken,
            || Step::Attribute(name.clone()),
            |broken| plan_blocks(nested, config.get(name), prior.get(name), planned.get(name), broken),
        );
    }
}

fn plan_attribute(
    attribute: &Attribute,
    configured: &Value,
    before: &Value,
    value: &Value,
    broken: &mut Vec<Broken>,
) {
    if attribute.write_only {
        if !value.is_null() {
            here(broken, "a write-only value must be null in a plan");
        }
        return;
    }
    // Any value is valid for a computed attribute. With `ignore_changes`, Terraform even copies the prior
    // value into the configuration.
    if attribute.mode == Mode::Computed {
        return;
    }
    let kept = !configured.is_null() && !before.is_null() && equal(value, before, &attribute.ty);
    if equal(value, configured, &attribute.ty) || kept {
        return;
    }
    if !(attribute.mode == Mode::OptionalComputed && configured.is_null()) {
        here(broken, "the planned value is not the configured one");
    }
}

fn plan_blocks(
    nested: &NestedBlock,
    configured: &Value,
    before: &Value,
    value: &Value,
    broken: &mut Vec<Broken>,
) {
    match nested.nesting {
        Nesting::Single | Nesting::Group => match (configured.is_null(), value.is_null()) {
            (false, false) if !configured.is_unknown() && !value.is_unknown() => {
                plan_block(&nested.block, configured, before, value, broken);
            }
            (true, false) | (false, true) => {
                here(broken, "the planned block is not the configured one");
            }
            _ => {}
        },
        Nesting::List => match (configured, value) {
            (Value::List(configured), Value::List(values)) => {
                if configured.len() != values.len() {
                    return here(broken, "the number of planned blocks is not the configured one");
                }
                for (index, (configured, value)) in configured.iter().zip(values).enumerate() {
                    let before = before.as_list().and_then(|items| items.get(index));
                    let before = before.unwrap_or(&Value::Null);
                    inside(
                        broken,
                        || Step::index(index),
                        |broken| plan_block(&nested.block, configured, before, value, broken),
                    );
                }
            }
            (Value::Unknown(_), Value::Unknown(_)) => {}
            _ => here(broken, "the planned blocks are not the configured ones"),
        },
        Nesting::Map => {
            let keys =
                |value: &Value| value.as_map().map(|entries| entries.keys().cloned().collect::<Vec<_>>());
            if keys(configured) != keys(value) {
                return here(broken, "the labels of the planned blocks are not the configured ones");
            }
            for (key, value) in value.as_map().into_iter().flatten() {
                inside(
                    broken,
                    || Step::Key(key.clone()),
                    |broken| {
                        plan_block(&nested.block, configured.get(key), before.get(key), value, broken);
                    },
                );
            }
        }
        // Elements of a set cannot be paired, because they have no key. None may be wholly unknown.
        Nesting::Set => {
            if value.as_list().is_some_and(|items| items.iter().any(Value::is_unknown)) {
                here(broken, "a block of a set is wholly unknown");
            }
        }
    }
}

/// Checks a new state against the plan: known planned values are unchanged, and no value is unknown.
pub(crate) fn apply(block: &Block, planned: &Value, state: &Value) -> Vec<Broken> {
    let mut broken = stored(block, state);
    if planned.is_null() == state.is_null() {
        promised(planned, state, &block.ty(), &mut broken);
    } else {
        here(
            &mut broken,
            if planned.is_null() {
                "the resource still exists after a destroy"
            } else {
                "the resource does not exist after an apply"
            },
        );
    }
    broken
}

fn promised(planned: &Value, state: &Value, ty: &Type, broken: &mut Vec<Broken>) {
    match (planned, state, ty) {
        (Value::Unknown(_), _, _) => {}
        (Value::Map(planned), Value::Map(entries), Type::Object(object)) => {
            for (key, ty) in &object.attributes {
                let planned = planned.get(key).unwrap_or(&Value::Null);
                let value = entries.get(key).unwrap_or(&Value::Null);
                let step = || Step::Attribute(key.clone());
                inside(broken, step, |broken| promised(planned, value, ty, broken));
            }
        }
        (Value::Map(planned), Value::Map(entries), Type::Map(ty)) if planned.keys().eq(entries.keys()) => {
            for (key, planned) in planned {
                let step = || Step::Key(key.clone());
                inside(broken, step, |broken| promised(planned, &entries[key], ty, broken));
            }
        }
        (Value::List(planned), Value::List(items), Type::List(ty)) if planned.len() == items.len() => {
            for (index, (planned, value)) in planned.iter().zip(items).enumerate() {
                inside(broken, || Step::index(index), |broken| promised(planned, value, ty, broken));
            }
        }
        (Value::List(planned), Value::List(items), Type::Tuple(types))
            if planned.len() == items.len() && planned.len() == types.len() =>
        {
            for (index, ((planned, value), ty)) in planned.iter().zip(items).zip(types).enumerate() {
                inside(broken, || Step::index(index), |broken| promised(planned, value, ty, broken));
            }
        }
        (Value::Dynamic(planned), Value::Dynamic(value), Type::Dynamic) if planned.0 == value.0 => {
            promised(&planned.1, &value.1, &planned.0, broken);
        }
        _ if equal(planned, state, ty) || !planned.is_fully_known() && matches!(ty, Type::Set(_)) => {}
        _ => here(broken, "the new value is not the planned one"),
    }
}

/// Checks a state to be stored: it has no unknown and no write-only values.
pub(crate) fn stored(block: &Block, state: &Value) -> Vec<Broken> {
    let mut broken = Vec::new();
    find_unknown(state, &mut broken);
    find_write_only(block, state, &mut broken);
    broken
}

fn find_unknown(value: &Value, broken: &mut Vec<Broken>) {
    match value {
        Value::Unknown(_) => here(broken, "the value is unknown in a stored state"),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                inside(broken, || Step::index(index), |broken| find_unknown(item, broken));
            }
        }
        Value::Map(entries) => {
            for (key, item) in entries {
                inside(broken, || Step::Attribute(key.clone()), |broken| find_unknown(item, broken));
            }
        }
        Value::Dynamic(inner) => find_unknown(&inner.1, broken),
        _ => {}
    }
}

fn find_write_only(block: &Block, value: &Value, broken: &mut Vec<Broken>) {
    for attribute in block.attributes.iter().filter(|attribute| attribute.write_only) {
        if !value.get(&attribute.name).is_null() {
            let step = || Step::Attribute(attribute.name.clone());
            inside(broken, step, |broken| here(broken, "a write-only value must be null in a state"));
        }
    }
    for nested in &block.blocks {
        let step = || Step::Attribute(nested.name.clone());
        inside(broken, step, |broken| {
            each_block(value.get(&nested.name), nested.nesting, |step, value| match step {
                None => find_write_only(&nested.block, value, broken),
                Some(step) => inside(broken, || step, |broken| find_write_only(&nested.block, value, broken)),
            });
        });
    }
}

fn each_block(value: &Value, nesting: Nesting, mut visit: impl FnMut(Option<Step>, &Value)) {
    match (nesting, value) {
        (Nesting::Single | Nesting::Group, Value::Map(_)) => visit(None, value),
        (Nesting::Map, Value::Map(entries)) => {
            for (key, value) in entries {
                visit(Some(Step::Key(key.clone())), value);
            }
        }
        (_, Value::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                visit(Some(Step::index(index)), item);
            }
        }
        _ => {}
    }
}

/// Replaces every unknown value with null.
pub(crate) fn known(value: &Value) -> Value {
    match value {
        Value::Unknown(_) => Value::Null,
        Value::List(items) => Value::List(items.iter().map(known).collect()),
        Value::Map(entries) => Value::map(entries.iter().map(|(key, value)| (key, known(value)))),
        Value::Dynamic(inner) => Value::Dynamic(Box::new((inner.0.clone(), known(&inner.1)))),
        other => other.clone(),
    }
}

/// Sets every write-only value to null. Configurations and proposed states contain these values, but plans
/// and states must not.
pub(crate) fn clear_write_only(block: &Block, value: &mut Value) {
    let Value::Map(entries) = value else { return };
    for attribute in block.attributes.iter().filter(|attribute| attribute.write_only) {
        entries.insert(attribute.name.clone(), Value::Null);
    }
    for nested in &block.blocks {
        match (nested.nesting, entries.get_mut(&nested.name)) {
            (Nesting::Single | Nesting::Group, Some(value)) => clear_write_only(&nested.block, value),
            (Nesting::Map, Some(Value::Map(blocks))) => {
                blocks.values_mut().for_each(|value| clear_write_only(&nested.block, value));
            }
            (_, Some(Value::List(blocks))) => {
                blocks.iter_mut().for_each(|value| clear_write_only(&nested.block, value));
            }
            _ => {}
        }
    }
}

/// Checks paths that require replacement: they exist in the schema and contain no element of a set.
pub(crate) fn replace_paths(ty: &Type, paths: &[Path]) -> Vec<Broken> {
    let exists = |path: &Path| {
        let mut ty = ty;
        for step in path.steps() {
            let inner = match (step, ty) {
                (Step::Attribute(name), Type::Object(object)) => object.attributes.get(name),
                (Step::Index(_), Type::List(element)) | (Step::Key(_), Type::Map(element)) => {
                    Some(&**element)
                }
                _ => None,
            };
            let Some(inner) = inner else { return false };
            ty = inner;
        }
        true
    };
    let missing = paths.iter().filter(|path| !exists(path));
    missing
        .map(|path| (path.clone(), "a path that requires replacement is not in the schema".into()))
        .collect()
}

/// Equality of two values of a type. The order of a set does not count.
pub(crate) fn equal(left: &Value, right: &Value, ty: &Type) -> bool {
    match (left, right, ty) {
        // Refinements do not count.
        (Value::Unknown(_), Value::Unknown(_), _) => true,
        (Value::Dynamic(left), Value::Dynamic(right), _) => {
            left.0 == right.0 && equal(&left.1, &right.1, &left.0)
        }
        (Value::List(left), Value::List(right), Type::Set(ty)) => {
            left.len() == right.len() && sorted(left, ty) == sorted(right, ty)
        }
        (Value::List(left), Value::List(right), Type::List(ty)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right, ty))
        }
        (Value::List(left), Value::List(right), Type::Tuple(types)) => {
            left.len() == right.len()
                && left.len() == types.len()
                && left.iter().zip(right).zip(types).all(|((left, right), ty)| equal(left, right, ty))
        }
        (Value::Map(left), Value::Map(right), Type::Map(ty)) => {
            left.keys().eq(right.keys()) && left.iter().all(|(key, value)| equal(value, &right[key], ty))
        }
        (Value::Map(left), Value::Map(right), Type::Object(object)) => {
            let null = Value::Null;
            object
                .attributes
                .iter()
                .all(|(key, ty)| equal(left.get(key).unwrap_or(&null), right.get(key).unwrap_or(&null), ty))
        }
        _ => left == right,
    }
}

/// The canonical strings of the elements of a set, sorted: equal for equal sets only. A comparison of every
/// pair of elements would take minutes for a large set.
fn sorted(items: &[Value], ty: &Type) -> Vec<String> {
    let mut texts: Vec<String> = items.iter().map(|item| canonical(item, ty)).collect();
    texts.sort_unstable();
    texts
}

/// A string that is equal for equal values only.
fn canonical(value: &Value, ty: &Type) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    match (value, ty) {
        (Value::Unknown(_), _) => "unknown".to_owned(),
        (Value::Dynamic(inner), _) => format!("{}:{}", inner.0.to_json(), canonical(&inner.1, &inner.0)),
        (Value::List(items), Type::Set(ty)) => list(sorted(items, ty)),
        (Value::List(items), Type::List(ty)) => list(items.iter().map(|item| canonical(item, ty)).collect()),
        (Value::List(items), Type::Tuple(types)) if items.len() == types.len() => {
            list(items.iter().zip(types).map(|(item, ty)| canonical(item, ty)).collect())
        }
        (Value::Map(entries), Type::Map(ty)) => {
            list(entries.iter().map(|(key, item)| format!("{key:?}:{}", canonical(item, ty))).collect())
        }
        (Value::Map(entries), Type::Object(object)) => {
            let item = |(key, ty)| canonical(entries.get(key).unwrap_or(&Value::Null), ty);
            list(object.attributes.iter().map(item).collect())
        }
        _ => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Block {
        let mut secret = Attribute::new("secret", Type::String, Mode::Optional, "");
        secret.write_only = true;
        Block {
            attributes: vec![
                Attribute::new("name", Type::String, Mode::Required, ""),
                Attribute::new("size", Type::Number, Mode::OptionalComputed, ""),
                Attribute::new("id", Type::String, Mode::Computed, ""),
                secret,
            ],
            blocks: vec![NestedBlock {
                name: "on".into(),
                nesting: Nesting::List,
                block: Block {
                    attributes: vec![Attribute::new("port", Type::Number, Mode::Required, "")],
                    ..Block::default()
                },
                min_items: 0,
                max_items: 0,
            }],
            ..Block::default()
        }
    }

    fn value(name: Value, size: Value, id: Value, secret: Value, ports: &[i64]) -> Value {
        let on = ports.iter().map(|port| Value::map([("port", Value::from(*port))]));
        Value::map([
            ("name", name),
            ("size", size),
            ("id", id),
            ("secret", secret),
            ("on", Value::List(on.collect())),
        ])
    }

    #[test]
    fn terraforms_rules_are_applied() {
        let (null, unknown) = (Value::Null, Value::UNKNOWN);
        let config = value("a".into(), null.clone(), null.clone(), "s".into(), &[1]);
        let good = value("a".into(), 5.into(), unknown.clone(), null.clone(), &[1]);
        assert_eq!(plan(&block(), &config, &null, &good), []);

        let bad = value("b".into(), 5.into(), unknown.clone(), "s".into(), &[2]);
        let paths: Vec<String> =
            plan(&block(), &config, &null, &bad).iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["name", "secret", "on[0].port"]);
        assert_eq!(plan(&block(), &config, &null, &null).len(), 1);
        assert_eq!(plan(&block(), &null, &good, &good).len(), 1);

        let state = value("a".into(), 5.into(), "i".into(), null.clone(), &[1]);
        assert_eq!(apply(&block(), &good, &state), []);
        let other = value("a".into(), 6.into(), unknown, null.clone(), &[1]);
        let paths: Vec<String> =
            apply(&block(), &good, &other).iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["id", "size"]);
        assert_eq!(apply(&block(), &good, &null).len(), 1);
    }

    #[test]
    fn paths_that_need_replacement_must_exist() {
        let ty = block().ty();
        let good = Path::attribute("on").join(Step::Index(0)).join(Step::Attribute("port".into()));
        let bad = Path::attribute("nope");
        assert_eq!(replace_paths(&ty, &[good, bad.clone()])[0].0, bad);
    }

    #[test]
    fn what_is_promised_of_an_unknown_value_does_not_count() {
        let refined = Value::Unknown(crate::value::Refinement(Some(vec![0x81, 0x01, 0xc2])));
        let one = |value: &Value| Value::List(vec![value.clone()]);
        for ty in [Type::list(Type::String), Type::set(Type::String), Type::Tuple(vec![Type::String])] {
            assert!(equal(&one(&refined), &one(&Value::UNKNOWN), &ty), "{ty}");
            assert!(!equal(&one(&refined), &one(&Value::Null), &ty), "{ty}");
        }
    }

    #[test]
    fn the_order_of_a_set_does_not_count() {
        let (a, b) = (Value::List(vec![1.into(), 2.into()]), Value::List(vec![2.into(), 1.into()]));
        assert!(equal(&a, &b, &Type::set(Type::Number)));
        assert!(!equal(&a, &b, &Type::list(Type::Number)));
        let nested = |first: &Value, second: &Value| Value::List(vec![first.clone(), second.clone()]);
        let ty = Type::set(Type::set(Type::Number));
        let c = Value::List(vec![1.into(), Value::UNKNOWN]);
        assert!(equal(&nested(&a, &c), &nested(&c, &b), &ty));
        assert!(!equal(&nested(&a, &a), &nested(&a, &c), &ty));
        let text = |text: &str| Value::List(vec![text.into()]);
        assert!(!equal(&text("a\",\"b"), &nested(&"a".into(), &"b".into()), &Type::set(Type::String)));
    }
}
