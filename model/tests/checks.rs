//! Invalid inputs are reported with their code and path, before any object is created.

#[path = "shared/elf.rs"]
mod elf;

use std::io::{Cursor, Write};

use serde_json::{Value as Json, json};
use tandem_model::artifact::{CodeKind, prepare};
use tandem_model::composite::Definition;
use tandem_model::context::Context;
use tandem_model::finding::Code;
use tandem_model::value::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The findings of a composite with these inputs: code and path.
fn found(composite: &str, inputs: &Json) -> Vec<(Code, String)> {
    let context = Context {
        project: Some("test".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: Some("123456789012".to_owned()),
        ..Context::default()
    };
    let definition = Definition::find(composite).expect("a composite");
    let expansion = definition.expand(&Value::from(inputs), &context);
    assert_eq!(expansion.graph.is_none(), !expansion.findings.0.is_empty(), "{inputs}");
    expansion.findings.0.into_iter().map(|finding| (finding.code, finding.path.to_string())).collect()
}

#[track_caller]
fn expect(composite: &str, inputs: &Json, wanted: &[(Code, &str)]) {
    let wanted: Vec<(Code, String)> = wanted.iter().map(|(code, path)| (*code, (*path).to_owned())).collect();
    assert_eq!(found(composite, inputs), wanted, "{inputs}");
}

const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:f";
const BUS: &str = "arn:aws:events:eu-central-1:123456789012:event-bus";
const PATTERN: &str = "{\"source\":[\"a\"]}";
const STREAM: &str = "arn:aws:kinesis:eu-central-1:123456789012:stream/s";
const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:q";

#[test]
fn steps_of_workflows_are_checked() {
    let step = |name: &str, more: Json| {
        let mut step = json!({ "name": name });
        let members = step.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        if !["wait", "choice", "parallel", "map", "fail", "callback"]
            .iter()
            .any(|kind| members.contains_key(*kind))
        {
            members.insert("function".to_owned(), FUNCTION.into());
        }
        step
    };
    let many = |count| json!({ "map": { "count": count } });
    for (steps, wanted) in [
        (json!([]), vec![(Code::Missing, "step")]),
        (json!([step("a", json!({})), step("b", json!({}))]), vec![]),
        (json!([step("a", json!({})), step("a", json!({}))]), vec![(Code::DuplicateName, "step[1].name")]),
        (json!([step("a b", json!({}))]), vec![(Code::OutOfRange, "step[0].name")]),
        (json!([step("a", json!({ "next": "c" }))]), vec![(Code::UnknownReference, "step[0].next")]),
        (json!([step("a", json!({ "catch": "c" }))]), vec![(Code::UnknownReference, "step[0].catch")]),
        (
            json!([step("a", json!({ "end": true })), step("b", json!({}))]),
            vec![(Code::UnknownReference, "step[1].name")],
        ),
        (
            json!([step("a", json!({ "end": true, "next": "b" })), step("b", json!({}))]),
            vec![(Code::Choice, "step[0].end")],
        ),
        (json!([step("a", many(2))]), vec![(Code::Missing, "step[0].map")]),
        (json!([step("a", many(2)), step("b", json!({ "within": "a" }))]), vec![]),
        (
            json!([step("a", many(2)), step("b", json!({ "within": "a", "next": "a" }))]),
            vec![(Code::UnknownReference, "step[1].next")],
        ),
        (
            json!([
                step("a", json!({ "map": { "count": 2 }, "within": "b" })),
                step("b", json!({ "map": { "count": 2 }, "within": "a" })),
            ]),
            vec![(Code::Cycle, "step[0].within"), (Code::Cycle, "step[1].within")],
        ),
        (
            json!([
                step("a", json!({ "parallel": ["x", "y"] })),
                step("b", json!({ "within": "a", "branch": "x" }))
            ]),
            vec![(Code::Missing, "step[0].parallel")],
        ),
        (
            json!([
                step("a", json!({ "parallel": ["x"] })),
                step("b", json!({ "within": "a", "branch": "z" }))
            ]),
            vec![(Code::Missing, "step[0].parallel"), (Code::UnknownReference, "step[1].branch")],
        ),
        (
            json!([
                step("a", json!({ "map": { "bucket": "lists", "key": "k" } })),
                step("b", json!({ "within": "a" })),
            ]),
            vec![(Code::Choice, "step[0].map")],
        ),
        (
            json!([
                step("a", json!({ "choice": [{ "when": "yes", "next": "b" }], "otherwise": "b" })),
                step("b", json!({}))
            ]),
            vec![(Code::OutOfRange, "step[0].choice[0].when")],
        ),
        (
            json!([step("a", json!({ "callback": format!("{QUEUE}.fifo") }))]),
            vec![(Code::Choice, "step[0].callback")],
        ),
        (
            json!([
                step("a", json!({ "parallel": ["x", "x"] })),
                step("b", json!({ "within": "a", "branch": "x" }))
            ]),
            vec![(Code::DuplicateName, "step[0].parallel")],
        ),
        (
            json!([step("a", json!({ "fail": "{% $states.input.cause" }))]),
            vec![(Code::OutOfRange, "step[0].fail")],
        ),
        (json!([step("a", many(3000)), step("b", json!({ "within": "a" }))]), vec![]),
        (
            // The shortest path is i and then b or c: d runs only if one of them fails.
            json!([
                step("a", many(2500)),
                step(
                    "i",
                    json!({ "within": "a", "choice": [{ "when": "{% $states.input.n = 1 %}", "next": "b" }], "otherwise": "c" })
                ),
                step("b", json!({ "within": "a", "end": true, "catch": "d" })),
                step("c", json!({ "within": "a", "end": true, "catch": "d" })),
                step("d", json!({ "within": "a", "fail": "it" })),
            ]),
            vec![],
        ),
        (
            json!([
                step("a", many(1500)),
                step("p", json!({ "within": "a", "parallel": ["l", "r"] })),
                step("l", json!({ "within": "p", "branch": "l" })),
                step("r", json!({ "within": "p", "branch": "r" })),
            ]),
            vec![(Code::OutOfRange, "step[0].count")],
        ),
        (
            json!([
                step("a", many(100)),
                step("m", json!({ "within": "a", "map": { "count": 40 }})),
                step("b", json!({ "within": "m" }))
            ]),
            vec![(Code::OutOfRange, "step[0].count")],
        ),
        (
            json!([step("a", many(4000)), step("b", json!({ "within": "a" }))]),
            vec![(Code::OutOfRange, "step[0].count")],
        ),
        (
            json!([
                step("a", json!({ "map": { "count": 4000 }, "distributed": true, "max_concurrency": 100 })),
                step("b", json!({ "within": "a" }))
            ]),
            vec![],
        ),
        (
            json!([
                step("a", json!({ "map": { "count": 41 }, "max_concurrency": 41 })),
                step("b", json!({ "within": "a" }))
            ]),
            vec![(Code::OutOfRange, "step[0].max_concurrency")],
        ),
    ] {
        expect("workflow", &json!({ "name": "w", "step": steps }), &wanted);
    }
    let waits = json!([{ "name": "a", "callback": QUEUE }]);
    let wanted = [(Code::Choice, "step[0].callback")];
    expect("workflow", &json!({ "name": "w", "type": "express", "step": waits }), &wanted);
}

#[test]
fn steps_are_not_nested_without_an_end() {
    let map = |depth: usize| {
        let mut map = json!({ "name": format!("m{depth}"), "map": { "count": 1 } });
        if depth > 0 {
            map["within"] = format!("m{}", depth - 1).into();
        }
        map
    };
    // At this depth, checks without a limit take a minute and overflow the stack.
    let mut steps: Vec<Json> = (0..2000).map(map).collect();
    steps.push(json!({ "name": "last", "within": "m1999", "wait": 1 }));
    let found = found("workflow", &json!({ "name": "w", "step": steps }));
    assert!(found.contains(&(Code::OutOfRange, "step[30].within".to_owned())), "{found:?}");
}

#[test]
fn triggers_are_checked() {
    for (on, wanted) in [
        (json!([{ "http": "api", "auth": "none" }]), vec![]),
        (json!([{ "http": "api" }]), vec![(Code::Missing, "on[0].auth")]),
        (json!([{ "http": "url", "auth": "jwt" }]), vec![(Code::Choice, "on[0].auth")]),
        (json!([{ "http": "api", "auth": "jwt" }]), vec![(Code::Missing, "on[0].jwt_issuer")]),
        (
            json!([{ "http": "api", "auth": "iam", "jwt_scopes": ["a"] }]),
            vec![(Code::Choice, "on[0].jwt_scopes")],
        ),
        (
            json!([{ "http": "api", "auth": "none", "cors_methods": ["GET"] }]),
            vec![(Code::Missing, "on[0].cors_origins")],
        ),
        (
            json!([{ "http": "api", "auth": "none", "cors_origins": ["*"], "cors_headers": ["Content-Type"] }]),
            vec![(Code::OutOfRange, "on[0].cors_headers[0]")],
        ),
        (
            json!([{ "http": "api", "auth": "none" }, { "http": "url", "auth": "none" }]),
            vec![(Code::Choice, "on[1].http")],
        ),
        (json!([{ "queue": QUEUE }, { "queue": QUEUE }]), vec![(Code::OverlappingFilters, "on[1].queue")]),
        (
            json!([{ "queue": format!("{QUEUE}.fifo"), "maximum_batching_window": 1 }]),
            vec![(Code::OutOfRange, "on[0].maximum_batching_window")],
        ),
        (
            json!([{ "topic": "arn:aws:sns:eu-central-1:123456789012:t.fifo" }]),
            vec![(Code::Choice, "on[0].topic")],
        ),
        (json!([{ "event_pattern": "{}" }]), vec![(Code::Pattern, "on[0].event_pattern")]),
        (
            json!([{ "event_pattern": "{\"source\": \"aws.ecs\"}" }]),
            vec![(Code::Pattern, "on[0].event_pattern")],
        ),
        (
            json!([{ "topic": "arn:aws:sns:eu-central-1:123456789012:t", "filter_policy": "{\"a\": []}" }]),
            vec![(Code::Pattern, "on[0].filter_policy")],
        ),
        // Attributes of a message are not nested, its body is.
        (
            json!([
                { "topic": "arn:aws:sns:eu-central-1:123456789012:t", "filter_policy": "{\"a\":{\"b\":[1]}}" },
                { "topic": "arn:aws:sns:eu-central-1:123456789012:u", "filter_policy": "{\"a\":{\"b\":[1]}}",
                  "filter_policy_scope": "MessageBody" },
            ]),
            vec![(Code::Pattern, "on[0].filter_policy")],
        ),
        // A filter names members of the event, and has fewer operators than an event pattern.
        (json!([{ "queue": QUEUE, "filter": "{\"body\":{\"kind\":[\"a\"]}}" }]), vec![]),
        (json!([{ "queue": QUEUE, "filter": "{\"kind\":[\"a\"]}" }]), vec![(Code::Pattern, "on[0].filter")]),
        (
            json!([{ "queue": QUEUE, "filter": "{\"body\":{\"kind\":[{\"wildcard\":\"a*\"}]}}" }]),
            vec![(Code::Pattern, "on[0].filter")],
        ),
        (
            json!([{ "stream": STREAM, "filter": "{\"body\":{\"kind\":[\"a\"]}}" }]),
            vec![(Code::Pattern, "on[0].filter")],
        ),
        (json!([{ "event_pattern": PATTERN, "event_bus": format!("{BUS}/orders") }]), vec![]),
        (
            json!([{ "event_pattern": PATTERN, "event_bus": format!("{BUS}/default") }]),
            vec![(Code::Choice, "on[0].event_bus")],
        ),
        (
            json!([{ "event_pattern": PATTERN, "event_bus": format!("{BUS}/") }]),
            vec![(Code::OutOfRange, "on[0].event_bus")],
        ),
        (
            json!([{ "event_pattern": PATTERN, "event_bus": QUEUE }]),
            vec![(Code::OutOfRange, "on[0].event_bus")],
        ),
        (
            json!([{ "event_pattern": PATTERN,
                     "event_bus": "arn:aws:events:us-east-1:123456789012:event-bus/orders" }]),
            vec![(Code::Choice, "on[0].event_bus")],
        ),
        (json!([{ "bucket": "b-1", "suffix": "*.png" }]), vec![(Code::OutOfRange, "on[0].suffix")]),
        (json!([{ "bucket": "No Such Bucket!" }]), vec![(Code::OutOfRange, "on[0].bucket")]),
        // The roles of these two triggers would have the same name.
        (
            json!([
                { "topic": "arn:aws:sns:eu-central-1:123456789012:event" },
                { "event_pattern": "{\"source\":[\"a\"]}" },
            ]),
            vec![],
        ),
    ] {
        let code = json!({ "image_uri": "i" });
        expect("event_function", &json!({ "name": "f", "code": code, "on": on }), &wanted);
    }
    let code = json!({ "image_uri": "i" });
    let writes = json!([{ "table": "t" }]);
    let wanted = [(Code::OutOfRange, "writes[0].table")];
    expect("event_function", &json!({ "name": "f", "code": code, "writes": writes }), &wanted);
}

#[test]
fn what_is_set_for_a_container_is_not_set_by_hand() {
    let task = |more: Json| {
        let mut task =
            json!({ "name": "t", "image": "i", "bucket_access": [{ "bucket": "b-1", "read": [""] }] });
        task.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        task
    };
    let ours = json!({ "TANDEM_RESOURCES": "mine" });
    expect(
        "container_task",
        &task(json!({ "environment": ours })),
        &[(Code::Environment, "environment[\"TANDEM_RESOURCES\"]")],
    );
    expect(
        "container_task",
        &task(json!({ "on": [{ "schedule": "rate(1 day)", "environment": ours }] })),
        &[(Code::Environment, "on[0].environment[\"TANDEM_RESOURCES\"]")],
    );
    expect("container_task", &task(json!({})), &[]);
}

#[test]
fn queues_and_tables_are_checked() {
    let topic = "arn:aws:sns:eu-central-1:123456789012:t";
    expect(
        "queue",
        &json!({ "name": "q", "fifo": true, "on": [{ "topic": topic }] }),
        &[(Code::Choice, "on[0].topic")],
    );
    let wanted = [(Code::Choice, "content_based_deduplication")];
    expect("queue", &json!({ "name": "q", "content_based_deduplication": true }), &wanted);
    let alias = "arn:aws:kms:eu-central-1:123456789012:alias/a";
    expect("queue", &json!({ "name": "q", "kms_key_arn": alias }), &[(Code::OutOfRange, "kms_key_arn")]);
    for (names, wanted) in [
        (vec!["a", "b"], vec![]),
        (vec!["a", "a"], vec![(Code::DuplicateName, "queue[1].name")]),
        (vec!["consumer"], vec![(Code::DuplicateName, "queue[0].name")]),
        (vec!["a", "a-dead-letters"], vec![(Code::DuplicateName, "queue[1].name")]),
        (vec![], vec![(Code::Missing, "queue")]),
    ] {
        let queues: Vec<Json> = names.iter().map(|name| json!({ "name": name })).collect();
        expect("queues", &json!({ "name": "g", "queue": queues }), &wanted);
    }
    let consumer = json!({ "code": { "image_uri": "i" }, "timeout": 60 });
    let queue = json!([{ "name": "a", "visibility_timeout": 30 }]);
    expect(
        "queues",
        &json!({ "name": "g", "queue": queue, "consumer": consumer }),
        &[(Code::VisibilityTimeout, "queue[0].visibility_timeout")],
    );
    let topics: Vec<Json> = [("1", "jobs-3"), ("1", "jobs"), ("2", "jobs"), ("3", "jobs")]
        .iter()
        .map(|(account, name)| json!({ "topic": format!("arn:aws:sns:eu-central-1:{account}:{name}") }))
        .collect();
    expect("queue", &json!({ "name": "q", "on": topics }), &[]);
    expect("table", &json!({ "name": "t", "key": "" }), &[(Code::OutOfRange, "key")]);
    let wanted = [(Code::Choice, "sort_key")];
    expect("table", &json!({ "name": "t", "key": "k", "sort_key": "k" }), &wanted);
}

#[test]
fn code_for_a_newer_glibc_is_reported_at_its_attribute() {
    let newer = elf::needing(62, &[("GLIBC_2.38", 0)]);
    let usable = elf::needing(62, &[("GLIBC_2.34", 0)]);
    let zip = |binary: &[u8]| {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        writer.start_file("bootstrap", options).expect("a file");
        writer.write_all(binary).expect("the content");
        writer.finish().expect("a zip").into_inner()
    };
    for (attribute, kind, bytes, wanted) in [
        ("zip", CodeKind::Zip, zip(&newer), vec![(Code::Code, "code.zip".to_owned())]),
        ("zip", CodeKind::Zip, zip(&usable), vec![]),
        ("bootstrap", CodeKind::Bootstrap, newer, vec![(Code::Code, "code.bootstrap".to_owned())]),
        ("bootstrap", CodeKind::Bootstrap, usable, vec![]),
    ] {
        let mut context = Context { project: Some("test".to_owned()), ..Context::default() };
        context.code.insert("file".to_owned(), prepare(kind, &bytes).map(|code| code.facts));
        let inputs = json!({ "name": "notice", "code": { attribute: "file" } });
        let definition = Definition::find("event_function").expect("a composite");
        let findings = definition.expand(&Value::from(&inputs), &context).findings.0;
        let found: Vec<_> = findings.iter().map(|finding| (finding.code, finding.path.to_string())).collect();
        assert_eq!(found, wanted, "{inputs}");
    }
}
