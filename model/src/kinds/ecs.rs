//! ECS.

use crate::kind::declare::{Flag, Number, Text, TextMap, Texts, kind};
use crate::kind::{Form, access};

kind! {
    /// A cluster.
    Cluster, CLUSTER {
        name: Text => immutable().sets("CreateCluster.clusterName").property("AWS::ECS::Cluster.ClusterName"),
        capacity_providers: Texts => form(Form::Set).sets("CreateCluster.capacityProviders"),
    }
    name: "ecs_cluster",
    title: "ECS cluster",
    service: "ecs",
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
}

kind! {
    /// A task definition of one container. A change registers a new revision and deregisters the old.
    TaskDefinition, TASK_DEFINITION {
        family: Text => immutable().sets("RegisterTaskDefinition.family").property("AWS::ECS::TaskDefinition.Family"),
        /// More than 1 after an update that was interrupted between its two calls.
        active_revisions: Number,
        cpu: Number => sets("RegisterTaskDefinition.cpu"),
        memory: Number => sets("RegisterTaskDefinition.memory"),
        cpu_architecture: Text => sets("RegisterTaskDefinition.runtimePlatform.cpuArchitecture"),
        /// In GiB. ECS reports it only if it is more than the 20 GiB that every task has.
        ephemeral_storage: Option<Number> => optional().sets("RegisterTaskDefinition.ephemeralStorage.sizeInGiB"),
        execution_role_arn: Text => sets("RegisterTaskDefinition.executionRoleArn"),
        task_role_arn: Text => sets("RegisterTaskDefinition.taskRoleArn"),
        container_name: Text => sets("RegisterTaskDefinition.containerDefinitions[].name"),
        image: Text => sets("RegisterTaskDefinition.containerDefinitions[].image"),
        command: Option<Texts> => optional().sets("RegisterTaskDefinition.containerDefinitions[].command"),
        entry_point: Option<Texts> => optional().sets("RegisterTaskDefinition.containerDefinitions[].entryPoint"),
        environment: Option<TextMap> => optional().form(Form::SecretMap).sets("RegisterTaskDefinition.containerDefinitions[].environment"),
        secrets: Option<TextMap> => optional().sets("RegisterTaskDefinition.containerDefinitions[].secrets"),
        log_group: Text => sets("logs:CreateLogGroup.logGroupName"),
        stop_timeout: Number => sets("RegisterTaskDefinition.containerDefinitions[].stopTimeout"),
        readonly_root_filesystem: Flag => sets("RegisterTaskDefinition.containerDefinitions[].readonlyRootFilesystem"),
        scratch_path: Text => sets("RegisterTaskDefinition.containerDefinitions[].mountPoints[].containerPath"),
    }
    name: "ecs_task_definition",
    title: "ECS task definition",
    service: "ecs",
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
}
