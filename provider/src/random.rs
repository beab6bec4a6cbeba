//! Texts that nothing else has.

use std::hash::{BuildHasher, RandomState};

/// A random text that nothing else has: no other state, no other build. It is not for secrets.
pub(crate) fn text() -> String {
    // The standard library seeds hashers from the operating system's randomness.
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
