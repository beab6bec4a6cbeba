//! Tasks that run in clusters.

use serde_json::{Value as Json, json};

use super::super::{ACCOUNT, Answer, Cloud, REGION, Refusal, last, refuse, text};
use super::{ACTIVE, Cluster, INVALID, client, cluster_arn, cluster_name, live_cluster, revision};

fn task(cluster: &str, id: &str, stopped: bool) -> Json {
    json!({
        "taskArn": format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{id}"),
        "clusterArn": cluster_arn(cluster),
        "desiredStatus": if stopped { "STOPPED" } else { "RUNNING" },
    })
}

/// Starts tasks. They run until they are stopped. The double runs no containers.
pub(super) fn run_task(cloud: &mut Cloud, input: &Json) -> Answer {
    let cluster = cluster_name(text(input, "cluster"));
    check_capacity(live_cluster(cloud, cluster)?, input)?;
    match revision(cloud, text(input, "taskDefinition")) {
        Some(revision) if revision.status == ACTIVE => {}
        Some(_) => return client("TaskDefinition is inactive"),
        None => return client("TaskDefinition not found."),
    }
    let mut tasks = Vec::new();
    for _ in 0..input["count"].as_u64().unwrap_or(1) {
        let id = cloud.uuid().replace('-', "");
        tasks.push(task(cluster, &id, false));
        live_cluster(cloud, cluster)?.tasks.insert(id, None);
    }
    Ok(json!({ "tasks": tasks, "failures": [] }))
}

/// Checks the launch type and the strategy of a call. The providers of a strategy must belong to the cluster.
fn check_capacity(cluster: &Cluster, input: &Json) -> Result<(), Refusal> {
    let launch_type = text(input, "launchType");
    let strategy = input["capacityProviderStrategy"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !["", "EC2", "EXTERNAL", "FARGATE"].contains(&launch_type) {
        return refuse(INVALID, "Invalid launch type.");
    }
    if !launch_type.is_empty() && !strategy.is_empty() {
        return refuse(
            INVALID,
            "Specifying both a launch type and capacity provider strategy is not supported.",
        );
    }
    let stranger = |item: &Json| {
        let name = text(item, "capacityProvider");
        !cluster.capacity_providers.iter().any(|known| known == name)
    };
    if strategy.iter().any(stranger) {
        return refuse(
            INVALID,
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated \
             with the cluster. Associate the capacity provider with the cluster and try again.",
        );
    }
    Ok(())
}

pub(super) fn list_tasks(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = cluster_name(text(input, "cluster"));
    let stopped = text(input, "desiredStatus") == "STOPPED";
    let cluster = live_cluster(cloud, name)?;
    let tasks = cluster.tasks.iter().filter(|(_, at)| at.is_some() == stopped);
    let arns: Json = tasks.map(|(id, _)| task(name, id, stopped)["taskArn"].take()).collect();
    Ok(json!({ "taskArns": arns }))
}

pub(super) fn stop_task(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = cluster_name(text(input, "cluster"));
    let now = cloud.now;
    let id = last(text(input, "task"));
    match live_cluster(cloud, name)?.tasks.get_mut(id) {
        Some(stopped) => {
            stopped.get_or_insert(now);
            Ok(json!({ "task": task(name, id, true) }))
        }
        None => refuse(INVALID, "The referenced task was not found."),
    }
}
