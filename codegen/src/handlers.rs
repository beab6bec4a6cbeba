//! Rust handlers: what is generated around them, and how the user's part is read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use tandem_model::expr::Expr;
use tandem_model::finding::Code;
use tandem_model::graph::{Graph, Object};

use crate::diagnostic::Diagnostic;
use crate::spec::{App, Entry, bootstrap};
use crate::templates::{Error, Templates};

/// A function whose code is written in Rust beside the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// The name of its crate.
    pub name: String,
    /// The types of events that reach it; without any it is called by hand.
    pub events: BTreeSet<Event>,
    /// Types of events that none reach it of any more, and that its `handler.rs` still has a function for.
    pub kept: BTreeSet<Event>,
    /// Whether it tells a queue which messages of a batch failed.
    pub partial: bool,
    /// Whether it may start tasks.
    pub launches: bool,
}

/// A type of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// Something happened to an object of a bucket.
    Object,
    /// Messages of a queue.
    Message,
    /// The clock.
    Schedule,
    /// A call by hand.
    Invoke,
}

impl Event {
    /// Every type.
    const ALL: [Event; 4] = [Event::Object, Event::Message, Event::Schedule, Event::Invoke];

    /// What makes a function get such events: a kind of object, and its field that names the function.
    const SOURCES: &[(&'static str, &'static str, Event)] = &[
        ("s3_bucket_notification", "lambda_function_arn", Event::Object),
        ("lambda_event_source_mapping", "function_name", Event::Message),
        ("scheduler_schedule", "target_arn", Event::Schedule),
    ];

    fn flag(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Message => "message",
            Self::Schedule => "schedule",
            Self::Invoke => "invoke",
        }
    }

    /// The function of `handler.rs` that gets them.
    pub fn function(self) -> &'static str {
        match self {
            Self::Object => "on_object",
            Self::Message => "on_message",
            Self::Schedule => "on_schedule",
            Self::Invoke => "on_invoke",
        }
    }

    /// The type of its first argument.
    fn argument(self) -> &'static str {
        match self {
            Self::Object => "Object",
            Self::Message => "Message",
            Self::Schedule => "Tick",
            Self::Invoke => "Value",
        }
    }

    fn returns(self) -> &'static str {
        if self == Self::Invoke { "Result<Value, Error>" } else { "Result<(), Error>" }
    }

    /// How the function is declared.
    fn signature(self) -> String {
        let name = match self {
            Self::Object => "object",
            Self::Message => "message",
            Self::Schedule => "tick",
            Self::Invoke => "payload",
        };
        format!(
            "pub async fn {}({name}: {}, context: &Context) -> {}",
            self.function(),
            self.argument(),
            self.returns()
        )
    }
}

/// The functions of an application, as their edges say.
pub fn functions(app: &App) -> Vec<Function> {
    let mut functions = Vec::new();
    for entry in &app.entries {
        for handler in entry.handlers.values() {
            let path = bootstrap(handler);
            let runs = |object: &&Object| {
                let source = object.fields.get("source");
                matches!(source, Some(Expr::Literal(source)) if source["path"] == path.as_str())
            };
            let Some(object) = entry.graph.objects().iter().find(runs) else { continue };
            functions.push(function(handler, object, &entry.graph));
        }
    }
    functions
}

fn function(name: &str, function: &Object, graph: &Graph) -> Function {
    let mut events = BTreeSet::new();
    let mut partial = false;
    for object in graph.objects() {
        for (kind, field, event) in Event::SOURCES {
            let names = |expr: &Expr| matches!(expr, Expr::Attribute(key, _) if *key == function.key);
            if object.kind.name == *kind && object.fields.get(field).is_some_and(names) {
                events.insert(*event);
                partial |= in_part(object);
            }
        }
    }
    if events.is_empty() {
        events.insert(Event::Invoke);
    }
    let mut launches = false;
    if let Some(environment) = function.fields.get("environment") {
        launches = sets(environment, "TANDEM_LAUNCHES");
    }
    Function { name: name.to_owned(), events, kept: BTreeSet::new(), partial, launches }
}

/// Whether an environment sets a variable.
fn sets(environment: &Expr, name: &str) -> bool {
    match environment {
        Expr::Map(entries) => entries.contains_key(name),
        Expr::Merge(parts) => parts.iter().any(|part| sets(part, name)),
        _ => false,
    }
}

