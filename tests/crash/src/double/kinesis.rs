//! Kinesis: streams, without records.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, pair_list, refuse, text, unknown};

const TAGS: TagForm = TagForm::map("Tags", "TagKeys");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    streams: BTreeMap<String, Stream>,
}

#[derive(Clone, Debug)]
struct Stream {
    mode: String,
    shards: u64,
    /// The retention of records, in hours.
    retention: u64,
    key: Option<String>,
    tags: Tags,
    created: Duration,
    /// The start of the last change.
    changed: Option<Duration>,
    /// The time of its delete call. It disappears after `LINGERS`.
    deleted: Option<Duration>,
}

/// The duration of a create, a change or a delete of a stream.
const LINGERS: Duration = Duration::from_secs(3);

const ON_DEMAND: &str = "ON_DEMAND";
const PROVISIONED: &str = "PROVISIONED";
/// The number of shards of a new on-demand stream.
const SHARDS: u64 = 4;
/// The default retention, in hours. It is also the minimum.
const RETENTION: u64 = 24;
/// The maximum retention, in hours.
const LONGEST: u64 = 8760;

fn arn(name: &str) -> String {
    format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}")
}

impl State {
    /// The streams, except those that are being deleted.
    pub(super) fn items(&self) -> Vec<Item> {
        let streams = self.streams.iter().filter(|(_, stream)| stream.deleted.is_none());
        streams
            .map(|(name, stream)| Item {
                kind: "stream",
                name: name.clone(),
                tags: Some(stream.tags.clone()),
                settings: stream.settings(),
            })
            .collect()
    }

    /// The streams at this time, after finished deletes.
    fn at(&mut self, now: Duration) -> &mut BTreeMap<String, Stream> {
        self.streams.retain(|_, stream| stream.deleted.is_none_or(|at| now < at + LINGERS));
        &mut self.streams
    }
}

impl Stream {
    fn status(&self, now: Duration) -> &'static str {
        let recent = |since: Duration| now < since + LINGERS;
        if self.deleted.is_some() {
            "DELETING"
        } else if recent(self.created) {
            "CREATING"
        } else if self.changed.is_some_and(recent) {
            "UPDATING"
        } else {
            "ACTIVE"
        }
    }

    /// The settings that the client chose.
    fn settings(&self) -> Json {
        json!({
            "StreamMode": self.mode,
            "ShardCount": (self.mode == PROVISIONED).then_some(self.shards),
            "RetentionPeriodHours": self.retention,
            "KeyId": self.key,
        })
    }

    fn described(&self, name: &str, now: Duration) -> Json {
        let summary = json!({
            "StreamName": name,
            "StreamARN": arn(name),
            "StreamStatus": self.status(now),
            "StreamModeDetails": { "StreamMode": self.mode },
            "RetentionPeriodHours": self.retention,
            "StreamCreationTimestamp": 1_767_225_600,
            "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }],
            "EncryptionType": if self.key.is_some() { "KMS" } else { "NONE" },
            "KeyId": self.key,
            "OpenShardCount": self.shards,
            "ConsumerCount": 0,
        });
        json!({ "StreamDescriptionSummary": summary })
    }
}

/// Refuses a member that is missing or invalid.
fn constraint<T>(member: &str, value: &str) -> Result<T, Refusal> {
    let message =
        format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint");
    refuse("ValidationException", message)
}

fn invalid<T>(message: String) -> Result<T, Refusal> {
    refuse("InvalidArgumentException", message)
}

/// The name of the stream of a call, given by name or ARN.
fn name(input: &Json) -> Result<&str, Refusal> {
    let of_arn = text(input, "StreamARN").rsplit('/').next().unwrap_or_default();
    let name = input["StreamName"].as_str().unwrap_or(of_arn);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if (1..=128).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    constraint("streamName", name)
}

fn stream<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Stream, Refusal> {
    let (name, now) = (name(input)?, cloud.now);
    match cloud.kinesis.at(now).get_mut(name) {
        Some(stream) => Ok(stream),
        None => {
            refuse("ResourceNotFoundException", format!("Stream {name} under account {ACCOUNT} not found."))
        }
    }
}

/// A stream without a change in progress.
fn at_rest<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Stream, Refusal> {
    let (name, now) = (name(input)?, cloud.now);
    let stream = stream(cloud, input)?;
    match stream.status(now) {
        "ACTIVE" => Ok(stream),
        status => refuse(
            "ResourceInUseException",
            format!("Stream {name} under account {ACCOUNT} not ACTIVE, instead in state {status}"),
        ),
    }
}

/// A stream on which a change starts now.
fn changing<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Stream, Refusal> {
    let now = cloud.now;
    let stream = at_rest(cloud, input)?;
    stream.changed = Some(now);
    Ok(stream)
}

fn mode(input: &Json) -> Result<&str, Refusal> {
    match text(&input["StreamModeDetails"], "StreamMode") {
        mode @ (ON_DEMAND | PROVISIONED) => Ok(mode),
        other => constraint("streamModeDetails.streamMode", other),
    }
}

/// The number of shards of a new stream. Only a provisioned stream has a given number.
fn shards(input: &Json, mode: &str) -> Result<u64, Refusal> {
    let given = &input["ShardCount"];
    match given.as_u64() {
        None if given.is_null() && mode == ON_DEMAND => Ok(SHARDS),
        Some(count) if (1..=10_000).contains(&count) && mode == PROVISIONED => Ok(count),
        _ => constraint("shardCount", &given.to_string()),
    }
}

fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let (name, now) = (name(input)?, cloud.now);
    // A stream without a mode is provisioned, as before modes existed.
    let mode = if input["StreamModeDetails"].is_null() { PROVISIONED } else { mode(input)? };
    let shards = shards(input, mode)?;
    if cloud.kinesis.at(now).contains_key(name) {
        return refuse(
            "ResourceInUseException",
            format!("Stream {name} under account {ACCOUNT} already exists."),
        );
    }
    let stream = Stream {
        mode: mode.to_owned(),
        shards,
        retention: RETENTION,
        key: None,
        tags: TAGS.given(input),
        created: now,
        changed: None,
        deleted: None,
    };
    cloud.kinesis.streams.insert(name.to_owned(), stream);
    Ok(json!({}))
}

/// Increases or decreases the retention. Each has its own call.
fn keep(cloud: &mut Cloud, input: &Json, longer: bool) -> Answer {
    let (name, given) = (name(input)?, &input["RetentionPeriodHours"]);
    let Some(hours) = given.as_u64() else { return constraint("retentionPeriodHours", &given.to_string()) };
    let now = at_rest(cloud, input)?.retention;
    let requested = format!("Requested retention period ({hours} hours)");
    if hours < RETENTION {
        return invalid(format!(
            "Minimum allowed retention period is {RETENTION} hours. {requested} is too short."
        ));
    }
    if hours > LONGEST {
        return invalid(format!(
            "Maximum allowed retention period is {LONGEST} hours. {requested} is too long."
        ));
    }
    if longer && hours < now {
        return invalid(format!(
            "{requested} for stream {name} can not be shorter than existing retention period ({now} hours). Use \
             DecreaseRetentionPeriod API."
        ));
    }
    if !longer && hours > now {
        return invalid(format!(
            "{requested} for stream {name} can not be longer than existing retention period ({now} hours). Use \
             IncreaseRetentionPeriod API."
        ));
    }
    changing(cloud, input)?.retention = hours;
    Ok(json!({}))
}

/// Starts or stops encryption. Both calls must name the key.
fn encrypt(cloud: &mut Cloud, input: &Json, on: bool) -> Answer {
    if text(input, "EncryptionType") != "KMS" {
        return constraint("encryptionType", text(input, "EncryptionType"));
    }
    let key = text(input, "KeyId");
    if !(1..=2048).contains(&key.len()) {
        return constraint("keyId", key);
    }
    changing(cloud, input)?.key = on.then(|| key.to_owned());
    Ok(json!({}))
}

/// Changes the number of shards, at most to twice or half of it in one call.
fn reshard(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = name(input)?;
    if text(input, "ScalingType") != "UNIFORM_SCALING" {
        return constraint("scalingType", text(input, "ScalingType"));
    }
    let given = &input["TargetShardCount"];
    let Some(target) = given.as_u64().filter(|target| *target > 0) else {
        return constraint("targetShardCount", &given.to_string());
    };
    let stream = at_rest(cloud, input)?;
    let now = stream.shards;
    if stream.mode == ON_DEMAND {
        let message =
            format!("Request is invalid. Stream {name} under account {ACCOUNT} is in On-Demand mode.");
        return refuse("ValidationException", message);
    }
    if target > now * 2 || target * 2 < now {
        return invalid(format!(
            "UpdateShardCount cannot scale stream {name} from {now} to {target} shards at once"
        ));
    }
    changing(cloud, input)?.shards = target;
    Ok(json!({
        "StreamName": name,
        "StreamARN": arn(name),
        "CurrentShardCount": now,
        "TargetShardCount": target,
    }))
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let now = cloud.now;
    match operation {
        "CreateStream" => create(cloud, input),
        "DescribeStreamSummary" => Ok(stream(cloud, input)?.described(name(input)?, now)),
        "ListStreams" => {
            let names: Vec<_> = cloud.kinesis.at(now).keys().collect();
            Ok(json!({ "StreamNames": names, "HasMoreStreams": false }))
        }
        "UpdateStreamMode" => {
            // This call accepts only the ARN of the stream.
            if text(input, "StreamARN").is_empty() {
                return constraint("streamARN", "null");
            }
            let mode = mode(input)?.to_owned();
            changing(cloud, input)?.mode = mode;
            Ok(json!({}))
        }
        "UpdateShardCount" => reshard(cloud, input),
        "IncreaseStreamRetentionPeriod" => keep(cloud, input, true),
        "DecreaseStreamRetentionPeriod" => keep(cloud, input, false),
        "StartStreamEncryption" => encrypt(cloud, input, true),
        "StopStreamEncryption" => encrypt(cloud, input, false),
        "DeleteStream" => {
            at_rest(cloud, input)?.deleted = Some(now);
            Ok(json!({}))
        }
        "ListTagsForStream" => {
            let tags = &stream(cloud, input)?.tags;
            Ok(json!({ "Tags": pair_list(tags, "Key", "Value"), "HasMoreTags": false }))
        }
        "AddTagsToStream" => Ok(TAGS.add(&mut at_rest(cloud, input)?.tags, input)),
        "RemoveTagsFromStream" => Ok(TAGS.remove(&mut at_rest(cloud, input)?.tags, input)),
        other => unknown("kinesis", other),
    }
}
