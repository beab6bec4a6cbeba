//! The actions that calls need, and their resources.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Need;
use super::reference::Action;
use crate::call::Call;

/// The place of calls.
#[derive(Clone, Debug)]
pub struct Place {
    /// The region.
    pub region: String,
    /// The account.
    pub account: String,
}

/// Operations whose action has another name, and no page of its own in the Reference. Source: the section "Permissions"
/// of each operation in the API reference of S3.
const OTHER_ACTIONS: &[(&str, &str, &str)] = &[
    ("s3", "DeleteBucketCors", "PutBucketCORS"),
    ("s3", "DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("s3", "DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("s3", "DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
    ("s3", "DeleteObjects", "DeleteObject"),
    ("s3", "DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("s3", "GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("s3", "GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("s3", "HeadBucket", "ListBucket"),
    ("s3", "PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("s3", "PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
];

/// The members that name a resource, by service and type of the resource: its ARN, its URL or its name.
const MEMBERS: &[(&str, &str, &[&str])] = &[
    ("cloudwatch", "alarm", &["AlarmName", "AlarmNames", "ResourceARN"]),
    ("dynamodb", "table", &["TableName", "ResourceArn"]),
    ("ec2", "security-group", &["GroupId", "ResourceId", "Resources"]),
    ("ec2", "vpc", &["VpcId"]),
    ("ecr", "repository", &["repositoryName", "repositoryNames", "resourceArn"]),
    ("ecs", "cluster", &["cluster", "clusterName", "clusters", "resourceArn"]),
    ("ecs", "task-definition", &["taskDefinition", "taskDefinitions", "family", "resourceArn"]),
    ("events", "event-bus", &["Name", "EventBusName", "ResourceARN"]),
    ("kinesis", "stream", &["StreamName", "StreamARN", "ResourceARN"]),
    ("kinesis", "kmsKey", &["KeyId"]),
    ("lambda", "function", &["FunctionName", "Resource"]),
    ("lambda", "eventSourceMapping", &["UUID", "Resource"]),
    ("logs", "log-group", &["logGroupName", "resourceArn"]),
    ("s3", "bucket", &["Bucket"]),
    ("scheduler", "schedule-group", &["GroupName", "ResourceArn", "Name"]),
    ("sns", "topic", &["TopicArn", "ResourceArn", "Name", "SubscriptionArn"]),
    ("sqs", "queue", &["QueueName", "QueueUrl"]),
    ("states", "statemachine", &["stateMachineArn", "resourceArn", "name"]),
];

/// The action that a create call with tags also needs, where it is not `TagResource`.
const TAGGING: &[(&str, &str)] =
    &[("ec2", "CreateTags"), ("iam", "TagRole"), ("kinesis", "AddTagsToStream"), ("sqs", "TagQueue")];

/// Members with the ARN of a role that a service assumes later.
const ROLES: &[&str] =
    &["Role", "RoleArn", "roleArn", "executionRoleArn", "taskRoleArn", "CredentialsArn", "credentialsArn"];

pub(super) fn of(calls: &[Call], place: &Place) -> Vec<Need> {
    let mut paths: BTreeMap<&str, &str> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.operation == "CreateRole") {
        if let (Some(name), Some(path)) = (call.input["RoleName"].as_str(), call.input["Path"].as_str()) {
            paths.insert(name, path);
        }
    }
    let mut needs: Vec<Need> = calls.iter().flat_map(|call| of_one(call, place, &paths)).collect();
    needs.sort();
    needs.dedup();
    needs
}

fn of_one(call: &Call, place: &Place, paths: &BTreeMap<&str, &str>) -> Vec<Need> {
    let prefix = if call.service == "monitoring" { "cloudwatch" } else { &call.service };
    let mut needs = Vec::new();
    if prefix == "sts" {
        // sts:GetCallerIdentity needs no permission.
        return needs;
    }
    if prefix == "apigateway" {
        // The actions of HTTP APIs are methods, and their resources are paths.
        let path = call.path.trim_start_matches("/v2");
        let resource = format!("arn:aws:apigateway:{}::{path}", place.region);
        needs.push(Need { action: format!("apigateway:{}", call.method), resource });
    } else {
        let Some(action) = action(prefix, &call.operation) else {
            let action = format!("{prefix}:{}", call.operation);
            return vec![Need { action, resource: "no action of the Reference".to_owned() }];
        };
        let resources = resources(action, prefix, call, place, paths);
        if creates(call) && has_tags(&call.input) {
            let tagging = TAGGING.iter().find(|(service, _)| *service == prefix);
            let action = tagging.map_or("TagResource", |(_, action)| action);
            let tagged = match call.operation.as_str() {
                // The ids of these are not known before the call.
                "CreateEventSourceMapping" => arn_of_new("lambda", "event-source-mapping:any", place),
                "CreateSecurityGroup" => arn_of_new("ec2", "security-group/any", place),
                _ => resources[0].clone(),
            };
            needs.push(Need { action: format!("{prefix}:{action}"), resource: tagged });
        }
        let name = format!("{prefix}:{}", action.name);
        needs.extend(resources.into_iter().map(|resource| Need { action: name.clone(), resource }));
    }
    roles(&call.input, &mut |role| {
        needs.push(Need { action: "iam:PassRole".to_owned(), resource: role.to_owned() });
    });
    needs
}

fn action(prefix: &str, operation: &str) -> Option<Action> {
    let other = OTHER_ACTIONS.iter().find(|(service, of, _)| *service == prefix && *of == operation);
    let name = other.map_or(operation, |(_, _, name)| name);
    let named = Action::of_service(prefix).find(|action| action.name == name);
    named.or_else(|| Action::of_service(prefix).find(|action| action.is_of(operation)))
}

fn arn_of_new(prefix: &str, resource: &str, place: &Place) -> String {
    format!("arn:aws:{prefix}:{}:{}:{resource}", place.region, place.account)
}

fn creates(call: &Call) -> bool {
    ["Create", "Put", "Register"].iter().any(|verb| call.operation.starts_with(verb))
}

fn has_tags(input: &Json) -> bool {
    let is_filled = |value: &Json| match value {
        Json::Array(items) => !items.is_empty(),
        Json::Object(entries) => !entries.is_empty(),
        _ => false,
    };
    ["Tags", "tags", "TagSpecifications"].iter().any(|name| is_filled(&input[*name]))
        || is_filled(&input["CreateBucketConfiguration"]["Tags"])
}

/// The resources of an action in a call. A resource that the call does not name has `any` in place of its name.
fn resources(
    action: Action,
    prefix: &str,
    call: &Call,
    place: &Place,
    paths: &BTreeMap<&str, &str>,
) -> Vec<String> {
    let named = |ty: &str| -> Vec<String> { named(action, prefix, ty, call, place, paths) };
    let types: Vec<(&str, bool)> = action.types().collect();
    let mut found = Vec::new();
    for (ty, required) in &types {
        let own = named(ty);
        // Keys of AWS are named by an alias, and every caller may use them.
        if own.is_empty() && *required && *ty != "kmsKey" {
            found.push(filled(action.arn(ty).unwrap_or("*"), "any", place));
        }
        // The tags of several kinds are read with one action: the ARN of the call tells the kind.
        let fits = |arn: &String| action.arn(ty).is_some_and(|pattern| same_kind(pattern, arn));
        found.extend(own.into_iter().filter(fits));
    }
    if found.is_empty() {
        found.push("*".to_owned());
    }
    found
}

/// Returns true if an ARN has the service and the kind of resource of a pattern.
fn same_kind(pattern: &str, arn: &str) -> bool {
    let start = |text: &str| -> Vec<String> {
        let mut parts = text.splitn(6, ':').map(ToOwned::to_owned);
        let service = parts.nth(2).unwrap_or_default();
        let rest = parts.nth(2).unwrap_or_default();
        let kind = rest.split(['/', ':']).next().unwrap_or_default().to_owned();
        vec![service, kind]
    };
    let (pattern, arn) = (start(pattern), start(arn));
    pattern[0] == arn[0] && (pattern[1].contains("${") || pattern[1] == arn[1])
}

fn named(
    action: Action,
    prefix: &str,
    ty: &str,
    call: &Call,
    place: &Place,
    paths: &BTreeMap<&str, &str>,
) -> Vec<String> {
    let input = &call.input;
    let text = |name: &str| input[name].as_str();
    let arn = |rest: &str| format!("arn:aws:{prefix}:{}:{}:{rest}", place.region, place.account);
    match (prefix, ty) {
        ("iam", "role") => {
            let Some(name) = text("RoleName") else { return Vec::new() };
            let path = paths.get(name).unwrap_or(&"/");
            return vec![format!("arn:aws:iam::{}:role{path}{name}", place.account)];
        }
        ("s3", "object") => {
            let Some(bucket) = text("Bucket") else { return Vec::new() };
            return vec![format!("arn:aws:s3:::{bucket}/{}", text("Key").unwrap_or("any"))];
        }
        ("scheduler", "schedule") => {
            let Some(name) = text("Name") else { return Vec::new() };
            return vec![arn(&format!("schedule/{}/{name}", text("GroupName").unwrap_or("default")))];
        }
        ("events", "rule-on-default-event-bus" | "rule-on-custom-event-bus" | "rule") => {
            if let Some(given) = text("ResourceARN") {
                return vec![given.to_owned()];
            }
            let Some(name) = text("Rule").or(text("Name")) else { return Vec::new() };
            let bus = text("EventBusName").map(|bus| bus.rsplit('/').next().unwrap_or(bus));
            let custom = bus.filter(|bus| *bus != "default");
            return match (custom, ty) {
                (None, "rule-on-custom-event-bus") | (Some(_), "rule-on-default-event-bus") => Vec::new(),
                (None, _) => vec![arn(&format!("rule/{name}"))],
                (Some(bus), _) => vec![arn(&format!("rule/{bus}/{name}"))],
            };
        }
        _ => {}
    }
    let members = MEMBERS.iter().find(|(service, of, _)| *service == prefix && *of == ty);
    let Some(pattern) = action.arn(ty) else { return Vec::new() };
    let values =
        members.into_iter().flat_map(|(_, _, members)| *members).flat_map(|name| values(&input[*name]));
    let resource = |value: &str| match value.strip_prefix("arn:") {
        // The ARN of a subscription continues that of its topic.
        Some(rest) if ty == "topic" => {
            format!("arn:{}", rest.splitn(6, ':').take(5).collect::<Vec<_>>().join(":"))
        }
        Some(_) => value.to_owned(),
        // The last part of the URL of a queue is its name.
        None if value.starts_with("http") => {
            filled(pattern, value.rsplit('/').next().unwrap_or(value), place)
        }
        None => filled(pattern, value, place),
    };
    // An alias is no resource.
    values.filter(|value| !value.starts_with("alias/")).map(resource).collect()
}

/// A string, or the strings of a list.
fn values(value: &Json) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Json::as_str).chain(value.as_str())
}

/// The ARN of a pattern: with the place, and the name for other variables.
fn filled(pattern: &str, name: &str, place: &Place) -> String {
    let mut parts = pattern.split("${");
    let mut arn = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap_or((part, ""));
        arn.push_str(match variable {
            "Partition" => "aws",
            "Region" => &place.region,
            "Account" => &place.account,
            _ => name,
        });
        arn.push_str(rest);
    }
    arn
}

/// The roles that a call passes to a service.
fn roles(value: &Json, found: &mut impl FnMut(&str)) {
    match value {
        Json::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(role) if ROLES.contains(&name.as_str()) && role.contains(":role/") => found(role),
                    _ => roles(value, found),
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| roles(item, found)),
        _ => {}
    }
}
