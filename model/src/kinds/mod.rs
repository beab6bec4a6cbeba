//! The AWS objects that composites are made of, one file per service.

pub mod cloudwatch;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod events;
pub mod iam;
pub mod lambda;
pub mod logs;
pub mod s3;
pub mod scheduler;
pub mod sqs;

use crate::kind::Kind;

/// Every kind.
pub static ALL: &[&Kind] = &[
    &cloudwatch::METRIC_ALARM,
    &ec2::SECURITY_GROUP,
    &ecr::REPOSITORY,
    &ecr::LIFECYCLE_POLICY,
    &ecr::IMAGE,
    &ecs::CLUSTER,
    &ecs::TASK_DEFINITION,
    &events::RULE,
    &events::TARGET,
    &iam::ROLE,
    &iam::ROLE_POLICY,
    &lambda::FUNCTION,
    &lambda::EVENT_INVOKE_CONFIG,
    &lambda::PERMISSION,
    &lambda::EVENT_SOURCE_MAPPING,
    &logs::LOG_GROUP,
    &s3::BUCKET,
    &s3::PUBLIC_ACCESS_BLOCK,
    &s3::OWNERSHIP_CONTROLS,
    &s3::ENCRYPTION,
    &s3::LIFECYCLE,
    &s3::POLICY,
    &s3::NOTIFICATION,
    &scheduler::SCHEDULE_GROUP,
    &scheduler::SCHEDULE,
    &sqs::QUEUE,
    &sqs::QUEUE_POLICY,
];

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}
