//! Builds the programs, the tests and the examples.

use std::path::Path;
use std::process::Command;

use tandem_testkit::cargo::{cargo, quickly};
use tandem_testkit::environment::root;
use tandem_testkit::examples::{Example, STATIC_TARGET};

use crate::step::{Result, quiet, step};

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
