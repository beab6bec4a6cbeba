//! Pages of the documentation: their fenced blocks, and the directive above each block.

use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Languages of blocks that need no directive: nothing in them can be run or checked.
const INERT: &[&str] = &["mermaid", "text"];

/// Languages whose blocks are scripts as a whole. In a console block, lines that start with `$ ` are commands.
const SHELLS: &[&str] = &["sh", "bash"];

/// A page.
pub(crate) struct Page {
    /// Its path in the repository.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) needs: Needs,
}

/// Requirements of a page, from comments such as `<!-- needs: hashicorp/aws -->`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The real hashicorp/aws, next to the provider under test.
    pub(crate) hashicorp: bool,
    /// A container engine, and an emulator that runs containers.
    pub(crate) containers: bool,
}

/// A fenced block.
#[derive(Debug)]
pub(crate) struct Block {
    /// The line of its opening fence, from 1.
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) text: String,
    /// `None` only for inert languages.
    pub(crate) directive: Option<Directive>,
}

/// The directive of a block: an HTML comment on the line directly above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Directive {
    /// The block is the whole content of a file.
    File(PathBuf),
    /// The block is appended to a file.
    Append(PathBuf),
    /// The block is run.
    Run(Expect),
    /// The block occurs in a file of the repository.
    SameAs(String),
    /// The block is valid by itself.
    Check(Checker),
    /// The block is not run, for a reason.
    Skip,
}

/// The expected result of a block that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Every command succeeds. The sample output is only an illustration.
    Success,
    /// Every command succeeds, and the output contains every line of the sample.
    Prints,
    /// The last command fails, and the output contains every line of the sample.
    Fails,
}

/// The program that checks a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checker {
    Terraform,
    Tandem,
    Rust,
}

/// A command of a block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A fault of a page, with its line.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) page: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.page, self.line, self.message)
    }
}

impl Page {
    /// Reads a page. All faults of its blocks and directives are reported at once.
    pub(crate) fn parse(path: &str, text: String) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut fault = |line, message: String| faults.push(Fault { page: path.to_owned(), line, message });
        let (mut blocks, mut needs) = (Vec::<Block>::new(), Needs::default());
        let mut open: Option<(Block, &str)> = None;
        // A comment on the line before, which only the next line can use.
        let mut above: Option<&str> = None;
        for (line, content) in text.lines().enumerate().map(|(index, content)| (index + 1, content)) {
            let bare = content.trim();
            if let Some((mut block, indent)) = open.take() {
                if bare == "```" {
                    blocks.push(block);
                } else {
                    block.text.push_str(content.strip_prefix(indent).unwrap_or(content.trim_start()));
                    block.text.push('\n');
                    open = Some((block, indent));
                }
                continue;
            }
            if let Some(language) = bare.strip_prefix("```") {
                let directive = match above.take().map(directive) {
                    Some(Ok(directive)) => Some(directive),
                    Some(Err(message)) => {
                        fault(line - 1, message);
                        None
                    }
                    None if INERT.contains(&language) => None,
                    None => {
                        let message = match language {
                            "" => "a block without a language. Add one, e.g. `text`".to_owned(),
                            language => format!(
                                "a block of `{language}` without a directive. Put one on the line above, e.g. \
                                 `<!-- run -->`"
                            ),
                        };
                        fault(line, message);
                        None
                    }
                };
                let block = Block { line, language: language.to_owned(), text: String::new(), directive };
                open = Some((block, &content[..content.len() - content.trim_start().len()]));
                continue;
            }
            if above.take().is_some_and(is_directive) {
                fault(line - 1, "a directive without a block on the next line".to_owned());
            }
            let Some(comment) = bare.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) else {
                continue;
            };
            match comment.trim().strip_prefix("needs:").map(str::trim) {
                Some("hashicorp/aws") => needs.hashicorp = true,
                Some("containers") => needs.containers = true,
                Some(other) => {
                    fault(line, format!("`{other}` is unknown. Use `hashicorp/aws` or `containers`"));
                }
                None => above = Some(comment.trim()),
            }
        }
        if above.is_some_and(is_directive) {
            fault(text.lines().count(), "a directive without a block on the next line".to_owned());
        }
        if let Some((block, _)) = open {
            fault(block.line, "a block without an end".to_owned());
        }
        for block in &blocks {
            if matches!(block.directive, Some(Directive::Run(_))) && block.commands().is_empty() {
                fault(block.line, "no command: lines with commands start with `$ `".to_owned());
            }
            let sample = matches!(block.directive, Some(Directive::Run(Expect::Prints)));
            if sample && block.sample().next().is_none() {
                fault(block.line, "no sample output, which `run: prints` compares".to_owned());
            }
        }
        if faults.is_empty() { Ok(Self { path: path.to_owned(), text, blocks, needs }) } else { Err(faults) }
    }
}

