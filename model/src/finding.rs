//! Findings: errors and warnings about inputs, each with its place, a message and a fix.

use std::fmt;

pub use crate::code::Code;

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// An input, or a field of a block.
    Field(String),
    /// An item of a list, from 0.
    Index(usize),
    /// An entry of a map.
    Key(String),
}

/// A place within the inputs, e.g. `on[1].prefix`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The path of a top-level field.
    pub fn field(name: impl Into<String>) -> Self {
        Self(vec![Step::Field(name.into())])
    }

    /// This path, extended by one step.
    pub fn join(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
        }
        Ok(())
    }
}

/// Error or warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The command fails.
    Error,
    /// The command goes on.
    Warning,
}

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable code of the check.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// Place within the inputs.
    pub path: Path,
    /// The fact, in one line: the input, the value found, the value allowed.
    pub message: String,
    /// The fix, as an imperative.
    pub help: String,
}

/// A list of findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds an error.
    pub fn error(&mut self, code: Code, path: Path, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), help.into());
        self.0.push(Finding { code, severity: Severity::Error, path, message, help });
    }

    /// Adds a warning.
    pub fn warning(&mut self, code: Code, path: Path, message: impl Into<String>, help: impl Into<String>) {
        let (message, help) = (message.into(), help.into());
        self.0.push(Finding { code, severity: Severity::Warning, path, message, help });
    }

    /// True if at least one finding is an error.
    pub fn any_error(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }
}
