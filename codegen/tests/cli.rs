//! The command line: its output and exit codes.

mod common;
#[cfg(target_os = "linux")]
#[path = "../../model/tests/shared/elf.rs"]
mod elf;

use std::path::Path;

use common::{read, tandem, write};
use serde_json::Value as Json;

const GOOD: &str = "app: shop\nbuckets: { inbox: {} }\nfunctions:\n  notice:\n    on: { bucket: inbox }\n";

#[test]
fn every_command_has_help_with_an_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = tandem(folder.path(), &["--help"]).expect(0).stdout;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for command in [
        "init",
        "check",
        "generate",
        "add",
        "build",
        "graph",
        "policy",
        "schema",
        "templates",
        "explain",
        "completions",
    ] {
        assert!(commands.contains(&command), "{command} is not in {commands:?}");
        let help = tandem(folder.path(), &[command, "--help"]).expect(0).stdout;
        let example = help.contains("Example") || command == "templates";
        assert!(example, "{command} --help has no example");
    }
}

#[test]
fn diagnostics_name_the_place_and_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "tandem.yaml", "app: shop\nfunctions:\n  notice:\n    memroy_size: 128\n    timeout: 0\n");
    let run = tandem(at, &["check", "--color", "never"]).expect(1);
    for part in [
        "error[TDM003]: `memroy_size` is not an input of `functions`",
        "tandem.yaml:4:5",
        "memroy_size: 128",
        "memory_size",
        "error[TDM004]",
        "tandem.yaml:5:14",
        "2 errors, 0 warnings",
    ] {
        assert!(run.stderr.contains(part), "no {part:?} in:\n{}", run.stderr);
    }
    let run = tandem(at, &["check", "--format", "json"]).expect(1);
    let findings: Json = serde_json::from_str(&run.stdout).expect("JSON");
    let first = &findings["findings"][0];
    assert_eq!(
        (first["code"].as_str(), first["line"].as_u64(), first["column"].as_u64()),
        (Some("TDM003"), Some(4), Some(5)),
        "{findings}"
    );
    assert!(run.stderr.is_empty(), "{}", run.stderr);
    // `generate` writes nothing if the spec has an error.
    tandem(at, &["generate"]).expect(1);
    assert!(!at.join("terraform").exists());
}

#[test]
fn exit_codes_tell_findings_from_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    assert!(tandem(at, &["check"]).expect(2).stderr.contains("tandem init"));
    tandem(at, &["nonsense"]).expect(2);
    tandem(at, &["explain", "TDM999"]).expect(2);
    tandem(at, &["init", "--example", "video-thumbnailer"]).expect(0);
    tandem(at, &["init"]).expect(2);
    write(at, "good.yaml", GOOD);
    for arguments in [
        &["check"][..],
        &["graph"],
        &["graph", "--format", "svg"],
        &["graph", "--format", "dot"],
        &["policy", "--account", "123456789012"],
        &["schema"],
        &["explain", "tdm003"],
        &["completions", "bash"],
        &["generate", "--quiet"],
        &["generate", "--check", "--quiet"],
    ] {
        let run = tandem(at, &[&["--file", "good.yaml"], arguments].concat()).expect(0);
        assert!(run.stderr.is_empty() || !arguments.contains(&"--quiet"), "{arguments:?}: {}", run.stderr);
    }
    tandem(at, &["--file", "good.yaml", "policy", "--account", "1"]).expect(2);
    tandem(at, &["--file", "good.yaml", "check", "--format", "svg"]).expect(2);
    tandem(at, &["--file", "good.yaml", "generate", "--templates", "nowhere"]).expect(1);
    tandem(at, &["--file", "good.yaml", "build", "nobody"]).expect(2);
    write(at, "terraform/main.tf", "# mine\n");
    let check = tandem(at, &["--file", "good.yaml", "generate", "--check"]).expect(1);
    assert!(
        check.stderr.contains("TDM040") && check.stderr.contains("terraform/main.tf"),
        "{}",
        check.stderr
    );
    tandem(at, &["--file", "good.yaml", "generate", "--overwrite"]).expect(0);
}

