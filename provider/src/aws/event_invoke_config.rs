//! Retries and failure destinations of asynchronous invocations.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{DestinationConfig, OnFailure};
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::lambda;

use super::failure::{call, found, gone};
use super::only_child;

pub(super) struct EventInvokeConfigs(pub(super) Client);

impl EventInvokeConfigs {
    async fn put(&self, id: &str, settings: &Settings) -> Result<(), Failure> {
        let config = View::<lambda::EventInvokeConfig>::of(settings);
        // A field in `ignore_drift` that AWS does not report is missing in an update.
        let on_failure = Some(config.on_failure()).filter(|arn| !arn.is_empty());
        let on_failure = on_failure.map(|arn| OnFailure::builder().destination(arn).build());
        let request = self
            .0
            .put_function_event_invoke_config()
            .function_name(id)
            // By its name: a missing number is omitted, which is not the same as 0.
            .set_maximum_retry_attempts(config.maximum_retry_attempts())
            .set_maximum_event_age_in_seconds(config.maximum_event_age_in_seconds())
            .destination_config(DestinationConfig::builder().set_on_failure(on_failure).build());
        call!("lambda:PutFunctionEventInvokeConfig", request).map(|_| ())
    }
}

#[async_trait]
impl Driver for EventInvokeConfigs {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let request = self.0.get_function_event_invoke_config().function_name(id);
        let Some(now) = found(call!("lambda:GetFunctionEventInvokeConfig", request))? else {
            return Ok(None);
        };
        let on_failure =
            now.destination_config().and_then(DestinationConfig::on_failure).and_then(OnFailure::destination);
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<lambda::EventInvokeConfig>::default()
                .function_name(id)
                .maximum_retry_attempts(now.maximum_retry_attempts())
                .maximum_event_age_in_seconds(now.maximum_event_age_in_seconds())
                .on_failure(on_failure)
                .settings(),
            ..Observed::default()
        }))
    }

    async fn children(&self, parent: &'static Kind, function: &Observed) -> Result<Vec<Observed>, Failure> {
        only_child(self, parent, &lambda::FUNCTION, function).await
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let id = View::<lambda::EventInvokeConfig>::of(settings).function_name();
        self.put(id, settings).await?;
        Ok(Created { id: id.to_owned(), ..Created::default() })
    }

    async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        self.put(id, settings).await
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let request = self.0.delete_function_event_invoke_config().function_name(id);
        gone(call!("lambda:DeleteFunctionEventInvokeConfig", request))
    }
}
