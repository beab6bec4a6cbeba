//! The resources that functions use, and their names in handlers.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use tandem_model::expr::Expr;

use crate::arn;
use crate::spec::{App, Entry};

/// A resource that a function uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The field of `Context` with its client.
    pub field: String,
    /// Name of its entry. For an existing resource, an identifier derived from its name in AWS.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Position in `TANDEM_RESOURCES`.
    pub index: usize,
}

/// A kind of resource that functions can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
    /// Type of the composite.
    composite: &'static str,
    /// The service in its ARNs.
    service: &'static str,
    /// The crate of its SDK client.
    package: &'static str,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Kind; 7] =
        [Kind::Table, Kind::Bucket, Kind::Queue, Kind::Topic, Kind::Stream, Kind::Function, Kind::Workflow];

    fn facts(self) -> Facts {
        let (noun, type_name, composite, service, package) = match self {
            Self::Table => ("table", "Table", "table", "dynamodb", "aws-sdk-dynamodb"),
            Self::Bucket => ("bucket", "Bucket", "bucket", "s3", "aws-sdk-s3"),
            Self::Queue => ("queue", "Queue", "queue", "sqs", "aws-sdk-sqs"),
            Self::Topic => ("topic", "Topic", "topic", "sns", "aws-sdk-sns"),
            Self::Stream => ("stream", "Stream", "stream", "kinesis", "aws-sdk-kinesis"),
            Self::Function => ("function", "Function", "event_function", "lambda", "aws-sdk-lambda"),
            Self::Workflow => ("workflow", "Workflow", "workflow", "states", "aws-sdk-sfn"),
        };
        Facts { noun, type_name, composite, service, package }
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

/// Reads the resources of a function from the value of `TANDEM_RESOURCES`. Each resource gets its own field.
pub(super) fn read(list: Option<&Expr>, entry: &Entry, app: &App) -> Vec<Resource> {
    let Some(Expr::Json(list)) = list else { return Vec::new() };
    let Expr::List(items) = &**list else { return Vec::new() };
    // `Context` has its own fields of these names.
    let mut taken = BTreeSet::from(["config".to_owned(), "tasks".to_owned()]);
    let mut resources = Vec::new();
    for (index, item) in items.iter().enumerate() {
        // A resource that is read and written is listed twice.
        if items[..index].contains(item) {
            continue;
        }
        let Some((kind, name)) = named(item, entry, app) else { continue };
        let field = field(&name, kind, &taken);
        taken.insert(field.clone());
        resources.push(Resource { field, name, kind, index });
    }
    resources
}

/// The kind and the name of an item of the list.
fn named(item: &Expr, entry: &Entry, app: &App) -> Option<(Kind, String)> {
    let find = |fits: &dyn Fn(Facts) -> bool| Kind::ALL.into_iter().find(|kind| fits(kind.facts()));
    match item {
        Expr::Input(variable) => {
            let target = entry.references.get(variable)?;
            let made = app.entries.iter().find(|made| made.name == target.entry)?;
            let kind = find(&|facts| facts.composite == made.definition.type_name)?;
            Some((kind, target.entry.clone()))
        }
        Expr::Literal(text) => {
            let text = text.as_str()?;
            let Some((service, name)) = arn::parse(text) else {
                return Some((Kind::Bucket, identifier(text, Kind::Bucket)));
            };
            let kind = find(&|facts| facts.service == service)?;
            Some((kind, identifier(name, kind)))
        }
        _ => None,
    }
}

/// Converts a name to a Rust identifier. The result can be a keyword.
fn identifier(name: &str, kind: Kind) -> String {
    let pieces = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty());
    let joined = pieces.collect::<Vec<_>>().join("_").to_ascii_lowercase();
    match joined.chars().next() {
        None => kind.noun().to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{}_{joined}", kind.noun()),
        Some(_) => joined,
    }
}

/// A field name that is neither taken nor a keyword.
fn field(name: &str, kind: Kind, taken: &BTreeSet<String>) -> String {
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
            assert_eq!(field(name, Kind::Queue, &taken), expected, "{name}");
        }
    }
}
