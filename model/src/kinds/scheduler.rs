//! EventBridge Scheduler.

use crate::kind::{Kind, access, field};

/// A group of schedules. It has the tags, because schedules cannot have tags.
pub static SCHEDULE_GROUP: Kind = Kind {
    name: "scheduler_schedule_group",
    title: "EventBridge schedule group",
    service: "scheduler",
    fields: &[field("name").immutable()],
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:scheduler:{region}:{account}:schedule-group/{name}")),
        ("name", None),
    ],
    tags: true,
    exclusive: true,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:scheduler:{region}:{account}:schedule-group/{name}",
            &[
                "scheduler:CreateScheduleGroup",
                "scheduler:DeleteScheduleGroup",
                "scheduler:GetScheduleGroup",
                "scheduler:ListTagsForResource",
                "scheduler:TagResource",
                "scheduler:UntagResource",
            ],
        ),
        access("*", &["scheduler:ListScheduleGroups"]).to_sweep(),
    ],
};

/// A schedule.
pub static SCHEDULE: Kind = Kind {
    name: "scheduler_schedule",
    title: "EventBridge schedule",
    service: "scheduler",
    fields: &[
        field("group_name").parent(),
        field("name").immutable(),
        field("schedule_expression"),
        field("schedule_expression_timezone"),
        field("flexible_time_window_minutes").optional(),
        field("target_arn"),
        field("target_role_arn"),
        // The input of the target: a string of JSON.
        field("input").optional(),
        // For a target that is an ECS cluster: the task definition to start, and its network.
        field("ecs_task_definition_arn").optional(),
        field("ecs_capacity").optional(),
        field("ecs_subnets").optional(),
        field("ecs_security_groups").optional(),
        field("ecs_assign_public_ip").optional(),
        field("dead_letter_arn").optional(),
        field("maximum_retry_attempts"),
        field("maximum_event_age_in_seconds"),
        field("kms_key_arn").optional(),
        field("state"),
    ],
    id: Some("{group_name}/{name}"),
    attributes: &[("arn", Some("arn:{partition}:scheduler:{region}:{account}:schedule/{group_name}/{name}"))],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:scheduler:{region}:{account}:schedule/{group_name}/{name}",
            &[
                "scheduler:CreateSchedule",
                "scheduler:DeleteSchedule",
                "scheduler:GetSchedule",
                "scheduler:UpdateSchedule",
            ],
        ),
        access("*", &["scheduler:ListSchedules"]),
        access("{target_role_arn}", &["iam:PassRole"]),
        access("{kms_key_arn}", &["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]),
    ],
};
