#![allow(clippy::disallowed_methods, reason = "the engine does no I/O, its tests read and write traces")]
//! Traces of whole operations, readable as text: every call of an undisturbed run, and for each call the result of
//! a kill right before it and right after its effect.
//!
//! `TANDEM_BLESS=1` writes `traces/*.out` again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use tandem_engine::apply::apply;
use tandem_engine::delete::delete;
use tandem_engine::job::{Job, Outcome};
use tandem_engine::record::Record;
use tandem_engine::testing::{Cloud, Fault};
use tandem_model::code::Code;
use tandem_model::composite::Definition;
use tandem_model::context::Context;
use tandem_model::graph::Graph;
use tandem_model::kinds;
use tandem_model::ownership::{INSTANCE, KEY, Owner};
use tandem_model::value::Value;
use tokio::time::Instant;

/// Inputs of a queue before an operation, and after it.
struct Operation {
    name: &'static str,
    before: Option<Json>,
    /// The call after which the apply of `before` was killed: its state is lost.
    killed: Option<usize>,
    after: Option<Json>,
}

fn operations() -> [Operation; 5] {
    let queue = |more: Json| {
        let mut inputs = json!({ "name": "jobs", "force_destroy": true });
        for (name, value) in more.as_object().expect("an object") {
            inputs[name] = value.clone();
        }
        Some(inputs)
    };
    [
        Operation { name: "create", before: None, killed: None, after: queue(json!({})) },
        Operation {
            name: "update",
            before: queue(json!({})),
            killed: None,
            after: queue(json!({ "visibility_timeout": 60, "dead_letters": false })),
        },
        Operation {
            name: "replace",
            before: queue(json!({})),
            killed: None,
            after: queue(json!({ "fifo": true })),
        },
        Operation { name: "resume", before: queue(json!({})), killed: Some(9), after: queue(json!({})) },
        Operation { name: "delete", before: queue(json!({})), killed: None, after: None },
    ]
}

