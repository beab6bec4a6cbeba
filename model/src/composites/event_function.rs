//! A function that events set off.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::Tags;
use crate::artifact::{self, CodeKind};
use crate::checks::{filters, visibility};
use crate::composite::{Composite, Output, Settings, item_path};
use crate::context::Context;
use crate::expr::{Expr, Place};
use crate::finding::{Code as FindingCode, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Rule, Source};
use crate::kinds::{cloudwatch, iam, lambda, logs, s3, scheduler, sqs};
use crate::names;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::schedule;
use crate::value::Value;

/// A Lambda function, what sets it off, and what catches its failures.
pub(super) struct EventFunction;

/// Retentions that CloudWatch Logs knows, in days.
const RETENTIONS: &[i64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Inputs of [`EventFunction`].
#[derive(Debug, Inputs)]
pub(super) struct EventFunctionInputs {
    /// Name of the function. The name in AWS is made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    /// The code: exactly one of `zip`, `bootstrap` and `image_uri`.
    code: Code,
    /// What sets the function off: exactly one of `bucket`, `queue` and `schedule` each.
    on: Vec<Trigger>,
    /// What the function is for; shown in the AWS console.
    description: Option<Scalar<String>>,
    /// Memory in MiB; the share of a CPU grows with it.
    #[input(default = 256, rule = Rule::Range(128, 10240))]
    memory_size: Scalar<i64>,
    /// Seconds after which an invocation is ended.
    #[input(default = 30, rule = Rule::Range(1, 900))]
    timeout: Scalar<i64>,
    /// Environment variables. Not for secrets: everybody who may read the function reads them.
    environment: Option<Scalar<BTreeMap<String, Scalar<String>>>>,
    /// How often an asynchronous invocation that failed is tried again before its event goes to the dead letters.
    #[input(default = 2, rule = Rule::Range(0, 2))]
    maximum_retry_attempts: Scalar<i64>,
    /// Days for which logs are kept.
    #[input(default = 30, rule = Rule::OneOfNumbers(RETENTIONS))]
    log_retention_days: Scalar<i64>,
    /// ARN of the KMS key that encrypts environment, logs and dead letters; without one, AWS uses its own keys.
    #[input(rule = Rule::Check("ARN", check_arn))]
    kms_key_arn: Option<Scalar<String>>,
    /// ARN of the policy that bounds the permissions of the roles made here.
    #[input(rule = Rule::Check("ARN", check_arn))]
    permissions_boundary: Option<Scalar<String>>,
    /// Path of the roles made here.
    #[input(default = "/", rule = Rule::Check("path", check_role_path))]
    role_path: Scalar<String>,
    /// ARN of the SNS topic that is told when the first event goes to the dead letters.
    #[input(rule = Rule::Check("ARN", check_arn))]
    alarm_topic_arn: Option<Scalar<String>>,
    /// Tags for everything in this composite that can carry tags.
    tags: Option<Tags>,
    /// Whether dead letters that nobody has looked at may be deleted with the function.
    #[input(default = false)]
    force_destroy: bool,
}

/// Where the code comes from.
#[derive(Debug, Inputs)]
enum Code {
    /// A zip file.
    Zip(ZipCode),
    /// A binary.
    Bootstrap(BootstrapCode),
    /// A container image.
    Image(ImageCode),
}

#[derive(Debug, Inputs)]
struct ZipCode {
    /// Path of a zip file with `bootstrap` at its top, for the runtime `provided.al2023`.
    #[input(source = Source::Code(CodeKind::Zip))]
    zip: String,
}

#[derive(Debug, Inputs)]
struct BootstrapCode {
    /// Path of the `bootstrap` binary, for the runtime `provided.al2023`. It is zipped here, the same bytes always to the same zip.
    #[input(source = Source::Code(CodeKind::Bootstrap))]
    bootstrap: String,
}

#[derive(Debug, Inputs)]
struct ImageCode {
    /// URI of a container image in ECR, best with its digest.
    image_uri: Scalar<String>,
    /// Architecture of the image: `x86_64` or `arm64`.
    #[input(default = "x86_64", rule = Rule::OneOf(&["x86_64", "arm64"]))]
    architecture: Scalar<String>,
}

/// What sets a function off.
#[derive(Debug, Inputs)]
enum Trigger {
    /// Objects of a bucket.
    Bucket(BucketTrigger),
    /// Messages of a queue.
    Queue(QueueTrigger),
    /// The clock.
    Schedule(ScheduleTrigger),
}

#[derive(Debug, Inputs)]
struct BucketTrigger {
    /// Name of a bucket of this account and region.
    bucket: Scalar<String>,
    /// What happens to the objects: `created`, `removed`, or both. `created` when not given.
    #[input(rule = Rule::OneOf(&["created", "removed"]))]
    events: Vec<String>,
    /// What the key must begin with.
    prefix: Option<String>,
    /// What the key must end with.
    suffix: Option<String>,
}

#[derive(Debug, Inputs)]
struct QueueTrigger {
    /// ARN of an SQS queue.
    #[input(rule = Rule::Check("ARN", check_arn), source = Source::Object(&sqs::QUEUE))]
    queue: Scalar<String>,
    /// The most messages that one invocation is given.
    #[input(default = 10, rule = Rule::Range(1, 10000))]
    batch_size: Scalar<i64>,
    /// Seconds for which messages are gathered before an invocation.
    #[input(default = 0, rule = Rule::Range(0, 300))]
    maximum_batching_window: Scalar<i64>,
    /// Whether the function says which messages of a batch failed, so that only those come again.
    #[input(default = true)]
    partial_batch_response: bool,
}

#[derive(Debug, Inputs)]
struct ScheduleTrigger {
    /// When: `rate(5 minutes)` or `cron(0 12 * * ? *)`.
    #[input(rule = Rule::Check("schedule", schedule::check))]
    schedule: Scalar<String>,
    /// The time zone of a cron schedule, such as `Europe/Berlin`.
    #[input(default = "UTC", rule = Rule::Check("time zone", schedule::check_timezone))]
    timezone: Scalar<String>,
}

fn check_arn(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, service, _, _, rest]
            if !partition.is_empty() && !service.is_empty() && !rest.is_empty() =>
        {
            Ok(())
        }
        _ => Err(format!("{text:?} is not an ARN (`arn:aws:…`)")),
    }
}

