//! `tandem build`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::Value as Json;
use tandem::handlers::functions;
use tandem::project::HANDLERS;
use tandem::spec::bootstrap;
use tandem::workspace;
use tandem_model::artifact::{self, CodeKind};

use crate::{Failure, Global, Outcome};

/// Options of `build`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder that was generated to; that of the spec without it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// One handler alone
    name: Option<String>,
    /// The architecture of the functions; another than this machine's is built with cargo-lambda
    #[arg(long, value_enum, default_value_t)]
    architecture: Architecture,
    /// Run the handlers' tests first
    #[arg(long)]
    test: bool,
    /// Take the versions of Cargo.lock
    #[arg(long)]
    locked: bool,
}

/// An architecture of Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Architecture {
    #[value(name = "x86_64")]
    X86_64,
    Arm64,
}

impl Default for Architecture {
    fn default() -> Self {
        if std::env::consts::ARCH == "aarch64" { Self::Arm64 } else { Self::X86_64 }
    }
}

pub(crate) fn run(global: &Global, options: &Options) -> Outcome {
    let (source, app) = super::app(global)?;
    let out = options.out.clone().unwrap_or_else(|| super::generate::folder(&source));
    let folder = out.join(HANDLERS);
    let mut names: Vec<String> = functions(&app).into_iter().map(|function| function.name).collect();
    if let Some(name) = &options.name {
        if !names.contains(name) {
            let message = format!("there is no handler `{name}`; there are: {}", names.join(", "));
            return Err(Failure::Usage(message));
        }
        names.retain(|known| known == name);
    }
    if names.is_empty() {
        global.say("no function has its code in Rust beside the spec: nothing to build");
        return Ok(());
    }
    let handlers = names.into_iter().map(|name| Handler::read(&folder, name)).collect::<Result<Vec<_>, _>>()?;
    if options.test {
        cargo(&folder, "test", &handlers, options)?;
    }
    let native = options.architecture == Architecture::default() && cfg!(target_os = "linux");
    if native {
        cargo(&folder, "build", &handlers, options)?;
    } else {
        lambda(&folder, &handlers, options)?;
    }
    let target = target_folder(&folder)?;
    for Handler { name, package } in &handlers {
        let binary = if native {
            target.join("release").join(package)
        } else {
            target.join("lambda").join(package).join("bootstrap")
        };
        let to = folder.join(bootstrap(name));
        let bytes = std::fs::read(&binary).map_err(|error| format!("{}: {error}", binary.display()))?;
        put(&to, &bytes, 0o755)?;
        // The zip depends on nothing but the binary; the provider makes the same.
        let code = artifact::prepare(CodeKind::Bootstrap, &bytes)
            .map_err(|error| format!("{} {error}", binary.display()))?;
        put(&to.with_extension("zip"), &code.zip, 0o644)?;
        global.say(&format!("{name}: {} KiB in {}", bytes.len() / 1024, to.display()));
    }
    Ok(())
}

/// A handler, and the package that it is: the manifest is the user's, and may say another name.
struct Handler {
    name: String,
    package: String,
}

impl Handler {
    fn read(folder: &Path, name: String) -> Result<Self, Failure> {
        let manifest = folder.join(&name).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("there is no {}; run `tandem generate` first", manifest.display())
            }
            _ => format!("{} cannot be read: {error}", manifest.display()),
        })?;
        let package = workspace::package(&text)
            .ok_or_else(|| format!("{} declares no package with a name", manifest.display()))?;
        Ok(Self { name, package })
    }
}

fn cargo(folder: &Path, command: &str, handlers: &[Handler], options: &Options) -> Outcome {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(command).arg("--release").current_dir(folder).args(options.locked.then_some("--locked"));
    handlers.iter().for_each(|handler| {
        cargo.args(["--package", &handler.package]);
    });
    run_command(&mut cargo, "cargo is installed by https://rustup.rs")
}

fn lambda(folder: &Path, handlers: &[Handler], options: &Options) -> Outcome {
    let mut cargo = Command::new("cargo-lambda");
    cargo.args(["lambda", "build", "--release"]).current_dir(folder);
    cargo.args((options.architecture == Architecture::Arm64).then_some("--arm64"));
    handlers.iter().for_each(|handler| {
        cargo.args(["--bin", &handler.package]);
    });
    run_command(&mut cargo, "another architecture is built with cargo-lambda: `pip install cargo-lambda`")
}

fn run_command(command: &mut Command, missing: &str) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Failure::Findings),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::Usage(format!("{} is not there; {missing}", command.get_program().display())))
        }
        Err(error) => Err(Failure::Usage(format!("{}: {error}", command.get_program().display()))),
    }
}

/// Where cargo puts what it builds: the workspace may be another folder, or the user's choice.
fn target_folder(folder: &Path) -> Result<PathBuf, Failure> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(folder);
    let output = cargo.output().map_err(|error| format!("cargo metadata: {error}"))?;
    let metadata: Json = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    let target =
        metadata["target_directory"].as_str().ok_or_else(|| "cargo metadata names no target".to_owned())?;
    Ok(PathBuf::from(target))
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new().prefix(".tandem-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
