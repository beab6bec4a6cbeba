//! CloudWatch alarms.

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, Statistic, Tag};
use serde_json::Value as Json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::cloudwatch;
use tandem_model::names;

use super::failure::{call, gone};
use super::pages;

pub(super) struct Alarms(pub(super) Client);

impl Alarms {
    async fn describe(&self, id: &str) -> Result<Option<MetricAlarm>, Failure> {
        let found = call!("cloudwatch:DescribeAlarms", self.0.describe_alarms().alarm_names(id))?;
        Ok(found.metric_alarms.unwrap_or_default().into_iter().find(|alarm| alarm.alarm_name() == Some(id)))
    }

    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let alarm = self.describe(id).await?;
        let arn = alarm.and_then(|alarm| alarm.alarm_arn);
        arn.ok_or_else(|| Failure::local("cloudwatch:DescribeAlarms", format!("the alarm `{id}` is gone")))
    }

    async fn put(&self, alarm: &View<'_, cloudwatch::MetricAlarm>, tags: &Tags) -> Result<(), Failure> {
        let dimensions = alarm.dimensions().into_iter();
        let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request = self
            .0
            .put_metric_alarm()
            .alarm_name(alarm.alarm_name())
            .alarm_description(alarm.alarm_description())
            .namespace(alarm.namespace())
            .metric_name(alarm.metric_name())
            .set_dimensions(Some(dimensions.collect()))
            .statistic(Statistic::from(alarm.statistic()))
            .comparison_operator(ComparisonOperator::from(alarm.comparison_operator()))
            .set_threshold(alarm.threshold())
            .set_period(alarm.period())
            .set_evaluation_periods(alarm.evaluation_periods())
            // A field in `ignore_drift` that AWS does not report is missing in an update.
            .set_treat_missing_data(
                Some(alarm.treat_missing_data().to_owned()).filter(|text| !text.is_empty()),
            )
            .set_alarm_actions(Some(alarm.alarm_actions().unwrap_or_default()))
            .set_tags(Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty()));
        call!("cloudwatch:PutMetricAlarm", request).map(|_| ())
    }
}

#[async_trait]
impl Driver for Alarms {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(alarm) = self.describe(id).await? else { return Ok(None) };
        let arn = alarm.alarm_arn.clone().unwrap_or_default();
        let listed =
            call!("cloudwatch:ListTagsForResource", self.0.list_tags_for_resource().resource_arn(&arn))?;
        let tags = listed.tags.unwrap_or_default().into_iter();
        let dimensions: serde_json::Map<String, Json> = alarm
            .dimensions()
            .iter()
            .filter_map(|dimension| Some((dimension.name()?.to_owned(), dimension.value()?.into())))
            .collect();
        // CloudWatch returns thresholds as floats; the field is an integer.
        #[allow(clippy::cast_possible_truncation)]
        let threshold = alarm.threshold().map(|threshold| threshold as i64);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<cloudwatch::MetricAlarm>::default()
                .alarm_name(alarm.alarm_name())
                .alarm_description(alarm.alarm_description())
                .namespace(alarm.namespace())
                .metric_name(alarm.metric_name())
                .dimensions(dimensions)
                .statistic(alarm.statistic().map(Statistic::as_str))
                .comparison_operator(alarm.comparison_operator().map(ComparisonOperator::as_str))
                .threshold(threshold)
                .period(alarm.period())
                .evaluation_periods(alarm.evaluation_periods())
                .treat_missing_data(alarm.treat_missing_data())
                .alarm_actions(alarm.alarm_actions())
                .settings(),
            attributes: [("arn".to_owned(), arn.into())].into(),
            tags: tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let alarms = pages(|token| async {
            let request = self.0.describe_alarms().alarm_name_prefix(names::prefix(project));
            let page = call!("cloudwatch:DescribeAlarms", request.set_next_token(token))?;
            Ok((page.metric_alarms.unwrap_or_default(), page.next_token))
        });
        Ok(alarms.await?.into_iter().filter_map(|alarm| alarm.alarm_name).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let alarm = View::<cloudwatch::MetricAlarm>::of(settings);
        self.put(&alarm, tags).await?;
        Ok(Created { id: alarm.alarm_name().to_owned(), ..Created::default() })
    }

    async fn update(&self, _id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(&View::of(settings), &Tags::new()).await
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        self.arn(id).await
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let tags = set.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request = self.0.tag_resource().resource_arn(arn).set_tags(Some(tags.collect()));
        call!("cloudwatch:TagResource", request).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        call!("cloudwatch:UntagResource", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("cloudwatch:DeleteAlarms", self.0.delete_alarms().alarm_names(id)))
    }
}
