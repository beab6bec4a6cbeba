//! Inputs and objects shared by several composites.

use std::collections::BTreeMap;

use super::child::Child;
use super::part::Part;
use crate::checks::environment::Variables;
use crate::expr::{Ambient, Expr};
use crate::graph::{Graph, Handle, ObjectBuilder};
use crate::input::{Inputs, Rule};
use crate::kinds::{cloudwatch, iam, logs, sqs};
use crate::policy::{self, Grant, On};
use crate::scalar::Scalar;
use crate::unit::Unit;

/// Retention periods that CloudWatch Logs accepts, in days.
const RETENTIONS: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// The name of a composite. Each composite documents its names in AWS.
#[derive(Debug, Inputs)]
pub(super) struct Identity {
    /// Name of the composite.
    #[input(rule = Rule::NAME, replaces = "the name is the identity of the composite")]
    pub(super) name: String,
}

/// The encryption of a composite. Each composite documents which data the key encrypts.
#[derive(Debug, Inputs)]
pub(super) struct Encryption {
    /// ARN of the KMS key.
    #[input(rule = Rule::KEY_ARN)]
    kms_key_arn: Option<Scalar<String>>,
}

impl Encryption {
    /// The ARN of the key.
    pub(super) fn key(&self) -> Option<&Scalar<String>> {
        self.kms_key_arn.as_ref()
    }

    /// The grant of a role that uses the key.
    pub(super) fn grant(&self) -> Option<Grant> {
        self.key().map(|key| Grant::UseKey(key.into()))
    }
}

/// The alarms of a composite.
#[derive(Debug, Inputs)]
pub(super) struct Alarms {
    /// ARN of the SNS topic that all alarms created here notify. Its policy must allow CloudWatch to publish; for a `topic`, add `cloudwatch.amazonaws.com` to `publishers`.
    #[input(rule = Rule::ARN)]
    alarm_topic_arn: Option<Scalar<String>>,
}

/// The tags of a composite.
#[derive(Debug, Inputs)]
pub(super) struct Tags {
    /// Tags for all AWS objects created here that support tags.
    tags: Option<Scalar<BTreeMap<String, Scalar<String>>>>,
}

impl Tags {
    /// Sets the tags of a graph.
    pub(super) fn set(&self, graph: &mut Graph) {
        if let Some(tags) = &self.tags {
            graph.tags = tags.into();
        }
    }
}

/// Inputs of all composites that run code.
#[derive(Debug, Inputs)]
pub(super) struct Common {
    /// Retention of the CloudWatch log groups in days.
    #[input(unit = Unit::Days, default = 30, rule = Rule::OneOfNumbers(RETENTIONS))]
    pub(super) log_retention_days: Scalar<i64>,
    /// ARN of the KMS key that encrypts the objects created here, e.g. log groups, queues and function environments. The key policy must allow CloudWatch Logs, EventBridge and SNS if they use the key. Roles created here may use no other customer managed key. Without it, AWS uses its own keys.
    #[input(flatten)]
    pub(super) encryption: Encryption,
    /// ARN of the IAM policy that is the permissions boundary of all roles created here.
    #[input(rule = Rule::ARN)]
    pub(super) permissions_boundary: Option<Scalar<String>>,
    /// IAM path of the roles created here. A change replaces the roles; policies attached to them outside of this resource are lost.
    #[input(default = "/", rule = Rule::Check("a path that begins and ends with `/`, e.g. `/teams/shop/`", check_role_path))]
    pub(super) role_path: Scalar<String>,
    #[input(flatten)]
    pub(super) alarms: Alarms,
    #[input(flatten)]
    pub(super) tags: Tags,
    /// Allows deletion of objects that contain data, e.g. a dead-letter queue with messages. The data is deleted with them.
    #[input(default = false)]
    pub(super) force_destroy: bool,
}

impl Common {
    /// Sets the tags of a graph, and whether its data may be deleted.
    pub(super) fn set(&self, graph: &mut Graph) {
        self.tags.set(graph);
        graph.force_destroy = self.force_destroy;
    }
}

/// The IAM policy, as a JSON string, with these grants and the use of the key.
pub(super) fn policy_text(grants: impl IntoIterator<Item = Grant>, encryption: &Encryption) -> Expr {
    let grants: Vec<Grant> = grants.into_iter().chain(encryption.grant()).collect();
    Expr::Json(Box::new(policy::identity(&grants)))
}

impl Rule {
    /// Any ARN.
    pub(super) const ARN: Self =
        Self::Check("an ARN, e.g. `arn:aws:sns:eu-central-1:123456789012:alerts`", check_arn);
    /// The ARN of a KMS key.
    pub(super) const KEY_ARN: Self = Self::Check(
        "the ARN of a KMS key, e.g. `arn:aws:kms:eu-central-1:123456789012:key/…`",
        check_key_arn,
    );
    /// The name of a bucket.
    pub(super) const BUCKET: Self = Self::Check("the name of a bucket, e.g. `shop-uploads`", check_bucket);
}

