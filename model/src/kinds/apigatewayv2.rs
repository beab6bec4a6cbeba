//! HTTP APIs of API Gateway. AWS gives their parts random ids, so the ids here consist of the API's id and a
//! natural key, e.g. the route key.

use crate::kind::declare::{Decimal, Flag, Number, Text, Texts, kind};
use crate::kind::{Form, Look, access};

/// The ARN of all parts of APIs, for IAM.
const PARTS: &str = "arn:{partition}:apigateway:{region}::/apis/*";

/// The IAM actions of calls whose actions have the verbs of HTTP.
pub(super) const ACTIONS: &[(&str, &[&str])] = &[
    ("apigatewayv2:CreateApi", &["apigateway:POST"]),
    ("apigatewayv2:CreateAuthorizer", &["apigateway:POST"]),
    ("apigatewayv2:CreateIntegration", &["apigateway:POST"]),
    ("apigatewayv2:CreateRoute", &["apigateway:POST"]),
    ("apigatewayv2:CreateStage", &["apigateway:POST"]),
    ("apigatewayv2:DeleteAccessLogSettings", &["apigateway:DELETE"]),
    ("apigatewayv2:DeleteApi", &["apigateway:DELETE"]),
    ("apigatewayv2:DeleteAuthorizer", &["apigateway:DELETE"]),
    ("apigatewayv2:DeleteCorsConfiguration", &["apigateway:DELETE"]),
    ("apigatewayv2:DeleteIntegration", &["apigateway:DELETE"]),
    ("apigatewayv2:DeleteRoute", &["apigateway:DELETE"]),
    ("apigatewayv2:DeleteStage", &["apigateway:DELETE"]),
    ("apigatewayv2:GetApi", &["apigateway:GET"]),
    ("apigatewayv2:GetApis", &["apigateway:GET"]),
    ("apigatewayv2:GetAuthorizers", &["apigateway:GET"]),
    ("apigatewayv2:GetIntegrations", &["apigateway:GET"]),
    ("apigatewayv2:GetRoutes", &["apigateway:GET"]),
    ("apigatewayv2:GetStage", &["apigateway:GET"]),
    ("apigatewayv2:GetStages", &["apigateway:GET"]),
    ("apigatewayv2:GetTags", &["apigateway:GET"]),
    ("apigatewayv2:TagResource", &["apigateway:POST", "apigateway:PUT"]),
    ("apigatewayv2:UntagResource", &["apigateway:DELETE"]),
    ("apigatewayv2:UpdateApi", &["apigateway:PATCH"]),
    ("apigatewayv2:UpdateAuthorizer", &["apigateway:PATCH"]),
    ("apigatewayv2:UpdateIntegration", &["apigateway:PATCH"]),
    ("apigatewayv2:UpdateRoute", &["apigateway:PATCH"]),
    ("apigatewayv2:UpdateStage", &["apigateway:PATCH"]),
];

kind! {
    /// An HTTP API.
    Api, API {
        name: Text => immutable().sets("CreateApi.Name").property("Name"),
        protocol_type: Text => immutable().sets("CreateApi.ProtocolType").property("ProtocolType"),
        description: Option<Text> => optional().sets("CreateApi.Description").property("Description"),
        disable_execute_api_endpoint: Flag => sets("CreateApi.DisableExecuteApiEndpoint"),
        /// Origins for CORS. Without them, browsers block calls from other sites.
        cors_allow_origins: Option<Texts> => form(Form::Set).optional().sets("CreateApi.CorsConfiguration.AllowOrigins").at("cors_configuration.allow_origins"),
        cors_allow_methods: Option<Texts> => form(Form::Set).optional().sets("CreateApi.CorsConfiguration.AllowMethods").at("cors_configuration.allow_methods"),
        cors_allow_headers: Option<Texts> => form(Form::Set).optional().sets("CreateApi.CorsConfiguration.AllowHeaders").at("cors_configuration.allow_headers"),
        cors_max_age: Option<Number> => optional().sets("CreateApi.CorsConfiguration.MaxAge").at("cors_configuration.max_age"),
    }
    name: "apigatewayv2_api",
    title: "HTTP API",
    service: "apigatewayv2",
    cloudformation: Some("AWS::ApiGatewayV2::Api"),
    id: None,
    attributes: &[
        ("id", None),
        ("name", None),
        ("api_endpoint", None),
        // `arn:aws:execute-api:region:account:id`, for permissions.
        ("execution_arn", None),
    ],
    tags: true,
    tags_member: Some("CreateApi.Tags"),
    access: &[
        access("arn:{partition}:apigateway:{region}::/apis", &["apigateway:GET", "apigateway:POST"]),
        access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH"]),
        access(
            "arn:{partition}:apigateway:{region}::/tags/*",
            &["apigateway:DELETE", "apigateway:GET", "apigateway:POST", "apigateway:PUT"],
        ),
        access("arn:{partition}:apigateway:{region}::/apis", &["apigateway:GET"]).to_sweep(),
    ],
    look: Some(Look::Event),
}