fn check_role_path(path: &str) -> Result<(), String> {
    if path.starts_with('/')
        && path.ends_with('/')
        && path.len() <= 512
        && path.bytes().all(|b| b.is_ascii_graphic())
    {
        Ok(())
    } else {
        Err(format!("{path:?} must start and end with `/`, and hold no spaces"))
    }
}

impl Composite for EventFunction {
    type Inputs = EventFunctionInputs;
    const TYPE: &'static str = "event_function";
    const DOC: &'static str = "A Lambda function that events set off, with everything that it takes to run one in production.\n\n\
        Makes the function, its log group, a role with exactly the permissions that its triggers need, \
        a dead-letter queue for events that it could not handle with an alarm on it, and for every trigger \
        the notification, event source mapping or schedule with its permission.";
    const OUTPUTS: &'static [Output] = &[
        Output { name: "function_name", doc: "Name of the function." },
        Output { name: "function_arn", doc: "ARN of the function." },
        Output { name: "role_arn", doc: "ARN of the role that the function runs in." },
        Output {
            name: "role_name",
            doc: "Name of the role that the function runs in, to attach policies to.",
        },
        Output { name: "log_group_name", doc: "Name of the log group." },
        Output {
            name: "dead_letter_queue_arn",
            doc: "ARN of the queue with events that the function could not handle.",
        },
        Output { name: "dead_letter_queue_url", doc: "URL of that queue." },
    ];

    fn expand(inputs: &EventFunctionInputs, context: &Context, findings: &mut Findings) -> Graph {
        check_triggers(inputs, context, findings);
        check_environment(inputs, findings);
        let mut graph = Graph::new(inputs.force_destroy);
        let name = names::regional(context, &inputs.name, "", 64);
        let key = inputs.kms_key_arn.as_ref();

        let log_group = graph
            .add(&logs::LOG_GROUP, "function")
            .set("name", Expr::concat(["/aws/lambda/".into(), name.clone()]))
            .set("retention_in_days", &inputs.log_retention_days)
            .set_if("kms_key_id", key)
            .handle();
        let dead_letters = add_dead_letters(&mut graph, inputs, context);
        let role = graph
            .add(&iam::ROLE, "function")
            .set("name", names::global(context, &inputs.name, "", 64))
            .set("path", &inputs.role_path)
            .set("assume_role_policy", policy::trust("lambda.amazonaws.com", false))
            .set_if("permissions_boundary", inputs.permissions_boundary.as_ref())
            .handle();
        let mut grants = vec![Grant::WriteLogs(log_group.arn()), Grant::SendMessages(dead_letters.arn())];
        grants.extend(inputs.on.iter().filter_map(|trigger| match trigger {
            Trigger::Queue(queue) => Some(Grant::ConsumeQueue((&queue.queue).into())),
            _ => None,
        }));
        grants.extend(key.map(|key| Grant::UseKey(key.into())));
        let role_policy = graph
            .add(&iam::ROLE_POLICY, "function")
            .set("role", role.attribute("name"))
            .set("name", "function")
            .set("policy", policy::identity(&grants))
            .handle();

        let function = graph
            .add(&lambda::FUNCTION, "function")
            .set("function_name", name)
            .set("role", role.arn())
            .set("memory_size", &inputs.memory_size)
            .set("timeout", &inputs.timeout)
            .set("log_format", "JSON")
            .set("log_group", log_group.attribute("name"))
            .set_if("description", inputs.description.as_ref())
            .set_if("environment", inputs.environment.as_ref())
            .set_if("kms_key_arn", key)
            .after(&role_policy);
        let function = set_code(function, &inputs.code, context, findings).handle();

        graph
            .add(&lambda::EVENT_INVOKE_CONFIG, "function")
            .set("function_name", function.attribute("function_name"))
            .set("maximum_retry_attempts", &inputs.maximum_retry_attempts)
            .set("on_failure", dead_letters.arn());
        add_triggers(&mut graph, inputs, context, &function, &dead_letters, &role_policy);

        graph.outputs = BTreeMap::from([
            ("function_name", function.attribute("function_name")),
            ("function_arn", function.arn()),
            ("role_arn", role.arn()),
            ("role_name", role.attribute("name")),
            ("log_group_name", log_group.attribute("name")),
            ("dead_letter_queue_arn", dead_letters.arn()),
            ("dead_letter_queue_url", dead_letters.attribute("url")),
        ]);
        graph.tags = super::tags(inputs.tags.as_ref());
        graph
    }

    fn seed(name: &str) -> Value {
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("code", Value::map([("image_uri", Value::Unknown)])),
            ("on", Value::List(vec![Value::map([("schedule", Value::Unknown)])])),
        ])
    }

    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value {
        let setting = |key: &str, field: &str| {
            objects.get(key).and_then(|settings| settings.get(field)).map(Value::from).unwrap_or_default()
        };
        let function = |field| setting("lambda_function.function", field);
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("description", function("description")),
            ("memory_size", function("memory_size")),
            ("timeout", function("timeout")),
            ("environment", function("environment")),
            ("kms_key_arn", function("kms_key_arn")),
            ("log_retention_days", setting("cloudwatch_log_group.function", "retention_in_days")),
            ("permissions_boundary", setting("iam_role.function", "permissions_boundary")),
            ("role_path", setting("iam_role.function", "path")),
            (
                "maximum_retry_attempts",
                setting("lambda_function_event_invoke_config.function", "maximum_retry_attempts"),
            ),
            (
                "alarm_topic_arn",
                match setting("cloudwatch_metric_alarm.dead_letters", "alarm_actions") {
                    Value::List(actions) => actions.into_iter().next().unwrap_or_default(),
                    _ => Value::Null,
                },
            ),
        ])
    }
}

