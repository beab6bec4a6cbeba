//! Triggers on a queue: Lambda reads its messages in batches.

use super::records::{Batching, OF_MESSAGE};
use super::target::FunctionTarget;
use super::{AllowLoop, Check, EventSource, Setup, Wiring};
use crate::checks::{fifo, visibility};
use crate::edge::{Edge, Event, ResourceType};
use crate::expr::Expr;
use crate::finding::{Code, Findings};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::{lambda, sqs};
use crate::names;
use crate::policy::Grant;
use crate::scalar::Scalar;

#[derive(Debug, Inputs)]
pub(crate) struct QueueTrigger {
    /// ARN of the queue.
    #[input(refers = Reference::QUEUE, rule = Rule::ARN, source = Source::Object(&sqs::QUEUE))]
    pub(crate) queue: Scalar<String>,
    /// Maximum number of messages per invocation. More than 10 require a standard queue and a `maximum_batching_window` of at least 1.
    #[input(flatten(batch_size(default = 10)))]
    pub(crate) batch: Batching,
    /// Number of executions that read the queue at the same time at most. Without it, Lambda adds executions up to the limit of the function or account.
    #[input(rule = Rule::Limit(&lambda::EVENT_SOURCE_MAPPING, "maximum_concurrency"))]
    pub(crate) maximum_concurrency: Option<Scalar<i64>>,
    #[input(flatten)]
    pub(crate) loops: AllowLoop,
}

impl QueueTrigger {
    /// The ARN of the queue.
    fn arn(&self, made: Option<&Handle>) -> Expr {
        made.map_or_else(|| (&self.queue).into(), Handle::arn)
    }

    fn is_fifo(&self) -> bool {
        self.queue.known().is_some_and(|queue| names::is_fifo(queue))
    }

    /// The batching window. Lambda rejects any for a FIFO queue, also 0: "Batching window is not supported for FIFO
    /// queues".
    fn window(&self, made_fifo: bool) -> Option<&Scalar<i64>> {
        let window = &self.batch.maximum_batching_window;
        // The user of a module sees this error of Lambda, instead of a variable without effect.
        let variable = matches!(window, Scalar::Reference(_));
        (variable || !made_fifo && !self.is_fifo()).then_some(window)
    }
}

/// Returns true for a FIFO queue of this graph. Its name may be known only at apply.
fn makes_fifo(graph: &Graph, queue: &Handle) -> bool {
    graph.get(queue.key()).is_some_and(|queue| queue.fields.contains_key("fifo_queue"))
}

impl<'a> EventSource<FunctionTarget<'a>> for QueueTrigger {
    fn input(&self) -> &'static str {
        "queue"
    }

    fn check(&self, check: &Check<'_, FunctionTarget<'a>>, findings: &mut Findings) {
        let (size, window) = (self.batch.batch_size.known(), self.batch.maximum_batching_window.known());
        if self.is_fifo() {
            for (field, help) in fifo::batch(size.copied(), window.copied()) {
                findings.error(Code::OutOfRange, check.at(field), fifo::BATCH, help);
            }
        }
        self.batch.check(OF_MESSAGE, check, findings);
        if let Some(timeout) = check.target.timeout {
            visibility::check(check.context, &self.queue, timeout, check.at("queue"), findings);
        }
        if let (Some(size), Some(0)) = (size, window)
            && *size > 10
            && !self.is_fifo()
        {
            findings.error(
                Code::OutOfRange,
                check.at("batch_size"),
                format!(
                    "`batch_size` is {size}, but `maximum_batching_window` is 0: Lambda gathers more than 10 \
                     messages only with a window"
                ),
                "Set `maximum_batching_window` to at least 1, or `batch_size` to 10 or less.",
            );
        }
    }

    fn exclusive(&self) -> Option<&Scalar<String>> {
        Some(&self.queue)
    }

    fn grant(&self, made: Option<&Handle>) -> Option<Grant> {
        Some(Grant::ConsumeQueue(self.arn(made)))
    }

    fn add(&self, wiring: &mut Wiring<'_, FunctionTarget<'a>>, setup: &Setup<'_>) {
        let source = setup.end(ResourceType::Queue, &self.queue);
        let edge = setup.edge(source, wiring.target, &self.loops).event(Event::Message);
        wiring.graph.connect(Edge { partial: self.batch.partial_batch_response, ..edge });
        let slot = wiring.slots.of_source(&self.queue);
        let window = self.window(setup.made.is_some_and(|queue| makes_fifo(wiring.graph, queue)));
        self.batch
            .add_mapping(wiring, &slot, self.arn(setup.made))
            .maximum_batching_window_in_seconds(window)
            .maximum_concurrency(self.maximum_concurrency.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::composite::Definition;
    use crate::context::Context;
    use crate::value::Value;

    /// The batching windows of the mappings of a composite.
    fn windows(composite: &str, inputs: &Json, context: &Context) -> Vec<Option<Expr>> {
        let definition = Definition::find(composite).expect("a composite");
        let expansion = definition.expand(&Value::from(inputs), context);
        let graph = expansion.graph.unwrap_or_else(|| panic!("{inputs}: {:?}", expansion.findings));
        let mappings = graph.objects().iter().filter(|it| it.kind.name == "lambda_event_source_mapping");
        mappings.map(|it| it.fields.get("maximum_batching_window_in_seconds").cloned()).collect()
    }

    #[test]
    fn the_mapping_of_a_fifo_queue_has_no_batching_window() {
        let function = |on: Json| json!({ "name": "f", "code": { "bootstrap": "bootstrap" }, "on": [on] });
        let group = |fifo: bool| {
            let consumer = json!({ "code": { "bootstrap": "bootstrap" } });
            json!({ "name": "g", "queue": [{ "name": "q", "fifo": fifo }], "consumer": consumer })
        };
        let standard = "arn:aws:sqs:eu-central-1:123456789012:jobs";
        let project = Context { project: Some("test".to_owned()), ..Context::default() };
        // Without a project, the names of queues are known only at apply.
        let nothing = Context::default();
        for (composite, inputs, context, expected) in [
            ("event_function", function(json!({ "queue": standard })), &project, Some(0)),
            (
                "event_function",
                function(json!({ "queue": standard, "maximum_batching_window": 5 })),
                &project,
                Some(5),
            ),
            ("event_function", function(json!({ "queue": format!("{standard}.fifo") })), &project, None),
            (
                "event_function",
                function(json!({ "queue": format!("{standard}.fifo"), "maximum_batching_window": 0 })),
                &project,
                None,
            ),
            ("queues", group(false), &project, Some(0)),
            ("queues", group(true), &project, None),
            ("queues", group(false), &nothing, Some(0)),
            ("queues", group(true), &nothing, None),
        ] {
            let found = windows(composite, &inputs, context);
            assert_eq!(found, [expected.map(Expr::from)], "{inputs} in {:?}", context.project);
        }
    }
}
