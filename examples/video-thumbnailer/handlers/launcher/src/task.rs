//! The task that this function may start: its handle comes in `TANDEM_LAUNCHES`.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::DisplayErrorContext;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, KeyValuePair,
    NetworkConfiguration, TaskOverride,
};
use lambda_runtime::Error;
use serde::Deserialize;

/// ECS takes no more characters of overrides.
const MAX_OVERRIDES: usize = 8192;

/// All that a call of RunTask needs.
#[derive(Debug, Deserialize)]
pub struct Task {
    task_definition: String,
    cluster: String,
    container: String,
    subnets: String,
    security_groups: String,
    assign_public_ip: bool,
    capacity: String,
}

impl Task {
    /// The first handle in the environment.
    pub fn from_environment() -> Result<Self, Error> {
        let handles = std::env::var("TANDEM_LAUNCHES").map_err(|_| "TANDEM_LAUNCHES is not set")?;
        Self::parse(&handles)
    }

    fn parse(handles: &str) -> Result<Self, Error> {
        let handles: Vec<Self> = serde_json::from_str(handles)?;
        handles.into_iter().next().ok_or_else(|| "TANDEM_LAUNCHES names no task".into())
    }

    /// Starts it with these variables; the ARN of the task.
    pub async fn start(&self, ecs: &Client, token: &str, variables: &[(&str, &str)]) -> Result<String, Error> {
        let size: usize = variables.iter().map(|(name, value)| name.len() + value.len() + 30).sum();
        if size > MAX_OVERRIDES {
            return Err(format!("the overrides take {size} characters, and ECS takes {MAX_OVERRIDES}").into());
        }
        let environment = variables
            .iter()
            .map(|(name, value)| KeyValuePair::builder().name(*name).value(*value).build());
        let container =
            ContainerOverride::builder().name(&self.container).set_environment(Some(environment.collect()));
        let ids = |list: &str| Some(list.split(',').map(ToOwned::to_owned).collect::<Vec<_>>());
        let network = AwsVpcConfiguration::builder()
            .set_subnets(ids(&self.subnets))
            .set_security_groups(ids(&self.security_groups))
            .assign_public_ip(if self.assign_public_ip {
                AssignPublicIp::Enabled
            } else {
                AssignPublicIp::Disabled
            })
            .build()?;
        let started = ecs
            .run_task()
            .client_token(token)
            .cluster(&self.cluster)
            .task_definition(&self.task_definition)
            .set_capacity_provider_strategy(Some(self.capacity()?))
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
            .overrides(TaskOverride::builder().container_overrides(container.build()).build())
            .send()
            .await
            .map_err(|error| format!("the task cannot be started: {}", DisplayErrorContext(&error)))?;
        // ECS answers with success although it started nothing.
        if let Some(failure) = started.failures().first() {
            let reason = failure.reason().unwrap_or("no reason is given");
            return Err(format!("the task cannot be started: {reason}").into());
        }
        let task = started.tasks().first().and_then(|task| task.task_arn());
        Ok(task.unwrap_or_default().to_owned())
    }

    fn capacity(&self) -> Result<Vec<CapacityProviderStrategyItem>, Error> {
        let providers: &[&str] = match self.capacity.as_str() {
            "fargate" => &["FARGATE"],
            "fargate_spot" => &["FARGATE_SPOT"],
            "mixed" => &["FARGATE", "FARGATE_SPOT"],
            other => return Err(format!("{other:?} is no capacity that this launcher knows").into()),
        };
        let item = |name: &&str| CapacityProviderStrategyItem::builder().capacity_provider(*name).weight(1).build();
        Ok(providers.iter().map(item).collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_the_provider_writes_it() {
        let handle = r#"[{"name":"n","task_definition":"arn:t","cluster":"arn:c","container":"main",
            "roles":["arn:r"],"subnets":"s-1,s-2","security_groups":"sg-1","assign_public_ip":true,
            "capacity":"mixed"}]"#;
        let task = Task::parse(handle).unwrap();
        assert_eq!(task.capacity().unwrap().len(), 2);
        assert!(Task::parse("[]").is_err() && Task::parse("{").is_err());
    }
}
