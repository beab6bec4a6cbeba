//! The `event_function` composite: a Lambda function with triggers.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::common::{self, Common, Identity};
use super::endpoint::Endpoint;
use super::launch::{self, Launch};
use super::part::Part;
use super::rule::DeadLetters;
use super::trigger_checks;
use super::triggers::Trigger;
use super::uses::Uses;
use super::variables::{LAUNCHES, RESOURCES};
use super::wiring::{self, TriggerTarget};
use crate::artifact::{self, CodeKind};
use crate::checks::environment::{self, Variables};
use crate::composite::{Composite, Output, Settings, item_path};
use crate::context::Context;
use crate::edge::{Edge, Verb};
use crate::expr::Expr;
use crate::finding::{Code as FindingCode, Findings, Path, Step};
use crate::graph::{Graph, Handle};
use crate::input::{Inputs, Reference, Rule, Source};
use crate::kinds::lambda;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::unit::Unit;
use crate::value::Value;

/// A Lambda function, its triggers, and a dead-letter queue for failed events.
pub(super) struct EventFunction;

/// Inputs of [`EventFunction`].
#[derive(Debug, Inputs)]
pub(super) struct EventFunctionInputs {
    /// Name of the function. The name in AWS consists of the project and this name, e.g. `shop-prod-notice`.
    #[input(flatten)]
    identity: Identity,
    /// Triggers of the function. Set exactly one of `bucket`, `queue`, `schedule`, `http`, `stream`, `table`, `topic` and `event_pattern` in each.
    on: Vec<Trigger>,
    #[input(flatten)]
    function: FunctionInputs,
    /// Container tasks that the function may start: the output `launch` of each `container_task`. The environment variable `TANDEM_LAUNCHES` contains them as a JSON list.
    #[input(refers = Reference::LAUNCH)]
    launches: Vec<Scalar<String>>,
    #[input(flatten)]
    uses: Uses,
    #[input(flatten)]
    common: Common,
}

/// Inputs of a function, without its triggers.
#[derive(Debug, Inputs)]
pub(super) struct FunctionInputs {
    /// Code of the function: exactly one of `zip`, `bootstrap` and `image_uri`. A change between an image and one of the other two replaces the function; its role and its queues stay.
    pub(super) code: Code,
    /// Description of the function in the AWS console.
    pub(super) description: Option<Scalar<String>>,
    /// Memory in MiB. Lambda allocates CPU in proportion to it.
    #[input(unit = Unit::Mebibytes, default = 256, rule = Rule::Range(128, 10240))]
    pub(super) memory_size: Scalar<i64>,
    /// Timeout of an invocation in seconds.
    #[input(unit = Unit::Seconds, default = 30, rule = Rule::Range(1, 900))]
    pub(super) timeout: Scalar<i64>,
    /// Environment variables. Do not put secrets here: every principal that may read the function can read them.
    pub(super) environment: Option<Variables>,
    /// Number of retries of a failed asynchronous invocation. After the last one, the event goes to the dead-letter queue. It also limits how often schedules and EventBridge rules retry to reach the function.
    #[input(default = 2, rule = Rule::Range(0, 2))]
    pub(super) maximum_retry_attempts: Scalar<i64>,
}

/// The source of the code.
#[derive(Debug, Inputs)]
pub(super) enum Code {
    /// Code in a zip file.
    Zip(ZipCode),
    /// Code in a binary.
    Bootstrap(BootstrapCode),
    /// Code in a container image.
    Image(ImageCode),
}

#[derive(Debug, Inputs)]
pub(super) struct ZipCode {
    /// Path of a zip file with an executable `bootstrap` in its root folder, for the runtime `provided.al2023`.
    #[input(source = Source::Code(CodeKind::Zip))]
    zip: String,
}

#[derive(Debug, Inputs)]
pub(super) struct BootstrapCode {
    /// Path of the `bootstrap` binary, for the runtime `provided.al2023`. Tandem zips it; the same binary always gives the same zip file.
    #[input(source = Source::Code(CodeKind::Bootstrap))]
    bootstrap: String,
}

#[derive(Debug, Inputs)]
pub(super) struct ImageCode {
    /// URI of the image in ECR, preferably with its digest.
    image_uri: Scalar<String>,
    /// Instruction set architecture of the image: `x86_64` or `arm64`.
    #[input(default = "x86_64", rule = Rule::ARCHITECTURE)]
    architecture: Scalar<String>,
}

