//! Input values before they are read into a composite's inputs: what a configuration or a spec says.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A value as a user gave it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Not given.
    #[default]
    Null,
    /// Known only later.
    Unknown,
    /// A variable of a generated module, by name.
    Reference(String),
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its decimal text.
    Number(String),
    /// A text.
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

    /// Whether nothing was given.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether nothing was given, or a list of nothing: a configuration without blocks has an empty list.
    pub fn is_empty(&self) -> bool {
        self.is_null() || matches!(self, Self::List(items) if items.is_empty())
    }

    /// An entry of a map; null when this is none, or has none.
    pub fn get(&self, name: &str) -> &Value {
        static NULL: Value = Value::Null;
        match self {
            Self::Map(entries) => entries.get(name).unwrap_or(&NULL),
            _ => &NULL,
        }
    }

    /// The text, when it is a known one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// What this is, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Unknown => "an unknown value",
            Self::Reference(_) => "a reference",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
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
