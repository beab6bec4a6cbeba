//! Event source mappings: queues and streams that functions read.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tandem_model::names;

use super::{
    ACCOUNT, Answer, BUSY, Cloud, Function, Item, MISSING, REGION, Refusal, Tags, conflict, dynamodb, iam,
    impossible, kinesis, last, missing, name_of, refuse, required, sqs, text, text_map, within, without,
};

#[derive(Clone, Debug)]
pub(super) struct Mapping {
    /// Its configuration, without its state.
    configuration: Json,
    enabled: bool,
    tags: Tags,
    /// The last change, e.g. `Creating`.
    change: &'static str,
    /// The start of the last change.
    since: Duration,
}

const DELETING: &str = "Deleting";

/// Members that a mapping takes from calls unchanged.
const GIVEN: [&str; 5] = [
    "BatchSize",
    "FilterCriteria",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
];
/// Further members of the mapping of a stream.
const OF_STREAM: [&str; 5] = [
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
];

fn is_queue(source: &str) -> bool {
    source.starts_with("arn:aws:sqs:")
}

impl Mapping {
    /// The item of the mapping; `None` while it is being deleted.
    pub(super) fn item(&self) -> Option<Item> {
        // The name of a table's stream contains the time at which it was enabled.
        let source = self.source().split("/stream/").next().unwrap_or_default();
        let name = format!("{}<-{source}", self.function());
        let own = ["UUID", "EventSourceMappingArn", "StateTransitionReason"];
        let mut settings = without(self.configuration.clone(), &own);
        settings["EventSourceArn"] = source.into();
        settings["Enabled"] = self.enabled.into();
        let item = Item { kind: "event source mapping", name, tags: Some(self.tags.clone()), settings };
        (self.change != DELETING).then_some(item)
    }

    fn function(&self) -> &str {
        name_of(text(&self.configuration, "FunctionArn"))
    }

    fn source(&self) -> &str {
        text(&self.configuration, "EventSourceArn")
    }

    fn is_busy(&self, now: Duration) -> bool {
        now < self.since + BUSY
    }

    fn described(&self, now: Duration) -> Json {
        let rest = if self.enabled { "Enabled" } else { "Disabled" };
        let mut described = self.configuration.clone();
        described["State"] = if self.is_busy(now) { self.change } else { rest }.into();
        described
    }

    /// Takes the members that a call sets. Omitted members keep their value.
    fn configure(&mut self, input: &Json) {
        for member in GIVEN.iter().chain(&OF_STREAM) {
            if !input[*member].is_null() {
                self.configuration[*member] = input[*member].clone();
            }
        }
        // For a stream without a destination, Lambda returns an empty destination.
        if !is_queue(self.source()) && self.failures().is_empty() {
            self.configuration["DestinationConfig"] = json!({ "OnFailure": {} });
        }
        // An empty configuration removes the limit.
        if let Some(members) = self.configuration.as_object_mut() {
            members.retain(|name, value| name != "ScalingConfig" || *value != json!({}));
        }
        self.enabled = input["Enabled"].as_bool().unwrap_or(self.enabled);
    }

    /// The destination of records that failed.
    fn failures(&self) -> &str {
        text(&self.configuration["DestinationConfig"]["OnFailure"], "Destination")
    }

    /// Lambda refuses large batches of messages without a batching window.
    fn fits(&self) -> Result<(), Refusal> {
        let number = |member: &str| self.configuration[member].as_u64().unwrap_or_default();
        if is_queue(self.source())
            && number("BatchSize") > 10
            && number("MaximumBatchingWindowInSeconds") == 0
        {
            return impossible(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is \
                 greater than 10",
            );
        }
        Ok(())
    }
}

/// Removes the mappings whose delete has finished.
pub(super) fn finish_deletes(cloud: &mut Cloud) {
    let now = cloud.now;
    cloud.lambda.mappings.retain(|_, mapping| mapping.change != DELETING || mapping.is_busy(now));
}

pub(super) fn tags<'a>(cloud: &'a mut Cloud, uuid: &str) -> Result<&'a mut Tags, Refusal> {
    match cloud.lambda.mappings.get_mut(uuid) {
        Some(mapping) => Ok(&mut mapping.tags),
        None => missing(MISSING),
    }
}

fn mapping<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Mapping, Refusal> {
    match cloud.lambda.mappings.get_mut(required(input, "UUID")?) {
        Some(mapping) => Ok(mapping),
        None => missing(MISSING),
    }
}

