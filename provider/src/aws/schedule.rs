//! EventBridge schedules.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{
    DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target,
};
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;

use super::failure::{call, found, gone};
use super::{number, optional, settings, split, text};

pub(super) struct Schedules(pub(super) Client);

fn target(settings: &Settings) -> Target {
    let dead_letters =
        optional(settings, "dead_letter_arn").map(|arn| DeadLetterConfig::builder().arn(arn).build());
    let retry =
        RetryPolicy::builder().set_maximum_retry_attempts(number(settings, "maximum_retry_attempts")).build();
    Target::builder()
        .arn(text(settings, "target_arn"))
        .role_arn(text(settings, "target_role_arn"))
        .set_dead_letter_config(dead_letters)
        .retry_policy(retry)
        .build()
        .expect("ARN and role are set")
}

fn window(settings: &Settings) -> FlexibleTimeWindow {
    let minutes = number(settings, "flexible_time_window_minutes");
    let mode = if minutes.is_some() { FlexibleTimeWindowMode::Flexible } else { FlexibleTimeWindowMode::Off };
    let window = FlexibleTimeWindow::builder().mode(mode).set_maximum_window_in_minutes(minutes);
    window.build().expect("the mode is set")
}

#[async_trait]
impl Driver for Schedules {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (group, name) = split(id, '/', "scheduler:GetSchedule")?;
        let request = self.0.get_schedule().group_name(group).name(name);
        let Some(schedule) = found(call!("scheduler:GetSchedule", request))? else { return Ok(None) };
        let target = schedule.target();
        let dead_letters = target.and_then(Target::dead_letter_config).and_then(DeadLetterConfig::arn);
        let retries = target.and_then(Target::retry_policy).and_then(RetryPolicy::maximum_retry_attempts);
        let window = schedule.flexible_time_window().and_then(FlexibleTimeWindow::maximum_window_in_minutes);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: settings([
                ("group_name", json!(group)),
                ("name", json!(name)),
                ("schedule_expression", json!(schedule.schedule_expression())),
                ("schedule_expression_timezone", json!(schedule.schedule_expression_timezone())),
                ("flexible_time_window_minutes", json!(window)),
                ("target_arn", json!(target.map(Target::arn))),
                ("target_role_arn", json!(target.map(Target::role_arn))),
                ("dead_letter_arn", json!(dead_letters)),
                ("maximum_retry_attempts", json!(retries)),
                ("kms_key_arn", json!(schedule.kms_key_arn())),
                ("state", json!(schedule.state().map(ScheduleState::as_str))),
            ]),
            ..Observed::default()
        }))
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let (group, name) = (text(settings, "group_name"), text(settings, "name"));
        let request = self
            .0
            .create_schedule()
            .group_name(group)
            .name(name)
            .schedule_expression(text(settings, "schedule_expression"))
            .set_schedule_expression_timezone(optional(settings, "schedule_expression_timezone"))
            .flexible_time_window(window(settings))
            .target(target(settings))
            .set_kms_key_arn(optional(settings, "kms_key_arn"))
            .state(ScheduleState::from(text(settings, "state")));
        call!("scheduler:CreateSchedule", request)?;
        Ok(Created { id: format!("{group}/{name}"), ..Created::default() })
    }

    async fn belonging(
        &self,
        found: &BTreeMap<String, Observed>,
    ) -> Result<Vec<(String, Observed)>, Failure> {
        let mut belonging = Vec::new();
        for (_, group) in found.iter().filter(|(key, _)| key.starts_with("scheduler_schedule_group.")) {
            let listed = call!("scheduler:ListSchedules", self.0.list_schedules().group_name(&group.id))?;
            for name in listed.schedules.into_iter().filter_map(|schedule| schedule.name) {
                if let Some(observed) = self.observe(&format!("{}/{name}", group.id)).await? {
                    belonging.push((name, observed));
                }
            }
        }
        Ok(belonging)
    }

    /// UpdateSchedule sets everything: what it is not given goes back to its default.
    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let (group, name) = split(id, '/', "scheduler:UpdateSchedule")?;
        let request = self
            .0
            .update_schedule()
            .group_name(group)
            .name(name)
            .schedule_expression(text(settings, "schedule_expression"))
            .set_schedule_expression_timezone(optional(settings, "schedule_expression_timezone"))
            .flexible_time_window(window(settings))
            .target(target(settings))
            .set_kms_key_arn(optional(settings, "kms_key_arn"))
            .state(ScheduleState::from(text(settings, "state")));
        call!("scheduler:UpdateSchedule", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (group, name) = split(id, '/', "scheduler:DeleteSchedule")?;
        gone(call!("scheduler:DeleteSchedule", self.0.delete_schedule().group_name(group).name(name)))
    }
}
