//! Calls of AWS's APIs.

use std::fmt;

use serde_json::Value as Json;

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The service as in the signature, e.g. `monitoring`.
    pub service: String,
    /// The operation, e.g. `PutMetricAlarm`.
    pub operation: String,
    /// The method of the request, e.g. `PUT`.
    pub method: String,
    /// The path of the request.
    pub path: String,
    /// Its members by their names in the model, with the types of the model.
    pub input: Json,
}

/// A part of a call that AWS would refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The call, e.g. `lambda:CreateFunction`.
    pub call: String,
    /// The path of the member, e.g. `Environment.Variables`; empty for the whole call.
    pub member: String,
    /// The fault.
    pub fault: String,
}

/// The end of the fault of a request that is none of the provider.
pub(crate) const UNKNOWN: &str = "not in the data: run `cargo xtask aws-facts`";

impl Violation {
    /// Returns true if the data has no such operation, e.g. for one that only tests call.
    pub fn is_unknown(&self) -> bool {
        self.fault.ends_with(UNKNOWN)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, member, fault } = self;
        if member.is_empty() { write!(f, "{call}: {fault}") } else { write!(f, "{call}: {member}: {fault}") }
    }
}
