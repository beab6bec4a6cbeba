//! A picture of an application: its entries, what is in them, and what leads where.

use std::collections::BTreeMap;

use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key, Object};

use crate::spec::App;

/// How a picture is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For Markdown
    Mermaid,
    /// For Graphviz
    Dot,
    /// An image
    Svg,
}

/// Kinds of objects that do or hold something, with the shape that they are drawn in.
const NODES: &[(&str, Shape)] = &[
    ("s3_bucket", Shape::Store),
    ("lambda_function", Shape::Function),
    ("ecs_task_definition", Shape::Container),
    ("sqs_queue", Shape::Store),
    ("scheduler_schedule", Shape::Event),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Store,
    Function,
    Container,
    Event,
}

struct Node {
    id: String,
    label: String,
    group: String,
    shape: Shape,
}

struct Edge {
    from: String,
    to: String,
    label: String,
}

#[derive(Default)]
struct Picture {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// Draws an application.
pub fn draw(app: &App, format: Format) -> String {
    let mut picture = Picture::default();
    for entry in &app.entries {
        picture.entry(app, &entry.name, &entry.graph);
    }
    picture.references(app);
    match format {
        Format::Mermaid => picture.mermaid(),
        Format::Dot => picture.dot(),
        Format::Svg => picture.svg(),
    }
}

fn id(entry: &str, key: &Key) -> String {
    format!("{entry}_{}", key.as_str()).replace(['-', '.'], "_")
}

fn shape_of(object: &Object) -> Option<Shape> {
    NODES.iter().find(|(kind, _)| object.kind.name == *kind).map(|(_, shape)| *shape)
}

/// The object that an expression names: by an attribute of it.
fn named(expr: Option<&Expr>) -> Option<&Key> {
    let mut found = Vec::new();
    expr?.references(&mut found);
    found.first().map(|(key, _)| *key)
}

fn text(expr: Option<&Expr>) -> String {
    match expr {
        Some(Expr::Literal(json)) => json.as_str().map_or_else(|| json.to_string(), ToOwned::to_owned),
        _ => String::new(),
    }
}

impl Picture {
    fn entry(&mut self, app: &App, entry: &str, graph: &Graph) {
        for object in graph.objects() {
            let Some(shape) = shape_of(object) else { continue };
            let role = object.key.as_str().rsplit('.').next().unwrap_or_default().replace('_', " ");
            let label = match role.as_str() {
                "main" | "function" | "task" => entry.to_owned(),
                role => role.to_owned(),
            };
            let label = if object.kind.name == "scheduler_schedule" {
                text(object.fields.get("schedule_expression"))
            } else {
                label
            };
            self.nodes.push(Node { id: id(entry, &object.key), label, group: entry.to_owned(), shape });
        }
        for object in graph.objects() {
            self.edges_of(app, entry, object, graph);
        }
    }

    fn edges_of(&mut self, app: &App, entry: &str, object: &Object, graph: &Graph) {
        let field = |name: &str| object.fields.get(name);
        let own = |key: &Key| id(entry, key);
        match object.kind.name {
            "s3_bucket_notification" => {
                let Some(function) = named(field("lambda_function_arn")) else { return };
                let label = [text(field("filter_prefix")), text(field("filter_suffix"))].join(" ");
                let from = match named(field("bucket")) {
                    Some(bucket) => own(bucket),
                    None => self.given(app, field("bucket"), entry),
                };
                self.edge(from, own(function), label.trim());
            }
            "lambda_event_source_mapping" => {
                let Some(function) = named(field("function_name")) else { return };
                let from = self.given(app, field("event_source_arn"), entry);
                self.edge(from, own(function), "");
            }
            "scheduler_schedule" => {
                let Some(function) = named(field("target_arn")) else { return };
                self.edge(own(&object.key), own(function), "");
            }
            "lambda_function" => {
                let Some(Expr::Map(environment)) = field("environment") else { return };
                let mut found = Vec::new();
                environment
                    .get("TANDEM_LAUNCHES")
                    .into_iter()
                    .for_each(|launches| launches.references(&mut found));
                let task = found.iter().find(|(key, _)| key.as_str().starts_with("ecs_task_definition."));
                if let Some((task, _)) = task {
                    self.edge(own(&object.key), own(task), "starts");
                }
            }
            "lambda_function_event_invoke_config" => {
                let (from, to) = (named(field("function_name")), named(field("on_failure")));
                if let (Some(from), Some(to)) = (from, to) {
                    self.edge(own(from), own(to), "failed");
                }
            }
            "cloudwatch_event_target" => {
                let task = graph.objects().iter().find(|object| object.kind.name == "ecs_task_definition");
                if let (Some(task), Some(to)) = (task, named(field("arn"))) {
                    self.edge(own(&task.key), own(to), "failed");
                }
            }
            _ => {}
        }
    }

    /// What another entry or somebody else made.
    fn given(&mut self, app: &App, expr: Option<&Expr>, entry: &str) -> String {
        if let Some(Expr::Input(variable)) = expr
            && let Some(own) = app.entries.iter().find(|own| own.name == entry)
            && let Some(target) = own.references.get(variable)
            && let Some(made) = app.entries.iter().find(|made| made.name == target.entry)
            && let Some(object) = made.graph.objects().first()
        {
            return id(&made.name, &object.key);
        }
        let label = text(expr);
        let id = format!("given_{}", tandem_model::names::hash(&label));
        if self.nodes.iter().all(|node| node.id != id) {
            let label = label.rsplit(':').next().unwrap_or_default().to_owned();
            self.nodes.push(Node { id: id.clone(), label, group: String::new(), shape: Shape::Store });
        }
        id
    }

