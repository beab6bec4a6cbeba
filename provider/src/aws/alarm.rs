//! CloudWatch alarms.

use async_trait::async_trait;
use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, Statistic, Tag};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::names;

use super::failure::{call, gone};
use super::{map, number, optional, pages, settings, text, texts};

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

    async fn put(&self, settings: &Settings, tags: &Tags) -> Result<(), Failure> {
        let dimensions = map(settings, "dimensions").into_iter();
        let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let threshold = settings.get("threshold").and_then(Json::as_f64);
        let request = self
            .0
            .put_metric_alarm()
            .alarm_name(text(settings, "alarm_name"))
            .set_alarm_description(optional(settings, "alarm_description"))
            .namespace(text(settings, "namespace"))
            .metric_name(text(settings, "metric_name"))
            .set_dimensions(Some(dimensions.collect()))
            .statistic(Statistic::from(text(settings, "statistic")))
            .comparison_operator(ComparisonOperator::from(text(settings, "comparison_operator")))
            .set_threshold(threshold)
            .set_period(number(settings, "period"))
            .set_evaluation_periods(number(settings, "evaluation_periods"))
            .set_treat_missing_data(optional(settings, "treat_missing_data"))
            .set_alarm_actions(Some(texts(settings, "alarm_actions")))
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
            settings: settings([
                ("alarm_name", json!(alarm.alarm_name())),
                ("alarm_description", json!(alarm.alarm_description())),
                ("namespace", json!(alarm.namespace())),
                ("metric_name", json!(alarm.metric_name())),
                ("dimensions", Json::Object(dimensions)),
                ("statistic", json!(alarm.statistic().map(Statistic::as_str))),
                ("comparison_operator", json!(alarm.comparison_operator().map(ComparisonOperator::as_str))),
                ("threshold", json!(threshold)),
                ("period", json!(alarm.period())),
                ("evaluation_periods", json!(alarm.evaluation_periods())),
                ("treat_missing_data", json!(alarm.treat_missing_data())),
                ("alarm_actions", json!(alarm.alarm_actions())),
            ]),
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
        self.put(settings, tags).await?;
        Ok(Created { id: text(settings, "alarm_name").to_owned(), ..Created::default() })
    }

    async fn update(&self, _id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(settings, &Tags::new()).await
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
