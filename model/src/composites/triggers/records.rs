//! Triggers on a stream of Kinesis, and on the stream of a table: Lambda reads their records in batches.

use super::super::child::Child;
use super::target::FunctionTarget;
use super::{AllowLoop, Check, EventSource, Setup, Wiring, parsed};
use crate::checks::event_pattern;
use crate::edge::{Edge, Event, ResourceType};
use crate::expr::Expr;
use crate::finding::{Code, Findings};
use crate::graph::Handle;
use crate::graph::ObjectBuilder;
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::lambda;
use crate::names;
use crate::policy::Grant;
use crate::scalar::Scalar;
use crate::unit::Unit;

#[derive(Debug, Inputs)]
pub(crate) struct StreamTrigger {
    /// ARN of the stream.
    #[input(refers = Reference::STREAM, rule = Rule::ARN)]
    pub(crate) stream: Scalar<String>,
    #[input(flatten)]
    pub(crate) records: Records,
}

#[derive(Debug, Inputs)]
pub(crate) struct TableTrigger {
    /// ARN of the table's stream: the output `stream_arn` of a `table` with a stream.
    #[input(refers = Reference::TABLE_STREAM, rule = Rule::ARN)]
    pub(crate) table: Scalar<String>,
    #[input(flatten)]
    pub(crate) records: Records,
}

/// The batches in which Lambda reads a queue or a stream.
#[derive(Debug, Inputs)]
pub(crate) struct Batching {
    /// Maximum number of records per invocation.
    #[input(default = 100, rule = Rule::Limit(&lambda::EVENT_SOURCE_MAPPING, "batch_size"))]
    pub(crate) batch_size: Scalar<i64>,
    /// Seconds for which Lambda gathers messages or records before an invocation.
    #[input(unit = Unit::Seconds, default = 0, rule = Rule::Limit(&lambda::EVENT_SOURCE_MAPPING, "maximum_batching_window_in_seconds"))]
    pub(crate) maximum_batching_window: Scalar<i64>,
    /// Lets the function report the failed messages or records of a batch, so that only those are delivered again. A stream continues from the first failed record.
    #[input(default = true)]
    pub(crate) partial_batch_response: bool,
    /// Filter, as JSON, e.g. `{"body": {"kind": ["video"]}}`: the function receives only matching messages or records, and the others count as processed. A message has `body`, a record of a stream `data`, a change of a table `eventName` and `dynamodb`. Default: everything.
    #[input(rule = Rule::FILTER)]
    pub(crate) filter: Option<String>,
}

/// Batches of a trigger that follows from another input.
impl Default for Batching {
    fn default() -> Self {
        Self {
            batch_size: Scalar::Known(10),
            maximum_batching_window: Scalar::Known(0),
            partial_batch_response: true,
            filter: None,
        }
    }
}

/// Settings for reading the records of a stream.
#[derive(Debug, Inputs)]
pub(crate) struct Records {
    /// Position at which a new event source mapping starts: `TRIM_HORIZON` reads from the oldest record, `LATEST` only new records. A change replaces the mapping, which starts again.
    #[input(default = "TRIM_HORIZON", rule = Rule::OneOf(&["LATEST", "TRIM_HORIZON"]))]
    pub(crate) starting_position: String,
    #[input(flatten)]
    pub(crate) batch: Batching,
    /// Splits a failed batch in two, so that one bad record does not block the rest.
    #[input(default = true)]
    pub(crate) bisect_on_error: Scalar<bool>,
    /// Retries of a failed batch before Lambda reports it to the dead-letter queue.
    #[input(default = 3, rule = Rule::Range(0, 10000))]
    pub(crate) retry_attempts: Scalar<i64>,
    /// Age in seconds at which Lambda gives up a failed record and reports it to the dead-letter queue.
    #[input(unit = Unit::Seconds, default = 86400, rule = Rule::Range(60, 604_800))]
    pub(crate) maximum_record_age: Scalar<i64>,
    /// Batches of one shard that run at the same time. Records with the same partition key stay in order.
    #[input(default = 1, rule = Rule::Limit(&lambda::EVENT_SOURCE_MAPPING, "parallelization_factor"))]
    pub(crate) parallelization_factor: Scalar<i64>,
    #[input(flatten)]
    pub(crate) loops: AllowLoop,
}

/// The members of a message, of a record of a stream and of a change of a table. Lambda filters by the first one, says its
/// developer guide; an older guide filters by all of them.
pub(super) const OF_MESSAGE: &[&str] = &[
    "body",
    "attributes",
    "awsRegion",
    "eventSource",
    "eventSourceARN",
    "md5OfBody",
    "messageAttributes",
    "messageId",
    "receiptHandle",
];
const OF_RECORD: &[&str] = &[
    "data",
    "approximateArrivalTimestamp",
    "awsRegion",
    "eventID",
    "eventName",
    "eventSource",
    "eventSourceARN",
    "eventVersion",
    "invokeIdentityArn",
    "kinesisSchemaVersion",
    "partitionKey",
    "sequenceNumber",
];
const OF_CHANGE: &[&str] = &[
    "dynamodb",
    "awsRegion",
    "eventID",
    "eventName",
    "eventSource",
    "eventSourceARN",
    "eventVersion",
    "userIdentity",
];

