//! EventBridge: buses, rules and their targets.

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
    /// The custom buses by name.
    buses: BTreeMap<String, Bus>,
    /// The rules by the end of their ARN: the name, after the name of a custom bus and a slash.
    rules: BTreeMap<String, Rule>,
}

#[derive(Clone, Debug, Default)]
struct Bus {
    /// The answer of DescribeEventBus.
    described: Json,
    tags: Tags,
}

#[derive(Clone, Debug, Default)]
struct Rule {
    /// The answer of DescribeRule.
    described: Json,
    /// The targets as they were put, by id.
    targets: BTreeMap<String, Json>,
    tags: Tags,
}

/// The bus that every account has.
const BUS: &str = "default";
/// The maximum number of targets of a rule.
const MOST_TARGETS: usize = 5;
/// The states of a rule.
const STATES: [&str; 3] = ["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"];

fn arn(id: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{id}")
}

fn bus_arn(name: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}")
}

/// The end of the ARN of a rule.
fn id(bus: &str, name: &str) -> String {
    if bus == BUS { name.to_owned() } else { format!("{bus}/{name}") }
}

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, bus) in &self.buses {
            let settings = without(bus.described.clone(), &["Arn"]);
            items.push(Item { kind: "bus", name: name.clone(), tags: Some(bus.tags.clone()), settings });
        }
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

/// A name or id of at most this length. It is required.
fn name_of<'a>(input: &'a Json, member: &str, most: usize) -> Result<&'a str, Refusal> {
    let name = text(input, member);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if (1..=most).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    invalid(member, name)
}

/// The name or id of a rule or target.
fn name<'a>(input: &'a Json, member: &str) -> Result<&'a str, Refusal> {
    name_of(input, member, 64)
}

/// The bus of a call, by name or ARN.
fn bus<'a>(cloud: &Cloud, input: &'a Json) -> Result<&'a str, Refusal> {
    let given = text(input, "EventBusName");
    let name = if given.is_empty() { BUS } else { last(given) };
    if name == BUS || cloud.events.buses.contains_key(name) {
        return Ok(name);
    }
    missing_bus(name)
}

fn missing_bus<T>(name: &str) -> Result<T, Refusal> {
    refuse("ResourceNotFoundException", format!("Event bus {name} does not exist."))
}

/// The rule that this member names.
fn rule<'a>(cloud: &'a mut Cloud, input: &Json, member: &str) -> Result<&'a mut Rule, Refusal> {
    let (bus, name) = (bus(cloud, input)?, name(input, member)?);
    match cloud.events.rules.get_mut(&id(bus, name)) {
        Some(rule) => Ok(rule),
        None => refuse("ResourceNotFoundException", format!("Rule {name} does not exist on EventBus {bus}.")),
    }
}

/// The tags of the rule or bus of a call on tags.
fn tagged<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Tags, Refusal> {
    let given = text(input, "ResourceARN");
    let events = &mut cloud.events;
    let (tags, known) = match (given.strip_prefix(&arn("")), given.strip_prefix(&bus_arn(""))) {
        (Some(rule), _) => (events.rules.get_mut(rule).map(|rule| &mut rule.tags), true),
        (None, Some(bus)) => (events.buses.get_mut(bus).map(|bus| &mut bus.tags), true),
        (None, None) => (None, false),
    };
    match tags {
        Some(tags) => Ok(tags),
        None if known => refuse("ResourceNotFoundException", format!("{given} does not exist.")),
        None => refuse(
            "ValidationException",
            "Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.",
        ),
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
fn described(bus: &str, name: &str, input: &Json) -> Answer {
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
        "Arn": arn(&id(bus, name)),
        "EventBusName": bus,
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
    match operation {
        "PutRule" => {
            let (bus, name) = (bus(cloud, input)?, name(input, "Name")?);
            let described = described(bus, name, input)?;
            // Only a new rule takes the tags.
            let tags = || TAGS.given(input);
            let rules = &mut cloud.events.rules;
            let rule = rules.entry(id(bus, name)).or_insert_with(|| Rule { tags: tags(), ..Rule::default() });
            rule.described = described;
            Ok(json!({ "RuleArn": arn(&id(bus, name)) }))
        }
        "DescribeRule" => Ok(rule(cloud, input, "Name")?.described.clone()),
        "ListRules" => {
            let (bus, prefix) = (bus(cloud, input)?, text(input, "NamePrefix"));
            let rules = cloud.events.rules.values().map(|rule| &rule.described);
            let listed =
                rules.filter(|rule| rule["EventBusName"] == bus && text(rule, "Name").starts_with(prefix));
            Ok(json!({ "Rules": listed.collect::<Vec<_>>() }))
        }
        "DeleteRule" => {
            let id = id(bus(cloud, input)?, name(input, "Name")?);
            if cloud.events.rules.get(&id).is_some_and(|rule| !rule.targets.is_empty()) {
                return refuse("ValidationException", "Rule can't be deleted since it has targets.");
            }
            // A missing rule is not an error.
            cloud.events.rules.remove(&id);
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
        "ListTagsForResource" => Ok(TAGS.list(tagged(cloud, input)?)),
        "TagResource" => Ok(TAGS.add(tagged(cloud, input)?, input)),
        "UntagResource" => Ok(TAGS.remove(tagged(cloud, input)?, input)),
        other => call_on_bus(cloud, other, input),
    }
}

/// The answer of DescribeEventBus.
fn described_bus(name: &str, input: &Json) -> Json {
    let key = text(input, "KmsKeyIdentifier");
    json!({ "Name": name, "Arn": bus_arn(name), "KmsKeyIdentifier": (!key.is_empty()).then_some(key) })
}

fn call_on_bus(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let buses = &mut cloud.events.buses;
    match operation {
        "CreateEventBus" => {
            let name = name_of(input, "Name", 256)?;
            if name == BUS || buses.contains_key(name) {
                let message = format!("Event bus {name} already exists.");
                return refuse("ResourceAlreadyExistsException", message);
            }
            let bus = Bus { described: described_bus(name, input), tags: TAGS.given(input) };
            buses.insert(name.to_owned(), bus);
            Ok(json!({ "EventBusArn": bus_arn(name) }))
        }
        "UpdateEventBus" => {
            let name = name_of(input, "Name", 256)?;
            let Some(bus) = buses.get_mut(name) else { return missing_bus(name) };
            bus.described = described_bus(name, input);
            Ok(json!({ "Arn": bus_arn(name), "Name": name }))
        }
        "DescribeEventBus" => {
            let given = text(input, "Name");
            match last(given) {
                "" | BUS => Ok(described_bus(BUS, &Json::Null)),
                name => buses.get(name).map_or_else(|| missing_bus(name), |bus| Ok(bus.described.clone())),
            }
        }
        "ListEventBuses" => {
            let default = described_bus(BUS, &Json::Null);
            let all = std::iter::once(&default).chain(buses.values().map(|bus| &bus.described));
            let listed = all.filter(|bus| text(bus, "Name").starts_with(text(input, "NamePrefix")));
            Ok(json!({ "EventBuses": listed.collect::<Vec<_>>() }))
        }
        "DeleteEventBus" => {
            let name = name_of(input, "Name", 256)?;
            if cloud.events.rules.values().any(|rule| rule.described["EventBusName"] == name) {
                return refuse("ValidationException", "Event bus can't be deleted since it has rules.");
            }
            // A missing bus is not an error.
            buses.remove(name);
            Ok(json!({}))
        }
        other => unknown("events", other),
    }
}
