//! `tandem add`

use clap::{Args, Subcommand};
use tandem::source::{Kind, Source};
use tandem::{source, spec};
use tandem_model::composite::Definition;
use tandem_model::names;

use super::generate;
use crate::{Failure, Global, Outcome};

/// Options of `add`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A function with a handler in Rust
    Function {
        /// Its name
        name: String,
        /// What sets it off, such as `bucket=videos,suffix=.mp4`; several times for several triggers
        #[arg(long, value_name = "KEY=VALUE,…", required = true)]
        on: Vec<String>,
        /// A task that it may start; several times for several
        #[arg(long, value_name = "TASK")]
        launches: Vec<String>,
        /// The folder to generate to; that of the spec without it
        #[arg(long, value_name = "DIR")]
        out: Option<std::path::PathBuf>,
    },
}

/// The type of what is added.
const FUNCTION: &str = "event_function";

pub(crate) fn run(global: &Global, options: &Options) -> Outcome {
    let What::Function { name, on, launches, out } = &options.what;
    names::check_name(name).map_err(Failure::Usage)?;
    let source = global.source()?;
    let triggers = on.iter().map(|on| trigger(on)).collect::<Result<Vec<_>, _>>()?;
    let mut lines = vec![format!("{name}:")];
    lines.push(match &triggers[..] {
        [one] => format!("  on: {one}"),
        several => format!("  on: [{}]", several.join(", ")),
    });
    if !launches.is_empty() {
        lines.push(format!(
            "  launches: [{}]",
            launches.iter().map(|task| quoted(task)).collect::<Vec<_>>().join(", ")
        ));
    }
    let text = insert(&source, name, &lines)?;
    let extended = Source { text, ..source };
    let (app, diagnostics) = spec::read(&extended);
    let Some(app) = app else {
        // The spec stays as it was.
        return global.report(&extended, &diagnostics);
    };
    std::fs::write(&extended.path, &extended.text)
        .map_err(|error| Failure::Usage(format!("{}: {error}", extended.path.display())))?;
    global.say(&format!("added {name} to {}", extended.path.display()));
    let options = generate::Options {
        out: out.clone(),
        flavor: tandem::module::Flavor::Composite,
        only: None,
        check: false,
        fix: false,
        overwrite: false,
        templates: None,
    };
    generate::generate(global, &extended, &app, &options)
}

/// A trigger in YAML's flow style.
fn trigger(text: &str) -> Result<String, Failure> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in text.split(',') {
        match (part.split_once('='), pairs.last_mut()) {
            (Some((key, value)), _) => pairs.push((key.trim().to_owned(), value.to_owned())),
            // A comma inside of a value, as in `cron(0 3,4 * * ? *)`.
            (None, Some((_, value))) => value.push_str(&format!(",{part}")),
            (None, None) => {
                let message = format!("{text:?} is not a trigger such as `bucket=videos,suffix=.mp4`");
                return Err(Failure::Usage(message));
            }
        }
    }
    let pairs = pairs.iter().map(|(key, value)| format!("{}: {}", quoted(key), plain(value)));
    Ok(format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", ")))
}

/// A value as YAML has it: a number or a boolean stays one.
fn plain(value: &str) -> String {
    if value.parse::<i64>().is_ok() || matches!(value, "true" | "false") {
        value.to_owned()
    } else {
        quoted(value)
    }
}

fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    if !text.is_empty()
        && text.chars().all(safe)
        && matches!(source::parse(text).map(|node| node.kind), Ok(Kind::Text(_)))
    {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

/// The spec with an entry more; all else stays to the byte, comments as well.
fn insert(source: &Source, name: &str, lines: &[String]) -> Result<String, Failure> {
    let root = source::parse(&source.text)
        .map_err(|diagnostic| Failure::Usage(format!("{}: {}", source.path.display(), diagnostic.message)))?;
    let section = Definition::find(FUNCTION).map(spec::section).unwrap_or_default();
    let mut text = source.text.clone();
    let Some(pair) = root.get(&section) else {
        if !text.ends_with('\n') && !text.is_empty() {
            text.push('\n');
        }
        let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
        return Ok(format!("{text}{section}:\n{lines}"));
    };
    if pair.value.get(name).is_some() {
        return Err(Failure::Usage(format!("there is a function `{name}` already")));
    }
    let Some(last) = pair.value.pairs().last() else {
        if matches!(pair.value.kind, Kind::Map(_)) {
            // `functions: {}`
            let lines: String = lines.iter().map(|line| format!("\n  {line}")).collect();
            text.replace_range(pair.value.span.clone(), lines.trim_end());
            return Ok(text);
        }
        let end = line_end(&text, pair.key_span.end);
        text.insert_str(end, &lines.iter().map(|line| format!("  {line}\n")).collect::<String>());
        return Ok(text);
    };
    let start = text[..last.key_span.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = &source.text[start..last.key_span.start];
    if !indent.chars().all(|c| c == ' ') || text[pair.value.span.clone()].trim_start().starts_with('{') {
        return Err(Failure::Usage(format!(
            "`{section}` is written on one line in {}; give each entry a line of its own first",
            source.path.display()
        )));
    }
    let end = line_end(&text, content_end(&last.value).max(last.key_span.end));
    let block: String = lines.iter().map(|line| format!("{indent}{line}\n")).collect();
    text.insert_str(end, &block);
    Ok(text)
}

/// Where the last thing in a node ends: the span of a block reaches to what follows it.
fn content_end(node: &source::Node) -> usize {
    match &node.kind {
        Kind::Map(pairs) => pairs
            .iter()
            .map(|pair| content_end(&pair.value).max(pair.key_span.end))
            .max()
            .unwrap_or(node.span.end),
        Kind::List(items) => items.iter().map(content_end).max().unwrap_or(node.span.end),
        Kind::Null => node.span.start,
        _ => node.span.end,
    }
}

/// The beginning of the line after a place; the text gets a last line end if it has none.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}
