//! Handlebars templates of the generated files, in strict mode and without escaping.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use handlebars::Handlebars;
use serde_json::Value as Json;

use crate::hcl::Body;

/// The start of the names of templates of handlers.
const HANDLERS: &str = "handler/";

/// The template of every Terraform file.
const TERRAFORM: &str = "terraform.tf";

/// The name and built-in text of every template.
pub const BUILT_IN: &[(&str, &str)] = &[
    (TERRAFORM, include_str!("../templates/terraform.tf.hbs")),
    ("module_readme.md", include_str!("../templates/module_readme.md.hbs")),
    ("handler/main.rs", include_str!("../templates/handler/main.rs.hbs")),
    ("handler/event.rs", include_str!("../templates/handler/event.rs.hbs")),
    ("handler/tasks.rs", include_str!("../templates/handler/tasks.rs.hbs")),
    ("handler/resources.rs", include_str!("../templates/handler/resources.rs.hbs")),
    ("handler/handler.rs", include_str!("../templates/handler/handler.rs.hbs")),
    ("handler/on_object.rs", include_str!("../templates/handler/on_object.rs.hbs")),
    ("handler/on_message.rs", include_str!("../templates/handler/on_message.rs.hbs")),
    ("handler/on_schedule.rs", include_str!("../templates/handler/on_schedule.rs.hbs")),
    ("handler/on_request.rs", include_str!("../templates/handler/on_request.rs.hbs")),
    ("handler/on_record.rs", include_str!("../templates/handler/on_record.rs.hbs")),
    ("handler/on_change.rs", include_str!("../templates/handler/on_change.rs.hbs")),
    ("handler/on_notification.rs", include_str!("../templates/handler/on_notification.rs.hbs")),
    ("handler/on_event.rs", include_str!("../templates/handler/on_event.rs.hbs")),
    ("handler/on_invoke.rs", include_str!("../templates/handler/on_invoke.rs.hbs")),
];

/// The templates in use.
pub struct Templates {
    /// The folder with the user's templates.
    folder: Option<PathBuf>,
    /// The templates of modules, compiled when the first one is rendered: compiling costs more than rendering.
    modules: OnceLock<Result<Handlebars<'static>, Error>>,
    /// The templates of handlers.
    handlers: OnceLock<Result<Handlebars<'static>, Error>>,
    /// True if the user has a template for Terraform files.
    own_terraform: bool,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Templates")
    }
}

/// An invalid template, or a template with invalid output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Name of the template.
    pub template: String,
    /// Line and column, in the template or in its output.
    pub at: (usize, usize),
    /// Description of the error.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.at;
        write!(f, "{}.hbs:{line}:{column}: {}", self.template, self.message)
    }
}

impl std::error::Error for Error {}

/// Helpers of templates. The macro does not accept doc comments.
#[allow(missing_docs, reason = "the macro does not accept doc comments")]
mod helpers {
    use super::{code_cell, link_target};

    handlebars::handlebars_helper!(cell: |text: str| text.replace('|', "\\|").replace(['\n', '\r'], " "));
    handlebars::handlebars_helper!(code: |text: str| code_cell(text));
    handlebars::handlebars_helper!(target: |path: str| link_target(path));
}

/// Formats code for a cell of a Markdown table.
fn code_cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    // Code that contains backticks needs a longer fence.
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("`{line}`") } else { format!("{fence} {line} {fence}") }
}

/// Formats a path as the target of a Markdown link.
fn link_target(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("<{}>", path.replace(['<', '>', '\n', '\r', '|'], ""))
    }
}

