//! ECS: clusters with the tasks that run in them, and task definitions.

mod check;
mod tasks;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use tasks::{list_tasks, run_task, stop_task};

use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, last, refuse, text, text_list, unknown,
    without,
};

const TAGS: TagForm = TagForm::pairs("tags", "tagKeys", "key", "value");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    clusters: BTreeMap<String, Cluster>,
    /// By family. The number of a revision is its place in the list, so that no number is used twice.
    families: BTreeMap<String, Vec<Revision>>,
}

#[derive(Clone, Debug, Default)]
struct Cluster {
    /// A deleted cluster stays visible.
    deleted: bool,
    capacity_providers: Vec<String>,
    default_strategy: Vec<Json>,
    tags: Tags,
    /// The time at which each task was stopped, by the id of the task.
    tasks: BTreeMap<String, Option<Duration>>,
}

#[derive(Clone, Debug)]
struct Revision {
    status: &'static str,
    /// The described definition, without the status.
    definition: Json,
    tags: Tags,
}

const ACTIVE: &str = "ACTIVE";
const INACTIVE: &str = "INACTIVE";
const DELETING: &str = "DELETE_IN_PROGRESS";

const INVALID: &str = "InvalidParameterException";

/// The number of task definitions that one call can delete.
const DELETED_AT_ONCE: usize = 10;

const NO_SUCH_DEFINITION: &str = "The specified task definition does not exist. Specify a valid account, \
                                  family, revision and try again.";

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let clusters = self.clusters.iter().filter(|(_, cluster)| !cluster.deleted);
        let clusters = clusters.map(|(name, cluster)| Item {
            kind: "cluster",
            name: name.clone(),
            tags: Some(cluster.tags.clone()),
            settings: json!({
                "capacityProviders": cluster.capacity_providers,
                "defaultCapacityProviderStrategy": cluster.default_strategy,
            }),
        });
        // AWS keeps inactive revisions permanently: only active ones count.
        let revisions = self.families.iter().flat_map(|(family, revisions)| {
            let active = revisions.iter().filter(|revision| revision.status == ACTIVE);
            active.map(move |revision| Item {
                kind: "task definition",
                name: family.clone(),
                tags: Some(revision.tags.clone()),
                settings: without(revision.definition.clone(), &["taskDefinitionArn", "revision"]),
            })
        });
        clusters.chain(revisions).collect()
    }
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    if let Some(missing) = required(operation).iter().find(|member| input[**member].is_null()) {
        return refuse(INVALID, format!("{missing} can not be null."));
    }
    match operation {
        "CreateCluster" => create_cluster(cloud, input),
        "DescribeClusters" => Ok(describe_clusters(&cloud.ecs, input)),
        "ListClusters" => {
            let live = cloud.ecs.clusters.iter().filter(|(_, cluster)| !cluster.deleted);
            Ok(json!({ "clusterArns": live.map(|(name, _)| cluster_arn(name)).collect::<Vec<_>>() }))
        }
        "PutClusterCapacityProviders" => put_capacity_providers(cloud, input),
        "DeleteCluster" => delete_cluster(cloud, input),
        "RunTask" => run_task(cloud, input),
        "ListTasks" => list_tasks(cloud, input),
        "StopTask" => stop_task(cloud, input),
        "RegisterTaskDefinition" => register(cloud, input),
        "DescribeTaskDefinition" => describe_task_definition(cloud, input),
        "ListTaskDefinitions" => Ok(list_task_definitions(&cloud.ecs, input)),
        "ListTaskDefinitionFamilies" => Ok(list_families(&cloud.ecs, input)),
        "DeregisterTaskDefinition" => deregister(cloud, input),
        "DeleteTaskDefinitions" => delete_task_definitions(cloud, input),
        "ListTagsForResource" => Ok(TAGS.list(tags_of(cloud, text(input, "resourceArn"))?)),
        "TagResource" => Ok(TAGS.add(tags_of(cloud, text(input, "resourceArn"))?, input)),
        "UntagResource" => Ok(TAGS.remove(tags_of(cloud, text(input, "resourceArn"))?, input)),
        other => unknown("ecs", other),
    }
}

