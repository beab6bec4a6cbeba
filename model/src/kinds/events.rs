//! EventBridge.

use crate::kind::{Kind, access, field};

/// The event bus that every account has. Its rules have no field for it.
pub const DEFAULT_BUS: &str = "default";

/// An event bus.
pub static BUS: Kind = Kind {
    name: "cloudwatch_event_bus",
    title: "EventBridge event bus",
    service: "events",
    fields: &[field("name").immutable(), field("kms_key_identifier").optional()],
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:events:{region}:{account}:event-bus/{name}")),
        ("name", None),
    ],
    tags: true,
    exclusive: true,
    data: false,
    hashed_name: false,
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
};

/// A rule.
pub static RULE: Kind = Kind {
    name: "cloudwatch_event_rule",
    title: "EventBridge rule",
    service: "events",
    fields: &[
        field("name").immutable(),
        // Without it, the rule is on the default bus.
        field("event_bus_name").immutable().optional(),
        field("description").optional(),
        field("event_pattern"),
        field("state"),
    ],
    id: Some("{event_bus_name?/}{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:events:{region}:{account}:rule/{event_bus_name?/}{name}")),
        ("name", None),
    ],
    tags: true,
    // PutRule overwrites an existing rule, and then ignores tags.
    exclusive: false,
    data: false,
    hashed_name: false,
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
};

/// A target of a rule.
pub static TARGET: Kind = Kind {
    name: "cloudwatch_event_target",
    title: "EventBridge target",
    service: "events",
    fields: &[
        field("rule").parent(),
        field("event_bus_name").immutable().optional(),
        field("target_id").immutable(),
        field("arn"),
        // The role with which EventBridge calls a target without a resource policy.
        field("role_arn").optional(),
        field("dead_letter_arn").optional(),
        field("maximum_retry_attempts"),
        // In seconds.
        field("maximum_event_age_in_seconds"),
    ],
    id: Some("{event_bus_name?/}{rule}:{target_id}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:events:{region}:{account}:rule/{event_bus_name?/}{rule}",
            &["events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets"],
        ),
        access("{role_arn}", &["iam:PassRole"]),
    ],
};
