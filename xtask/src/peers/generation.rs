//! The CPU time of generating native resources, beside that of a script of troposphere that writes the same ones.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tandem_testkit::cargo::cargo;
use tandem_testkit::environment::{Packages, root};

use crate::bench::median;
use crate::step::{Result, quiet, step};

/// The number of functions. Each one has eight native resources.
const FUNCTIONS: usize = 250;

/// The number of alternating rounds.
const ROUNDS: usize = 15;

/// The script of troposphere.
const SCRIPT: &str = include_str!("functions.py");

/// Measures both in turns, and prints the medians.
pub(super) fn run(folder: &Path) -> Result {
    crate::setup::packages(Packages::Troposphere)?;
    step("Building tandem for release (minutes when cold)", || {
        quiet(&mut cargo(&["build", "--release", "-p", "tandem"]))
    })?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let program = target.join("release/tandem");
    let folder = folder.join("generation");
    std::fs::create_dir_all(&folder)?;
    let mut text = "app: many\nfunctions:\n".to_owned();
    (1..=FUNCTIONS).try_for_each(|number| writeln!(text, "  f{number}: {{}}"))?;
    let spec = folder.join("tandem.yaml");
    std::fs::write(&spec, text)?;
    let script = folder.join("functions.py");
    std::fs::write(&script, SCRIPT)?;
    let (mut ours, mut theirs, mut resources) = (Vec::new(), Vec::new(), 0);
    step(&format!("Generating, {ROUNDS} rounds"), || {
        for round in 0..ROUNDS {
            // New folders: nothing has to be compared or removed.
            let out = folder.join(format!("out-{round}"));
            let mut tandem = Command::new(&program);
            tandem.args(["generate", "--quiet", "--flavor", "native", "--only", "modules", "--file"]);
            tandem.arg(&spec).arg("--out").arg(out.join("tandem"));
            let mut troposphere = Command::new(Packages::Troposphere.program("python"));
            std::fs::create_dir_all(out.join("troposphere"))?;
            troposphere.arg(&script).arg(FUNCTIONS.to_string()).arg(out.join("troposphere"));
            if round % 2 == 0 {
                ours.push(cpu(&tandem)?);
                theirs.push(cpu(&troposphere)?);
            } else {
                theirs.push(cpu(&troposphere)?);
                ours.push(cpu(&tandem)?);
            }
            resources = count(&out.join("tandem"))?;
            std::fs::remove_dir_all(out)?;
        }
        Ok(())
    })?;
    let (ours, theirs) = (median(ours), median(theirs));
    println!("\nCPU time to generate {resources} resources, medians of {ROUNDS} alternating rounds:\n");
    println!("  {:<26}{:>14}{:>16}{:>9}", "", "tandem", "troposphere", "ratio");
    println!("  {:<26}{ours:>12.3} s{theirs:>14.3} s{:>9.2}", "", theirs / ours);
    println!("\n  tandem also writes variables, outputs, an example and a README for each function.");
    Ok(())
}

/// The seconds of CPU that a program takes.
fn cpu(command: &Command) -> Result<f64> {
    // The second line of `times` has the times of the children of the shell: user and system.
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "\"$@\" >&2 || exit 1; times", "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    let output = shell.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let children = text.lines().nth(1).ok_or("`times` of the shell printed no second line")?;
    let mut sum = 0.0;
    for time in children.split_whitespace() {
        let (minutes, seconds) = time.split_once('m').ok_or("a time of the shell has minutes")?;
        sum += minutes.parse::<f64>()? * 60.0 + seconds.trim_end_matches('s').parse::<f64>()?;
    }
    Ok(sum)
}

/// The number of resources in the files of a folder.
fn count(folder: &Path) -> Result<usize> {
    let mut resources = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            resources += count(&path)?;
        } else if path.file_name().is_some_and(|name| name == "main.tf") {
            let text = std::fs::read_to_string(path)?;
            resources += text.lines().filter(|line| line.starts_with("resource \"")).count();
        }
    }
    Ok(resources)
}