fn context() -> Context {
    Context {
        project: Some("shop".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: Some("123456789012".to_owned()),
        ..Context::default()
    }
}

fn graph(inputs: &Json) -> Graph {
    let definition = Definition::find("queue").expect("a composite");
    let inputs = definition.with_defaults(&Value::from(inputs));
    definition.expand(&inputs, &context()).graph.expect("a graph")
}

fn seed() -> Graph {
    let definition = Definition::find("queue").expect("a composite");
    definition.expand_seed("jobs", &context()).graph.expect("a graph")
}

fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// Carries an operation out; `None` if a fault ended the process.
async fn carry_out(cloud: &Cloud, record: &Record, wanted: Option<&Json>, adopt: bool) -> Option<Outcome> {
    let context = context();
    let job = Job {
        drivers: cloud,
        policy: Json::clone,
        owner: Owner::parse("shop/eu-central-1/queue/jobs").expect("an owner"),
        context: &context,
        adopt,
        ignore: &[],
        lease: Duration::from_secs(30),
        holder: "test:1",
        clock,
        deadline: Instant::now() + Duration::from_secs(3600),
        stopped: &|| false,
    };
    let work = async {
        match wanted {
            Some(inputs) => apply(&job, record.clone(), &graph(inputs), &seed()).await,
            None => delete(&job, record.clone(), true).await,
        }
    };
    tokio::select! {
        biased;
        () = cloud.killed() => None,
        outcome = work => Some(outcome),
    }
}

fn codes(outcome: &Outcome) -> String {
    let codes: Vec<&str> = outcome.problems.iter().map(|problem| problem.code.as_str()).collect();
    if codes.is_empty() { "no problem".to_owned() } else { codes.join(", ") }
}

/// A record without objects, of a new state.
fn empty(instance: &str) -> Record {
    Record { instance: instance.to_owned(), objects: BTreeMap::new() }
}

/// A cloud after the operation's inputs before it were applied, and its record.
async fn prepared(operation: &Operation) -> (Cloud, Record) {
    let cloud = Cloud::new(&context());
    let record = match &operation.before {
        None => empty("first"),
        Some(inputs) if let Some(number) = operation.killed => {
            cloud.start(Some((number, Fault::KillAfter)));
            let ended = carry_out(&cloud, &empty("first"), Some(inputs), false).await;
            assert!(ended.is_none(), "{}: it was not killed", operation.name);
            empty("second")
        }
        Some(inputs) => {
            let outcome = carry_out(&cloud, &empty("first"), Some(inputs), false).await.expect("no fault");
            assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
            outcome.record
        }
    };
    (cloud, record)
}

/// Checks that exactly the wanted objects exist, that all carry one instance and their keys, and that the record
/// has them.
fn check(operation: &Operation, cloud: &Cloud, record: &Record, at: &str) {
    let mut wanted: Vec<String> = operation.after.as_ref().map_or_else(Vec::new, |inputs| {
        graph(inputs).objects().iter().map(|object| object.key.to_string()).collect()
    });
    wanted.sort();
    let recorded: Vec<String> = record.objects.keys().map(ToString::to_string).collect();
    assert_eq!(recorded, wanted, "{}, {at}: the record", operation.name);
    let mut ids: Vec<(&str, &str)> =
        record.objects.values().map(|entry| (entry.kind.as_str(), entry.id.as_str())).collect();
    ids.sort_unstable();
    let objects = cloud.objects();
    let exist: Vec<(&str, &str)> = objects.iter().map(|(kind, id, _)| (*kind, id.as_str())).collect();
    assert_eq!(exist, ids, "{}, {at}: the objects", operation.name);
    for (kind, id, found) in &objects {
        let (key, _) = record
            .objects
            .iter()
            .find(|(_, entry)| entry.kind == *kind && entry.id == *id)
            .expect("a recorded object");
        if kinds::find(kind).expect("a kind").tags {
            assert_eq!(found.tags.get(INSTANCE), Some(&record.instance), "{at}: {key}");
            assert_eq!(found.tags.get(KEY), Some(&key.to_string()), "{at}: {key}");
        }
    }
}

/// The trace of an operation.
async fn trace(operation: &Operation) -> String {
    let (cloud, record) = prepared(operation).await;
    cloud.start(None);
    let outcome = carry_out(&cloud, &record, operation.after.as_ref(), false).await.expect("no fault");
    check(operation, &cloud, &outcome.record, "undisturbed");
    let calls = cloud.calls();
    let mut text = format!("{}: {} calls, {}\n\n", operation.name, calls.len(), codes(&outcome));
    for (index, call) in calls.iter().enumerate() {
        writeln!(text, "{:>3} {call}", index + 1).expect("a string");
    }
    text.push_str("\nrecord\n");
    for (key, entry) in &outcome.record.objects {
        let anchor = if entry.anchor { "  anchor" } else { "" };
        writeln!(text, "  {key}  {}{anchor}", entry.id).expect("a string");
    }
    text.push_str("\nkilled            objects left    the next run\n");
    for (number, call) in (1..).zip(&calls) {
        for (fault, when) in [(Fault::KillBefore, "before"), (Fault::KillAfter, "after")] {
            // A kill after a read is a kill before the next call.
            if fault == Fault::KillAfter && !changes(call) {
                continue;
            }
            let at = format!("killed {when} {number}");
            let (cloud, record) = prepared(operation).await;
            cloud.start(Some((number, fault)));
            let ended = carry_out(&cloud, &record, operation.after.as_ref(), false).await;
            assert!(ended.is_none(), "{}, {at}: it was not killed", operation.name);
            let left = cloud.objects().len();
            // The state was not saved: a create starts again with a new instance.
            let fresh = operation.before.is_none() || operation.killed.is_some();
            let record = if fresh { empty("third") } else { record };
            cloud.start(None);
            let wanted = operation.after.as_ref();
            let mut outcome = carry_out(&cloud, &record, wanted, false).await.expect("no fault");
            let mut next = format!("{} calls, {}", cloud.calls().len(), codes(&outcome));
            // The remedy of a complete composite without its state.
            if outcome.problems.iter().any(|problem| problem.code == Code::CompleteElsewhere) {
                outcome = carry_out(&cloud, &record, wanted, true).await.expect("no fault");
                next = format!("{next}; with adoption: {}", codes(&outcome));
            }
            check(operation, &cloud, &outcome.record, &at);
            writeln!(text, "{when:<6} {number:>3} {left:>16}        {next}").expect("a string");
        }
    }
    text
}

/// The lines from the first to the last difference, and two lines before them.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let start = expected.iter().zip(&found).take_while(|(one, other)| one == other).count();
    let same = expected[start..].iter().rev().zip(found[start..].iter().rev());
    let end = same.take_while(|(one, other)| one == other).count();
    let before = expected[start.saturating_sub(2)..start].iter().map(|line| format!("  {line}"));
    let removed = expected[start..expected.len() - end].iter().map(|line| format!("- {line}"));
    let added = found[start..found.len() - end].iter().map(|line| format!("+ {line}"));
    let lines: Vec<String> = before.chain(removed).chain(added).collect();
    format!("from line {}\n{}", start + 1, lines.join("\n"))
}

fn changes(call: &str) -> bool {
    !["read ", "find ", "list ", "children ", "content "].iter().any(|verb| call.starts_with(verb))
}

#[tokio::test(start_paused = true)]
async fn operations_end_with_exactly_one_of_every_object_wherever_they_are_killed() {
    for operation in operations() {
        let found = trace(&operation).await;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/traces/{}.out", operation.name));
        if std::env::var_os("TANDEM_BLESS").is_some() {
            std::fs::write(&path, &found).expect("written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            expected == found,
            "{} differs:\n{}\n`TANDEM_BLESS=1 cargo test -p tandem-engine` writes it again",
            path.display(),
            difference(&expected, &found),
        );
    }
}
