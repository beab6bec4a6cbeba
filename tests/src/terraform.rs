//! The real Terraform, in a folder of its own, with the provider that was just built.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::environment::platform;
use crate::hashicorp::Hashicorp;

/// A folder with a configuration.
#[derive(Debug)]
pub struct Terraform {
    folder: TempDir,
    /// The path of the configuration, relative to the folder.
    inside: PathBuf,
    environment: BTreeMap<String, String>,
}

/// The result of a run of Terraform.
#[derive(Clone, Debug)]
pub struct Run {
    /// True if it succeeded.
    pub success: bool,
    /// Everything it printed.
    pub text: String,
}

impl Run {
    /// Fails the test unless the run succeeded.
    #[track_caller]
    pub fn expect_success(self) -> Self {
        assert!(self.success, "terraform failed:\n{}\ncomplete output:\n{}", self.errors(), self.text);
        self
    }

    /// The errors, without the plan before them, so that a truncated log shows them first.
    fn errors(&self) -> &str {
        self.text.find("Error: ").map_or("", |start| &self.text[start..])
    }

    /// Fails the test unless the run failed and printed all of these. Terraform's line breaks and
    /// frames do not count.
    #[track_caller]
    pub fn expect_failure(self, parts: &[&str]) -> Self {
        assert!(!self.success, "terraform succeeded:\n{}", self.text);
        self.expect_text(parts)
    }

    /// Fails the test unless the run printed all of these.
    #[track_caller]
    pub fn expect_text(self, parts: &[&str]) -> Self {
        let plain = plain(&self.text);
        for part in parts {
            assert!(plain.contains(&self::plain(part)), "{part:?} is not in:\n{}", self.text);
        }
        self
    }
}

fn plain(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !["│", "╷", "╵", "|"].contains(word));
    words.collect::<Vec<_>>().join(" ")
}

/// The provider that was built for tests.
///
/// # Panics
/// If it is missing. The message contains the command that builds it.
pub fn provider_binary() -> PathBuf {
    let me = std::env::current_exe().expect("the path of this program");
    // A test is `target/debug/deps/NAME-HASH`, xtask is `target/debug/xtask`.
    let folders = me.ancestors().skip(1).take(2);
    let mut binaries = folders.map(|folder| folder.join("terraform-provider-tandem"));
    binaries
        .find(|binary| binary.is_file())
        .expect("the provider: run `cargo build -p terraform-provider-tandem`")
}

/// Returns a filesystem mirror that contains the provider under test, for configurations that need `terraform
/// init`.
///
/// # Panics
/// If the provider is missing.
pub fn provider_mirror() -> io::Result<PathBuf> {
    let binary = provider_binary();
    let mirror = binary.with_file_name("mirror");
    let version = env!("CARGO_PKG_VERSION");
    let package = mirror.join("registry.terraform.io/tandem/tandem").join(version).join(platform());
    std::fs::create_dir_all(&package)?;
    // A rename replaces the link of another test process atomically.
    let link = tempfile::tempdir_in(&mirror)?;
    let new = link.path().join("link");
    std::os::unix::fs::symlink(&binary, &new)?;
    std::fs::rename(new, package.join(format!("terraform-provider-tandem_v{version}")))?;
    Ok(mirror)
}

impl Terraform {
    /// A folder for one configuration.
    pub fn new(environment: &[(&str, &str)]) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("tandem-test").tempdir()?;
        let rc = folder.path().join("terraform.rc");
        let binaries = provider_binary().parent().expect("its folder").display().to_string();
        // The folder holds this provider only, and needs no `terraform init`.
        std::fs::write(
            &rc,
            format!(
                "provider_installation {{\n  dev_overrides {{\n    \"tandem/tandem\" = \"{binaries}\"\n  }}\n  direct {{}}\n}}\n"
            ),
        )?;
        let mut all: BTreeMap<String, String> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.insert("TF_CLI_CONFIG_FILE".to_owned(), rc.display().to_string());
        Ok(Self { folder, inside: PathBuf::new(), environment: all })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs Terraform in a subfolder from now on.
    pub fn enter(&mut self, inside: &str) {
        self.inside = PathBuf::from(inside);
    }

    /// An output.
    pub fn output(&self, name: &str) -> String {
        let run = self.run(&["output", "-raw", "-no-color", name]).expect_success();
        run.text.lines().next().unwrap_or_default().trim().to_owned()
    }

    /// Every output by name.
    pub fn outputs(&self) -> Json {
        let output = self.command(&["output", "-json", "-no-color"]).output().expect("terraform");
        let outputs: Json = serde_json::from_slice(&output.stdout).expect("outputs");
        let outputs = outputs.as_object().cloned().unwrap_or_default().into_iter();
        outputs.map(|(name, output)| (name, output["value"].clone())).collect()
    }

    /// A string attribute of a resource.
    pub fn output_of(&self, address: &str, name: &str) -> String {
        self.resource(address)[name].as_str().unwrap_or_else(|| panic!("{address} has no {name}")).to_owned()
    }

    /// Sets an environment variable for later runs.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Makes hashicorp/aws available next to the provider under test. `terraform init` is necessary from now on.
    pub fn add_hashicorp(&self, hashicorp: &Hashicorp) -> io::Result<()> {
        self.write("terraform.rc", hashicorp.cli_configuration(&provider_mirror()?));
        Ok(())
    }

    /// Writes a file.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).expect("a file in the test's folder");
    }

    /// A command that runs Terraform here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(self.path().join(&self.inside))
            // Nothing of the developer's own: no profile, no endpoint, no TF_REATTACH_PROVIDERS.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("TMPDIR", self.path())
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(&self.environment)
            .stdin(Stdio::null());
        command
    }

    /// Runs Terraform.
    pub fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().expect("terraform on PATH");
        run(&output)
    }

    /// Starts Terraform.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("terraform on PATH")
    }

    /// `terraform apply`.
    pub fn apply(&self) -> Run {
        self.run(&["apply", "-auto-approve", "-no-color", "-input=false"])
    }

    /// `terraform destroy`.
    pub fn destroy(&self) -> Run {
        self.run(&["destroy", "-auto-approve", "-no-color", "-input=false"])
    }

    /// `terraform plan`.
    pub fn plan(&self) -> Run {
        self.run(&["plan", "-no-color", "-input=false"])
    }

    /// Fails the test unless a plan is empty.
    #[track_caller]
    pub fn expect_empty_plan(&self) {
        let run = self.run(&["plan", "-detailed-exitcode", "-no-color", "-input=false"]);
        assert!(run.success, "the plan is not empty:\n{}", run.text);
    }

    /// The attributes of a resource in the state.
    pub fn resource(&self, address: &str) -> Json {
        let state = self.run(&["show", "-json"]).expect_success();
        let json = state.text.lines().find(|line| line.starts_with('{')).expect("JSON");
        let json: Json = serde_json::from_str(json).expect("JSON");
        let resources = json["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
        let found = resources.into_iter().find(|resource| resource["address"] == address);
        found.unwrap_or_else(|| panic!("{address} is not in the state"))["values"].take()
    }
}

/// The result of a finished process.
pub fn run(output: &Output) -> Run {
    let text = [&output.stdout[..], &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .join("\n");
    Run { success: output.status.success(), text }
}
