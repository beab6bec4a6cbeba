//! EventBridge Scheduler: groups of schedules, and schedules.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::wire::Route;
use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, iam, parse, refuse, refuse_with, text,
    text_list, unknown, without,
};

const TAGS: TagForm = TagForm::pairs("Tags", "TagKeys", "Key", "Value");

pub(super) const ROUTES: &[Route] = &[
    ("POST", "/schedule-groups/{Name}", "CreateScheduleGroup"),
    ("GET", "/schedule-groups/{Name}", "GetScheduleGroup"),
    ("DELETE", "/schedule-groups/{Name}", "DeleteScheduleGroup"),
    ("GET", "/schedule-groups", "ListScheduleGroups"),
    ("POST", "/schedules/{Name}", "CreateSchedule"),
    ("GET", "/schedules/{Name}", "GetSchedule"),
    ("PUT", "/schedules/{Name}", "UpdateSchedule"),
    ("DELETE", "/schedules/{Name}", "DeleteSchedule"),
    ("GET", "/schedules", "ListSchedules"),
    ("GET", "/tags/{ResourceArn}", "ListTagsForResource"),
    ("POST", "/tags/{ResourceArn}", "TagResource"),
    ("DELETE", "/tags/{ResourceArn}", "UntagResource"),
];

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    groups: BTreeMap<String, Group>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    /// The client token of the call that created it.
    token: String,
    tags: Tags,
    /// The time of its delete call. It disappears after `LINGERS`, with its schedules.
    deleted: Option<Duration>,
    schedules: BTreeMap<String, Schedule>,
}

#[derive(Clone, Debug)]
struct Schedule {
    /// The client token of the call that created it.
    token: String,
    /// The answer of GetSchedule.
    described: Json,
}

/// The group that always exists.
const DEFAULT: &str = "default";
/// The duration of the delete of a group.
const LINGERS: Duration = Duration::from_secs(2);
/// The maximum size of a target's input, in bytes.
const LONGEST_INPUT: usize = 256 * 1024;
/// The units of a rate.
const UNITS: [&str; 6] = ["minute", "minutes", "hour", "hours", "day", "days"];

fn group_arn(name: &str) -> String {
    format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{name}")
}

fn schedule_arn(group: &str, name: &str) -> String {
    format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{name}")
}

impl State {
    /// The groups with their schedules, except groups that are being deleted.
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, group) in self.groups.iter().filter(|(_, group)| group.deleted.is_none()) {
            if name != DEFAULT {
                items.push(Item {
                    kind: "schedule group",
                    name: name.clone(),
                    tags: Some(group.tags.clone()),
                    settings: Json::Null,
                });
            }
            for (schedule, Schedule { described, .. }) in &group.schedules {
                let mut settings = without(described.clone(), &["Arn"]);
                parse(&mut settings["Target"], "Input");
                let name = format!("{name}/{schedule}");
                items.push(Item { kind: "schedule", name, tags: None, settings });
            }
        }
        items
    }

    /// The groups at this time, after finished deletes.
    fn at(&mut self, now: Duration) -> &mut BTreeMap<String, Group> {
        self.groups.entry(DEFAULT.to_owned()).or_default();
        self.groups.retain(|_, group| group.deleted.is_none_or(|at| now < at + LINGERS));
        &mut self.groups
    }
}

impl Group {
    fn described(&self, name: &str) -> Json {
        let state = if self.deleted.is_some() { "DELETING" } else { "ACTIVE" };
        json!({ "Name": name, "Arn": group_arn(name), "State": state })
    }
}

impl Schedule {
    /// Its entry in the answer of ListSchedules.
    fn summary(&self) -> Json {
        let described = &self.described;
        json!({
            "Name": described["Name"],
            "GroupName": described["GroupName"],
            "Arn": described["Arn"],
            "State": described["State"],
            "Target": { "Arn": described["Target"]["Arn"] },
        })
    }
}

fn conflict<T>(message: String) -> Result<T, Refusal> {
    refuse_with(409, "ConflictException", message)
}

/// Refuses a call on a missing object, e.g. `Schedule group jobs`.
fn missing<T>(what: &str) -> Result<T, Refusal> {
    refuse_with(404, "ResourceNotFoundException", format!("{what} does not exist."))
}

