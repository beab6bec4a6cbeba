//! A diagram as an SVG image, for light and dark backgrounds.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::layout::{Placed, Rect, Route, place};
use super::look::{Line, Look};
use super::scene::{Node, Scene};

/// Colors of text, lines and frames. An image follows the setting of its reader.
const STYLE: &str = "\
text{fill:#1f2328}.small{font-size:11px}.kind{font-size:11px;fill:#59636e}.title{font-size:11px;font-weight:bold;fill:#59636e}\n\
.back{fill:#ffffff}.frame{fill:none;stroke:#b7bec6}.node{stroke:#59636e}.edge{fill:none;stroke:#59636e}\n\
.use{stroke-width:1}.flow{stroke-width:1.8}.failure{stroke-dasharray:5 3;stroke:#c0392b}\n\
.head{fill:#59636e}.bell{fill:#e3a008;stroke:#59636e}\n";

const DARK: &str = "\
text{fill:#e6edf3}.kind,.title{fill:#9aa4af}.back{fill:#0d1117}.frame{stroke:#444c56}.node,.edge{stroke:#9aa4af}\n\
.failure{stroke:#ff7b72}.head{fill:#9aa4af}\n";

pub(super) fn svg(scene: &Scene) -> String {
    let placed = place(scene);
    let mut out = String::new();
    let (width, height) = (placed.width.ceil(), placed.height.ceil());
    let title = escape(&format!("Diagram of {}", scene.title));
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-labelledby=\"title description\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title id=\"title\">{title}</title>\n<desc id=\"description\">{}</desc>",
        escape(&described(scene))
    );
    let looks: BTreeSet<Look> = scene.nodes.iter().map(|node| node.look).collect();
    let fills = |dark: bool| {
        let fill = |look: &Look| {
            let style = look.style();
            format!(".{}{{fill:{}}}", style.class, if dark { style.fill.1 } else { style.fill.0 })
        };
        looks.iter().map(fill).collect::<String>()
    };
    let _ = writeln!(
        out,
        "<style>\n{STYLE}{}\n@media (prefers-color-scheme: dark){{\n{DARK}{}\n}}\n</style>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         <rect class=\"back\" width=\"100%\" height=\"100%\"/>",
        fills(false),
        fills(true)
    );
    draw_frames(&mut out, scene, &placed);
    for (edge, route) in scene.edges.iter().zip(&placed.edges) {
        if let Some(route) = route {
            draw_edge(&mut out, &edge.label, edge.line, route);
        }
    }
    for (node, rect) in scene.nodes.iter().zip(&placed.nodes) {
        draw_node(&mut out, node, rect);
    }
    out.push_str("</svg>\n");
    out
}

/// The diagram in words, for screen readers.
fn described(scene: &Scene) -> String {
    let name = |id: &str| {
        let node = scene.nodes.iter().find(|node| node.id == id);
        node.map_or("", |node| node.label.as_str())
    };
    let sentences = scene.edges.iter().map(|edge| {
        let verb = if edge.label.is_empty() { "to".to_owned() } else { format!("({}) to", edge.label) };
        format!("{} {verb} {}.", name(&edge.from), name(&edge.to))
    });
    sentences.collect::<Vec<_>>().join(" ")
}

