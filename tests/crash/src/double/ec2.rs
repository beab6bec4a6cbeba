//! EC2: two predefined VPCs, and security groups.

mod network;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use network::{VPCS, describe_subnets, describe_vpcs, vpc};

use super::{
    ACCOUNT, Answer, Cloud, Item, Refusal, Tags, pair_list, refuse, tag_pairs, text, text_list, unknown,
};

#[derive(Clone, Debug)]
pub(super) struct State {
    /// By id.
    groups: BTreeMap<String, Group>,
}

#[derive(Clone, Debug)]
struct Group {
    name: String,
    description: String,
    vpc: String,
    ingress: BTreeSet<Rule>,
    tags: Tags,
}

/// An ingress rule for one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    protocol: String,
    /// The first and the last port; empty if the protocol has no ports.
    ports: (String, String),
    /// The index in [`SOURCES`].
    kind: usize,
    source: String,
}

/// The types of sources: the list and its member, in requests and in answers. The list of groups has another
/// name in the SDKs than in requests.
const SOURCES: [(&str, &str, &str, &str); 4] = [
    ("IpRanges", "CidrIp", "ipRanges", "cidrIp"),
    ("Ipv6Ranges", "CidrIpv6", "ipv6Ranges", "cidrIpv6"),
    ("Groups", "GroupId", "groups", "groupId"),
    ("PrefixListIds", "PrefixListId", "prefixListIds", "prefixListId"),
];
/// The index of groups in [`SOURCES`].
const GROUPS: usize = 2;

/// The name of the default group of a VPC, which cannot be deleted.
const DEFAULT: &str = "default";

impl Default for State {
    fn default() -> Self {
        let groups = VPCS.iter().map(|vpc| {
            let group = Group {
                name: DEFAULT.to_owned(),
                description: "default VPC security group".to_owned(),
                vpc: vpc.id.to_owned(),
                ingress: BTreeSet::new(),
                tags: Tags::new(),
            };
            (vpc.group.to_owned(), group)
        });
        Self { groups: groups.collect() }
    }
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let made = self.groups.values().filter(|group| group.name != DEFAULT);
        let items = made.map(|group| Item {
            kind: "security group",
            name: group.full_name(),
            tags: Some(group.tags.clone()),
            settings: json!({
                "groupDescription": group.description,
                "vpcId": group.vpc,
                "ipPermissions": permissions(&group.ingress),
            }),
        });
        items.collect()
    }

    /// The names of groups, by their ids.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        let made = self.groups.iter().filter(|(_, group)| group.name != DEFAULT);
        made.map(|(id, group)| (id.clone(), group.full_name())).collect()
    }
}

impl Group {
    fn full_name(&self) -> String {
        format!("{}:{}", self.vpc, self.name)
    }
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    if let Some(missing) = required(operation).iter().find(|member| input[**member].is_null()) {
        return refuse("MissingParameter", format!("The request must contain the parameter {missing}"));
    }
    match operation {
        "DescribeVpcs" => describe_vpcs(input),
        "DescribeSubnets" => describe_subnets(input),
        "CreateSecurityGroup" => create(cloud, input),
        "DescribeSecurityGroups" => describe(cloud, input),
        "DeleteSecurityGroup" => delete(cloud, input),
        "AuthorizeSecurityGroupIngress" => authorize(cloud, input),
        "RevokeSecurityGroupIngress" => revoke(cloud, input),
        "CreateTags" => create_tags(cloud, input),
        "DeleteTags" => delete_tags(cloud, input),
        other => unknown("ec2", other),
    }
}

/// The required members of an operation.
fn required(operation: &str) -> &'static [&'static str] {
    match operation {
        "CreateSecurityGroup" => &["GroupName", "GroupDescription"],
        "DeleteSecurityGroup" => &["GroupId"],
        "AuthorizeSecurityGroupIngress" | "RevokeSecurityGroupIngress" => &["GroupId", "IpPermissions"],
        "CreateTags" => &["ResourceId", "Tag"],
        "DeleteTags" => &["ResourceId"],
        _ => &[],
    }
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse("InvalidParameterValue", message)
}

