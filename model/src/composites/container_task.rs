//! A container that runs to its end on Fargate.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::common::{self, Common};
use super::part::Part;
use super::steps;
use super::task::{self, Added, CONTAINER, Spec, TaskInputs};
use crate::checks::environment::{self, Variables};
use crate::composite::{Composite, Output, Settings};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Rule};
use crate::kinds::scheduler;
use crate::names;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::schedule;
use crate::value::Value;

/// A task definition, what it takes to start it, and what catches its failures.
pub(super) struct ContainerTask;

/// Inputs of [`ContainerTask`].
#[derive(Debug, Inputs)]
pub(super) struct ContainerTaskInputs {
    /// Name of the task. The names in AWS are made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    #[input(flatten)]
    task: TaskInputs,
    /// When the task is started by the clock; without it others start it.
    schedule: Option<TaskSchedule>,
    #[input(flatten)]
    common: Common,
}

/// When a task is started by the clock.
#[derive(Debug, Inputs)]
struct TaskSchedule {
    /// When: `rate(5 minutes)` or `cron(0 3 * * ? *)`.
    #[input(rule = Rule::Check("schedule", schedule::check))]
    expression: Scalar<String>,
    /// The time zone of a cron schedule, such as `Europe/Berlin`.
    #[input(default = "UTC", rule = Rule::Check("time zone", schedule::check_timezone))]
    timezone: Scalar<String>,
    /// Minutes within which the task is started at a time of AWS's choice; at the very time without it.
    #[input(rule = Rule::Range(1, 1440))]
    flexible_window: Option<Scalar<i64>>,
    /// How often a start that failed is tried again before it goes to the dead letters.
    #[input(default = 3, rule = Rule::Range(0, 185))]
    retry_attempts: Scalar<i64>,
    /// Seconds after its time at which a start that keeps failing is given up.
    #[input(default = 3600, rule = Rule::Range(60, 86_400))]
    maximum_event_age: Scalar<i64>,
    /// The command of scheduled tasks, in place of the task's own.
    command: Vec<Scalar<String>>,
    /// Environment variables of scheduled tasks, beside the task's own.
    environment: Option<Variables>,
}

impl Composite for ContainerTask {
    type Inputs = ContainerTaskInputs;
    const TYPE: &'static str = "container_task";
    const DOC: &'static str = "A container that runs to its end on Fargate, with everything that it takes to run one in production.\n\n\
        Makes the task definition, a cluster unless one is given, its log group, a role for the container \
        with exactly the access that is asked for and one for AWS to start it with, a security group that \
        lets nothing in, and for tasks that fail a dead-letter queue with their reasons and an alarm. An \
        image is taken as it is, or built and pushed to a repository of its own.\n\n\
        The task is started by the clock with a `schedule`, by an `event_function` that lists the output \
        `launch` in its `launches`, by a step of a `workflow`, or with the command in the output \
        `launch_command`.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("task_definition_arn", "ARN of the task definition, without revision: the latest."),
        Output::text("family", "Family of the task definition."),
        Output::text("container_name", "Name of the container, for overrides."),
        Output::text("cluster_arn", "ARN of the cluster."),
        Output::text("image_uri", "The image; one that is built with its digest."),
        Output::text("repository_url", "URL of the repository of a built image."),
        Output::text("task_role_arn", "ARN of the role that the container runs in."),
        Output::text("task_role_name", "Name of that role, to attach policies to."),
        Output::text("execution_role_arn", "ARN of the role that AWS starts the container with."),
        Output::text("security_group_id", "Id of the security group made for the task."),
        Output::text("log_group_name", "Name of the log group."),
        Output::text("dead_letter_queue_arn", "ARN of the queue with the reasons of tasks that failed."),
        Output::text("dead_letter_queue_url", "URL of that queue."),
        Output::text(
            "launch",
            "The handle that `launches` of an `event_function` takes, and `task` of a workflow's step.",
        ),
        Output::text("launch_policy", "The IAM policy, in JSON, that whoever starts the task needs."),
        Output::text("launch_command", "A command of the AWS CLI that starts the task."),
    ];

    fn expand(inputs: &ContainerTaskInputs, context: &Context, findings: &mut Findings) -> Graph {
        let mut graph = Graph::new(inputs.common.force_destroy);
        let spec = Spec {
            part: Part::new(context, &inputs.name),
            at: Path::default(),
            task: &inputs.task,
            access: Vec::new(),
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
        graph.tags = super::tags(inputs.common.tags.as_ref());
        graph
    }

    fn seed(name: &str) -> Value {
        let build = Value::map([("context", Value::String(String::new()))]);
        let access = Value::map([
            ("bucket", Value::Unknown),
            ("read", Value::List(vec![Value::String(String::new())])),
        ]);
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("build", build),
            ("bucket_access", Value::List(vec![access])),
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

/// Has the clock start the task: no function in between.
fn add_schedule(graph: &mut Graph, spec: &Spec<'_>, schedule: &TaskSchedule, task: &Added) {
    let Spec { part, common, .. } = spec;
    let own = part.role("scheduler");
    let group = graph
        .add(&scheduler::SCHEDULE_GROUP, &part.role("schedules"))
        .set("name", part.regional("", 64))
        .handle();
    let trust = policy::trust("scheduler.amazonaws.com", true);
    let role = common::role(graph, &own, part.global("scheduler", 64), trust, common);
    let mut grants = task.launch.grants();
    grants.extend(task.dead_letters.as_ref().map(|queue| Grant::SendMessages(queue.arn())));
    grants.extend(common.kms_key_arn.as_ref().map(|key| Grant::UseKey(key.into())));
    let role_policy = task::add_policy(graph, &own, &role, Some(grants));
    let target = task.launch.members();
    graph
        .add(&scheduler::SCHEDULE, &part.role("schedule"))
        .set("group_name", group.attribute("name"))
        .set("name", "schedule")
        .set("schedule_expression", &schedule.expression)
        .set("schedule_expression_timezone", &schedule.timezone)
        .set_if("flexible_time_window_minutes", schedule.flexible_window.as_ref())
        .set("target_arn", task.cluster.clone())
        .set("target_role_arn", role.arn())
        .set_if("input", overrides(schedule))
        .set("ecs_task_definition_arn", task.definition.arn())
        .set("ecs_capacity", target.capacity)
        .set("ecs_subnets", target.subnets)
        .set("ecs_security_groups", target.security_groups)
        .set("ecs_assign_public_ip", target.assign_public_ip)
        .set_if("dead_letter_arn", task.dead_letters.as_ref().map(Handle::arn))
        .set("maximum_retry_attempts", &schedule.retry_attempts)
        .set("maximum_event_age_in_seconds", &schedule.maximum_event_age)
        .set_if("kms_key_arn", common.kms_key_arn.as_ref())
        .set("state", "ENABLED")
        .after(&role_policy);
}

/// What scheduled tasks have in place of the task's own.
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
