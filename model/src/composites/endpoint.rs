//! The endpoint of a function's `http` trigger: an HTTP API or a function URL.

use serde_json::json;

use super::child::Child;
use super::common;
use super::function::FunctionSpec;
use super::triggers::HttpTrigger;
use super::wiring::{TriggerTarget, permission};
use crate::expr::Expr;
use crate::graph::{Graph, Handle};
use crate::kinds::{apigatewayv2, lambda};
use crate::names;
use crate::scalar::Scalar;

/// The endpoint of an `http` trigger.
pub(super) struct Endpoint {
    /// The object that invokes the function.
    pub(super) source: Handle,
    pub(super) url: Expr,
    /// The ID of the HTTP API. A function URL has none.
    pub(super) api_id: Option<Expr>,
}

/// Adds the endpoint of an `http` trigger.
pub(super) fn add_http(
    graph: &mut Graph,
    spec: &FunctionSpec<'_>,
    target: &TriggerTarget<'_>,
    trigger: &HttpTrigger,
) -> Endpoint {
    if trigger.http == "url" {
        add_url(graph, spec, target, trigger)
    } else {
        add_api(graph, spec, target, trigger)
    }
}

fn list(items: &[Scalar<String>]) -> Option<Expr> {
    (!items.is_empty()).then(|| Expr::list(items))
}

fn add_url(
    graph: &mut Graph,
    spec: &FunctionSpec<'_>,
    target: &TriggerTarget<'_>,
    trigger: &HttpTrigger,
) -> Endpoint {
    let own = spec.part.slot("http");
    let name = || target.function.attribute("function_name");
    let auth = if trigger.auth == "iam" { "AWS_IAM" } else { "NONE" };
    let cors = !trigger.cors_origins.is_empty();
    let url = graph
        .add(&lambda::FUNCTION_URL, &own)
        .set("function_name", name())
        .set("authorization_type", auth)
        .set_if("cors_allow_origins", list(&trigger.cors_origins))
        .set_if("cors_allow_methods", list(&trigger.cors_methods).filter(|_| cors))
        .set_if("cors_allow_headers", list(&trigger.cors_headers).filter(|_| cors))
        .handle();
    if auth == "NONE" {
        // Lambda requires two permissions: `InvokeFunctionUrl`, and `InvokeFunction` through the URL.
        graph
            .add(&lambda::PERMISSION, &own)
            .set("function_name", name())
            .set("statement_id", own.clone())
            .set("action", "lambda:InvokeFunctionUrl")
            .set("principal", "*")
            .set("function_url_auth_type", auth)
            .after(&url);
        let through = spec.part.slot("http_invoke");
        graph
            .add(&lambda::PERMISSION, &through)
            .set("function_name", name())
            .set("statement_id", through.clone())
            .set("action", "lambda:InvokeFunction")
            .set("principal", "*")
            .set("invoked_via_function_url", true)
            .after(&url);
    }
    Endpoint { url: url.attribute("function_url"), api_id: None, source: url }
}

/// The fields of an access log record.
fn access_log_format() -> String {
    let field = |name: &str| format!("$context.{name}");
    json!({
        "requestId": field("requestId"),
        "requestTime": field("requestTime"),
        "sourceIp": field("identity.sourceIp"),
        "method": field("httpMethod"),
        "path": field("path"),
        "status": field("status"),
        "responseLength": field("responseLength"),
        "error": field("error.message"),
        "integrationError": field("integrationErrorMessage"),
    })
    .to_string()
}

