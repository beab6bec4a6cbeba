//! Plans all files that are generated from a spec.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use tandem_model::finding::Code;

use crate::diagnostic::{self, Diagnostic};
use crate::handlers::{Function, functions};
use crate::module::{self, Flavor, Folders, Layout};
pub use crate::output::Part;
use crate::output::{Manifest, Plan};
use crate::readme;
use crate::spec::App;
use crate::templates::{Error, Templates};
use crate::workspace;

/// The folder of the handlers, relative to the output folder.
pub const HANDLERS: &str = "handlers";

/// The folder of the modules, relative to the output folder.
pub const MODULES: &str = "terraform";

/// The options of a run. A missing option has the value of the previous run into the folder.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The folder of the spec.
    pub spec: PathBuf,
    /// The output folder.
    pub out: PathBuf,
    /// Flavor of the modules.
    pub flavor: Option<Flavor>,
    /// The only part to generate.
    pub only: Option<Part>,
    /// A folder of templates.
    pub templates: Option<PathBuf>,
    /// True to add missing functions to a `handler.rs`.
    pub fix: bool,
}

/// Plans all files of an application. Returns the plan and the diagnostics of the handlers.
pub fn plan(app: &App, request: &Request) -> Result<(Plan, Vec<Diagnostic>), ProjectError> {
    let before = Manifest::read(&request.out).map_err(ProjectError::Input)?;
    let out = absolute(&request.out)?;
    let spec = absolute(&request.spec)?;
    let mut settings = before.as_ref().map(|manifest| manifest.settings.clone()).unwrap_or_default();
    // A folder that contains one part keeps this part. In a folder that contains all parts, one part can be
    // generated again.
    let whole = match (&before, settings.only, request.only) {
        (None, _, only) => {
            settings.only = only;
            only.is_none()
        }
        (Some(_), Some(had), Some(wanted)) if had != wanted => {
            let name = |part| if part == Part::Modules { "modules" } else { "handlers" };
            return Err(ProjectError::Input(format!(
                "{} was generated with `--only {}`. Pass `--only {}` with another folder (`--out`)",
                request.out.display(),
                name(had),
                name(wanted)
            )));
        }
        (Some(_), had, _) => had.is_none(),
    };
    let only = request.only.or(settings.only);
    settings.flavor = request.flavor.or(settings.flavor).or(Some(Flavor::default()));
    if let Some(folder) = &request.templates {
        settings.templates = Some(relative(&out, &absolute(folder)?));
    }
    let templates = settings.templates.as_ref().map(|folder| out.join(folder));
    let templates = Templates::new(templates.as_deref())?;

    let mut plan = Plan { settings: settings.clone(), ..Plan::default() };
    plan.within = only.filter(|_| whole).map(|part| match part {
        Part::Modules => MODULES.to_owned(),
        Part::Handlers => HANDLERS.to_owned(),
    });
    let mut diagnostics = Vec::new();
    if only != Some(Part::Handlers) {
        let root = if whole { out.join(MODULES) } else { out.clone() };
        let handlers = if whole { out.join(HANDLERS) } else { spec.join(HANDLERS) };
        // The module of an entry is two folders below the root module.
        let from = root.join("modules/entry");
        let folders =
            |from: &Path| Folders { spec: relative(from, &spec), handlers: relative(from, &handlers) };
        let build = if handlers == spec.join(HANDLERS) {
            "tandem build".to_owned()
        } else {
            format!("tandem build --out {}", readme::quoted(&relative(&spec, &out)))
        };
        let layout = Layout {
            root: folders(&root),
            entry: folders(&from),
            build,
            // Any other location is not written into the files: the same spec gives the same bytes.
            whole: if whole { format!("./{MODULES}") } else { format!("./path/to/{}", app.name) },
        };
        let flavor = settings.flavor.unwrap_or_default();
        match module::generate(app, flavor, &layout, &templates) {
            Ok(files) => {
                let below = if whole { format!("{MODULES}/") } else { String::new() };
                let files = files.into_iter().map(|(name, text)| (format!("{below}{name}"), text));
                plan.generated.extend(files);
            }
            Err(module::ModuleError::Template(error)) => return Err(error.into()),
            Err(module::ModuleError::Native { entry, message }) => {
                let span = app.entries.iter().find(|other| other.name == entry);
                let span = span.map(|entry| entry.span.clone()).unwrap_or_default();
                let help = "Set a fixed value in the spec, or pass `--flavor composite`.";
                return Err(ProjectError::Finding(Box::new(Diagnostic::error(
                    Code::Native,
                    span,
                    message,
                    help,
                ))));
            }
        }
    }
    if only != Some(Part::Modules) {
        let known = before.map(|manifest| manifest.files).unwrap_or_default();
        let known =
            known.keys().filter_map(|name| name.strip_prefix(HANDLERS)?.strip_prefix('/')?.split_once('/'));
        let known: BTreeSet<String> = known.map(|(name, _)| name.to_owned()).collect();
        handlers(app, request, &out, &known, &templates, &mut plan, &mut diagnostics)?;
    }
    Ok((plan, diagnostics))
}

