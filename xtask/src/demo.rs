//! The example `upload-notice` on an emulator, from nothing to nothing.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tandem_tests::calls::Account;
use tandem_tests::emulator::{Emulator, Settings};
use tandem_tests::environment::{Packages, private, root};

use crate::install;
use crate::setup;
use crate::step::{Result, quiet, step};

const EXAMPLE: &str = "examples/upload-notice";
const KEY: &str = "my video+ü.mp4";

pub(crate) fn run(keep: bool) -> Result {
    setup::prerequisites()?;
    setup::emulator(Packages::MiniStack)?;
    step("Building the provider (several minutes when cold)", || {
        quiet(Command::new(env!("CARGO")).current_dir(root()).args([
            "build",
            "-p",
            "terraform-provider-tandem",
        ]))
    })?;
    let example = root().join(EXAMPLE);
    let handler = example.join("handlers/upload-notice");
    step("Building the handler", || {
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(&handler).args(["build", "--release", "--locked"]).env_remove("CARGO_TARGET_DIR");
        quiet(&mut build)
    })?;

    // The user's folder stays clean: Terraform works on a copy, which refers to the built handler.
    let work = private().join("demo");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    std::fs::create_dir_all(work.join("handlers/upload-notice/target/release"))?;
    std::fs::copy(example.join("main.tf"), work.join("main.tf"))?;
    let built = "handlers/upload-notice/target/release/bootstrap";
    std::fs::copy(example.join(built), work.join(built))?;
    install::put(&tandem_tests::terraform::provider_binary(), &private().join("demo-mirror"))?;
    let rc = work.join("terraform.rc");
    std::fs::write(&rc, install::configuration(&private().join("demo-mirror")))?;

    let emulator = step("Starting an emulator of AWS", || {
        Ok(Emulator::ministack(&private().join("ministack.log"), &Settings::default())?)
    })?;
    let account = Account {
        endpoint: emulator.endpoint.clone(),
        id: "123456789012".to_owned(),
        region: "eu-central-1".to_owned(),
        alarms: emulator.endpoint.clone(),
    };
    let before = account.everything()?;
    let environment = [
        ("TF_CLI_CONFIG_FILE", rc.display().to_string()),
        ("AWS_ENDPOINT_URL", account.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", account.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", "demo".to_owned()),
        ("AWS_REGION", account.region.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let terraform = |arguments: &[&str]| {
        let mut command = Command::new("terraform");
        quiet(command.args(arguments).current_dir(&work).envs(environment.clone()))
    };

    step("terraform init", || terraform(&["init", "-no-color", "-input=false"]))?;
    let applied =
        step("terraform apply", || terraform(&["apply", "-auto-approve", "-no-color", "-input=false"]))?;
    show_result(&applied);
    let bucket = terraform(&["output", "-raw", "bucket"])?;
    let log_group = terraform(&["output", "-raw", "log_group"])?;
    let line = step(&format!("Uploading {KEY:?} to {bucket}, waiting for the function's log line"), || {
        account.put_object(&bucket, KEY, b"not really a video")?;
        log_line(&account, &log_group)
    })?;
    println!("\n  {line}\n");
    step("terraform plan: nothing to change", || {
        terraform(&["plan", "-detailed-exitcode", "-no-color", "-input=false"])
    })?;
    if keep {
        return keep_running(emulator, &environment, &work);
    }
    step("terraform destroy", || terraform(&["destroy", "-auto-approve", "-no-color", "-input=false"]))?;
    let left: Vec<String> = account.everything()?.difference(&before).cloned().collect();
    if left.is_empty() {
        println!(
            "nothing is left: buckets, functions, roles, queues, log groups, alarms and schedules are as before"
        );
        Ok(())
    } else {
        Err(format!("left behind:\n{}", left.join("\n")).into())
    }
}

fn show_result(applied: &str) {
    for line in
        applied.lines().filter(|line| line.starts_with("tandem_") || line.starts_with("Apply complete"))
    {
        println!("  {line}");
    }
}

fn log_line(account: &Account, group: &str) -> Result<String> {
    let start = Instant::now();
    loop {
        let messages = account.log_messages(group)?;
        if let Some(line) = messages.iter().find(|message| message.contains(KEY)) {
            return Ok(line.trim().to_owned());
        }
        if start.elapsed() > Duration::from_secs(60) {
            return Err(
                format!("no log line with {KEY:?} in {group}; it has:\n{}", messages.join("\n")).into()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn keep_running(emulator: Emulator, environment: &[(&str, String)], work: &Path) -> Result {
    println!("Everything is left as it is. In another shell:\n\n  cd {}", work.display());
    for (name, value) in environment {
        println!("  export {name}='{value}'");
    }
    println!("  terraform plan\n  terraform destroy\n\nEnter ends the emulator and this command.");
    std::io::stdin().read_line(&mut String::new())?;
    drop(emulator);
    Ok(())
}
