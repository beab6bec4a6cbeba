//! The places of nodes, frames, edges and labels.
//!
//! dagre orders the nodes in columns, keeps a place for each label, and keeps edges out of foreign frames. Between two
//! columns is a gap without nodes and labels. An edge changes its height only there, and crosses a column horizontally
//! at its own height: so it meets no node and no label of another edge.

use std::collections::{BTreeMap, HashMap};

use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir};

use super::look::Look;
use super::scene::{Edge, Node, Scene};

/// All lengths are in pixels.
const MARGIN: f64 = 16.0;
/// Between two nodes of a column.
const BETWEEN_NODES: f64 = 30.0;
/// Between two edges in a column.
const BETWEEN_EDGES: f64 = 22.0;
/// Between two columns.
const BETWEEN_COLUMNS: f64 = 96.0;
/// The length of the straight line before an arrowhead.
const LEAD: f64 = 10.0;
/// The height of a node's side for one edge.
const PORT: f64 = 14.0;
/// The widths of a letter, which are wider than most letters.
const LETTER: f64 = 8.0;
const SMALL_LETTER: f64 = 6.6;
/// The height of a label, and of the title of a frame.
const LABEL: f64 = 14.0;

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    fn around(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x: x - width / 2.0, y: y - height / 2.0, width, height }
    }

    pub(super) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub(super) fn middle(&self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

pub(super) type Point = (f64, f64);

/// The line of an edge: an even number of points. The first two are the ends of a horizontal line, the second and the
/// third those of a curve, and so on.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) points: Vec<Point>,
    pub(super) label: Option<Rect>,
}

/// Everything with its place.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) nodes: Vec<Rect>,
    /// The frames, and the places of their titles.
    pub(super) frames: Vec<(Rect, Rect)>,
    /// The edges; `None` if one cannot be drawn.
    pub(super) edges: Vec<Option<Route>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn letters(text: &str) -> f64 {
    float(text.chars().count())
}

/// The size of a node with this number of edges at its busier side.
fn size(node: &Node, edges: usize) -> (f64, f64) {
    let ports = PORT * float(edges + 1);
    let (label, kind) = node.lines();
    if node.look.is_small() {
        return (letters(&label) * SMALL_LETTER + 22.0, ports.max(24.0));
    }
    let width = (letters(&label) * LETTER).max(letters(&kind) * SMALL_LETTER) + 34.0;
    let (width, height) = (width.max(90.0), ports.max(if kind.is_empty() { 36.0 } else { 48.0 }));
    match node.look {
        // The text is in the middle of a diamond.
        Look::Choice => (width * 1.6, height * 1.5),
        _ => (width, height),
    }
}

