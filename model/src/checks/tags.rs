//! Checks tags: a composite tags objects of several services, so a tag must suit all of them.

use serde_json::{Map, Value as Json};

use crate::context::Context;
use crate::finding::{Code, Finding, Findings, Path, Severity, Step};
use crate::graph::{Graph, Object};
use crate::kind::Type;
use crate::limits::{self, ValuePart};
use crate::ownership::{self, OWN_TAGS};
use crate::value::Value;

/// The most tags of one object, in all services.
const MOST: usize = 50;

/// The longest key, in characters.
const LONGEST_KEY: usize = 128;

/// The longest value, in characters.
const LONGEST_VALUE: usize = 256;

/// A fault of a tag, and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFault {
    /// The fault, e.g. ``the tag `team` is reserved``.
    pub message: String,
    /// The remedy, as an imperative.
    pub help: String,
    /// An error if every service refuses the tag, a warning if some do.
    pub severity: Severity,
}

/// The characters that all services take, in words.
const ALLOWED: &str = "Use letters, digits, spaces and `_ . : / = + - @`.";

/// The first character of a string that some service refuses.
fn bad_character(text: &str) -> Option<char> {
    let allowed =
        |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
    text.chars().find(|c| !allowed(*c))
}

/// Checks a tag by the rules that all services share; a warning for one that some services refuse. Source: "Tagging AWS
/// resources" in the AWS General Reference.
pub fn common_fault(key: &str, value: Option<&str>) -> Option<TagFault> {
    if ownership::is_reserved(key) {
        return Some(TagFault {
            message: format!("the tag `{key}` is reserved"),
            help: "Use another key: `tandem:` tags identify the owner of an object, and AWS reserves `aws:`."
                .to_owned(),
            severity: Severity::Error,
        });
    }
    let parts = [("key", key, 1, LONGEST_KEY), ("value", value.unwrap_or_default(), 0, LONGEST_VALUE)];
    parts.into_iter().find_map(|(part, text, least, longest)| {
        let length = text.chars().count();
        if !(least..=longest).contains(&length) {
            return Some(TagFault {
                message: format!(
                    "the {part} of the tag {key:?} has {length} characters, but AWS allows {least} to {longest}"
                ),
                help: "Shorten it, or store the text elsewhere and tag its name.".to_owned(),
                severity: Severity::Error,
            });
        }
        let bad = bad_character(text)?;
        Some(TagFault {
            message: format!("the {part} of the tag {key:?} contains {bad:?}, which some AWS services refuse"),
            help: ALLOWED.to_owned(),
            severity: Severity::Warning,
        })
    })
}

/// Checks the tags of a composite, as far as they are known.
pub(crate) fn check(inputs: &Value, context: &Context, graph: Option<&Graph>, findings: &mut Findings) {
    let at = Path::field("tags");
    let mut all: Map<String, Json> =
        context.default_tags.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    if let Value::Map(own) = inputs.get("tags") {
        for (key, value) in own {
            let text = match value {
                Value::String(text) => Some(text.as_str()),
                _ => None,
            };
            match text {
                Some(text) => all.insert(key.clone(), text.into()),
                None => all.insert(key.clone(), Json::Null),
            };
        }
    }
    if all.len() + OWN_TAGS > MOST {
        let message = format!(
            "there are {} tags, with those of the provider, but AWS allows {MOST} for each object, and Tandem needs {OWN_TAGS}",
            all.len()
        );
        let most = MOST - OWN_TAGS;
        findings.error(Code::Tag, at, message, format!("Keep at most {most} tags."));
        return;
    }
    let tagged: Vec<&Object> =
        graph.into_iter().flat_map(Graph::objects).filter(|object| object.kind.tags).collect();
    for (key, value) in &all {
        let own = matches!(inputs.get("tags"), Value::Map(own) if own.contains_key(key));
        let text = value.as_str();
        // The provider reports the faults of its own tags.
        let common = common_fault(key, text).filter(|_| own);
        let fault = match common {
            Some(fault) if fault.severity == Severity::Error => Some(fault),
            common => text.and_then(|text| fault_of_service(&tagged, key, text, own)).or(common),
        };
        let Some(TagFault { message, help, severity }) = fault else { continue };
        let path = if own { at.join(Step::Key(key.clone())) } else { Path::default() };
        findings.0.push(Finding { code: Code::Tag, severity, path, message, help });
    }
}

/// Checks a tag by the limits that the services of these objects publish, e.g. no empty value.
fn fault_of_service(tagged: &[&Object], key: &str, value: &str, own: bool) -> Option<TagFault> {
    let tag = Json::Object(Map::from_iter([(key.to_owned(), Json::from(value))]));
    let of = if own { "" } else { " of the provider's `default_tags`" };
    tagged.iter().find_map(|object| {
        let mut limits = limits::of(object.kind.name, "tags").filter(|limit| limit.part != ValuePart::Whole);
        let violation = limits.find_map(|limit| limit.check(Type::TextMap, &tag))?;
        let title = object.kind.title;
        let bad = bad_character(key).or_else(|| bad_character(value));
        let (message, help) = match bad {
            Some(bad) => (
                format!("the tag {key:?}{of} contains {bad:?}, which the {title} refuses"),
                ALLOWED.to_owned(),
            ),
            None => (
                format!("the tag {key:?}{of} does not suit the {title}: {}", violation.fault),
                format!("Set it to {}, or remove it.", violation.allowed),
            ),
        };
        Some(TagFault { message, help, severity: Severity::Error })
    })
}
