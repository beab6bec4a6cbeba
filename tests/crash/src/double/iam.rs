//! IAM: roles, and the policies on them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

use super::{
    ACCOUNT, Answer, Cloud, Item, Refusal, TagForm, Tags, last, parsed, refuse, refuse_with, text, unknown,
};

const TAGS: TagForm = TagForm::pairs("Tags", "TagKeys", "Key", "Value");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) roles: BTreeMap<String, Role>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) created: Duration,
    /// The services that can assume it, and the time since which the trust policy names each. An edit that
    /// keeps a service does not reset its time.
    pub(super) trusts: BTreeMap<String, Duration>,
    /// Its inline policies by name: the document, and the time of its last change.
    pub(super) policies: BTreeMap<String, (String, Duration)>,
    id: String,
    name: String,
    path: String,
    description: String,
    trust_policy: String,
    session: u32,
    boundary: Option<String>,
    /// ARNs of managed policies.
    attached: BTreeSet<String>,
    tags: Tags,
}

/// The default maximum session duration, in seconds.
const SESSION: u32 = 3600;
/// The maximum size of an inline policy, in bytes.
const POLICY_SIZE: usize = 10_240;

/// The characters that IAM percent-encodes in the documents that it returns.
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, role) in &self.roles {
            let (tags, settings) = (Some(role.tags.clone()), role.settings());
            items.push(Item { kind: "role", name: name.clone(), tags, settings });
            let child = |kind, child: &String, settings| {
                let name = format!("{name}:{child}");
                Item { kind, name, tags: None, settings }
            };
            let policies = role.policies.iter();
            items.extend(
                policies.map(|(policy, (document, _))| child("role policy", policy, parsed(document))),
            );
            items.extend(role.attached.iter().map(|arn| child("attached role policy", arn, Json::Null)));
        }
        items
    }
}

impl Role {
    /// The settings that the client chose.
    fn settings(&self) -> Json {
        json!({
            "Path": self.path,
            "AssumeRolePolicyDocument": parsed(&self.trust_policy),
            "Description": self.description,
            "MaxSessionDuration": self.session,
            "PermissionsBoundary": self.boundary,
        })
    }

    /// Its entry in the answer of ListRoles.
    fn listed(&self) -> Json {
        json!({
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": self.id,
            "Arn": self.arn,
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": encoded(&self.trust_policy),
            "Description": Some(&self.description).filter(|text| !text.is_empty()),
            "MaxSessionDuration": self.session,
        })
    }

    /// The answer of GetRole.
    fn described(&self) -> Json {
        let mut role = self.listed();
        role["Tags"] = TAGS.shown(&self.tags);
        if let Some(arn) = &self.boundary {
            role["PermissionsBoundary"] =
                json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn });
        }
        role
    }

    fn trust(&mut self, text: &str, document: &Json, now: Duration) {
        let named = statements(document)
            .filter(|statement| statement["Effect"] == "Allow" && acts(statement, "sts:AssumeRole"))
            .flat_map(|statement| one_or_many(&statement["Principal"]["Service"]));
        self.trusts = named
            .map(|service| (service.to_owned(), self.trusts.get(service).copied().unwrap_or(now)))
            .collect();
        text.clone_into(&mut self.trust_policy);
    }
}

/// Returns true if a service can assume a role, and the trust policy has taken effect.
pub(super) fn assumable(cloud: &Cloud, role_arn: &str, service: &str) -> bool {
    by_arn(cloud, role_arn).is_some_and(|role| {
        let trusted = role.trusts.get(service);
        cloud.settled(role.created) && trusted.is_some_and(|since| cloud.settled(*since))
    })
}

/// Returns true if an inline policy of a role allows an action on any resource, and has taken effect.
pub(super) fn allows(cloud: &Cloud, role_arn: &str, action: &str) -> bool {
    let policies = by_arn(cloud, role_arn).into_iter().flat_map(|role| role.policies.values());
    let mut documents = policies
        .filter(|(_, put)| cloud.settled(*put))
        .filter_map(|(document, _)| serde_json::from_str::<Json>(document).ok());
    documents.any(|document| {
        statements(&document).any(|statement| statement["Effect"] == "Allow" && acts(statement, action))
    })
}

fn by_arn<'a>(cloud: &'a Cloud, arn: &str) -> Option<&'a Role> {
    cloud.iam.roles.values().find(|role| role.arn == arn)
}

/// Returns true if a statement covers an action: by name, by the wildcard of its service, or by `*`.
fn acts(statement: &Json, action: &str) -> bool {
    let service = action.split_once(':').map_or(action, |(service, _)| service);
    let all = format!("{service}:*");
    one_or_many(&statement["Action"])
        .any(|named| named == "*" || named.eq_ignore_ascii_case(action) || named.eq_ignore_ascii_case(&all))
}

