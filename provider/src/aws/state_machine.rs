//! Step Functions state machines. The id is the ARN.

use async_trait::async_trait;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::config::Config;
use aws_sdk_sfn::config::retry::RetryConfig;
use aws_sdk_sfn::operation::describe_state_machine::DescribeStateMachineOutput as StateMachine;
use aws_sdk_sfn::types::{
    CloudWatchLogsLogGroup, EncryptionConfiguration, EncryptionType, LogDestination, LogLevel,
    LoggingConfiguration, StateMachineStatus, StateMachineType, Tag, TracingConfiguration,
    ValidateStateMachineDefinitionDiagnostic as Diagnostic,
    ValidateStateMachineDefinitionResultCode as Verdict, ValidateStateMachineDefinitionSeverity as Severity,
};
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::declare::{Seen, View};
use tandem_model::kinds::sfn;
use tandem_model::names;

use super::failure::{call, found, gone, not_yet};
use super::{pages, parse_policy};

pub(super) struct StateMachines(pub(super) Client);

fn tag_list(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn kind(machine: &View<'_, sfn::StateMachine>) -> StateMachineType {
    StateMachineType::from(machine.r#type())
}

fn logging(machine: &View<'_, sfn::StateMachine>) -> LoggingConfiguration {
    let destination = machine.log_destination().map(|arn| {
        let group = CloudWatchLogsLogGroup::builder().log_group_arn(arn).build();
        LogDestination::builder().cloud_watch_logs_log_group(group).build()
    });
    LoggingConfiguration::builder()
        .level(LogLevel::from(machine.log_level()))
        .set_include_execution_data(machine.include_execution_data())
        .set_destinations(destination.map(|destination| vec![destination]))
        .build()
}

fn tracing(machine: &View<'_, sfn::StateMachine>) -> TracingConfiguration {
    TracingConfiguration::builder().set_enabled(machine.tracing_enabled()).build()
}

fn encryption(machine: &View<'_, sfn::StateMachine>) -> EncryptionConfiguration {
    let key = machine.kms_key_id().map(ToOwned::to_owned);
    let kind =
        if key.is_some() { EncryptionType::CustomerManagedKmsKey } else { EncryptionType::AwsOwnedKey };
    EncryptionConfiguration::builder().set_kms_key_id(key).r#type(kind).build().expect("the type is set")
}

/// A diagnostic of a definition as one line: code, message and location.
fn line(fault: &Diagnostic) -> String {
    let at = fault.location().map(|location| format!(" at {location}")).unwrap_or_default();
    format!("{}: {}{at}", fault.code(), fault.message())
}

impl StateMachines {
    async fn describe(&self, id: &str) -> Result<Option<StateMachine>, Failure> {
        found(call!("states:DescribeStateMachine", self.0.describe_state_machine().state_machine_arn(id)))
    }

    /// Validates a definition: the response lists every mistake with its location. A failed call, e.g. on an
    /// emulator without it, is ignored and not retried: the next call validates the definition, too. A denied
    /// call is an error, since the policy of a deployment allows it.
    async fn check(&self, machine: &View<'_, sfn::StateMachine>) -> Result<(), Failure> {
        let request = self
            .0
            .validate_state_machine_definition()
            .definition(machine.definition())
            .r#type(kind(machine))
            .severity(Severity::Error)
            .customize()
            .config_override(Config::builder().retry_config(RetryConfig::disabled()));
        match call!("states:ValidateStateMachineDefinition", request) {
            Ok(checked) if checked.result == Verdict::Fail => {
                let faults: Vec<String> = checked.diagnostics.iter().map(line).collect();
                Err(Failure::local(
                    "states:ValidateStateMachineDefinition",
                    format!("the definition is not valid: {}", faults.join("; ")),
                ))
            }
            Err(failure) if failure.denied => Err(failure),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Driver for StateMachines {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        let Some(machine) = self.describe(id).await? else { return Ok(None) };
        if machine.status() == Some(&StateMachineStatus::Deleting) {
            return Ok(None);
        }
        let request = self.0.list_tags_for_resource().resource_arn(id);
        let Some(listed) = found(call!("states:ListTagsForResource", request))? else { return Ok(None) };
        let logging = machine.logging_configuration();
        let level = logging.and_then(LoggingConfiguration::level).map_or("OFF", LogLevel::as_str);
        let destination = logging
            .and_then(|logging| logging.destinations().first())
            .and_then(LogDestination::cloud_watch_logs_log_group)
            .and_then(CloudWatchLogsLogGroup::log_group_arn);
        let key = machine.encryption_configuration().and_then(EncryptionConfiguration::kms_key_id);
        let tags = listed.tags.unwrap_or_default().into_iter();
        Ok(Some(Observed {
            id: id.to_owned(),
            settings: Seen::<sfn::StateMachine>::default()
                .name(machine.name())
                .r#type(machine.r#type().as_str())
                .role_arn(machine.role_arn())
                .definition(parse_policy(machine.definition()))
                .log_level(level)
                .include_execution_data(logging.is_some_and(LoggingConfiguration::include_execution_data))
                .log_destination(destination)
                .tracing_enabled(machine.tracing_configuration().is_some_and(TracingConfiguration::enabled))
                .kms_key_id(key)
                .settings(),
            attributes: [("arn".to_owned(), json!(machine.state_machine_arn()))].into(),
            tags: tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect(),
        }))
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        let machines = pages(|token| async {
            let request = self.0.list_state_machines().set_next_token(token);
            let page = call!("states:ListStateMachines", request)?;
            Ok((page.state_machines, page.next_token))
        });
        let prefix = names::prefix(project);
        let machines = machines.await?.into_iter().filter(|machine| machine.name.starts_with(&prefix));
        Ok(machines.map(|machine| machine.state_machine_arn).collect())
    }

    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
        let machine = View::<sfn::StateMachine>::of(settings);
        self.check(&machine).await?;
        let request = self
            .0
            .create_state_machine()
            .name(machine.name())
            .r#type(kind(&machine))
            .definition(machine.definition())
            .role_arn(machine.role_arn())
            .logging_configuration(logging(&machine))
            .tracing_configuration(tracing(&machine))
            .encryption_configuration(encryption(&machine))
            .set_tags(Some(tag_list(tags)));
        let arn = call!("states:CreateStateMachine", request)?.state_machine_arn;
        Ok(Created { id: arn.clone(), attributes: [("arn".to_owned(), arn.into())].into() })
    }

    /// Reads lag behind the create call.
    async fn ready(&self, id: &str) -> Result<(), Failure> {
        match self.describe(id).await? {
            Some(machine) if machine.status() != Some(&StateMachineStatus::Deleting) => Ok(()),
            _ => Err(not_yet("states:DescribeStateMachine", "the state machine is not visible yet")),
        }
    }

    /// One call sets all fields. It contains the key only if that changes: AWS counts it as its own change.
    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure> {
        let machine = View::<sfn::StateMachine>::of(settings);
        if fields.contains(&"definition") {
            self.check(&machine).await?;
        }
        let request = self
            .0
            .update_state_machine()
            .state_machine_arn(id)
            .definition(machine.definition())
            .role_arn(machine.role_arn())
            .logging_configuration(logging(&machine))
            .tracing_configuration(tracing(&machine))
            .set_encryption_configuration(fields.contains(&"kms_key_id").then(|| encryption(&machine)));
        call!("states:UpdateStateMachine", request).map(|_| ())
    }

    async fn add_tags(&self, id: &str, set: &Tags) -> Result<(), Failure> {
        let request = self.0.tag_resource().resource_arn(id).set_tags(Some(tag_list(set)));
        call!("states:TagResource", request).map(|_| ())
    }

    async fn remove_tags(&self, id: &str, remove: &[String]) -> Result<(), Failure> {
        let request = self.0.untag_resource().resource_arn(id).set_tag_keys(Some(remove.to_vec()));
        call!("states:UntagResource", request).map(|_| ())
    }

    /// Step Functions continues to delete a state machine until the last of its executions has ended.
    async fn delete(&self, id: &str) -> Result<(), Failure> {
        let Some(machine) = self.describe(id).await? else { return Ok(()) };
        if machine.status() != Some(&StateMachineStatus::Deleting) {
            gone(call!("states:DeleteStateMachine", self.0.delete_state_machine().state_machine_arn(id)))?;
            if self.describe(id).await?.is_none() {
                return Ok(());
            }
        }
        Err(not_yet(
            "states:DeleteStateMachine",
            format!("the state machine `{id}` is still being deleted: its executions must end first"),
        ))
    }

    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        Ok(self.describe(id).await?.is_none())
    }
}
