//! EventBridge Scheduler.

use crate::kind::access;
use crate::kind::declare::{Document, Flag, Number, Text, kind};

kind! {
    /// A group of schedules. It has the tags, because schedules cannot have tags.
    ScheduleGroup, SCHEDULE_GROUP {
        name: Text => immutable().sets("CreateScheduleGroup.Name"),
    }
    name: "scheduler_schedule_group",
    title: "EventBridge schedule group",
    service: "scheduler",
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
}

kind! {
    /// A schedule.
    Schedule, SCHEDULE {
        group_name: Text => parent().sets("CreateSchedule.GroupName"),
        name: Text => immutable().sets("CreateSchedule.Name"),
        schedule_expression: Text => sets("CreateSchedule.ScheduleExpression"),
        schedule_expression_timezone: Text => sets("CreateSchedule.ScheduleExpressionTimezone"),
        flexible_time_window_minutes: Option<Number> => optional().sets("CreateSchedule.FlexibleTimeWindow.MaximumWindowInMinutes"),
        target_arn: Text => sets("CreateSchedule.Target.Arn"),
        target_role_arn: Text => sets("CreateSchedule.Target.RoleArn"),
        /// The input of the target: a string of JSON.
        input: Option<Document> => optional().sets("CreateSchedule.Target.Input"),
        /// For a target that is an ECS cluster: the task definition to start, and its network.
        ecs_task_definition_arn: Option<Text> => optional().sets("CreateSchedule.Target.EcsParameters.TaskDefinitionArn"),
        ecs_capacity: Option<Text> => optional(),
        ecs_subnets: Option<Text> => optional(),
        ecs_security_groups: Option<Text> => optional(),
        ecs_assign_public_ip: Option<Flag> => optional(),
        dead_letter_arn: Option<Text> => optional().sets("CreateSchedule.Target.DeadLetterConfig.Arn"),
        maximum_retry_attempts: Number => sets("CreateSchedule.Target.RetryPolicy.MaximumRetryAttempts"),
        maximum_event_age_in_seconds: Option<Number> => sets("CreateSchedule.Target.RetryPolicy.MaximumEventAgeInSeconds"),
        kms_key_arn: Option<Text> => optional().sets("CreateSchedule.KmsKeyArn"),
        state: Text => sets("CreateSchedule.State"),
    }
    name: "scheduler_schedule",
    title: "EventBridge schedule",
    service: "scheduler",
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
}