fn add_dead_letters(graph: &mut Graph, inputs: &EventFunctionInputs, context: &Context) -> Handle {
    let queue_name = names::regional(context, &inputs.name, "dead-letters", 80);
    let queue = graph
        .add(&sqs::QUEUE, "dead_letters")
        .set("name", queue_name)
        // 14 days, the longest that SQS keeps a message.
        .set("message_retention_seconds", 1_209_600);
    let queue = match &inputs.kms_key_arn {
        Some(key) => queue.set("kms_master_key_id", key),
        None => queue.set("sqs_managed_sse_enabled", true),
    };
    let queue = queue.handle();
    graph
        .add(&sqs::QUEUE_POLICY, "dead_letters")
        .set("queue", queue.attribute("name"))
        .set("policy", policy::tls_only("sqs", vec![queue.arn()]));
    let alarm = graph
        .add(&cloudwatch::METRIC_ALARM, "dead_letters")
        .set("alarm_name", names::regional(context, &inputs.name, "dead-letters", 255))
        .set("alarm_description", "Events that the function could not handle wait in its dead-letter queue.")
        .set("namespace", "AWS/SQS")
        .set("metric_name", "ApproximateNumberOfMessagesVisible")
        .set("dimensions", Expr::map([("QueueName", queue.attribute("name"))]))
        .set("statistic", "Maximum")
        .set("comparison_operator", "GreaterThanThreshold")
        .set("threshold", 0)
        .set("period", 60)
        .set("evaluation_periods", 1)
        .set("treat_missing_data", "notBreaching");
    if let Some(topic) = &inputs.alarm_topic_arn {
        alarm.set("alarm_actions", Expr::list([topic]));
    }
    queue
}

