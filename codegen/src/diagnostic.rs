//! Diagnostics: findings with a position in a file, for people and for programs.

use std::io::IsTerminal;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value as Json, json};
use tandem_model::finding::{Code, Severity};

use crate::text::{Source, Span};

/// A finding in the spec or in another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code of the check. `tandem explain` prints a page for it.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// Position in the spec or in another file.
    pub place: Place,
    /// The fact, in one line.
    pub message: String,
    /// The fix, as an imperative.
    pub help: String,
}

/// The position of a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A range of the spec.
    Spec(Span),
    /// Another file, with line and column from 1.
    File(String, usize, usize),
}

/// A path for messages, without a leading `./`.
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

    /// The same diagnostic as a warning.
    pub fn as_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// True for an error, false for a warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The text for a terminal, with an excerpt of the spec.
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

    /// The JSON for programs. Line and column start at 1; the column counts characters.
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

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// Only on a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// True if the output on standard error is colored.
    pub fn enabled(self) -> bool {
        match self {
            Self::Auto => std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}
