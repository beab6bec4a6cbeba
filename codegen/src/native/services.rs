//! Nested blocks of hashicorp/aws for APIs, tables, streams, state machines, schedules and event targets.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_model::capacity::CAPACITIES;
use tandem_model::expr::{Ambient, Expr};
use tandem_model::graph::Object;

use super::Printer;
use super::expressions::direct;
use super::resources::nested;
use crate::hcl::{Body, Hcl};

/// A name, and its name or value in the block.
type Pairs = &'static [(&'static str, &'static str)];

const CORS: Pairs = &[
    ("cors_allow_origins", "allow_origins"),
    ("cors_allow_methods", "allow_methods"),
    ("cors_allow_headers", "allow_headers"),
    ("cors_max_age", "max_age"),
];

const RETRIES: Pairs = &[
    ("maximum_event_age_in_seconds", "maximum_event_age_in_seconds"),
    ("maximum_retry_attempts", "maximum_retry_attempts"),
];

/// Blocks: kind, name of the block, fields with their names in the block, and constant attributes.
const BLOCKS: &[(&str, &str, Pairs, Pairs)] = &[
    ("apigatewayv2_api", "cors_configuration", CORS, &[]),
    (
        "apigatewayv2_authorizer",
        "jwt_configuration",
        &[("jwt_issuer", "issuer"), ("jwt_audience", "audience")],
        &[],
    ),
    (
        "apigatewayv2_stage",
        "access_log_settings",
        &[("access_log_destination_arn", "destination_arn"), ("access_log_format", "format")],
        &[],
    ),
    (
        "apigatewayv2_stage",
        "default_route_settings",
        &[
            ("throttling_burst_limit", "throttling_burst_limit"),
            ("throttling_rate_limit", "throttling_rate_limit"),
        ],
        &[],
    ),
    ("cloudwatch_event_target", "dead_letter_config", &[("dead_letter_arn", "arn")], &[]),
    ("cloudwatch_event_target", "retry_policy", RETRIES, &[]),
    ("dynamodb_table", "point_in_time_recovery", &[("point_in_time_recovery", "enabled")], &[]),
    ("dynamodb_table", "ttl", &[("ttl_attribute", "attribute_name")], &[("enabled", "true")]),
    ("dynamodb_table", "server_side_encryption", &[("kms_key_arn", "kms_key_arn")], &[("enabled", "true")]),
    ("kinesis_stream", "stream_mode_details", &[("stream_mode", "stream_mode")], &[]),
    ("lambda_function_url", "cors", CORS, &[]),
    (
        "sfn_state_machine",
        "logging_configuration",
        &[
            ("log_level", "level"),
            ("include_execution_data", "include_execution_data"),
            ("log_destination", "log_destination"),
        ],
        &[],
    ),
    ("sfn_state_machine", "tracing_configuration", &[("tracing_enabled", "enabled")], &[]),
    (
        "sfn_state_machine",
        "encryption_configuration",
        &[("kms_key_id", "kms_key_id")],
        &[("type", "\"CUSTOMER_MANAGED_KMS_KEY\"")],
    ),
];

