//! Unique random strings.

use std::hash::{BuildHasher, RandomState};

/// A random string of 16 hex digits that identifies a state or a build. Not suitable for secrets.
pub(crate) fn text() -> String {
    // The standard library seeds hashers from the operating system's randomness.
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
