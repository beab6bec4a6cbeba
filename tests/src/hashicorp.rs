//! The real hashicorp/aws, for tests and benchmarks: its source, the CLI configuration that installs it, and the
//! provider block for an emulator.
//!
//! The source is the filesystem mirror in [`VARIABLE`]. Without that variable, `terraform init` installs the
//! provider from the public Terraform registry into the private folder, once.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::calls::Account;
use crate::environment::{platform, private};
use crate::skipped;

/// The environment variable with the folder of a filesystem mirror that contains hashicorp/aws.
pub const VARIABLE: &str = "TANDEM_AWS_PROVIDER_MIRROR";

/// The version that is installed from the registry. A mirror may contain another one.
const VERSION: &str = "5.100.0";

/// The folder of the provider in a mirror. Terraform uses the same layout for plugin caches.
const ADDRESS: &str = "registry.terraform.io/hashicorp/aws";

/// Arguments of the block `endpoints`: the services that Tandem and its examples use.
const SERVICES: &[&str] = &[
    "apigatewayv2",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "events",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "rekognition",
    "s3",
    "s3control",
    "scheduler",
    "secretsmanager",
    "sfn",
    "sns",
    "sqs",
    "ssm",
    "sts",
];

/// A filesystem mirror that contains hashicorp/aws for this platform.
#[derive(Clone, Debug)]
pub struct Hashicorp {
    mirror: PathBuf,
}

impl Hashicorp {
    /// Returns a mirror if it contains the provider for this platform, unpacked or as a zip.
    fn in_mirror(mirror: &Path) -> Option<Self> {
        let platform = platform();
        let zip = format!("_{platform}.zip");
        let entries = std::fs::read_dir(mirror.join(ADDRESS)).ok()?;
        let fits = |entry: std::fs::DirEntry| {
            entry.path().join(&platform).is_dir() || entry.file_name().to_string_lossy().ends_with(&zip)
        };
        entries.flatten().any(fits).then(|| Self { mirror: mirror.to_owned() })
    }

    /// Returns the Terraform CLI configuration that installs hashicorp/aws from its mirror, Tandem from the mirror
    /// in `tandem`, and other providers from their registries.
    ///
    /// [`provider_mirror`](crate::terraform::provider_mirror) makes a mirror of the provider under test.
    pub fn cli_configuration(&self, tandem: &Path) -> String {
        let (aws, ours) = ("registry.terraform.io/hashicorp/aws", "registry.terraform.io/tandem/*");
        let mirror = |path: &Path, include: &str| {
            let path = path.display().to_string();
            format!("  filesystem_mirror {{\n    path    = {path:?}\n    include = [{include:?}]\n  }}\n")
        };
        format!(
            "provider_installation {{\n{}{}  direct {{\n    exclude = [{aws:?}, {ours:?}]\n  }}\n}}\n",
            mirror(&self.mirror, aws),
            mirror(tandem, ours)
        )
    }
}

/// Returns the block `provider "aws"` for an account of an emulator. MiniStack reads the account from the access
/// key.
pub fn provider_block(account: &Account) -> String {
    let Account { endpoint, id, region, .. } = account;
    let mut text = format!(
        "provider \"aws\" {{\n  region                      = {region:?}\n  access_key                  = {id:?}\n  \
         secret_key                  = \"test\"\n  s3_use_path_style           = true\n  \
         skip_credentials_validation = true\n  skip_metadata_api_check     = true\n  skip_region_validation      = \
         true\n  skip_requesting_account_id  = false\n\n  endpoints {{\n"
    );
    let width = SERVICES.iter().map(|service| service.len()).max().unwrap_or_default();
    for service in SERVICES {
        let _ = writeln!(text, "    {service:width$} = {endpoint:?}");
    }
    text + "  }\n}\n"
}

/// Finds hashicorp/aws, or installs it from the registry. The error states the reason. The result is the same for
/// the whole process.
pub fn find() -> Result<Hashicorp, String> {
    static FOUND: OnceLock<Result<Hashicorp, String>> = OnceLock::new();
    FOUND
        .get_or_init(|| match given() {
            Some(mirror) => Hashicorp::in_mirror(&mirror).ok_or_else(|| {
                let mirror = mirror.display();
                format!(
                    "{VARIABLE} is {mirror}, which has no {ADDRESS} for {}. Set it to the folder that contains \
                     registry.terraform.io",
                    platform()
                )
            }),
            None => install(),
        })
        .clone()
}

