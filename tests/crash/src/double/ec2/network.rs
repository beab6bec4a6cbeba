//! Predefined VPCs and their subnets.

use serde_json::{Value as Json, json};

use super::super::{ACCOUNT, Answer, Refusal, refuse, text_list};
use super::{no_filter, other_than, passes};

pub(super) struct Vpc {
    pub(super) id: &'static str,
    block: &'static str,
    pub(super) default: bool,
    /// The id of its default security group.
    pub(super) group: &'static str,
}

pub(super) static VPCS: [Vpc; 2] = [
    Vpc { id: "vpc-default", block: "172.31.0.0/16", default: true, group: "sg-f0000000000000001" },
    Vpc { id: "vpc-other", block: "10.0.0.0/16", default: false, group: "sg-f0000000000000002" },
];

/// Subnets, the VPC of each, and whether AWS made it as the default of its zone.
const SUBNETS: [(&str, &str, bool); 4] = [
    ("subnet-1", "vpc-default", true),
    ("subnet-2", "vpc-default", true),
    ("subnet-3", "vpc-other", false),
    // One that a user added: no container may start in it unasked.
    ("subnet-4", "vpc-default", false),
];

pub(super) fn describe_vpcs(input: &Json) -> Answer {
    for id in text_list(&input["VpcId"]) {
        vpc(&id)?;
    }
    let mut set = Vec::new();
    for vpc in &VPCS {
        let passes = passes(input, |name| match name {
            "vpc-id" => Ok(Some(vpc.id.to_owned())),
            "is-default" | "isDefault" => Ok(Some(vpc.default.to_string())),
            other => no_filter(other),
        })?;
        if passes && !other_than(input, "VpcId", vpc.id) {
            set.push(json!({
                "vpcId": vpc.id,
                "ownerId": ACCOUNT,
                "state": "available",
                "cidrBlock": vpc.block,
                "isDefault": vpc.default,
            }));
        }
    }
    Ok(json!({ "vpcSet": set }))
}

pub(super) fn vpc(id: &str) -> Result<&'static Vpc, Refusal> {
    match VPCS.iter().find(|vpc| vpc.id == id) {
        Some(vpc) => Ok(vpc),
        None => refuse("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")),
    }
}

pub(super) fn describe_subnets(input: &Json) -> Answer {
    for id in text_list(&input["SubnetId"]) {
        if !SUBNETS.iter().any(|(subnet, ..)| *subnet == id) {
            return refuse("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"));
        }
    }
    let mut set = Vec::new();
    for (id, vpc, default) in SUBNETS {
        let passes = passes(input, |name| match name {
            "subnet-id" => Ok(Some(id.to_owned())),
            "vpc-id" => Ok(Some(vpc.to_owned())),
            "default-for-az" => Ok(Some(default.to_string())),
            other => no_filter(other),
        })?;
        if passes && !other_than(input, "SubnetId", id) {
            set.push(json!({ "subnetId": id, "vpcId": vpc, "ownerId": ACCOUNT, "state": "available" }));
        }
    }
    Ok(json!({ "subnetSet": set }))
}
