//! The AWS protocols of the services: decodes a request into a [`Call`], and encodes an answer.

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use ciborium::Value as Cbor;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};
use tandem_judges::request::{from_cbor, pairs};

use super::{Answer, Call, Refusal, apigatewayv2, lambda, s3, scheduler};

/// The protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON, the operation in a header.
    Json,
    /// CBOR, the operation in the path.
    Cbor,
    /// A form, answered in XML.
    Query,
    /// A form, answered in XML, in the dialect of EC2.
    Ec2,
    /// JSON, the operation in method and path.
    RestJson,
    /// XML, the operation in method and path.
    S3,
}

/// A decoded request.
pub(crate) struct Read {
    /// The protocol of the answer.
    pub(crate) protocol: Protocol,
    /// The call.
    pub(crate) call: Call,
}

/// A route of a REST service: method, path and operation. A path is e.g. `/functions/{FunctionName}`.
pub(super) type Route = (&'static str, &'static str, &'static str);

/// Decodes a request. Panics on a request that the double does not implement.
pub(crate) fn read(request: &HttpRequest) -> Read {
    let authorization = request.headers().get("authorization").unwrap_or_default();
    // `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
    let service = authorization.split('/').nth(3).unwrap_or_default().to_owned();
    let (path, query) = address(request.uri());
    let body = request.body().bytes().unwrap_or_default();
    let json = || match body {
        [] => Json::Object(Map::new()),
        body => serde_json::from_slice(body).unwrap_or_else(|error| panic!("{service} {path}: {error}")),
    };
    let (protocol, operation, input) = if let Some(target) = request.headers().get("x-amz-target") {
        let operation = target.rsplit('.').next().unwrap_or(target);
        (Protocol::Json, operation.to_owned(), json())
    } else if let Some((_, operation)) = path.split_once("/operation/") {
        let input: Cbor = ciborium::from_reader(body).unwrap_or_else(|error| panic!("{operation}: {error}"));
        (Protocol::Cbor, operation.to_owned(), from_cbor(&input))
    } else {
        match service.as_str() {
            "s3" => {
                let (operation, input) = s3::read(request, &path, &query, body);
                (Protocol::S3, operation, input)
            }
            "lambda" => {
                let (operation, input) = route(lambda::ROUTES, request.method(), &path, &query, json());
                (Protocol::RestJson, operation, input)
            }
            "apigateway" => {
                let (operation, input) = route(apigatewayv2::ROUTES, request.method(), &path, &query, json());
                (Protocol::RestJson, operation, input)
            }
            "scheduler" => {
                let (operation, input) = route(scheduler::ROUTES, request.method(), &path, &query, json());
                (Protocol::RestJson, operation, input)
            }
            other => {
                let protocol = if other == "ec2" { Protocol::Ec2 } else { Protocol::Query };
                let mut input = form(&String::from_utf8_lossy(body));
                let operation = input["Action"].as_str().unwrap_or_default().to_owned();
                if let Some(members) = input.as_object_mut() {
                    members.remove("Action");
                    members.remove("Version");
                }
                (protocol, operation, input)
            }
        }
    };
    Read { protocol, call: Call { service, operation, input } }
}

/// The path and the query of a URI. Keys and values of the query are percent-decoded.
fn address(uri: &str) -> (String, Vec<(String, String)>) {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let rest = rest.find(['/', '?']).map_or("", |start| &rest[start..]);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    (path.to_owned(), pairs(query))
}

/// The operation of a route, and its members from path, query and body.
fn route(
    routes: &[Route],
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: Json,
) -> (String, Json) {
    let given: Vec<&str> = path.trim_matches('/').split('/').collect();
    for (of_method, template, operation) in routes {
        let wanted: Vec<&str> = template.trim_matches('/').split('/').collect();
        if *of_method != method || wanted.len() != given.len() {
            continue;
        }
        let mut input = body.as_object().cloned().unwrap_or_default();
        let fits = wanted.iter().zip(&given).all(|(wanted, given)| {
            let Some(label) = wanted.strip_prefix('{') else { return wanted == given };
            let value = percent_decode_str(given).decode_utf8_lossy().into_owned();
            input.insert(label.trim_end_matches('}').to_owned(), value.into());
            true
        });
        if fits {
            for (key, value) in query {
                let list = input.entry(key.clone()).or_insert_with(|| Json::Array(Vec::new()));
                match list {
                    Json::Array(values) => values.push(value.as_str().into()),
                    other => *other = value.as_str().into(),
                }
            }
            // A parameter that occurs once is not a list, unless its name ends in `keys`.
            for (key, _) in query {
                if let Some(Json::Array(values)) = input.get(key)
                    && !key.to_ascii_lowercase().ends_with("keys")
                    && let [only] = &values[..]
                {
                    let only = only.clone();
                    input.insert(key.clone(), only);
                }
            }
            return ((*operation).to_owned(), Json::Object(input));
        }
    }
    panic!("the double has no route for {method} {path}");
}

/// Decodes a form. `Tags.member.1.Key` becomes a list of objects, and `Filter.1.Value.2` a list in a list.
fn form(body: &str) -> Json {
    let mut root = Json::Object(Map::new());
    for (key, value) in pairs(body) {
        let parts: Vec<&str> = key.split('.').filter(|part| *part != "member").collect();
        let mut target = &mut root;
        for part in parts {
            target = match part.parse::<usize>() {
                Ok(number) if number > 0 => {
                    if !target.is_array() {
                        *target = Json::Array(Vec::new());
                    }
                    let items = target.as_array_mut().expect("just made");
                    while items.len() < number {
                        items.push(Json::Null);
                    }
                    &mut items[number - 1]
                }
                _ => {
                    if !target.is_object() {
                        *target = Json::Object(Map::new());
                    }
                    target.as_object_mut().expect("just made").entry(part).or_insert(Json::Null)
                }
            };
        }
        *target = value.into();
    }
    root
}

/// Encodes an answer.
pub(crate) fn write(read: &Read, answer: &Answer) -> HttpResponse {
    match answer {
        Ok(output) => written(read, output),
        Err(refusal) => refused(read, refusal),
    }
}

fn respond(status: u16, content: &'static str, body: Vec<u8>) -> HttpResponse {
    let status = status.try_into().expect("a valid HTTP status");
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", content);
    response.headers_mut().insert("x-amzn-requestid", "00000000-0000-0000-0000-000000000000");
    response
}

fn written(read: &Read, output: &Json) -> HttpResponse {
    let operation = &read.call.operation;
    match read.protocol {
        Protocol::Json => respond(200, "application/x-amz-json-1.1", output.to_string().into_bytes()),
        Protocol::RestJson => match output {
            Json::Null => respond(204, "application/json", Vec::new()),
            output => respond(200, "application/json", output.to_string().into_bytes()),
        },
        Protocol::Cbor => cbor(200, output),
        Protocol::Query => {
            let body = format!(
                "<{operation}Response><{operation}Result>{}</{operation}Result><ResponseMetadata>\
                 <RequestId>0</RequestId></ResponseMetadata></{operation}Response>",
                xml(output, "member")
            );
            respond(200, "text/xml", body.into_bytes())
        }
        Protocol::Ec2 => {
            let body = format!("<{operation}Response>{}</{operation}Response>", xml(output, "item"));
            respond(200, "text/xml", body.into_bytes())
        }
        Protocol::S3 => {
            // An answer with headers is an object.
            let body = output.as_str().or_else(|| output["Body"].as_str()).unwrap_or_default();
            let status = if output.is_null() { 204 } else { 200 };
            let mut response = respond(status, "application/xml", body.as_bytes().to_vec());
            for (name, value) in output["Headers"].as_object().into_iter().flatten() {
                let value = value.as_str().unwrap_or_default().to_owned();
                response.headers_mut().insert(name.clone(), value);
            }
            response
        }
    }
}

fn cbor(status: u16, body: &Json) -> HttpResponse {
    let mut bytes = Vec::new();
    ciborium::into_writer(&to_cbor(body), &mut bytes).expect("a write to memory cannot fail");
    let mut response = respond(status, "application/cbor", bytes);
    response.headers_mut().insert("smithy-protocol", "rpc-v2-cbor");
    response
}

// Written by hand: with `arbitrary_precision`, serde sees a number of `serde_json` as a map.

fn to_cbor(value: &Json) -> Cbor {
    match value {
        Json::Null => Cbor::Null,
        Json::Bool(value) => Cbor::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Cbor::Integer(whole.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Cbor::Text(text.clone()),
        Json::Array(items) => Cbor::Array(items.iter().map(to_cbor).collect()),
        Json::Object(members) => {
            let members = members.iter().map(|(key, value)| (Cbor::Text(key.clone()), to_cbor(value)));
            Cbor::Map(members.collect())
        }
    }
}

fn refused(read: &Read, refusal: &Refusal) -> HttpResponse {
    let Refusal { status, code, message } = refusal;
    // Services that once used the query protocol return its error code in a header. The type is the new name.
    let (kind, _) = code.rsplit_once('.').map_or((code.as_str(), ""), |(_, last)| (last, ""));
    let json = serde_json::json!({ "__type": kind, "message": message, "Message": message });
    let mut response = match read.protocol {
        Protocol::Json => respond(*status, "application/x-amz-json-1.1", json.to_string().into_bytes()),
        Protocol::RestJson => respond(*status, "application/json", json.to_string().into_bytes()),
        Protocol::Cbor => cbor(*status, &json),
        Protocol::Query => {
            let body = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message></Error>\
                 <RequestId>0</RequestId></ErrorResponse>",
                escape(message)
            );
            respond(*status, "text/xml", body.into_bytes())
        }
        Protocol::Ec2 => {
            let body = format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{}</Message></Error></Errors></Response>",
                escape(message)
            );
            respond(*status, "text/xml", body.into_bytes())
        }
        Protocol::S3 => {
            let body = format!("<Error><Code>{code}</Code><Message>{}</Message></Error>", escape(message));
            let body = if read.call.operation == "HeadBucket" { String::new() } else { body };
            respond(*status, "application/xml", body.into_bytes())
        }
    };
    let headers = response.headers_mut();
    match read.protocol {
        Protocol::Json | Protocol::Cbor => {
            headers.insert("x-amzn-query-error", format!("{code};Sender"));
        }
        Protocol::RestJson => {
            headers.insert("x-amzn-errortype", code.clone());
        }
        _ => {}
    }
    response
}

/// Encodes members as elements. The items of a list become elements with this name.
fn xml(value: &Json, item: &str) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => escape(text),
        Json::Array(items) => {
            let items = items.iter().map(|value| {
                // A map is a list of entries.
                let of_map = item == "member" && value.get("key").is_some();
                let name = if of_map { "entry" } else { item };
                format!("<{name}>{}</{name}>", xml(value, item))
            });
            items.collect::<Vec<_>>().concat()
        }
        Json::Object(members) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            let members = given.map(|(name, value)| format!("<{name}>{}</{name}>", xml(value, item)));
            members.collect::<Vec<_>>().concat()
        }
        other => other.to_string(),
    }
}

/// Escapes a string for XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