fn set_code<'a>(
    function: crate::graph::Added<'a>,
    code: &Code,
    context: &Context,
    findings: &mut Findings,
) -> crate::graph::Added<'a> {
    let (path, kind) = match code {
        Code::Zip(code) => (&code.zip, "zip"),
        Code::Bootstrap(code) => (&code.bootstrap, "bootstrap"),
        Code::Image(code) => {
            return function
                .set("package_type", "Image")
                .set("image_uri", &code.image_uri)
                .set("architectures", Expr::list([&code.architecture]));
        }
    };
    let (hash, architecture) = match context.code.get(path) {
        Some(Ok(facts)) => (artifact::base64(&facts.sha256).into(), facts.architecture.into()),
        Some(Err(error)) => {
            let at = Path::field("code").join(Step::Field(kind.to_owned()));
            findings.error(
                FindingCode::Code,
                at,
                format!("`{path}` {error}"),
                "Lambda runs a Linux binary called `bootstrap`: build the handler, then give its path.",
            );
            (Expr::Unknown, Expr::Unknown)
        }
        None => (Expr::Unknown, Expr::Unknown),
    };
    function
        .set("package_type", "Zip")
        .set("runtime", "provided.al2023")
        .set("handler", "bootstrap")
        .set("architectures", Expr::list([architecture]))
        .set("source_code_hash", hash)
        .set("source", Expr::Literal(json!({ "kind": kind, "path": path })))
}

