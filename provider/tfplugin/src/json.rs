//! Stored state: JSON read along the schema's type.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::msgpack::DecodeError;
use crate::path::{Path, Step};
use crate::types::Type;
use crate::value::{Number, Value};

/// Reads stored state. An attribute that the type does not have is dropped, one that is missing
/// becomes null: this is how a state of an earlier provider becomes one of today's.
pub fn decode(json: &Json, ty: &Type) -> Result<Value, DecodeError> {
    read(json, ty, &Path::root())
}

fn read(json: &Json, ty: &Type, path: &Path) -> Result<Value, DecodeError> {
    let mismatch = || DecodeError { path: path.clone(), message: format!("expected a value of type {ty}") };
    let list = |items: &[Json], element: &dyn Fn(usize) -> Option<Type>| {
        let items = items.iter().enumerate().map(|(index, item)| {
            let step = Step::Index(i64::try_from(index).unwrap_or(i64::MAX));
            read(item, &element(index).ok_or_else(mismatch)?, &path.join(step))
        });
        Ok(Value::List(items.collect::<Result<_, _>>()?))
    };
    match (json, ty) {
        (Json::Null, _) => Ok(Value::Null),
        (Json::Bool(value), Type::Bool) => Ok(Value::Bool(*value)),
        (Json::Number(number), Type::Number) => {
            Number::parse(&number.to_string()).map(Value::Number).ok_or_else(mismatch)
        }
        (Json::String(text), Type::Number) => Number::parse(text).map(Value::Number).ok_or_else(mismatch),
        (Json::String(text), Type::String) => Ok(Value::String(text.clone())),
        (Json::Array(items), Type::List(element) | Type::Set(element)) => {
            list(items, &|_| Some((**element).clone()))
        }
        (Json::Array(items), Type::Tuple(types)) => list(items, &|index| types.get(index).cloned()),
        (Json::Object(entries), Type::Map(element)) => {
            let entries = entries.iter().map(|(key, item)| {
                Ok((key.clone(), read(item, element, &path.join(Step::Key(key.clone())))?))
            });
            Ok(Value::Map(entries.collect::<Result<_, _>>()?))
        }
        (Json::Object(entries), Type::Object(object)) => {
            let mut out = BTreeMap::new();
            for (key, ty) in &object.attributes {
                let item = entries.get(key).unwrap_or(&Json::Null);
                out.insert(key.clone(), read(item, ty, &path.join(Step::Attribute(key.clone())))?);
            }
            Ok(Value::Map(out))
        }
        (Json::Object(entries), Type::Dynamic) => {
            let (Some(ty), Some(value)) = (entries.get("type"), entries.get("value")) else {
                return Err(mismatch());
            };
            let ty = Type::from_json(ty)
                .map_err(|error| DecodeError { path: path.clone(), message: error.to_string() })?;
            let value = read(value, &ty, path)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
        _ => Err(mismatch()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_another_version_is_read() {
        let ty = Type::object([
            ("name", Type::String),
            ("size", Type::Number),
            ("added", Type::list(Type::String)),
        ]);
        let json = serde_json::from_str(r#"{"name":"a","size":123456789012345678901234567,"dropped":[1]}"#);
        let value = decode(&json.unwrap(), &ty).unwrap();
        assert_eq!(value.get("size"), &Value::Number(Number::parse("123456789012345678901234567").unwrap()));
        assert!(value.get("added").is_null());
        assert_eq!(value.get("dropped"), &Value::Null);
        let wrong = serde_json::from_str(r#"{"name":["a"]}"#).unwrap();
        assert_eq!(decode(&wrong, &ty).unwrap_err().path.to_string(), "name");
    }
}
