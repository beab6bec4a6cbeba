//! IAM.

use crate::composite::Settings;
use crate::kind::declare::{Document, Text, kind};
use crate::kind::documented::{Fault, at_most, documented, json_length};
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
    cloudformation: Some("AWS::IAM::Role"),
    id: Some("{name}"),
    attributes: &[("arn", Some("arn:{partition}:iam::{account}:role{path}{name}")), ("name", None)],
    tags: true,
    tags_member: Some("CreateRole.Tags"),
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
    documented: &[
        documented(&["assume_role_policy"], trust_size, "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"),
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
    cloudformation: Some("AWS::IAM::RolePolicy"),
    id: Some("{role}:{name}"),
    access: &[access(
        "arn:{partition}:iam::{account}:role*/{role}",
        &["iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:PutRolePolicy"],
    )],
    documented: &[documented(&["policy"], policy_size, "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html")],
}

/// Checks the length of a trust policy. IAM does not count white space.
fn trust_size(settings: &Settings) -> Option<Fault> {
    let size = json_length(settings, "assume_role_policy");
    at_most(2048, size, "characters in a trust policy", "IAM", "Use fewer triggers for one composite.")
}

/// Checks the length of a policy. IAM does not count white space. Roles of composites have one policy each.
fn policy_size(settings: &Settings) -> Option<Fault> {
    let help = "Use fewer `reads`, `writes`, `sends_to`, `invokes` and `launches`, or split the composite.";
    at_most(10_240, json_length(settings, "policy"), "characters in the policies of a role", "IAM", help)
}
