//! Runs a page: writes its files, runs its commands and checks its snippets.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tandem_testkit::environment::root;
use tandem_testkit::hashicorp::mirror_or_registry;
use tandem_testkit::terraform::{Run, Terraform, provider_binary};

use crate::page::{Block, Checker, Directive, Expect, Fault, Page};
use crate::place::Place;

/// Runs all blocks of a page in order, in one fresh folder. The first fault ends the run.
pub(crate) fn run(page: &Page) -> Result<(), Fault> {
    let fault = |line, message| Fault { page: page.path.clone(), line, message };
    let runs = |block: &Block| {
        matches!(block.directive, Some(Directive::Run(_) | Directive::File(_) | Directive::Append(_)))
    };
    let place = if page.blocks.iter().any(runs) {
        let Some(place) = Place::new(&name(&page.path), page.needs) else { return Ok(()) };
        Some(place)
    } else {
        None
    };
    let last_run = page.blocks.iter().rposition(|block| matches!(block.directive, Some(Directive::Run(_))));
    for (index, block) in page.blocks.iter().enumerate() {
        let Some(directive) = &block.directive else { continue };
        let done = match (directive, &place) {
            (Directive::File(path) | Directive::Append(path), Some(place)) => {
                if last_run.is_none_or(|last| last < index) {
                    Err((block.line, "no later block runs a command that could use this file".to_owned()))
                } else {
                    write(&place.folder.join(path), block, matches!(directive, Directive::Append(_)))
                }
            }
            (Directive::Run(expect), Some(place)) => execute(place, block, *expect),
            (Directive::SameAs(path), _) => same_as(path, block),
            (Directive::Check(checker), _) => {
                check(*checker, &block.text).map_err(|message| (block.line, message))
            }
            _ => Ok(()),
        };
        done.map_err(|(line, message)| fault(line, message))?;
    }
    let left = place.map(|place| place.left()).unwrap_or_default();
    if left.is_empty() {
        return Ok(());
    }
    let message = format!("these objects are left in AWS; add `terraform destroy`:\n  {}", left.join("\n  "));
    Err(fault(page.text.lines().count(), message))
}

/// The name of a page's folder: `guides-ci` for `docs/guides/ci.md`.
fn name(path: &str) -> String {
    let path = path.strip_prefix("docs/").unwrap_or(path);
    path.strip_suffix(".md").unwrap_or(path).replace('/', "-")
}

type Done = Result<(), (usize, String)>;

fn write(path: &Path, block: &Block, append: bool) -> Done {
    let written = fs::create_dir_all(path.parent().unwrap_or(path)).and_then(|()| {
        let mut file =
            fs::File::options().create(true).write(true).append(append).truncate(!append).open(path)?;
        file.write_all(block.text.as_bytes())
    });
    written.map_err(|error| (block.line, format!("{}: {error}", path.display())))?;
    if path.extension().is_some_and(|extension| extension == "tf") {
        return formatted(&block.text).map_err(|message| (block.line, message));
    }
    Ok(())
}

fn execute(place: &Place, block: &Block, expect: Expect) -> Done {
    let commands = block.commands();
    let output = place.run(&commands);
    let shown = |line: usize, what: &str| {
        let command = commands.iter().rev().find(|command| command.line <= line);
        let command = command.map_or("", |command| command.text.trim_end());
        (line, format!("{what}\n  $ {command}\n{}", output.text.trim_end()))
    };
    match (expect, output.success) {
        (Expect::Success | Expect::Prints, false) => return Err(shown(output.line, "this command failed:")),
        (Expect::Fails, true) => return Err(shown(output.line, "this command succeeded, but must fail:")),
        // An earlier command may not fail.
        (Expect::Fails, false) if commands.last().is_some_and(|last| last.line != output.line) => {
            return Err(shown(output.line, "this command failed, but only the last one may:"));
        }
        (Expect::Success, true) => return Ok(()),
        _ => {}
    }
    let printed = plain(&output.text);
    match block.sample().find(|(_, sample)| !contains(&printed, &plain(sample))) {
        Some((line, sample)) => {
            let (_, message) = shown(line, &format!("the output does not contain `{sample}`:"));
            Err((line, message))
        }
        None => Ok(()),
    }
}

