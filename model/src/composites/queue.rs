//! The `queue` composite: an SQS queue.

use super::common::{self, Alarms, Encryption, Identity, Protection, Tags};
use super::part::Part;
use super::triggers::target::QueueTarget;
use super::triggers::topic::TopicOfQueue;
use super::triggers::{self, EventSource, Facts, TriggerSpec, Triggers};
use crate::composite::{Composite, Outputs};
use crate::context::Context;
use crate::edge::{Edge, Verb};
use crate::expr::Expr;
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Only, Rule};
use crate::kinds::sqs;
use crate::policy::{Grant, On};
use crate::scalar::Scalar;
use crate::unit::Unit;
use crate::value::Value;

/// A queue with a dead-letter queue.
pub(super) struct Queue;

/// Inputs of [`Queue`].
#[derive(Debug, Inputs)]
pub(super) struct QueueInputs {
    /// Name of the queue. The name in AWS consists of the project and this name, e.g. `shop-prod-jobs`.
    #[input(flatten)]
    identity: Identity,
    #[input(flatten)]
    settings: QueueSettings,
    /// SNS topics to which the queue subscribes.
    on: Vec<TopicOfQueue>,
    /// ARN of the KMS key that encrypts messages. Without it, SQS uses its own keys (SSE-SQS). If topics send to the queue, the key policy must allow SNS to use the key.
    #[input(flatten)]
    encryption: Encryption,
    #[input(flatten)]
    alarms: Alarms,
    #[input(flatten)]
    tags: Tags,
    /// Allows deletion of queues that contain messages. The messages are deleted with them.
    #[input(default = false)]
    force_destroy: bool,
}

/// Inputs of a queue, alone or in a group.
#[derive(Debug, Inputs)]
pub(super) struct QueueSettings {
    /// Creates a FIFO queue: messages of one group are delivered in order, and each message once. A change replaces the queue and its dead-letter queue, deletes their messages, and requires `force_destroy`.
    #[input(default = false)]
    pub(super) fifo: bool,
    /// Treats messages with equal bodies as duplicates. Only for FIFO queues.
    #[input(only = Only::If("fifo", "true"))]
    pub(super) content_based_deduplication: Option<Scalar<bool>>,
    /// Visibility timeout: seconds for which a received message is hidden from other consumers. Set it to six times the timeout of the function that reads the queue.
    #[input(unit = Unit::Seconds, default = 180, rule = Rule::Limit(&sqs::QUEUE, "visibility_timeout_seconds"))]
    pub(super) visibility_timeout: Scalar<i64>,
    /// Retention of messages in seconds.
    #[input(unit = Unit::Seconds, default = 345_600, rule = Rule::Limit(&sqs::QUEUE, "message_retention_seconds"))]
    pub(super) message_retention: Scalar<i64>,
    /// Delivery delay of new messages in seconds.
    #[input(unit = Unit::Seconds, default = 0, rule = Rule::Limit(&sqs::QUEUE, "delay_seconds"))]
    pub(super) delay: Scalar<i64>,
    /// Creates a dead-letter queue with an alarm. Messages move there after `max_receive_count` receives.
    #[input(default = true)]
    pub(super) dead_letters: bool,
    /// Number of receives after which a message moves to the dead-letter queue.
    #[input(default = 5, rule = Rule::Range(1, 1000))]
    pub(super) max_receive_count: Scalar<i64>,
    /// Threshold of the alarm on the age of the oldest message, in seconds.
    #[input(unit = Unit::Seconds, default = 3600, rule = Rule::Range(60, 1_209_600))]
    pub(super) alarm_age: Scalar<i64>,
    /// Threshold of the alarm on the number of waiting messages.
    #[input(default = 1000, rule = Rule::Range(1, 120_000))]
    pub(super) alarm_depth: Scalar<i64>,
}

/// Outputs of [`Queue`].
#[derive(Outputs)]
pub(super) struct QueueOutputs {
    /// Name of the queue.
    queue_name: Expr,
    /// ARN of the queue.
    arn: Expr,
    /// URL of the queue.
    url: Expr,
    /// ARN of the dead-letter queue; null if `dead_letters` is `false`.
    dead_letter_queue_arn: Option<Expr>,
    /// URL of the dead-letter queue; null if `dead_letters` is `false`.
    dead_letter_queue_url: Option<Expr>,
    /// IAM policy document (JSON) that allows reading and deleting messages.
    reader_policy: Expr,
    /// IAM policy document (JSON) that allows sending messages to the queue.
    writer_policy: Expr,
}

