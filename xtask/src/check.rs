//! All checks and tests.

use std::path::Path;
use std::process::Command;

use tandem_testkit::cargo::{cargo, quickly};
use tandem_testkit::environment::root;
use tandem_testkit::examples::{ALL, Example, STATIC_TARGET};
use tandem_testkit::hashicorp;

use crate::setup;
use crate::step::{Result, loud, quiet, step};

/// Builds both programs.
pub(crate) fn build_programs() -> Result {
    step("Building the provider and tandem (several minutes when cold)", || {
        quiet(&mut cargo(&["build", "--locked", "-p", "terraform-provider-tandem", "-p", "tandem"]))
    })?;
    Ok(())
}

/// Builds programs and tests. Separate builds would build the dependencies with other features.
pub(crate) fn build_all() -> Result {
    step("Building programs and tests (several minutes when cold)", || {
        quiet(&mut cargo(&["test", "--locked", "--workspace", "--no-run"]))
    })?;
    Ok(())
}

/// A program of the workspace. It is built next to this one.
pub(crate) fn program(name: &str) -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?.with_file_name(name)))
}

/// Builds the handlers and the container program of an example, after their tests if `test` is set: the last
/// build is the one for Lambda.
pub(crate) fn build(example: &Example, test: bool) -> Result {
    let folder = root().join("examples").join(example.name);
    if folder.join("handlers").exists() {
        step(&format!("Handlers of {} (minutes when cold)", example.name), || {
            // `cargo run` would build tandem itself with the settings of the handlers.
            let mut tandem = program("tandem")?;
            tandem.args(["build", "--locked"]).args(test.then_some("--test"));
            tandem.arg("--file").arg(folder.join("tandem.yaml"));
            quiet(quickly(&mut tandem, "handlers"))
        })?;
    }
    if let Some(program) = example.container {
        step(&format!("Container of {} (minutes when cold)", example.name), || {
            build_container(&folder.join("container"), program, test)
        })?;
    }
    Ok(())
}

/// Builds the program of a container, and copies it to the path that the Dockerfile names.
fn build_container(folder: &Path, program: &str, test: bool) -> Result {
    let run = |arguments: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(folder).args(arguments).args(["--locked", "--target", STATIC_TARGET]);
        // Static: the base image holds no libraries.
        quiet(quickly(&mut cargo, "containers").env("RUSTFLAGS", "-C target-feature=+crt-static"))
    };
    if test {
        run(&["test"])?;
    }
    run(&["build", "--release"])?;
    let release = Path::new(STATIC_TARGET).join("release");
    let to = folder.join("target").join(&release);
    std::fs::create_dir_all(&to)?;
    std::fs::copy(root().join("target/containers").join(release).join(program), to.join(program))?;
    Ok(())
}

pub(crate) fn run(filter: Option<&str>, full: bool) -> Result {
    setup::room()?;
    setup::everything()?;
    if full {
        setup::hashicorp()?;
    }
    if filter.is_none() {
        step("Format", || quiet(&mut cargo(&["fmt", "--all", "--check"])))?;
    }
    build_all()?;
    crate::modules::fetch()?;
    for example in ALL {
        build(example, full)?;
    }
    if filter.is_none() {
        let deny = setup::cargo_deny()?;
        step("Licenses, duplicates and sources of dependencies", || {
            let mut check = Command::new(&deny);
            check.current_dir(root()).args(["--locked", "check", "licenses", "bans", "sources"]);
            quiet(check.env("CARGO", env!("CARGO")))
        })?;
        crate::docs::check()?;
        crate::prose::run()?;
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
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        // Tests spend about half of their time waiting for emulators and Terraform.
        let threads = std::thread::available_parallelism().map_or(1, usize::from) * 2;
        test.env("RUST_TEST_THREADS", threads.to_string());
    }
    // The output of the test runner goes through unchanged: CI reads its closing line.
    hashicorp::forget_skipped()?;
    let result = loud(test.args(filter));
    if let Some(skipped) = hashicorp::skipped() {
        println!("{skipped}");
    }
    result
}
