//! API Gateway: HTTP APIs and their parts. Requests to them are not implemented.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::wire::Route;
use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, refuse, refuse_with, text, text_list,
    unknown, without,
};

const TAGS: TagForm = TagForm::map("tags", "tagKeys");

pub(super) const ROUTES: &[Route] = &[
    ("POST", "/v2/apis", "CreateApi"),
    ("GET", "/v2/apis", "GetApis"),
    ("GET", "/v2/apis/{ApiId}", "GetApi"),
    ("PATCH", "/v2/apis/{ApiId}", "UpdateApi"),
    ("DELETE", "/v2/apis/{ApiId}", "DeleteApi"),
    ("DELETE", "/v2/apis/{ApiId}/cors", "DeleteCorsConfiguration"),
    ("POST", "/v2/apis/{ApiId}/integrations", "CreateIntegration"),
    ("GET", "/v2/apis/{ApiId}/integrations", "GetIntegrations"),
    ("PATCH", "/v2/apis/{ApiId}/integrations/{IntegrationId}", "UpdateIntegration"),
    ("DELETE", "/v2/apis/{ApiId}/integrations/{IntegrationId}", "DeleteIntegration"),
    ("POST", "/v2/apis/{ApiId}/routes", "CreateRoute"),
    ("GET", "/v2/apis/{ApiId}/routes", "GetRoutes"),
    ("PATCH", "/v2/apis/{ApiId}/routes/{RouteId}", "UpdateRoute"),
    ("DELETE", "/v2/apis/{ApiId}/routes/{RouteId}", "DeleteRoute"),
    ("POST", "/v2/apis/{ApiId}/authorizers", "CreateAuthorizer"),
    ("GET", "/v2/apis/{ApiId}/authorizers", "GetAuthorizers"),
    ("PATCH", "/v2/apis/{ApiId}/authorizers/{AuthorizerId}", "UpdateAuthorizer"),
    ("DELETE", "/v2/apis/{ApiId}/authorizers/{AuthorizerId}", "DeleteAuthorizer"),
    ("POST", "/v2/apis/{ApiId}/stages", "CreateStage"),
    ("GET", "/v2/apis/{ApiId}/stages", "GetStages"),
    ("GET", "/v2/apis/{ApiId}/stages/{StageName}", "GetStage"),
    ("PATCH", "/v2/apis/{ApiId}/stages/{StageName}", "UpdateStage"),
    ("DELETE", "/v2/apis/{ApiId}/stages/{StageName}", "DeleteStage"),
    ("DELETE", "/v2/apis/{ApiId}/stages/{StageName}/accesslogsettings", "DeleteAccessLogSettings"),
    ("GET", "/v2/tags/{ResourceArn}", "GetTags"),
    ("POST", "/v2/tags/{ResourceArn}", "TagResource"),
    ("DELETE", "/v2/tags/{ResourceArn}", "UntagResource"),
];

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    apis: BTreeMap<String, Api>,
}

/// Parts of one type as AWS returns them, by id; stages by name.
type Parts = BTreeMap<String, Json>;

#[derive(Clone, Debug, Default)]
struct Api {
    /// The answer of GetApi, without tags.
    described: Json,
    tags: Tags,
    integrations: Parts,
    routes: Parts,
    authorizers: Parts,
    stages: Parts,
}

/// The time of every change. No test reads it.
const TIME: &str = "2026-01-01T00:00:00Z";
/// The methods of a route key.
const METHODS: [&str; 8] = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

