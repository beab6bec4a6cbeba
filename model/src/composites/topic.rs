//! The `topic` composite: an SNS topic.

use std::collections::BTreeMap;

use super::common::{self, Encryption, Identity, Tags};
use super::part::Part;
use crate::composite::{Composite, Outputs, Settings};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::Findings;
use crate::graph::Graph;
use crate::input::{Inputs, Rule};
use crate::kinds::sns;
use crate::policy::{self, Grant, On};
use crate::scalar::Scalar;
use crate::value::Value;

/// An SNS topic.
pub(super) struct Topic;

/// Inputs of [`Topic`].
#[derive(Debug, Inputs)]
pub(super) struct TopicInputs {
    /// Name of the topic. The name in AWS consists of the project and this name, e.g. `shop-prod-news`.
    #[input(flatten)]
    identity: Identity,
    /// Sender name in emails and SMS messages to subscribers.
    display_name: Option<Scalar<String>>,
    /// AWS services of this account that may publish, e.g. `cloudwatch.amazonaws.com`. With `events.amazonaws.com`, EventBridge rules of any account may publish. A topic with publishers is encrypted only with `kms_key_arn`; the key policy must allow these services.
    #[input(rule = Rule::Check("names of AWS services, e.g. `events.amazonaws.com`", check_service))]
    publishers: Vec<String>,
    /// ARN of the KMS key that encrypts messages. Without it, the AWS managed key for SNS is used; a topic with `publishers` is then not encrypted.
    #[input(flatten)]
    encryption: Encryption,
    #[input(flatten)]
    tags: Tags,
}

/// Alias of the AWS managed key for SNS.
const OWN_KEY: &str = "alias/aws/sns";

fn check_service(name: &str) -> Result<(), String> {
    let service = name.strip_suffix(".amazonaws.com").unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    if !service.is_empty() && service.bytes().all(allowed) {
        Ok(())
    } else {
        Err(format!("{name:?} is not a service principal such as `cloudwatch.amazonaws.com`"))
    }
}

/// Outputs of [`Topic`].
#[derive(Outputs)]
pub(super) struct TopicOutputs {
    /// Name of the topic.
    topic_name: Expr,
    /// ARN of the topic.
    arn: Expr,
    /// IAM policy document (JSON) that allows publishing to the topic.
    publisher_policy: Expr,
}

impl Composite for Topic {
    type Inputs = TopicInputs;
    type Outputs = TopicOutputs;
    const TYPE: &'static str = "topic";
    const TERMS: &'static [&'static str] = &["sns"];
    const DOC: &'static str = "Creates an SNS topic that rejects messages sent without TLS.\n\n\
        An `event_function` with a `topic` trigger and a `queue` with the topic in `on` receive its \
        messages. A function with the topic in `sends_to` may publish to it.";

    fn expand(
        inputs: &TopicInputs,
        graph: &mut Graph,
        context: &Context,
        _findings: &mut Findings,
    ) -> Option<TopicOutputs> {
        inputs.tags.set(graph);
        graph.force_destroy = true;
        let part = Part::new(context, &inputs.identity.name);
        let key = match inputs.encryption.key() {
            Some(key) => Some(key.into()),
            None => inputs.publishers.is_empty().then(|| Expr::from(OWN_KEY)),
        };
        let topic = graph
            .add(sns::Topic, "main")
            .name(part.regional("", 256))
            .display_name(inputs.display_name.as_ref())
            .kms_master_key_id(key)
            .handle();
        let publishers: Vec<(&str, On)> =
            inputs.publishers.iter().map(|service| (service.as_str(), On::Account)).collect();
        graph.add(sns::TopicPolicy, "main").arn(topic.arn()).policy(policy::receiver(
            "sns",
            &topic.arn(),
            &publishers,
        ));
        let publisher = common::policy_text([Grant::Publish(topic.arn())], &inputs.encryption);
        Some(TopicOutputs {
            topic_name: topic.attribute("name"),
            arn: topic.arn(),
            publisher_policy: publisher,
        })
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }

    fn read_back(objects: &BTreeMap<String, Settings>) -> Value {
        let policy = objects.get("sns_topic_policy.main").and_then(|settings| settings.get("policy"));
        let services = policy.map(policy::services).unwrap_or_default().into_iter();
        let publishers = services.map(|service| Value::String(service.to_owned())).collect();
        Value::map([("publishers", Value::List(publishers))])
    }
}
