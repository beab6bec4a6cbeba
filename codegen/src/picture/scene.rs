//! The content of a diagram: frames, nodes and edges, from the edges and flows of all graphs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value as Json;
use tandem_model::checks::loops::base;
use tandem_model::edge::{Edge as Relationship, Verb};
use tandem_model::expr::Expr;
use tandem_model::flow::{Case, Flow, FlowStep, Within};
use tandem_model::graph::Key;
use tandem_model::kinds::cloudwatch;
use tandem_model::names;

use super::look::{Line, Look};
use crate::relations::{Identity, Node as End, Relation, is_main, relations};
use crate::spec::{App, Entry};

/// A box around nodes: an entry, or the steps that a step runs.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) parent: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) label: String,
    /// The kind in words, e.g. `SQS queue`; empty if the label says it.
    pub(super) kind: String,
    pub(super) look: Look,
    pub(super) frame: Option<usize>,
    /// The number of alarms on the object.
    pub(super) alarms: usize,
}

impl Node {
    /// The lines of the node: its label, and its kind and alarms.
    pub(super) fn lines(&self) -> (String, String) {
        let alarms = match self.alarms {
            0 => String::new(),
            1 => "alarm".to_owned(),
            many => format!("{many} alarms"),
        };
        let joined = |parts: [&str; 2]| {
            let parts = parts.into_iter().filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join(", ")
        };
        if self.look.is_small() {
            (joined([&self.label, &alarms]), String::new())
        } else {
            (self.label.clone(), joined([&self.kind, &alarms]))
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) label: String,
    pub(super) line: Line,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    pub(super) title: String,
    pub(super) frames: Vec<Frame>,
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
}

/// Builds a scene.
#[derive(Default)]
struct Builder {
    scene: Scene,
    /// Positions of nodes, by id.
    nodes: HashMap<String, usize>,
    /// Positions of edges, by the ids of their two nodes.
    between: HashMap<(String, String), Vec<usize>>,
    /// The frames of entries.
    frames: HashMap<String, usize>,
}

/// The longest condition of a choice that is drawn, in characters.
const CONDITION: usize = 32;

impl Scene {
    pub(super) fn of(app: &App) -> Self {
        let relations = relations(&app.entries);
        // An event source is drawn if an edge leads from it: the source behind a rule may be a bucket.
        let sources: BTreeSet<Identity> = relations
            .iter()
            .filter(|relation| matches!(relation.edge.verb, Verb::Triggers | Verb::Starts))
            .filter_map(|relation| Some(relation.from?.identity()))
            .collect();
        let failures: BTreeSet<Identity> = relations
            .iter()
            .filter(|relation| relation.edge.verb == Verb::FailsTo)
            .filter_map(|relation| Some(relation.to?.identity()))
            .collect();
        let mut builder = Builder::default();
        builder.scene.title.clone_from(&app.name);
        for entry in &app.entries {
            builder.entry(entry, &sources, &failures);
        }
        // A function reads the source of its trigger: the trigger's edge covers this read.
        // Failed deliveries of an event source are not drawn.
        let drawn =
            relations.iter().filter(|relation| relation.edge.verb != Verb::FailsTo || is_flow(relation));
        let (first, further): (Vec<&Relation<'_>>, Vec<&Relation<'_>>) =
            drawn.partition(|relation| is_flow(relation));
        first.into_iter().for_each(|relation| builder.flow(relation));
        // The steps of each workflow come before what roles allow.
        for entry in &app.entries {
            let own = |relation: &&&Relation<'_>| relation.entry.name == entry.name;
            let of_steps = further.iter().filter(own).filter(|relation| relation.edge.step.is_some());
            builder.further(of_steps.copied());
            let others = further.iter().filter(own).filter(|relation| relation.edge.step.is_none());
            builder.further(others.copied());
        }
        app.entries.iter().for_each(|entry| builder.alarms(entry));
        builder.scene
    }

