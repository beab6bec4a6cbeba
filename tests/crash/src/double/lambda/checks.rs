//! Constraints of the service's model on requests.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

use super::{Refusal, refuse, text};

/// Refuses a member that violates a constraint of the service's model.
pub(super) fn invalid<T>(member: &str, value: &str, constraint: &str) -> Result<T, Refusal> {
    let (first, rest) = member.split_at(1);
    let member = first.to_ascii_lowercase() + rest;
    refuse(
        "ValidationException",
        format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: \
             {constraint}"
        ),
    )
}

/// A required member of a call.
pub(super) fn required<'a>(input: &'a Json, member: &str) -> Result<&'a str, Refusal> {
    match text(input, member) {
        "" => invalid(member, "null", "Member must not be null"),
        given => Ok(given),
    }
}

/// Checks the bounds of a number, if it is set.
pub(super) fn within(input: &Json, member: &str, range: RangeInclusive<i64>) -> Result<(), Refusal> {
    match input[member].as_i64() {
        Some(value) if value < *range.start() => {
            let least = format!("Member must have value greater than or equal to {}", range.start());
            invalid(member, &format!("'{value}'"), &least)
        }
        Some(value) if value > *range.end() => {
            let most = format!("Member must have value less than or equal to {}", range.end());
            invalid(member, &format!("'{value}'"), &most)
        }
        _ => Ok(()),
    }
}

/// Checks the name that a client chose for a function or a statement.
pub(super) fn named(input: &Json, member: &str, longest: usize) -> Result<(), Refusal> {
    let name = required(input, member)?;
    let plain = name.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '-' | '_'));
    if plain && name.len() <= longest {
        return Ok(());
    }
    invalid(member, &format!("'{name}'"), "Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)")
}
