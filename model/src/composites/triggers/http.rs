//! Triggers on HTTPS requests: an HTTP API or a function URL.

use serde_json::json;

use super::super::child::Child;
use super::super::common;
use super::target::{FunctionTarget, Target};
use super::{Check, EventSource, Setup, Wiring};
use crate::edge::{Edge, Event, Verb};
use crate::expr::Expr;
use crate::finding::{Code, Findings};
use crate::graph::Handle;
use crate::input::{Inputs, Only, Rule};
use crate::kinds::{apigatewayv2, lambda};
use crate::names;
use crate::scalar::Scalar;

#[derive(Debug, Inputs)]
pub(crate) struct HttpTrigger {
    /// Endpoint: `api` is an API Gateway HTTP API with throttling and access logs; it waits 30 seconds for a response, regardless of `timeout`. `url` is a Lambda function URL. A change of the endpoint changes the output `url`.
    #[input(rule = Rule::OneOf(&["api", "url"]))]
    pub(crate) http: String,
    /// Access: `none` is public, `iam` requires an IAM permission, `jwt` (`api` only) a token of `jwt_issuer`. With `cors_origins`, an `api` passes `OPTIONS` requests without authorization: the function must do nothing for route `OPTIONS /{proxy+}`.
    #[input(rule = Rule::OneOf(&["iam", "jwt", "none"]))]
    pub(crate) auth: String,
    /// URL of the token issuer (claim `iss`), e.g. `https://login.example.com/`.
    #[input(only = Only::If("auth", "jwt"), rule = Rule::Check("an HTTPS URL, e.g. `https://login.example.com`", check_https))]
    pub(crate) jwt_issuer: Option<Scalar<String>>,
    /// Accepted audiences. A token must contain one of them in `aud` or `client_id`.
    pub(crate) jwt_audience: Vec<Scalar<String>>,
    /// Accepted scopes. A token must contain one of them. Default: no scope is required.
    pub(crate) jwt_scopes: Vec<Scalar<String>>,
    /// Origins of web pages that may send requests from a browser, e.g. `https://example.com`. Default: none.
    pub(crate) cors_origins: Vec<Scalar<String>>,
    /// HTTP methods that pages of `cors_origins` may use, e.g. `POST`.
    pub(crate) cors_methods: Vec<Scalar<String>>,
    /// Request headers that pages of `cors_origins` may send, e.g. `content-type`. AWS stores them in lower case.
    #[input(rule = Rule::Check("names of HTTP headers, e.g. `content-type`", check_header))]
    pub(crate) cors_headers: Vec<Scalar<String>>,
    /// Requests per second that an `api` accepts before it responds with status 429.
    #[input(default = 100, rule = Rule::Range(1, 10000))]
    pub(crate) throttling_rate: Scalar<i64>,
    /// Burst limit of an `api`: the requests that it accepts at the same time.
    #[input(default = 200, rule = Rule::Range(1, 5000))]
    pub(crate) throttling_burst: Scalar<i64>,
}

/// The endpoint of an `http` trigger.
pub(crate) struct Endpoint {
    /// The object that invokes the function.
    pub(crate) source: Handle,
    pub(crate) url: Expr,
    /// The ID of the HTTP API. A function URL has none.
    pub(crate) api_id: Option<Expr>,
}

/// Checks an HTTPS URL.
fn check_https(url: &str) -> Result<(), String> {
    let host = url.strip_prefix("https://").unwrap_or_default();
    if host.is_empty() { Err(format!("{url:?} is not an HTTPS URL with a host name")) } else { Ok(()) }
}

/// Checks the name of a header: AWS stores headers in lower case.
fn check_header(name: &str) -> Result<(), String> {
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(format!(
            "{name:?} contains upper case: AWS stores the header as `{}`",
            name.to_lowercase()
        ));
    }
    Ok(())
}

fn list(items: &[Scalar<String>]) -> Option<Expr> {
    (!items.is_empty()).then(|| Expr::list(items))
}

