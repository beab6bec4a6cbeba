//! All checks and tests.

use std::process::Command;

use tandem_tests::environment::root;

use crate::setup;
use crate::step::{Result, loud, quiet, step};

pub(crate) fn run(filter: Option<&str>) -> Result {
    setup::everything()?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root()).args(arguments);
        command
    };
    if filter.is_none() {
        step("Format", || quiet(&mut cargo(&["fmt", "--all", "--check"])))?;
    }
    step("Building the provider (several minutes when cold)", || {
        quiet(&mut cargo(&["build", "--locked", "-p", "terraform-provider-tandem"]))
    })?;
    let handler = root().join("examples/upload-notice/handlers/upload-notice");
    step("Building and testing the example's handler", || {
        let mut command = cargo(&["test", "--release", "--locked"]);
        quiet(command.current_dir(&handler).env_remove("CARGO_TARGET_DIR"))?;
        let mut command = cargo(&["build", "--release", "--locked"]);
        quiet(command.current_dir(&handler).env_remove("CARGO_TARGET_DIR"))
    })?;
    if filter.is_none() {
        let deny = setup::cargo_deny()?;
        step("Licences, duplicates and sources of dependencies", || {
            let mut check = Command::new(&deny);
            check.current_dir(root()).args(["--locked", "check", "licenses", "bans", "sources"]);
            quiet(check.env("CARGO", env!("CARGO")))
        })?;
        crate::docs::run(true)?;
        step("Clippy", || {
            quiet(&mut cargo(&["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        })?;
    }
    let mut test = cargo(&["test", "--locked", "--workspace"]);
    // Its own shape of output, whatever the caller's terminal: the last line counts.
    loud(test.args(filter))
}
