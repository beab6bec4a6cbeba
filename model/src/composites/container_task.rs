//! The `container_task` composite: a container that runs to completion on Fargate.

use serde_json::{Map, Value as Json};

use super::common::{Common, Identity};
use super::part::Part;
use super::task::{self, CONTAINER, TaskInputs, TaskSpec};
use super::triggers::schedule::TaskSchedule;
use super::triggers::target::TaskTarget;
use super::triggers::{EventSource, TriggerSpec, Triggers};
use crate::checks::environment;
use crate::composite::{Composite, Outputs, item_path};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::Inputs;
use crate::policy;
use crate::value::Value;

/// A task definition, the objects it needs to run, and a dead-letter queue for failed tasks.
pub(super) struct ContainerTask;

/// Inputs of [`ContainerTask`].
#[derive(Debug, Inputs)]
pub(super) struct ContainerTaskInputs {
    /// Name of the task. Names in AWS begin with the project and this name, e.g. `shop-prod-render`.
    #[input(flatten)]
    identity: Identity,
    #[input(flatten)]
    task: TaskInputs,
    /// Schedules that start the task. Without one, the task is started by a function, a workflow or the command `launch_command`.
    on: Vec<TaskSchedule>,
    #[input(flatten)]
    common: Common,
}

/// Outputs of [`ContainerTask`].
#[derive(Outputs)]
pub(super) struct ContainerTaskOutputs {
    /// ARN of the task definition without a revision: the latest revision.
    task_definition_arn: Expr,
    /// Family of the task definition.
    family: Expr,
    /// Name of the container, e.g. for container overrides.
    container_name: Expr,
    /// ARN of the cluster.
    cluster_arn: Expr,
    /// URI of the image; the URI of a built image contains its digest.
    image_uri: Expr,
    /// URL of the repository of the built image; null without `build`.
    repository_url: Option<Expr>,
    /// ARN of the task role of the container.
    task_role_arn: Expr,
    /// Name of the task role, e.g. to attach policies.
    task_role_name: Expr,
    /// ARN of the execution role.
    execution_role_arn: Expr,
    /// ID of the security group created for the task; null if `network` sets other groups.
    security_group_id: Option<Expr>,
    /// Name of the log group.
    log_group_name: Expr,
    /// ARN of the dead-letter queue for failed tasks; null with `on_failure = "none"`.
    dead_letter_queue_arn: Option<Expr>,
    /// URL of the dead-letter queue for failed tasks; null with `on_failure = "none"`.
    dead_letter_queue_url: Option<Expr>,
    /// Launch handle for `launches` of an `event_function` and for `task` steps of a `workflow`.
    launch: Expr,
    /// IAM policy document (JSON) that allows starting the task.
    launch_policy: Expr,
    /// AWS CLI command that starts the task.
    launch_command: Expr,
}

impl Composite for ContainerTask {
    type Inputs = ContainerTaskInputs;
    type Outputs = ContainerTaskOutputs;
    const TYPE: &'static str = "container_task";
    const TERMS: &'static [&'static str] = &["container", "containers", "jobs", "ecs", "fargate"];
    const DOC: &'static str = "Creates an ECS task definition for a container that runs to completion on \
        Fargate.\n\n\
        The resource also creates a log group, a task role with only the configured access, and an execution \
        role. Unless you set your own, it creates a cluster and a security group without inbound rules. For \
        failed tasks, it creates a dead-letter queue with an alarm; each message contains the reason. The \
        image is used as it is (`image`), or built and pushed to a repository of its own (`build`).\n\n\
        To start the task, set a schedule in `on`, or run the command in the output `launch_command`. An \
        `event_function` with the output `launch` in `launches` and a `task` step of a `workflow` can start \
        it too.";

    fn expand(
        inputs: &ContainerTaskInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<ContainerTaskOutputs> {
        inputs.common.set(graph);
        let spec = TaskSpec {
            part: Part::new(context, &inputs.identity.name),
            at: Path::default(),
            task: &inputs.task,
            objects: Vec::new(),
            variables: &[],
            common: &inputs.common,
        };
        let task = task::add(graph, &spec, findings);
        let set_here = task::set_here(&spec);
        for (index, schedule) in inputs.on.iter().enumerate() {
            let at = item_path("on", index).join(Step::Field("environment".to_owned()));
            environment::check_container(schedule.environment.as_ref(), None, &set_here, &at, findings);
        }
        let on = TriggerSpec::of_inputs(inputs.on.iter().map(|on| on as &dyn EventSource<TaskTarget<'_>>));
        let target = TaskTarget { task: &task, common: &inputs.common };
        Triggers::new(graph, &spec.part, &on).add(graph, &target);
        Some(ContainerTaskOutputs {
            task_definition_arn: task.definition.arn(),
            family: task.definition.attribute("family"),
            container_name: CONTAINER.into(),
            cluster_arn: task.cluster.clone(),
            image_uri: task.image.clone(),
            repository_url: task.repository.as_ref().map(|made| made.attribute("url")),
            task_role_arn: task.task_role.arn(),
            task_role_name: task.task_role.attribute("name"),
            execution_role_arn: task.execution_role.arn(),
            security_group_id: task.security_group.as_ref().map(|made| made.attribute("id")),
            log_group_name: task.log_group.attribute("name"),
            dead_letter_queue_arn: task.dead_letters.as_ref().map(Handle::arn),
            dead_letter_queue_url: task.dead_letters.as_ref().map(|made| made.attribute("url")),
            launch: task.launch.handle.clone(),
            launch_policy: Expr::Json(Box::new(policy::identity(&task.launch.grants()))),
            launch_command: task.command,
        })
    }

    /// Version 0 had at most one schedule, in the block `schedule` with the input `expression`.
    fn upgrade(version: i64, state: &mut Map<String, Json>) {
        if version > 0 {
            return;
        }
        let mut triggers = Vec::new();
        if let Some(Json::Object(mut schedule)) = state.remove("schedule") {
            let expression = schedule.remove("expression").unwrap_or_default();
            schedule.insert("schedule".to_owned(), expression);
            triggers.push(Json::Object(schedule));
        }
        state.insert("on".to_owned(), Json::Array(triggers));
    }

    fn seed(name: &str) -> Value {
        let build = Value::map([("context", Value::String(String::new()))]);
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("build", build),
            ("on", Value::List(vec![Value::map([("schedule", Value::Unknown)])])),
        ])
    }

    fn other_seeds(name: &str) -> Vec<Value> {
        let Value::Map(mut given) = Self::seed(name) else { return Vec::new() };
        given.remove("build");
        given.insert("image".to_owned(), Value::Unknown);
        vec![Value::Map(given)]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schedule_of_version_0_becomes_a_trigger() {
        for (schedule, on) in [
            (
                json!({ "expression": "rate(1 day)", "timezone": "UTC" }),
                json!([{ "schedule": "rate(1 day)", "timezone": "UTC" }]),
            ),
            (Json::Null, json!([])),
        ] {
            let mut state = Map::from_iter([("schedule".to_owned(), schedule)]);
            ContainerTask::upgrade(0, &mut state);
            assert_eq!(Json::Object(state.clone()), json!({ "on": on }));
            ContainerTask::upgrade(1, &mut state);
            assert_eq!(Json::Object(state), json!({ "on": on }));
        }
    }
}