/// Places a scene.
pub(super) fn place(scene: &Scene) -> Placed {
    let mut graph: Graph<NodeLabel, EdgeLabel> =
        Graph::with_options(GraphOptions { directed: true, multigraph: true, compound: true });
    let (frame_id, node_id) = (|index: usize| format!("f{index}"), |index: usize| format!("n{index}"));
    let indices: HashMap<&str, usize> =
        scene.nodes.iter().enumerate().map(|(index, node)| (node.id.as_str(), index)).collect();
    let ends = |edge: &Edge| {
        let ends = (indices.get(edge.from.as_str()).copied()?, indices.get(edge.to.as_str()).copied()?);
        // A loop of one node has no place of its own.
        (ends.0 != ends.1).then_some(ends)
    };
    let ends: Vec<Option<(usize, usize)>> = scene.edges.iter().map(ends).collect();
    // A frame without nodes would count as a node.
    let used: Vec<bool> = (0..scene.frames.len()).map(|frame| scene.is_used(frame)).collect();
    for (index, frame) in scene.frames.iter().enumerate().filter(|(index, _)| used[*index]) {
        graph.set_node(frame_id(index), Some(NodeLabel::default()));
        if let Some(parent) = frame.parent {
            graph.set_parent(&frame_id(index), Some(&frame_id(parent)));
        }
    }
    for (index, node) in scene.nodes.iter().enumerate() {
        let count = |is_end: &dyn Fn(&(usize, usize)) -> bool| {
            ends.iter().flatten().filter(|ends| is_end(ends)).count()
        };
        let edges = count(&|ends| ends.0 == index).max(count(&|ends| ends.1 == index));
        let (width, height) = size(node, edges);
        graph.set_node(node_id(index), Some(NodeLabel { width, height, ..NodeLabel::default() }));
        if let Some(frame) = node.frame {
            graph.set_parent(&node_id(index), Some(&frame_id(frame)));
        }
    }
    for (index, edge) in scene.edges.iter().enumerate() {
        let Some((from, to)) = ends[index] else { continue };
        let mut label = EdgeLabel::default();
        if !edge.label.is_empty() {
            (label.width, label.height) = (letters(&edge.label) * SMALL_LETTER + 8.0, LABEL);
        }
        graph.set_edge(node_id(from), node_id(to), Some(label), Some(&index.to_string()));
    }
    let options = LayoutOptions {
        rankdir: RankDir::LR,
        nodesep: BETWEEN_NODES,
        edgesep: BETWEEN_EDGES,
        ranksep: BETWEEN_COLUMNS,
        marginx: MARGIN,
        marginy: MARGIN,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut graph, Some(options));
    let rect = |id: &str| {
        let node = graph.node(id);
        node.map_or(Rect::around(0.0, 0.0, 0.0, 0.0), |node| {
            Rect::around(node.x.unwrap_or_default(), node.y.unwrap_or_default(), node.width, node.height)
        })
    };
    let nodes: Vec<Rect> = (0..scene.nodes.len()).map(|index| rect(&node_id(index))).collect();
    let drawn: Vec<Option<&EdgeLabel>> = ends
        .iter()
        .enumerate()
        .map(|(index, ends)| {
            let (from, to) = (*ends)?;
            graph.edge(&node_id(from), &node_id(to), Some(&index.to_string()))
        })
        .collect();
    let labels: Vec<Option<Rect>> = drawn
        .iter()
        .map(|edge| {
            let edge = edge.filter(|edge| edge.width > 0.0)?;
            Some(Rect::around(edge.x?, edge.y?, edge.width, edge.height))
        })
        .collect();
    let columns = Columns::of(nodes.iter().chain(labels.iter().flatten()));
    let looks: Vec<Look> = scene.nodes.iter().map(|node| node.look).collect();
    let edges = routes((&nodes, &looks), &ends, &drawn, &labels, &columns);
    let frames: Vec<Rect> = (0..scene.frames.len()).map(|index| rect(&frame_id(index))).collect();
    let frames = frames
        .into_iter()
        .enumerate()
        .filter(|(index, _)| used[*index])
        .map(|(index, frame)| (frame, title(&frame, &scene.frames[index].title, &nodes, &edges)))
        .collect::<Vec<_>>();
    let right = nodes
        .iter()
        .map(Rect::right)
        .chain(frames.iter().map(|(frame, title)| frame.right().max(title.right())));
    let bottom = nodes.iter().map(Rect::bottom).chain(frames.iter().map(|(frame, _)| frame.bottom()));
    let (right, bottom) = (right.fold(0.0, f64::max), bottom.fold(0.0, f64::max));
    let lowest =
        edges.iter().flatten().flat_map(|route| &route.points).map(|point| point.1).fold(bottom, f64::max);
    Placed { nodes, frames, edges, width: right + MARGIN, height: lowest + MARGIN }
}

/// The place of the title of a frame: the first one along its top, then along its bottom, that covers nothing.
fn title(frame: &Rect, text: &str, nodes: &[Rect], edges: &[Option<Route>]) -> Rect {
    let width = letters(text) * SMALL_LETTER + 8.0;
    let (left, right) = (frame.x + 6.0, frame.right() - width - 6.0);
    let at = |y: f64| {
        let steps = (0..=8_u32).map(move |step| left + (right - left) * f64::from(step) / 8.0);
        steps.map(move |x| Rect { x, y, width, height: LABEL })
    };
    let (top, bottom) = (frame.y + 4.0, frame.bottom() - LABEL - 4.0);
    let is_free = |place: &Rect| {
        let labels = edges.iter().flatten().filter_map(|route| route.label.as_ref());
        nodes.iter().chain(labels).all(|other| !place.meets(other))
            && edges.iter().flatten().all(|route| !route.meets(place))
    };
    let free = at(top).chain(at(bottom)).find(is_free);
    free.unwrap_or(Rect { x: left, y: top, width, height: LABEL })
}

impl Route {
    /// The points of the line and of its curves, a few pixels apart.
    fn sampled(&self) -> impl Iterator<Item = Point> + '_ {
        self.points.windows(2).enumerate().flat_map(|(index, ends)| {
            let ((x1, y1), (x2, y2)) = (ends[0], ends[1]);
            let is_curve = index % 2 == 1;
            (0..=24_u32).map(move |step| {
                let part = f64::from(step) / 24.0;
                // The height of a curve whose two controls are in its middle.
                let height = if is_curve { part * part * (3.0 - 2.0 * part) } else { part };
                (x1 + (x2 - x1) * part, y1 + (y2 - y1) * height)
            })
        })
    }

    pub(super) fn meets(&self, rect: &Rect) -> bool {
        self.sampled().any(|(x, y)| x > rect.x && x < rect.right() && y > rect.y && y < rect.bottom())
    }
}