fn escape(text: &str) -> String {
    // XML has no control characters.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A number with at most one digit after the point.
fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

fn draw_frames(out: &mut String, scene: &Scene, placed: &Placed) {
    // A frame without nodes has no place.
    let used = scene.frames.iter().enumerate().filter(|(index, _)| scene.is_used(*index));
    for ((_, frame), (rect, title)) in used.zip(&placed.frames) {
        let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(short);
        let _ = writeln!(
            out,
            "<rect class=\"frame\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n\
             <text class=\"title\" x=\"{}\" y=\"{}\">{}</text>",
            short(title.x + 4.0),
            short(title.bottom() - 3.0),
            escape(&frame.title)
        );
    }
}

fn draw_edge(out: &mut String, label: &str, line: Line, route: &Route) {
    let class = match line {
        Line::Flow => "flow",
        Line::Use => "use",
        Line::Failure => "failure",
    };
    let mut path = String::new();
    for (index, (x, y)) in route.points.iter().enumerate() {
        let (x2, y2) = (short(*x), short(*y));
        match index {
            0 => path.push_str(&format!("M{x2} {y2}")),
            // The end of a horizontal line.
            odd if odd % 2 == 1 => path.push_str(&format!("H{x2}")),
            _ => {
                let (x1, y1) = route.points[index - 1];
                let (middle, y1) = (short((x1 + x) / 2.0), short(y1));
                path.push_str(&format!("C{middle} {y1} {middle} {y2} {x2} {y2}"));
            }
        }
    }
    let _ = writeln!(out, "<path class=\"edge {class}\" d=\"{path}\" marker-end=\"url(#arrow)\"/>");
    if let Some(rect) = route.label {
        let [x, y, width, height] = [rect.x, rect.y, rect.width, rect.height].map(short);
        let _ = writeln!(
            out,
            "<rect class=\"back\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\n\
             <text class=\"small\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            short(rect.middle().0),
            short(rect.bottom() - 3.5),
            escape(label)
        );
    }
}

/// The outline of a node.
fn outline(look: Look, rect: &Rect) -> String {
    let Rect { x, y, width, height } = *rect;
    let (right, bottom) = (rect.right(), rect.bottom());
    let (middle, center) = rect.middle();
    let points = |points: &[(f64, f64)]| {
        let points: Vec<String> =
            points.iter().map(|(x, y)| format!("{},{}", short(*x), short(*y))).collect();
        format!("<polygon points=\"{}\"", points.join(" "))
    };
    let rounded = |radius: f64| {
        let [x, y, width, height, radius] = [x, y, width, height, radius].map(short);
        format!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\"")
    };
    match look {
        Look::Bucket => points(&[(x, y), (right, y), (right - 10.0, bottom), (x + 10.0, bottom)]),
        Look::Bus => points(&[(x, y), (right - 10.0, y), (right, bottom), (x + 10.0, bottom)]),
        Look::DeadLetters => points(&[(x + 6.0, y), (right - 6.0, y), (right, bottom), (x, bottom)]),
        Look::Stream => points(&[(x + 10.0, y), (right, y), (right - 10.0, bottom), (x, bottom)]),
        Look::Queue => {
            points(&[(x, y), (right - 12.0, y), (right, center), (right - 12.0, bottom), (x, bottom)])
        }
        Look::Container => points(&[
            (x + 10.0, y),
            (right - 10.0, y),
            (right, center),
            (right - 10.0, bottom),
            (x + 10.0, bottom),
            (x, center),
        ]),
        Look::Choice => points(&[(middle, y), (right, center), (middle, bottom), (x, center)]),
        Look::Table => {
            let [x, right, top, low, half] = [x, right, y + 6.0, bottom - 6.0, width / 2.0].map(short);
            format!(
                "<path d=\"M{x} {top}A{half} 6 0 0 1 {right} {top}V{low}A{half} 6 0 0 1 {x} {low}ZM{x} {top}A{half} 6 0 0 0 {right} {top}\""
            )
        }
        Look::End | Look::Event | Look::Fail => rounded(height / 2.0),
        Look::Topic => rounded(14.0),
        Look::Function => rounded(2.0),
        Look::Step | Look::Workflow => rounded(6.0),
    }
}

fn draw_node(out: &mut String, node: &Node, rect: &Rect) {
    let (middle, center) = rect.middle();
    let class = node.look.style().class;
    let _ = writeln!(out, "{} class=\"node {class}\"/>", outline(node.look, rect));
    let x = short(middle);
    let (label, kind) = node.lines();
    if node.alarms > 0 {
        let (x, y) = (short(rect.right() - 12.0), short(rect.y));
        let _ = writeln!(out, "<circle class=\"bell\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>");
    }
    let label = escape(&label);
    if kind.is_empty() {
        let class = if node.look.is_small() { " class=\"small\"" } else { "" };
        let y = short(center + 4.0);
        let _ = writeln!(out, "<text{class} x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>");
        return;
    }
    // The top of a table is an ellipse.
    let down = if node.look == Look::Table { 4.0 } else { 0.0 };
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n\
         <text class=\"kind\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        short(center - 2.0 + down),
        short(center + 13.0 + down),
        escape(&kind)
    );
}
