//! The resources that a function uses. Each edge becomes a grant, and an entry of the function's variable
//! `TANDEM_RESOURCES`.

use super::common;
use crate::expr::Expr;
use crate::input::{Inputs, Reference, Rule};
use crate::policy::{CALLS, Grant};
use crate::scalar::Scalar;

/// The variable with the resources of a function: a JSON list of bucket names and ARNs.
pub(super) const RESOURCES: &str = "TANDEM_RESOURCES";

/// Inputs for the resources that a function uses.
#[derive(Debug, Default, Inputs)]
pub(super) struct Edges {
    /// A bucket or table that the function reads, one per block. Variable `TANDEM_RESOURCES` of the function is a JSON list of its resources, in the order `reads`, `writes`, `sends_to`, `invokes`: names of buckets, ARNs of the rest.
    pub(super) reads: Vec<Read>,
    /// A bucket, table or stream that the function writes to, one per block.
    pub(super) writes: Vec<Write>,
    /// A queue or topic that the function sends messages to, one per block.
    pub(super) sends_to: Vec<SendTo>,
    /// A function or workflow that the function invokes, one per block.
    pub(super) invokes: Vec<Invoke>,
    /// Actions without a resource that the function may call, e.g. `rekognition:DetectFaces`.
    #[input(rule = Rule::OneOf(CALLS))]
    pub(super) calls: Vec<String>,
}

/// A resource that a function reads.
#[derive(Debug, Inputs)]
pub(super) enum Read {
    /// Allows the function to read objects of a bucket.
    Bucket(BucketEdge),
    /// Allows the function to read items of a table.
    Table(TableEdge),
}

/// A resource that a function writes to.
#[derive(Debug, Inputs)]
pub(super) enum Write {
    /// Allows the function to write, tag and delete objects of a bucket.
    Bucket(BucketEdge),
    /// Allows the function to write and delete items of a table.
    Table(TableEdge),
    /// Allows the function to put records into a Kinesis stream.
    Stream(StreamEdge),
}

/// A resource that a function sends messages to.
#[derive(Debug, Inputs)]
pub(super) enum SendTo {
    /// Allows the function to send messages to a queue.
    Queue(QueueEdge),
    /// Allows the function to publish messages to a topic.
    Topic(TopicEdge),
}

/// A resource that a function invokes.
#[derive(Debug, Inputs)]
pub(super) enum Invoke {
    /// Allows the function to invoke a function.
    Function(FunctionEdge),
    /// Allows the function to start executions of a workflow.
    Workflow(WorkflowEdge),
}

#[derive(Debug, Inputs)]
pub(super) struct BucketEdge {
    /// Name of the bucket.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    pub(super) bucket: Scalar<String>,
    /// Prefix of the object keys, e.g. `uploads/`. Default: all objects.
    pub(super) prefix: Option<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct TableEdge {
    /// ARN of the table.
    #[input(refers = Reference::TABLE, rule = Rule::ARN)]
    pub(super) table: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct StreamEdge {
    /// ARN of the stream.
    #[input(refers = Reference::STREAM, rule = Rule::ARN)]
    pub(super) stream: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct QueueEdge {
    /// ARN of the queue.
    #[input(refers = Reference::QUEUE, rule = Rule::ARN)]
    pub(super) queue: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct TopicEdge {
    /// ARN of the topic.
    #[input(refers = Reference::TOPIC, rule = Rule::ARN)]
    pub(super) topic: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct FunctionEdge {
    /// ARN of the function.
    #[input(refers = Reference::FUNCTION, rule = Rule::ARN)]
    pub(super) function: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct WorkflowEdge {
    /// ARN of the state machine.
    #[input(refers = Reference::WORKFLOW, rule = Rule::ARN)]
    pub(super) workflow: Scalar<String>,
}

impl BucketEdge {
    fn arn(&self) -> Expr {
        common::bucket_arn((&self.bucket).into())
    }

    fn prefix(&self) -> String {
        self.prefix.clone().unwrap_or_default()
    }
}

impl Edges {
    /// The grants that the function needs.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let reads = self.reads.iter().map(|edge| match edge {
            Read::Bucket(edge) => Grant::ReadObjects(edge.arn(), edge.prefix()),
            Read::Table(edge) => Grant::ReadItems((&edge.table).into()),
        });
        let writes = self.writes.iter().map(|edge| match edge {
            Write::Bucket(edge) => Grant::ChangeObjects(edge.arn(), edge.prefix()),
            Write::Table(edge) => Grant::WriteItems((&edge.table).into()),
            Write::Stream(edge) => Grant::PutRecords((&edge.stream).into()),
        });
        let sends = self.sends_to.iter().map(|edge| match edge {
            SendTo::Queue(edge) => Grant::SendMessages((&edge.queue).into()),
            SendTo::Topic(edge) => Grant::Publish((&edge.topic).into()),
        });
        let invokes = self.invokes.iter().map(|edge| match edge {
            Invoke::Function(edge) => Grant::InvokeFunction((&edge.function).into()),
            Invoke::Workflow(edge) => Grant::StartExecution((&edge.workflow).into()),
        });
        let known = |action: &String| CALLS.iter().find(|known| *known == action).copied();
        let calls = self.calls.iter().filter_map(known).map(Grant::Call);
        reads.chain(writes).chain(sends).chain(invokes).chain(calls).collect()
    }

    /// The variable [`RESOURCES`]; `None` for a function that uses no resource.
    pub(super) fn variable(&self) -> Option<(&'static str, Expr)> {
        let reads = self.reads.iter().map(|edge| match edge {
            Read::Bucket(edge) => &edge.bucket,
            Read::Table(edge) => &edge.table,
        });
        let writes = self.writes.iter().map(|edge| match edge {
            Write::Bucket(edge) => &edge.bucket,
            Write::Table(edge) => &edge.table,
            Write::Stream(edge) => &edge.stream,
        });
        let sends = self.sends_to.iter().map(|edge| match edge {
            SendTo::Queue(edge) => &edge.queue,
            SendTo::Topic(edge) => &edge.topic,
        });
        let invokes = self.invokes.iter().map(|edge| match edge {
            Invoke::Function(edge) => &edge.function,
            Invoke::Workflow(edge) => &edge.workflow,
        });
        let all: Vec<&Scalar<String>> = reads.chain(writes).chain(sends).chain(invokes).collect();
        (!all.is_empty()).then(|| (RESOURCES, Expr::Json(Box::new(Expr::list(all)))))
    }
}
