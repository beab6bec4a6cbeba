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

/// `cargo test`, or `cargo build` for release, of a workspace that is not the project's own.
fn foreign(folder: &Path, command: &str) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([command, "--locked"]).args((command == "build").then_some("--release"));
    cargo.current_dir(folder).env_remove("CARGO_TARGET_DIR");
    cargo
}

/// Handlers of all examples share what they depend on, and are built quickly in place of small.
fn shared(command: &mut Command) -> &mut Command {
    command
        .env("CARGO_TARGET_DIR", root().join("target/handlers"))
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
}

/// Builds (or tests and builds) the handlers of an example.
pub(crate) fn handlers(example: &str, command: &str) -> Result {
    let spec = root().join("examples").join(example).join("tandem.yaml");
    step(&format!("Handlers of {example}: tandem {command} (minutes when cold)"), || {
        let mut tandem = cargo(&["run", "--quiet", "--locked", "-p", "tandem", "--", "build", "--locked"]);
        tandem.args((command == "test").then_some("--test")).arg("--file").arg(&spec);
        quiet(shared(&mut tandem))
    })?;
    Ok(())
}

/// Builds (or tests) the container and the handlers of the example `video-thumbnailer`.
pub(crate) fn build_video_thumbnailer(command: &str) -> Result {
    let example = root().join("examples/video-thumbnailer");
    handlers("video-thumbnailer", command)?;
    step("Building its container's program (minutes when cold)", || {
        let mut build = foreign(&example.join("container"), command);
        // Static: the base image holds nothing but ffmpeg.
        quiet(build.args(["--target", STATIC_TARGET]).env("RUSTFLAGS", "-C target-feature=+crt-static"))
    })?;
    Ok(())
}

/// The platform of containers in demo and tests.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn run(filter: Option<&str>, full: bool) -> Result {
    setup::everything()?;
    if filter.is_none() {
        step("Format", || quiet(&mut cargo(&["fmt", "--all", "--check"])))?;
    }
    build_provider()?;
    crate::modules::fetch()?;
    // Tests are built and run first; the build that follows is for Lambda.
    handlers("upload-notice", "test")?;
    build_video_thumbnailer("test")?;
    build_video_thumbnailer("build")?;
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
    if full && filter.is_none() {
        crate::crash::defects(None)?;
    }
    let mut test = cargo(&["test", "--locked", "--workspace", "--no-fail-fast"]);
    if full {
        test.env("TANDEM_FULL", "1");
    }
    // Its own shape of output, whatever the caller's terminal: the last line counts.
    loud(test.args(filter))
}
