//! The command line of `tandem`.

mod commands;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use serde_json::json;
use tandem::diagnostic::{Color, Diagnostic};
use tandem::project::Part;
use tandem::source::Source;

/// From one spec to Terraform modules and Rust Lambda handlers.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  tandem init --example video-thumbnailer   a spec to start from
  tandem check                              all that is wrong with it, at once
  tandem generate                           modules in terraform/, handlers in handlers/
  tandem build                              handlers for Lambda
  cd terraform/examples/complete && terraform init && terraform apply

Exit codes: 0, well; 1, something is wrong with the spec or what was generated; 2, with the call or a file."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// The spec
    #[arg(long, short = 'f', global = true, default_value = "tandem.yaml", value_name = "FILE")]
    file: PathBuf,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t)]
    color: Color,
    /// Print nothing but what is wrong
    #[arg(long, short, global = true)]
    quiet: bool,
    /// How findings are printed, or the picture of `graph`
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

/// How findings are printed, or a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, on standard error
    #[default]
    Text,
    /// For programs: findings as one document on standard output
    Json,
    /// A picture for Markdown, as `graph` draws it without a format
    Mermaid,
    /// A picture for Graphviz
    Dot,
    /// A picture as an image
    Svg,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a spec to start from
    #[command(after_help = "Example:\n  tandem init --example video-thumbnailer")]
    Init {
        /// Which
        #[arg(long, value_enum, default_value_t)]
        example: commands::init::Example,
    },
    /// Say all that is wrong with the spec
    #[command(
        after_help = "Examples:\n  tandem check\n  tandem check --format json | jq '.findings[].message'"
    )]
    Check,
    /// Write Terraform modules and Rust handlers
    #[command(after_help = "\
Examples:
  tandem generate
  tandem generate --check                        for CI: fails when files are out of date
  tandem generate --only modules --out infra/app into an existing repository")]
    Generate(commands::generate::Options),
    /// Add a function to the spec, and its handler
    #[command(
        after_help = "Examples:\n  tandem add function notify --on bucket=inbox,suffix=.jpg\n  tandem add function nightly --on 'schedule=cron(0 3 * * ? *)'"
    )]
    Add(commands::add::Options),
    /// Build the handlers for Lambda
    #[command(
        after_help = "Example:\n  tandem build\n\nPuts `bootstrap` and `bootstrap.zip` of each handler into handlers/target/lambda/NAME/. The same binary gives the same zip."
    )]
    Build(commands::build::Options),
    /// Draw the application
    #[command(
        after_help = "Examples:\n  tandem graph\n  tandem graph --format svg > app.svg\n  tandem graph --format dot | dot -Tpng > app.png"
    )]
    Graph,
    /// Print the IAM policy that whoever deploys the spec needs
    #[command(after_help = "\
Examples:
  tandem policy --account 123456789012 --region eu-central-1 > deploy.json
  tandem policy | jq -c . | wc -c     IAM takes 6,144 characters in one managed policy

It is for modules of the flavour composite: it names every call that the provider makes, on the objects of
this spec alone where IAM can tell them apart. hashicorp/aws, behind modules of the flavour native, reads
more of each object than it sets.")]
    Policy(commands::policy::Options),
    /// Print the JSON Schema of specs
    #[command(
        after_help = "Example:\n  tandem schema > tandem.schema.json\n\nThen begin the spec with: # yaml-language-server: $schema=tandem.schema.json"
    )]
    Schema,
    /// Templates of what is generated
    Templates {
        #[command(subcommand)]
        command: Templates,
    },
    /// Tell more about the code of a finding
    #[command(after_help = "Example:\n  tandem explain TDM022")]
    Explain {
        /// The code; all of them without it
        code: Option<String>,
    },
    /// Print completions for a shell
    #[command(after_help = "Example:\n  tandem completions bash > /etc/bash_completion.d/tandem")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
enum Templates {
    /// Write the built-in templates, to change them and give them to `generate --templates`
    #[command(after_help = "Example:\n  tandem templates export my-templates")]
    Export {
        /// The folder
        #[arg(default_value = "templates")]
        folder: PathBuf,
    },
}

/// How a command ends.
#[derive(Debug)]
enum Failure {
    /// Findings were printed.
    Findings,
    /// The call or a file is wrong.
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
        match std::fs::read_to_string(&self.file) {
            Ok(text) => Ok(Source { path: self.file.clone(), text }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::Usage(format!(
                "there is no {}; `tandem init` writes one, `--file` names another",
                self.file.display()
            ))),
            Err(error) => Err(Failure::Usage(format!("{} cannot be read: {error}", self.file.display()))),
        }
    }

    /// Prints findings; an error among them ends the command.
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

    /// Says what was done.
    fn say(&self, text: &str) {
        if !self.quiet && self.format != Format::Json {
            note(text);
        }
    }

    /// Prints a result; a reader that has seen enough is no error.
    #[allow(clippy::unused_self, reason = "every command prints through its options")]
    fn print(&self, text: &str) -> Outcome {
        match std::io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::Usage(format!("standard output: {error}")))
            }
            _ => Ok(()),
        }
    }
}

/// A line on standard error; nobody there to read it is no error.
fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let global = &cli.global;
    let picture = matches!(global.format, Format::Mermaid | Format::Dot | Format::Svg);
    if picture && !matches!(cli.command, Command::Graph) {
        note("error: only `graph` draws pictures; give `--format text` or `json`");
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
