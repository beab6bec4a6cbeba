//! Nothing in a picture covers anything else: in the pictures of all examples, and of random graphs.

use std::path::Path;

use super::super::look::{Line, Look};
use super::super::scene::{Edge, Frame, Node, Scene};
use super::{Rect, place};
use crate::source::Source;
use crate::spec;

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    fn text(&mut self, limit: usize) -> String {
        let length = self.below(limit);
        "x".repeat(length)
    }
}

/// Entries with one to four nodes, some of them in an inner frame, and edges between any two nodes.
fn random(seed: u64, entries: usize) -> Scene {
    let mut random = Random(seed);
    let looks = [Look::Bucket, Look::Choice, Look::DeadLetters, Look::Function, Look::Queue, Look::Table];
    let mut scene = Scene::default();
    for entry in 0..entries {
        let frame = scene.frames.len();
        scene.frames.push(Frame { id: format!("f{frame}"), title: random.text(20), parent: None });
        let inner = (random.below(4) == 0).then(|| {
            scene.frames.push(Frame {
                id: format!("f{}", frame + 1),
                title: random.text(20),
                parent: Some(frame),
            });
            frame + 1
        });
        for node in 0..=random.below(4) {
            scene.nodes.push(Node {
                id: format!("n{entry}_{node}"),
                label: random.text(24),
                kind: random.text(30),
                look: looks[random.below(looks.len())],
                frame: inner.filter(|_| node > 0).or(Some(frame)),
                alarms: random.below(3),
            });
        }
    }
    for _ in 0..scene.nodes.len() {
        let [from, to] = [0, 1].map(|_| scene.nodes[random.below(scene.nodes.len())].id.clone());
        let label = if random.below(2) == 0 { String::new() } else { random.text(24) };
        scene.edges.push(Edge { from, to, label, line: Line::Flow });
    }
    scene
}

/// The pairs of things of which one covers the other.
fn covered(scene: &Scene) -> Vec<String> {
    let placed = place(scene);
    let mut labels: Vec<(String, Rect)> = Vec::new();
    for (edge, route) in scene.edges.iter().zip(&placed.edges) {
        if let Some(label) = route.as_ref().and_then(|route| route.label) {
            labels.push((format!("the label {:?} of {} -> {}", edge.label, edge.from, edge.to), label));
        }
    }
    let titles = placed.frames.iter().map(|(_, title)| ("a title".to_owned(), *title));
    let nodes: Vec<(String, Rect)> = scene
        .nodes
        .iter()
        .zip(&placed.nodes)
        .map(|(node, rect)| (format!("node {}", node.id), *rect))
        .collect();
    let boxes: Vec<(String, Rect)> =
        nodes.iter().cloned().chain(titles).chain(labels.iter().cloned()).collect();
    let mut found = Vec::new();
    for (index, (one, rect)) in boxes.iter().enumerate() {
        for (other, covered) in &boxes[..index] {
            if rect.meets(covered) {
                found.push(format!("{one} meets {other}"));
            }
        }
    }
    for (edge, route) in scene.edges.iter().zip(&placed.edges) {
        let Some(route) = route else {
            assert_eq!(edge.from, edge.to, "{} -> {} is not drawn", edge.from, edge.to);
            continue;
        };
        let foreign = |name: &str| {
            name != format!("node {}", edge.from)
                && name != format!("node {}", edge.to)
                && !name.ends_with(&format!(" of {} -> {}", edge.from, edge.to))
        };
        for (name, _) in boxes.iter().filter(|(name, rect)| foreign(name) && route.meets(rect)) {
            found.push(format!("{} -> {} crosses {name}", edge.from, edge.to));
        }
    }
    found
}

#[test]
fn nothing_is_covered_in_the_pictures_of_examples() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut drawn = 0;
    for example in std::fs::read_dir(examples).expect("the examples") {
        let path = example.expect("an example").path().join("tandem.yaml");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let (app, diagnostics) = spec::read(&Source { path: path.clone(), text });
        let scene = Scene::of(&app.unwrap_or_else(|| panic!("{diagnostics:?}")));
        assert_eq!(covered(&scene), [] as [String; 0], "{}", path.display());
        drawn += 1;
    }
    assert!(drawn >= 10, "{drawn}");
}

#[test]
fn nothing_is_covered_in_random_pictures() {
    for (seed, entries) in [(1, 40), (2, 12), (3, 12), (4, 6), (5, 3)] {
        assert_eq!(covered(&random(seed, entries)), [] as [String; 0], "seed {seed}");
    }
}
