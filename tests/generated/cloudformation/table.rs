//! What the declarations of kinds do not say about CloudFormation.

use serde_json::{Value as Json, json};
use tandem_model::kind::place::{Beside, Given, beside, constant};

/// The way to refer to an attribute.
pub(super) enum Return {
    /// `Ref`.
    Ref,
    /// `Fn::GetAtt`.
    Attribute(&'static str),
    /// A string with `Ref` in place of `{}`.
    Text(&'static str),
    /// The field of the same name.
    Field,
}

/// The way to refer to an attribute of a resource type.
pub(super) fn returned(ty: &str, attribute: &str) -> Return {
    match (ty, attribute) {
        ("AWS::ApiGatewayV2::Api", "api_endpoint") => Return::Attribute("ApiEndpoint"),
        ("AWS::ApiGatewayV2::Api", "execution_arn") => {
            Return::Text("arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:{}")
        }
        ("AWS::DynamoDB::Table", "stream_arn") => Return::Attribute("StreamArn"),
        ("AWS::EC2::SecurityGroup", "id") => Return::Attribute("GroupId"),
        ("AWS::ECR::Repository", "url") => Return::Attribute("RepositoryUri"),
        ("AWS::ECS::TaskDefinition" | "AWS::SNS::Topic", "arn") | ("AWS::SQS::Queue", "url") => Return::Ref,
        ("AWS::Events::Rule" | "AWS::ApiGatewayV2::Api", "name") | ("AWS::ECS::TaskDefinition", "family") => {
            Return::Field
        }
        ("AWS::Lambda::Url", "function_url") => Return::Attribute("FunctionUrl"),
        // Its `Arn` ends with `:*`.
        ("AWS::Logs::LogGroup", "arn") => {
            Return::Text("arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:{}")
        }
        ("AWS::SNS::Topic", "name") => Return::Attribute("TopicName"),
        ("AWS::SQS::Queue", "name") => Return::Attribute("QueueName"),
        ("AWS::StepFunctions::StateMachine", "name") => Return::Attribute("Name"),
        (_, "arn") => Return::Attribute("Arn"),
        _ => Return::Ref,
    }
}

/// Properties that are JSON text. Other documents are objects.
pub(super) fn is_text(property: &str) -> bool {
    ["Input", "LifecyclePolicyText", "Pattern"].contains(&property)
}

/// True if the tags of a resource type are a map.
pub(super) fn has_map_of_tags(ty: &str) -> bool {
    ty.starts_with("AWS::ApiGatewayV2::")
}

/// Properties that no field sets, by kind.
const CONSTANTS: &[(&str, &[Beside])] = &[
    (
        "dynamodb_table",
        &[
            beside("AttributeDefinitions#hash.AttributeName", Given::Field("hash_key")),
            beside("AttributeDefinitions#range.AttributeName", Given::Field("range_key")).with("range_key"),
            beside("KeySchema#hash.KeyType", Given::Text("HASH")),
            beside("KeySchema#range.KeyType", Given::Text("RANGE")).with("range_key"),
            constant("TimeToLiveSpecification.Enabled", "true").with("ttl_attribute"),
            constant("SSESpecification.SSEEnabled", "true").with("kms_key_arn"),
            beside("SSESpecification.SSEType", Given::Text("KMS")).with("kms_key_arn"),
        ],
    ),
    (
        "security_group",
        &[
            beside("SecurityGroupEgress[].IpProtocol", Given::Text("-1")),
            beside("SecurityGroupEgress[].CidrIp", Given::Text("0.0.0.0/0")),
        ],
    ),
    (
        "ecs_task_definition",
        &[
            beside("NetworkMode", Given::Text("awsvpc")),
            constant("RequiresCompatibilities", "[\"FARGATE\"]"),
            beside("RuntimePlatform.OperatingSystemFamily", Given::Text("LINUX")),
            beside("Volumes[].Name", Given::Text("scratch")),
            constant("ContainerDefinitions[].Essential", "true"),
            beside("ContainerDefinitions[].MountPoints[].SourceVolume", Given::Text("scratch")),
            beside("ContainerDefinitions[].LogConfiguration.LogDriver", Given::Text("awslogs")),
            beside(
                "ContainerDefinitions[].LogConfiguration.Options.awslogs-region",
                Given::Text("eu-central-1"),
            ),
            beside(
                "ContainerDefinitions[].LogConfiguration.Options.awslogs-stream-prefix",
                Given::Field("container_name"),
            ),
        ],
    ),
    ("lambda_function_event_invoke_config", &[beside("Qualifier", Given::Text("$LATEST"))]),
    ("s3_bucket_cors_configuration", &[beside("CorsConfiguration.CorsRules[].Id", Given::Text("tandem"))]),
    (
        "s3_bucket_eventbridge",
        &[constant("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", "true")],
    ),
    (
        "s3_bucket_lifecycle_configuration",
        &[
            beside("LifecycleConfiguration.Rules[].Id", Given::Text("abort-incomplete-uploads")),
            beside("LifecycleConfiguration.Rules[].Status", Given::Text("Enabled")),
        ],
    ),
    (
        "s3_bucket_notification",
        &[
            beside(
                "NotificationConfiguration.LambdaConfigurations[].Filter.S3Key.Rules#prefix.Name",
                Given::Text("prefix"),
            )
            .with("filter_prefix"),
            beside(
                "NotificationConfiguration.LambdaConfigurations[].Filter.S3Key.Rules#suffix.Name",
                Given::Text("suffix"),
            )
            .with("filter_suffix"),
        ],
    ),
    (
        "scheduler_schedule",
        &[
            beside("FlexibleTimeWindow.Mode", Given::Text("FLEXIBLE")).with("flexible_time_window_minutes"),
            beside("FlexibleTimeWindow.Mode", Given::Text("OFF")).without("flexible_time_window_minutes"),
        ],
    ),
    (
        "sfn_state_machine",
        &[beside("EncryptionConfiguration.Type", Given::Text("CUSTOMER_MANAGED_KMS_KEY")).with("kms_key_id")],
    ),
];

/// The properties that no field of a kind sets.
pub(super) fn constants(kind: &str) -> &'static [Beside] {
    CONSTANTS.iter().find(|(known, _)| *known == kind).map_or(&[], |(_, constants)| constants)
}

/// The lifecycle rules of a bucket, from their form in hashicorp/aws.
pub(super) fn lifecycle_rules(rules: &Json) -> Json {
    let rule = |rule: &Json| {
        let mut made = json!({ "Id": rule["id"], "Status": rule["status"] });
        let mut put = |name: &str, value: &Json| {
            if !value.is_null() {
                made[name] = value.clone();
            }
        };
        put("Prefix", &rule["filter"]["prefix"]);
        put("ExpirationInDays", &rule["expiration"]["days"]);
        let noncurrent = &rule["noncurrent_version_expiration"]["noncurrent_days"];
        if !noncurrent.is_null() {
            put("NoncurrentVersionExpiration", &json!({ "NoncurrentDays": noncurrent }));
        }
        let transition = &rule["transition"];
        if transition.is_object() {
            let (class, days) = (&transition["storage_class"], &transition["days"]);
            put("Transitions", &json!([{ "StorageClass": class, "TransitionInDays": days }]));
        }
        made
    };
    rules.as_array().into_iter().flatten().map(rule).collect()
}
