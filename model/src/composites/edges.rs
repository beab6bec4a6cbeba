//! What a function uses: each edge says what it needs to be allowed, and tells the function what it is on.

use super::common::{self, check_arn, check_bucket};
use crate::expr::Expr;
use crate::input::{Inputs, Reference, Rule};
use crate::policy::{CALLS, Grant};
use crate::scalar::Scalar;

/// The variable in which a function finds what it uses.
pub(super) const RESOURCES: &str = "TANDEM_RESOURCES";

/// Inputs of what uses other things.
#[derive(Debug, Default, Inputs)]
pub(super) struct Edges {
    /// What the function reads: exactly one of `bucket` and `table` each. The function finds all that it uses in its variable `TANDEM_RESOURCES`, a JSON list of the names of buckets and the ARNs of everything else: first what it `reads`, then what it `writes`, `sends_to` and `invokes`.
    pub(super) reads: Vec<Read>,
    /// What the function writes: exactly one of `bucket`, `table` and `stream` each.
    pub(super) writes: Vec<Write>,
    /// What the function sends messages to: exactly one of `queue` and `topic` each.
    pub(super) sends_to: Vec<SendTo>,
    /// What the function invokes: exactly one of `function` and `workflow` each.
    pub(super) invokes: Vec<Invoke>,
    /// Actions that the function calls and that have no resource, such as `rekognition:DetectModerationLabels`.
    #[input(rule = Rule::OneOf(CALLS))]
    pub(super) calls: Vec<String>,
}

/// What is read.
#[derive(Debug, Inputs)]
pub(super) enum Read {
    /// Objects of a bucket.
    Bucket(BucketEdge),
    /// Items of a table.
    Table(TableEdge),
}

/// What is written.
#[derive(Debug, Inputs)]
pub(super) enum Write {
    /// Objects of a bucket: they are written, tagged and deleted.
    Bucket(BucketEdge),
    /// Items of a table.
    Table(TableEdge),
    /// Records of a stream.
    Stream(StreamEdge),
}

/// What messages are sent to.
#[derive(Debug, Inputs)]
pub(super) enum SendTo {
    /// A queue.
    Queue(QueueEdge),
    /// A topic.
    Topic(TopicEdge),
}

/// What is invoked.
#[derive(Debug, Inputs)]
pub(super) enum Invoke {
    /// A function.
    Function(FunctionEdge),
    /// A workflow.
    Workflow(WorkflowEdge),
}

#[derive(Debug, Inputs)]
pub(super) struct BucketEdge {
    /// Name of a bucket.
    #[input(refers = Reference::BUCKET, rule = Rule::Check("bucket", check_bucket))]
    pub(super) bucket: Scalar<String>,
    /// What the keys begin with; all of them without it.
    pub(super) prefix: Option<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct TableEdge {
    /// ARN of a table.
    #[input(refers = Reference::TABLE, rule = Rule::Check("ARN", check_arn))]
    pub(super) table: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct StreamEdge {
    /// ARN of a Kinesis stream.
    #[input(refers = Reference::STREAM, rule = Rule::Check("ARN", check_arn))]
    pub(super) stream: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct QueueEdge {
    /// ARN of a queue.
    #[input(refers = Reference::QUEUE, rule = Rule::Check("ARN", check_arn))]
    pub(super) queue: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct TopicEdge {
    /// ARN of a topic.
    #[input(refers = Reference::TOPIC, rule = Rule::Check("ARN", check_arn))]
    pub(super) topic: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct FunctionEdge {
    /// ARN of a function.
    #[input(refers = Reference::FUNCTION, rule = Rule::Check("ARN", check_arn))]
    pub(super) function: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct WorkflowEdge {
    /// ARN of a state machine.
    #[input(refers = Reference::WORKFLOW, rule = Rule::Check("ARN", check_arn))]
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
    /// What must be allowed.
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

    /// What the function is told of it: a JSON list; nothing when it uses nothing.
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
