//! The setting with which a bucket sends events about its objects to EventBridge.

use async_trait::async_trait;
use aws_sdk_s3::types::{EventBridgeConfiguration, NotificationConfiguration};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::s3;

use super::notification::{Notifications, lost, missing};
use super::only_child;

pub(super) struct EventBridge(pub(super) Notifications);

fn is_on(document: &NotificationConfiguration) -> bool {
    document.event_bridge_configuration().is_some()
}

impl EventBridge {
    /// Switches the events on or off and keeps the rest of the notification document.
    async fn switch(&self, bucket: &str, on: bool) -> Result<(), Failure> {
        let _lock = self.0.lock(bucket).await?;
        let Some(mut document) = self.0.document(bucket).await? else {
            // A deleted bucket has no notifications.
            return if on { Err(missing(bucket)) } else { Ok(()) };
        };
        if is_on(&document) == on {
            return Ok(());
        }
        document.event_bridge_configuration = on.then(|| EventBridgeConfiguration::builder().build());
        // None of the destinations in the document belong to this object.
        self.0.write(bucket, document, true).await?;
        let there = self.0.document(bucket).await?.is_some_and(|document| is_on(&document));
        if there == on { Ok(()) } else { Err(lost(bucket, "the EventBridge setting")) }
    }
}

#[async_trait]
impl Driver for EventBridge {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let document = self.0.document(id).await?;
        Ok(document.filter(is_on).map(|_| Observed {
            id: id.to_owned(),
            settings: Seen::<s3::EventBridge>::default().bucket(id).settings(),
            ..Observed::default()
        }))
    }

    async fn children(&self, parent: &'static Kind, bucket: &Observed) -> Result<Vec<Observed>, Failure> {
        only_child(self, parent, &s3::BUCKET, bucket).await
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let bucket = View::<s3::EventBridge>::of(settings).bucket();
        self.switch(bucket, true).await?;
        Ok(Created { id: bucket.to_owned(), ..Created::default() })
    }

    async fn update(&self, id: &str, _fields: &[&str], _settings: &Settings) -> Result<(), Failure> {
        self.switch(id, true).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        self.switch(id, false).await
    }
}