impl Printer<'_> {
    /// Moves fields of these services into nested blocks.
    pub(super) fn special_of_service(
        &mut self,
        object: &Object,
        fields: &mut BTreeMap<&str, Hcl>,
        body: &mut Body,
        blocks: &mut Body,
    ) {
        let kind = object.kind.name;
        match kind {
            "dynamodb_table" => table(fields, body, blocks),
            "scheduler_schedule" => self.schedule(object, fields, blocks),
            _ => {}
        }
        for (_, name, inside, beside) in BLOCKS.iter().filter(|block| block.0 == kind) {
            if let Some(mut block) = gathered(fields, inside) {
                for (name, code) in *beside {
                    block.set(name, Hcl::code(*code));
                }
                blocks.block(name, &[], block);
            }
        }
    }

    fn schedule(&mut self, object: &Object, fields: &mut BTreeMap<&str, Hcl>, blocks: &mut Body) {
        let minutes = fields.remove("flexible_time_window_minutes");
        let mode = if minutes.is_some() { "FLEXIBLE" } else { "OFF" };
        let window = vec![("mode", Some(mode.into())), ("maximum_window_in_minutes", minutes)];
        blocks.block("flexible_time_window", &[], nested(window));
        let mut target = nested(vec![
            ("arn", fields.remove("target_arn")),
            ("role_arn", fields.remove("target_role_arn")),
            ("input", fields.remove("input")),
        ]);
        if let Some(arn) = fields.remove("dead_letter_arn") {
            target.block("dead_letter_config", &[], nested(vec![("arn", Some(arn))]));
        }
        if let Some(retries) = gathered(fields, RETRIES) {
            target.block("retry_policy", &[], retries);
        }
        if let Some(definition) = fields.remove("ecs_task_definition_arn") {
            target.block("ecs_parameters", &[], self.task(object, fields, definition));
        }
        blocks.block("target", &[], target);
    }

    /// Returns the parameters of the task that a schedule starts.
    fn task(&mut self, object: &Object, fields: &mut BTreeMap<&str, Hcl>, definition: Hcl) -> Body {
        let mut task = nested(vec![("task_definition_arn", Some(definition)), ("task_count", Some(one()))]);
        let mut network = Body::default();
        for (field, name) in [("ecs_subnets", "subnets"), ("ecs_security_groups", "security_groups")] {
            if fields.remove(field).is_some()
                && let Some(expr) = object.fields.get(field)
            {
                network.set(name, self.split(expr));
            }
        }
        if let Some(public) = fields.remove("ecs_assign_public_ip") {
            network.set("assign_public_ip", public);
        }
        task.block("network_configuration", &[], network);
        if let Some(capacity) = fields.remove("ecs_capacity") {
            strategies(capacity, &mut task);
        }
        task
    }

    /// Splits a string at commas into a list.
    fn split(&mut self, expr: &Expr) -> Hcl {
        let text = self.expr(expr);
        match direct(expr) {
            Expr::Literal(Json::String(text)) => Hcl::List(text.split(',').map(Hcl::text).collect()),
            // The attribute of one object has no comma.
            Expr::Attribute(..) => Hcl::List(vec![text]),
            Expr::Ambient(Ambient::DefaultSubnets) => Hcl::code("data.aws_subnets.default.ids"),
            _ => Hcl::Call("split", vec![",".into(), text]),
        }
    }
}

/// Writes a table: hashicorp/aws declares the types of the keys in separate blocks.
fn table(fields: &mut BTreeMap<&str, Hcl>, body: &mut Body, blocks: &mut Body) {
    body.set("name", fields.remove("name").unwrap_or(Hcl::Null));
    if fields.contains_key("stream_view_type") {
        body.set("stream_enabled", Hcl::Bool(true));
    }
    for (key, ty) in [("hash_key", "hash_key_type"), ("range_key", "range_key_type")] {
        if let Some(ty) = fields.remove(ty) {
            let pairs = vec![("name", fields.get(key).cloned()), ("type", Some(ty))];
            blocks.block("attribute", &[], nested(pairs));
        }
    }
}

/// Moves fields into a block. Returns none if no field has a value.
fn gathered(fields: &mut BTreeMap<&str, Hcl>, names: Pairs) -> Option<Body> {
    let mut body = Body::default();
    for (field, name) in names {
        if let Some(value) = fields.remove(*field).filter(|value| *value != Hcl::List(Vec::new())) {
            body.set(name, value);
        }
    }
    (!body.items.is_empty()).then_some(body)
}

/// Writes the capacity provider strategy of a task. A value that is known only at apply selects from a map of
/// all strategies.
fn strategies(capacity: Hcl, task: &mut Body) {
    const BLOCK: &str = "capacity_provider_strategy";
    let strategy = |provider| nested(vec![("capacity_provider", Some(provider)), ("weight", Some(one()))]);
    if let Hcl::Text(word) = &capacity {
        let chosen = CAPACITIES.iter().filter(|capacity| capacity.0 == word);
        for provider in chosen.flat_map(|capacity| capacity.1) {
            task.block(BLOCK, &[], strategy(Hcl::text(*provider)));
        }
        return;
    }
    let providers = |names: &[&str]| Hcl::List(names.iter().copied().map(Hcl::text).collect());
    let all = CAPACITIES.iter().map(|(word, names)| ((*word).to_owned(), providers(names))).collect();
    let mut dynamic = Body::default();
    dynamic.set("for_each", Hcl::Entry(Box::new(Hcl::Map(all)), Box::new(capacity)));
    dynamic.block("content", &[], strategy(Hcl::code(format!("{BLOCK}.value"))));
    task.block("dynamic", &[BLOCK], dynamic);
}

fn one() -> Hcl {
    Hcl::Number("1".to_owned())
}
