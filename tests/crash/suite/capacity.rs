//! The capacity of tasks: RunTask takes a launch type or a strategy, and a strategy only on a cluster that has its
//! capacity providers. The suite makes the calls that EventBridge Scheduler and Step Functions would make.

use serde_json::{Value as Json, json};
use tandem_crash::carrier::Process;
use tandem_crash::double::ACCOUNT;
use tandem_crash::scene::Scene;
use tandem_crash::terraform::{End, Terraform};
use tandem_model::capacity;
use tandem_model::composite::Definition;

use crate::in_virtual_time;

const REFUSED: &str = "InvalidParameterException: The specified capacity provider strategy cannot contain a \
                       capacity provider that is not associated with the cluster.";

/// The clusters of the tests, by name: the task's own, one with and one without capacity providers.
const CLUSTERS: [Option<&str>; 3] = [None, Some("with-providers"), Some("plain")];

fn call(scene: &Scene, service: &str, operation: &str, input: Json) -> Result<Json, String> {
    scene.world.cloud().by_hand(service, operation, input)
}

/// A scene with the clusters of a user.
async fn with_clusters() -> Scene {
    let scene = Scene::new("container_task", 1).await;
    for (name, providers) in [("with-providers", json!(capacity::PROVIDERS)), ("plain", Json::Null)] {
        let input = json!({ "clusterName": name, "capacityProviders": providers });
        call(&scene, "ecs", "CreateCluster", input).expect("a cluster");
    }
    scene
}

fn inputs(capacity: &str, cluster: Option<&str>) -> Json {
    json!({
        "name": "nightly",
        "image": "busybox",
        "capacity": capacity,
        "cluster": cluster.map(|name| format!("arn:aws:ecs:eu-central-1:{ACCOUNT}:cluster/{name}")),
        "on": [{ "schedule": "rate(1 day)" }],
        "force_destroy": true,
    })
}

/// The only schedule.
fn schedule(scene: &Scene) -> Json {
    let item = scene.made().into_iter().find(|item| item.kind == "schedule").expect("a schedule");
    let (group, name) = item.name.split_once('/').expect("a group");
    call(scene, "scheduler", "GetSchedule", json!({ "Name": name, "groupName": group })).expect("a schedule")
}

/// Starts the task of the schedule.
fn start_scheduled(scene: &Scene) -> Result<Json, String> {
    let target = schedule(scene)["Target"].take();
    let ecs = &target["EcsParameters"];
    let input = json!({
        "cluster": target["Arn"],
        "taskDefinition": ecs["TaskDefinitionArn"],
        "count": ecs["TaskCount"],
        "launchType": ecs["LaunchType"],
        "capacityProviderStrategy": ecs["CapacityProviderStrategy"],
    });
    call(scene, "ecs", "RunTask", input)
}

/// Starts the task of the only step of a workflow.
fn start_step(scene: &Scene, definition: &str) -> Result<Json, String> {
    let definition: Json = serde_json::from_str(definition).expect("a definition");
    let arguments = &definition["States"]["run container"]["Branches"][0]["States"]["run run"]["Arguments"];
    // Step Functions spells the members of a call in upper case.
    let strategy = arguments["CapacityProviderStrategy"].as_array();
    let strategy = strategy.map(|items| -> Vec<Json> {
        let item =
            |item: &Json| json!({ "capacityProvider": item["CapacityProvider"], "weight": item["Weight"] });
        items.iter().map(item).collect()
    });
    let input = json!({
        "cluster": arguments["Cluster"],
        "taskDefinition": arguments["TaskDefinition"],
        "launchType": arguments["LaunchType"],
        "capacityProviderStrategy": strategy,
    });
    call(scene, "ecs", "RunTask", input)
}

/// Expects that a task starts, or that AWS refuses its strategy on a cluster without capacity providers.
fn expect_started(started: Result<Json, String>, capacity: &str, cluster: Option<&str>, by: &str) {
    let said = format!("{capacity} on {cluster:?}, started by {by}: {started:?}");
    match started {
        Ok(started) => {
            assert_eq!(started["tasks"].as_array().map(Vec::len), Some(1), "{said}");
            assert!(capacity == "fargate" || cluster != Some("plain"), "{said}");
        }
        Err(error) => {
            assert!(error.starts_with(REFUSED), "{said}");
            assert!(capacity != "fargate" && cluster == Some("plain"), "{said}");
        }
    }
}

