//! The command line of `tandem add`: one subcommand for each composite.

use std::path::PathBuf;

use clap::builder::ArgAction;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand, value_parser};
use tandem::spec::{body_fields, is_code, plural, singular, words};
use tandem_model::composite::Definition;
use tandem_model::composites;
use tandem_model::input::{Body, Field, Rule, Shape};

use super::inputs::fields;
use super::{Entry, Options};

// Ids of arguments. Ids of lists are the names of their inputs, which are in lower case.
const NAME: &str = "NAME";
const SET: &str = "SET";
const OUT: &str = "OUT";

impl Subcommand for Options {
    fn augment_subcommands(command: Command) -> Command {
        command
            .subcommand_help_heading("Types")
            .subcommand_value_name("TYPE")
            // An unknown type gets a message with the list of types.
            .allow_external_subcommands(true)
            .subcommands(composites::ALL.iter().map(subcommand))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        composites::ALL.iter().any(|definition| singular(definition) == name)
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Some((word, matches)) = matches.subcommand() else {
            return Err(clap::Error::new(ErrorKind::MissingSubcommand));
        };
        let Some(definition) = composites::ALL.iter().find(|definition| singular(definition) == word) else {
            return Ok(Self::Unknown(word.to_owned()));
        };
        let strings = |id: &str| matches.get_many::<String>(id).into_iter().flatten().cloned();
        let lists = lists(definition).into_iter();
        Ok(Self::Entry(Entry {
            definition,
            name: strings(NAME).next().unwrap_or_default(),
            items: lists.flat_map(|list| strings(list.name).map(move |item| (list.name, item))).collect(),
            set: strings(SET).collect(),
            out: matches.get_one::<PathBuf>(OUT).cloned(),
        }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Inputs that have an option of their own: lists.
fn lists(definition: &Definition) -> Vec<Field> {
    let list = |field: &Field| matches!(field.shape, Shape::List(_) | Shape::Blocks(_));
    fields(definition).into_iter().filter(list).collect()
}

/// The option of a list, e.g. `sends-to`.
fn option(field: &Field) -> String {
    field.name.replace('_', "-")
}

fn subcommand(definition: &Definition) -> Command {
    let word = singular(definition);
    let name = Arg::new(NAME).required(true).help(format!(
        "Name of the {}, e.g. `my-{}`",
        word.replace('_', " "),
        word.replace('_', "-")
    ));
    let set = Arg::new(SET)
        .long("set")
        .value_name("INPUT=VALUE")
        .action(ArgAction::Append)
        .help("Input to set, e.g. `force_destroy=true`; repeat the option for more inputs");
    let out = Arg::new(OUT)
        .long("out")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("Folder to generate into, e.g. `infra`; default: the folder of the spec");
    let lists = lists(definition).into_iter().map(|field| {
        let option = option(&field);
        let item = match (&field.shape, field.refers) {
            (Shape::Blocks(_), _) => "INPUT=VALUE,…".to_owned(),
            (_, Some(reference)) => plural(reference.composite).trim_end_matches('s').to_uppercase(),
            _ => "VALUE".to_owned(),
        };
        let summary = field.summary().trim_end_matches('.');
        let arg = Arg::new(field.name).value_name(item).action(ArgAction::Append);
        let arg = arg.help(format!("{summary}; repeat the option for more"));
        // The name of the input works too.
        if option == field.name { arg.long(option) } else { arg.long(option).alias(field.name) }
    });
    let hyphens =
        |word: String| if word.contains('_') { vec![word.replace('_', "-"), word] } else { vec![word] };
    let aliases: Vec<String> =
        words(definition).into_iter().flat_map(hyphens).filter(|alias| *alias != word).collect();
    Command::new(word)
        .about(definition.doc.lines().next().unwrap_or_default().trim_end_matches('.'))
        .aliases(aliases)
        .arg(name)
        .arg(set)
        .args(lists)
        .arg(out)
        .after_help(after_help(definition))
}

/// An example, and the inputs for `--set`.
fn after_help(definition: &Definition) -> String {
    let fields = fields(definition);
    let must = |field: &&Field| field.must_be_set() && !is_code(field);
    let set = fields.iter().filter(must).flat_map(|field| match &field.shape {
        Shape::Block(body) => {
            shown(body).iter().map(|inner| format!(" --set {}.{inner}=VALUE", field.name)).collect()
        }
        _ => vec![format!(" --set {}=VALUE", field.name)],
    });
    let blocks = lists(definition).into_iter().filter_map(|field| match &field.shape {
        Shape::Blocks(body) => Some(format!(" --{} {}=VALUE", option(&field), shown(body).join("=VALUE,"))),
        _ => None,
    });
    // Two show the form. A function has half a dozen.
    let options: String = set.chain(blocks.take(2)).collect();
    let width = fields.iter().map(|field| field.name.len()).max().unwrap_or_default();
    let inputs = fields.iter().map(|field| format!("  {:width$}  {}\n", field.name, describe(field)));
    format!(
        "Example:\n  tandem add {} NAME{options}\n\nInputs for --set:\n{}\nA dotted name sets an input of a block or \
         an entry of a map: `--set block.input=VALUE`. Commas separate the items of a list. A block, list or \
         map may also be a value in YAML: `--set 'list=[a, b]'`. `tandem schema` describes all inputs.",
        singular(definition),
        inputs.collect::<String>()
    )
}

/// The first input and the required inputs of a block, or of its first variant.
fn shown(body: &Body) -> Vec<&'static str> {
    let fields = match body {
        Body::Fields(fields) => fields.as_slice(),
        Body::Choice(variants) => variants.first().map_or(&[][..], |variant| &variant.fields),
    };
    let shown = fields.iter().enumerate().filter(|(position, field)| *position == 0 || field.must_be_set());
    shown.map(|(_, field)| field.name).collect()
}

/// The type of an input, and its default or the inputs of its block.
fn describe(field: &Field) -> String {
    let inputs = |body: &Body| {
        let names = body_fields(body).iter().map(|field| field.name).collect::<Vec<_>>();
        names.join(", ")
    };
    let choices = match field.rule {
        Some(Rule::OneOf(allowed)) => format!(": {}", allowed.join(", ")),
        _ => String::new(),
    };
    let mut text = match &field.shape {
        Shape::String => format!("string{choices}"),
        Shape::Integer => "integer".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::List(_) => "list".to_owned(),
        Shape::Map(_) => "map".to_owned(),
        Shape::Block(body) => format!("block of {}", inputs(body)),
        Shape::Blocks(body) => format!("blocks of {}", inputs(body)),
    };
    if let Some(default) = &field.default {
        text.push_str(&format!(
            "; default: {}",
            default.as_str().map_or(default.to_string(), ToOwned::to_owned)
        ));
    } else if field.must_be_set() && !is_code(field) {
        text.push_str("; required");
    }
    text
}
