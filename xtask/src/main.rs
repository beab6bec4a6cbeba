//! The project's own commands.

mod aws_facts;
mod bench;
mod build;
mod check;
mod crash;
mod demo;
mod docs;
mod doubts;
mod install;
mod modules;
mod peers;
mod prose;
mod setup;
mod step;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands to develop Tandem. They install everything they need into the private folder `.tandem`.
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
    /// Run an example on an emulator of AWS: apply, send real input, show the result, destroy
    Demo {
        /// Name of the example
        #[arg(value_parser = demo::names(), default_value = "video-thumbnailer")]
        example: String,
        /// Leave everything running, and print the commands to continue by hand
        #[arg(long)]
        keep: bool,
        /// Print the examples
        #[arg(long, conflicts_with = "keep")]
        list: bool,
    },
    /// Run all checks and tests
    Test {
        /// Run only tests whose name contains this string
        filter: Option<String>,
        /// Run every case in place of samples, the tests of the example programs, the whole crash matrix and its planted defects; takes hours
        #[arg(long)]
        full: bool,
    },
    /// Break every call of every operation of every composite, and write `docs/guides/reliability.md`; an interrupted run continues
    CrashReport,
    /// Plant defects in a copy of the engine: the crash matrix must detect each
    Defects {
        /// Plant only defects whose description contains this string
        filter: Option<String>,
    },
    /// Install the emulators that demo and tests need into the private folder
    Setup,
    /// Build the provider for release into a filesystem mirror, and print the CLI configuration for it
    Install {
        /// Folder of the mirror
        #[arg(long, value_name = "FOLDER")]
        mirror: Option<std::path::PathBuf>,
    },
    /// Write the generated pages of `docs/`: resources, codes, the index
    Docs {
        /// Check that the pages are up to date, and write nothing
        #[arg(long)]
        check: bool,
    },
    /// Write the data that AWS publishes: limits of the fields of kinds, partitions, and the models of requests for tests
    AwsFacts {
        /// Check that the file is up to date, and write nothing
        #[arg(long)]
        check: bool,
    },
    /// Ask an account of AWS questions that no document answers; everything that is made is removed
    #[command(
        after_help = "Examples:\n  cargo xtask aws-doubts                              print the questions\n  cargo xtask aws-doubts --yes --region eu-central-1"
    )]
    AwsDoubts(doubts::Options),
    /// Write `modules/` and the generated parts of the examples from the specs of the examples
    Modules,
    /// Check the language of documentation, comments and messages against `docs/STYLE.md`, and the spelling
    Prose,
    /// Measure the release build: start, memory, `terraform validate`
    Bench {
        /// Compare with hashicorp/aws instead: both create the same objects on an emulator, in turns
        #[arg(long)]
        peers: bool,
        /// The number of rounds
        #[arg(long, requires = "peers", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
        rounds: u8,
        /// Use the dev build of the provider, to try the comparison out
        #[arg(long, requires = "peers")]
        dev: bool,
    },
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
        Command::AwsFacts { check } => aws_facts::run(check),
        Command::AwsDoubts(options) => doubts::run(options),
        Command::Modules => modules::run(),
        Command::Prose => prose::run(),
        Command::Bench { peers: false, .. } => bench::run(),
        Command::Bench { rounds, dev, .. } => peers::run(usize::from(rounds), dev),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
