//! A project over time: the spec changes, and the user's edits are kept.

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::{cargo, lock, read, tandem, write};

const BEFORE: &str = "\
app: shop

buckets:
  inbox: {}

functions:
  changed: # its trigger will be another
    on: { bucket: inbox }
  removed:
    on: { queue: \"arn:aws:sqs:eu-central-1:123456789012:jobs\" }
  renamed:
    on: { schedule: rate(5 minutes) }
";

#[test]
fn edits_stand_whatever_happens_to_the_spec() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "tandem.yaml", BEFORE);
    tandem(at, &["generate"]).expect(0);
    lock(&at.join("handlers"));
    tandem(at, &["generate", "--check"]).expect(0);

    // The user edits files.
    let mut edits = Vec::new();
    for name in ["changed", "removed", "renamed"] {
        let path = format!("handlers/{name}/src/handler.rs");
        let text = format!("{}\n// {name}, by hand.\npub const MINE: u8 = 1;\n", read(at, &path));
        write(at, &path, &text);
        edits.push((path, text));
    }
    let manifest = "handlers/changed/Cargo.toml";
    write(at, manifest, &format!("# Ours.\n{}url = \"2\" # why\n", read(at, manifest)));
    let workspace = "handlers/Cargo.toml";
    write(at, workspace, &format!("# Ours, too.\n{}", read(at, workspace)));
    tandem(at, &["generate", "--check"]).expect(0);

    // The spec changes: one function is added, one removed, one renamed, and one gets another trigger.
    let spec = read(at, "tandem.yaml")
        .replace("on: { bucket: inbox }", "on: { queue: \"arn:aws:sqs:eu-central-1:123456789012:more\" }")
        .replace("  removed:\n    on: { queue: \"arn:aws:sqs:eu-central-1:123456789012:jobs\" }\n", "")
        .replace("renamed:", "new-name:");
    write(at, "tandem.yaml", &spec);
    tandem(at, &["add", "function", "added", "--on", "bucket=inbox,prefix=in/"]).expect(1);

    // A mismatch is reported, and `--fix` repairs it.
    let check = tandem(at, &["generate", "--check"]).expect(1);
    assert!(check.stderr.contains("`on_message` is missing"), "{}", check.stderr);
    let fixed = tandem(at, &["generate", "--fix"]).expect(0);
    assert!(fixed.stderr.contains("no trigger calls `on_object` any more"), "{}", fixed.stderr);
    tandem(at, &["generate", "--check"]).expect(0);

    for (path, text) in &edits {
        let now = read(at, path);
        assert!(now.starts_with(text.trim_end()), "{path} was edited:\n{now}");
    }
    assert!(read(at, "handlers/changed/src/handler.rs").contains("pub async fn on_message("));
    let manifest = read(at, manifest);
    assert!(manifest.starts_with("# Ours.\n") && manifest.contains("url = \"2\" # why"), "{manifest}");
    let members = read(at, workspace);
    assert!(members.starts_with("# Ours, too.\n"), "{members}");
    for (member, expected) in
        [("added", true), ("changed", true), ("new-name", true), ("removed", false), ("renamed", false)]
    {
        assert_eq!(members.contains(&format!("\"{member}\"")), expected, "{member}: {members}");
    }
    for gone in ["handlers/removed/src/main.rs", "handlers/renamed/src/event.rs", "terraform/modules/removed"]
    {
        assert!(!at.join(gone).exists(), "{gone}");
    }
    // The workspace builds, with a warning about the function that has no trigger.
    let built = std::process::Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--offline"])
        .current_dir(at.join("handlers"))
        .env("CARGO_TARGET_DIR", std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("regenerated"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[test]
fn handlers_follow_what_functions_use_and_who_calls_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let before = "app: shop\n\ntables:\n  items: { key: id }\n\nfunctions:\n  nightly:\n    \
                  on: { schedule: rate(1 day) }\n    reads: { table: items }\n";
    write(at, "tandem.yaml", before);
    tandem(at, &["generate", "--only", "handlers"]).expect(0);
    let [main, event, handler, resources] =
        ["main", "event", "handler", "resources"].map(|name| format!("nightly/src/{name}.rs"));
    let handlers = at.join("handlers");
    assert!(read(&handlers, &main).contains("pub items: resources::Table,"));
    assert!(read(&handlers, &resources).contains("pub struct Table"));
    assert!(read(&handlers, "nightly/Cargo.toml").contains("aws-sdk-dynamodb"));
    let own = read(&handlers, &handler);

    // The function reads no table any more, and another function invokes it.
    let after = before
        .replace("reads: { table: items }\n", "timeout: 60\n  caller:\n    invokes: { function: nightly }\n");
    write(at, "tandem.yaml", &after);
    let check = tandem(at, &["generate", "--check"]).expect(1);
    assert!(check.stderr.contains("`on_invoke` is missing"), "{}", check.stderr);
    tandem(at, &["generate", "--fix"]).expect(0);
    tandem(at, &["generate", "--check"]).expect(0);
    assert!(!handlers.join(&resources).exists() && !read(&handlers, &main).contains("resources"));
    assert!(read(&handlers, &event).contains("_ => handler::on_invoke(payload, context).await"));
    let fixed = read(&handlers, &handler);
    assert!(fixed.starts_with(own.trim_end()) && fixed.contains("pub async fn on_invoke("), "{fixed}");
    assert!(read(&handlers, "caller/src/main.rs").contains("pub nightly: resources::Function,"));
}

#[test]
fn handlers_join_the_workspace_that_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let own = "# The shop.\n[workspace]\nresolver = \"3\"\nmembers = [\"tools\"] # more to come\n\n[profile.release]\nlto = false\n";
    write(at, "Cargo.toml", own);
    write(at, "tools/Cargo.toml", "[package]\nname = \"tools\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    write(at, "tools/src/lib.rs", "");
    write(at, "infra/tandem.yaml", "app: shop\nfunctions: { called: {} }\n");
    let run = tandem(at, &["generate", "--file", "infra/tandem.yaml"]).expect(0);
    assert!(run.stderr.contains("members of the workspace of"), "{}", run.stderr);
    let expected = own.replace("[\"tools\"]", "[\"tools\", \"infra/handlers/called\"]");
    assert_eq!(read(at, "Cargo.toml"), expected);
    lock(at);
    cargo(at, &["metadata", "--format-version", "1"]).expect(0);
}

#[test]
fn a_folder_goes_on_as_it_began() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "tandem.yaml", "app: shop\nfunctions: { called: {} }\n");
    tandem(at, &["generate", "--flavor", "native"]).expect(0);
    assert!(read(at, "terraform/modules/called/main.tf").contains("aws_lambda_function"));
    tandem(at, &["add", "function", "nightly", "--on", "schedule=cron(0 3,4 * * ? *)"]).expect(0);
    for name in ["called", "nightly"] {
        assert!(read(at, &format!("terraform/modules/{name}/main.tf")).contains("aws_lambda_function"));
    }
    // Generating one part keeps the other part.
    tandem(at, &["generate", "--only", "modules"]).expect(0);
    tandem(at, &["generate", "--only", "handlers", "--check"]).expect(0);
    assert!(!at.join("main.tf").exists() && at.join("terraform/main.tf").exists());
    // Only an explicit `--flavor` changes the flavor.
    tandem(at, &["generate", "--flavor", "composite"]).expect(0);
    assert!(read(at, "terraform/modules/called/main.tf").contains("tandem_event_function"));

    tandem(at, &["generate", "--only", "modules", "--out", "infra"]).expect(0);
    tandem(at, &["generate", "--check", "--out", "infra"]).expect(0);
    let refused = tandem(at, &["generate", "--only", "handlers", "--out", "infra"]).expect(2);
    assert!(refused.stderr.contains("--only modules"), "{}", refused.stderr);
}