impl<'a> EventSource<FunctionTarget<'a>> for HttpTrigger {
    fn input(&self) -> &'static str {
        "http"
    }

    fn check(&self, check: &Check<'_, FunctionTarget<'a>>, findings: &mut Findings) {
        if let Some(earlier) = check.earlier(|other| other.input() == "http") {
            findings.error(
                Code::Choice,
                check.at("http"),
                format!("`on[{earlier}]` has `http` already: a function has at most one endpoint"),
                "Remove one of the two.",
            );
        }
        let jwt = self.auth == "jwt";
        if jwt && self.http == "url" {
            findings.error(
                Code::Choice,
                check.at("auth"),
                "`auth` is `jwt`, which a Lambda function URL (`http = \"url\"`) does not support",
                "Set `http` to `api`, or `auth` to `iam` or `none`.",
            );
        } else if jwt && (self.jwt_issuer.is_none() || self.jwt_audience.is_empty()) {
            findings.error(
                Code::Missing,
                check.at(if self.jwt_issuer.is_none() { "jwt_issuer" } else { "jwt_audience" }),
                "`auth = \"jwt\"` requires `jwt_issuer` and `jwt_audience`",
                "Set `jwt_issuer` to the URL of the token issuer, and `jwt_audience` to the accepted audiences.",
            );
        }
        let given = [
            ("jwt_issuer", self.jwt_issuer.is_some()),
            ("jwt_audience", !self.jwt_audience.is_empty()),
            ("jwt_scopes", !self.jwt_scopes.is_empty()),
        ];
        for (field, _) in given.into_iter().filter(|(_, given)| *given && !jwt) {
            let message = format!("`{field}` requires `auth = \"jwt\"`, but `auth` is `{}`", self.auth);
            findings.error(Code::Choice, check.at(field), message, "Remove it, or set `auth` to `jwt`.");
        }
        let options =
            self.cors_methods.iter().any(|method| method.known().is_some_and(|name| name == "OPTIONS"));
        if options && self.http == "url" {
            let message = "`cors_methods` contains `OPTIONS`, which a Lambda function URL answers itself";
            findings.error(Code::OutOfRange, check.at("cors_methods"), message, "Remove `OPTIONS`.");
        }
        let browsers = [
            ("cors_methods", !self.cors_methods.is_empty()),
            ("cors_headers", !self.cors_headers.is_empty()),
        ];
        for (field, _) in browsers.into_iter().filter(|(_, given)| *given && self.cors_origins.is_empty()) {
            let message = format!("`{field}` has no effect without `cors_origins`");
            findings.error(
                Code::Missing,
                check.at("cors_origins"),
                message,
                "Set `cors_origins` to the origins of the pages that may send requests.",
            );
        }
    }

    fn add(&self, wiring: &mut Wiring<'_, FunctionTarget<'a>>, setup: &Setup<'_>) {
        // The checks reported a second one as an error.
        if wiring.endpoint.is_some() {
            return;
        }
        let endpoint = if self.http == "url" { self.add_url(wiring) } else { self.add_api(wiring) };
        let edge = Edge::new(&endpoint.source, Verb::Triggers, wiring.target.end()).event(Event::Request);
        wiring.graph.connect(edge.at(setup.path.clone()));
        wiring.endpoint = Some(endpoint);
    }
}

impl HttpTrigger {
    /// Adds a function URL.
    fn add_url(&self, wiring: &mut Wiring<'_, FunctionTarget<'_>>) -> Endpoint {
        let (part, target) = (wiring.part, wiring.target);
        let graph = &mut *wiring.graph;
        let own = part.slot("http");
        let name = || target.function.attribute("function_name");
        let auth = if self.auth == "iam" { "AWS_IAM" } else { "NONE" };
        let cors = !self.cors_origins.is_empty();
        let url = graph
            .add(lambda::FunctionUrl, &own)
            .function_name(name())
            .authorization_type(auth)
            .cors_allow_origins(list(&self.cors_origins))
            .cors_allow_methods(list(&self.cors_methods).filter(|_| cors))
            .cors_allow_headers(list(&self.cors_headers).filter(|_| cors))
            .handle();
        if auth == "NONE" {
            // Lambda requires two permissions: `InvokeFunctionUrl`, and `InvokeFunction` through the URL.
            graph
                .add(lambda::Permission, &own)
                .function_name(name())
                .statement_id(own.clone())
                .action("lambda:InvokeFunctionUrl")
                .principal("*")
                .function_url_auth_type(Some(auth))
                .after(&url);
            let through = part.slot("http_invoke");
            graph
                .add(lambda::Permission, &through)
                .function_name(name())
                .statement_id(through.clone())
                .action("lambda:InvokeFunction")
                .principal("*")
                .invoked_via_function_url(Some(true))
                .after(&url);
        }
        Endpoint { url: url.attribute("function_url"), api_id: None, source: url }
    }

