//! A queue of messages.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::common::{self, Care, check_arn, check_key_arn, setting};
use super::part::Part;
use super::triggers::check_object;
use super::wiring::parsed;
use crate::composite::{Composite, Output, Settings, item_path};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule};
use crate::kinds::{sns, sqs};
use crate::names;
use crate::policy::{self, Grant, On};
use crate::scalar::Scalar;
use crate::value::Value;

/// A queue, and the queue for what nobody could handle.
pub(super) struct Queue;

/// Inputs of [`Queue`].
#[derive(Debug, Inputs)]
pub(super) struct QueueInputs {
    /// Name of the queue. The name in AWS is made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    #[input(flatten)]
    settings: QueueSettings,
    /// Topics whose messages come into the queue.
    on: Vec<TopicOfQueue>,
    /// ARN of the KMS key that encrypts messages; without one, SQS encrypts with its own keys. The key's policy must let in SNS when topics send to the queue.
    #[input(rule = Rule::Check("ARN", check_key_arn))]
    kms_key_arn: Option<Scalar<String>>,
    /// ARN of the SNS topic that every alarm made here tells. Its policy must let CloudWatch publish: a `topic` has `cloudwatch.amazonaws.com` among its `publishers` for that.
    #[input(rule = Rule::Check("ARN", check_arn))]
    alarm_topic_arn: Option<Scalar<String>>,
    /// Tags for everything in this composite that can carry tags.
    tags: Option<super::Tags>,
    /// Whether queues that hold messages may be deleted, with all of them.
    #[input(default = false)]
    force_destroy: bool,
}

/// Inputs of one queue among several, too.
#[derive(Debug, Inputs)]
pub(super) struct QueueSettings {
    /// Whether the queue keeps the order of messages of one group, and gives each out once. Another answer is another queue: the old one and its dead letters go with what they hold, and only with `force_destroy`.
    #[input(default = false)]
    pub(super) fifo: bool,
    /// Whether messages of equal text count as one, in a queue that keeps the order.
    pub(super) content_based_deduplication: Option<Scalar<bool>>,
    /// Seconds for which a message that was given out is hidden: six times the timeout of the function that reads the queue.
    #[input(default = 180, rule = Rule::Range(0, 43_200))]
    pub(super) visibility_timeout: Scalar<i64>,
    /// Seconds for which messages are kept.
    #[input(default = 345_600, rule = Rule::Range(60, 1_209_600))]
    pub(super) message_retention: Scalar<i64>,
    /// Seconds for which a new message is hidden.
    #[input(default = 0, rule = Rule::Range(0, 900))]
    pub(super) delay: Scalar<i64>,
    /// Whether messages that were given out too often go to dead letters, with an alarm.
    #[input(default = true)]
    pub(super) dead_letters: bool,
    /// How often a message is given out before it goes to the dead letters.
    #[input(default = 5, rule = Rule::Range(1, 1000))]
    pub(super) max_receive_count: Scalar<i64>,
    /// Seconds that the oldest message may wait before an alarm rings.
    #[input(default = 3600, rule = Rule::Range(60, 1_209_600))]
    pub(super) alarm_age: Scalar<i64>,
    /// Number of messages that may wait before an alarm rings.
    #[input(default = 1000, rule = Rule::Range(1, 120_000))]
    pub(super) alarm_depth: Scalar<i64>,
}

/// A topic whose messages come into a queue.
#[derive(Debug, Inputs)]
struct TopicOfQueue {
    /// ARN of an SNS topic.
    #[input(refers = Reference::TOPIC, rule = Rule::Check("ARN", check_arn))]
    topic: Scalar<String>,
    /// Which messages come, as JSON: those whose attributes (or body) match; all of them without it.
    #[input(rule = Rule::Check("JSON", check_object))]
    filter_policy: Option<String>,
    /// What the filter is about: `MessageAttributes` or `MessageBody`.
    #[input(default = "MessageAttributes", rule = Rule::OneOf(&["MessageAttributes", "MessageBody"]))]
    filter_policy_scope: Scalar<String>,
    /// Whether messages come as they were published, without what SNS says of them.
    #[input(default = true)]
    raw_message_delivery: Scalar<bool>,
}

