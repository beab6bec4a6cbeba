//! The language of the project, judged by the rules of `docs/STYLE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ignore::WalkBuilder;
use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, tokenize};
use tandem_testkit::environment::{Packages, root};

use crate::setup;
use crate::step::{Result, step};

/// Words whose density is limited.
const COUNTED: &[&str] = &["what", "whatever", "who", "whoever", "nobody", "somebody"];

/// The longest line of a comment or doc comment, in characters. The documentation of an input is one line.
const LONGEST_LINE: usize = 300;

/// A string literal with fewer words is no message.
const MESSAGE: usize = 4;

/// The limit also holds for each file with this many words.
const JUDGED_ALONE: usize = 200;

/// Files that the check leaves out, with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("docs/STYLE.md", "shows wrong wording"),
    ("xtask/src/prose.rs", "contains the words"),
    ("provider/tfplugin/proto", "written by HashiCorp"),
];

/// The kinds of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// README, `docs/`, and the READMEs of examples and modules, without code.
    Documentation,
    /// Comments of Rust, HCL, YAML and templates.
    Comments,
    /// String literals of Rust that are sentences.
    Messages,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Documentation, Self::Comments, Self::Messages];

    fn name(self) -> &'static str {
        match self {
            Self::Documentation => "documentation",
            Self::Comments => "comments",
            Self::Messages => "messages",
        }
    }

    /// Counted words allowed per 1,000 words.
    fn limit(self) -> f64 {
        match self {
            Self::Documentation => 3.0,
            Self::Comments | Self::Messages => 4.0,
        }
    }
}

/// A piece of text: a paragraph of a comment, a line of documentation, or a message.
struct Piece {
    kind: Kind,
    /// The first line, from 1.
    line: usize,
    text: String,
    /// The length of the longest line, in characters.
    longest: usize,
}

impl Piece {
    fn new(kind: Kind, line: usize, text: String) -> Self {
        let longest = text.chars().count();
        Self { kind, line, text, longest }
    }
}

/// Joins the lines of each paragraph of comments, so that a phrase across two lines is found.
fn paragraphs(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    let mut next = 0;
    for piece in pieces {
        let line = piece.line;
        match joined.last_mut() {
            Some(last)
                if last.kind == Kind::Comments
                    && piece.kind == Kind::Comments
                    && line == next
                    && !piece.text.is_empty()
                    && !last.text.is_empty() =>
            {
                last.text.push(' ');
                last.text.push_str(&piece.text);
                last.longest = last.longest.max(piece.longest);
            }
            _ => joined.push(piece),
        }
        next = line + 1;
    }
    joined
}

/// Words, and counted words among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    words: usize,
    counted: usize,
}

impl Count {
    #[allow(clippy::cast_precision_loss, reason = "far below the limit")]
    fn density(self) -> f64 {
        1000.0 * self.counted as f64 / self.words.max(1) as f64
    }
}

/// Checks the language of every file, and the spelling.
pub(crate) fn run() -> Result {
    setup::packages(Packages::Typos)?;
    let mut report = String::new();
    step("Language of documentation, comments and messages", || {
        report = language()?;
        Ok(())
    })?;
    print!("{report}");
    step("Spelling", || {
        let mut typos = Command::new(Packages::Typos.program("typos"));
        crate::step::quiet(typos.args(["--format", "brief"]).current_dir(root()))
    })?;
    Ok(())
}

/// Judges all files. Returns the densities, or an error that lists every finding.
fn language() -> Result<String> {
    let style = std::fs::read_to_string(root().join("docs/STYLE.md"))?;
    let phrases = phrases(&style);
    if phrases.is_empty() {
        return Err("docs/STYLE.md: the word list has no rows".into());
    }
    let mut counts: BTreeMap<Kind, Count> = BTreeMap::new();
    let mut worst: Vec<(f64, String)> = Vec::new();
    let mut findings = Vec::new();
    for path in files()? {
        let text = std::fs::read_to_string(root().join(&path))?;
        let mut own: BTreeMap<Kind, Count> = BTreeMap::new();
        for piece in pieces(&path, &text) {
            let count = count(&piece.text);
            for total in [own.entry(piece.kind).or_default(), counts.entry(piece.kind).or_default()] {
                total.words += count.words;
                total.counted += count.counted;
            }
            let place = format!("{}:{}", path.display(), piece.line);
            for (phrase, instead) in found(&piece.text, &phrases) {
                findings.push(format!("{place}: `{phrase}`: write {instead}"));
            }
            let length = piece.longest;
            if piece.kind == Kind::Comments && length > LONGEST_LINE {
                findings.push(format!("{place}: a line of {length} characters; at most {LONGEST_LINE}"));
            }
        }
        for (kind, count) in own {
            if count.words >= JUDGED_ALONE && count.density() > kind.limit() {
                findings.push(format!(
                    "{}: {} has {:.1} of the counted words per 1,000 (limit {})",
                    path.display(),
                    kind.name(),
                    count.density(),
                    kind.limit()
                ));
            }
            if count.counted > 0 {
                let line = format!("{} of {} words in {}", count.counted, count.words, path.display());
                worst.push((count.density() * 1000.0, format!("{}: {line}", kind.name())));
            }
        }
    }
    let mut report = String::new();
    for kind in Kind::ALL {
        let count = counts.get(&kind).copied().unwrap_or_default();
        let line = format!(
            "{}: {:.1} per 1,000 of {} words are {} (limit {})",
            kind.name(),
            count.density(),
            count.words,
            COUNTED.join(", "),
            kind.limit()
        );
        let _ = writeln!(report, "  {line}");
        if count.density() > kind.limit() {
            worst.sort_by(|a, b| b.0.total_cmp(&a.0));
            let worst: Vec<&str> = worst.iter().take(20).map(|(_, line)| line.as_str()).collect();
            findings.push(format!("{line}\n  {}", worst.join("\n  ")));
        }
    }
    if findings.is_empty() {
        return Ok(report);
    }
    Err(format!("{}\nThe rules are in docs/STYLE.md.", findings.join("\n")).into())
}

