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
    // PutRule overwrites what exists, and ignores tags when it does.
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

/// What a rule sends its events to.
pub static TARGET: Kind = Kind {
    name: "cloudwatch_event_target",
    title: "EventBridge target",
    service: "events",
    fields: &[field("rule").parent(), field("target_id").immutable(), field("arn")],
    id: Some("{rule}:{target_id}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:events:{region}:{account}:rule/{rule}",
        &["events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets"],
    )],
};
