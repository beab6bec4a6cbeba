//! Rules of EventBridge and their targets, for triggers and for failures.

use super::child::Child;
use super::part::Part;
use crate::expr::Expr;
use crate::graph::{Graph, Handle, ObjectBuilder};
use crate::kinds::events;
use crate::policy::On;

/// The service that sends the events of rules.
pub(super) const SERVICE: &str = "events.amazonaws.com";

/// The events of a rule.
pub(super) struct Events {
    pub(super) pattern: Expr,
    /// The name of the event bus; `None` for the default event bus.
    pub(super) bus: Option<Expr>,
}

impl Events {
    /// Events on the default event bus.
    pub(super) fn by_default(pattern: Expr) -> Self {
        Self { pattern, bus: None }
    }
}

/// Adds a rule. It comes before the policy of the dead-letter queue, which contains its ARN.
pub(super) fn add<'g>(
    graph: &'g mut Graph,
    part: &Part<'_>,
    (slot, name): (&str, &str),
    events: Events,
) -> ObjectBuilder<'g, events::Rule> {
    let Events { pattern, bus } = events;
    graph
        .add(events::Rule, slot)
        .name(part.regional(name, 64))
        .event_bus_name(bus)
        .event_pattern(pattern)
        .state("ENABLED")
}

/// Adds the rule for failures. [`deliver_failures`] adds its target.
pub(super) fn add_failures<'g>(
    graph: &'g mut Graph,
    part: &Part<'_>,
    pattern: Expr,
) -> ObjectBuilder<'g, events::Rule> {
    add(graph, part, (&part.slot("failures"), "failures"), Events::by_default(pattern))
}

/// The rule as a sender to the dead-letter queue.
pub(super) fn sender(rule: &Handle) -> (&'static str, On) {
    (SERVICE, On::Source(rule.arn()))
}

/// The dead-letter queue of a part. Its policy comes before each object that sends to it.
#[derive(Clone)]
pub(super) struct DeadLetters {
    pub(super) queue: Handle,
    pub(super) policy: Handle,
}

/// Sends the events of a rule for failures to the dead-letter queue.
pub(super) fn deliver_failures(graph: &mut Graph, rule: &Handle, dead_letters: &DeadLetters) {
    add_target(graph, rule, (DEAD_LETTERS, &dead_letters.queue), dead_letters);
}

/// Adds a target of a rule.
pub(super) fn add_target<'g>(
    graph: &'g mut Graph,
    rule: &Handle,
    (id, target): (&str, &Handle),
    dead_letters: &DeadLetters,
) -> ObjectBuilder<'g, events::Target> {
    let bus = graph.get(rule.key()).and_then(|rule| rule.fields.get("event_bus_name")).cloned();
    graph
        .add(events::Target, rule.key().slot())
        .rule(rule.attribute("name"))
        .event_bus_name(bus)
        .target_id(id)
        .arn(target.arn())
        .after(&dead_letters.policy)
}

/// The id of a target that is a function.
pub(super) const FUNCTION: &str = "function";
/// The id of a target that is a workflow.
pub(super) const WORKFLOW: &str = "workflow";
/// The id of a target that is the dead-letter queue.
const DEAD_LETTERS: &str = "dead-letters";

/// The slot of the target of a rule.
pub(super) fn slot_of_target(child: &Child<'_>) -> Option<String> {
    [DEAD_LETTERS, FUNCTION, WORKFLOW].contains(&child.text("target_id")).then(|| child.parent.to_owned())
}
