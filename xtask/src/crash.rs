//! The crash matrix, and the planted defects that it must find.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tandem_testkit::cargo::cargo;
use tandem_testkit::environment::{private, root};

use crate::step::{Result, loud, quiet, step};

/// Runs the whole matrix, or the rest of an interrupted run, and writes `docs/guides/reliability.md`.
pub(crate) fn report() -> Result {
    let results = private().join("crash-matrix.jsonl");
    let page = root().join("docs/guides/reliability.md");
    // The whole matrix takes a third of the time with the profile `matrix`, see Cargo.toml.
    let profile = ["--locked", "--profile", "matrix", "-p", "tandem-crash", "--bin", "crash-matrix"];
    step("Building the crash matrix (many minutes when cold)", || quiet(cargo(&["build"]).args(profile)))?;
    let mut run = cargo(&["run", "--quiet"]);
    loud(run.args(profile).arg("--").arg("--results").arg(results).arg("--report").arg(page))
}

/// Builds the matrix of a copy of the project.
fn build(folder: &Path, target: &Path) -> Command {
    let mut build = cargo(&["build", "--locked", "-p", "tandem-crash", "--bin", "crash-matrix"]);
    // Incremental compilation has missed a defect that came and went between two builds.
    build.current_dir(folder).env("CARGO_TARGET_DIR", target).env("CARGO_INCREMENTAL", "0");
    build
}

/// Plants each defect of a list into a copy of the project. The cases that the list names must fail.
pub(crate) fn defects(filter: Option<&str>) -> Result {
    let list = std::fs::read_to_string(root().join("tests/crash/defects.json"))?;
    let mut list: Vec<Json> = serde_json::from_str(&list)?;
    let wanted = |defect: &Json| {
        let name = defect["defect"].as_str().unwrap_or_default();
        filter.is_none_or(|filter| name.contains(filter))
    };
    list.retain(wanted);
    let folder = private().join("defects");
    // Cargo tells the crates of two workspaces apart by their paths within them alone: in a common target folder, a
    // later build of the project itself would take a crate with a defect for its own.
    let target = private().join("defects-target");
    copy(&folder)?;
    step("Building a copy without defects (several minutes when cold)", || {
        quiet(&mut build(&folder, &target))
    })?;
    for defect in &list {
        let cases = defect["cases"].as_str().unwrap_or_default();
        step(&format!("Without a defect: {cases}"), || quiet(&mut matrix(&folder, &target, cases)))?;
    }
    let mut unseen = Vec::new();
    for defect in &list {
        let text = |name: &str| defect[name].as_str().unwrap_or_default().to_owned();
        let (name, path) = (text("defect"), folder.join(text("file")));
        let whole = std::fs::read_to_string(&path)?;
        if whole.matches(&text("find")).count() != 1 {
            let file = text("file");
            return Err(format!(
                "`{name}`: its `find` text does not occur exactly once in {file}. Fix tests/crash/defects.json"
            )
            .into());
        }
        std::fs::write(&path, whole.replace(&text("find"), &text("replace")))?;
        let seen = step(&name, || {
            quiet(&mut build(&folder, &target))?;
            let mut matrix = matrix(&folder, &target, &text("cases"));
            Ok(!matrix.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
        });
        std::fs::write(&path, whole)?;
        if !seen? {
            unseen.push(format!("  {name}"));
        }
    }
    if unseen.is_empty() {
        println!("defects: {} planted, {} seen", list.len(), list.len());
        return Ok(());
    }
    Err(format!("the matrix does not find these defects:\n{}", unseen.join("\n")).into())
}

fn matrix(folder: &Path, target: &Path, cases: &str) -> Command {
    let mut command = Command::new(target.join("debug/crash-matrix"));
    command.current_dir(folder).args(["--fail-fast", "--only", cases]);
    command
}

/// Copies the current files of the project into a folder, and removes all other files there.
fn copy(folder: &Path) -> Result {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listed = quiet(&mut git)?;
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    for path in listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from) {
        let (from, to) = (root().join(&path), folder.join(&path));
        if from.is_file() {
            std::fs::create_dir_all(to.parent().unwrap_or(folder))?;
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
