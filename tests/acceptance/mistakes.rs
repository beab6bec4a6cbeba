//! Typical mistakes in a configuration, each with the whole output of Terraform.
//!
//! `mistakes/NAME.tf` is the configuration. It begins with comments:
//!
//! | line | meaning |
//! | --- | --- |
//! | `# attribute: …`, `# value: …` | the attribute and the value that a message must contain |
//! | `# command: plan` | the command, if it is not `validate` |
//! | `# file: …` | an additional file of text, which is not a binary |
//! | `# unset: …` | an environment variable that the run does not have |
//! | `# source: Terraform` | the message is Terraform's own and has no imperative |
//!
//! `mistakes/NAME.txt` is the output; `TANDEM_BLESS=1` writes it again.

use std::path::{Path, PathBuf};

use tandem::explain::{Example, page};
use tandem_model::code::Code;
use tandem_testkit::terraform::{Run, Terraform};

use crate::stage::{REGION, ministack};

#[path = "../../codegen/tests/mistakes/imperatives.rs"]
mod imperatives;

use imperatives::IMPERATIVES;

/// The file that every configuration needs. It is a file of its own, so that line numbers are those of the mistake.
const PROVIDERS: &str =
    "terraform {\n  required_providers {\n    tandem = { source = \"tandem/tandem\" }\n  }\n}\n";

fn mistakes() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("acceptance/mistakes");
    let files = std::fs::read_dir(&folder).expect("mistakes").map(|entry| entry.expect("a file").path());
    let mut configurations: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "tf")).collect();
    configurations.sort();
    configurations
}

/// The value of a line `# WORD: …`.
fn named<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(&format!("# {word}: ")))
}

fn terraform(text: &str) -> Terraform {
    let mut environment = vec![("AWS_REGION", REGION)];
    let command = named(text, "command");
    if command.is_some() {
        environment.extend([
            ("AWS_ENDPOINT_URL", ministack()),
            ("AWS_ACCESS_KEY_ID", "123456789012"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]);
    }
    environment.retain(|(name, _)| named(text, "unset") != Some(name));
    let terraform = Terraform::new(&environment).expect("a folder");
    terraform.write("terraform.tf", PROVIDERS);
    terraform.write("main.tf", text);
    if let Some(name) = named(text, "file") {
        terraform.write(name, "This is not a binary.\n");
    }
    terraform
}

/// The output without the parts that depend on the machine, and without the warning about the provider under test.
fn normalized(run: &Run, terraform: &Terraform) -> String {
    let start = "Warning: Provider development overrides are in effect\n";
    let (before, rest) = run.text.split_once(start).expect("the warning about the provider under test");
    let (_, after) = rest.split_once("published\nreleases.\n").expect("the end of the warning");
    let text = format!("{before}{after}").replace(&terraform.path().display().to_string(), "FOLDER");
    let mut lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    lines.dedup_by(|later, earlier| later.is_empty() && earlier.is_empty());
    format!("{}\n", lines.join("\n"))
}

/// The errors and warnings of an output, each as one line without the lines of the configuration.
fn messages(output: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in output.lines() {
        let quoted = line.starts_with("  ");
        if line.starts_with("Error: ") || line.starts_with("Warning: ") {
            messages.push(format!("{line}."));
        } else if let Some(message) = messages.last_mut().filter(|_| !quoted && !line.is_empty()) {
            message.push(' ');
            message.push_str(line);
        }
    }
    messages
}

/// Returns true if a sentence of the message starts with an imperative.
fn has_imperative(message: &str) -> bool {
    let words: Vec<&str> = message.split_whitespace().collect();
    words.windows(2).any(|pair| pair[0].ends_with(['.', '?', ':', ']']) && IMPERATIVES.contains(&pair[1]))
}

#[test]
fn every_mistake_has_its_whole_output() {
    let mut wrong = Vec::new();
    let configurations = mistakes();
    assert!(configurations.len() >= 20, "{} mistakes", configurations.len());
    for path in configurations {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let text = std::fs::read_to_string(&path).expect("a configuration");
        let terraform = terraform(&text);
        let command = named(&text, "command").unwrap_or("validate");
        let run = terraform.run(&[command, "-no-color"]);
        let found = normalized(&run, &terraform);
        let output = path.with_extension("txt");
        if std::env::var_os("TANDEM_BLESS").is_some() {
            std::fs::write(&output, &found).expect("written");
        }
        let expected = std::fs::read_to_string(&output).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}: expected\n{expected}\nfound\n{found}"));
        }
        let messages = messages(&found);
        let foreign = named(&text, "source") == Some("Terraform");
        for word in ["attribute", "value"] {
            let named = named(&text, word).unwrap_or_else(|| panic!("{name}: no line `# {word}: …`"));
            // Only the quoted line of the configuration shows the value to which a message of Terraform refers.
            let shown = messages.iter().any(|message| message.contains(named));
            if !shown && (!foreign || !found.contains(named)) {
                wrong.push(format!("{name}: no message names the {word} `{named}`:\n{found}"));
            }
        }
        for message in messages.iter().filter(|message| !foreign && !has_imperative(message)) {
            wrong.push(format!("{name}: a message has no imperative: {message}"));
        }
        if found.contains("panicked") || messages.is_empty() {
            wrong.push(format!("{name}: no message, or a panic:\n{found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n`TANDEM_BLESS=1 cargo test --workspace --test acceptance mistakes` writes the outputs again",
        wrong.join("\n\n")
    );
}

fn validate(example: &Example) -> Run {
    let terraform = Terraform::new(&[("AWS_REGION", REGION)]).expect("a folder");
    terraform.write("terraform.tf", PROVIDERS);
    for (path, content) in &example.files {
        terraform.write(path, content);
    }
    terraform.run(&["validate", "-no-color"])
}

/// The pages of `tandem explain` that show a configuration. The tests of the generator validate the other pages.
#[test]
fn configurations_of_tandem_explain_have_the_fault_that_they_show() {
    let mut validated = 0;
    for code in Code::OF_INPUTS {
        let page = page(*code);
        if page.wrong.files.iter().all(|(path, _)| path != "main.tf") {
            continue;
        }
        validate(&page.wrong).expect_failure(&[&format!("[{code}]")]);
        let right = validate(&page.right).expect_success();
        assert!(!right.text.contains("TDM"), "the right example of {code} has findings:\n{}", right.text);
        validated += 1;
    }
    assert_eq!(validated, 1);
}
