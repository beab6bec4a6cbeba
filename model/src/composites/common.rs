//! Inputs and objects that composites share.

use std::collections::BTreeMap;

use super::Tags;
use super::edges::RESOURCES;
use super::launch::LAUNCHES;
use super::part::Part;
use crate::checks::environment::Variables;
use crate::composite::Settings;
use crate::expr::{Expr, Place};
use crate::graph::{Added, Graph, Handle};
use crate::input::{Inputs, Rule};
use crate::kinds::{cloudwatch, iam, logs, sqs};
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::value::Value;

/// Retentions that CloudWatch Logs knows, in days.
const RETENTIONS: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Inputs of everything that runs code.
#[derive(Debug, Inputs)]
pub(super) struct Common {
    /// Days for which logs are kept.
    #[input(default = 30, rule = Rule::OneOfNumbers(RETENTIONS))]
    pub(super) log_retention_days: Scalar<i64>,
    /// ARN of the KMS key that encrypts what is made here and can be encrypted with it: logs, queues, buckets, schedules, state machines, repositories, and the environment of functions (not that of tasks); without one, AWS uses its own keys. The key's policy must let in the services that use it: Logs (and `delivery.logs.amazonaws.com` for those of a workflow), and what sends to the dead letters (EventBridge, SNS). It is the only key of yours that what is made here may use: what that reads, writes or is set off by has the same key, or none of yours, or its policy is attached to the role by you.
    #[input(rule = Rule::Check("ARN", check_key_arn))]
    pub(super) kms_key_arn: Option<Scalar<String>>,
    /// ARN of the policy that bounds the permissions of the roles made here.
    #[input(rule = Rule::Check("ARN", check_arn))]
    pub(super) permissions_boundary: Option<Scalar<String>>,
    /// Path of the roles made here. Another one makes the roles anew, without what others attached to them.
    #[input(default = "/", rule = Rule::Check("path", check_role_path))]
    pub(super) role_path: Scalar<String>,
    /// ARN of the SNS topic that every alarm made here tells. Its policy must let CloudWatch publish: a `topic` has `cloudwatch.amazonaws.com` among its `publishers` for that.
    #[input(rule = Rule::Check("ARN", check_arn))]
    pub(super) alarm_topic_arn: Option<Scalar<String>>,
    /// Tags for everything in this composite that can carry tags.
    pub(super) tags: Option<Tags>,
    /// Whether what holds data, such as dead letters that nobody has looked at, may be deleted with all that it holds.
    #[input(default = false)]
    pub(super) force_destroy: bool,
}

/// The IAM policy, as text, of whoever does this to what a key encrypts.
pub(super) fn policy_text(grants: impl IntoIterator<Item = Grant>, key: Option<&Scalar<String>>) -> Expr {
    let key = key.map(|key| Grant::UseKey(key.into()));
    let grants: Vec<Grant> = grants.into_iter().chain(key).collect();
    Expr::Json(Box::new(policy::identity(&grants)))
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

/// Checks the name of a bucket: of those that were made long ago, too, which have more characters.
pub(super) fn check_bucket(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match name.len() {
        3..=255 if name.chars().all(allowed) => Ok(()),
        _ => Err(format!(
            "{name:?} is no name of a bucket: letters, digits, hyphens and dots, three at the least"
        )),
    }
}

/// Checks the ARN of a key: AWS tells a key by its own ARN, whatever alias it was given by.
pub(super) fn check_key_arn(text: &str) -> Result<(), String> {
    check_arn(text)?;
    if text.contains(":alias/") {
        return Err(format!("{text:?} is the ARN of an alias; give that of the key (`arn:aws:kms:…:key/…`)"));
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
        Err(format!("{path:?} must start and end with `/`, and hold no spaces"))
    }
}

/// Adds a log group.
pub(super) fn log_group(graph: &mut Graph, role: &str, name: Expr, common: &Common) -> Handle {
    graph
        .add(&logs::LOG_GROUP, role)
        .set("name", name)
        .set("retention_in_days", &common.log_retention_days)
        .set_if("kms_key_id", common.kms_key_arn.as_ref())
        .handle()
}

/// Adds a role that a service takes.
pub(super) fn role(graph: &mut Graph, role: &str, name: Expr, trust: Expr, common: &Common) -> Handle {
    graph
        .add(&iam::ROLE, role)
        .set("name", name)
        .set("path", &common.role_path)
        .set("assume_role_policy", trust)
        .set_if("permissions_boundary", common.permissions_boundary.as_ref())
        .handle()
}

/// What encrypts messages, and who hears of alarms.
#[derive(Clone, Copy, Default)]
pub(super) struct Care<'a> {
    pub(super) kms_key_arn: Option<&'a Scalar<String>>,
    pub(super) alarm_topic_arn: Option<&'a Scalar<String>>,
}

impl<'a> From<&'a Common> for Care<'a> {
    fn from(common: &'a Common) -> Self {
        Self { kms_key_arn: common.kms_key_arn.as_ref(), alarm_topic_arn: common.alarm_topic_arn.as_ref() }
    }
}

