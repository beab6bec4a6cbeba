//! Terraform's own rules for answers, applied before an answer is sent: a defect of the provider is
//! named with its path here, instead of surfacing as "inconsistent result after apply" there.

use crate::path::{Path, Step};
use crate::schema::{Block, Mode, Nesting};
use crate::types::Type;
use crate::value::Value;

/// A broken rule: where, and which.
pub(crate) type Broken = (Path, String);

/// A planned state against configuration and prior state.
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
    plan_block(block, config, prior, planned, &Path::root(), &mut broken);
    broken
}

fn plan_block(
    block: &Block,
    config: &Value,
    prior: &Value,
    planned: &Value,
    at: &Path,
    broken: &mut Vec<Broken>,
) {
    for attribute in &block.attributes {
        let path = at.join(Step::Attribute(attribute.name.clone()));
        let configured = config.get(&attribute.name);
        let value = planned.get(&attribute.name);
        if attribute.write_only {
            if !value.is_null() {
                broken.push((path, "a write-only value must be null in a plan".into()));
            }
            continue;
        }
        // Of what only the provider sets, any value goes; with `ignore_changes` Terraform even puts the
        // prior value into the configuration.
        if attribute.mode == Mode::Computed {
            continue;
        }
        let kept = !configured.is_null()
            && !prior.get(&attribute.name).is_null()
            && equal(value, prior.get(&attribute.name), &attribute.ty);
        if equal(value, configured, &attribute.ty) || kept {
            continue;
        }
        if !(attribute.mode == Mode::OptionalComputed && configured.is_null()) {
            broken.push((path, "the planned value is not the configured one".into()));
        }
    }
    for nested in &block.blocks {
        let path = at.join(Step::Attribute(nested.name.clone()));
        let configured = config.get(&nested.name);
        let value = planned.get(&nested.name);
        let before = prior.get(&nested.name);
        match nested.nesting {
            Nesting::Single | Nesting::Group => match (configured.is_null(), value.is_null()) {
                (false, false) if !configured.is_unknown() && !value.is_unknown() => {
                    plan_block(&nested.block, configured, before, value, &path, broken);
                }
                (true, false) | (false, true) => {
                    broken.push((path, "the block is planned otherwise than configured".into()));
                }
                _ => {}
            },
            Nesting::List => match (configured, value) {
                (Value::List(configured), Value::List(values)) => {
                    if configured.len() != values.len() {
                        broken.push((path, "another number of blocks is planned than configured".into()));
                        continue;
                    }
                    for (index, (configured, value)) in configured.iter().zip(values).enumerate() {
                        let before = before.as_list().and_then(|items| items.get(index));
                        let before = before.unwrap_or(&Value::Null);
                        let step = Step::Index(i64::try_from(index).unwrap_or(i64::MAX));
                        plan_block(&nested.block, configured, before, value, &path.join(step), broken);
                    }
                }
                (Value::Unknown(_), Value::Unknown(_)) => {}
                _ => broken.push((path, "the blocks are planned otherwise than configured".into())),
            },
            Nesting::Map => {
                let keys =
                    |value: &Value| value.as_map().map(|entries| entries.keys().cloned().collect::<Vec<_>>());
                if keys(configured) != keys(value) {
                    broken.push((path, "other blocks are planned than configured".into()));
                    continue;
                }
                for (key, value) in value.as_map().into_iter().flatten() {
                    let at = path.join(Step::Key(key.clone()));
                    plan_block(&nested.block, configured.get(key), before.get(key), value, &at, broken);
                }
            }
            // Elements of a set have no identity to pair them by; none may be unknown as a whole.
            Nesting::Set => {
                if value.as_list().is_some_and(|items| items.iter().any(Value::is_unknown)) {
                    broken.push((path, "a block of a set is unknown as a whole".into()));
                }
            }
        }
    }
}

/// A new state against the plan: what was planned known is returned equal, nothing stays unknown.
pub(crate) fn apply(block: &Block, planned: &Value, state: &Value) -> Vec<Broken> {
    let mut broken = stored(block, state);
    if planned.is_null() == state.is_null() {
        promised(planned, state, &block.ty(), &Path::root(), &mut broken);
    } else {
        let message = if planned.is_null() { "still exists after a destroy" } else { "is gone after apply" };
        broken.push((Path::root(), message.into()));
    }
    broken
}