/// The files of the project that contain prose, relative to the root.
fn files() -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    // `.gitignore` leaves out what is built.
    for entry in WalkBuilder::new(root()).hidden(true).build() {
        let entry = entry?;
        let path = entry.path().strip_prefix(root())?.to_owned();
        let prose = path.extension().is_some_and(|end| {
            ["rs", "md", "hbs", "tf", "yaml", "toml", "sh"].iter().any(|known| end == *known)
        });
        let left_out = LEFT_OUT.iter().any(|(start, _)| path.starts_with(start));
        if prose && !left_out && entry.file_type().is_some_and(|kind| kind.is_file()) {
            files.insert(path);
        }
    }
    Ok(files)
}

/// The phrases of the second column of the word list, each with the first column.
fn phrases(style: &str) -> Vec<(String, String)> {
    let list = style.split_once("## Word list").map_or("", |(_, list)| list);
    let list = list.split_once("\n\nFurther").map_or(list, |(list, _)| list);
    let mut phrases = Vec::new();
    for row in list.lines().filter(|line| line.starts_with("| ")) {
        let mut cells = row.trim_matches('|').split(" | ");
        let (Some(write), Some(not)) = (cells.next(), cells.next()) else { continue };
        let quoted = not.split('`').skip(1).step_by(2);
        phrases.extend(quoted.map(|phrase| (phrase.to_owned(), format!("\"{}\"", write.trim()))));
    }
    phrases
}

/// The phrases in a text, as whole words.
fn found<'a>(text: &str, phrases: &'a [(String, String)]) -> Vec<(&'a str, &'a str)> {
    let text = format!(" {} ", words(text).collect::<Vec<_>>().join(" "));
    let inside = |phrase: &str| text.contains(&format!(" {phrase} "));
    let found = phrases.iter().filter(|(phrase, _)| inside(phrase));
    found.map(|(phrase, instead)| (phrase.as_str(), instead.as_str())).collect()
}

fn count(text: &str) -> Count {
    let mut count = Count::default();
    for word in words(text) {
        count.words += 1;
        count.counted += usize::from(COUNTED.contains(&word.as_str()));
    }
    count
}

/// The words of a text in lower case, without code in backticks.
fn words(text: &str) -> impl Iterator<Item = String> {
    let prose: Vec<&str> = text.split('`').step_by(2).collect();
    let prose = prose.join(" … ");
    let letters = |c: char| !(c.is_alphanumeric() || c == '\'' || c == '’' || c == '-' || c == '…');
    let words: Vec<String> = prose
        .split(letters)
        .filter(|word| word.chars().any(|c| c.is_alphabetic() || c == '…'))
        .map(|word| word.replace('’', "'").to_lowercase())
        .collect();
    words.into_iter()
}

/// The prose of a file.
fn pieces(path: &Path, text: &str) -> Vec<Piece> {
    let name = path.to_string_lossy();
    if name.ends_with(".rs") || name.ends_with(".rs.hbs") {
        return rust(text);
    }
    if name.ends_with(".md") || name.ends_with(".md.hbs") {
        return markdown(text);
    }
    // A comment at the end of a line follows two blanks or a value.
    let comment = |line: &str| {
        let start = line.trim_start();
        start
            .strip_prefix("# ")
            .or_else(|| start.split_once(" # ").map(|(_, comment)| comment))
            .map(ToOwned::to_owned)
    };
    let lines = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some(Piece::new(Kind::Comments, index + 1, comment(line)?)));
    paragraphs(lines.collect())
}