/// Has a queue's messages encrypted.
pub(super) fn encrypted<'a>(queue: Added<'a>, care: Care<'_>) -> Added<'a> {
    match care.kms_key_arn {
        Some(key) => queue.set("kms_master_key_id", key),
        None => queue.set("sqs_managed_sse_enabled", true),
    }
}

/// Adds an alarm that rings when a metric of a queue exceeds a threshold.
pub(super) fn queue_alarm(
    graph: &mut Graph,
    (role, name): (&str, Expr),
    queue: &Handle,
    (metric, threshold): (&'static str, Expr),
    description: &str,
    care: Care<'_>,
) {
    let dimensions = Expr::map([("QueueName", queue.attribute("name"))]);
    let metric = Metric { namespace: "AWS/SQS", name: metric, dimensions, statistic: "Maximum" };
    alarm(graph, (role, name), metric, threshold, description, care);
}

/// What CloudWatch counts.
pub(super) struct Metric {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    pub(super) dimensions: Expr,
    pub(super) statistic: &'static str,
}

/// Adds an alarm that rings when a metric exceeds a threshold within a minute.
pub(super) fn alarm(
    graph: &mut Graph,
    (role, name): (&str, Expr),
    metric: Metric,
    threshold: Expr,
    description: &str,
    care: Care<'_>,
) {
    let alarm = graph
        .add(&cloudwatch::METRIC_ALARM, role)
        .set("alarm_name", name)
        .set("alarm_description", description)
        .set("namespace", metric.namespace)
        .set("metric_name", metric.name)
        .set("dimensions", metric.dimensions)
        .set("statistic", metric.statistic)
        .set("comparison_operator", "GreaterThanThreshold")
        .set("threshold", threshold)
        .set("period", 60)
        .set("evaluation_periods", 1)
        .set("treat_missing_data", "notBreaching");
    if let Some(topic) = care.alarm_topic_arn {
        alarm.set("alarm_actions", Expr::list([topic]));
    }
}

/// Adds a queue for what failed, and an alarm on it.
pub(super) fn dead_letters(graph: &mut Graph, part: &Part<'_>, care: Care<'_>, description: &str) -> Handle {
    let own = part.role("dead_letters");
    let queue = graph
        .add(&sqs::QUEUE, &own)
        .set("name", part.regional("dead-letters", 80))
        .set("message_retention_seconds", LONGEST_RETENTION);
    let queue = encrypted(queue, care).handle();
    let name = part.regional("dead-letters", 255);
    queue_alarm(graph, (&own, name), &queue, (VISIBLE, 0.into()), description, care);
    queue
}

/// 14 days, the longest that SQS keeps a message, in seconds.
pub(super) const LONGEST_RETENTION: i64 = 1_209_600;
/// The metric of how many messages wait in a queue.
pub(super) const VISIBLE: &str = "ApproximateNumberOfMessagesVisible";

/// Adds the policy of the dead letters.
pub(super) fn queue_policy(graph: &mut Graph, part: &Part<'_>, queue: &Handle, policy: Expr) -> Handle {
    graph
        .add(&sqs::QUEUE_POLICY, &part.role("dead_letters"))
        .set("queue", queue.attribute("name"))
        .set("policy", policy)
        .handle()
}

/// The variables of an input, and others.
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
    Expr::concat(["arn:".into(), Expr::Place(Place::Partition), ":s3:::".into(), bucket])
}

/// A setting of an object, as an input.
pub(super) fn setting(objects: &BTreeMap<String, Settings>, key: &str, field: &str) -> Value {
    objects.get(key).and_then(|settings| settings.get(field)).map(Value::from).unwrap_or_default()
}

/// The environment of an object, as an input: without what edges put into it.
pub(super) fn environment(objects: &BTreeMap<String, Settings>, key: &str) -> Value {
    match setting(objects, key, "environment") {
        Value::Map(mut variables) => {
            variables.retain(|name, _| ![RESOURCES, LAUNCHES].contains(&name.as_str()));
            if variables.is_empty() { Value::Null } else { Value::Map(variables) }
        }
        other => other,
    }
}

/// The inputs of [`Common`], read back from the objects of one part: the role of its log group and
/// role, and of its dead letters.
pub(super) fn recover(objects: &BTreeMap<String, Settings>, role: &str) -> BTreeMap<String, Value> {
    let own = |kind: &str, field: &str| setting(objects, &format!("{kind}.{role}"), field);
    let mut alarms = objects.iter().filter(|(key, _)| key.starts_with("cloudwatch_metric_alarm."));
    let topic = alarms.find_map(|(_, alarm)| alarm.get("alarm_actions")?.get(0));
    let inputs = [
        ("kms_key_arn", own("cloudwatch_log_group", "kms_key_id")),
        ("log_retention_days", own("cloudwatch_log_group", "retention_in_days")),
        ("permissions_boundary", own("iam_role", "permissions_boundary")),
        ("role_path", own("iam_role", "path")),
        ("alarm_topic_arn", topic.map(Value::from).unwrap_or_default()),
    ];
    inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
