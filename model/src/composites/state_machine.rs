//! A state machine: the objects around it. Workflows and thumbnailers have one.

use std::collections::BTreeMap;

use serde_json::json;

use super::common::{self, Common};
use super::definition::Source;
use super::launch::Launch;
use super::part::Part;
use super::rule::{self, DeadLetters, Target};
use super::schedule::{self, Schedule, Scheduler, SchedulerSpec};
use super::steps::Step;
use super::triggers::{AllowLoop, ScheduleTrigger, parsed};
use crate::edge::{Edge, End, KeyPattern, ObjectFilter, ResourceType, Verb};
use crate::expr::{Ambient, Expr};
use crate::finding::Path;
use crate::graph::{Graph, Handle, Key};
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::sfn;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;

/// A trigger of a workflow.
#[derive(Debug, Inputs)]
pub(super) enum Start {
    /// New objects in a bucket.
    Bucket(BucketStart),
    /// Times of EventBridge Scheduler.
    Schedule(ScheduleStart),
    /// Events of EventBridge.
    Event(EventStart),
}

#[derive(Debug, Inputs)]
pub(super) struct BucketStart {
    /// Name of a bucket that sends events to EventBridge, e.g. a `bucket` with `event_bridge = true`. The first events arrive about five minutes after that is set.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    pub(super) bucket: Scalar<String>,
    /// Prefix of the object keys, e.g. `uploads/`. Without it, all keys match.
    pub(super) prefix: Option<String>,
    /// Suffix of the object keys, e.g. `.mp4`. Without it, all keys match.
    pub(super) suffix: Option<String>,
    /// Accepts an endless loop through this trigger, e.g. of a step that ends the loop itself. Default: `false`.
    #[input(flatten)]
    pub(super) loops: AllowLoop,
}

#[derive(Debug, Inputs)]
pub(super) struct ScheduleStart {
    #[input(flatten(input(
        doc = "Input of the first step as a JSON string. Without it, the input is `{}`."
    )))]
    times: ScheduleTrigger,
}

#[derive(Debug, Inputs)]
pub(super) struct EventStart {
    /// Event pattern on the default event bus as a JSON string, e.g. `{"source": ["my.app"]}`.
    #[input(rule = Rule::JSON_OBJECT)]
    event_pattern: String,
}

impl Start {
    /// The input with the source of the events.
    pub(super) fn source(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "bucket",
            Self::Schedule(_) => "schedule",
            Self::Event(_) => "event_pattern",
        }
    }
}

/// A state machine to add to a graph.
pub(super) struct StateMachineSpec<'a> {
    /// Its names and slots.
    pub(super) part: Part<'a>,
    pub(super) steps: &'a [Step],
    /// The launch handles of the `task` steps, by the index of the step.
    pub(super) tasks: &'a BTreeMap<usize, Launch>,
    pub(super) express: bool,
    pub(super) log_level: &'a str,
    pub(super) log_data: &'a Scalar<bool>,
    pub(super) tracing: &'a Scalar<bool>,
    /// Its triggers.
    pub(super) on: &'a [Start],
    /// The input that causes each trigger, for findings.
    pub(super) trigger_paths: &'a [Path],
    /// The input with each step, for findings.
    pub(super) step_paths: &'a [Path],
    /// The bucket of the bucket triggers, if it belongs to the same graph.
    pub(super) bucket: Option<&'a Handle>,
    pub(super) common: &'a Common,
}

/// The objects that were added.
pub(super) struct StateMachinePart {
    pub(super) machine: Handle,
    pub(super) definition: Expr,
    pub(super) role: Handle,
    pub(super) log_group: Handle,
    pub(super) dead_letters: Handle,
}