fn add_triggers(
    graph: &mut Graph,
    inputs: &EventFunctionInputs,
    context: &Context,
    function: &Handle,
    dead_letters: &Handle,
    role_policy: &Handle,
) {
    let mut roles = Roles::default();
    let mut schedules: Option<(Handle, Handle, Handle)> = None;
    for trigger in &inputs.on {
        match trigger {
            Trigger::Bucket(trigger) => {
                let (prefix, suffix) = trigger.filter();
                let kinds: Vec<&str> = trigger.kinds();
                let bucket = roles.part(&trigger.bucket);
                let role = roles.unique(&["on", &bucket, &kinds.join("_"), prefix, suffix].join("_"));
                let permission = graph
                    .add(&lambda::PERMISSION, &role)
                    .set("function_name", function.attribute("function_name"))
                    .set("statement_id", role.clone())
                    .set("action", "lambda:InvokeFunction")
                    .set("principal", "s3.amazonaws.com")
                    .set("source_arn", bucket_arn(&trigger.bucket))
                    .set("source_account", Expr::Place(Place::Account))
                    .handle();
                let id = match &context.project {
                    Some(project) => format!("tandem-{project}-{}-{role}", inputs.name).into(),
                    None => Expr::Unknown,
                };
                let entry = graph
                    .add(&s3::NOTIFICATION, &role)
                    .set("bucket", &trigger.bucket)
                    .set("id", id)
                    .set("lambda_function_arn", function.arn())
                    .set("events", Expr::list(trigger.events()))
                    .after(&permission);
                let entry = if prefix.is_empty() { entry } else { entry.set("filter_prefix", prefix) };
                if !suffix.is_empty() {
                    entry.set("filter_suffix", suffix);
                }
            }
            Trigger::Queue(trigger) => {
                let queue = roles.part(&trigger.queue);
                let role = roles.unique(&format!("on_{}", queue.rsplit(':').next().unwrap_or_default()));
                let types: &[&str] =
                    if trigger.partial_batch_response { &["ReportBatchItemFailures"] } else { &[] };
                graph
                    .add(&lambda::EVENT_SOURCE_MAPPING, &role)
                    .set("function_name", function.attribute("function_name"))
                    .set("event_source_arn", &trigger.queue)
                    .set("batch_size", &trigger.batch_size)
                    .set("maximum_batching_window_in_seconds", &trigger.maximum_batching_window)
                    .set("function_response_types", Expr::list(types.iter().copied()))
                    .set("enabled", true)
                    .after(role_policy);
            }
            Trigger::Schedule(trigger) => {
                let role = roles.unique("on_schedule");
                let (group, scheduler_role, scheduler_policy) = schedules
                    .get_or_insert_with(|| add_scheduler(graph, inputs, context, function, dead_letters));
                graph
                    .add(&scheduler::SCHEDULE, &role)
                    .set("group_name", group.attribute("name"))
                    .set("name", role.clone())
                    .set("schedule_expression", &trigger.schedule)
                    .set("schedule_expression_timezone", &trigger.timezone)
                    .set("target_arn", function.arn())
                    .set("target_role_arn", scheduler_role.arn())
                    .set("dead_letter_arn", dead_letters.arn())
                    .set("maximum_retry_attempts", &inputs.maximum_retry_attempts)
                    .set_if("kms_key_arn", inputs.kms_key_arn.as_ref())
                    .set("state", "ENABLED")
                    .after(scheduler_policy);
            }
        }
    }
    graph.unstable = roles.unstable;
}

/// What all schedules of a function share: a group that carries tags, and a role to invoke with.
fn add_scheduler(
    graph: &mut Graph,
    inputs: &EventFunctionInputs,
    context: &Context,
    function: &Handle,
    dead_letters: &Handle,
) -> (Handle, Handle, Handle) {
    let group = graph
        .add(&scheduler::SCHEDULE_GROUP, "schedules")
        .set("name", names::regional(context, &inputs.name, "", 64))
        .handle();
    let role = graph
        .add(&iam::ROLE, "scheduler")
        .set("name", names::global(context, &inputs.name, "scheduler", 64))
        .set("path", &inputs.role_path)
        .set("assume_role_policy", policy::trust("scheduler.amazonaws.com", true))
        .set_if("permissions_boundary", inputs.permissions_boundary.as_ref())
        .handle();
    let mut grants = vec![Grant::InvokeFunction(function.arn()), Grant::SendMessages(dead_letters.arn())];
    grants.extend(inputs.kms_key_arn.as_ref().map(|key| Grant::UseKey(key.into())));
    let role_policy = graph
        .add(&iam::ROLE_POLICY, "scheduler")
        .set("role", role.attribute("name"))
        .set("name", "scheduler")
        .set("policy", policy::identity(&grants))
        .handle();
    (group, role, role_policy)
}

impl BucketTrigger {
    fn kinds(&self) -> Vec<&str> {
        if self.events.is_empty() {
            vec!["created"]
        } else {
            self.events.iter().map(String::as_str).collect()
        }
    }

    fn events(&self) -> Vec<String> {
        let kinds = self.kinds().into_iter();
        kinds
            .map(|kind| {
                if kind == "created" { "s3:ObjectCreated:*" } else { "s3:ObjectRemoved:*" }.to_owned()
            })
            .collect()
    }

    fn filter(&self) -> (&str, &str) {
        (self.prefix.as_deref().unwrap_or_default(), self.suffix.as_deref().unwrap_or_default())
    }
}

fn bucket_arn(bucket: &Scalar<String>) -> Expr {
    Expr::concat(["arn:".into(), Expr::Place(Place::Partition), ":s3:::".into(), bucket.into()])
}

