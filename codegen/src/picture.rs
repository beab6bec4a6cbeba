//! A diagram of an application: its entries, their objects, and the data flow between them.

mod dot;
mod layout;
mod look;
mod mermaid;
mod scene;
mod svg;

use std::collections::{BTreeSet, HashMap};

use self::scene::{Edge, Node, Scene};
use crate::spec::App;

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

/// Draws an application in a format.
pub fn draw(app: &App, format: Format) -> String {
    let scene = Scene::of(app);
    match format {
        Format::Mermaid => mermaid::mermaid(&scene),
        Format::Dot => dot::dot(&scene),
        Format::Svg => svg::svg(&scene),
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
    scene: Scene,
    /// Positions of nodes, by id.
    nodes: HashMap<String, usize>,
    entries: HashMap<String, Own>,
}

/// GitHub refuses to render a longer Mermaid text, or one with more edges.
const MOST_TEXT: usize = 50_000;
const MOST_EDGES: usize = 500;

impl Diagram {
    pub(crate) fn of(app: &App) -> Self {
        let scene = Scene::of(app);
        let mut entries: HashMap<String, Own> = HashMap::new();
        let mut nodes = HashMap::new();
        for (index, node) in scene.nodes.iter().enumerate() {
            if let Some(entry) = entry_of(&scene, node) {
                entries.entry(entry.to_owned()).or_default().nodes.push(index);
            }
            nodes.insert(node.id.clone(), index);
        }
        for (index, edge) in scene.edges.iter().enumerate() {
            let ends = [&edge.from, &edge.to].into_iter().filter_map(|id| nodes.get(id));
            let of: BTreeSet<&str> = ends.filter_map(|node| entry_of(&scene, &scene.nodes[*node])).collect();
            for entry in of {
                entries.entry(entry.to_owned()).or_default().edges.push(index);
            }
        }
        Self { scene, nodes, entries }
    }

    /// The application as Mermaid text. `None` if it is too large to be rendered, or has no edge.
    pub(crate) fn whole(&self) -> Option<String> {
        rendered(&self.scene)
    }

    /// One entry, and the nodes that its edges connect it to, as Mermaid text. `None` as in [`Self::whole`].
    pub(crate) fn around(&self, entry: &str) -> Option<String> {
        let own = self.entries.get(entry)?;
        let edges: Vec<Edge> = own.edges.iter().map(|index| self.scene.edges[*index].clone()).collect();
        let ends = edges.iter().flat_map(|edge| [&edge.from, &edge.to]);
        let mut nodes: BTreeSet<usize> = ends.filter_map(|id| self.nodes.get(id).copied()).collect();
        nodes.extend(&own.nodes);
        rendered(&self.scene.part(&nodes, edges))
    }
}

fn rendered(scene: &Scene) -> Option<String> {
    if scene.edges.is_empty() || scene.edges.len() > MOST_EDGES {
        return None;
    }
    Some(mermaid::mermaid(scene)).filter(|text| text.len() <= MOST_TEXT)
}

/// The entry of a node: the title of its outermost frame.
fn entry_of<'s>(scene: &'s Scene, node: &Node) -> Option<&'s str> {
    let mut frame = &scene.frames[node.frame?];
    while let Some(parent) = frame.parent {
        frame = &scene.frames[parent];
    }
    Some(&frame.title)
}

#[cfg(test)]
mod tests;
