//! Reads stored state, which is JSON, with the type of the schema.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::msgpack::DecodeError;
use crate::path::Step;
use crate::types::Type;
use crate::value::{Number, Value};

/// Reads stored state. To accept the state of an earlier provider version, it drops attributes that the type
/// does not have, and sets missing ones to null. Inside a dynamic value, which is stored with its type, all
/// attributes must be present.
pub fn decode(json: &Json, ty: &Type) -> Result<Value, DecodeError> {
    read(json, ty, Written::Earlier)
}

/// The origin of an object, which decides how closely it must fit its type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Written by a provider whose schema may have been different.
    Earlier,
    /// Written with its type, which it fits exactly. Missing attributes are an error: with a large type, many
    /// empty objects would otherwise use far more memory than the input.
    WithItsType,
}

fn read(json: &Json, ty: &Type, written: Written) -> Result<Value, DecodeError> {
    let mismatch = || DecodeError::here(format!("expected a value of type {ty}"));
    match (json, ty) {
        (Json::Null, _) => Ok(Value::Null),
        (Json::Bool(value), Type::Bool) => Ok(Value::Bool(*value)),
        (Json::Number(number), Type::Number) => {
            Number::parse(&number.to_string()).map(Value::Number).ok_or_else(mismatch)
        }
        (Json::String(text), Type::Number) => Number::parse(text).map(Value::Number).ok_or_else(mismatch),
        (Json::String(text), Type::String) => Ok(Value::String(text.clone())),
        (Json::Array(items), Type::List(element) | Type::Set(element)) => {
            list(items.iter().map(|item| (item, &**element)), written)
        }
        (Json::Array(items), Type::Tuple(types)) if items.len() == types.len() => {
            list(items.iter().zip(types), written)
        }
        (Json::Object(entries), Type::Map(element)) => {
            let entries = entries.iter().map(|(key, item)| {
                let item = read(item, element, written);
                Ok((key.clone(), item.map_err(|error| error.inside(Step::Key(key.clone())))?))
            });
            Ok(Value::Map(entries.collect::<Result<_, _>>()?))
        }
        (Json::Object(entries), Type::Object(object)) => {
            let fits = || {
                entries.len() == object.attributes.len()
                    && entries.keys().all(|key| object.attributes.contains_key(key))
            };
            if written == Written::WithItsType && !fits() {
                return Err(DecodeError::here("the attributes of an object are not those of its type"));
            }
            let mut out = BTreeMap::new();
            for (key, ty) in &object.attributes {
                let item = read(entries.get(key).unwrap_or(&Json::Null), ty, written);
                let item = item.map_err(|error| error.inside(Step::Attribute(key.clone())))?;
                out.insert(key.clone(), item);
            }
            Ok(Value::Map(out))
        }
        (Json::Object(entries), Type::Dynamic) => {
            let (Some(ty), Some(value)) = (entries.get("type"), entries.get("value")) else {
                return Err(mismatch());
            };
            let ty = Type::from_json(ty).map_err(|error| DecodeError::here(error.to_string()))?;
            let value = read(value, &ty, Written::WithItsType)?;
            Ok(Value::Dynamic(Box::new((ty, value))))
        }
        _ => Err(mismatch()),
    }
}

fn list<'a>(
    items: impl Iterator<Item = (&'a Json, &'a Type)>,
    written: Written,
) -> Result<Value, DecodeError> {
    let items = items
        .enumerate()
        .map(|(index, (item, ty))| read(item, ty, written).map_err(|error| error.inside(Step::index(index))));
    Ok(Value::List(items.collect::<Result<_, _>>()?))
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

    #[test]
    fn what_does_not_fit_is_refused_and_not_filled_up() {
        let tuple = Type::Tuple(vec![Type::String, Type::Bool]);
        for (ty, text, fits) in [
            (&tuple, r#"["a",true]"#, true),
            (&tuple, r#"["a"]"#, false),
            (&tuple, r#"["a",true,null]"#, false),
            (&Type::Dynamic, r#"{"type":["object",{"a":"string"}],"value":{"a":null}}"#, true),
            (&Type::Dynamic, r#"{"type":["object",{"a":"string"}],"value":{}}"#, false),
            (&Type::Dynamic, r#"{"type":["object",{"a":"string"}],"value":{"a":null,"b":1}}"#, false),
        ] {
            assert_eq!(decode(&serde_json::from_str(text).unwrap(), ty).is_ok(), fits, "{text}");
        }
    }
}
