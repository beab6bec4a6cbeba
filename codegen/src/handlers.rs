//! Rust handlers: the files generated for each function, and the check of the user's `handler.rs`.

mod resources;
mod signatures;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
pub use tandem_model::edge::Event;
use tandem_model::edge::Verb;
use tandem_model::expr::Expr;
use tandem_model::finding::Code;
use tandem_model::graph::Object;
use tandem_model::partition;

pub use self::resources::{Resource, ResourceKind};
use self::signatures::{brings, find, misfit};
use crate::diagnostic::Diagnostic;
use crate::relations::{Node, Relation, relations};
use crate::spec::{App, Entry, bootstrap};
use crate::templates::{Error, Templates};

/// A function whose code is a Rust handler next to the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Name of its crate.
    pub name: String,
    /// Types of events that its triggers send. A function without triggers has [`Event::Invoke`].
    pub events: BTreeSet<Event>,
    /// Types of events without a trigger for which `handler.rs` still has a function.
    pub kept: BTreeSet<Event>,
    /// True if it returns partial batch responses to queues and streams.
    pub partial: bool,
    /// True if it can start tasks.
    pub launches: bool,
    /// Other resources that it uses.
    pub resources: Vec<Resource>,
}

/// The constants of a type of event.
pub(crate) struct Facts {
    /// Name of the flag in templates.
    flag: &'static str,
    /// The function of `handler.rs` that handles these events.
    function: &'static str,
    /// Name and type of its first argument.
    argument: (&'static str, &'static str),
    returns: &'static str,
    /// The feature of `aws_lambda_events` that contains the types of the record.
    feature: Option<&'static str>,
}

/// Every type of event.
pub(crate) const EVENTS: [Event; 9] = [
    Event::Object,
    Event::Message,
    Event::Schedule,
    Event::Request,
    Event::Record,
    Event::Change,
    Event::Notification,
    Event::Bus,
    Event::Invoke,
];

/// The Rust side of a type of event.
pub(crate) trait Handled: Copy {
    fn facts(self) -> Facts;

    fn flag(self) -> &'static str {
        self.facts().flag
    }

    /// The function of `handler.rs` that handles these events.
    fn function(self) -> &'static str {
        self.facts().function
    }

    /// The type of the function's first argument.
    fn argument(self) -> &'static str {
        self.facts().argument.1
    }

    fn returns(self) -> &'static str {
        self.facts().returns
    }

    /// The feature of `aws_lambda_events` that the types need.
    fn feature(self) -> Option<&'static str> {
        self.facts().feature
    }

    /// The signature of the function in `handler.rs`.
    fn signature(self) -> String {
        let Facts { function, argument: (name, argument), returns, .. } = self.facts();
        format!("pub async fn {function}({name}: {argument}, context: &Context) -> {returns}")
    }
}

impl Handled for Event {
    fn facts(self) -> Facts {
        const NOTHING: &str = "Result<(), Error>";
        let (flag, function, argument, returns, feature) = match self {
            Self::Object => ("object", "on_object", ("object", "Object"), NOTHING, Some("s3")),
            Self::Message => ("message", "on_message", ("message", "Message"), NOTHING, Some("sqs")),
            Self::Schedule => ("schedule", "on_schedule", ("tick", "Tick"), NOTHING, Some("eventbridge")),
            Self::Request => {
                let returns = "Result<Response, Error>";
                ("request", "on_request", ("request", "Request"), returns, Some("apigw"))
            }
            Self::Record => ("record", "on_record", ("record", "Record"), NOTHING, Some("kinesis")),
            Self::Change => ("change", "on_change", ("change", "Change"), NOTHING, Some("dynamodb")),
            Self::Notification => {
                let argument = ("notification", "Notification");
                ("notification", "on_notification", argument, NOTHING, Some("sns"))
            }
            Self::Bus => ("event", "on_event", ("event", "Event"), NOTHING, Some("eventbridge")),
            Self::Invoke => ("invoke", "on_invoke", ("payload", "Value"), "Result<Value, Error>", None),
        };
        Facts { flag, function, argument, returns, feature }
    }
}

