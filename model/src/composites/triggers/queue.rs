//! Triggers on a queue: Lambda reads its messages in batches.

use super::records::{Batching, OF_MESSAGE};
use super::target::FunctionTarget;
use super::{AllowLoop, Check, EventSource, Setup, Wiring};
use crate::checks::{fifo, visibility};
use crate::edge::{Edge, Event, ResourceType};
use crate::expr::Expr;
use crate::finding::{Code, Findings};
use crate::graph::Handle;
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::sqs;
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
        self.batch.add_mapping(wiring, &slot, self.arn(setup.made));
    }
}
