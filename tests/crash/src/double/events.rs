//! EventBridge: rules on the default bus, and their targets.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use tandem_model::names;

use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, last, parse, refuse, text, text_list,
    unknown, without,
};

const TAGS: TagForm = TagForm::pairs("Tags", "TagKeys", "Key", "Value");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    rules: BTreeMap<String, Rule>,
}

#[derive(Clone, Debug, Default)]
struct Rule {
    /// The answer of DescribeRule.
    described: Json,
    /// The targets as they were put, by id.
    targets: BTreeMap<String, Json>,
    tags: Tags,
}

/// The only bus.
const BUS: &str = "default";
/// The maximum number of targets of a rule.
const MOST_TARGETS: usize = 5;
/// The states of a rule.
const STATES: [&str; 3] = ["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"];

fn arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}")
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, rule) in &self.rules {
            let mut settings = without(rule.described.clone(), &["Arn"]);
            parse(&mut settings, "EventPattern");
            items.push(Item { kind: "rule", name: name.clone(), tags: Some(rule.tags.clone()), settings });
            for (id, target) in &rule.targets {
                let mut settings = target.clone();
                parse(&mut settings, "Input");
                items.push(Item { kind: "target", name: format!("{name}:{id}"), tags: None, settings });
            }
        }
        items
    }
}

/// Refuses a member that is missing or invalid.
fn invalid<T>(member: &str, value: &str) -> Result<T, Refusal> {
    let message =
        format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint");
    refuse("ValidationException", message)
}

/// A name or id. It is required.
fn name<'a>(input: &'a Json, member: &str) -> Result<&'a str, Refusal> {
    let name = text(input, member);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    invalid(member, name)
}

fn missing<T>(name: &str) -> Result<T, Refusal> {
    refuse("ResourceNotFoundException", format!("Rule {name} does not exist on EventBus {BUS}."))
}

/// The rule that this member names.
fn rule<'a>(cloud: &'a mut Cloud, input: &Json, member: &str) -> Result<&'a mut Rule, Refusal> {
    let name = name(input, member)?;
    match cloud.events.rules.get_mut(name) {
        Some(rule) => Ok(rule),
        None => missing(name),
    }
}

/// The rule of a call on tags.
fn tagged<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Rule, Refusal> {
    let given = text(input, "ResourceARN");
    let Some(name) = given.strip_prefix(&arn("")) else {
        return refuse(
            "ValidationException",
            "Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.",
        );
    };
    match cloud.events.rules.get_mut(name) {
        Some(rule) => Ok(rule),
        None => missing(name),
    }
}

