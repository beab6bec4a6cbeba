//! Text formats of diagrams, which another program renders.

use std::collections::BTreeMap;

use super::{Node, Picture, Shape};

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
}
