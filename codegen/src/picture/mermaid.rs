//! A diagram as Mermaid text, which GitHub and many editors render.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::look::{Line, Look};
use super::scene::{Node, Scene};

fn quote(text: &str) -> String {
    // Mermaid reads `#35;` as a character.
    let text = text.replace('#', "#35;").replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    format!("\"{text}\"")
}

pub(super) fn mermaid(scene: &Scene) -> String {
    let mut out = "flowchart LR\n".to_owned();
    scene.nodes.iter().filter(|node| node.frame.is_none()).for_each(|node| draw(&mut out, node, 1));
    for (index, frame) in scene.frames.iter().enumerate() {
        if frame.parent.is_none() {
            draw_frame(&mut out, scene, index, 1);
        }
    }
    for edge in &scene.edges {
        let label = if edge.label.is_empty() { String::new() } else { format!("|{}|", quote(&edge.label)) };
        let line = match edge.line {
            Line::Flow | Line::Use => "-->",
            Line::Failure => "-.->",
        };
        let _ = writeln!(out, "  {} {line}{label} {}", edge.from, edge.to);
    }
    let looks: BTreeSet<Look> = scene.nodes.iter().map(|node| node.look).collect();
    for look in looks {
        let style = look.style();
        let size = if look.is_small() { ",font-size:11px" } else { "" };
        // The text is dark on a light shape, in both themes.
        let _ = writeln!(
            out,
            "  classDef {} fill:{},stroke:#59636e,color:#1f2328{size}",
            style.class, style.fill.0
        );
    }
    out
}

fn draw_frame(out: &mut String, scene: &Scene, index: usize, depth: usize) {
    let (frame, indent) = (&scene.frames[index], "  ".repeat(depth));
    let _ = writeln!(out, "{indent}subgraph {}[{}]", frame.id, quote(&frame.title));
    scene.nodes.iter().filter(|node| node.frame == Some(index)).for_each(|node| draw(out, node, depth + 1));
    for (inner, other) in scene.frames.iter().enumerate() {
        if other.parent == Some(index) {
            draw_frame(out, scene, inner, depth + 1);
        }
    }
    let _ = writeln!(out, "{indent}end");
}

fn draw(out: &mut String, node: &Node, depth: usize) {
    let style = node.look.style();
    let (open, close) = style.mermaid;
    let (label, kind) = node.lines();
    let mut label = quote(&label);
    if !kind.is_empty() {
        label.pop();
        label.push_str(&format!("<br/>{}", quote(&kind).trim_start_matches('"')));
    }
    let _ = writeln!(out, "{}{}{open}{label}{close}:::{}", "  ".repeat(depth), node.id, style.class);
}