fn arn(id: &str) -> String {
    format!("arn:aws:apigateway:{REGION}::/apis/{id}")
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for api in self.apis.values() {
            items.push(Item {
                kind: "http api",
                name: api.name().to_owned(),
                tags: Some(api.tags.clone()),
                settings: without(api.described.clone(), &["apiId", "apiEndpoint", "createdDate"]),
            });
            let parts = [
                ("http api integration", &api.integrations, "integrationUri", "integrationId"),
                ("http api route", &api.routes, "routeKey", "routeId"),
                ("http api authorizer", &api.authorizers, "name", "authorizerId"),
                ("http api stage", &api.stages, "stageName", "deploymentId"),
            ];
            for (kind, parts, name, id) in parts {
                items.extend(parts.values().map(|part| Item {
                    kind,
                    name: format!("{}:{}", api.name(), text(part, name)),
                    tags: None,
                    settings: without(part.clone(), &[id, "createdDate", "lastUpdatedDate"]),
                }));
            }
        }
        items
    }

    /// The names of APIs and their parts, by the ids that AWS assigned.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (id, api) in &self.apis {
            names.insert(id.clone(), api.name().to_owned());
            for (parts, name) in [(&api.integrations, "integrationUri"), (&api.authorizers, "name")] {
                names.extend(parts.iter().map(|(id, part)| (id.clone(), text(part, name).to_owned())));
            }
        }
        names
    }
}

impl Api {
    fn name(&self) -> &str {
        text(&self.described, "name")
    }

    fn shown(&self) -> Json {
        let mut shown = self.described.clone();
        shown["tags"] = json!(self.tags);
        shown
    }

    /// Refuses to delete a part that a route refers to.
    fn unused(&self, what: &str, member: &str, value: &str) -> Result<(), Refusal> {
        let routes = self.routes.iter().filter(|(_, route)| route[member] == value);
        let ids: Vec<&str> = routes.map(|(id, _)| id.as_str()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        conflict(format!(
            "Cannot delete {what} because it is referenced by the following Routes with Ids: [{}]",
            ids.join(", ")
        ))
    }
}

fn bad<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse("BadRequestException", message)
}

fn conflict<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse_with(409, "ConflictException", message)
}

/// Refuses a call on a missing object of a type, e.g. `API` or `Route`.
fn missing<T>(what: &str, id: &str) -> Result<T, Refusal> {
    refuse_with(404, "NotFoundException", format!("Invalid {what} identifier specified {ACCOUNT}:{id}"))
}

/// A required member of a call.
fn required<'a>(input: &'a Json, member: &str) -> Result<&'a str, Refusal> {
    match text(input, member) {
        "" => bad(format!("{member} is a required parameter")),
        given => Ok(given),
    }
}

/// Takes the members that a call sets. Omitted members keep their value, and empty ones are removed.
fn take(described: &mut Json, input: &Json, members: &[&str]) {
    for member in members {
        match &input[*member] {
            Json::Null => {}
            Json::String(text) if text.is_empty() => *described = without(described.take(), &[*member]),
            Json::Array(items) if items.is_empty() => *described = without(described.take(), &[*member]),
            given => described[*member] = given.clone(),
        }
    }
}

fn api<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Api, Refusal> {
    let id = text(input, "ApiId");
    match cloud.apigatewayv2.apis.get_mut(id) {
        Some(api) => Ok(api),
        None => missing("API", id),
    }
}

/// The API of a call on tags.
fn tagged<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Api, Refusal> {
    match text(input, "ResourceArn").strip_prefix(&arn("")) {
        Some(id) => api(cloud, &json!({ "ApiId": id })),
        None => bad("Invalid resource ARN specified in the request"),
    }
}

/// The part with this id. The refusal of a missing one contains the type.
fn part<'a>(parts: &'a mut Parts, what: &str, id: &str) -> Result<&'a mut Json, Refusal> {
    match parts.get_mut(id) {
        Some(part) => Ok(part),
        None => missing(what, id),
    }
}

fn listed(parts: &Parts) -> Json {
    json!({ "items": parts.values().collect::<Vec<_>>() })
}

const OF_API: [&str; 4] = ["name", "description", "disableExecuteApiEndpoint", "corsConfiguration"];

fn check_api(described: &Json) -> Result<(), Refusal> {
    let name = text(described, "name");
    if !(1..=128).contains(&name.len()) {
        return bad("Name must be between 1 and 128 characters");
    }
    let age = &described["corsConfiguration"]["maxAge"];
    if age.as_i64().is_some_and(|age| !(-1..=86_400).contains(&age)) {
        return bad("CORS max age must be between -1 and 86400 seconds");
    }
    Ok(())
}

