//! The resources that a function uses. Each becomes an edge, a grant, and an entry of the function's variable
//! `TANDEM_RESOURCES`.

use super::common;
use super::variables::RESOURCES;
use crate::composite::item_path;
use crate::edge::{Edge, End, KeyPattern, ObjectFilter, ResourceType, Verb};
use crate::expr::Expr;
use crate::finding::Path;
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule};
use crate::policy::{CALLS, Grant};
use crate::scalar::Scalar;

/// Inputs for the resources that a function uses.
#[derive(Debug, Default, Inputs)]
pub(super) struct Uses {
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
    Bucket(BucketUse),
    /// Allows the function to read items of a table.
    Table(TableUse),
}

/// A resource that a function writes to.
#[derive(Debug, Inputs)]
pub(super) enum Write {
    /// Allows the function to write, tag and delete objects of a bucket.
    Bucket(BucketUse),
    /// Allows the function to write and delete items of a table.
    Table(TableUse),
    /// Allows the function to put records into a Kinesis stream.
    Stream(StreamUse),
}

/// A resource that a function sends messages to.
#[derive(Debug, Inputs)]
pub(super) enum SendTo {
    /// Allows the function to send messages to a queue.
    Queue(QueueUse),
    /// Allows the function to publish messages to a topic.
    Topic(TopicUse),
}

/// A resource that a function invokes.
#[derive(Debug, Inputs)]
pub(super) enum Invoke {
    /// Allows the function to invoke a function.
    Function(FunctionUse),
    /// Allows the function to start executions of a workflow.
    Workflow(WorkflowUse),
}

