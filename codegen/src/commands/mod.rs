//! The commands.

pub(crate) mod add;
pub(crate) mod build;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod policy;

use std::path::Path;

use tandem::diagnostic::Diagnostic;
use tandem::picture::Format as Picture;
use tandem::source::Source;
use tandem::spec::{self, App};
use tandem::templates::BUILT_IN;
use tandem_model::expr::Expr;
use tandem_model::finding::Code;
use tandem_model::suggest::suggest;

use crate::{Failure, Format, Global, Outcome};

/// Reads the application and prints the findings.
fn app(global: &Global) -> Result<(Source, App), Failure> {
    let source = global.source()?;
    let (app, diagnostics) = spec::read(&source);
    match app {
        Some(app) => {
            // With JSON, standard output contains only the result of the command: `check` prints findings.
            if global.format != crate::Format::Json {
                global.report(&source, &diagnostics)?;
            }
            Ok((source, app))
        }
        None => Err(global.report(&source, &diagnostics).err().unwrap_or(Failure::Findings)),
    }
}

/// A path as an argument of a shell command: quoted if it contains special characters.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-=:@".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

pub(crate) fn check(global: &Global) -> Outcome {
    let source = global.source()?;
    let (app, mut diagnostics) = spec::read(&source);
    if let Some(app) = &app {
        diagnostics.extend(absent_files(app, &generate::folder(&source)));
    }
    global.report(&source, &diagnostics)?;
    if let Some(app) = app {
        let objects: usize = app.entries.iter().map(|entry| entry.graph.objects().len()).sum();
        let entries = if app.entries.len() == 1 { "entry" } else { "entries" };
        global.say(&format!("{}: {} {entries}, {objects} AWS objects", app.name, app.entries.len()));
    }
    Ok(())
}

/// Warnings about files that the spec names and that do not exist yet. Handlers are not among them:
/// `tandem build` creates them.
fn absent_files(app: &App, folder: &Path) -> Vec<Diagnostic> {
    let mut absent = Vec::new();
    for entry in &app.entries {
        let built: Vec<String> = entry.handlers.values().map(|handler| spec::bootstrap(handler)).collect();
        for object in entry.graph.objects() {
            let named = |field: &str, part: &str| match object.fields.get(field) {
                Some(Expr::Literal(recipe)) => recipe[part].as_str(),
                Some(Expr::Map(recipe)) => match recipe.get(part) {
                    Some(Expr::Literal(path)) => path.as_str(),
                    _ => None,
                },
                _ => None,
            };
            let (code, path) = match (named("source", "path"), named("build", "context")) {
                (Some(path), _) if built.iter().all(|built| built != path) => (Code::Code, path),
                (_, Some(context)) => (Code::Build, context),
                _ => continue,
            };
            if !folder.join(path).exists() {
                let message = format!("`{path}` does not exist next to the spec");
                let help = "Create it before the first apply.";
                absent.push(Diagnostic::error(code, entry.span.clone(), message, help).as_warning());
            }
        }
    }
    absent
}

pub(crate) fn graph(global: &Global) -> Outcome {
    let picture = match global.format {
        Format::Text | Format::Mermaid => Picture::Mermaid,
        Format::Dot => Picture::Dot,
        Format::Svg => Picture::Svg,
        Format::Json => {
            return Err(Failure::Usage(
                "`graph` does not support JSON. Pass `--format mermaid`, `dot` or `svg`".to_owned(),
            ));
        }
    };
    let (_, app) = app(global)?;
    global.print(&tandem::picture::draw(&app, picture))
}

pub(crate) fn export(global: &Global, folder: &Path) -> Outcome {
    for (name, text) in BUILT_IN {
        let path = folder.join(format!("{name}.hbs"));
        if path.exists() {
            return Err(Failure::Usage(format!("{} already exists. Pass another folder", path.display())));
        }
        let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        written
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    }
    global.say(&format!(
        "wrote {} templates to {folder}; next: `tandem generate --templates {folder}`",
        BUILT_IN.len(),
        folder = folder.display()
    ));
    Ok(())
}

pub(crate) fn explain(global: &Global, code: Option<&str>) -> Outcome {
    let Some(wanted) = code else {
        let mut all: Vec<&Code> = Code::ALL.iter().collect();
        all.sort_by_key(|code| code.as_str());
        let lines = all.iter().map(|code| format!("{}  {}\n", code, code.title()));
        return global.print(&lines.collect::<String>());
    };
    let upper = wanted.to_uppercase();
    if let Some(code) = Code::ALL.iter().find(|code| code.as_str() == upper) {
        return global.print(&tandem::explain::text(*code));
    }
    let near = suggest(&upper, Code::ALL.iter().map(|code| code.as_str()));
    let help = near.map_or_else(
        || "Run `tandem explain` for the list".to_owned(),
        |near| format!("Did you mean {near}? Run `tandem explain` for the list"),
    );
    Err(Failure::Usage(format!("there is no code `{wanted}`. {help}")))
}