fn promised(planned: &Value, state: &Value, ty: &Type, at: &Path, broken: &mut Vec<Broken>) {
    match (planned, state, ty) {
        (Value::Unknown(_), _, _) => {}
        (Value::Map(planned), Value::Map(entries), Type::Object(object)) => {
            for (key, ty) in &object.attributes {
                let null = Value::Null;
                let planned = planned.get(key).unwrap_or(&null);
                let value = entries.get(key).unwrap_or(&null);
                promised(planned, value, ty, &at.join(Step::Attribute(key.clone())), broken);
            }
        }
        (Value::Map(planned), Value::Map(entries), Type::Map(ty)) if planned.keys().eq(entries.keys()) => {
            for (key, planned) in planned {
                promised(planned, &entries[key], ty, &at.join(Step::Key(key.clone())), broken);
            }
        }
        (Value::List(planned), Value::List(items), Type::List(ty)) if planned.len() == items.len() => {
            for (index, (planned, value)) in planned.iter().zip(items).enumerate() {
                let step = Step::Index(i64::try_from(index).unwrap_or(i64::MAX));
                promised(planned, value, ty, &at.join(step), broken);
            }
        }
        (Value::List(planned), Value::List(items), Type::Tuple(types))
            if planned.len() == items.len() && planned.len() == types.len() =>
        {
            for (index, ((planned, value), ty)) in planned.iter().zip(items).zip(types).enumerate() {
                let step = Step::Index(i64::try_from(index).unwrap_or(i64::MAX));
                promised(planned, value, ty, &at.join(step), broken);
            }
        }
        (Value::Dynamic(planned), Value::Dynamic(value), Type::Dynamic) if planned.0 == value.0 => {
            promised(&planned.1, &value.1, &planned.0, at, broken);
        }
        _ if equal(planned, state, ty) || !planned.is_fully_known() && matches!(ty, Type::Set(_)) => {}
        _ => broken.push((at.clone(), "the new value is not the planned one".into())),
    }
}

/// A state as it will be stored: nothing unknown, nothing write-only.
pub(crate) fn stored(block: &Block, state: &Value) -> Vec<Broken> {
    let mut broken = Vec::new();
    find_unknown(state, &Path::root(), &mut broken);
    find_write_only(block, state, &Path::root(), &mut broken);
    broken
}

fn find_unknown(value: &Value, at: &Path, broken: &mut Vec<Broken>) {
    match value {
        Value::Unknown(_) => broken.push((at.clone(), "the value is unknown in a stored state".into())),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let step = Step::Index(i64::try_from(index).unwrap_or(i64::MAX));
                find_unknown(item, &at.join(step), broken);
            }
        }
        Value::Map(entries) => {
            for (key, item) in entries {
                find_unknown(item, &at.join(Step::Attribute(key.clone())), broken);
            }
        }
        Value::Dynamic(inner) => find_unknown(&inner.1, at, broken),
        _ => {}
    }
}

fn find_write_only(block: &Block, value: &Value, at: &Path, broken: &mut Vec<Broken>) {
    for attribute in block.attributes.iter().filter(|attribute| attribute.write_only) {
        if !value.get(&attribute.name).is_null() {
            let path = at.join(Step::Attribute(attribute.name.clone()));
            broken.push((path, "a write-only value must be null in a state".into()));
        }
    }
    for nested in &block.blocks {
        let path = at.join(Step::Attribute(nested.name.clone()));
        each_block(value.get(&nested.name), nested.nesting, |step, value| {
            let path = step.map_or_else(|| path.clone(), |step| path.join(step));
            find_write_only(&nested.block, value, &path, broken);
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
                visit(Some(Step::Index(i64::try_from(index).unwrap_or(i64::MAX))), item);
            }
        }
        _ => {}
    }
}

/// A value with null in place of everything unknown.
pub(crate) fn known(value: &Value) -> Value {
    match value {
        Value::Unknown(_) => Value::Null,
        Value::List(items) => Value::List(items.iter().map(known).collect()),
        Value::Map(entries) => Value::map(entries.iter().map(|(key, value)| (key, known(value)))),
        other => other.clone(),
    }
}

/// Sets every write-only value to null: it arrives in configurations and proposals, and must never
/// leave in a plan or a state.
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

/// Paths that need replacement must exist in the schema, and cannot name elements of a set.
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
    missing.map(|path| (path.clone(), "a path that needs replacement is not in the schema".into())).collect()
}

/// Equality along a type: the order of a set does not count.
pub(crate) fn equal(left: &Value, right: &Value, ty: &Type) -> bool {
    match (left, right, ty) {
        // What is promised of an unknown value does not make it another one.
        (Value::Unknown(_), Value::Unknown(_), _) => true,
        (Value::Dynamic(left), Value::Dynamic(right), _) => {
            left.0 == right.0 && equal(&left.1, &right.1, &left.0)
        }
        (Value::List(left), Value::List(right), Type::Set(ty)) => {
            let mut rest: Vec<&Value> = right.iter().collect();
            left.len() == right.len()
                && left.iter().all(|item| {
                    let found = rest.iter().position(|other| equal(item, other, ty));
                    found.map(|position| rest.swap_remove(position)).is_some()
                })
        }
        (Value::List(left), Value::List(right), Type::List(ty)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right, ty))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Attribute, NestedBlock};

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
    fn the_order_of_a_set_does_not_count() {
        let (a, b) = (Value::List(vec![1.into(), 2.into()]), Value::List(vec![2.into(), 1.into()]));
        assert!(equal(&a, &b, &Type::set(Type::Number)));
        assert!(!equal(&a, &b, &Type::list(Type::Number)));
    }
}