/// Checks an ARN.
pub(super) fn check_arn(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, service, _, _, rest]
            if !partition.is_empty() && !service.is_empty() && !rest.is_empty() =>
        {
            Ok(())
        }
        _ => Err(format!("{text:?} is not an ARN (`arn:aws:…`)")),
    }
}

/// Checks the name of a bucket. Old buckets may have up to 255 characters, upper case and underscores.
pub(super) fn check_bucket(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match name.len() {
        3..=255 if name.chars().all(allowed) => Ok(()),
        _ => Err(format!(
            "{name:?} is not a valid bucket name: use at least 3 letters, digits, hyphens and dots"
        )),
    }
}

/// Checks the ARN of a KMS key. AWS reports the ARN of the key even if it was set by an alias, which would
/// look like drift.
pub(super) fn check_key_arn(text: &str) -> Result<(), String> {
    check_arn(text)?;
    if text.contains(":alias/") {
        return Err(format!(
            "{text:?} is the ARN of an alias; set the ARN of the key (`arn:aws:kms:…:key/…`)"
        ));
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let is_key = matches!(parts[..], [_, _, "kms", region, account, key]
        if !region.is_empty() && account.len() == 12 && key.strip_prefix("key/").is_some_and(|id| !id.is_empty()));
    if !is_key {
        return Err(format!("{text:?} is not the ARN of a KMS key (`arn:aws:kms:region:account:key/…`)"));
    }
    Ok(())
}

fn check_role_path(path: &str) -> Result<(), String> {
    if path.starts_with('/')
        && path.ends_with('/')
        && path.len() <= 512
        && path.bytes().all(|b| b.is_ascii_graphic())
    {
        Ok(())
    } else {
        Err(format!("{path:?} must start and end with `/` and must not contain spaces"))
    }
}

/// Adds a log group.
pub(super) fn log_group(graph: &mut Graph, slot: &str, name: Expr, common: &Common) -> Handle {
    graph
        .add(logs::LogGroup, slot)
        .name(name)
        .retention_in_days(&common.log_retention_days)
        .kms_key_id(common.encryption.key())
        .handle()
}

/// Adds a role that an AWS service assumes.
pub(super) fn role(graph: &mut Graph, slot: &str, name: Expr, trust: Expr, common: &Common) -> Handle {
    graph
        .add(iam::Role, slot)
        .name(name)
        .path(&common.role_path)
        .assume_role_policy(trust)
        .permissions_boundary(common.permissions_boundary.as_ref())
        .handle()
}

/// Adds the inline policy of a role; its document is unknown without grants.
pub(super) fn role_policy(
    graph: &mut Graph,
    (slot, name): (&str, &str),
    role: &Handle,
    grants: Option<Vec<Grant>>,
) -> Handle {
    graph
        .add(iam::RolePolicy, slot)
        .role(role.attribute("name"))
        .name(name)
        .policy(grants.map_or(Expr::Unknown, |grants| policy::identity(&grants)))
        .handle()
}

/// A role with which EventBridge calls a target, and its policy.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) role: Handle,
    pub(super) policy: Handle,
}

/// Adds a role with these grants and the use of the key. The services of EventBridge assume it.
pub(super) fn caller(
    graph: &mut Graph,
    part: &Part<'_>,
    name: &str,
    services: &[&str],
    mut grants: Vec<Grant>,
    common: &Common,
) -> Caller {
    let own = part.slot(name);
    grants.extend(common.encryption.grant());
    let trust = policy::trust_of(services, true);
    let role = role(graph, &own, part.global(name, 64), trust, common);
    let policy = role_policy(graph, (&own, name), &role, Some(grants));
    Caller { role, policy }
}

/// The key that encrypts messages, and the topic that alarms notify.
#[derive(Clone, Copy, Default)]
pub(super) struct Protection<'a> {
    kms_key_arn: Option<&'a Scalar<String>>,
    alarm_topic_arn: Option<&'a Scalar<String>>,
}

impl<'a> Protection<'a> {
    pub(super) fn new(encryption: &'a Encryption, alarms: &'a Alarms) -> Self {
        Self { kms_key_arn: encryption.key(), alarm_topic_arn: alarms.alarm_topic_arn.as_ref() }
    }
}

impl<'a> From<&'a Common> for Protection<'a> {
    fn from(common: &'a Common) -> Self {
        Self::new(&common.encryption, &common.alarms)
    }
}

