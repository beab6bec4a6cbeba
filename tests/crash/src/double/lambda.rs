//! Lambda: functions. Permissions, mappings, invoke configurations and function URLs have their own modules.

mod checks;
mod invoke_config;
mod mappings;
mod permissions;
mod urls;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use checks::{invalid, named, required, within};

use super::wire::Route;
use super::{
    ACCOUNT, Answer, Cloud, Item, REGION, Refusal, TagForm, Tags, dynamodb, iam, kinesis, last, refuse,
    refuse_with, sqs, text, text_list, text_map, unknown, without,
};

const TAGS: TagForm = TagForm::map("Tags", "tagKeys");

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) functions: BTreeMap<String, Function>,
    /// By UUID. A mapping stays when its function is deleted.
    mappings: BTreeMap<String, mappings::Mapping>,
}

#[derive(Clone, Debug)]
pub(super) struct Function {
    /// Its configuration, without fields that change by themselves, e.g. `State`.
    configuration: Json,
    image_uri: Option<String>,
    /// The reserved concurrent executions.
    concurrency: Option<u64>,
    tags: Tags,
    created: Duration,
    /// The start of its last update.
    updated: Option<Duration>,
    permissions: Vec<permissions::Permission>,
    event_invoke_config: Option<Json>,
    /// The configuration of its function URL.
    url: Option<Json>,
}

pub(super) const ROUTES: &[Route] = &[
    ("POST", "/2015-03-31/functions", "CreateFunction"),
    ("GET", "/2015-03-31/functions", "ListFunctions"),
    ("GET", "/2015-03-31/functions/{FunctionName}", "GetFunction"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}", "DeleteFunction"),
    ("GET", "/2015-03-31/functions/{FunctionName}/configuration", "GetFunctionConfiguration"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/configuration", "UpdateFunctionConfiguration"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/code", "UpdateFunctionCode"),
    ("PUT", "/2017-10-31/functions/{FunctionName}/concurrency", "PutFunctionConcurrency"),
    ("DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", "DeleteFunctionConcurrency"),
    ("GET", "/2015-03-31/functions/{FunctionName}/policy", "GetPolicy"),
    ("POST", "/2015-03-31/functions/{FunctionName}/policy", "AddPermission"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", "RemovePermission"),
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "GetFunctionEventInvokeConfig"),
    ("PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "PutFunctionEventInvokeConfig"),
    ("DELETE", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "DeleteFunctionEventInvokeConfig"),
    ("POST", "/2021-10-31/functions/{FunctionName}/url", "CreateFunctionUrlConfig"),
    ("GET", "/2021-10-31/functions/{FunctionName}/url", "GetFunctionUrlConfig"),
    ("PUT", "/2021-10-31/functions/{FunctionName}/url", "UpdateFunctionUrlConfig"),
    ("DELETE", "/2021-10-31/functions/{FunctionName}/url", "DeleteFunctionUrlConfig"),
    ("POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping"),
    ("GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings"),
    ("GET", "/2015-03-31/event-source-mappings/{UUID}", "GetEventSourceMapping"),
    ("PUT", "/2015-03-31/event-source-mappings/{UUID}", "UpdateEventSourceMapping"),
    ("DELETE", "/2015-03-31/event-source-mappings/{UUID}", "DeleteEventSourceMapping"),
    ("GET", "/2017-03-31/tags/{Resource}", "ListTags"),
    ("POST", "/2017-03-31/tags/{Resource}", "TagResource"),
    ("DELETE", "/2017-03-31/tags/{Resource}", "UntagResource"),
];

/// The time for which Lambda is busy with an object after a call.
const BUSY: Duration = Duration::from_secs(1);

/// Members that a function's configuration takes from calls unchanged.
const GIVEN: [&str; 12] = [
    "Architectures",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "KMSKeyArn",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
];

const MISSING: &str = "The resource you requested does not exist.";

impl State {
    pub(super) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for (name, function) in &self.functions {
            let (tags, settings) = (Some(function.tags.clone()), function.settings());
            items.push(Item { kind: "function", name: name.clone(), tags, settings });
            items.extend(function.permissions.iter().map(|permission| permission.item(name)));
            if let Some(config) = &function.event_invoke_config {
                let settings = config.clone();
                items.push(Item { kind: "event invoke config", name: name.clone(), tags: None, settings });
            }
            items.extend(function.url.as_ref().map(|url| urls::item(name, url)));
        }
        items.extend(self.mappings.values().filter_map(mappings::Mapping::item));
        items
    }
}