/// The reason that a plan cannot be made.
#[derive(Clone, Debug)]
pub enum ProjectError {
    /// An error with a code.
    Finding(Box<Diagnostic>),
    /// An unreadable file or an invalid option.
    Input(String),
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finding(finding) => write!(f, "{}. {} [{}]", finding.message, finding.help, finding.code),
            Self::Input(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for ProjectError {}

impl From<Error> for ProjectError {
    fn from(error: Error) -> Self {
        Self::Finding(Box::new(Diagnostic::in_file(
            Code::Template,
            (format!("{}.hbs", error.template), error.at.0, error.at.1),
            error.message,
            "Fix the template. Run `tandem templates export` to compare it with the built-in one.",
        )))
    }
}

fn handlers(
    app: &App,
    request: &Request,
    out: &Path,
    before: &BTreeSet<String>,
    templates: &Templates,
    plan: &mut Plan,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), ProjectError> {
    let mut functions = functions(app);
    let folder = out.join(HANDLERS);
    for function in &mut functions {
        function.keep(&read(&folder.join(&function.name).join("src/handler.rs"))?);
    }
    for function in &functions {
        for (name, text) in function.generated(templates)? {
            plan.generated.insert(format!("{HANDLERS}/{}/{name}", function.name), text);
        }
        let own = folder.join(&function.name);
        handler(function, &own, request, templates, plan, diagnostics)?;
        extend(plan, &own.join("Cargo.toml"), |text| workspace::extend_member(text, function))?;
    }
    let names: BTreeSet<&String> = functions.iter().map(|function| &function.name).collect();
    let gone: Vec<&String> = before.iter().filter(|name| !names.contains(name)).collect();
    if functions.is_empty() && gone.is_empty() {
        return Ok(());
    }
    plan.orphans = gone.iter().map(|name| folder.join(name)).collect();
    let around = workspace::find(&folder);
    let root = around.manifest.parent().unwrap_or(out).to_owned();
    let path = |name: &String| relative(&root, &folder.join(name));
    let members: Vec<String> = functions.iter().map(|function| path(&function.name)).collect();
    let gone: Vec<String> = gone.into_iter().map(path).collect();
    let own = root == folder;
    extend(plan, &around.manifest, |text| workspace::extend_workspace(text, &members, &gone, own))
}

/// Plans the user's `handler.rs`. It is written once and only checked afterwards, unless `fix` is set.
fn handler(
    function: &Function,
    folder: &Path,
    request: &Request,
    templates: &Templates,
    plan: &mut Plan,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), ProjectError> {
    let path = folder.join("src/handler.rs");
    let text = read(&path)?;
    if text.is_empty() {
        let first = function.first_handler(templates)?;
        plan.extended.insert(path, first);
        return Ok(());
    }
    // The path is relative to the folder that the user passed, so that a terminal can open it.
    let shown = request.out.join(HANDLERS).join(&function.name).join("src/handler.rs");
    let shown = diagnostic::shown(&shown);
    let (found, fixed) = function.read(&shown, &text, templates)?;
    match fixed {
        Some(fixed) if request.fix => {
            let (left, _) = function.read(&shown, &fixed, templates)?;
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
) -> Result<(), ProjectError> {
    let text = read(path)?;
    let changed =
        change(&text).map_err(|error| ProjectError::Input(format!("{} {error}", path.display())))?;
    plan.extended.insert(path.to_owned(), changed);
    Ok(())
}

/// Reads a file of the user. A missing file is empty.
fn read(path: &Path) -> Result<String, ProjectError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(ProjectError::Input(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// Returns the absolute path. Symbolic links are resolved in the part that exists.
fn absolute(path: &Path) -> Result<PathBuf, ProjectError> {
    let path = std::path::absolute(path).map_err(|error| ProjectError::Input(error.to_string()))?;
    let mut rest = PathBuf::new();
    for there in path.ancestors() {
        if let Ok(found) = there.canonicalize() {
            return Ok(found.join(rest));
        }
        rest = Path::new(there.file_name().unwrap_or_default()).join(&rest);
    }
    Ok(path)
}

/// Returns the relative path from one folder to another. Both paths are absolute.
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
