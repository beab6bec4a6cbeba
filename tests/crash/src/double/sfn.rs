//! Step Functions: state machines, without their executions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, iam, parse, parsed, refuse, text,
    text_list, unknown, without,
};

const TAGS: TagForm = TagForm::pairs("tags", "tagKeys", "key", "value");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    machines: BTreeMap<String, Machine>,
}

#[derive(Clone, Debug)]
struct Machine {
    /// Its settings, with the defaults that AWS adds.
    settings: Json,
    tags: Tags,
    /// The time of its delete call. It disappears after `LINGERS`.
    deleted: Option<Duration>,
}

/// The duration of a delete.
const LINGERS: Duration = Duration::from_secs(5);
/// The time of every change, in seconds since 1970.
const DATE: u64 = 1_767_225_600;
/// The maximum length of a name.
const LONGEST_NAME: usize = 80;
/// The maximum size of a definition, in bytes.
const LONGEST_DEFINITION: usize = 1_048_576;
/// The members that an update can change.
const MUTABLE: [&str; 5] =
    ["definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"];
const STANDARD: &str = "STANDARD";
const EXPRESS: &str = "EXPRESS";

/// The actions that a role needs for logs of executions.
const TO_LOG: [&str; 4] = [
    "logs:CreateLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:PutResourcePolicy",
];
/// The actions that a role needs to wait for tasks and executions.
const TO_WAIT: [&str; 3] = ["events:DescribeRule", "events:PutRule", "events:PutTargets"];
/// The integrations for which Step Functions waits with an EventBridge rule.
const HEARD_OF: [&str; 2] = ["ecs:runTask.sync", "states:startExecution.sync"];

fn arn(name: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}")
}

impl State {
    /// The state machines, except those that are being deleted.
    pub(super) fn items(&self) -> Vec<Item> {
        let live = self.machines.iter().filter(|(_, machine)| machine.deleted.is_none());
        live.map(|(name, machine)| {
            let mut settings = machine.settings.clone();
            parse(&mut settings, "definition");
            let tags = Some(machine.tags.clone());
            Item { kind: "state machine", name: name.clone(), tags, settings }
        })
        .collect()
    }

    /// The state machines at this time, after finished deletes.
    fn at(&mut self, now: Duration) -> &mut BTreeMap<String, Machine> {
        self.machines.retain(|_, machine| machine.deleted.is_none_or(|at| now < at + LINGERS));
        &mut self.machines
    }
}

impl Machine {
    fn described(&self, name: &str) -> Json {
        let mut described = self.settings.clone();
        described["stateMachineArn"] = arn(name).into();
        described["name"] = name.into();
        described["status"] = if self.deleted.is_some() { "DELETING" } else { "ACTIVE" }.into();
        described["creationDate"] = DATE.into();
        described
    }
}

/// Refuses a member that is missing or invalid.
fn invalid<T>(member: &str, value: &str) -> Result<T, Refusal> {
    let message =
        format!("1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint");
    refuse("ValidationException", message)
}

fn denied<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse("AccessDeniedException", message)
}

fn deleting<T>(name: &str) -> Result<T, Refusal> {
    refuse("StateMachineDeleting", format!("State Machine is being deleted: '{}'", arn(name)))
}

/// The name of a new state machine.
fn new_name(input: &Json) -> Result<&str, Refusal> {
    let name = text(input, "name");
    if name.is_empty() || name.len() > LONGEST_NAME {
        return invalid("name", name);
    }
    let refused =
        |one: char| one.is_whitespace() || one.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(one);
    if name.contains(refused) {
        return refuse("InvalidName", format!("Invalid Name: '{name}'"));
    }
    Ok(name)
}

/// The name in an ARN.
fn name_in<'a>(input: &'a Json, member: &str) -> Result<&'a str, Refusal> {
    let given = text(input, member);
    match given.strip_prefix(&arn("")) {
        Some(name) if !name.is_empty() && !name.contains([':', '/']) => Ok(name),
        _ => refuse("InvalidArn", format!("Invalid Arn: '{given}'")),
    }
}

