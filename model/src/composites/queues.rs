//! The `queues` composite: a group of queues, and one function that reads them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::common::{self, Common, Identity, Protection};
use super::function::{self, FunctionInputs};
use super::part::Part;
use super::queue::{self, QueueSettings};
use super::triggers::queue::QueueTrigger;
use super::triggers::records::Batching;
use super::triggers::{AllowLoop, TriggerSpec};
use super::uses::Uses;
use crate::composite::{Composite, NamedBlocks, Outputs, Settings, item_path};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Rule};
use crate::kinds::lambda;
use crate::policy::Grant;
use crate::scalar::Scalar;
use crate::value::Value;

/// A group of queues.
pub(super) struct Queues;

/// Inputs of [`Queues`].
#[derive(Debug, Inputs)]
pub(super) struct QueuesInputs {
    /// Name of the group. Names of queues in AWS consist of the project, this name and the name of the queue, e.g. `shop-prod-jobs--mail`.
    #[input(flatten)]
    identity: Identity,
    /// Queues of the group.
    queue: Vec<NamedQueue>,
    /// Lambda function that reads all queues of the group. Without it, no consumer is created.
    consumer: Option<Consumer>,
    #[input(flatten)]
    common: Common,
}

#[derive(Debug, Inputs)]
struct NamedQueue {
    /// Name of the queue within the group, e.g. `mail`.
    #[input(rule = Rule::NAME)]
    name: String,
    #[input(flatten)]
    settings: QueueSettings,
}

/// Inputs of a function that reads queues.
#[derive(Debug, Inputs)]
struct Consumer {
    #[input(flatten)]
    function: FunctionInputs,
    /// Maximum number of messages per invocation.
    #[input(default = 10, rule = Rule::Range(1, 10))]
    batch_size: Scalar<i64>,
    /// Number of executions that read each queue at the same time at most. Without it, Lambda adds executions up to the limit of the function or account.
    #[input(rule = Rule::Limit(&lambda::EVENT_SOURCE_MAPPING, "maximum_concurrency"))]
    maximum_concurrency: Option<Scalar<i64>>,
    #[input(flatten)]
    uses: Uses,
}

/// Name of the consumer within the group.
const CONSUMER: &str = "consumer";

/// Outputs of [`Queues`].
#[derive(Outputs)]
pub(super) struct QueuesOutputs {
    /// ARNs of the queues, by the name of the queue.
    queue_arns: BTreeMap<String, Expr>,
    /// URLs of the queues, by the name of the queue.
    queue_urls: BTreeMap<String, Expr>,
    /// URLs of the dead-letter queues, by the name of the queue.
    dead_letter_queue_urls: BTreeMap<String, Expr>,
    /// IAM policy document (JSON) that allows reading and deleting messages of all queues.
    reader_policy: Expr,
    /// IAM policy document (JSON) that allows sending messages to all queues.
    writer_policy: Expr,
    /// Name of the function that reads the queues; null without `consumer`.
    consumer_function_name: Option<Expr>,
    /// Name of the log group of that function; null without `consumer`.
    consumer_log_group_name: Option<Expr>,
}

impl Composite for Queues {
    type Inputs = QueuesInputs;
    type Outputs = QueuesOutputs;
    const TYPE: &'static str = "queues";
    const SECTION: Option<&'static str> = Some("queue_groups");
    const DOC: &'static str = "Creates a group of SQS queues and, optionally, one Lambda function that reads \
        all of them.\n\n\
        Each queue has the settings of a `queue`, with a dead-letter queue and alarms by default. The \
        function is set up like an `event_function` with a trigger on every queue. It reports the failed \
        messages of a batch, and only those are delivered again.";

    fn expand(
        inputs: &QueuesInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<QueuesOutputs> {
        inputs.common.set(graph);
        let part = Part::new(context, &inputs.identity.name);
        check(inputs, findings);
        if findings.any_error() {
            return None;
        }
        let mut added = BTreeMap::new();
        for queue in &inputs.queue {
            let part = part.within(&queue.name);
            let protection = Protection::from(&inputs.common);
            let made = graph
                .with_names_from_inputs(|graph| queue::add(graph, &part, &queue.settings, &[], protection));
            added.insert(queue.name.as_str(), made);
        }
        let made: Vec<Handle> = added.values().map(|added| added.queue.clone()).collect();
        let consumer = inputs.consumer.as_ref().map(|consumer| {
            let triggers: Vec<QueueTrigger> = added.values().map(|added| consumer.trigger(added)).collect();
            let on = triggers
                .iter()
                .zip(&made)
                .map(|(trigger, queue)| TriggerSpec::inner(trigger, Path::field(CONSUMER), Some(queue)));
            let on: Vec<_> = on.collect();
            let spec = function::FunctionSpec {
                part: part.within(CONSUMER),
                at: Path::field(CONSUMER),
                function: &consumer.function,
                on: &on,
                launches: &[],
                uses: &consumer.uses,
                common: &inputs.common,
            };
            function::add(graph, &spec, findings)
        });
        let all = |value: &dyn Fn(&queue::QueuePart) -> Option<Expr>| {
            added.iter().filter_map(|(name, added)| Some(((*name).to_owned(), value(added)?))).collect()
        };
        let policy = |grant: &dyn Fn(Expr) -> Grant| {
            let grants = added.values().map(|added| grant(added.queue.arn()));
            common::policy_text(grants, &inputs.common.encryption)
        };
        let of_consumer = |value: &dyn Fn(&function::FunctionPart) -> Expr| consumer.as_ref().map(value);
        Some(QueuesOutputs {
            queue_arns: all(&|added| Some(added.queue.arn())),
            queue_urls: all(&|added| Some(added.queue.attribute("url"))),
            dead_letter_queue_urls: all(&|added| Some(added.dead_letters.as_ref()?.attribute("url"))),
            reader_policy: policy(&Grant::ConsumeQueue),
            writer_policy: policy(&Grant::SendMessages),
            consumer_function_name: of_consumer(&|added| added.function.attribute("function_name")),
            consumer_log_group_name: of_consumer(&|added| added.log_group.attribute("name")),
        })
    }

    fn seed(name: &str) -> Value {
        let queue = Value::map([("name", Value::String("queue".to_owned()))]);
        let code = Value::map([("image_uri", Value::Unknown)]);
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("queue", Value::List(vec![queue])),
            (CONSUMER, Value::map([("code", code)])),
        ])
    }

    fn named_blocks(objects: &BTreeMap<String, Settings>) -> Option<NamedBlocks> {
        Some(NamedBlocks { input: "queue", names: names(objects) })
    }
}

