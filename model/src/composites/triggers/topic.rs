//! Triggers on a topic: a function or a queue subscribes to it.

use super::super::child::Child;
use super::super::queue::Queue;
use super::target::{FunctionTarget, QueueTarget};
use super::{AllowLoop, Check, EventSource, Setup, Wiring, parsed};
use crate::checks::{event_pattern, fifo};
use crate::composite::Composite;
use crate::edge::{Edge, Event, ResourceType, Verb};
use crate::expr::Expr;
use crate::finding::{Code, Findings};
use crate::graph::ObjectBuilder;
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::sns;
use crate::names;
use crate::policy::On;
use crate::scalar::Scalar;

/// The service that sends the messages of topics.
pub(super) const SERVICE: &str = "sns.amazonaws.com";

#[derive(Debug, Inputs)]
pub(crate) struct TopicTrigger {
    /// ARN of a standard topic. SNS delivers messages of a FIFO topic to queues only.
    #[input(refers = Reference::TOPIC, rule = Rule::ARN)]
    pub(crate) topic: Scalar<String>,
    #[input(flatten)]
    pub(crate) filter: TopicFilter,
    #[input(flatten)]
    pub(crate) loops: AllowLoop,
}

/// The messages of a topic that a subscription receives.
#[derive(Debug, Inputs)]
pub(crate) struct TopicFilter {
    /// Filter policy of the subscription, as JSON, e.g. `{"kind": ["video"]}`. Default: the function receives every message.
    #[input(rule = Rule::PATTERN)]
    filter_policy: Option<String>,
    /// Part of a message to which `filter_policy` applies.
    #[input(default = "MessageAttributes", rule = Rule::OneOf(&["MessageAttributes", "MessageBody"]))]
    filter_policy_scope: Scalar<String>,
}

impl TopicFilter {
    /// Checks that a filter on attributes is not nested: the attributes of a message are not.
    fn check<T>(&self, check: &Check<'_, T>, findings: &mut Findings) {
        let of_attributes =
            self.filter_policy_scope.known().is_some_and(|scope| scope == "MessageAttributes");
        if of_attributes && self.filter_policy.as_deref().is_some_and(event_pattern::is_nested) {
            findings.error(
                Code::Pattern,
                check.at("filter_policy"),
                "`filter_policy` has nested keys, but `filter_policy_scope` is `MessageAttributes`: attributes of a \
                 message are not nested",
                "Set `filter_policy_scope` to `MessageBody`, or use the names of attributes.",
            );
        }
    }

    /// Sets the filter of a subscription.
    pub(crate) fn set<'a>(
        &self,
        subscription: ObjectBuilder<'a, sns::TopicSubscription>,
    ) -> ObjectBuilder<'a, sns::TopicSubscription> {
        match &self.filter_policy {
            Some(filter) => subscription
                .filter_policy(Some(parsed(filter)))
                .filter_policy_scope(Some(&self.filter_policy_scope)),
            None => subscription,
        }
    }
}

/// A topic to which a queue subscribes.
#[derive(Debug, Inputs)]
pub(crate) struct TopicOfQueue {
    /// ARN of the SNS topic.
    #[input(refers = Reference::TOPIC, rule = Rule::ARN)]
    topic: Scalar<String>,
    /// SNS filter policy as a JSON string, e.g. `{"kind": ["order"]}`. Only matching messages are delivered. Without it, all messages are.
    #[input(flatten(filter_policy_scope(doc = "Part of a message that `filter_policy` matches.")))]
    filter: TopicFilter,
    /// Delivers messages as they were published, without the JSON envelope of SNS.
    #[input(default = true)]
    raw_message_delivery: Scalar<bool>,
    #[input(flatten)]
    loops: AllowLoop,
}