/// The state machine of a call. It must not be in deletion.
fn active<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Machine, Refusal> {
    let name = name_in(input, "stateMachineArn")?;
    let now = cloud.now;
    match cloud.sfn.at(now).get_mut(name) {
        Some(machine) if machine.deleted.is_none() => Ok(machine),
        Some(_) => deleting(name),
        None => missing(name),
    }
}

fn missing<T>(name: &str) -> Result<T, Refusal> {
    refuse("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{}'", arn(name)))
}

/// The state machine of a call on tags.
fn tagged<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Machine, Refusal> {
    let name = name_in(input, "resourceArn")?;
    let now = cloud.now;
    match cloud.sfn.at(now).get_mut(name) {
        Some(machine) => Ok(machine),
        None => refuse("ResourceNotFound", format!("Resource not found: '{}'", arn(name))),
    }
}

fn role(input: &Json) -> Result<&str, Refusal> {
    let arn = text(input, "roleArn");
    if arn.starts_with("arn:aws:iam::") && arn.contains(":role/") {
        return Ok(arn);
    }
    refuse("InvalidArn", format!("Invalid Role Arn: '{arn}'"))
}

fn definition<'a>(input: &'a Json, kind: &str) -> Result<&'a str, Refusal> {
    let definition = text(input, "definition");
    if definition.is_empty() || definition.len() > LONGEST_DEFINITION {
        return invalid("definition", "");
    }
    let faults = faults(definition, kind);
    if faults.is_empty() {
        return Ok(definition);
    }
    let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
    refuse("InvalidDefinition", format!("Invalid State Machine Definition: '{}'", told.join(", ")))
}

/// The logging configuration. With level `OFF`, the log group is not checked.
fn logging(given: &Json) -> Answer {
    let level = given["level"].as_str().unwrap_or("OFF");
    if !["ALL", "ERROR", "FATAL", "OFF"].contains(&level) {
        return invalid("loggingConfiguration.level", level);
    }
    let destinations = items(&given["destinations"]);
    if level != "OFF" {
        let [destination] = destinations else {
            return not_logged("Must specify exactly one Log Destination.");
        };
        log_group(destination)?;
    }
    Ok(json!({
        "level": level,
        "includeExecutionData": given["includeExecutionData"].as_bool().unwrap_or_default(),
        "destinations": destinations,
    }))
}

fn not_logged<T>(why: &str) -> Result<T, Refusal> {
    refuse("InvalidLoggingConfiguration", format!("Invalid Logging Configuration: {why}"))
}

/// The name of the log group of a destination.
fn log_group(destination: &Json) -> Result<&str, Refusal> {
    let given = text(&destination["cloudWatchLogsLogGroup"], "logGroupArn");
    if given.is_empty() {
        return not_logged("Must set valid CloudWatch Log Group ARN.");
    }
    let Some(group) = given.strip_prefix(&format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:")) else {
        return not_logged("Provided ARN is not CloudWatch Logs Log Group ARN.");
    };
    match group.strip_suffix(":*") {
        Some(group) => Ok(group),
        None => not_logged("Log Group ARN must be provided with '*' qualifier."),
    }
}

fn tracing(given: &Json) -> Json {
    json!({ "enabled": given["enabled"].as_bool().unwrap_or_default() })
}

