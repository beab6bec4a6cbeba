//! IAM.

use crate::kind::declare::{Document, Text, kind};
use crate::kind::{Form, access};

kind! {
    /// A role.
    Role, ROLE {
        name: Text => immutable().sets("CreateRole.RoleName"),
        path: Text => immutable().sets("CreateRole.Path"),
        description: Option<Text> => optional().sets("CreateRole.Description"),
        assume_role_policy: Document => form(Form::Policy).sets("CreateRole.AssumeRolePolicyDocument"),
        permissions_boundary: Option<Text> => optional().sets("CreateRole.PermissionsBoundary"),
    }
    name: "iam_role",
    title: "IAM role",
    service: "iam",
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:iam::{account}:role{path}{name}")), ("name", None)],
    tags: true,
    exclusive: true,
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
}

kind! {
    /// An inline policy of a role.
    RolePolicy, ROLE_POLICY {
        role: Text => parent().sets("PutRolePolicy.RoleName"),
        name: Text => immutable().sets("PutRolePolicy.PolicyName"),
        policy: Document => form(Form::Policy).sets("PutRolePolicy.PolicyDocument"),
    }
    name: "iam_role_policy",
    title: "IAM role policy",
    service: "iam",
    id: Some("{role}:{name}"),
    access: &[access(
        "arn:{partition}:iam::{account}:role*/{role}",
        &["iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"],
    )],
}