/// A native build on Linux runs cargo. This one has no compiler: its result is a file.
#[cfg(target_os = "linux")]
#[test]
fn a_build_refuses_a_binary_for_a_newer_glibc_than_that_of_the_runtime() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().canonicalize().expect("the folder");
    write(&at, "tandem.yaml", "app: shop\nfunctions:\n  notice:\n    on:\n      - schedule: rate(1 day)\n");
    tandem(&at, &["generate", "--only", "handlers"]).expect(0);
    let manifest = at.join("handlers/notice/Cargo.toml");
    let (target, built) = (at.join("handlers/target"), at.join("built"));
    let metadata = serde_json::json!({
        "packages": [{ "manifest_path": manifest, "name": "notice", "id": "notice-id" }],
        "target_directory": target,
    });
    let message = serde_json::json!({
        "package_id": "notice-id", "target": { "name": "notice" }, "executable": built,
    });
    let script = format!("#!/bin/sh\n[ $1 = metadata ] && echo '{metadata}' || echo '{message}'\n");
    let cargo = write(&at, "cargo", &script);
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("an executable");
    let build = || -> common::Run {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.arg("build").current_dir(&at).env("CARGO", &cargo).output().expect("tandem runs").into()
    };
    let placed = ["bootstrap", "bootstrap.zip"].map(|name| target.join("lambda/notice").join(name));
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

    std::fs::write(&built, elf::needing(machine, &[("GLIBC_2.38", 0)])).expect("a binary");
    let run = build().expect(2);
    for part in [
        "built needs glibc 2.38, but the runtime `provided.al2023` has glibc 2.34",
        "built on a newer Linux; build it with `cargo lambda build --release`",
    ] {
        assert!(run.stderr.contains(part), "no {part:?} in:\n{}", run.stderr);
    }
    placed.iter().for_each(|path| assert!(!path.exists(), "{}", path.display()));

    std::fs::write(&built, elf::needing(machine, &[("GLIBC_2.34", 0)])).expect("a binary");
    build().expect(0);
    placed.iter().for_each(|path| assert!(path.exists(), "{}", path.display()));
}

#[test]
fn the_video_thumbnailer_takes_at_most_fifteen_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    tandem(folder.path(), &["init", "--example", "video-thumbnailer"]).expect(0);
    let text = read(folder.path(), "tandem.yaml");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert!(lines <= 15, "{lines} lines");
}

/// Counts the lines of an example's file, without blank lines, comments, and lines that begin with `not`.
fn lines(path: &str, not: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().map(str::trim).filter(|line| {
        let comment = line.starts_with('#') || line.starts_with("//");
        !line.is_empty() && !comment && (not.is_empty() || !line.starts_with(not))
    });
    lines.count()
}

/// The limits that the README states, for the spec and for the user's part of each handler.
#[test]
fn examples_take_no_more_lines_than_is_promised() {
    for (path, not, most) in [
        ("route-counter/tandem.yaml", "", 8),
        ("route-counter/handlers/counter/src/handler.rs", "", 8),
        ("video-thumbnailer/tandem.yaml", "", 12),
        ("queues/tandem.yaml", "", 12),
        ("function-chaining/tandem.yaml", "", 12),
        ("function-chaining/handlers/f1/src/handler.rs", "use ", 4),
        ("function-chaining/handlers/f2/src/handler.rs", "use ", 4),
        ("function-chaining/handlers/f3/src/handler.rs", "use ", 4),
        ("function-chaining/handlers/f4/src/handler.rs", "use ", 4),
    ] {
        let lines = lines(path, not);
        assert!(lines <= most, "{path} has {lines} lines");
    }
}

#[test]
fn the_schema_takes_what_the_tool_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let schema: Json =
        serde_json::from_str(&tandem(folder.path(), &["schema"]).expect(0).stdout).expect("JSON");
    let sections = schema["properties"].as_object().expect("sections");
    for definition in tandem_model::composites::ALL {
        let section = tandem::spec::section(definition);
        assert!(sections.contains_key(&section), "{section}");
    }
    let mut found = Vec::new();
    undescribed("", &schema, &mut found);
    assert!(found.is_empty(), "{found:?}");
}