fn encryption(given: &Json) -> Answer {
    let refused = |why: &str| {
        refuse("InvalidEncryptionConfiguration", format!("Invalid Encryption Configuration: {why}"))
    };
    match (given["type"].as_str(), text(given, "kmsKeyId")) {
        (None, _) if given.is_null() => Ok(json!({ "type": "AWS_OWNED_KEY" })),
        (Some("AWS_OWNED_KEY"), "") => Ok(json!({ "type": "AWS_OWNED_KEY" })),
        (Some("AWS_OWNED_KEY"), _) => refused("Custom kmsKeyId is not allowed when selecting AWS_OWNED_KEY."),
        (Some("CUSTOMER_MANAGED_KMS_KEY"), "") => refused("Must set a valid kmsKeyId."),
        (Some("CUSTOMER_MANAGED_KMS_KEY"), key) => Ok(json!({
            "type": "CUSTOMER_MANAGED_KMS_KEY",
            "kmsKeyId": key,
            "kmsDataKeyReusePeriodSeconds": given["kmsDataKeyReusePeriodSeconds"].as_u64().unwrap_or(300),
        })),
        (other, _) => invalid("encryptionConfiguration.type", other.unwrap_or("null")),
    }
}

/// Checks that Step Functions can assume the role, and that the role allows the actions that the settings
/// need.
fn check_role(cloud: &Cloud, settings: &Json) -> Result<(), Refusal> {
    let role = text(settings, "roleArn");
    if !iam::assumable(cloud, role, "states.amazonaws.com") {
        return denied(
            "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to \
             assume the provided role.",
        );
    }
    let may = |actions: &[&str]| actions.iter().all(|action| iam::allows(cloud, role, action));
    let logging = &settings["loggingConfiguration"];
    if logging["level"] != "OFF" {
        let group = log_group(&logging["destinations"][0])?;
        if !may(&TO_LOG) || !cloud.logs.groups.contains_key(group) {
            return denied("The state machine IAM Role is not authorized to access the Log Destination");
        }
    }
    if waits(&parsed(text(settings, "definition"))) && !may(&TO_WAIT) {
        return denied(format!("'{role}' is not authorized to create managed-rule."));
    }
    Ok(())
}

/// Returns true if a state waits for an integration in `HEARD_OF`.
fn waits(part: &Json) -> bool {
    let resource = text(part, "Resource");
    HEARD_OF.iter().any(|heard_of| resource.contains(heard_of))
        || items(part).iter().any(waits)
        || part.as_object().is_some_and(|members| members.values().any(waits))
}

/// Creates a state machine. An existing one is returned if only the role or the tags differ. They stay
/// unchanged.
fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    let name = new_name(input)?;
    let kind = input["type"].as_str().unwrap_or(STANDARD);
    if ![STANDARD, EXPRESS].contains(&kind) {
        return invalid("type", kind);
    }
    let settings = json!({
        "type": kind,
        "definition": definition(input, kind)?,
        "roleArn": role(input)?,
        "loggingConfiguration": logging(&input["loggingConfiguration"])?,
        "tracingConfiguration": tracing(&input["tracingConfiguration"]),
        "encryptionConfiguration": encryption(&input["encryptionConfiguration"])?,
    });
    let made = json!({ "stateMachineArn": arn(name), "creationDate": DATE });
    let now = cloud.now;
    if let Some(existing) = cloud.sfn.at(now).get(name) {
        if existing.deleted.is_some() {
            return deleting(name);
        }
        let but_role = |settings: &Json| without(settings.clone(), &["roleArn"]);
        return if but_role(&existing.settings) == but_role(&settings) {
            Ok(made)
        } else {
            refuse("StateMachineAlreadyExists", format!("State Machine Already Exists: '{}'", arn(name)))
        };
    }
    check_role(cloud, &settings)?;
    let machine = Machine { settings, tags: TAGS.given(input), deleted: None };
    cloud.sfn.machines.insert(name.to_owned(), machine);
    Ok(made)
}

