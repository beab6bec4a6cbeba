//! CloudWatch Logs: log groups, without log events.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, refuse, text, unknown};

const TAGS: TagForm = TagForm::map("tags", "tagKeys");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) groups: BTreeMap<String, Group>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// The retention of events, in days; `None` keeps them forever.
    retention: Option<u64>,
    key: Option<String>,
    tags: Tags,
}

/// The allowed retentions, in days.
const RETENTIONS: [u64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
/// The number of groups in one answer of DescribeLogGroups.
const PAGE: usize = 50;

/// The ARN in the form that calls on tags accept.
fn arn(name: &str) -> String {
    format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}")
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let groups = self.groups.iter();
        groups
            .map(|(name, group)| Item {
                kind: "log group",
                name: name.clone(),
                tags: Some(group.tags.clone()),
                settings: json!({ "retentionInDays": group.retention, "kmsKeyId": group.key }),
            })
            .collect()
    }
}

/// Refuses a member that is missing or invalid.
fn invalid<T>(member: &str, value: &str) -> Result<T, Refusal> {
    let message =
        format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint");
    refuse("InvalidParameterException", message)
}

/// The name of the group of a call.
fn name(input: &Json) -> Result<&str, Refusal> {
    let name = text(input, "logGroupName");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte);
    if (1..=512).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    invalid("logGroupName", name)
}

/// The KMS key of a group. It is required.
fn key(input: &Json) -> Result<String, Refusal> {
    match text(input, "kmsKeyId") {
        "" => invalid("kmsKeyId", ""),
        key => Ok(key.to_owned()),
    }
}

fn named<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Group, Refusal> {
    match cloud.logs.groups.get_mut(name) {
        Some(group) => Ok(group),
        None => refuse("ResourceNotFoundException", "The specified log group does not exist."),
    }
}

fn group<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Group, Refusal> {
    named(cloud, name(input)?)
}

/// The group of a call on tags. Its ARN must not end in `:*`, unlike the one in DescribeLogGroups.
fn tagged<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Group, Refusal> {
    match text(input, "resourceArn").strip_prefix(&arn("")) {
        Some(name) if !name.is_empty() && !name.contains(':') => named(cloud, name),
        _ => refuse("ValidationException", "Invalid resourceArn"),
    }
}

/// The groups with a prefix, in pages. The token of a page is its last name.
fn describe(cloud: &Cloud, prefix: &str, token: &str) -> Json {
    let groups = cloud.logs.groups.iter();
    let groups = groups.filter(|(name, _)| name.starts_with(prefix) && name.as_str() > token);
    let mut page: Vec<_> = groups.take(PAGE + 1).collect();
    let more = page.len() > PAGE;
    page.truncate(PAGE);
    let next = page.last().filter(|_| more).map(|(name, _)| name);
    let described = page.iter().map(|(name, group)| {
        json!({
            "logGroupName": name,
            "arn": format!("{}:*", arn(name)),
            "logGroupArn": arn(name),
            "logGroupClass": "STANDARD",
            "retentionInDays": group.retention,
            "kmsKeyId": group.key,
        })
    });
    json!({ "logGroups": described.collect::<Vec<_>>(), "nextToken": next })
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    match operation {
        "CreateLogGroup" => {
            let name = name(input)?;
            if cloud.logs.groups.contains_key(name) {
                return refuse("ResourceAlreadyExistsException", "The specified log group already exists");
            }
            let key = input["kmsKeyId"].as_str().map(ToOwned::to_owned);
            let group = Group { retention: None, key, tags: TAGS.given(input) };
            cloud.logs.groups.insert(name.to_owned(), group);
            Ok(json!({}))
        }
        "DescribeLogGroups" => {
            Ok(describe(cloud, text(input, "logGroupNamePrefix"), text(input, "nextToken")))
        }
        "PutRetentionPolicy" => {
            let days = &input["retentionInDays"];
            let Some(days) = days.as_u64().filter(|days| RETENTIONS.contains(days)) else {
                return invalid("retentionInDays", &days.to_string());
            };
            group(cloud, input)?.retention = Some(days);
            Ok(json!({}))
        }
        "DeleteRetentionPolicy" => {
            group(cloud, input)?.retention = None;
            Ok(json!({}))
        }
        "AssociateKmsKey" => {
            group(cloud, input)?.key = Some(key(input)?);
            Ok(json!({}))
        }
        "DisassociateKmsKey" => {
            group(cloud, input)?.key = None;
            Ok(json!({}))
        }
        "DeleteLogGroup" => {
            group(cloud, input)?;
            cloud.logs.groups.remove(name(input)?);
            Ok(json!({}))
        }
        "ListTagsForResource" => Ok(TAGS.list(&tagged(cloud, input)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut tagged(cloud, input)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut tagged(cloud, input)?.tags, input)),
        other => unknown("logs", other),
    }
}