/// A mapping without a change in progress. The refusal names the operation.
fn at_rest<'a>(cloud: &'a mut Cloud, input: &Json, what: &str) -> Result<&'a mut Mapping, Refusal> {
    let now = cloud.now;
    let mapping = mapping(cloud, input)?;
    if mapping.is_busy(now) {
        return refuse(
            "ResourceInUseException",
            format!("Cannot {what} the event source mapping because it is in use."),
        );
    }
    Ok(mapping)
}

/// The function of a mapping. For a missing function, Lambda does not return ResourceNotFoundException.
fn function<'a>(cloud: &'a Cloud, name: &str) -> Result<&'a Function, Refusal> {
    match cloud.lambda.functions.get(name) {
        Some(function) => Ok(function),
        None => impossible("Function does not exist"),
    }
}

/// Lambda checks that the function's role can read the source and send failed records to the destination.
fn readable(cloud: &mut Cloud, name: &str, mapping: &Mapping) -> Result<(), Refusal> {
    let role = function(cloud, name)?.role().to_owned();
    for (service, action, call) in
        [("sqs", "sqs:SendMessage", "SendMessage on SQS"), ("sns", "sns:Publish", "Publish on SNS")]
    {
        let goes_there = mapping.failures().starts_with(&format!("arn:aws:{service}:"));
        if goes_there && !iam::allows(cloud, &role, action) {
            return impossible(format!(
                "The provided execution role does not have permissions to call {call}"
            ));
        }
    }
    match mapping.source().split(':').nth(2) {
        Some("sqs") => readable_queue(cloud, name, mapping.source()),
        Some(service @ ("dynamodb" | "kinesis")) => readable_stream(cloud, &role, service, mapping.source()),
        _ => impossible("Unrecognized event source."),
    }
}

fn readable_stream(cloud: &mut Cloud, role: &str, service: &str, source: &str) -> Result<(), Refusal> {
    if !iam::allows(cloud, role, &format!("{service}:GetRecords")) {
        return impossible(format!(
            "Cannot access stream {source}. Please ensure the role can perform the GetRecords, \
             GetShardIterator, DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
        ));
    }
    let name = names::source(source);
    let found = if service == "kinesis" {
        let stream = kinesis::call(cloud, "DescribeStreamSummary", &json!({ "StreamName": name }));
        stream.map(|answer| answer["StreamDescriptionSummary"]["StreamARN"] == source)
    } else {
        let table = dynamodb::call(cloud, "DescribeTable", &json!({ "TableName": name }));
        table.map(|answer| answer["Table"]["LatestStreamArn"] == source)
    };
    if found == Ok(true) { Ok(()) } else { impossible(format!("Stream not found: {source}")) }
}

fn readable_queue(cloud: &mut Cloud, name: &str, source: &str) -> Result<(), Refusal> {
    let function = function(cloud, name)?;
    let timeout = function.configuration["Timeout"].as_u64().unwrap_or_default();
    if !iam::allows(cloud, function.role(), "sqs:ReceiveMessage") {
        return impossible(
            "The provided execution role does not have permissions to call ReceiveMessage on SQS",
        );
    }
    let queue = sqs::call(cloud, "GetQueueAttributes", &json!({ "QueueUrl": last(source) }));
    let attributes = queue.map(|answer| text_map(&answer["Attributes"])).unwrap_or_default();
    if attributes.get("QueueArn").is_none_or(|arn| arn != source) {
        return impossible(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. \
             SQS Error Message: The specified queue does not exist.",
        );
    }
    let visibility = attributes.get("VisibilityTimeout").and_then(|seconds| seconds.parse::<u64>().ok());
    match visibility {
        Some(visibility) if visibility < timeout => impossible(format!(
            "Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds"
        )),
        _ => Ok(()),
    }
}

fn sized(input: &Json) -> Result<(), Refusal> {
    within(input, "BatchSize", 1..=10_000)?;
    within(input, "MaximumBatchingWindowInSeconds", 0..=300)?;
    within(input, "MaximumRecordAgeInSeconds", -1..=604_800)?;
    within(input, "MaximumRetryAttempts", -1..=10_000)?;
    within(input, "ParallelizationFactor", 1..=10)
}

