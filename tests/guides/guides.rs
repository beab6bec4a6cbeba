//! One test per guide, and tests of all pages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tandem_testkit::environment::root;

use crate::page::{Fault, Page};
use crate::run;

/// The folder of the guides.
const GUIDES: &str = "docs/guides";

fn read(path: &str) -> Result<Page, Vec<Fault>> {
    let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page::parse(path, text)
}

pub(crate) fn shown(faults: &[Fault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    format!("\n{}\n", faults.join("\n\n"))
}

/// Runs a page.
fn run_page(path: &str) {
    let page = read(path).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    if let Err(fault) = run::run(&page) {
        panic!("\n{fault}\n");
    }
}

macro_rules! guides {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { run_page(&format!("{GUIDES}/{}.md", $name)); })*

        #[test]
        fn every_guide_has_a_test() {
            let tested: BTreeSet<String> = [$(format!("{GUIDES}/{}.md", $name)),*].into();
            assert_eq!(tested, guides().into_iter().collect());
        }
    };
}

guides! {
    ci "ci"
    codes "codes"
    comparison "comparison"
    doubts "doubts"
    existing_repository "existing-repository"
    getting_started_generator "getting-started-generator"
    getting_started_provider "getting-started-provider"
    not_covered "not-covered"
    recovery "recovery"
    reliability "reliability"
    security "security"
    spec "spec"
    tested "tested"
}

/// The pages of a folder.
fn pages(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let is_page = |name: &String| Path::new(name).extension().is_some_and(|extension| extension == "md");
    let mut pages: Vec<String> = names.filter(is_page).map(|name| format!("{folder}/{name}")).collect();
    pages.sort();
    pages
}

fn guides() -> Vec<String> {
    pages(GUIDES)
}

/// The READMEs of the repository and of its examples.
fn readmes() -> Vec<String> {
    let mut readmes = vec!["README.md".to_owned()];
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join("examples"))
        .expect("examples")
        .map(|entry| entry.expect("an example").path())
        .collect();
    folders.sort();
    for folder in folders.iter().filter(|folder| folder.join("README.md").exists()) {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        readmes.push(format!("examples/{name}/README.md"));
    }
    assert!(readmes.len() > 5, "{readmes:?}");
    readmes
}

#[test]
fn every_block_has_a_directive() {
    let pages = guides().into_iter().chain(readmes());
    let faults: Vec<Fault> = pages.filter_map(|path| read(&path).err()).flatten().collect();
    assert!(faults.is_empty(), "{}", shown(&faults));
}

#[test]
fn readmes_are_true() {
    let pages: Vec<Page> = readmes().iter().filter_map(|path| read(path).ok()).collect();
    let faults: Vec<Fault> = pages.iter().filter_map(|page| run::run(page).err()).collect();
    assert!(faults.is_empty(), "{}", shown(&faults));
}

/// The registry shows the title and the description of a page.
#[test]
fn every_guide_has_front_matter() {
    for path in guides() {
        let text = std::fs::read_to_string(root().join(&path)).expect("a guide");
        let front = text.strip_prefix("---\npage_title: \"").and_then(|rest| rest.split_once("\n---\n"));
        let Some((front, rest)) = front else { panic!("{path} does not start with front matter") };
        let (title, description) = front.split_once("\"\ndescription: |-\n  ").unwrap_or_default();
        assert!(!title.is_empty(), "{path} has no `page_title`");
        assert!(
            description.ends_with('.') && !description.contains('\n'),
            "{path}: one sentence as `description`"
        );
        let mut lines = rest.lines().filter(|line| !line.is_empty() && !line.starts_with("<!--"));
        assert!(
            lines.next().is_some_and(|line| line.starts_with("# ")),
            "{path} does not start with a title"
        );
    }
}

/// The anchor that Markdown gives a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// The targets of the links of a page, outside of blocks and code.
fn links(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut block) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        block ^= line.trim_start().starts_with("```");
        if block {
            continue;
        }
        // Every second part is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| (number + 1, target.to_owned())));
    }
    found
}

#[test]
fn links_lead_somewhere() {
    let more = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/checks.md",
        "docs/decisions.md",
        "docs/index.md",
        "docs/STYLE.md",
    ]
    .map(ToOwned::to_owned);
    let mut broken = Vec::new();
    for path in guides().into_iter().chain(readmes()).chain(pages("docs/resources")).chain(more) {
        let text = std::fs::read_to_string(root().join(&path)).expect("a page");
        for (line, target) in links(&text) {
            if target.contains("://") {
                continue;
            }
            let (file, wanted) = target.split_once('#').unwrap_or((&target, ""));
            let to = root().join(&path);
            let to = if file.is_empty() { to } else { to.parent().expect("a folder").join(file) };
            let there = match (to.exists(), wanted) {
                (exists, "") => exists,
                (false, _) => false,
                (true, wanted) => {
                    let text = std::fs::read_to_string(&to).unwrap_or_default();
                    let headings = text.lines().filter(|line| line.starts_with('#'));
                    headings.map(anchor).any(|anchor| anchor == wanted)
                        || text.contains(&format!("<a id=\"{wanted}\">"))
                }
            };
            if !there {
                broken.push(format!("{path}:{line}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}