    /// Adds an HTTP API.
    fn add_api(&self, wiring: &mut Wiring<'_, FunctionTarget<'_>>) -> Endpoint {
        let (part, target) = (wiring.part, wiring.target);
        let graph = &mut *wiring.graph;
        let own = part.slot("http");
        let name = part.regional("", 128);
        let log_name = Expr::concat(["/aws/vendedlogs/http-api/".into(), name.clone()]);
        let log_group = common::log_group(graph, &own, log_name, target.common);
        let cors = !self.cors_origins.is_empty();
        let api = graph
            .add(apigatewayv2::Api, &own)
            .name(name)
            .protocol_type("HTTP")
            .disable_execute_api_endpoint(false)
            .cors_allow_origins(list(&self.cors_origins))
            .cors_allow_methods(list(&self.cors_methods).filter(|_| cors))
            .cors_allow_headers(list(&self.cors_headers).filter(|_| cors))
            .handle();
        let source = Expr::concat([api.attribute("execution_arn"), "/*".into()]);
        let permission = target.permit(graph, &own, "apigateway.amazonaws.com", source);
        let integration = graph
            .add(apigatewayv2::Integration, &own)
            .api_id(api.attribute("id"))
            .integration_type("AWS_PROXY")
            .integration_uri(target.function.arn())
            .payload_format_version("2.0")
            // The maximum for an HTTP API.
            .timeout_milliseconds(30_000)
            .handle();
        let authorizer = (self.auth == "jwt").then(|| {
            graph
                .add(apigatewayv2::Authorizer, &own)
                .api_id(api.attribute("id"))
                .name(AUTHORIZER)
                .authorizer_type("JWT")
                .identity_sources(Expr::list(["$request.header.Authorization"]))
                .jwt_issuer(self.jwt_issuer.as_ref())
                .jwt_audience(Expr::list(&self.jwt_audience))
                .handle()
        });
        let auth = match self.auth.as_str() {
            "iam" => "AWS_IAM",
            "jwt" => "JWT",
            _ => "NONE",
        };
        let route = graph
            .add(apigatewayv2::Route, &own)
            .api_id(api.attribute("id"))
            .route_key(ROUTE)
            .target(Expr::concat(["integrations/".into(), integration.attribute("id")]))
            .authorization_type(auth)
            .authorizer_id(authorizer.as_ref().map(|authorizer| authorizer.attribute("id")))
            .authorization_scopes(list(&self.jwt_scopes).filter(|_| authorizer.is_some()))
            .after(&permission)
            .handle();
        if cors && auth != "NONE" {
            // Browsers send a preflight request (OPTIONS) first, without credentials.
            graph
                .add(apigatewayv2::Route, &part.slot("http_preflight"))
                .api_id(api.attribute("id"))
                .route_key(PREFLIGHT)
                .target(Expr::concat(["integrations/".into(), integration.attribute("id")]))
                .authorization_type("NONE")
                .after(&permission);
        }
        graph
            .add(apigatewayv2::Stage, &own)
            .api_id(api.attribute("id"))
            .name(STAGE)
            .auto_deploy(true)
            .access_log_destination_arn(log_group.arn())
            .access_log_format(access_log_format())
            .throttling_burst_limit(&self.throttling_burst)
            .throttling_rate_limit(&self.throttling_rate)
            .after(&route);
        Endpoint { url: api.attribute("api_endpoint"), api_id: Some(api.attribute("id")), source: api }
    }
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

/// The slot of the `http` trigger of a function.
pub(crate) fn http_slot(function: &str) -> String {
    if function == "function" { "http".to_owned() } else { format!("{function}_http") }
}

/// The slot of the URL of a function.
pub(crate) fn slot_of_url(child: &Child<'_>) -> String {
    http_slot(child.parent)
}

/// The slot of the integration of an API with the function.
pub(crate) fn slot_of_integration(child: &Child<'_>) -> Option<String> {
    let within = child.parent.strip_suffix("http")?.trim_end_matches('_').replace('_', "-");
    let function = format!(":function:{}", names::of(child.owner, &[&within], 64));
    child.text("integration_uri").ends_with(&function).then(|| child.parent.to_owned())
}

/// The slot of a route of an API.
pub(crate) fn slot_of_route(child: &Child<'_>) -> Option<String> {
    match child.text("route_key") {
        ROUTE => Some(child.parent.to_owned()),
        PREFLIGHT => Some(format!("{}_preflight", child.parent)),
        _ => None,
    }
}

/// The slot of the authorizer of an API.
pub(crate) fn slot_of_authorizer(child: &Child<'_>) -> Option<String> {
    (child.text("name") == AUTHORIZER).then(|| child.parent.to_owned())
}

/// The slot of the stage of an API.
pub(crate) fn slot_of_stage(child: &Child<'_>) -> Option<String> {
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
