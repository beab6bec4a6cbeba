//! CloudWatch: alarms on one metric.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value as Json, json};

use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, refuse, refuse_with, text, text_list,
    unknown, without,
};

const TAGS: TagForm = TagForm::pairs("Tags", "TagKeys", "Key", "Value");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    alarms: BTreeMap<String, Alarm>,
}

#[derive(Clone, Debug)]
struct Alarm {
    /// Its entry in the answer of DescribeAlarms.
    description: Map<String, Json>,
    tags: Tags,
}

const STATISTICS: &[&str] = &["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

const COMPARISONS: &[&str] = &[
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
];

const MISSING_DATA: &[&str] = &["breaching", "notBreaching", "ignore", "missing"];

/// The maximum number of actions for a state of an alarm.
const ACTIONS: usize = 5;

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let items = self.alarms.iter().map(|(name, alarm)| Item {
            kind: "alarm",
            name: name.clone(),
            tags: Some(alarm.tags.clone()),
            settings: without(alarm.description.clone().into(), &["AlarmArn", "StateValue", "StateReason"]),
        });
        items.collect()
    }
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    if let Some(missing) = required(operation).iter().find(|member| input[**member].is_null()) {
        return refuse(
            "ValidationError",
            format!("Value null at '{missing}' failed to satisfy constraint: Member must not be null"),
        );
    }
    match operation {
        "PutMetricAlarm" => put(cloud, input),
        "DescribeAlarms" => describe(cloud, input),
        "DeleteAlarms" => delete(cloud, input),
        "ListTagsForResource" => Ok(TAGS.list(&tagged(cloud, input)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut tagged(cloud, input)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut tagged(cloud, input)?.tags, input)),
        other => unknown("monitoring", other),
    }
}

/// The required members of an operation.
fn required(operation: &str) -> &'static [&'static str] {
    match operation {
        "PutMetricAlarm" => &["AlarmName", "EvaluationPeriods", "ComparisonOperator"],
        "DeleteAlarms" => &["AlarmNames"],
        "ListTagsForResource" => &["ResourceARN"],
        "TagResource" => &["ResourceARN", "Tags"],
        "UntagResource" => &["ResourceARN", "TagKeys"],
        _ => &[],
    }
}

/// Creates an alarm, or overwrites an existing one except its tags.
fn put(cloud: &mut Cloud, input: &Json) -> Answer {
    check(input)?;
    let name = text(input, "AlarmName");
    let description = description(name, input);
    match cloud.cloudwatch.alarms.entry(name.to_owned()) {
        Entry::Occupied(mut found) => found.get_mut().description = description,
        Entry::Vacant(free) => {
            free.insert(Alarm { description, tags: TAGS.given(input) });
        }
    }
    Ok(json!({}))
}

fn description(name: &str, input: &Json) -> Map<String, Json> {
    let mut members = input.as_object().cloned().unwrap_or_default();
    members.remove("Tags");
    // The SDK decodes numbers strictly: it does not accept an integer as a float, or the reverse.
    for member in ["Period", "EvaluationPeriods", "DatapointsToAlarm"] {
        if let Some(value) = members.get_mut(member) {
            *value = whole(value).into();
        }
    }
    if let Some(value) = members.get_mut("Threshold") {
        *value = value.as_f64().into();
    }
    for list in ["OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"] {
        members.entry(list).or_insert_with(|| json!([]));
    }
    members.entry("ActionsEnabled").or_insert_with(|| json!(true));
    let arn = format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}");
    members.insert("AlarmArn".to_owned(), arn.into());
    members.insert("StateValue".to_owned(), "INSUFFICIENT_DATA".into());
    members.insert("StateReason".to_owned(), "Unchecked: Initial alarm creation".into());
    members
}

/// An integer, which can be encoded as a float.
#[allow(clippy::cast_possible_truncation)]
fn whole(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64))
}

fn check(input: &Json) -> Result<(), Refusal> {
    let name = text(input, "AlarmName");
    if !(1..=255).contains(&name.chars().count()) {
        return invalid("AlarmName", "it has between 1 and 255 characters");
    }
    for member in ["Namespace", "MetricName", "Period", "Threshold"] {
        if input[member].is_null() {
            return refuse(
                "MissingParameter",
                format!("The parameter {member} must be set for a metric alarm"),
            );
        }
    }
    if input["Statistic"].is_null() == input["ExtendedStatistic"].is_null() {
        return refuse(
            "InvalidParameterCombination",
            "Exactly one of Statistic and ExtendedStatistic must be set for a metric alarm",
        );
    }
    let known =
        [("Statistic", STATISTICS), ("ComparisonOperator", COMPARISONS), ("TreatMissingData", MISSING_DATA)];
    for (member, known) in known {
        if !input[member].is_null() && !known.contains(&text(input, member)) {
            return invalid(member, &format!("it is one of {}", known.join(", ")));
        }
    }
    let fits = |seconds: i64| matches!(seconds, 10 | 20 | 30) || (seconds > 0 && seconds % 60 == 0);
    if whole(&input["Period"]).is_none_or(|seconds| !fits(seconds)) {
        return invalid("Period", "it is 10, 20, 30 or a multiple of 60");
    }
    if whole(&input["EvaluationPeriods"]).is_none_or(|periods| periods < 1) {
        return invalid("EvaluationPeriods", "it is at least 1");
    }
    for member in ["OKActions", "AlarmActions", "InsufficientDataActions"] {
        let actions = text_list(&input[member]);
        if actions.len() > ACTIONS || actions.iter().any(|action| !action.starts_with("arn:")) {
            return invalid(member, "it has at most five ARNs");
        }
    }
    Ok(())
}

fn invalid<T>(member: &str, constraint: &str) -> Result<T, Refusal> {
    refuse("ValidationError", format!("Value at '{member}' failed to satisfy constraint: {constraint}"))
}

/// Describes alarms. Unknown names are ignored.
fn describe(cloud: &Cloud, input: &Json) -> Answer {
    let (names, prefix) = (text_list(&input["AlarmNames"]), text(input, "AlarmNamePrefix"));
    if !names.is_empty() && !prefix.is_empty() {
        return refuse(
            "InvalidParameterCombination",
            "AlarmNames and AlarmNamePrefix cannot be given at the same time",
        );
    }
    let kinds = text_list(&input["AlarmTypes"]);
    let wanted = kinds.is_empty() || kinds.iter().any(|kind| kind == "MetricAlarm");
    let found =
        cloud.cloudwatch.alarms.iter().filter(|(name, _)| {
            wanted && name.starts_with(prefix) && (names.is_empty() || names.contains(name))
        });
    let alarms: Vec<_> = found.map(|(_, alarm)| &alarm.description).collect();
    Ok(json!({ "MetricAlarms": alarms, "CompositeAlarms": [] }))
}

/// Deletes all of the alarms, or none.
fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    let names = text_list(&input["AlarmNames"]);
    let alarms = &mut cloud.cloudwatch.alarms;
    if let Some(missing) = names.iter().find(|name| !alarms.contains_key(*name)) {
        return refuse_with(404, "ResourceNotFound", format!("The alarm {missing} does not exist"));
    }
    alarms.retain(|name, _| !names.contains(name));
    Ok(json!({}))
}

fn tagged<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Alarm, Refusal> {
    let arn = text(input, "ResourceARN");
    let name = arn.split_once(":alarm:").map_or("", |(_, name)| name);
    match cloud.cloudwatch.alarms.get_mut(name) {
        Some(alarm) => Ok(alarm),
        None => refuse_with(404, "ResourceNotFoundException", format!("There is no resource {arn}")),
    }
}
