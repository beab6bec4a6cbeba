//! EventBridge schedule groups.

use async_trait::async_trait;
use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::types::{ScheduleGroupState, Tag};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::scheduler::ScheduleGroup;
use tandem_model::names;

use super::failure::{call, found, gone, not_yet};
use super::pages;

pub(super) struct ScheduleGroups(pub(super) Client);

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().expect("key and value are set")
}

impl ScheduleGroups {
    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let group = call!("scheduler:GetScheduleGroup", self.0.get_schedule_group().name(id))?;
        Ok(group.arn.unwrap_or_default())
    }
}

#[async_trait]
impl Driver for ScheduleGroups {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(group) = found(call!("scheduler:GetScheduleGroup", self.0.get_schedule_group().name(id)))?
        else {
            return Ok(None);
        };
        if group.state() == Some(&ScheduleGroupState::Deleting) {
            return Ok(None);
        }
        let arn = group.arn.unwrap_or_default();
        let listed =
            call!("scheduler:ListTagsForResource", self.0.list_tags_for_resource().resource_arn(&arn))?;
        let tags = listed.tags.unwrap_or_default().into_iter();
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<ScheduleGroup>::default().name(id).settings(),
            attributes: [("arn".to_owned(), arn.into())].into(),
            tags: tags.map(|tag| (tag.key, tag.value)).collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let groups = pages(|token| async {
            let request = self.0.list_schedule_groups().name_prefix(names::prefix(project));
            let page = call!("scheduler:ListScheduleGroups", request.set_next_token(token))?;
            Ok((page.schedule_groups, page.next_token))
        });
        Ok(groups.await?.into_iter().filter_map(|group| group.name).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let name = View::<ScheduleGroup>::of(settings).name();
        let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
        let request = self.0.create_schedule_group().name(name).set_tags(Some(tags));
        let created = call!("scheduler:CreateScheduleGroup", request)?;
        let arn = created.schedule_group_arn;
        Ok(Created { id: name.to_owned(), attributes: [("arn".to_owned(), arn.into())].into() })
    }

    async fn update(&self, _id: &str, _fields: &[&str], _settings: &Settings) -> Result<(), Failure> {
        Ok(())
    }

    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        self.arn(id).await
    }

    async fn add_tags(&self, arn: &str, set: &Tags) -> Result<(), Failure> {
        let tags = set.iter().map(|(key, value)| tag(key, value)).collect();
        call!("scheduler:TagResource", self.0.tag_resource().resource_arn(arn).set_tags(Some(tags)))
            .map(|_| ())
    }

    async fn remove_tags(&self, arn: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(arn).set_tag_keys(Some(remove.to_vec()));
        call!("scheduler:UntagResource", request).map(|_| ())
    }

    /// EventBridge Scheduler continues to delete a group after the call.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let group = found(call!("scheduler:GetScheduleGroup", self.0.get_schedule_group().name(id)))?;
        let Some(group) = group else { return Ok(()) };
        if group.state() != Some(&ScheduleGroupState::Deleting) {
            gone(call!("scheduler:DeleteScheduleGroup", self.0.delete_schedule_group().name(id)))?;
            if found(call!("scheduler:GetScheduleGroup", self.0.get_schedule_group().name(id)))?.is_none() {
                return Ok(());
            }
        }
        Err(not_yet(
            "scheduler:DeleteScheduleGroup",
            format!("the schedule group `{id}` is still being deleted"),
        ))
    }
}
