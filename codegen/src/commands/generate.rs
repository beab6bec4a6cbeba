//! `tandem generate`

use std::path::{Path, PathBuf};

use clap::Args;
use tandem::diagnostic::{Diagnostic, shown};
use tandem::module::Flavor;
use tandem::output;
use tandem::project::{self, Request};
use tandem::source::Source;
use tandem::spec::App;
use tandem_model::finding::Code;

use crate::{Failure, Global, Outcome, Part};

/// Options of `generate`.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// The folder to write to; that of the spec without it
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What the modules are made of; as the last time without it, or composite
    #[arg(long, value_enum)]
    pub(crate) flavor: Option<Flavor>,
    /// One part alone
    #[arg(long, value_enum)]
    pub(crate) only: Option<Part>,
    /// Write nothing, and fail when something is out of date
    #[arg(long)]
    pub(crate) check: bool,
    /// Add functions that are missing in a `handler.rs`
    #[arg(long)]
    pub(crate) fix: bool,
    /// Write over generated files that were edited by hand
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Templates in the place of the built-in ones; those of the last time without it
    #[arg(long, value_name = "DIR")]
    pub(crate) templates: Option<PathBuf>,
}

/// Findings with which nothing is written.
const NOT_WRITTEN: &[Code] = &[Code::Edited, Code::Foreign, Code::Outside];

pub(crate) fn run(global: &Global, options: &Options) -> Outcome {
    let (source, app) = super::app(global)?;
    generate(global, &source, &app, options)
}

/// The folder that a spec lies in.
pub(crate) fn folder(source: &Source) -> PathBuf {
    let folder = source.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

pub(crate) fn generate(global: &Global, source: &Source, app: &App, options: &Options) -> Outcome {
    let spec = folder(source);
    let out = options.out.clone().unwrap_or_else(|| spec.clone());
    let request = Request {
        spec,
        out: out.clone(),
        flavor: options.flavor,
        only: options.only,
        templates: options.templates.clone(),
        fix: options.fix,
    };
    let (plan, mut diagnostics) = match project::plan(app, &request) {
        Ok(planned) => planned,
        Err(project::Failure::Finding(diagnostic)) => return global.report(source, &[*diagnostic]),
        Err(project::Failure::Input(message)) => return Err(Failure::Usage(message)),
    };
    let (changes, edited) = output::compare(&out, &plan, options.overwrite)?;
    diagnostics.extend(edited);
    if options.check {
        let known = |path: &str| diagnostics.iter().any(|known| known.to_json(source)["file"] == path);
        let mut command = "tandem generate".to_owned();
        if let Some(out) = &options.out {
            command.push_str(&format!(" --out {}", out.display()));
        }
        if options.fix {
            command.push_str(" --fix");
        }
        let written = changes.write.keys().map(|path| {
            (path, if path.exists() { "this file is out of date" } else { "this file is missing" })
        });
        let removed = changes.remove.iter().map(|path| (path, "nothing generates this file any more"));
        let outdated: Vec<Diagnostic> = written
            .chain(removed)
            .map(|(path, message)| (shown(path), message))
            .filter(|(path, _)| !known(path))
            .map(|(path, message)| {
                Diagnostic::in_file(Code::Outdated, (path, 1, 1), message, format!("Run `{command}`."))
            })
            .collect();
        diagnostics.extend(outdated);
        global.report(source, &diagnostics)?;
        global.say("everything is as generated");
        return Ok(());
    }
    // A handler that does not fit is said, and does not keep the rest from being written; an edit does.
    if diagnostics.iter().any(|diagnostic| NOT_WRITTEN.contains(&diagnostic.code)) {
        return global.report(source, &diagnostics);
    }
    output::write(&out, &changes)?;
    global.say(&format!(
        "{} files in {}: {} written, {} removed",
        // And the manifest.
        plan.generated.len() + plan.extended.len() + 1,
        out.display(),
        changes.write.len(),
        changes.remove.len()
    ));
    let beyond = |path: &&PathBuf| !std::path::absolute(&out).is_ok_and(|out| path.starts_with(out));
    for path in plan.extended.keys().filter(|path| changes.write.contains_key(*path)).filter(beyond) {
        global.say(&format!("the handlers are members of the workspace of {}", path.display()));
    }
    for folder in &plan.orphans {
        global.say(&format!(
            "nothing calls {} any more: what is yours in it stays; move what you need, and remove the rest",
            folder.display()
        ));
    }
    global.report(source, &diagnostics)
}
