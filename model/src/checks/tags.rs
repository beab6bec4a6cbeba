//! Checks tags: a composite tags objects of several services, so a tag must suit all of them.

use serde_json::{Map, Value as Json};

use crate::context::Context;
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Object};
use crate::kind::Type;
use crate::limits;
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
}

/// Checks a tag by the rules that all services share. Source: "Tagging AWS resources" in the AWS General Reference.
pub fn common_fault(key: &str, value: Option<&str>) -> Option<TagFault> {
    let fault = |message: String, help: &str| Some(TagFault { message, help: help.to_owned() });
    if ownership::is_reserved(key) {
        return fault(
            format!("the tag `{key}` is reserved"),
            "Use another key: `tandem:` tags identify the owner of an object, and AWS reserves `aws:`.",
        );
    }
    let parts = [("key", key, LONGEST_KEY), ("value", value.unwrap_or_default(), LONGEST_VALUE)];
    for (part, text, longest) in parts {
        let length = text.chars().count();
        if length > longest || (part == "key" && length == 0) {
            let least = usize::from(part == "key");
            return fault(
                format!(
                    "the {part} of the tag {key:?} has {length} characters, but AWS allows {least} to {longest}"
                ),
                "Shorten it, or store the text elsewhere and tag its name.",
            );
        }
        let allowed =
            |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c);
        if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
            return fault(
                format!("the {part} of the tag {key:?} contains {bad:?}, which some AWS services refuse"),
                "Use letters, digits, spaces and `_ . : / = + - @`.",
            );
        }
    }
    None
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
            if let Some(TagFault { message, help }) = common_fault(key, text) {
                findings.error(Code::Tag, at.join(Step::Key(key.clone())), message, help);
            }
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
    let tagged = graph.into_iter().flat_map(Graph::objects).filter(|object| object.kind.tags);
    for object in tagged {
        check_service(object, &all, inputs, findings);
    }
}

/// Checks tags by the limits that the service of an object publishes, e.g. no empty value.
fn check_service(object: &Object, all: &Map<String, Json>, inputs: &Value, findings: &mut Findings) {
    for (key, value) in all.iter().filter(|(_, value)| !value.is_null()) {
        let tag = Json::Object(Map::from_iter([(key.clone(), value.clone())]));
        let mut limits =
            limits::of(object.kind.name, "tags").filter(|limit| limit.part != limits::ValuePart::Whole);
        let Some(violation) = limits.find_map(|limit| limit.check(Type::TextMap, &tag)) else { continue };
        let is_own = matches!(inputs.get("tags"), Value::Map(own) if own.contains_key(key));
        let (at, of) = if is_own {
            (Path::field("tags").join(Step::Key(key.clone())), "")
        } else {
            (Path::default(), " of the provider's `default_tags`")
        };
        // One finding for each tag.
        if findings.0.iter().any(|finding| finding.code == Code::Tag && finding.path == at && is_own) {
            continue;
        }
        findings.error(
            Code::Tag,
            at,
            format!("the tag {key:?}{of} does not suit the {}: {}", object.kind.title, violation.fault),
            format!("Set it to {}, or remove it.", violation.allowed),
        );
    }
}
