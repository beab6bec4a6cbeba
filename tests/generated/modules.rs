//! The modules and handlers of the examples.

use std::path::{Path, PathBuf};

use tandem::module::Flavor;
use tandem::project::Part;
use tandem_tests::environment::root;

use crate::project::{FLAVORS, examples, generate, pending, read, specs, terraform};

#[test]
fn modules_and_handlers_of_the_examples_are_current() {
    for (name, spec) in examples() {
        let app = read(&spec);
        for (flavor, folder) in FLAVORS {
            let out = root().join("modules").join(&name).join(folder);
            let (changes, diagnostics) = pending(&app, &spec, &out, flavor, Some(Part::Modules));
            let stale: Vec<&PathBuf> = changes.write.keys().chain(&changes.remove).collect();
            assert!(
                stale.is_empty() && diagnostics.is_empty(),
                "run `cargo xtask modules`: {stale:?} {diagnostics:?}"
            );
        }
        let out = spec.parent().expect("a folder");
        let (changes, diagnostics) = pending(&app, &spec, out, Flavor::Composite, Some(Part::Handlers));
        assert!(
            changes.is_empty() && diagnostics.is_empty(),
            "run `cargo xtask modules`: {changes:?} {diagnostics:?}"
        );
    }
}

/// Finds every folder with a configuration.
fn configurations(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.join("main.tf").exists() {
        found.push(folder.to_owned());
    }
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != ".terraform") {
            configurations(&path, found);
        }
    }
}

#[test]
fn modules_are_formatted_and_valid() {
    let work = tempfile::tempdir().expect("a folder");
    for (name, spec) in specs(work.path()) {
        let app = read(&spec);
        for (flavor, folder) in FLAVORS {
            generate(&app, &spec, &work.path().join(&name).join(folder), flavor, Some(Part::Modules));
        }
    }
    terraform(work.path(), &["fmt", "-check", "-recursive", "-diff"]).expect_success();
    let mut folders = Vec::new();
    configurations(work.path(), &mut folders);
    assert!(folders.len() >= 16, "{folders:?}");
    let next = std::sync::Mutex::new(folders.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(folder) = next.lock().expect("the list").next() else { break };
                    terraform(&folder, &["init", "-no-color", "-input=false", "-backend=false"])
                        .expect_success();
                    let run = terraform(&folder, &["validate", "-no-color"]).expect_success();
                    assert!(!run.text.contains("Warning"), "{}: {}", folder.display(), run.text);
                }
            });
        }
    });
}

#[test]
fn the_same_spec_gives_the_same_bytes() {
    let (_, spec) = examples().remove(1);
    let app = read(&spec);
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for folder in [&one, &two] {
        generate(&app, &spec, folder.path(), Flavor::Native, Some(Part::Modules));
    }
    let manifest = |folder: &tempfile::TempDir| {
        std::fs::read(folder.path().join("tandem.manifest.json")).expect("a manifest")
    };
    // The manifest has the hash of each file.
    assert_eq!(manifest(&one), manifest(&two));
    assert!(pending(&app, &spec, one.path(), Flavor::Native, Some(Part::Modules)).0.is_empty());
}

#[test]
fn a_single_changed_byte_is_named() {
    let (_, spec) = examples().remove(1);
    let app = read(&spec);
    let folder = tempfile::tempdir().expect("a folder");
    generate(&app, &spec, folder.path(), Flavor::Composite, None);
    let manifest: serde_json::Value = serde_json::from_slice(
        &std::fs::read(folder.path().join("tandem.manifest.json")).expect("a manifest"),
    )
    .expect("JSON");
    for name in manifest["files"].as_object().expect("files").keys() {
        let path = folder.path().join(name);
        let before = std::fs::read(&path).expect("a file");
        let mut changed = before.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        std::fs::write(&path, changed).expect("written");
        let (_, diagnostics) = pending(&app, &spec, folder.path(), Flavor::Composite, None);
        let named = diagnostics.iter().any(|found| format!("{:?}", found.place).contains(name.as_str()));
        assert!(named, "{name}: {diagnostics:?}");
        std::fs::write(&path, before).expect("written");
    }
}