impl Block {
    /// The commands.
    pub(crate) fn commands(&self) -> Vec<Command> {
        if SHELLS.contains(&&*self.language) {
            let empty = self.text.trim().is_empty();
            return if empty { vec![] } else { vec![Command { line: self.line, text: self.text.clone() }] };
        }
        let mut commands = Vec::<Command>::new();
        let mut continued = false;
        for (number, line) in self.text.lines().enumerate() {
            if let Some(text) = line.strip_prefix("$ ").filter(|_| !continued) {
                commands.push(Command { line: self.line + 1 + number, text: text.to_owned() });
            } else if let Some(last) = commands.last_mut().filter(|_| continued) {
                last.text.push('\n');
                last.text.push_str(line);
            } else {
                continue;
            }
            continued = line.ends_with('\\');
        }
        commands
    }

    /// The lines of sample output that are compared: number and text.
    pub(crate) fn sample(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut continued = false;
        let lines = self.text.lines().enumerate().filter(move |(_, line)| {
            let command = continued || line.starts_with("$ ");
            continued = command && line.ends_with('\\');
            !command
        });
        let lines = lines.map(|(number, line)| (self.line + 1 + number, line.trim()));
        let whole = !SHELLS.contains(&&*self.language);
        lines.filter(move |(_, line)| whole && !line.is_empty() && *line != "...")
    }
}

/// Returns true if a comment was meant as a directive.
fn is_directive(comment: &str) -> bool {
    let word = comment.split(':').next().unwrap_or_default().trim();
    ["file", "append", "run", "same as", "check", "skip"].contains(&word)
}

fn directive(comment: &str) -> Result<Directive, String> {
    let (word, value) = match comment.split_once(':') {
        Some((word, value)) => (word.trim(), Some(value.trim())),
        None => (comment, None),
    };
    Ok(match (word, value) {
        ("file", Some(path)) => Directive::File(inside(path)?),
        ("append", Some(path)) => Directive::Append(inside(path)?),
        ("run", None) => Directive::Run(Expect::Success),
        ("run", Some("prints")) => Directive::Run(Expect::Prints),
        ("run", Some("fails")) => Directive::Run(Expect::Fails),
        ("same as", Some(path)) => Directive::SameAs(path.to_owned()),
        ("check", Some("terraform")) => Directive::Check(Checker::Terraform),
        ("check", Some("tandem")) => Directive::Check(Checker::Tandem),
        ("check", Some("rust")) => Directive::Check(Checker::Rust),
        ("skip", Some(reason)) if reason.split_whitespace().count() > 2 => Directive::Skip,
        ("skip", _) => {
            return Err("`skip` without a reason. Use `<!-- skip: needs an AWS account -->`".to_owned());
        }
        _ => {
            return Err(format!(
                "`{comment}` is no directive. Use `file: PATH`, `append: PATH`, `run`, `run: prints`, `run: \
                 fails`, `same as: PATH`, `check: terraform`, `check: tandem`, `check: rust` or `skip: REASON`"
            ));
        }
    })
}

/// A path inside of the guide's folder.
fn inside(path: &str) -> Result<PathBuf, String> {
    let inside =
        !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if inside { Ok(path.into()) } else { Err(format!("`{path}` is not a path inside of the guide's folder")) }
}
