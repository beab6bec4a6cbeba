//! CloudWatch.

use crate::kind::declare::{Decimal, Number, Text, TextMap, Texts, kind};
use crate::kind::{Form, access};

kind! {
    /// An alarm on one metric.
    MetricAlarm, METRIC_ALARM {
        alarm_name: Text => immutable().sets("PutMetricAlarm.AlarmName"),
        alarm_description: Text => optional().sets("PutMetricAlarm.AlarmDescription"),
        namespace: Text => sets("PutMetricAlarm.Namespace"),
        metric_name: Text => sets("PutMetricAlarm.MetricName"),
        dimensions: TextMap => sets("PutMetricAlarm.Dimensions").property("Dimensions[]"),
        statistic: Text => sets("PutMetricAlarm.Statistic"),
        comparison_operator: Text => sets("PutMetricAlarm.ComparisonOperator"),
        threshold: Decimal => sets("PutMetricAlarm.Threshold"),
        period: Number => sets("PutMetricAlarm.Period"),
        evaluation_periods: Number => sets("PutMetricAlarm.EvaluationPeriods"),
        treat_missing_data: Text => sets("PutMetricAlarm.TreatMissingData"),
        alarm_actions: Option<Texts> => optional().form(Form::Set).sets("PutMetricAlarm.AlarmActions"),
    }
    name: "cloudwatch_metric_alarm",
    title: "CloudWatch alarm",
    service: "cloudwatch",
    cloudformation: Some("AWS::CloudWatch::Alarm"),
    id: Some("{alarm_name}"),
    attributes: &[("arn", Some("arn:{partition}:cloudwatch:{region}:{account}:alarm:{alarm_name}"))],
    tags: true,
    tags_member: Some("PutMetricAlarm.Tags"),
    // PutMetricAlarm overwrites an existing alarm, and then ignores tags.
    exclusive: false,
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
