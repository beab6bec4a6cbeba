//! The place in which a guide runs: a fresh folder, an account on an emulator, and a shell like that of a user.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tandem_testkit::calls::Account;
use tandem_testkit::emulator::{Emulator, Settings};
use tandem_testkit::engine::let_containers_reach;
use tandem_testkit::environment::{Packages, platform, private, root};
use tandem_testkit::ffmpeg;
use tandem_testkit::hashicorp::{Hashicorp, mirror_or_registry};
use tandem_testkit::shared::{REGION, end_with_this_process, engine, log, new_account};
use tandem_testkit::terraform::provider_binary;

use crate::page::{Command as Line, Needs};

/// The base image of the Dockerfile that `tandem init --example video-thumbnailer` writes.
const BASE_IMAGE: &str = "mwader/static-ffmpeg:7.1";

/// The time after which a block is ended, for commands that hang. A cold build of handlers takes minutes.
const TIMEOUT: &str = "1800";

/// The place of one guide.
pub(crate) struct Place {
    /// The folder of the guide's project.
    pub(crate) folder: PathBuf,
    account: Account,
    before: BTreeSet<String>,
    environment: BTreeMap<&'static str, OsString>,
    /// Only guides with containers have an emulator of their own.
    _emulator: Option<Emulator>,
    /// Other processes wait for the same folder.
    _lock: File,
}

/// The output of a script.
pub(crate) struct Output {
    pub(crate) success: bool,
    /// The line of the last command that was started.
    pub(crate) line: usize,
    /// Everything that was printed, without colors.
    pub(crate) text: String,
}

impl Place {
    /// Prepares a place. `None` if the guide needs hashicorp/aws, which this machine lacks: the reason is recorded.
    pub(crate) fn new(name: &str, needs: Needs) -> Option<Self> {
        let hashicorp = if needs.hashicorp { Some(mirror_or_registry()?) } else { None };
        // Cargo treats folders in there as workspaces of their own. The path is the same in each run, so that
        // cargo replaces the artifacts of the last one.
        let all = private().join("guides");
        fs::create_dir_all(&all).expect("a folder");
        let lock = File::create(all.join(format!("{name}.lock"))).expect("a lock");
        lock.lock().expect("a lock");
        let top = all.join(name);
        if top.exists() {
            fs::remove_dir_all(&top).expect("the folder of the last run is removed");
        }
        for folder in ["project", "home", "bin", "tmp"] {
            fs::create_dir_all(top.join(folder)).expect("a folder");
        }
        let mut environment = environment(&top, hashicorp.as_ref());
        let (account, emulator) = if needs.containers {
            let (account, emulator) = with_containers(&mut environment);
            (account, Some(emulator))
        } else {
            (account(ministack(), new_account()), None)
        };
        for (name, value) in [
            ("AWS_ENDPOINT_URL", &*account.endpoint),
            ("AWS_ACCESS_KEY_ID", &account.id),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
        ] {
            environment.insert(name, value.into());
        }
        let before = account.everything().expect("the objects of the account");
        let folder = top.join("project");
        Some(Self { folder, account, before, environment, _emulator: emulator, _lock: lock })
    }

    /// Runs commands as one script, which ends at the first error.
    pub(crate) fn run(&self, commands: &[Line]) -> Output {
        let top = self.folder.parent().expect("its folder");
        let (script, step) = (top.join("script.sh"), top.join("step"));
        let mut text = "exec 2>&1\nset -e\n".to_owned();
        for command in commands {
            text.push_str(&format!("echo {} > \"$GUIDE_STEP\"\n{}\n", command.line, command.text));
        }
        fs::write(&script, text).expect("a script");
        let mut bash = Command::new("timeout");
        bash.args(["--kill-after=10", TIMEOUT, "bash"]).arg(&script).current_dir(&self.folder);
        bash.env_clear().envs(&self.environment).env("GUIDE_STEP", &step).stdin(Stdio::null());
        let output = bash.output().expect("bash");
        let line = fs::read_to_string(step).ok().and_then(|line| line.trim().parse().ok());
        Output {
            success: output.status.success(),
            line: line.unwrap_or_default(),
            text: without_colors(&String::from_utf8_lossy(&output.stdout)),
        }
    }

    /// The objects that the guide created in AWS and did not delete.
    pub(crate) fn left(&self) -> Vec<String> {
        let now = self.account.everything().expect("the objects of the account");
        now.difference(&self.before).cloned().collect()
    }
}

/// Removes the escape sequences of colors.
fn without_colors(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

fn account(endpoint: &str, id: String) -> Account {
    let endpoint = endpoint.to_owned();
    Account { alarms: endpoint.clone(), endpoint, id, region: REGION.to_owned() }
}

/// The folder of log files.
fn logs() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The address of the MiniStack that all guides of this process share, each in an account of its own.
fn ministack() -> &'static str {
    static SHARED: OnceLock<Emulator> = OnceLock::new();
    let start = || {
        let emulator = Emulator::ministack(&log(logs(), "guides"), &Settings::default());
        end_with_this_process(emulator.expect("MiniStack"))
    };
    &SHARED.get_or_init(start).endpoint
}