#[test]
fn fargate_works_on_every_cluster_and_the_other_words_need_capacity_providers() {
    for cluster in CLUSTERS {
        in_virtual_time(async {
            let mut scene = with_clusters().await;
            let mut workflow = Terraform::new(Definition::find("workflow").expect("a composite"));
            for word in capacity::WORDS {
                let process = Process::new(&scene.world);
                let inputs = inputs(word, cluster);
                assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{word}, {cluster:?}");
                let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
                assert!(changes.is_empty(), "{word}, {cluster:?}: {changes:?}");
                expect_started(start_scheduled(&scene), word, cluster, "a schedule");
                let launch = scene.terraform.state().get("launch").as_str().expect("a handle").to_owned();
                let steps = json!({
                    "name": "run", "step": [{ "name": "run", "task": launch }], "force_destroy": true,
                });
                assert_eq!(workflow.apply(&process, &steps).await, End::Done, "{word}, {cluster:?}");
                let definition = workflow.state().get("definition").as_str().expect("JSON").to_owned();
                expect_started(start_step(&scene, &definition), word, cluster, "a workflow");
            }
        });
    }
}

#[test]
fn run_task_refuses_a_launch_type_with_a_strategy() {
    in_virtual_time(async {
        let mut scene = with_clusters().await;
        let process = Process::new(&scene.world);
        let inputs = inputs("fargate", None);
        assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
        let mut both = schedule(&scene);
        let definition = both["Target"]["EcsParameters"]["TaskDefinitionArn"].clone();
        let input = json!({
            "cluster": both["Target"]["Arn"], "taskDefinition": definition, "launchType": "FARGATE",
            "capacityProviderStrategy": [{ "capacityProvider": "FARGATE", "weight": 1 }],
        });
        let error = call(&scene, "ecs", "RunTask", input).expect_err("a refusal");
        assert!(error.starts_with("InvalidParameterException: Specifying both"), "{error}");
        both["Target"]["EcsParameters"]["CapacityProviderStrategy"] =
            json!([{ "capacityProvider": "FARGATE", "weight": 1 }]);
        let error = call(&scene, "scheduler", "UpdateSchedule", both).expect_err("a refusal");
        assert!(error.starts_with("ValidationException: Parameters LaunchType and"), "{error}");
    });
}

/// Gives the schedule another capacity, with a launch type or a strategy.
fn replace_capacity(scene: &Scene, launch_type: Option<&str>, strategy: Json) {
    let mut other = schedule(scene);
    let ecs = &mut other["Target"]["EcsParameters"];
    ecs["LaunchType"] = launch_type.into();
    ecs["CapacityProviderStrategy"] = strategy;
    call(scene, "scheduler", "UpdateSchedule", other).expect("another capacity");
}

#[test]
fn the_strategy_of_an_older_version_is_the_same_capacity_and_others_are_drift() {
    let item = |name: &str, weight: i64| json!({ "capacityProvider": name, "weight": weight });
    for (capacity, launch_type, strategy, same) in [
        ("fargate", Some("FARGATE"), Json::Null, true),
        ("fargate", None, json!([item("FARGATE", 1)]), true),
        ("fargate", None, json!([item("FARGATE_SPOT", 1)]), false),
        ("fargate", Some("EC2"), Json::Null, false),
        ("fargate", None, Json::Null, false),
        ("mixed", None, json!([item("FARGATE_SPOT", 1), item("FARGATE", 1)]), true),
        ("mixed", None, json!([item("FARGATE_SPOT", 3), item("FARGATE", 1)]), false),
        ("mixed", Some("FARGATE"), Json::Null, false),
    ] {
        in_virtual_time(async {
            let mut scene = with_clusters().await;
            let process = Process::new(&scene.world);
            let inputs = inputs(capacity, None);
            assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done);
            let made = schedule(&scene);
            replace_capacity(&scene, launch_type, strategy.clone());
            let said = format!("{capacity}, {launch_type:?}, {strategy}");
            let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
            assert_eq!(changes.is_empty(), same, "{said}: {changes:?}");
            if !same {
                assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{said}");
                assert_eq!(schedule(&scene), made, "{said}");
            }
            let mut imported = Terraform::new(scene.fixture.definition);
            assert_eq!(imported.import(&process, "nightly").await, End::Done, "{said}");
            assert_eq!(*imported.state().get("capacity"), tfplugin::Value::string(capacity), "{said}");
        });
    }
}
