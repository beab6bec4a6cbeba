//! Triggers on events of EventBridge.

use super::super::rule;
use super::target::{FunctionTarget, MachineTarget, Target};
use super::{EventSource, Setup, Wiring, parsed};
use crate::edge::{Edge, Event, Verb};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Rule};

#[derive(Debug, Inputs)]
pub(crate) struct EventTrigger {
    /// Event pattern, as JSON, e.g. `{"source": ["aws.ecs"]}`.
    #[input(rule = Rule::PATTERN)]
    pub(super) event_pattern: String,
}

#[derive(Debug, Inputs)]
pub(crate) struct EventStart {
    /// Event pattern on the default event bus as a JSON string, e.g. `{"source": ["my.app"]}`.
    #[input(flatten)]
    pub(super) events: EventTrigger,
}

/// A target that EventBridge calls for the events of a rule.
pub(crate) trait RuleTarget: Target {
    /// Adds the target of a rule, and what lets EventBridge call it. Returns the dead-letter queue for events that
    /// EventBridge cannot deliver.
    fn add_target(&self, graph: &mut Graph, rule: &Handle) -> &Handle;
}

impl RuleTarget for FunctionTarget<'_> {
    fn add_target(&self, graph: &mut Graph, rule: &Handle) -> &Handle {
        let permission = self.permit(graph, rule.key().slot(), rule::SERVICE, rule.arn());
        rule::add_target(graph, rule, (rule::FUNCTION, &self.function), &self.dead_letters)
            .set("dead_letter_arn", self.dead_letters.queue.arn())
            .set("maximum_retry_attempts", self.retry_attempts)
            .set("maximum_event_age_in_seconds", 21_600)
            .after(&permission);
        &self.dead_letters.queue
    }
}

impl RuleTarget for MachineTarget<'_> {
    fn add_target(&self, graph: &mut Graph, rule: &Handle) -> &Handle {
        rule::add_target(graph, rule, (rule::WORKFLOW, &self.machine), &self.dead_letters)
            .set("dead_letter_arn", self.dead_letters.queue.arn())
            .set("role_arn", self.caller.role.arn())
            .after(&self.caller.policy);
        &self.dead_letters.queue
    }
}

impl<T: RuleTarget> Wiring<'_, T> {
    /// Sends the events of the trigger's rule to the target, and those that EventBridge cannot deliver to the
    /// dead-letter queue. `events` is the edge of the events to the target.
    pub(super) fn deliver(&mut self, setup: &Setup<'_>, events: Edge) {
        let Some(rule) = setup.rule else { return };
        let dead_letters = self.target.add_target(self.graph, rule);
        let failed = Edge::new(rule, Verb::FailsTo, dead_letters).at(setup.path.clone());
        self.graph.connect(events.event(Event::Bus));
        self.graph.connect(failed);
    }
}

impl<T: RuleTarget> EventSource<T> for EventTrigger {
    fn input(&self) -> &'static str {
        "event_pattern"
    }

    fn rule(&self, _made: Option<&Handle>) -> Option<rule::Events> {
        Some(rule::Events::by_default(parsed(&self.event_pattern)))
    }

    fn caller(&self) -> Option<&'static str> {
        Some(rule::SERVICE)
    }

    fn add(&self, wiring: &mut Wiring<'_, T>, setup: &Setup<'_>) {
        let Some(rule) = setup.rule else { return };
        let edge = Edge::new(rule, Verb::Triggers, wiring.target.end()).at(setup.path.clone());
        wiring.deliver(setup, edge);
    }
}
