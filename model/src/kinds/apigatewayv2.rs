//! HTTP APIs of API Gateway. AWS gives their parts random ids, so the ids here consist of the API's id and a
//! natural key, e.g. the route key.

use crate::kind::{Form, Kind, access, field};

/// The ARN of all parts of APIs, for IAM.
const PARTS: &str = "arn:{partition}:apigateway:{region}::/apis/*";

/// An HTTP API.
pub static API: Kind = Kind {
    name: "apigatewayv2_api",
    title: "HTTP API",
    service: "apigatewayv2",
    fields: &[
        field("name").immutable(),
        field("protocol_type").immutable(),
        field("description").optional(),
        field("disable_execute_api_endpoint"),
        // Origins for CORS. Without them, browsers block calls from other sites.
        field("cors_allow_origins").form(Form::Set).optional(),
        field("cors_allow_methods").form(Form::Set).optional(),
        field("cors_allow_headers").form(Form::Set).optional(),
        field("cors_max_age").optional(),
    ],
    id: None,
    attributes: &[
        ("id", None),
        ("name", None),
        ("api_endpoint", None),
        // `arn:aws:execute-api:region:account:id`, for permissions.
        ("execution_arn", None),
    ],
    tags: true,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access("arn:{partition}:apigateway:{region}::/apis", &["apigateway:GET", "apigateway:POST"]),
        access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH"]),
        access(
            "arn:{partition}:apigateway:{region}::/tags/*",
            &["apigateway:DELETE", "apigateway:GET", "apigateway:POST", "apigateway:PUT"],
        ),
        access("arn:{partition}:apigateway:{region}::/apis", &["apigateway:GET"]).to_sweep(),
    ],
};

/// The integration of an API with a function.
pub static INTEGRATION: Kind = Kind {
    name: "apigatewayv2_integration",
    title: "HTTP API integration",
    service: "apigatewayv2",
    fields: &[
        field("api_id").parent(),
        field("integration_type").immutable(),
        field("integration_uri").immutable(),
        field("payload_format_version"),
        field("timeout_milliseconds"),
    ],
    id: Some("{api_id}|{integration_uri}"),
    attributes: &[("id", None)],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"])],
};

/// A route of an API: its key and its authorization.
pub static ROUTE: Kind = Kind {
    name: "apigatewayv2_route",
    title: "HTTP API route",
    service: "apigatewayv2",
    fields: &[
        field("api_id").parent(),
        field("route_key").immutable(),
        field("target"),
        // `NONE`, `AWS_IAM` or `JWT`.
        field("authorization_type"),
        field("authorizer_id").optional(),
        field("authorization_scopes").form(Form::Set).optional(),
    ],
    id: Some("{api_id}|{route_key}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"])],
};

/// The JWT authorizer of an API.
pub static AUTHORIZER: Kind = Kind {
    name: "apigatewayv2_authorizer",
    title: "HTTP API authorizer",
    service: "apigatewayv2",
    fields: &[
        field("api_id").parent(),
        field("name").immutable(),
        field("authorizer_type").immutable(),
        field("identity_sources").form(Form::Set),
        field("jwt_issuer"),
        field("jwt_audience").form(Form::Set),
    ],
    id: Some("{api_id}|{name}"),
    attributes: &[("id", None)],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(PARTS, &["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST"])],
};

/// A stage of an API: access logs and throttling.
pub static STAGE: Kind = Kind {
    name: "apigatewayv2_stage",
    title: "HTTP API stage",
    service: "apigatewayv2",
    fields: &[
        field("api_id").parent(),
        field("name").immutable(),
        field("auto_deploy"),
        // The ARN of a log group.
        field("access_log_destination_arn").optional(),
        field("access_log_format").optional(),
        field("throttling_burst_limit"),
        // Requests per second.
        field("throttling_rate_limit"),
    ],
    id: Some("{api_id}|{name}"),
    attributes: &[],
    tags: false,
    exclusive: true,
    data: false,
    hashed_name: false,
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
};
