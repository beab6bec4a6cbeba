//! EC2.

use crate::composite::Settings;
use crate::kind::declare::{Text, Texts, kind};
use crate::kind::documented::{Fault, documented, text};
use crate::kind::place::constant;
use crate::kind::{Form, access};

kind! {
    /// A security group without inbound rules. All outbound traffic is allowed.
    SecurityGroup, SECURITY_GROUP {
        name: Text => immutable().sets("CreateSecurityGroup.GroupName").property("GroupName"),
        description: Text => immutable().sets("CreateSecurityGroup.Description").property("GroupDescription"),
        vpc_id: Text => immutable().sets("CreateSecurityGroup.VpcId").property("VpcId"),
        ingress: Texts => form(Form::Set).optional().nowhere().property(""),
    }
    name: "security_group",
    title: "security group",
    service: "ec2",
    cloudformation: Some("AWS::EC2::SecurityGroup"),
    id: None,
    attributes: &[("id", None)],
    tags: true,
    tags_member: Some("CreateSecurityGroup.TagSpecifications[].Tags"),
    access: &[
        access(
            "arn:{partition}:ec2:{region}:{account}:security-group/*",
            &[
                "ec2:CreateSecurityGroup",
                "ec2:CreateTags",
                "ec2:DeleteSecurityGroup",
                "ec2:DeleteTags",
                "ec2:RevokeSecurityGroupIngress",
            ],
        ),
        access("arn:{partition}:ec2:{region}:{account}:vpc/{vpc_id}", &["ec2:CreateSecurityGroup"]),
        access("*", &["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"]),
        access("*", &["ec2:DescribeSecurityGroups"]).to_sweep(),
    ],
    beside: &[
        constant("egress.description", "\"Everything may go out\""),
        constant("egress.from_port", "0"),
        constant("egress.to_port", "0"),
        constant("egress.protocol", "\"-1\""),
        constant("egress.cidr_blocks", "[\"0.0.0.0/0\"]"),
    ],
    documented: &[
        documented(&["name"], reserved_name, "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html"),
    ],
}

/// Checks that EC2 does not reserve the name of a security group.
fn reserved_name(settings: &Settings) -> Option<Fault> {
    let name = text(settings, "name");
    name.starts_with("sg-").then(|| Fault {
        fault: format!("the name `{name}` begins with `sg-`, which EC2 reserves for ids"),
        help: "Choose another `project`.",
    })
}
