//! The command line of `tandem`.

mod commands;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use serde_json::json;
use tandem::diagnostic::{Color, Diagnostic};
use tandem::project::Part;
use tandem::source::{self, Source};

/// Generate Terraform modules and Rust Lambda handlers from one spec.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  tandem init --example video-thumbnailer   write an example project
  tandem check                              report all errors of the spec
  tandem generate                           write modules to terraform/, handlers to handlers/
  tandem build                              build the handlers for Lambda
  cd terraform/examples/complete && terraform init && terraform apply

Exit codes: 0 success; 1 errors in the spec or in generated files; 2 wrong usage, or a file error."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// The default of `--file`.
const DEFAULT_SPEC: &str = "tandem.yaml";

/// Options of all commands.
#[derive(Debug, Args)]
struct Global {
    /// Path of the spec, e.g. `infra/tandem.yaml`
    #[arg(long, short = 'f', global = true, default_value = DEFAULT_SPEC, value_name = "FILE")]
    file: PathBuf,
    /// When to use colors
    #[arg(long, global = true, value_enum, default_value_t)]
    color: Color,
    /// Print findings and results only
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Format of the findings, or of the diagram of `graph`
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

/// The format of findings or of a diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Findings as text on standard error
    #[default]
    Text,
    /// Findings as one JSON document on standard output
    Json,
    /// Diagram for Markdown; the default of `graph`
    Mermaid,
    /// Diagram for Graphviz
    Dot,
    /// Diagram as an image
    Svg,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write an example project to start from
    #[command(
        after_help = "Examples:\n  tandem init\n  tandem init --example video-thumbnailer   with a container"
    )]
    Init {
        /// Example to copy
        #[arg(long, value_enum, default_value_t)]
        example: commands::init::Example,
    },
    /// Report all errors and warnings of the spec
    #[command(
        after_help = "Examples:\n  tandem check\n  tandem check --format json | jq '.findings[].message'"
    )]
    Check,
    /// Write Terraform modules and Rust handlers
    #[command(after_help = "\
Examples:
  tandem generate
  tandem generate --check                          in CI: fail if a file is out of date
  tandem generate --only modules --out infra/app   modules for an existing repository")]
    Generate(commands::generate::Options),
    /// Add an entry to the spec, and generate its files
    #[command(
        subcommand,
        after_help = "\
Examples:
  tandem add function notify --on bucket=inbox,suffix=.jpg
  tandem add function nightly --on 'schedule=cron(0 3 * * ? *)' --set memory_size=512
  tandem add table routes --set key=id
  tandem add queue jobs --set fifo=true
  tandem add task ffmpeg --set build.context=container
  tandem add function --help                 the inputs of a function"
    )]
    Add(commands::add::Options),
    /// Build the handlers for Lambda
    #[command(
        after_help = "Example:\n  tandem build\n\nWrites `bootstrap` and `bootstrap.zip` of each handler to handlers/target/lambda/NAME/. The same binary gives the same zip."
    )]
    Build(commands::build::Options),
    /// Draw the application as Mermaid, Graphviz or SVG
    #[command(
        after_help = "Examples:\n  tandem graph\n  tandem graph --format svg > app.svg\n  tandem graph --format dot | dot -Tpng > app.png"
    )]
    Graph,
    /// Print the IAM policy that a deployment of the spec needs
    #[command(after_help = "\
Examples:
  tandem policy --account 123456789012 --region eu-central-1 > deploy.json
  tandem policy | jq '.[0]' > deploy-1.json     Of a list: the application needs more than one managed policy

