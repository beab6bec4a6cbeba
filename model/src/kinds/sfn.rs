//! Step Functions.

use serde_json::Value as Json;

use super::scheduler::LONGEST_OVERRIDES;
use crate::composite::Settings;
use crate::kind::declare::{Document, Flag, Text, kind};
use crate::kind::documented::{Fault, at_most, documented};
use crate::kind::place::constant;
use crate::kind::{Look, access};

kind! {
    /// A state machine.
    StateMachine, STATE_MACHINE {
        name: Text => immutable().sets("CreateStateMachine.name").property("StateMachineName"),
        /// `STANDARD` or `EXPRESS`.
        r#type: Text => immutable().sets("CreateStateMachine.type").property("StateMachineType"),
        role_arn: Text => sets("CreateStateMachine.roleArn"),
        /// In the Amazon States Language, as JSON.
        definition: Document => sets("CreateStateMachine.definition").property("Definition"),
        /// `ALL`, `ERROR`, `FATAL` or `OFF`.
        log_level: Text => sets("CreateStateMachine.loggingConfiguration.level").at("logging_configuration.level"),
        include_execution_data: Flag => sets("CreateStateMachine.loggingConfiguration.includeExecutionData").at("logging_configuration.include_execution_data"),
        /// The ARN of a log group, with `:*` at its end.
        log_destination: Option<Text> => sets("CreateStateMachine.loggingConfiguration.destinations[].cloudWatchLogsLogGroup.logGroupArn").at("logging_configuration.log_destination"),
        tracing_enabled: Flag => sets("CreateStateMachine.tracingConfiguration.enabled").at("tracing_configuration.enabled"),
        kms_key_id: Option<Text> => optional().sets("CreateStateMachine.encryptionConfiguration.kmsKeyId").at("encryption_configuration.kms_key_id"),
    }
    name: "sfn_state_machine",
    title: "Step Functions state machine",
    service: "sfn",
    cloudformation: Some("AWS::StepFunctions::StateMachine"),
    id: Some("arn:{partition}:states:{region}:{account}:stateMachine:{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:states:{region}:{account}:stateMachine:{name}")),
        ("name", None),
    ],
    tags: true,
    tags_member: Some("CreateStateMachine.tags"),
    // CreateStateMachine returns an existing state machine with equal settings.
    exclusive: false,
    access: &[
        access(
            "arn:{partition}:states:{region}:{account}:stateMachine:{name}",
            &[
                "states:CreateStateMachine",
                "states:DeleteStateMachine",
                "states:DescribeStateMachine",
                "states:ListTagsForResource",
                "states:TagResource",
                "states:UntagResource",
                "states:UpdateStateMachine",
            ],
        ),
        access("*", &["states:ValidateStateMachineDefinition"]),
        access("{role_arn}", &["iam:PassRole"]),
        access("{kms_key_id}", &["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]),
        access("*", &["states:ListStateMachines"]).to_sweep(),
    ],
    beside: &[
        constant("encryption_configuration.type", "\"CUSTOMER_MANAGED_KMS_KEY\"").with("kms_key_id"),
    ],
    look: Some(Look::Workflow),
    documented: &[documented(
        &["definition"],
        overrides_size,
        "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskOverride.html",
    )],
}

/// Checks the overrides of each task that the definition starts. Those with expressions are known when they run.
fn overrides_size(settings: &Settings) -> Option<Fault> {
    let longest = longest_overrides(settings.get("definition")?);
    let help =
        "Move large values of `command` or `environment` to a Systems Manager parameter or an S3 object.";
    at_most(LONGEST_OVERRIDES, longest, "characters of overrides of one task", "ECS", help)
}

fn longest_overrides(json: &Json) -> usize {
    match json {
        Json::Object(members) => {
            let own = members.get("Overrides").map_or(0, |overrides| {
                let text = overrides.to_string();
                if text.contains("{%") { 0 } else { text.len() }
            });
            members.values().map(longest_overrides).fold(own, usize::max)
        }
        Json::Array(items) => items.iter().map(longest_overrides).max().unwrap_or_default(),
        _ => 0,
    }
}