kind! {
    /// The integration of an API with a function.
    Integration, INTEGRATION {
        api_id: Text => parent().sets("CreateIntegration.ApiId"),
        integration_type: Text => immutable().sets("CreateIntegration.IntegrationType"),
        integration_uri: Text => immutable().sets("CreateIntegration.IntegrationUri"),
        payload_format_version: Text => sets("CreateIntegration.PayloadFormatVersion"),
        timeout_milliseconds: Number => sets("CreateIntegration.TimeoutInMillis"),
    }
    name: "apigatewayv2_integration",
    title: "HTTP API integration",
    service: "apigatewayv2",
    cloudformation: Some("AWS::ApiGatewayV2::Integration"),
    id: Some("{api_id}|{integration_uri}"),
    goes_with: Some("api_id"),
    attributes: &[("id", None)],
    access: &[access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"])],
}

kind! {
    /// A route of an API: its key and its authorization.
    Route, ROUTE {
        api_id: Text => parent().sets("CreateRoute.ApiId"),
        route_key: Text => immutable().sets("CreateRoute.RouteKey"),
        target: Text => sets("CreateRoute.Target"),
        /// `NONE`, `AWS_IAM` or `JWT`.
        authorization_type: Text => sets("CreateRoute.AuthorizationType"),
        authorizer_id: Option<Text> => optional().sets("CreateRoute.AuthorizerId"),
        authorization_scopes: Option<Texts> => form(Form::Set).optional().sets("CreateRoute.AuthorizationScopes"),
    }
    name: "apigatewayv2_route",
    title: "HTTP API route",
    service: "apigatewayv2",
    cloudformation: Some("AWS::ApiGatewayV2::Route"),
    id: Some("{api_id}|{route_key}"),
    goes_with: Some("api_id"),
    access: &[access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"])],
}

kind! {
    /// The JWT authorizer of an API.
    Authorizer, AUTHORIZER {
        api_id: Text => parent().sets("CreateAuthorizer.ApiId"),
        name: Text => immutable().sets("CreateAuthorizer.Name"),
        authorizer_type: Text => immutable().sets("CreateAuthorizer.AuthorizerType"),
        identity_sources: Texts => form(Form::Set).sets("CreateAuthorizer.IdentitySource"),
        jwt_issuer: Option<Text> => sets("CreateAuthorizer.JwtConfiguration.Issuer").at("jwt_configuration.issuer"),
        jwt_audience: Texts => form(Form::Set).sets("CreateAuthorizer.JwtConfiguration.Audience").at("jwt_configuration.audience"),
    }
    name: "apigatewayv2_authorizer",
    title: "HTTP API authorizer",
    service: "apigatewayv2",
    cloudformation: Some("AWS::ApiGatewayV2::Authorizer"),
    id: Some("{api_id}|{name}"),
    goes_with: Some("api_id"),
    attributes: &[("id", None)],
    access: &[access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"])],
}

kind! {
    /// A stage of an API: access logs and throttling.
    Stage, STAGE {
        api_id: Text => parent().sets("CreateStage.ApiId"),
        name: Text => immutable().sets("CreateStage.StageName"),
        auto_deploy: Flag => sets("CreateStage.AutoDeploy"),
        /// The ARN of a log group.
        access_log_destination_arn: Text => optional().sets("CreateStage.AccessLogSettings.DestinationArn").at("access_log_settings.destination_arn"),
        access_log_format: Text => optional().sets("CreateStage.AccessLogSettings.Format").at("access_log_settings.format"),
        throttling_burst_limit: Number => sets("CreateStage.DefaultRouteSettings.ThrottlingBurstLimit").at("default_route_settings.throttling_burst_limit"),
        /// Requests per second.
        throttling_rate_limit: Decimal => sets("CreateStage.DefaultRouteSettings.ThrottlingRateLimit").at("default_route_settings.throttling_rate_limit"),
    }
    name: "apigatewayv2_stage",
    title: "HTTP API stage",
    service: "apigatewayv2",
    cloudformation: Some("AWS::ApiGatewayV2::Stage"),
    id: Some("{api_id}|{name}"),
    goes_with: Some("api_id"),
    exclusive: true,
    access: &[
        access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"]),
        // API Gateway sets up log delivery to the log group with the caller's permissions.
        access(
            "*",
            &[
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ],
        ),
    ],
}
