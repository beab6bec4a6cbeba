//! Problems: the errors and warnings of an operation.

use tandem_model::graph::Key;

use crate::driver::{Class, Failure};

/// An error or a warning for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// True for an error, false for a warning.
    pub error: bool,
    /// The fact, in one line.
    pub summary: String,
    /// The place, the cause and the next step.
    pub detail: String,
}

impl Problem {
    /// An error.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { error: true, summary: summary.into(), detail: detail.into() }
    }

    /// A warning.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { error: false, ..Self::error(summary, detail) }
    }

    /// The error for a failed call on an object.
    pub fn failed(doing: &str, key: &Key, failure: &Failure) -> Self {
        Self::error(format!("{doing} {key} failed"), format!("{failure}{}", advice(failure)))
    }
}

fn advice(failure: &Failure) -> &'static str {
    if failure.is_denied() {
        "\n\nThe credentials are not allowed to make this call. Allow it in IAM, or use other credentials, then \
         apply again."
    } else if matches!(failure.class, Class::Passing(_)) {
        "\n\nThis failure is usually temporary, but lasted too long. Apply again. If it occurs again, raise \
         `timeouts`."
    } else {
        ""
    }
}
