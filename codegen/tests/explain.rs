//! The wrong example of each page of `tandem explain` gives its code; the right one does not.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Run, tandem, write};
use tandem::explain::{Example, page, text};
use tandem_model::code::Code;

/// Writes the files of an example and runs its commands. The result is that of the last command.
fn run(example: &Example) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, content) in &example.files {
        write(folder.path(), path, content);
    }
    if example.commands.is_empty() {
        return tandem(folder.path(), &["check", "--color", "never"]);
    }
    let program = Path::new(env!("CARGO_BIN_EXE_tandem")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut last = None;
    for command in &example.commands {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder.path()).env("PATH", &path);
        last = Some(shell.output().expect("a shell").into());
    }
    last.expect("a command")
}

/// A configuration needs Terraform: the acceptance tests validate these examples.
fn has_configuration(example: &Example) -> bool {
    example.files.iter().any(|(path, _)| path == "main.tf")
}

#[test]
fn wrong_examples_give_their_code_and_right_ones_do_not() {
    let mut judged = 0;
    for code in Code::OF_INPUTS {
        let page = page(*code);
        if has_configuration(&page.wrong) {
            continue;
        }
        let wrong = run(&page.wrong);
        let output = format!("{}{}", wrong.stdout, wrong.stderr);
        assert!(
            output.contains(&format!("[{code}]")),
            "the wrong example of {code} does not give it:\n{output}"
        );
        let right = run(&page.right).expect(0);
        let output = format!("{}{}", right.stdout, right.stderr);
        assert!(!output.contains("TDM"), "the right example of {code} has findings:\n{output}");
        judged += 1;
    }
    assert_eq!(judged, Code::OF_INPUTS.len() - 1);
}

#[test]
fn a_page_shows_both_examples() {
    let shown = text(Code::Loop);
    for part in ["TDM022: ", "\nWrong:\n", "\nRight:\n", "  # tandem.yaml\n  app: shop\n"] {
        assert!(shown.contains(part), "no {part:?} in:\n{shown}");
    }
}

#[test]
fn the_page_of_a_problem_shows_its_remedy() {
    let shown = text(Code::Incomplete);
    for part in ["TDM113: The composite is incomplete\n\n", "\nRemedy:\n\n", "`terraform untaint ADDRESS`"] {
        assert!(shown.contains(part), "no {part:?} in:\n{shown}");
    }
    assert!(!shown.contains("Wrong:") && !shown.contains("Right:"), "{shown}");
}
