//! A diagram as an SVG image.
//!
//! The column of a node is the length of the longest path to it. An edge to the next column is a curve. An
//! edge that skips columns or leads back runs in its own lane below all nodes. Each edge has its own port at
//! both of its nodes, and its label is next to the arrowhead.

use std::collections::BTreeMap;

use super::{Edge, Node, Picture, Shape};

/// All lengths are in pixels.
const MARGIN: usize = 44;
const LEAST_WIDTH: usize = 130;
const LEAST_HEIGHT: usize = 44;
const LEAST_GAP: usize = 70;
const BETWEEN_ROWS: usize = 26;
const BETWEEN_LANES: usize = 18;
/// Number of vertical lines next to a column that do not overlap.
const APART: usize = 6;
/// Height of a node's side for one edge.
const PORT: usize = 14;
/// The widths of a letter in a node and in a label, which are wider than most letters.
const LETTER: usize = 8;
const SMALL_LETTER: usize = 7;

/// The position of a node.
struct Placed {
    column: usize,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    incoming: usize,
    outgoing: usize,
}

impl Placed {
    /// The y coordinate at which edge `index` of `all` edges meets the node.
    fn port(&self, index: usize, all: usize) -> usize {
        self.y + self.height * (index + 1) / (all + 1)
    }
}

impl Picture {
    pub(super) fn svg(&self) -> String {
        let placed = self.place();
        let right = placed.values().map(|node| node.x + node.width + MARGIN).max().unwrap_or(2 * MARGIN);
        let rows = placed.values().map(|node| node.y + node.height).max().unwrap_or(MARGIN);
        let (edges, lanes) = self.draw_edges(&placed, rows);
        let bottom = rows + MARGIN + lanes * BETWEEN_LANES;
        let nodes: String = self
            .nodes
            .iter()
            .filter_map(|node| Some(draw_node(node, placed.get(node.id.as_str())?)))
            .collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {right} {bottom}\" font-family=\"sans-serif\" font-size=\"13\">\n\
             <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{nodes}{edges}</svg>\n"
        )
    }

    /// The column of each node: the length of the longest path to it. The algorithm is fast enough for some
    /// dozen nodes.
    pub(super) fn columns(&self) -> BTreeMap<&str, usize> {
        let mut columns: BTreeMap<&str, usize> =
            self.nodes.iter().map(|node| (node.id.as_str(), 0)).collect();
        let onward = self.onward();
        for _ in &self.nodes {
            for edge in &onward {
                let next = columns.get(edge.from.as_str()).map_or(0, |column| column + 1);
                if let Some(column) = columns.get_mut(edge.to.as_str()) {
                    *column = next.max(*column);
                }
            }
        }
        columns
    }

    /// The edges without those that close a cycle, e.g. back to the bucket of the first trigger.
    fn onward(&self) -> Vec<&Edge> {
        let mut onward: Vec<&Edge> = Vec::new();
        for edge in &self.edges {
            if !leads(&onward, &edge.to, &edge.from) {
                onward.push(edge);
            }
        }
        onward
    }

    fn place(&self) -> BTreeMap<&str, Placed> {
        let columns = &self.columns();
        let last = columns.values().max().copied().unwrap_or_default();
        let in_column =
            |column: usize| self.nodes.iter().filter(move |node| columns[node.id.as_str()] == column);
        let mut placed: BTreeMap<&str, Placed> = BTreeMap::new();
        let mut x = MARGIN;
        for column in 0..=last {
            let longest =
                in_column(column).flat_map(|node| [letters(&node.label), letters(&node.group)]).max();
            let width = (longest.unwrap_or_default() * LETTER + 24).max(LEAST_WIDTH);
            let mut y = MARGIN;
            for node in in_column(column) {
                let incoming = self.edges.iter().filter(|edge| edge.to == node.id).count();
                let outgoing = self.edges.iter().filter(|edge| edge.from == node.id).count();
                let height = (PORT * (incoming.max(outgoing) + 1)).max(LEAST_HEIGHT);
                let at = Placed { column, x, y, width, height, incoming, outgoing };
                placed.insert(&node.id, at);
                y += height + BETWEEN_ROWS;
            }
            // Labels are placed before the next column.
            let to_next = |edge: &&Edge| columns.get(edge.to.as_str()) == Some(&(column + 1));
            let longest = self.edges.iter().filter(to_next).map(|edge| letters(&edge.label)).max();
            x += width + (longest.unwrap_or_default() * SMALL_LETTER + 40).max(LEAST_GAP);
        }
        placed
    }

    /// Returns the edges as SVG, and the number of lanes.
    fn draw_edges(&self, placed: &BTreeMap<&str, Placed>, rows: usize) -> (String, usize) {
        let mut out = String::new();
        let mut lanes = 0;
        let mut incoming: BTreeMap<&str, usize> = BTreeMap::new();
        let mut outgoing: BTreeMap<&str, usize> = BTreeMap::new();
        for edge in &self.edges {
            let (Some(from), Some(to)) = (placed.get(edge.from.as_str()), placed.get(edge.to.as_str()))
            else {
                continue;
            };
            let leaves = outgoing.entry(edge.from.as_str()).or_default();
            let arrives = incoming.entry(edge.to.as_str()).or_default();
            let (x1, y1) = (from.x + from.width, from.port(*leaves, from.outgoing));
            let (x2, y2) = (to.x, to.port(*arrives, to.incoming));
            *leaves += 1;
            *arrives += 1;
            let (path, label) = if to.column == from.column + 1 {
                let middle = usize::midpoint(x1, x2);
                (format!("M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"), (x2 - 12, y2 - 3, "end"))
            } else {
                lanes += 1;
                let lane = rows + lanes * BETWEEN_LANES;
                // Vertical lines of different lanes do not overlap.
                let apart = 4 * (lanes % APART);
                let (after, before) = (x1 + 8 + apart, x2.saturating_sub(12 + apart));
                let path = format!("M{x1} {y1}H{after}V{lane}H{before}V{y2}H{x2}");
                (path, (usize::midpoint(after, before), lane - 3, "middle"))
            };
            out.push_str(&format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"#444\" marker-end=\"url(#arrow)\"/>\n\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"{}\" font-size=\"11\" stroke=\"white\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>\n",
                label.0,
                label.1,
                label.2,
                escape(&edge.label)
            ));
        }
        (out, lanes)
    }
}