The policy is for modules of the flavor composite. It allows the calls of the provider, restricted
to the objects of this spec where IAM supports that. Native modules need more permissions, because
hashicorp/aws reads settings that it does not set. Their project is always the name of the app.")]
    Policy(commands::policy::Options),
    /// Print the JSON Schema of the spec, for editors
    #[command(
        after_help = "Example:\n  tandem schema > tandem.schema.json\n\nThen start the spec with: # yaml-language-server: $schema=tandem.schema.json"
    )]
    Schema,
    /// Export the templates of generated files
    Templates {
        #[command(subcommand)]
        command: Templates,
    },
    /// Explain the code of a finding, with an example of the error and of the fix
    #[command(after_help = "Example:\n  tandem explain TDM022")]
    Explain {
        /// Code, e.g. `TDM022`; default: list all codes
        code: Option<String>,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  tandem completions bash > /etc/bash_completion.d/tandem")]
    Completions {
        /// Shell, e.g. `bash`
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Templates {
    /// Write the built-in templates to a folder; pass it to `generate --templates`
    #[command(after_help = "Example:\n  tandem templates export my-templates")]
    Export {
        /// Folder to write to, e.g. `my-templates`
        #[arg(default_value = "templates")]
        folder: PathBuf,
    },
}

/// The failure of a command.
#[derive(Debug)]
enum Failure {
    /// Findings were printed.
    Findings,
    /// Wrong usage, or a file error.
    Usage(String),
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Usage(message)
    }
}

type Outcome = Result<(), Failure>;

impl Global {
    fn source(&self) -> Result<Source, Failure> {
        let path = self.file.display();
        match std::fs::read(&self.file).map(source::decode) {
            Ok(Ok(text)) => Ok(Source { path: self.file.clone(), text }),
            Ok(Err(message)) => Err(Failure::Usage(format!("cannot read {path}: {message}"))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::Usage(format!(
                "{path} does not exist. Run `tandem init` to create it, or pass another path with `--file`"
            ))),
            Err(error) => Err(Failure::Usage(format!("cannot read {path}: {error}"))),
        }
    }

    /// Prints findings. If one is an error, the command fails.
    fn report(&self, source: &Source, diagnostics: &[Diagnostic]) -> Outcome {
        if self.format == Format::Json {
            let findings: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.to_json(source)).collect();
            self.print(&format!("{:#}\n", json!({ "findings": findings })))?;
        } else {
            let color = self.color.enabled();
            for diagnostic in diagnostics {
                note(&format!("{}\n", diagnostic.render(source, color)));
            }
            let (errors, warnings) = tandem::spec::counts(diagnostics);
            let plural =
                |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
            if errors + warnings > 0 {
                note(&format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")));
            }
        }
        if diagnostics.iter().any(Diagnostic::is_error) { Err(Failure::Findings) } else { Ok(()) }
    }

    /// Prints progress.
    fn say(&self, text: &str) {
        if !self.quiet && self.format != Format::Json {
            note(text);
        }
    }

    /// Prints a result. A closed pipe (`tandem graph | head -1`) is not an error.
    #[allow(clippy::unused_self, reason = "a method, like the other output functions")]
    fn print(&self, text: &str) -> Outcome {
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::Usage(format!("standard output: {error}")))
            }
            _ => Ok(()),
        }
    }
}

/// Prints a line on standard error. A closed standard error is not an error.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The command line. The options of all commands appear in `tandem --help` only.
fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    let global: Vec<clap::Id> =
        command.get_arguments().filter(|arg| arg.is_global_set()).map(|arg| arg.get_id().clone()).collect();
    without(command, &global, true)
}

fn without(command: clap::Command, hidden: &[clap::Id], top: bool) -> clap::Command {
    let command = command.mut_subcommands(|command| without(command, hidden, false));
    if top {
        return command;
    }
    let command = command.mut_args(|arg| if hidden.contains(arg.get_id()) { arg.hide(true) } else { arg });
    let note = "Options of all commands (--file, --format, --quiet, --color): see `tandem --help`";
    match command.get_after_help().map(ToString::to_string) {
        Some(help) => command.after_help(format!("{help}\n\n{note}")),
        None => command.after_help(note),
    }
}

fn main() -> ExitCode {
    let cli = match Cli::from_arg_matches(&command().get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let global = &cli.global;
    let picture = matches!(global.format, Format::Mermaid | Format::Dot | Format::Svg);
    if picture && !matches!(cli.command, Command::Graph) {
        note("error: only `graph` draws diagrams. Pass `--format text` or `--format json`");
        return ExitCode::from(2);
    }
    let outcome = match &cli.command {
        Command::Init { example } => commands::init::run(global, *example),
        Command::Check => commands::check(global),
        Command::Generate(options) => commands::generate::run(global, options),
        Command::Add(options) => commands::add::run(global, options),
        Command::Build(options) => commands::build::run(global, options),
        Command::Graph => commands::graph(global),
        Command::Policy(options) => commands::policy::run(global, options),
        Command::Schema => global.print(&format!("{:#}\n", tandem::schema::schema())),
        Command::Templates { command: Templates::Export { folder } } => commands::export(global, folder),
        Command::Explain { code } => commands::explain(global, code.as_deref()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "tandem", &mut script);
            global.print(&String::from_utf8_lossy(&script))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Findings) => ExitCode::from(1),
        Err(Failure::Usage(message)) => {
            note(&format!("error: {message}"));
            ExitCode::from(2)
        }
    }
}
