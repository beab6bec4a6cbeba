//! Builds and tests generated handlers with cargo. Each mutant must fail the handlers' own tests.

mod common;

use std::path::Path;

use common::{cargo, lock, read, tandem, write};

/// Every nth mutant is tested. `TANDEM_FULL=1` tests all.
const SAMPLE: usize = 4;

/// Mutants: handler, file, text, replacement.
const MUTANTS: &[(&str, &str, &str, &str)] = &[
    // Decoding.
    ("object", "event", ".replace('+', \" \")", ".replace('+', \"+\")"),
    (
        "object",
        "event",
        "key: decode(of.key.as_deref().unwrap_or_default()),",
        "key: of.key.clone().unwrap_or_default(),",
    ),
    ("message", "event", "body: record.body.clone().unwrap_or_default(),", "body: String::new(),"),
    ("clock", "event", "payload[\"time\"].as_str()", "payload[\"id\"].as_str()"),
    ("request", "event", "body if encoded && body.is_string()", "body if encoded && body.is_null()"),
    ("request", "event", "name.to_ascii_lowercase()", "name"),
    ("record", "event", "data: record.kinesis.data.0.clone(),", "data: Vec::new(),"),
    ("change", "event", ".map(item)", ".cloned()"),
    ("change", "event", "\"N\" => number(value),", ""),
    ("change", "event", "\"L\" => items.map(plain).collect(),", ""),
    ("notification", "event", ".or_else(|| record[\"EventSource\"].as_str())", ""),
    ("bus", "event", "kind: event.detail_type.clone(),", "kind: event.source.clone(),"),
    ("everything", "event", " && payload[\"detail-type\"] != \"Scheduled Event\"", ""),
    // Partial batch responses.
    ("message", "event", "response.batch_item_failures.push(failure);", "drop(failure);"),
    (
        "message",
        "event",
        "let Err(error) = handle(message).await else { continue };",
        "let Err(error) = handle(message).await else { break };",
    ),
    (
        "everything",
        "event",
        "if !(ordered && !response.batch_item_failures.is_empty())",
        "if !(false && ordered)",
    ),
    ("record", "event", "            break;\n", ""),
    ("change", "event", "            break;\n", ""),
    ("record", "event", "record.record.kinesis.sequence_number.clone()", "record.token.clone()"),
    (
        "change",
        "event",
        "change.record.change.sequence_number.clone().unwrap_or_default()",
        "change.token.clone()",
    ),
    // Requests.
    ("request", "event", "payload[\"routeKey\"] == \"OPTIONS /{proxy+}\"", "payload[\"routeKey\"] == true"),
    ("request", "event", "\"statusCode\": self.status", "\"status\": self.status"),
    // Idempotency.
    ("object", "event", ", &of.sequencer]", "]"),
    ("object", "event", "&of.key, ", ""),
    ("message", "event", "token: record.message_id.clone().unwrap_or_default(),", "token: String::new(),"),
    ("clock", "event", "token: event.id.clone().unwrap_or_default()", "token: String::new()"),
    ("request", "event", "token: text(&around[\"requestId\"]),", "token: String::new(),"),
    ("record", "event", "token: record.event_id.clone().unwrap_or_default(),", "token: String::new(),"),
    ("change", "event", "token: record.event_id.clone()", "token: String::new()"),
    ("notification", "event", "token: record.sns.message_id.clone(),", "token: String::new(),"),
    ("bus", "event", "token: event.id.clone().unwrap_or_default(),", "token: String::new(),"),
    ("object", "tasks", "for part in [token, task]", "for part in [task, task]"),
    (
        "object",
        "tasks",
        ".client_token(client_token(token, &handle.name))",
        ".client_token(handle.name.as_str())",
    ),
    // Resources of functions.
    (
        "table-user",
        "resources",
        "AttributeValue::N(number.to_string()),",
        "AttributeValue::S(number.to_string()),",
    ),
    ("bucket-user", "resources", ".remove(b'~')", ".remove(b'+')"),
    ("queue-user", "resources", "\"aws-eusc\" =>", "\"aws-none\" =>"),
    ("workflow-user", "resources", "\"-_.\".contains(c)", "\"-_.:\".contains(c)"),
];

#[test]
fn handlers_build_without_warnings_and_their_tests_see_what_is_taken_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = read(Path::new(env!("CARGO_MANIFEST_DIR")), "tests/data/handlers.yaml");
    write(folder.path(), "tandem.yaml", &spec);
    tandem(folder.path(), &["generate", "--only", "handlers"]).expect(0);
    let handlers = folder.path().join("handlers");
    lock(&handlers);
    // If `cargo fmt` changed a generated file, the change would count as an edit.
    let mut format = std::process::Command::new(env!("CARGO"));
    let format: common::Run =
        format.args(["fmt", "--all", "--check"]).current_dir(&handlers).output().expect("cargo fmt").into();
    format.expect(0);
    cargo(&handlers, &["test", "--workspace"]).expect(0);
    let full = std::env::var_os("TANDEM_FULL").is_some();
    if full {
        // Other features build all dependencies again.
        cargo(&handlers, &["check", "--workspace", "--all-features"]).expect(0);
    }
    for (number, (handler, file, text, replacement)) in MUTANTS.iter().enumerate() {
        let name = format!("{handler}/src/{file}.rs");
        let before = read(&handlers, &name);
        assert!(before.contains(text), "{name} has no {text}");
        if !full && number % SAMPLE != 0 {
            continue;
        }
        write(&handlers, &name, &before.replace(text, replacement));
        // A compiler warning about unused code also detects a mutant.
        let run = cargo(&handlers, &["test", "--workspace"]);
        assert_ne!(run.code, Some(0), "no test fails without `{text}` in {name}");
        write(&handlers, &name, &before);
    }
}
