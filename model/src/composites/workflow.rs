//! The `workflow` composite: a Step Functions state machine of functions and containers.

use std::collections::BTreeMap;

use serde_json::json;

use super::common::{self, Common, Identity};
use super::definition::Source;
use super::launch::{self, Launch};
use super::part::Part;
use super::rule::{self, DeadLetters, Target};
use super::schedule::{self, Schedule, Scheduler, SchedulerSpec};
use super::step_checks;
use super::steps::Step;
use super::triggers::{AllowLoop, ScheduleTrigger, parsed};
use crate::composite::{Composite, Output, Settings, item_path};
use crate::context::Context;
use crate::edge::{Edge, End, KeyPattern, ObjectFilter, ResourceType, Verb};
use crate::expr::{Ambient, Expr};
use crate::finding::{Findings, Path, Step as PathStep};
use crate::graph::{Graph, Handle, Key};
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::sfn;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::value::Value;

/// A state machine, its triggers, and a dead-letter queue for failed executions.
pub(super) struct Workflow;

/// Inputs of [`Workflow`].
#[derive(Debug, Inputs)]
pub(super) struct WorkflowInputs {
    /// Name of the workflow. Names in AWS begin with the project and this name, e.g. `shop-prod-picture`.
    #[input(flatten)]
    identity: Identity,
    /// Triggers that start the workflow. Set exactly one of `bucket`, `schedule` and `event_pattern` in each. The event is the input of the first step.
    on: Vec<Start>,
    /// Steps in order. Set exactly one of `function`, `task`, `wait`, `callback`, `choice`, `parallel`, `map` and `fail` in each. The result of a step is the input of the next one.
    step: Vec<Step>,
    /// Type of the state machine. `standard` executions keep their history and may take a year. `express` executions take at most five minutes and are billed by duration. A change replaces the state machine and deletes its executions and their history.
    #[input(default = "standard", rule = Rule::OneOf(&["standard", "express"]))]
    r#type: String,
    /// Level of the execution events in the log. `off` disables logging.
    #[input(default = "error", rule = Rule::OneOf(&["all", "error", "fatal", "off"]))]
    log_level: String,
    /// Includes the input and output of steps in the logs.
    #[input(default = false)]
    log_data: Scalar<bool>,
    /// Enables X-Ray tracing of executions.
    #[input(default = false)]
    tracing: Scalar<bool>,
    #[input(flatten)]
    common: Common,
}

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
    fn source(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "bucket",
            Self::Schedule(_) => "schedule",
            Self::Event(_) => "event_pattern",
        }
    }
}