/// The functions of an application, derived from the edges of its graphs.
pub fn functions(app: &App) -> Vec<Function> {
    let relations = relations(&app.entries);
    let mut functions = Vec::new();
    for entry in &app.entries {
        for handler in entry.handlers.values() {
            let path = bootstrap(handler);
            let runs = |object: &&Object| {
                let source = object.fields.get("source");
                matches!(source, Some(Expr::Literal(source)) if source["path"] == path.as_str())
            };
            let Some(object) = entry.graph.objects().iter().find(runs) else { continue };
            functions.push(function(handler, Node::Made(entry, object), &relations));
        }
    }
    functions
}

fn function(name: &str, function: Node<'_>, relations: &[Relation<'_>]) -> Function {
    let own = function.identity();
    let is_own = |end: Option<Node<'_>>| end.is_some_and(|end| end.identity() == own);
    let to = || relations.iter().filter(|relation| is_own(relation.to));
    let from: Vec<&Relation<'_>> = relations.iter().filter(|relation| is_own(relation.from)).collect();
    let mut events: BTreeSet<Event> = to().filter_map(|relation| relation.edge.event).collect();
    if events.is_empty() || to().any(|relation| relation.edge.verb == Verb::Invokes) {
        events.insert(Event::Invoke);
    }
    Function {
        name: name.to_owned(),
        events,
        kept: BTreeSet::new(),
        partial: to().any(|relation| relation.edge.partial),
        launches: from.iter().any(|relation| is_launch(relation)),
        resources: resources::read(&from),
    }
}

/// True if a function starts a task.
fn is_launch(relation: &Relation<'_>) -> bool {
    relation.edge.verb == Verb::Starts && relation.edge.position.is_none()
}

/// True if only some triggers of a function have `partial_batch_response`. A handler has one way to respond.
pub(crate) fn answers_differ(entry: &Entry) -> bool {
    let batches = entry.graph.edges().iter().filter(|edge| edge.event.is_some_and(comes_in_batches));
    let mut answers: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for edge in batches {
        answers.entry(format!("{:?}", edge.to)).or_default().insert(edge.partial);
    }
    !entry.handlers.is_empty() && answers.values().any(|answers| answers.len() > 1)
}

/// The partitions whose endpoints are not in the domain of the first.
fn partitions() -> Vec<Json> {
    let usual = partition::all()[0].dns_suffix;
    let others = partition::all().iter().filter(|one| one.dns_suffix != usual);
    others.map(|one| json!({ "id": one.id, "domain": one.dns_suffix })).collect()
}

fn comes_in_batches(event: Event) -> bool {
    matches!(event, Event::Message | Event::Record | Event::Change)
}

impl Function {
    fn data(&self) -> Json {
        let mut data = json!({
            "name": self.name,
            "partial": self.partial,
            "launches": self.launches,
            "kept": !self.kept.is_empty(),
            "partitions": partitions(),
            "resources": self.resources.iter().map(Resource::data).collect::<Vec<_>>(),
        });
        for event in EVENTS {
            data[event.function()] = self.events.contains(&event).into();
            data[event.flag()] = self.takes(event).into();
        }
        let typed = || EVENTS.into_iter().filter(|event| *event != Event::Invoke);
        let any = |events: &[Event]| events.iter().any(|event| self.takes(*event));
        data["typed"] = typed().any(|event| self.takes(event)).into();
        data["told_apart"] = typed().any(|event| self.events.contains(&event)).into();
        data["of_event_bridge"] = any(&[Event::Schedule, Event::Bus]).into();
        data["of_streams"] = any(&[Event::Record, Event::Change]).into();
        data["with_maps"] = any(&[Event::Request, Event::Notification]).into();
        for kind in ResourceKind::ALL {
            data[format!("uses_{}", kind.noun())] = self.uses(kind).into();
        }
        data["with_json"] = [ResourceKind::Table, ResourceKind::Function, ResourceKind::Workflow]
            .iter()
            .any(|kind| self.uses(*kind))
            .into();
        let sdk = self.resources.first().map(|resource| resource.kind.package().replace('-', "_"));
        data["sdk"] = sdk.into();
        data
    }