fn letters(text: &str) -> usize {
    text.chars().count()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Draws a box with the label of the node and, if it differs, the name of its entry below.
fn draw_node(node: &Node, at: &Placed) -> String {
    let (radius, fill) = match node.shape {
        Shape::Store => (12, "#e8f1e4"),
        Shape::Function => (2, "#fdeedd"),
        Shape::Container => (2, "#dde9f7"),
        Shape::Workflow => (2, "#fbe4e6"),
        Shape::Event => (22, "#f3e6f5"),
    };
    let Placed { x, y, width, height, .. } = at;
    let (middle, center) = (x + width / 2, y + height / 2);
    let own = node.group.is_empty() || node.group == node.label;
    let mut out = format!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" fill=\"{fill}\" stroke=\"black\"/>\n\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
        if own { center + 5 } else { center - 2 },
        escape(&node.label)
    );
    if !own {
        out.push_str(&format!(
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#555\">{}</text>\n",
            center + 12,
            escape(&node.group)
        ));
    }
    out
}

/// True if a path leads from one node to another.
fn leads(edges: &[&Edge], from: &str, to: &str) -> bool {
    let mut reached = vec![from];
    let mut next = 0;
    while next < reached.len() {
        let here = reached[next];
        next += 1;
        for edge in edges.iter().filter(|edge| edge.from == here) {
            if !reached.contains(&edge.to.as_str()) {
                reached.push(&edge.to);
            }
        }
    }
    reached.contains(&to)
}