/// Refuses members that do not fit the type of the source.
fn belongs(input: &Json, source: &str) -> Result<(), Refusal> {
    let mut of_stream = OF_STREAM.iter().chain(&["StartingPosition"]);
    if is_queue(source)
        && let Some(member) = of_stream.find(|member| !input[**member].is_null())
    {
        return impossible(format!("Unsupported {member} parameter for given event source mapping type."));
    }
    if !is_queue(source) && !input["ScalingConfig"].is_null() {
        return impossible("ScalingConfig is only supported for Amazon SQS event sources.");
    }
    if names::is_fifo(source) && !input["MaximumBatchingWindowInSeconds"].is_null() {
        return impossible("Batching window is not supported for FIFO queues.");
    }
    let failures = &input["DestinationConfig"]["OnFailure"];
    if failures.is_object() && text(failures, "Destination").is_empty() {
        return impossible("The Destination field is required for an OnFailure configuration.");
    }
    Ok(())
}

fn twin(function: &str, source: &str, uuid: &str) -> String {
    if is_queue(source) {
        return format!(
            "An event source mapping with SQS arn (\" {source} \") and function (\" {function} \") already \
             exists. Please update or delete the existing mapping with UUID {uuid}"
        );
    }
    format!(
        "The event source arn (\" {source} \") and function (\" {function} \") provided mapping already \
         exists. Please update or delete the existing mapping with UUID {uuid}"
    )
}

fn defaults_of_stream() -> Json {
    json!({
        "BatchSize": 100,
        "BisectBatchOnFunctionError": false,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
    })
}

pub(super) fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = name_of(required(input, "FunctionName")?);
    let source = required(input, "EventSourceArn")?;
    sized(input)?;
    belongs(input, source)?;
    if !is_queue(source) {
        required(input, "StartingPosition")?;
    }
    let function = function(cloud, name)?;
    function.active(cloud.now)?;
    let function_arn = function.arn().to_owned();
    let mut others = cloud.lambda.mappings.iter();
    let other = others.find(|(_, other)| other.function() == name && other.source() == source);
    if let Some((uuid, _)) = other {
        return conflict(twin(name, source, uuid));
    }
    let uuid = cloud.uuid_of(&format!("{name} {source}"));
    let mut mapping = Mapping {
        configuration: json!({
            "UUID": uuid,
            "EventSourceMappingArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{uuid}"),
            "EventSourceArn": source,
            "FunctionArn": function_arn,
            "BatchSize": 10,
            "MaximumBatchingWindowInSeconds": 0,
            "FunctionResponseTypes": [],
            "StateTransitionReason": "USER_INITIATED",
        }),
        enabled: true,
        tags: super::TAGS.given(input),
        change: "Creating",
        since: cloud.now,
    };
    if !is_queue(source) {
        mapping.configuration["StartingPosition"] = input["StartingPosition"].clone();
        mapping.configure(&defaults_of_stream());
    }
    mapping.configure(input);
    mapping.fits()?;
    readable(cloud, name, &mapping)?;
    let answer = mapping.described(cloud.now);
    cloud.lambda.mappings.insert(uuid, mapping);
    Ok(answer)
}

pub(super) fn get(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    Ok(mapping(cloud, input)?.described(now))
}

pub(super) fn update(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    sized(input)?;
    let mut changed = at_rest(cloud, input, "update")?.clone();
    belongs(input, changed.source())?;
    let was_enabled = changed.enabled;
    changed.configure(input);
    changed.fits()?;
    let given = name_of(text(input, "FunctionName"));
    let name = if given.is_empty() { changed.function() } else { given }.to_owned();
    readable(cloud, &name, &changed)?;
    changed.configuration["FunctionArn"] = super::arn(&name).into();
    changed.change = match (was_enabled, changed.enabled) {
        (false, true) => "Enabling",
        (true, false) => "Disabling",
        _ => "Updating",
    };
    changed.since = now;
    let answer = changed.described(now);
    *mapping(cloud, input)? = changed;
    Ok(answer)
}

pub(super) fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    let mapping = at_rest(cloud, input, "delete")?;
    mapping.change = DELETING;
    mapping.since = now;
    Ok(mapping.described(now))
}

/// All mappings, or those of a function or a source. Mappings of deleted functions are included.
pub(super) fn list(cloud: &Cloud, input: &Json) -> Json {
    let (function, source) = (name_of(text(input, "FunctionName")), text(input, "EventSourceArn"));
    let mappings = cloud.lambda.mappings.values().filter(|mapping| {
        (function.is_empty() || mapping.function() == function)
            && (source.is_empty() || mapping.source() == source)
    });
    let described: Vec<Json> = mappings.map(|mapping| mapping.described(cloud.now)).collect();
    json!({ "EventSourceMappings": described })
}
