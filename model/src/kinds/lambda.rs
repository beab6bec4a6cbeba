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

/// What happens to an asynchronous invocation that fails.
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
        field("batch_size"),
        field("maximum_batching_window_in_seconds"),
        field("function_response_types").form(Form::Set).optional(),
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
