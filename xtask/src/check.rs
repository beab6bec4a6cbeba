//! All checks and tests.

use std::path::Path;
use std::process::Command;

use tandem_tests::cargo::{cargo, quickly};
use tandem_tests::environment::root;
use tandem_tests::examples::{ALL, Example, STATIC_TARGET};

use crate::setup;
use crate::step::{Result, loud, quiet, step};

/// Builds both programs.
pub(crate) fn build_programs() -> Result {
    step("Building the provider and tandem (several minutes when cold)", || {
        quiet(&mut cargo(&["build", "--locked", "-p", "terraform-provider-tandem", "-p", "tandem"]))
    })?;
    Ok(())
}

/// Where a program of ours was built: beside this one.
pub(crate) fn program(name: &str) -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?.with_file_name(name)))
}

/// Builds what an example runs: its handlers and its container's program. Their tests come first, if they are
/// wanted: the build that follows is for Lambda.
pub(crate) fn build(example: &Example, test: bool) -> Result {
    let folder = root().join("examples").join(example.name);
    if folder.join("handlers").exists() {
        step(&format!("Handlers of {} (minutes when cold)", example.name), || {
            // Not by `cargo run`: tandem itself is not built among handlers.
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

/// Builds a container's program, and puts it where its Dockerfile wants it.
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
    if filter.is_none() {
        step("Format", || quiet(&mut cargo(&["fmt", "--all", "--check"])))?;
    }
    // Programs and tests at once: either by itself would build other features of all that they depend on.
    step("Building programs and tests (several minutes when cold)", || {
        quiet(&mut cargo(&["test", "--locked", "--workspace", "--no-run"]))
    })?;
    crate::modules::fetch()?;
    for example in ALL {
        build(example, full)?;
    }
    if filter.is_none() {
        let deny = setup::cargo_deny()?;
        step("Licences, duplicates and sources of dependencies", || {
            let mut check = Command::new(&deny);
            check.current_dir(root()).args(["--locked", "check", "licenses", "bans", "sources"]);
            quiet(check.env("CARGO", env!("CARGO")))
        })?;
        crate::docs::check()?;
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
        // They wait for emulators and for Terraform as long as they compute.
        let threads = std::thread::available_parallelism().map_or(1, usize::from) * 2;
        test.env("RUST_TEST_THREADS", threads.to_string());
    }
    // Its own shape of output, whatever the caller's terminal: the last line counts.
    loud(test.args(filter))
}
