//! `tandem build`

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use clap::Args;
use serde_json::Value as Json;
use tandem::handlers::functions;
use tandem::output;
use tandem::project::HANDLERS;
use tandem::spec::bootstrap;
use tandem_model::artifact::{self, CodeKind};

use crate::{Failure, Global, Outcome};

/// Options of `build`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Output folder of `tandem generate`, e.g. `infra`; default: the folder of the spec
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Handler to build, e.g. `notify`; default: all handlers
    name: Option<String>,
    /// Architecture of the functions; a cross build needs cargo-lambda
    #[arg(long, value_enum, default_value_t)]
    architecture: Architecture,
    /// Run the tests of the handlers before the build
    #[arg(long)]
    test: bool,
    /// Fail if `Cargo.lock` is out of date
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
            let message = format!("there is no handler `{name}`. Use one of: {}", names.join(", "));
            return Err(Failure::Usage(message));
        }
        names.retain(|known| known == name);
    }
    if names.is_empty() {
        global.say("nothing to build: the spec has no function with a Rust handler");
        return Ok(());
    }
    let metadata = metadata(&folder, &names)?;
    let handlers = names
        .into_iter()
        .map(|name| Handler::find(&folder, name, &metadata))
        .collect::<Result<Vec<_>, _>>()?;
    if options.test {
        // Tests run without optimizations, which would take minutes.
        run_command(&mut cargo(&folder, "test", &handlers, options), RUSTUP)?;
    }
    let native = options.architecture == Architecture::default() && cfg!(target_os = "linux");
    let target = Path::new(metadata["target_directory"].as_str().unwrap_or_default());
    let binaries = if native {
        build(&folder, &handlers, options)?
    } else {
        lambda(&folder, &handlers, options)?;
        let binary = |handler: &Handler| target.join("lambda").join(&handler.package).join("bootstrap");
        handlers.iter().map(binary).collect()
    };
    for (handler, binary) in handlers.iter().zip(binaries) {
        let to = folder.join(bootstrap(&handler.name));
        let bytes = std::fs::read(&binary).map_err(|error| format!("{}: {error}", binary.display()))?;
        let put = |path: &Path, content: &[u8], mode| {
            output::put(path, content, Some(mode)).map_err(|error| format!("{}: {error}", path.display()))
        };
        // The zip depends on the binary only: the provider creates the same zip from the same binary. An
        // unusable binary is put nowhere, so that no plan finds it.
        let code = artifact::prepare(CodeKind::Bootstrap, &bytes)
            .map_err(|error| format!("{} {error}", binary.display()))?;
        put(&to, &bytes, 0o755)?;
        put(&to.with_extension("zip"), &code.zip, 0o644)?;
        global.say(&format!("{}: {} KiB in {}", handler.name, bytes.len() / 1024, to.display()));
    }
    Ok(())
}

/// A handler and its package. The manifest belongs to the user, so the package can have another name.
struct Handler {
    name: String,
    package: String,
    /// Package id of cargo. It is unique among all packages, including dependencies.
    id: String,
}

impl Handler {
    fn find(folder: &Path, name: String, metadata: &Json) -> Result<Self, Failure> {
        let manifest = folder.join(&name).join("Cargo.toml");
        let real = manifest.canonicalize().unwrap_or_else(|_| manifest.clone());
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let found = packages
            .into_iter()
            .find(|package| package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == real));
        let text = |field: &str| found.and_then(|found| found[field].as_str()).map(ToOwned::to_owned);
        match (text("name"), text("id")) {
            (Some(package), Some(id)) => Ok(Self { name, package, id }),
            _ => Err(Failure::Usage(format!(
                "{} is not a member of its workspace. Run `tandem generate` to add it",
                manifest.display()
            ))),
        }
    }
}

fn cargo(folder: &Path, command: &str, handlers: &[Handler], options: &Options) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(command).current_dir(folder).args(options.locked.then_some("--locked"));
    handlers.iter().for_each(|handler| {
        cargo.args(["--package", &handler.id]);
    });
    cargo
}

/// Builds the handlers in the release profile. Returns the paths of the binaries from the messages of cargo,
/// because the user's configuration can change the target folder.
fn build(folder: &Path, handlers: &[Handler], options: &Options) -> Result<Vec<PathBuf>, Failure> {
    let mut command = cargo(folder, "build", handlers, options);
    command.args(["--release", "--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    let output = command.spawn().and_then(Child::wait_with_output);
    let output = ended(&command, output.map(|output| (output.status, output.stdout)), RUSTUP)?;
    let messages: Vec<Json> =
        output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let binary = |handler: &Handler| {
        let of_handler = |message: &&Json| message["package_id"] == handler.id.as_str();
        let binary = |message: &Json| {
            Some((message["target"]["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
        };
        let binaries: Vec<(String, PathBuf)> =
            messages.iter().filter(of_handler).filter_map(binary).collect();
        // A package can have more binaries than the handler.
        let own = binaries.iter().find(|(name, _)| *name == handler.package).or(binaries.first());
        own.map(|(_, path)| path.clone()).ok_or_else(|| {
            Failure::Usage(format!("`{}` has no binary. Add `src/main.rs` to its package", handler.name))
        })
    };
    handlers.iter().map(binary).collect()
}

const RUSTUP: &str = "Install Rust from https://rustup.rs";

fn lambda(folder: &Path, handlers: &[Handler], options: &Options) -> Outcome {
    let mut cargo = Command::new("cargo-lambda");
    cargo.args(["lambda", "build", "--release"]).current_dir(folder);
    cargo.args((options.architecture == Architecture::Arm64).then_some("--arm64"));
    handlers.iter().for_each(|handler| {
        cargo.args(["--bin", &handler.package]);
    });
    run_command(&mut cargo, "Install cargo-lambda for cross builds: `pip install cargo-lambda`")
}

fn run_command(command: &mut Command, missing: &str) -> Outcome {
    let status = command.status();
    ended(command, status.map(|status| (status, ())), missing)
}

/// The result of a program that succeeded. A program that failed has printed its own message.
///
/// `missing` is the remedy if the program is not installed.
fn ended<T>(
    command: &Command,
    result: std::io::Result<(ExitStatus, T)>,
    missing: &str,
) -> Result<T, Failure> {
    match result {
        Ok((status, given)) if status.success() => Ok(given),
        Ok(_) => Err(Failure::Findings),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::Usage(format!("{} is not installed. {missing}", command.get_program().display())))
        }
        Err(error) => Err(Failure::Usage(format!("{}: {error}", command.get_program().display()))),
    }
}

/// The output of `cargo metadata` for the workspace of the handlers: its packages and its target folder.
fn metadata(folder: &Path, names: &[String]) -> Result<Json, Failure> {
    if let Some(missing) = names.iter().find(|name| !folder.join(name).join("Cargo.toml").exists()) {
        let path = folder.join(missing);
        return Err(Failure::Usage(format!(
            "{} does not exist. Run `tandem generate` first",
            path.display()
        )));
    }
    // The workspace can be in a parent folder: cargo finds it from the folder of a handler.
    let within = names.first().map_or_else(|| folder.to_owned(), |name| folder.join(name));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(within);
    let output = cargo.output().map_err(|error| format!("cargo metadata: {error}"))?;
    serde_json::from_slice(&output.stdout).map_err(|_| {
        Failure::Usage(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()))
    })
}