/// Creates a new API for every call, even with the same name.
fn create_api(cloud: &mut Cloud, input: &Json) -> Answer {
    if required(input, "protocolType")? != "HTTP" {
        return bad("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]");
    }
    let id = format!("api{:07}", cloud.next());
    let mut described = json!({
        "apiId": id,
        "apiEndpoint": format!("https://{id}.execute-api.{REGION}.amazonaws.com"),
        "apiKeySelectionExpression": "$request.header.x-api-key",
        "createdDate": TIME,
        "disableExecuteApiEndpoint": false,
        "ipAddressType": "ipv4",
        "protocolType": "HTTP",
        "routeSelectionExpression": "$request.method $request.path",
    });
    take(&mut described, input, &OF_API);
    check_api(&described)?;
    let api = Api { described, tags: TAGS.given(input), ..Api::default() };
    let shown = api.shown();
    cloud.apigatewayv2.apis.insert(id, api);
    Ok(shown)
}

fn update_api(cloud: &mut Cloud, input: &Json) -> Answer {
    let api = api(cloud, input)?;
    let mut described = api.described.clone();
    take(&mut described, input, &OF_API);
    check_api(&described)?;
    api.described = described;
    Ok(api.shown())
}

const OF_INTEGRATION: [&str; 4] =
    ["integrationType", "integrationUri", "payloadFormatVersion", "timeoutInMillis"];

fn check_integration(integration: &Json) -> Result<(), Refusal> {
    let kind = required(integration, "integrationType")?;
    if !["AWS_PROXY", "HTTP_PROXY"].contains(&kind) {
        return bad(format!("{kind} integration type is not supported for HTTP protocol Apis"));
    }
    required(integration, "integrationUri")?;
    if !["1.0", "2.0"].contains(&required(integration, "payloadFormatVersion")?) {
        return bad("Invalid payload format version specified. Must be one of [1.0, 2.0]");
    }
    match integration["timeoutInMillis"].as_u64() {
        Some(50..=30_000) => Ok(()),
        _ => bad("Timeout should be between 50 ms and 30000 ms"),
    }
}

/// Creates a new integration for every call, even for the same function.
fn create_integration(cloud: &mut Cloud, input: &Json) -> Answer {
    let id = format!("int{:06}", cloud.next());
    let api = api(cloud, input)?;
    let mut integration =
        json!({ "integrationId": id, "connectionType": "INTERNET", "timeoutInMillis": 30_000 });
    take(&mut integration, input, &OF_INTEGRATION);
    check_integration(&integration)?;
    api.integrations.insert(id, integration.clone());
    Ok(integration)
}

fn update_integration(cloud: &mut Cloud, input: &Json) -> Answer {
    let integration =
        part(&mut api(cloud, input)?.integrations, "Integration", text(input, "IntegrationId"))?;
    let mut changed = integration.clone();
    take(&mut changed, input, &OF_INTEGRATION);
    check_integration(&changed)?;
    *integration = changed.clone();
    Ok(changed)
}

fn delete_integration(cloud: &mut Cloud, input: &Json) -> Answer {
    let (api, id) = (api(cloud, input)?, text(input, "IntegrationId"));
    part(&mut api.integrations, "Integration", id)?;
    api.unused("Integration", "target", &format!("integrations/{id}"))?;
    api.integrations.remove(id);
    Ok(Json::Null)
}

const OF_ROUTE: [&str; 5] =
    ["routeKey", "target", "authorizationType", "authorizerId", "authorizationScopes"];

fn check_route(api: &Api, route: &Json) -> Result<(), Refusal> {
    let key = required(route, "routeKey")?;
    let fits = key.split_once(' ').is_some_and(|(method, path)| {
        METHODS.contains(&method) && path.starts_with('/') && !path.contains(' ')
    });
    if key != "$default" && !fits {
        return bad("The provided route key is not formatted properly for HTTP protocol");
    }
    let target = text(route, "target");
    let integration = target.strip_prefix("integrations/").unwrap_or(target);
    if !target.is_empty() && !api.integrations.contains_key(integration) {
        return missing("Integration", integration);
    }
    let authorizer = text(route, "authorizerId");
    match text(route, "authorizationType") {
        "NONE" | "AWS_IAM" if authorizer.is_empty() => Ok(()),
        "JWT" if api.authorizers.contains_key(authorizer) => Ok(()),
        "JWT" if !authorizer.is_empty() => missing("Authorizer", authorizer),
        _ => bad("Authorizer type is invalid or null"),
    }
}

