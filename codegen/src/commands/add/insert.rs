//! Adds an entry to the text of a spec.

use serde_json::Value as Json;
use tandem::diagnostic::Diagnostic;
use tandem::source::{self, Kind, Node, Source};
use tandem::spec::{section, singular};
use tandem_model::composite::Definition;
use tandem_model::value::Value;

/// A value in YAML's flow style.
fn flow(value: &Json) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", joined(items.iter().map(flow).collect())),
        Json::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Json::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{}: {}", quoted(key), flow(value)));
            format!("{{ {} }}", joined(entries.collect()))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    if !text.is_empty()
        && text.chars().all(safe)
        && matches!(source::parse(text).map(|node| node.kind), Ok(Kind::Text(_)))
    {
        text.to_owned()
    } else {
        Json::from(text).to_string()
    }
}

/// The text of the spec with one more entry. All other bytes are kept, including comments.
pub(super) fn insert(
    source: &Source,
    definition: &Definition,
    name: &str,
    inputs: &[(&str, Json)],
) -> Result<String, String> {
    let damaged = |diagnostic: Diagnostic| {
        format!("{}: {}. Run `tandem check` for the position", source.path.display(), diagnostic.message)
    };
    let root = source::parse(&source.text).map_err(damaged)?;
    let section = section(definition);
    if root.get(&section).is_some_and(|pair| pair.value.get(name).is_some()) {
        return Err(format!("a {} `{name}` already exists. Pass another name", singular(definition)));
    }
    let text = place(&source.text, &root, &section, name, inputs);
    // YAML has forms that `place` does not handle: make sure that nothing else has changed.
    let mut expected = root.to_value();
    let entry = Value::map(inputs.iter().map(|(key, value)| (*key, Value::from(value))));
    if let Value::Map(sections) = &mut expected {
        let entries = sections.entry(section.clone()).or_insert(Value::Null);
        if entries.is_null() {
            *entries = Value::map::<&str>([]);
        }
        if let Value::Map(entries) = entries {
            entries.insert(name.to_owned(), entry);
        }
    }
    match source::parse(&text) {
        Ok(found) if found.to_value() == expected => Ok(text),
        _ => Err(format!(
            "`tandem add` cannot edit the layout of {}. Add this to `{section}` yourself:\n{}",
            source.path.display(),
            block(name, inputs, "  ", "\n")
        )),
    }
}

fn block(name: &str, inputs: &[(&str, Json)], indent: &str, newline: &str) -> String {
    if inputs.is_empty() {
        return format!("{indent}{name}: {{}}{newline}");
    }
    let inputs = inputs.iter().map(|(key, value)| format!("{indent}  {key}: {}{newline}", flow(value)));
    format!("{indent}{name}:{newline}{}", inputs.collect::<String>())
}

fn place(text: &str, root: &Node, section: &str, name: &str, inputs: &[(&str, Json)]) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let block = |indent: &str| block(name, inputs, indent, newline);
    let one_line = || {
        let inputs: Vec<String> = inputs.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        if inputs.is_empty() {
            format!("\"{name}\": {{}}")
        } else {
            format!("\"{name}\": {{ {} }}", inputs.join(", "))
        }
    };
    let mut whole = text.to_owned();
    let into_flow = |whole: &mut String, node: &Node, what: String| {
        // Insert after the existing content, before the closing brace.
        let close = flow_end(text, node).saturating_sub(1);
        let at = text[..close].trim_end().len();
        let comma = if node.pairs().is_empty() { " " } else { ", " };
        let after = if text[at..close].is_empty() { " " } else { "" };
        whole.insert_str(at, &format!("{comma}{what}{after}"));
    };
    let Some(pair) = root.get(section) else {
        if text[root.span.start.min(text.len())..].starts_with('{') {
            into_flow(&mut whole, root, format!("\"{section}\": {{ {} }}", one_line()));
            return whole;
        }
        if !whole.ends_with('\n') {
            whole.push_str(newline);
        }
        return format!("{whole}{section}:{newline}{}", block("  "));
    };
    match (&pair.value.kind, pair.value.pairs().last()) {
        (Kind::Map(_), _) if text[pair.value.span.start..].starts_with('{') => {
            into_flow(&mut whole, &pair.value, one_line());
        }
        (Kind::Map(_), Some(last)) => {
            let start = text[..last.key_span.start].rfind('\n').map_or(0, |at| at + 1);
            let indent = &text[start..last.key_span.start];
            let mut at = line_end(text, content_end(text, &last.value).max(last.key_span.end));
            // Comments that are indented deeper than the entry's name belong to the entry.
            while let Some(line) = text[at..].split_inclusive('\n').next() {
                let own = line.len() - line.trim_start().len() > indent.len();
                if !(own && line.trim_start().starts_with('#')) {
                    break;
                }
                at += line.len();
            }
            if !text[..at].ends_with('\n') {
                whole.insert_str(at, newline);
                at += newline.len();
            }
            whole.insert_str(at, &block(indent));
        }
        _ => {
            // `functions:` without a value, or with an explicit null, e.g. `~`.
            whole.replace_range(
                pair.value.span.start.max(pair.key_span.end)..pair.value.span.end.max(pair.key_span.end),
                "",
            );
            let mut at = line_end(&whole, pair.key_span.end);
            if !whole[..at].ends_with('\n') {
                whole.push_str(newline);
                at = whole.len();
            }
            whole.insert_str(at, &block("  "));
        }
    }
    whole
}