/// Returns true if an object matches all filters. `value` returns its value for the name of a filter.
fn passes(input: &Json, value: impl Fn(&str) -> Result<Option<String>, Refusal>) -> Result<bool, Refusal> {
    for filter in input["Filter"].as_array().into_iter().flatten() {
        let wanted = text_list(&filter["Value"]);
        // A star at the end matches any characters.
        let fits = |value: &str, wanted: &str| match wanted.strip_suffix('*') {
            Some(start) => value.starts_with(start),
            None => value == wanted,
        };
        let value = value(text(filter, "Name"))?;
        if value.is_none_or(|value| !wanted.iter().any(|wanted| fits(&value, wanted))) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn no_filter<T>(name: &str) -> Result<T, Refusal> {
    invalid(format!("The filter '{name}' is invalid"))
}

/// Returns true if the call lists ids, but not this one.
fn other_than(input: &Json, member: &str, id: &str) -> bool {
    let given = text_list(&input[member]);
    !given.is_empty() && !given.iter().any(|given| given == id)
}

fn no_group<T>(id: &str) -> Result<T, Refusal> {
    refuse("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

fn group<'a>(cloud: &'a mut Cloud, id: &str) -> Result<&'a mut Group, Refusal> {
    if !id.starts_with("sg-") {
        return refuse("InvalidGroupId.Malformed", format!("Invalid id: \"{id}\" (expecting \"sg-...\")"));
    }
    match cloud.ec2.groups.get_mut(id) {
        Some(group) => Ok(group),
        None => no_group(id),
    }
}

fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, description) = (text(input, "GroupName"), text(input, "GroupDescription"));
    let vpc = vpc(input["VpcId"].as_str().unwrap_or(VPCS[0].id))?.id;
    for (member, value) in [("GroupName", name), ("GroupDescription", description)] {
        let allowed = |character: char| {
            character.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(character)
        };
        if value.is_empty() || value.len() > 255 || !value.chars().all(allowed) {
            return invalid(format!("Value ({value}) for parameter {member} is invalid"));
        }
    }
    if name.starts_with("sg-") {
        return invalid(format!(
            "Value ({name}) for parameter GroupName is invalid: it may not begin with sg-"
        ));
    }
    let tags = given_tags(&input["TagSpecification"])?;
    if cloud.ec2.groups.values().any(|group| group.vpc == vpc && group.name == name) {
        return refuse(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc}'"),
        );
    }
    let id = format!("sg-{:017x}", cloud.next());
    let answer = json!({ "return": true, "groupId": id, "tagSet": pair_list(&tags, "key", "value") });
    let group = Group {
        name: name.to_owned(),
        description: description.to_owned(),
        vpc: vpc.to_owned(),
        ingress: BTreeSet::new(),
        tags,
    };
    cloud.ec2.groups.insert(id, group);
    Ok(answer)
}

fn given_tags(specifications: &Json) -> Result<Tags, Refusal> {
    let mut tags = Tags::new();
    for specification in specifications.as_array().into_iter().flatten() {
        let kind = text(specification, "ResourceType");
        if kind != "security-group" {
            return invalid(format!("'{kind}' is not a valid taggable resource type for this operation."));
        }
        let given = tag_pairs(&specification["Tag"], "Key", "Value");
        if given.is_empty() {
            return invalid("Tag specification must have at least one tag");
        }
        tags.extend(given);
    }
    Ok(tags)
}

fn describe(cloud: &mut Cloud, input: &Json) -> Answer {
    for id in text_list(&input["GroupId"]) {
        group(cloud, &id)?;
    }
    let mut set = Vec::new();
    for (id, group) in &cloud.ec2.groups {
        let passes = passes(input, |name| match (name, name.strip_prefix("tag:")) {
            ("group-id", _) => Ok(Some(id.clone())),
            ("group-name", _) => Ok(Some(group.name.clone())),
            ("vpc-id", _) => Ok(Some(group.vpc.clone())),
            (_, Some(key)) => Ok(group.tags.get(key).cloned()),
            (other, None) => no_filter(other),
        })?;
        if passes && !other_than(input, "GroupId", id) {
            set.push(described(id, group));
        }
    }
    Ok(json!({ "securityGroupInfo": set }))
}

fn described(id: &str, group: &Group) -> Json {
    json!({
        "ownerId": ACCOUNT,
        "groupId": id,
        "groupName": group.name,
        "groupDescription": group.description,
        "vpcId": group.vpc,
        "ipPermissions": permissions(&group.ingress),
        "ipPermissionsEgress": [{ "ipProtocol": "-1", "ipRanges": [{ "cidrIp": "0.0.0.0/0" }] }],
        "tagSet": pair_list(&group.tags, "key", "value"),
    })
}

/// Rules in the form of an answer: one entry with all sources for each protocol and its ports.
fn permissions(rules: &BTreeSet<Rule>) -> Json {
    let mut by_ports: BTreeMap<_, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        by_ports.entry((&rule.protocol, &rule.ports)).or_default().push(rule);
    }
    let permissions = by_ports.into_iter().map(|((protocol, (from, to)), rules)| {
        let port = |port: &String| Some(port.clone()).filter(|port| !port.is_empty());
        let mut permission = json!({ "ipProtocol": protocol, "fromPort": port(from), "toPort": port(to) });
        for (kind, (_, _, set, member)) in SOURCES.iter().enumerate() {
            let sources = rules.iter().filter(|rule| rule.kind == kind);
            permission[*set] = sources.map(|rule| json!({ (*member): rule.source })).collect();
        }
        permission
    });
    permissions.collect()
}

fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    let id = text(input, "GroupId");
    let name = &group(cloud, id)?.name;
    if name == DEFAULT {
        return refuse(
            "CannotDelete",
            format!("the specified group: \"{id}\" name: \"{name}\" cannot be deleted by a user"),
        );
    }
    let names_it = |rule: &Rule| rule.kind == GROUPS && rule.source == id;
    let mut others = cloud.ec2.groups.iter().filter(|(other, _)| *other != id);
    if others.any(|(_, other)| other.ingress.iter().any(names_it)) {
        return refuse("DependencyViolation", format!("resource {id} has a dependent object"));
    }
    cloud.ec2.groups.remove(id);
    Ok(json!({ "return": true, "groupId": id }))
}

/// Converts a string or a number to a string.
fn plain(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.as_i64().map(|number| number.to_string()).unwrap_or_default(), Into::into)
}

/// The rules of a call, one per source.
fn rules(input: &Json) -> Result<BTreeSet<Rule>, Refusal> {
    let mut rules = BTreeSet::new();
    for permission in input["IpPermissions"].as_array().into_iter().flatten() {
        let known = |name: &str| {
            matches!(name, "IpProtocol" | "FromPort" | "ToPort")
                || SOURCES.iter().any(|(list, ..)| *list == name)
        };
        let mut members = permission.as_object().into_iter().flatten();
        if let Some((other, _)) = members.find(|(name, _)| !known(name)) {
            return refuse("UnknownParameter", format!("The parameter {other} is not recognized"));
        }
        let protocol = text(permission, "IpProtocol").to_owned();
        let ports = (plain(&permission["FromPort"]), plain(&permission["ToPort"]));
        if protocol.is_empty() {
            return refuse("MissingParameter", "The request must contain the parameter IpProtocol");
        }
        if matches!(protocol.as_str(), "tcp" | "udp") && (ports.0.is_empty() || ports.1.is_empty()) {
            return invalid(
                "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
            );
        }
        for (kind, (list, member, ..)) in SOURCES.iter().enumerate() {
            for source in permission[*list].as_array().into_iter().flatten() {
                let source = text(source, member).to_owned();
                rules.insert(Rule { protocol: protocol.clone(), ports: ports.clone(), kind, source });
            }
        }
    }
    Ok(rules)
}

fn authorize(cloud: &mut Cloud, input: &Json) -> Answer {
    let id = text(input, "GroupId");
    let rules = rules(input)?;
    for rule in rules.iter().filter(|rule| rule.kind == GROUPS) {
        group(cloud, &rule.source)?;
    }
    let group = group(cloud, id)?;
    if let Some(Rule { source, protocol, ports: (from, to), .. }) = group.ingress.intersection(&rules).next()
    {
        let protocol = protocol.to_uppercase();
        return refuse(
            "InvalidPermission.Duplicate",
            format!(
                "the specified rule \"peer: {source}, {protocol}, from port: {from}, to port: {to}, ALLOW\" \
                 already exists"
            ),
        );
    }
    group.ingress.extend(rules);
    Ok(json!({ "return": true }))
}

/// Removes rules. In the default VPC, a missing rule is not an error.
fn revoke(cloud: &mut Cloud, input: &Json) -> Answer {
    let rules = rules(input)?;
    let group = group(cloud, text(input, "GroupId"))?;
    let unknown: BTreeSet<Rule> = rules.difference(&group.ingress).cloned().collect();
    if !unknown.is_empty() && !vpc(&group.vpc)?.default {
        return refuse(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        );
    }
    group.ingress.retain(|rule| !rules.contains(rule));
    Ok(json!({ "return": true, "unknownIpPermissionSet": permissions(&unknown) }))
}

/// The groups of a call on tags. A missing group fails the call before any change.
fn tagged(cloud: &mut Cloud, input: &Json) -> Result<Vec<String>, Refusal> {
    let ids = text_list(&input["ResourceId"]);
    for id in &ids {
        if !id.starts_with("sg-") {
            return refuse("InvalidID", format!("The ID '{id}' is not valid"));
        }
        group(cloud, id)?;
    }
    Ok(ids)
}

fn create_tags(cloud: &mut Cloud, input: &Json) -> Answer {
    let tags = tag_pairs(&input["Tag"], "Key", "Value");
    for id in tagged(cloud, input)? {
        group(cloud, &id)?.tags.extend(tags.clone());
    }
    Ok(json!({ "return": true }))
}

/// Deletes tags by key, or by key and value if a value is given. Without tags, all are deleted.
fn delete_tags(cloud: &mut Cloud, input: &Json) -> Answer {
    let given = input["Tag"].as_array().map(Vec::as_slice).unwrap_or_default();
    let meant = |key: &str, value: &str| {
        let named =
            |tag: &Json| text(tag, "Key") == key && (tag["Value"].is_null() || text(tag, "Value") == value);
        given.is_empty() || given.iter().any(named)
    };
    for id in tagged(cloud, input)? {
        group(cloud, &id)?.tags.retain(|key, value| !meant(key, value));
    }
    Ok(json!({ "return": true }))
}
