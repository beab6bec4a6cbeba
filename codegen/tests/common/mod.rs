//! Runs `tandem` and cargo as a user does.
#![allow(dead_code, reason = "each test program uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The result of a command.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

impl Run {
    /// Asserts the exit code and returns the result.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs `tandem` in a folder.
pub(crate) fn tandem(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.args(arguments).current_dir(folder).env_remove("NO_COLOR").output().expect("tandem runs").into()
}

/// Runs cargo in a folder, offline and with a target folder that later runs reuse. Always build whole
/// workspaces: a single crate has other features, and its dependencies would be built again.
pub(crate) fn cargo(folder: &Path, arguments: &[&str]) -> Run {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("handlers");
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).arg("--offline").current_dir(folder);
    command.env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", "-D warnings");
    // No test needs debug information, and that of the SDKs is large.
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.output().expect("cargo runs").into()
}

/// Writes a file and creates its folders.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    std::fs::write(&path, text).expect("a file");
    path
}

/// Copies the lock file of handlers into a new project, so that cargo resolves no versions.
pub(crate) fn lock(handlers: &Path) {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/handlers.lock");
    std::fs::copy(lock, handlers.join("Cargo.lock")).expect("the lock file");
}

pub(crate) fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