/// The error in an event pattern, if any.
fn fault(pattern: &str) -> Option<String> {
    match serde_json::from_str::<Json>(pattern) {
        Ok(Json::Object(fields)) => fault_of(&fields),
        Ok(_) => Some("Filter is not an object".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

fn fault_of(fields: &Map<String, Json>) -> Option<String> {
    if fields.is_empty() {
        return Some("Empty objects are not allowed".to_owned());
    }
    fields.iter().find_map(|(name, value)| match value {
        Json::Object(fields) => fault_of(fields),
        Json::Array(choices) if choices.is_empty() => Some("Empty arrays are not allowed".to_owned()),
        Json::Array(_) => None,
        _ => Some(format!("\"{name}\" must be an object or an array")),
    })
}

/// The rule that PutRule stores. Omitted members are reset.
fn described(name: &str, input: &Json) -> Answer {
    let (pattern, schedule) = (text(input, "EventPattern"), text(input, "ScheduleExpression"));
    if pattern.is_empty() && schedule.is_empty() {
        return refuse(
            "ValidationException",
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        );
    }
    if !pattern.is_empty()
        && let Some(fault) = fault(pattern)
    {
        return refuse(
            "InvalidEventPatternException",
            format!("Event pattern is not valid. Reason: {fault}"),
        );
    }
    let state = input["State"].as_str().unwrap_or("ENABLED");
    if !STATES.contains(&state) {
        return invalid("State", state);
    }
    Ok(json!({
        "Name": name,
        "Arn": arn(name),
        "EventBusName": BUS,
        "Description": input["Description"],
        "EventPattern": input["EventPattern"],
        "RoleArn": input["RoleArn"],
        "ScheduleExpression": input["ScheduleExpression"],
        "State": state,
    }))
}

/// Refuses a number of a target that is not between `low` and `high`.
fn check_number(value: &Json, member: &str, low: u64, high: u64) -> Result<(), Refusal> {
    if value.is_null() || value.as_u64().is_some_and(|number| (low..=high).contains(&number)) {
        return Ok(());
    }
    invalid(member, &value.to_string())
}

/// Checks a target, apart from its id and ARN.
fn check_target(target: &Json) -> Result<(), Refusal> {
    let (id, arn) = (text(target, "Id"), text(target, "Arn"));
    let service = arn.split(':').nth(2).unwrap_or_default();
    let role = text(target, "RoleArn");
    // EventBridge needs a role for these: it does not use resource policies.
    if ["kinesis", "states"].contains(&service) && role.is_empty() {
        return refuse("ValidationException", format!("RoleArn is required for target {arn}."));
    }
    if !role.is_empty() && !role.starts_with("arn:aws:iam::") {
        return invalid("targets.1.member.roleArn", role);
    }
    if service == "sqs" && names::is_fifo(arn) && target["SqsParameters"].is_null() {
        let message = format!("Parameter(s) SqsParameters must be specified for target: {id}.");
        return refuse("ValidationException", message);
    }
    let letters = &target["DeadLetterConfig"];
    if !letters.is_null() && !text(letters, "Arn").starts_with("arn:aws:sqs:") {
        return invalid("targets.1.member.deadLetterConfig.arn", text(letters, "Arn"));
    }
    let retry = &target["RetryPolicy"];
    let member = "targets.1.member.retryPolicy";
    check_number(&retry["MaximumRetryAttempts"], &format!("{member}.maximumRetryAttempts"), 0, 185)?;
    check_number(
        &retry["MaximumEventAgeInSeconds"],
        &format!("{member}.maximumEventAgeInSeconds"),
        60,
        86_400,
    )
}

/// Targets of a call, by their ids.
fn targets(input: &Json) -> Result<BTreeMap<String, Json>, Refusal> {
    let mut targets = BTreeMap::new();
    for target in input["Targets"].as_array().into_iter().flatten() {
        let arn = text(target, "Arn");
        if !arn.starts_with("arn:") || arn.split(':').count() < 6 {
            let message =
                format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.");
            return refuse("ValidationException", message);
        }
        let id = name(target, "Id")?;
        check_target(target)?;
        targets.insert(id.to_owned(), target.clone());
    }
    if targets.is_empty() {
        return invalid("Targets", "");
    }
    Ok(targets)
}

/// Removes targets from a rule. The answer lists each missing target.
fn remove_targets(rule: &mut Rule, ids: &[String]) -> Json {
    let mut failed = Vec::new();
    for id in ids {
        if rule.targets.remove(id).is_none() {
            failed.push(json!({
                "TargetId": id,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": format!("Rule does not have a target with the Id {id}."),
            }));
        }
    }
    json!({ "FailedEntryCount": failed.len(), "FailedEntries": failed })
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let bus = text(input, "EventBusName");
    if !bus.is_empty() && last(bus) != BUS {
        return refuse("ResourceNotFoundException", format!("Event bus {} does not exist.", last(bus)));
    }
    match operation {
        "PutRule" => {
            let name = name(input, "Name")?;
            let described = described(name, input)?;
            // Only a new rule takes the tags.
            let tags = || TAGS.given(input);
            let rules = &mut cloud.events.rules;
            let rule =
                rules.entry(name.to_owned()).or_insert_with(|| Rule { tags: tags(), ..Rule::default() });
            rule.described = described;
            Ok(json!({ "RuleArn": arn(name) }))
        }
        "DescribeRule" => Ok(rule(cloud, input, "Name")?.described.clone()),
        "ListRules" => {
            let prefix = text(input, "NamePrefix");
            let rules = cloud.events.rules.iter().filter(|(name, _)| name.starts_with(prefix));
            Ok(json!({ "Rules": rules.map(|(_, rule)| &rule.described).collect::<Vec<_>>() }))
        }
        "DeleteRule" => {
            let name = name(input, "Name")?;
            if cloud.events.rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
                return refuse("ValidationException", "Rule can't be deleted since it has targets.");
            }
            // A missing rule is not an error.
            cloud.events.rules.remove(name);
            Ok(json!({}))
        }
        "ListTargetsByRule" => {
            let rule = rule(cloud, input, "Rule")?;
            Ok(json!({ "Targets": rule.targets.values().collect::<Vec<_>>() }))
        }
        "PutTargets" => {
            let given = targets(input)?;
            let rule = rule(cloud, input, "Rule")?;
            let mut targets = rule.targets.clone();
            targets.extend(given);
            if targets.len() > MOST_TARGETS {
                return refuse(
                    "LimitExceededException",
                    "The requested resource exceeds the maximum number allowed.",
                );
            }
            rule.targets = targets;
            Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
        }
        "RemoveTargets" => {
            let ids = text_list(&input["Ids"]);
            if ids.is_empty() {
                return invalid("Ids", "");
            }
            Ok(remove_targets(rule(cloud, input, "Rule")?, &ids))
        }
        "ListTagsForResource" => Ok(TAGS.list(&tagged(cloud, input)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut tagged(cloud, input)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut tagged(cloud, input)?.tags, input)),
        other => unknown("events", other),
    }
}
