//! `tandem add`, for every composite.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Run, read, tandem, write};
use serde_json::{Map, Value as Json};
use tandem::source::parse;
use tandem::spec::{section, singular, words};
use tandem_model::composite::Definition;
use tandem_model::composites::ALL;
use tandem_model::input::{Field, Shape};

const BEFORE: &str = "# Ours.\napp: shop # why\n\nx-defaults: { a: 1 }\n";

/// The inputs of a fixture, without the name.
fn fixture(definition: &Definition) -> Map<String, Json> {
    let file = format!("../tests/fixtures/{}.json", definition.type_name);
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a fixture");
    let fixture: Json = serde_json::from_str(&text.replace("ACCOUNT", "123456789012")).expect("JSON");
    let mut inputs = fixture["inputs"].as_object().expect("inputs").clone();
    inputs.remove("name");
    inputs
}

/// The arguments that set an input: options of lists, and `--set` with dotted names.
fn arguments(field: &Field, value: &Json) -> Vec<String> {
    match (&field.shape, value) {
        (Shape::List(_) | Shape::Blocks(_), Json::Array(items)) => {
            items.iter().map(|item| format!("--{}={}", field.name.replace('_', "-"), plain(item))).collect()
        }
        _ => set(field.name, value),
    }
}

fn set(path: &str, value: &Json) -> Vec<String> {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            entries.iter().flat_map(|(name, value)| set(&format!("{path}.{name}"), value)).collect()
        }
        value => vec!["--set".to_owned(), format!("{path}={}", plain(value))],
    }
}

/// A string without quotes. JSON of any other value is YAML.
fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn add(folder: &Path, word: &str, arguments: &[String]) -> Run {
    let mut all = vec!["add", word, "added", "--color", "never"];
    all.extend(arguments.iter().map(String::as_str));
    tandem(folder, &all)
}

#[test]
fn every_input_of_every_composite_can_be_set() {
    for definition in ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        write(at, "tandem.yaml", BEFORE);
        let expected = fixture(definition);
        let fields = (definition.fields)();
        let field = |name: &str| fields.iter().find(|field| field.name == name).expect("an input");
        let arguments: Vec<String> =
            expected.iter().flat_map(|(name, value)| arguments(field(name), value)).collect();
        add(at, &singular(definition), &arguments).expect(0);
        let text = read(at, "tandem.yaml");
        assert!(text.starts_with(BEFORE), "{text}");
        let root = parse(&text).expect("YAML").to_value();
        let found = root.get(&section(definition)).get("added");
        for (name, expected) in &expected {
            // A single block needs no list.
            let expected = match (&field(name).shape, expected) {
                (Shape::Blocks(_), Json::Array(blocks)) if blocks.len() == 1 => &blocks[0],
                _ => expected,
            };
            assert_eq!(
                found.get(name).to_json().as_ref(),
                Some(expected),
                "{name} of {}",
                definition.type_name
            );
        }
        tandem(at, &["check"]).expect(0);
        tandem(at, &["generate", "--check"]).expect(0);
    }
}

/// An entry without inputs has the findings that `tandem check` reports for it.
#[test]
fn a_missing_input_leaves_the_spec_unchanged() {
    let mut refused = Vec::new();
    for definition in ALL {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let (word, section) = (singular(definition), section(definition));
        write(at, "by-hand.yaml", &format!("{BEFORE}{section}:\n  added: {{}}\n"));
        let by_hand = tandem(at, &["--file", "by-hand.yaml", "check", "--color", "never"]);
        write(at, "tandem.yaml", BEFORE);
        let run = add(at, &word, &[]);
        assert_eq!(run.code, by_hand.code, "{word}: {}", run.stderr);
        if run.code == Some(0) {
            assert_eq!(read(at, "tandem.yaml"), read(at, "by-hand.yaml"));
        } else {
            assert_eq!(run.stderr, by_hand.stderr.replace("by-hand.yaml", "tandem.yaml with `added`"));
            assert_eq!(read(at, "tandem.yaml"), BEFORE);
            refused.push(word);
        }
    }
    assert_eq!(refused, ["task", "queue_group", "table", "thumbnailer", "workflow"]);
}

