//! Runs cargo like a user in a shell. Programs that run a few times only, e.g. those of examples, are
//! optimized for build time in place of size.

use std::process::Command;

use crate::environment::root;

/// Cargo in the root folder of the project, with the environment of a shell.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    by_hand(command.current_dir(root()).args(arguments));
    command
}

/// Removes the variables that `cargo run` and `cargo test` set for the package that they run. Build scripts
/// that read them, e.g. ring's, would otherwise cause a rebuild each time that another package runs.
fn by_hand(command: &mut Command) -> &mut Command {
    let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    command
}

/// Makes a release build of cargo quick; builds with the same folder below `target` share their artifacts.
pub fn quickly<'a>(command: &'a mut Command, folder: &str) -> &'a mut Command {
    by_hand(command).env("CARGO_TARGET_DIR", root().join("target").join(folder));
    // SDKs take most of the build time, and mostly wait for AWS at run time.
    for (name, value) in [("LTO", "off"), ("CODEGEN_UNITS", "16"), ("OPT_LEVEL", "0")] {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    command
}