impl Function {
    fn new(name: &str, input: &Json, now: Duration) -> Self {
        let package = if text(input, "PackageType").is_empty() { "Zip" } else { text(input, "PackageType") };
        let configuration = json!({
            "FunctionName": name,
            "FunctionArn": arn(name),
            "Version": "$LATEST",
            "PackageType": package,
            "Description": "",
            "Architectures": ["x86_64"],
            "MemorySize": 128,
            "Timeout": 3,
            "EphemeralStorage": { "Size": 512 },
            "TracingConfig": { "Mode": "PassThrough" },
        });
        let mut function = Self {
            configuration,
            image_uri: None,
            concurrency: None,
            tags: TAGS.given(input),
            created: now,
            updated: None,
            permissions: Vec::new(),
            event_invoke_config: None,
            url: None,
        };
        function.configure(input);
        function
    }

    /// Takes the members that a call sets. Omitted members keep their value.
    fn configure(&mut self, input: &Json) {
        for member in GIVEN {
            if !input[member].is_null() {
                self.configuration[member] = input[member].clone();
            }
        }
        let default_group = format!("/aws/lambda/{}", text(&self.configuration, "FunctionName"));
        let logging = &mut self.configuration["LoggingConfig"];
        for (member, default) in [("LogFormat", "Text"), ("LogGroup", default_group.as_str())] {
            if logging[member].is_null() {
                logging[member] = default.into();
            }
        }
        // Answers omit these members when they are empty.
        if let Some(members) = self.configuration.as_object_mut() {
            members.retain(|name, value| match name.as_str() {
                "KMSKeyArn" => value.as_str() != Some(""),
                "Environment" => !text_map(&value["Variables"]).is_empty(),
                _ => true,
            });
        }
    }

    /// Sets the code: a zip or an image, depending on the package type.
    fn set_code(&mut self, code: &Json) -> Result<(), Refusal> {
        let (zip, image) = (text(code, "ZipFile"), text(code, "ImageUri"));
        let hash = if self.is_image() {
            if image.is_empty() {
                return impossible(
                    "Please provide ImageUri when updating a function with packageType Image.",
                );
            }
            self.image_uri = Some(image.to_owned());
            hex::encode(Sha256::digest(image))
        } else {
            if !image.is_empty() {
                return impossible(
                    "Please don't provide ImageUri when updating a function with packageType Zip.",
                );
            }
            let bytes = BASE64_STANDARD.decode(zip).unwrap_or_default();
            if !bytes.starts_with(b"PK") {
                return impossible(
                    "Could not unzip uploaded file. Please check your file, then try to upload again.",
                );
            }
            self.configuration["CodeSize"] = bytes.len().into();
            BASE64_STANDARD.encode(Sha256::digest(&bytes))
        };
        self.configuration["CodeSha256"] = hash.into();
        Ok(())
    }

    fn is_image(&self) -> bool {
        text(&self.configuration, "PackageType") == "Image"
    }

    /// The settings that the client chose.
    fn settings(&self) -> Json {
        let mut settings = without(self.configuration.clone(), &["FunctionArn"]);
        settings["ImageUri"] = json!(self.image_uri);
        settings["ReservedConcurrentExecutions"] = json!(self.concurrency);
        settings
    }

    fn arn(&self) -> &str {
        text(&self.configuration, "FunctionArn")
    }

    fn role(&self) -> &str {
        text(&self.configuration, "Role")
    }

    fn is_pending(&self, now: Duration) -> bool {
        now < self.created + BUSY
    }

    fn is_updating(&self, now: Duration) -> bool {
        self.updated.is_some_and(|since| now < since + BUSY)
    }

    /// Its configuration, with its state at this time.
    fn described(&self, now: Duration) -> Json {
        let mut described = self.configuration.clone();
        if self.is_pending(now) {
            described["State"] = "Pending".into();
            described["StateReason"] = "The function is being created.".into();
            described["StateReasonCode"] = "Creating".into();
        } else {
            let status = if self.is_updating(now) { "InProgress" } else { "Successful" };
            described["State"] = "Active".into();
            described["LastUpdateStatus"] = status.into();
        }
        described
    }

