//! Typical mistakes in a spec, each with the whole output of `tandem check`.
//!
//! `mistakes/NAME.yaml` is the spec. Its first two lines name the attribute and the value that the output must
//! contain. `mistakes/NAME.txt` is the output; `TANDEM_BLESS=1` writes it again.

mod common;
#[path = "mistakes/imperatives.rs"]
mod imperatives;

use std::path::{Path, PathBuf};

use common::tandem;
use imperatives::IMPERATIVES;

fn mistakes() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let files = std::fs::read_dir(&folder).expect("mistakes").map(|entry| entry.expect("a file").path());
    let mut specs: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    specs.sort();
    specs
}

#[test]
fn every_mistake_has_its_whole_output() {
    let mut wrong = Vec::new();
    let specs = mistakes();
    assert!(specs.len() >= 30, "{} mistakes", specs.len());
    for spec in specs {
        let name = spec.file_name().and_then(|name| name.to_str()).expect("a name");
        let folder = spec.parent().expect("a folder");
        let found = tandem(folder, &["--file", name, "check", "--color", "never"]).expect(1).stderr;
        let output = spec.with_extension("txt");
        if std::env::var_os("TANDEM_BLESS").is_some() {
            std::fs::write(&output, &found).expect("written");
        }
        let expected = std::fs::read_to_string(&output).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}: expected\n{expected}\nfound\n{found}"));
        }
        let text = std::fs::read_to_string(&spec).expect("a spec");
        for word in ["attribute", "value"] {
            let named = text.lines().find_map(|line| line.strip_prefix(&format!("# {word}: ")));
            let named = named.unwrap_or_else(|| panic!("{name}: no line `# {word}: …`"));
            // A fault of the syntax has no attribute: its place in the text shows both.
            let shown = |line: &&str| {
                line.starts_with("error[") || line.starts_with("warning[") || found.contains("[TDM030]")
            };
            if !found.lines().filter(shown).any(|line| line.contains(named)) {
                wrong.push(format!("{name}: no message names the {word} `{named}`:\n{found}"));
            }
        }
        for help in found.lines().filter_map(|line| line.trim_start().strip_prefix("= help: ")) {
            // A suggestion may come first: `Did you mean …? Set …`
            let suggested = help.strip_prefix("Did you mean ").and_then(|rest| rest.split_once("? "));
            let advice = suggested.map_or(help, |(_, advice)| advice);
            let verb = advice.split(' ').next().unwrap_or_default();
            if !IMPERATIVES.contains(&verb) && !advice.contains(". Remove ") {
                wrong.push(format!("{name}: the help does not start with an imperative: {help}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n`TANDEM_BLESS=1 cargo test --test mistakes` writes the outputs again",
        wrong.join("\n\n")
    );
}
