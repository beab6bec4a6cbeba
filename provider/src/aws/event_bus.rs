//! Event buses of EventBridge.

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::events;
use tandem_model::names;

use super::event_rule::tag_list;
use super::failure::{call, found, gone};
use super::pages;

pub(super) struct Buses(pub(super) Client);

impl Buses {
    async fn arn(&self, id: &str) -> Result<String, Failure> {
        let bus = found(call!("events:DescribeEventBus", self.0.describe_event_bus().name(id)))?;
        bus.and_then(|bus| bus.arn)
            .ok_or_else(|| Failure::local("events:DescribeEventBus", format!("the event bus `{id}` is gone")))
    }
}

#[async_trait]
impl Driver for Buses {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(bus) = found(call!("events:DescribeEventBus", self.0.describe_event_bus().name(id)))? else {
            return Ok(None);
        };
        let arn = bus.arn().unwrap_or_default();
        let request = self.0.list_tags_for_resource().resource_arn(arn);
        let Some(listed) = found(call!("events:ListTagsForResource", request))? else { return Ok(None) };
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<events::Bus>::default()
                .name(bus.name())
                .kms_key_identifier(bus.kms_key_identifier().filter(|key| !key.is_empty()))
                .settings(),
            attributes: [("arn".to_owned(), json!(arn))].into(),
            tags: listed.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let buses = pages(|token| async {
            let request = self.0.list_event_buses().name_prefix(names::prefix(project)).set_next_token(token);
            let page = call!("events:ListEventBuses", request)?;
            Ok((page.event_buses.unwrap_or_default(), page.next_token))
        });
        Ok(buses.await?.into_iter().filter_map(|bus| bus.name).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let bus = View::<events::Bus>::of(settings);
        let name = bus.name();
        let request = self
            .0
            .create_event_bus()
            .name(name)
            .set_kms_key_identifier(bus.kms_key_identifier().map(ToOwned::to_owned))
            .set_tags(Some(tag_list(tags)).filter(|tags| !tags.is_empty()));
        call!("events:CreateEventBus", request)?;
        Ok(Created { id: name.to_owned(), ..Created::default() })
    }

    /// An empty string takes the key away.
    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let key = View::<events::Bus>::of(settings).kms_key_identifier().unwrap_or_default();
        let request = self.0.update_event_bus().name(id).kms_key_identifier(key);
        call!("events:UpdateEventBus", request).map(|_| ())
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

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        gone(call!("events:DeleteEventBus", self.0.delete_event_bus().name(id)))
    }
}
