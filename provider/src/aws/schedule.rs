//! EventBridge schedules.

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, DeadLetterConfig, EcsParameters,
    FlexibleTimeWindow, FlexibleTimeWindowMode, NetworkConfiguration, RetryPolicy, ScheduleState, Target,
};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::capacity::{self, CAPACITIES};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kinds::scheduler;

use super::failure::{call, found, gone};
use super::{flag, number, optional, pages, parse_policy, settings, split, text};

pub(super) struct Schedules(pub(super) Client);

fn strategy(word: &str) -> Vec<CapacityProviderStrategyItem> {
    let items = capacity::providers(word)
        .iter()
        .map(|name| CapacityProviderStrategyItem::builder().capacity_provider(*name).weight(1).build());
    items.map(|item| item.expect("the provider is set")).collect()
}

/// The word for a strategy, for any order of its providers; the providers if there is no such word.
fn capacity(strategy: &[CapacityProviderStrategyItem]) -> Option<String> {
    let mut providers: Vec<&str> =
        strategy.iter().map(CapacityProviderStrategyItem::capacity_provider).collect();
    providers.sort_unstable();
    let even = strategy.len() < 2 || strategy.iter().all(|item| item.weight() == 1 && item.base() == 0);
    let word = CAPACITIES.iter().find(|(_, names)| *names == providers).filter(|_| even);
    let shown = word.map_or_else(|| providers.join("+"), |(word, _)| (*word).to_owned());
    Some(shown).filter(|shown| !shown.is_empty())
}

fn ids(settings: &Settings, field: &str) -> Vec<String> {
    text(settings, field).split(',').filter(|id| !id.is_empty()).map(ToOwned::to_owned).collect()
}

/// The ECS task that a schedule starts, and its network.
fn ecs(settings: &Settings) -> Option<EcsParameters> {
    let task_definition = optional(settings, "ecs_task_definition_arn")?;
    let public = flag(settings, "ecs_assign_public_ip");
    let public = public.map(|on| if on { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled });
    let network = AwsVpcConfiguration::builder()
        .set_subnets(Some(ids(settings, "ecs_subnets")))
        .set_security_groups(Some(ids(settings, "ecs_security_groups")).filter(|groups| !groups.is_empty()))
        .set_assign_public_ip(public)
        .build()
        .expect("subnets are set");
    let strategy = Some(strategy(text(settings, "ecs_capacity"))).filter(|items| !items.is_empty());
    let parameters = EcsParameters::builder()
        .task_definition_arn(task_definition)
        .task_count(1)
        .set_capacity_provider_strategy(strategy)
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build());
    Some(parameters.build().expect("the task definition is set"))
}

fn target(settings: &Settings) -> Target {
    let dead_letters =
        optional(settings, "dead_letter_arn").map(|arn| DeadLetterConfig::builder().arn(arn).build());
    let retry = RetryPolicy::builder()
        .set_maximum_retry_attempts(number(settings, "maximum_retry_attempts"))
        .set_maximum_event_age_in_seconds(number(settings, "maximum_event_age_in_seconds"));
    let input = settings.get("input").filter(|input| !input.is_null());
    Target::builder()
        .arn(text(settings, "target_arn"))
        .role_arn(text(settings, "target_role_arn"))
        .set_input(input.map(ToString::to_string))
        .set_ecs_parameters(ecs(settings))
        .set_dead_letter_config(dead_letters)
        .retry_policy(retry.build())
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
        let retry = target.and_then(Target::retry_policy);
        let retries = retry.and_then(RetryPolicy::maximum_retry_attempts);
        let age = retry.and_then(RetryPolicy::maximum_event_age_in_seconds);
        let ecs = target.and_then(Target::ecs_parameters);
        let network = ecs
            .and_then(EcsParameters::network_configuration)
            .and_then(NetworkConfiguration::awsvpc_configuration);
        let groups = network.map(AwsVpcConfiguration::security_groups).unwrap_or_default();
        let public = network.and_then(AwsVpcConfiguration::assign_public_ip);
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
                ("input", target.and_then(Target::input).map_or(Json::Null, parse_policy)),
                ("ecs_task_definition_arn", json!(ecs.map(EcsParameters::task_definition_arn))),
                ("ecs_capacity", json!(ecs.and_then(|ecs| capacity(ecs.capacity_provider_strategy())))),
                ("ecs_subnets", json!(network.map(|network| network.subnets().join(",")))),
                ("ecs_security_groups", json!(Some(groups.join(",")).filter(|ids| !ids.is_empty()))),
                ("ecs_assign_public_ip", json!(public.map(|public| *public == AssignPublicIp::Enabled))),
                ("dead_letter_arn", json!(dead_letters)),
                ("maximum_retry_attempts", json!(retries)),
                ("maximum_event_age_in_seconds", json!(age)),
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

    async fn children(&self, parent: &'static Kind, group: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != scheduler::SCHEDULE_GROUP.name {
            return Ok(Vec::new());
        }
        let schedules = pages(|token| async {
            let request = self.0.list_schedules().group_name(&group.id).set_next_token(token);
            let page = found(call!("scheduler:ListSchedules", request))?;
            Ok(page.map(|page| (page.schedules, page.next_token)).unwrap_or_default())
        });
        let mut children = Vec::new();
        for name in schedules.await?.into_iter().filter_map(|schedule| schedule.name) {
            children.extend(self.observe(&format!("{}/{name}", group.id)).await?);
        }
        Ok(children)
    }

    /// UpdateSchedule replaces the whole schedule: settings that the call omits return to their defaults.
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
