//! One file per AWS object: observe, create, update, delete.

mod alarm;
mod bucket;
mod bucket_event_bridge;
mod bucket_settings;
mod clients;
mod cluster;
mod ec2;
mod ecr;
mod event_bus;
mod event_invoke_config;
mod event_rule;
mod event_source_mapping;
mod failure;
mod function;
mod function_url;
mod http_api;
mod lifecycle;
mod limiter;
mod log_group;
mod notification;
mod permission;
pub mod policy;
mod queue;
mod role;
mod role_policy;
mod schedule;
mod schedule_group;
mod state_machine;
mod stream;
mod table;
mod task_definition;
mod topic;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;
use tandem_engine::driver::{Driver, Drivers, Failure, Observed};
use tandem_model::kind::Kind;
use tandem_model::kinds;
use tandem_model::names;

use crate::container_engine::{ContainerEngine, Local};

pub use clients::{AssumeRole, Clients, Connection, SERVICES};

/// The drivers of every kind, on one set of clients.
pub struct Aws {
    pub(crate) ec2: ec2::Client,
    drivers: BTreeMap<&'static str, Box<dyn Driver>>,
}

impl Aws {
    /// Creates the drivers on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self::with(clients, Arc::new(Local))
    }

    /// Creates the drivers on these clients and this container engine.
    pub fn with(clients: &Clients, engine: Arc<dyn ContainerEngine>) -> Self {
        let mut drivers: BTreeMap<&'static str, Box<dyn Driver>> = BTreeMap::new();
        let mut add = |kind: &Kind, driver: Box<dyn Driver>| drivers.insert(kind.name, driver);
        let apis = || clients.apigatewayv2.clone();
        add(
            &kinds::apigatewayv2::API,
            Box::new(http_api::Apis {
                client: apis(),
                region: clients.region.clone(),
                account: clients.account.clone(),
            }),
        );
        add(&kinds::apigatewayv2::INTEGRATION, Box::new(http_api::Integrations(apis())));
        add(&kinds::apigatewayv2::ROUTE, Box::new(http_api::Routes(apis())));
        add(&kinds::apigatewayv2::AUTHORIZER, Box::new(http_api::Authorizers(apis())));
        add(&kinds::apigatewayv2::STAGE, Box::new(http_api::Stages(apis())));
        add(&kinds::cloudwatch::METRIC_ALARM, Box::new(alarm::Alarms(clients.cloudwatch.clone())));
        add(&kinds::dynamodb::TABLE, Box::new(table::Tables(clients.dynamodb.clone())));
        add(&kinds::ec2::SECURITY_GROUP, Box::new(ec2::SecurityGroups(clients.ec2.clone())));
        add(&kinds::ecr::REPOSITORY, Box::new(ecr::Repositories(clients.ecr.clone())));
        add(&kinds::ecr::LIFECYCLE_POLICY, Box::new(ecr::LifecyclePolicies(clients.ecr.clone())));
        let own_endpoint = clients.own_registry.clone();
        add(&kinds::ecr::IMAGE, Box::new(ecr::Images { ecr: clients.ecr.clone(), own_endpoint, engine }));
        add(&kinds::ecs::CLUSTER, Box::new(cluster::Clusters(clients.ecs.clone())));
        add(
            &kinds::ecs::TASK_DEFINITION,
            Box::new(task_definition::TaskDefinitions {
                ecs: clients.ecs.clone(),
                region: clients.region.clone(),
                registered: Mutex::default(),
            }),
        );
        add(&kinds::events::BUS, Box::new(event_bus::Buses(clients.events.clone())));
        add(&kinds::events::RULE, Box::new(event_rule::Rules(clients.events.clone())));
        add(&kinds::events::TARGET, Box::new(event_rule::Targets(clients.events.clone())));
        add(&kinds::iam::ROLE, Box::new(role::Roles(clients.iam.clone())));
        add(&kinds::iam::ROLE_POLICY, Box::new(role_policy::RolePolicies(clients.iam.clone())));
        add(&kinds::kinesis::STREAM, Box::new(stream::Streams(clients.kinesis.clone())));
        add(&kinds::lambda::FUNCTION_URL, Box::new(function_url::FunctionUrls(clients.lambda.clone())));
        add(&kinds::lambda::FUNCTION, Box::new(function::Functions(clients.lambda.clone())));
        add(
            &kinds::lambda::EVENT_INVOKE_CONFIG,
            Box::new(event_invoke_config::EventInvokeConfigs(clients.lambda.clone())),
        );
        add(&kinds::lambda::PERMISSION, Box::new(permission::Permissions::new(clients.lambda.clone())));
        add(
            &kinds::lambda::EVENT_SOURCE_MAPPING,
            Box::new(event_source_mapping::EventSourceMappings(clients.lambda.clone())),
        );
        add(&kinds::logs::LOG_GROUP, Box::new(log_group::LogGroups(clients.logs.clone())));
        add(
            &kinds::s3::BUCKET,
            Box::new(bucket::Buckets {
                s3: clients.s3.clone(),
                region: clients.region.clone(),
                account: clients.account.clone(),
            }),
        );
        for (kind, setting) in bucket_settings::ALL {
            add(kind, Box::new(bucket_settings::BucketSettings { s3: clients.s3.clone(), setting }));
        }
        add(
            &kinds::s3::NOTIFICATION,
            Box::new(notification::Notifications { s3: clients.s3.clone(), place: clients.place.clone() }),
        );
        add(
            &kinds::s3::EVENT_BRIDGE,
            Box::new(bucket_event_bridge::EventBridge(notification::Notifications {
                s3: clients.s3.clone(),
                place: clients.place.clone(),
            })),
        );
        add(
            &kinds::scheduler::SCHEDULE_GROUP,
            Box::new(schedule_group::ScheduleGroups(clients.scheduler.clone())),
        );
        add(&kinds::scheduler::SCHEDULE, Box::new(schedule::Schedules(clients.scheduler.clone())));
        add(&kinds::sfn::STATE_MACHINE, Box::new(state_machine::StateMachines(clients.sfn.clone())));
        add(&kinds::sns::TOPIC, Box::new(topic::Topics(clients.sns.clone())));
        add(&kinds::sns::TOPIC_POLICY, Box::new(topic::TopicPolicies(clients.sns.clone())));
        add(&kinds::sns::TOPIC_SUBSCRIPTION, Box::new(topic::Subscriptions(clients.sns.clone())));
        // SQS on this machine has no replicas.
        let settling = if clients.local_sqs { Duration::ZERO } else { queue::SETTLING };
        add(&kinds::sqs::QUEUE, Box::new(queue::Queues { client: clients.sqs.clone(), settling }));
        add(&kinds::sqs::QUEUE_POLICY, Box::new(queue::Documents::policies(clients.sqs.clone(), settling)));
        add(
            &kinds::sqs::QUEUE_REDRIVE_ALLOW_POLICY,
            Box::new(queue::Documents::redrive_allow_policies(clients.sqs.clone(), settling)),
        );
        Self { ec2: clients.ec2.clone(), drivers }
    }
}

