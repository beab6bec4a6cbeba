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
    let mut with_value = 0;
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
        let named = |word: &str| {
            let named = text.lines().find_map(|line| line.strip_prefix(&format!("# {word}: ")));
            named.unwrap_or_else(|| panic!("{name}: no line `# {word}: …`"))
        };
        let (attribute, value) = (named("attribute"), named("value"));
        // Of an unknown name, the name is the value.
        with_value += usize::from(attribute != value);
        // A fault of the syntax has no attribute: its place in the text shows both.
        let message = |part: &str| {
            let line = part.lines().next().unwrap_or_default();
            if part.starts_with("error[TDM030]") { part.to_owned() } else { line.to_owned() }
        };
        let messages: Vec<String> = found.split("\n\n").map(message).collect();
        if !messages.iter().any(|message| message.contains(attribute) && message.contains(value)) {
            wrong.push(format!("{name}: no message has `{attribute}` and `{value}`:\n{found}"));
        }
        for finding in
            found.split("\n\n").filter(|part| part.starts_with("error") || part.starts_with("warning"))
        {
            let helps = finding.matches("= help: ").count();
            if helps != 1 {
                wrong.push(format!("{name}: {helps} helps in one finding:\n{finding}"));
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
    assert!(with_value >= 30, "{with_value} mistakes have a value");
    assert!(
        wrong.is_empty(),
        "{}\n`TANDEM_BLESS=1 cargo test --test mistakes` writes the outputs again",
        wrong.join("\n\n")
    );
}
