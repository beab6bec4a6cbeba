//! Writes Terraform files from values. A user's string is always quoted and never becomes code.

use serde_json::Value as Json;
use tandem_model::value::Value;

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Hcl {
    /// `null`
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as its decimal text.
    Number(String),
    /// A string, quoted when written.
    Text(String),
    /// A trusted expression, e.g. `var.x`. It is written as it is.
    Code(String),
    /// Strings and expressions, concatenated to one string.
    Template(Vec<Hcl>),
    /// A function call.
    Call(&'static str, Vec<Hcl>),
    /// A map's entry, by key.
    Entry(Box<Hcl>, Box<Hcl>),
    /// An attribute of an object.
    Member(Box<Hcl>, String),
    /// A list with one element for each entry of a map, over the variables `name` and `value`.
    Each(Box<Hcl>, Box<Hcl>),
    /// A product.
    Product(Vec<Hcl>),
    /// The second value if the first one is true, otherwise the third.
    If(Box<[Hcl; 3]>),
    /// A list.
    List(Vec<Hcl>),
    /// A map.
    Map(Vec<(String, Hcl)>),
}

/// The body of a file or block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The items, in order.
    pub items: Vec<Item>,
}

/// One item of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `name = expression`
    Attribute(String, Hcl),
    /// A block with its labels.
    Block(String, Vec<String>, Body),
    /// A trusted comment of one line.
    Comment(String),
}

impl Body {
    /// Adds an attribute.
    pub fn set(&mut self, name: &str, value: impl Into<Hcl>) {
        self.items.push(Item::Attribute(name.to_owned(), value.into()));
    }

    /// Adds a block.
    pub fn block(&mut self, name: &str, labels: &[&str], body: Body) {
        let labels = labels.iter().map(ToString::to_string).collect();
        self.items.push(Item::Block(name.to_owned(), labels, body));
    }

    /// Renders the body in the format of `terraform fmt`.
    pub fn render(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        let mut index = 0;
        while index < self.items.len() {
            match &self.items[index] {
                Item::Attribute(..) => {
                    let run = self.items[index..]
                        .iter()
                        .map_while(|item| match item {
                            Item::Attribute(name, value) => Some((name.clone(), value)),
                            _ => None,
                        })
                        .collect::<Vec<_>>();
                    let count = run.len();
                    if index > 0 && !matches!(self.items[index - 1], Item::Comment(_)) {
                        out.push('\n');
                    }
                    write_aligned(out, &run, depth);
                    index += count;
                }
                Item::Block(name, labels, body) => {
                    if index > 0 && !matches!(self.items[index - 1], Item::Comment(_)) {
                        out.push('\n');
                    }
                    out.push_str(&indent);
                    out.push_str(name);
                    for label in labels {
                        out.push_str(&format!(" {}", quoted(label)));
                    }
                    if body.items.is_empty() {
                        out.push_str(" {}\n");
                    } else {
                        out.push_str(" {\n");
                        body.write(out, depth + 1);
                        out.push_str(&format!("{indent}}}\n"));
                    }
                    index += 1;
                }
                Item::Comment(text) => {
                    if index > 0 {
                        out.push('\n');
                    }
                    out.push_str(&format!("{indent}# {text}\n"));
                    index += 1;
                }
            }
        }
    }
}

/// Writes attributes and aligns their equals signs like `terraform fmt`. A value of several lines ends a
/// group.
fn write_aligned(out: &mut String, attributes: &[(String, &Hcl)], depth: usize) {
    let indent = "  ".repeat(depth);
    let values: Vec<String> = attributes.iter().map(|(_, value)| value.render(depth)).collect();
    let mut start = 0;
    while start < attributes.len() {
        let end = (start..attributes.len())
            .find(|index| values[*index].contains('\n'))
            .map_or(attributes.len(), |index| index.max(start + 1));
        let width = attributes[start..end].iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
        for index in start..end {
            let name = &attributes[index].0;
            let padding = " ".repeat(width - columns(name));
            out.push_str(&format!("{indent}{name}{padding} = {}\n", values[index]));
        }
        start = end;
    }
}

/// The width of a key. Terraform counts grapheme clusters. Counting characters differs only for combining
/// characters, which are rare in keys.
fn columns(text: &str) -> usize {
    text.chars().count()
}

/// True if a string is a valid key without quotes. `for` is not: after a brace, it would begin an expression.
fn is_key(text: &str) -> bool {
    is_identifier(text) && text != "for"
}

