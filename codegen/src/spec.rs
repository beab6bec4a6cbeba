//! Reads the spec, `tandem.yaml`: an application and its composites.

mod across;

use std::collections::BTreeMap;

use tandem_model::composite::Definition;
use tandem_model::composites;
use tandem_model::context::Context;
use tandem_model::finding::{Code, Path, Severity, Step};
use tandem_model::graph::Graph;
use tandem_model::input::{Body, Field, Shape, Source as Facts, union};
use tandem_model::names;
use tandem_model::suggest::{Suggestion, for_input, suggest};
use tandem_model::value::Value;

use self::across::Entries;
use crate::diagnostic::{Diagnostic, Place};
use crate::source::{Kind, Node, Pair, Source, Span, parse_all};

/// An application.
#[derive(Clone, Debug)]
pub struct App {
    /// Name of the application. It is the project, and the first part of every name in AWS.
    pub name: String,
    /// Composites in the order of the spec.
    pub entries: Vec<Entry>,
}

/// One composite of an application.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Name of the entry.
    pub name: String,
    /// Place of the name in the spec.
    pub span: Span,
    /// Composite of the entry.
    pub definition: &'static Definition,
    /// Inputs. A field that refers to another entry is a [`Value::Reference`] to the variable for that
    /// entry's output.
    pub inputs: Value,
    /// Outputs of other entries that this entry uses, by variable.
    pub references: BTreeMap<String, Target>,
    /// Functions with a Rust handler next to the spec: the name of the handler, by the path of the block.
    pub handlers: BTreeMap<Path, String>,
    /// Graph of AWS objects.
    pub graph: Graph,
}

/// An output of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of the entry.
    pub entry: String,
    /// Name of the output.
    pub output: &'static str,
}

/// The section of a spec that holds a type of composite: `functions` for `event_function`.
pub fn section(definition: &Definition) -> String {
    let last = definition.type_name.rsplit('_').next().unwrap_or_default();
    definition.section.map_or_else(|| format!("{last}s"), ToOwned::to_owned)
}

/// The word for one entry of a section, e.g. `function` or `event_bus`.
pub fn singular(definition: &Definition) -> String {
    let section = section(definition);
    let ending = if section.ends_with("ses") { "es" } else { "s" };
    section.strip_suffix(ending).map_or(section.clone(), ToOwned::to_owned)
}

/// The words for a composite: its section, one entry of it, its type, and terms of AWS and of other tools.
pub fn words(definition: &Definition) -> Vec<String> {
    let own = [section(definition), singular(definition)];
    let plural = format!("{}s", definition.type_name.trim_end_matches('s'));
    let types = [definition.type_name.to_owned(), plural];
    let mut words: Vec<String> = own.into();
    for word in definition.terms.iter().map(|term| (*term).to_owned()).chain(types) {
        // A type can be the section of another composite, e.g. `queues`.
        if meant(&word).is_some_and(|meant| meant.type_name == definition.type_name) && !words.contains(&word)
        {
            words.push(word);
        }
    }
    words
}

/// The composite that a word means, e.g. `functions`, `function`, `lambda` or `Event-Function`.
pub fn meant(word: &str) -> Option<&'static Definition> {
    let word = word.to_lowercase().replace('-', "_");
    let find = |is: fn(&Definition, &str) -> bool| {
        composites::ALL.iter().find(|definition| is(definition, word.as_str()))
    };
    find(|definition, word| section(definition) == word)
        .or_else(|| find(|definition, word| singular(definition) == word))
        .or_else(|| find(|definition, word| definition.terms.contains(&word)))
        .or_else(|| {
            find(|definition, word| {
                word.strip_prefix(definition.type_name).is_some_and(|rest| ["", "s"].contains(&rest))
            })
        })
}

/// The path of a handler's binary, relative to the folder of the handlers.
pub fn bootstrap(handler: &str) -> String {
    format!("target/lambda/{handler}/bootstrap")
}