impl Composite for Queue {
    type Inputs = QueueInputs;
    const TYPE: &'static str = "queue";
    const DOC: &'static str = "An SQS queue, with a queue for what nobody could handle.\n\n\
        Both are encrypted and take nothing that is not sent over TLS. Messages that were given out too often \
        wait in the dead letters for 14 days, and alarms ring when there are some, when a message waits too \
        long, and when too many wait.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("queue_name", "Name of the queue."),
        Output::text("arn", "ARN of the queue."),
        Output::text("url", "URL of the queue."),
        Output::text("dead_letter_queue_arn", "ARN of the queue for what nobody could handle."),
        Output::text("dead_letter_queue_url", "URL of that queue."),
        Output::text("reader_policy", "The IAM policy, in JSON, that whoever reads the queue needs."),
        Output::text("writer_policy", "The IAM policy, in JSON, that whoever sends to it needs."),
    ];

    fn expand(inputs: &QueueInputs, context: &Context, findings: &mut Findings) -> Graph {
        let mut graph = Graph::new(inputs.force_destroy);
        // A queue that keeps the order has another name.
        graph.open = true;
        let part = Part::new(context, &inputs.name);
        let care = Care {
            kms_key_arn: inputs.kms_key_arn.as_ref(),
            alarm_topic_arn: inputs.alarm_topic_arn.as_ref(),
        };
        check(&inputs.settings, &Path::default(), findings);
        let topics: Vec<(&str, On)> =
            inputs.on.iter().map(|on| ("sns.amazonaws.com", On::Source((&on.topic).into()))).collect();
        let added = add(&mut graph, &part, &inputs.settings, &topics, care);
        add_topics(&mut graph, inputs, &added, findings);
        let policy = |grant| common::policy_text([grant], inputs.kms_key_arn.as_ref());
        let dead_letters = |attribute| match &added.dead_letters {
            Some(queue) => queue.attribute(attribute),
            None => Expr::Literal(Json::Null),
        };
        graph.outputs = BTreeMap::from([
            ("queue_name", added.queue.attribute("name")),
            ("arn", added.queue.arn()),
            ("url", added.queue.attribute("url")),
            ("dead_letter_queue_arn", dead_letters("arn")),
            ("dead_letter_queue_url", dead_letters("url")),
            ("reader_policy", policy(Grant::ConsumeQueue(added.queue.arn()))),
            ("writer_policy", policy(Grant::SendMessages(added.queue.arn()))),
        ]);
        graph.tags = super::tags(inputs.tags.as_ref());
        graph
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }

    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value {
        let mut inputs = recover(objects, "main", "");
        let queue = |field| setting(objects, "sqs_queue.main", field);
        let alarm = objects.get("cloudwatch_metric_alarm.age");
        let topic = alarm.and_then(|alarm| alarm.get("alarm_actions")?.get(0));
        inputs.insert("name".to_owned(), Value::String(name.to_owned()));
        inputs.insert("kms_key_arn".to_owned(), queue("kms_master_key_id"));
        inputs.insert("alarm_topic_arn".to_owned(), topic.map(Value::from).unwrap_or_default());
        Value::Map(inputs)
    }
}

