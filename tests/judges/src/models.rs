//! Compares calls with the models of their services.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::Value as Json;

use crate::call::{Call, Violation};
use crate::figures;
use crate::request::{self, Request};
use crate::shape::{Model, Shape, Type};

/// Members that a model limits too much, with the reason.
static EXCEPTIONS: LazyLock<Vec<Exception>> = LazyLock::new(|| {
    let all: Json = serde_json::from_str(include_str!("../exceptions.json")).expect("JSON");
    let all = all.as_array().expect("a list").iter();
    let text = |one: &Json, name: &str| one[name].as_str().expect("a string").to_owned();
    all.map(|one| Exception {
        call: text(one, "call"),
        member: text(one, "member"),
        fault: text(one, "fault"),
        reason: text(one, "reason"),
    })
    .collect()
});

/// A fault that counts as none.
#[derive(Clone, Debug)]
struct Exception {
    call: String,
    member: String,
    /// A part of the fault.
    fault: String,
    reason: String,
}

/// Everything that AWS would refuse about a request, by the model of its service. Requests without a signature, e.g.
/// to a container registry, are not judged.
///
/// # Errors
///
/// The violations; there is at least one.
pub fn judge_request(request: &Request<'_>) -> Result<Option<Call>, Vec<Violation>> {
    let result = match request::read(request) {
        Ok(None) => return Ok(None),
        Ok(Some(call)) => {
            let violations = judge(&call);
            if violations.is_empty() { Ok(Some(call)) } else { Err(violations) }
        }
        Err(violation) => Err(vec![violation]),
    };
    // Calls of tests themselves can be missing in the data.
    let is_unknown = |violations: &Vec<Violation>| violations.iter().any(Violation::is_unknown);
    if !result.as_ref().is_err_and(is_unknown) {
        figures::add("calls judged by the models of botocore", 1, u64::from(result.is_err()));
    }
    result
}

/// Everything that AWS would refuse about a call, by the model of its service.
pub fn judge(call: &Call) -> Vec<Violation> {
    let mut faults = Vec::new();
    match Model::of(&call.service).and_then(|model| model.input(&call.operation)) {
        Some(shape) => check(shape, &call.input, "", &mut faults),
        None => faults.push((String::new(), "there is no model of this operation".to_owned())),
    }
    let name = format!("{}:{}", call.service, call.operation);
    let violations =
        faults.into_iter().map(|(member, fault)| Violation { call: name.clone(), member, fault });
    violations.filter(|violation| !is_excepted(violation)).collect()
}

fn is_excepted(violation: &Violation) -> bool {
    EXCEPTIONS.iter().any(|exception| {
        debug_assert!(!exception.reason.is_empty(), "an exception has a reason");
        exception.call == violation.call
            && exception.member == violation.member
            && violation.fault.contains(&exception.fault)
    })
}

/// Paths and faults.
type Faults = Vec<(String, String)>;

fn check(shape: Shape, value: &Json, at: &str, faults: &mut Faults) {
    let inner = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let mut fault = |text: String| faults.push((at.to_owned(), text));
    match (shape.ty(), value) {
        (Type::Structure, Json::Object(members)) => {
            for name in shape.required().filter(|name| members.get(*name).is_none_or(Json::is_null)) {
                faults.push((inner(name), "the member is required".to_owned()));
            }
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                match shape.member(name) {
                    Some(member) => check(member, value, &inner(name), faults),
                    None => faults.push((inner(name), "there is no member of this name".to_owned())),
                }
            }
        }
        (Type::List, Json::Array(items)) => {
            amount(shape, size(items.len()), "items", &mut fault);
            for (index, item) in items.iter().enumerate() {
                check(shape.item(), item, &format!("{at}[{index}]"), faults);
            }
        }
        (Type::Map, Json::Object(entries)) => {
            amount(shape, size(entries.len()), "entries", &mut fault);
            for (key, value) in entries {
                check(shape.key(), &key.as_str().into(), &inner(key), faults);
                check(shape.value(), value, &inner(key), faults);
            }
        }
        (Type::String, Json::String(text)) => {
            amount(shape, size(text.chars().count()), "characters", &mut fault);
            if let Some(pattern) = shape.pattern().filter(|pattern| !matches(pattern, text)) {
                fault(format!("{text:?} does not match `{pattern}`"));
            }
            let mut values = shape.values().peekable();
            if values.peek().is_some() && !values.any(|value| value == text) {
                fault(format!("{text:?} is none of the values that the model lists"));
            }
        }
        (Type::Blob, Json::String(text)) => {
            // A payload is the body as it is.
            let length = STANDARD.decode(text).map_or(text.len(), |bytes| bytes.len());
            amount(shape, size(length), "bytes", &mut fault);
        }
        (Type::Integer, Json::Number(number)) if number.is_i64() || number.is_u64() => {
            amount(shape, number.as_f64().unwrap_or_default(), "", &mut fault);
        }
        (Type::Float, Json::Number(number)) => {
            amount(shape, number.as_f64().unwrap_or_default(), "", &mut fault);
        }
        (Type::Boolean, Json::Bool(_)) | (Type::Timestamp, Json::Number(_) | Json::String(_)) => {}
        (ty, value) => fault(format!("{value} is not of the type {ty:?}")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
fn size(length: usize) -> f64 {
    length as f64
}

fn amount(shape: Shape, amount: f64, unit: &str, fault: &mut impl FnMut(String)) {
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    if let Some(min) = shape.min().filter(|min| amount < *min) {
        fault(format!("{amount}{unit}, but at least {min} are needed"));
    }
    if let Some(max) = shape.max().filter(|max| amount > *max) {
        fault(format!("{amount}{unit}, but at most {max} are allowed"));
    }
}

fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<&'static str, Regex>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern).or_insert_with(|| {
        Regex::new(&format!("^(?:{pattern})$")).expect("`cargo xtask aws-facts` compiles every pattern")
    });
    regex.is_match(text)
}
