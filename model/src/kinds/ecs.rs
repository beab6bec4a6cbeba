//! ECS.

use crate::composite::Settings;
use crate::kind::declare::{Flag, Number, Text, TextMap, Texts, kind};
use crate::kind::documented::{Fault, at_most, documented, json_length, text};
use crate::kind::place::{Given, Written, beside, constant};
use crate::kind::{Form, Look, access};

kind! {
    /// A cluster.
    Cluster, CLUSTER {
        name: Text => immutable().sets("CreateCluster.clusterName").property("ClusterName"),
        capacity_providers: Texts => form(Form::Set).sets("CreateCluster.capacityProviders").at("@ecs_cluster_capacity_providers.capacity_providers"),
    }
    name: "ecs_cluster",
    title: "ECS cluster",
    service: "ecs",
    cloudformation: Some("AWS::ECS::Cluster"),
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:ecs:{region}:{account}:cluster/{name}")), ("name", None)],
    tags: true,
    tags_member: Some("CreateCluster.tags"),
    // CreateCluster returns an existing cluster.
    exclusive: false,
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
    beside: &[
        beside("@ecs_cluster_capacity_providers.cluster_name", Given::Own("name")),
    ],
}

kind! {
    /// A task definition of one container. A change registers a new revision and deregisters the old.
    TaskDefinition, TASK_DEFINITION {
        family: Text => immutable().sets("RegisterTaskDefinition.family").property("Family"),
        /// More than 1 after an update that was interrupted between its two calls.
        active_revisions: Number => nowhere().property(""),
        cpu: Number => sets("RegisterTaskDefinition.cpu"),
        memory: Number => sets("RegisterTaskDefinition.memory"),
        cpu_architecture: Text => sets("RegisterTaskDefinition.runtimePlatform.cpuArchitecture").at("runtime_platform.cpu_architecture").written(Written::Upper),
        /// In GiB. ECS reports it only if it is more than the 20 GiB that every task has.
        ephemeral_storage: Option<Number> => optional().sets("RegisterTaskDefinition.ephemeralStorage.sizeInGiB").at("ephemeral_storage.size_in_gib"),
        execution_role_arn: Text => sets("RegisterTaskDefinition.executionRoleArn"),
        task_role_arn: Text => sets("RegisterTaskDefinition.taskRoleArn"),
        container_name: Text => sets("RegisterTaskDefinition.containerDefinitions[].name").at("container_definitions[].name"),
        image: Text => sets("RegisterTaskDefinition.containerDefinitions[].image").at("container_definitions[].image"),
        command: Option<Texts> => optional().sets("RegisterTaskDefinition.containerDefinitions[].command").at("container_definitions[].command"),
        entry_point: Option<Texts> => optional().sets("RegisterTaskDefinition.containerDefinitions[].entryPoint").at("container_definitions[].entryPoint"),
        environment: Option<TextMap> => optional().form(Form::SecretMap).sets("RegisterTaskDefinition.containerDefinitions[].environment").at("container_definitions[].environment").written(Written::Pairs("value")),
        secrets: Option<TextMap> => optional().sets("RegisterTaskDefinition.containerDefinitions[].secrets").at("container_definitions[].secrets").written(Written::Pairs("valueFrom")),
        log_group: Text => sets("logs:CreateLogGroup.logGroupName").property("ContainerDefinitions[].LogConfiguration.Options.awslogs-group").at("container_definitions[].logConfiguration.options.awslogs-group"),
        /// `blocking` or `non-blocking`, the default of ECS, which drops log lines if a container writes faster than
        /// CloudWatch takes them.
        log_mode: Text => property("ContainerDefinitions[].LogConfiguration.Options.mode").at("container_definitions[].logConfiguration.options.mode"),
        stop_timeout: Number => sets("RegisterTaskDefinition.containerDefinitions[].stopTimeout").at("container_definitions[].stopTimeout"),
        readonly_root_filesystem: Flag => sets("RegisterTaskDefinition.containerDefinitions[].readonlyRootFilesystem").at("container_definitions[].readonlyRootFilesystem"),
        scratch_path: Text => sets("RegisterTaskDefinition.containerDefinitions[].mountPoints[].containerPath").at("container_definitions[].mountPoints[].containerPath"),
    }
    name: "ecs_task_definition",
    title: "ECS task definition",
    service: "ecs",
    cloudformation: Some("AWS::ECS::TaskDefinition"),
    id: Some("{family}"),
    // Without a revision, the ARN refers to the latest. The ARN of a revision is known only after creation.
    attributes: &[
        ("arn", Some("arn:{partition}:ecs:{region}:{account}:task-definition/{family}")),
        ("family", None),
    ],
    tags: true,
    tags_member: Some("RegisterTaskDefinition.tags"),
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
    beside: &[
        constant("network_mode", "\"awsvpc\""),
        constant("requires_compatibilities", "[\"FARGATE\"]"),
        constant("runtime_platform.operating_system_family", "\"LINUX\""),
        constant("volume.name", "\"scratch\""),
        constant("container_definitions[].essential", "true"),
        constant("container_definitions[].mountPoints[].sourceVolume", "\"scratch\""),
        constant("container_definitions[].mountPoints[].readOnly", "false"),
        constant("container_definitions[].logConfiguration.logDriver", "\"awslogs\""),
        beside("container_definitions[].logConfiguration.options.awslogs-region", Given::Region),
        beside("container_definitions[].logConfiguration.options.awslogs-stream-prefix", Given::Field("container_name")),
    ],
    // An ARN without revision means the latest revision.
    renamed: &[("arn", "arn_without_revision")],
    look: Some(Look::Container),
    documented: &[
        documented(&["environment", "command", "entry_point", "secrets", "image"], definition_size, "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html"),
        documented(&["image"], image_characters, "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html"),
    ],
}

/// The largest task definition, in bytes.
const LARGEST_DEFINITION: usize = 64 << 10;

/// Checks the size of a task definition: its parts of any length.
fn definition_size(settings: &Settings) -> Option<Fault> {
    let parts = ["command", "entry_point", "environment", "secrets", "image"];
    let size = parts.iter().map(|field| json_length(settings, field)).sum();
    at_most(
        LARGEST_DEFINITION,
        size,
        "bytes in a task definition",
        "ECS",
        "Move large values of `environment` or `command` to a Systems Manager parameter or an S3 object.",
    )
}

/// The longest reference to an image, in characters.
const LONGEST_IMAGE: usize = 255;

/// Checks the characters of the reference to an image.
fn image_characters(settings: &Settings) -> Option<Fault> {
    let image = text(settings, "image");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_:./#@".contains(c);
    if let Some(bad) = image.chars().find(|c| !allowed(*c)) {
        return Some(Fault {
            fault: format!("the reference {image:?} contains {bad:?}"),
            help: "Set a reference such as `public.ecr.aws/docker/library/alpine:3`.",
        });
    }
    at_most(LONGEST_IMAGE, image.len(), "characters", "ECS", "Use a shorter name of the repository or tag.")
}
