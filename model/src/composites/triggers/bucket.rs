//! Triggers on a bucket: notifications to a function, and events of EventBridge that start a workflow.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::child::Child;
use super::super::{common, rule};
use super::event::RuleTarget;
use super::target::FunctionTarget;
use super::{AllowLoop, EventSource, Setup, Wiring};
use crate::checks::filters::Filter;
use crate::edge::{Event, KeyPattern, ObjectFilter, ResourceType};
use crate::expr::{Ambient, Expr};
use crate::finding::Path;
use crate::graph::Handle;
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::s3;
use crate::scalar::Scalar;

/// The service that sends notifications.
pub(super) const SERVICE: &str = "s3.amazonaws.com";

#[derive(Debug, Inputs)]
pub(crate) struct BucketTrigger {
    /// Name of the bucket, in the same account and region.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    pub(crate) bucket: Scalar<String>,
    /// Object events that invoke the function. Default: `["created"]`.
    #[input(rule = Rule::OneOf(&["created", "removed"]))]
    pub(crate) events: Vec<String>,
    /// Prefix of the object keys, e.g. `uploads/`. Objects with other keys do not invoke the function.
    #[input(rule = Rule::KEY_PART)]
    pub(crate) prefix: Option<String>,
    /// Suffix of the object keys, e.g. `.mp4`. Objects with other keys do not invoke the function.
    #[input(rule = Rule::KEY_PART)]
    pub(crate) suffix: Option<String>,
    #[input(flatten)]
    pub(crate) loops: AllowLoop,
}

#[derive(Debug, Inputs)]
pub(crate) struct BucketStart {
    /// Name of a bucket that sends events to EventBridge, e.g. a `bucket` with `event_bridge = true`. The first events arrive about five minutes after that is set.
    #[input(refers = Reference::BUCKET, rule = Rule::BUCKET)]
    pub(crate) bucket: Scalar<String>,
    /// Prefix of the object keys, e.g. `uploads/`. Without it, all keys match.
    pub(crate) prefix: Option<String>,
    /// Suffix of the object keys, e.g. `.mp4`. Without it, all keys match.
    pub(crate) suffix: Option<String>,
    /// Accepts an endless loop through this trigger, e.g. of a step that ends the loop itself. Default: `false`.
    #[input(flatten)]
    pub(crate) loops: AllowLoop,
}

impl Rule {
    /// A prefix or suffix of object keys.
    pub(crate) const KEY_PART: Self =
        Self::Check("a prefix or suffix without wildcards, e.g. `uploads/` or `.mp4`", check_key_part);
}

/// Checks a prefix or suffix of keys: S3 matches it literally.
pub(crate) fn check_key_part(text: &str) -> Result<(), String> {
    if text.contains('*') {
        return Err(format!(
            "{text:?} contains `*`, but S3 does not support wildcards in prefixes and suffixes"
        ));
    }
    Ok(())
}

impl BucketTrigger {
    /// The objects that invoke the function.
    pub(crate) fn objects(&self) -> ObjectFilter {
        let (prefix, suffix) = self.filter();
        let has = |kind: &str| self.kinds().contains(&kind);
        let keys = KeyPattern::new(prefix, suffix);
        ObjectFilter { keys, created: has("created"), removed: has("removed") }
    }

    /// The kinds of events: `created`, `removed`, or both.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        if self.events.is_empty() {
            vec!["created"]
        } else {
            self.events.iter().map(String::as_str).collect()
        }
    }

    /// The event types in S3's terms, e.g. `s3:ObjectCreated:*`.
    pub(crate) fn events(&self) -> Vec<String> {
        let kinds = self.kinds().into_iter();
        kinds
            .map(|kind| {
                if kind == "created" { "s3:ObjectCreated:*" } else { "s3:ObjectRemoved:*" }.to_owned()
            })
            .collect()
    }

    /// Prefix and suffix of the keys; an empty string matches every key.
    pub(crate) fn filter(&self) -> (&str, &str) {
        (self.prefix.as_deref().unwrap_or_default(), self.suffix.as_deref().unwrap_or_default())
    }
}

