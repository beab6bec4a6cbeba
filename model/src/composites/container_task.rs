//! The `container_task` composite: a container that runs to completion on Fargate.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::common::{self, Common, Identity};
use super::part::Part;
use super::schedule::{Schedule, Scheduler, SchedulerSpec, Target};
use super::steps;
use super::task::{self, CONTAINER, TaskInputs, TaskPart, TaskSpec};
use crate::checks::environment::{self, Variables};
use crate::composite::{Composite, Output, Settings};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Rule};
use crate::policy;
use crate::scalar::Scalar;
use crate::unit::Unit;
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
    /// Starts the task on a schedule. Without it, the task is started by a function, a workflow or the command `launch_command`.
    schedule: Option<TaskSchedule>,
    #[input(flatten)]
    common: Common,
}

/// The schedule of a task.
#[derive(Debug, Inputs)]
struct TaskSchedule {
    /// Schedule expression, e.g. `rate(5 minutes)` or `cron(0 3 * * ? *)`.
    #[input(rule = Rule::SCHEDULE)]
    expression: Scalar<String>,
    /// Time zone of a cron schedule, e.g. `Europe/Berlin`.
    #[input(default = "UTC", rule = Rule::TIME_ZONE)]
    timezone: Scalar<String>,
    /// Flexible time window in minutes: EventBridge Scheduler starts the task at any time within it. Without it, the task starts at the exact time.
    #[input(unit = Unit::Minutes, rule = Rule::Range(1, 1440))]
    flexible_window: Option<Scalar<i64>>,
    /// Number of retries of a failed start. After the last one, the event goes to the dead-letter queue.
    #[input(default = 3, rule = Rule::Range(0, 185))]
    retry_attempts: Scalar<i64>,
    /// Seconds after the scheduled time at which retries of a failed start end.
    #[input(unit = Unit::Seconds, default = 3600, rule = Rule::Range(60, 86_400))]
    maximum_event_age: Scalar<i64>,
    /// Command of scheduled tasks. It overrides `command` of the task.
    command: Vec<Scalar<String>>,
    /// Environment variables of scheduled tasks, in addition to `environment` of the task.
    environment: Option<Variables>,
}