/// Adds a state machine with its role, log group, dead-letter queue and triggers.
pub(super) fn add(graph: &mut Graph, spec: &StateMachineSpec<'_>) -> StateMachinePart {
    let StateMachineSpec { part, common, .. } = spec;
    let own = part.main("workflow");
    let name = part.regional("", 80);
    // With this prefix, the resource policy of CloudWatch Logs, whose size is limited, need not name the
    // log group.
    let log_name = Expr::concat(["/aws/vendedlogs/states/".into(), name.clone()]);
    let log_group = common::log_group(graph, &own, log_name, common);
    let machine_arn = Expr::arn("states", Expr::concat(["stateMachine:".into(), name.clone()]));
    let executions = Expr::arn("states", Expr::concat(["execution:".into(), name.clone()]));
    let dead_letters = common::dead_letters(
        graph,
        part,
        common::Protection::from(*common),
        "Executions that failed wait in the dead-letter queue.",
    );
    let failures = (!spec.express).then(|| {
        let pattern = Expr::map([
            ("source", Expr::list(["aws.states"])),
            ("detail-type", Expr::list(["Step Functions Execution Status Change"])),
            (
                "detail",
                Expr::map([
                    ("status", Expr::list(["ABORTED", "FAILED", "TIMED_OUT"])),
                    ("stateMachineArn", Expr::list([machine_arn.clone()])),
                ]),
            ),
        ]);
        rule::add_failures(graph, part, pattern).handle()
    });
    let rules = add_rules(graph, spec);
    let senders: Vec<_> =
        failures.iter().chain(rules.iter().map(|(_, rule)| rule)).map(rule::sender).collect();
    let queue_policy = common::queue_policy(graph, &dead_letters, &senders);
    let queue = DeadLetters { queue: &dead_letters, policy: &queue_policy };
    if let Some(rule) = &failures {
        rule::deliver_failures(graph, rule, queue);
    }

    let source =
        Source { steps: spec.steps, tasks: spec.tasks, machine: &machine_arn, executions: &executions };
    let key = Key::new(&sfn::STATE_MACHINE, &own);
    let (mut grants, edges) = source.uses(&key, spec.step_paths);
    edges.into_iter().for_each(|edge| graph.connect(edge));
    if spec.log_level != "off" {
        grants.push(Grant::DeliverLogs);
    }
    if spec.tracing.known() != Some(&false) {
        grants.push(Grant::Trace);
    }
    if spec.express {
        grants.push(Grant::SendMessages(dead_letters.arn()));
    }
    grants.extend(common.encryption.grant());
    let trust = policy::trust("states.amazonaws.com", true);
    let role = common::role(graph, &own, part.global("", 64), trust, common);
    let mut steps = spec.steps.iter().enumerate();
    let known = spec.tracing.known().is_some()
        && steps.all(|(index, step)| !matches!(step, Step::Task(_)) || spec.tasks.contains_key(&index));
    let role_policy = common::role_policy(graph, (&own, "workflow"), &role, known.then_some(grants));
    let own_dead_letters = dead_letters.arn();
    let definition = source.definition(spec.express.then_some(&own_dead_letters));
    let destination = Expr::concat([log_group.arn(), ":*".into()]);
    let logs = spec.log_level != "off";
    let machine = graph
        .add(&sfn::STATE_MACHINE, &own)
        .set("name", name.clone())
        .set("type", if spec.express { "EXPRESS" } else { "STANDARD" })
        .set("role_arn", role.arn())
        .set("definition", definition.clone())
        .set("log_level", spec.log_level.to_uppercase())
        .set("include_execution_data", spec.log_data)
        .set_if("log_destination", logs.then_some(destination))
        .set("tracing_enabled", spec.tracing)
        .set_if("kms_key_id", common.encryption.key())
        .after(&role_policy)
        .handle();
    if spec.express {
        add_alarms(graph, part, &machine, common);
    }
    graph.connect(Edge::new(&machine, Verb::FailsTo, &dead_letters));
    add_starts(graph, spec, &machine, &rules, queue);
    StateMachinePart { machine, definition, role, log_group, dead_letters }
}

/// Adds alarms for failed and timed-out executions of an express workflow: EventBridge gets no event for
/// them. An execution that timed out or exceeded a size limit cannot send a message to the dead-letter queue.
fn add_alarms(graph: &mut Graph, part: &Part<'_>, machine: &Handle, common: &Common) {
    let ends = [
        ("failed", "ExecutionsFailed", "Executions failed."),
        ("timed-out", "ExecutionsTimedOut", "Executions took longer than five minutes."),
    ];
    for (end, name, description) in ends {
        let dimensions = Expr::map([("StateMachineArn", machine.arn())]);
        let metric = common::Metric { namespace: "AWS/States", name, dimensions, statistic: "Sum" };
        let called = (&*part.slot(&end.replace('-', "_")), part.regional(end, 255));
        common::alarm(graph, called, metric, 0.into(), description, common.into());
    }
}

/// The slot of the objects of a trigger, by its index in `on`.
fn start_slot(spec: &StateMachineSpec<'_>, index: usize) -> String {
    let number = if index == 0 { String::new() } else { format!("_{}", index + 1) };
    spec.part.slot(&format!("on_start{number}"))
}