/// The settings of a queue, read back: its role, and what the roles beside it begin with.
pub(super) fn recover(
    objects: &BTreeMap<String, Settings>,
    role: &str,
    beside: &str,
) -> BTreeMap<String, Value> {
    let key = format!("sqs_queue.{role}");
    let queue = |field| setting(objects, &key, field);
    let redrive = objects.get(&key).and_then(|settings| settings.get("redrive_policy"));
    let count = redrive.map(|redrive| Value::from(&redrive["maxReceiveCount"])).unwrap_or_default();
    let threshold =
        |alarm: &str| setting(objects, &format!("cloudwatch_metric_alarm.{beside}{alarm}"), "threshold");
    let inputs = [
        ("fifo", queue("fifo_queue")),
        ("content_based_deduplication", queue("content_based_deduplication")),
        ("visibility_timeout", queue("visibility_timeout_seconds")),
        ("message_retention", queue("message_retention_seconds")),
        ("delay", queue("delay_seconds")),
        ("dead_letters", Value::Bool(redrive.is_some())),
        ("max_receive_count", count),
        ("alarm_age", threshold("age")),
        ("alarm_depth", threshold("depth")),
    ];
    inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What was added.
pub(super) struct Added {
    pub(super) queue: Handle,
    policy: Handle,
    /// Its name in AWS, when the project is known.
    pub(super) name: Option<String>,
    pub(super) dead_letters: Option<Handle>,
}

/// Adds a queue, its dead letters and its alarms.
pub(super) fn add(
    graph: &mut Graph,
    part: &Part<'_>,
    inputs: &QueueSettings,
    senders: &[(&str, On)],
    care: Care<'_>,
) -> Added {
    let own = part.main("main");
    let text = |role: &str| {
        // The names of queues that keep the order end in `.fifo`.
        let (limit, ending) = if inputs.fifo { (75, ".fifo") } else { (80, "") };
        part.regional_text(role, limit).map(|name| name + ending)
    };
    let name = |role: &str| text(role).map_or(Expr::Unknown, Expr::from);
    let dead_letters = inputs.dead_letters.then(|| {
        let role = part.role("dead_letters");
        let queue = graph
            .add(&sqs::QUEUE, &role)
            .set("name", name("dead-letters"))
            .set_if("fifo_queue", inputs.fifo.then_some(true))
            .set("message_retention_seconds", common::LONGEST_RETENTION);
        let queue = common::encrypted(queue, care).handle();
        let description = "Messages that nobody could handle wait in the dead-letter queue.";
        let alarm = (role.as_str(), part.regional("dead-letters", 255));
        common::queue_alarm(graph, alarm, &queue, (common::VISIBLE, 0.into()), description, care);
        let tls_only = policy::receiver("sqs", &queue.arn(), &[]);
        common::queue_policy(graph, part, &queue, tls_only);
        queue
    });
    let redrive = dead_letters.as_ref().map(|queue| {
        Expr::map([
            ("deadLetterTargetArn", queue.arn()),
            ("maxReceiveCount", (&inputs.max_receive_count).into()),
        ])
    });
    let deduplication = inputs.content_based_deduplication.as_ref().map_or_else(|| false.into(), Expr::from);
    let queue = graph
        .add(&sqs::QUEUE, &own)
        .set("name", name(""))
        .set_if("fifo_queue", inputs.fifo.then_some(true))
        // One that is not set is one that AWS leaves as it was.
        .set_if("content_based_deduplication", inputs.fifo.then_some(deduplication))
        .set("visibility_timeout_seconds", &inputs.visibility_timeout)
        .set("message_retention_seconds", &inputs.message_retention)
        .set("delay_seconds", &inputs.delay)
        // Who asks waits for messages, in place of asking again and again.
        .set("receive_wait_time_seconds", 20)
        .set_if("redrive_policy", redrive);
    let queue = common::encrypted(queue, care).handle();
    let policy = graph
        .add(&sqs::QUEUE_POLICY, &own)
        .set("queue", queue.attribute("name"))
        .set("policy", policy::receiver("sqs", &queue.arn(), senders))
        .handle();
    if let Some(dead_letters) = &dead_letters {
        let allowed = Expr::map([
            ("redrivePermission", Expr::from("byQueue")),
            ("sourceQueueArns", Expr::list([queue.arn()])),
        ]);
        graph
            .add(&sqs::QUEUE_REDRIVE_ALLOW_POLICY, &part.role("dead_letters"))
            .set("queue", dead_letters.attribute("name"))
            .set("redrive_allow_policy", allowed);
    }
    for (role, metric, threshold, description) in [
        ("age", "ApproximateAgeOfOldestMessage", &inputs.alarm_age, "A message waits too long in the queue."),
        ("depth", common::VISIBLE, &inputs.alarm_depth, "Too many messages wait in the queue."),
    ] {
        let alarm = (&*part.role(role), part.regional(role, 255));
        common::queue_alarm(graph, alarm, &queue, (metric, threshold.into()), description, care);
    }
    Added { queue, policy, name: text(""), dead_letters }
}

/// What is wrong with the settings of a queue that stand there.
pub(super) fn check(inputs: &QueueSettings, at: &Path, findings: &mut Findings) {
    if inputs.content_based_deduplication.is_some() && !inputs.fifo {
        findings.error(
            Code::Choice,
            at.join(Step::Field("content_based_deduplication".to_owned())),
            "`content_based_deduplication` is for queues that keep the order",
            "Remove it, or set `fifo` to `true`.",
        );
    }
}

fn add_topics(graph: &mut Graph, inputs: &QueueInputs, added: &Added, findings: &mut Findings) {
    let mut roles = names::Roles::default();
    for (index, on) in inputs.on.iter().enumerate() {
        if inputs.settings.fifo && on.topic.known().is_some_and(|topic| !names::keeps_order(topic)) {
            findings.error(
                Code::Choice,
                item_path("on", index).join(Step::Field("topic".to_owned())),
                "the topic keeps no order, and SNS sends its messages to no queue that does",
                "Set `fifo` to `false`, or name a topic whose name ends in `.fifo`.",
            );
        }
        let earlier = inputs.on[..index].iter().position(|other| other.topic.surely_equals(&on.topic));
        if let Some(earlier) = earlier {
            findings.error(
                Code::OverlappingFilters,
                item_path("on", index).join(Step::Field("topic".to_owned())),
                format!("`on[{earlier}]` is on the same topic, and a queue is on a topic once"),
                "Remove one of the two.",
            );
            continue;
        }
        let topic = match &on.topic {
            Scalar::Known(topic) | Scalar::Reference(topic) => names::source(topic),
            Scalar::Unknown => {
                graph.unstable = true;
                ""
            }
        };
        let role = roles.unique(&format!("on_{topic}"));
        let subscription = graph
            .add(&sns::TOPIC_SUBSCRIPTION, &role)
            .set("topic_arn", &on.topic)
            .set("protocol", "sqs")
            .set("endpoint", added.queue.arn())
            .set("raw_message_delivery", &on.raw_message_delivery)
            // Who may send is known by then, and what is subscribed can be found by it.
            .after(&added.policy);
        if let Some(filter) = &on.filter_policy {
            subscription
                .set("filter_policy", parsed(filter))
                .set("filter_policy_scope", &on.filter_policy_scope);
        }
    }
}