    /// A part of the scene: these nodes and edges, with the frames around the nodes.
    pub(super) fn part(&self, nodes: &BTreeSet<usize>, edges: Vec<Edge>) -> Self {
        let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
        let mut needed = BTreeSet::new();
        for node in nodes {
            let mut frame = self.nodes[*node].frame;
            while let Some(index) = frame {
                needed.insert(index);
                frame = self.frames[index].parent;
            }
        }
        let mut part = Self { title: self.title.clone(), edges, ..Self::default() };
        // A parent has a smaller index than its children.
        for index in needed {
            kept.insert(index, part.frames.len());
            let frame = &self.frames[index];
            let parent = frame.parent.and_then(|parent| kept.get(&parent).copied());
            part.frames.push(Frame { parent, ..frame.clone() });
        }
        for node in nodes {
            let node = &self.nodes[*node];
            let frame = node.frame.and_then(|frame| kept.get(&frame).copied());
            part.nodes.push(Node { frame, ..node.clone() });
        }
        part
    }

    /// Returns true if a frame has a node, perhaps in an inner frame.
    pub(super) fn is_used(&self, frame: usize) -> bool {
        let inside = |mut at: Option<usize>| {
            while let Some(index) = at {
                if index == frame {
                    return true;
                }
                at = self.frames[index].parent;
            }
            false
        };
        self.nodes.iter().any(|node| inside(node.frame))
    }
}

/// The id of a node, from strings that identify it.
fn id(parts: &[&str]) -> String {
    let text = parts.join("_");
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The id of each step. The ids of two steps can be equal apart from a number: `a-b` and `a_b`.
fn ids_of_steps<'f>(machine: &str, flow: &'f Flow) -> BTreeMap<&'f str, String> {
    let mut ids: BTreeMap<&str, String> = BTreeMap::new();
    for step in &flow.steps {
        let base = id(&[machine, "step", &step.name]);
        let mut own = base.clone();
        let mut number = 2;
        while ids.values().any(|known| *known == own) {
            own = format!("{base}_{number}");
            number += 1;
        }
        ids.insert(&step.name, own);
    }
    ids
}

fn object_id(entry: &str, key: &Key) -> String {
    id(&[entry, key.as_str()])
}

/// A label for an event pattern: its sources and detail types.
fn events(pattern: &Expr) -> String {
    let Expr::Literal(pattern) = pattern else { return "events".to_owned() };
    let lists = ["source", "detail-type"].into_iter().filter_map(|field| pattern[field].as_array());
    let named: Vec<&str> = lists.flatten().filter_map(Json::as_str).collect();
    if named.is_empty() { "events".to_owned() } else { named.join(", ") }
}

impl Builder {
    fn add(&mut self, node: Node) {
        self.nodes.insert(node.id.clone(), self.scene.nodes.len());
        self.scene.nodes.push(node);
    }

    fn frame(&mut self, id: String, title: String, parent: Option<usize>) -> usize {
        self.scene.frames.push(Frame { id, title, parent });
        self.scene.frames.len() - 1
    }

    fn entry(&mut self, entry: &Entry, sources: &BTreeSet<Identity>, failures: &BTreeSet<Identity>) {
        let frame = self.frame(id(&[&entry.name, "entry"]), entry.name.clone(), None);
        self.frames.insert(entry.name.clone(), frame);
        let mut taken = false;
        for object in entry.graph.objects() {
            let Some(look) = Look::of(object) else { continue };
            let identity = End::Made(entry, object).identity();
            if look == Look::Event && !sources.contains(&identity) {
                continue;
            }
            let is_failures = failures.contains(&identity);
            let look = if is_failures { Look::DeadLetters } else { look };
            let (label, kind) = match object.kind.name {
                "apigatewayv2_api" | "lambda_function_url" => (object.kind.title.to_owned(), ""),
                "cloudwatch_event_rule" => {
                    (object.fields.get("event_pattern").map(events).unwrap_or_default(), object.kind.title)
                }
                "scheduler_schedule" => {
                    let expression = object.fields.get("schedule_expression").and_then(Expr::as_text);
                    (expression.unwrap_or_default().to_owned(), object.kind.title)
                }
                _ if is_failures => (object.key.slot().replace('_', " "), ""),
                _ if is_main(object) && !taken => {
                    taken = true;
                    (entry.name.clone(), object.kind.title)
                }
                _ => (object.key.slot().replace('_', " "), object.kind.title),
            };
            let id = object_id(&entry.name, &object.key);
            self.add(Node { id, label, kind: kind.to_owned(), look, frame: Some(frame), alarms: 0 });
        }
        for flow in entry.graph.flows() {
            self.steps(entry, flow, frame);
        }
    }

