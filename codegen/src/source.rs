//! Parses the YAML of a spec into nodes with positions.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use tandem_model::finding::{Code, Path, Step};
use tandem_model::value::Value;

use crate::diagnostic::Diagnostic;

pub use crate::text::{Source, Span};

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Place in the text.
    pub span: Span,
    /// Value.
    pub kind: Kind,
}

/// The value of a node.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Null, or no value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its decimal text.
    Number(String),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text.
    Map(Vec<Pair>),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Key.
    pub key: String,
    /// Place of the key.
    pub key_span: Span,
    /// Value.
    pub value: Node,
}

impl Node {
    /// An entry of a map.
    pub fn get(&self, key: &str) -> Option<&Pair> {
        match &self.kind {
            Kind::Map(pairs) => pairs.iter().find(|pair| pair.key == key),
            _ => None,
        }
    }

    /// The entries of a map; empty for every other value.
    pub fn pairs(&self) -> &[Pair] {
        match &self.kind {
            Kind::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// The value of the model without positions.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::List(items.iter().map(Node::to_value).collect()),
            Kind::Map(pairs) => {
                Value::map(pairs.iter().map(|pair| (pair.key.as_str(), pair.value.to_value())))
            }
        }
    }

    /// The place of the key at the end of a path. `None` if the path does not exist or ends in an index.
    pub fn locate_key(&self, path: &Path) -> Option<Span> {
        let (last, before) = path.0.split_last()?;
        let (Step::Field(key) | Step::Key(key)) = last else { return None };
        let mut node = self;
        for step in before {
            node = match (step, &node.kind) {
                (Step::Field(key) | Step::Key(key), Kind::Map(_)) => &node.get(key)?.value,
                (Step::Index(index), Kind::List(items)) => items.get(*index)?,
                (Step::Index(0), _) => node,
                _ => return None,
            };
        }
        Some(node.get(key)?.key_span.clone())
    }

    /// A path as the document writes it: without the index 0 of a single block that stands for a list.
    pub fn written(&self, path: &Path) -> Path {
        let mut node = Some(self);
        let mut written = Path::default();
        for step in &path.0 {
            let next = node.and_then(|node| match (step, &node.kind) {
                (Step::Field(key) | Step::Key(key), _) => node.get(key).map(|pair| &pair.value),
                (Step::Index(index), Kind::List(items)) => items.get(*index),
                (Step::Index(_), _) => Some(node),
            });
            let single = node.is_some_and(|node| !matches!(node.kind, Kind::List(_)));
            if !(single && *step == Step::Index(0)) {
                written.0.push(step.clone());
            }
            node = next;
        }
        written
    }

    /// The place of the value at the end of a path. If a field of the path is missing, the place of the last
    /// key that exists.
    pub fn locate(&self, path: &Path, own_key: &Span) -> Span {
        let mut node = self;
        let mut at = own_key.clone();
        for step in &path.0 {
            match (step, &node.kind) {
                (Step::Field(key) | Step::Key(key), Kind::Map(pairs)) => {
                    let Some(pair) = pairs.iter().find(|pair| pair.key == *key) else { return at };
                    at = pair.key_span.clone();
                    node = &pair.value;
                }
                (Step::Index(index), Kind::List(items)) => {
                    let Some(item) = items.get(*index) else { return at };
                    at = item.span.clone();
                    node = item;
                }
                // A single block is a list of one.
                (Step::Index(0), _) => {}
                _ => return at,
            }
        }
        match node.kind {
            // A map or list can be long, so its key is shown.
            Kind::Map(_) | Kind::List(_) | Kind::Null => at,
            _ => node.span.clone(),
        }
    }
}

/// Limit on nesting. A spec needs about six levels.
const MAX_DEPTH: usize = 64;

/// Limit on values after alias expansion, because nested aliases can grow exponentially.
const MAX_NODES: usize = 1_000_000;

/// Parses YAML 1.2, including JSON, with merge keys (`<<`).
pub fn parse(text: &str) -> Result<Node, Diagnostic> {
    let (node, mut faults) = parse_all(text)?;
    if faults.is_empty() { Ok(node) } else { Err(faults.swap_remove(0)) }
}

/// Parses YAML like [`parse`]. Faults that do not prevent reading the rest, e.g. a duplicate key, come with the
/// document, so that one run reports them together with all other faults.
pub fn parse_all(text: &str) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    // The parser counts positions in characters, but spans are in bytes.
    let mut offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
    offsets.push(text.len());
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        offsets,
        anchors: BTreeMap::new(),
        nodes: 0,
        faults: Vec::new(),
    };
    let node = reader.document()?;
    Ok((node, reader.faults))
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    offsets: Vec<usize>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    /// Faults that do not prevent reading the rest.
    faults: Vec<Diagnostic>,
}

fn syntax(span: Span, message: impl Into<String>, help: &str) -> Diagnostic {
    Diagnostic::error(Code::Syntax, span, message, help)
}

