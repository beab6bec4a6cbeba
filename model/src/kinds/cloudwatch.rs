//! CloudWatch.

use crate::kind::declare::{Number, Text, TextMap, Texts, kind};
use crate::kind::{Form, access};

kind! {
    /// An alarm on one metric.
    MetricAlarm, METRIC_ALARM {
        alarm_name: Text => immutable(),
        alarm_description: Text => optional(),
        namespace: Text,
        metric_name: Text,
        dimensions: TextMap,
        statistic: Text,
        comparison_operator: Text,
        threshold: Number,
        period: Number,
        evaluation_periods: Number,
        treat_missing_data: Text,
        alarm_actions: Option<Texts> => optional().form(Form::Set),
    }
    name: "cloudwatch_metric_alarm",
    title: "CloudWatch alarm",
    service: "cloudwatch",
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
}
