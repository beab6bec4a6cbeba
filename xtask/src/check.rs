//! All checks and tests.

use std::process::Command;

use tandem_judges::figures;
use tandem_testkit::cargo::cargo;
use tandem_testkit::environment::root;
use tandem_testkit::examples::ALL;
use tandem_testkit::skipped;

use crate::build::{build, build_all};
use crate::setup;
use crate::step::{Result, loud, quiet, step};

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
        crate::aws_facts::run(true)?;
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
    skipped::forget()?;
    figures::forget();
    let result = loud(test.args(filter));
    for (judge, (judged, refused)) in figures::all() {
        println!("{judged} {judge}: {refused} refused");
    }
    for line in skipped::lines() {
        println!("{line}");
    }
    result
}