fn update(cloud: &mut Cloud, input: &Json) -> Answer {
    let mut settings = active(cloud, input)?.settings.clone();
    let given: Vec<&str> = MUTABLE.into_iter().filter(|member| !input[*member].is_null()).collect();
    if given.is_empty() {
        return refuse(
            "MissingRequiredParameter",
            "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be \
             specified",
        );
    }
    if given.contains(&"encryptionConfiguration") && !given.contains(&"definition") {
        return refuse(
            "MissingRequiredParameter",
            "The definition must be specified when updating the EncryptionConfiguration",
        );
    }
    for member in given {
        settings[member] = match member {
            "definition" => definition(input, text(&settings, "type"))?.into(),
            "roleArn" => role(input)?.into(),
            "loggingConfiguration" => logging(&input[member])?,
            "tracingConfiguration" => tracing(&input[member]),
            _ => encryption(&input[member])?,
        };
    }
    check_role(cloud, &settings)?;
    active(cloud, input)?.settings = settings;
    Ok(json!({ "updateDate": DATE }))
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let now = cloud.now;
    match operation {
        "CreateStateMachine" => create(cloud, input),
        "DescribeStateMachine" => {
            let name = name_in(input, "stateMachineArn")?;
            match cloud.sfn.at(now).get(name) {
                Some(machine) => Ok(machine.described(name)),
                None => missing(name),
            }
        }
        "UpdateStateMachine" => update(cloud, input),
        "DeleteStateMachine" => {
            let name = name_in(input, "stateMachineArn")?;
            // A missing state machine is not an error.
            if let Some(machine) = cloud.sfn.at(now).get_mut(name) {
                machine.deleted.get_or_insert(now);
            }
            Ok(json!({}))
        }
        "ListStateMachines" => {
            let machines = cloud.sfn.at(now).iter().map(|(name, machine)| {
                json!({
                    "stateMachineArn": arn(name),
                    "name": name,
                    "type": machine.settings["type"],
                    "creationDate": DATE,
                })
            });
            Ok(json!({ "stateMachines": machines.collect::<Vec<_>>() }))
        }
        "ValidateStateMachineDefinition" => {
            let faults = faults(text(input, "definition"), input["type"].as_str().unwrap_or(STANDARD));
            let result = if faults.is_empty() { "OK" } else { "FAIL" };
            let diagnostics: Vec<Json> = faults.iter().map(Fault::described).collect();
            Ok(json!({ "result": result, "diagnostics": diagnostics, "truncated": false }))
        }
        "ListTagsForResource" => Ok(TAGS.list(&tagged(cloud, input)?.tags)),
        "TagResource" => Ok(TAGS.add(&mut tagged(cloud, input)?.tags, input)),
        "UntagResource" => Ok(TAGS.remove(&mut tagged(cloud, input)?.tags, input)),
        other => unknown("states", other),
    }
}

/// An error in a definition.
struct Fault {
    code: &'static str,
    message: String,
    location: String,
}

impl Fault {
    fn schema(message: impl Into<String>, location: impl Into<String>) -> Self {
        Self { code: "SCHEMA_VALIDATION_FAILED", message: message.into(), location: location.into() }
    }

    fn transition(message: String, location: String) -> Self {
        Self { code: "MISSING_TRANSITION_TARGET", message, location }
    }

    fn described(&self) -> Json {
        let Self { code, message, location } = self;
        json!({ "severity": "ERROR", "code": code, "message": message, "location": location })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at {}", self.code, self.message, self.location)
    }
}

/// The properties that apply to all states of a definition.
#[derive(Clone, Copy)]
struct Dialect {
    express: bool,
    jsonata: bool,
}

/// Fields of every state.
const EVERY: &str = "Comment QueryLanguage Type";

