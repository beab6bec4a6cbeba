//! EventBridge rules and their targets, on any bus.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::operation::remove_targets::builders::RemoveTargetsFluentBuilder;
use aws_sdk_eventbridge::types::{DeadLetterConfig, RetryPolicy, RuleState, Tag, Target};
use serde_json::{Value as Json, json};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::events;
use tandem_model::names;

use super::failure::{answered, call, found, gone};
use super::{pages, split};

pub(super) fn tag_list(tags: &Tags) -> Vec<Tag> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.map(|tag| tag.expect("key and value are set")).collect()
}

/// The bus and the name of a rule, from its id. On the default bus, the id is the name.
fn place(id: &str) -> (Option<&str>, &str) {
    // The name of a partner's bus contains slashes.
    id.rsplit_once('/').map_or((None, id), |(bus, name)| (Some(bus), name))
}

/// The id of a rule.
fn rule_id(bus: Option<&str>, name: &str) -> String {
    bus.map_or_else(|| name.to_owned(), |bus| format!("{bus}/{name}"))
}

pub(super) struct Rules(pub(super) Client);

impl Rules {
    async fn put(&self, rule: &View<'_, events::Rule>, tags: &Tags) -> Result<(), Failure> {
        let request = self
            .0
            .put_rule()
            .name(rule.name())
            .set_event_bus_name(rule.event_bus_name().map(ToOwned::to_owned))
            .set_description(rule.description().map(ToOwned::to_owned))
            .event_pattern(rule.event_pattern())
            .state(RuleState::from(rule.state()))
            .set_tags(Some(tag_list(tags)).filter(|tags| !tags.is_empty()));
        call!("events:PutRule", request).map(|_| ())
    }

    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let rule = self.describe(id).await?;
        rule.and_then(|rule| rule.arn)
            .ok_or_else(|| Failure::local("events:DescribeRule", format!("the rule `{id}` is gone")))
    }

    async fn describe(&self, id: &str) -> Result<Option<DescribeRuleOutput>, Failure> {
        let (bus, name) = place(id);
        let request = self.0.describe_rule().name(name).set_event_bus_name(bus.map(ToOwned::to_owned));
        found(call!("events:DescribeRule", request))
    }
}

#[async_trait]
impl Driver for Rules {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(rule) = self.describe(id).await? else { return Ok(None) };
        let arn = rule.arn().unwrap_or_default();
        let listed = call!("events:ListTagsForResource", self.0.list_tags_for_resource().resource_arn(arn))?;
        let pattern = rule.event_pattern().and_then(|text| serde_json::from_str::<Json>(text).ok());
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<events::Rule>::default()
                .name(rule.name())
                .event_bus_name(place(id).0)
                .description(rule.description())
                .event_pattern(pattern)
                .state(rule.state().map(RuleState::as_str))
                .settings(),
            attributes: [("arn".to_owned(), json!(arn))].into(),
            tags: listed.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let buses = pages(|token| async {
            let page = call!("events:ListEventBuses", self.0.list_event_buses().set_next_token(token))?;
            Ok((page.event_buses.unwrap_or_default(), page.next_token))
        });
        let mut ids = Vec::new();
        for bus in buses.await?.into_iter().filter_map(|bus| bus.name) {
            let own = Some(&*bus).filter(|bus| *bus != events::DEFAULT_BUS);
            let rules = pages(|token| async {
                let request = self.0.list_rules().name_prefix(names::prefix(project)).set_next_token(token);
                let request = request.set_event_bus_name(own.map(ToOwned::to_owned));
                // The bus can be gone by now.
                let page = found(call!("events:ListRules", request))?;
                Ok(page.map(|page| (page.rules.unwrap_or_default(), page.next_token)).unwrap_or_default())
            });
            ids.extend(rules.await?.into_iter().filter_map(|rule| Some(rule_id(own, &rule.name?))));
        }
        Ok(ids)
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let rule = View::<events::Rule>::of(settings);
        self.put(&rule, tags).await?;
        Ok(Created { id: rule_id(rule.event_bus_name(), rule.name()), ..Created::default() })
    }

    async fn update(&self, _id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(&View::of(settings), &Tags::new()).await
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        self.arn(id).await
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let request = self.0.tag_resource().resource_arn(arn).set_tags(Some(tag_list(set)));
        call!("events:TagResource", request).map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        call!("events:UntagResource", request).map(|_| ())
    }

    /// Removes all targets first, also foreign ones: EventBridge deletes no rule that has targets.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (bus, name) = place(id);
        let bus = || bus.map(ToOwned::to_owned);
        let request = self.0.list_targets_by_rule().rule(name).set_event_bus_name(bus());
        let listed = found(call!("events:ListTargetsByRule", request))?;
        let targets: Vec<String> = listed
            .map(|listed| listed.targets().iter().map(|target| target.id().to_owned()).collect())
            .unwrap_or_default();
        if !targets.is_empty() {
            let request = self.0.remove_targets().rule(name).set_event_bus_name(bus());
            remove_targets(request.set_ids(Some(targets))).await?;
        }
        gone(call!("events:DeleteRule", self.0.delete_rule().name(name).set_event_bus_name(bus())))
    }
}

