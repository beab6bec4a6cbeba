//! Triggers at times: schedules of EventBridge Scheduler, which start a function, a task or a workflow.

use serde_json::json;

use super::super::child::Child;
use super::super::common::{self, Caller, Common};
use super::super::part::Part;
use super::super::task;
use super::target::{FunctionTarget, MachineTarget, Target, TaskTarget};
use super::{EventSource, Setup, Wiring, parsed};
use crate::checks::environment::Variables;
use crate::edge::{Edge, Event, Verb};
use crate::expr::Expr;
use crate::graph::{Graph, Handle, ObjectBuilder};
use crate::input::{Inputs, Rule};
use crate::kinds::scheduler::{self, Schedule};
use crate::policy::Grant;
use crate::scalar::Scalar;
use crate::unit::Unit;

/// A schedule of a function or a workflow.
#[derive(Debug, Inputs)]
pub(crate) struct ScheduleTrigger {
    #[input(flatten)]
    times: Times,
    /// Payload of the function, as JSON. Default: an EventBridge event with the scheduled time.
    #[input(rule = Rule::JSON)]
    input: Option<String>,
}

/// A schedule of a workflow.
#[derive(Debug, Inputs)]
pub(crate) struct ScheduleStart {
    #[input(flatten(input(
        doc = "Input of the first step as a JSON string. Without it, the input is `{}`."
    )))]
    pub(super) trigger: ScheduleTrigger,
}

/// A schedule of a task.
#[derive(Debug, Inputs)]
pub(crate) struct TaskSchedule {
    #[input(flatten)]
    times: Times,
    /// Flexible time window in minutes: EventBridge Scheduler starts the task at any time within it. Without it, the task starts at the exact time.
    #[input(unit = Unit::Minutes, rule = Rule::Limit(&scheduler::SCHEDULE, "flexible_time_window_minutes"))]
    flexible_window: Option<Scalar<i64>>,
    /// Number of retries of a failed start. After the last one, the event goes to the dead-letter queue.
    #[input(default = 3, rule = Rule::Limit(&scheduler::SCHEDULE, "maximum_retry_attempts"))]
    retry_attempts: Scalar<i64>,
    /// Seconds after the scheduled time at which retries of a failed start end.
    #[input(unit = Unit::Seconds, default = 3600, rule = Rule::Limit(&scheduler::SCHEDULE, "maximum_event_age_in_seconds"))]
    maximum_event_age: Scalar<i64>,
    /// Command of scheduled tasks. It overrides `command` of the task.
    command: Vec<Scalar<String>>,
    /// Environment variables of scheduled tasks, in addition to `environment` of the task.
    #[input(fixed)]
    pub(crate) environment: Option<Variables>,
}

/// The times of a schedule.
#[derive(Debug, Inputs)]
pub(crate) struct Times {
    /// Schedule expression, e.g. `rate(5 minutes)` or `cron(0 12 * * ? *)`.
    #[input(rule = Rule::SCHEDULE)]
    schedule: Scalar<String>,
    /// Time zone of a cron schedule, e.g. `Europe/Berlin`.
    #[input(default = "UTC", rule = Rule::TIME_ZONE)]
    timezone: Scalar<String>,
}

/// The service that assumes the role of a schedule.
pub(crate) const SERVICE: &str = "scheduler.amazonaws.com";

/// A target that schedules start.
pub(crate) trait Scheduled: Target {
    /// Inputs of the composite, for the role of the schedules.
    fn common(&self) -> &Common;

    /// The grants of the role that starts the target.
    fn start_grants(&self) -> Vec<Grant>;

    /// The dead-letter queue for starts that failed.
    fn dead_letters(&self) -> Option<&Handle>;

    /// The role that starts the target, if its triggers share one.
    fn caller(&self) -> Option<&Caller> {
        None
    }

    /// Sets the target of a schedule.
    fn set<'g>(&self, schedule: ObjectBuilder<'g, Schedule>) -> ObjectBuilder<'g, Schedule>;

    /// The edge from a schedule to the target.
    fn scheduled_edge(&self, schedule: &Handle) -> Edge {
        Edge::new(schedule, Verb::Starts, self.end())
    }
}

impl Scheduled for FunctionTarget<'_> {
    fn common(&self) -> &Common {
        self.common
    }

    fn start_grants(&self) -> Vec<Grant> {
        vec![Grant::InvokeFunction(self.function.arn())]
    }

    fn dead_letters(&self) -> Option<&Handle> {
        Some(&self.dead_letters.queue)
    }

    fn set<'g>(&self, schedule: ObjectBuilder<'g, Schedule>) -> ObjectBuilder<'g, Schedule> {
        schedule.target_arn(self.function.arn())
    }

    fn scheduled_edge(&self, schedule: &Handle) -> Edge {
        Edge::new(schedule, Verb::Triggers, self.end())
    }
}

impl Scheduled for MachineTarget<'_> {
    fn common(&self) -> &Common {
        self.common
    }

    fn start_grants(&self) -> Vec<Grant> {
        vec![Grant::StartExecution(self.machine.arn())]
    }

    fn dead_letters(&self) -> Option<&Handle> {
        Some(&self.dead_letters.queue)
    }

    fn caller(&self) -> Option<&Caller> {
        Some(&self.caller)
    }

    fn set<'g>(&self, schedule: ObjectBuilder<'g, Schedule>) -> ObjectBuilder<'g, Schedule> {
        schedule.target_arn(self.machine.arn())
    }
}

