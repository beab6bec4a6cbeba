//! The project's own commands.

mod bench;
mod check;
mod crash;
mod demo;
mod docs;
mod install;
mod modules;
mod setup;
mod step;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tandem's own commands: everything they need is installed into the private folder `.tandem`.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --list\n  cargo xtask demo route-counter\n  cargo xtask test\n  cargo xtask install"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run an example on an emulator of AWS: apply, real input, what comes of it, destroy
    Demo {
        /// Which
        #[arg(value_parser = demo::names(), default_value = "video-thumbnailer")]
        example: String,
        /// Leave everything running, and say how to go on by hand
        #[arg(long)]
        keep: bool,
        /// Only print what there is
        #[arg(long, conflicts_with = "keep")]
        list: bool,
    },
    /// Run all checks and tests
    Test {
        /// Only tests whose name contains this
        filter: Option<String>,
        /// Everything where tests take a sample otherwise, the tests of the examples' own programs, the whole crash matrix, and its defects: hours
        #[arg(long)]
        full: bool,
    },
    /// Break every call of every operation of every composite, and write `docs/reliability.md`: an interrupted run goes on where it was
    CrashReport,
    /// Plant defects into a copy of the engine: the crash matrix must see each
    Defects {
        /// Only those whose description contains this
        filter: Option<String>,
    },
    /// Install the emulators that demo and tests need into the private folder
    Setup,
    /// Build the provider for release into a filesystem mirror, and print the CLI configuration for it
    Install {
        /// The mirror
        #[arg(long, value_name = "FOLDER")]
        mirror: Option<std::path::PathBuf>,
    },
    /// Write `docs/` from the provider's schema
    Docs {
        /// Only say whether they are up to date
        #[arg(long)]
        check: bool,
    },
    /// Write `modules/` and the generated parts of the examples from their specs
    Modules,
    /// Measure the release build: start, memory, `terraform validate`
    Bench,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo { list: true, .. } => {
            demo::list();
            Ok(())
        }
        Command::Demo { example, keep, .. } => demo::run(&example, keep),
        Command::Test { filter, full } => check::run(filter.as_deref(), full),
        Command::CrashReport => crash::report(),
        Command::Defects { filter } => crash::defects(filter.as_deref()),
        Command::Setup => setup::everything(),
        Command::Install { mirror } => install::run(mirror),
        Command::Docs { check } => docs::run(check),
        Command::Modules => modules::run(),
        Command::Bench => bench::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
