//! All checks and tests.

use std::path::Path;
use std::process::Command;

use tandem_tests::environment::root;

use crate::setup;
use crate::step::{Result, loud, quiet, step};

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(arguments);
    command
}

/// Builds the provider as tests use it.
pub(crate) fn build_provider() -> Result {
    step("Building the provider (several minutes when cold)", || {
        quiet(&mut cargo(&["build", "--locked", "-p", "terraform-provider-tandem"]))
    })?;
    Ok(())
}

/// `cargo build` or `cargo test`, for release, of a workspace that is not the project's own.
pub(crate) fn release_build(folder: &Path, command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([command, "--release", "--locked"]).current_dir(folder).env_remove("CARGO_TARGET_DIR");
    cargo
}

/// Builds (or tests) the container and the handlers of the example `video-thumbnailer`.
pub(crate) fn build_video_thumbnailer(command: &str) -> Result {
    let example = root().join("examples/video-thumbnailer");
    step("Building the handlers of the video thumbnailer (minutes when cold)", || {
        let mut tandem = cargo(&["run", "--quiet", "--locked", "-p", "tandem", "--", "build", "--locked"]);
        tandem.args((command == "test").then_some("--test")).arg("--file").arg(example.join("tandem.yaml"));
        quiet(tandem.env_remove("CARGO_TARGET_DIR"))
    })?;
    step("Building its container's program (minutes when cold)", || {
        let mut build = release_build(&example.join("container"), command);
        // Static: the base image holds nothing but ffmpeg.
        quiet(build.args(["--target", STATIC_TARGET]).env("RUSTFLAGS", "-C target-feature=+crt-static"))
    })?;
    Ok(())
}

/// The platform of containers in demo and tests.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn run(filter: Option<&str>) -> Result {
    setup::everything()?;
    if filter.is_none() {
        step("Format", || quiet(&mut cargo(&["fmt", "--all", "--check"])))?;
    }
    build_provider()?;
    let handler = root().join("examples/upload-notice/handlers/upload-notice");
    for command in ["test", "build"] {
        step(&format!("Example upload-notice: cargo {command}"), || {
            quiet(&mut release_build(&handler, command))
        })?;
        build_video_thumbnailer(command)?;
    }
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
    let mut test = cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
    // Its own shape of output, whatever the caller's terminal: the last line counts.
    loud(test.args(filter))
}
