//! Event patterns of EventBridge, filter policies of SNS and filters of Lambda. They are one language: an object whose
//! leaves are lists of values and operators.
//!
//! The services check it when an apply creates the object. Some mistakes they accept: of a key that occurs twice,
//! EventBridge matches both values, and a JSON parser keeps the last one.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use crate::finding::Code;
use crate::input::Rule;
use crate::value::Value;

impl Rule {
    /// A pattern as a string of JSON.
    pub(crate) const PATTERN: Self = Self::Coded(
        Code::Pattern,
        "a string of JSON whose leaves are lists, e.g. `{ \"source\": [\"aws.ecs\"] }`",
        check,
    );
    /// A filter of Lambda as a string of JSON.
    pub(crate) const FILTER: Self = Self::Coded(
        Code::Pattern,
        "a string of JSON whose leaves are lists, e.g. `{ \"body\": { \"kind\": [\"video\"] } }`",
        check_filter,
    );
}

/// Checks a pattern of EventBridge or SNS.
pub fn check(text: &str) -> Result<(), String> {
    check_with(OPERATORS, text)
}

/// Checks a filter of Lambda, which has fewer operators.
pub fn check_filter(text: &str) -> Result<(), String> {
    check_with(OPERATORS_OF_FILTERS, text)
}

fn check_with(operators: Operators, text: &str) -> Result<(), String> {
    let node: Node = serde_json::from_str(text).map_err(|error| {
        format!("{} is not valid JSON: {error}", Value::String(text.to_owned()).describe())
    })?;
    let Node::Object(members) = node else {
        return Err(format!("the pattern is {}, but must be an object (`{{…}}`)", node.describe()));
    };
    if members.is_empty() {
        return Err(
            "the pattern is empty and matches everything: add a condition, or remove the input".to_owned()
        );
    }
    check_object(operators, &members, "")
}

