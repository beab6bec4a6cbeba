//! Demos: an example on an emulator, from apply to destroy.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::{Map, Value as Json};
use tandem_testkit::calls::Account;
use tandem_testkit::emulator::{Emulator, Settings};
use tandem_testkit::engine::{Engine, let_containers_reach};
use tandem_testkit::environment::{Packages, private};
use tandem_testkit::examples::{ALL, Applied, Example};
use tandem_testkit::rekognition::{self, Rekognition};

use crate::step::{Result, quiet, step};
use crate::{build, install, setup};

/// The names of demos.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.iter().map(|example| PossibleValue::new(example.name).help(example.title)))
}

/// Prints the demos.
pub(crate) fn list() {
    let width = ALL.iter().map(|example| example.name.len()).max().unwrap_or_default();
    for example in ALL {
        println!("{:width$}  {}", example.name, example.title);
    }
}

/// Applies the first configuration of an example, sends input through it, and destroys it.
pub(crate) fn run(name: &str, keep: bool) -> Result {
    let example =
        Example::find(name).ok_or("there is no such example; `cargo xtask demo --list` lists them")?;
    setup::prerequisites()?;
    setup::packages(Packages::MiniStack)?;
    let with_container = example.container.is_some();
    if with_container {
        setup::engine()?;
    }
    if with_container || example.ffmpeg {
        // The base image of containers contains ffmpeg, too.
        setup::packages(Packages::Ffmpeg)?;
    }
    build::build_programs()?;
    build::build(example, false)?;
    let engine = with_container.then(start_engine).transpose()?;
    let stage = Stage::new(example, engine.as_ref())?;
    let before = stage.account.everything()?;
    stage.apply()?;
    let said = step("Sending input, waiting for output", || stage.drive(example))?;
    println!();
    said.iter().for_each(|line| println!("  {line}"));
    println!();
    stage.end(&before, keep)
}

fn start_engine() -> Result<Engine> {
    let engine = step("Starting a container engine", || Ok(Engine::start(&private().join("engine.log"))?))?;
    step("Making the base image", || Ok(engine.base_image()?))?;
    Ok(engine)
}

/// An example in a folder of its own, with an emulator of AWS.
struct Stage {
    account: Account,
    environment: Vec<(&'static str, String)>,
    top: PathBuf,
    work: PathBuf,
    _emulator: Emulator,
    _rekognition: Rekognition,
}

impl Stage {
    /// Copies the example, because Terraform writes into its folder, and starts an emulator.
    fn new(example: &Example, engine: Option<&Engine>) -> Result<Self> {
        let top = private().join("demo").join(example.name);
        if top.exists() {
            std::fs::remove_dir_all(&top)?;
        }
        example.copy(&top)?;
        let main = example.configurations.first().ok_or("the example has no configuration")?;
        let folder = main.strip_suffix("main.tf").unwrap_or(main);
        let work = top.join("examples").join(example.name).join(folder);
        let mirror = private().join("demo-mirror");
        install::put(&tandem_testkit::terraform::provider_binary(), &mirror)?;
        let rc = work.join("terraform.rc");
        std::fs::write(&rc, install::configuration(&mirror))?;
        let account = "123456789012".to_owned();
        let settings = Settings {
            account: Some(account.clone()),
            engine: engine.map(|engine| engine.host.clone()),
            ..Settings::default()
        };
        let emulator = step("Starting an emulator of AWS", || {
            Ok(Emulator::ministack(&top.join("ministack.log"), &settings)?)
        })?;
        let account = Account {
            endpoint: emulator.endpoint.clone(),
            id: account,
            region: "eu-central-1".to_owned(),
            alarms: emulator.endpoint.clone(),
        };
        let rekognition = rekognition::start()?;
        let mut environment = vec![
            ("TF_CLI_CONFIG_FILE", rc.display().to_string()),
            ("AWS_ENDPOINT_URL", account.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", account.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", "demo".to_owned()),
            ("AWS_REGION", account.region.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // Terraform ignores variables that the configuration does not declare.
            ("TF_VAR_function_environment", rekognition.environment().to_string()),
        ];
        if let Some(engine) = engine {
            let reached = let_containers_reach(&account.endpoint, &engine.gateway)?;
            environment.extend([
                ("DOCKER_HOST", engine.host.clone()),
                ("TF_VAR_base_image", Engine::BASE_IMAGE.to_owned()),
                // On AWS a task gets its credentials from its role; the emulator gives it none.
                ("TF_VAR_task_environment", account.for_containers(&reached).to_string()),
            ]);
        }
        Ok(Self { account, environment, top, work, _emulator: emulator, _rekognition: rekognition })
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
        let shown = |line: &&str| {
            ["tandem_", "module.", "Apply complete"].iter().any(|start| line.starts_with(start))
        };
        applied.lines().filter(shown).for_each(|line| println!("  {line}"));
        Ok(())
    }

    /// Sends the input of the example and checks the output.
    fn drive(&self, example: &Example) -> Result<Vec<String>> {
        let folder = self.top.join("shown");
        let applied = Applied { account: &self.account, outputs: self.outputs()?, folder: &folder };
        Ok((example.drive)(&applied)?)
    }

    /// All outputs by name.
    fn outputs(&self) -> Result<Json> {
        let outputs: Map<String, Json> =
            serde_json::from_str(&self.terraform(&["output", "-json", "-no-color"])?)?;
        Ok(outputs.into_iter().map(|(name, mut output)| (name, output["value"].take())).collect())
    }

    /// Shows an empty plan, then destroys everything, or leaves it running.
    fn end(self, before: &BTreeSet<String>, keep: bool) -> Result {
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
            return Err(format!("these objects are left:\n{}", left.join("\n")).into());
        }
        println!("nothing is left: the account contains the same objects as before");
        Ok(())
    }

    fn leave(self) -> Result {
        println!("Everything is still running. In another shell:\n\n  cd {}", self.work.display());
        for (name, value) in &self.environment {
            println!("  export {name}='{value}'");
        }
        println!(
            "  terraform plan\n  terraform destroy\n\nPress Enter to stop the emulator and this command."
        );
        std::io::stdin().read_line(&mut String::new())?;
        Ok(())
    }
}