impl<'a> Reader<'a> {
    fn byte(&self, character: usize) -> usize {
        self.offsets[character.min(self.offsets.len() - 1)]
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                Ok((event, self.byte(span.start.index())..self.byte(span.end.index())))
            }
            Some(Err(error)) => {
                let at = self.byte(error.marker().index());
                let help = if error.info().contains("tab") {
                    "Indent with spaces in place of the tab."
                } else if error.info().contains("anchor") {
                    "Define the anchor with `&name` before its first use."
                } else {
                    "Fix the YAML here. Put a value that contains `{`, `[`, `#` or `: ` in quotes."
                };
                Err(syntax(at..at, format!("this is not valid YAML: {}", error.info()), help))
            }
            None => Ok((Event::StreamEnd, 0..0)),
        }
    }

    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = Node { span: 0..0, kind: Kind::Null };
        let mut documents = 0;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::StreamStart | Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::DocumentStart(_), span) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(syntax(
                            span,
                            "a second document starts here",
                            "Remove it: a spec is a single document.",
                        ));
                    }
                }
                (event, span) => root = self.node(event, span, 0)?,
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(syntax(
                span,
                "the document is nested too deeply, or aliases make it too large",
                "Remove levels of nesting, or aliases.",
            ));
        }
        let (kind, anchor, start) = match event {
            Event::Alias(anchor) => {
                let Some(mut node) = self.anchors.get(&anchor).cloned() else {
                    return Err(syntax(
                        span,
                        "an alias refers to a value that contains it",
                        "Write out the value in place of the alias.",
                    ));
                };
                self.nodes += count(&node);
                node.span = span;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == "str")) {
                    return Err(syntax(
                        span,
                        format!("the YAML tag `{tag}` is not supported"),
                        "Remove the tag.",
                    ));
                }
                (if plain { resolve(&text) } else { Kind::Text(text.into_owned()) }, anchor, span)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => break (Kind::List(items), anchor, span.start..end.end),
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
            }
            Event::MappingStart(anchor, _) => {
                let mut pairs: Vec<Pair> = Vec::new();
                let mut merged: Vec<Pair> = Vec::new();
                let mut merges = false;
                loop {
                    let (event, key_span) = match self.next()? {
                        (Event::MappingEnd, end) => {
                            // Keys of the map itself override merged keys, before and after `<<`.
                            for pair in merged {
                                if pairs.iter().all(|own| own.key != pair.key) {
                                    pairs.push(pair);
                                }
                            }
                            break (Kind::Map(pairs), anchor, span.start..end.end);
                        }
                        key => key,
                    };
                    let (key, quoted) = match event {
                        Event::Scalar(text, style, ..) => (text.into_owned(), style != ScalarStyle::Plain),
                        _ => {
                            return Err(syntax(
                                key_span,
                                "a key is not a string",
                                "Write a string as the key.",
                            ));
                        }
                    };
                    let (event, span) = self.next()?;
                    if key == MERGE && !quoted {
                        let value = self.node(event, span, depth + 1)?;
                        if std::mem::replace(&mut merges, true) {
                            self.faults.push(Diagnostic::error(
                                Code::DuplicateName,
                                key_span,
                                "the merge key `<<` occurs twice in one map",
                                "Write one merge key with a list: `<<: [*a, *b]`.",
                            ));
                            continue;
                        }
                        match sources(value, &key_span) {
                            Ok(pairs) => merged.extend(pairs),
                            Err(fault) => self.faults.push(fault),
                        }
                        continue;
                    }
                    if pairs.iter().any(|pair| pair.key == key) {
                        self.faults.push(Diagnostic::error(
                            Code::DuplicateName,
                            key_span,
                            format!("the key `{key}` occurs twice in one map"),
                            "Remove one of the two.",
                        ));
                        self.node(event, span, depth + 1)?;
                        continue;
                    }
                    let value = self.node(event, span, depth + 1)?;
                    pairs.push(Pair { key, key_span, value });
                }
            }
            _ => return Err(syntax(span, "a value is missing here", "Add a value.")),
        };
        let node = Node { span: start, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }
}

/// The merge key. The maps in its value are copied into the map that contains the key.
const MERGE: &str = "<<";

/// The entries that a merge copies from one map or a list of maps. The first map with a key overrides the
/// others.
fn sources(value: Node, key: &Span) -> Result<Vec<Pair>, Diagnostic> {
    let wrong = || {
        syntax(
            key.clone(),
            "a merge key `<<` has a value that is not a map",
            "Refer to a map, or a list of maps: `<<: *defaults`.",
        )
    };
    match value.kind {
        Kind::Map(pairs) => Ok(pairs),
        Kind::List(items) => {
            let mut pairs = Vec::new();
            for item in items {
                let Kind::Map(more) = item.kind else { return Err(wrong()) };
                pairs.extend(more);
            }
            Ok(pairs)
        }
        _ => Err(wrong()),
    }
}

