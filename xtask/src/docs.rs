//! `docs/` in the registry's layout: pages of resources from the schema of the provider, the page of all codes
//! from `tandem explain`, and the list of guides.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use tandem_testkit::environment::root;
use tandem_testkit::terraform::Terraform;

use crate::build::build_all;
use crate::step::{Result, step};

/// Builds the provider and writes its pages, or checks that they are up to date.
pub(crate) fn run(check: bool) -> Result {
    build_all()?;
    write(check)
}

/// Checks that the pages are those of the provider that is built.
pub(crate) fn check() -> Result {
    step("Pages of the documentation", || write(true))
}

fn write(check: bool) -> Result {
    let pages = pages()?;
    let mut stale = Vec::new();
    for (path, text) in &pages {
        let path = root().join("docs").join(path);
        if std::fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        stale.push(path.clone());
        if !check {
            std::fs::create_dir_all(path.parent().ok_or("a folder")?)?;
            std::fs::write(path, text)?;
        }
    }
    for path in written()? {
        let page = path.strip_prefix(root().join("docs"))?.to_owned();
        if !pages.contains_key(&page) {
            stale.push(path.clone());
            if !check {
                std::fs::remove_file(path)?;
            }
        }
    }
    if !check || stale.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = stale.iter().map(|path| format!("  {}", path.display())).collect();
    Err(format!("these pages are out of date:\n{}\nRun `cargo xtask docs`.", list.join("\n")).into())
}

/// Generated pages that exist.
fn written() -> Result<Vec<PathBuf>> {
    let folder = root().join("docs/resources");
    let mut found = Vec::new();
    if folder.exists() {
        for entry in std::fs::read_dir(folder)? {
            found.push(entry?.path());
        }
    }
    Ok(found)
}

fn pages() -> Result<BTreeMap<PathBuf, String>> {
    let terraform = Terraform::new(&[])?;
    terraform.write(
        "main.tf.json",
        r#"{"terraform":{"required_providers":{"tandem":{"source":"tandem/tandem"}}}}"#,
    );
    let run = terraform.run(&["providers", "schema", "-json"]);
    let json = run.text.lines().find(|line| line.starts_with('{')).ok_or_else(|| run.text.clone())?;
    let schemas: Json = serde_json::from_str(json)?;
    let provider = &schemas["provider_schemas"]["registry.terraform.io/tandem/tandem"];
    let mut pages = BTreeMap::new();
    let resources = provider["resource_schemas"].as_object().ok_or("resources")?;
    let mut list = guides()?;
    list.push_str("\n## Resources\n\n");
    for (name, schema) in resources {
        let _ = writeln!(list, "- [`{name}`](resources/{}.md): {}", short(name), summary(&schema["block"]));
    }
    list.push_str(ALL_RESOURCES);
    let index = page(
        "tandem Provider",
        &provider["provider"]["block"],
        &read("examples/provider/provider.tf")?,
        &list,
    );
    pages.insert(PathBuf::from("index.md"), index);
    for (path, write) in GENERATED {
        pages.insert(PathBuf::from(path), write());
    }
    for (name, schema) in resources {
        let example = read(&format!("examples/resources/{name}/resource.tf"))?;
        let import = format!(
            "\n## Import\n\n{IMPORT}\n```terraform\nimport {{\n  to = {name}.it\n  id = \"NAME\"\n}}\n```\n\n\
             ```shell\nterraform import {name}.it NAME\n```\n"
        );
        pages.insert(
            Path::new("resources").join(format!("{}.md", short(name))),
            page(&format!("{name} (Resource)"), &schema["block"], &example, &import),
        );
    }
    Ok(pages)
}

/// Writes a page.
type Write = fn() -> String;

/// The generated guides.
const GENERATED: &[(&str, Write)] = &[("guides/codes.md", codes), ("guides/doubts.md", doubts)];

/// The page of questions that only an account of AWS can answer.
fn doubts() -> String {
    let mut page = String::from(
        "---\npage_title: \"Doubts\"\ndescription: |-\n  Questions about AWS that neither its documentation nor its \
         published models answer, and the behavior of Tandem until an account has answered them.\n---\n\n# Doubts\n\nTests \
         judge each call of Tandem with the models that AWS publishes. Some questions remain, which only a real account \
         can answer. `cargo xtask aws-doubts --yes`, in a clone of the repository, asks them with the command line of \
         AWS: it makes a few small objects, removes them, and prints a table of the answers.\n\n| doubt | question | \
         until it is answered |\n| --- | --- | --- |\n",
    );
    for doubt in crate::doubts::DOUBTS {
        let _ = writeln!(page, "| {} | {} | {} |", doubt.name, doubt.question, doubt.today);
    }
    page
}

/// The page of all codes, from the pages of `tandem explain`.
fn codes() -> String {
    format!(
        "---\npage_title: \"Codes\"\ndescription: |-\n  Every code that the provider and tandem print: findings with \
         a wrong and a right example, and problems of an operation with a remedy.\n---\n\n# Codes\n\nThe provider \
         and `tandem` print a code with each finding about inputs, e.g. TDM022. From TDM101 on, the codes report \
         problems of an operation: a plan, an apply, a destroy, an import or a sweep. `tandem explain TDM022` prints \
         the page of one code.\n{}",
        tandem::explain::guide()
    )
}