#[test]
fn a_run_that_is_killed_leaves_every_file_old_or_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let spec = |days: u8| {
        let entries = (0..40).map(|n| format!("  bucket-{n}: {{ abort_incomplete_upload_days: {days} }}\n"));
        write(at, "tandem.yaml", &format!("app: many\nbuckets:\n{}", entries.collect::<String>()));
    };
    let files = || -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![at.join("terraform")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if !entry.file_name().to_string_lossy().starts_with(".tandem-") {
                    found.insert(entry.path(), std::fs::read_to_string(entry.path()).expect("a file"));
                }
            }
        }
        found
    };
    spec(5);
    tandem(at, &["generate"]).expect(0);
    let new = files();
    for watched in ["bucket-0", "bucket-20", "bucket-5"] {
        spec(7);
        tandem(at, &["generate"]).expect(0);
        let old = files();
        spec(5);
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_tandem"))
            .args(["generate", "--quiet"])
            .current_dir(at)
            .spawn()
            .expect("tandem runs");
        // The run is killed as soon as the watched file changes.
        let watched = at.join("terraform/modules").join(watched).join("variables.tf");
        while std::fs::read_to_string(&watched).expect("a file") == old[&watched] {
            assert!(run.try_wait().expect("a state").is_none_or(|ended| ended.success()), "it failed");
            std::thread::yield_now();
        }
        run.kill().expect("killed");
        run.wait().expect("ended");
        for (path, text) in files() {
            assert!(text == old[&path] || text == new[&path], "{} is neither old nor new", path.display());
        }
        tandem(at, &["generate"]).expect(0);
        assert_eq!(files(), new);
        tandem(at, &["generate", "--check"]).expect(0);
        let litter = std::fs::read_dir(watched.parent().expect("a folder")).expect("a folder").flatten();
        assert_eq!(
            litter.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tandem-")).count(),
            0
        );
    }
}