fn create_route(cloud: &mut Cloud, input: &Json) -> Answer {
    let id = format!("rou{:06}", cloud.next());
    let api = api(cloud, input)?;
    let mut route = json!({ "routeId": id, "apiKeyRequired": false, "authorizationType": "NONE" });
    take(&mut route, input, &OF_ROUTE);
    check_route(api, &route)?;
    if api.routes.values().any(|other| other["routeKey"] == route["routeKey"]) {
        return conflict(format!("Route with key {} already exists for this API", text(&route, "routeKey")));
    }
    api.routes.insert(id, route.clone());
    Ok(route)
}

fn update_route(cloud: &mut Cloud, input: &Json) -> Answer {
    let (api, id) = (api(cloud, input)?, text(input, "RouteId"));
    let mut route = part(&mut api.routes, "Route", id)?.clone();
    if !text(input, "authorizerId").is_empty() && input["authorizationType"].is_null() {
        return bad("Unable to update route. Authorizer type is invalid or null.");
    }
    take(&mut route, input, &OF_ROUTE);
    // A type without an authorizer removes the authorizer.
    if ["NONE", "AWS_IAM"].contains(&text(input, "authorizationType")) {
        route = without(route, &["authorizerId"]);
    }
    check_route(api, &route)?;
    api.routes.insert(id.to_owned(), route.clone());
    Ok(route)
}

const OF_AUTHORIZER: [&str; 4] = ["name", "authorizerType", "identitySource", "jwtConfiguration"];

fn check_authorizer(authorizer: &Json) -> Result<(), Refusal> {
    required(authorizer, "name")?;
    if required(authorizer, "authorizerType")? != "JWT" {
        return bad("Invalid authorizer type specified. Only JWT authorizer type is supported");
    }
    let sources = text_list(&authorizer["identitySource"]);
    if sources.is_empty() || !sources.iter().all(|source| source.starts_with("$request.")) {
        return bad("Invalid mapping expression specified for identity source");
    }
    if !text(&authorizer["jwtConfiguration"], "issuer").starts_with("https://") {
        return bad("Invalid issuer. Issuer must have a valid HTTPS endpoint");
    }
    Ok(())
}

/// Creates a new authorizer for every call, even with the same name.
fn create_authorizer(cloud: &mut Cloud, input: &Json) -> Answer {
    let id = format!("aut{:06}", cloud.next());
    let api = api(cloud, input)?;
    let mut authorizer = json!({ "authorizerId": id });
    take(&mut authorizer, input, &OF_AUTHORIZER);
    check_authorizer(&authorizer)?;
    api.authorizers.insert(id, authorizer.clone());
    Ok(authorizer)
}

fn update_authorizer(cloud: &mut Cloud, input: &Json) -> Answer {
    let authorizer = part(&mut api(cloud, input)?.authorizers, "Authorizer", text(input, "AuthorizerId"))?;
    let mut changed = authorizer.clone();
    take(&mut changed, input, &OF_AUTHORIZER);
    check_authorizer(&changed)?;
    *authorizer = changed.clone();
    Ok(changed)
}

fn delete_authorizer(cloud: &mut Cloud, input: &Json) -> Answer {
    let (api, id) = (api(cloud, input)?, text(input, "AuthorizerId"));
    part(&mut api.authorizers, "Authorizer", id)?;
    api.unused("Authorizer", "authorizerId", id)?;
    api.authorizers.remove(id);
    Ok(Json::Null)
}

const OF_STAGE: [&str; 3] = ["accessLogSettings", "autoDeploy", "defaultRouteSettings"];

/// API Gateway checks that the log group exists, and that the format contains a request id.
fn check_logs(cloud: &Cloud, input: &Json) -> Result<(), Refusal> {
    let logs = &input["accessLogSettings"];
    if logs.is_null() {
        return Ok(());
    }
    let (_, group) = text(logs, "destinationArn").split_once(":log-group:").unwrap_or_default();
    if !cloud.logs.groups.contains_key(group) {
        return bad("CloudWatch Logs destination ARN must be that of an existing log group");
    }
    if !text(logs, "format").contains("$context.requestId") {
        return bad("Access Log format must contain $context.requestId");
    }
    Ok(())
}