impl Composite for Queue {
    type Inputs = QueueInputs;
    type Outputs = QueueOutputs;
    const TYPE: &'static str = "queue";
    const TERMS: &'static [&'static str] = &["sqs"];
    const DOC: &'static str = "Creates an SQS queue with a dead-letter queue and alarms.\n\n\
        Both queues are encrypted and reject requests without TLS. After `max_receive_count` receives, a \
        message moves to the dead-letter queue, which keeps it for 14 days. Three alarms watch the number of \
        messages in the dead-letter queue, the age of the oldest message and the number of waiting messages.";

    fn expand(
        inputs: &QueueInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<QueueOutputs> {
        inputs.tags.set(graph);
        graph.force_destroy = inputs.force_destroy;
        let part = Part::new(context, &inputs.identity.name);
        let protection = Protection::new(&inputs.encryption, &inputs.alarms);
        check(&inputs.settings, &Path::default(), findings);
        let on = TriggerSpec::of_inputs(inputs.on.iter().map(|on| on as &dyn EventSource<QueueTarget>));
        triggers::check(&on, context, Facts { fifo: inputs.settings.fifo, ..Facts::default() }, findings);
        let triggers = Triggers::new(graph, &part, &on);
        let added = add(graph, &part, &inputs.settings, &triggers.senders(), protection);
        let target = QueueTarget { queue: added.queue.clone(), policy: added.policy.clone() };
        triggers.add(graph, &target);
        let policy = |grant| common::policy_text([grant], &inputs.encryption);
        let dead_letters = |attribute| Some(added.dead_letters.as_ref()?.attribute(attribute));
        Some(QueueOutputs {
            queue_name: added.queue.attribute("name"),
            arn: added.queue.arn(),
            url: added.queue.attribute("url"),
            dead_letter_queue_arn: dead_letters("arn"),
            dead_letter_queue_url: dead_letters("url"),
            reader_policy: policy(Grant::ConsumeQueue(added.queue.arn())),
            writer_policy: policy(Grant::SendMessages(added.queue.arn())),
        })
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }
}

/// The objects that were added.
pub(super) struct QueuePart {
    pub(super) queue: Handle,
    policy: Handle,
    /// Its name in AWS; `None` if the project is not known.
    pub(super) name: Option<String>,
    pub(super) dead_letters: Option<Handle>,
}

/// Adds a queue, its dead-letter queue and its alarms.
pub(super) fn add(
    graph: &mut Graph,
    part: &Part<'_>,
    inputs: &QueueSettings,
    senders: &[(&str, On)],
    protection: Protection<'_>,
) -> QueuePart {
    let own = part.main("main");
    let text = |slot: &str| {
        // SQS requires that names of FIFO queues end in `.fifo`.
        let (limit, ending) = if inputs.fifo { (75, ".fifo") } else { (80, "") };
        part.regional_text(slot, limit).map(|name| name + ending)
    };
    let name = |slot: &str| text(slot).map_or(Expr::Unknown, Expr::from);
    let dead_letters = inputs.dead_letters.then(|| {
        let slot = part.slot("dead_letters");
        let queue = graph
            .add(sqs::Queue, &slot)
            .name(name("dead-letters"))
            .fifo_queue(inputs.fifo.then_some(true))
            .message_retention_seconds(common::LONGEST_RETENTION)
            // The name of a FIFO queue has another ending.
            .named_by_inputs();
        let queue = common::encrypted(queue, protection).handle();
        let description = "The dead-letter queue contains messages.";
        let alarm = (slot.as_str(), part.regional("dead-letters", 255));
        common::queue_alarm(graph, alarm, &queue, (common::VISIBLE, 0.into()), description, protection);
        common::queue_policy(graph, &queue, &[]);
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
        .add(sqs::Queue, &own)
        .name(name(""))
        .fifo_queue(inputs.fifo.then_some(true))
        // SQS keeps the previous value of an attribute that is not sent.
        .content_based_deduplication(inputs.fifo.then_some(deduplication))
        .visibility_timeout_seconds(Some(&inputs.visibility_timeout))
        .message_retention_seconds(&inputs.message_retention)
        .delay_seconds(Some(&inputs.delay))
        // Long polling: fewer empty responses.
        .receive_wait_time_seconds(Some(20))
        .redrive_policy(redrive)
        .named_by_inputs();
    let queue = common::encrypted(queue, protection).handle();
    let policy = common::queue_policy(graph, &queue, senders);
    if let Some(dead_letters) = &dead_letters {
        let allowed = Expr::map([
            ("redrivePermission", Expr::from("byQueue")),
            ("sourceQueueArns", Expr::list([queue.arn()])),
        ]);
        graph
            .add(sqs::QueueRedriveAllowPolicy, &part.slot("dead_letters"))
            .queue(dead_letters.attribute("name"))
            .redrive_allow_policy(allowed);
        graph.connect(Edge::new(&queue, Verb::FailsTo, dead_letters));
    }
    for (slot, metric, threshold, description) in [
        ("age", "ApproximateAgeOfOldestMessage", &inputs.alarm_age, "A message waits too long in the queue."),
        ("depth", common::VISIBLE, &inputs.alarm_depth, "Too many messages wait in the queue."),
    ] {
        let alarm = (&*part.slot(slot), part.regional(slot, 255));
        common::queue_alarm(graph, alarm, &queue, (metric, threshold.into()), description, protection);
    }
    QueuePart { queue, policy, name: text(""), dead_letters }
}

/// Checks the settings of a queue; `at` is their path.
pub(super) fn check(inputs: &QueueSettings, at: &Path, findings: &mut Findings) {
    if inputs.content_based_deduplication.is_some() && !inputs.fifo {
        findings.error(
            Code::Choice,
            at.join(Step::Field("content_based_deduplication".to_owned())),
            "`content_based_deduplication` is set, but the queue is not a FIFO queue",
            "Remove `content_based_deduplication`, or set `fifo` to `true`.",
        );
    }
}