/// Sets the encryption of a queue: with the given key, or SSE-SQS.
pub(super) fn encrypted<'a>(
    queue: ObjectBuilder<'a, sqs::Queue>,
    protection: Protection<'_>,
) -> ObjectBuilder<'a, sqs::Queue> {
    match protection.kms_key_arn {
        Some(key) => queue.kms_master_key_id(Some(key)),
        None => queue.sqs_managed_sse_enabled(Some(true)),
    }
}

/// Adds an alarm on a metric of a queue. It goes to `ALARM` if the metric exceeds the threshold.
pub(super) fn queue_alarm(
    graph: &mut Graph,
    (slot, name): (&str, Expr),
    queue: &Handle,
    (metric, threshold): (&'static str, Expr),
    description: &str,
    protection: Protection<'_>,
) {
    let dimensions = Expr::map([("QueueName", queue.attribute("name"))]);
    let metric = Metric { namespace: "AWS/SQS", name: metric, dimensions, statistic: "Maximum" };
    alarm(graph, (slot, name), metric, threshold, description, protection);
}

/// A metric of CloudWatch.
pub(super) struct Metric {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    pub(super) dimensions: Expr,
    pub(super) statistic: &'static str,
}

/// Adds an alarm that goes to `ALARM` if a metric exceeds a threshold within one minute.
pub(super) fn alarm(
    graph: &mut Graph,
    (slot, name): (&str, Expr),
    metric: Metric,
    threshold: Expr,
    description: &str,
    protection: Protection<'_>,
) {
    let alarm = graph
        .add(cloudwatch::MetricAlarm, slot)
        .alarm_name(name)
        .alarm_description(description)
        .namespace(metric.namespace)
        .metric_name(metric.name)
        .dimensions(metric.dimensions)
        .statistic(metric.statistic)
        .comparison_operator("GreaterThanThreshold")
        .threshold(threshold)
        .period(60)
        .evaluation_periods(1)
        .treat_missing_data("notBreaching");
    if let Some(topic) = protection.alarm_topic_arn {
        alarm.alarm_actions(Some(Expr::list([topic])));
    }
}

/// Adds a dead-letter queue and an alarm on it.
pub(super) fn dead_letters(
    graph: &mut Graph,
    part: &Part<'_>,
    protection: Protection<'_>,
    description: &str,
) -> Handle {
    let own = part.slot("dead_letters");
    let queue = graph
        .add(sqs::Queue, &own)
        .name(part.regional("dead-letters", 80))
        .message_retention_seconds(LONGEST_RETENTION);
    let queue = encrypted(queue, protection).handle();
    let name = part.regional("dead-letters", 255);
    queue_alarm(graph, (&own, name), &queue, (VISIBLE, 0.into()), description, protection);
    queue
}

/// The longest retention of SQS in seconds: 14 days.
pub(super) const LONGEST_RETENTION: i64 = 1_209_600;
/// The metric with the number of messages that wait in a queue.
pub(super) const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";

/// Adds the policy of a queue: these services may send.
pub(super) fn queue_policy(graph: &mut Graph, queue: &Handle, senders: &[(&str, On)]) -> Handle {
    graph
        .add(sqs::QueuePolicy, queue.key().slot())
        .queue(queue.attribute("name"))
        .policy(policy::receiver("sqs", &queue.arn(), senders))
        .handle()
}

/// The environment variables of an input, merged with more variables.
pub(super) fn variables<'a>(
    given: Option<&Variables>,
    more: impl IntoIterator<Item = (&'a str, Expr)>,
) -> Option<Expr> {
    let given = match given {
        None => BTreeMap::new(),
        Some(Scalar::Known(given)) => given.clone(),
        Some(other) => {
            let more = Expr::map(more);
            return Some(if more == Expr::Map(BTreeMap::new()) {
                other.into()
            } else {
                Expr::Merge(vec![other.into(), more])
            });
        }
    };
    let mut all: BTreeMap<String, Expr> =
        given.iter().map(|(name, value)| (name.clone(), value.into())).collect();
    all.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    (!all.is_empty()).then_some(Expr::Map(all))
}

/// The ARN of a bucket.
pub(super) fn bucket_arn(bucket: Expr) -> Expr {
    Expr::concat(["arn:".into(), Expr::Ambient(Ambient::Partition), ":s3:::".into(), bucket])
}

/// Names of the inline policies of roles. The policies of a task's roles have the slot of the role as name.
const ROLE_POLICIES: [&str; 4] = ["function", "scheduler", "start", "workflow"];

/// The slot of the policy of a role.
pub(super) fn slot_of_role_policy(child: &Child<'_>) -> Option<String> {
    let name = child.text("name");
    (name == child.parent || ROLE_POLICIES.contains(&name)).then(|| child.parent.to_owned())
}
