//! Expressions, the values of fields. The language is small, so that an engine can evaluate it and a
//! generator can print it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

pub use crate::ambient::Ambient;
use crate::hash::hash;
use crate::key::Key;
use crate::scalar::Scalar;

/// The value of a field of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A known value.
    Literal(Json),
    /// Known only at apply.
    Unknown,
    /// A variable of a generated module.
    Input(String),
    /// A fact about the place of the composite.
    Ambient(Ambient),
    /// An attribute of another object of the graph.
    Attribute(Key, &'static str),
    /// Strings, concatenated.
    Concat(Vec<Expr>),
    /// A JSON document as a string.
    Json(Box<Expr>),
    /// An entry of a map that is encoded as a JSON string.
    Member(Box<Expr>, &'static str),
    /// The entry of a map, by a key that is an expression.
    Lookup(Box<Expr>, Box<Expr>),
    /// The rest of a string after the last occurrence of another string, or the whole string without one: the name in
    /// some ARNs.
    AfterLast(Box<Expr>, &'static str),
    /// The first eight hexadecimal digits of the SHA-256 of a string.
    Hash(Box<Expr>),
    /// The id of the VPC of a subnet, from the id of the subnet.
    VpcOf(Box<Expr>),
    /// Merged maps. If two entries have the same name, the later one counts.
    Merge(Vec<Expr>),
    /// A product of integers.
    Product(Vec<Expr>),
    /// A list.
    List(Vec<Expr>),
    /// A map.
    Map(BTreeMap<String, Expr>),
}

impl Expr {
    /// Strings, concatenated.
    pub fn concat<E: Into<Expr>>(parts: impl IntoIterator<Item = E>) -> Self {
        Self::Concat(parts.into_iter().map(Into::into).collect())
    }

    /// A list.
    pub fn list<E: Into<Expr>>(items: impl IntoIterator<Item = E>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// A map.
    pub fn map<K: Into<String>, E: Into<Expr>>(entries: impl IntoIterator<Item = (K, E)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// The ARN `arn:<partition>:<service>:<region>:<account>:<rest>`.
    pub fn arn(service: &str, rest: impl Into<Expr>) -> Self {
        Self::concat([
            "arn:".into(),
            Expr::Ambient(Ambient::Partition),
            format!(":{service}:").into(),
            Expr::Ambient(Ambient::Region),
            ":".into(),
            Expr::Ambient(Ambient::Account),
            ":".into(),
            rest.into(),
        ])
    }

    /// The rest of the string after the last occurrence of `text`, see [`Expr::AfterLast`].
    pub fn after_last(self, text: &'static str) -> Self {
        match self.as_text() {
            Some(whole) => after_last(whole, text).into(),
            None => Self::AfterLast(Box::new(self), text),
        }
    }

    /// The string, if the expression is a literal one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Literal(value) => value.as_str(),
            _ => None,
        }
    }

    /// The entry of a map that this expression encodes as a JSON string.
    pub fn member(&self, name: &str) -> Option<&Expr> {
        match self {
            Self::Json(map) => match &**map {
                Self::Map(entries) => entries.get(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// The expressions that this one consists of.
    pub fn parts(&self) -> Vec<&Expr> {
        match self {
            Self::Concat(parts) | Self::Product(parts) | Self::List(parts) | Self::Merge(parts) => {
                parts.iter().collect()
            }
            Self::Map(entries) => entries.values().collect(),
            Self::Json(inner)
            | Self::Member(inner, _)
            | Self::AfterLast(inner, _)
            | Self::Hash(inner)
            | Self::VpcOf(inner) => vec![inner],
            Self::Lookup(map, key) => vec![map, key],
            Self::Literal(_) | Self::Unknown | Self::Input(_) | Self::Ambient(_) | Self::Attribute(..) => {
                Vec::new()
            }
        }
    }

    /// Adds every attribute of another object that this expression refers to.
    pub fn references<'a>(&'a self, found: &mut Vec<(&'a Key, &'static str)>) {
        if let Self::Attribute(key, attribute) = self {
            found.push((key, attribute));
        }
        self.parts().into_iter().for_each(|part| part.references(found));
    }

    /// Returns true if a string or a key of this expression contains a piece of text.
    pub fn has(&self, piece: &str) -> bool {
        fn in_json(json: &Json, piece: &str) -> bool {
            match json {
                Json::String(text) => text.contains(piece),
                Json::Array(items) => items.iter().any(|item| in_json(item, piece)),
                Json::Object(entries) => {
                    entries.iter().any(|(key, value)| key.contains(piece) || in_json(value, piece))
                }
                Json::Null | Json::Bool(_) | Json::Number(_) => false,
            }
        }
        match self {
            Self::Literal(json) => in_json(json, piece),
            Self::Map(entries) => entries.iter().any(|(key, value)| key.contains(piece) || value.has(piece)),
            _ => self.parts().into_iter().any(|part| part.has(piece)),
        }
    }

    /// Returns true if this expression refers to a fact about the place.
    pub fn speaks_of(&self, place: Ambient) -> bool {
        *self == Self::Ambient(place) || self.parts().into_iter().any(|part| part.speaks_of(place))
    }

    /// Evaluates the expression; `None` if it needs a value that is not known.
    pub fn evaluate(&self, scope: &dyn Scope) -> Option<Json> {
        match self {
            Self::Literal(json) => Some(json.clone()),
            Self::Unknown => None,
            Self::Input(name) => scope.input(name),
            Self::Ambient(place) => scope.place(*place).map(Json::from),
            Self::Attribute(key, attribute) => scope.attribute(key, attribute),
            Self::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part.evaluate(scope)? {
                        Json::String(part) => text.push_str(&part),
                        other => text.push_str(&other.to_string()),
                    }
                }
                Some(text.into())
            }
            Self::Product(parts) => {
                let mut product = 1_i64;
                for part in parts {
                    product = product.checked_mul(part.evaluate(scope)?.as_i64()?)?;
                }
                Some(product.into())
            }
            Self::Json(inner) => inner.evaluate(scope).map(|json| json.to_string().into()),
            Self::Member(inner, name) => {
                let text = inner.evaluate(scope)?;
                serde_json::from_str::<Json>(text.as_str()?).ok()?.get(name).cloned()
            }
            Self::Lookup(map, key) => map.evaluate(scope)?.get(key.evaluate(scope)?.as_str()?).cloned(),
            Self::AfterLast(inner, text) => Some(after_last(inner.evaluate(scope)?.as_str()?, text).into()),
            Self::Hash(inner) => Some(hash(inner.evaluate(scope)?.as_str()?).into()),
            Self::VpcOf(subnet) => scope.vpc_of(subnet.evaluate(scope)?.as_str()?).map(Json::from),
            Self::Merge(parts) => {
                let mut merged = serde_json::Map::new();
                for part in parts {
                    merged.extend(part.evaluate(scope)?.as_object()?.clone());
                }
                Some(merged.into())
            }
            Self::List(items) => items.iter().map(|item| item.evaluate(scope)).collect(),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Some((key.clone(), value.evaluate(scope)?)));
                Some(Json::Object(entries.collect::<Option<_>>()?))
            }
        }
    }
}

fn after_last<'a>(whole: &'a str, text: &str) -> &'a str {
    whole.rsplit(text).next().unwrap_or(whole)
}

