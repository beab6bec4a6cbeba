//! The command line of `sweep`.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use tandem_model::access;

use super::{Arguments, Refusal, Watch, sweep};
use crate::config::Outside;
use crate::remedy;

/// Interval at which a new progress message is printed.
const NEWS: Duration = Duration::from_secs(2);

/// Number of intervals after which an unchanged progress message is printed again.
const STILL: u32 = 15;

/// Find the AWS objects of a project that no Terraform state records, and delete them with --yes
///
/// The provider tags the objects that it creates with their project and state. `sweep` lists the objects of
/// the project, in one region and account, that are in no state passed with --state. Such orphaned objects
/// remain after an interrupted apply or a lost state. Nothing is deleted without --yes.
///
/// Pass --state once for every state of the project: an object that is in none of them is deleted. Pull the
/// states just before, and run no apply of the project meanwhile, because its new objects are not in the
/// files you pass. A composite that an apply may be working on is never changed.
#[derive(Debug, clap::Parser)]
#[command(version, bin_name = "terraform-provider-tandem sweep", max_term_width = 100)]
struct Call {
    #[command(flatten)]
    arguments: Arguments,
    /// Format of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exit with code 3 if orphaned objects were found and --yes was not passed
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Format of the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One line per object
    #[default]
    Text,
    /// One JSON document
    Json,
}

const MORE: &str = "\
Examples:
  terraform state pull > now.tfstate
  terraform-provider-tandem sweep --project shop-prod --state now.tfstate
  terraform-provider-tandem sweep --project shop-prod --state now.tfstate --yes
  terraform-provider-tandem sweep --project shop-prod --state a.tfstate --state b.tfstate
  terraform-provider-tandem sweep --project shop-prod --format json | jq -r '.objects[].id'

Without --state, every object of the project counts as orphaned, including objects in use.

Exit codes:
  0  no orphaned object was found, all were deleted, or they were only listed
  1  an object could not be checked, or could not be deleted
  2  an option, a state file or the AWS credentials are wrong: nothing was checked
  3  with --detailed-exitcode: orphaned objects were found and only listed

IAM permissions: the policy that `tandem policy` prints, and these actions on \"*\", which list
the objects:
";

fn help() -> String {
    let actions: Vec<&str> = access::sweep().into_iter().collect();
    let lines = actions.chunks(3).map(|some| format!("  {}", some.join(", ")));
    format!("{MORE}{}", lines.collect::<Vec<_>>().join(",\n"))
}

/// Runs the command. `words` are the arguments of the process, with the program name first.
pub async fn run(words: Vec<OsString>) -> ExitCode {
    let mut command = Call::command().after_help(help());
    let call = command.try_get_matches_from_mut(words.iter().skip(1));
    let call = match call.and_then(|matches| Call::from_arg_matches(&matches)) {
        Ok(call) => call,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if call.arguments.remove && call.arguments.states.is_empty() {
        say(
            "warning: no --state was passed: --yes deletes every object of the project, including objects in use.",
        );
    }
    crate::log();
    let terminal = Arc::new(Terminal::default());
    let news = tokio::spawn(terminal.clone().news());
    let interrupts = tokio::spawn(terminal.clone().interrupts(call.arguments.remove));
    let swept = sweep(Outside::default(), &call.arguments, &*terminal).await;
    news.abort();
    interrupts.abort();
    let report = match swept {
        Ok(report) => report,
        Err(Refusal(message)) => {
            say(&format!("error: {message}"));
            return ExitCode::from(2);
        }
    };
    for (owner, problem) in report.problems() {
        let of = owner.map(|owner| format!("{owner}: ")).unwrap_or_default();
        let detail: Vec<String> = remedy::with_code(problem)
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| format!("  {line}"))
            .collect();
        say(&format!("error: {of}{}\n{}", problem.fact, detail.join("\n")));
    }
    let again = again(words.first(), &call.arguments);
    let text = match call.format {
        Format::Text => {
            let quoted: Vec<String> = again.iter().map(|word| quote(word)).collect();
            report.text(&quoted.join(" "))
        }
        Format::Json => format!("{:#}\n", report.json(&again)),
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // A closed pipe is no error, e.g. of `head`.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::from(report.exit_code(call.detailed_exitcode)),
    }
}

/// The command that deletes the objects that this call listed.
fn again(program: Option<&OsString>, arguments: &Arguments) -> Vec<String> {
    let program = program.map_or("terraform-provider-tandem".into(), |program| program.to_string_lossy());
    let mut words = vec![program.into_owned(), "sweep".to_owned()];
    let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
    add("--project", &arguments.project);
    for state in &arguments.states {
        add("--state", &state.to_string_lossy());
    }
    let place = [
        ("--region", &arguments.region),
        ("--profile", &arguments.profile),
        ("--endpoint", &arguments.endpoint),
    ];
    for (option, value) in place {
        if let Some(value) = value {
            add(option, value);
        }
    }
    if arguments.force_destroy {
        words.push("--force-destroy".to_owned());
    }
    words.push("--yes".to_owned());
    words
}

/// Quotes a word for a POSIX shell.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Prints a line to standard error, and ignores that it may be closed.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The terminal: prints progress and handles Ctrl-C.
#[derive(Default)]
struct Terminal {
    doing: Mutex<String>,
    stopped: AtomicBool,
}

impl Watch for Terminal {
    fn progress(&self, text: String) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

impl Terminal {
    /// Prints the current step of a sweep that takes longer than the interval.
    async fn news(self: Arc<Self>) {
        let (mut said, mut silent) = (String::new(), 0);
        loop {
            tokio::time::sleep(NEWS).await;
            let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone();
            silent += 1;
            if !doing.is_empty() && (doing != said || silent >= STILL) {
                say(&format!("… {doing}"));
                (said, silent) = (doing, 0);
            }
        }
    }

    /// With `removes`, no new step starts after the first Ctrl-C, and the second one exits. Otherwise the
    /// first one exits.
    async fn interrupts(self: Arc<Self>, removes: bool) {
        /// Exit code of a process that SIGINT ended: 128 + 2.
        const INTERRUPTED: i32 = 130;
        let _ = tokio::signal::ctrl_c().await;
        if removes {
            self.stopped.store(true, Ordering::SeqCst);
            say("Stopping after the calls in progress. Press Ctrl-C again to stop at once.");
            let _ = tokio::signal::ctrl_c().await;
        }
        std::process::exit(INTERRUPTED);
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use clap::Parser as _;

    #[test]
    fn the_command_line_is_sound() {
        Call::command().debug_assert();
        assert!(help().contains("iam:ListRoles"));
        assert!(Call::try_parse_from(["sweep"]).is_err(), "--project is required");
        assert!(
            Call::try_parse_from(["sweep", "--project", "Shop"]).is_err(),
            "`Shop` is not a valid project name"
        );
    }

    #[test]
    fn the_call_that_removes_is_the_same_call() {
        let words = ["sweep", "--project", "shop", "--state", "my state", "--state", "b", "--region", "r"];
        let call = Call::try_parse_from(words).expect("a call");
        assert!(!call.arguments.remove && call.format == Format::Text);
        let again = again(Some(&"./tf".into()), &call.arguments);
        let quoted: Vec<String> = again.iter().map(|word| quote(word)).collect();
        let expected = "./tf sweep --project shop --state 'my state' --state b --region r --yes";
        assert_eq!(quoted.join(" "), expected);
        assert!(Call::try_parse_from(&again[1..]).expect("a call").arguments.remove);
        assert_eq!(quote("it's"), "'it'\\''s'");
    }
}
