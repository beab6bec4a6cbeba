//! The `event_function` composite: a Lambda function with triggers.

use super::common::{Common, Identity};
use super::function::{self, FunctionInputs, FunctionSpec};
use super::launch;
use super::part::Part;
use super::triggers::{Trigger, TriggerSpec};
use super::uses::Uses;
use crate::composite::{Composite, Outputs};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Findings, Path};
use crate::graph::Graph;
use crate::input::{Inputs, Reference};
use crate::scalar::Scalar;
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

/// Outputs of [`EventFunction`].
#[derive(Outputs)]
pub(super) struct EventFunctionOutputs {
    /// Name of the function.
    function_name: Expr,
    /// ARN of the function.
    function_arn: Expr,
    /// ARN of the execution role of the function.
    role_arn: Expr,
    /// Name of the execution role, e.g. to attach policies.
    role_name: Expr,
    /// Name of the log group.
    log_group_name: Expr,
    /// ARN of the dead-letter queue for events that the function fails to process.
    dead_letter_queue_arn: Expr,
    /// URL of the dead-letter queue.
    dead_letter_queue_url: Expr,
    /// URL of the HTTP API or function URL; null without an `http` trigger.
    url: Option<Expr>,
    /// ID of the HTTP API, e.g. for alarms and custom domains; null without a trigger `http = "api"`.
    api_id: Option<Expr>,
}

impl Composite for EventFunction {
    type Inputs = EventFunctionInputs;
    type Outputs = EventFunctionOutputs;
    const TYPE: &'static str = "event_function";
    const TERMS: &'static [&'static str] = &["lambda", "lambdas", "handlers"];
    const DOC: &'static str = "Creates a Lambda function with its triggers.\n\n\
        The resource also creates a log group and a role with only the permissions that the inputs require. \
        Events that the function fails to process go to a dead-letter queue with an alarm.\n\n\
        For each trigger, the resource creates the matching object with its permission. Examples are a \
        bucket notification, an event source mapping, a schedule, an HTTP API and an EventBridge rule.";

    fn expand(
        inputs: &EventFunctionInputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<EventFunctionOutputs> {
        inputs.common.set(graph);
        let launches = launch::read(&inputs.launches, findings);
        let on = TriggerSpec::of_inputs(inputs.on.iter().map(Trigger::source));
        let spec = FunctionSpec {
            part: Part::new(context, &inputs.identity.name),
            at: Path::default(),
            function: &inputs.function,
            on: &on,
            launches: &launches,
            uses: &inputs.uses,
            common: &inputs.common,
        };
        let function = function::add(graph, &spec, findings);
        let (url, api_id) =
            function.endpoint.map_or((None, None), |endpoint| (Some(endpoint.url), endpoint.api_id));
        Some(EventFunctionOutputs {
            function_name: function.function.attribute("function_name"),
            function_arn: function.function.arn(),
            role_arn: function.role.arn(),
            role_name: function.role.attribute("name"),
            log_group_name: function.log_group.attribute("name"),
            dead_letter_queue_arn: function.dead_letters.arn(),
            dead_letter_queue_url: function.dead_letters.attribute("url"),
            url,
            api_id,
        })
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
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

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