/// A type of state: its name, its fields, its fields for JSONPath only, and its fields for JSONata only.
type Shape = (&'static str, &'static str, &'static str, &'static str);
const SHAPES: [Shape; 8] = [
    (
        "Task",
        "Assign Catch Credentials End HeartbeatSeconds Next Resource Retry TimeoutSeconds",
        "HeartbeatSecondsPath InputPath OutputPath Parameters ResultPath ResultSelector TimeoutSecondsPath",
        "Arguments Output",
    ),
    ("Wait", "Assign End Next Seconds Timestamp", "InputPath OutputPath SecondsPath TimestampPath", "Output"),
    ("Pass", "Assign End Next", "InputPath OutputPath Parameters Result ResultPath", "Output"),
    ("Succeed", "", "InputPath OutputPath", "Output"),
    ("Fail", "Cause Error", "CausePath ErrorPath", ""),
    ("Choice", "Assign Choices Default", "InputPath OutputPath", "Output"),
    (
        "Parallel",
        "Assign Branches Catch End Next Retry",
        "InputPath OutputPath Parameters ResultPath ResultSelector",
        "Arguments Output",
    ),
    (
        "Map",
        "Assign Catch End ItemBatcher ItemProcessor ItemReader ItemSelector Label MaxConcurrency Next \
         ResultWriter Retry ToleratedFailureCount ToleratedFailurePercentage",
        "InputPath ItemsPath Iterator MaxConcurrencyPath OutputPath Parameters ResultPath ResultSelector \
         ToleratedFailureCountPath ToleratedFailurePercentagePath",
        "Items Output",
    ),
];

/// Returns true if a list, separated by spaces, contains the field.
fn has(fields: &str, field: &str) -> bool {
    fields.split(' ').any(|known| known == field)
}

/// All errors in a definition.
fn faults(definition: &str, kind: &str) -> Vec<Fault> {
    let mut found = Vec::new();
    match serde_json::from_str::<Json>(definition) {
        Ok(machine) => {
            let dialect =
                Dialect { express: kind == EXPRESS, jsonata: machine["QueryLanguage"] == "JSONata" };
            check_machine(&machine, "", dialect, &mut found);
        }
        Err(error) => found.push(Fault {
            code: "INVALID_JSON_DESCRIPTION",
            message: error.to_string(),
            location: "/".to_owned(),
        }),
    }
    found
}

fn items(value: &Json) -> &[Json] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Checks the states of a machine, a branch or an item processor. Transitions must stay inside it.
fn check_machine(machine: &Json, at: &str, dialect: Dialect, found: &mut Vec<Fault>) {
    let Some(states) = machine["States"].as_object().filter(|states| !states.is_empty()) else {
        found.push(Fault::schema("The field 'States' should be non-empty", format!("{at}/States")));
        return;
    };
    let mut targets = vec![(format!("{at}/StartAt"), text(machine, "StartAt"))];
    for (name, state) in states {
        let at = format!("{at}/States/{name}");
        targets.extend(transitions(state, &at));
        check_state(state, &at, dialect, found);
    }
    let reached: BTreeSet<&str> = targets.iter().map(|(_, target)| *target).collect();
    for (location, target) in targets.into_iter().filter(|(_, target)| !states.contains_key(*target)) {
        found.push(Fault::transition(format!("Missing 'Next' target: {target}"), location));
    }
    for name in states.keys().filter(|name| !reached.contains(name.as_str())) {
        let message = format!("State \"{name}\" is not reachable.");
        found.push(Fault::transition(message, format!("{at}/States/{name}")));
    }
}

/// The targets of a state, each with the location of the transition.
fn transitions<'a>(state: &'a Json, at: &str) -> Vec<(String, &'a str)> {
    let mut targets = Vec::new();
    for member in ["Next", "Default"] {
        targets.extend(state[member].as_str().map(|target| (format!("{at}/{member}"), target)));
    }
    for member in ["Choices", "Catch"] {
        let rules = items(&state[member]).iter().enumerate();
        targets
            .extend(rules.map(|(index, rule)| (format!("{at}/{member}[{index}]/Next"), text(rule, "Next"))));
    }
    targets
}

