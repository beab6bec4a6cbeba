//! Examples on an emulator, from nothing to nothing.

mod upload_notice;
mod video_thumbnailer;

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tandem_tests::calls::Account;
use tandem_tests::emulator::{Emulator, Settings};
use tandem_tests::environment::{Packages, copy, private};

use crate::step::{Result, quiet, step};
use crate::{install, setup};

/// An example that can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Example {
    /// A video becomes a thumbnail: functions and a container
    VideoThumbnailer,
    /// An upload sets off a function
    UploadNotice,
}

pub(crate) fn run(example: Example, keep: bool) -> Result {
    match example {
        Example::VideoThumbnailer => video_thumbnailer::run(keep),
        Example::UploadNotice => upload_notice::run(keep),
    }
}

/// An example in a folder of its own, with an emulator of AWS.
struct Stage {
    account: Account,
    environment: Vec<(&'static str, String)>,
    work: PathBuf,
    _emulator: Emulator,
}

/// Builds the provider as tests use it.
fn build_provider() -> Result {
    setup::prerequisites()?;
    setup::packages(Packages::MiniStack)?;
    crate::check::build_provider()
}

impl Stage {
    /// Copies these files and folders of the project, so that the user's stays clean, and starts an
    /// emulator.
    fn new(example: &str, files: &[&str], settings: &Settings) -> Result<Self> {
        let top = private().join("demo").join(example);
        if top.exists() {
            std::fs::remove_dir_all(&top)?;
        }
        copy(files, &top)?;
        let work = top.join("examples").join(example);
        let mirror = private().join("demo-mirror");
        install::put(&tandem_tests::terraform::provider_binary(), &mirror)?;
        let rc = work.join("terraform.rc");
        std::fs::write(&rc, install::configuration(&mirror))?;
        let account = "123456789012".to_owned();
        let settings = Settings { account: Some(account.clone()), ..settings.clone() };
        let emulator = step("Starting an emulator of AWS", || {
            Ok(Emulator::ministack(&private().join("ministack.log"), &settings)?)
        })?;
        let account = Account {
            endpoint: emulator.endpoint.clone(),
            id: account,
            region: "eu-central-1".to_owned(),
            alarms: emulator.endpoint.clone(),
        };
        let environment = vec![
            ("TF_CLI_CONFIG_FILE", rc.display().to_string()),
            ("AWS_ENDPOINT_URL", account.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", account.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", "demo".to_owned()),
            ("AWS_REGION", account.region.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Ok(Self { account, environment, work, _emulator: emulator })
    }

    fn terraform(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("terraform");
        quiet(command.args(arguments).current_dir(&self.work).envs(self.environment.clone()))
    }

    fn apply(&self) -> Result {
        step("terraform init", || self.terraform(&["init", "-no-color", "-input=false"]))?;
        let applied = step("terraform apply", || {
            self.terraform(&["apply", "-auto-approve", "-no-color", "-input=false"])
        })?;
        let shown = |line: &&str| line.starts_with("tandem_") || line.starts_with("Apply complete");
        applied.lines().filter(shown).for_each(|line| println!("  {line}"));
        Ok(())
    }

    fn output(&self, name: &str) -> Result<String> {
        self.terraform(&["output", "-raw", name])
    }

    /// Shows that nothing is to change, and takes everything away; or leaves it as it is.
    fn end(self, before: &std::collections::BTreeSet<String>, keep: bool) -> Result {
        step("terraform plan: nothing to change", || {
            self.terraform(&["plan", "-detailed-exitcode", "-no-color", "-input=false"])
        })?;
        if keep {
            return self.leave();
        }
        step("terraform destroy", || {
            self.terraform(&["destroy", "-auto-approve", "-no-color", "-input=false"])
        })?;
        let left: Vec<String> = self.account.everything()?.difference(before).cloned().collect();
        if !left.is_empty() {
            return Err(format!("left behind:\n{}", left.join("\n")).into());
        }
        println!("nothing is left: the account holds what it held before");
        Ok(())
    }

    fn leave(self) -> Result {
        println!("Everything is left as it is. In another shell:\n\n  cd {}", self.work.display());
        for (name, value) in &self.environment {
            println!("  export {name}='{value}'");
        }
        println!("  terraform plan\n  terraform destroy\n\nEnter ends the emulator and this command.");
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    }
}

/// Asks again and again until there is an answer.
fn wait<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > Duration::from_secs(120) {
            return Err(format!("{what} did not come within two minutes").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The line of a log group that holds a text.
fn log_line(account: &Account, group: &str, text: &str) -> Result<String> {
    wait(&format!("a line with {text:?} in {group}"), || {
        let messages = account.log_messages(group)?;
        Ok(messages.into_iter().find(|message| message.contains(text)).map(|line| line.trim().to_owned()))
    })
}