/// Reads a spec and runs every check of the model. The application is `None` if a diagnostic is an error.
pub fn read(source: &Source) -> (Option<App>, Vec<Diagnostic>) {
    let mut reader = Reader { diagnostics: Vec::new(), names: BTreeMap::new() };
    let app = match parse_all(&source.text) {
        Ok((root, faults)) => {
            reader.diagnostics.extend(faults);
            reader.app(&root)
        }
        Err(diagnostic) => {
            reader.diagnostics.push(diagnostic);
            None
        }
    };
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|diagnostic| match &diagnostic.place {
        Place::Spec(span) => span.start,
        Place::File(..) => usize::MAX,
    });
    let wrong = diagnostics.iter().any(Diagnostic::is_error);
    (app.filter(|_| !wrong), diagnostics)
}

struct Reader {
    diagnostics: Vec<Diagnostic>,
    /// All entries of the spec by name.
    names: BTreeMap<String, &'static Definition>,
}

const APP: &str = "app";

/// Prefix of a top-level key that the generator ignores: a place for YAML anchors.
pub const IGNORED: &str = "x-";

/// Arguments of resources in a Terraform configuration that entries of a spec do not have.
const TERRAFORM_ONLY: &[&str] =
    &["count", "depends_on", "for_each", "ignore_drift", "lifecycle", "provider", "timeouts"];

