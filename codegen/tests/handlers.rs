//! Generated handlers, built and tested by cargo, and spoilt: their own tests must see it.

mod common;

use std::path::Path;

use common::{cargo, lock, read, tandem, write};

/// What is taken out of which handler's file: text, replacement.
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
    // Idempotency.
    ("object", "event", ", &of.sequencer]", "]"),
    ("object", "event", "&of.key, ", ""),
    ("message", "event", "token: record.message_id.clone().unwrap_or_default(),", "token: String::new(),"),
    ("clock", "event", "token: event.id.clone().unwrap_or_default()", "token: String::new()"),
    ("object", "tasks", "for part in [token, task]", "for part in [task, task]"),
    (
        "object",
        "tasks",
        ".client_token(client_token(token, &handle.name))",
        ".client_token(handle.name.as_str())",
    ),
];

#[test]
fn handlers_build_without_warnings_and_their_tests_see_what_is_taken_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = read(Path::new(env!("CARGO_MANIFEST_DIR")), "tests/data/handlers.yaml");
    write(folder.path(), "tandem.yaml", &spec);
    tandem(folder.path(), &["generate", "--only", "handlers"]).expect(0);
    let handlers = folder.path().join("handlers");
    lock(&handlers);
    // What everybody's `cargo fmt` would change would count as an edit.
    let mut format = std::process::Command::new(env!("CARGO"));
    let format: common::Run =
        format.args(["fmt", "--all", "--check"]).current_dir(&handlers).output().expect("cargo fmt").into();
    format.expect(0);
    cargo(&handlers, &["test", "--workspace"]).expect(0);
    cargo(&handlers, &["check", "--workspace", "--all-features"]).expect(0);

    for (handler, file, text, replacement) in MUTANTS {
        let name = format!("{handler}/src/{file}.rs");
        let before = read(&handlers, &name);
        assert!(before.contains(text), "{name} has no {text}");
        write(&handlers, &name, &before.replace(text, replacement));
        // A compiler that warns of what nobody uses any more sees it as well.
        let run = cargo(&handlers, &["test", "--package", handler]);
        assert_ne!(run.code, Some(0), "nothing fails without `{text}` in {name}");
        write(&handlers, &name, &before);
    }
}
