//! Lambda.

use crate::kind::declare::{Document, Flag, Number, Text, TextMap, Texts, kind};
use crate::kind::{Form, access};

kind! {
    /// A function.
    Function, FUNCTION {
        function_name: Text => immutable(),
        package_type: Text => immutable(),
        description: Option<Text> => optional(),
        role: Text,
        runtime: Option<Text>,
        handler: Option<Text>,
        architectures: Texts,
        memory_size: Number,
        timeout: Number,
        environment: Option<TextMap> => optional().form(Form::SecretMap),
        kms_key_arn: Option<Text> => optional(),
        log_format: Text,
        log_group: Text,
        /// The SHA-256 of the zip, in Base64, as AWS reports it.
        source_code_hash: Option<Text>,
        image_uri: Option<Text>,
        source: Option<Document> => form(Form::Recipe),
    }
    name: "lambda_function",
    title: "Lambda function",
    service: "lambda",
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
}

kind! {
    /// Retries and the failure destination of asynchronous invocations.
    EventInvokeConfig, EVENT_INVOKE_CONFIG {
        function_name: Text => parent(),
        maximum_retry_attempts: Number,
        maximum_event_age_in_seconds: Option<Number>,
        on_failure: Text => optional(),
    }
    name: "lambda_function_event_invoke_config",
    title: "Lambda asynchronous invocation settings",
    service: "lambda",
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
}

kind! {
    /// A statement of a function's resource policy.
    Permission, PERMISSION {
        function_name: Text => parent(),
        statement_id: Text => immutable(),
        action: Text => immutable(),
        principal: Text => immutable(),
        source_arn: Option<Text> => immutable(),
        source_account: Option<Text> => immutable(),
        /// Authorization type of calls of the function's URL: `NONE` or `AWS_IAM`.
        function_url_auth_type: Option<Text> => immutable(),
        /// If true, the permission applies to invocations through the function's URL only.
        invoked_via_function_url: Option<Flag> => immutable(),
    }
    name: "lambda_permission",
    title: "Lambda permission",
    service: "lambda",
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
}

kind! {
    /// A queue or stream that a function reads.
    EventSourceMapping, EVENT_SOURCE_MAPPING {
        function_name: Text => parent(),
        event_source_arn: Text => immutable(),
        /// For streams only: `LATEST` or `TRIM_HORIZON`.
        starting_position: Option<Text> => immutable(),
        batch_size: Number,
        maximum_batching_window_in_seconds: Number,
        function_response_types: Texts => form(Form::Set).optional(),
        filter_pattern: Option<Document> => optional(),
        /// The fields from here to `on_failure` are for streams only.
        bisect_batch_on_function_error: Option<Flag>,
        maximum_record_age_in_seconds: Option<Number>,
        maximum_retry_attempts: Option<Number>,
        parallelization_factor: Option<Number>,
        on_failure: Option<Text> => optional(),
        enabled: Flag,
    }
    name: "lambda_event_source_mapping",
    title: "Lambda event source mapping",
    service: "lambda",
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
}

kind! {
    /// The URL of a function.
    FunctionUrl, FUNCTION_URL {
        function_name: Text => parent(),
        /// `NONE` or `AWS_IAM`.
        authorization_type: Text,
        /// Origins for CORS. Without them, browsers block calls from other sites.
        cors_allow_origins: Option<Texts> => form(Form::Set).optional(),
        cors_allow_methods: Option<Texts> => form(Form::Set).optional(),
        cors_allow_headers: Option<Texts> => form(Form::Set).optional(),
        cors_max_age: Option<Number> => optional(),
    }
    name: "lambda_function_url",
    title: "Lambda function URL",
    service: "lambda",
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
}