fn add_api(
    graph: &mut Graph,
    spec: &FunctionSpec<'_>,
    target: &TriggerTarget<'_>,
    trigger: &HttpTrigger,
) -> Endpoint {
    let FunctionSpec { part, common, .. } = spec;
    let own = part.slot("http");
    let name = part.regional("", 128);
    let log_name = Expr::concat(["/aws/vendedlogs/http-api/".into(), name.clone()]);
    let log_group = common::log_group(graph, &own, log_name, common);
    let cors = !trigger.cors_origins.is_empty();
    let api = graph
        .add(&apigatewayv2::API, &own)
        .set("name", name)
        .set("protocol_type", "HTTP")
        .set("disable_execute_api_endpoint", false)
        .set_if("cors_allow_origins", list(&trigger.cors_origins))
        .set_if("cors_allow_methods", list(&trigger.cors_methods).filter(|_| cors))
        .set_if("cors_allow_headers", list(&trigger.cors_headers).filter(|_| cors))
        .handle();
    let source = Expr::concat([api.attribute("execution_arn"), "/*".into()]);
    let permission = permission(graph, target, &own, "apigateway.amazonaws.com", source);
    let integration = graph
        .add(&apigatewayv2::INTEGRATION, &own)
        .set("api_id", api.attribute("id"))
        .set("integration_type", "AWS_PROXY")
        .set("integration_uri", target.function.arn())
        .set("payload_format_version", "2.0")
        // The maximum for an HTTP API.
        .set("timeout_milliseconds", 30_000)
        .handle();
    let authorizer = (trigger.auth == "jwt").then(|| {
        graph
            .add(&apigatewayv2::AUTHORIZER, &own)
            .set("api_id", api.attribute("id"))
            .set("name", AUTHORIZER)
            .set("authorizer_type", "JWT")
            .set("identity_sources", Expr::list(["$request.header.Authorization"]))
            .set_if("jwt_issuer", trigger.jwt_issuer.as_ref())
            .set("jwt_audience", Expr::list(&trigger.jwt_audience))
            .handle()
    });
    let auth = match trigger.auth.as_str() {
        "iam" => "AWS_IAM",
        "jwt" => "JWT",
        _ => "NONE",
    };
    let route = graph
        .add(&apigatewayv2::ROUTE, &own)
        .set("api_id", api.attribute("id"))
        .set("route_key", ROUTE)
        .set("target", Expr::concat(["integrations/".into(), integration.attribute("id")]))
        .set("authorization_type", auth)
        .set_if("authorizer_id", authorizer.as_ref().map(|authorizer| authorizer.attribute("id")))
        .set_if("authorization_scopes", list(&trigger.jwt_scopes).filter(|_| authorizer.is_some()))
        .after(&permission)
        .handle();
    if cors && auth != "NONE" {
        // Browsers send a preflight request (OPTIONS) first, without credentials.
        graph
            .add(&apigatewayv2::ROUTE, &part.slot("http_preflight"))
            .set("api_id", api.attribute("id"))
            .set("route_key", PREFLIGHT)
            .set("target", Expr::concat(["integrations/".into(), integration.attribute("id")]))
            .set("authorization_type", "NONE")
            .after(&permission);
    }
    graph
        .add(&apigatewayv2::STAGE, &own)
        .set("api_id", api.attribute("id"))
        .set("name", STAGE)
        .set("auto_deploy", true)
        .set("access_log_destination_arn", log_group.arn())
        .set("access_log_format", access_log_format())
        .set("throttling_burst_limit", &trigger.throttling_burst)
        .set("throttling_rate_limit", &trigger.throttling_rate)
        .after(&route);
    Endpoint { url: api.attribute("api_endpoint"), api_id: Some(api.attribute("id")), source: api }
}

/// The slot of the `http` trigger of a function.
pub(super) fn http_slot(function: &str) -> String {
    if function == "function" { "http".to_owned() } else { format!("{function}_http") }
}

/// The slot of the URL of a function.
pub(super) fn slot_of_url(child: &Child<'_>) -> String {
    http_slot(child.parent)
}

/// The slot of the integration of an API with the function.
pub(super) fn slot_of_integration(child: &Child<'_>) -> Option<String> {
    let within = child.parent.strip_suffix("http")?.trim_end_matches('_').replace('_', "-");
    let function = format!(":function:{}", names::of(child.owner, &[&within], 64));
    child.text("integration_uri").ends_with(&function).then(|| child.parent.to_owned())
}

/// The slot of a route of an API.
pub(super) fn slot_of_route(child: &Child<'_>) -> Option<String> {
    match child.text("route_key") {
        ROUTE => Some(child.parent.to_owned()),
        PREFLIGHT => Some(format!("{}_preflight", child.parent)),
        _ => None,
    }
}

/// The slot of the authorizer of an API.
pub(super) fn slot_of_authorizer(child: &Child<'_>) -> Option<String> {
    (child.text("name") == AUTHORIZER).then(|| child.parent.to_owned())
}

/// The slot of the stage of an API.
pub(super) fn slot_of_stage(child: &Child<'_>) -> Option<String> {
    (child.text("name") == STAGE).then(|| child.parent.to_owned())
}

/// The route of all requests.
const ROUTE: &str = "$default";
/// The route of preflight requests.
const PREFLIGHT: &str = "OPTIONS /{proxy+}";
/// The name of the authorizer.
const AUTHORIZER: &str = "jwt";
/// The name of the stage.
const STAGE: &str = "$default";
