//! Input values of a configuration or a spec. [`crate::input`] reads them into the inputs of a composite.

use std::collections::BTreeMap;

use crate::finding::{Path, Step};
use serde_json::Value as Json;

/// A value from the user.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Not set.
    #[default]
    Null,
    /// Known only at apply.
    Unknown,
    /// A variable of a generated module, by name.
    Reference(String),
    /// `true` or `false`.
    Bool(bool),
    /// A number, in decimal notation.
    Number(String),
    /// A string.
    String(String),
    /// A list of values or of blocks.
    List(Vec<Value>),
    /// A map of values, or one block.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// A map.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// Returns true if no value is set.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns true for null and for an empty list. A configuration without blocks has an empty list.
    pub fn is_empty(&self) -> bool {
        self.is_null() || matches!(self, Self::List(items) if items.is_empty())
    }

    /// An entry of a map. Null if this is not a map, or if the map has no such entry.
    pub fn get(&self, name: &str) -> &Value {
        static NULL: Value = Value::Null;
        match self {
            Self::Map(entries) => entries.get(name).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    /// The value at a path; null if there is none.
    pub fn at(&self, path: &Path) -> &Value {
        path.0.iter().fold(self, |value, step| match (step, value) {
            (Step::Field(name) | Step::Key(name), _) => value.get(name),
            (Step::Index(index), Self::List(items)) => items.get(*index).unwrap_or(&Self::Null),
            (Step::Index(_), _) => &Self::Null,
        })
    }

    /// The value as an integer. `None` if it is no number, or has a fraction.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The text of a known string. `None` for every other value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Type and value for messages, e.g. `the string "30s"`. A long string is cut.
    pub fn describe(&self) -> String {
        /// Characters of a string that a message shows.
        const SHOWN: usize = 60;
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Unknown => "an unknown value".to_owned(),
            Self::Reference(name) => format!("a reference to `{name}`"),
            Self::Bool(value) => format!("the boolean {value}"),
            Self::Number(number) => format!("the number {number}"),
            Self::String(text) if text.chars().count() > SHOWN => {
                format!("the string {:?}…", text.chars().take(SHOWN).collect::<String>())
            }
            Self::String(text) => format!("the string {text:?}"),
            Self::List(items) => format!("a list of length {}", items.len()),
            Self::Map(entries) => {
                let keys: Vec<String> = entries.keys().take(3).map(|key| format!("`{key}`")).collect();
                let more = if entries.len() > keys.len() { " and more" } else { "" };
                if keys.is_empty() {
                    "an empty map".to_owned()
                } else {
                    format!("a map with {}{more}", keys.join(", "))
                }
            }
        }
    }

    /// The value as JSON. `None` if a part of it is unknown or a reference.
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Unknown | Self::Reference(_) => return None,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(number) => serde_json::from_str(number).ok()?,
            Self::String(text) => Json::String(text.clone()),
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect::<Option<_>>()?),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Some((key.clone(), value.to_json()?)));
                Json::Object(entries.collect::<Option<_>>()?)
            }
        })
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.to_string()),
            Json::String(text) => Self::String(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Into::into).collect()),
            Json::Object(entries) => Self::map(entries.iter().map(|(key, value)| (key, value.into()))),
        }
    }
}