/// Whether a function is to answer some of its queues in part and others not.
pub(crate) fn answers_differ(entry: &Entry) -> bool {
    let mappings =
        entry.graph.objects().iter().filter(|object| object.kind.name == "lambda_event_source_mapping");
    let mut answers: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for mapping in mappings {
        let function = format!("{:?}", mapping.fields.get("function_name"));
        answers.entry(function).or_default().insert(in_part(mapping));
    }
    !entry.handlers.is_empty() && answers.values().any(|answers| answers.len() > 1)
}

/// Whether a function tells a queue which messages failed.
fn in_part(mapping: &Object) -> bool {
    matches!(mapping.fields.get("function_response_types"), Some(Expr::List(types)) if !types.is_empty())
}

impl Function {
    fn data(&self) -> Json {
        let mut data = json!({
            "name": self.name,
            "partial": self.partial,
            "launches": self.launches,
            "kept": !self.kept.is_empty(),
        });
        for event in Event::ALL {
            data[event.function()] = self.events.contains(&event).into();
            data[event.flag()] = (self.events.contains(&event) || self.kept.contains(&event)).into();
        }
        data["typed"] =
            Event::ALL.iter().any(|event| *event != Event::Invoke && data[event.flag()] == true).into();
        data
    }

    /// Looks which functions a `handler.rs` still has: the types that they take are generated on, so that it
    /// compiles.
    pub fn keep(&mut self, text: &str) {
        let Ok(file) = syn::parse_file(text) else { return };
        let kept = |event: &Event| {
            *event != Event::Invoke && !self.events.contains(event) && find(&file, *event).is_some()
        };
        self.kept = Event::ALL.into_iter().filter(kept).collect();
    }

    /// The files that are generated each time, from the crate's folder on.
    pub fn generated(&self, templates: &Templates) -> Result<BTreeMap<String, String>, Error> {
        let mut names = vec!["main", "event"];
        names.extend(self.launches.then_some("tasks"));
        let data = self.data();
        let render = |name: &str| {
            let text = templates.rust(&format!("handler/{name}.rs"), &data)?;
            Ok((format!("src/{name}.rs"), text))
        };
        names.into_iter().map(render).collect()
    }

    /// The first `handler.rs`.
    pub fn first_handler(&self, templates: &Templates) -> Result<String, Error> {
        let mut data = self.data();
        let functions: Result<Vec<String>, Error> =
            self.events.iter().map(|event| self.body(*event, templates)).collect();
        data["functions"] = functions?.into();
        let mut uses: Vec<&str> = self
            .events
            .iter()
            .filter(|event| **event != Event::Invoke)
            .map(|event| event.argument())
            .collect();
        uses.sort_unstable();
        data["uses"] = match &uses[..] {
            [] => Json::Null,
            [one] => (*one).into(),
            several => format!("{{{}}}", several.join(", ")).into(),
        };
        templates.rust("handler/handler.rs", &data)
    }

    fn body(&self, event: Event, templates: &Templates) -> Result<String, Error> {
        let text = templates.rust(&format!("handler/{}.rs", event.function()), &self.data())?;
        Ok(text.trim_end().to_owned())
    }

    /// What a `handler.rs` lacks: the diagnostics, and the text with what is missing put in.
    pub fn read(
        &self,
        path: &str,
        text: &str,
        templates: &Templates,
    ) -> Result<(Vec<Diagnostic>, Option<String>), Error> {
        let file = match syn::parse_file(text) {
            Ok(file) => file,
            Err(error) => {
                let start = error.span().start();
                let at = (path.to_owned(), start.line, start.column + 1);
                let message = format!("this is not Rust: {error}");
                return Ok((vec![Diagnostic::in_file(Code::Handler, at, message, "Mend it first.")], None));
            }
        };
        let mut diagnostics = Vec::new();
        let mut added = String::new();
        for event in &self.kept {
            let at = find(&file, *event).map(|function| function.sig.ident.span().start());
            let at = at.map_or((1, 1), |start| (start.line, start.column + 1));
            let message = format!("no trigger calls `{}` any more", event.function());
            let help = "Remove it, or give the function its trigger back.";
            let finding = Diagnostic::in_file(Code::Handler, (path.to_owned(), at.0, at.1), message, help);
            diagnostics.push(finding.as_warning());
        }
        for event in &self.events {
            match find(&file, *event) {
                Some(function) => {
                    if let Some(wrong) = misfit(*event, function) {
                        let start = function.sig.ident.span().start();
                        let at = (path.to_owned(), start.line, start.column + 1);
                        let help = format!("Declare it as `{}`.", event.signature());
                        diagnostics.push(Diagnostic::in_file(Code::Handler, at, wrong, help));
                    }
                }
                // It may come from elsewhere; the compiler knows.
                None if brings(&file, event.function()) => {}
                None => {
                    let at = (path.to_owned(), text.lines().count().max(1), 1);
                    let message = format!("`{}` is missing, and a trigger calls it", event.function());
                    let help = format!(
                        "Add `{} {{ … }}`, or run `tandem generate --fix`, which does.",
                        event.signature()
                    );
                    diagnostics.push(Diagnostic::in_file(Code::Handler, at, message, help));
                    added.push_str(&self.insertion(*event, templates)?);
                }
            }
        }
        let fixed = (!added.is_empty()).then(|| format!("{}\n{added}", text.trim_end()));
        Ok((diagnostics, fixed))
    }

