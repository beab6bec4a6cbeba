//! What is wrong, at its place in the text.

use std::io::IsTerminal;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value as Json, json};
use tandem_model::finding::{Code, Severity};

use crate::source::{Source, Span};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code of the check; `tandem explain` tells more about it.
    pub code: Code,
    /// Whether it stops the work.
    pub severity: Severity,
    /// Where in the spec, or the file that it is about.
    pub place: Place,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the spec.
    Spec(Span),
    /// In another file, at a line and column from 1.
    File(String, usize, usize),
}

/// A path as people write it: a folder of one's own goes without saying.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

impl Diagnostic {
    /// An error in the spec.
    pub fn error(code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        let (message, help) = (message.into(), help.into());
        Self { code, severity: Severity::Error, place: Place::Spec(span), message, help }
    }

    /// An error in another file.
    pub fn in_file(
        code: Code,
        (file, line, column): (String, usize, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let (message, help) = (message.into(), help.into());
        Self { code, severity: Severity::Error, place: Place::File(file, line, column), message, help }
    }

    /// The same, as something that does not stop the work.
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Whether it stops the work.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// For people.
    pub fn render(&self, source: &Source, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let level = if self.is_error() { Level::ERROR } else { Level::WARNING };
        let title = level.primary_title(&*self.message).id(self.code.as_str());
        let path = source.path.display().to_string();
        let group = match &self.place {
            Place::Spec(span) => {
                let annotation = AnnotationKind::Primary.span(span.clone());
                title.element(Snippet::source(&*source.text).path(path).annotation(annotation))
            }
            Place::File(file, line, column) => {
                title.element(annotate_snippets::Origin::path(file.as_str()).line(*line).char_column(*column))
            }
        };
        renderer.render(&[group.element(Level::HELP.message(&*self.help))])
    }

    /// For programs.
    pub fn to_json(&self, source: &Source) -> Json {
        let (file, line, column) = match &self.place {
            Place::Spec(span) => {
                let before = &source.text[..span.start.min(source.text.len())];
                let line_start = before.rfind('\n').map_or(0, |at| at + 1);
                let line = before.matches('\n').count() + 1;
                (source.path.display().to_string(), line, before[line_start..].chars().count() + 1)
            }
            Place::File(file, line, column) => (file.clone(), *line, *column),
        };
        json!({
            "code": self.code.as_str(),
            "severity": if self.is_error() { "error" } else { "warning" },
            "file": file,
            "line": line,
            "column": column,
            "message": self.message,
            "help": self.help,
        })
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether standard error gets colours.
    pub fn enabled(self) -> bool {
        match self {
            Self::Auto => std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}
