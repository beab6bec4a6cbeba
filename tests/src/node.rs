//! Pinned programs for Node, installed into the private folder.

use std::path::PathBuf;
use std::process::Command;

use crate::environment::{private, root};
use crate::skipped;

/// The name of the folder with the pinned versions, and of the program.
const ASL_VALIDATOR: &str = "asl-validator";

/// The files with the pinned versions.
const PINS: [&str; 2] = ["package.json", "package-lock.json"];

fn pinned() -> PathBuf {
    root().join("tests/requirements").join(ASL_VALIDATOR)
}

fn folder() -> PathBuf {
    private().join(ASL_VALIDATOR)
}

/// Returns true if the machine has Node and npm.
pub fn is_there() -> bool {
    ["node", "npm"].iter().all(|program| {
        Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
    })
}

/// Returns true if the pinned version is installed.
pub fn installed() -> bool {
    let same = |name: &str| {
        let pinned = std::fs::read(pinned().join(name)).unwrap_or_default();
        std::fs::read(folder().join(name)).is_ok_and(|installed| installed == pinned)
    };
    folder().join("node_modules").is_dir() && PINS.iter().all(|name| same(name))
}

/// Installs the pinned version.
///
/// # Errors
/// If npm fails: its output.
pub fn install() -> Result<(), String> {
    std::fs::create_dir_all(folder()).map_err(|error| error.to_string())?;
    for name in PINS {
        std::fs::copy(pinned().join(name), folder().join(name)).map_err(|error| error.to_string())?;
    }
    let install = Command::new("npm").args(["ci", "--ignore-scripts"]).current_dir(folder()).output();
    let output = install.map_err(|error| format!("npm: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let _ = std::fs::remove_dir_all(folder());
    Err(format!("npm ci failed:\n{}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// For tests: the program that judges state machines. `None` means that the test must return: the machine has no
/// Node, which `cargo xtask test` prints after the tests.
///
/// # Panics
/// If the machine has Node, but the program is not installed.
pub fn asl_validator() -> Option<PathBuf> {
    if !is_there() {
        skipped::record("Node", "`node` and `npm` are not on PATH");
        return None;
    }
    let program = folder().join("node_modules/.bin").join(ASL_VALIDATOR);
    assert!(program.exists(), "{} is missing: run `cargo xtask setup`", program.display());
    Some(program)
}
