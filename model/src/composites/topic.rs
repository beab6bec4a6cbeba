//! A topic that messages are published to.

use std::collections::BTreeMap;

use super::common::{self, check_key_arn, setting};
use super::part::Part;
use crate::composite::{Composite, Output, Settings};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::Findings;
use crate::graph::Graph;
use crate::input::{Inputs, Rule};
use crate::kinds::sns;
use crate::names;
use crate::policy::{self, Grant, On};
use crate::scalar::Scalar;
use crate::value::Value;

/// An SNS topic.
pub(super) struct Topic;

/// Inputs of [`Topic`].
#[derive(Debug, Inputs)]
pub(super) struct TopicInputs {
    /// Name of the topic. The name in AWS is made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    /// What mails and text messages name as their sender.
    display_name: Option<Scalar<String>>,
    /// Services of AWS that may publish for this account, such as `cloudwatch.amazonaws.com`. Of `events.amazonaws.com` no topic can tell the account: any rule of EventBridge that knows the topic's ARN may publish then. Their messages are encrypted only with a `kms_key_arn` whose policy lets them use it: AWS's own key is not theirs.
    #[input(rule = Rule::Check("service", check_service))]
    publishers: Vec<String>,
    /// ARN of the KMS key that encrypts messages; without one, AWS's own key for SNS does, unless there are `publishers`.
    #[input(rule = Rule::Check("ARN", check_key_arn))]
    kms_key_arn: Option<Scalar<String>>,
    /// Tags for everything in this composite that can carry tags.
    tags: Option<super::Tags>,
}

/// AWS's own key for SNS.
const OWN_KEY: &str = "alias/aws/sns";

fn check_service(name: &str) -> Result<(), String> {
    let service = name.strip_suffix(".amazonaws.com").unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    if !service.is_empty() && service.bytes().all(allowed) {
        Ok(())
    } else {
        Err(format!("{name:?} is no service, such as `cloudwatch.amazonaws.com`"))
    }
}

impl Composite for Topic {
    type Inputs = TopicInputs;
    const TYPE: &'static str = "topic";
    const DOC: &'static str = "An SNS topic that takes nothing that is not sent over TLS.\n\n\
        A function with a trigger `topic` gets its messages, and so does a `queue` with one; a function that \
        names it in its `sends_to` may publish.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("topic_name", "Name of the topic."),
        Output::text("arn", "ARN of the topic."),
        Output::text("publisher_policy", "The IAM policy, in JSON, that whoever publishes needs."),
    ];

    fn expand(inputs: &TopicInputs, context: &Context, _findings: &mut Findings) -> Graph {
        let mut graph = Graph::new(true);
        let part = Part::new(context, &inputs.name);
        let key = match &inputs.kms_key_arn {
            Some(key) => Some(key.into()),
            None => inputs.publishers.is_empty().then(|| Expr::from(OWN_KEY)),
        };
        let topic = graph
            .add(&sns::TOPIC, "main")
            .set("name", part.regional("", 256))
            .set_if("display_name", inputs.display_name.as_ref())
            .set_if("kms_master_key_id", key)
            .handle();
        let publishers: Vec<(&str, On)> =
            inputs.publishers.iter().map(|service| (service.as_str(), On::Account)).collect();
        graph
            .add(&sns::TOPIC_POLICY, "main")
            .set("arn", topic.arn())
            .set("policy", policy::receiver("sns", &topic.arn(), &publishers));
        let publisher = common::policy_text([Grant::Publish(topic.arn())], inputs.kms_key_arn.as_ref());
        graph.outputs = BTreeMap::from([
            ("topic_name", topic.attribute("name")),
            ("arn", topic.arn()),
            ("publisher_policy", publisher),
        ]);
        graph.tags = super::tags(inputs.tags.as_ref());
        graph
    }

    fn seed(name: &str) -> Value {
        Value::map([("name", Value::String(name.to_owned()))])
    }

    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value {
        let topic = |field| setting(objects, "sns_topic.main", field);
        let key =
            Some(topic("kms_master_key_id")).filter(|key| key.as_text() != Some(OWN_KEY)).unwrap_or_default();
        let statements = objects.get("sns_topic_policy.main").and_then(|settings| settings.get("policy"));
        let statements = statements.and_then(|policy| policy["Statement"].as_array()).into_iter().flatten();
        let services = statements.filter_map(|statement| statement["Principal"]["Service"].as_str());
        let publishers = services.map(|service| Value::String(service.to_owned())).collect();
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("display_name", topic("display_name")),
            ("publishers", Value::List(publishers)),
            ("kms_key_arn", key),
        ])
    }
}
