//! `tandem generate`

use std::path::{Path, PathBuf};

use clap::Args;
use tandem::diagnostic::Diagnostic;
use tandem::module::Flavor;
use tandem::output;
use tandem::project::{self, Request};
use tandem::source::Source;
use tandem::spec::App;
use tandem::templates::Templates;
use tandem_model::finding::Code;

use crate::{Failure, Global, Outcome, Part};

/// Options of `generate`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder to write to; that of the spec without it
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What the modules are made of
    #[arg(long, value_enum, default_value_t)]
    pub(crate) flavor: Flavor,
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
    /// Templates in the place of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub(crate) templates: Option<PathBuf>,
}

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
    let request =
        Request { spec, out: out.clone(), flavor: options.flavor, only: options.only, fix: options.fix };
    let planned = Templates::new(options.templates.as_deref())
        .map_err(project::Failure::Template)
        .and_then(|templates| project::plan(app, &request, &templates));
    let (plan, mut diagnostics) = match planned {
        Ok(planned) => planned,
        Err(failure) => return global.report(source, &[failure.diagnostic()?]),
    };
    let (changes, edited) = output::compare(&out, &plan, options.overwrite)
        .map_err(|error| Failure::Usage(format!("{}: {error}", out.display())))?;
    diagnostics.extend(edited);
    if options.check {
        let stale = changes.write.keys().chain(&changes.remove);
        let known = |path: &Path| {
            diagnostics.iter().any(|known| known.to_json(source)["file"] == path.display().to_string())
        };
        let outdated: Vec<Diagnostic> = stale
            .filter(|path| !known(path))
            .map(|path| {
                Diagnostic::in_file(
                    Code::Outdated,
                    (path.display().to_string(), 1, 1),
                    "this file is out of date",
                    "Run `tandem generate`.",
                )
            })
            .collect();
        diagnostics.extend(outdated);
        global.report(source, &diagnostics)?;
        global.say("everything is as generated");
        return Ok(());
    }
    // A handler that does not fit is said, and does not keep the rest from being written; an edit does.
    if diagnostics.iter().any(|diagnostic| matches!(diagnostic.code, Code::Edited | Code::Outside)) {
        return global.report(source, &diagnostics);
    }
    output::write(&out, &changes)?;
    global.say(&format!(
        "{} files in {}: {} written, {} removed",
        plan.generated.len() + plan.extended.len(),
        out.display(),
        changes.write.len(),
        changes.remove.len()
    ));
    global.report(source, &diagnostics)
}
