//! API Gateway's HTTP APIs. AWS names their parts by random ids; to us they are what they are for.

use crate::kind::{Form, Kind, access, field};

/// Every path of API Gateway's control plane below an API.
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
        // Who may call from a browser; without origins nobody may.
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

/// How an API hands its requests to a function.
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

/// Which requests an API takes, and from whom.
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

/// What judges the tokens of requests.
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

/// An API as it is served.
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
        // Requests in a second.
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
        // So that the API may write into the log group.
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
