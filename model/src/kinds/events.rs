//! EventBridge.

use crate::kind::declare::{Document, Number, Text, kind};
use crate::kind::{Look, access};

/// The event bus that every account has. Its rules have no field for it.
pub const DEFAULT_BUS: &str = "default";

kind! {
    /// An event bus.
    Bus, BUS {
        name: Text => immutable().sets("CreateEventBus.Name"),
        kms_key_identifier: Option<Text> => optional().sets("CreateEventBus.KmsKeyIdentifier"),
    }
    name: "cloudwatch_event_bus",
    title: "EventBridge event bus",
    service: "events",
    cloudformation: Some("AWS::Events::EventBus"),
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:events:{region}:{account}:event-bus/{name}")),
        ("name", None),
    ],
    tags: true,
    tags_member: Some("CreateEventBus.Tags"),
    exclusive: true,
    access: &[
        access(
            "arn:{partition}:events:{region}:{account}:event-bus/{name}",
            &[
                "events:CreateEventBus",
                "events:DeleteEventBus",
                "events:DescribeEventBus",
                "events:ListTagsForResource",
                "events:TagResource",
                "events:UntagResource",
                "events:UpdateEventBus",
            ],
        ),
        access("{kms_key_identifier}", &["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]),
        access("*", &["events:ListEventBuses"]).to_sweep(),
    ],
    look: Some(Look::Bus),
}

kind! {
    /// A rule.
    Rule, RULE {
        name: Text => immutable().sets("PutRule.Name"),
        /// Without it, the rule is on the default bus.
        event_bus_name: Option<Text> => immutable().optional().sets("PutRule.EventBusName"),
        description: Option<Text> => optional().sets("PutRule.Description"),
        event_pattern: Document => sets("PutRule.EventPattern"),
        state: Text => sets("PutRule.State"),
    }
    name: "cloudwatch_event_rule",
    title: "EventBridge rule",
    service: "events",
    cloudformation: Some("AWS::Events::Rule"),
    id: Some("{event_bus_name?/}{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:events:{region}:{account}:rule/{event_bus_name?/}{name}")),
        ("name", None),
    ],
    tags: true,
    tags_member: Some("PutRule.Tags"),
    // PutRule overwrites an existing rule, and then ignores tags.
    exclusive: false,
    access: &[
        access(
            "arn:{partition}:events:{region}:{account}:rule/{event_bus_name?/}{name}",
            &[
                "events:DeleteRule",
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:PutRule",
                "events:TagResource",
                "events:UntagResource",
            ],
        ),
        access("*", &["events:ListEventBuses", "events:ListRules"]).to_sweep(),
    ],
    look: Some(Look::Event),
}

kind! {
    /// A target of a rule.
    Target, TARGET {
        rule: Text => parent().sets("PutTargets.Rule"),
        event_bus_name: Option<Text> => immutable().optional().sets("PutTargets.EventBusName"),
        target_id: Text => immutable().sets("PutTargets.Targets[].Id"),
        arn: Text => sets("PutTargets.Targets[].Arn"),
        /// The role with which EventBridge calls a target without a resource policy.
        role_arn: Option<Text> => optional().sets("PutTargets.Targets[].RoleArn"),
        dead_letter_arn: Option<Text> => optional().sets("PutTargets.Targets[].DeadLetterConfig.Arn").at("dead_letter_config.arn"),
        maximum_retry_attempts: Option<Number> => sets("PutTargets.Targets[].RetryPolicy.MaximumRetryAttempts").at("retry_policy.maximum_retry_attempts"),
        /// In seconds.
        maximum_event_age_in_seconds: Option<Number> => sets("PutTargets.Targets[].RetryPolicy.MaximumEventAgeInSeconds").at("retry_policy.maximum_event_age_in_seconds"),
    }
    name: "cloudwatch_event_target",
    title: "EventBridge target",
    service: "events",
    cloudformation: Some("AWS::Events::Rule"),
    id: Some("{event_bus_name?/}{rule}:{target_id}"),
    access: &[
        access(
            "arn:{partition}:events:{region}:{account}:rule/{event_bus_name?/}{rule}",
            &["events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets"],
        ),
        access("{role_arn}", &["iam:PassRole"]),
    ],
}
