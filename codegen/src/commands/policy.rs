//! `tandem policy`

use clap::Args;
use tandem_model::access::{LONGEST_MANAGED_POLICY, Part, deployment};
use tandem_model::context::Context;

use crate::{Failure, Global, Outcome};

/// Options of `policy`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The 12 digits of the account; any without it
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The region; any of the partition `aws` without it
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

pub(crate) fn run(global: &Global, options: &Options) -> Outcome {
    if let Some(account) = &options.account
        && !(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(Failure::Usage(format!("{account:?} is no account: it has 12 digits")));
    }
    let (_, app) = super::app(global)?;
    let context = Context {
        project: Some(app.name.clone()),
        account: options.account.clone(),
        region: options.region.clone(),
        ..Context::default()
    };
    let parts: Vec<Part<'_>> = app
        .entries
        .iter()
        .map(|entry| {
            let takes = entry.references.iter().filter_map(|(variable, target)| {
                let index = app.entries.iter().position(|other| other.name == target.entry)?;
                Some((variable.as_str(), (index, target.output)))
            });
            Part { graph: &entry.graph, takes: takes.collect() }
        })
        .collect();
    let policy = deployment(&parts, &context);
    let length = policy.to_string().chars().filter(|c| !c.is_whitespace()).count();
    if length > LONGEST_MANAGED_POLICY {
        global.say(&format!(
            "note: the policy has {length} characters, and IAM takes {LONGEST_MANAGED_POLICY} in one managed policy: \
             make several of its statements, or an inline policy of a role (10,240)"
        ));
    }
    global.print(&format!("{policy:#}\n"))
}