    /// Refuses an update during the create or another update.
    fn at_rest(&self, now: Duration) -> Result<(), Refusal> {
        if self.is_pending(now) || self.is_updating(now) {
            return conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                self.arn()
            ));
        }
        Ok(())
    }

    /// Refuses to attach an object to a function during its create.
    fn active(&self, now: Duration) -> Result<(), Refusal> {
        if self.is_pending(now) {
            return conflict(
                "The operation cannot be performed at this time. The function is currently in the following \
                 state: Pending",
            );
        }
        Ok(())
    }
}

/// Returns true if the policy of a function lets this service invoke it for this object, and has taken
/// effect.
pub(super) fn may_invoke(cloud: &Cloud, function_arn: &str, principal: &str, source_arn: &str) -> bool {
    let function = cloud.lambda.functions.get(name_of(function_arn));
    function.filter(|function| function.arn() == function_arn).is_some_and(|function| {
        function.permissions.iter().any(|permission| permission.allows(cloud, principal, source_arn))
    })
}

fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}

/// The name of a function that is given by name or ARN, with or without a version.
fn name_of(given: &str) -> &str {
    let unversioned = given.split_once(":function:").map_or(given, |(_, rest)| rest);
    unversioned.split(':').next().unwrap_or_default()
}

fn missing<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse_with(404, "ResourceNotFoundException", message)
}

fn conflict<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse_with(409, "ResourceConflictException", message)
}

fn impossible<T>(message: impl Into<String>) -> Result<T, Refusal> {
    refuse("InvalidParameterValueException", message)
}

fn function<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Function, Refusal> {
    let name = name_of(required(input, "FunctionName")?);
    match cloud.lambda.functions.get_mut(name) {
        Some(function) => Ok(function),
        None => missing(format!("Function not found: {}", arn(name))),
    }
}

fn create(cloud: &mut Cloud, input: &Json) -> Answer {
    named(input, "FunctionName", 64)?;
    let name = text(input, "FunctionName");
    let role = required(input, "Role")?;
    if input["Code"].is_null() {
        return invalid("Code", "null", "Member must not be null");
    }
    sized(input)?;
    if cloud.lambda.functions.contains_key(name) {
        return conflict(format!("Function already exist: {name}"));
    }
    let mut function = Function::new(name, input, cloud.now);
    let (runtime, handler) = (text(input, "Runtime"), text(input, "Handler"));
    if function.is_image() && !(runtime.is_empty() && handler.is_empty()) {
        return impossible(
            "Please don't provide handler or runtime or layer when the intent is to create function \
             packageType as image",
        );
    }
    if !function.is_image() && (runtime.is_empty() || handler.is_empty()) {
        return impossible(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        );
    }
    function.set_code(&input["Code"])?;
    assumed(cloud, role)?;
    let answer = function.described(cloud.now);
    cloud.lambda.functions.insert(name.to_owned(), function);
    Ok(answer)
}

fn sized(input: &Json) -> Result<(), Refusal> {
    within(input, "MemorySize", 128..=10_240)?;
    within(input, "Timeout", 1..=900)
}

/// Lambda checks that it can assume the role.
fn assumed(cloud: &Cloud, role: &str) -> Result<(), Refusal> {
    if iam::assumable(cloud, role, "lambda.amazonaws.com") {
        return Ok(());
    }
    impossible("The role defined for the function cannot be assumed by Lambda.")
}

fn get(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    let function = function(cloud, input)?;
    let code = match &function.image_uri {
        Some(uri) => json!({ "RepositoryType": "ECR", "ImageUri": uri, "ResolvedImageUri": uri }),
        None => json!({ "RepositoryType": "S3", "Location": "https://code.invalid/" }),
    };
    let mut found = json!({ "Configuration": function.described(now), "Code": code, "Tags": function.tags });
    if let Some(executions) = function.concurrency {
        found["Concurrency"] = json!({ "ReservedConcurrentExecutions": executions });
    }
    Ok(found)
}

fn update_code(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    let function = function(cloud, input)?;
    function.at_rest(now)?;
    function.set_code(input)?;
    function.configure(&json!({ "Architectures": input["Architectures"] }));
    function.updated = Some(now);
    Ok(function.described(now))
}