/// Removes targets from a rule that may be gone. The call succeeds even when it lists failed entries.
async fn remove_targets(request: RemoveTargetsFluentBuilder) -> Result<(), Failure> {
    let removed = found(call!("events:RemoveTargets", request))?;
    match removed.as_ref().and_then(|removed| removed.failed_entries().first()) {
        None => Ok(()),
        Some(failed) => {
            gone(Err::<(), _>(refused("events:RemoveTargets", failed.error_code(), failed.error_message())))
        }
    }
}

/// The failure of one entry of a response. It passes if another change of the same rule caused it.
fn refused(operation: &str, code: Option<&str>, message: Option<&str>) -> Failure {
    answered(operation, code.unwrap_or_default(), message.unwrap_or("EventBridge gives no reason"))
}

pub(super) struct Targets(pub(super) Client);

fn target(id: &str, wanted: &View<'_, events::Target>) -> Target {
    let dead_letters = wanted.dead_letter_arn().map(|arn| DeadLetterConfig::builder().arn(arn).build());
    let attempts = wanted.maximum_retry_attempts();
    let age = wanted.maximum_event_age_in_seconds();
    let retry = RetryPolicy::builder().set_maximum_retry_attempts(attempts);
    let retry = retry.set_maximum_event_age_in_seconds(age).build();
    Target::builder()
        .id(id)
        .arn(wanted.arn())
        .set_role_arn(wanted.role_arn().map(ToOwned::to_owned))
        .set_dead_letter_config(dead_letters)
        .set_retry_policy((attempts.is_some() || age.is_some()).then_some(retry))
        .build()
        .expect("id and ARN are set")
}

/// The target of the rule with that id.
fn observed(rule: &str, target: &Target) -> Observed {
    let (bus, name) = place(rule);
    let retry = target.retry_policy();
    let age = retry.and_then(RetryPolicy::maximum_event_age_in_seconds);
    Observed {
        id: format!("{rule}:{}", target.id()),
        settings: Seen::<events::Target>::default()
            .rule(name)
            .event_bus_name(bus)
            .target_id(target.id())
            .arn(target.arn())
            .role_arn(target.role_arn())
            .dead_letter_arn(target.dead_letter_config().and_then(DeadLetterConfig::arn))
            .maximum_retry_attempts(retry.and_then(RetryPolicy::maximum_retry_attempts))
            .maximum_event_age_in_seconds(age)
            .settings(),
        ..Observed::default()
    }
}

impl Targets {
    /// The targets of the rule with that id. A deleted rule has none.
    async fn of_rule(&self, rule: &str) -> Result<Vec<Target>, Failure> {
        let (bus, name) = place(rule);
        let targets = pages(|token| async {
            let request = self.0.list_targets_by_rule().rule(name).set_next_token(token);
            let request = request.set_event_bus_name(bus.map(ToOwned::to_owned));
            let page = found(call!("events:ListTargetsByRule", request))?;
            Ok(page.map(|page| (page.targets.unwrap_or_default(), page.next_token)).unwrap_or_default())
        });
        targets.await
    }

    /// PutTargets replaces the whole target: it removes settings that the call omits.
    async fn put(&self, rule: &str, id: &str, wanted: &View<'_, events::Target>) -> Result<(), Failure> {
        let (bus, name) = place(rule);
        let request = self.0.put_targets().rule(name).targets(target(id, wanted));
        let request = request.set_event_bus_name(bus.map(ToOwned::to_owned));
        let put = call!("events:PutTargets", request)?;
        match put.failed_entries().first() {
            None => Ok(()),
            Some(failed) => Err(refused("events:PutTargets", failed.error_code(), failed.error_message())),
        }
    }
}

#[async_trait]
impl Driver for Targets {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let (rule, target) = split(id, ':', "events:ListTargetsByRule")?;
        let targets = self.of_rule(rule).await?;
        Ok(targets.iter().find(|found| found.id() == target).map(|found| observed(rule, found)))
    }

    async fn children(&self, parent: &'static Kind, rule: &Observed) -> Result<Vec<Observed>, Failure> {
        if parent.name != events::RULE.name {
            return Ok(Vec::new());
        }
        Ok(self.of_rule(&rule.id).await?.iter().map(|target| observed(&rule.id, target)).collect())
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let wanted = View::<events::Target>::of(settings);
        let (rule, target) = (&rule_id(wanted.event_bus_name(), wanted.rule()), wanted.target_id());
        self.put(rule, target, &wanted).await?;
        Ok(Created { id: format!("{rule}:{target}"), ..Created::default() })
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let (rule, target) = split(id, ':', "events:PutTargets")?;
        self.put(rule, target, &View::of(settings)).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let (rule, target) = split(id, ':', "events:RemoveTargets")?;
        let (bus, name) = place(rule);
        let request = self.0.remove_targets().rule(name).set_event_bus_name(bus.map(ToOwned::to_owned));
        remove_targets(request.ids(target)).await
    }
}