    /// True if the types of these events are generated for the function.
    pub(crate) fn takes(&self, event: Event) -> bool {
        self.events.contains(&event) || self.kept.contains(&event)
    }

    /// True if the function uses a resource of this kind.
    pub(crate) fn uses(&self, kind: ResourceKind) -> bool {
        self.resources.iter().any(|resource| resource.kind == kind)
    }

    /// Finds functions of a `handler.rs` that have no trigger any more. The types of their events are still
    /// generated, so that the file compiles.
    pub fn keep(&mut self, text: &str) {
        let Ok(file) = syn::parse_file(text) else { return };
        let kept = |event: &Event| {
            *event != Event::Invoke && !self.events.contains(event) && find(&file, *event).is_some()
        };
        self.kept = EVENTS.into_iter().filter(kept).collect();
    }

    /// The generated files, by their path in the folder of the crate.
    pub fn generated(&self, templates: &Templates) -> Result<BTreeMap<String, String>, Error> {
        let mut names = vec!["main", "event"];
        names.extend(self.launches.then_some("tasks"));
        names.extend((!self.resources.is_empty()).then_some("resources"));
        let data = self.data();
        let render = |name: &str| {
            let text = templates.rust(&format!("handler/{name}.rs"), &data)?;
            Ok((format!("src/{name}.rs"), text))
        };
        names.into_iter().map(render).collect()
    }

    /// The initial `handler.rs`, with one function for each type of event.
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
        uses.extend(self.events.contains(&Event::Request).then_some("Response"));
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