/// Roles of triggers. They say what the trigger is on, so that each keeps its objects when others
/// come and go; they are numbered where two would be the same.
#[derive(Default)]
struct Roles {
    used: BTreeSet<String>,
    unstable: bool,
}

impl Roles {
    /// A part of a role that may not be known yet.
    fn part(&mut self, value: &Scalar<String>) -> String {
        match value {
            Scalar::Known(value) | Scalar::Reference(value) => value.clone(),
            Scalar::Unknown => {
                self.unstable = true;
                String::new()
            }
        }
    }

    fn unique(&mut self, text: &str) -> String {
        let role = names::role(text);
        let mut numbered = role.clone();
        let mut number = 1;
        while !self.used.insert(numbered.clone()) {
            number += 1;
            numbered = format!("{role}_{number}");
        }
        numbered
    }
}

fn check_triggers(inputs: &EventFunctionInputs, context: &Context, findings: &mut Findings) {
    let mut bucket_filters = Vec::new();
    for (index, trigger) in inputs.on.iter().enumerate() {
        let at = item_path("on", index);
        match trigger {
            Trigger::Bucket(trigger) => {
                let (prefix, suffix) = trigger.filter();
                bucket_filters.push(filters::Filter {
                    path: at,
                    bucket: &trigger.bucket,
                    events: trigger.events(),
                    prefix,
                    suffix,
                });
            }
            Trigger::Queue(trigger) => {
                let at = at.join(Step::Field("queue".to_owned()));
                let earlier = inputs.on[..index].iter().position(|other| {
                    matches!(other, Trigger::Queue(other) if other.queue.surely_equals(&trigger.queue))
                });
                if let Some(earlier) = earlier {
                    findings.error(
                        FindingCode::OverlappingFilters,
                        at.clone(),
                        format!("`on[{earlier}]` is on the same queue, and a function reads a queue once"),
                        "Remove one of the two.",
                    );
                }
                visibility::check(context, &trigger.queue, &inputs.timeout, at, findings);
                if let (Some(size), Some(0)) =
                    (trigger.batch_size.known(), trigger.maximum_batching_window.known())
                    && *size > 10
                {
                    findings.error(
                        FindingCode::OutOfRange,
                        item_path("on", index).join(Step::Field("batch_size".to_owned())),
                        format!("batches of {size} messages need time to gather"),
                        "Set `maximum_batching_window` to at least 1, or `batch_size` to 10 or less.",
                    );
                }
            }
            Trigger::Schedule(_) => {}
        }
    }
    filters::check(&bucket_filters, findings);
}

/// Variables that Lambda sets itself, and refuses.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

fn check_environment(inputs: &EventFunctionInputs, findings: &mut Findings) {
    let Some(Scalar::Known(environment)) = &inputs.environment else { return };
    let mut size = 0;
    for (name, value) in environment {
        let at = Path::field("environment").join(Step::Key(name.clone()));
        let letters = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if RESERVED.contains(&name.as_str()) {
            findings.error(
                FindingCode::Environment,
                at,
                format!("Lambda sets `{name}` itself and refuses to have it set"),
                "Remove it; the function sees Lambda's value.",
            );
        } else if !letters || name.len() < 2 {
            findings.error(
                FindingCode::Environment,
                at,
                format!("{name:?} is not a name that Lambda takes for a variable"),
                "Use at least two letters, digits and underscores, beginning with a letter.",
            );
        } else if looks_secret(name) {
            findings.warning(
                FindingCode::SecretInEnvironment,
                at,
                format!("`{name}` looks like a secret, and would stand readable in the state and in AWS"),
                "Put the ARN of a Secrets Manager secret or parameter here, and read it in the handler.",
            );
        }
        size += name.len() + value.known().map_or(0, String::len);
    }
    if size > 4096 {
        findings.error(
            FindingCode::Environment,
            Path::field("environment"),
            format!("the variables take {size} bytes, and Lambda allows 4096"),
            "Put large values into a parameter or an object, and name it here.",
        );
    }
}

fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let secret = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL"];
    let pointer = ["_ARN", "_NAME", "_ID", "_URL", "_PATH"];
    secret.iter().any(|word| name.contains(word)) && !pointer.iter().any(|word| name.ends_with(word))
}
