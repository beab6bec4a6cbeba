//! Retries and failure destinations of asynchronous invocations.

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{DestinationConfig, OnFailure};
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;
use tandem_model::kinds::lambda;

use super::failure::{call, found, gone};
use super::{number, only_child, optional, settings, text};

pub(super) struct EventInvokeConfigs(pub(super) Client);

impl EventInvokeConfigs {
    async fn put(&self, id: &str, settings: &Settings) -> Result<(), Failure> {
        let on_failure =
            optional(settings, "on_failure").map(|arn| OnFailure::builder().destination(arn).build());
        let request = self
            .0
            .put_function_event_invoke_config()
            .function_name(id)
            .set_maximum_retry_attempts(number(settings, "maximum_retry_attempts"))
            .set_maximum_event_age_in_seconds(number(settings, "maximum_event_age_in_seconds"))
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
            settings: settings([
                ("function_name", json!(id)),
                ("maximum_retry_attempts", json!(now.maximum_retry_attempts())),
                ("maximum_event_age_in_seconds", json!(now.maximum_event_age_in_seconds())),
                ("on_failure", json!(on_failure)),
            ]),
            ..Observed::default()
        }))
    }

    async fn children(&self, parent: &'static Kind, function: &Observed) -> Result<Vec<Observed>, Failure> {
        only_child(self, parent, &lambda::FUNCTION, function).await
    }

    async fn create(&self, settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        let id = text(settings, "function_name");
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