/// Refuses a member that is missing or invalid.
fn invalid<T>(member: &str, value: &str) -> Result<T, Refusal> {
    let message =
        format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint");
    refuse("ValidationException", message)
}

/// The name of a group or a schedule. It is required.
fn name(input: &Json) -> Result<&str, Refusal> {
    let name = text(input, "Name");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    invalid("name", name)
}

/// The group that this member names; the default group if it is omitted.
fn group_name<'a>(input: &'a Json, member: &str) -> &'a str {
    match text(input, member) {
        "" => DEFAULT,
        name => name,
    }
}

fn group<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Group, Refusal> {
    let now = cloud.now;
    match cloud.scheduler.at(now).get_mut(name) {
        Some(group) => Ok(group),
        None => missing(&format!("Schedule group {name}")),
    }
}

/// A group that is not being deleted.
fn active<'a>(cloud: &'a mut Cloud, name: &str) -> Result<&'a mut Group, Refusal> {
    let group = group(cloud, name)?;
    if group.deleted.is_some() {
        return conflict(format!("Schedule group {name} is being deleted."));
    }
    Ok(group)
}

/// The name of the group of a call on tags. Schedules have no tags.
fn tagged(input: &Json) -> Result<&str, Refusal> {
    let arn = text(input, "ResourceArn");
    match arn.strip_prefix(&group_arn("")) {
        Some(name) => Ok(name),
        None => invalid("resourceArn", arn),
    }
}

fn create_group(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, token) = (name(input)?, text(input, "ClientToken"));
    let now = cloud.now;
    let made = json!({ "ScheduleGroupArn": group_arn(name) });
    if cloud.scheduler.at(now).contains_key(name) {
        // A retry of a call has the token of the first attempt.
        let same = active(cloud, name)?.token == token && !token.is_empty();
        return if same { Ok(made) } else { conflict(format!("Schedule group {name} already exists.")) };
    }
    let tags = TAGS.given(input);
    let group = Group { token: token.to_owned(), tags, ..Group::default() };
    cloud.scheduler.groups.insert(name.to_owned(), group);
    Ok(made)
}

fn delete_group(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = name(input)?;
    if name == DEFAULT {
        return refuse("ValidationException", "The default schedule group cannot be deleted.");
    }
    let now = cloud.now;
    active(cloud, name)?.deleted = Some(now);
    Ok(json!({}))
}

/// Returns true if a schedule expression is valid.
fn is_expression(expression: &str) -> bool {
    let Some((kind, inner)) = expression.strip_suffix(')').and_then(|rest| rest.split_once('(')) else {
        return false;
    };
    match kind {
        "rate" => inner.split_once(' ').is_some_and(|(value, unit)| {
            value.parse::<u32>().is_ok_and(|value| value > 0) && UNITS.contains(&unit)
        }),
        // Exactly one of the two fields for days is a question mark.
        "cron" => match inner.split_whitespace().collect::<Vec<_>>()[..] {
            [_, _, of_month, _, of_week, _] => (of_month == "?") != (of_week == "?"),
            _ => false,
        },
        "at" => inner.len() == "2030-01-01T00:00:00".len(),
        _ => false,
    }
}

/// A number of an input between `low` and `high`; `default` if it is omitted.
fn number(value: &Json, member: &str, low: u64, high: u64, default: u64) -> Result<u64, Refusal> {
    match value.as_u64() {
        None if value.is_null() => Ok(default),
        Some(number) if (low..=high).contains(&number) => Ok(number),
        _ => invalid(member, &value.to_string()),
    }
}

/// The target of a schedule, with the defaults that AWS adds.
fn target(input: &Json) -> Answer {
    let mut target = input["Target"].clone();
    for (member, name) in [("Arn", "target.arn"), ("RoleArn", "target.roleArn")] {
        if !text(&target, member).starts_with("arn:") {
            return invalid(name, text(&target, member));
        }
    }
    let retry = &target["RetryPolicy"];
    let retry = json!({
        "MaximumEventAgeInSeconds":
            number(&retry["MaximumEventAgeInSeconds"], "maximumEventAgeInSeconds", 60, 86400, 86400)?,
        "MaximumRetryAttempts": number(&retry["MaximumRetryAttempts"], "maximumRetryAttempts", 0, 185, 185)?,
    });
    target["RetryPolicy"] = retry;
    // `arn:aws:SERVICE:…`
    let service = text(&target, "Arn").split(':').nth(2).unwrap_or_default();
    check_input(service, &target["Input"])?;
    check_ecs(service, &target["EcsParameters"])?;
    Ok(target)
}