impl Batching {
    /// Checks that the filter names only members that a message or record has: Lambda drops all others unread.
    pub(super) fn check<T>(&self, known: &[&str], check: &Check<'_, T>, findings: &mut Findings) {
        let members = self.filter.as_deref().map(event_pattern::members).unwrap_or_default();
        for member in members.iter().filter(|member| !known.contains(&member.as_str())) {
            findings.error(
                Code::Pattern,
                check.at("filter"),
                format!("`filter` has `{member}`, which no event of this source has: nothing would match"),
                format!("Put the conditions into `{}`.", known.first().copied().unwrap_or_default()),
            );
        }
    }

    /// Adds an event source mapping. The caller sets its batching window, which FIFO queues do not have.
    pub(crate) fn add_mapping<'g>(
        &self,
        wiring: &'g mut Wiring<'_, FunctionTarget<'_>>,
        slot: &str,
        source: Expr,
    ) -> ObjectBuilder<'g, lambda::EventSourceMapping> {
        let types: &[&str] = if self.partial_batch_response { &["ReportBatchItemFailures"] } else { &[] };
        wiring
            .graph
            .add(lambda::EventSourceMapping, slot)
            .function_name(wiring.target.function.attribute("function_name"))
            .event_source_arn(source)
            .batch_size(&self.batch_size)
            .function_response_types(Expr::list(types.iter().copied()))
            .filter_pattern(self.filter.as_deref().map(parsed))
            .enabled(true)
            .after(&wiring.target.role_policy)
    }
}

impl Records {
    /// Adds the mapping and the edge of a trigger on a stream.
    fn add(
        &self,
        wiring: &mut Wiring<'_, FunctionTarget<'_>>,
        setup: &Setup<'_>,
        (resource, event): (ResourceType, Event),
        stream: &Scalar<String>,
    ) {
        let edge = setup.edge(setup.end(resource, stream), wiring.target, &self.loops).event(event);
        wiring.graph.connect(Edge { partial: self.batch.partial_batch_response, ..edge });
        let slot = wiring.slots.of_source(stream);
        let dead_letters = wiring.target.dead_letters.queue.arn();
        self.batch
            .add_mapping(wiring, &slot, stream.into())
            .maximum_batching_window_in_seconds(Some(&self.batch.maximum_batching_window))
            .starting_position(Some(self.starting_position.as_str()))
            .bisect_batch_on_function_error(Some(&self.bisect_on_error))
            .maximum_retry_attempts(Some(&self.retry_attempts))
            .maximum_record_age_in_seconds(Some(&self.maximum_record_age))
            .parallelization_factor(Some(&self.parallelization_factor))
            .on_failure(Some(dead_letters));
    }
}

impl<'a> EventSource<FunctionTarget<'a>> for StreamTrigger {
    fn input(&self) -> &'static str {
        "stream"
    }

    fn check(&self, check: &Check<'_, FunctionTarget<'a>>, findings: &mut Findings) {
        self.records.batch.check(OF_RECORD, check, findings);
    }

    fn exclusive(&self) -> Option<&Scalar<String>> {
        Some(&self.stream)
    }

    fn grant(&self, _made: Option<&Handle>) -> Option<Grant> {
        Some(Grant::ConsumeStream((&self.stream).into()))
    }

    fn add(&self, wiring: &mut Wiring<'_, FunctionTarget<'a>>, setup: &Setup<'_>) {
        self.records.add(wiring, setup, (ResourceType::Stream, Event::Record), &self.stream);
    }
}

impl<'a> EventSource<FunctionTarget<'a>> for TableTrigger {
    fn input(&self) -> &'static str {
        "table"
    }

    fn check(&self, check: &Check<'_, FunctionTarget<'a>>, findings: &mut Findings) {
        self.records.batch.check(OF_CHANGE, check, findings);
    }

    fn exclusive(&self) -> Option<&Scalar<String>> {
        Some(&self.table)
    }

    fn grant(&self, _made: Option<&Handle>) -> Option<Grant> {
        Some(Grant::ConsumeTableStream((&self.table).into()))
    }

    fn add(&self, wiring: &mut Wiring<'_, FunctionTarget<'a>>, setup: &Setup<'_>) {
        self.records.add(wiring, setup, (ResourceType::Table, Event::Change), &self.table);
    }
}

/// The slot of an event source mapping of an older version, which carries no key.
pub(crate) fn slot_of_mapping(child: &Child<'_>) -> String {
    let source = names::source(child.text("event_source_arn"));
    names::slot(&format!("{}_{source}", names::trigger_slot(child.parent)))
}
