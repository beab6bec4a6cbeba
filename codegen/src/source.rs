//! The text of a spec, and what it says with the place of everything.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use saphyr_parser::{Event, Parser, ScalarStyle};
use tandem_model::finding::{Code, Path, Step};
use tandem_model::value::Value;

use crate::diagnostic::Diagnostic;

/// A range of bytes of the text.
pub type Span = Range<usize>;

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it was read.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its decimal text.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text.
    Map(Vec<Pair>),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
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

    /// The entries of a map; none when it is something else.
    pub fn pairs(&self) -> &[Pair] {
        match &self.kind {
            Kind::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// As a value of the model.
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

    /// Where the key stands that a path ends with.
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

    /// Where a path leads; as far as it goes. A path that ends at a missing field gives the key that the
    /// field is missing under.
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
                // One block stands for a list of one.
                (Step::Index(0), _) => {}
                _ => return at,
            }
        }
        match node.kind {
            // A long map or list is shown by its key.
            Kind::Map(_) | Kind::List(_) | Kind::Null => at,
            _ => node.span.clone(),
        }
    }
}

/// Deeper than any spec.
const MAX_DEPTH: usize = 64;

/// More values than any spec has: an alias may stand for many.
const MAX_NODES: usize = 1_000_000;

/// Reads YAML, and with it JSON.
pub fn parse(text: &str) -> Result<Node, Diagnostic> {
    // The parser counts characters.
    let mut offsets: Vec<usize> = text.char_indices().map(|(offset, _)| offset).collect();
    offsets.push(text.len());
    let mut reader =
        Reader { parser: Parser::new_from_str(text), offsets, anchors: BTreeMap::new(), nodes: 0 };
    reader.document()
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    offsets: Vec<usize>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
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
                Err(syntax(
                    at..at,
                    format!("this is not YAML: {}", error.info()),
                    "Mend the text at this place.",
                ))
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
                        return Err(syntax(span, "a second document begins", "A spec is one document."));
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
                "too much is nested here",
                "A spec is flat: sections, entries, inputs.",
            ));
        }
        let (kind, anchor, start) = match event {
            Event::Alias(anchor) => {
                let Some(mut node) = self.anchors.get(&anchor).cloned() else {
                    return Err(syntax(
                        span,
                        "an alias stands inside of what it names",
                        "Write the value out.",
                    ));
                };
                self.nodes += count(&node);
                node.span = span;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && tag.suffix == "str")) {
                    return Err(syntax(span, format!("the tag `{tag}` has no meaning here"), "Remove it."));
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
                loop {
                    let (event, key_span) = match self.next()? {
                        (Event::MappingEnd, end) => break (Kind::Map(pairs), anchor, span.start..end.end),
                        key => key,
                    };
                    let key = match event {
                        Event::Scalar(text, ..) => text.into_owned(),
                        _ => return Err(syntax(key_span, "a key is not a text", "Give a plain name.")),
                    };
                    if pairs.iter().any(|pair| pair.key == key) {
                        return Err(Diagnostic::error(
                            Code::DuplicateName,
                            key_span,
                            format!("`{key}` is given twice"),
                            "Keep one of the two.",
                        ));
                    }
                    let (event, span) = self.next()?;
                    let value = self.node(event, span, depth + 1)?;
                    pairs.push(Pair { key, key_span, value });
                }
            }
            _ => return Err(syntax(span, "a value is missing here", "Give one.")),
        };
        let node = Node { span: start, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::List(items) => items.iter().map(count).sum(),
        Kind::Map(pairs) => pairs.iter().map(|pair| count(&pair.value)).sum(),
        _ => 0,
    }
}

/// What a plain scalar means in the core schema of YAML 1.2.
fn resolve(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    // Without a sign, which the schema knows for decimals alone.
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
