//! Limits that AWS documents and that no model of its API states.

use serde_json::Value as Json;

use crate::composite::Settings;
use crate::finding::Code;

/// A limit that AWS documents.
#[derive(Clone, Copy, Debug)]
pub struct Documented {
    /// The fields that the limit is about. The finding names the largest.
    pub fields: &'static [&'static str],
    /// Checks the known settings of an object. Of a map, only the known entries are there, so the check must not fail
    /// for an entry that is missing.
    pub check: fn(&Settings) -> Option<Fault>,
    /// The code of the finding.
    pub code: Code,
    /// The page of the documentation that states the limit.
    pub source: &'static str,
}

/// A value outside of a documented limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The fault, e.g. `5000 bytes as JSON, but Lambda allows at most 4096`.
    pub fault: String,
    /// The remedy, as an imperative.
    pub help: &'static str,
}

/// A documented limit of fields.
pub const fn documented(
    fields: &'static [&'static str],
    check: fn(&Settings) -> Option<Fault>,
    source: &'static str,
) -> Documented {
    Documented { fields, check, code: Code::OutOfRange, source }
}

impl Documented {
    /// The same, with another code.
    pub const fn code(self, code: Code) -> Self {
        Self { code, ..self }
    }
}

/// A fault if an amount is above a maximum: `{amount} {of}, but {service} allows at most {max}`.
pub(crate) fn at_most(
    max: usize,
    amount: usize,
    of: &str,
    service: &str,
    help: &'static str,
) -> Option<Fault> {
    (amount > max)
        .then(|| Fault { fault: format!("{amount} {of}, but {service} allows at most {max}"), help })
}

/// The length of a setting as compact JSON, in bytes; 0 if it is missing.
pub(crate) fn json_length(settings: &Settings, field: &str) -> usize {
    settings.get(field).map_or(0, |value| value.to_string().len())
}

/// A string setting; empty if it is missing.
pub(crate) fn text<'a>(settings: &'a Settings, field: &str) -> &'a str {
    settings.get(field).and_then(Json::as_str).unwrap_or_default()
}