impl Composite for EventFunction {
    type Inputs = EventFunctionInputs;
    const TYPE: &'static str = "event_function";
    const TERMS: &'static [&'static str] = &["lambda", "lambdas", "handlers"];
    const DOC: &'static str = "Creates a Lambda function with its triggers.\n\n\
        The resource also creates a log group and a role with only the permissions that the inputs require. \
        Events that the function fails to process go to a dead-letter queue with an alarm.\n\n\
        For each trigger, the resource creates the matching object with its permission. Examples are a \
        bucket notification, an event source mapping, a schedule, an HTTP API and an EventBridge rule.";
    const OUTPUTS: &'static [Output] = &[
        Output::text("function_name", "Name of the function."),
        Output::text("function_arn", "ARN of the function."),
        Output::text("role_arn", "ARN of the execution role of the function."),
        Output::text("role_name", "Name of the execution role, e.g. to attach policies."),
        Output::text("log_group_name", "Name of the log group."),
        Output::text(
            "dead_letter_queue_arn",
            "ARN of the dead-letter queue for events that the function fails to process.",
        ),
        Output::text("dead_letter_queue_url", "URL of the dead-letter queue."),
        Output::text("url", "URL of the HTTP API or function URL; null without an `http` trigger."),
        Output::text(
            "api_id",
            "ID of the HTTP API, e.g. for alarms and custom domains; null without a trigger `http = \"api\"`.",
        ),
    ];

    fn expand(inputs: &EventFunctionInputs, context: &Context, findings: &mut Findings) -> Graph {
        let mut graph = Graph::new(inputs.common.force_destroy);
        let launches = launch::read(&inputs.launches, findings);
        let trigger_paths: Vec<Path> = inputs
            .on
            .iter()
            .enumerate()
            .map(|(index, trigger)| item_path("on", index).join(Step::Field(trigger.source().to_owned())))
            .collect();
        let spec = FunctionSpec {
            part: Part::new(context, &inputs.identity.name),
            at: Path::default(),
            function: &inputs.function,
            on: &inputs.on,
            trigger_paths: &trigger_paths,
            bucket: None,
            queues: &[],
            launches: &launches,
            uses: &inputs.uses,
            common: &inputs.common,
        };
        let function = add(&mut graph, &spec, findings);
        let (url, api_id) =
            function.endpoint.map_or((None, None), |endpoint| (Some(endpoint.url), endpoint.api_id));
        graph.outputs = BTreeMap::from([
            ("function_name", function.function.attribute("function_name")),
            ("function_arn", function.function.arn()),
            ("role_arn", function.role.arn()),
            ("role_name", function.role.attribute("name")),
            ("log_group_name", function.log_group.attribute("name")),
            ("dead_letter_queue_arn", function.dead_letters.arn()),
            ("dead_letter_queue_url", function.dead_letters.attribute("url")),
            ("url", url.unwrap_or(Expr::Literal(Json::Null))),
            ("api_id", api_id.unwrap_or(Expr::Literal(Json::Null))),
        ]);
        graph.tags = inputs.common.tags.of_graph();
        graph
    }

    fn seed(name: &str) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        // The triggers that create objects with tags. The authorizer must be deleted after its route.
        let on = [
            Value::map([("schedule", text("rate(1 day)"))]),
            Value::map([("event_pattern", text(r#"{"source":["it"]}"#))]),
            Value::map([
                ("http", text("api")),
                ("auth", text("jwt")),
                ("jwt_issuer", text("https://example.com")),
                ("jwt_audience", Value::List(vec![text("it")])),
            ]),
        ];
        Value::map([
            ("name", text(name)),
            ("code", Value::map([("image_uri", Value::Unknown)])),
            ("on", Value::List(on.into())),
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
    let slot = if within.is_empty() { "function" } else { within };
    let setting = |kind: &str, field: &str| common::setting(objects, &format!("{kind}.{slot}"), field);
    let function = |field| setting("lambda_function", field);
    let retries = setting("lambda_function_event_invoke_config", "maximum_retry_attempts");
    let inputs = [
        ("description", function("description")),
        ("memory_size", function("memory_size")),
        ("timeout", function("timeout")),
        ("environment", common::environment(objects, &format!("lambda_function.{slot}"))),
        ("maximum_retry_attempts", retries),
    ];
    inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A function to add to a graph.
pub(super) struct FunctionSpec<'a> {
    /// Its names and slots.
    pub(super) part: Part<'a>,
    /// The path of its inputs.
    pub(super) at: Path,
    pub(super) function: &'a FunctionInputs,
    pub(super) on: &'a [Trigger],
    /// The input that causes each trigger, for findings.
    pub(super) trigger_paths: &'a [Path],
    /// The bucket of the bucket triggers, if it belongs to the same graph.
    pub(super) bucket: Option<&'a Handle>,
    /// The queues of the queue triggers, in order, if they belong to the same graph. Such a trigger contains the
    /// name of its queue in place of the ARN.
    pub(super) queues: &'a [Handle],
    /// The container tasks that the function may start.
    pub(super) launches: &'a [Launch],
    /// The edges to buckets, tables, queues and so on that the function uses.
    pub(super) uses: &'a Uses,
    pub(super) common: &'a Common,
}

/// The objects that were added.
pub(super) struct FunctionPart {
    pub(super) function: Handle,
    pub(super) role: Handle,
    pub(super) log_group: Handle,
    pub(super) dead_letters: Handle,
    /// The endpoint of the `http` trigger.
    pub(super) endpoint: Option<Endpoint>,
}

/// Adds a function with its role, log group, dead-letter queue and triggers.
pub(super) fn add(graph: &mut Graph, spec: &FunctionSpec<'_>, findings: &mut Findings) -> FunctionPart {
    let FunctionSpec { part, function: inputs, common, .. } = spec;
    trigger_checks::check(spec, findings);
    environment::check_function(
        inputs.environment.as_ref(),
        &[LAUNCHES, RESOURCES],
        &spec.at.join(Step::Field("environment".to_owned())),
        findings,
    );
    let name = part.regional("", 64);
    let own = part.main("function");

    let log_group =
        common::log_group(graph, &own, Expr::concat(["/aws/lambda/".into(), name.clone()]), common);
    let dead_letters = common::dead_letters(
        graph,
        part,
        (*common).into(),
        "Events that the function could not handle wait in its dead-letter queue.",
    );
    let mut slots = wiring::Slots::default();
    let rules = wiring::add_rules(graph, spec, &mut slots);
    let senders = wiring::senders(spec.on, &rules);
    let queue_policy = common::queue_policy(graph, &dead_letters, &senders);
    let role =
        common::role(graph, &own, part.global("", 64), policy::trust("lambda.amazonaws.com", false), common);
    let mut grants = vec![Grant::WriteLogs(log_group.arn()), Grant::SendMessages(dead_letters.arn())];
    grants.extend(wiring::grants(spec));
    grants.extend(common.encryption.grant());
    grants.extend(spec.launches.iter().flat_map(Launch::grants));
    grants.extend(spec.uses.grants());
    let known = spec.launches.iter().all(Launch::is_known);
    let role_policy = common::role_policy(graph, (&own, "function"), &role, known.then_some(grants));

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
        .set_if("kms_key_arn", common.encryption.key())
        .after(&role_policy);
    let code = spec.at.join(Step::Field("code".to_owned()));
    let function = set_code(function, &inputs.code, code, part.context, findings).handle();

    graph
        .add(&lambda::EVENT_INVOKE_CONFIG, &own)
        .set("function_name", function.attribute("function_name"))
        .set("maximum_retry_attempts", &inputs.maximum_retry_attempts)
        .set("on_failure", dead_letters.arn());
    graph.connect(Edge::new(&function, Verb::FailsTo, &dead_letters));
    spec.uses.connect(graph, &function, &spec.at);
    for (index, launch) in spec.launches.iter().enumerate() {
        let path = spec.at.join(Step::Field("launches".to_owned())).join(Step::Index(index));
        graph.connect(Edge::new(&function, Verb::Starts, launch.end.clone()).at(path));
    }
    let target = TriggerTarget {
        function: &function,
        dead_letters: DeadLetters { queue: &dead_letters, policy: &queue_policy },
        role_policy: &role_policy,
        rules: &rules,
    };
    let endpoint = wiring::add_triggers(graph, spec, &target, &mut slots);
    FunctionPart { function, role, log_group, dead_letters, endpoint }
}

/// The environment variables of the inputs, merged with those of edges and launches.
fn variables(spec: &FunctionSpec<'_>) -> Option<Expr> {
    let launches = (!spec.launches.is_empty()).then(|| (LAUNCHES, launch::list(spec.launches)));
    common::variables(spec.function.environment.as_ref(), launches.into_iter().chain(spec.uses.variable()))
}

fn set_code<'a>(
    function: crate::graph::ObjectBuilder<'a>,
    code: &Code,
    at: Path,
    context: &Context,
    findings: &mut Findings,
) -> crate::graph::ObjectBuilder<'a> {
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
                "Build the handler, then set the path of its Linux binary `bootstrap`.",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composite::Definition;

    #[test]
    fn only_an_http_api_has_an_id() {
        let definition = Definition::find("event_function").expect("a composite");
        let context = Context { project: Some("test".to_owned()), ..Context::default() };
        for (on, expected) in [
            (
                json!([{ "http": "api", "auth": "none" }]),
                Expr::Attribute("apigatewayv2_api.http".into(), "id"),
            ),
            (json!([{ "http": "url", "auth": "none" }]), Expr::Literal(Json::Null)),
            (json!([]), Expr::Literal(Json::Null)),
        ] {
            let inputs = json!({ "name": "f", "code": { "image_uri": "i" }, "on": on });
            let graph = definition.expand(&Value::from(&inputs), &context).graph.expect("a graph");
            assert_eq!(graph.outputs["api_id"], expected, "{inputs}");
        }
    }
}