#[derive(Debug, Inputs)]
pub(super) struct BucketUse {
    /// Name of the bucket.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    pub(super) bucket: Scalar<String>,
    /// Prefix of the object keys, e.g. `uploads/`. Default: all objects.
    pub(super) prefix: Option<String>,
    /// Suffix of the object keys, e.g. `.jpg`. Default: all objects.
    #[input(rule = Rule::KEY_PART)]
    pub(super) suffix: Option<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct TableUse {
    /// ARN of the table.
    #[input(refers = Reference::TABLE, rule = Rule::ARN)]
    pub(super) table: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct StreamUse {
    /// ARN of the stream.
    #[input(refers = Reference::STREAM, rule = Rule::ARN)]
    pub(super) stream: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct QueueUse {
    /// ARN of the queue.
    #[input(refers = Reference::QUEUE, rule = Rule::ARN)]
    pub(super) queue: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct TopicUse {
    /// ARN of the topic.
    #[input(refers = Reference::TOPIC, rule = Rule::ARN)]
    pub(super) topic: Scalar<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct FunctionUse {
    /// ARN of the function.
    #[input(refers = Reference::FUNCTION, rule = Rule::ARN)]
    pub(super) function: Scalar<String>,
    /// Accepts an endless loop through this call, e.g. of a function that ends the loop itself. Default: `false`.
    pub(super) allow_loop: Option<bool>,
}

#[derive(Debug, Inputs)]
pub(super) struct WorkflowUse {
    /// ARN of the state machine.
    #[input(refers = Reference::WORKFLOW, rule = Rule::ARN)]
    pub(super) workflow: Scalar<String>,
    /// Accepts an endless loop through this call, e.g. of a function that ends the loop itself. Default: `false`.
    pub(super) allow_loop: Option<bool>,
}

/// One block of the inputs of [`Uses`].
struct Use<'a> {
    verb: Verb,
    resource: ResourceType,
    /// The name of a bucket, or an ARN.
    value: &'a Scalar<String>,
    objects: Option<ObjectFilter>,
    allow_loop: Option<bool>,
    path: Path,
}

impl<'a> Use<'a> {
    fn new(verb: Verb, resource: ResourceType, value: &'a Scalar<String>) -> Self {
        Self { verb, resource, value, objects: None, allow_loop: None, path: Path::default() }
    }

    fn bucket(verb: Verb, of: &'a BucketUse) -> Self {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let keys = KeyPattern { prefix: text(&of.prefix), suffix: text(&of.suffix) };
        // A function that writes objects may delete them, too.
        let objects = Some(ObjectFilter::created(keys).or_removed());
        Self { objects, ..Self::new(verb, ResourceType::Bucket, &of.bucket) }
    }

    fn grant(&self) -> Grant {
        let arn = || Expr::from(self.value);
        let bucket = || common::bucket_arn(self.value.into());
        let keys = || self.objects.as_ref().map(|objects| objects.keys.clone()).unwrap_or_default();
        match (self.verb, self.resource) {
            (Verb::Reads, ResourceType::Bucket) => Grant::ReadObjects(bucket(), keys()),
            (Verb::Reads, _) => Grant::ReadItems(arn()),
            (Verb::Writes, ResourceType::Bucket) => Grant::ChangeObjects(bucket(), keys()),
            (Verb::Writes, ResourceType::Stream) => Grant::PutRecords(arn()),
            (Verb::Writes, _) => Grant::WriteItems(arn()),
            (Verb::Sends, ResourceType::Topic) => Grant::Publish(arn()),
            (Verb::Sends, _) => Grant::SendMessages(arn()),
            (_, ResourceType::Workflow) => Grant::StartExecution(arn()),
            _ => Grant::InvokeFunction(arn()),
        }
    }
}

/// Adds the paths of the blocks of a list.
fn numbered<'a>(list: &str, uses: impl Iterator<Item = Use<'a>>) -> Vec<Use<'a>> {
    uses.enumerate().map(|(index, of)| Use { path: item_path(list, index), ..of }).collect()
}

impl Uses {
    /// Every block, in the order of [`RESOURCES`].
    fn all(&self) -> Vec<Use<'_>> {
        let reads = self.reads.iter().map(|of| match of {
            Read::Bucket(of) => Use::bucket(Verb::Reads, of),
            Read::Table(of) => Use::new(Verb::Reads, ResourceType::Table, &of.table),
        });
        let writes = self.writes.iter().map(|of| match of {
            Write::Bucket(of) => Use::bucket(Verb::Writes, of),
            Write::Table(of) => Use::new(Verb::Writes, ResourceType::Table, &of.table),
            Write::Stream(of) => Use::new(Verb::Writes, ResourceType::Stream, &of.stream),
        });
        let sends = self.sends_to.iter().map(|of| match of {
            SendTo::Queue(of) => Use::new(Verb::Sends, ResourceType::Queue, &of.queue),
            SendTo::Topic(of) => Use::new(Verb::Sends, ResourceType::Topic, &of.topic),
        });
        let invokes = self.invokes.iter().map(|of| match of {
            Invoke::Function(of) => Use {
                allow_loop: Some(of.allow_loop == Some(true)),
                ..Use::new(Verb::Invokes, ResourceType::Function, &of.function)
            },
            Invoke::Workflow(of) => Use {
                allow_loop: Some(of.allow_loop == Some(true)),
                ..Use::new(Verb::Starts, ResourceType::Workflow, &of.workflow)
            },
        });
        let lists = [
            numbered("reads", reads),
            numbered("writes", writes),
            numbered("sends_to", sends),
            numbered("invokes", invokes),
        ];
        lists.into_iter().flatten().collect()
    }

    /// The grants that the function needs.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let known = |action: &String| CALLS.iter().find(|known| *known == action).copied();
        let calls = self.calls.iter().filter_map(known).map(Grant::Call);
        self.all().iter().map(Use::grant).chain(calls).collect()
    }

    /// Adds the edges to the resources. `at` is the path of these inputs.
    pub(super) fn connect(&self, graph: &mut Graph, function: &Handle, at: &Path) {
        for (position, of) in self.all().into_iter().enumerate() {
            let resource = End::Resource(of.resource, of.value.into());
            let path = Path(at.0.iter().chain(&of.path.0).cloned().collect());
            graph.connect(Edge {
                objects: of.objects,
                position: Some(position),
                allow_loop: of.allow_loop,
                path,
                ..Edge::new(function, of.verb, resource)
            });
        }
    }

    /// The variable [`RESOURCES`]; `None` for a function that uses no resource.
    pub(super) fn variable(&self) -> Option<(&'static str, Expr)> {
        let values: Vec<&Scalar<String>> = self.all().iter().map(|of| of.value).collect();
        (!values.is_empty()).then(|| (RESOURCES, Expr::Json(Box::new(Expr::list(values)))))
    }
}