impl Drivers for Aws {
    fn driver(&self, kind: &'static Kind) -> &dyn Driver {
        // A test makes sure that every kind has one.
        &*self.drivers[kind.name]
    }
}

/// A policy document as AWS returns it.
fn parse_policy(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::from(text))
}

/// The two parts of an id.
fn split<'a>(id: &'a str, separator: char, operation: &str) -> Result<(&'a str, &'a str), Failure> {
    id.split_once(separator)
        .ok_or_else(|| Failure::local(operation, format!("the recorded id `{id}` is malformed")))
}

/// Collects every page of a listing. The call takes the token of a page and returns the token of the next.
async fn pages<T, F, Call>(call: F) -> Result<Vec<T>, Failure>
where
    F: Fn(Option<String>) -> Call,
    Call: Future<Output = Result<(Vec<T>, Option<String>), Failure>>,
{
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let (page, next) = call(token).await?;
        all.extend(page);
        token = next.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// The only child of an object of the kind `of`: it has the id of its parent.
async fn only_child(
    driver: &dyn Driver,
    parent: &'static Kind,
    of: &Kind,
    observed: &Observed,
) -> Result<Vec<Observed>, Failure> {
    if parent.name != of.name {
        return Ok(Vec::new());
    }
    Ok(driver.observe(&observed.id).await?.into_iter().collect())
}

/// The names that start with the prefix of a project.
fn of_project(project: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let prefix = names::prefix(project);
    names.into_iter().filter(|name| name.starts_with(&prefix)).collect()
}

/// The folder for lock files of this user's processes; only this user can write to it.
fn lock_directory() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let me = std::fs::metadata("/proc/self").map_or(0, |process| process.uid());
    let directory = std::env::temp_dir().join(format!("terraform-provider-tandem-{me}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = std::fs::symlink_metadata(&directory)?;
    if !found.is_dir() || found.uid() != me || found.mode() & 0o022 != 0 {
        return Err(std::io::Error::other(format!(
            "{} is not a folder that only this user can write to. Remove it, then run the command again",
            directory.display()
        )));
    }
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_kind_has_a_driver() {
        let connection = Connection { region: Some("eu-central-1".to_owned()), ..Connection::default() };
        let aws = Aws::new(&connection.clients().await.expect("clients"));
        for kind in kinds::ALL {
            assert!(aws.drivers.contains_key(kind.name), "{}", kind.name);
        }
    }
}
