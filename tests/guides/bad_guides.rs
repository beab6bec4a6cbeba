//! Bad guides: each must fail, with the line and the reason.

use crate::guides::shown;
use crate::page::{Fault, Page};
use crate::run;

/// Parses and runs a page. Its folder has the name of the test.
fn faults(test: &str, text: &str) -> Vec<Fault> {
    match Page::parse(&format!("{test}.md"), text.to_owned()) {
        Ok(page) => run::run(&page).err().into_iter().collect(),
        Err(faults) => faults,
    }
}

/// Asserts that a page has one fault, in a line and with these parts in its message.
#[track_caller]
fn fails(test: &str, line: usize, parts: &[&str], text: &str) {
    let faults = faults(test, text);
    let [fault] = &faults[..] else { panic!("one fault expected:\n{}\nin:\n{text}", shown(&faults)) };
    let message = fault.to_string();
    assert!(message.starts_with(&format!("{test}.md:{line}: ")), "not in line {line}: {message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn a_good_guide_passes() {
    let text = "# Good\n\n<!-- file: a/b.txt -->\n```text\none\n```\n\n<!-- append: a/b.txt -->\n```text\ntwo\n```\n\n\
                <!-- run: prints -->\n```console\n$ cat \\\n    a/b.txt\no...e\n...\ntwo\n```\n\n\
                <!-- run: fails -->\n```console\n$ cd a\n$ echo no && false\nno\n```\n\n\
                - a list\n\n  <!-- run -->\n  ```sh\n  test -f a/b.txt\n  ```\n\n\
                <!-- check: terraform -->\n```terraform\nresource \"tandem_queue\" \"jobs\" {\n  name = \"jobs\"\n}\n```\n\n\
                <!-- check: tandem -->\n```yaml\nqueues: { jobs: {} }\n```\n\n\
                <!-- check: rust -->\n```rust\nfn f() {}\n```\n\n\
                <!-- same as: examples/upload-notice/tandem.yaml -->\n```yaml\napp: upload-notice\n```\n\n\
                <!-- skip: needs an AWS account -->\n```console\n$ false\n```\n";
    let faults = faults("good", text);
    assert!(faults.is_empty(), "{}", shown(&faults));
}

#[test]
fn faults_of_directives_are_reported_at_once() {
    let text = "```yaml\na: 1\n```\n\n<!-- run it -->\n```sh\ntrue\n```\n\n<!-- skip: soon -->\n```sh\ntrue\n```\n\n\
                <!-- file: ../a -->\n```text\n```\n\n<!-- run -->\n\n```\n```\n\n<!-- run -->\n```console\noutput\n```\n\n\
                <!-- needs: luck -->\n";
    let faults = faults("directives", text);
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 5, 10, 15, 19, 21, 29, 25], "{}", shown(&faults));
    fails("open", 1, &["without an end"], "```text\n");
}

#[test]
fn a_command_that_fails_is_shown_with_its_output() {
    let text = "# Bad\n\n<!-- run -->\n```console\n$ true\n$ echo hello \\\n    && exit 3\n$ true\n```\n";
    fails("command", 6, &["this command failed:", "$ echo hello \\\n    && exit 3", "\nhello"], text);
}

#[test]
fn a_command_that_must_fail_and_does_not_is_a_fault() {
    fails("succeeds", 3, &["must fail", "$ true"], "<!-- run: fails -->\n```console\n$ true\n```\n");
    let text = "<!-- run: fails -->\n```console\n$ echo early; false\n$ false\n```\n";
    fails("early", 3, &["only the last one may", "early"], text);
}

#[test]
fn missing_output_is_a_fault() {
    let text = "<!-- run: prints -->\n```console\n$ echo one\none\ntwo\n```\n";
    fails("prints", 5, &["the output does not contain `two`", "$ echo one", "\none"], text);
    let text = "<!-- run: fails -->\n```console\n$ cat nothing\ncat: something\n```\n";
    fails("reason", 4, &["does not contain `cat: something`", "No such file"], text);
    fails("nothing", 2, &["no sample output"], "<!-- run: prints -->\n```console\n$ true\n```\n");
}

#[test]
fn invalid_snippets_are_faults() {
    let terraform = |text: &str| format!("<!-- check: terraform -->\n```terraform\n{text}\n```\n");
    fails("format", 2, &["not formatted"], &terraform("a   = 1"));
    let text = "resource \"tandem_queue\" \"jobs\" {\n  named = \"jobs\"\n}";
    fails("validate", 2, &["named"], &terraform(text));
    fails("tandem", 2, &["TDM"], "<!-- check: tandem -->\n```yaml\nqueues: { jobs: { size: 3 } }\n```\n");
    fails("rust", 2, &["fn"], "<!-- check: rust -->\n```rust\nfn  f( {}\n```\n");
    let text = "<!-- same as: examples/upload-notice/tandem.yaml -->\n```yaml\napp: download-notice\n```\n";
    fails("same", 2, &["does not contain this block"], text);
}

#[test]
fn a_file_that_no_command_uses_is_a_fault() {
    fails("unused", 2, &["no later block"], "<!-- file: a.txt -->\n```text\na\n```\n");
    let text = "<!-- file: main.tf -->\n```terraform\na   = 1\n```\n\n<!-- run -->\n```sh\ntrue\n```\n";
    fails("file", 2, &["not formatted"], text);
}

#[test]
fn objects_that_are_left_in_aws_are_a_fault() {
    let text = "<!-- run -->\n```console\n$ aws sqs create-queue --queue-name forgotten\n```\n";
    fails("left", 4, &["are left in AWS", "forgotten"], text);
}