/// Checks the input of a target. For some services it must be JSON.
fn check_input(service: &str, input: &Json) -> Result<(), Refusal> {
    let Some(given) = input.as_str() else { return Ok(()) };
    if given.is_empty() || given.len() > LONGEST_INPUT {
        return invalid("target.input", "");
    }
    if ["events", "lambda", "states"].contains(&service) && serde_json::from_str::<Json>(given).is_err() {
        return refuse("ValidationException", "The input of the target must be well-formed JSON.");
    }
    Ok(())
}

/// Checks the ECS parameters. A cluster as target requires them, and other targets refuse them.
fn check_ecs(service: &str, ecs: &Json) -> Result<(), Refusal> {
    let refused = |message: &str| refuse("ValidationException", message);
    match (service == "ecs", ecs.is_null()) {
        (false, true) => return Ok(()),
        (false, false) => return refused("Parameters EcsParameters not supported for the target"),
        (true, true) => return refused("Parameters EcsParameters must be specified"),
        (true, false) => {}
    }
    if text(ecs, "TaskDefinitionArn").is_empty() {
        return invalid("target.ecsParameters.taskDefinitionArn", "");
    }
    number(&ecs["TaskCount"], "target.ecsParameters.taskCount", 1, 10, 1)?;
    let launch_type = text(ecs, "LaunchType");
    let strategy = ecs["CapacityProviderStrategy"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !["", "EC2", "EXTERNAL", "FARGATE"].contains(&launch_type) {
        return invalid("target.ecsParameters.launchType", launch_type);
    }
    if !launch_type.is_empty() && !strategy.is_empty() {
        return refused("Parameters LaunchType and CapacityProviderStrategy cannot be specified together");
    }
    for item in strategy {
        number(&item["weight"], "target.ecsParameters.capacityProviderStrategy.weight", 0, 1000, 0)?;
        number(&item["base"], "target.ecsParameters.capacityProviderStrategy.base", 0, 100_000, 0)?;
    }
    let fargate = |item: &Json| text(item, "capacityProvider").starts_with("FARGATE");
    let network = &ecs["NetworkConfiguration"]["awsvpcConfiguration"];
    if network.is_null() && (launch_type == "FARGATE" || strategy.iter().any(fargate)) {
        return refused(
            "Parameter NetworkConfiguration must be specified for the target when launch type is FARGATE",
        );
    }
    let (subnets, groups) = (text_list(&network["Subnets"]), text_list(&network["SecurityGroups"]));
    if !network.is_null() && !(1..=16).contains(&subnets.len()) {
        return invalid("target.ecsParameters.networkConfiguration.subnets", &subnets.join(","));
    }
    if groups.len() > 5 {
        return invalid("target.ecsParameters.networkConfiguration.securityGroups", &groups.join(","));
    }
    Ok(())
}

/// Checks a time window. Only a flexible window has minutes.
fn window(input: &Json) -> Answer {
    let window = &input["FlexibleTimeWindow"];
    let minutes = &window["MaximumWindowInMinutes"];
    let fits = match text(window, "Mode") {
        "OFF" => minutes.is_null(),
        "FLEXIBLE" => minutes.as_u64().is_some_and(|minutes| (1..=1440).contains(&minutes)),
        _ => false,
    };
    if fits { Ok(window.clone()) } else { invalid("flexibleTimeWindow", &window.to_string()) }
}

/// A created or updated schedule, with the defaults that AWS adds. An update resets omitted members.
fn described(group: &str, name: &str, input: &Json) -> Answer {
    let expression = text(input, "ScheduleExpression");
    if !is_expression(expression) {
        return refuse("ValidationException", format!("Invalid Schedule Expression {expression}."));
    }
    let state = input["State"].as_str().unwrap_or("ENABLED");
    if !["ENABLED", "DISABLED"].contains(&state) {
        return invalid("state", state);
    }
    Ok(json!({
        "Name": name,
        "GroupName": group,
        "Arn": schedule_arn(group, name),
        "ActionAfterCompletion": input["ActionAfterCompletion"].as_str().unwrap_or("NONE"),
        "Description": input["Description"],
        "EndDate": input["EndDate"],
        "FlexibleTimeWindow": window(input)?,
        "KmsKeyArn": input["KmsKeyArn"],
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": input["ScheduleExpressionTimezone"].as_str().unwrap_or("UTC"),
        "StartDate": input["StartDate"],
        "State": state,
        "Target": target(input)?,
    }))
}

/// Checks that EventBridge Scheduler can assume the role of the target.
fn check_role(cloud: &Cloud, schedule: &Json) -> Result<(), Refusal> {
    if iam::assumable(cloud, text(&schedule["Target"], "RoleArn"), "scheduler.amazonaws.com") {
        return Ok(());
    }
    refuse(
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    )
}

fn create_schedule(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, group, token) = (name(input)?, group_name(input, "GroupName"), text(input, "ClientToken"));
    let described = described(group, name, input)?;
    let made = json!({ "ScheduleArn": schedule_arn(group, name) });
    if let Some(existing) = active(cloud, group)?.schedules.get(name) {
        // A retry of a call has the token of the first attempt.
        let same = !token.is_empty() && existing.token == token && existing.described == described;
        return if same { Ok(made) } else { conflict(format!("Schedule {name} already exists.")) };
    }
    check_role(cloud, &described)?;
    let schedule = Schedule { token: token.to_owned(), described };
    active(cloud, group)?.schedules.insert(name.to_owned(), schedule);
    Ok(made)
}