    /// Tasks of other entries that functions start.
    fn references(&mut self, app: &App) {
        for entry in &app.entries {
            for target in entry.references.values().filter(|target| target.output == "launch") {
                let find = |graph: &Graph, kind: &str| {
                    graph
                        .objects()
                        .iter()
                        .find(|object| object.kind.name == kind)
                        .map(|object| object.key.clone())
                };
                let made = app.entries.iter().find(|made| made.name == target.entry);
                let to =
                    made.and_then(|made| Some(id(&made.name, &find(&made.graph, "ecs_task_definition")?)));
                let from = find(&entry.graph, "lambda_function").map(|key| id(&entry.name, &key));
                if let (Some(from), Some(to)) = (from, to) {
                    self.edge(from, to, "starts");
                }
            }
        }
    }

    fn edge(&mut self, from: String, to: String, label: &str) {
        self.edges.push(Edge { from, to, label: label.to_owned() });
    }

    fn groups(&self) -> BTreeMap<&str, Vec<&Node>> {
        let mut groups: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
        for node in &self.nodes {
            groups.entry(&node.group).or_default().push(node);
        }
        groups
    }

    fn mermaid(&self) -> String {
        let quote = |text: &str| {
            format!("\"{}\"", text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"))
        };
        let mut out = "flowchart LR\n".to_owned();
        for (group, nodes) in self.groups() {
            let indent = if group.is_empty() { "  " } else { "    " };
            if !group.is_empty() {
                out.push_str(&format!(
                    "  subgraph {}\n",
                    group.replace('-', "_") + "_entry[" + &quote(group) + "]"
                ));
            }
            for node in nodes {
                let (open, close) = match node.shape {
                    Shape::Store => ("[(", ")]"),
                    Shape::Function => ("[[", "]]"),
                    Shape::Container => ("{{", "}}"),
                    Shape::Event => ("([", "])"),
                };
                out.push_str(&format!("{indent}{}{open}{}{close}\n", node.id, quote(&node.label)));
            }
            if !group.is_empty() {
                out.push_str("  end\n");
            }
        }
        for edge in &self.edges {
            let label =
                if edge.label.is_empty() { String::new() } else { format!("|{}|", quote(&edge.label)) };
            out.push_str(&format!("  {} -->{label} {}\n", edge.from, edge.to));
        }
        out
    }

    fn dot(&self) -> String {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let mut out = "digraph app {\n  rankdir=LR;\n".to_owned();
        for (group, nodes) in self.groups() {
            if !group.is_empty() {
                out.push_str(&format!(
                    "  subgraph {} {{\n    label={};\n",
                    quote(&format!("cluster_{group}")),
                    quote(group)
                ));
            }
            for node in nodes {
                let shape = match node.shape {
                    Shape::Store => "cylinder",
                    Shape::Function => "box",
                    Shape::Container => "hexagon",
                    Shape::Event => "ellipse",
                };
                out.push_str(&format!(
                    "    {} [label={}, shape={shape}];\n",
                    quote(&node.id),
                    quote(&node.label)
                ));
            }
            if !group.is_empty() {
                out.push_str("  }\n");
            }
        }
        for edge in &self.edges {
            out.push_str(&format!(
                "  {} -> {} [label={}];\n",
                quote(&edge.from),
                quote(&edge.to),
                quote(&edge.label)
            ));
        }
        out.push_str("}\n");
        out
    }

    /// Columns by the longest way that leads to a node; enough for applications of some dozen nodes.
    fn svg(&self) -> String {
        let mut column: BTreeMap<&str, usize> = self.nodes.iter().map(|node| (node.id.as_str(), 0)).collect();
        // An edge that leads back, such as a result into the bucket that began it, moves nothing.
        for _ in 0..self.nodes.len().min(16) {
            for edge in &self.edges {
                let from = column.get(edge.from.as_str()).copied().unwrap_or(0);
                if let Some(to) = column.get_mut(edge.to.as_str())
                    && *to <= from
                    && from < 15
                {
                    *to = from + 1;
                }
            }
        }
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (width, height, gap_x, gap_y) = (160, 44, 90, 30);
        let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
        let mut place: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for node in &self.nodes {
            let x = column[node.id.as_str()];
            let row = rows.entry(x).or_default();
            place.insert(&node.id, (20 + x * (width + gap_x), 20 + *row * (height + gap_y)));
            *row += 1;
        }
        let right = place.values().map(|(x, _)| x + width + 20).max().unwrap_or(40);
        let bottom = place.values().map(|(_, y)| y + height + 20).max().unwrap_or(40);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        for edge in &self.edges {
            let (Some(from), Some(to)) = (place.get(edge.from.as_str()), place.get(edge.to.as_str())) else {
                continue;
            };
            let (x1, y1, x2, y2) = (from.0 + width, from.1 + height / 2, to.0, to.1 + height / 2);
            let middle = usize::midpoint(x1, x2);
            out.push_str(&format!(
                "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"black\" marker-end=\"url(#arrow)\"/>\n\
                 <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\">{}</text>\n",
                usize::midpoint(y1, y2).saturating_sub(4),
                escape(&edge.label)
            ));
        }
        for node in &self.nodes {
            let (x, y) = place[node.id.as_str()];
            let (radius, fill) = match node.shape {
                Shape::Store => (12, "#e8f1e4"),
                Shape::Function => (2, "#fdeedd"),
                Shape::Container => (2, "#dde9f7"),
                Shape::Event => (22, "#f3e6f5"),
            };
            out.push_str(&format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" fill=\"{fill}\" stroke=\"black\"/>\n\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                x + width / 2,
                y + height / 2 + 5,
                escape(&node.label)
            ));
        }
        out.push_str("</svg>\n");
        out
    }
}
