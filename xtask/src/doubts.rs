//! `cargo xtask aws-doubts`: asks an account of AWS questions that no document answers. It uses the command line of AWS, so that the
//! answers do not depend on our own client, and removes everything that it makes.

mod account;
mod questions;

use crate::step::{Failure, Result, step};

use self::account::Account;

/// A question that only a real account can answer.
pub(crate) struct Doubt {
    /// A short name.
    pub(crate) name: &'static str,
    /// The question.
    pub(crate) question: &'static str,
    /// What Tandem does as long as there is no answer.
    pub(crate) today: &'static str,
    /// Makes the calls. Returns the answer; the error is a call that should have worked.
    ask: fn(&mut Account) -> std::result::Result<String, String>,
}

pub(crate) use self::questions::DOUBTS;

/// The options of the command.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Make the calls; without it the command only prints the questions
    #[arg(long)]
    yes: bool,
    /// Region; default: that of the AWS configuration
    #[arg(long)]
    region: Option<String>,
    /// Endpoint of an emulator, for a rehearsal
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// ARN of a symmetric KMS key that CloudWatch Logs may use, for the question about access logs; a key cannot be
    /// removed at once, so the command makes none
    #[arg(long, value_name = "ARN")]
    kms_key_arn: Option<String>,
}

/// Asks all questions and prints a table of the answers.
pub(crate) fn run(options: Options) -> Result {
    if !options.yes {
        println!("Questions that only an account of AWS can answer:\n");
        for doubt in DOUBTS {
            println!("- {}: {}", doubt.name, doubt.question);
        }
        println!(
            "\nThe command makes queues, buckets, a stream, a role, a cluster, tasks and an HTTP API whose names begin \
             with `tandem-doubts`, and removes them. It costs less than 0.05 USD.\nRun it with `--yes` to ask."
        );
        return Ok(());
    }
    let Options { region, endpoint_url, kms_key_arn, .. } = options;
    let mut account = Account::new(region, endpoint_url, kms_key_arn)?;
    println!("Account {} in {}; all names begin with `{}`", account.id, account.region, account.prefix);
    let mut answers = Vec::new();
    for doubt in DOUBTS {
        let answer = step(doubt.name, || Ok((doubt.ask)(&mut account)));
        // The objects of a question are removed before the next one begins.
        account.clean_up();
        answers.push((doubt.name, answer?.unwrap_or_else(|error| format!("no answer: {error}"))));
    }
    let width = answers.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    println!("\n{:width$} | answer", "doubt");
    println!("{:-<width$}-|-------", "");
    for (name, answer) in answers {
        println!("{name:width$} | {}", answer.replace('\n', " "));
    }
    println!("\n{} calls", account.calls);
    let left = account.left();
    if left.is_empty() {
        println!("Everything that was made is removed.");
        return Ok(());
    }
    println!("These commands failed. Run them to remove the rest:");
    left.iter().for_each(|command| println!("  {command}"));
    Err(Failure { message: format!("{} objects are left", left.len()), code: 1 })
}
