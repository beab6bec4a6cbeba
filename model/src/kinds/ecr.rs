//! ECR.

use crate::kind::{Form, Kind, access, field};

/// A repository of container images.
pub static REPOSITORY: Kind = Kind {
    name: "ecr_repository",
    title: "ECR repository",
    service: "ecr",
    fields: &[
        field("name").immutable(),
        field("image_tag_mutability"),
        field("scan_on_push"),
        field("encryption_type").immutable(),
        field("kms_key").immutable().optional(),
    ],
    id: Some("{name}"),
    attributes: &[
        ("arn", Some("arn:{partition}:ecr:{region}:{account}:repository/{name}")),
        ("name", None),
        ("url", None),
    ],
    tags: true,
    exclusive: true,
    data: true,
    hashed_name: false,
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
};

/// The lifecycle policy of a repository.
pub static LIFECYCLE_POLICY: Kind = Kind {
    name: "ecr_lifecycle_policy",
    title: "ECR lifecycle policy",
    service: "ecr",
    fields: &[field("repository").parent(), field("policy")],
    id: Some("{repository}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:ecr:{region}:{account}:repository/{repository}",
        &["ecr:DeleteLifecyclePolicy", "ecr:GetLifecyclePolicy", "ecr:PutLifecyclePolicy"],
    )],
};

/// An image that the provider builds from a context and pushes.
pub static IMAGE: Kind = Kind {
    name: "ecr_image",
    title: "container image",
    service: "ecr",
    fields: &[
        field("repository").parent(),
        // The tag is a hash of the files and settings of the image.
        field("tag").immutable(),
        field("build").form(Form::Recipe),
    ],
    id: Some("{repository}:{tag}"),
    // `reference` is the repository and the digest, for task definitions.
    attributes: &[("reference", None)],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
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
};