impl Scheduled for TaskTarget<'_> {
    fn common(&self) -> &Common {
        self.common
    }

    fn start_grants(&self) -> Vec<Grant> {
        self.task.launch.grants()
    }

    fn dead_letters(&self) -> Option<&Handle> {
        self.task.dead_letters.as_ref()
    }

    fn set<'g>(&self, schedule: ObjectBuilder<'g, Schedule>) -> ObjectBuilder<'g, Schedule> {
        let members = self.task.launch.members();
        schedule
            .target_arn(self.task.cluster.clone())
            .ecs_task_definition_arn(Some(self.task.definition.arn()))
            .ecs_capacity(Some(members.capacity))
            .ecs_subnets(Some(members.subnets))
            .ecs_security_groups(Some(members.security_groups))
            .ecs_assign_public_ip(Some(members.assign_public_ip))
    }
}

/// The objects that all schedules of a target share: a group, which has the tags, and a role.
pub(super) struct Scheduler {
    group: Handle,
    caller: Caller,
}

impl Scheduler {
    fn add(graph: &mut Graph, part: &Part<'_>, target: &impl Scheduled) -> Self {
        let name = part.regional("", 64);
        let group = graph.add(scheduler::ScheduleGroup, &part.slot("schedules")).name(name).handle();
        let caller = target.caller().cloned().unwrap_or_else(|| {
            let grants = grants(target.start_grants(), target.dead_letters());
            common::caller(graph, part, "scheduler", &[SERVICE], grants, target.common())
        });
        Self { group, caller }
    }
}

/// The grants of the role of schedules: they start the target, and send to its dead-letter queue.
pub(crate) fn grants(start: Vec<Grant>, dead_letters: Option<&Handle>) -> Vec<Grant> {
    let dead_letters = dead_letters.map(|queue| Grant::SendMessages(queue.arn()));
    start.into_iter().chain(dead_letters).collect()
}

impl<T: Scheduled> Wiring<'_, T> {
    /// Adds a schedule, its edges, and before the first one the objects that all schedules share. `set` sets what
    /// follows from the trigger.
    fn add_schedule(
        &mut self,
        setup: &Setup<'_>,
        times: &Times,
        event: Option<Event>,
        set: impl FnOnce(ObjectBuilder<'_, Schedule>) -> ObjectBuilder<'_, Schedule>,
    ) {
        let slot = self.slots.of(setup.index, "schedule");
        let (graph, part, target) = (&mut *self.graph, self.part, self.target);
        let Scheduler { group, caller } =
            self.scheduler.get_or_insert_with(|| Scheduler::add(graph, part, target));
        let added = graph
            .add(scheduler::Schedule, &slot)
            .group_name(group.attribute("name"))
            .name(slot.as_str())
            .schedule_expression(&times.schedule)
            .schedule_expression_timezone(&times.timezone)
            .target_role_arn(caller.role.arn())
            .dead_letter_arn(target.dead_letters().map(Handle::arn))
            .kms_key_arn(target.common().encryption.key())
            .state("ENABLED")
            .after(&caller.policy);
        let added = target.set(set(added)).handle();
        let edge = Edge { event, ..target.scheduled_edge(&added) };
        graph.connect(edge.at(setup.path.clone()));
        if let Some(queue) = target.dead_letters() {
            graph.connect(Edge::new(&added, Verb::FailsTo, queue).at(setup.path.clone()));
        }
    }
}

impl<'a> EventSource<FunctionTarget<'a>> for ScheduleTrigger {
    fn input(&self) -> &'static str {
        "schedule"
    }

    fn add(&self, wiring: &mut Wiring<'_, FunctionTarget<'a>>, setup: &Setup<'_>) {
        // The function receives the `input` instead of an event.
        let event = if self.input.is_some() { Event::Invoke } else { Event::Schedule };
        let retry_attempts = wiring.target.retry_attempts;
        wiring.add_schedule(setup, &self.times, Some(event), |schedule| {
            schedule.input(self.input.as_deref().map(parsed)).maximum_retry_attempts(retry_attempts)
        });
    }
}

impl<'a> EventSource<MachineTarget<'a>> for ScheduleTrigger {
    fn input(&self) -> &'static str {
        "schedule"
    }

    fn caller(&self) -> Option<&'static str> {
        Some(SERVICE)
    }

    fn add(&self, wiring: &mut Wiring<'_, MachineTarget<'a>>, setup: &Setup<'_>) {
        wiring.add_schedule(setup, &self.times, None, |schedule| {
            let input = self.input.as_deref().map_or_else(|| Expr::Literal(json!({})), parsed);
            schedule.input(Some(input)).maximum_retry_attempts(2)
        });
    }
}

impl<'a> EventSource<TaskTarget<'a>> for TaskSchedule {
    fn input(&self) -> &'static str {
        "schedule"
    }

    fn add(&self, wiring: &mut Wiring<'_, TaskTarget<'a>>, setup: &Setup<'_>) {
        wiring.add_schedule(setup, &self.times, None, |schedule| {
            schedule
                .flexible_time_window_minutes(self.flexible_window.as_ref())
                .input(task::overrides(&self.command, self.environment.as_ref()))
                .maximum_retry_attempts(&self.retry_attempts)
                .maximum_event_age_in_seconds(Some(&self.maximum_event_age))
        });
    }
}

/// The slot of a schedule: its name. The group has the slot of its part.
pub(crate) fn slot_of_schedule(child: &Child<'_>) -> Option<String> {
    let name = child.text("name");
    let own = name.strip_prefix(child.parent.strip_suffix("schedules")?)?;
    let numbered = |base: &str| own.strip_prefix(base).is_some_and(is_number);
    (numbered("schedule") || numbered("on_schedule") || numbered("on_start")).then(|| name.to_owned())
}

/// Returns true for the end of a numbered slot: nothing, or a number such as `_2`.
fn is_number(end: &str) -> bool {
    end.is_empty() || end.strip_prefix('_').is_some_and(|number| number.parse::<usize>().is_ok())
}