impl Reader {
    fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, span, message, help));
    }

    fn app(&mut self, root: &Node) -> Option<App> {
        let Kind::Map(pairs) = &root.kind else {
            let found = root.to_value().describe();
            let help = "Start with `app: NAME` and a section, e.g. `functions:`, or run `tandem init`.";
            self.error(
                Code::Syntax,
                root.span.clone(),
                format!("expected a map of sections, found {found}"),
                help,
            );
            return None;
        };
        let name = self.name(root, pairs);
        let mut found: Vec<(&'static Definition, &Pair)> = Vec::new();
        for pair in pairs.iter().filter(|pair| pair.key != APP && !pair.key.starts_with(IGNORED)) {
            let definition = composites::ALL.iter().find(|definition| section(definition) == pair.key);
            match (definition, &pair.value.kind) {
                (Some(definition), Kind::Map(entries)) => {
                    found.extend(entries.iter().map(|entry| (definition, entry)));
                }
                (Some(_), Kind::Null) => {}
                (Some(_), _) => {
                    let help = format!("Write a name for each entry:\n{}:\n  some-name:\n    …", pair.key);
                    let found = pair.value.to_value().describe();
                    let message =
                        format!("`{}`: expected a map from names to inputs, found {found}", pair.key);
                    self.error(Code::WrongType, pair.key_span.clone(), message, help);
                }
                (None, _) => {
                    let sections: Vec<String> = composites::ALL.iter().map(section).collect();
                    let known = sections.iter().map(String::as_str).chain([APP]);
                    let near = meant(&pair.key)
                        .map(section)
                        .or_else(|| suggest(&pair.key, known).map(ToOwned::to_owned));
                    let help = match near {
                        Some(near) => format!("Did you mean `{near}`? Rename `{}`, or remove it.", pair.key),
                        None => format!(
                            "Use one of: {APP}, {}. A section that starts with `{IGNORED}` is ignored.",
                            sections.join(", ")
                        ),
                    };
                    let message = format!("`{}` is not a section", pair.key);
                    self.error(Code::UnknownInput, pair.key_span.clone(), message, help);
                }
            }
        }
        let mut folded = BTreeMap::new();
        for (definition, pair) in &found {
            if let Err(message) = names::check_name(&pair.key) {
                self.error(
                    Code::OutOfRange,
                    pair.key_span.clone(),
                    message,
                    "Rename the entry, e.g. `order-intake`: modules, crates and AWS objects get this name.",
                );
            }
            if let Some(other) = folded.insert(pair.key.replace('-', "_").to_lowercase(), &pair.key) {
                let message = if *other == pair.key {
                    format!("two entries have the name `{other}`")
                } else {
                    format!("the names `{other}` and `{}` become the same identifier", pair.key)
                };
                self.error(
                    Code::DuplicateName,
                    pair.key_span.clone(),
                    message,
                    "Rename one of them. Names are unique across all sections.",
                );
            }
            self.names.entry(pair.key.clone()).or_insert(definition);
        }
        let context = Context { project: name.clone(), ..Context::default() };
        let entries: Vec<Entry> =
            found.iter().filter_map(|(definition, pair)| self.entry(definition, pair, &context)).collect();
        self.across(&Entries::new(&entries, found.iter().map(|(_, pair)| *pair)));
        (entries.len() == found.len()).then_some(App { name: name?, entries })
    }

    fn name(&mut self, root: &Node, pairs: &[Pair]) -> Option<String> {
        let Some(pair) = root.get(APP) else {
            let at = pairs.first().map_or(root.span.clone(), |pair| pair.key_span.clone());
            self.error(
                Code::Missing,
                at,
                "`app` is required",
                "Add `app: NAME` as the first line, e.g. `app: shop`: every name in AWS starts with it.",
            );
            return None;
        };
        let name = match &pair.value.kind {
            Kind::Text(name) => name,
            other => {
                let found = Node { span: 0..0, kind: other.clone() }.to_value().describe();
                self.error(
                    Code::WrongType,
                    pair.key_span.clone(),
                    format!("app: expected a string, found {found}"),
                    "Set `app` to a name in quotes, e.g. `\"my-app\"`.",
                );
                return None;
            }
        };
        match names::check_name(name) {
            Ok(()) => Some(name.clone()),
            Err(message) => {
                self.error(
                    Code::OutOfRange,
                    pair.value.span.clone(),
                    format!("app: {message}"),
                    "Set `app` to a name such as `my-app`.",
                );
                None
            }
        }
    }

    fn entry(&mut self, definition: &'static Definition, pair: &Pair, context: &Context) -> Option<Entry> {
        let mut inputs = match pair.value.to_value() {
            Value::Null => Value::map::<&str>([]),
            Value::Map(entries) => Value::Map(entries),
            other => {
                let message = format!("`{}`: expected a map of inputs, found {}", pair.key, other.describe());
                self.error(
                    Code::WrongType,
                    pair.key_span.clone(),
                    message,
                    "Write a map of inputs, or `{}` for none.",
                );
                return None;
            }
        };
        let fields = (definition.fields)();
        if let Some(name) = pair.value.get("name") {
            self.error(
                Code::UnknownInput,
                name.key_span.clone(),
                format!("name: the entry already has the name `{}`", pair.key),
                format!("Remove `name`: the key `{}` is the name.", pair.key),
            );
        }
        let mut entry = Entry {
            name: pair.key.clone(),
            span: pair.key_span.clone(),
            definition,
            inputs: Value::Null,
            references: BTreeMap::new(),
            handlers: BTreeMap::new(),
            graph: Graph::default(),
        };
        self.resolve(&mut inputs, &fields, &Path::default(), pair, &mut entry);
        if let Value::Map(inputs) = &mut inputs {
            inputs.insert("name".to_owned(), Value::String(pair.key.clone()));
        }
        let expansion = definition.expand(&inputs, context);
        // Findings for the name were reported at the entry.
        for finding in expansion.findings.0.into_iter().filter(|finding| finding.path != Path::field("name"))
        {
            let mut span = pair.value.locate(&finding.path, &pair.key_span);
            let (mut message, mut help) = (finding.message, finding.help);
            if finding.code == Code::UnknownInput {
                span = pair.value.locate_key(&finding.path).unwrap_or(span);
                if let [Step::Field(name)] = &finding.path.0[..] {
                    message = format!("`{name}` is not an input of `{}`", section(definition));
                    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
                    let elsewhere = for_input(name, &names);
                    if TERRAFORM_ONLY.contains(&name.as_str())
                        && !matches!(elsewhere, Suggestion::NotCovered(_))
                    {
                        help =
                            format!("Remove `{name}`: only a resource in a Terraform configuration has it.");
                    }
                    // The key of an entry is its name.
                    help = help.replacen("Use one of: name, ", "Use one of: ", 1);
                }
            }
            self.diagnostics.push(Diagnostic {
                code: finding.code,
                severity: finding.severity,
                place: Place::Spec(span),
                message: if finding.path.0.is_empty() || finding.code == Code::UnknownInput {
                    message
                } else {
                    format!("{}: {message}", pair.value.written(&finding.path))
                },
                help,
            });
        }
        entry.inputs = inputs;
        entry.graph = expansion.graph?;
        Some(entry)
    }

    /// Replaces names of entries by references, and single blocks by lists. A function without `code` gets
    /// the path of its handler's binary.
    fn resolve(&mut self, value: &mut Value, fields: &[Field], at: &Path, pair: &Pair, entry: &mut Entry) {
        let Value::Map(inputs) = value else { return };
        for field in fields {
            let at = at.join(Step::Field(field.name.to_owned()));
            if is_code(field) && inputs.get(field.name).is_none_or(Value::is_null) {
                let block = Path(at.0[..at.0.len() - 1].to_vec());
                let handler = handler_name(&pair.key, &block);
                let path = bootstrap(&handler);
                inputs.insert(field.name.to_owned(), Value::map([("bootstrap", Value::String(path))]));
                entry.handlers.insert(block, handler);
                continue;
            }
            let Some(value) = inputs.get_mut(field.name) else { continue };
            if matches!(field.shape, Shape::Blocks(_) | Shape::List(_))
                && !matches!(value, Value::List(_) | Value::Null)
            {
                *value = Value::List(vec![std::mem::take(value)]);
            }
            if let Some(reference) = field.refers {
                match &mut *value {
                    Value::List(items) => {
                        for (index, item) in items.iter_mut().enumerate() {
                            self.refer(item, reference, &at.join(Step::Index(index)), pair, entry);
                        }
                    }
                    one => self.refer(one, reference, &at, pair, entry),
                }
            }
            if let (Shape::Map(_), Value::Map(entries)) = (&field.shape, &*value) {
                for key in entries.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key) {
                    let at = at.join(Step::Key(key.clone()));
                    let span =
                        pair.value.locate_key(&at).unwrap_or_else(|| pair.value.locate(&at, &pair.key_span));
                    self.error(
                        Code::WrongType,
                        span,
                        format!("{at}: expected a string, found nothing"),
                        format!("Set `{key}` to \"\" for an empty string, or remove it."),
                    );
                }
            }
            match (&field.shape, value) {
                (Shape::Block(body), block) => self.resolve(block, &body_fields(body), &at, pair, entry),
                (Shape::Blocks(body), Value::List(blocks)) => {
                    for (index, block) in blocks.iter_mut().enumerate() {
                        let at = at.join(Step::Index(index));
                        self.resolve(block, &body_fields(body), &at, pair, entry);
                    }
                }
                _ => {}
            }
        }
    }

    fn refer(
        &mut self,
        value: &mut Value,
        reference: tandem_model::input::Reference,
        at: &Path,
        pair: &Pair,
        entry: &mut Entry,
    ) {
        let Some(name) = value.as_text() else { return };
        let span = || pair.value.locate(at, &pair.key_span);
        let written = pair.value.written(at);
        match self.names.get(name) {
            Some(definition) if definition.type_name == reference.composite => {
                let target = Target { entry: name.to_owned(), output: reference.output };
                let own = name.replace('-', "_");
                let mut variable = format!("{own}_{}", reference.output);
                // `arn` of `orders-stream` and `stream_arn` of `orders` would collide. `__` is unique, because
                // no name contains two hyphens in a row.
                if entry.references.get(&variable).is_some_and(|other| *other != target) {
                    variable = format!("{own}__{}", reference.output);
                }
                entry.references.insert(variable.clone(), target);
                *value = Value::Reference(variable);
            }
            Some(other) => {
                let message = format!(
                    "{written}: `{name}` is an entry of `{}`; expected an entry of `{}`",
                    section(other),
                    plural(reference.composite)
                );
                let help = format!("Set it to the name of an entry of `{}`.", plural(reference.composite));
                self.error(Code::UnknownReference, span(), message, help);
                *value = Value::Unknown;
            }
            None => {
                let section = plural(reference.composite);
                let candidates =
                    self.names.iter().filter(|(_, other)| other.type_name == reference.composite);
                let near = suggest(name, candidates.map(|(name, _)| name.as_str())).map(ToOwned::to_owned);
                // An existing object is referred to by its name, its ARN or its handle, which is JSON.
                let given = name.starts_with("arn:") || name.trim_start().starts_with('{');
                let must = !reference.by_name && !given;
                if !must && near.is_none() {
                    return;
                }
                let message = format!("{at}: there is no `{name}` in `{section}`");
                let help = match near {
                    Some(near) => format!(
                        "Did you mean `{near}`? Replace `{name}` with it, or add `{name}` to `{section}`."
                    ),
                    None => format!("Add `{name}` to `{section}`, or use the name of an existing entry."),
                };
                let diagnostic = Diagnostic::error(Code::UnknownReference, span(), message, help);
                self.diagnostics.push(if must { diagnostic } else { diagnostic.as_warning() });
                if must {
                    // Later checks cannot use the string.
                    *value = Value::Unknown;
                }
            }
        }
    }
}

