//! Triggers on events of EventBridge.

use super::super::rule;
use super::target::{FunctionTarget, MachineTarget, Target};
use super::{Check, EventSource, Setup, Wiring, parsed};
use crate::edge::{Edge, End, Event, ResourceType, Verb};
use crate::expr::Expr;
use crate::finding::{Code, Findings};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::events;
use crate::scalar::Scalar;

#[derive(Debug, Inputs)]
pub(crate) struct EventTrigger {
    /// Event pattern, as JSON, e.g. `{"source": ["aws.ecs"]}`.
    #[input(rule = Rule::PATTERN)]
    event_pattern: String,
    /// ARN of the event bus, in this account and region. Default: the default event bus.
    #[input(refers = Reference::EVENT_BUS, rule = Rule::EVENT_BUS)]
    event_bus: Option<Scalar<String>>,
}

impl Rule {
    /// The ARN of an event bus.
    const EVENT_BUS: Self = Self::Check(
        "the ARN of an event bus, e.g. `arn:aws:events:eu-central-1:123456789012:event-bus/orders`",
        check_bus,
    );
}

/// The part of the ARN of an event bus before its name.
const BEFORE_NAME: &str = ":event-bus/";

/// Checks the ARN of an event bus.
fn check_bus(arn: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    match arn.split_once(BEFORE_NAME) {
        Some((place, name))
            if place.starts_with("arn:")
                && place.split(':').nth(2) == Some("events")
                && !name.is_empty()
                && name.bytes().all(allowed) =>
        {
            Ok(())
        }
        _ => Err(format!("{arn:?} is not the ARN of an event bus")),
    }
}

impl EventTrigger {
    /// Checks that the bus is a custom one of this account and region: the rule is made there.
    fn check_bus<T>(&self, check: &Check<'_, T>, findings: &mut Findings) {
        let Some(arn) = self.event_bus.as_ref().and_then(Scalar::known) else { return };
        let at = check.at("event_bus");
        if arn.split_once(BEFORE_NAME).is_some_and(|(_, name)| name == events::DEFAULT_BUS) {
            let message = "`event_bus` is `default`, the event bus of a trigger without `event_bus`";
            findings.error(Code::Choice, at, message, "Remove `event_bus`.");
            return;
        }
        let mut place = arn.split(':').skip(3);
        let ours = [("region", &check.context.region), ("account", &check.context.account)];
        for (name, ours) in ours {
            if let (Some(theirs), Some(ours)) = (place.next(), ours)
                && theirs != ours
            {
                findings.error(
                    Code::Choice,
                    at.clone(),
                    format!("the event bus is in the {name} {theirs}, but the function or workflow is in {ours}"),
                    "Set `event_bus` to an event bus of the same account and region, to which a rule sends the events.",
                );
            }
        }
    }
}

#[derive(Debug, Inputs)]
pub(crate) struct EventStart {
    /// Event pattern as a JSON string, e.g. `{"source": ["my.app"]}`.
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
            .dead_letter_arn(Some(self.dead_letters.queue.arn()))
            .maximum_retry_attempts(Some(self.retry_attempts))
            .maximum_event_age_in_seconds(Some(21_600))
            .after(&permission);
        &self.dead_letters.queue
    }
}

impl RuleTarget for MachineTarget<'_> {
    fn add_target(&self, graph: &mut Graph, rule: &Handle) -> &Handle {
        rule::add_target(graph, rule, (rule::WORKFLOW, &self.machine), &self.dead_letters)
            .dead_letter_arn(Some(self.dead_letters.queue.arn()))
            .role_arn(Some(self.caller.role.arn()))
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

    fn check(&self, check: &Check<'_, T>, findings: &mut Findings) {
        self.check_bus(check, findings);
    }

    fn rule(&self, _made: Option<&Handle>) -> Option<rule::Events> {
        let name = |arn: &Scalar<String>| Expr::from(arn).after_last(BEFORE_NAME);
        let bus = self.event_bus.as_ref().map(name);
        Some(rule::Events { pattern: parsed(&self.event_pattern), bus })
    }

    fn caller(&self) -> Option<&'static str> {
        Some(rule::SERVICE)
    }

    fn add(&self, wiring: &mut Wiring<'_, T>, setup: &Setup<'_>) {
        let Some(rule) = setup.rule else { return };
        let edge = Edge::new(rule, Verb::Triggers, wiring.target.end()).at(setup.path.clone());
        if let Some(bus) = &self.event_bus {
            let bus = End::Resource(ResourceType::EventBus, bus.into());
            wiring.graph.connect(Edge::new(bus, Verb::Triggers, rule).at(setup.path.clone()));
        }
        wiring.deliver(setup, edge);
    }
}
