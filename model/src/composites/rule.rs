//! Rules of EventBridge: the rule, its target, and their edges. Functions, tasks and workflows use them.

use super::child::Child;
use super::common::Caller;
use super::part::Part;
use crate::edge::{Edge, Event, Verb};
use crate::expr::Expr;
use crate::graph::{Graph, Handle, ObjectBuilder};
use crate::kinds::events;
use crate::policy::On;
use crate::scalar::Scalar;

/// The service that sends the events of rules.
pub(super) const SERVICE: &str = "events.amazonaws.com";

/// Adds a rule on the default event bus. It comes before the policy of the dead-letter queue, which contains
/// its ARN.
pub(super) fn add<'g>(
    graph: &'g mut Graph,
    part: &Part<'_>,
    (slot, name): (&str, &str),
    pattern: Expr,
) -> ObjectBuilder<'g> {
    graph
        .add(&events::RULE, slot)
        .set("name", part.regional(name, 64))
        .set("event_pattern", pattern)
        .set("state", "ENABLED")
}

/// Adds the rule for failures. [`deliver_failures`] adds its target.
pub(super) fn add_failures<'g>(graph: &'g mut Graph, part: &Part<'_>, pattern: Expr) -> ObjectBuilder<'g> {
    add(graph, part, (&part.slot("failures"), "failures"), pattern)
}

/// The rule as a sender to the dead-letter queue.
pub(super) fn sender(rule: &Handle) -> (&'static str, On) {
    (SERVICE, On::Source(rule.arn()))
}

/// The dead-letter queue of a part. Its policy comes before each object that sends to it.
#[derive(Clone, Copy)]
pub(super) struct DeadLetters<'a> {
    pub(super) queue: &'a Handle,
    pub(super) policy: &'a Handle,
}

/// The target of a rule, with the object that lets EventBridge call it.
pub(super) enum Target<'a> {
    /// A function, which has a permission for the rule.
    Function { function: &'a Handle, permission: &'a Handle, retry_attempts: &'a Scalar<i64> },
    /// A workflow, which a role starts.
    Workflow { machine: &'a Handle, caller: &'a Caller },
}

/// Sends the events of a rule to a target, and those that it cannot deliver to the dead-letter queue. `events`
/// is the edge of the events to the target.
pub(super) fn deliver(
    graph: &mut Graph,
    rule: &Handle,
    target: &Target<'_>,
    dead_letters: DeadLetters<'_>,
    events: Edge,
) {
    match target {
        Target::Function { function, permission, retry_attempts } => {
            add_target(graph, rule, (FUNCTION, function), dead_letters)
                .set("dead_letter_arn", dead_letters.queue.arn())
                .set("maximum_retry_attempts", *retry_attempts)
                .set("maximum_event_age_in_seconds", 21_600)
                .after(permission);
        }
        Target::Workflow { machine, caller } => {
            add_target(graph, rule, (WORKFLOW, machine), dead_letters)
                .set("dead_letter_arn", dead_letters.queue.arn())
                .set("role_arn", caller.role.arn())
                .after(&caller.policy);
        }
    }
    let path = events.path.clone();
    graph.connect(events.event(Event::Bus));
    graph.connect(Edge::new(rule, Verb::FailsTo, dead_letters.queue).at(path));
}

/// Sends the events of a rule for failures to the dead-letter queue.
pub(super) fn deliver_failures(graph: &mut Graph, rule: &Handle, dead_letters: DeadLetters<'_>) {
    add_target(graph, rule, (DEAD_LETTERS, dead_letters.queue), dead_letters);
}

fn add_target<'g>(
    graph: &'g mut Graph,
    rule: &Handle,
    (id, target): (&str, &Handle),
    dead_letters: DeadLetters<'_>,
) -> ObjectBuilder<'g> {
    graph
        .add(&events::TARGET, rule.key().slot())
        .set("rule", rule.attribute("name"))
        .set("target_id", id)
        .set("arn", target.arn())
        .after(dead_letters.policy)
}

/// The id of a target that is a function.
const FUNCTION: &str = "function";
/// The id of a target that is a workflow.
const WORKFLOW: &str = "workflow";
/// The id of a target that is the dead-letter queue.
const DEAD_LETTERS: &str = "dead-letters";

/// The slot of the target of a rule.
pub(super) fn slot_of_target(child: &Child<'_>) -> Option<String> {
    [DEAD_LETTERS, FUNCTION, WORKFLOW].contains(&child.text("target_id")).then(|| child.parent.to_owned())
}
