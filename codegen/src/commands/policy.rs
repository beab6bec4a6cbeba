//! `tandem policy`

use clap::Args;
use serde_json::Value as Json;
use tandem::spec::Entry;
use tandem_model::access::{LONGEST_MANAGED_POLICY, Part, deployment, split};
use tandem_model::context::Context;
use tandem_model::graph::Graph;
use tandem_model::names;

use crate::{Failure, Global, Outcome};

/// The default quota of managed policies per role.
const ATTACHED: usize = 10;

/// Options of `policy`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Project of the provider, e.g. `shop-prod`; default: the name of the app
    #[arg(long, value_name = "PROJECT")]
    project: Option<String>,
    /// Id of the account, e.g. `123456789012`; default: any account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Region, e.g. `eu-central-1`; default: any region of the partition `aws`
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

pub(crate) fn run(global: &Global, options: &Options) -> Outcome {
    if let Some(account) = &options.account
        && !(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(Failure::Usage(format!(
            "--account: {account:?} is not an account id. Pass 12 digits, e.g. `123456789012`"
        )));
    }
    if let Some(Err(message)) = options.project.as_deref().map(names::check_name) {
        return Err(Failure::Usage(format!("--project: {message}")));
    }
    let (_, app) = super::app(global)?;
    let context = Context {
        project: Some(options.project.clone().unwrap_or_else(|| app.name.clone())),
        account: options.account.clone(),
        region: options.region.clone(),
        ..Context::default()
    };
    // The names in the graphs depend on the project, so the entries are expanded again.
    let expand = |entry: &Entry| entry.definition.expand(&entry.inputs, &context).graph;
    let graphs: Option<Vec<Graph>> = app.entries.iter().map(expand).collect();
    let graphs =
        graphs.ok_or_else(|| "the spec cannot be expanded. Run `tandem check` for the reason".to_owned())?;
    let parts: Vec<Part<'_>> = app
        .entries
        .iter()
        .zip(&graphs)
        .map(|(entry, graph)| {
            let takes = entry.references.iter().filter_map(|(variable, target)| {
                let index = app.entries.iter().position(|other| other.name == target.entry)?;
                Some((variable.as_str(), (index, target.output)))
            });
            Part { graph, takes: takes.collect() }
        })
        .collect();
    let policy = deployment(&parts, &context);
    let mut policies = split(&policy, LONGEST_MANAGED_POLICY);
    if policies.len() == 1 {
        return global.print(&format!("{:#}\n", policies.remove(0)));
    }
    let number = policies.len();
    global.say(&format!(
        "note: these are {number} policies in one list, because a managed policy of IAM has at most 6,144 characters. Write \
         each into a file (`jq '.[0]'`, `jq '.[1]'`, …) and attach all of them to the role that deploys"
    ));
    if number > ATTACHED {
        global.say(&format!(
            "note: IAM attaches at most {ATTACHED} managed policies to a role, unless AWS raises the quota"
        ));
    }
    global.print(&format!("{:#}\n", Json::from(policies)))
}