impl Composite for ContainerTask {
    type Inputs = ContainerTaskInputs;
    const TYPE: &'static str = "container_task";
    const TERMS: &'static [&'static str] = &["container", "containers", "jobs", "ecs", "fargate"];
    const DOC: &'static str = "Creates an ECS task definition for a container that runs to completion on \
        Fargate.\n\n\
        The resource also creates a log group, a task role with only the configured access, and an execution \
        role. Unless you set your own, it creates a cluster and a security group without inbound rules. For \
        failed tasks, it creates a dead-letter queue with an alarm; each message contains the reason. The \
        image is used as it is (`image`), or built and pushed to a repository of its own (`build`).\n\n\
        To start the task, set `schedule`, or run the command in the output `launch_command`. An \
        `event_function` with the output `launch` in `launches` and a `task` step of a `workflow` can start \
        it too.";
    const OUTPUTS: &'static [Output] = &[
        Output::text(
            "task_definition_arn",
            "ARN of the task definition without a revision: the latest revision.",
        ),
        Output::text("family", "Family of the task definition."),
        Output::text("container_name", "Name of the container, e.g. for container overrides."),
        Output::text("cluster_arn", "ARN of the cluster."),
        Output::text("image_uri", "URI of the image; the URI of a built image contains its digest."),
        Output::text("repository_url", "URL of the repository of the built image; null without `build`."),
        Output::text("task_role_arn", "ARN of the task role of the container."),
        Output::text("task_role_name", "Name of the task role, e.g. to attach policies."),
        Output::text("execution_role_arn", "ARN of the execution role."),
        Output::text(
            "security_group_id",
            "ID of the security group created for the task; null if `network` sets other groups.",
        ),
        Output::text("log_group_name", "Name of the log group."),
        Output::text(
            "dead_letter_queue_arn",
            "ARN of the dead-letter queue for failed tasks; null with `on_failure = \"none\"`.",
        ),
        Output::text(
            "dead_letter_queue_url",
            "URL of the dead-letter queue for failed tasks; null with `on_failure = \"none\"`.",
        ),
        Output::text(
            "launch",
            "Launch handle for `launches` of an `event_function` and for `task` steps of a `workflow`.",
        ),
        Output::text("launch_policy", "IAM policy document (JSON) that allows starting the task."),
        Output::text("launch_command", "AWS CLI command that starts the task."),
    ];

    fn expand(inputs: &ContainerTaskInputs, context: &Context, findings: &mut Findings) -> Graph {
        let mut graph = Graph::new(inputs.common.force_destroy);
        let spec = TaskSpec {
            part: Part::new(context, &inputs.identity.name),
            at: Path::default(),
            task: &inputs.task,
            objects: Vec::new(),
            variables: &[],
            common: &inputs.common,
        };
        let task = task::add(&mut graph, &spec, findings);
        if let Some(schedule) = &inputs.schedule {
            let at = Path::field("schedule").join(Step::Field("environment".to_owned()));
            let set_here = task::set_here(&spec);
            environment::check_container(schedule.environment.as_ref(), None, &set_here, &at, findings);
            add_schedule(&mut graph, &spec, schedule, &task);
        }
        let none = || Expr::Literal(Json::Null);
        graph.outputs = BTreeMap::from([
            ("task_definition_arn", task.definition.arn()),
            ("family", task.definition.attribute("family")),
            ("container_name", CONTAINER.into()),
            ("cluster_arn", task.cluster.clone()),
            ("image_uri", task.image.clone()),
            ("repository_url", task.repository.as_ref().map_or_else(none, |made| made.attribute("url"))),
            ("task_role_arn", task.task_role.arn()),
            ("task_role_name", task.task_role.attribute("name")),
            ("execution_role_arn", task.execution_role.arn()),
            (
                "security_group_id",
                task.security_group.as_ref().map_or_else(none, |made| made.attribute("id")),
            ),
            ("log_group_name", task.log_group.attribute("name")),
            ("dead_letter_queue_arn", task.dead_letters.as_ref().map_or_else(none, Handle::arn)),
            (
                "dead_letter_queue_url",
                task.dead_letters.as_ref().map_or_else(none, |made| made.attribute("url")),
            ),
            ("launch", task.launch.handle.clone()),
            ("launch_policy", Expr::Json(Box::new(policy::identity(&task.launch.grants())))),
            ("launch_command", task.command),
        ]);
        graph.tags = inputs.common.tags.of_graph();
        graph
    }

    fn seed(name: &str) -> Value {
        let build = Value::map([("context", Value::String(String::new()))]);
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("build", build),
            ("schedule", Value::map([("expression", Value::Unknown)])),
        ])
    }

    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value {
        let mut inputs = task::recover("", objects);
        inputs.insert("name".to_owned(), Value::String(name.to_owned()));
        inputs.extend(common::recover(objects, "task"));
        Value::Map(inputs)
    }
}

/// Adds the schedule.
fn add_schedule(graph: &mut Graph, spec: &TaskSpec<'_>, given: &TaskSchedule, task: &TaskPart) {
    let of_task = SchedulerSpec {
        part: &spec.part,
        target: Target::Task(task),
        dead_letters: task.dead_letters.as_ref(),
        common: spec.common,
    };
    let schedule = Schedule {
        expression: &given.expression,
        timezone: &given.timezone,
        flexible_window: given.flexible_window.as_ref(),
        input: overrides(given),
        retry_attempts: (&given.retry_attempts).into(),
        maximum_event_age: Some(&given.maximum_event_age),
        path: Path::field("schedule"),
    };
    Scheduler::add(graph, of_task).schedule(graph, &spec.part.slot("schedule"), schedule);
}

/// The container overrides of scheduled tasks; `None` without any.
fn overrides(schedule: &TaskSchedule) -> Option<Expr> {
    if schedule.command.is_empty() && schedule.environment.is_none() {
        return None;
    }
    let mut container = BTreeMap::from([("name".to_owned(), Expr::from(CONTAINER))]);
    if !schedule.command.is_empty() {
        container.insert("command".to_owned(), Expr::list(&schedule.command));
    }
    if schedule.environment.is_some() {
        let Some(pairs) = steps::pairs(schedule.environment.as_ref(), "name", "value") else {
            return Some(Expr::Unknown);
        };
        container.insert("environment".to_owned(), Expr::List(pairs));
    }
    Some(Expr::map([("containerOverrides", Expr::list([Expr::Map(container)]))]))
}