/// Finds properties without a description.
fn undescribed(at: &str, schema: &Json, found: &mut Vec<String>) {
    match schema {
        Json::Object(entries) => {
            for (name, property) in entries.get("properties").and_then(Json::as_object).into_iter().flatten()
            {
                if property["description"].as_str().is_none_or(str::is_empty) {
                    found.push(format!("{at}/{name}"));
                }
            }
            entries.iter().for_each(|(name, inner)| undescribed(&format!("{at}/{name}"), inner, found));
        }
        Json::Array(items) => items.iter().for_each(|inner| undescribed(at, inner, found)),
        _ => {}
    }
}

#[test]
fn templates_can_be_taken_out_changed_and_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "tandem.yaml", GOOD);
    tandem(at, &["templates", "export", "mine"]).expect(0);
    tandem(at, &["templates", "export", "mine"]).expect(2);
    tandem(at, &["generate"]).expect(0);
    tandem(at, &["generate", "--check", "--templates", "mine"]).expect(1);
    write(at, "mine/terraform.tf.hbs", "# Ours.\n{{body}}");
    tandem(at, &["generate", "--templates", "mine"]).expect(0);
    assert!(read(at, "terraform/main.tf").starts_with("# Ours.\n"));
    // The folder of templates is stored in the manifest.
    tandem(at, &["generate", "--check"]).expect(0);
    // The output of templates is checked.
    write(at, "mine/terraform.tf.hbs", "{{body}} }");
    assert!(tandem(at, &["generate"]).expect(1).stderr.contains("TDM044"));
    write(at, "mine/terraform.tf.hbs", "{{nothing}}");
    assert!(tandem(at, &["generate"]).expect(1).stderr.contains("TDM044"));
}

/// Specs with conflicting entries, each with a part of the expected message.
const APART: [(&str, &str); 5] = [
    (
        "tables: { orders: { key: id } }\nfunctions: { f: { on: { table: orders } } }",
        "Set `stream` of `orders`, e.g. `stream: KEYS_ONLY`",
    ),
    (
        "buckets: { uploads: {} }\nfunctions: { f: {} }\n\
         workflows: { w: { on: { bucket: uploads }, step: { name: s, function: f } } }",
        "Set `event_bridge: true` on `uploads`",
    ),
    (
        "buckets: { uploads: {} }\nthumbnailers: { v: { bucket: uploads, task: { image: 'x:1' } } }",
        "Set `event_bridge: true` on `uploads`",
    ),
    (
        "queues: { q: { visibility_timeout: 60 } }\nfunctions: { f: { timeout: 300, on: { queue: q } } }",
        "`f` reads `q`: the queue has a `visibility_timeout` of 60 s",
    ),
    ("functions: { f: { on: { queue: jobs } } }", "on[0].queue: there is no `jobs` in `queues`"),
];

#[test]
fn entries_must_go_together() {
    for (spec, said) in APART {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "tandem.yaml", &format!("app: shop\n{spec}\n"));
        let run = tandem(folder.path(), &["check", "--color", "never"]).expect(1);
        assert!(run.stderr.contains(said), "no {said:?} of {spec}:\n{}", run.stderr);
    }
}

/// The variable of a reference must not collide with one for another entry, e.g. `orders-stream`.
#[test]
fn every_reference_has_a_variable_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    write(
        folder.path(),
        "tandem.yaml",
        "app: shop\ntables: { orders: { key: id, stream: NEW_IMAGE } }\nstreams: { orders-stream: {} }\n\
         functions: { f: { on: { table: orders }, writes: { stream: orders-stream } } }\n",
    );
    tandem(folder.path(), &["generate"]).expect(0);
    let main = read(folder.path(), "terraform/main.tf");
    for output in ["module.orders.stream_arn", "module.orders_stream.arn"] {
        assert!(main.contains(output), "no {output} in:\n{main}");
    }
    assert!(read(folder.path(), "handlers/f/src/handler.rs").contains("on_change"));
}

#[test]
fn a_policy_is_of_the_project_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "tandem.yaml", GOOD);
    let policy = tandem(folder.path(), &["policy", "--project", "shop-prod"]).expect(0).stdout;
    assert!(policy.contains("shop-prod-notice") && !policy.contains("shop-notice"), "{policy}");
    tandem(folder.path(), &["policy", "--project", "Shop"]).expect(2);
}
