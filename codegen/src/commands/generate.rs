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

use super::quoted;
use crate::{DEFAULT_SPEC, Failure, Global, Outcome, Part};

/// Options of `generate`.
#[derive(Debug, Default, Args)]
pub(crate) struct Options {
    /// Folder to write to, e.g. `infra`; default: the folder of the spec
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Resources in the modules; default: those of the previous run, or `composite`
    #[arg(long, value_enum)]
    pub(crate) flavor: Option<Flavor>,
    /// Part to generate; default: the part that the folder was first generated with, or both
    #[arg(long, value_enum)]
    pub(crate) only: Option<Part>,
    /// Write nothing, and fail if a file is out of date
    #[arg(long)]
    pub(crate) check: bool,
    /// Add missing functions to each `handler.rs`
    #[arg(long)]
    pub(crate) fix: bool,
    /// Overwrite generated files that were edited by hand
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Folder of your templates, e.g. `my-templates`; default: that of the previous run, if any
    #[arg(long, value_name = "DIR")]
    pub(crate) templates: Option<PathBuf>,
}

/// Findings that prevent all writing.
const NOT_WRITTEN: &[Code] = &[Code::Edited, Code::Foreign, Code::Outside];

pub(crate) fn run(global: &Global, options: &Options) -> Outcome {
    let (source, app) = super::app(global)?;
    generate(global, &source, &app, options)
}

/// The folder of a spec.
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
        Err(project::ProjectError::Finding(diagnostic)) => return global.report(source, &[*diagnostic]),
        Err(project::ProjectError::Input(message)) => return Err(Failure::Usage(message)),
    };
    let (changes, edited) = output::compare(&out, &plan, options.overwrite)?;
    diagnostics.extend(edited);
    if options.check {
        let known = |path: &str| diagnostics.iter().any(|known| known.to_json(source)["file"] == path);
        let mut command = "tandem generate".to_owned();
        if global.file != Path::new(DEFAULT_SPEC) {
            command.push_str(&format!(" --file {}", quoted(&global.file)));
        }
        if let Some(out) = &options.out {
            command.push_str(&format!(" --out {}", quoted(out)));
        }
        if options.fix {
            command.push_str(" --fix");
        }
        let written = changes.write.keys().map(|path| {
            (path, if path.exists() { "this file is out of date" } else { "this file is missing" })
        });
        let removed = changes.remove.iter().map(|path| (path, "this file is no longer generated"));
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
        global.say("all generated files are up to date");
        return Ok(());
    }
    // These findings prevent writing. A fault in a handler is reported after the other files are written.
    if diagnostics.iter().any(|diagnostic| NOT_WRITTEN.contains(&diagnostic.code)) {
        return global.report(source, &diagnostics);
    }
    output::write(&out, &changes)?;
    global.say(&format!(
        "{} files in {}: {} written, {} removed",
        // The manifest is one more file.
        plan.generated.len() + plan.extended.len() + 1,
        out.display(),
        changes.write.len(),
        changes.remove.len()
    ));
    let beyond = |path: &&PathBuf| !std::path::absolute(&out).is_ok_and(|out| path.starts_with(out));
    for path in plan.extended.keys().filter(|path| changes.write.contains_key(*path)).filter(beyond) {
        global.say(&format!("updated the members of the workspace of {}", path.display()));
    }
    for folder in &plan.orphans {
        global.say(&format!(
            "{} is no longer generated. Your files in it were kept: delete the folder when you no longer need them",
            folder.display()
        ));
    }
    global.report(source, &diagnostics)
}
