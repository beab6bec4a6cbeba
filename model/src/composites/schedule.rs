//! Schedules of EventBridge Scheduler, which start a function, a task or a workflow.

use super::child::Child;
use super::common::{self, Caller, Common};
use super::part::Part;
use super::task::TaskPart;
use crate::edge::{Edge, Event, Verb};
use crate::expr::Expr;
use crate::finding::Path;
use crate::graph::{Graph, Handle};
use crate::kinds::scheduler;
use crate::policy::Grant;
use crate::scalar::Scalar;

/// The service that assumes the role of a scheduler.
pub(super) const SERVICE: &str = "scheduler.amazonaws.com";

/// The target of schedules.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Function(&'a Handle),
    /// A task of ECS, which needs no function to start it.
    Task(&'a TaskPart),
    Workflow(&'a Handle),
}

impl Target<'_> {
    /// The grants of a role that starts the target.
    pub(super) fn grants(self) -> Vec<Grant> {
        match self {
            Self::Function(function) => vec![Grant::InvokeFunction(function.arn())],
            Self::Task(task) => task.launch.grants(),
            Self::Workflow(machine) => vec![Grant::StartExecution(machine.arn())],
        }
    }
}

/// The schedules of a part.
#[derive(Clone, Copy)]
pub(super) struct SchedulerSpec<'a> {
    pub(super) part: &'a Part<'a>,
    pub(super) target: Target<'a>,
    /// The dead-letter queue, for starts that failed.
    pub(super) dead_letters: Option<&'a Handle>,
    pub(super) common: &'a Common,
}

impl SchedulerSpec<'_> {
    /// The grants of the role of the schedules.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let dead_letters = self.dead_letters.map(|queue| Grant::SendMessages(queue.arn()));
        self.target.grants().into_iter().chain(dead_letters).collect()
    }
}

/// The objects that all schedules of a part share: a group, which has the tags, and a role.
pub(super) struct Scheduler<'a> {
    spec: SchedulerSpec<'a>,
    group: Handle,
    caller: Caller,
}

/// A schedule: its times, its input and its retries.
pub(super) struct Schedule<'a> {
    pub(super) expression: &'a Scalar<String>,
    pub(super) timezone: &'a Scalar<String>,
    /// In minutes.
    pub(super) flexible_window: Option<&'a Scalar<i64>>,
    pub(super) input: Option<Expr>,
    pub(super) retry_attempts: Expr,
    /// In seconds; the default of AWS is a day.
    pub(super) maximum_event_age: Option<&'a Scalar<i64>>,
    /// The input that causes the schedule.
    pub(super) path: Path,
}

impl<'a> Scheduler<'a> {
    /// Adds a group, and a role of its own.
    pub(super) fn add(graph: &mut Graph, spec: SchedulerSpec<'a>) -> Self {
        let group = add_group(graph, spec.part);
        let caller = common::caller(graph, spec.part, "scheduler", &[SERVICE], spec.grants(), spec.common);
        Self { spec, group, caller }
    }

    /// Adds a group. Other services than the scheduler may assume the role, too.
    pub(super) fn add_with_role(graph: &mut Graph, spec: SchedulerSpec<'a>, caller: Caller) -> Self {
        Self { spec, group: add_group(graph, spec.part), caller }
    }

    /// Adds a schedule and its edges. Its slot is its name.
    pub(super) fn schedule(&self, graph: &mut Graph, slot: &str, schedule: Schedule<'_>) {
        let SchedulerSpec { target, dead_letters, common, .. } = self.spec;
        // The function receives the `input` instead of an event.
        let event = if schedule.input.is_some() { Event::Invoke } else { Event::Schedule };
        let added = graph
            .add(&scheduler::SCHEDULE, slot)
            .set("group_name", self.group.attribute("name"))
            .set("name", slot)
            .set("schedule_expression", schedule.expression)
            .set("schedule_expression_timezone", schedule.timezone)
            .set_if("flexible_time_window_minutes", schedule.flexible_window)
            .set("target_role_arn", self.caller.role.arn())
            .set_if("input", schedule.input)
            .set_if("dead_letter_arn", dead_letters.map(Handle::arn))
            .set("maximum_retry_attempts", schedule.retry_attempts)
            .set_if("maximum_event_age_in_seconds", schedule.maximum_event_age)
            .set_if("kms_key_arn", common.encryption.key())
            .set("state", "ENABLED")
            .after(&self.caller.policy);
        let added = match target {
            Target::Function(target) | Target::Workflow(target) => added.set("target_arn", target.arn()),
            Target::Task(task) => {
                let members = task.launch.members();
                added
                    .set("target_arn", task.cluster.clone())
                    .set("ecs_task_definition_arn", task.definition.arn())
                    .set("ecs_capacity", members.capacity)
                    .set("ecs_subnets", members.subnets)
                    .set("ecs_security_groups", members.security_groups)
                    .set("ecs_assign_public_ip", members.assign_public_ip)
            }
        };
        let added = added.handle();
        let path = schedule.path;
        let (starts, fails_at) = match target {
            Target::Function(function) => {
                (Edge::new(&added, Verb::Triggers, function).event(event), path.clone())
            }
            Target::Workflow(machine) => (Edge::new(&added, Verb::Starts, machine), path.clone()),
            // Another input than the schedule decides about the dead-letter queue of a task.
            Target::Task(task) => (Edge::new(&added, Verb::Starts, task.launch.end.clone()), Path::default()),
        };
        graph.connect(starts.at(path));
        if let Some(queue) = dead_letters {
            graph.connect(Edge::new(&added, Verb::FailsTo, queue).at(fails_at));
        }
    }
}

fn add_group(graph: &mut Graph, part: &Part<'_>) -> Handle {
    graph.add(&scheduler::SCHEDULE_GROUP, &part.slot("schedules")).set("name", part.regional("", 64)).handle()
}

/// The slot of a schedule: its name. The group has the slot of its part.
pub(super) fn slot_of_schedule(child: &Child<'_>) -> Option<String> {
    let name = child.text("name");
    let own = name.strip_prefix(child.parent.strip_suffix("schedules")?)?;
    let numbered = |base: &str| own.strip_prefix(base).is_some_and(is_number);
    (own == "schedule" || numbered("on_schedule") || numbered("on_start")).then(|| name.to_owned())
}

/// Returns true for the end of a numbered slot: nothing, or a number such as `_2`.
fn is_number(end: &str) -> bool {
    end.is_empty() || end.strip_prefix('_').is_some_and(|number| number.parse::<usize>().is_ok())
}