/// The required members of an operation.
fn required(operation: &str) -> &'static [&'static str] {
    match operation {
        "PutClusterCapacityProviders" => &["cluster", "capacityProviders", "defaultCapacityProviderStrategy"],
        "DeleteCluster" => &["cluster"],
        "RunTask" | "DescribeTaskDefinition" | "DeregisterTaskDefinition" => &["taskDefinition"],
        "DeleteTaskDefinitions" => &["taskDefinitions"],
        "StopTask" => &["task"],
        "ListTagsForResource" => &["resourceArn"],
        "TagResource" => &["resourceArn", "tags"],
        "UntagResource" => &["resourceArn", "tagKeys"],
        _ => &[],
    }
}

/// Returns true if the name of a cluster or a family is valid.
fn well_named(name: &str) -> bool {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    (1..=255).contains(&name.len()) && name.chars().all(allowed)
}

fn cluster_arn(name: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}")
}

/// The name of a cluster that is given by name or ARN; the default is `default`.
fn cluster_name(given: &str) -> &str {
    match last(given) {
        "" => "default",
        name => name,
    }
}

fn live_cluster<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Cluster, Refusal> {
    match cloud.ecs.clusters.get_mut(name) {
        Some(cluster) if !cluster.deleted => Ok(cluster),
        Some(_) => refuse("ClusterNotFoundException", "The referenced cluster was inactive."),
        None => refuse("ClusterNotFoundException", "Cluster not found."),
    }
}

fn described_cluster(name: &str, cluster: &Cluster, with_tags: bool) -> Json {
    let tags = if with_tags { TAGS.shown(&cluster.tags) } else { json!([]) };
    json!({
        "clusterArn": cluster_arn(name),
        "clusterName": name,
        "status": if cluster.deleted { INACTIVE } else { ACTIVE },
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": cluster.tasks.values().filter(|stopped| stopped.is_none()).count(),
        "pendingTasksCount": 0,
        "activeServicesCount": 0,
        "statistics": [],
        "settings": [{ "name": "containerInsights", "value": "disabled" }],
        "capacityProviders": cluster.capacity_providers,
        "defaultCapacityProviderStrategy": cluster.default_strategy,
        "tags": tags,
    })
}

/// The capacity providers of a call and the default strategy. Only the providers of Fargate exist.
fn capacity(input: &Json) -> Result<(Vec<String>, Vec<Json>), Refusal> {
    let providers = text_list(&input["capacityProviders"]);
    if let Some(other) = providers.iter().find(|name| !matches!(name.as_str(), "FARGATE" | "FARGATE_SPOT")) {
        return refuse(INVALID, format!("The specified capacity provider '{other}' was not found."));
    }
    let strategy = input["defaultCapacityProviderStrategy"].as_array().cloned().unwrap_or_default();
    let stranger = |part: &Json| !providers.iter().any(|name| name == text(part, "capacityProvider"));
    if strategy.iter().any(stranger) {
        return refuse(
            INVALID,
            "The default strategy names a capacity provider that the cluster does not have.",
        );
    }
    Ok((providers, strategy))
}

/// Creates a cluster. An existing one is returned unchanged, and a deleted one is created again.
fn create_cluster(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = cluster_name(text(input, "clusterName"));
    if !well_named(name) {
        return refuse(INVALID, "Invalid cluster name.");
    }
    let (capacity_providers, default_strategy) = capacity(input)?;
    let cluster =
        cloud.ecs.clusters.entry(name.to_owned()).or_insert(Cluster { deleted: true, ..Cluster::default() });
    if cluster.deleted {
        let tags = TAGS.given(input);
        *cluster = Cluster { capacity_providers, default_strategy, tags, ..Cluster::default() };
    }
    Ok(json!({ "cluster": described_cluster(name, cluster, true) }))
}

