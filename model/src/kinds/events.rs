//! EventBridge.

use crate::kind::{Kind, access, field};

/// A rule on the default bus.
pub static RULE: Kind = Kind {
    name: "cloudwatch_event_rule",
    title: "EventBridge rule",
    service: "events",
    fields: &[
        field("name").immutable(),
        field("description").optional(),
        field("event_pattern"),
        field("state"),
    ],
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:events:{region}:{account}:rule/{name}")), ("name", None)],
    tags: true,
    // PutRule overwrites an existing rule, and then ignores tags.
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:events:{region}:{account}:rule/{name}",
            &[
                "events:DeleteRule",
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:PutRule",
                "events:TagResource",
                "events:UntagResource",
            ],
        ),
        access("*", &["events:ListRules"]).to_sweep(),
    ],
};

/// A target of a rule.
pub static TARGET: Kind = Kind {
    name: "cloudwatch_event_target",
    title: "EventBridge target",
    service: "events",
    fields: &[
        field("rule").parent(),
        field("target_id").immutable(),
        field("arn"),
        // The role with which EventBridge calls a target without a resource policy.
        field("role_arn").optional(),
        field("dead_letter_arn").optional(),
        field("maximum_retry_attempts"),
        // In seconds.
        field("maximum_event_age_in_seconds"),
    ],
    id: Some("{rule}:{target_id}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:events:{region}:{account}:rule/{rule}",
            &["events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets"],
        ),
        access("{role_arn}", &["iam:PassRole"]),
    ],
};
