//! The `workflow` composite: a Step Functions state machine of functions and containers.

use std::collections::BTreeMap;

use super::common::{self, Common, Identity};
use super::launch::{self, Launch};
use super::part::Part;
use super::state_machine::{self, StateMachineSpec};
use super::step_checks;
use super::steps::Step;
use super::triggers::{Start, TriggerSpec};
use crate::composite::{Composite, Outputs, item_path};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Findings, Path, Step as PathStep};
use crate::graph::Graph;
use crate::input::{Inputs, Rule};
use crate::policy::Grant;
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
    #[input(default = false, fixed)]
    tracing: Scalar<bool>,
    #[input(flatten)]
    common: Common,
}

/// Outputs of [`Workflow`].
#[derive(Outputs)]
pub(super) struct WorkflowOutputs {
    /// Name of the state machine.
    workflow_name: Expr,
    /// ARN of the state machine.
    arn: Expr,
    /// Definition of the state machine in the Amazon States Language.
    definition: Expr,
    /// ARN of the role of the state machine.
    role_arn: Expr,
    /// Name of the role of the state machine, e.g. to attach policies.
    role_name: Expr,
    /// Name of the log group.
    log_group_name: Expr,
    /// ARN of the dead-letter queue for failed executions.
    dead_letter_queue_arn: Expr,
    /// URL of the dead-letter queue.
    dead_letter_queue_url: Expr,
    /// IAM policy document (JSON) that allows starting executions.
    start_policy: Expr,
    /// AWS CLI command that starts an execution.
    start_command: Expr,
}

impl Composite for Workflow {
    type Inputs = WorkflowInputs;
    type Outputs = WorkflowOutputs;
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

    fn expand(
        inputs: &WorkflowInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<WorkflowOutputs> {
        inputs.common.set(graph);
        let express = inputs.r#type == "express";
        step_checks::check(&inputs.step, express, findings);
        let tasks = tasks(&inputs.step, findings);
        if findings.any_error() {
            return None;
        }
        let on = TriggerSpec::of_inputs(inputs.on.iter().map(Start::source));
        let step_paths: Vec<Path> = (0..inputs.step.len()).map(|index| item_path("step", index)).collect();
        let spec = StateMachineSpec {
            part: Part::new(context, &inputs.identity.name),
            steps: &inputs.step,
            tasks: &tasks,
            express,
            log_level: &inputs.log_level,
            log_data: &inputs.log_data,
            tracing: &inputs.tracing,
            on: &on,
            step_paths: &step_paths,
            common: &inputs.common,
        };
        let added = state_machine::add(graph, &spec);
        let start = [Grant::StartExecution(added.machine.arn())];
        let start = common::policy_text(start, &inputs.common.encryption);
        let command = ["aws stepfunctions start-execution --state-machine-arn ".into(), added.machine.arn()];
        Some(WorkflowOutputs {
            workflow_name: added.machine.attribute("name"),
            arn: added.machine.arn(),
            definition: Expr::Json(Box::new(added.definition)),
            role_arn: added.role.arn(),
            role_name: added.role.attribute("name"),
            log_group_name: added.log_group.attribute("name"),
            dead_letter_queue_arn: added.dead_letters.arn(),
            dead_letter_queue_url: added.dead_letters.attribute("url"),
            start_policy: start,
            start_command: Expr::concat(command),
        })
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