/// The columns: the half of their width, by their middle in tenths of a pixel.
struct Columns(BTreeMap<i64, f64>);

impl Columns {
    fn of<'a>(rects: impl Iterator<Item = &'a Rect>) -> Self {
        let mut columns = BTreeMap::new();
        for rect in rects {
            let half: &mut f64 = columns.entry(Self::key(rect.middle().0)).or_default();
            *half = half.max(rect.width / 2.0 + LEAD);
        }
        Self(columns)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a picture is smaller than that")]
    fn key(x: f64) -> i64 {
        (x * 10.0).round() as i64
    }

    fn half(&self, x: f64) -> f64 {
        self.0.get(&Self::key(x)).copied().unwrap_or_default()
    }
}

/// The end of an edge at a node.
struct Port {
    edge: usize,
    is_start: bool,
    /// The height of the next point, which orders the ports of a side.
    toward: f64,
}

/// Half of the width of a node at a height.
fn half_at(look: Look, rect: &Rect, y: f64) -> f64 {
    let half = rect.width / 2.0;
    match look {
        Look::Choice => half * (1.0 - (y - rect.middle().1).abs() / (rect.height / 2.0)).max(0.0),
        _ => half,
    }
}

fn routes(
    (nodes, looks): (&[Rect], &[Look]),
    ends: &[Option<(usize, usize)>],
    drawn: &[Option<&EdgeLabel>],
    labels: &[Option<Rect>],
    columns: &Columns,
) -> Vec<Option<Route>> {
    let is_back = |(from, to): (usize, usize)| nodes[from].middle().0 > nodes[to].middle().0;
    let inner = |edge: &EdgeLabel| {
        let points = edge.points.iter().map(|point| (point.x, point.y)).collect::<Vec<Point>>();
        // The first and the last point are at the nodes.
        points.get(1..points.len().saturating_sub(1)).map(<[Point]>::to_vec).unwrap_or_default()
    };
    let mut sides: BTreeMap<(usize, bool), Vec<Port>> = BTreeMap::new();
    for (index, edge) in drawn.iter().enumerate() {
        let (Some(ends), Some(edge)) = (ends[index], edge) else { continue };
        let (inner, back) = (inner(edge), is_back(ends));
        let next =
            |place: Option<&Point>, other: usize| place.map_or(nodes[other].middle().1, |point| point.1);
        let (first, last) = (next(inner.first(), ends.1), next(inner.last(), ends.0));
        sides.entry((ends.0, !back)).or_default().push(Port { edge: index, is_start: true, toward: first });
        sides.entry((ends.1, back)).or_default().push(Port { edge: index, is_start: false, toward: last });
    }
    let mut heights: HashMap<(usize, bool), f64> = HashMap::new();
    for ((node, _), mut ports) in sides {
        ports.sort_by(|one, other| one.toward.total_cmp(&other.toward));
        let (rect, all) = (nodes[node], float(ports.len() + 1));
        for (place, port) in ports.iter().enumerate() {
            let part = float(place + 1) / all;
            heights.insert((port.edge, port.is_start), rect.y + rect.height * part);
        }
    }
    let route = |index: usize| {
        let (ends, edge) = (ends[index]?, drawn[index]?);
        let direction = if is_back(ends) { -1.0 } else { 1.0 };
        let leaves = |node: usize, is_start: bool| {
            let (middle, y) = (nodes[node].middle().0, heights.get(&(index, is_start)).copied());
            let side = if is_start { direction } else { -direction };
            let y = y.unwrap_or(nodes[node].middle().1);
            let half = half_at(looks[node], &nodes[node], y);
            [(middle + side * half, y), (middle + side * columns.half(middle), y)]
        };
        let mut points: Vec<Point> = leaves(ends.0, true).to_vec();
        for (x, y) in inner(edge) {
            let half = columns.half(x);
            points.extend([(x - direction * half, y), (x + direction * half, y)]);
        }
        points.extend(leaves(ends.1, false).into_iter().rev());
        Some(Route { points, label: labels[index] })
    };
    (0..drawn.len()).map(route).collect()
}

#[cfg(test)]
mod tests;
