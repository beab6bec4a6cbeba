//! The command line of a sweep.

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

/// How often it says what it is doing.
const NEWS: Duration = Duration::from_secs(2);

/// After so many times without news it says again what it is still doing.
const STILL: u32 = 15;

/// Find what a project has in AWS and no Terraform state knows, and remove it
///
/// Everything that the provider makes carries tags that say of which project and of which state it is.
/// What carries those of the project, in this region, and is in the record of no given state is listed:
/// left by an apply that was killed, or by a state that was lost. Nothing is removed without --yes.
///
/// Give the states of every configuration that uses the project, as they are now, and let no apply of the
/// project run meanwhile: what it has just made is not in the state that you gave. A composite that may be
/// worked on is never touched.
#[derive(Debug, clap::Parser)]
#[command(version, bin_name = "terraform-provider-tandem sweep", max_term_width = 100)]
struct Call {
    #[command(flatten)]
    arguments: Arguments,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// End with code 3 when something was found and nothing was to be removed
    #[arg(long)]
    detailed_exitcode: bool,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One line for each object
    #[default]
    Text,
    /// One document
    Json,
}

const MORE: &str = "\
Examples:
  terraform state pull > now.tfstate
  terraform-provider-tandem sweep --project shop-prod --state now.tfstate
  terraform-provider-tandem sweep --project shop-prod --state now.tfstate --yes
  terraform-provider-tandem sweep --project shop-prod --state a.tfstate --state b.tfstate
  terraform-provider-tandem sweep --project shop-prod --format json | jq -r '.objects[].id'

Without a state everything of the project is listed, and with --yes removed.

Exit codes:
  0  nothing was found, all of it was removed, or it was only listed
  1  something could not be looked at, or is left although it was to be removed
  2  the call, a state, or the way to AWS is wrong: nothing was looked at
  3  with --detailed-exitcode: something was found, and only listed

To look at what is found and to delete it takes what `tandem policy` prints. To find it takes,
beside that, on \"*\":
";

fn help() -> String {
    let actions: Vec<&str> = access::sweep().into_iter().collect();
    let lines = actions.chunks(3).map(|some| format!("  {}", some.join(", ")));
    format!("{MORE}{}", lines.collect::<Vec<_>>().join(",\n"))
}

/// Carries out the command; `words` are those of the process.
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
        say("No state is given: everything of the project counts as left over.");
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
        let detail: Vec<String> =
            problem.detail.lines().filter(|line| !line.is_empty()).map(|line| format!("  {line}")).collect();
        say(&format!("error: {of}{}\n{}", problem.summary, detail.join("\n")));
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
        // A reader that has seen enough is no error.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            say(&format!("error: standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::from(report.exit_code(call.detailed_exitcode)),
    }
}

/// The call that removes what this one listed.
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

/// A word as a shell reads it.
fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Prints a line on standard error; when that is closed, nobody reads it.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whoever waits.
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
    /// Says what is being done, of what takes longer.
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

    /// Nothing new begins after the first Ctrl-C; the second ends the process, as the first does when
    /// nothing is changed anyway.
    async fn interrupts(self: Arc<Self>, removes: bool) {
        /// As shells count an interrupt.
        const INTERRUPTED: i32 = 130;
        let _ = tokio::signal::ctrl_c().await;
        if removes {
            self.stopped.store(true, Ordering::SeqCst);
            say("Nothing new is begun. Ctrl-C again ends it at once.");
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
        assert!(Call::try_parse_from(["sweep", "--project", "Shop"]).is_err(), "no name of a project");
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
