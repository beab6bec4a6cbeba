//! A diagram for Graphviz.

use std::fmt::Write;

use super::look::Line;
use super::scene::{Node, Scene};

fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

pub(super) fn dot(scene: &Scene) -> String {
    let mut out = "digraph app {\n  rankdir=LR;\n  fontname=\"sans-serif\";\n  \
                   node [style=filled, fontname=\"sans-serif\", fontsize=12];\n  \
                   edge [fontname=\"sans-serif\", fontsize=10];\n"
        .to_owned();
    let _ = writeln!(out, "  label={};", quote(&scene.title));
    scene.nodes.iter().filter(|node| node.frame.is_none()).for_each(|node| draw(&mut out, node, 1));
    for (index, frame) in scene.frames.iter().enumerate() {
        if frame.parent.is_none() {
            draw_frame(&mut out, scene, index, 1);
        }
    }
    for edge in &scene.edges {
        let line = match edge.line {
            Line::Flow => "penwidth=1.6",
            Line::Use => "penwidth=1",
            Line::Failure => "style=dashed, color=\"#c0392b\"",
        };
        let (from, to) = (quote(&edge.from), quote(&edge.to));
        let _ = writeln!(out, "  {from} -> {to} [label={}, {line}];", quote(&edge.label));
    }
    out.push_str("}\n");
    out
}

fn draw_frame(out: &mut String, scene: &Scene, index: usize, depth: usize) {
    let (frame, indent) = (&scene.frames[index], "  ".repeat(depth));
    let _ = writeln!(
        out,
        "{indent}subgraph {} {{\n{indent}  label={};",
        quote(&format!("cluster_{}", frame.id)),
        quote(&frame.title)
    );
    scene.nodes.iter().filter(|node| node.frame == Some(index)).for_each(|node| draw(out, node, depth + 1));
    for (inner, other) in scene.frames.iter().enumerate() {
        if other.parent == Some(index) {
            draw_frame(out, scene, inner, depth + 1);
        }
    }
    let _ = writeln!(out, "{indent}}}");
}

fn draw(out: &mut String, node: &Node, depth: usize) {
    let style = node.look.style();
    let (label, kind) = node.lines();
    let label = if kind.is_empty() { label } else { format!("{label}\n{kind}") };
    let size = if node.look.is_small() { ", fontsize=9, height=0.3" } else { "" };
    let _ = writeln!(
        out,
        "{}{} [label={}, shape={}, fillcolor=\"{}\"{size}];",
        "  ".repeat(depth),
        quote(&node.id),
        quote(&label),
        style.dot,
        style.fill.0
    );
}