/// Decodes a file. The error states the encoding and the fix.
pub fn decode(bytes: Vec<u8>) -> Result<String, String> {
    let utf16 = matches!(bytes.get(..2), Some([0xFF, 0xFE] | [0xFE, 0xFF]));
    if utf16 {
        return Err(
            "it is encoded as UTF-16. Save it as UTF-8 (in PowerShell: `Out-File -Encoding utf8`)".to_owned()
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        format!(
            "it is not UTF-8: byte 0x{:02X} at line {line}, column {column}. Save it as UTF-8",
            error.as_bytes()[valid]
        )
    })
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(pairs) => pairs.iter().map(|pair| count(&pair.value)).sum(),
        _ => 0,
    }
}

/// The value of a plain scalar in the core schema of YAML 1.2.
fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    // The schema allows a sign for decimals only.
    if let Some(digits) = text.strip_prefix("0x")
        && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        && let Ok(value) = i64::from_str_radix(digits, 16)
    {
        return Kind::Number(value.to_string());
    }
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    if number.starts_with(|c: char| c.is_ascii_digit()) {
        if let Ok(value) = text.parse::<i64>() {
            return Kind::Number(value.to_string());
        }
        if text.parse::<f64>().is_ok_and(f64::is_finite) {
            return Kind::Number(text.to_owned());
        }
    }
    Kind::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_text() {
        let text = "app: ü\nfunctions:\n  a: { on: { bucket: x }, timeout: 5 }\n";
        let root = parse(text).unwrap();
        let entry = &root.get("functions").unwrap().value.get("a").unwrap().value;
        let path = Path::field("timeout");
        assert_eq!(&text[entry.locate(&path, &(0..0))], "5");
        let path = Path::field("on").join(Step::Index(0)).join(Step::Field("bucket".into()));
        assert_eq!(&text[entry.locate(&path, &(0..0))], "x");
        let missing = Path::field("on").join(Step::Index(0)).join(Step::Field("suffix".into()));
        assert_eq!(&text[entry.locate(&missing, &(0..0))], "on");
    }

    #[test]
    fn plain_scalars_follow_yaml_1_2() {
        for (text, expected) in [
            ("on", Value::String("on".into())),
            ("no", Value::String("no".into())),
            ("true", Value::Bool(true)),
            ("0x10", Value::Number("16".into())),
            ("1.5", Value::Number("1.5".into())),
            ("\"1\"", Value::String("1".into())),
            ("rate(5 minutes)", Value::String("rate(5 minutes)".into())),
            ("-", Value::List(vec![Value::Null])),
        ] {
            assert_eq!(parse(text).unwrap().to_value(), expected, "{text}");
        }
        assert_eq!(
            parse("{\"a\": [1, {\"b\": null}]}").unwrap().to_value().get("a"),
            &Value::List(vec![Value::Number("1".into()), Value::map([("b", Value::Null)]),])
        );
    }

    #[test]
    fn merge_keys_copy_maps() {
        let text = "a: &a { x: 1, y: 1 }\nb: &b { y: 2, z: 2 }\nc: { y: 3, <<: *a }\n\
                    d: { <<: [*b, *a], w: 4 }\ne: { \"<<\": 5 }\n";
        let root = parse(text).unwrap().to_value();
        let number = |text: &str| Value::Number(text.into());
        let c = Value::map([("x", number("1")), ("y", number("3"))]);
        let d = Value::map([("w", number("4")), ("x", number("1")), ("y", number("2")), ("z", number("2"))]);
        assert_eq!(root.get("c"), &c);
        assert_eq!(root.get("d"), &d);
        assert_eq!(root.get("e"), &Value::map([("<<", number("5"))]));
        assert!(parse("a: { <<: 1 }").is_err());
    }

    #[test]
    fn encodings_are_named() {
        assert_eq!(decode(b"app: a".to_vec()).as_deref(), Ok("app: a"));
        assert!(decode(vec![0xFF, 0xFE, b'a', 0]).unwrap_err().contains("UTF-16"));
        let error = decode(b"app: a\nx: not\xEFce".to_vec()).unwrap_err();
        assert!(error.contains("0xEF at line 2, column 7"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_a_diagnostic() {
        let deep = "[".repeat(1000);
        let laughs = (0..9).map(|n| {
            let (own, of) = ((b'b' + n) as char, (b'a' + n) as char);
            format!("{own}: &{own} [{}]\n", vec![format!("*{of}"); 10].join(","))
        });
        let laughs = format!("a: &a [x,x,x,x,x,x,x,x,x,x]\n{}", laughs.collect::<Vec<_>>().concat());
        for text in ["a: b: c", "a: 1\na: 2", "--- 1\n--- 2", "[a", "? [a]\n: b", "a: !x b", &deep, &laughs] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
