//! Lambda.

use serde_json::Value as Json;

use crate::composite::Settings;
use crate::composites::variables;
use crate::finding::Code;
use crate::kind::declare::{Document, Flag, Number, Text, TextMap, Texts, kind};
use crate::kind::documented::{Fault, documented, json_length, text};
use crate::kind::place::Written;
use crate::kind::{Form, Look, access};

kind! {
    /// A function.
    Function, FUNCTION {
        function_name: Text => immutable().sets("CreateFunction.FunctionName").property("FunctionName"),
        package_type: Text => immutable().sets("CreateFunction.PackageType"),
        description: Option<Text> => optional().sets("CreateFunction.Description"),
        role: Text => sets("CreateFunction.Role"),
        runtime: Option<Text> => sets("CreateFunction.Runtime"),
        handler: Option<Text> => sets("CreateFunction.Handler"),
        source: Option<Document> => form(Form::Recipe).property("Code").at("filename").written(Written::Code),
        architectures: Texts => sets("CreateFunction.Architectures").written(Written::CodeArchitecture),
        memory_size: Number => sets("CreateFunction.MemorySize").property("MemorySize"),
        timeout: Number => sets("CreateFunction.Timeout").property("Timeout"),
        environment: Option<TextMap> => optional().form(Form::SecretMap).sets("CreateFunction.Environment.Variables").at("environment.variables"),
        kms_key_arn: Option<Text> => optional().sets("CreateFunction.KMSKeyArn").property("KmsKeyArn"),
        log_format: Text => sets("CreateFunction.LoggingConfig.LogFormat").at("logging_config.log_format"),
        log_group: Text => sets("CreateFunction.LoggingConfig.LogGroup").at("logging_config.log_group"),
        /// The number of concurrent executions that the function may have, and that others leave to it.
        reserved_concurrent_executions: Option<Number> => optional().sets("PutFunctionConcurrency.ReservedConcurrentExecutions"),
        /// The SHA-256 of the zip, in Base64, as AWS reports it.
        source_code_hash: Option<Text> => property("").written(Written::CodeHash),
        image_uri: Option<Text> => sets("CreateFunction.Code.ImageUri"),
    }
    name: "lambda_function",
    title: "Lambda function",
    service: "lambda",
    cloudformation: Some("AWS::Lambda::Function"),
    id: Some("{function_name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:lambda:{region}:{account}:function:{function_name}")),
        ("function_name", None),
    ],
    tags: true,
    tags_member: Some("CreateFunction.Tags"),
    exclusive: true,
    access: &[
        access(
            "arn:{partition}:lambda:{region}:{account}:function:{function_name}",
            &[
                "lambda:CreateFunction",
                "lambda:DeleteFunction",
                "lambda:DeleteFunctionConcurrency",
                "lambda:GetFunction",
                // Without it, GetFunction returns no tags.
                "lambda:ListTags",
                "lambda:PutFunctionConcurrency",
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
    look: Some(Look::Function),
    documented: &[
        documented(&["environment"], environment_size, "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html").code(Code::Environment),
        documented(&["image_uri"], image_registry, "https://docs.aws.amazon.com/lambda/latest/dg/images-create.html"),
    ],
}

kind! {
    /// Retries and the failure destination of asynchronous invocations.
    EventInvokeConfig, EVENT_INVOKE_CONFIG {
        function_name: Text => parent().sets("PutFunctionEventInvokeConfig.FunctionName"),
        maximum_retry_attempts: Number => sets("PutFunctionEventInvokeConfig.MaximumRetryAttempts"),
        maximum_event_age_in_seconds: Option<Number> => sets("PutFunctionEventInvokeConfig.MaximumEventAgeInSeconds"),
        on_failure: Text => optional().sets("PutFunctionEventInvokeConfig.DestinationConfig.OnFailure.Destination").at("destination_config.on_failure.destination"),
    }
    name: "lambda_function_event_invoke_config",
    title: "Lambda asynchronous invocation settings",
    service: "lambda",
    cloudformation: Some("AWS::Lambda::EventInvokeConfig"),
    id: Some("{function_name}"),
    goes_with: Some("function_name"),
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
        function_name: Text => parent().sets("AddPermission.FunctionName"),
        statement_id: Text => immutable().sets("AddPermission.StatementId").property(""),
        action: Text => immutable().sets("AddPermission.Action"),
        principal: Text => immutable().sets("AddPermission.Principal"),
        source_arn: Option<Text> => immutable().sets("AddPermission.SourceArn"),
        source_account: Option<Text> => immutable().sets("AddPermission.SourceAccount"),
        /// Authorization type of calls of the function's URL: `NONE` or `AWS_IAM`.
        function_url_auth_type: Option<Text> => immutable().sets("AddPermission.FunctionUrlAuthType"),
        /// If true, the permission applies to invocations through the function's URL only.
        invoked_via_function_url: Option<Flag> => immutable().sets("AddPermission.InvokedViaFunctionUrl"),
    }
    name: "lambda_permission",
    title: "Lambda permission",
    service: "lambda",
    cloudformation: Some("AWS::Lambda::Permission"),
    id: Some("{function_name}:{statement_id}"),
    goes_with: Some("function_name"),
    access: &[access(
        "arn:{partition}:lambda:{region}:{account}:function:{function_name}",
        &["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"],
    )],
}

kind! {
    /// A queue or stream that a function reads.
    EventSourceMapping, EVENT_SOURCE_MAPPING {
        function_name: Text => parent().sets("CreateEventSourceMapping.FunctionName"),
        event_source_arn: Text => immutable().sets("CreateEventSourceMapping.EventSourceArn"),
        /// For streams only: `LATEST` or `TRIM_HORIZON`.
        starting_position: Option<Text> => immutable().sets("CreateEventSourceMapping.StartingPosition"),
        batch_size: Number => sets("CreateEventSourceMapping.BatchSize"),
        /// FIFO queues have none.
        maximum_batching_window_in_seconds: Option<Number> => sets("CreateEventSourceMapping.MaximumBatchingWindowInSeconds"),
        function_response_types: Texts => form(Form::Set).optional().sets("CreateEventSourceMapping.FunctionResponseTypes"),
        /// For queues only: the number of executions that read the queue at the same time at most.
        maximum_concurrency: Option<Number> => optional().sets("CreateEventSourceMapping.ScalingConfig.MaximumConcurrency").at("scaling_config.maximum_concurrency"),
        filter_pattern: Option<Document> => optional().sets("CreateEventSourceMapping.FilterCriteria.Filters[].Pattern").at("filter_criteria.filter.pattern"),
        /// The fields from here to `on_failure` are for streams only.
        bisect_batch_on_function_error: Option<Flag> => sets("CreateEventSourceMapping.BisectBatchOnFunctionError"),
        maximum_record_age_in_seconds: Option<Number> => sets("CreateEventSourceMapping.MaximumRecordAgeInSeconds"),
        maximum_retry_attempts: Option<Number> => sets("CreateEventSourceMapping.MaximumRetryAttempts"),
        parallelization_factor: Option<Number> => sets("CreateEventSourceMapping.ParallelizationFactor"),
        on_failure: Option<Text> => optional().sets("CreateEventSourceMapping.DestinationConfig.OnFailure.Destination").at("destination_config.on_failure.destination_arn"),
        enabled: Flag => sets("CreateEventSourceMapping.Enabled"),
    }
    name: "lambda_event_source_mapping",
    title: "Lambda event source mapping",
    service: "lambda",
    cloudformation: Some("AWS::Lambda::EventSourceMapping"),
    id: None,
    tags: true,
    tags_member: Some("CreateEventSourceMapping.Tags"),
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
        // The attributes of a queue are read before it triggers a function. Their read includes the tags.
        access("{event_source_arn}", &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]).only("sqs"),
    ],
}