impl Consumer {
    /// The trigger of the consumer on one of the queues.
    fn trigger(&self, added: &queue::QueuePart) -> QueueTrigger {
        QueueTrigger {
            queue: added.name.clone().map_or(Scalar::Unknown, Scalar::Known),
            batch: Batching { batch_size: self.batch_size.clone(), ..Batching::default() },
            maximum_concurrency: self.maximum_concurrency.clone(),
            loops: AllowLoop::default(),
        }
    }
}

/// The names of the queues within the group. Their dead-letter queues and that of the consumer are left out.
fn names(objects: &BTreeMap<String, Settings>) -> Vec<String> {
    let queues =
        objects.iter().filter_map(|(key, settings)| Some((key.strip_prefix("sqs_queue.")?, settings)));
    let queues: Vec<(&str, &Settings)> = queues.collect();
    let fed: BTreeSet<&str> = queues.iter().filter_map(|(_, settings)| dead_letters_of(settings)).collect();
    let of_consumer = format!("{CONSUMER}_dead_letters");
    let own = queues.iter().filter(|(slot, settings)| {
        let name = settings.get("name").and_then(Json::as_str).unwrap_or_default();
        *slot != of_consumer && !fed.contains(name)
    });
    // Names of queues contain no underscores.
    own.map(|(slot, _)| slot.replace('_', "-")).collect()
}

/// The name of the dead-letter queue of a queue.
fn dead_letters_of(settings: &Settings) -> Option<&str> {
    settings.get("redrive_policy")?["deadLetterTargetArn"].as_str()?.rsplit(':').next()
}

fn check(inputs: &QueuesInputs, findings: &mut Findings) {
    if inputs.queue.is_empty() {
        findings.error(
            Code::Missing,
            Path::field("queue"),
            "the group has no queue",
            "Add at least one `queue`.",
        );
    }
    // Slots of the objects in the graph: they must be unique.
    let mut slots = BTreeSet::from([CONSUMER.to_owned(), format!("{CONSUMER}_dead_letters")]);
    for (index, queue) in inputs.queue.iter().enumerate() {
        let own = queue.name.replace('-', "_");
        let at = item_path("queue", index);
        let mut named = vec![own.clone()];
        named.extend(["dead_letters", "age", "depth"].map(|slot| format!("{own}_{slot}")));
        let taken = named.iter().any(|slot| slots.contains(slot));
        slots.extend(named);
        if taken {
            findings.error(
                Code::DuplicateName,
                at.join(Step::Field("name".to_owned())),
                format!("the name `{}` conflicts with the consumer or another queue", queue.name),
                "Set a unique name. Do not use `consumer`, or the name of another queue followed by \
                 `-dead-letters`, `-age` or `-depth`.",
            );
        }
        queue::check(&queue.settings, &at, findings);
        let timeout = inputs.consumer.as_ref().and_then(|consumer| consumer.function.timeout.known());
        if let (Some(timeout), Some(visibility)) = (timeout, queue.settings.visibility_timeout.known())
            && visibility < timeout
        {
            findings.error(
                Code::VisibilityTimeout,
                at.join(Step::Field("visibility_timeout".to_owned())),
                format!(
                    "`visibility_timeout` is {visibility} s, but the timeout of the consumer is {timeout} s: \
                     SQS would deliver messages again while they are processed"
                ),
                format!(
                    "Set `visibility_timeout` to {} (six times the timeout of the consumer), or lower the \
                     timeout.",
                    timeout * 6
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dead_letter_queues_are_not_recovered_as_queues() {
        let arn = |name: &str| format!("arn:aws:sqs:eu-central-1:123456789012:{name}");
        let queue = |name: &str, dead_letters: Option<&str>| -> Settings {
            let redrive =
                dead_letters.map(|of| json!({ "deadLetterTargetArn": arn(of), "maxReceiveCount": 5 }));
            let settings = [("name", json!(name)), ("redrive_policy", json!(redrive))].into_iter();
            let given = settings.filter(|(_, value)| !value.is_null());
            given.map(|(field, value)| (field.to_owned(), value)).collect()
        };
        let objects = BTreeMap::from([
            ("sqs_queue.a".to_owned(), queue("x-work--a", Some("x-work--a--dead-letters"))),
            ("sqs_queue.a_dead_letters".to_owned(), queue("x-work--a--dead-letters", None)),
            ("sqs_queue.my_dead_letters".to_owned(), queue("x-work--my-dead-letters", None)),
            ("sqs_queue.consumer_dead_letters".to_owned(), queue("x-work--consumer--dead-letters", None)),
        ]);
        assert_eq!(names(&objects), ["a", "my-dead-letters"]);
    }
}
