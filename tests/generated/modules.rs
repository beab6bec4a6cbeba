//! The modules and handlers of the examples.

use std::path::{Path, PathBuf};

use serde_json::json;
use tandem::module::Flavor;
use tandem::project::Part;
use tandem_testkit::environment::root;

use crate::native::{configuration, write_zip};
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

/// Adds hashicorp/aws 5 as a requirement of a configuration, and validates it.
fn validate_with_aws_5(root: &Path, mut configuration: serde_json::Value) -> Result<(), String> {
    let aws = json!({ "source": "hashicorp/aws", "version": "~> 5.0" });
    configuration["terraform"] = json!({ "required_providers": { "aws": aws } });
    std::fs::create_dir_all(root).expect("a folder");
    std::fs::write(root.join("main.tf.json"), configuration.to_string()).expect("written");
    let init = terraform(root, &["init", "-no-color", "-input=false", "-backend=false"]);
    if !init.success {
        return Err(init.text);
    }
    let run = terraform(root, &["validate", "-no-color"]);
    if run.success && !run.text.contains("Warning") { Ok(()) } else { Err(run.text) }
}

#[test]
fn native_modules_are_valid_with_hashicorp_aws_5() {
    let work = tempfile::tempdir().expect("a folder");
    let zip = write_zip(work.path());
    for (name, spec) in specs(work.path()) {
        let app = read(&spec);
        let modules = work.path().join(&name).join("modules");
        generate(&app, &spec, &modules, Flavor::Native, Some(Part::Modules));
        let root = work.path().join(&name).join("root");
        validate_with_aws_5(&root, configuration(&modules, &app, &zip))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_module_and_the_root_module_require_the_version_of_their_attributes() {
    let work = tempfile::tempdir().expect("a folder");
    let zip = write_zip(work.path());
    let spec = work.path().join("tandem.json");
    // Only a function URL without authentication needs hashicorp/aws 6.
    let text = json!({
        "app": "a",
        "queues": { "q": {} },
        "functions": {
            "f": { "on": { "http": "api", "auth": "none" } },
            "open": { "on": { "http": "url", "auth": "none" } },
        },
    });
    std::fs::write(&spec, text.to_string()).expect("written");
    let app = read(&spec);
    let modules = work.path().join("modules");
    generate(&app, &spec, &modules, Flavor::Native, Some(Part::Modules));
    for (folder, version) in
        [("modules/q", "5.0"), ("modules/f", "5.32"), ("modules/open", "6.29"), ("", "6.29")]
    {
        let module = modules.join(folder);
        for file in ["versions.tf", "examples/complete/main.tf"] {
            let text = std::fs::read_to_string(module.join(file)).expect("a file");
            assert!(text.contains(&format!("version = \">= {version}\"")), "{folder}/{file}: {text}");
        }
        let readme = std::fs::read_to_string(module.join("README.md")).expect("a README");
        assert!(readme.contains(&format!("version `>= {version}`")), "{folder}: {readme}");
    }
    let root = work.path().join("root");
    let error = validate_with_aws_5(&root, configuration(&modules, &app, &zip)).expect_err("no version");
    assert!(error.contains("no available releases match"), "{error}");
}

/// The heading of a README that a link in its contents leads to: GitHub's anchor of it.
fn anchors(readme: &str) -> Vec<String> {
    let headings = readme.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase);
    let explicit = readme.lines().filter_map(|line| line.strip_prefix("<a id=\"")?.strip_suffix("\"></a>"));
    headings.chain(explicit.map(ToOwned::to_owned)).collect()
}

/// The targets of links in Markdown, outside of code.
fn links(readme: &str) -> Vec<String> {
    let targets = readme.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.trim_matches(['<', '>']).to_owned()).collect()
}

#[test]
fn readmes_link_to_what_exists_and_describe_every_input() {
    for (name, spec) in examples() {
        let app = read(&spec);
        for (_, flavor) in FLAVORS {
            let root = root().join("modules").join(&name).join(flavor);
            let entries = app.entries.iter().map(|entry| root.join("modules").join(&entry.name));
            for module in entries.chain([root.clone()]) {
                let readme = std::fs::read_to_string(module.join("README.md")).expect("a README");
                let anchors = anchors(&readme);
                for link in links(&readme) {
                    let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
                    let exists = if path.is_empty() {
                        anchors.iter().any(|known| known == anchor)
                    } else {
                        path.starts_with("https://") || module.join(path).exists()
                    };
                    assert!(exists, "{}: {link}", module.display());
                }
                for heading in ["usage", "inputs", "outputs", "resources"] {
                    assert!(
                        links(&readme).contains(&format!("#{heading}")),
                        "{}: {heading}",
                        module.display()
                    );
                }
                assert!(!readme.contains("object({"), "{}", module.display());
            }
            // The root module has the attributes of each object, with the descriptions of the entry's module.
            let whole = std::fs::read_to_string(root.join("README.md")).expect("a README");
            for entry in &app.entries {
                let own = root.join("modules").join(&entry.name).join("README.md");
                let own = std::fs::read_to_string(own).expect("a README");
                let (_, own) = own.split_once("## Inputs").expect("inputs");
                let (own, _) = own.split_once("## Outputs").expect("outputs");
                let rows = own.lines().filter(|line| line.starts_with("| `"));
                for row in rows.filter(|row| !row.contains("| Output `")) {
                    assert!(whole.contains(row), "{name} {flavor}: {row}");
                }
            }
        }
    }
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
