//! A function that events set off.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::common::{self, Common, check_arn};
use super::launch::{self, LAUNCHES, Launch};
use super::part::Part;
use crate::artifact::{self, CodeKind};
use crate::checks::environment::{self, Variables};
use crate::checks::{filters, visibility};
use crate::composite::{Composite, Output, Settings, item_path};
use crate::context::Context;
use crate::expr::{Expr, Place};
use crate::finding::{Code as FindingCode, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::{iam, lambda, s3, scheduler, sqs};
use crate::names;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::schedule;
use crate::value::Value;

/// A Lambda function, what sets it off, and what catches its failures.
pub(super) struct EventFunction;

/// Inputs of [`EventFunction`].
#[derive(Debug, Inputs)]
pub(super) struct EventFunctionInputs {
    /// Name of the function. The name in AWS is made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    /// What sets the function off: exactly one of `bucket`, `queue` and `schedule` each.
    on: Vec<Trigger>,
    #[input(flatten)]
    function: FunctionInputs,
    /// Tasks that the function may start, each the output `launch` of a `container_task`. The function finds them in its variable `TANDEM_LAUNCHES`, a JSON list.
    #[input(refers = Reference::LAUNCH)]
    launches: Vec<Scalar<String>>,
    #[input(flatten)]
    common: Common,
}

/// Inputs of a function that have nothing to do with what sets it off.
#[derive(Debug, Inputs)]
pub(super) struct FunctionInputs {
    /// The code: exactly one of `zip`, `bootstrap` and `image_uri`.
    pub(super) code: Code,
    /// What the function is for; shown in the AWS console.
    pub(super) description: Option<Scalar<String>>,
    /// Memory in MiB; the share of a CPU grows with it.
    #[input(default = 256, rule = Rule::Range(128, 10240))]
    pub(super) memory_size: Scalar<i64>,
    /// Seconds after which an invocation is ended.
    #[input(default = 30, rule = Rule::Range(1, 900))]
    pub(super) timeout: Scalar<i64>,
    /// Environment variables. Not for secrets: everybody who may read the function reads them.
    pub(super) environment: Option<Variables>,
    /// How often an asynchronous invocation that failed is tried again before its event goes to the dead letters.
    #[input(default = 2, rule = Rule::Range(0, 2))]
    pub(super) maximum_retry_attempts: Scalar<i64>,
}

/// Where the code comes from.
#[derive(Debug, Inputs)]
pub(super) enum Code {
    /// A zip file.
    Zip(ZipCode),
    /// A binary.
    Bootstrap(BootstrapCode),
    /// A container image.
    Image(ImageCode),
}

#[derive(Debug, Inputs)]
pub(super) struct ZipCode {
    /// Path of a zip file with `bootstrap` at its top, for the runtime `provided.al2023`.
    #[input(source = Source::Code(CodeKind::Zip))]
    zip: String,
}

#[derive(Debug, Inputs)]
pub(super) struct BootstrapCode {
    /// Path of the `bootstrap` binary, for the runtime `provided.al2023`. It is zipped here, the same bytes always to the same zip.
    #[input(source = Source::Code(CodeKind::Bootstrap))]
    bootstrap: String,
}

#[derive(Debug, Inputs)]
pub(super) struct ImageCode {
    /// URI of a container image in ECR, best with its digest.
    image_uri: Scalar<String>,
    /// Architecture of the image: `x86_64` or `arm64`.
    #[input(default = "x86_64", rule = Rule::ARCHITECTURE)]
    architecture: Scalar<String>,
}

/// What sets a function off.
#[derive(Debug, Inputs)]
pub(super) enum Trigger {
    /// Objects of a bucket.
    Bucket(BucketTrigger),
    /// Messages of a queue.
    Queue(QueueTrigger),
    /// The clock.
    Schedule(ScheduleTrigger),
}

#[derive(Debug, Inputs)]
pub(super) struct BucketTrigger {
    /// Name of a bucket of this account and region.
    #[input(refers = Reference::BUCKET)]
    pub(super) bucket: Scalar<String>,
    /// What happens to the objects: `created`, `removed`, or both. `created` when not given.
    #[input(rule = Rule::OneOf(&["created", "removed"]))]
    pub(super) events: Vec<String>,
    /// What the key must begin with.
    pub(super) prefix: Option<String>,
    /// What the key must end with.
    pub(super) suffix: Option<String>,
}

#[derive(Debug, Inputs)]
pub(super) struct QueueTrigger {
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
pub(super) struct ScheduleTrigger {
    /// When: `rate(5 minutes)` or `cron(0 12 * * ? *)`.
    #[input(rule = Rule::Check("schedule", schedule::check))]
    schedule: Scalar<String>,
    /// The time zone of a cron schedule, such as `Europe/Berlin`.
    #[input(default = "UTC", rule = Rule::Check("time zone", schedule::check_timezone))]
    timezone: Scalar<String>,
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
        let mut graph = Graph::new(inputs.common.force_destroy);
        let launches = launch::read(&inputs.launches, findings);
        let spec = Spec {
            part: Part::new(context, &inputs.name),
            at: Path::default(),
            function: &inputs.function,
            on: &inputs.on,
            bucket: None,
            launches: &launches,
            common: &inputs.common,
        };
        let function = add(&mut graph, &spec, findings);
        graph.outputs = BTreeMap::from([
            ("function_name", function.function.attribute("function_name")),
            ("function_arn", function.function.arn()),
            ("role_arn", function.role.arn()),
            ("role_name", function.role.attribute("name")),
            ("log_group_name", function.log_group.attribute("name")),
            ("dead_letter_queue_arn", function.dead_letters.arn()),
            ("dead_letter_queue_url", function.dead_letters.attribute("url")),
        ]);
        graph.tags = super::tags(inputs.common.tags.as_ref());
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
        let mut inputs = recover("", objects);
        inputs.insert("name".to_owned(), Value::String(name.to_owned()));
        inputs.extend(common::recover(objects, "function"));
        Value::Map(inputs)
    }
}

/// The inputs of a function, read back; `within` as in [`Part::within`].
pub(super) fn recover(within: &str, objects: &BTreeMap<String, Settings>) -> BTreeMap<String, Value> {
    let role = if within.is_empty() { "function" } else { within };
    let setting = |kind: &str, field: &str| common::setting(objects, &format!("{kind}.{role}"), field);
    let function = |field| setting("lambda_function", field);
    let retries = setting("lambda_function_event_invoke_config", "maximum_retry_attempts");
    let inputs = [
        ("description", function("description")),
        ("memory_size", function("memory_size")),
        ("timeout", function("timeout")),
        ("environment", function("environment")),
        ("maximum_retry_attempts", retries),
    ];
    inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A function to add to a graph.
pub(super) struct Spec<'a> {
    /// What it is called.
    pub(super) part: Part<'a>,
    /// Where its inputs stand.
    pub(super) at: Path,
    pub(super) function: &'a FunctionInputs,
    pub(super) on: &'a [Trigger],
    /// The bucket that triggers are on, when it is made in the same graph.
    pub(super) bucket: Option<&'a Handle>,
    /// The tasks that it may start.
    pub(super) launches: &'a [Launch],
    pub(super) common: &'a Common,
}

/// What was added.
pub(super) struct Added {
    pub(super) function: Handle,
    pub(super) role: Handle,
    pub(super) log_group: Handle,
    pub(super) dead_letters: Handle,
}

/// Adds a function and everything around it.
pub(super) fn add(graph: &mut Graph, spec: &Spec<'_>, findings: &mut Findings) -> Added {
    let Spec { part, function: inputs, common, .. } = spec;
    check_triggers(spec, findings);
    environment::check_function(
        inputs.environment.as_ref(),
        &spec.at.join(Step::Field("environment".to_owned())),
        findings,
    );
    let name = part.regional("", 64);
    let own = part.main("function");
    let key = common.kms_key_arn.as_ref();

    let log_group =
        common::log_group(graph, &own, Expr::concat(["/aws/lambda/".into(), name.clone()]), common);
    let dead_letters = common::dead_letters(
        graph,
        part,
        common,
        "Events that the function could not handle wait in its dead-letter queue.",
    );
    let tls_only = policy::tls_only("sqs", vec![dead_letters.arn()]);
    common::queue_policy(graph, part, &dead_letters, tls_only);
    let role =
        common::role(graph, &own, part.global("", 64), policy::trust("lambda.amazonaws.com", false), common);
    let mut grants = vec![Grant::WriteLogs(log_group.arn()), Grant::SendMessages(dead_letters.arn())];
    grants.extend(spec.on.iter().filter_map(|trigger| match trigger {
        Trigger::Queue(queue) => Some(Grant::ConsumeQueue((&queue.queue).into())),
        _ => None,
    }));
    grants.extend(key.map(|key| Grant::UseKey(key.into())));
    grants.extend(spec.launches.iter().flat_map(Launch::grants));
    let known = spec.launches.iter().all(Launch::is_known);
    let role_policy = graph
        .add(&iam::ROLE_POLICY, &own)
        .set("role", role.attribute("name"))
        .set("name", "function")
        .set("policy", if known { policy::identity(&grants) } else { Expr::Unknown })
        .handle();

    let function = graph
        .add(&lambda::FUNCTION, &own)
        .set("function_name", name)
        .set("role", role.arn())
        .set("memory_size", &inputs.memory_size)
        .set("timeout", &inputs.timeout)
        .set("log_format", "JSON")
        .set("log_group", log_group.attribute("name"))
        .set_if("description", inputs.description.as_ref())
        .set_if("environment", variables(spec))
        .set_if("kms_key_arn", key)
        .after(&role_policy);
    let code = spec.at.join(Step::Field("code".to_owned()));
    let function = set_code(function, &inputs.code, code, part.context, findings).handle();

    graph
        .add(&lambda::EVENT_INVOKE_CONFIG, &own)
        .set("function_name", function.attribute("function_name"))
        .set("maximum_retry_attempts", &inputs.maximum_retry_attempts)
        .set("on_failure", dead_letters.arn());
    add_triggers(graph, spec, &function, &dead_letters, &role_policy);
    Added { function, role, log_group, dead_letters }
}

/// The variables of the inputs, and those that come from edges.
fn variables(spec: &Spec<'_>) -> Option<Expr> {
    let launches = (!spec.launches.is_empty()).then(|| (LAUNCHES, launch::list(spec.launches)));
    common::variables(spec.function.environment.as_ref(), launches)
}

fn set_code<'a>(
    function: crate::graph::Added<'a>,
    code: &Code,
    at: Path,
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
            findings.error(
                FindingCode::Code,
                at.join(Step::Field(kind.to_owned())),
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
    spec: &Spec<'_>,
    function: &Handle,
    dead_letters: &Handle,
    role_policy: &Handle,
) {
    let Spec { part, function: inputs, common, .. } = spec;
    let on = names::trigger_role(&part.main("function"));
    let mut roles = Roles::default();
    let mut schedules: Option<(Handle, Handle, Handle)> = None;
    for trigger in spec.on {
        match trigger {
            Trigger::Bucket(trigger) => {
                let (prefix, suffix) = trigger.filter();
                let kinds: Vec<&str> = trigger.kinds();
                let (bucket, place) = match spec.bucket {
                    Some(made) => (made.attribute("bucket"), String::new()),
                    None => ((&trigger.bucket).into(), roles.part(&trigger.bucket)),
                };
                let role = on.clone();
                let role = roles.unique(&[&role, &place, &kinds.join("_"), prefix, suffix].join("_"));
                let permission = graph
                    .add(&lambda::PERMISSION, &role)
                    .set("function_name", function.attribute("function_name"))
                    .set("statement_id", role.clone())
                    .set("action", "lambda:InvokeFunction")
                    .set("principal", "s3.amazonaws.com")
                    .set("source_arn", common::bucket_arn(bucket.clone()))
                    .set("source_account", Expr::Place(Place::Account))
                    .handle();
                let id = match &part.context.project {
                    Some(project) => format!("tandem-{project}-{}-{role}", part.name).into(),
                    None => Expr::Unknown,
                };
                let entry = graph
                    .add(&s3::NOTIFICATION, &role)
                    .set("bucket", bucket)
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
                let role = roles.unique(&format!(
                    "{}_{}",
                    part.role("on"),
                    queue.rsplit(':').next().unwrap_or_default()
                ));
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
                let role = roles.unique(&format!("{on}_schedule"));
                let (group, scheduler_role, scheduler_policy) =
                    schedules.get_or_insert_with(|| add_scheduler(graph, spec, function, dead_letters));
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
                    .set_if("kms_key_arn", common.kms_key_arn.as_ref())
                    .set("state", "ENABLED")
                    .after(scheduler_policy);
            }
        }
    }
    graph.unstable |= roles.unstable;
}

/// What all schedules of a function share: a group that carries tags, and a role to invoke with.
fn add_scheduler(
    graph: &mut Graph,
    spec: &Spec<'_>,
    function: &Handle,
    dead_letters: &Handle,
) -> (Handle, Handle, Handle) {
    let Spec { part, common, .. } = spec;
    let own = part.role("scheduler");
    let group = graph
        .add(&scheduler::SCHEDULE_GROUP, &part.role("schedules"))
        .set("name", part.regional("", 64))
        .handle();
    let trust = policy::trust("scheduler.amazonaws.com", true);
    let role = common::role(graph, &own, part.global("scheduler", 64), trust, common);
    let mut grants = vec![Grant::InvokeFunction(function.arn()), Grant::SendMessages(dead_letters.arn())];
    grants.extend(common.kms_key_arn.as_ref().map(|key| Grant::UseKey(key.into())));
    let role_policy = graph
        .add(&iam::ROLE_POLICY, &own)
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

fn check_triggers(spec: &Spec<'_>, findings: &mut Findings) {
    let mut bucket_filters = Vec::new();
    for (index, trigger) in spec.on.iter().enumerate() {
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
                let earlier = spec.on[..index].iter().position(|other| {
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
                visibility::check(spec.part.context, &trigger.queue, &spec.function.timeout, at, findings);
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