/// Returns the mirror in the variable, if it is set.
pub fn given() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the mirror that [`find`] fills from the registry.
fn cache() -> PathBuf {
    private().join("plugins")
}

/// True if [`find`] downloads the provider.
pub fn must_download() -> bool {
    given().is_none() && Hashicorp::in_mirror(&cache()).is_none()
}

/// For tests: finds hashicorp/aws. `None` means that the test must return: the reason is recorded, and `cargo
/// xtask test` prints it after the tests.
///
/// # Panics
/// If the provider is missing although `TANDEM_FULL` or [`VARIABLE`] is set.
pub fn mirror_or_registry() -> Option<Hashicorp> {
    let reason = match find() {
        Ok(found) => return Some(found),
        Err(reason) => reason,
    };
    assert!(given().is_none(), "no hashicorp/aws: {reason}");
    skipped::record("hashicorp/aws", &reason);
    None
}

/// Has `terraform init` install the provider from the public registry into a plugin cache, and returns the cache
/// as a mirror.
fn install() -> Result<Hashicorp, String> {
    let installed = || Hashicorp::in_mirror(&cache());
    if let Some(found) = installed() {
        return Ok(found);
    }
    std::fs::create_dir_all(private()).map_err(|error| error.to_string())?;
    // Other test processes wait here for the same download.
    let lock = File::create(private().join("plugins.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    if let Some(found) = installed() {
        return Ok(found);
    }
    download().map_err(|error| {
        format!(
            "Terraform cannot install it from the registry: {error}. Set {VARIABLE} to a filesystem mirror that \
             contains it"
        )
    })?;
    installed().ok_or_else(|| format!("{} has no provider after the installation", cache().display()))
}

fn download() -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    // A folder of its own: an interrupted download leaves no partial cache.
    let work = tempfile::Builder::new().prefix("plugins").tempdir_in(private()).map_err(text)?;
    let fresh = work.path().join("cache");
    std::fs::create_dir_all(&fresh).map_err(text)?;
    let rc = work.path().join("terraform.rc");
    std::fs::write(&rc, format!("plugin_cache_dir = {:?}\n", fresh.display().to_string())).map_err(text)?;
    std::fs::write(
        work.path().join("main.tf"),
        format!(
            "terraform {{\n  required_providers {{\n    aws = {{\n      source  = \"hashicorp/aws\"\n      version \
             = \"{VERSION}\"\n    }}\n  }}\n}}\n"
        ),
    )
    .map_err(text)?;
    let mut command = Command::new("terraform");
    command.args(["init", "-no-color", "-input=false"]).current_dir(work.path()).stdin(Stdio::null());
    // The developer's settings of Terraform could select another source.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TF_")) {
        command.env_remove(name);
    }
    let output = command.env("TF_CLI_CONFIG_FILE", &rc).env("CHECKPOINT_DISABLE", "1").output();
    let output = output.map_err(|error| format!("terraform: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        // The paragraph after the title has the cause.
        let cause = errors.trim().split("\n\n").nth(1).unwrap_or(&errors);
        let cause = cause.split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(cause.trim_end_matches('.').to_owned());
    }
    std::fs::rename(&fresh, cache()).map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_contains_the_provider_for_this_platform() {
        let mirror = tempfile::tempdir().expect("a folder");
        let folder = mirror.path().join(ADDRESS);
        let found = || Hashicorp::in_mirror(mirror.path()).is_some();
        assert!(!found());
        std::fs::create_dir_all(folder.join("5.0.0/plan9_mips")).expect("a folder");
        assert!(!found());
        std::fs::create_dir_all(folder.join("5.0.0").join(platform())).expect("a folder");
        assert!(found());
        std::fs::remove_dir_all(folder.join("5.0.0")).expect("a folder");
        assert!(!found());
        let zip = format!("terraform-provider-aws_5.0.0_{}.zip", platform());
        std::fs::write(folder.join(zip), "").expect("a file");
        assert!(found());
    }
}