#[test]
fn types_have_several_words() {
    for definition in ALL {
        for word in words(definition) {
            let folder = tempfile::tempdir().expect("a folder");
            write(folder.path(), "tandem.yaml", "app: shop\n");
            let run =
                tandem(folder.path(), &["add", &word, "added", "--set", "nonsense-nonsense=1"]).expect(2);
            let expected = format!("`nonsense-nonsense` is not an input of `{}`", section(definition));
            assert!(run.stderr.contains(&expected), "{word}: {}", run.stderr);
            assert_eq!(read(folder.path(), "tandem.yaml"), "app: shop\n");
        }
    }
}

#[test]
fn an_entry_is_added_as_a_user_writes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(
        at,
        "tandem.yaml",
        "app: shop\nbuckets:\n  inbox: {} # uploads\ntasks:\n  ffmpeg: { image: x }\n# The end.\n",
    );
    let arguments = ["add", "function", "notify", "--on", "bucket=inbox,suffix=.mp4", "--launches", "ffmpeg"];
    let run = tandem(at, &arguments).expect(0);
    assert!(run.stderr.starts_with("added notify to tandem.yaml\n"), "{}", run.stderr);
    tandem(at, &["add", "table", "routes", "--set", "key=id"]).expect(0);
    tandem(at, &["add", "bucket", "outbox"]).expect(0);
    assert_eq!(
        read(at, "tandem.yaml"),
        "app: shop\nbuckets:\n  inbox: {} # uploads\n  outbox: {}\ntasks:\n  ffmpeg: { image: x }\n# The end.\n\
         functions:\n  notify:\n    on: { bucket: inbox, suffix: .mp4 }\n    launches: [ffmpeg]\n\
         tables:\n  routes:\n    key: id\n"
    );
    assert!(at.join("handlers/notify/src/handler.rs").exists());
    let again = tandem(at, &arguments).expect(2);
    assert!(
        again.stderr.contains("a function `notify` already exists. Pass another name"),
        "{}",
        again.stderr
    );
}

#[test]
fn help_lists_types_and_inputs() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    let help = tandem(at, &["add", "--help"]).expect(0).stdout;
    let lamda = tandem(at, &["add", "lamda", "x"]).expect(2).stderr;
    assert!(
        lamda.contains("`lamda` is not a type of entry. Did you mean `function`? Use one of: "),
        "{lamda}"
    );
    for definition in ALL {
        let word = singular(definition);
        assert!(help.contains(&format!("\n  {word} ")), "no {word} in:\n{help}");
        assert!(lamda.contains(&word), "no {word} in {lamda}");
        let help = tandem(at, &["add", &word, "--help"]).expect(0).stdout;
        assert!(help.contains(&format!("Example:\n  tandem add {word} NAME")), "{help}");
        for field in (definition.fields)().iter().filter(|field| field.name != "name") {
            assert!(help.contains(&format!("\n  {} ", field.name)), "no {} in:\n{help}", field.name);
        }
    }
    // The examples run.
    write(at, "tandem.yaml", "app: shop\nbuckets: { inbox: {} }\n");
    let examples = help.lines().map(str::trim).filter(|line| line.starts_with("tandem add "));
    let examples: Vec<&str> = examples.collect();
    assert!(examples.len() >= 5, "{help}");
    for example in examples {
        let program = Path::new(env!("CARGO_BIN_EXE_tandem")).parent().expect("a folder");
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        let command = example.split("  ").next().unwrap_or_default();
        let run = Command::new("sh").args(["-c", command]).current_dir(at).env("PATH", path).output();
        Run::from(run.expect("a shell")).expect(0);
    }
}
