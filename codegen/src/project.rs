//! A spec and all that is generated from it.

use std::path::{Path, PathBuf};

use tandem_model::finding::Code;

use crate::diagnostic::Diagnostic;
use crate::handlers::{Function, functions};
use crate::module::{self, Flavor, Layout};
use crate::output::{Leaves, Plan};
use crate::spec::App;
use crate::templates::{Error, Templates};
use crate::workspace;

/// The folder of the handlers, from the output folder on.
pub const HANDLERS: &str = "handlers";

/// The folder of the modules, from the output folder on.
pub const MODULES: &str = "terraform";

/// What is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Terraform modules, the module of the whole right in the output folder
    Modules,
    /// Rust handlers
    Handlers,
}

/// What a generation is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder of the spec.
    pub spec: PathBuf,
    /// The folder that is written to.
    pub out: PathBuf,
    /// What the modules are made of.
    pub flavor: Flavor,
    /// One part alone.
    pub only: Option<Part>,
    /// Whether functions that are missing in a `handler.rs` are added.
    pub fix: bool,
}

/// Plans all files of an application.
pub fn plan(app: &App, request: &Request, templates: &Templates) -> Result<(Plan, Vec<Diagnostic>), Failure> {
    let mut plan = Plan::default();
    plan.leaves = request.only.map(|part| match part {
        Part::Modules => Leaves::Below(HANDLERS.to_owned()),
        Part::Handlers => Leaves::AllBut(HANDLERS.to_owned()),
    });
    let mut diagnostics = Vec::new();
    let out = absolute(&request.out)?;
    if request.only != Some(Part::Handlers) {
        let root = if request.only.is_none() { out.join(MODULES) } else { out.clone() };
        let below = root.strip_prefix(&out).unwrap_or(Path::new("")).display().to_string();
        let below = if below.is_empty() { below } else { format!("{below}/") };
        let handlers =
            if request.only.is_none() { out.join(HANDLERS) } else { absolute(&request.spec)?.join(HANDLERS) };
        // Modules of entries lie two folders below that of the whole.
        let from = root.join("modules/entry");
        let layout =
            Layout { spec: relative(&from, &absolute(&request.spec)?), handlers: relative(&from, &handlers) };
        for (name, text) in
            module::generate(app, request.flavor, &layout, templates).map_err(Failure::Template)?
        {
            plan.generated.insert(format!("{below}{name}"), text);
        }
    }
    if request.only != Some(Part::Modules) {
        handlers(app, request, &out, templates, &mut plan, &mut diagnostics)?;
    }
    Ok((plan, diagnostics))
}

/// Why a plan cannot be made.
#[derive(Clone, Debug)]
pub enum Failure {
    /// A template is wrong.
    Template(Error),
    /// Something cannot be read.
    Input(String),
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Input(message) => message,
            Failure::Template(error) => format!("{}: {}", error.template, error.message),
        }
    }
}

impl Failure {
    /// As a diagnostic, when it is one.
    pub fn diagnostic(self) -> Result<Diagnostic, String> {
        match self {
            Self::Template(error) => Ok(Diagnostic::in_file(
                Code::Template,
                (error.template, error.at.0, error.at.1),
                error.message,
                "Mend the template; `tandem templates export` writes the built-in ones to compare with.",
            )),
            Self::Input(message) => Err(message),
        }
    }
}

fn handlers(
    app: &App,
    request: &Request,
    out: &Path,
    templates: &Templates,
    plan: &mut Plan,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Failure> {
    let functions = functions(app);
    if functions.is_empty() {
        return Ok(());
    }
    let folder = out.join(HANDLERS);
    for function in &functions {
        for (name, text) in function.generated(templates).map_err(Failure::Template)? {
            plan.generated.insert(format!("{HANDLERS}/{}/{name}", function.name), text);
        }
        let own = folder.join(&function.name);
        handler(function, &own, request, templates, plan, diagnostics)?;
        extend(plan, &own.join("Cargo.toml"), |text| workspace::extend_member(text, function))?;
    }
    let around = workspace::find(&folder);
    let root = around.manifest.parent().unwrap_or(out).to_owned();
    let members: Vec<String> =
        functions.iter().map(|function| relative(&root, &folder.join(&function.name))).collect();
    let own = root == folder;
    extend(plan, &around.manifest, |text| workspace::extend_workspace(text, &members, own))
}

/// The user's `handler.rs`: written once, then read.
fn handler(
    function: &Function,
    folder: &Path,
    request: &Request,
    templates: &Templates,
    plan: &mut Plan,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Failure> {
    let path = folder.join("src/handler.rs");
    let text = read(&path)?;
    if text.is_empty() {
        let first = function.first_handler(templates).map_err(Failure::Template)?;
        plan.extended.insert(path, first);
        return Ok(());
    }
    let shown = path.display().to_string();
    let (found, fixed) = function.read(&shown, &text, templates).map_err(Failure::Template)?;
    match fixed {
        Some(fixed) if request.fix => {
            let (left, _) = function.read(&shown, &fixed, templates).map_err(Failure::Template)?;
            diagnostics.extend(left);
            plan.extended.insert(path, fixed);
        }
        _ => diagnostics.extend(found),
    }
    Ok(())
}

fn extend(
    plan: &mut Plan,
    path: &Path,
    change: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), Failure> {
    let text = read(path)?;
    let changed = change(&text).map_err(|error| Failure::Input(format!("{} {error}", path.display())))?;
    plan.extended.insert(path.to_owned(), changed);
    Ok(())
}

/// A file of the user's; empty when it is not there.
fn read(path: &Path) -> Result<String, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::Input(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// A path from the root on, without links where it exists.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path).map_err(|error| Failure::Input(error.to_string()))?;
    let mut rest = PathBuf::new();
    for there in path.ancestors() {
        if let Ok(found) = there.canonicalize() {
            return Ok(found.join(rest));
        }
        rest = Path::new(there.file_name().unwrap_or_default()).join(&rest);
    }
    Ok(path)
}

/// The way from one folder to another; both from the root on.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = vec!["..".to_owned(); from.len() - common];
    let down = to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let way: Vec<String> = up.into_iter().chain(down).collect();
    if way.is_empty() { ".".to_owned() } else { way.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_lead_from_folder_to_folder() {
        for (from, to, expected) in
            [("/a/b", "/a/c", "../c"), ("/a", "/a/b/c", "b/c"), ("/a", "/a", "."), ("/a/b", "/", "../..")]
        {
            assert_eq!(relative(Path::new(from), Path::new(to)), expected);
        }
    }
}