/// Markdown without code blocks, HTML comments, and what stands in a table for alignment.
fn markdown(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !line.trim_start().starts_with("<!--") {
            let text = without_targets(line);
            pieces.push(Piece::new(Kind::Documentation, index + 1, text));
        }
    }
    pieces
}

/// A line of Markdown without the targets of its links.
fn without_targets(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        text.push_str(before);
        text.push(']');
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text
}

/// Comments and messages of Rust, or of a template of Rust.
fn rust(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut line = 1;
    for token in tokenize(text, FrontmatterAllowed::No) {
        let part = &text[at..at + token.len as usize];
        match token.kind {
            TokenKind::LineComment { .. } => {
                let text = part.trim_start_matches(['/', '!']).trim().to_owned();
                pieces.push(Piece::new(Kind::Comments, line, text));
            }
            TokenKind::BlockComment { .. } => {
                let text = part.trim_matches(['/', '*', '!', ' ', '\n']).to_owned();
                pieces.push(Piece::new(Kind::Comments, line, text));
            }
            TokenKind::Literal { kind: LiteralKind::Str { .. } | LiteralKind::RawStr { .. }, .. } => {
                let text = unescaped(part);
                // Programs in strings (HCL, YAML, Rust) are no sentences.
                let sentence = !text.contains(['{', '}', ';']) || !text.contains('\n');
                if sentence && count(&text).words >= MESSAGE {
                    pieces.push(Piece::new(Kind::Messages, line, text));
                }
            }
            _ => {}
        }
        line += part.matches('\n').count();
        at += part.len();
    }
    paragraphs(pieces)
}

/// A string literal without quotes, continuation lines and placeholders.
fn unescaped(literal: &str) -> String {
    let inner = literal.trim_matches(['r', '#', '"']);
    let mut text = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'\n') => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            '\\' => text.push(if chars.next() == Some('n') { '\n' } else { ' ' }),
            // A placeholder such as `{what}`.
            '{' => {
                let name: String = std::iter::from_fn(|| chars.next_if(|c| *c != '}' && *c != '{')).collect();
                let placeholder = chars.peek() == Some(&'}') && !name.contains(' ');
                text.push_str(if placeholder { "…" } else { &name });
                if placeholder {
                    chars.next();
                }
            }
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str =
        "## Word list\n\n| write | not |\n| --- | --- |\n| string | `a text`, `of texts` |\n\nFurther";

    #[test]
    fn phrases_are_found_as_whole_words() {
        let phrases = phrases(STYLE);
        assert_eq!(phrases.len(), 2);
        let words = |text| found(text, &phrases).into_iter().map(|(phrase, _)| phrase).collect::<Vec<_>>();
        assert_eq!(words("Expected a text, found a list of texts."), ["a text", "of texts"]);
        assert_eq!(words("extra text; `a text` in code; a texture"), Vec::<&str>::new());
    }

    #[test]
    fn counted_words_are_counted_outside_of_code() {
        assert_eq!(count("What it does, and `what` it is."), Count { words: 7, counted: 1 });
        assert_eq!(count("somebody's"), Count { words: 1, counted: 0 });
    }

    #[test]
    fn comments_and_messages_of_rust_are_found_with_their_lines() {
        let text = "/// Doc\n/// of it.\nfn f() {\n    g(\"one two {what} four five\"); // why\n    h(\"short\");\n}\n";
        let found: Vec<_> = pieces(Path::new("a.rs"), text)
            .into_iter()
            .map(|piece| (piece.kind, piece.line, piece.text))
            .collect();
        assert_eq!(
            found,
            [
                (Kind::Comments, 1, "Doc of it.".to_owned()),
                (Kind::Messages, 4, "one two … four five".to_owned()),
                (Kind::Comments, 4, "why".to_owned()),
            ]
        );
    }

    #[test]
    fn the_style_guide_states_the_limits() {
        let style = std::fs::read_to_string(root().join("docs/STYLE.md")).expect("docs/STYLE.md");
        for row in [
            format!(
                "| *{}* in documentation, in total and in each file of {JUDGED_ALONE} words or more | {} per 1,000 words |",
                COUNTED.join(", "),
                Kind::Documentation.limit()
            ),
            format!("templates | {} per 1,000 words |", Kind::Comments.limit()),
            format!("literals of Rust code | {} per 1,000 words |", Kind::Messages.limit()),
            format!("| {LONGEST_LINE} characters |"),
        ] {
            assert!(style.contains(&row), "docs/STYLE.md has no row with `{row}`");
        }
    }

    #[test]
    fn code_of_markdown_is_left_out() {
        let text = "# Title\n\n```console\n$ what\n```\n\nSee [it](what/who.md).\n";
        let found: Vec<String> =
            pieces(Path::new("a.md"), text).into_iter().map(|piece| piece.text).collect();
        assert_eq!(found, ["# Title", "", "", "See [it]."]);
    }
}
