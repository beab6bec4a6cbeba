//! The resources that functions use, and their names in handlers.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use tandem_model::edge::{End, ResourceType};

use crate::relations::{Node, Relation};

/// A resource that a function uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The field of `Context` with its client.
    pub field: String,
    /// Name of its entry. For an existing resource, an identifier derived from its name in AWS.
    pub name: String,
    /// Its kind.
    pub kind: ResourceKind,
    /// Position in `TANDEM_RESOURCES`.
    pub index: usize,
}

/// A kind of resource that functions can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A DynamoDB table.
    Table,
    /// An S3 bucket.
    Bucket,
    /// An SQS queue.
    Queue,
    /// An SNS topic.
    Topic,
    /// A Kinesis stream.
    Stream,
    /// A Lambda function.
    Function,
    /// A state machine.
    Workflow,
}

/// The constants of a kind.
struct Facts {
    noun: &'static str,
    /// Type of the client in a handler.
    type_name: &'static str,
    /// The crate of its SDK client.
    package: &'static str,
}

impl ResourceKind {
    /// Every kind.
    pub(crate) const ALL: [ResourceKind; 7] = [
        ResourceKind::Table,
        ResourceKind::Bucket,
        ResourceKind::Queue,
        ResourceKind::Topic,
        ResourceKind::Stream,
        ResourceKind::Function,
        ResourceKind::Workflow,
    ];

    fn facts(self) -> Facts {
        let (noun, type_name, package) = match self {
            Self::Table => ("table", "Table", "aws-sdk-dynamodb"),
            Self::Bucket => ("bucket", "Bucket", "aws-sdk-s3"),
            Self::Queue => ("queue", "Queue", "aws-sdk-sqs"),
            Self::Topic => ("topic", "Topic", "aws-sdk-sns"),
            Self::Stream => ("stream", "Stream", "aws-sdk-kinesis"),
            Self::Function => ("function", "Function", "aws-sdk-lambda"),
            Self::Workflow => ("workflow", "Workflow", "aws-sdk-sfn"),
        };
        Facts { noun, type_name, package }
    }

    /// The kind of a resource that an edge leads to; `None` for a kind without a client.
    fn of(end: &End) -> Option<Self> {
        let End::Resource(ty, _) = end else { return None };
        Some(match ty {
            ResourceType::Table => Self::Table,
            ResourceType::Bucket => Self::Bucket,
            ResourceType::Queue => Self::Queue,
            ResourceType::Topic => Self::Topic,
            ResourceType::Stream => Self::Stream,
            ResourceType::Function => Self::Function,
            ResourceType::Workflow => Self::Workflow,
            ResourceType::EventBus | ResourceType::Task => return None,
        })
    }

    /// The word for it in sentences and templates, e.g. `queue`.
    pub(crate) fn noun(self) -> &'static str {
        self.facts().noun
    }

    /// The crate of its SDK client, e.g. `aws-sdk-sqs`.
    pub(crate) fn package(self) -> &'static str {
        self.facts().package
    }
}

impl Resource {
    pub(super) fn data(&self) -> Json {
        let Facts { noun, type_name, .. } = self.kind.facts();
        json!({ "field": self.field, "name": self.name, "noun": noun, "type": type_name, "index": self.index })
    }
}

/// Reads the resources of a function from its edges. Each resource gets its own field.
pub(super) fn read(relations: &[&Relation<'_>]) -> Vec<Resource> {
    // `Context` has its own fields of these names.
    let mut taken = BTreeSet::from(["config".to_owned(), "tasks".to_owned()]);
    let mut resources = Vec::new();
    let mut seen = BTreeSet::new();
    for relation in relations {
        let (Some(index), Some(node)) = (relation.edge.position, relation.to) else { continue };
        let Some(kind) = ResourceKind::of(&relation.edge.to) else { continue };
        // A resource that is read and written is listed twice.
        if !seen.insert(node.identity()) {
            continue;
        }
        let name = match node {
            Node::Made(entry, _) => entry.name.clone(),
            Node::Given(..) => identifier(node.name(), kind),
        };
        let field = field(&name, kind, &taken);
        taken.insert(field.clone());
        resources.push(Resource { field, name, kind, index });
    }
    resources
}

/// Converts a name to a Rust identifier. The result can be a keyword.
fn identifier(name: &str, kind: ResourceKind) -> String {
    let pieces = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty());
    let joined = pieces.collect::<Vec<_>>().join("_").to_ascii_lowercase();
    match joined.chars().next() {
        None => kind.noun().to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{}_{joined}", kind.noun()),
        Some(_) => joined,
    }
}

/// A field name that is neither taken nor a keyword.
fn field(name: &str, kind: ResourceKind, taken: &BTreeSet<String>) -> String {
    let name = identifier(name, kind);
    let free =
        |name: &String| !taken.contains(name) && name != "gen" && syn::parse_str::<syn::Ident>(name).is_ok();
    let longer = format!("{name}_{}", kind.noun());
    let numbered = (2..).map(|number| format!("{longer}_{number}"));
    let mut candidates = [name, longer.clone()].into_iter().chain(numbered);
    candidates.find(free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_a_field() {
        let taken = BTreeSet::from(["a".to_owned(), "b".to_owned(), "b_queue".to_owned()]);
        for (name, expected) in [
            ("jobs", "jobs"),
            ("new-jobs", "new_jobs"),
            ("Jobs.fifo", "jobs_fifo"),
            ("2026", "queue_2026"),
            ("`\n${x}", "x"),
            ("ü", "queue"),
            ("type", "type_queue"),
            ("gen", "gen_queue"),
            ("a", "a_queue"),
            ("b", "b_queue_2"),
        ] {
            assert_eq!(field(name, ResourceKind::Queue, &taken), expected, "{name}");
        }
    }
}