fn update_schedule(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, group) = (name(input)?, group_name(input, "GroupName"));
    let described = described(group, name, input)?;
    if !active(cloud, group)?.schedules.contains_key(name) {
        return missing(&format!("Schedule {name}"));
    }
    check_role(cloud, &described)?;
    if let Some(schedule) = active(cloud, group)?.schedules.get_mut(name) {
        schedule.described = described;
    }
    Ok(json!({ "ScheduleArn": schedule_arn(group, name) }))
}

fn list_schedules(cloud: &mut Cloud, input: &Json) -> Answer {
    let (of_group, prefix, state) =
        (text(input, "ScheduleGroup"), text(input, "NamePrefix"), text(input, "State"));
    if !of_group.is_empty() {
        group(cloud, of_group)?;
    }
    let now = cloud.now;
    let groups = cloud.scheduler.at(now).iter();
    let groups = groups.filter(|(name, _)| of_group.is_empty() || name.as_str() == of_group);
    let schedules = groups.flat_map(|(_, group)| &group.schedules);
    let schedules = schedules.filter(|(name, schedule)| {
        name.starts_with(prefix) && (state.is_empty() || schedule.described["State"] == state)
    });
    Ok(json!({ "Schedules": schedules.map(|(_, schedule)| schedule.summary()).collect::<Vec<_>>() }))
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    match operation {
        "CreateScheduleGroup" => create_group(cloud, input),
        "GetScheduleGroup" => {
            let name = name(input)?;
            Ok(group(cloud, name)?.described(name))
        }
        "DeleteScheduleGroup" => delete_group(cloud, input),
        "ListScheduleGroups" => {
            let (now, prefix) = (cloud.now, text(input, "NamePrefix"));
            let groups = cloud.scheduler.at(now).iter().filter(|(name, _)| name.starts_with(prefix));
            let groups = groups.map(|(name, group)| group.described(name));
            Ok(json!({ "ScheduleGroups": groups.collect::<Vec<_>>() }))
        }
        "CreateSchedule" => create_schedule(cloud, input),
        "GetSchedule" => {
            let (name, group_name) = (name(input)?, group_name(input, "groupName"));
            match group(cloud, group_name)?.schedules.get(name) {
                Some(schedule) => Ok(schedule.described.clone()),
                None => missing(&format!("Schedule {name}")),
            }
        }
        "UpdateSchedule" => update_schedule(cloud, input),
        "DeleteSchedule" => {
            let (name, group_name) = (name(input)?, group_name(input, "groupName"));
            match group(cloud, group_name)?.schedules.remove(name) {
                Some(_) => Ok(json!({})),
                None => missing(&format!("Schedule {name}")),
            }
        }
        "ListSchedules" => list_schedules(cloud, input),
        "ListTagsForResource" => Ok(TAGS.list(&group(cloud, tagged(input)?)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut active(cloud, tagged(input)?)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut active(cloud, tagged(input)?)?.tags, input)),
        other => unknown("scheduler", other),
    }
}