fn describe_clusters(state: &State, input: &Json) -> Json {
    let with_tags = text_list(&input["include"]).iter().any(|field| field == "TAGS");
    let mut given = text_list(&input["clusters"]);
    if given.is_empty() {
        given.push(String::new());
    }
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for name in given.iter().map(|given| cluster_name(given)) {
        match state.clusters.get(name) {
            Some(cluster) => clusters.push(described_cluster(name, cluster, with_tags)),
            None => failures.push(json!({ "arn": cluster_arn(name), "reason": "MISSING" })),
        }
    }
    json!({ "clusters": clusters, "failures": failures })
}

fn put_capacity_providers(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = cluster_name(text(input, "cluster"));
    let cluster = live_cluster(cloud, name)?;
    (cluster.capacity_providers, cluster.default_strategy) = capacity(input)?;
    Ok(json!({ "cluster": described_cluster(name, cluster, true) }))
}

fn delete_cluster(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = cluster_name(text(input, "cluster"));
    live_cluster(cloud, name)?;
    // A stopped task takes some time to end.
    let mut tasks = cloud.ecs.clusters[name].tasks.values();
    if tasks.any(|stopped| stopped.is_none_or(|at| !cloud.settled(at))) {
        return refuse(
            "ClusterContainsTasksException",
            "The Cluster cannot be deleted while Tasks are active.",
        );
    }
    let cluster = live_cluster(cloud, name)?;
    cluster.deleted = true;
    Ok(json!({ "cluster": described_cluster(name, cluster, true) }))
}

fn client<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse("ClientException", message)
}

/// Finds a revision by ARN or `family:revision`, or the latest active one of a family.
fn revision<'a>(cloud: &'a mut Cloud, given: &str) -> Option<&'a mut Revision> {
    let name = given.rsplit_once(":task-definition/").map_or(given, |(_, name)| name);
    let (family, number) =
        name.rsplit_once(':').map_or((name, None), |(family, number)| (family, Some(number)));
    let revisions = cloud.ecs.families.get_mut(family)?;
    let place = match number {
        Some(number) => number.parse::<usize>().ok()?.checked_sub(1)?,
        None => revisions.iter().rposition(|revision| revision.status == ACTIVE)?,
    };
    revisions.get_mut(place)
}

/// Returns true if the string names a revision, and not only its family.
fn names_revision(given: &str) -> bool {
    last(given).parse::<usize>().is_ok()
}

fn described(revision: &Revision) -> Json {
    let mut described = revision.definition.clone();
    described["status"] = revision.status.into();
    described
}

/// Registers a new revision, even if an equal one exists.
fn register(cloud: &mut Cloud, input: &Json) -> Answer {
    check::check(cloud, input)?;
    let revisions = cloud.ecs.families.entry(text(input, "family").to_owned()).or_default();
    let revision = Revision {
        status: ACTIVE,
        definition: definition(input, revisions.len() + 1),
        tags: TAGS.given(input),
    };
    let tags = TAGS.shown(&revision.tags);
    let answer = json!({ "taskDefinition": described(&revision), "tags": tags });
    revisions.push(revision);
    Ok(answer)
}

/// The stored definition, with the defaults that AWS adds.
fn definition(input: &Json, number: usize) -> Json {
    let family = text(input, "family");
    let mut members = input.as_object().cloned().unwrap_or_default();
    members.remove("tags");
    let arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{number}");
    members.insert("taskDefinitionArn".to_owned(), arn.into());
    members.insert("revision".to_owned(), number.into());
    members.insert("compatibilities".to_owned(), json!(["EC2", "FARGATE"]));
    for list in ["volumes", "placementConstraints"] {
        members.entry(list).or_insert_with(|| json!([]));
    }
    let containers = members.get_mut("containerDefinitions").and_then(Json::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Json::as_object_mut) {
        for list in ["environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"] {
            container.entry(list).or_insert_with(|| json!([]));
        }
        container.entry("cpu").or_insert_with(|| json!(0));
        container.entry("essential").or_insert_with(|| json!(true));
    }
    Json::Object(members)
}

