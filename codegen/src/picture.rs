//! A diagram of an application: its entries, their objects, and the data flow between them.

mod formats;
mod svg;

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;
use tandem_model::checks::loops::base;
use tandem_model::edge::{Edge as Relationship, ResourceType, Verb};
use tandem_model::expr::Expr;
use tandem_model::graph::{Key, Object};
use tandem_model::names;

use crate::relations::{Identity, Node as End, Relation, is_main, relations};
use crate::spec::{App, Entry};

/// The format of a diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For Markdown
    Mermaid,
    /// For Graphviz
    Dot,
    /// An image
    Svg,
}

/// Kinds of objects that are drawn, with their shape.
const NODES: &[(&str, Shape)] = &[
    ("apigatewayv2_api", Shape::Event),
    ("cloudwatch_event_rule", Shape::Event),
    ("dynamodb_table", Shape::Store),
    ("ecs_task_definition", Shape::Container),
    ("kinesis_stream", Shape::Store),
    ("lambda_function", Shape::Function),
    ("lambda_function_url", Shape::Event),
    ("s3_bucket", Shape::Store),
    ("scheduler_schedule", Shape::Event),
    ("sfn_state_machine", Shape::Workflow),
    ("sns_topic", Shape::Store),
    ("sqs_queue", Shape::Store),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Store,
    Function,
    Container,
    Workflow,
    Event,
}

impl Shape {
    /// The shape of an object; none if it is not drawn.
    fn of(object: &Object) -> Option<Self> {
        NODES.iter().find(|(kind, _)| object.kind.name == *kind).map(|(_, shape)| *shape)
    }

    /// The shape of an existing resource.
    fn of_type(ty: ResourceType) -> Self {
        match ty {
            ResourceType::Function => Self::Function,
            ResourceType::Task => Self::Container,
            ResourceType::Workflow => Self::Workflow,
            _ => Self::Store,
        }
    }
}

#[derive(Clone)]
struct Node {
    id: String,
    label: String,
    group: String,
    shape: Shape,
}

#[derive(Clone, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    label: String,
}

#[derive(Default)]
struct Picture {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// Positions of edges, by the ids of their two nodes.
    between: HashMap<(String, String), Vec<usize>>,
}

/// Draws an application in a format.
pub fn draw(app: &App, format: Format) -> String {
    let picture = Picture::of(app);
    match format {
        Format::Mermaid => picture.mermaid(),
        Format::Dot => picture.dot(),
        Format::Svg => picture.svg(),
    }
}

/// Nodes and edges of an entry, as positions in the lists of its diagram.
#[derive(Default)]
struct Own {
    nodes: Vec<usize>,
    edges: Vec<usize>,
}

/// The diagram of an application, for its README and for those of its entries.
pub(crate) struct Diagram {
    picture: Picture,
    /// Positions of nodes, by id.
    nodes: HashMap<String, usize>,
    entries: HashMap<String, Own>,
}

/// GitHub refuses to render a longer Mermaid text, or one with more edges.
const MOST_TEXT: usize = 50_000;
const MOST_EDGES: usize = 500;

impl Diagram {
    pub(crate) fn of(app: &App) -> Self {
        let picture = Picture::of(app);
        let mut entries: HashMap<String, Own> = HashMap::new();
        let mut nodes = HashMap::new();
        for (index, node) in picture.nodes.iter().enumerate() {
            entries.entry(node.group.clone()).or_default().nodes.push(index);
            nodes.insert(node.id.clone(), index);
        }
        for (index, edge) in picture.edges.iter().enumerate() {
            let ends = [&edge.from, &edge.to].into_iter().filter_map(|id| nodes.get(id));
            let groups: BTreeSet<&String> = ends.map(|node| &picture.nodes[*node].group).collect();
            for group in groups {
                entries.entry(group.clone()).or_default().edges.push(index);
            }
        }
        Self { picture, nodes, entries }
    }

    /// The application as Mermaid text. `None` if it is too large to be rendered, or has no edge.
    pub(crate) fn whole(&self) -> Option<String> {
        rendered(&self.picture)
    }

