//! A function that events set off.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::common::{self, Common};
use super::edges::{Edges, RESOURCES};
use super::launch::{self, LAUNCHES, Launch};
use super::part::Part;
use super::trigger_checks;
use super::triggers::Trigger;
use super::wiring::{self, Around};
use crate::artifact::{self, CodeKind};
use crate::checks::environment::{self, Variables};
use crate::composite::{Composite, Output, Settings};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Code as FindingCode, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::{iam, lambda};
use crate::names;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::value::Value;

/// A Lambda function, what sets it off, and what catches its failures.
pub(super) struct EventFunction;

/// Inputs of [`EventFunction`].
#[derive(Debug, Inputs)]
pub(super) struct EventFunctionInputs {
    /// Name of the function. The name in AWS is made of project and name.
    #[input(rule = Rule::Check("name", names::check_name), replaces = "the name is the identity of the composite")]
    name: String,
    /// What sets the function off: exactly one of `bucket`, `queue`, `schedule`, `http`, `stream`, `table`, `topic` and `event_pattern` each.
    on: Vec<Trigger>,
    #[input(flatten)]
    function: FunctionInputs,
    /// Tasks that the function may start, each the output `launch` of a `container_task`. The function finds them in its variable `TANDEM_LAUNCHES`, a JSON list.
    #[input(refers = Reference::LAUNCH)]
    launches: Vec<Scalar<String>>,
    #[input(flatten)]
    edges: Edges,
    #[input(flatten)]
    common: Common,
}

/// Inputs of a function that have nothing to do with what sets it off.
#[derive(Debug, Inputs)]
pub(super) struct FunctionInputs {
    /// The code: exactly one of `zip`, `bootstrap` and `image_uri`. From an image to the others, or back, the function is replaced; its role and its queues stay.
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
    /// How often an asynchronous invocation that failed is tried again before its event goes to the dead letters; also how often a schedule or a rule of EventBridge tries to reach the function.
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

impl Composite for EventFunction {
    type Inputs = EventFunctionInputs;
    const TYPE: &'static str = "event_function";
    const DOC: &'static str = "A Lambda function that events set off, with everything that it takes to run one in production.\n\n\
        Makes the function, its log group, a role with exactly the permissions that its triggers need, \
        a dead-letter queue for events that it could not handle with an alarm on it, and for every trigger \
        what sets the function off, with its permission: a bucket's notification, an event source mapping, a \
        schedule, an HTTP API or function URL, a subscription, a rule of EventBridge.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("function_name", "Name of the function."),
        Output::text("function_arn", "ARN of the function."),
        Output::text("role_arn", "ARN of the role that the function runs in."),
        Output::text("role_name", "Name of the role that the function runs in, to attach policies to."),
        Output::text("log_group_name", "Name of the log group."),
        Output::text(
            "dead_letter_queue_arn",
            "ARN of the queue with events that the function could not handle.",
        ),
        Output::text("dead_letter_queue_url", "URL of that queue."),
        Output::text("url", "The address that takes requests, of a function with a trigger `http`."),
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
            queues: &[],
            launches: &launches,
            edges: &inputs.edges,
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
            ("url", function.url.unwrap_or(Expr::Literal(Json::Null))),
        ]);
        graph.tags = super::tags(inputs.common.tags.as_ref());
        graph
    }

    fn seed(name: &str) -> Value {
        Value::map([
            ("name", Value::String(name.to_owned())),
            ("code", Value::map([("image_uri", Value::Unknown)])),
            ("on", Value::List(seeds::TRIGGERS.iter().map(|trigger| seeds::trigger(trigger)).collect())),
        ])
    }

    fn other_seeds(name: &str) -> Vec<Value> {
        let Value::Map(mut other) = Self::seed(name) else { return Vec::new() };
        other.insert("on".to_owned(), Value::List(vec![seeds::trigger(seeds::URL)]));
        vec![Value::Map(other)]
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
        ("environment", common::environment(objects, &format!("lambda_function.{role}"))),
        ("maximum_retry_attempts", retries),
    ];
    inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Triggers whose objects have names that follow from the function's.
mod seeds {
    use crate::value::Value;

    type Trigger = &'static [(&'static str, &'static str)];

    pub(super) const TRIGGERS: &[Trigger] = &[
        &[("schedule", "rate(1 day)")],
        &[("event_pattern", r#"{"source":["it"]}"#)],
        &[("http", "api"), ("auth", "jwt"), ("jwt_issuer", "https://example.com")],
    ];
    pub(super) const URL: Trigger = &[("http", "url"), ("auth", "none")];

    pub(super) fn trigger(trigger: Trigger) -> Value {
        let audience = trigger
            .iter()
            .any(|(field, _)| *field == "jwt_issuer")
            .then(|| ("jwt_audience", Value::List(vec![Value::String("it".to_owned())])));
        let fields = trigger.iter().map(|(field, text)| (*field, Value::String((*text).to_owned())));
        Value::map(fields.chain(audience))
    }
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
    /// The queues of the triggers on queues, one for each, when they are made in the same graph: such a trigger
    /// has the name of its queue.
    pub(super) queues: &'a [Handle],
    /// The tasks that it may start.
    pub(super) launches: &'a [Launch],
    /// What it uses.
    pub(super) edges: &'a Edges,
    pub(super) common: &'a Common,
}

/// What was added.
pub(super) struct Added {
    pub(super) function: Handle,
    pub(super) role: Handle,
    pub(super) log_group: Handle,
    pub(super) dead_letters: Handle,
    /// The address that takes requests.
    pub(super) url: Option<Expr>,
}

/// Adds a function and everything around it.
pub(super) fn add(graph: &mut Graph, spec: &Spec<'_>, findings: &mut Findings) -> Added {
    let Spec { part, function: inputs, common, .. } = spec;
    trigger_checks::check(spec, findings);
    environment::check_function(
        inputs.environment.as_ref(),
        &[LAUNCHES, RESOURCES],
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
        (*common).into(),
        "Events that the function could not handle wait in its dead-letter queue.",
    );
    let mut roles = wiring::Roles::default();
    let rules = wiring::add_rules(graph, spec, &mut roles);
    let senders = wiring::senders(spec.on, &rules);
    let queue_policy = policy::receiver("sqs", &dead_letters.arn(), &senders);
    let queue_policy = common::queue_policy(graph, part, &dead_letters, queue_policy);
    let role =
        common::role(graph, &own, part.global("", 64), policy::trust("lambda.amazonaws.com", false), common);
    let mut grants = vec![Grant::WriteLogs(log_group.arn()), Grant::SendMessages(dead_letters.arn())];
    grants.extend(wiring::grants(spec));
    grants.extend(key.map(|key| Grant::UseKey(key.into())));
    grants.extend(spec.launches.iter().flat_map(Launch::grants));
    grants.extend(spec.edges.grants());
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
    let around = Around {
        function: &function,
        dead_letters: &dead_letters,
        queue_policy: &queue_policy,
        role_policy: &role_policy,
        rules: &rules,
    };
    let url = wiring::add_triggers(graph, spec, &around, &mut roles);
    Added { function, role, log_group, dead_letters, url }
}

/// The variables of the inputs, and those that come from edges.
fn variables(spec: &Spec<'_>) -> Option<Expr> {
    let launches = (!spec.launches.is_empty()).then(|| (LAUNCHES, launch::list(spec.launches)));
    common::variables(spec.function.environment.as_ref(), launches.into_iter().chain(spec.edges.variable()))
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
