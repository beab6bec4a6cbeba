//! Calls of drivers, compared with the rights that kinds declare.

use crate::kinds;

/// A call of an API, e.g. `kinesis:CreateStream`, whose IAM actions a kind declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call(&'static str);

impl Call {
    /// The call of this name. It fails to compile in a constant if no kind declares the rights for it.
    ///
    /// # Panics
    ///
    /// If no kind declares the rights for it.
    pub const fn declared(name: &'static str) -> Self {
        let own = [name];
        let actions = match other_actions(name) {
            [] => &own,
            others => others,
        };
        let mut index = 0;
        while index < actions.len() {
            assert!(is_declared(actions[index]), "no kind declares the right for this call");
            index += 1;
        }
        Self(name)
    }

    /// Its name, e.g. `kinesis:CreateStream`.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// The IAM actions that a call needs with any parameters.
pub fn actions(call: &str) -> Vec<&str> {
    match other_actions(call) {
        [] => vec![call],
        others => others.to_vec(),
    }
}

const fn other_actions(call: &str) -> &'static [&'static str] {
    let mut table = 0;
    while table < kinds::OTHER_ACTIONS.len() {
        let rows = kinds::OTHER_ACTIONS[table];
        let mut row = 0;
        while row < rows.len() {
            if equal(rows[row].0, call) {
                return rows[row].1;
            }
            row += 1;
        }
        table += 1;
    }
    &[]
}

/// Returns true if the access of a kind has this action.
const fn is_declared(action: &str) -> bool {
    let mut kind = 0;
    while kind < kinds::ALL.len() {
        let access = kinds::ALL[kind].access;
        let mut entry = 0;
        while entry < access.len() {
            let mut index = 0;
            while index < access[entry].actions.len() {
                if equal(access[entry].actions[index], action) {
                    return true;
                }
                index += 1;
            }
            entry += 1;
        }
        kind += 1;
    }
    false
}

/// `==` of strings is not available in constants.
const fn equal(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    // The ends of names differ more often than their beginnings.
    let mut index = left.len();
    while index > 0 {
        index -= 1;
        if left[index] != right[index] {
            return false;
        }
    }
    true
}
