//! The next step that a message asks for, by the codes in it.

use tandem_model::code::Code;

/// The next step after a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Remove the resource from the state.
    Forget,
    /// Remove the mark that makes the next apply replace the resource.
    Untaint,
    /// Import the composite with this id.
    Import(String),
    /// Only run the same command again.
    Again,
}

/// The codes in a message, in their order.
pub fn codes(message: &str) -> Vec<Code> {
    let quoted = message.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    quoted.filter_map(|(text, _)| Code::ALL.iter().find(|code| code.as_str() == text).copied()).collect()
}

/// The codes whose remedy is to run the same command again.
const AGAIN: [Code; 8] = [
    Code::Denied,
    Code::Lasting,
    Code::DeleteInterrupted,
    Code::SweepInterrupted,
    Code::AtWork,
    Code::BeingDeleted,
    Code::BeingCreated,
    Code::TakenOver,
];

/// The next step that a message of an apply or a destroy asks for. `None` if it states none.
pub fn instruction(message: &str) -> Option<Instruction> {
    let codes = codes(message);
    if codes.contains(&Code::OtherInstance) {
        return Some(Instruction::Forget);
    }
    if codes.contains(&Code::Incomplete) {
        return Some(Instruction::Untaint);
    }
    if codes.contains(&Code::CompleteElsewhere) {
        // The id is a parameter of the remedy, and the message is its only carrier.
        let (_, rest) = message.split_once("id = \"")?;
        return Some(Instruction::Import(rest.split('"').next()?.to_owned()));
    }
    codes.iter().any(|code| AGAIN.contains(code)).then_some(Instruction::Again)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_found_by_code() {
        let found = |message: &str| instruction(message);
        assert_eq!(found("Some objects. [TDM132]"), Some(Instruction::Forget));
        assert_eq!(found("Creating a.b failed\n\nx [TDM103]\n\ny\n\n[TDM113]"), Some(Instruction::Untaint));
        let import = "  import {\n    to = tandem_queue.NAME\n    id = \"jobs\"\n  }\n\nSo. [TDM130]";
        assert_eq!(found(import), Some(Instruction::Import("jobs".to_owned())));
        assert_eq!(found("x [TDM121]"), Some(Instruction::Again));
        assert_eq!(found("Apply again, terraform untaint ADDRESS. [TDM103]"), None);
        assert_eq!(codes("[a] [TDM101], [TDM999] [TDM022]"), [Code::Denied, Code::Loop]);
    }
}
