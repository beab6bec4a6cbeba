//! The READMEs match the tool and the examples.

mod common;

use std::path::{Path, PathBuf};

use common::{tandem, write};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Name and folder of every example.
fn examples() -> Vec<(String, PathBuf)> {
    let folders =
        std::fs::read_dir(root().join("examples")).expect("examples").map(|entry| entry.expect("one").path());
    let mut examples: Vec<(String, PathBuf)> = folders
        .filter(|folder| folder.join("tandem.yaml").exists())
        .map(|folder| (folder.file_name().expect("a name").to_string_lossy().into_owned(), folder))
        .collect();
    examples.sort();
    assert!(examples.len() > 5, "{examples:?}");
    examples
}

#[test]
fn diagrams_of_examples_are_those_that_graph_makes() {
    for (name, folder) in examples() {
        let graph = tandem(&folder, &["graph"]).expect(0).stdout;
        let readme = text(&folder.join("README.md"));
        assert!(
            readme.contains(&format!("```mermaid\n{graph}```")),
            "the diagram in examples/{name}/README.md differs from `tandem graph`:\n{graph}"
        );
    }
}

#[test]
fn the_first_spec_in_readme_creates_the_objects_that_it_states() {
    let readme = text(&root().join("README.md"));
    let (before, _) = readme.split_once("```yaml\n").expect("a spec");
    let stated = before.rsplit_once(" AWS objects").and_then(|(text, _)| text.rsplit(' ').next());
    let run = tandem(&root().join("examples/video-thumbnailer"), &["check"]).expect(0);
    let counted = format!("{} AWS objects", stated.expect("`N AWS objects`"));
    assert!(run.stderr.contains(&counted), "README states {counted}:\n{}", run.stderr);
}

#[test]
fn the_page_of_the_spec_is_true() {
    let page = text(&root().join("docs/guides/spec.md"));
    let (_, rest) = page.split_once("```yaml\n").expect("a spec");
    let (spec, _) = rest.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "tandem.yaml", spec);
    tandem(folder.path(), &["check"]).expect(0);
    for definition in tandem_model::composites::ALL {
        let row = format!(
            "| `{}` | [`tandem_{name}`](../resources/{name}.md) |",
            tandem::spec::section(definition),
            name = definition.type_name
        );
        assert!(page.contains(&row), "no row {row}");
    }
    // The page shows the signature of every handler function in the templates.
    let mut signatures = 0;
    for template in std::fs::read_dir(root().join("codegen/templates/handler")).expect("templates") {
        let template = text(&template.expect("a template").path());
        let whole = template.replace("{{#unless launches}}_{{/unless}}", "");
        for line in whole.lines().filter(|line| line.starts_with("pub async fn on_")) {
            let signature = line.trim_end_matches(" {");
            assert!(page.contains(&format!("`{signature}`")), "no {signature}");
            signatures += 1;
        }
    }
    assert_eq!(signatures, 9);
}

/// Counts the lines of a file that are neither blank nor comments.
fn lines(path: &Path) -> usize {
    let text = text(path);
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("//")).count()
}

#[test]
fn lines_are_as_many_as_the_comparison_says() {
    let page = text(&root().join("docs/guides/comparison.md"));
    for (name, folder) in examples() {
        let mut handlers: Vec<usize> = std::fs::read_dir(folder.join("handlers"))
            .into_iter()
            .flatten()
            .map(|entry| entry.expect("one").path().join("src/handler.rs"))
            .filter(|file| file.exists())
            .map(|file| lines(&file))
            .collect();
        handlers.sort_by(|a, b| b.cmp(a));
        let handlers = match handlers[..] {
            [] => "-".to_owned(),
            [first, _, ..] if handlers.iter().all(|lines| *lines == first) => {
                format!("{} × {first}", handlers.len())
            }
            _ => handlers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + "),
        };
        let dockerfile = folder.join("container/Dockerfile");
        let dockerfile = if dockerfile.exists() { lines(&dockerfile).to_string() } else { "-".to_owned() };
        let row = format!("| {name} | {} | {handlers} | {dockerfile} |", lines(&folder.join("tandem.yaml")));
        assert!(page.contains(&row), "the comparison has no row `{row}`");
    }
}