/// True if a string is a valid identifier.
pub fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Hcl {
    /// A string, quoted when written.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A trusted expression, written as it is.
    pub fn code(code: impl Into<String>) -> Self {
        Self::Code(code.into())
    }

    /// Renders the expression at an indentation of `depth` levels.
    pub fn render(&self, depth: usize) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.clone(),
            Self::Text(text) => quoted(text),
            Self::Code(code) => code.clone(),
            Self::Template(parts) => match &parts[..] {
                [] => "\"\"".to_owned(),
                [Self::Code(code)] => code.clone(),
                parts => render_template(parts, depth),
            },
            Self::Call(name, arguments) => {
                let inline: Vec<String> = arguments.iter().map(|argument| argument.render(depth)).collect();
                // `terraform fmt` indents an object in another way after the end of one on the same line.
                if inline.iter().filter(|argument| argument.contains('\n')).count() < 2 {
                    return format!("{name}({})", inline.join(", "));
                }
                let indent = "  ".repeat(depth + 1);
                let lines: Vec<String> =
                    arguments.iter().map(|one| format!("{indent}{},\n", one.render(depth + 1))).collect();
                format!("{name}(\n{}{})", lines.concat(), "  ".repeat(depth))
            }
            Self::Entry(map, key) => format!("{}[{}]", map.render(depth), key.render(depth)),
            Self::Member(object, name) => format!("{}.{name}", object.render(depth)),
            Self::Each(map, element) => {
                format!("[for name, value in {} : {}]", map.render(depth), element.render(depth))
            }
            Self::Product(factors) => {
                let factors: Vec<String> = factors.iter().map(|factor| factor.render(depth)).collect();
                factors.join(" * ")
            }
            Self::If(parts) => {
                let [condition, then, otherwise] = &**parts;
                let [condition, then, otherwise] = [condition, then, otherwise].map(|one| one.render(depth));
                format!("{condition} ? {then} : {otherwise}")
            }
            Self::List(items) if items.is_empty() => "[]".to_owned(),
            Self::List(items) => {
                let rendered: Vec<String> = items.iter().map(|item| item.render(depth + 1)).collect();
                let line = format!("[{}]", rendered.join(", "));
                if !line.contains('\n') && line.chars().count() <= 100 {
                    return line;
                }
                let indent = "  ".repeat(depth + 1);
                let lines: Vec<String> = rendered.iter().map(|item| format!("{indent}{item},\n")).collect();
                let lines = lines.concat();
                format!("[\n{lines}{}]", "  ".repeat(depth))
            }
            Self::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Self::Map(entries) => {
                let entries: Vec<(String, &Hcl)> = entries
                    .iter()
                    .map(|(key, value)| (if is_key(key) { key.clone() } else { quoted(key) }, value))
                    .collect();
                let mut out = "{\n".to_owned();
                write_aligned(&mut out, &entries, depth + 1);
                out.push_str(&"  ".repeat(depth));
                out.push('}');
                out
            }
        }
    }

    /// Flattens a template into strings (`Ok`) and code (`Err`). Adjacent strings are joined.
    fn pieces(&self, depth: usize, pieces: &mut Vec<Result<String, String>>) {
        let text = match self {
            Self::Template(parts) => return parts.iter().for_each(|part| part.pieces(depth, pieces)),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.clone(),
            Self::Bool(value) => value.to_string(),
            other => return pieces.push(Err(other.render(depth))),
        };
        match pieces.last_mut() {
            Some(Ok(last)) => last.push_str(&text),
            _ => pieces.push(Ok(text)),
        }
    }
}

fn render_template(parts: &[Hcl], depth: usize) -> String {
    let mut pieces = Vec::new();
    parts.iter().for_each(|part| part.pieces(depth, &mut pieces));
    if let [Err(code)] = &pieces[..] {
        // A template with a single number would be a number and not a string.
        return format!("tostring({code})");
    }
    let mut out = String::from("\"");
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            // `terraform fmt` keeps the braces of a template and those of a map apart.
            Err(code) if code.starts_with('{') => out.push_str(&format!("${{ {code}}}")),
            Err(code) => out.push_str(&format!("${{{code}}}")),
            Ok(text) => {
                // A `$` just before `${` would be read as its escape.
                let stem = text.strip_suffix('$').filter(|_| index + 1 < pieces.len());
                let quoted = quoted(stem.unwrap_or(text));
                out.push_str(&quoted[1..quoted.len() - 1]);
                if stem.is_some() {
                    out.push_str("${\"$\"}");
                }
            }
        }
    }
    out.push('"');
    out
}

/// Quotes and escapes a string. `${` and `%{` would begin a template, so their `$` or `%` is doubled.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line separators and byte order marks change how editors display the file.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl From<&str> for Hcl {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&Value> for Hcl {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null | Value::Unknown => Self::Null,
            Value::Reference(name) => Self::Code(format!("var.{name}")),
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.clone()),
            Value::List(items) => Self::List(items.iter().map(Into::into).collect()),
            Value::Map(entries) => {
                Self::Map(entries.iter().map(|(key, value)| (key.clone(), value.into())).collect())
            }
        }
    }
}

impl From<&Json> for Hcl {
    fn from(json: &Json) -> Self {
        Self::from(&Value::from(json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_never_begun_by_a_text() {
        for (text, expected) in [
            ("${a}", r#""$${a}""#),
            ("$${a}", r#""$$${a}""#),
            ("%{if}", r#""%%{if}""#),
            ("$%{a", r#""$%%{a""#),
            ("a\"b\\\n", r#""a\"b\\\n""#),
            ("$", r#""$""#),
            ("\u{7}", r#""\u0007""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