    /// The steps of a workflow, and the transitions between them.
    fn steps(&mut self, entry: &Entry, flow: &Flow, frame: usize) {
        let machine = object_id(&entry.name, &flow.machine);
        let ids = ids_of_steps(&machine, flow);
        let step_id = |name: &str| ids.get(name).cloned().unwrap_or_default();
        let mut inner: BTreeMap<&Within, usize> = BTreeMap::new();
        // A step that runs others can follow them in the list.
        for within in flow.steps.iter().filter_map(|step| step.within.as_ref()) {
            self.inner_frame(flow, within, (&machine, frame), &mut inner);
        }
        for step in &flow.steps {
            let frame = step.within.as_ref().and_then(|within| inner.get(within)).copied().unwrap_or(frame);
            self.step(step, step_id(&step.name), frame);
        }
        let end = id(&[&machine, "end"]);
        for transition in &flow.transitions {
            let from = transition.from.as_deref().map_or_else(|| machine.clone(), step_id);
            let to = transition.to.as_deref().map_or_else(|| end.clone(), step_id);
            if transition.to.is_none() && !self.nodes.contains_key(&end) {
                let (label, kind) = ("end".to_owned(), String::new());
                self.add(Node {
                    id: end.clone(),
                    label,
                    kind,
                    look: Look::End,
                    frame: Some(frame),
                    alarms: 0,
                });
            }
            let (label, line) = match &transition.case {
                Case::Next => (String::new(), Line::Flow),
                Case::When(condition) => (shortened(condition), Line::Flow),
                Case::Otherwise => ("otherwise".to_owned(), Line::Flow),
                Case::Caught => ("caught".to_owned(), Line::Failure),
                Case::Inner(branch) => (branch.clone().unwrap_or_else(|| "each item".to_owned()), Line::Flow),
            };
            self.connect(Edge { from, to, label, line });
        }
    }