impl EventSource<FunctionTarget<'_>> for BucketTrigger {
    fn input(&self) -> &'static str {
        "bucket"
    }

    fn notifications(&self, path: &Path) -> Option<Filter<'_>> {
        let (prefix, suffix) = self.filter();
        Some(Filter { path: path.clone(), bucket: &self.bucket, events: self.events(), prefix, suffix })
    }

    fn add(&self, wiring: &mut Wiring<'_, FunctionTarget<'_>>, setup: &Setup<'_>) {
        let source = setup.end(ResourceType::Bucket, &self.bucket);
        let edge = setup.edge(source, wiring.target, &self.loops);
        wiring.graph.connect(edge.event(Event::Object).objects(self.objects()));
        let (prefix, suffix) = self.filter();
        let (bucket, named) = match setup.made {
            Some(made) => (made.attribute("bucket"), String::new()),
            None => ((&self.bucket).into(), wiring.slots.text(&self.bucket)),
        };
        let slot = wiring.slots.unique(&[&named, &*self.kinds().join("_"), prefix, suffix].join("_"));
        let arn = common::bucket_arn(bucket.clone());
        let permission = wiring.target.permit(wiring.graph, &slot, SERVICE, arn);
        let part = wiring.part;
        let id = match &part.context.project {
            Some(project) => format!("{}{slot}", notification_prefix(project, part.name)).into(),
            None => Expr::Unknown,
        };
        let entry = wiring
            .graph
            .add(s3::Notification, &slot)
            .bucket(bucket)
            .id(id)
            .lambda_function_arn(wiring.target.function.arn())
            .events(Expr::list(self.events()))
            .after(&permission);
        let entry = if prefix.is_empty() { entry } else { entry.filter_prefix(Some(prefix)) };
        if !suffix.is_empty() {
            entry.filter_suffix(Some(suffix));
        }
    }
}

impl<T: RuleTarget> EventSource<T> for BucketStart {
    fn input(&self) -> &'static str {
        "bucket"
    }

    fn rule(&self, made: Option<&Handle>) -> Option<rule::Events> {
        Some(rule::Events::by_default(created(self, made)))
    }

    fn caller(&self) -> Option<&'static str> {
        Some(rule::SERVICE)
    }

    fn add(&self, wiring: &mut Wiring<'_, T>, setup: &Setup<'_>) {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        let keys = KeyPattern { prefix: text(&self.prefix), suffix: text(&self.suffix) };
        let source = setup.end(ResourceType::Bucket, &self.bucket);
        let edge = setup.edge(source, wiring.target, &self.loops).objects(ObjectFilter::created(keys));
        wiring.deliver(setup, edge);
    }
}

/// The event pattern for new objects in a bucket.
fn created(start: &BucketStart, made: Option<&Handle>) -> Expr {
    let bucket = made.map_or_else(|| (&start.bucket).into(), |made| made.attribute("bucket"));
    let mut detail = BTreeMap::from([("bucket".to_owned(), Expr::map([("name", Expr::list([bucket]))]))]);
    let key = match (start.prefix.as_deref().unwrap_or_default(), start.suffix.as_deref().unwrap_or_default())
    {
        ("", "") => None,
        ("", suffix) => Some(json!([{ "suffix": suffix }])),
        (prefix, "") => Some(json!([{ "prefix": prefix }])),
        (prefix, suffix) => Some(json!([{ "wildcard": format!("{}*{}", literal(prefix), literal(suffix)) }])),
    };
    if let Some(key) = key {
        detail.insert("object".to_owned(), Expr::map([("key", Expr::Literal(key))]));
    }
    Expr::map([
        ("source", Expr::list(["aws.s3"])),
        ("detail-type", Expr::list(["Object Created"])),
        ("account", Expr::list([Expr::Ambient(Ambient::Account)])),
        ("detail", Expr::Map(detail)),
    ])
}

/// A string with the wildcard characters of EventBridge escaped.
fn literal(text: &str) -> String {
    text.replace('\\', "\\\\").replace('*', "\\*")
}

/// The prefix of the ids of notifications of a composite. The slot follows.
fn notification_prefix(project: &str, name: &str) -> String {
    format!("tandem-{project}-{name}-")
}

/// The slot of a notification: the end of its id.
pub(crate) fn slot_of_notification(child: &Child<'_>) -> Option<String> {
    let prefix = notification_prefix(&child.owner.project, &child.owner.name);
    let slot = child.text("id").strip_prefix(&prefix)?;
    // The id of another composite, whose name begins with this one's.
    (!slot.is_empty() && !slot.contains('-')).then(|| slot.to_owned())
}