/// The statements of a document, given as a list or as one object.
fn statements(document: &Json) -> impl Iterator<Item = &Json> {
    let statement = &document["Statement"];
    let one = Some(statement).filter(|statement| statement.is_object());
    one.into_iter().chain(statement.as_array().into_iter().flatten())
}

/// The strings of a list, or a single string.
fn one_or_many(value: &Json) -> impl Iterator<Item = &str> {
    value.as_str().into_iter().chain(value.as_array().into_iter().flatten().filter_map(Json::as_str))
}

fn encoded(document: &str) -> String {
    utf8_percent_encode(document, DOCUMENT).to_string()
}

/// A required member of a call.
fn required<'a>(input: &'a Json, member: &str) -> Result<&'a str, Refusal> {
    match text(input, member) {
        "" => {
            let (first, rest) = member.split_at(1);
            let member = first.to_ascii_lowercase() + rest;
            refuse(
                "ValidationError",
                format!(
                    "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
                     Member must not be null"
                ),
            )
        }
        given => Ok(given),
    }
}

/// Parses and checks a policy document. `resource` is false for a trust policy, whose statements must not
/// have resources.
fn document(text: &str, resource: bool) -> Result<Json, Refusal> {
    let malformed = |message: &str| refuse("MalformedPolicyDocument", message);
    let Ok(document) = serde_json::from_str::<Json>(text) else {
        return malformed("This policy contains invalid Json");
    };
    if statements(&document).next().is_none() {
        return malformed("Syntax errors in policy.");
    }
    for statement in statements(&document) {
        let about = !statement["Resource"].is_null() || !statement["NotResource"].is_null();
        match (about, resource) {
            (true, false) => return malformed("Has prohibited field Resource"),
            (false, true) => return malformed("Policy statement must contain resources."),
            _ => {}
        }
        if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
            return malformed("Syntax errors in policy.");
        }
        if one_or_many(&statement["Action"]).next().is_none() && statement["NotAction"].is_null() {
            return malformed("Policy statement must contain actions.");
        }
    }
    Ok(document)
}

/// Checks the ARN of a managed policy. The double treats all managed policies as existing.
fn managed(arn: &str) -> Result<&str, Refusal> {
    if arn.starts_with("arn:aws:iam::") && arn.contains(":policy/") {
        return Ok(arn);
    }
    refuse("InvalidInput", format!("ARN {arn} is not valid."))
}

fn missing<T>(message: String) -> Result<T, Refusal> {
    refuse_with(404, "NoSuchEntity", message)
}

fn role<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Role, Refusal> {
    let name = required(input, "RoleName")?;
    match cloud.iam.roles.get_mut(name) {
        Some(role) => Ok(role),
        None => missing(format!("The role with name {name} cannot be found.")),
    }
}

fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = required(input, "RoleName")?.to_owned();
    let trust_policy = required(input, "AssumeRolePolicyDocument")?;
    if name.len() > 64 {
        return refuse(
            "ValidationError",
            format!(
                "1 validation error detected: Value '{name}' at 'roleName' failed to satisfy constraint: \
                 Member must have length less than or equal to 64"
            ),
        );
    }
    let path = if text(input, "Path").is_empty() { "/" } else { text(input, "Path") };
    if !path.starts_with('/') || !path.ends_with('/') {
        return refuse(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain only \
             alphanumeric characters and/or / characters.",
        );
    }
    let trusted = document(trust_policy, false)?;
    let boundary = Some(text(input, "PermissionsBoundary")).filter(|arn| !arn.is_empty());
    let boundary = boundary.map(managed).transpose()?.map(ToOwned::to_owned);
    // Names of roles are unique, regardless of case and path.
    if cloud.iam.roles.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
        return refuse_with(409, "EntityAlreadyExists", format!("Role with name {name} already exists."));
    }
    let mut role = Role {
        arn: format!("arn:aws:iam::{ACCOUNT}:role{path}{name}"),
        created: cloud.now,
        id: format!("AROA{:017}", cloud.next()),
        name: name.clone(),
        path: path.to_owned(),
        description: text(input, "Description").to_owned(),
        session: session(input),
        boundary,
        tags: TAGS.given(input),
        ..Role::default()
    };
    role.trust(trust_policy, &trusted, cloud.now);
    let answer = json!({ "Role": role.described() });
    cloud.iam.roles.insert(name, role);
    Ok(answer)
}

fn session(input: &Json) -> u32 {
    text(input, "MaxSessionDuration").parse().unwrap_or(SESSION)
}

fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    let role = role(cloud, input)?;
    let name = role.name.clone();
    if !role.policies.is_empty() {
        return refuse_with(409, "DeleteConflict", "Cannot delete entity, must delete policies first.");
    }
    if !role.attached.is_empty() {
        return refuse_with(409, "DeleteConflict", "Cannot delete entity, must detach all policies first.");
    }
    cloud.iam.roles.remove(&name);
    Ok(json!({}))
}

fn put_policy(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    let role = role(cloud, input)?;
    let (name, policy) = (required(input, "PolicyName")?, required(input, "PolicyDocument")?);
    document(policy, true)?;
    if policy.len() > POLICY_SIZE {
        return refuse_with(
            409,
            "LimitExceeded",
            format!("Maximum policy size of {POLICY_SIZE} bytes exceeded for role {}", role.name),
        );
    }
    // The same document again has taken effect already.
    if role.policies.get(name).is_none_or(|(known, _)| known != policy) {
        role.policies.insert(name.to_owned(), (policy.to_owned(), now));
    }
    Ok(json!({}))
}

fn get_policy(cloud: &mut Cloud, input: &Json) -> Answer {
    let role = role(cloud, input)?;
    let name = required(input, "PolicyName")?;
    match role.policies.get(name) {
        Some((document, _)) => Ok(json!({
            "RoleName": role.name,
            "PolicyName": name,
            "PolicyDocument": encoded(document),
        })),
        None => no_policy(name),
    }
}

fn no_policy(name: &str) -> Answer {
    missing(format!("The role policy with name {name} cannot be found."))
}

fn list(cloud: &Cloud, input: &Json) -> Json {
    let prefix = text(input, "PathPrefix");
    let roles = cloud.iam.roles.values().filter(|role| role.path.starts_with(prefix));
    json!({ "Roles": roles.map(Role::listed).collect::<Vec<_>>(), "IsTruncated": false })
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let now = cloud.now;
    match operation {
        "CreateRole" => create(cloud, input),
        "GetRole" => Ok(json!({ "Role": role(cloud, input)?.described() })),
        "ListRoles" => Ok(list(cloud, input)),
        "DeleteRole" => delete(cloud, input),
        "UpdateRole" => {
            let role = role(cloud, input)?;
            role.session = session(input);
            if let Some(description) = input["Description"].as_str() {
                description.clone_into(&mut role.description);
            }
            Ok(json!({}))
        }
        "UpdateAssumeRolePolicy" => {
            let role = role(cloud, input)?;
            let trust_policy = required(input, "PolicyDocument")?;
            role.trust(trust_policy, &document(trust_policy, false)?, now);
            Ok(json!({}))
        }
        "PutRolePermissionsBoundary" => {
            let role = role(cloud, input)?;
            role.boundary = Some(managed(required(input, "PermissionsBoundary")?)?.to_owned());
            Ok(json!({}))
        }
        "DeleteRolePermissionsBoundary" => {
            role(cloud, input)?.boundary = None;
            Ok(json!({}))
        }
        "TagRole" => Ok(TAGS.add(&mut role(cloud, input)?.tags, input)),
        "UntagRole" => Ok(TAGS.remove(&mut role(cloud, input)?.tags, input)),
        "ListRoleTags" => {
            let tags = TAGS.shown(&role(cloud, input)?.tags);
            Ok(json!({ "Tags": tags, "IsTruncated": false }))
        }
        "PutRolePolicy" => put_policy(cloud, input),
        "GetRolePolicy" => get_policy(cloud, input),
        "DeleteRolePolicy" => {
            let role = role(cloud, input)?;
            let name = required(input, "PolicyName")?;
            if role.policies.remove(name).is_some() { Ok(json!({})) } else { no_policy(name) }
        }
        "ListRolePolicies" => {
            let names: Vec<&String> = role(cloud, input)?.policies.keys().collect();
            Ok(json!({ "PolicyNames": names, "IsTruncated": false }))
        }
        "AttachRolePolicy" => {
            let role = role(cloud, input)?;
            role.attached.insert(managed(required(input, "PolicyArn")?)?.to_owned());
            Ok(json!({}))
        }
        "DetachRolePolicy" => {
            let role = role(cloud, input)?;
            let arn = required(input, "PolicyArn")?;
            if role.attached.remove(arn) {
                return Ok(json!({}));
            }
            missing(format!("Policy {arn} was not found."))
        }
        "ListAttachedRolePolicies" => {
            let attached = role(cloud, input)?.attached.iter();
            let policies = attached.map(|arn| json!({ "PolicyName": last(arn), "PolicyArn": arn }));
            Ok(json!({ "AttachedPolicies": policies.collect::<Vec<_>>(), "IsTruncated": false }))
        }
        other => unknown("iam", other),
    }
}
