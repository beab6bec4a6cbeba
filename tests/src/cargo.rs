//! How cargo is called: as by hand, and quickly in place of small for what runs a few times only, such as the
//! programs of examples.

use std::process::Command;

use crate::environment::root;

/// Cargo at the top of the project, as it is called by hand.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    by_hand(command.current_dir(root()).args(arguments));
    command
}

/// Takes away what `cargo run` and `cargo test` say of the package that they run: build scripts that look at it
/// (ring's does) would have all that needs them built anew, each time that it is another.
fn by_hand(command: &mut Command) -> &mut Command {
    let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    command
}

/// Has cargo build for release quickly, and share what it builds with all that use this folder below `target`.
pub fn quickly<'a>(command: &'a mut Command, folder: &str) -> &'a mut Command {
    by_hand(command).env("CARGO_TARGET_DIR", root().join("target").join(folder));
    // SDKs are most of the time, and wait for AWS in place of computing.
    for (name, value) in [("LTO", "off"), ("CODEGEN_UNITS", "16"), ("OPT_LEVEL", "0")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    command
}
