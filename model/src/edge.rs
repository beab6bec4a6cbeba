//! Edges of a graph: relations such as "the bucket triggers the function".
//!
//! An edge reads as a sentence: `from` `verb` `to`, e.g. "the bucket triggers the function". The code that
//! creates objects or grants permissions adds the edge in the same place, so pictures, handlers and checks
//! need not derive relations from names, policies or definitions.

use crate::checks::filters::overlap;
use crate::expr::{Ambient, Expr};
use crate::finding::Path;
use crate::key::Key;

/// A relation between two objects or resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The subject of the sentence.
    pub from: End,
    /// The verb.
    pub verb: Verb,
    /// The object of the sentence.
    pub to: End,
    /// The events that a function receives, for an edge that triggers one.
    pub event: Option<Event>,
    /// The objects of a bucket that the edge is about; `None` if it is about no bucket.
    pub objects: Option<ObjectFilter>,
    /// True if the function reports the failed messages or records of a batch.
    pub partial: bool,
    /// The step of a workflow that uses the resource.
    pub step: Option<String>,
    /// The position of the resource in the variable `TANDEM_RESOURCES` of the program that uses it.
    pub position: Option<usize>,
    /// True if the user accepts loops through this edge; `None` if no input can say so.
    pub allow_loop: Option<bool>,
    /// The input that causes the edge; the root of the inputs if no single input does.
    pub path: Path,
}

/// One end of an edge.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// An object of the same graph.
    Object(Key),
    /// A resource that is not in the graph: its type, and an expression for the name
    /// of a bucket or the ARN of anything else.
    Resource(ResourceType, Expr),
}

/// The type of a resource outside of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceType {
    /// An S3 bucket, by its name.
    Bucket,
    /// An event bus of EventBridge, by its ARN.
    EventBus,
    /// A Lambda function, by its ARN.
    Function,
    /// An SQS queue, by its ARN.
    Queue,
    /// A Kinesis stream, by its ARN.
    Stream,
    /// A DynamoDB table, by its ARN or the ARN of its stream.
    Table,
    /// A task definition of ECS, by its ARN without a revision.
    Task,
    /// An SNS topic, by its ARN.
    Topic,
    /// A state machine of Step Functions, by its ARN.
    Workflow,
}

/// The relation between the two ends of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Events of `from` run `to`, or reach the queue `to`.
    Triggers,
    /// `from` reads objects or items of `to`.
    Reads,
    /// `from` writes objects, items or records to `to`.
    Writes,
    /// `from` sends messages to `to`.
    Sends,
    /// `from` invokes the function `to`.
    Invokes,
    /// `from` starts the container or workflow `to`.
    Starts,
    /// Events that `from` cannot process go to the dead-letter queue `to`.
    FailsTo,
}

impl Verb {
    /// Returns true if the edge can pass an event on: `to` acts because `from` does. Reading has no effect.
    pub fn passes_on(self) -> bool {
        self != Self::Reads
    }
}

/// A type of event that a function receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// Events of objects in a bucket, from S3.
    Object,
    /// Messages of a queue.
    Message,
    /// Invocations by a schedule without an `input`.
    Schedule,
    /// HTTPS requests.
    Request,
    /// Records of a Kinesis stream.
    Record,
    /// Changes of table items.
    Change,
    /// Messages of a topic.
    Notification,
    /// EventBridge events.
    Bus,
    /// Direct invocations: by the user, a workflow, another function, or a schedule with an `input`.
    Invoke,
}

/// Keys of objects in a bucket: those with a prefix and a suffix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPattern {
    /// The prefix; an empty string matches every key.
    pub prefix: String,
    /// The suffix; an empty string matches every key.
    pub suffix: String,
}

impl KeyPattern {
    /// Keys with this prefix and suffix.
    pub fn new(prefix: &str, suffix: &str) -> Self {
        Self { prefix: prefix.to_owned(), suffix: suffix.to_owned() }
    }

    /// Returns true if a key can match both patterns.
    pub fn overlaps(&self, other: &Self) -> bool {
        overlap((&self.prefix, &self.suffix), (&other.prefix, &other.suffix))
    }
}

/// Objects of a bucket, and the changes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Their keys.
    pub keys: KeyPattern,
    /// True if the objects are created.
    pub created: bool,
    /// True if the objects are removed.
    pub removed: bool,
}

impl ObjectFilter {
    /// Created objects with these keys.
    pub fn created(keys: KeyPattern) -> Self {
        Self { keys, created: true, removed: false }
    }

    /// The same objects, created or removed.
    pub fn or_removed(self) -> Self {
        Self { removed: true, ..self }
    }

    /// Returns true if one event of an object can match both filters.
    pub fn overlaps(&self, other: &Self) -> bool {
        (self.created && other.created || self.removed && other.removed) && self.keys.overlaps(&other.keys)
    }
}

impl Edge {
    /// An edge without further facts.
    pub fn new(from: impl Into<End>, verb: Verb, to: impl Into<End>) -> Self {
        Self {
            from: from.into(),
            verb,
            to: to.into(),
            event: None,
            objects: None,
            partial: false,
            step: None,
            position: None,
            allow_loop: None,
            path: Path::default(),
        }
    }

    /// The same edge with the input that causes it.
    pub fn at(self, path: Path) -> Self {
        Self { path, ..self }
    }

    /// The same edge with the type of the events.
    pub fn event(self, event: Event) -> Self {
        Self { event: Some(event), ..self }
    }

    /// The same edge for these objects of a bucket.
    pub fn objects(self, objects: ObjectFilter) -> Self {
        Self { objects: Some(objects), ..self }
    }

    /// The same edge for a step of a workflow.
    pub fn step(self, step: &str) -> Self {
        Self { step: Some(step.to_owned()), ..self }
    }

    /// The same edge with the input `allow_loop`; `None` if there is no such input.
    pub fn allow_loop(self, allow_loop: Option<bool>) -> Self {
        Self { allow_loop, ..self }
    }

    /// Returns true if an event that passes through this edge can pass through `next`, whose `from` is the
    /// `to` of this edge. An object that is written triggers nothing if its key does not match.
    pub fn leads_to(&self, next: &Self) -> bool {
        let matching = match (&self.objects, &next.objects) {
            (Some(written), Some(watched)) if next.verb == Verb::Triggers => written.overlaps(watched),
            _ => true,
        };
        self.verb.passes_on() && next.verb.passes_on() && matching
    }
}

impl End {
    /// The ARN of the object or resource. Not every object has one.
    pub fn arn(&self) -> Expr {
        match self {
            Self::Object(key) => Expr::Attribute(key.clone(), "arn"),
            Self::Resource(ResourceType::Bucket, name) => Expr::concat([
                "arn:".into(),
                Expr::Ambient(Ambient::Partition),
                ":s3:::".into(),
                name.clone(),
            ]),
            Self::Resource(_, arn) => arn.clone(),
        }
    }
}

impl From<Key> for End {
    fn from(key: Key) -> Self {
        Self::Object(key)
    }
}