    /// One entry, and the nodes that its edges connect it to, as Mermaid text. `None` as in [`Self::whole`].
    pub(crate) fn around(&self, entry: &str) -> Option<String> {
        let own = self.entries.get(entry)?;
        let edges: Vec<Edge> = own.edges.iter().map(|index| self.picture.edges[*index].clone()).collect();
        let ends = edges.iter().flat_map(|edge| [&edge.from, &edge.to]);
        let mut nodes: BTreeSet<usize> = ends.filter_map(|id| self.nodes.get(id).copied()).collect();
        nodes.extend(&own.nodes);
        let nodes = nodes.into_iter().map(|index| self.picture.nodes[index].clone()).collect();
        rendered(&Picture { nodes, edges, ..Picture::default() })
    }
}

fn rendered(picture: &Picture) -> Option<String> {
    if picture.edges.is_empty() || picture.edges.len() > MOST_EDGES {
        return None;
    }
    Some(picture.mermaid()).filter(|text| text.len() <= MOST_TEXT)
}

fn id(entry: &str, key: &Key) -> String {
    format!("{entry}_{}", key.as_str()).replace(['-', '.'], "_")
}

/// A label for an event pattern: its sources and detail types.
fn events(pattern: &Expr) -> String {
    let Expr::Literal(pattern) = pattern else { return "events".to_owned() };
    let lists = ["source", "detail-type"].into_iter().filter_map(|field| pattern[field].as_array());
    let named: Vec<&str> = lists.flatten().filter_map(Json::as_str).collect();
    if named.is_empty() { "events".to_owned() } else { named.join(", ") }
}

impl Picture {
    fn of(app: &App) -> Self {
        let relations = relations(&app.entries);
        // An event source is drawn if an edge leads from it: the source behind a rule may be a bucket.
        let sources: BTreeSet<Identity> = relations
            .iter()
            .filter(|relation| matches!(relation.edge.verb, Verb::Triggers | Verb::Starts))
            .filter_map(|relation| Some(relation.from?.identity()))
            .collect();
        let mut picture = Self::default();
        for entry in &app.entries {
            picture.entry(entry, &sources);
        }
        // A function reads the source of its trigger: the trigger's edge covers this read.
        // Failed deliveries of an event source are not drawn.
        let drawn =
            relations.iter().filter(|relation| relation.edge.verb != Verb::FailsTo || is_flow(relation));
        let (first, further): (Vec<&Relation<'_>>, Vec<&Relation<'_>>) =
            drawn.partition(|relation| is_flow(relation));
        first.into_iter().for_each(|relation| picture.flow(relation));
        // The steps of each workflow come before what roles allow.
        for entry in &app.entries {
            let own = |relation: &&&Relation<'_>| relation.entry.name == entry.name;
            let of_steps = further.iter().filter(own).filter(|relation| relation.edge.step.is_some());
            picture.further(of_steps.copied());
            let others = further.iter().filter(own).filter(|relation| relation.edge.step.is_none());
            picture.further(others.copied());
        }
        picture
    }

    fn entry(&mut self, entry: &Entry, sources: &BTreeSet<Identity>) {
        for object in entry.graph.objects() {
            let Some(shape) = Shape::of(object) else { continue };
            if shape == Shape::Event && !sources.contains(&End::Made(entry, object).identity()) {
                continue;
            }
            let label = self.label(&entry.name, object);
            let id = id(&entry.name, &object.key);
            self.nodes.push(Node { id, label, group: entry.name.clone(), shape });
        }
    }

    fn label(&self, entry: &str, object: &Object) -> String {
        match object.kind.name {
            "apigatewayv2_api" | "lambda_function_url" => object.kind.title.to_owned(),
            "cloudwatch_event_rule" => object.fields.get("event_pattern").map(events).unwrap_or_default(),
            "scheduler_schedule" => {
                let expression = object.fields.get("schedule_expression");
                expression.and_then(Expr::as_text).unwrap_or_default().to_owned()
            }
            _ => {
                let slot = object.key.slot();
                // The nodes of an entry are the last ones.
                let mut own = self.nodes.iter().rev().take_while(|node| node.group == entry);
                let taken = own.any(|node| node.label == entry);
                if is_main(object) && !taken { entry.to_owned() } else { slot.replace('_', " ") }
            }
        }
    }

