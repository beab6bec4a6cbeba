//! The limits that AWS publishes about the fields of its objects: lengths, ranges, counts, patterns and enums.
//!
//! `cargo xtask aws-facts` writes the data from the members and properties that [kinds](crate::kinds) name.

mod data;

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde_json::Value as Json;

use crate::kind::Type;

/// The limits of one part of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The kind of the object.
    pub kind: &'static str,
    /// The field.
    pub field: &'static str,
    /// The part of its value.
    pub part: ValuePart,
    /// The least number, or the least length or count.
    pub min: Option<i64>,
    /// The greatest number, or the greatest length or count.
    pub max: Option<i64>,
    /// Patterns that a string must match as a whole.
    pub patterns: &'static [&'static str],
    /// The known values. AWS adds values, so another value is a warning.
    pub values: &'static [&'static str],
}

/// A part of the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValuePart {
    /// The value itself.
    Whole,
    /// Each item of a list.
    Item,
    /// Each key of a map.
    Key,
    /// Each value of a map.
    Value,
}

/// A value outside of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The fault, e.g. `5000 characters, at most 4096 are allowed`.
    pub fault: String,
    /// The remedy, which completes "Set it to …".
    pub allowed: String,
    /// True if a later version of AWS can accept the value.
    pub is_only_unknown: bool,
}

/// All limits.
pub fn all() -> &'static [Limit] {
    data::LIMITS
}

/// The limits of a field.
pub fn of(kind: &str, field: &str) -> impl Iterator<Item = &'static Limit> + use<> {
    static BY_KIND: LazyLock<HashMap<&str, Vec<&'static Limit>>> = LazyLock::new(|| {
        let mut limits: HashMap<&str, Vec<&'static Limit>> = HashMap::new();
        data::LIMITS.iter().for_each(|limit| limits.entry(limit.kind).or_default().push(limit));
        limits
    });
    let limits = BY_KIND.get(kind).into_iter().flatten().copied();
    limits.filter(|limit| limit.field == field).collect::<Vec<_>>().into_iter()
}

impl fmt::Display for ValuePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "the value",
            Self::Item => "an item",
            Self::Key => "a key",
            Self::Value => "a value",
        })
    }
}

impl Limit {
    /// Checks the part of a value to which this limit applies.
    pub fn check(&self, ty: Type, value: &Json) -> Option<Violation> {
        match self.part {
            ValuePart::Whole if ty == Type::Document => self.check_text(&value.to_string()),
            ValuePart::Whole => self.check_one(value),
            ValuePart::Item => value.as_array()?.iter().find_map(|item| self.check_one(item)),
            ValuePart::Key => value.as_object()?.keys().find_map(|key| self.check_text(key)),
            ValuePart::Value => value.as_object()?.values().find_map(|value| self.check_one(value)),
        }
    }

    fn check_one(&self, value: &Json) -> Option<Violation> {
        match value {
            Json::String(text) => self.check_text(text),
            Json::Number(number) => self.check_amount(number.as_i64()?, ""),
            Json::Array(items) => self.check_amount(amount(items.len()), " items"),
            Json::Object(entries) => self.check_amount(amount(entries.len()), " entries"),
            Json::Bool(_) | Json::Null => None,
        }
    }

    fn check_text(&self, text: &str) -> Option<Violation> {
        let length = self.check_amount(amount(text.chars().count()), " characters");
        length.or_else(|| self.check_pattern(text)).or_else(|| self.check_values(text))
    }

    fn check_amount(&self, amount: i64, unit: &str) -> Option<Violation> {
        if self.min.is_none_or(|min| amount >= min) && self.max.is_none_or(|max| amount <= max) {
            return None;
        }
        let allowed = match (self.min, self.max) {
            (Some(min), Some(max)) if min == max => format!("{max}{unit}"),
            (Some(min), Some(max)) => format!("{min} to {max}{unit}"),
            (Some(min), None) => format!("at least {min}{unit}"),
            (None, Some(max)) => format!("at most {max}{unit}"),
            (None, None) => return None,
        };
        let fault = format!("{amount}{unit}, but AWS allows {allowed}");
        Some(Violation { fault, allowed, is_only_unknown: false })
    }

    fn check_pattern(&self, text: &str) -> Option<Violation> {
        let pattern = self.patterns.iter().find(|pattern| !matches(pattern, text))?;
        let fault = format!("{} does not match the pattern of AWS, `{pattern}`", shown(text));
        Some(Violation {
            fault,
            allowed: format!("a string that matches `{pattern}`"),
            is_only_unknown: false,
        })
    }

    fn check_values(&self, text: &str) -> Option<Violation> {
        if self.values.is_empty() || self.values.contains(&text) {
            return None;
        }
        let values: Vec<String> = self.values.iter().map(|value| format!("`{value}`")).collect();
        let fault = format!("{} is none of the values that AWS publishes", shown(text));
        Some(Violation { fault, allowed: format!("one of {}", values.join(", ")), is_only_unknown: true })
    }
}

/// Returns true if the whole text matches a pattern of the data.
fn matches(pattern: &'static str, text: &str) -> bool {
    // Compiling a pattern costs more than any check: each is compiled when it is needed first.
    static COMPILED: LazyLock<HashMap<&str, OnceLock<Option<Regex>>>> = LazyLock::new(|| {
        let patterns = data::LIMITS.iter().flat_map(|limit| limit.patterns);
        patterns.map(|pattern| (*pattern, OnceLock::new())).collect()
    });
    // `cargo xtask aws-facts` writes only valid patterns.
    let compile = || Regex::new(&format!("^(?:{pattern})$")).ok();
    let compiled = COMPILED.get(pattern).and_then(|pattern| pattern.get_or_init(compile).as_ref());
    compiled.is_none_or(|pattern| pattern.is_match(text))
}

/// A value in a message: a long one is cut.
fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{start:?}…")
}

fn amount(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