/// The section of a composite, by its type; empty if there is none.
pub fn plural(type_name: &str) -> String {
    Definition::find(type_name).map(section).unwrap_or_default()
}

/// The fields of a block. For a block with variants, these are the fields of all variants.
pub fn body_fields(body: &Body) -> Vec<Field> {
    match body {
        Body::Fields(fields) => fields.clone(),
        Body::Choice(variants) => union(variants),
    }
}

/// True if the field holds the code of a function.
pub fn is_code(field: &Field) -> bool {
    let Shape::Block(Body::Choice(variants)) = &field.shape else { return false };
    variants.iter().any(|variant| matches!(variant.discriminator().source, Some(Facts::Code(_))))
}

/// The name of a function's handler, from the entry and the path of the block, e.g. `videos-launcher`.
fn handler_name(entry: &str, block: &Path) -> String {
    let steps = block.0.iter().map(|step| match step {
        Step::Field(name) | Step::Key(name) => name.replace('_', "-"),
        Step::Index(index) => (index + 1).to_string(),
    });
    std::iter::once(entry.to_owned()).chain(steps).collect::<Vec<_>>().join("-")
}

/// The number of errors and the number of warnings.
pub fn counts(diagnostics: &[Diagnostic]) -> (usize, usize) {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    (errors, diagnostics.len() - errors)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn read_text(text: &str) -> (Option<App>, Vec<(String, Code)>) {
        let source = Source { path: "tandem.yaml".into(), text: text.to_owned() };
        let (app, diagnostics) = read(&source);
        let found = diagnostics.into_iter().map(|diagnostic| match diagnostic.place {
            Place::Spec(span) => (text[span].to_owned(), diagnostic.code),
            Place::File(..) => panic!("not in the spec"),
        });
        (app, found.collect())
    }

    #[test]
    fn names_of_entries_become_references() {
        let (app, found) = read_text(
            "app: a\nbuckets: { inbox: {} }\ntasks: { ffmpeg: { image: i } }\n\
             functions:\n  start: { on: { bucket: inbox, suffix: .mp4 }, launches: [ffmpeg] }\n",
        );
        assert_eq!(found, []);
        let app = app.unwrap();
        let start = app.entries.iter().find(|entry| entry.name == "start").unwrap();
        assert_eq!(start.references.keys().collect::<Vec<_>>(), ["ffmpeg_launch", "inbox_bucket"]);
        assert_eq!(start.handlers.values().collect::<Vec<_>>(), ["start"]);
    }

    #[test]
    fn all_findings_come_at_once_at_their_places() {
        let (app, found) = read_text(
            "app: A\nbuckts: {}\nbuckets: { inbox: {} }\nfunctions:\n  f:\n    memroy_size: 1\n    timeout: 0\n    \
             on: [{ bucket: inbx }, { queue: x }]\n    launches: [nothing]\n  inbox: {}\n",
        );
        assert!(app.is_none());
        let expected = [
            ("A", Code::OutOfRange),
            ("buckts", Code::UnknownInput),
            ("memroy_size", Code::UnknownInput),
            ("0", Code::OutOfRange),
            ("inbx", Code::UnknownReference),
            ("x", Code::UnknownReference),
            ("nothing", Code::UnknownReference),
            ("inbox", Code::DuplicateName),
        ];
        assert_eq!(found, expected.map(|(text, code)| (text.to_owned(), code)));
    }

    #[test]
    fn entries_are_checked_against_each_other() {
        for (functions, expected) in [
            ("f: { on: { bucket: inbox, suffix: .a } }, g: { on: { bucket: inbox, suffix: .a } }", "inbox"),
            ("f: { on: { bucket: inbox, suffix: .a } }, g: { on: { bucket: inbox, suffix: .b } }", ""),
            (
                "f: { on: { bucket: elsewhere-1 } }, g: { on: { bucket: elsewhere-1, suffix: .b } }",
                "elsewhere-1",
            ),
            ("f: { on: { bucket: elsewhere-1 } }, g: { on: { bucket: elsewhere-2 } }", ""),
            ("target: {}", "target"),
            (
                "f: { on: [{ queue: 'arn:aws:sqs:eu-central-1:123456789012:a' }, \
                 { queue: 'arn:aws:sqs:eu-central-1:123456789012:b', partial_batch_response: false }] }",
                "f",
            ),
        ] {
            let text = format!("app: a\nbuckets: {{ inbox: {{}} }}\nfunctions: {{ {functions} }}\n");
            let (_, found) = read_text(&text);
            let found: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!(found.join(" "), expected, "{functions}");
        }
    }

    /// The places of the loops of a spec.
    fn loops(text: &str) -> String {
        let (_, found) = read_text(text);
        assert!(found.iter().all(|(_, code)| *code == Code::Loop), "{found:?}");
        let found: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
        found.join(" ")
    }

    #[test]
    fn a_loop_through_a_bucket_and_a_container_depends_on_keys() {
        for (on, write, expected) in [
            ("{ bucket: b }", "['']", "b"),
            ("{ bucket: b, prefix: in/ }", "[in/made/]", "b"),
            ("{ bucket: b, prefix: in/ }", "['']", "b"),
            ("{ bucket: b, prefix: in/ }", "[out/]", ""),
            ("{ bucket: b, suffix: .mp4 }", "['']", "b"),
            ("{ bucket: b, suffix: .mp4, allow_loop: true }", "['']", ""),
            ("{ bucket: b, suffix: .mp4 }", "out/, write_suffix: .jpg", ""),
            ("{ bucket: b, events: removed }", "['']", ""),
            ("{ bucket: elsewhere-1 }", "['']", ""),
        ] {
            let text = format!(
                "app: a\nbuckets: {{ b: {{}} }}\ntasks:\n  t:\n    image: i\n    \
                 bucket_access: {{ bucket: b, write: {write} }}\nfunctions: {{ f: {{ on: {on}, launches: t }} }}\n"
            );
            assert_eq!(loops(&text), expected, "{on} {write}");
        }
    }

    #[test]
    fn a_loop_is_found_through_every_resource() {
        let around = "app: a\nbuckets: { b: { event_bridge: true } }\nstreams: { s: {} }\ntopics: { n: {} }\n\
                      tables: { t: { key: id, stream: KEYS_ONLY } }\n";
        let queue = "queues: { q: {} }\n";
        for (rest, expected) in [
            ("functions: { f: { on: { bucket: b }, writes: { bucket: b } } }\n", "b"),
            ("functions: { f: { on: { bucket: b, suffix: .a }, writes: { bucket: b, suffix: .b } } }\n", ""),
            ("functions: { f: { on: { table: t }, writes: { table: t } } }\n", "t"),
            ("functions: { f: { on: { table: t, allow_loop: true }, writes: { table: t } } }\n", ""),
            ("functions: { f: { on: { stream: s }, writes: { stream: s } } }\n", "s"),
            ("functions: { f: { on: { topic: n }, sends_to: { topic: n } } }\n", "n"),
            ("functions: { f: { on: { queue: q }, sends_to: { queue: q } } }\n", "q"),
            ("functions: { f: { on: { queue: q }, sends_to: { topic: n } } }\n", ""),
            ("functions: { f: { on: { table: t }, reads: { table: t } } }\n", ""),
            (
                "functions: { f: { on: { queue: q }, invokes: { function: g } }, \
                 g: { sends_to: { queue: q } } }\n",
                "q",
            ),
            (
                "functions: { f: { on: { queue: q }, invokes: { workflow: w } }, g: { writes: { table: t } }, \
                 h: { on: { table: t }, sends_to: { queue: q } } }\n\
                 workflows: { w: { step: { name: one, function: g } } }\n",
                "q",
            ),
            (
                "tasks: { k: { image: i, bucket_access: { bucket: b, write: out/ } } }\n\
                 workflows: { w: { on: { bucket: b, prefix: out/ }, step: { name: one, task: k } } }\n",
                "b",
            ),
            (
                "workflows: { w: { on: { bucket: b }, step: { name: ask, callback: q } } }\n\
                 functions: { f: { on: { queue: q }, writes: { bucket: b } } }\n",
                "b",
            ),
        ] {
            assert_eq!(loops(&format!("{around}{queue}{rest}")), expected, "{rest}");
        }
        // A queue that subscribes to the topic that its reader sends to.
        let through_topic = "queues: { q: { on: { topic: n } } }\n\
                             functions: { f: { on: { queue: q }, sends_to: { topic: n } } }\n";
        assert_eq!(loops(&format!("{around}{through_topic}")), "n");
    }

    #[test]
    fn fifo_queues_of_other_entries_have_their_limits() {
        let around = "app: a\nqueues: { q: { fifo: true } }\nfunctions: { f: {} }\n";
        let workflow = "workflows: { w: { step: [{ name: ask, callback: q }] } }\n";
        let (_, found) = read_text(&format!("{around}{workflow}"));
        assert_eq!(found, [("q".to_owned(), Code::Choice)]);
        for (on, expected) in [
            ("{ queue: q, batch_size: 11, maximum_batching_window: 1 }", "11 1"),
            ("{ queue: q, batch_size: 10 }", ""),
            ("[{ queue: q, maximum_batching_window: 2 }]", "2"),
        ] {
            let text =
                format!("app: a\nqueues: {{ q: {{ fifo: true }} }}\nfunctions: {{ f: {{ on: {on} }} }}\n");
            let (_, found) = read_text(&text);
            let found: Vec<&str> = found.iter().map(|(text, _)| text.as_str()).collect();
            assert_eq!(found.join(" "), expected, "{on}");
        }
        let (_, found) =
            read_text("app: a\ntopics: { n: {} }\nqueues: { q: { fifo: true, on: { topic: n } } }\n");
        assert_eq!(found, [("n".to_owned(), Code::Choice)]);
    }

    #[test]
    fn what_is_wrong_between_entries_is_said_beside_what_is_wrong_in_them() {
        let (_, found) = read_text(
            "app: a\nbuckets: { b: { abort_incomplete_upload_days: 0 } }\nfunctions: { target: {} }\n",
        );
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_word_means_one_section() {
        for (word, expected) in [
            ("functions", "functions"),
            ("function", "functions"),
            ("event_functions", "functions"),
            ("Lambda", "functions"),
            ("container-task", "tasks"),
            ("queues", "queues"),
            ("queue", "queues"),
            ("queue_group", "queue_groups"),
            ("state-machine", "workflows"),
        ] {
            assert_eq!(meant(word).map(section).as_deref(), Some(expected), "{word}");
        }
        assert!(meant("vpc").is_none());
        // No term is also a word for another section.
        let mut all = BTreeSet::new();
        for definition in composites::ALL {
            assert!(definition.terms.iter().all(|term| words(definition).iter().any(|word| word == term)));
            for word in words(definition) {
                assert!(all.insert(word.clone()), "{word} means two sections");
            }
        }
    }

    #[test]
    fn sections_are_apart() {
        let sections: BTreeSet<String> = composites::ALL.iter().map(section).collect();
        assert_eq!(sections.len(), composites::ALL.len());
        assert!(!sections.contains(APP));
    }
}