fn update_configuration(cloud: &mut Cloud, input: &Json) -> Answer {
    let now = cloud.now;
    sized(input)?;
    function(cloud, input)?.at_rest(now)?;
    let role = text(input, "Role");
    if !role.is_empty() {
        assumed(cloud, role)?;
    }
    let function = function(cloud, input)?;
    function.configure(input);
    function.updated = Some(now);
    Ok(function.described(now))
}

fn delete(cloud: &mut Cloud, input: &Json) -> Answer {
    function(cloud, input)?;
    cloud.lambda.functions.remove(name_of(text(input, "FunctionName")));
    Ok(Json::Null)
}

/// The tags of a function or an event source mapping.
fn tags<'a>(cloud: &'a mut Cloud, input: &Json) -> Result<&'a mut Tags, Refusal> {
    let resource = required(input, "Resource")?;
    if let Some((_, uuid)) = resource.split_once(":event-source-mapping:") {
        return mappings::tags(cloud, uuid);
    }
    Ok(&mut function(cloud, &json!({ "FunctionName": resource }))?.tags)
}

/// The number of executions of an account that functions without a reservation share at least.
const UNRESERVED: u64 = 100;

/// The number of concurrent executions of an account.
const EXECUTIONS: u64 = 1000;

fn put_concurrency(cloud: &mut Cloud, input: &Json) -> Answer {
    let Some(wanted) = input["ReservedConcurrentExecutions"].as_u64() else {
        return invalid("ReservedConcurrentExecutions", "null", "Member must not be null");
    };
    let name = name_of(required(input, "FunctionName")?).to_owned();
    let others = cloud.lambda.functions.iter().filter(|(other, _)| **other != name);
    let reserved: u64 = others.filter_map(|(_, function)| function.concurrency).sum();
    if reserved + wanted + UNRESERVED > EXECUTIONS {
        return impossible(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [100].",
        );
    }
    function(cloud, input)?.concurrency = Some(wanted);
    Ok(json!({ "ReservedConcurrentExecutions": wanted }))
}

pub(super) fn call(cloud: &mut Cloud, operation: &str, input: &Json) -> Answer {
    let now = cloud.now;
    mappings::finish_deletes(cloud);
    match operation {
        "CreateFunction" => create(cloud, input),
        "GetFunction" => get(cloud, input),
        "GetFunctionConfiguration" => Ok(function(cloud, input)?.described(now)),
        "UpdateFunctionCode" => update_code(cloud, input),
        "UpdateFunctionConfiguration" => update_configuration(cloud, input),
        "DeleteFunction" => delete(cloud, input),
        "PutFunctionConcurrency" => put_concurrency(cloud, input),
        "DeleteFunctionConcurrency" => {
            function(cloud, input)?.concurrency = None;
            Ok(Json::Null)
        }
        "ListFunctions" => {
            // The list omits the state of functions.
            let functions: Vec<&Json> =
                cloud.lambda.functions.values().map(|function| &function.configuration).collect();
            Ok(json!({ "Functions": functions }))
        }
        "ListTags" => Ok(TAGS.list(tags(cloud, input)?)),
        "TagResource" => {
            TAGS.add(tags(cloud, input)?, input);
            Ok(Json::Null)
        }
        "UntagResource" => {
            TAGS.remove(tags(cloud, input)?, input);
            Ok(Json::Null)
        }
        "AddPermission" => permissions::add(cloud, input),
        "RemovePermission" => permissions::remove(cloud, input),
        "GetPolicy" => permissions::policy(cloud, input),
        "PutFunctionEventInvokeConfig" => invoke_config::put(cloud, input),
        "GetFunctionEventInvokeConfig" => invoke_config::get(cloud, input),
        "DeleteFunctionEventInvokeConfig" => invoke_config::delete(cloud, input),
        "CreateFunctionUrlConfig" => urls::create(cloud, input),
        "GetFunctionUrlConfig" => urls::get(cloud, input),
        "UpdateFunctionUrlConfig" => urls::update(cloud, input),
        "DeleteFunctionUrlConfig" => urls::delete(cloud, input),
        "CreateEventSourceMapping" => mappings::create(cloud, input),
        "GetEventSourceMapping" => mappings::get(cloud, input),
        "UpdateEventSourceMapping" => mappings::update(cloud, input),
        "DeleteEventSourceMapping" => mappings::delete(cloud, input),
        "ListEventSourceMappings" => Ok(mappings::list(cloud, input)),
        other => unknown("lambda", other),
    }
}
