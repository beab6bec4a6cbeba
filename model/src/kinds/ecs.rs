//! ECS.

use crate::kind::{Form, Kind, access, field};

/// A cluster.
pub static CLUSTER: Kind = Kind {
    name: "ecs_cluster",
    title: "ECS cluster",
    service: "ecs",
    fields: &[field("name").immutable(), field("capacity_providers").form(Form::Set)],
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:ecs:{region}:{account}:cluster/{name}")), ("name", None)],
    tags: true,
    // CreateCluster returns an existing cluster.
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:ecs:{region}:{account}:cluster/{name}",
            &[
                "ecs:CreateCluster",
                "ecs:DeleteCluster",
                "ecs:DescribeClusters",
                "ecs:PutClusterCapacityProviders",
                "ecs:TagResource",
                "ecs:UntagResource",
            ],
        ),
        access("arn:{partition}:ecs:{region}:{account}:task/{name}/*", &["ecs:StopTask"]),
        access("*", &["ecs:ListTasks"]),
        access("*", &["ecs:ListClusters"]).to_sweep(),
        access(
            "arn:{partition}:iam::{account}:role/aws-service-role/ecs.amazonaws.com/*",
            &["iam:CreateServiceLinkedRole"],
        ),
    ],
};

/// A task definition of one container. A change registers a new revision and deregisters the old.
pub static TASK_DEFINITION: Kind = Kind {
    name: "ecs_task_definition",
    title: "ECS task definition",
    service: "ecs",
    fields: &[
        field("family").immutable(),
        // More than 1 after an update that was interrupted between its two calls.
        field("active_revisions"),
        field("cpu"),
        field("memory"),
        field("cpu_architecture"),
        // In GiB. ECS reports it only if it is more than the 20 GiB that every task has.
        field("ephemeral_storage").optional(),
        field("execution_role_arn"),
        field("task_role_arn"),
        field("container_name"),
        field("image"),
        field("command").optional(),
        field("entry_point").optional(),
        field("environment").optional().form(Form::SecretMap),
        field("secrets").optional(),
        field("log_group"),
        field("stop_timeout"),
        field("readonly_root_filesystem"),
        field("scratch_path"),
    ],
    id: Some("{family}"),
    // Without a revision, the ARN refers to the latest. The ARN of a revision is known only after creation.
    attributes: &[
        ("arn", Some("arn:{partition}:ecs:{region}:{account}:task-definition/{family}")),
        ("family", None),
    ],
    tags: true,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:ecs:{region}:{account}:task-definition/{family}:*",
            &[
                "ecs:DeleteTaskDefinitions",
                "ecs:RegisterTaskDefinition",
                "ecs:TagResource",
                "ecs:UntagResource",
            ],
        ),
        access(
            "*",
            &["ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"],
        ),
        access("*", &["ecs:ListTaskDefinitionFamilies"]).to_sweep(),
        access("{execution_role_arn}", &["iam:PassRole"]),
        access("{task_role_arn}", &["iam:PassRole"]),
    ],
};