    fn flow(&mut self, relation: &Relation<'_>) {
        let Some((from, to)) = self.ends(relation) else { return };
        let edge = Edge { from, to, label: label(relation.edge) };
        let known = self.between(&edge.from, &edge.to);
        if !known.iter().any(|index| self.edges[*index] == edge) {
            self.connect(edge);
        }
    }

    /// The ids of the nodes of an edge, in the direction in which data flows. `None` if one is not known or not
    /// drawn.
    fn ends(&mut self, relation: &Relation<'_>) -> Option<(String, String)> {
        let (from, to) = relation.ends()?;
        let (from, to) = (self.node(from)?, self.node(to)?);
        Some(if relation.edge.verb == Verb::Reads { (to, from) } else { (from, to) })
    }

    /// Positions of the edges from one node to another.
    fn between(&self, from: &str, to: &str) -> &[usize] {
        self.between.get(&(from.to_owned(), to.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn connect(&mut self, edge: Edge) {
        let ends = (edge.from.clone(), edge.to.clone());
        self.between.entry(ends).or_default().push(self.edges.len());
        self.edges.push(edge);
    }

    /// Draws edges between nodes that no edge connects yet. Further edges between the same nodes extend the
    /// label.
    fn further<'a>(&mut self, relations: impl Iterator<Item = &'a Relation<'a>>) {
        let drawn = self.edges.len();
        for relation in relations {
            let Some((from, to)) = self.ends(relation) else { continue };
            let there = self.between(&from, &to).first().copied();
            match there {
                None if from != to => self.connect(Edge { from, to, label: label(relation.edge) }),
                Some(index) if index >= drawn => self.edges[index].say(&label(relation.edge)),
                _ => {}
            }
        }
    }

    /// Returns the id of a node; `None` if it is not drawn. The node of an existing resource is added with its
    /// first edge.
    fn node(&mut self, end: End<'_>) -> Option<String> {
        let (ty, text) = match end {
            End::Made(entry, object) => return Shape::of(object).map(|_| id(&entry.name, &object.key)),
            End::Given(ty, text) => (ty, base(text)),
        };
        let id = format!("given_{}", names::hash(text));
        if self.nodes.iter().all(|node| node.id != id) {
            let (label, shape) = (end.name().to_owned(), Shape::of_type(ty));
            self.nodes.push(Node { id: id.clone(), label, group: String::new(), shape });
        }
        Some(id)
    }
}

/// True for edges of triggers, schedules and dead-letter queues: events flow along them.
fn is_flow(relation: &Relation<'_>) -> bool {
    let from = relation.from.and_then(End::object).and_then(Shape::of);
    match relation.edge.verb {
        Verb::Triggers => true,
        Verb::FailsTo => from.is_some_and(|shape| shape != Shape::Event),
        Verb::Starts => from == Some(Shape::Event),
        _ => false,
    }
}

fn label(edge: &Relationship) -> String {
    if edge.verb == Verb::FailsTo {
        return "failed".to_owned();
    }
    if let Some(step) = &edge.step {
        return step.clone();
    }
    let keys = edge.objects.iter().flat_map(|objects| [&objects.keys.prefix, &objects.keys.suffix]);
    let keys: Vec<&str> = keys.map(String::as_str).filter(|keys| !keys.is_empty()).collect();
    match edge.verb {
        _ if !keys.is_empty() => keys.join(" "),
        Verb::Triggers | Verb::FailsTo => String::new(),
        Verb::Reads => "reads".to_owned(),
        Verb::Writes => "writes".to_owned(),
        Verb::Sends => "sends".to_owned(),
        Verb::Invokes => "invokes".to_owned(),
        Verb::Starts => "starts".to_owned(),
    }
}

impl Edge {
    fn say(&mut self, more: &str) {
        if self.label.split(", ").all(|said| said != more) {
            self.label = format!("{}, {more}", self.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::spec;

    fn app(text: &str) -> App {
        let (app, diagnostics) = spec::read(&Source { path: "tandem.yaml".into(), text: text.to_owned() });
        app.unwrap_or_else(|| panic!("{diagnostics:?}"))
    }

    fn picture(text: &str) -> Picture {
        Picture::of(&app(text))
    }

    /// Edges with the labels of their nodes, sorted. `failed` selects the edges to dead-letter queues.
    fn edges(text: &str, failed: bool) -> Vec<String> {
        let picture = picture(text);
        let label = |id: &str| {
            let node = picture.nodes.iter().find(|node| node.id == id);
            node.unwrap_or_else(|| panic!("{id} is not drawn")).label.clone()
        };
        let chosen = picture.edges.iter().filter(|edge| (edge.label == "failed") == failed);
        let mut edges: Vec<String> = chosen
            .map(|edge| format!("{} -{}-> {}", label(&edge.from), edge.label, label(&edge.to)))
            .collect();
        edges.sort();
        edges
    }

    const AROUND: &str = "app: a\nbuckets: { b: { event_bridge: true } }\nqueues: { q: {} }\n\
                          streams: { s: {} }\ntopics: { n: {} }\n\
                          tables: { t: { key: id, stream: KEYS_ONLY } }\ntasks: { k: { image: i } }\n";

    #[test]
    fn triggers_lead_to_what_they_set_off() {
        let given = "arn:aws:dynamodb:eu-central-1:123456789012:table/given";
        let stream = format!("{given}/stream/2026-01-01T00:00:00.000");
        let of_table = format!("on: {{ table: '{stream}' }}, reads: {{ table: '{given}' }}");
        for (inputs, expected) in [
            ("on: { bucket: b, prefix: in/, suffix: .a }", "b -in/ .a-> f"),
            ("on: { bucket: b }, reads: { bucket: b }", "b --> f"),
            ("on: { bucket: given, suffix: .a }, reads: { bucket: given }", "given -.a-> f"),
            ("on: { queue: q }", "q --> f"),
            ("on: { queue: 'arn:aws:sqs:eu-central-1:123456789012:jobs.fifo' }", "jobs.fifo --> f"),
            ("on: { stream: s }", "s --> f"),
            ("on: { table: t }, reads: { table: t }", "t --> f"),
            (of_table.as_str(), "given --> f"),
            ("on: { topic: n }", "n --> f"),
            ("on: { schedule: rate(1 day) }", "rate(1 day) --> f"),
            ("on: { http: api, auth: none }", "HTTP API --> f"),
            ("on: { http: url, auth: none }", "Lambda function URL --> f"),
            ("on: { event_pattern: '{\"source\":[\"my.app\"]}' }", "my.app --> f"),
            ("on: { event_pattern: '{\"detail\":{\"a\":[1]}}' }", "events --> f"),
        ] {
            assert_eq!(edges(&format!("{AROUND}functions: {{ f: {{ {inputs} }} }}\n"), false), [expected]);
        }
        let queue = "app: a\ntopics: { n: {} }\nqueues: { q: { on: { topic: n } } }\n";
        assert_eq!(edges(queue, false), ["n --> q"]);
        let task = "app: a\ntasks: { k: { image: i, on: { schedule: rate(1 day) } } }\n";
        assert_eq!(edges(task, false), ["rate(1 day) -starts-> k"]);
    }

    #[test]
    fn things_lead_to_what_they_use() {
        let uses = "reads: [{ bucket: b, prefix: in/ }, { table: t }, { bucket: given }], \
                    writes: [{ bucket: b }, { table: t }, { stream: s }], \
                    sends_to: [{ queue: q }, { topic: n }], launches: k, invokes: [{ function: g }, \
                    { workflow: 'arn:aws:states:eu-central-1:123456789012:stateMachine:m' }]";
        let expected = [
            "b -in/-> f",
            "f -invokes-> g",
            "f -sends-> n",
            "f -sends-> q",
            "f -starts-> k",
            "f -starts-> m",
            "f -writes-> b",
            "f -writes-> s",
            "f -writes-> t",
            "given -reads-> f",
            "t -reads-> f",
        ];
        assert_eq!(edges(&format!("{AROUND}functions: {{ f: {{ {uses} }}, g: {{}} }}\n"), false), expected);
        let task = "app: a\nbuckets: { b: {} }\ntasks:\n  \
                    k: { image: i, bucket_access: { bucket: b, read: in/, write: [out/, more/] } }\n";
        assert_eq!(edges(task, false), ["b -in/-> k", "k -out/, more/-> b"]);
    }

    #[test]
    fn workflows_lead_to_what_their_steps_run() {
        let workflow = "functions: { f: {} }\nworkflows:\n  w:\n    \
                        on: { bucket: b, prefix: in/ }\n    step:\n    \
                        - { name: one, function: f }\n    - { name: two, task: k }\n    \
                        - { name: ask, callback: q }\n    \
                        - { name: tiles, map: { count: 2 }, distributed: true }\n    \
                        - { name: tile, within: tiles, task: k }\n";
        let text = format!("{AROUND}{workflow}");
        assert_eq!(edges(&text, false), ["b -in/-> w", "w -ask-> q", "w -one-> f", "w -two, tile-> k"]);
        let failed = ["f", "k", "q", "w"].map(|name| format!("{name} -failed-> dead letters"));
        assert_eq!(edges(&text, true), failed);
        let express = "app: a\nfunctions: { f: {} }\n\
                       workflows: { w: { type: express, step: { name: one, function: f } } }\n";
        assert_eq!(edges(express, false), ["w -one-> f"]);
        assert_eq!(edges(express, true), ["f -failed-> dead letters", "w -failed-> dead letters"]);
    }

    #[test]
    fn what_is_in_one_entry_is_told_apart() {
        let group = "app: a\nqueue_groups:\n  \
                     w: { queue: [{ name: x }, { name: y, dead_letters: false }], consumer: {} }\n";
        assert_eq!(edges(group, false), ["x --> consumer", "y --> consumer"]);
        let failed = ["consumer -failed-> consumer dead letters", "x -failed-> x dead letters"];
        assert_eq!(edges(group, true), failed);
        let videos = "app: a\nthumbnailers: { v: { task: { image: i } } }\n";
        let expected = [
            "bucket -.mp4-> workflow",
            "bucket -reads-> v",
            "v -thumbnails/ .jpg-> bucket",
            "workflow -thumbnail-> v",
        ];
        assert_eq!(edges(videos, false), expected);
    }

    #[test]
    fn the_diagram_of_an_entry_has_its_neighbors_only() {
        let text = "app: a\nbuckets: { b: {}, alone: {} }\ntables: { t: { key: id } }\n\
                    functions: { f: { on: { bucket: b }, writes: { table: t } }, g: {} }\n";
        let diagram = Diagram::of(&app(text));
        let expected = "flowchart LR\n  subgraph f_entry[\"f\"]\n    \
                        f_lambda_function_function[[\"f\"]]\n  end\n  subgraph t_entry[\"t\"]\n    \
                        t_dynamodb_table_main[(\"t\")]\n  end\n  \
                        f_lambda_function_function -->|\"writes\"| t_dynamodb_table_main\n";
        assert_eq!(diagram.around("t").as_deref(), Some(expected));
        let function = diagram.around("f").unwrap_or_default();
        for (node, there) in [("b_s3_bucket", true), ("f_sqs_queue_dead_letters", true), ("g_", false)] {
            assert_eq!(function.contains(node), there, "{node}: {function}");
        }
        assert_eq!(diagram.around("alone"), None);
        assert!(diagram.whole().is_some_and(|whole| whole.contains("alone")));
    }

    #[test]
    fn what_leads_back_moves_nothing() {
        let uses = "reads: { table: t }, writes: { table: t }";
        let picture = picture(&format!("{AROUND}functions: {{ f: {{ {uses} }} }}\n"));
        let columns = picture.columns();
        let nodes = ["t_dynamodb_table_main", "f_lambda_function_function", "f_sqs_queue_dead_letters"];
        assert_eq!(nodes.map(|node| columns[node]), [0, 1, 2]);
    }
}