/// The members of a pattern, also those of its alternatives.
pub fn members(text: &str) -> Vec<String> {
    fn add(members: &[(String, Node)], found: &mut Vec<String>) {
        for (name, node) in members {
            match node {
                Node::List(items) if name == OR => items.iter().for_each(|item| {
                    if let Node::Object(members) = item {
                        add(members, found);
                    }
                }),
                _ => found.push(name.clone()),
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(Node::Object(members)) = serde_json::from_str(text) {
        add(&members, &mut found);
    }
    found
}

/// Returns true if a pattern has conditions on members of members.
pub fn is_nested(text: &str) -> bool {
    fn has_object(members: &[(String, Node)]) -> bool {
        members.iter().any(|(name, node)| match node {
            Node::Object(_) => true,
            Node::List(items) if name == OR => {
                items.iter().any(|item| matches!(item, Node::Object(members) if has_object(members)))
            }
            _ => false,
        })
    }
    matches!(serde_json::from_str(text), Ok(Node::Object(members)) if has_object(&members))
}

/// The member whose items are alternative patterns.
const OR: &str = "$or";

/// A JSON value that keeps keys which occur twice.
#[derive(Deserialize)]
#[serde(untagged)]
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Object(Members),
}

/// The members of an object in their order.
struct Members(Vec<(String, Node)>);

impl Deref for Members {
    type Target = [(String, Node)];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Node {
    /// The value for a message.
    fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Number(number) => format!("the number {number}"),
            Self::String(text) => format!("the string {text:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }

    /// The value as JSON, for the correction of a leaf.
    fn as_item(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(number) => Some(number.to_string()),
            Self::String(text) => Some(format!("{text:?}")),
            Self::List(_) | Self::Object(_) => None,
        }
    }

    fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }
}

fn within(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn check_object(operators: Operators, members: &[(String, Node)], path: &str) -> Result<(), String> {
    for (index, (name, node)) in members.iter().enumerate() {
        let path = within(path, name);
        if members[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(format!("the key `{path}` occurs twice: merge the two, e.g. in one list"));
        }
        match node {
            Node::Object(members) if members.is_empty() => {
                return Err(format!("`{path}` is an empty object: add a condition, or remove it"));
            }
            Node::Object(members) => check_object(operators, members, &path)?,
            Node::List(items) if items.is_empty() => {
                return Err(format!(
                    "`{path}` is an empty list, which matches nothing: add a value, or remove it"
                ));
            }
            Node::List(items) if name == OR && items.iter().all(|item| matches!(item, Node::Object(_))) => {
                check_alternatives(operators, items, &path)?;
            }
            Node::List(items) => items.iter().try_for_each(|item| check_item(operators, item, &path))?,
            leaf => {
                let item = leaf.as_item().unwrap_or_default();
                return Err(format!("`{path}` is {}, but must be a list: `[{item}]`", leaf.describe()));
            }
        }
    }
    Ok(())
}

fn check_alternatives(operators: Operators, items: &[Node], path: &str) -> Result<(), String> {
    if items.len() < 2 {
        return Err(format!("`{path}` has one alternative, but needs at least two"));
    }
    for (index, item) in items.iter().enumerate() {
        match item {
            Node::Object(members) if !members.is_empty() => {
                check_object(operators, members, &format!("{path}[{index}]"))?;
            }
            other => return Err(format!("`{path}[{index}]` is {}, but must be a pattern", other.describe())),
        }
    }
    Ok(())
}

/// Checks an item of a leaf: a value, or an operator.
fn check_item(operators: Operators, item: &Node, path: &str) -> Result<(), String> {
    match item {
        Node::List(_) => {
            Err(format!("`{path}` contains a list in a list: its items are values and operators"))
        }
        Node::Object(members) => match &**members {
            [(operator, operand)] => check_operator(operators, operator, operand, path),
            _ => Err(format!(
                "`{path}` contains an object with {} members: an operator has one, e.g. `{{ \"prefix\": \"a\" }}`",
                members.len()
            )),
        },
        _ => Ok(()),
    }
}

/// The operators of a language.
type Operators = &'static [&'static str];

const OPERATORS: Operators =
    &["anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"];

/// The Lambda developer guide lists these.
const OPERATORS_OF_FILTERS: Operators =
    &["anything-but", "equals-ignore-case", "exists", "numeric", "prefix", "suffix"];

fn check_operator(operators: Operators, operator: &str, operand: &Node, path: &str) -> Result<(), String> {
    let must_be = |expected: &str| {
        Err(format!(
            "`{path}`: the operand of `{operator}` is {}, but must be {expected}",
            operand.describe()
        ))
    };
    if !operators.contains(&operator) {
        let known = operators.join(", ");
        return Err(format!("`{path}`: there is no operator `{operator}`. Use one of: {known}"));
    }
    match operator {
        "exists" => match operand {
            Node::Bool(_) => Ok(()),
            _ => must_be("`true` or `false`"),
        },
        "equals-ignore-case" => {
            if operand.is_string() {
                Ok(())
            } else {
                must_be("a string")
            }
        }
        "prefix" | "suffix" => match operand {
            Node::String(_) => Ok(()),
            Node::Object(members) if is_ignoring_case(members) => Ok(()),
            _ => must_be("a string"),
        },
        "wildcard" => match operand {
            Node::String(text) if text.contains("**") => {
                Err(format!("`{path}`: the operand of `wildcard` has two `*` in a row: remove one"))
            }
            Node::String(_) => Ok(()),
            _ => must_be("a string"),
        },
        "cidr" => match operand {
            Node::String(text) if is_cidr(text) => Ok(()),
            _ => must_be("a range of IP addresses, e.g. `10.0.0.0/24`"),
        },
        "numeric" => match operand {
            Node::List(parts) => check_numeric(parts, path),
            _ => must_be("a list, e.g. `[\">\", 0]`"),
        },
        _ => check_anything_but(operators, operand, path),
    }
}

fn is_ignoring_case(members: &[(String, Node)]) -> bool {
    matches!(members, [(name, operand)] if name == "equals-ignore-case" && operand.is_string())
}

fn check_anything_but(operators: Operators, operand: &Node, path: &str) -> Result<(), String> {
    match operand {
        Node::String(_) | Node::Number(_) => Ok(()),
        Node::List(items) if items.is_empty() => {
            Err(format!("`{path}`: the list of `anything-but` is empty: add a value"))
        }
        Node::List(items) if items.iter().all(Node::is_string) || items.iter().all(Node::is_number) => Ok(()),
        Node::List(_) => {
            Err(format!("`{path}`: the list of `anything-but` must contain only strings, or only numbers"))
        }
        Node::Object(members) => match &**members {
            [(inner, operand)]
                if ["equals-ignore-case", "prefix", "suffix", "wildcard"].contains(&inner.as_str()) =>
            {
                match operand {
                    Node::List(items) if !items.is_empty() => {
                        items.iter().try_for_each(|item| check_operator(operators, inner, item, path))
                    }
                    one => check_operator(operators, inner, one, path),
                }
            }
            _ => Err(format!(
                "`{path}`: the object in `anything-but` must have one of: equals-ignore-case, prefix, suffix, wildcard"
            )),
        },
        Node::Null | Node::Bool(_) => Err(format!(
            "`{path}`: the operand of `anything-but` is {}, but must be a string, a number or a list of them",
            operand.describe()
        )),
    }
}

fn check_numeric(parts: &[Node], path: &str) -> Result<(), String> {
    let comparison = |node: &Node| match node {
        Node::String(text) => {
            Some(text.clone()).filter(|text| ["=", "<", "<=", ">", ">="].contains(&text.as_str()))
        }
        _ => None,
    };
    let fits = match parts {
        [one, number] => comparison(one).is_some() && number.is_number(),
        [low, number, high, other] => {
            let starts = comparison(low).is_some_and(|text| text.starts_with('>'));
            let ends = comparison(high).is_some_and(|text| text.starts_with('<'));
            starts && ends && number.is_number() && other.is_number()
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(format!(
        "`{path}`: the operand of `numeric` must be a comparison and a number, e.g. `[\">\", 0]`, or a range, e.g. \
         `[\">\", 0, \"<=\", 5]`"
    ))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return text.parse::<IpAddr>().is_ok() };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Members(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_patterns_pass() {
        for good in [
            r#"{"source": ["aws.ecs"]}"#,
            r#"{"detail": {"state": ["a", 1, true, null, ""]}}"#,
            r#"{"a": [{"prefix": "x"}, {"suffix": "y"}, {"equals-ignore-case": "Z"}, {"exists": false}]}"#,
            r#"{"a": [{"prefix": {"equals-ignore-case": "x"}}, {"wildcard": "a*b\\*"}]}"#,
            r#"{"a": [{"numeric": [">", 0]}, {"numeric": [">=", -1.5, "<", 10]}, {"numeric": ["=", 3e2]}]}"#,
            r#"{"a": [{"cidr": "10.0.0.0/24"}, {"cidr": "2001:db8::/32"}]}"#,
            r#"{"a": [{"anything-but": "x"}, {"anything-but": [1, 2]}, {"anything-but": ["x", "y"]}]}"#,
            r#"{"a": [{"anything-but": {"prefix": "x"}}, {"anything-but": {"suffix": ["x", "y"]}}]}"#,
            r#"{"$or": [{"a": [1]}, {"b": {"c": [2]}}], "d": [3]}"#,
            // Without a list of objects, it is a key like any other.
            r#"{"$or": ["a"]}"#,
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        for (bad, part) in [
            ("", "not valid JSON"),
            (r#"{"a": [1]"#, "not valid JSON"),
            ("[]", "the pattern is a list"),
            ("{}", "empty and matches everything"),
            (
                r#"{"detail": {"pipeline": {"slug": "x"}}}"#,
                "`detail.pipeline.slug` is the string \"x\", but must be a list: `[\"x\"]`",
            ),
            (r#"{"a": 3}"#, "`[3]`"),
            (r#"{"a": null}"#, "`[null]`"),
            (r#"{"a": []}"#, "`a` is an empty list"),
            (r#"{"a": {"b": {}}}"#, "`a.b` is an empty object"),
            (r#"{"a": {"b": ["x"], "b": ["y"]}}"#, "the key `a.b` occurs twice"),
            (r#"{"a": [["x"]]}"#, "a list in a list"),
            (r#"{"a": [{}]}"#, "an object with 0 members"),
            (r#"{"a": [{"prefix": "x", "suffix": "y"}]}"#, "an object with 2 members"),
            (r#"{"a": [{"prefixes": "x"}]}"#, "there is no operator `prefixes`"),
            (r#"{"a": [{"prefix": 1}]}"#, "the number 1, but must be a string"),
            (r#"{"a": [{"exists": "true"}]}"#, "must be `true` or `false`"),
            (r#"{"a": [{"wildcard": "a**"}]}"#, "two `*` in a row"),
            (r#"{"a": [{"cidr": "10.0.0.0/33"}]}"#, "a range of IP addresses"),
            (r#"{"a": [{"numeric": [">"]}]}"#, "a comparison and a number"),
            (r#"{"a": [{"numeric": ["<", 5, ">", 0]}]}"#, "or a range"),
            (r#"{"a": [{"numeric": [">", "5"]}]}"#, "a comparison and a number"),
            (r#"{"a": [{"anything-but": []}]}"#, "`anything-but` is empty"),
            (r#"{"a": [{"anything-but": [1, "x"]}]}"#, "only strings, or only numbers"),
            (r#"{"a": [{"anything-but": {"numeric": [">", 0]}}]}"#, "must have one of"),
            (r#"{"$or": [{"a": [1]}]}"#, "at least two"),
            (r#"{"$or": [{"a": [1]}, {"b": []}]}"#, "`$or[1].b` is an empty list"),
        ] {
            let fault = check(bad).expect_err(bad);
            assert!(fault.contains(part), "{bad}: {fault}");
        }
    }

    #[test]
    fn nested_conditions_are_seen() {
        assert!(
            is_nested(r#"{"a": {"b": [1]}}"#) && is_nested(r#"{"$or": [{"a": [1]}, {"b": {"c": [1]}}]}"#)
        );
        assert!(
            !is_nested(r#"{"a": [{"prefix": "x"}]}"#) && !is_nested(r#"{"$or": [{"a": [1]}, {"b": [1]}]}"#)
        );
    }
}
