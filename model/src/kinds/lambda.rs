//! Lambda.

use crate::kind::{Form, Kind, access, field};

/// A function.
pub static FUNCTION: Kind = Kind {
    name: "lambda_function",
    title: "Lambda function",
    service: "lambda",
    fields: &[
        field("function_name").immutable(),
        field("package_type").immutable(),
        field("description").optional(),
        field("role"),
        field("runtime"),
        field("handler"),
        field("architectures"),
        field("memory_size"),
        field("timeout"),
        field("environment").optional().form(Form::SecretMap),
        field("kms_key_arn").optional(),
        field("log_format"),
        field("log_group"),
        // The SHA-256 of the zip, in Base64, as AWS reports it.
        field("source_code_hash"),
        field("image_uri"),
        field("source").form(Form::Recipe),
    ],
    id: Some("{function_name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:lambda:{region}:{account}:function:{function_name}")),
        ("function_name", None),
    ],
    tags: true,
    exclusive: true,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:lambda:{region}:{account}:function:{function_name}",
            &[
                "lambda:CreateFunction",
                "lambda:DeleteFunction",
                "lambda:GetFunction",
                // Without it, GetFunction returns no tags.
                "lambda:ListTags",
                "lambda:TagResource",
                "lambda:UntagResource",
                "lambda:UpdateFunctionCode",
                "lambda:UpdateFunctionConfiguration",
            ],
        ),
        access("{role}", &["iam:PassRole"]),
        access("*", &["lambda:ListFunctions"]).to_sweep(),
        access("{kms_key_arn}", &["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt"]),
    ],
};

/// Retries and the failure destination of asynchronous invocations.
pub static EVENT_INVOKE_CONFIG: Kind = Kind {
    name: "lambda_function_event_invoke_config",
    title: "Lambda asynchronous invocation settings",
    service: "lambda",
    fields: &[
        field("function_name").parent(),
        field("maximum_retry_attempts"),
        field("maximum_event_age_in_seconds"),
        field("on_failure").optional(),
    ],
    id: Some("{function_name}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:lambda:{region}:{account}:function:{function_name}",
        &[
            "lambda:DeleteFunctionEventInvokeConfig",
            "lambda:GetFunctionEventInvokeConfig",
            "lambda:PutFunctionEventInvokeConfig",
        ],
    )],
};

/// A statement of a function's resource policy.
pub static PERMISSION: Kind = Kind {
    name: "lambda_permission",
    title: "Lambda permission",
    service: "lambda",
    fields: &[
        field("function_name").parent(),
        field("statement_id").immutable(),
        field("action").immutable(),
        field("principal").immutable(),
        field("source_arn").immutable(),
        field("source_account").immutable(),
        // Authorization type of calls of the function's URL: `NONE` or `AWS_IAM`.
        field("function_url_auth_type").immutable(),
        // If true, the permission applies to invocations through the function's URL only.
        field("invoked_via_function_url").immutable(),
    ],
    id: Some("{function_name}:{statement_id}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:lambda:{region}:{account}:function:{function_name}",
        &["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"],
    )],
};

/// A queue or stream that a function reads.
pub static EVENT_SOURCE_MAPPING: Kind = Kind {
    name: "lambda_event_source_mapping",
    title: "Lambda event source mapping",
    service: "lambda",
    fields: &[
        field("function_name").parent(),
        field("event_source_arn").immutable(),
        // For streams only: `LATEST` or `TRIM_HORIZON`.
        field("starting_position").immutable(),
        field("batch_size"),
        field("maximum_batching_window_in_seconds"),
        field("function_response_types").form(Form::Set).optional(),
        field("filter_pattern").optional(),
        // The fields from here to `on_failure` are for streams only.
        field("bisect_batch_on_function_error"),
        field("maximum_record_age_in_seconds"),
        field("maximum_retry_attempts"),
        field("parallelization_factor"),
        field("on_failure").optional(),
        field("enabled"),
    ],
    id: None,
    attributes: &[],
    tags: true,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:lambda:{region}:{account}:event-source-mapping:*",
            &[
                "lambda:DeleteEventSourceMapping",
                "lambda:GetEventSourceMapping",
                "lambda:ListTags",
                "lambda:TagResource",
                "lambda:UntagResource",
                "lambda:UpdateEventSourceMapping",
            ],
        ),
        access("*", &["lambda:CreateEventSourceMapping", "lambda:ListEventSourceMappings"]),
        access("*", &["lambda:ListEventSourceMappings"]).to_sweep(),
        access("{event_source_arn}", &["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]),
    ],
};

/// The URL of a function.
pub static FUNCTION_URL: Kind = Kind {
    name: "lambda_function_url",
    title: "Lambda function URL",
    service: "lambda",
    fields: &[
        field("function_name").parent(),
        // `NONE` or `AWS_IAM`.
        field("authorization_type"),
        // Origins for CORS. Without them, browsers block calls from other sites.
        field("cors_allow_origins").form(Form::Set).optional(),
        field("cors_allow_methods").form(Form::Set).optional(),
        field("cors_allow_headers").form(Form::Set).optional(),
        field("cors_max_age").optional(),
    ],
    id: Some("{function_name}"),
    attributes: &[("function_url", None)],
    tags: false,
    exclusive: true,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:lambda:{region}:{account}:function:{function_name}",
        &[
            "lambda:CreateFunctionUrlConfig",
            "lambda:DeleteFunctionUrlConfig",
            "lambda:GetFunctionUrlConfig",
            "lambda:UpdateFunctionUrlConfig",
        ],
    )],
};
