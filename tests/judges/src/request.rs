//! Decodes requests to AWS by the models of their services.

use ciborium::Value as Cbor;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use crate::call::{Call, UNKNOWN, Violation};
use crate::shape::Model;
use crate::{form, rest};

/// A request as it is on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, e.g. `PUT`.
    pub method: &'a str,
    /// The URI, with or without scheme and host.
    pub uri: &'a str,
    /// The headers. Their names are in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The service of the signature, and `None` for a request without a signature.
    fn service(&self) -> Option<&'a str> {
        // `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
        self.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?.split('/').nth(3)
    }

    /// The path and the query. Keys and values of the query are percent-decoded.
    pub(crate) fn address(&self) -> (&'a str, Vec<(String, String)>) {
        let rest = self.uri.split_once("://").map_or(self.uri, |(_, rest)| rest);
        let rest = rest.find(['/', '?']).map_or("", |start| &rest[start..]);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        (path, pairs(query))
    }
}

/// The pairs of a query or form, percent-decoded.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (decode(key), decode(value))).collect()
}

/// Decodes a request; `None` if it has no signature, e.g. one to a container registry.
///
/// # Errors
///
/// The service or the operation is not in the data, or a part of the request belongs to no member.
pub fn read(request: &Request<'_>) -> Result<Option<Call>, Violation> {
    let Some(service) = request.service() else { return Ok(None) };
    let fault = |operation: &str, fault: String| Violation {
        call: format!("{service}:{operation}"),
        member: String::new(),
        fault,
    };
    let Some(model) = Model::of(service) else {
        return Err(fault("", format!("the service is {UNKNOWN}")));
    };
    let (path, _) = request.address();
    let (operation, input) = if let Some(target) = request.header("x-amz-target") {
        let operation = target.rsplit('.').next().unwrap_or(target).to_owned();
        let input = json(request.body).map_err(|error| fault(&operation, error))?;
        (operation, input)
    } else if let Some((_, operation)) = path.split_once("/operation/") {
        let read = ciborium::from_reader::<Cbor, _>(request.body);
        let input = read.map_err(|error| fault(operation, error.to_string()))?;
        (operation.to_owned(), from_cbor(&input))
    } else if matches!(model.protocol(), "rest-json" | "rest-xml") {
        let (method, uri) = (request.method, request.uri);
        let operation = rest::operation(model, request)
            .ok_or_else(|| fault("", format!("{method} {uri} is {UNKNOWN}")))?;
        let input = rest::read(model, operation, request).map_err(|error| fault(operation, error))?;
        (operation.to_owned(), input)
    } else {
        let pairs = pairs(&String::from_utf8_lossy(request.body));
        let action = pairs.iter().find(|(key, _)| key == "Action").map(|(_, value)| value.clone());
        let operation = action.unwrap_or_default();
        let shape = model.input(&operation).ok_or_else(|| fault(&operation, unknown_operation()))?;
        let input =
            form::read(shape, pairs, model.protocol() == "ec2").map_err(|error| fault(&operation, error))?;
        (operation, input)
    };
    if model.input(&operation).is_none() {
        return Err(fault(&operation, unknown_operation()));
    }
    let (method, path) = (request.method.to_owned(), path.to_owned());
    Ok(Some(Call { service: service.to_owned(), operation, method, path, input }))
}

fn unknown_operation() -> String {
    format!("the operation is {UNKNOWN}")
}

/// A body of JSON. Without a body, there are no members.
pub(crate) fn json(body: &[u8]) -> Result<Json, String> {
    if body.is_empty() {
        return Ok(Map::new().into());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// A value of CBOR as JSON. Times and other tagged values lose their tag.
pub fn from_cbor(value: &Cbor) -> Json {
    match value {
        Cbor::Bool(value) => (*value).into(),
        Cbor::Integer(whole) => i64::try_from(*whole).unwrap_or_default().into(),
        Cbor::Float(number) => (*number).into(),
        Cbor::Text(text) => text.as_str().into(),
        Cbor::Array(items) => items.iter().map(from_cbor).collect(),
        Cbor::Tag(_, value) => from_cbor(value),
        Cbor::Map(members) => {
            let members = members.iter().filter_map(|(key, value)| Some((key.as_text()?, from_cbor(value))));
            Json::Object(members.map(|(key, value)| (key.to_owned(), value)).collect())
        }
        _ => Json::Null,
    }
}