    /// The frame of the steps within a step, and those around it.
    fn inner_frame<'f>(
        &mut self,
        flow: &'f Flow,
        within: &'f Within,
        (machine, whole): (&str, usize),
        inner: &mut BTreeMap<&'f Within, usize>,
    ) -> usize {
        if let Some(frame) = inner.get(within) {
            return *frame;
        }
        let outer = flow.steps.iter().find(|step| step.name == within.step);
        let parent = match outer.and_then(|step| step.within.as_ref()) {
            Some(around) => self.inner_frame(flow, around, (machine, whole), inner),
            None => whole,
        };
        let branch = within.branch.as_deref();
        let title = branch.map_or_else(|| within.step.clone(), |branch| format!("{} {branch}", within.step));
        let frame = self.frame(
            id(&[machine, "within", &within.step, branch.unwrap_or_default()]),
            title,
            Some(parent),
        );
        inner.insert(within, frame);
        frame
    }

    fn step(&mut self, step: &FlowStep, id: String, frame: usize) {
        let (look, form) = Look::of_step(step.form);
        let kind = match step.retries {
            Some(1) => format!("{form}, 1 retry"),
            Some(retries) if retries > 0 => format!("{form}, {retries} retries"),
            _ => form.to_owned(),
        };
        self.add(Node { id, label: step.name.clone(), kind, look, frame: Some(frame), alarms: 0 });
    }

    /// Counts the alarms on each object.
    fn alarms(&mut self, entry: &Entry) {
        let alarms = entry.graph.objects().iter();
        for alarm in alarms.filter(|object| object.kind.name == cloudwatch::METRIC_ALARM.name) {
            for key in alarm.needs() {
                if let Some(node) = self.nodes.get(&object_id(&entry.name, &key)) {
                    self.scene.nodes[*node].alarms += 1;
                }
            }
        }
    }

    fn flow(&mut self, relation: &Relation<'_>) {
        let Some((from, to)) = self.ends(relation) else { return };
        let edge = Edge { from, to, label: label(relation.edge), line: line(relation.edge) };
        let known = self.between(&edge.from, &edge.to);
        if !known.iter().any(|index| self.scene.edges[*index] == edge) {
            self.connect(edge);
        }
    }

    /// The ids of the nodes of an edge, in the direction in which data flows. `None` if one is not known or not
    /// drawn. The edge of a step leads from that step.
    fn ends(&mut self, relation: &Relation<'_>) -> Option<(String, String)> {
        let (from, to) = relation.ends()?;
        let (from, to) = (self.node(from)?, self.node(to)?);
        let from = match &relation.edge.step {
            Some(step) => {
                Some(id(&[&from, "step", step])).filter(|id| self.nodes.contains_key(id)).unwrap_or(from)
            }
            None => from,
        };
        Some(if relation.edge.verb == Verb::Reads { (to, from) } else { (from, to) })
    }

    /// Positions of the edges from one node to another.
    fn between(&self, from: &str, to: &str) -> &[usize] {
        self.between.get(&(from.to_owned(), to.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn connect(&mut self, edge: Edge) {
        let ends = (edge.from.clone(), edge.to.clone());
        self.between.entry(ends).or_default().push(self.scene.edges.len());
        self.scene.edges.push(edge);
    }

    /// Draws edges between nodes that no edge connects yet. Further edges between the same nodes extend the
    /// label.
    fn further<'a>(&mut self, relations: impl Iterator<Item = &'a Relation<'a>>) {
        let drawn = self.scene.edges.len();
        for relation in relations {
            let Some((from, to)) = self.ends(relation) else { continue };
            let there = self.between(&from, &to).first().copied();
            match there {
                None if from != to => {
                    let (label, line) = (label(relation.edge), line(relation.edge));
                    self.connect(Edge { from, to, label, line });
                }
                Some(index) if index >= drawn => self.scene.edges[index].say(&label(relation.edge)),
                _ => {}
            }
        }
    }

    /// Returns the id of a node; `None` if it is not drawn. The node of an existing resource is added with its
    /// first edge.
    fn node(&mut self, end: End<'_>) -> Option<String> {
        let (ty, text) = match end {
            End::Made(entry, object) => return Look::of(object).map(|_| object_id(&entry.name, &object.key)),
            End::Given(ty, text) => (ty, base(text)),
        };
        let id = format!("given_{}", names::hash(text));
        if !self.nodes.contains_key(&id) {
            let (look, kind) = Look::of_type(ty);
            self.add(Node {
                id: id.clone(),
                label: end.name().to_owned(),
                kind: kind.to_owned(),
                look,
                frame: None,
                alarms: 0,
            });
        }
        Some(id)
    }
}

/// True for edges of triggers, schedules and dead-letter queues: events flow along them.
fn is_flow(relation: &Relation<'_>) -> bool {
    let from = relation.from.and_then(End::object).and_then(Look::of);
    match relation.edge.verb {
        Verb::Triggers => true,
        Verb::FailsTo => from.is_some_and(|look| look != Look::Event),
        Verb::Starts => from == Some(Look::Event),
        _ => false,
    }
}

fn line(edge: &Relationship) -> Line {
    match edge.verb {
        Verb::FailsTo => Line::Failure,
        Verb::Triggers => Line::Flow,
        _ => Line::Use,
    }
}

fn label(edge: &Relationship) -> String {
    let keys = edge.objects.iter().flat_map(|objects| [&objects.keys.prefix, &objects.keys.suffix]);
    let keys: Vec<&str> = keys.map(String::as_str).filter(|keys| !keys.is_empty()).collect();
    match edge.verb {
        Verb::FailsTo => "failed".to_owned(),
        _ if !keys.is_empty() => keys.join(" "),
        Verb::Triggers => String::new(),
        Verb::Reads => "reads".to_owned(),
        Verb::Writes => "writes".to_owned(),
        Verb::Sends => "sends".to_owned(),
        Verb::Invokes => "invokes".to_owned(),
        Verb::Starts => "starts".to_owned(),
    }
}

/// A condition in JSONata for a label: without its delimiters, and cut.
fn shortened(condition: &str) -> String {
    let inner = condition.trim().trim_start_matches("{%").trim_end_matches("%}").trim();
    let inner = inner.replace("$states.input.", "").replace('\n', " ");
    if inner.chars().count() <= CONDITION {
        return inner;
    }
    format!("{}…", inner.chars().take(CONDITION - 1).collect::<String>())
}

impl Edge {
    fn say(&mut self, more: &str) {
        if self.label.split(", ").all(|said| said != more) {
            self.label = format!("{}, {more}", self.label);
        }
    }
}