/// The end of the content of a node. The span of a block reaches to the start of the next token.
fn content_end(text: &str, node: &Node) -> usize {
    let end = match &node.kind {
        _ if text[node.span.start..].starts_with(['{', '[']) => flow_end(text, node),
        Kind::Map(pairs) => pairs
            .iter()
            .map(|pair| content_end(text, &pair.value).max(pair.key_span.end))
            .max()
            .unwrap_or(node.span.end),
        Kind::List(items) => items.iter().map(|item| content_end(text, item)).max().unwrap_or(node.span.end),
        Kind::Null => node.span.start,
        _ => node.span.end,
    };
    text[..end].trim_end().len()
}

/// The end of a value in braces or brackets. Its span can reach to the start of the next token.
fn flow_end(text: &str, node: &Node) -> usize {
    text[..node.span.end].rfind(['}', ']']).map_or(node.span.end, |at| at + 1)
}

/// The start of the next line, or the end of the text.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tandem::spec::meant;

    use super::*;

    fn added(text: &str) -> String {
        let source = Source { path: "tandem.yaml".into(), text: text.to_owned() };
        let inputs = [("on", json!({ "bucket": "inbox", "suffix": ".a" }))];
        insert(&source, meant("function").unwrap(), "two", &inputs).unwrap()
    }

    #[test]
    fn entries_are_added_to_any_spec() {
        const TWO: &str = "  two:\n    on: { bucket: inbox, suffix: .a }\n";
        for (before, after) in [
            ("", ""),
            ("functions:\n  one: {}\n", ""),
            ("functions:\n  one: {}", "\n"),
            ("functions:\n  one:\n    description: |\n      a\n      b\n", ""),
            ("functions:\n  one: { # why\n    timeout: 3 }\n", ""),
            ("functions: # ours\n", ""),
        ] {
            let text = format!("app: a\n{before}");
            let section = if before.is_empty() { "functions:\n" } else { "" };
            assert_eq!(added(&text), format!("{text}{after}{section}{TWO}"));
        }
        // A comment stays with its entry.
        let text = "app: a\nfunctions:\n  one:\n    timeout: 3\n    # more of one\n\n# of the buckets\nbuckets: {}\n";
        let expected = text.replace("more of one\n", &format!("more of one\n{TWO}"));
        assert_eq!(added(text), expected);
        for text in [
            "{ \"app\": \"a\" }",
            "{ \"app\": \"a\", \"functions\": {} }",
            "{\n  \"app\": \"a\",\n  \"functions\": {\n    \"one\": {}\n  }\n}\n",
            "app: a\nfunctions: ~\nbuckets: {}\n",
            "app: a\nfunctions: {}\nbuckets: {}\n",
            "app: a\nfunctions:\nbuckets: {}\n",
            "app: a\r\nfunctions:\r\n  one: {}\r\n",
        ] {
            // `insert` itself checks that nothing else has changed.
            added(text);
        }
    }

    #[test]
    fn an_entry_without_inputs_is_an_empty_map() {
        for (text, expected) in [
            ("app: a\n", "app: a\nbuckets:\n  inbox: {}\n"),
            ("app: a\nbuckets:\n  one: {}\n", "app: a\nbuckets:\n  one: {}\n  inbox: {}\n"),
            ("{ \"app\": \"a\" }", "{ \"app\": \"a\", \"buckets\": { \"inbox\": {} } }"),
        ] {
            let source = Source { path: "tandem.yaml".into(), text: text.to_owned() };
            let found = insert(&source, meant("bucket").unwrap(), "inbox", &[]).unwrap();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn values_are_written_in_flow_style() {
        for (value, expected) in [
            (json!({}), "{}"),
            (json!("cron(0 3,4 * * ? *)"), "\"cron(0 3,4 * * ? *)\""),
            (json!({ "queue": "q", "batch_size": 5 }), "{ batch_size: 5, queue: q }"),
            (
                json!({ "prefix": "2024", "names": ["a", "true", true] }),
                "{ names: [a, \"true\", true], prefix: \"2024\" }",
            ),
        ] {
            assert_eq!(flow(&value), expected);
        }
    }
}
