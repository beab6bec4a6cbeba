//! A state machine: the objects around it. Workflows and thumbnailers have one.

use std::collections::BTreeMap;

use super::common::{self, Common};
use super::definition::Source;
use super::flow;
use super::launch::Launch;
use super::part::Part;
use super::rule::{self, DeadLetters};
use super::steps::Step;
use super::triggers::target::MachineTarget;
use super::triggers::{TriggerSpec, Triggers, schedule};
use crate::edge::{Edge, Verb};
use crate::expr::Expr;
use crate::finding::Path;
use crate::graph::{Graph, Handle, Key};
use crate::kinds::sfn;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;

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
    pub(super) on: &'a [TriggerSpec<'a, MachineTarget<'a>>],
    /// The input with each step, for findings.
    pub(super) step_paths: &'a [Path],
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
    let triggers = Triggers::new(graph, part, spec.on);
    let senders: Vec<_> = failures.iter().map(rule::sender).chain(triggers.senders()).collect();
    let queue_policy = common::queue_policy(graph, &dead_letters, &senders);
    let queue = DeadLetters { queue: dead_letters.clone(), policy: queue_policy };
    if let Some(rule) = &failures {
        rule::deliver_failures(graph, rule, &queue);
    }

    let source =
        Source { steps: spec.steps, tasks: spec.tasks, machine: &machine_arn, executions: &executions };
    let key = Key::new(&sfn::STATE_MACHINE, &own);
    graph.add_flow(flow::flow(key.clone(), spec.steps));
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
        .add(sfn::StateMachine, &own)
        .name(name.clone())
        .r#type(if spec.express { "EXPRESS" } else { "STANDARD" })
        .role_arn(role.arn())
        .definition(definition.clone())
        .log_level(spec.log_level.to_uppercase())
        .include_execution_data(spec.log_data)
        .log_destination(logs.then_some(destination))
        .tracing_enabled(spec.tracing)
        .kms_key_id(common.encryption.key())
        .after(&role_policy)
        .handle();
    if spec.express {
        add_alarms(graph, part, &machine, common);
    }
    graph.connect(Edge::new(&machine, Verb::FailsTo, &dead_letters));
    let callers = triggers.callers();
    if !callers.is_empty() {
        let start = vec![Grant::StartExecution(machine.arn())];
        // EventBridge rules send to the dead-letter queue without a role.
        let grants = if callers.contains(schedule::SERVICE) {
            schedule::grants(start, Some(&dead_letters))
        } else {
            start
        };
        let services: Vec<&str> = callers.into_iter().collect();
        let caller = common::caller(graph, part, "start", &services, grants, common);
        let target = MachineTarget { machine: machine.clone(), caller, dead_letters: queue, common };
        triggers.add(graph, &target);
    }
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