    /// A function to put at the end of a file: with full paths, whatever names that has in scope.
    fn insertion(&self, event: Event, templates: &Templates) -> Result<String, Error> {
        let mut body = self.body(event, templates)?;
        let argument = match event {
            Event::Invoke => "serde_json::Value".to_owned(),
            _ => format!("crate::event::{}", event.argument()),
        };
        for (name, path) in [
            (format!(": {}", event.argument()), format!(": {argument}")),
            (format!("Result<{}", event.argument()), format!("Result<{argument}")),
            ("&Context".to_owned(), "&crate::Context".to_owned()),
            (" Error>".to_owned(), " lambda_runtime::Error>".to_owned()),
            (" json!".to_owned(), " serde_json::json!".to_owned()),
        ] {
            body = body.replace(&name, &path);
        }
        Ok(format!("\n{body}\n"))
    }
}

/// The function of a `handler.rs` that gets a type of events.
fn find(file: &syn::File, event: Event) -> Option<&syn::ItemFn> {
    file.items.iter().find_map(|item| match item {
        syn::Item::Fn(function) if function.sig.ident == event.function() => Some(function),
        _ => None,
    })
}

/// What does not fit about a signature.
fn misfit(event: Event, function: &syn::ItemFn) -> Option<String> {
    let (name, signature) = (event.function(), &function.sig);
    if matches!(function.vis, syn::Visibility::Inherited) {
        return Some(format!("`{name}` is private, and `event.rs` calls it"));
    }
    if function.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
        return Some(format!("`{name}` is there under a condition only"));
    }
    if signature.asyncness.is_none() {
        return Some(format!("`{name}` is not `async`"));
    }
    if signature.inputs.len() != 2 {
        return Some(format!("`{name}` takes {} arguments, and is given two", signature.inputs.len()));
    }
    let type_of = |index: usize| match &signature.inputs[index] {
        syn::FnArg::Typed(argument) => last_name(&argument.ty),
        syn::FnArg::Receiver(_) => None,
    };
    for (index, expected) in [(0, event.argument()), (1, "Context")] {
        // A name of the user's own, or a generic type, is for the compiler to judge.
        if let Some(found) = type_of(index)
            && KNOWN.contains(&found.as_str())
            && found != expected
        {
            return Some(format!("`{name}` takes a `{found}`, and is given a `{expected}`"));
        }
    }
    if matches!(signature.output, syn::ReturnType::Default) {
        return Some(format!("`{name}` returns nothing, and must return `{}`", event.returns()));
    }
    None
}

const KNOWN: &[&str] = &["Object", "Message", "Tick", "Value", "Context"];

fn last_name(ty: &syn::Type) -> Option<String> {
    match ty {
        syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        syn::Type::Reference(reference) => last_name(&reference.elem),
        _ => None,
    }
}

/// Whether a file imports a name or declares it.
fn brings(file: &syn::File, name: &str) -> bool {
    fn tree(tree: &syn::UseTree, name: &str) -> bool {
        match tree {
            syn::UseTree::Path(path) => tree_of(&path.tree, name),
            syn::UseTree::Name(used) => used.ident == name,
            syn::UseTree::Rename(used) => used.rename == name,
            // What that brings, the compiler knows.
            syn::UseTree::Glob(_) => true,
            syn::UseTree::Group(group) => group.items.iter().any(|item| tree_of(item, name)),
        }
    }
    fn tree_of(inner: &syn::UseTree, name: &str) -> bool {
        tree(inner, name)
    }
    file.items.iter().any(|item| match item {
        syn::Item::Use(used) => tree(&used.tree, name),
        syn::Item::Struct(item) => item.ident == name,
        syn::Item::Type(item) => item.ident == name,
        _ => false,
    })
}
