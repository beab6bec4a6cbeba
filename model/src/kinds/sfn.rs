//! Step Functions.

use crate::kind::{Kind, access, field};

/// A state machine.
pub static STATE_MACHINE: Kind = Kind {
    name: "sfn_state_machine",
    title: "Step Functions state machine",
    service: "sfn",
    fields: &[
        field("name").immutable(),
        // `STANDARD` or `EXPRESS`.
        field("type").immutable(),
        field("role_arn"),
        // In the Amazon States Language, as JSON.
        field("definition"),
        // `ALL`, `ERROR`, `FATAL` or `OFF`.
        field("log_level"),
        field("include_execution_data"),
        // The ARN of a log group, with `:*` at its end.
        field("log_destination"),
        field("tracing_enabled"),
        field("kms_key_id").optional(),
    ],
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
};
