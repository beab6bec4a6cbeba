//! Edges of a diagram: triggers, dead-letter queues, steps of workflows, and resources allowed by policies.

use tandem_model::expr::Expr;
use tandem_model::graph::Object;

use super::Shape;
use super::things::{Scope, Thing, at, text};
use crate::documents::statements;

/// An edge from one node to another.
pub(super) struct Wire<'a> {
    pub(super) from: Thing<'a>,
    pub(super) to: Thing<'a>,
    pub(super) label: String,
}

/// Kinds of objects that connect two nodes: the kind, the field with the source, and the field with the
/// target. Without a source field, the object itself is the source. The first row with a set target field
/// applies.
const WIRES: &[(&str, Option<&str>, &str)] = &[
    ("apigatewayv2_integration", Some("api_id"), "integration_uri"),
    ("cloudwatch_event_target", Some("rule"), "arn"),
    ("lambda_event_source_mapping", Some("event_source_arn"), "function_name"),
    ("lambda_function_event_invoke_config", Some("function_name"), "on_failure"),
    ("lambda_function_url", None, "function_name"),
    ("s3_bucket_notification", Some("bucket"), "lambda_function_arn"),
    ("scheduler_schedule", None, "ecs_task_definition_arn"),
    ("scheduler_schedule", None, "target_arn"),
    ("sns_topic_subscription", Some("topic_arn"), "endpoint"),
    ("sqs_queue", None, "redrive_policy"),
];

/// Members of a state that refer to its target.
const RUNS: &[&str] = &["FunctionName", "QueueUrl", "TaskDefinition"];

/// Kinds of objects with an IAM role, and the field with the role.
const ROLES: &[(&str, &str)] = &[
    ("ecs_task_definition", "task_role_arn"),
    ("lambda_function", "role"),
    ("sfn_state_machine", "role_arn"),
];

/// Actions that identify a statement, the label of their edge, and true if the edge leads to the user of the
/// resource.
const USES: &[(&str, &str, bool)] = &[
    ("dynamodb:GetItem", "reads", true),
    ("dynamodb:PutItem", "writes", false),
    ("ecs:RunTask", "starts", false),
    ("kinesis:PutRecord", "writes", false),
    ("lambda:InvokeFunction", "invokes", false),
    ("s3:GetObject", "reads", true),
    ("s3:PutObject", "writes", false),
    ("sns:Publish", "sends", false),
    ("sqs:SendMessage", "sends", false),
    ("states:StartExecution", "starts", false),
];

impl<'a> Scope<'a> {
    /// Edges of triggers and dead-letter queues.
    pub(super) fn wires(self) -> Vec<Wire<'a>> {
        self.objects().filter_map(|object| self.wire(object)).collect()
    }

    fn objects(self) -> impl Iterator<Item = &'a Object> {
        self.entry.graph.objects().iter()
    }

    fn wire(self, object: &'a Object) -> Option<Wire<'a>> {
        let mut wires = WIRES.iter().filter(|wire| wire.0 == object.kind.name);
        let (_, from, to) = wires.find(|(.., to)| object.fields.contains_key(to))?;
        let to = self.thing(object.fields.get(to)?)?;
        let from = match from {
            None => Thing::Made(self.entry, object),
            Some("bucket") => self.bucket(object.fields.get("bucket")?)?,
            Some(field) => self.thing(object.fields.get(field)?)?,
        };
        let label = self.label(object, &to);
        Some(Wire { from, to, label })
    }

    fn label(self, object: &'a Object, to: &Thing<'a>) -> String {
        if to.is_dead_letters() {
            return "failed".to_owned();
        }
        match object.kind.name {
            "s3_bucket_notification" => {
                let filters = ["filter_prefix", "filter_suffix"].into_iter();
                let filters: Vec<String> =
                    filters.filter_map(|field| text(object.fields.get(field)?)).collect();
                filters.join(" ")
            }
            "cloudwatch_event_target" => self.filter(object).unwrap_or_default().to_owned(),
            "scheduler_schedule" if to.shape() != Some(Shape::Function) => "starts".to_owned(),
            _ => String::new(),
        }
    }

    /// The filter on object keys in the rule of an event target.
    fn filter(self, target: &'a Object) -> Option<&'a str> {
        let Some(Expr::Attribute(rule, _)) = target.fields.get("rule") else { return None };
        let pattern = self.entry.graph.get(rule)?.fields.get("event_pattern")?;
        let Some(Expr::Literal(keys)) = at(pattern, &["detail", "object", "key"]) else { return None };
        keys.get(0)?.as_object()?.values().next()?.as_str()
    }

    /// Edges from workflows to the targets of their steps.
    pub(super) fn steps(self) -> Vec<Wire<'a>> {
        let mut wires = Vec::new();
        for machine in self.objects().filter(|object| object.kind.name == "sfn_state_machine") {
            let Some(definition) = machine.fields.get("definition") else { continue };
            let mut runs = Vec::new();
            find_runs(definition, "", &mut runs);
            for (step, target) in runs {
                let Some(to) = self.thing(target) else { continue };
                let label = if to.is_dead_letters() { "failed" } else { step }.to_owned();
                wires.push(Wire { from: Thing::Made(self.entry, machine), to, label });
            }
        }
        wires
    }

    /// Edges to resources that the policies of roles allow.
    pub(super) fn uses(self) -> Vec<Wire<'a>> {
        let mut wires = Vec::new();
        for policy in self.objects().filter(|object| object.kind.name == "iam_role_policy") {
            let (Some(user), Some(document)) = (self.user(policy), policy.fields.get("policy")) else {
                continue;
            };
            for statement in statements(document) {
                let Some((_, verb, back)) = USES.iter().find(|(action, ..)| statement.names(action)) else {
                    continue;
                };
                let Some(used) = self.thing(statement.resource) else { continue };
                let keys = statement.objects().map(|(_, keys)| keys).filter(|keys| !keys.is_empty());
                let label = keys.unwrap_or(verb).to_owned();
                let user = Thing::Made(self.entry, user);
                let (from, to) = if *back { (used, user) } else { (user, used) };
                wires.push(Wire { from, to, label });
            }
        }
        wires
    }

    /// The object that runs with the role of a policy.
    fn user(self, policy: &'a Object) -> Option<&'a Object> {
        let Some(Expr::Attribute(role, _)) = policy.fields.get("role") else { return None };
        self.objects().find(|object| {
            let field = ROLES.iter().find(|(kind, _)| object.kind.name == *kind);
            let own = field.and_then(|(_, field)| object.fields.get(field));
            matches!(own, Some(Expr::Attribute(own, _)) if own == role)
        })
    }
}

/// The step of a state: the names of its states begin with its name and a space.
fn step_of(state: &str) -> &str {
    state.split(' ').next().unwrap_or_default()
}

/// Finds the targets of states, each with the name of its step.
fn find_runs<'a>(expr: &'a Expr, step: &'a str, found: &mut Vec<(&'a str, &'a Expr)>) {
    match expr {
        Expr::Map(entries) => {
            for (name, value) in entries {
                match value {
                    Expr::Map(states) if name == "States" => {
                        states.iter().for_each(|(name, state)| find_runs(state, step_of(name), found));
                    }
                    target if RUNS.contains(&name.as_str()) => found.push((step, target)),
                    inner => find_runs(inner, step, found),
                }
            }
        }
        Expr::List(items) => items.iter().for_each(|item| find_runs(item, step, found)),
        _ => {}
    }
}
