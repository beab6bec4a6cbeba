//! cfn-lint judges the objects of every example and fixture, as templates of CloudFormation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value as Json, json};
use tandem_judges::figures;
use tandem_testkit::environment::Packages;

use crate::cloudformation::template;
use crate::example::{Example, apps, each_fixture};
use crate::states::without_query_language_of_succeed;

/// The different templates of examples and fixtures, each with its first name.
fn templates() -> BTreeMap<String, String> {
    let mut templates = BTreeMap::new();
    let mut add = |name: &str, graphs: &[(String, Example<'_>)]| {
        let mut made = template(graphs).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        without_query_language_of_succeed(&mut made);
        templates.entry(made.to_string()).or_insert_with(|| name.to_owned());
    };
    for (name, app) in apps() {
        let graphs = app
            .entries
            .iter()
            .map(|entry| (entry.name.clone(), Example { graph: &entry.graph, of: Some((&app, entry)) }));
        add(&name, &graphs.collect::<Vec<_>>());
    }
    each_fixture(|name, example| {
        add(name, &[("it".to_owned(), Example { graph: example.graph, of: None })]);
    });
    templates
}

/// The findings of cfn-lint in some files.
fn findings(files: &[PathBuf]) -> Vec<String> {
    let mut lint = Command::new(Packages::AwsFacts.program("cfn-lint"));
    lint.args(["--regions", "eu-central-1", "--format", "json", "--template"]).args(files);
    let output = lint.output().expect("cfn-lint");
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Vec<Json> = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let found = found.iter().map(|one| {
        let file = one["Filename"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let path: Vec<String> = one["Location"]["Path"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
            .collect();
        format!("{file}: {} {}: {}", one["Rule"]["Id"], path.join("."), one["Message"])
    });
    found.collect()
}

#[test]
fn cfn_lint_accepts_every_template() {
    let work = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for (template, name) in templates() {
        let file = work.path().join(format!("{name}.json"));
        std::fs::write(&file, template).expect("written");
        files.push(file);
    }
    assert!(files.len() > 100, "{} templates are no measure", files.len());
    let found = findings(&files);
    figures::add("templates judged by cfn-lint", files.len() as u64, found.len() as u64);
    figures::keep();
    assert!(found.is_empty(), "{}", found.join("\n"));

    // The judge refuses a template with a fault.
    let broken = work.path().join("broken.json");
    let queue = json!({ "Type": "AWS::SQS::Queue", "Properties": { "DelaySeconds": 901 } });
    std::fs::write(&broken, json!({ "Resources": { "Queue": queue } }).to_string()).expect("written");
    assert!(!findings(&[broken]).is_empty(), "cfn-lint accepts a delay that SQS refuses");
}