/// An emulator that runs containers. Its registry has only one account.
fn with_containers(environment: &mut BTreeMap<&'static str, OsString>) -> (Account, Emulator) {
    let engine = engine(logs());
    engine.stand_in(BASE_IMAGE).expect("the base image");
    let id = new_account();
    let settings =
        Settings { engine: Some(engine.host.clone()), account: Some(id.clone()), ..Settings::default() };
    let emulator = Emulator::ministack(&log(logs(), "containers"), &settings).expect("MiniStack");
    let reached = let_containers_reach(&emulator.endpoint, &engine.gateway).expect("a port for containers");
    let account = account(&emulator.endpoint, id);
    // On AWS a task gets its credentials from its role; the emulator gives it none.
    let variables = account.for_containers(&reached).to_string();
    environment.insert("TF_VAR_task_environment", variables.into());
    environment.insert("DOCKER_HOST", engine.host.clone().into());
    (account, emulator)
}

/// Links `tandem` into `bin`, and the provider into a filesystem mirror. Returns the provider and the mirror. Links
/// are stable while cargo builds other versions; Terraform compares checksums.
fn programs(top: &Path) -> (PathBuf, PathBuf) {
    let built = provider_binary();
    let version = env!("CARGO_PKG_VERSION");
    let mirror = top.join("mirror");
    let package = mirror.join("registry.terraform.io/tandem/tandem").join(version).join(platform());
    fs::create_dir_all(&package).expect("a mirror");
    let provider = package.join(format!("terraform-provider-tandem_v{version}"));
    for (from, to) in [(built.with_file_name("tandem"), top.join("bin/tandem")), (built, provider.clone())] {
        let linked = fs::hard_link(&from, to);
        linked.unwrap_or_else(|error| panic!("{}: {error}: run `cargo build --workspace`", from.display()));
    }
    (provider, mirror)
}

/// The environment of a user, without the developer's own variables, and the programs in `bin`.
fn environment(top: &Path, hashicorp: Option<&Hashicorp>) -> BTreeMap<&'static str, OsString> {
    let bin = top.join("bin");
    for (name, script) in [("aws", include_str!("aws.sh")), ("cargo", include_str!("cargo.sh"))] {
        let path = bin.join(name);
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    }
    let (provider, mirror) = programs(top);
    symlink(ffmpeg::binary(), bin.join("ffmpeg")).expect("a link");
    let rc = if let Some(hashicorp) = hashicorp {
        hashicorp.cli_configuration(&mirror)
    } else {
        let mirror = mirror.display().to_string();
        format!("provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n")
    };
    let configuration = top.join("home/terraform.rc");
    fs::write(&configuration, rc).expect("a CLI configuration");
    let target = root().join("target");
    // The toolchain of this build comes before the proxies of rustup, which could install another one.
    let toolchain = Path::new(env!("CARGO")).parent().expect("the toolchain");
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let paths = [bin, toolchain.to_owned()].into_iter().chain(std::env::split_paths(&paths));
    let path = std::env::join_paths(paths).expect("a PATH");
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let cargo_home = std::env::var_os("CARGO_HOME").unwrap_or_else(|| home.join(".cargo").into());
    BTreeMap::from([
        ("PATH", path),
        ("HOME", top.join("home").into()),
        ("TMPDIR", top.join("tmp").into()),
        ("LANG", "C.UTF-8".into()),
        ("NO_COLOR", "1".into()),
        ("CARGO_HOME", cargo_home),
        ("RUSTUP_AUTO_INSTALL", "0".into()),
        ("GUIDE_AWS", Packages::AwsCli.program("aws").into()),
        ("GUIDE_CARGO", env!("CARGO").into()),
        ("GUIDE_TARGET", target.into()),
        ("GUIDE_LOCK", root().join("codegen/tests/data/handlers.lock").into()),
        ("GIT_AUTHOR_NAME", "guide".into()),
        ("GIT_AUTHOR_EMAIL", "guide@example.com".into()),
        ("GIT_COMMITTER_NAME", "guide".into()),
        ("GIT_COMMITTER_EMAIL", "guide@example.com".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_PAGER", "".into()),
        ("CHECKPOINT_DISABLE", "1".into()),
        ("TANDEM_LEASE_SECONDS", "1".into()),
        ("TF_CLI_CONFIG_FILE", configuration.into()),
        ("TF_INPUT", "0".into()),
        ("TF_CLI_ARGS_apply", "-auto-approve".into()),
        ("TF_CLI_ARGS_destroy", "-auto-approve".into()),
        // `cargo xtask install` prints it.
        ("provider", provider.into()),
    ])
}
