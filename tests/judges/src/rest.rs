//! Decodes requests whose members are in the path, the query, headers and the body: the protocols `rest-json` and
//! `rest-xml`.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use crate::request::{Request, json};
use crate::shape::{Model, Shape, Type, typed};
use crate::xml;

/// The key of the query in which SDKs repeat the name of the operation.
const OPERATION_ID: &str = "x-id";

/// The operation whose method and path a request has. Of several the one with the most fixed parts counts.
pub(crate) fn operation(model: Model, request: &Request<'_>) -> Option<&'static str> {
    let (path, query) = request.address();
    let fits = model.operations().filter_map(|(name, http)| {
        if http["method"] != request.method {
            return None;
        }
        let (template, keys) = template(http);
        let fixed = labels(template, path)?.1;
        let keys: Vec<&str> = keys.split('&').filter(|key| !key.is_empty()).collect();
        let has = |wanted: &&str| {
            let (key, value) = wanted.split_once('=').unwrap_or((wanted, ""));
            query.iter().any(|(name, given)| name == key && (value.is_empty() || given == value))
        };
        // A key of the query names the operation of a request in S3.
        let mentions = query.iter().any(|(key, value)| key == OPERATION_ID && value == name);
        keys.iter().all(has).then_some(((keys.len(), fixed, mentions), name))
    });
    fits.max().map(|(_, name)| name)
}

fn template(http: &'static Json) -> (&'static str, &'static str) {
    let uri = http["uri"].as_str().unwrap_or_default();
    uri.split_once('?').unwrap_or((uri, ""))
}

/// The values of labels in a path, and the number of fixed segments.
fn labels(template: &'static str, path: &str) -> Option<(Vec<(&'static str, String)>, usize)> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut given: Vec<&str> = path.trim_matches('/').split('/').filter(|part| !part.is_empty()).collect();
    let (mut labels, mut fixed) = (Vec::new(), 0);
    for wanted in template.trim_matches('/').split('/').filter(|part| !part.is_empty()) {
        if given.is_empty() {
            return None;
        }
        match wanted.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
            Some(label) => match label.strip_suffix('+') {
                Some(label) => labels.push((label, decoded(&std::mem::take(&mut given).join("/")))),
                None => labels.push((label, decoded(given.remove(0)))),
            },
            None if wanted == given[0] => {
                fixed += 1;
                given.remove(0);
            }
            None => return None,
        }
    }
    given.is_empty().then_some((labels, fixed))
}

/// The members of a request. The error names a part of the query that belongs to no member.
pub(crate) fn read(model: Model, operation: &str, request: &Request<'_>) -> Result<Json, String> {
    let http = model.operations().find(|(name, _)| *name == operation).ok_or("no operation")?.1;
    let shape = model.input(operation).ok_or("no input")?;
    let (path, query) = request.address();
    let (template, keys) = template(http);
    let labels = labels(template, path).map(|(labels, _)| labels).unwrap_or_default();
    let fixed: Vec<&str> = keys.split('&').map(|key| key.split('=').next().unwrap_or(key)).collect();
    let mut query: Vec<(String, String)> =
        query.into_iter().filter(|(key, _)| !fixed.contains(&key.as_str()) && key != OPERATION_ID).collect();
    let mut input = Map::new();
    for (name, member) in shape.members() {
        let there = member.location_name().unwrap_or(name);
        let value = match member.location() {
            Some("uri") => {
                labels.iter().find(|(label, _)| *label == there).map(|(_, text)| typed(member, text))
            }
            Some("header") => request.header(&there.to_ascii_lowercase()).map(|text| typed(member, text)),
            Some("querystring") => taken(&mut query, there, member),
            _ => None,
        };
        input.extend(value.map(|value| (name.to_owned(), value)));
    }
    if let Some((key, _)) = query.first() {
        return Err(format!("`{key}` of the query is the name of no member"));
    }
    let is_json = model.protocol() == "rest-json";
    if let Some(payload) = shape.payload() {
        let member = shape.member(payload).ok_or("no payload")?;
        let value = match member.ty() {
            _ if request.body.is_empty() => None,
            Type::Blob | Type::String => Some(String::from_utf8_lossy(request.body).into()),
            _ if is_json => Some(named(member, json(request.body)?)),
            _ => Some(xml::read(member, request.body)?),
        };
        input.extend(value.map(|value| (payload.to_owned(), value)));
    } else if is_json {
        let body = named(shape, json(request.body)?);
        input.extend(body.as_object().cloned().unwrap_or_default());
    } else if !request.body.is_empty() {
        return Err("a body, but no member is in the body".to_owned());
    }
    Ok(input.into())
}

/// Takes the values of a key out of a query.
fn taken(query: &mut Vec<(String, String)>, key: &str, member: Shape) -> Option<Json> {
    let (own, rest): (Vec<_>, Vec<_>) = std::mem::take(query).into_iter().partition(|(name, _)| name == key);
    *query = rest;
    if member.ty() == Type::List {
        let items: Vec<Json> = own.iter().map(|(_, text)| typed(member.item(), text)).collect();
        return (!items.is_empty()).then(|| items.into());
    }
    own.first().map(|(_, text)| typed(member, text))
}

/// Gives members of a JSON body their names in the model in place of those on the wire.
fn named(shape: Shape, value: Json) -> Json {
    match (shape.ty(), value) {
        (Type::Structure, Json::Object(mut entries)) => {
            let mut members = Map::new();
            for (name, member) in shape.members().filter(|(_, member)| member.location().is_none()) {
                if let Some(value) = entries.remove(member.location_name().unwrap_or(name)) {
                    members.insert(name.to_owned(), named(member, value));
                }
            }
            // The judge reports names that are left.
            members.extend(entries);
            members.into()
        }
        (Type::List, Json::Array(items)) => items.into_iter().map(|item| named(shape.item(), item)).collect(),
        (Type::Map, Json::Object(entries)) => {
            let entries = entries.into_iter().map(|(key, value)| (key, named(shape.value(), value)));
            Json::Object(entries.collect())
        }
        (_, value) => value,
    }
}
