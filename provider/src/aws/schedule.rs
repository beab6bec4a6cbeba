//! EventBridge schedules.

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, DeadLetterConfig, EcsParameters,
    FlexibleTimeWindow, FlexibleTimeWindowMode, LaunchType, NetworkConfiguration, RetryPolicy, ScheduleState,
    Target,
};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::capacity::{self, Capacity};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::scheduler;

use super::failure::{call, found, gone};
use super::{pages, parse_policy, split};

pub(super) struct Schedules(pub(super) Client);

fn strategy(providers: &[&str]) -> Vec<CapacityProviderStrategyItem> {
    let items = providers
        .iter()
        .map(|name| CapacityProviderStrategyItem::builder().capacity_provider(*name).weight(1).build());
    items.map(|item| item.expect("the provider is set")).collect()
}

/// The word for the launch type or the strategy; their names if there is no such word.
fn capacity(ecs: &EcsParameters) -> Option<String> {
    let launch_type = ecs.launch_type().map(LaunchType::as_str);
    let strategy = ecs.capacity_provider_strategy();
    let mut providers: Vec<&str> =
        strategy.iter().map(CapacityProviderStrategyItem::capacity_provider).collect();
    providers.sort_unstable();
    let even = strategy.len() < 2 || strategy.iter().all(|item| item.weight() == 1 && item.base() == 0);
    let word = capacity::word(launch_type, &providers).filter(|_| even);
    let names = || launch_type.into_iter().chain(providers.iter().copied()).collect::<Vec<_>>().join("+");
    let shown = word.map_or_else(names, ToOwned::to_owned);
    Some(shown).filter(|shown| !shown.is_empty())
}

fn ids(list: Option<&str>) -> Vec<String> {
    list.unwrap_or_default().split(',').filter(|id| !id.is_empty()).map(ToOwned::to_owned).collect()
}

/// The ECS task that a schedule starts, and its network.
fn ecs(schedule: &View<'_, scheduler::Schedule>) -> Option<EcsParameters> {
    let task_definition = schedule.ecs_task_definition_arn()?;
    let public = schedule.ecs_assign_public_ip();
    let public = public.map(|on| if on { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled });
    let network = AwsVpcConfiguration::builder()
        .set_subnets(Some(ids(schedule.ecs_subnets())))
        .set_security_groups(Some(ids(schedule.ecs_security_groups())).filter(|groups| !groups.is_empty()))
        .set_assign_public_ip(public)
        .build()
        .expect("subnets are set");
    let parameters = EcsParameters::builder()
        .task_definition_arn(task_definition)
        .task_count(1)
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build());
    let parameters = match schedule.ecs_capacity().and_then(capacity::of) {
        Some(Capacity::LaunchType(name)) => parameters.launch_type(LaunchType::from(name)),
        Some(Capacity::Strategy(providers)) => {
            parameters.set_capacity_provider_strategy(Some(strategy(providers)))
        }
        None => parameters,
    };
    Some(parameters.build().expect("the task definition is set"))
}

fn target(schedule: &View<'_, scheduler::Schedule>) -> Target {
    let dead_letters = schedule.dead_letter_arn().map(|arn| DeadLetterConfig::builder().arn(arn).build());
    let retry = RetryPolicy::builder()
        .set_maximum_retry_attempts(schedule.maximum_retry_attempts())
        .set_maximum_event_age_in_seconds(schedule.maximum_event_age_in_seconds());
    Target::builder()
        .arn(schedule.target_arn())
        .role_arn(schedule.target_role_arn())
        .set_input(schedule.input())
        .set_ecs_parameters(ecs(schedule))
        .set_dead_letter_config(dead_letters)
        .retry_policy(retry.build())
        .build()
        .expect("ARN and role are set")
}

/// The time zone, if it is set: a field in `ignore_drift` that AWS does not report is missing in an update.
fn timezone(schedule: &View<'_, scheduler::Schedule>) -> Option<String> {
    let timezone = Some(schedule.schedule_expression_timezone()).filter(|name| !name.is_empty());
    timezone.map(ToOwned::to_owned)
}

fn window(schedule: &View<'_, scheduler::Schedule>) -> FlexibleTimeWindow {
    let minutes = schedule.flexible_time_window_minutes();
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
            settings: Seen::<scheduler::Schedule>::default()
                .group_name(group)
                .name(name)
                .schedule_expression(schedule.schedule_expression())
                .schedule_expression_timezone(schedule.schedule_expression_timezone())
                .flexible_time_window_minutes(window)
                .target_arn(target.map(Target::arn))
                .target_role_arn(target.map(Target::role_arn))
                .input(target.and_then(Target::input).map(parse_policy))
                .ecs_task_definition_arn(ecs.map(EcsParameters::task_definition_arn))
                .ecs_capacity(ecs.and_then(capacity))
                .ecs_subnets(network.map(|network| network.subnets().join(",")))
                .ecs_security_groups(Some(groups.join(",")).filter(|ids| !ids.is_empty()))
                .ecs_assign_public_ip(public.map(|public| *public == AssignPublicIp::Enabled))
                .dead_letter_arn(dead_letters)
                .maximum_retry_attempts(retries)
                .maximum_event_age_in_seconds(age)
                .kms_key_arn(schedule.kms_key_arn())
                .state(schedule.state().map(ScheduleState::as_str))
                .settings(),
            ..Observed::default()
        }))
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let schedule = View::<scheduler::Schedule>::of(settings);
        let (group, name) = (schedule.group_name(), schedule.name());
        let request = self
            .0
            .create_schedule()
            .group_name(group)
            .name(name)
            .schedule_expression(schedule.schedule_expression())
            .set_schedule_expression_timezone(timezone(&schedule))
            .flexible_time_window(window(&schedule))
            .target(target(&schedule))
            .set_kms_key_arn(schedule.kms_key_arn().map(ToOwned::to_owned))
            .state(ScheduleState::from(schedule.state()));
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
        let schedule = View::<scheduler::Schedule>::of(settings);
        let (group, name) = split(id, '/', "scheduler:UpdateSchedule")?;
        let request = self
            .0
            .update_schedule()
            .group_name(group)
            .name(name)
            .schedule_expression(schedule.schedule_expression())
            .set_schedule_expression_timezone(timezone(&schedule))
            .flexible_time_window(window(&schedule))
            .target(target(&schedule))
            .set_kms_key_arn(schedule.kms_key_arn().map(ToOwned::to_owned))
            .state(ScheduleState::from(schedule.state()));
        call!("scheduler:UpdateSchedule", request).map(|_| ())
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (group, name) = split(id, '/', "scheduler:DeleteSchedule")?;
        gone(call!("scheduler:DeleteSchedule", self.0.delete_schedule().group_name(group).name(name)))
    }
}
