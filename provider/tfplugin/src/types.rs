//! Terraform's types and their JSON form in the protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value as Json, json};

/// A type of Terraform's type system (`cty`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `number`: a decimal number of any size
    Number,
    /// `string`
    String,
    /// Any type. It is sent and stored with the value.
    Dynamic,
    /// `list(…)`
    List(Box<Type>),
    /// `set(…)`
    Set(Box<Type>),
    /// `map(…)`
    Map(Box<Type>),
    /// `tuple([…])`
    Tuple(Vec<Type>),
    /// `object({…})`
    Object(ObjectType),
}

/// The attributes of an object type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectType {
    /// Every attribute and its type.
    pub attributes: BTreeMap<String, Type>,
    /// Attributes that a configuration may omit. They are then null.
    pub optional: BTreeSet<String>,
}

impl Type {
    /// `list(element)`
    pub fn list(element: Type) -> Self {
        Self::List(Box::new(element))
    }

    /// `set(element)`
    pub fn set(element: Type) -> Self {
        Self::Set(Box::new(element))
    }

    /// `map(element)`
    pub fn map(element: Type) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object type in which every attribute is required.
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Type)>) -> Self {
        Self::Object(ObjectType {
            attributes: attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect(),
            optional: BTreeSet::new(),
        })
    }

    /// The JSON form of the protocol, e.g. `"string"` or `["list","string"]`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool => json!("bool"),
            Self::Number => json!("number"),
            Self::String => json!("string"),
            Self::Dynamic => json!("dynamic"),
            Self::List(element) => json!(["list", element.to_json()]),
            Self::Set(element) => json!(["set", element.to_json()]),
            Self::Map(element) => json!(["map", element.to_json()]),
            Self::Tuple(items) => {
                json!(["tuple", items.iter().map(Self::to_json).collect::<Vec<_>>()])
            }
            Self::Object(object) => {
                let attributes: serde_json::Map<String, Json> =
                    object.attributes.iter().map(|(name, ty)| (name.clone(), ty.to_json())).collect();
                if object.optional.is_empty() {
                    json!(["object", attributes])
                } else {
                    json!(["object", attributes, object.optional])
                }
            }
        }
    }

    /// Reads the JSON form.
    pub fn from_json(json: &Json) -> Result<Self, InvalidType> {
        Self::read(json, 0)
    }

    fn read(json: &Json, depth: usize) -> Result<Self, InvalidType> {
        // Dynamic values contain types from outside, so the recursion must have a limit.
        const MAX_DEPTH: usize = 64;
        let invalid = || InvalidType(json.to_string());
        if depth > MAX_DEPTH {
            return Err(InvalidType(format!("a type nested more than {MAX_DEPTH} levels deep")));
        }
        match json {
            Json::String(name) => match name.as_str() {
                "bool" => Ok(Self::Bool),
                "number" => Ok(Self::Number),
                "string" => Ok(Self::String),
                "dynamic" => Ok(Self::Dynamic),
                _ => Err(invalid()),
            },
            Json::Array(parts) => {
                let kind = parts.first().and_then(Json::as_str).ok_or_else(invalid)?;
                let argument = parts.get(1).ok_or_else(invalid)?;
                match (kind, parts.len()) {
                    ("list", 2) => Ok(Self::list(Self::read(argument, depth + 1)?)),
                    ("set", 2) => Ok(Self::set(Self::read(argument, depth + 1)?)),
                    ("map", 2) => Ok(Self::map(Self::read(argument, depth + 1)?)),
                    ("tuple", 2) => {
                        let items = argument.as_array().ok_or_else(invalid)?;
                        let items = items.iter().map(|item| Self::read(item, depth + 1));
                        Ok(Self::Tuple(items.collect::<Result<_, _>>()?))
                    }
                    ("object", 2 | 3) => {
                        let mut object = ObjectType::default();
                        for (name, ty) in argument.as_object().ok_or_else(invalid)? {
                            object.attributes.insert(name.clone(), Self::read(ty, depth + 1)?);
                        }
                        let optional = parts.get(2).map(|names| names.as_array().ok_or_else(invalid));
                        for name in optional.transpose()?.into_iter().flatten() {
                            let name = name.as_str().ok_or_else(invalid)?;
                            if !object.attributes.contains_key(name) {
                                return Err(invalid());
                            }
                            object.optional.insert(name.to_owned());
                        }
                        Ok(Self::Object(object))
                    }
                    _ => Err(invalid()),
                }
            }
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::Dynamic => f.write_str("any"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Set(element) => write!(f, "set({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Tuple(items) => write!(f, "tuple of {}", items.len()),
            Self::Object(_) => f.write_str("object"),
        }
    }
}

/// The error for JSON that is not a Terraform type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidType(String);

impl fmt::Display for InvalidType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a Terraform type: {}", self.0)
    }
}

impl std::error::Error for InvalidType {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_round_trip_through_json() {
        for text in [
            r#""bool""#,
            r#"["list","string"]"#,
            r#"["map",["set","number"]]"#,
            r#"["tuple",["string","dynamic"]]"#,
            r#"["object",{"a":"string","b":["list","bool"]}]"#,
            r#"["object",{"a":"string","b":"bool"},["b"]]"#,
        ] {
            let json: Json = serde_json::from_str(text).unwrap();
            assert_eq!(Type::from_json(&json).unwrap().to_json(), json, "{text}");
        }
    }

    #[test]
    fn invalid_types_are_refused() {
        for text in [
            r#""int""#,
            "1",
            "[]",
            r#"["list"]"#,
            r#"["list","string","x"]"#,
            r#"["object",{"a":"string"},["b"]]"#,
            r#"["object",{"a":"string"},"a"]"#,
            r#"["tuple","string"]"#,
        ] {
            let json: Json = serde_json::from_str(text).unwrap();
            assert!(Type::from_json(&json).is_err(), "{text}");
        }
        let deep = "[\"list\",".repeat(100) + "\"string\"" + &"]".repeat(100);
        assert!(Type::from_json(&serde_json::from_str(&deep).unwrap()).is_err());
    }
}