    /// Checks a `handler.rs`. Returns the diagnostics and, if functions are missing, the text with these
    /// added.
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
                let message = format!("this is not valid Rust: {error}");
                return Ok((
                    vec![Diagnostic::in_file(Code::Handler, at, message, "Fix the syntax error.")],
                    None,
                ));
            }
        };
        let mut diagnostics = Vec::new();
        let mut added = String::new();
        for event in &self.kept {
            let at = find(&file, *event).map(|function| function.sig.ident.span().start());
            let at = at.map_or((1, 1), |start| (start.line, start.column + 1));
            let message = format!("no trigger calls `{}` any more", event.function());
            let help = "Remove it, or add the trigger to the spec again.";
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
                // It may be imported; the compiler checks it.
                None if brings(&file, event.function()) => {}
                None => {
                    let at = (path.to_owned(), text.lines().count().max(1), 1);
                    let message = format!("`{}` is missing, but a trigger calls it", event.function());
                    let help = format!(
                        "Add `{} {{ … }}`, or run `tandem generate --fix` to add it.",
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

    /// A function to append to a file. It uses full paths, because the names in scope are not known.
    fn insertion(&self, event: Event, templates: &Templates) -> Result<String, Error> {
        let mut body = self.body(event, templates)?;
        let argument = match event {
            Event::Invoke => "serde_json::Value".to_owned(),
            _ => format!("crate::event::{}", event.argument()),
        };
        for (name, path) in [
            (format!(": {}", event.argument()), format!(": {argument}")),
            (format!("Result<{}", event.argument()), format!("Result<{argument}")),
            ("Result<Response".to_owned(), "Result<crate::event::Response".to_owned()),
            ("(Response::".to_owned(), "(crate::event::Response::".to_owned()),
            ("&Context".to_owned(), "&crate::Context".to_owned()),
            (" Error>".to_owned(), " lambda_runtime::Error>".to_owned()),
            (" json!".to_owned(), " serde_json::json!".to_owned()),
        ] {
            body = body.replace(&name, &path);
        }
        Ok(format!("\n{body}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::spec;

    const AROUND: &str = "app: a\nbuckets: { b: {} }\nqueues: { q: {} }\nstreams: { s: {} }\ntopics: { n: {} }\n\
                          tables: { t: { key: id, stream: KEYS_ONLY } }\n";

    /// Returns the function `f` of this section `functions`.
    fn read(functions: &str) -> Function {
        let text = format!("{AROUND}functions: {{ {functions} }}\n");
        let (app, diagnostics) = spec::read(&Source { path: "tandem.yaml".into(), text });
        let app = app.unwrap_or_else(|| panic!("{diagnostics:?}"));
        super::functions(&app).into_iter().find(|function| function.name == "f").unwrap()
    }

    #[test]
    fn triggers_say_which_events_come() {
        for (functions, expected) in [
            ("f: {}", "on_invoke"),
            ("f: { on: { bucket: b } }", "on_object"),
            ("f: { on: { queue: q } }", "on_message"),
            ("f: { on: { schedule: rate(1 day) } }", "on_schedule"),
            ("f: { on: { schedule: rate(1 day), input: '{}' } }", "on_invoke"),
            (
                "f: { on: [{ schedule: rate(1 day), input: '{}' }, { schedule: rate(2 days) }] }",
                "on_schedule on_invoke",
            ),
            ("f: { on: { http: api, auth: none } }", "on_request"),
            ("f: { on: { http: url, auth: iam } }", "on_request"),
            ("f: { on: { stream: s } }", "on_record"),
            ("f: { on: { stream: 'arn:aws:kinesis:eu-central-1:123456789012:stream/s' } }", "on_record"),
            ("f: { on: { table: t } }", "on_change"),
            (
                "f: { on: { table: 'arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/2026' } }",
                "on_change",
            ),
            ("f: { on: { topic: n } }", "on_notification"),
            ("f: { on: { event_pattern: '{\"source\":[\"my.app\"]}' } }", "on_event"),
            ("f: { on: { topic: n } }, g: { invokes: { function: f } }", "on_notification on_invoke"),
        ] {
            let function = read(functions);
            let events: Vec<&str> = function.events.iter().map(|event| event.function()).collect();
            assert_eq!(events.join(" "), expected, "{functions}");
        }
    }

    #[test]
    fn what_is_used_has_one_field_each() {
        let arn = |rest: &str| format!("'arn:aws:{rest}'");
        let inputs = format!(
            "on: {{ stream: s, allow_loop: true }}, reads: [{{ bucket: b }}, {{ table: t }}], writes: [{{ table: t }}, \
             {{ table: {} }}, {{ stream: s }}], sends_to: [{{ queue: q }}, {{ queue: {} }}, {{ queue: {} }}, \
             {{ topic: {} }}, {{ topic: {} }}], invokes: {{ function: {} }}",
            arn("dynamodb:eu-central-1:123456789012:table/tasks"),
            arn("sqs:eu-central-1:123456789012:2026-q.fifo"),
            arn("sqs:eu-central-1:123456789012:self"),
            arn("sns:eu-central-1:123456789012:n"),
            arn("sns:eu-central-1:123456789012:config"),
            arn("lambda:eu-central-1:123456789012:function:n:live"),
        );
        let function = read(&format!("f: {{ {inputs} }}"));
        let fields: Vec<(usize, &str, ResourceKind)> = function
            .resources
            .iter()
            .map(|resource| (resource.index, resource.field.as_str(), resource.kind))
            .collect();
        let expected = [
            (0, "b", ResourceKind::Bucket),
            (1, "t", ResourceKind::Table),
            (3, "tasks_table", ResourceKind::Table),
            (4, "s", ResourceKind::Stream),
            (5, "q", ResourceKind::Queue),
            (6, "queue_2026_q_fifo", ResourceKind::Queue),
            (7, "self_queue", ResourceKind::Queue),
            (8, "n", ResourceKind::Topic),
            (9, "config_topic", ResourceKind::Topic),
            (10, "n_function", ResourceKind::Function),
        ];
        assert_eq!(fields, expected);
    }
}
