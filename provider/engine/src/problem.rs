//! Problems: the errors and warnings of an operation.
//!
//! A problem states facts. Its remedy is a value: the caller words it, because only the caller has commands.

use std::fmt;

use tandem_model::code::Code;
use tandem_model::graph::Key;

use crate::driver::{Class, Failure};

/// An error or a warning for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// True for an error, false for a warning.
    pub error: bool,
    /// The fact, in one line.
    pub fact: String,
    /// The place and the cause. Empty if the remedy states it.
    pub cause: String,
    /// The next step.
    pub remedy: Remedy,
}

/// The next step of the user after a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The cause decides the next step, e.g. the message of a failed call.
    None,
    /// Apply again.
    ApplyAgain,
    /// Apply again. If it happens again, set a longer limit for the operation.
    ApplyAgainOrWaitLonger,
    /// Run the same operation again.
    RunAgain,
    /// Sweep again.
    SweepAgain,
    /// Remove the cause, then sweep again.
    FixCauseAndSweep,
    /// Allow the call, or use other credentials; then start the operation again.
    AllowCall(Again),
    /// Wait until another operation has ended, then apply again.
    WaitFor(Other),
    /// Use the recorded place again, or destroy the composite there.
    ConfigurePlace {
        /// `account` or `region`.
        place: &'static str,
        /// The recorded account or region.
        recorded: String,
    },
    /// Use the version that wrote the record, or a newer one.
    OtherVersion,
    /// Report a bug.
    ReportBug,
    /// Remove the mark that makes the next apply replace the created objects, then apply again.
    KeepCreated,
    /// If no other state owns the objects, remove the composite from the state, then apply again.
    ForgetState,
    /// Give the objects the instance of this state, or remove the composite from the state.
    SetInstanceTag {
        /// The instance of this state.
        instance: String,
        /// The id of the first object.
        first: String,
    },
    /// Adopt or import the composite, or give this one another name.
    Import {
        /// The type of the composite.
        composite: String,
        /// Its name, which is also the id of the import.
        name: String,
    },
    /// Give the composite another name or project, or delete the object.
    AnotherName {
        /// The key of the object.
        key: Key,
    },
    /// Allow the loss of the data, or prevent it in another way.
    AllowLoss(Instead),
    /// Check the name, and with `place` the account and region.
    CheckName {
        /// True if the object may be in another place.
        place: bool,
    },
    /// Remove the import: the next apply completes the composite.
    RemoveImport,
}

/// The operation to start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// An apply.
    Apply,
    /// A sweep.
    Sweep,
}

/// The operation to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// An apply or a destroy.
    Operation,
    /// An apply.
    Apply,
    /// An apply that may use another state.
    Process,
}

/// The alternative to the loss of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Undo the change of the inputs.
    UndoChange,
    /// Change the object itself to the wanted settings.
    ChangeByHand,
    /// Empty the object.
    Empty,
}

impl Problem {
    /// An error.
    pub fn error(code: Code, fact: impl Into<String>, cause: impl Into<String>, remedy: Remedy) -> Self {
        Self { code, error: true, fact: fact.into(), cause: cause.into(), remedy }
    }

    /// A warning.
    pub fn warning(code: Code, fact: impl Into<String>, cause: impl Into<String>, remedy: Remedy) -> Self {
        Self { error: false, ..Self::error(code, fact, cause, remedy) }
    }

    /// The error for a failed call on an object.
    pub fn failed(doing: &str, key: &Key, failure: &Failure) -> Self {
        let code = failed(failure);
        let remedy = match code {
            Code::Denied => Remedy::AllowCall(Again::Apply),
            Code::Lasting => Remedy::ApplyAgainOrWaitLonger,
            _ => Remedy::None,
        };
        Self::error(code, format!("{doing} {key} failed"), failure.to_string(), remedy)
    }

    /// The error for a failed call of a sweep.
    pub(crate) fn of_sweep(fact: String, failure: &Failure) -> Self {
        let code = failed(failure);
        let remedy = match code {
            Code::Denied => Remedy::AllowCall(Again::Sweep),
            _ => Remedy::FixCauseAndSweep,
        };
        Self::error(code, fact, failure.to_string(), remedy)
    }
}

/// The code for a failed call.
fn failed(failure: &Failure) -> Code {
    match failure.class {
        _ if failure.denied => Code::Denied,
        Class::Passing(_) => Code::Lasting,
        Class::NotFound | Class::AlreadyExists | Class::Final => Code::Failed,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.fact, self.cause, self.code)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failed_call_has_the_code_of_its_reason() {
        let passing = Class::Passing(Duration::from_secs(1));
        for (class, denied, code, remedy) in [
            (Class::Final, false, Code::Failed, Remedy::None),
            (passing, false, Code::Lasting, Remedy::ApplyAgainOrWaitLonger),
            (Class::Final, true, Code::Denied, Remedy::AllowCall(Again::Apply)),
            // A permission can also be missing for a moment only.
            (passing, true, Code::Denied, Remedy::AllowCall(Again::Apply)),
        ] {
            let failure = Failure { class, denied, ..Failure::local("x:Call", "no") };
            let problem = Problem::failed("Reading", &Key::from("a.b"), &failure);
            assert_eq!((problem.code, &problem.remedy), (code, &remedy));
            assert_eq!(problem.to_string(), format!("Reading a.b failed: x:Call: no [{code}]"));
        }
    }
}