/// Adds the EventBridge rules and returns each with its index in `on`. The policy of the dead-letter queue
/// refers to them.
fn add_rules(graph: &mut Graph, spec: &StateMachineSpec<'_>) -> Vec<(usize, Handle)> {
    let mut rules = Vec::new();
    for (index, start) in spec.on.iter().enumerate() {
        let pattern = match start {
            Start::Bucket(start) => created(start, spec.bucket),
            Start::Event(start) => parsed(&start.event_pattern),
            Start::Schedule(_) => continue,
        };
        let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
        let called = (&*start_slot(spec, index), &*format!("start{number}"));
        rules.push((index, rule::add(graph, &spec.part, called, pattern).named_by_inputs().handle()));
    }
    rules
}

/// Adds the role, the rule targets and the schedules that start executions.
fn add_starts(
    graph: &mut Graph,
    spec: &StateMachineSpec<'_>,
    machine: &Handle,
    rules: &[(usize, Handle)],
    dead_letters: DeadLetters<'_>,
) {
    if spec.on.is_empty() {
        return;
    }
    let StateMachineSpec { part, common, .. } = spec;
    let scheduled = spec.on.iter().any(|start| matches!(start, Start::Schedule(_)));
    let services: Vec<&str> = [(rule::SERVICE, !rules.is_empty()), (schedule::SERVICE, scheduled)]
        .into_iter()
        .filter_map(|(service, used)| used.then_some(service))
        .collect();
    let schedules = SchedulerSpec {
        part,
        target: schedule::Target::Workflow(machine),
        dead_letters: Some(dead_letters.queue),
        common,
    };
    // EventBridge rules send to the dead-letter queue without a role.
    let grants = if scheduled { schedules.grants() } else { schedules.target.grants() };
    let caller = common::caller(graph, part, "start", &services, grants, common);
    for (index, rule) in rules {
        let path = spec.trigger_paths.get(*index).cloned().unwrap_or_default();
        let edge = match &spec.on[*index] {
            Start::Bucket(start) => {
                let bucket = match spec.bucket {
                    Some(made) => made.into(),
                    None => End::Resource(ResourceType::Bucket, (&start.bucket).into()),
                };
                let text = |part: &Option<String>| part.clone().unwrap_or_default();
                let keys = KeyPattern { prefix: text(&start.prefix), suffix: text(&start.suffix) };
                let objects = ObjectFilter::created(keys);
                Edge::new(bucket, Verb::Triggers, machine)
                    .objects(objects)
                    .allow_loop(part.allow_loop(&start.loops))
            }
            _ => Edge::new(rule, Verb::Triggers, machine),
        };
        let target = Target::Workflow { machine, caller: &caller };
        rule::deliver(graph, rule, &target, dead_letters, edge.at(path));
    }
    if !scheduled {
        return;
    }
    let scheduler = Scheduler::add_with_role(graph, schedules, caller);
    for (index, start) in spec.on.iter().enumerate() {
        let Start::Schedule(ScheduleStart { times: start }) = start else { continue };
        let schedule = Schedule {
            expression: &start.schedule,
            timezone: &start.timezone,
            flexible_window: None,
            input: Some(start.input.as_deref().map_or_else(|| Expr::Literal(json!({})), parsed)),
            retry_attempts: 2.into(),
            maximum_event_age: None,
            path: spec.trigger_paths.get(index).cloned().unwrap_or_default(),
        };
        scheduler.schedule(graph, &start_slot(spec, index), schedule);
    }
}

/// The event pattern for new objects in a bucket.
fn created(start: &BucketStart, made: Option<&Handle>) -> Expr {
    let bucket = made.map_or_else(|| (&start.bucket).into(), |made| made.attribute("bucket"));
    let mut detail = BTreeMap::from([("bucket".to_owned(), Expr::map([("name", Expr::list([bucket]))]))]);
    let key = match (start.prefix.as_deref().unwrap_or_default(), start.suffix.as_deref().unwrap_or_default())
    {
        ("", "") => None,
        ("", suffix) => Some(json!([{ "suffix": suffix }])),
        (prefix, "") => Some(json!([{ "prefix": prefix }])),
        (prefix, suffix) => Some(json!([{ "wildcard": format!("{}*{}", literal(prefix), literal(suffix)) }])),
    };
    if let Some(key) = key {
        detail.insert("object".to_owned(), Expr::map([("key", Expr::Literal(key))]));
    }
    Expr::map([
        ("source", Expr::list(["aws.s3"])),
        ("detail-type", Expr::list(["Object Created"])),
        ("account", Expr::list([Expr::Ambient(Ambient::Account)])),
        ("detail", Expr::Map(detail)),
    ])
}

/// A string with the wildcard characters of EventBridge escaped.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('*', "\\*")
}
