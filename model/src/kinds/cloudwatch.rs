//! CloudWatch.

use crate::kind::{Form, Kind, access, field};

/// An alarm on one metric.
pub static METRIC_ALARM: Kind = Kind {
    name: "cloudwatch_metric_alarm",
    title: "CloudWatch alarm",
    service: "cloudwatch",
    fields: &[
        field("alarm_name").immutable(),
        field("alarm_description").optional(),
        field("namespace"),
        field("metric_name"),
        field("dimensions"),
        field("statistic"),
        field("comparison_operator"),
        field("threshold"),
        field("period"),
        field("evaluation_periods"),
        field("treat_missing_data"),
        field("alarm_actions").optional().form(Form::Set),
    ],
    id: Some("{alarm_name}"),
    attributes: &[("arn", Some("arn:{partition}:cloudwatch:{region}:{account}:alarm:{alarm_name}"))],
    tags: true,
    // PutMetricAlarm overwrites an existing alarm, and then ignores tags.
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:cloudwatch:{region}:{account}:alarm:{alarm_name}",
            &[
                "cloudwatch:DeleteAlarms",
                "cloudwatch:ListTagsForResource",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ],
        ),
        access("*", &["cloudwatch:DescribeAlarms"]),
        access("*", &["cloudwatch:DescribeAlarms"]).to_sweep(),
    ],
};