fn describe_task_definition(cloud: &mut Cloud, input: &Json) -> Answer {
    let with_tags = text_list(&input["include"]).iter().any(|field| field == "TAGS");
    let Some(revision) = revision(cloud, text(input, "taskDefinition")) else {
        return client("Unable to describe task definition.");
    };
    let tags = if with_tags { TAGS.shown(&revision.tags) } else { json!([]) };
    Ok(json!({ "taskDefinition": described(revision), "tags": tags }))
}

/// Lists task definitions. AWS treats `familyPrefix` as the full name of a family.
fn list_task_definitions(state: &State, input: &Json) -> Json {
    let family = text(input, "familyPrefix");
    let status = input["status"].as_str().unwrap_or(ACTIVE);
    let families = state.families.iter().filter(|(name, _)| family.is_empty() || name.as_str() == family);
    let revisions =
        families.flat_map(|(_, revisions)| revisions).filter(|revision| revision.status == status);
    let mut arns: Vec<&Json> = revisions.map(|revision| &revision.definition["taskDefinitionArn"]).collect();
    if text(input, "sort") == "DESC" {
        arns.reverse();
    }
    json!({ "taskDefinitionArns": arns })
}

/// Lists families by the prefix of their names. Without a status, revisions of any status match.
fn list_families(state: &State, input: &Json) -> Json {
    let status = text(input, "status");
    let any = status.is_empty() || status == "ALL";
    let families = state.families.iter().filter(|(name, revisions)| {
        name.starts_with(text(input, "familyPrefix"))
            && revisions.iter().any(|revision| any || revision.status == status)
    });
    json!({ "families": families.map(|(name, _)| name).collect::<Vec<_>>() })
}

fn deregister(cloud: &mut Cloud, input: &Json) -> Answer {
    let given = text(input, "taskDefinition");
    if !names_revision(given) {
        return client("Revision is missing.");
    }
    match revision(cloud, given) {
        Some(revision) if revision.status != DELETING => {
            revision.status = INACTIVE;
            Ok(json!({ "taskDefinition": described(revision) }))
        }
        _ => client("The specified task definition does not exist."),
    }
}

fn delete_task_definitions(cloud: &mut Cloud, input: &Json) -> Answer {
    let given = text_list(&input["taskDefinitions"]);
    if given.is_empty() || given.len() > DELETED_AT_ONCE {
        return refuse(INVALID, format!("Specify between 1 and {DELETED_AT_ONCE} task definitions."));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for arn in given {
        let reason = match revision(cloud, &arn) {
            Some(revision) if names_revision(&arn) && revision.status != ACTIVE => {
                revision.status = DELETING;
                deleted.push(described(revision));
                continue;
            }
            Some(_) if names_revision(&arn) => {
                "The specified task definition is still in ACTIVE status. Please deregister the target and \
                 try again."
            }
            _ => NO_SUCH_DEFINITION,
        };
        failures.push(json!({ "arn": arn, "reason": reason }));
    }
    Ok(json!({ "taskDefinitions": deleted, "failures": failures }))
}

fn tags_of<'a>(cloud: &'a mut Cloud, arn: &str) -> Result<&'a mut Tags, Refusal> {
    if arn.contains(":cluster/") {
        return match cloud.ecs.clusters.get_mut(last(arn)) {
            Some(cluster) if !cluster.deleted => Ok(&mut cluster.tags),
            Some(_) => {
                refuse(INVALID, "The specified cluster is inactive. Specify an active cluster and try again.")
            }
            None => refuse("ClusterNotFoundException", "Cluster not found."),
        };
    }
    match revision(cloud, arn) {
        Some(revision) if names_revision(arn) && revision.status != DELETING => Ok(&mut revision.tags),
        _ => refuse(INVALID, NO_SUCH_DEFINITION),
    }
}
