//! Tasks that run in clusters.

use serde_json::{Value as Json, json};

use super::super::{ACCOUNT, Answer, Cloud, REGION, last, refuse, text};
use super::{ACTIVE, INVALID, client, cluster_arn, cluster_name, live_cluster, revision};

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
    live_cluster(cloud, cluster)?;
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