/// The list of all guides, from their titles and descriptions.
fn guides() -> Result<String> {
    let mut list = String::from("\n## Guides\n\n");
    let mut names: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(root().join("docs/guides"))? {
        names.push(entry?.path());
    }
    names.extend(GENERATED.iter().map(|(path, _)| root().join("docs").join(path)));
    names.sort();
    names.dedup();
    for path in names {
        let generated = GENERATED.iter().find(|(page, _)| path.ends_with(page));
        let text = match generated {
            Some((_, write)) => write(),
            None => std::fs::read_to_string(&path)?,
        };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut lines = text.lines();
        let title = lines.find_map(|line| line.strip_prefix("page_title: "));
        let description = lines.skip_while(|line| !line.starts_with("description:")).nth(1);
        let (Some(title), Some(description)) = (title, description) else {
            return Err(format!("docs/guides/{name} has no `page_title` and `description`").into());
        };
        let _ = writeln!(list, "- [{}](guides/{name}): {}", title.trim_matches('"'), description.trim());
    }
    Ok(list)
}

/// The text about all resources on the page of the provider.
const ALL_RESOURCES: &str = "
Each resource creates and owns several AWS objects. Their names consist of the project, the name and a role, e.g. `shop-prod-notice--dead-letters`; long names are cut and end in a hash. `components` shows every object with its settings. `drift` lists differences between the state and AWS. A change updates objects in place where AWS allows it. Objects that contain data are replaced or deleted only with `force_destroy`; streams have no such input.
";

/// The text about imports on every page.
const IMPORT: &str = "\
The id is the name, or `PROJECT/REGION/TYPE/NAME` with the project and region of the provider. Only a complete composite that Tandem created can be imported. The import reads settings back from AWS. Settings that AWS does not report, e.g. paths of code and `force_destroy`, come from the configuration: an apply of the configuration that was applied last changes nothing in AWS. The guide [Recovery](../guides/recovery.md) shows each case.
";

/// The name of a resource without the prefix of the provider.
fn short(name: &str) -> &str {
    name.strip_prefix("tandem_").unwrap_or(name)
}

/// The first line of a description.
fn summary(block: &Json) -> &str {
    block["description"].as_str().unwrap_or_default().lines().next().unwrap_or_default()
}

fn read(path: &str) -> Result<String> {
    Ok(std::fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))?)
}

fn page(title: &str, block: &Json, example: &str, import: &str) -> String {
    let description = block["description"].as_str().unwrap_or_default();
    let first = summary(block);
    let mut text = format!(
        "---\npage_title: {title:?}\ndescription: |-\n  {first}\n---\n\n# {title}\n\n{description}\n\n\
         ## Example Usage\n\n```terraform\n{example}```\n\n## Schema\n"
    );
    let mut nested = Vec::new();
    write_block(&mut text, block, "", "###", &mut nested);
    let mut next = 0;
    while next < nested.len() {
        let (path, block): (String, Json) = nested[next].clone();
        let _ = write!(
            text,
            "\n<a id=\"nested--{}\"></a>\n### Nested Schema for `{path}`\n",
            path.replace('.', "--")
        );
        write_block(&mut text, &block, &format!("{path}."), "####", &mut nested);
        next += 1;
    }
    text.push_str(import);
    text
}

fn write_block(
    text: &mut String,
    block: &Json,
    prefix: &str,
    heading: &str,
    nested: &mut Vec<(String, Json)>,
) {
    let none = serde_json::Map::new();
    let attributes = block["attributes"].as_object().unwrap_or(&none);
    let blocks = block["block_types"].as_object().unwrap_or(&none);
    let flag = |value: &Json, name: &str| value[name] == true;
    for (title, choose) in [
        ("Required", &(|value: &Json| flag(value, "required")) as &dyn Fn(&Json) -> bool),
        ("Optional", &|value| flag(value, "optional")),
        ("Read-Only", &|value| flag(value, "computed") && !flag(value, "optional")),
    ] {
        let mut lines = Vec::new();
        for (name, value) in attributes.iter().filter(|(_, value)| choose(value)) {
            let kind = type_name(&value["type"]);
            let sensitive = if flag(value, "sensitive") { ", Sensitive" } else { "" };
            let description = value["description"].as_str().unwrap_or_default();
            lines.push(format!("- `{name}` ({kind}{sensitive}) {description}"));
        }
        for (name, value) in blocks {
            let required = value["min_items"].as_i64().unwrap_or(0) > 0;
            if (title == "Required") != required || title == "Read-Only" {
                continue;
            }
            let path = format!("{prefix}{name}");
            let description = value["block"]["description"].as_str().unwrap_or_default();
            let single = value["nesting_mode"] == "single";
            let kind = if single { "Block" } else { "Block List" };
            let anchor = path.replace('.', "--");
            lines.push(format!("- `{name}` ({kind}) {description} (see [below](#nested--{anchor}))"));
            if !nested.iter().any(|(known, _)| *known == path) {
                nested.push((path, value["block"].clone()));
            }
        }
        if !lines.is_empty() {
            let _ = write!(text, "\n{heading} {title}\n\n{}\n", lines.join("\n"));
        }
    }
}

fn type_name(kind: &Json) -> String {
    match kind {
        Json::String(name) => {
            let mut name = name.clone();
            name.replace_range(..1, &name[..1].to_uppercase());
            name
        }
        Json::Array(parts) => {
            let outer = type_name(&parts[0]);
            match &parts[1] {
                Json::Object(_) => outer,
                inner => format!("{outer} of {}", type_name(inner)),
            }
        }
        _ => "Any".to_owned(),
    }
}
