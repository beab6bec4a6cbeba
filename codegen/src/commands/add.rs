//! `tandem add`. Types and inputs come from the definitions of the composites.

mod arguments;
mod inputs;
mod insert;

use std::path::PathBuf;

use tandem::source::Source;
use tandem::spec::{meant, singular};
use tandem::{output, spec};
use tandem_model::composite::Definition;
use tandem_model::composites;
use tandem_model::names;
use tandem_model::suggest::suggest;

use super::generate;
use crate::{Failure, Global, Outcome};

/// The arguments of `add`.
#[derive(Debug)]
pub(crate) enum Options {
    /// An entry to add.
    Entry(Entry),
    /// A word that is no type of entry.
    Unknown(String),
}

/// An entry to add.
#[derive(Debug)]
pub(crate) struct Entry {
    definition: &'static Definition,
    name: String,
    /// Values of the options for lists: the input and one item.
    items: Vec<(&'static str, String)>,
    /// Values of `--set`.
    set: Vec<String>,
    /// Folder to generate into.
    out: Option<PathBuf>,
}

pub(crate) fn run(global: &Global, options: &Options) -> Outcome {
    let Entry { definition, name, items, set, out } = match options {
        Options::Entry(entry) => entry,
        Options::Unknown(word) => return Err(Failure::Usage(unknown(word))),
    };
    names::check_name(name).map_err(Failure::Usage)?;
    let source = global.source()?;
    let inputs = inputs::read(definition, items, set)?;
    let text = insert::insert(&source, definition, name, &inputs)?;
    let extended = Source { text, path: source.path.clone() };
    let (app, diagnostics) = spec::read(&extended);
    let Some(app) = app else {
        // The file stays unchanged. The findings refer to the spec with the new entry.
        let path = format!("{} with `{name}`", source.path.display());
        return global.report(&Source { path: path.into(), ..extended }, &diagnostics);
    };
    output::put(&extended.path, extended.text.as_bytes(), None)
        .map_err(|error| Failure::Usage(format!("{}: {error}", extended.path.display())))?;
    global.say(&format!("added {name} to {}", extended.path.display()));
    global.report(&extended, &diagnostics)?;
    let options = generate::Options { out: out.clone(), ..generate::Options::default() };
    generate::generate(global, &extended, &app, &options)
}

/// The message for a word that is no type of entry.
fn unknown(word: &str) -> String {
    let types: Vec<String> = composites::ALL.iter().map(singular).collect();
    let words: Vec<String> = composites::ALL.iter().flat_map(spec::words).collect();
    let near = suggest(word, words.iter().map(String::as_str)).and_then(meant).or_else(|| meant(word));
    let near = near.map_or_else(String::new, |near| format!("Did you mean `{}`? ", singular(near)));
    format!("`{word}` is not a type of entry. {near}Use one of: {}", types.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// clap asserts that no two arguments have the same name, e.g. an input and `--out`.
    #[test]
    fn options_have_different_names() {
        crate::command().debug_assert();
    }

    #[test]
    fn an_unknown_type_has_a_suggestion() {
        assert!(unknown("buckte").contains("Did you mean `bucket`? Use one of: bucket, "));
        assert!(unknown("Lambda").contains("Did you mean `function`?"));
        assert!(!unknown("vpc").contains("Did you mean"), "{}", unknown("vpc"));
    }
}
