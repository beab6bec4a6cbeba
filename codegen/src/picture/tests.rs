//! Diagrams of small specs.

use super::Diagram;
use super::look::Line;
use super::scene::Scene;
use crate::source::Source;
use crate::spec::{self, App};

fn app(text: &str) -> App {
    let (app, diagnostics) = spec::read(&Source { path: "tandem.yaml".into(), text: text.to_owned() });
    app.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// Edges with the labels of their nodes, sorted. `failed` selects the edges to dead-letter queues.
fn edges(text: &str, failed: bool) -> Vec<String> {
    let scene = Scene::of(&app(text));
    let label = |id: &str| {
        let node = scene.nodes.iter().find(|node| node.id == id);
        node.unwrap_or_else(|| panic!("{id} is not drawn")).label.clone()
    };
    let is_failure = |line: Line| line == Line::Failure;
    let chosen = scene.edges.iter().filter(|edge| is_failure(edge.line) == failed);
    let mut edges: Vec<String> =
        chosen.map(|edge| format!("{} -{}-> {}", label(&edge.from), edge.label, label(&edge.to))).collect();
    edges.sort();
    edges
}

const AROUND: &str = "app: a\nbuckets: { b: { event_bridge: true } }\nqueues: { q: {} }\n\
                      streams: { s: {} }\ntopics: { n: {} }\n\
                      tables: { t: { key: id, stream: KEYS_ONLY } }\ntasks: { k: { image: i } }\n";

#[test]
fn triggers_lead_to_what_they_set_off() {
    let given = "arn:aws:dynamodb:eu-central-1:123456789012:table/given";
    let stream = format!("{given}/stream/2026-01-01T00:00:00.000");
    let of_table = format!("on: {{ table: '{stream}' }}, reads: {{ table: '{given}' }}");
    for (inputs, expected) in [
        ("on: { bucket: b, prefix: in/, suffix: .a }", "b -in/ .a-> f"),
        ("on: { bucket: b }, reads: { bucket: b }", "b --> f"),
        ("on: { bucket: given, suffix: .a }, reads: { bucket: given }", "given -.a-> f"),
        ("on: { queue: q }", "q --> f"),
        ("on: { queue: 'arn:aws:sqs:eu-central-1:123456789012:jobs.fifo' }", "jobs.fifo --> f"),
        ("on: { stream: s }", "s --> f"),
        ("on: { table: t }, reads: { table: t }", "t --> f"),
        (of_table.as_str(), "given --> f"),
        ("on: { topic: n }", "n --> f"),
        ("on: { schedule: rate(1 day) }", "rate(1 day) --> f"),
        ("on: { http: api, auth: none }", "HTTP API --> f"),
        ("on: { http: url, auth: none }", "Lambda function URL --> f"),
        ("on: { event_pattern: '{\"source\":[\"my.app\"]}' }", "my.app --> f"),
        ("on: { event_pattern: '{\"detail\":{\"a\":[1]}}' }", "events --> f"),
    ] {
        assert_eq!(edges(&format!("{AROUND}functions: {{ f: {{ {inputs} }} }}\n"), false), [expected]);
    }
    let queue = "app: a\ntopics: { n: {} }\nqueues: { q: { on: { topic: n } } }\n";
    assert_eq!(edges(queue, false), ["n --> q"]);
    let task = "app: a\ntasks: { k: { image: i, on: { schedule: rate(1 day) } } }\n";
    assert_eq!(edges(task, false), ["rate(1 day) -starts-> k"]);
}

#[test]
fn things_lead_to_what_they_use() {
    let uses = "reads: [{ bucket: b, prefix: in/ }, { table: t }, { bucket: given }], \
                writes: [{ bucket: b }, { table: t }, { stream: s }], \
                sends_to: [{ queue: q }, { topic: n }], launches: k, invokes: [{ function: g }, \
                { workflow: 'arn:aws:states:eu-central-1:123456789012:stateMachine:m' }]";
    let expected = [
        "b -in/-> f",
        "f -invokes-> g",
        "f -sends-> n",
        "f -sends-> q",
        "f -starts-> k",
        "f -starts-> m",
        "f -writes-> b",
        "f -writes-> s",
        "f -writes-> t",
        "given -reads-> f",
        "t -reads-> f",
    ];
    assert_eq!(edges(&format!("{AROUND}functions: {{ f: {{ {uses} }}, g: {{}} }}\n"), false), expected);
    let task = "app: a\nbuckets: { b: {} }\ntasks:\n  \
                k: { image: i, bucket_access: { bucket: b, read: in/, write: [out/, more/] } }\n";
    assert_eq!(edges(task, false), ["b -in/-> k", "k -out/, more/-> b"]);
}

#[test]
fn workflows_lead_to_what_their_steps_run() {
    let workflow = "functions: { f: {} }\nworkflows:\n  w:\n    \
                    on: { bucket: b, prefix: in/ }\n    step:\n    \
                    - { name: one, function: f }\n    - { name: two, task: k }\n    \
                    - { name: ask, callback: q }\n    \
                    - { name: tiles, map: { count: 2 }, distributed: true }\n    \
                    - { name: tile, within: tiles, task: k }\n";
    let text = format!("{AROUND}{workflow}");
    let expected = [
        "ask --> tiles",
        "ask -sends-> q",
        "b -in/-> w",
        "one --> two",
        "one -invokes-> f",
        "tile -starts-> k",
        "tiles --> end",
        "tiles -each item-> tile",
        "two --> ask",
        "two -starts-> k",
        "w --> one",
    ];
    assert_eq!(edges(&text, false), expected);
    let failed = ["f", "k", "q", "w"].map(|name| format!("{name} -failed-> dead letters"));
    assert_eq!(edges(&text, true), failed);
    let express = "app: a\nfunctions: { f: {} }\n\
                   workflows: { w: { type: express, step: { name: one, function: f } } }\n";
    assert_eq!(edges(express, false), ["one --> end", "one -invokes-> f", "w --> one"]);
    assert_eq!(edges(express, true), ["f -failed-> dead letters", "w -failed-> dead letters"]);
}

#[test]
fn what_is_in_one_entry_is_told_apart() {
    let group = "app: a\nqueue_groups:\n  \
                 w: { queue: [{ name: x }, { name: y, dead_letters: false }], consumer: {} }\n";
    assert_eq!(edges(group, false), ["x --> consumer", "y --> consumer"]);
    let failed = ["consumer -failed-> consumer dead letters", "x -failed-> x dead letters"];
    assert_eq!(edges(group, true), failed);
    let videos = "app: a\nthumbnailers: { v: { task: { image: i } } }\n";
    let expected = [
        "bucket -.mp4-> workflow",
        "bucket -reads-> v",
        "thumbnail --> end",
        "thumbnail -starts-> v",
        "v -thumbnails/ .jpg-> bucket",
        "workflow --> thumbnail",
    ];
    assert_eq!(edges(videos, false), expected);
}

#[test]
fn the_diagram_of_an_entry_has_its_neighbors_only() {
    let text = "app: a\nbuckets: { b: {}, alone: {} }\ntables: { t: { key: id } }\n\
                functions: { f: { on: { bucket: b }, writes: { table: t } }, g: {} }\n";
    let diagram = Diagram::of(&app(text));
    let expected = [
        "flowchart LR",
        "  subgraph t_entry[\"t\"]",
        "    t_dynamodb_table_main[(\"t<br/>DynamoDB table\")]:::table",
        "  end",
        "  subgraph f_entry[\"f\"]",
        "    f_lambda_function_function[[\"f<br/>Lambda function\"]]:::function",
        "  end",
        "  f_lambda_function_function -->|\"writes\"| t_dynamodb_table_main",
        "  classDef function fill:#fde9d3,stroke:#59636e,color:#1f2328",
        "  classDef table fill:#d8eef0,stroke:#59636e,color:#1f2328",
        "",
    ];
    let expected = expected.join("\n");
    assert_eq!(diagram.around("t"), Some(expected));
    let function = diagram.around("f").unwrap_or_default();
    for (node, there) in [("b_s3_bucket", true), ("f_sqs_queue_dead_letters", true), ("g_", false)] {
        assert_eq!(function.contains(node), there, "{node}: {function}");
    }
    assert_eq!(diagram.around("alone"), None);
    assert!(diagram.whole().is_some_and(|whole| whole.contains("alone")));
}

#[test]
fn a_workflow_is_drawn_as_its_flow() {
    let text = "app: a\nfunctions: { f: {} }\nworkflows:\n  w:\n    step:\n    \
                - { name: size, choice: [{ when: '{% $states.input.size > 1 %}', next: one }], otherwise: both }\n    \
                - { name: one, function: f, catch: failed, retry_attempts: 1, end: true }\n    \
                - { name: both, parallel: [a, b] }\n    \
                - { name: left, within: both, branch: a, wait: 1 }\n    \
                - { name: right, within: both, branch: b, wait: 1 }\n    \
                - { name: failed, fail: 'it failed' }\n";
    let expected = [
        "both --> failed",
        "both -a-> left",
        "both -b-> right",
        "one --> end",
        "one -invokes-> f",
        "size -otherwise-> both",
        "size -size > 1-> one",
        "w --> size",
    ];
    assert_eq!(edges(text, false), expected);
    assert!(edges(text, true).contains(&"one -caught-> failed".to_owned()));
    let scene = Scene::of(&app(text));
    let frames: Vec<&str> = scene.frames.iter().map(|frame| frame.title.as_str()).collect();
    assert_eq!(frames, ["f", "w", "both a", "both b"]);
    let node = |label: &str| scene.nodes.iter().find(|node| node.label == label).expect("a node");
    assert_eq!(node("left").frame, Some(2));
    assert_eq!(node("one").kind, "function, 1 retry");
}

#[test]
fn each_kind_has_a_look_of_its_own() {
    let text = format!("{AROUND}functions: {{ f: {{}} }}\n");
    let scene = Scene::of(&app(&text));
    let of = |label: &str| scene.nodes.iter().find(|node| node.label == label).expect("a node");
    let looks = ["b", "q", "s", "n", "t", "k", "f", "dead letters"].map(|label| of(label).look);
    for (index, one) in looks.iter().enumerate() {
        for other in &looks[..index] {
            let (one, other) = (one.style(), other.style());
            assert!(
                one.dot != other.dot && one.fill != other.fill && one.mermaid != other.mermaid,
                "{}",
                one.class
            );
        }
    }
    assert_eq!(of("q").lines(), ("q".to_owned(), "SQS queue, 2 alarms".to_owned()));
    assert_eq!(of("dead letters").lines(), ("dead letters, alarm".to_owned(), String::new()));
}
