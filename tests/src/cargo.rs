//! How cargo builds what runs a few times only, such as the programs of examples: quickly in place of small.

use std::process::Command;

use crate::environment::root;

/// Has cargo build for release quickly, and share what it builds with all that use this folder below `target`.
pub fn quickly<'a>(command: &'a mut Command, folder: &str) -> &'a mut Command {
    command.env("CARGO_TARGET_DIR", root().join("target").join(folder));
    // SDKs are most of the time, and wait for AWS in place of computing.
    for (name, value) in [("LTO", "off"), ("CODEGEN_UNITS", "16"), ("OPT_LEVEL", "0")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    command
}
