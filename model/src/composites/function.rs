//! A Lambda function: inputs, and the objects around it. Events, queues and buckets trigger it in the same way.

use serde_json::json;

use super::common::{self, Common};
use super::launch::{self, Launch};
use super::part::Part;
use super::rule::DeadLetters;
use super::triggers::http::Endpoint;
use super::triggers::target::FunctionTarget;
use super::triggers::{self, Facts, TriggerSpec, Triggers};
use super::uses::Uses;
use super::variables::{LAUNCHES, RESOURCES};
use crate::artifact::{self, CodeKind};
use crate::checks::environment::{self, Variables};
use crate::context::Context;
use crate::edge::{Edge, Verb};
use crate::expr::Expr;
use crate::finding::{Code as FindingCode, Findings, Path, Step};
use crate::graph::{Graph, Handle, ObjectBuilder};
use crate::input::{Inputs, Rule, Source};
use crate::kinds::lambda;
use crate::policy::{self, Grant};
use crate::scalar::Scalar;
use crate::unit::Unit;

/// Inputs of a function, without its triggers.
#[derive(Debug, Inputs)]
pub(super) struct FunctionInputs {
    /// Code of the function: exactly one of `zip`, `bootstrap` and `image_uri`. A change between an image and one of the other two replaces the function; its role and its queues stay.
    pub(super) code: Code,
    /// Description of the function in the AWS console.
    #[input(rule = Rule::Limit(&lambda::FUNCTION, "description"))]
    pub(super) description: Option<Scalar<String>>,
    /// Memory in MiB. Lambda allocates CPU in proportion to it.
    #[input(unit = Unit::Mebibytes, default = 256, rule = Rule::Limit(&lambda::FUNCTION, "memory_size"))]
    pub(super) memory_size: Scalar<i64>,
    /// Timeout of an invocation in seconds.
    #[input(unit = Unit::Seconds, default = 30, rule = Rule::Limit(&lambda::FUNCTION, "timeout"))]
    pub(super) timeout: Scalar<i64>,
    /// Number of executions that run at the same time at most, and that no other function can take. 0 stops the function. Without it, the function shares the limit of the account.
    #[input(rule = Rule::Limit(&lambda::FUNCTION, "reserved_concurrent_executions"))]
    pub(super) reserved_concurrency: Option<Scalar<i64>>,
    /// Environment variables. Do not put secrets here: every principal that may read the function can read them.
    pub(super) environment: Option<Variables>,
    /// Number of retries of a failed asynchronous invocation. After the last one, the event goes to the dead-letter queue. It also limits how often schedules and EventBridge rules retry to reach the function.
    #[input(default = 2, rule = Rule::Limit(&lambda::EVENT_INVOKE_CONFIG, "maximum_retry_attempts"))]
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

/// A function to add to a graph.
pub(super) struct FunctionSpec<'a> {
    /// Its names and slots.
    pub(super) part: Part<'a>,
    /// The path of its inputs.
    pub(super) at: Path,
    pub(super) function: &'a FunctionInputs,
    pub(super) on: &'a [TriggerSpec<'a, FunctionTarget<'a>>],
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
    triggers::check(spec.on, part.context, Facts { timeout: Some(&inputs.timeout), fifo: false }, findings);
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
    let triggers = Triggers::new(graph, part, spec.on);
    let queue_policy = common::queue_policy(graph, &dead_letters, &triggers.senders());
    let role =
        common::role(graph, &own, part.global("", 64), policy::trust("lambda.amazonaws.com", false), common);
    let mut grants = vec![Grant::WriteLogs(log_group.arn()), Grant::SendMessages(dead_letters.arn())];
    grants.extend(triggers.grants());
    grants.extend(common.encryption.grant());
    grants.extend(spec.launches.iter().flat_map(Launch::grants));
    grants.extend(spec.uses.grants());
    let known = spec.launches.iter().all(Launch::is_known);
    let role_policy = common::role_policy(graph, (&own, "function"), &role, known.then_some(grants));

    let function = graph
        .add(lambda::Function, &own)
        .function_name(name)
        .role(role.arn())
        .memory_size(&inputs.memory_size)
        .timeout(&inputs.timeout)
        .log_format("JSON")
        .log_group(log_group.attribute("name"))
        .description(inputs.description.as_ref())
        .environment(variables(spec))
        .kms_key_arn(common.encryption.key())
        .reserved_concurrent_executions(inputs.reserved_concurrency.as_ref())
        .after(&role_policy);
    let code = spec.at.join(Step::Field("code".to_owned()));
    let function = set_code(function, &inputs.code, code, part.context, findings).handle();

    graph
        .add(lambda::EventInvokeConfig, &own)
        .function_name(function.attribute("function_name"))
        .maximum_retry_attempts(&inputs.maximum_retry_attempts)
        .on_failure(dead_letters.arn());
    graph.connect(Edge::new(&function, Verb::FailsTo, &dead_letters));
    spec.uses.connect(graph, &function, &spec.at);
    for (index, launch) in spec.launches.iter().enumerate() {
        let path = spec.at.join(Step::Field("launches".to_owned())).join(Step::Index(index));
        graph.connect(Edge::new(&function, Verb::Starts, launch.end.clone()).at(path));
    }
    let target = FunctionTarget {
        function: function.clone(),
        role_policy,
        retry_attempts: &inputs.maximum_retry_attempts,
        dead_letters: DeadLetters { queue: dead_letters.clone(), policy: queue_policy },
        common,
    };
    let endpoint = triggers.add(graph, &target);
    FunctionPart { function, role, log_group, dead_letters, endpoint }
}

/// The environment variables of the inputs, merged with those of edges and launches.
fn variables(spec: &FunctionSpec<'_>) -> Option<Expr> {
    let launches = (!spec.launches.is_empty()).then(|| (LAUNCHES, launch::list(spec.launches)));
    common::variables(spec.function.environment.as_ref(), launches.into_iter().chain(spec.uses.variable()))
}

fn set_code<'a>(
    function: ObjectBuilder<'a, lambda::Function>,
    code: &Code,
    at: Path,
    context: &Context,
    findings: &mut Findings,
) -> ObjectBuilder<'a, lambda::Function> {
    let (path, kind) = match code {
        Code::Zip(code) => (&code.zip, "zip"),
        Code::Bootstrap(code) => (&code.bootstrap, "bootstrap"),
        Code::Image(code) => {
            return function
                .package_type("Image")
                .image_uri(Some(&code.image_uri))
                .architectures(Expr::list([&code.architecture]));
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
        .package_type("Zip")
        .runtime(Some(artifact::RUNTIME))
        .handler(Some("bootstrap"))
        .architectures(Expr::list([architecture]))
        .source_code_hash(Some(hash))
        .source(Some(Expr::Literal(json!({ "kind": kind, "path": path }))))
}