impl Composite for Workflow {
    type Inputs = WorkflowInputs;
    const TYPE: &'static str = "workflow";
    const TERMS: &'static [&'static str] =
        &["state_machine", "state_machines", "step_functions", "stepfunctions", "sfn"];
    const DOC: &'static str = "Creates a Step Functions state machine that runs functions and containers, in \
        sequence or in parallel.\n\n\
        The definition is generated from a flat list of named steps. The resource also creates a log group, \
        the triggers in `on`, and a role with only the permissions that the steps need. Failed executions go \
        to a dead-letter queue with an alarm.\n\n\
        A failed step is retried, then caught by another step, or it fails the workflow. A container with a \
        non-zero exit code fails its step. An `express` workflow also has alarms for failed and timed-out \
        executions, because some of them cannot send a message to the dead-letter queue.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("workflow_name", "Name of the state machine."),
        Output::text("arn", "ARN of the state machine."),
        Output::text("definition", "Definition of the state machine in the Amazon States Language."),
        Output::text("role_arn", "ARN of the role of the state machine."),
        Output::text("role_name", "Name of the role of the state machine, e.g. to attach policies."),
        Output::text("log_group_name", "Name of the log group."),
        Output::text("dead_letter_queue_arn", "ARN of the dead-letter queue for failed executions."),
        Output::text("dead_letter_queue_url", "URL of the dead-letter queue."),
        Output::text("start_policy", "IAM policy document (JSON) that allows starting executions."),
        Output::text("start_command", "AWS CLI command that starts an execution."),
    ];

    fn expand(inputs: &WorkflowInputs, context: &Context, findings: &mut Findings) -> Graph {
        let mut graph = Graph::new(inputs.common.force_destroy);
        let express = inputs.r#type == "express";
        step_checks::check(&inputs.step, express, findings);
        let tasks = tasks(&inputs.step, findings);
        if findings.any_error() {
            return graph;
        }
        let trigger_paths: Vec<Path> = inputs
            .on
            .iter()
            .enumerate()
            .map(|(index, start)| item_path("on", index).join(PathStep::Field(start.source().to_owned())))
            .collect();
        let step_paths: Vec<Path> = (0..inputs.step.len()).map(|index| item_path("step", index)).collect();
        let spec = WorkflowSpec {
            part: Part::new(context, &inputs.identity.name),
            steps: &inputs.step,
            tasks: &tasks,
            express,
            log_level: &inputs.log_level,
            log_data: &inputs.log_data,
            tracing: &inputs.tracing,
            on: &inputs.on,
            trigger_paths: &trigger_paths,
            step_paths: &step_paths,
            bucket: None,
            common: &inputs.common,
        };
        let added = add(&mut graph, &spec);
        let start = [Grant::StartExecution(added.machine.arn())];
        let start = common::policy_text(start, &inputs.common.encryption);
        let command = ["aws stepfunctions start-execution --state-machine-arn ".into(), added.machine.arn()];
        graph.outputs = BTreeMap::from([
            ("workflow_name", added.machine.attribute("name")),
            ("arn", added.machine.arn()),
            ("definition", Expr::Json(Box::new(added.definition))),
            ("role_arn", added.role.arn()),
            ("role_name", added.role.attribute("name")),
            ("log_group_name", added.log_group.attribute("name")),
            ("dead_letter_queue_arn", added.dead_letters.arn()),
            ("dead_letter_queue_url", added.dead_letters.attribute("url")),
            ("start_policy", start),
            ("start_command", Expr::concat(command)),
        ]);
        graph.tags = inputs.common.tags.of_graph();
        graph
    }

    fn seed(name: &str) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        let step = Value::map([("fail", text("it")), ("name", text("it"))]);
        Value::map([
            ("name", text(name)),
            ("step", Value::List(vec![step])),
            (
                "on",
                Value::List(vec![
                    Value::map([("event_pattern", text("{\"source\":[\"it\"]}"))]),
                    Value::map([("schedule", Value::Unknown)]),
                ]),
            ),
        ])
    }

    fn other_seeds(name: &str) -> Vec<Value> {
        let Value::Map(mut express) = Self::seed(name) else { return Vec::new() };
        express.insert("type".to_owned(), Value::String("express".to_owned()));
        vec![Value::Map(express)]
    }

    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value {
        let mut inputs = common::recover(objects, "workflow");
        let machine = |field| common::setting(objects, "sfn_state_machine.workflow", field);
        let lower =
            |value: Value| value.as_text().map(|text| Value::String(text.to_lowercase())).unwrap_or_default();
        let own = [
            ("name", Value::String(name.to_owned())),
            ("type", lower(machine("type"))),
            ("log_level", lower(machine("log_level"))),
            ("log_data", machine("include_execution_data")),
            ("tracing", machine("tracing_enabled")),
        ];
        inputs.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Value::Map(inputs)
    }
}

/// The launch handles of the `task` steps, by the index of the step; only those known at plan.
fn tasks(steps: &[Step], findings: &mut Findings) -> BTreeMap<usize, Launch> {
    let with_task = steps.iter().enumerate().filter_map(|(index, step)| match step {
        Step::Task(step) => Some((index, &step.task)),
        _ => None,
    });
    let read = with_task.map(|(index, handle)| {
        let at = item_path("step", index).join(PathStep::Field("task".to_owned()));
        (index, launch::read_one(handle, at, findings))
    });
    let read: Vec<(usize, Launch)> = read.collect();
    read.into_iter().filter(|(_, launch)| launch.is_known()).collect()
}

/// A state machine to add to a graph.
pub(super) struct WorkflowSpec<'a> {
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
pub(super) struct WorkflowPart {
    pub(super) machine: Handle,
    pub(super) definition: Expr,
    pub(super) role: Handle,
    pub(super) log_group: Handle,
    pub(super) dead_letters: Handle,
}

/// Adds a state machine with its role, log group, dead-letter queue and triggers.
pub(super) fn add(graph: &mut Graph, spec: &WorkflowSpec<'_>) -> WorkflowPart {
    let WorkflowSpec { part, common, .. } = spec;
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
    WorkflowPart { machine, definition, role, log_group, dead_letters }
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
fn start_slot(spec: &WorkflowSpec<'_>, index: usize) -> String {
    let number = if index == 0 { String::new() } else { format!("_{}", index + 1) };
    spec.part.slot(&format!("on_start{number}"))
}

/// Adds the EventBridge rules and returns each with its index in `on`. The policy of the dead-letter queue
/// refers to them.
fn add_rules(graph: &mut Graph, spec: &WorkflowSpec<'_>) -> Vec<(usize, Handle)> {
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
    spec: &WorkflowSpec<'_>,
    machine: &Handle,
    rules: &[(usize, Handle)],
    dead_letters: DeadLetters<'_>,
) {
    if spec.on.is_empty() {
        return;
    }
    let WorkflowSpec { part, common, .. } = spec;
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