fn create_stage(cloud: &mut Cloud, input: &Json) -> Answer {
    check_logs(cloud, input)?;
    let api = api(cloud, input)?;
    let name = required(input, "stageName")?;
    if api.stages.contains_key(name) {
        return conflict("Stage already exists");
    }
    let mut stage = json!({
        "stageName": name,
        "autoDeploy": false,
        "createdDate": TIME,
        "lastUpdatedDate": TIME,
        "routeSettings": {},
        "stageVariables": {},
    });
    configure_stage(&mut stage, input);
    api.stages.insert(name.to_owned(), stage.clone());
    Ok(stage)
}

/// Updates a stage. `defaultRouteSettings` is replaced as a whole.
fn configure_stage(stage: &mut Json, input: &Json) {
    take(stage, input, &OF_STAGE);
    if stage["defaultRouteSettings"]["detailedMetricsEnabled"].is_null() {
        stage["defaultRouteSettings"]["detailedMetricsEnabled"] = false.into();
    }
}

/// The stage of a call.
fn stage<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Json, Refusal> {
    part(&mut api(cloud, input)?.stages, "stage", text(input, "StageName"))
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    match operation {
        "CreateApi" => create_api(cloud, input),
        "GetApi" => Ok(api(cloud, input)?.shown()),
        "GetApis" => {
            let apis = cloud.apigatewayv2.apis.values().map(Api::shown);
            Ok(json!({ "items": apis.collect::<Vec<_>>() }))
        }
        "UpdateApi" => update_api(cloud, input),
        "DeleteApi" => {
            api(cloud, input)?;
            cloud.apigatewayv2.apis.remove(text(input, "ApiId"));
            Ok(Json::Null)
        }
        "DeleteCorsConfiguration" => {
            let api = api(cloud, input)?;
            api.described = without(api.described.take(), &["corsConfiguration"]);
            Ok(Json::Null)
        }
        "CreateIntegration" => create_integration(cloud, input),
        "GetIntegrations" => Ok(listed(&api(cloud, input)?.integrations)),
        "UpdateIntegration" => update_integration(cloud, input),
        "DeleteIntegration" => delete_integration(cloud, input),
        "CreateRoute" => create_route(cloud, input),
        "GetRoutes" => Ok(listed(&api(cloud, input)?.routes)),
        "UpdateRoute" => update_route(cloud, input),
        "DeleteRoute" => {
            let (api, id) = (api(cloud, input)?, text(input, "RouteId"));
            part(&mut api.routes, "Route", id)?;
            api.routes.remove(id);
            Ok(Json::Null)
        }
        "CreateAuthorizer" => create_authorizer(cloud, input),
        "GetAuthorizers" => Ok(listed(&api(cloud, input)?.authorizers)),
        "UpdateAuthorizer" => update_authorizer(cloud, input),
        "DeleteAuthorizer" => delete_authorizer(cloud, input),
        "CreateStage" => create_stage(cloud, input),
        "GetStages" => Ok(listed(&api(cloud, input)?.stages)),
        "GetStage" => Ok(stage(cloud, input)?.clone()),
        "UpdateStage" => {
            check_logs(cloud, input)?;
            let stage = stage(cloud, input)?;
            configure_stage(stage, input);
            Ok(stage.clone())
        }
        "DeleteStage" => {
            stage(cloud, input)?;
            api(cloud, input)?.stages.remove(text(input, "StageName"));
            Ok(Json::Null)
        }
        "DeleteAccessLogSettings" => {
            let stage = stage(cloud, input)?;
            *stage = without(stage.take(), &["accessLogSettings"]);
            Ok(Json::Null)
        }
        "GetTags" => Ok(TAGS.list(&tagged(cloud, input)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut tagged(cloud, input)?.tags, input)),
        "UntagResource" => {
            TAGS.remove(&mut tagged(cloud, input)?.tags, input);
            Ok(Json::Null)
        }
        other => unknown("apigateway", other),
    }
}
