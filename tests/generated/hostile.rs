//! No string of a spec becomes code.

use serde_json::{Value as Json, json};
use tandem::module::Flavor;
use tandem::project::Part;
use tandem::source::Source;
use tandem::spec;

use crate::project::{generate, terraform};

/// Strings with a special meaning in Terraform, YAML, Markdown or Rust.
const PIECES: &[&str] = &[
    "${",
    "%{",
    "$${",
    "%%{",
    "$",
    "%",
    "{",
    "}",
    "${path.module}",
    "%{if true}",
    "%{endif}",
    "\"",
    "'",
    "`",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "<<EOT",
    "EOT",
    "\nEOT\n",
    "*/",
    "/*",
    "//",
    "#",
    "\"#",
    "r#\"",
    "\"##",
    "var.x",
    "gen",
    "self",
    "crate",
    "null",
    "true",
    "~",
    "ü",
    "日本語",
    "\u{200b}",
    "\u{feff}",
    "\u{2028}",
    "\u{1}",
    "\u{7f}",
    "|",
    "<!--",
    "-->",
    "{{x}}",
    "{{{",
    "a b",
    " ",
    "",
];

/// More than three thousand strings: every piece, every pair, and longer ones.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = PIECES.iter().map(ToString::to_string).collect();
    for one in PIECES {
        texts.extend(PIECES.iter().map(|two| format!("{one}{two}")));
    }
    // A linear congruential generator: the same strings on every run.
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    for _ in 0..1000 {
        let count = 3 + next(6);
        texts.push((0..count).map(|_| PIECES[next(PIECES.len())]).collect());
    }
    texts
}

#[test]
fn texts_come_back_from_terraform_as_they_were() {
    let texts = texts();
    assert!(texts.len() >= 3000, "{}", texts.len());
    let tags: serde_json::Map<String, Json> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| (format!("t{index:04}"), text.as_str().into()))
        .collect();
    // The strings are also keys of a map.
    let keys: serde_json::Map<String, Json> =
        texts.iter().map(|text| (format!("k{text}"), "x".into())).collect();
    let spec_text =
        json!({ "app": "a", "buckets": { "b": { "tags": tags }, "c": { "tags": keys } } }).to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tandem.json");
    std::fs::write(&path, &spec_text).expect("a spec");
    let (app, diagnostics) = spec::read(&Source { path: path.clone(), text: spec_text });
    let app = app.unwrap_or_else(|| panic!("{diagnostics:?}"));
    generate(&app, &path, folder.path(), Flavor::Native, Some(Part::Modules));
    for (entry, given) in [("b", tags), ("c", keys)] {
        let module = folder.path().join("modules").join(entry);
        // Only the variables: all other files refer to them.
        let work = tempfile::tempdir().expect("a folder");
        std::fs::copy(module.join("variables.tf"), work.path().join("variables.tf")).expect("a copy");
        std::fs::write(work.path().join("out.tf"), "output \"tags\" {\n  value = var.tags\n}\n")
            .expect("written");
        terraform(work.path(), &["apply", "-auto-approve", "-no-color", "-input=false"]).expect_success();
        let run = terraform(work.path(), &["output", "-json", "tags"]).expect_success();
        let back: Json = serde_json::from_str(run.text.lines().next().expect("a line")).expect("JSON");
        for (key, text) in &given {
            // Terraform normalizes strings to NFC, and changes nothing else.
            assert_eq!(back.get(key), Some(text), "{key:?}");
        }
    }
}
