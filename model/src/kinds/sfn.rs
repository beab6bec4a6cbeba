//! Step Functions.

use crate::kind::declare::{Document, Flag, Text, kind};
use crate::kind::place::constant;
use crate::kind::{Look, access};

kind! {
    /// A state machine.
    StateMachine, STATE_MACHINE {
        name: Text => immutable().sets("CreateStateMachine.name"),
        /// `STANDARD` or `EXPRESS`.
        r#type: Text => immutable().sets("CreateStateMachine.type"),
        role_arn: Text => sets("CreateStateMachine.roleArn"),
        /// In the Amazon States Language, as JSON.
        definition: Document => sets("CreateStateMachine.definition"),
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
}