impl Templates {
    /// Loads the templates. Templates in `folder` replace built-in ones. Returns an error if one cannot be
    /// read or parsed.
    pub fn new(folder: Option<&Path>) -> Result<Self, Error> {
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let message = "the folder of templates does not exist".to_owned();
            return Err(Error { template: folder.display().to_string(), at: (1, 1), message });
        }
        let own_terraform = folder.is_some_and(|folder| folder.join(format!("{TERRAFORM}.hbs")).exists());
        let folder = folder.map(Path::to_owned);
        let templates = Self { folder, modules: OnceLock::new(), handlers: OnceLock::new(), own_terraform };
        // An error in a template of the user is reported even if the template is not used.
        if templates.folder.is_some() {
            for (name, _) in BUILT_IN {
                templates.compiled(name)?;
            }
        }
        Ok(templates)
    }

    /// The compiled templates of a group, which has the template with this name.
    fn compiled(&self, name: &str) -> Result<&Handlebars<'static>, Error> {
        let of_handlers = |name: &str| name.starts_with(HANDLERS);
        let group = if of_handlers(name) { &self.handlers } else { &self.modules };
        let compile = || {
            let mut handlebars = Handlebars::new();
            handlebars.set_strict_mode(true);
            handlebars.register_escape_fn(handlebars::no_escape);
            handlebars.register_helper("cell", Box::new(helpers::cell));
            handlebars.register_helper("code", Box::new(helpers::code));
            handlebars.register_helper("target", Box::new(helpers::target));
            for (other, built_in) in
                BUILT_IN.iter().filter(|(other, _)| of_handlers(other) == of_handlers(name))
            {
                let failed = |at, message: String| Error { template: (*other).to_owned(), at, message };
                let own = self.folder.as_ref().map(|folder| folder.join(format!("{other}.hbs")));
                let text = match own.filter(|path| path.exists()) {
                    Some(path) => std::fs::read_to_string(&path).map_err(|error| {
                        failed((1, 1), format!("{} cannot be read: {error}", path.display()))
                    })?,
                    None => (*built_in).to_owned(),
                };
                handlebars
                    .register_template_string(other, text)
                    .map_err(|error| failed(error.pos().unwrap_or((1, 1)), error.reason().to_string()))?;
            }
            Ok(handlebars)
        };
        group.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    /// Renders a template without checking its output.
    pub fn render(&self, name: &str, data: &Json) -> Result<String, Error> {
        self.compiled(name)?.render(name, data).map_err(|error| Error {
            template: name.to_owned(),
            at: (error.line_no.unwrap_or(1), error.column_no.unwrap_or(1)),
            message: error.reason().to_string(),
        })
    }

    /// Renders a Terraform file. The output of a user's template is parsed. Release builds skip this for the
    /// built-in template: tests parse its output with Terraform, and parsing takes a third of the run time.
    pub fn terraform(&self, body: &Body) -> Result<String, Error> {
        let name = TERRAFORM;
        // The built-in template has one expression: the engine would copy each file several times.
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name && !self.own_terraform);
        let text = match built_in.and_then(|(_, text)| text.split_once("{{body}}")) {
            Some((start, end)) => [start, &body.render(), end].concat(),
            None => self.render(name, &serde_json::json!({ "body": body.render() }))?,
        };
        let text = format!("{}\n", text.trim_end());
        if !self.own_terraform && !cfg!(debug_assertions) {
            return Ok(text);
        }
        hcl_edit::parser::parse_body(&text).map_err(|error| {
            let at = error.location();
            let message = format!("the output is not valid Terraform: {}", error.message());
            Error { template: name.to_owned(), at: (at.line(), at.column()), message }
        })?;
        Ok(text)
    }

    /// Renders a Rust file and parses the output.
    pub fn rust(&self, name: &str, data: &Json) -> Result<String, Error> {
        let text = self.render(name, data)?;
        syn::parse_file(&text).map_err(|error| {
            let at = error.span().start();
            let message = format!("the output is not valid Rust: {error}");
            Error { template: name.to_owned(), at: (at.line, at.column + 1), message }
        })?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_templates_are_templates() {
        let templates = Templates::new(None).unwrap();
        for (name, _) in BUILT_IN {
            templates.compiled(name).unwrap();
        }
    }

    #[test]
    fn a_template_that_gives_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("terraform.tf.hbs"), "{{body}} }").unwrap();
        let templates = Templates::new(Some(folder.path())).unwrap();
        assert!(templates.terraform(&Body::default()).unwrap_err().message.contains("not valid Terraform"));
        std::fs::write(folder.path().join("terraform.tf.hbs"), "{{nothing}}").unwrap();
        let templates = Templates::new(Some(folder.path())).unwrap();
        assert!(templates.terraform(&Body::default()).is_err());
        std::fs::write(folder.path().join("terraform.tf.hbs"), "{{#if}").unwrap();
        assert!(Templates::new(Some(folder.path())).is_err());
    }
}
