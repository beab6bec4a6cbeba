//! The page of each code. A code of inputs has an explanation, a wrong example and a right one. No spec can
//! cause a code of operations: it has an explanation and a remedy.
//!
//! A page is the Markdown file `codegen/explain/CODE.md`. Fenced blocks are files, named in the fence
//! (```` ```yaml tandem.yaml ````), or commands (```` ```console ````). Tests write the files into a folder, run
//! the commands, and expect the code from the wrong example only.

use std::fmt::Write as _;

use tandem_model::code::Code;

macro_rules! pages {
    ($($code:literal)*) => {
        const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("../explain/", $code, ".md")))),*];
    };
}

pages! {
    "TDM001" "TDM002" "TDM003" "TDM004" "TDM005"
    "TDM010" "TDM011" "TDM012" "TDM013" "TDM014" "TDM015" "TDM016" "TDM017"
    "TDM020" "TDM021" "TDM022"
    "TDM030" "TDM031" "TDM032" "TDM033"
    "TDM040" "TDM041" "TDM042" "TDM043" "TDM044" "TDM045" "TDM046" "TDM047"
    "TDM101" "TDM102" "TDM103" "TDM104" "TDM105" "TDM106"
    "TDM110" "TDM111" "TDM112" "TDM113" "TDM114" "TDM115"
    "TDM120" "TDM121" "TDM122" "TDM123"
    "TDM130" "TDM131" "TDM132" "TDM133" "TDM134"
    "TDM140" "TDM141"
    "TDM150" "TDM151" "TDM152"
}

/// The page of a code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The reason for the check and the fix, or the cause of the problem, in Markdown.
    pub text: String,
    /// The next step after a problem, in Markdown. Empty for a code of inputs.
    pub remedy: String,
    /// An example with the error.
    pub wrong: Example,
    /// The same example without the error.
    pub right: Example,
}

impl Page {
    /// Its examples, with their titles. A code of operations has none.
    fn examples(&self) -> impl Iterator<Item = (&'static str, &Example)> {
        let examples = [("Wrong", &self.wrong), ("Right", &self.right)];
        examples.into_iter().filter(|(_, example)| **example != Example::default())
    }
}

/// A small project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// Files: path and content.
    pub files: Vec<(String, String)>,
    /// Shell commands that run in the folder of the files. Without any, the command is `tandem check`, or
    /// `terraform validate` for a configuration.
    pub commands: Vec<String>,
}

/// The page of a code.
///
/// # Panics
///
/// If a code has no page. A test reads the page of every code.
pub fn page(code: Code) -> Page {
    let (_, text) = PAGES.iter().find(|(name, _)| *name == code.as_str()).expect("a page for every code");
    parse(text)
}

fn parse(text: &str) -> Page {
    let mut page = Page::default();
    let mut section = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
            continue;
        }
        let Some(fence) = line.strip_prefix("```") else {
            let text = match section {
                "" => &mut page.text,
                "Remedy" => &mut page.remedy,
                _ => continue,
            };
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let example = if section == "Wrong" { &mut page.wrong } else { &mut page.right };
        match fence.split_once(' ') {
            Some((_, file)) => example.files.push((file.to_owned(), format!("{}\n", body.join("\n")))),
            None => example.commands.extend(commands(&body)),
        }
    }
    for text in [&mut page.text, &mut page.remedy] {
        *text = text.trim().to_owned();
    }
    page
}

/// The commands of a `console` block: lines after `$ `, each with its continuation lines.
fn commands(body: &[&str]) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in body {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push(command.to_owned()),
            (None, Some(command)) => {
                command.push('\n');
                command.push_str(line);
            }
            (None, None) => {}
        }
    }
    commands
}

/// The page as plain text for a terminal.
pub fn text(code: Code) -> String {
    let page = page(code);
    let mut text = format!("{code}: {}\n\n{}\n", code.title(), page.text);
    if !page.remedy.is_empty() {
        let _ = write!(text, "\nRemedy:\n\n{}\n", page.remedy);
    }
    for (title, example) in page.examples() {
        let _ = write!(text, "\n{title}:\n");
        for (path, content) in &example.files {
            let _ = write!(text, "\n  # {path}\n");
            for line in content.lines() {
                let _ = writeln!(text, "{}", format!("  {line}").trim_end());
            }
        }
        if !example.commands.is_empty() {
            text.push('\n');
        }
        for command in &example.commands {
            let _ = writeln!(text, "  $ {}", command.replace('\n', "\n  "));
        }
    }
    text
}

/// The comment above each block of the guide: guides are tested, and this one is tested from its source.
const TESTED: &str = "<!-- skip: the tests of `tandem explain` run this example -->";

/// All pages as one Markdown guide for the documentation.
pub fn guide() -> String {
    let mut text = String::new();
    let mut codes: Vec<&Code> = Code::ALL.iter().collect();
    codes.sort_by_key(|code| code.as_str());
    for code in codes {
        let page = page(*code);
        let _ = write!(text, "\n## {code}: {}\n\n{}\n", code.title(), page.text);
        if !page.remedy.is_empty() {
            let _ = write!(text, "\nRemedy: {}\n", page.remedy);
        }
        for (title, example) in page.examples() {
            let _ = write!(text, "\n{title}:\n");
            for (path, content) in &example.files {
                let language = match path.rsplit('.').next() {
                    Some("yaml") => "yaml",
                    Some("tf") => "terraform",
                    Some("rs") => "rust",
                    _ => "text",
                };
                let name = if path == "tandem.yaml" { String::new() } else { format!("\n`{path}`:\n") };
                let _ = write!(text, "{name}\n{TESTED}\n```{language}\n{content}```\n");
            }
            if !example.commands.is_empty() {
                let lines: Vec<String> =
                    example.commands.iter().map(|command| format!("$ {command}")).collect();
                let _ = write!(text, "\n{TESTED}\n```console\n{}\n```\n", lines.join("\n"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_with_both_examples_or_a_remedy() {
        for code in Code::ALL {
            let page = page(*code);
            assert!(page.text.len() > code.title().len(), "{code}");
            if Code::OF_OPERATIONS.contains(code) {
                assert!(!page.remedy.is_empty() && page.examples().count() == 0, "{code}");
                continue;
            }
            assert!(page.remedy.is_empty(), "{code}");
            assert!(!page.wrong.files.is_empty() && !page.right.files.is_empty(), "{code}");
            assert_ne!(page.wrong, page.right, "{code}");
        }
        assert_eq!(PAGES.len(), Code::ALL.len());
    }
}
