//! A release build in a filesystem mirror.

use std::path::PathBuf;

use tandem_testkit::cargo::cargo;
use tandem_testkit::environment::{platform, private, root};

use crate::step::{Result, quiet, step};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the provider for release. Returns the path of the binary.
pub(crate) fn release() -> Result<PathBuf> {
    step("Building the provider for release (several minutes when cold)", || {
        quiet(&mut cargo(&["build", "--release", "-p", "terraform-provider-tandem"]))
    })?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release/terraform-provider-tandem"))
}

/// The registries of Terraform and OpenTofu.
const HOSTS: [&str; 2] = ["registry.terraform.io", "registry.opentofu.org"];

/// The path of the provider's binary in a mirror.
fn program(mirror: &std::path::Path, host: &str) -> PathBuf {
    let folder = mirror.join(host).join("tandem/tandem").join(VERSION).join(platform());
    folder.join(format!("terraform-provider-tandem_v{VERSION}"))
}

/// Puts a binary into a mirror, for Terraform and OpenTofu.
pub(crate) fn put(binary: &std::path::Path, mirror: &std::path::Path) -> Result {
    for target in HOSTS.map(|host| program(mirror, host)) {
        std::fs::create_dir_all(target.parent().unwrap_or(mirror))?;
        // A running provider keeps its open file; the new file gets the name.
        let _ = std::fs::remove_file(&target);
        std::fs::copy(binary, target)?;
    }
    Ok(())
}

/// The CLI configuration for a mirror.
pub(crate) fn configuration(mirror: &std::path::Path) -> String {
    format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path    = {:?}\n    include = [\"registry.terraform.io/tandem/*\", \
         \"registry.opentofu.org/tandem/*\"]\n  }}\n  direct {{\n    exclude = [\"registry.terraform.io/tandem/*\", \
         \"registry.opentofu.org/tandem/*\"]\n  }}\n}}\n",
        mirror.display().to_string()
    )
}

pub(crate) fn run(mirror: Option<PathBuf>) -> Result {
    let mirror = std::path::absolute(mirror.unwrap_or_else(|| private().join("mirror")))?;
    let binary = release()?;
    put(&binary, &mirror)?;
    eprintln!(
        "\nThe path of the binary, for commands such as `sweep`:\n\n  provider='{}'",
        program(&mirror, HOSTS[0]).display()
    );
    eprintln!(
        "\nThe provider is in {}. Put this into ~/.terraformrc, or into the file that TF_CLI_CONFIG_FILE names:\n",
        mirror.display()
    );
    print!("{}", configuration(&mirror));
    Ok(())
}
