//! ECR.

use crate::kind::declare::{Document, Flag, Text, kind};
use crate::kind::place::{Given, Outside, Resource, beside};
use crate::kind::{Form, access};

kind! {
    /// A repository of container images.
    Repository, REPOSITORY {
        name: Text => immutable().sets("CreateRepository.repositoryName"),
        image_tag_mutability: Text => sets("CreateRepository.imageTagMutability"),
        scan_on_push: Flag => sets("CreateRepository.imageScanningConfiguration.scanOnPush").at("image_scanning_configuration.scan_on_push"),
        encryption_type: Text => immutable().sets("CreateRepository.encryptionConfiguration.encryptionType").at("encryption_configuration.encryption_type"),
        kms_key: Option<Text> => immutable().optional().sets("CreateRepository.encryptionConfiguration.kmsKey").at("encryption_configuration.kms_key"),
    }
    name: "ecr_repository",
    title: "ECR repository",
    service: "ecr",
    cloudformation: Some("AWS::ECR::Repository"),
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:ecr:{region}:{account}:repository/{name}")),
        ("name", None),
        ("url", None),
    ],
    tags: true,
    tags_member: Some("CreateRepository.tags"),
    exclusive: true,
    data: true,
    access: &[
        access(
            "arn:{partition}:ecr:{region}:{account}:repository/{name}",
            &[
                "ecr:BatchDeleteImage",
                "ecr:CreateRepository",
                "ecr:DeleteRepository",
                "ecr:DescribeImages",
                "ecr:DescribeRepositories",
                "ecr:ListTagsForResource",
                "ecr:PutImageScanningConfiguration",
                "ecr:PutImageTagMutability",
                "ecr:TagResource",
                "ecr:UntagResource",
            ],
        ),
        access("{kms_key}", &["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"]),
        access("*", &["ecr:DescribeRepositories"]).to_sweep(),
    ],
    beside: &[
        beside("force_delete", Given::ForceDestroy),
    ],
    renamed: &[("url", "repository_url")],
}

kind! {
    /// The lifecycle policy of a repository.
    LifecyclePolicy, LIFECYCLE_POLICY {
        repository: Text => parent().sets("PutLifecyclePolicy.repositoryName"),
        policy: Document => sets("PutLifecyclePolicy.lifecyclePolicyText").property("LifecyclePolicy.LifecyclePolicyText"),
    }
    name: "ecr_lifecycle_policy",
    title: "ECR lifecycle policy",
    service: "ecr",
    cloudformation: Some("AWS::ECR::Repository"),
    id: Some("{repository}"),
    goes_with: Some("repository"),
    access: &[access(
        "arn:{partition}:ecr:{region}:{account}:repository/{repository}",
        &["ecr:DeleteLifecyclePolicy", "ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy"],
    )],
}

kind! {
    /// An image that the provider builds from a context and pushes.
    Image, IMAGE {
        repository: Text => parent().sets("PutImage.repositoryName"),
        /// The tag is a hash of the files and settings of the image.
        tag: Text => immutable().sets("PutImage.imageTag"),
        build: Document => form(Form::Recipe),
    }
    name: "ecr_image",
    title: "container image",
    service: "ecr",
    id: Some("{repository}:{tag}"),
    resource: Resource::Outside(Outside {
        variable: "image_tag",
        doc: "Tag of the image to run. Push the image to the repository that this module creates.",
        parent: ("repository", "url"),
    }),
    // `reference` is the repository and the digest, for task definitions.
    attributes: &[("reference", None)],
    access: &[
        access(
            "arn:{partition}:ecr:{region}:{account}:repository/{repository}",
            &[
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchDeleteImage",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:DescribeImages",
                "ecr:DescribeRepositories",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
        ),
        access("*", &["ecr:GetAuthorizationToken"]),
    ],
}
