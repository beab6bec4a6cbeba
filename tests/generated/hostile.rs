//! No string of a spec becomes code.

use std::collections::BTreeMap;

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
    let tags = texts.iter().enumerate().map(|(index, text)| (format!("t{index:04}"), text.clone()));
    // The strings are also keys of a map.
    let keys = texts.iter().map(|text| (format!("k{text}"), "x".to_owned()));
    // AWS limits the length and the number of tags.
    let fits = |(key, value): &(String, String)| key.chars().count() <= 128 && value.chars().count() <= 256;
    let all: Vec<(String, String)> = tags.chain(keys).filter(fits).collect();
    assert!(all.len() >= 6000, "{}", all.len());
    let groups: Vec<BTreeMap<&str, &str>> =
        all.chunks(40).map(|some| some.iter().map(|(key, text)| (&**key, &**text)).collect()).collect();
    let name = |index: usize| format!("b{index}");
    let buckets: serde_json::Map<String, Json> =
        groups.iter().enumerate().map(|(index, tags)| (name(index), json!({ "tags": tags }))).collect();
    let spec_text = json!({ "app": "a", "buckets": buckets }).to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tandem.json");
    std::fs::write(&path, &spec_text).expect("a spec");
    let (app, diagnostics) = spec::read(&Source { path: path.clone(), text: spec_text });
    let app = app.unwrap_or_else(|| panic!("{diagnostics:?}"));
    generate(&app, &path, folder.path(), Flavor::Native, Some(Part::Modules));
    let work = tempfile::tempdir().expect("a folder");
    for index in 0..groups.len() {
        let module = folder.path().join("modules").join(name(index)).join("variables.tf");
        let text = std::fs::read_to_string(module).expect("variables");
        // Only the variable: all other files refer to it.
        let (_, rest) = text.split_once("variable \"tags\" {").expect("the variable");
        let (variable, _) = rest.split_once("\n}\n").expect("its end");
        let own = name(index);
        let text =
            format!("variable \"{own}\" {{{variable}\n}}\n\noutput \"{own}\" {{\n  value = var.{own}\n}}\n");
        std::fs::write(work.path().join(format!("{own}.tf")), text).expect("written");
    }
    terraform(work.path(), &["apply", "-auto-approve", "-no-color", "-input=false"]).expect_success();
    let run = terraform(work.path(), &["output", "-json"]).expect_success();
    let back: Json = serde_json::from_str(&run.text).expect("JSON");
    for (index, given) in groups.iter().enumerate() {
        for (key, text) in given {
            // Terraform normalizes strings to NFC, and changes nothing else.
            assert_eq!(back[name(index)]["value"].get(key), Some(&json!(text)), "{key:?}");
        }
    }
}
