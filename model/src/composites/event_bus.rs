//! The `event_bus` composite: an event bus of EventBridge.

use super::common::{self, Encryption, Identity, Tags};
use super::part::Part;
use crate::composite::{Composite, Outputs};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::Findings;
use crate::graph::Graph;
use crate::input::Inputs;
use crate::kinds::events;
use crate::policy::Grant;
use crate::value::Value;

/// An event bus.
pub(super) struct EventBus;

/// Inputs of [`EventBus`].
#[derive(Debug, Inputs)]
pub(super) struct EventBusInputs {
    /// Name of the event bus. The name in AWS consists of the project and this name, e.g. `shop-prod-orders`.
    #[input(flatten)]
    identity: Identity,
    /// ARN of the KMS key that encrypts events. Without it, a key that AWS owns is used. The key policy must allow EventBridge to use the key.
    #[input(flatten)]
    encryption: Encryption,
    #[input(flatten)]
    tags: Tags,
}

/// Outputs of [`EventBus`].
#[derive(Outputs)]
pub(super) struct EventBusOutputs {
    /// Name of the event bus.
    event_bus_name: Expr,
    /// ARN of the event bus.
    arn: Expr,
    /// IAM policy document (JSON) that allows sending events to the event bus.
    publisher_policy: Expr,
}

impl Composite for EventBus {
    type Inputs = EventBusInputs;
    type Outputs = EventBusOutputs;
    const TYPE: &'static str = "event_bus";
    const SECTION: Option<&'static str> = Some("event_buses");
    const TERMS: &'static [&'static str] = &["eventbridge", "bus", "events"];
    const DOC: &'static str = "Creates an event bus of EventBridge, apart from the default event bus of the account.\n\n\
        An `event_function` or a `workflow` with the event bus in `on` receives the events that match its \
        `event_pattern`. Only principals of this account may send events.\n\n\
        EventBridge deletes no event bus with rules. With `lifecycle { create_before_destroy = true }`, a new name \
        works: the new event bus is created, functions and workflows change to it, and then the old one is deleted.";

    fn expand(
        inputs: &EventBusInputs,
        graph: &mut Graph,
        context: &Context,
        _findings: &mut Findings,
    ) -> Option<EventBusOutputs> {
        inputs.tags.set(graph);
        graph.force_destroy = true;
        let part = Part::new(context, &inputs.identity.name);
        let bus = graph
            .add(events::Bus, "main")
            .name(part.regional("", 256))
            .kms_key_identifier(inputs.encryption.key())
            .handle();
        Some(EventBusOutputs {
            event_bus_name: bus.attribute("name"),
            arn: bus.arn(),
            publisher_policy: common::policy_text([Grant::PutEvents(bus.arn())], &inputs.encryption),
        })
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }
}
