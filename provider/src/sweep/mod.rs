//! `terraform-provider-tandem sweep`: finds what is ours and in no state, and removes it when asked to.

mod command;
mod report;
mod states;
#[cfg(test)]
mod tests;

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

/// How long it may take to look at everything.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);

/// What to sweep.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arguments {
    /// Project whose objects are looked for
    #[arg(long, value_parser = project)]
    pub project: String,
    /// State whose objects are in use: a terraform.tfstate, or what `terraform state pull` printed. Give it again for each other state of the project
    #[arg(long = "state", value_name = "FILE")]
    pub states: Vec<PathBuf>,
    /// Remove what is found, instead of listing it
    #[arg(long = "yes")]
    pub remove: bool,
    /// Remove also what holds objects, messages or images, with all of them
    #[arg(long)]
    pub force_destroy: bool,
    /// AWS region [default: from the environment, as the provider's]
    #[arg(long)]
    pub region: Option<String>,
    /// Profile of the shared configuration files [default: from the environment]
    #[arg(long)]
    pub profile: Option<String>,
    /// URL of one endpoint for all services, such as that of an emulator [default: from the environment]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

fn project(text: &str) -> Result<String, String> {
    names::check_name(text).map(|()| text.to_owned())
}

/// Is told what a sweep is doing, and tells it when to stop. `()` does neither.
pub trait Watch: Send + Sync {
    /// What is being done now, in words.
    fn progress(&self, _text: String) {}

    /// Whether to begin nothing new.
    fn stopped(&self) -> bool {
        false
    }
}

impl Watch for () {}

/// Why a sweep did not begin: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// Sweeps. States are read before anything is looked at.
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
    watch.progress("asking AWS whose the credentials are".to_owned());
    let session = configured.session().await.map_err(|diagnostic| refusal(&[diagnostic]))?;
    let place = |place: &Option<String>| place.clone().unwrap_or_default();
    let (region, account) = (place(&session.context.region), place(&session.context.account));
    let notes = states
        .iter()
        .filter(|state| !state.speaks_of(&arguments.project, &region))
        .map(|state| {
            format!(
                "{} has no resource of project {} in region {region}; is it the right one?",
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
    let job = composite::job(session, &configured, everything, &[], TIMEOUT, &stopped);
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
        "{lines}\n\nWhat is said of the provider configuration goes here for --region, --profile and --endpoint."
    ))
}
