//! EventBridge Scheduler.

use crate::composite::Settings;
use crate::kind::declare::{Document, Flag, Number, Text, kind};
use crate::kind::documented::{Fault, at_most, documented, json_length};
use crate::kind::place::{Written, constant};
use crate::kind::{Look, access};

kind! {
    /// A group of schedules. It has the tags, because schedules cannot have tags.
    ScheduleGroup, SCHEDULE_GROUP {
        name: Text => immutable().sets("CreateScheduleGroup.Name"),
    }
    name: "scheduler_schedule_group",
    title: "EventBridge schedule group",
    service: "scheduler",
    cloudformation: Some("AWS::Scheduler::ScheduleGroup"),
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:scheduler:{region}:{account}:schedule-group/{name}")),
        ("name", None),
    ],
    tags: true,
    tags_member: Some("CreateScheduleGroup.Tags"),
    exclusive: true,
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
        flexible_time_window_minutes: Option<Number> => optional().sets("CreateSchedule.FlexibleTimeWindow.MaximumWindowInMinutes").at("flexible_time_window.maximum_window_in_minutes"),
        target_arn: Text => sets("CreateSchedule.Target.Arn").at("target.arn"),
        target_role_arn: Text => sets("CreateSchedule.Target.RoleArn").at("target.role_arn"),
        /// The input of the target: a string of JSON.
        input: Option<Document> => optional().sets("CreateSchedule.Target.Input").at("target.input"),
        /// For a target that is an ECS cluster: the task definition to start, and its network.
        ecs_task_definition_arn: Option<Text> => optional().sets("CreateSchedule.Target.EcsParameters.TaskDefinitionArn").at("target.ecs_parameters.task_definition_arn"),
        ecs_capacity: Option<Text> => optional().property("Target.EcsParameters.CapacityProviderStrategy").at("target.ecs_parameters.capacity_provider_strategy").written(Written::Capacity),
        ecs_subnets: Option<Text> => optional().property("Target.EcsParameters.NetworkConfiguration.AwsvpcConfiguration.Subnets").at("target.ecs_parameters.network_configuration.subnets").written(Written::Split),
        ecs_security_groups: Option<Text> => optional().property("Target.EcsParameters.NetworkConfiguration.AwsvpcConfiguration.SecurityGroups").at("target.ecs_parameters.network_configuration.security_groups").written(Written::Split),
        ecs_assign_public_ip: Option<Flag> => optional().property("Target.EcsParameters.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp").at("target.ecs_parameters.network_configuration.assign_public_ip"),
        dead_letter_arn: Option<Text> => optional().sets("CreateSchedule.Target.DeadLetterConfig.Arn").at("target.dead_letter_config.arn"),
        maximum_retry_attempts: Number => sets("CreateSchedule.Target.RetryPolicy.MaximumRetryAttempts").at("target.retry_policy.maximum_retry_attempts"),
        maximum_event_age_in_seconds: Option<Number> => sets("CreateSchedule.Target.RetryPolicy.MaximumEventAgeInSeconds").at("target.retry_policy.maximum_event_age_in_seconds"),
        kms_key_arn: Option<Text> => optional().sets("CreateSchedule.KmsKeyArn"),
        state: Text => sets("CreateSchedule.State"),
    }
    name: "scheduler_schedule",
    title: "EventBridge schedule",
    service: "scheduler",
    cloudformation: Some("AWS::Scheduler::Schedule"),
    id: Some("{group_name}/{name}"),
    attributes: &[("arn", Some("arn:{partition}:scheduler:{region}:{account}:schedule/{group_name}/{name}"))],
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
    beside: &[
        constant("target.ecs_parameters.task_count", "1").with("ecs_task_definition_arn"),
        constant("flexible_time_window.mode", "\"FLEXIBLE\"").with("flexible_time_window_minutes"),
        constant("flexible_time_window.mode", "\"OFF\"").without("flexible_time_window_minutes"),
    ],
    look: Some(Look::Event),
    documented: &[
        documented(&["input"], input_size, "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html"),
    ],
}

/// The largest input of a target, in bytes.
const LARGEST_INPUT: usize = 256 << 10;

/// The longest overrides of a task, with the characters of the JSON.
/// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html
pub(super) const LONGEST_OVERRIDES: usize = 8192;

/// Checks the size of an input. The input of a task is its overrides.
fn input_size(settings: &Settings) -> Option<Fault> {
    let size = json_length(settings, "input");
    if settings.contains_key("ecs_task_definition_arn") {
        let help =
            "Move large values of `command` or `environment` to a Systems Manager parameter or an S3 object.";
        return at_most(LONGEST_OVERRIDES, size, "characters of overrides", "ECS", help);
    }
    let help = "Store the data in an S3 object, and set its key as the input.";
    at_most(LARGEST_INPUT, size, "bytes", "EventBridge Scheduler", help)
}