impl<'a> EventSource<FunctionTarget<'a>> for TopicTrigger {
    fn input(&self) -> &'static str {
        "topic"
    }

    fn check(&self, check: &Check<'_, FunctionTarget<'a>>, findings: &mut Findings) {
        self.filter.check(check, findings);
        if self.topic.known().is_some_and(|topic| names::is_fifo(topic)) {
            findings.error(
                Code::Choice,
                check.at("topic"),
                "`topic` is a FIFO topic, which delivers to queues only",
                "Subscribe a `queue` with `fifo` to the topic, and set a trigger on that queue.",
            );
        }
    }

    fn exclusive(&self) -> Option<&Scalar<String>> {
        Some(&self.topic)
    }

    fn sender(&self) -> Option<(&'static str, On)> {
        Some((SERVICE, On::Source((&self.topic).into())))
    }

    fn add(&self, wiring: &mut Wiring<'_, FunctionTarget<'a>>, setup: &Setup<'_>) {
        let source = || setup.end(ResourceType::Topic, &self.topic);
        let dead_letters = &wiring.target.dead_letters;
        let edge = setup.edge(source(), wiring.target, &self.loops).event(Event::Notification);
        wiring.graph.connect(edge);
        // Messages that SNS cannot deliver go to the dead-letter queue.
        let failed = Edge::new(source(), Verb::FailsTo, &dead_letters.queue);
        wiring.graph.connect(failed.at(setup.path.clone()));
        let slot = wiring.slots.of_source(&self.topic);
        let permission = wiring.target.permit(wiring.graph, &slot, SERVICE, (&self.topic).into());
        let redrive = Expr::map([("deadLetterTargetArn", dead_letters.queue.arn())]);
        let subscription = wiring
            .graph
            .add(sns::TopicSubscription, &slot)
            .topic_arn(&self.topic)
            .protocol("lambda")
            .endpoint(wiring.target.function.arn())
            .redrive_policy(Some(redrive))
            .after(&permission)
            .after(&dead_letters.policy);
        self.filter.set(subscription);
    }
}

impl EventSource<QueueTarget> for TopicOfQueue {
    fn input(&self) -> &'static str {
        "topic"
    }

    fn check(&self, check: &Check<'_, QueueTarget>, findings: &mut Findings) {
        self.filter.check(check, findings);
        let standard = self.topic.known().filter(|topic| !names::is_fifo(topic));
        if let Some(topic) = standard.filter(|_| check.target.fifo) {
            let (message, help) = fifo::standard_topic(topic);
            findings.error(Code::Choice, check.at("topic"), message, help);
        }
    }

    fn exclusive(&self) -> Option<&Scalar<String>> {
        Some(&self.topic)
    }

    fn sender(&self) -> Option<(&'static str, On)> {
        Some((SERVICE, On::Source((&self.topic).into())))
    }

    fn add(&self, wiring: &mut Wiring<'_, QueueTarget>, setup: &Setup<'_>) {
        let source = setup.end(ResourceType::Topic, &self.topic);
        wiring.graph.connect(setup.edge(source, wiring.target, &self.loops));
        let topic = wiring.slots.text(&self.topic);
        let slot = if topic.is_empty() { "on".to_owned() } else { topic_slot(&topic, &wiring.sources) };
        let slot = wiring.slots.known.unique(&slot);
        let subscription = wiring
            .graph
            .add(sns::TopicSubscription, &slot)
            .topic_arn(&self.topic)
            .protocol("sqs")
            .endpoint(wiring.target.queue.arn())
            .raw_message_delivery(Some(&self.raw_message_delivery))
            // SNS may send only after the policy is in place. A search finds the subscription by the policy.
            .after(&wiring.target.policy);
        self.filter.set(subscription);
    }
}

/// The slot of the subscription to a topic, from its name. If topics share a name, e.g. in two accounts, the
/// slot also contains a hash of the ARN, and so does not depend on their order.
fn topic_slot(topic: &str, all: &[&str]) -> String {
    let slot = |topic: &str| names::slot(&format!("on_{}", names::source(topic)));
    let own = slot(topic);
    let shared = all.iter().any(|other| *other != topic && slot(other) == own);
    if shared { format!("{own}_{}", names::hash(topic)) } else { own }
}

/// The slot of a subscription of the queue.
pub(crate) fn slot_of_subscription(child: &Child<'_>) -> Option<String> {
    // A dead-letter queue accepts messages that SNS could not deliver, but subscribes to no topic.
    if child.owner.composite != Queue::TYPE || child.parent != "main" {
        return None;
    }
    let topics = child.siblings.iter().filter_map(|sibling| sibling.get("topic_arn")?.as_str());
    Some(topic_slot(child.text("topic_arn"), &topics.collect::<Vec<_>>()))
}
