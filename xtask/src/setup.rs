//! Prerequisites, and the programs that are installed into the private folder.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tandem_testkit::cargo::quickly;
use tandem_testkit::engine::Engine;
use tandem_testkit::environment::{Packages, private, root};
use tandem_testkit::hashicorp::{self, Hashicorp};
use tandem_testkit::node;

use crate::step::{Failure, Result, quiet, step};

/// Reports each missing prerequisite in one line.
pub(crate) fn prerequisites() -> Result {
    let works = |program: &str, arguments: &[&str]| {
        let run = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    let mut missing = Vec::new();
    if !works("terraform", &["version"]) {
        missing.push("`terraform` is missing: install Terraform 1.11 or later and put it on PATH");
    }
    if !works("python3", &["-c", "import venv, ensurepip"]) {
        missing.push("`python3` with venv is missing: on Debian, `apt-get install python3 python3-venv`");
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure { message: missing.join("\nerror: "), code: 2 }) }
}

/// Prints a note if the disk may fill before all tests have run: the errors of a full disk are obscure.
pub(crate) fn room() -> Result {
    /// GiB that a first run writes: ten were measured, plus a reserve.
    const FIRST: u64 = 12;
    /// GiB that a later run writes.
    const LATER: u64 = 4;
    let root = root();
    let built = root.join("target/debug/deps").exists() && root.join("target/handlers").exists();
    let needed = if built { LATER } else { FIRST };
    let disk = rustix::fs::statvfs(&root)?;
    let free = disk.f_bavail * disk.f_frsize / (1 << 30);
    if free < needed {
        eprintln!(
            "note: {free} GiB are free at {}, and the tests write about {needed}. Run `cargo clean` to remove \
             earlier builds",
            root.display()
        );
    }
    Ok(())
}

/// Installs packages, unless the pinned versions are installed.
pub(crate) fn packages(packages: Packages) -> Result {
    if packages.installed() {
        return Ok(());
    }
    std::fs::create_dir_all(private())?;
    let name = match packages {
        Packages::MiniStack => "Installing the emulator MiniStack into .tandem",
        Packages::Moto => "Installing the emulator moto into .tandem",
        Packages::Ffmpeg => "Installing ffmpeg into .tandem",
        Packages::Checkov => "Installing checkov into .tandem",
        Packages::AwsCli => "Installing the AWS CLI into .tandem",
        Packages::Typos => "Installing the spelling checker typos into .tandem",
        Packages::AwsFacts => "Installing AWS's service models and resource schemas into .tandem",
        Packages::Troposphere => "Installing troposphere into .tandem",
    };
    step(name, || Ok(packages.install()?))
}

/// Installs the pinned cargo-deny, unless it is installed. Returns its path.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    const VERSION: &str = "0.20.2";
    let folder = private().join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if !program.exists() {
        step("Installing cargo-deny into .tandem (several minutes)", || {
            let mut install = Command::new(env!("CARGO"));
            install.args(["install", "cargo-deny", "--locked", "--version", VERSION, "--root"]).arg(&folder);
            quiet(quickly(&mut install, "tools").current_dir(private()))
        })?;
        std::fs::remove_dir_all(root().join("target/tools"))?;
    }
    Ok(program)
}

/// Installs a container engine, unless one runs or is installed.
pub(crate) fn engine() -> Result {
    if Engine::installed() {
        return Ok(());
    }
    std::fs::create_dir_all(private())?;
    step("Installing a container engine into .tandem", || {
        Engine::install().map_err(|error| Failure {
            message: format!(
                "no container engine runs, and a private one cannot be installed: {error}\nStart Docker or \
                 podman, and set DOCKER_HOST if its socket is not at the usual place"
            ),
            code: 2,
        })
    })
}

/// Installs the judge of state machines. Without Node, its tests are skipped.
fn asl_validator() -> Result {
    if !node::is_there() {
        eprintln!("note: no Node: the tests with asl-validator are skipped");
        return Ok(());
    }
    if node::installed() {
        return Ok(());
    }
    step("Installing asl-validator into .tandem", || Ok(node::install()?))
}

/// Finds hashicorp/aws, or installs it.
pub(crate) fn hashicorp() -> Result<Hashicorp> {
    let find = || {
        hashicorp::find()
            .map_err(|reason| Failure { message: format!("no hashicorp/aws: {reason}"), code: 2 })
    };
    if hashicorp::must_download() {
        return step("Installing hashicorp/aws into .tandem (700 MB)", find);
    }
    find()
}

pub(crate) fn everything() -> Result {
    prerequisites()?;
    packages(Packages::MiniStack)?;
    packages(Packages::Moto)?;
    packages(Packages::Ffmpeg)?;
    packages(Packages::Checkov)?;
    packages(Packages::Typos)?;
    packages(Packages::AwsCli)?;
    packages(Packages::AwsFacts)?;
    asl_validator()?;
    match hashicorp() {
        // The tests that need it are skipped.
        Err(failure) if hashicorp::given().is_none() => eprintln!("note: {}", failure.message),
        found => drop(found?),
    }
    engine()
}