/// The values for the evaluation of an expression.
pub trait Scope {
    /// A fact about the place, if it is known.
    fn place(&self, place: Ambient) -> Option<String>;
    /// An attribute of an object, if it is known.
    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json>;
    /// The VPC of a subnet, if it was looked up.
    fn vpc_of(&self, _subnet: &str) -> Option<String> {
        None
    }
    /// A variable of a generated module, if it is known.
    fn input(&self, _name: &str) -> Option<Json> {
        None
    }
}

impl From<&str> for Expr {
    fn from(text: &str) -> Self {
        Self::Literal(text.into())
    }
}

impl From<String> for Expr {
    fn from(text: String) -> Self {
        Self::Literal(text.into())
    }
}

impl From<i64> for Expr {
    fn from(number: i64) -> Self {
        Self::Literal(number.into())
    }
}

impl From<bool> for Expr {
    fn from(value: bool) -> Self {
        Self::Literal(value.into())
    }
}

impl<T: Into<Expr> + Clone> From<&Scalar<T>> for Expr {
    fn from(scalar: &Scalar<T>) -> Self {
        match scalar {
            Scalar::Known(value) => value.clone().into(),
            Scalar::Unknown => Self::Unknown,
            Scalar::Reference(name) => Self::Input(name.clone()),
        }
    }
}

impl From<BTreeMap<String, Scalar<String>>> for Expr {
    fn from(entries: BTreeMap<String, Scalar<String>>) -> Self {
        Self::Map(entries.iter().map(|(key, value)| (key.clone(), value.into())).collect())
    }
}
