//! The kinds of AWS objects in composites, one file per service.

pub mod apigatewayv2;
pub mod cloudwatch;
pub mod dynamodb;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod events;
pub mod iam;
pub mod kinesis;
pub mod lambda;
pub mod logs;
pub mod s3;
pub mod scheduler;
pub mod sfn;
pub mod sns;
pub mod sqs;

use crate::kind::Kind;

/// Every kind.
pub static ALL: &[&Kind] = &[
    &apigatewayv2::API,
    &apigatewayv2::INTEGRATION,
    &apigatewayv2::ROUTE,
    &apigatewayv2::AUTHORIZER,
    &apigatewayv2::STAGE,
    &cloudwatch::METRIC_ALARM,
    &dynamodb::TABLE,
    &ec2::SECURITY_GROUP,
    &ecr::REPOSITORY,
    &ecr::LIFECYCLE_POLICY,
    &ecr::IMAGE,
    &ecs::CLUSTER,
    &ecs::TASK_DEFINITION,
    &events::BUS,
    &events::RULE,
    &events::TARGET,
    &iam::ROLE,
    &iam::ROLE_POLICY,
    &kinesis::STREAM,
    &lambda::FUNCTION,
    &lambda::FUNCTION_URL,
    &lambda::EVENT_INVOKE_CONFIG,
    &lambda::PERMISSION,
    &lambda::EVENT_SOURCE_MAPPING,
    &logs::LOG_GROUP,
    &s3::BUCKET,
    &s3::PUBLIC_ACCESS_BLOCK,
    &s3::OWNERSHIP_CONTROLS,
    &s3::ENCRYPTION,
    &s3::VERSIONING,
    &s3::CORS,
    &s3::LIFECYCLE,
    &s3::POLICY,
    &s3::NOTIFICATION,
    &s3::EVENT_BRIDGE,
    &scheduler::SCHEDULE_GROUP,
    &scheduler::SCHEDULE,
    &sfn::STATE_MACHINE,
    &sns::TOPIC,
    &sns::TOPIC_POLICY,
    &sns::TOPIC_SUBSCRIPTION,
    &sqs::QUEUE,
    &sqs::QUEUE_POLICY,
    &sqs::QUEUE_REDRIVE_ALLOW_POLICY,
];

/// Tables of calls whose IAM actions have other names than the calls.
pub(crate) const OTHER_ACTIONS: &[&[(&str, &[&str])]] = &[apigatewayv2::ACTIONS, s3::ACTIONS];

/// The kind of this name, e.g. `sqs_queue`.
pub fn find(name: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}