kind! {
    /// The URL of a function.
    FunctionUrl, FUNCTION_URL {
        function_name: Text => parent().sets("CreateFunctionUrlConfig.FunctionName").property("TargetFunctionArn"),
        /// `NONE` or `AWS_IAM`.
        authorization_type: Text => sets("CreateFunctionUrlConfig.AuthType"),
        /// Origins for CORS. Without them, browsers block calls from other sites.
        cors_allow_origins: Option<Texts> => form(Form::Set).optional().sets("CreateFunctionUrlConfig.Cors.AllowOrigins").at("cors.allow_origins"),
        cors_allow_methods: Option<Texts> => form(Form::Set).optional().sets("CreateFunctionUrlConfig.Cors.AllowMethods").at("cors.allow_methods"),
        cors_allow_headers: Option<Texts> => form(Form::Set).optional().sets("CreateFunctionUrlConfig.Cors.AllowHeaders").at("cors.allow_headers"),
        cors_max_age: Option<Number> => optional().sets("CreateFunctionUrlConfig.Cors.MaxAge").at("cors.max_age"),
    }
    name: "lambda_function_url",
    title: "Lambda function URL",
    service: "lambda",
    cloudformation: Some("AWS::Lambda::Url"),
    id: Some("{function_name}"),
    goes_with: Some("function_name"),
    attributes: &[("function_url", None)],
    exclusive: true,
    access: &[access(
        "arn:{partition}:lambda:{region}:{account}:function:{function_name}",
        &[
            "lambda:CreateFunctionUrlConfig",
            "lambda:DeleteFunctionUrlConfig",
            "lambda:GetFunctionUrlConfig",
            "lambda:UpdateFunctionUrlConfig",
        ],
    )],
    look: Some(Look::Event),
}

/// The largest environment of a function, as JSON, in bytes.
const LARGEST_ENVIRONMENT: usize = 4096;

/// Checks the size of the environment. The variables of the composite count too.
fn environment_size(settings: &Settings) -> Option<Fault> {
    let size = json_length(settings, "environment");
    if size <= LARGEST_ENVIRONMENT {
        return None;
    }
    let variables = settings.get("environment")?.as_object()?;
    let own = variables.iter().filter(|(name, _)| name.starts_with(variables::PREFIX));
    let own = own.map(|(name, value)| {
        let length = Json::from(name.as_str()).to_string().len() + value.to_string().len() + 2;
        format!("{length} of them are `{name}`, which the composite adds")
    });
    let own: Vec<String> = own.collect();
    let own = if own.is_empty() { String::new() } else { format!(" ({})", own.join("; ")) };
    Some(Fault {
        fault: format!("{size} bytes as JSON{own}, but Lambda allows at most {LARGEST_ENVIRONMENT}"),
        help: "Move large values to a Systems Manager parameter or an S3 object, and set its name here.",
    })
}

/// Checks the registry of an image: Lambda takes images from ECR only. A host with a port is a registry of an emulator.
fn image_registry(settings: &Settings) -> Option<Fault> {
    let host = text(settings, "image_uri").split_once('/').map(|(host, _)| host)?;
    let is_ecr = host.contains(".dkr.ecr.") || host.contains(".dkr.ecr-fips.") || host.contains(".dkr-ecr");
    (!is_ecr && !host.contains(':')).then(|| Fault {
        fault: format!("the image is in the registry `{host}`, but Lambda takes images from Amazon ECR only"),
        help: "Push the image to an ECR repository of the same region, and set its URI.",
    })
}
