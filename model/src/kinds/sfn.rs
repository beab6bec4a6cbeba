//! Step Functions.

use crate::kind::access;
use crate::kind::declare::{Document, Flag, Text, kind};

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
        log_level: Text => sets("CreateStateMachine.loggingConfiguration.level"),
        include_execution_data: Flag => sets("CreateStateMachine.loggingConfiguration.includeExecutionData"),
        /// The ARN of a log group, with `:*` at its end.
        log_destination: Option<Text> => sets("CreateStateMachine.loggingConfiguration.destinations[].cloudWatchLogsLogGroup.logGroupArn"),
        tracing_enabled: Flag => sets("CreateStateMachine.tracingConfiguration.enabled"),
        kms_key_id: Option<Text> => optional().sets("CreateStateMachine.encryptionConfiguration.kmsKeyId"),
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
    // CreateStateMachine returns an existing state machine with equal settings.
    exclusive: false,
    data: false,
    hashed_name: false,
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
}
