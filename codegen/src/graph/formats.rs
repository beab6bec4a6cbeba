//! How pictures are written.

use std::collections::BTreeMap;

use super::{Edge, Node, Picture, Shape};

impl Picture {
    fn groups(&self) -> BTreeMap<&str, Vec<&Node>> {
        let mut groups: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
        for node in &self.nodes {
            groups.entry(&node.group).or_default().push(node);
        }
        groups
    }

    pub(super) fn mermaid(&self) -> String {
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
                    Shape::Workflow => ("[/", "/]"),
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

    pub(super) fn dot(&self) -> String {
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
                    Shape::Workflow => "parallelogram",
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

    /// The edges but for those that lead back, such as to the bucket that began it all.
    fn onward(&self) -> Vec<&Edge> {
        let mut onward: Vec<&Edge> = Vec::new();
        for edge in &self.edges {
            if !leads(&onward, &edge.to, &edge.from) {
                onward.push(edge);
            }
        }
        onward
    }

    pub(super) fn svg(&self) -> String {
        let column = self.columns();
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
                Shape::Workflow => (2, "#fbe4e6"),
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

/// Whether edges lead from one node to another.
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
