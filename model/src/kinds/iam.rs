//! IAM.

use crate::kind::{Form, Kind, access, field};

/// A role.
pub static ROLE: Kind = Kind {
    name: "iam_role",
    title: "IAM role",
    service: "iam",
    fields: &[
        field("name").immutable(),
        field("path").immutable(),
        field("description").optional(),
        field("assume_role_policy").form(Form::Policy),
        field("permissions_boundary").optional(),
    ],
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:iam::{account}:role{path}{name}")), ("name", None)],
    tags: true,
    exclusive: true,
    data: false,
    hashed_name: false,
    access: &[
        access(
            "arn:{partition}:iam::{account}:role{path}{name}",
            &[
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePermissionsBoundary",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:GetRole",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:PutRolePermissionsBoundary",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
        ),
        access("*", &["iam:ListRoles"]).to_sweep(),
    ],
};

/// An inline policy of a role.
pub static ROLE_POLICY: Kind = Kind {
    name: "iam_role_policy",
    title: "IAM role policy",
    service: "iam",
    fields: &[field("role").parent(), field("name").immutable(), field("policy").form(Form::Policy)],
    id: Some("{role}:{name}"),
    attributes: &[],
    tags: false,
    exclusive: false,
    data: false,
    hashed_name: false,
    access: &[access(
        "arn:{partition}:iam::{account}:role*/{role}",
        &["iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"],
    )],
};
