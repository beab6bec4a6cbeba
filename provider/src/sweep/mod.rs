//! `terraform-provider-tandem sweep`: finds orphaned objects by their tags, and deletes them with `--yes`.

mod command;
mod report;
mod states;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tandem_engine::sweep::{self as engine, Request};
use tandem_model::names;
use tandem_model::ownership::Owner;
use tfplugin::{Diagnostic, Value};

pub use command::run;
pub use report::Report;

use crate::composite;
use crate::config::{Outside, Shared};

/// The longest time for listing and checking all objects.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// The options of a sweep.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arguments {
    /// Project whose orphaned objects are listed
    #[arg(long, value_parser = project)]
    pub project: String,
    /// State file of the project: a terraform.tfstate, or the output of `terraform state pull`. Repeat for every state of the project; the objects in these states are kept
    #[arg(long = "state", value_name = "FILE")]
    pub states: Vec<PathBuf>,
    /// Delete the orphaned objects instead of listing them
    #[arg(long = "yes")]
    pub remove: bool,
    /// Also delete buckets, queues, tables and image repositories that are not empty, with their content
    #[arg(long)]
    pub force_destroy: bool,
    /// AWS region [default: from AWS_REGION or the shared configuration files]
    #[arg(long)]
    pub region: Option<String>,
    /// Profile of the shared configuration files [default: from AWS_PROFILE]
    #[arg(long)]
    pub profile: Option<String>,
    /// URL of one endpoint for all services, e.g. of an emulator [default: from AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

fn project(text: &str) -> Result<String, String> {
    names::check_name(text).map(|()| text.to_owned())
}

/// Receives the progress of a sweep and can stop it. `()` does neither.
pub trait Watch: Send + Sync {
    /// Receives a description of the current step.
    fn progress(&self, _text: String) {}

    /// True if no new step may start.
    fn stopped(&self) -> bool {
        false
    }
}

impl Watch for () {}

/// The error of a sweep that did not start: the cause and an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Runs a sweep. All state files are read before the first call to AWS.
///
/// # Errors
/// If an option or a state file is invalid, or the AWS account cannot be looked up.
pub async fn sweep(outside: Outside, arguments: &Arguments, watch: &dyn Watch) -> Result<Report, Refusal> {
    project(&arguments.project).map_err(|error| Refusal(format!("--project: {error}")))?;
    let (states, errors): (Vec<_>, Vec<_>) =
        arguments.states.iter().map(|path| states::read(path)).partition(Result::is_ok);
    let states: Vec<_> = states.into_iter().flatten().collect();
    let errors: Vec<String> = errors.into_iter().filter_map(Result::err).collect();
    if !errors.is_empty() {
        return Err(Refusal(errors.join("\n")));
    }
    let shared = Shared::new(outside);
    let text = |given: &Option<String>| given.clone().map_or(Value::Null, Value::String);
    let diagnostics = shared.configure(&Value::map([
        ("project", Value::string(&arguments.project)),
        ("region", text(&arguments.region)),
        ("profile", text(&arguments.profile)),
        ("endpoint", text(&arguments.endpoint)),
    ]));
    let configured = match shared.configured() {
        Some(configured) if diagnostics.is_empty() => configured,
        _ => return Err(refusal(&diagnostics)),
    };
    watch.progress("looking up the AWS account".to_owned());
    let session = configured.session().await.map_err(|diagnostics| refusal(&diagnostics))?;
    let place = |place: &Option<String>| place.clone().unwrap_or_default();
    let (region, account) = (place(&session.context.region), place(&session.context.account));
    let notes = states
        .iter()
        .filter(|state| !state.speaks_of(&arguments.project, &region))
        .map(|state| {
            format!(
                "{} contains no resource of project {} in region {region}. Check that it is the right state.",
                state.file, arguments.project
            )
        })
        .collect();
    let everything = Owner {
        project: arguments.project.clone(),
        region: region.clone(),
        composite: String::new(),
        name: String::new(),
    };
    let stopped = || watch.stopped();
    let progress = |text| watch.progress(text);
    let job = composite::job(&session, &configured, everything, &[], TIMEOUT, &stopped);
    let owned: Vec<_> = states.iter().flat_map(|state| state.owned.clone()).collect();
    let request = Request {
        project: &arguments.project,
        owned: &owned,
        remove: arguments.remove,
        content: arguments.force_destroy,
        progress: &progress,
    };
    Ok(Report {
        project: arguments.project.clone(),
        region,
        account,
        states: states.into_iter().map(|state| state.file).collect(),
        notes,
        remove: arguments.remove,
        found: engine::sweep(&job, &request).await,
    })
}

fn refusal(diagnostics: &[Diagnostic]) -> Refusal {
    let lines = diagnostics.iter().map(|diagnostic| format!("{}. {}", diagnostic.summary, diagnostic.detail));
    let lines = lines.collect::<Vec<_>>().join("\n");
    Refusal(format!(
        "{lines}\n\n`sweep` reads no provider configuration: use --region, --profile and --endpoint instead."
    ))
}