fn check_state(state: &Json, at: &str, dialect: Dialect, found: &mut Vec<Fault>) {
    let kind = text(state, "Type");
    let Some((_, fields, path_fields, jsonata_fields)) = SHAPES.iter().find(|(name, ..)| *name == kind)
    else {
        let kinds = SHAPES.map(|(name, ..)| name).join(", ");
        let message = format!("The field 'Type' should have one of these values: [{kinds}]");
        found.push(Fault::schema(message, format!("{at}/Type")));
        return;
    };
    let jsonata = state["QueryLanguage"].as_str().map_or(dialect.jsonata, |language| language == "JSONata");
    let own = if jsonata { jsonata_fields } else { path_fields };
    for (field, _) in state.as_object().into_iter().flatten() {
        if ![EVERY, *fields, *own].iter().any(|fields| has(fields, field)) {
            found.push(Fault::schema(format!("Field '{field}' is not supported"), at));
        }
    }
    let goes_on = state["Next"].is_string();
    if has(fields, "Next") && goes_on == (state["End"] == true) {
        found.push(Fault::schema("Exactly one of these fields is required: [Next, End]", at));
    }
    check_handlers(state, at, found);
    if !jsonata {
        for field in ["Parameters", "ResultSelector", "ItemSelector"] {
            check_paths(&state[field], &format!("{at}/{field}"), found);
        }
    }
    match kind {
        "Task" => check_task(state, at, dialect, found),
        "Choice" if items(&state["Choices"]).is_empty() => {
            found.push(Fault::schema("The field 'Choices' should be non-empty", format!("{at}/Choices")));
        }
        "Parallel" => {
            let branches = items(&state["Branches"]);
            if branches.is_empty() {
                found.push(Fault::schema(
                    "The field 'Branches' should be non-empty",
                    format!("{at}/Branches"),
                ));
            }
            for (index, branch) in branches.iter().enumerate() {
                check_machine(branch, &format!("{at}/Branches[{index}]"), dialect, found);
            }
        }
        "Map" => {
            let processor = if state["Iterator"].is_null() { "ItemProcessor" } else { "Iterator" };
            let machine = &state[processor];
            if dialect.express && machine["ProcessorConfig"]["Mode"] == "DISTRIBUTED" {
                let message = "Express state machine does not support DISTRIBUTED mode";
                found.push(Fault::schema(message, format!("{at}/{processor}/ProcessorConfig/Mode")));
            }
            check_machine(machine, &format!("{at}/{processor}"), dialect, found);
        }
        _ => {}
    }
}

fn check_task(state: &Json, at: &str, dialect: Dialect, found: &mut Vec<Fault>) {
    let resource = text(state, "Resource");
    let location = format!("{at}/Resource");
    if !resource.starts_with("arn:") {
        found.push(Fault::schema("Value is not a valid resource ARN", &location));
    }
    for pattern in [".sync", ".waitForTaskToken"] {
        if dialect.express && resource.contains(pattern) {
            let message = format!("Express state machine does not support '{pattern}' service integration");
            found.push(Fault::schema(message, &location));
        }
    }
}

/// Checks `Retry` and `Catch`: `States.ALL` must stand alone in the last entry.
fn check_handlers(state: &Json, at: &str, found: &mut Vec<Fault>) {
    for member in ["Retry", "Catch"] {
        let handlers = items(&state[member]);
        for (index, handler) in handlers.iter().enumerate() {
            let errors = text_list(&handler["ErrorEquals"]);
            let location = format!("{at}/{member}[{index}]/ErrorEquals");
            if errors.is_empty() {
                found.push(Fault::schema("The field 'ErrorEquals' should be non-empty", &location));
            }
            let last = errors.len() == 1 && index + 1 == handlers.len();
            if !last && errors.iter().any(|error| error == "States.ALL") {
                found.push(Fault::schema("States.ALL must appear alone, and in the last place", &location));
            }
        }
    }
}

/// Checks that each member whose name ends in `.$` is a path or an intrinsic function.
fn check_paths(value: &Json, at: &str, found: &mut Vec<Fault>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = |text: &str| text.starts_with('$') || text.starts_with("States.");
        if name.ends_with(".$") && !value.as_str().is_some_and(path) {
            let message = format!(
                "The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"
            );
            found.push(Fault::schema(message, at));
        }
        check_paths(value, at, found);
    }
    for value in items(value) {
        check_paths(value, at, found);
    }
}
