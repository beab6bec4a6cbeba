//! Lossless values: null, unknown and empty are different values, and numbers keep every digit.

use std::collections::BTreeMap;
use std::fmt;

use crate::types::Type;

/// A value of Terraform's type system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// Not set.
    #[default]
    Null,
    /// Known only after apply.
    Unknown(Refinement),
    /// A `bool`.
    Bool(bool),
    /// A `number`.
    Number(Number),
    /// A `string`.
    String(String),
    /// A `list`, `set` or `tuple`.
    List(Vec<Value>),
    /// A `map` or `object`.
    Map(BTreeMap<String, Value>),
    /// A value of the dynamic type, with its actual type.
    Dynamic(Box<(Type, Value)>),
}

/// The refinement of an unknown value (not null, a prefix, bounds), as the bytes that Terraform encoded. They
/// must not change: Terraform checks the refinement of a planned value at apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refinement(pub(crate) Option<Vec<u8>>);

impl Value {
    /// An unknown value without a refinement.
    pub const UNKNOWN: Value = Value::Unknown(Refinement(None));

    /// A string.
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// An object or map.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// True if the value itself is unknown. A known value can still have unknown parts.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// True if neither the value nor a part of it is unknown.
    pub fn is_fully_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(items) => items.iter().all(Self::is_fully_known),
            Self::Map(entries) => entries.values().all(Self::is_fully_known),
            Self::Dynamic(inner) => inner.1.is_fully_known(),
            _ => true,
        }
    }

    /// The string. `None` for any other value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map or object. `None` for any other value.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list, set or tuple. `None` for any other value.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// An attribute of an object. Null if the value is no object or has no such attribute.
    pub fn get(&self, name: &str) -> &Value {
        static NULL: Value = Value::Null;
        self.as_map().and_then(|entries| entries.get(name)).unwrap_or(&NULL)
    }

    /// Sets an attribute of an object.
    ///
    /// # Panics
    /// If the value is not an object.
    pub fn set(&mut self, name: &str, value: Value) {
        let Self::Map(entries) = self else { panic!("cannot set `{name}`: the value is not an object") };
        entries.insert(name.to_owned(), value);
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

/// A decimal number of any size, stored as canonical text: without an exponent, and without leading or
/// trailing zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(String);

impl Number {
    /// Reads decimal text, with or without a fraction or an exponent.
    pub fn parse(text: &str) -> Option<Self> {
        // Enough for every f64. Terraform writes no exponents. Without a limit, a few bytes of input would
        // use much memory.
        const MAX_EXPONENT: u64 = 400;
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty())
            || !digits_only(whole)
            || !digits_only(fraction)
            || exponent.unsigned_abs() > MAX_EXPONENT
        {
            return None;
        }
        let digits = format!("{whole}{fraction}");
        let point = i64::try_from(whole.len()).ok()? + exponent;
        let length = i64::try_from(digits.len()).ok()?;
        let (whole, fraction) = if point <= 0 {
            let zeros = usize::try_from(-point).ok()?;
            (String::new(), "0".repeat(zeros) + &digits)
        } else if point >= length {
            let zeros = usize::try_from(point - length).ok()?;
            (digits + &"0".repeat(zeros), String::new())
        } else {
            let (whole, fraction) = digits.split_at(usize::try_from(point).ok()?);
            (whole.to_owned(), fraction.to_owned())
        };
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        // At most a sign, a zero and a point in addition to the digits.
        let mut canonical = String::with_capacity(whole.len() + fraction.len() + 3);
        if negative && !(whole.is_empty() && fraction.is_empty()) {
            canonical.push('-');
        }
        canonical.push_str(if whole.is_empty() { "0" } else { whole });
        if !fraction.is_empty() {
            canonical.push('.');
            canonical.push_str(fraction);
        }
        Some(Self(canonical))
    }

    /// The exact value of a float; `None` for NaN and infinities.
    pub fn from_f64(value: f64) -> Option<Self> {
        // 1074 digits after the point represent any finite f64 exactly.
        value.is_finite().then(|| Self::parse(&format!("{value:.1074}"))).flatten()
    }

    /// The number as an integer. `None` if it has a fraction or does not fit.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The canonical decimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.to_string())
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(value.to_string())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_canonical_and_exact() {
        for (text, canonical) in [
            ("0", "0"),
            ("-0", "0"),
            ("007", "7"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("1e3", "1000"),
            ("12.5e-3", "0.0125"),
            ("1.25e1", "12.5"),
            ("123456789012345678901234567", "123456789012345678901234567"),
            ("-0.000", "0"),
        ] {
            assert_eq!(Number::parse(text).unwrap().as_str(), canonical, "{text}");
        }
        for text in
            ["", "-", ".", "1.2.3", "0x1", "1e", "1e401", "1e-401", "1e-9223372036854775808", "NaN", "١"]
        {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(Number::from_f64(1e23).unwrap().as_str(), "99999999999999991611392");
        assert_eq!(Number::from_f64(0.5).unwrap().as_str(), "0.5");
        assert_eq!(Number::from_f64(f64::NAN), None);
    }
}