/// True if the output contains a line, in which `...` stands for any text.
fn contains(text: &str, line: &str) -> bool {
    let mut rest = Some(text);
    for part in line.split("...").map(str::trim) {
        rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, rest)| rest);
    }
    rest.is_some()
}

/// Text without the line breaks and frames of Terraform's messages.
fn plain(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !["│", "╷", "╵", "|"].contains(word));
    words.collect::<Vec<_>>().join(" ")
}

fn same_as(path: &str, block: &Block) -> Done {
    let fault = |message| Err((block.line, message));
    match fs::read_to_string(root().join(path)) {
        Ok(text) if text.contains(&block.text) => Ok(()),
        Ok(_) => fault(format!("{path} does not contain this block")),
        Err(error) => fault(format!("{path}: {error}")),
    }
}

/// Checks a snippet by itself.
fn check(checker: Checker, text: &str) -> Result<(), String> {
    match checker {
        Checker::Terraform => terraform(text),
        Checker::Tandem => {
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            let named = text.lines().any(|line| line.starts_with("app:"));
            let spec = if named { text.to_owned() } else { format!("app: guide\n{text}") };
            fs::write(folder.path().join("tandem.yaml"), spec).map_err(|error| error.to_string())?;
            let mut tandem = Command::new(provider_binary().with_file_name("tandem"));
            succeed(tandem.arg("check").env("NO_COLOR", "1").current_dir(folder.path()), "")
        }
        Checker::Rust => succeed(Command::new("rustfmt").args(["--edition", "2024", "--check"]), text),
    }
}

/// Formats and validates a configuration. Without `required_providers` it gets those of its resources.
fn terraform(text: &str) -> Result<(), String> {
    formatted(text)?;
    let of_aws = ["resource \"aws_", "data \"aws_", "provider \"aws\"", "hashicorp/aws"];
    let with_aws = of_aws.iter().any(|part| text.contains(part));
    let terraform = Terraform::new(&[]).map_err(|error| error.to_string())?;
    terraform.write("main.tf", text);
    if !text.contains("required_providers") {
        let mut providers = "    tandem = { source = \"tandem/tandem\" }\n".to_owned();
        if with_aws {
            providers.push_str("    aws = { source = \"hashicorp/aws\" }\n");
        }
        let providers = format!("terraform {{\n  required_providers {{\n{providers}  }}\n}}\n");
        terraform.write("providers.tf", providers);
    }
    let succeeded = |run: Run| if run.success { Ok(()) } else { Err(run.text) };
    if with_aws {
        let Some(hashicorp) = mirror_or_registry() else { return Ok(()) };
        terraform.add_hashicorp(&hashicorp).map_err(|error| error.to_string())?;
        succeeded(terraform.run(&["init", "-no-color", "-input=false"]))?;
    }
    succeeded(terraform.run(&["validate", "-no-color"]))
}

fn formatted(text: &str) -> Result<(), String> {
    let mut fmt = Command::new("terraform");
    succeed(fmt.args(["fmt", "-check", "-diff", "-no-color", "-"]), text)
        .map_err(|diff| format!("not formatted; `terraform fmt` changes it:\n{diff}"))
}

/// Runs a program with an input. The error is its output.
fn succeed(command: &mut Command, input: &str) -> Result<(), String> {
    let run = || {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let mut run = run;
    let output = run().map_err(|error: std::io::Error| error.to_string())?;
    let text = [&output.stdout[..], &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if output.status.success() { Ok(()) } else { Err(text.concat().trim().to_owned()) }
}
