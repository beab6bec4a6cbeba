//! The IAM permissions of a deployment, derived from its objects and from the `access` of each kind.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::expr::{Ambient, Expr};
use crate::graph::{Graph, Object};
use crate::kind::{Access, fill};
use crate::kinds;
use crate::names;

/// The maximum length of a managed policy in IAM, in characters without white space.
pub const LONGEST_MANAGED_POLICY: usize = 6144;

/// Actions by the resources that they apply to.
type Rights = BTreeMap<BTreeSet<String>, BTreeSet<&'static str>>;

/// A composite of an application.
#[derive(Debug)]
pub struct Part<'a> {
    /// The graph that it expands to.
    pub graph: &'a Graph,
    /// Outputs of other parts that its inputs take: by variable, the index of the part and the name of the
    /// output.
    pub takes: BTreeMap<&'a str, (usize, &'static str)>,
}

/// The policy to create, change and delete the objects of these parts with the provider. Unknown values, such
/// as the account, are wildcards.
pub fn deployment(parts: &[Part<'_>], context: &Context) -> Json {
    // Group by call first, so that one statement covers all roles, one all queues, and so on.
    let mut by_call: BTreeMap<(&str, usize), BTreeSet<String>> = BTreeMap::new();
    let mut rights = Rights::new();
    let mut actions: BTreeMap<(&str, usize), &'static [&'static str]> = BTreeMap::new();
    for part in parts {
        let known = Known { part, parts, context };
        for object in part.graph.objects() {
            let settings = known.settings(object);
            // After an interrupted apply, objects that inputs named are found like in a sweep.
            let lists = object.named_by_inputs;
            let needed = |access: &Access| {
                (part.graph.force_destroy || !access.to_empty) && (lists || !access.to_sweep)
            };
            let all = object.kind.access.iter().enumerate();
            for (number, access) in all.filter(|(_, access)| needed(access)) {
                let place = |place| Some(known.place(place));
                // The alias of a key is not a resource of IAM, and only keys of AWS are named by alias.
                let resource =
                    fill(access.resource, &settings, &place).filter(|one| !one.starts_with("alias/"));
                let resource = resource.filter(|one| access.is_of(one));
                if let Some(resource) = resource {
                    by_call.entry((object.kind.name, number)).or_default().insert(shorten(&resource));
                    actions.insert((object.kind.name, number), access.actions);
                }
            }
        }
        if part.graph.speaks_of(Ambient::DefaultVpc) || part.graph.speaks_of(Ambient::DefaultSubnets) {
            let everything = BTreeSet::from(["*".to_owned()]);
            rights.entry(everything).or_default().extend(["ec2:DescribeSubnets", "ec2:DescribeVpcs"]);
        }
    }
    for (call, resources) in by_call {
        rights.entry(resources).or_default().extend(actions[&call]);
    }
    let mut statements: Vec<Json> = rights
        .into_iter()
        .map(|(resources, actions)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources }))
        .collect();
    statements.sort_by_key(|statement| statement["Action"].to_string());
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Splits a policy into as few policies as fit into a number of characters without white space, e.g.
/// [`LONGEST_MANAGED_POLICY`].
pub fn split(policy: &Json, longest: usize) -> Vec<Json> {
    let document = |statements: &[Json]| json!({ "Version": policy["Version"], "Statement": statements });
    let fits = |statements: &[Json]| document(statements).to_string().len() <= longest;
    let mut waiting = policy["Statement"].as_array().cloned().unwrap_or_default();
    let mut statements = Vec::new();
    while let Some(statement) = waiting.pop() {
        let halves = if fits(std::slice::from_ref(&statement)) { None } else { halves(&statement) };
        match halves {
            Some(halves) => waiting.extend(halves),
            None => statements.push(statement),
        }
    }
    // The longest first, each into the first policy with room.
    statements.sort_by_cached_key(|statement| std::cmp::Reverse(statement.to_string().len()));
    let mut policies: Vec<Vec<Json>> = Vec::new();
    for statement in statements {
        let with = |policy: &[Json]| [policy, std::slice::from_ref(&statement)].concat();
        match policies.iter_mut().find(|policy| fits(&with(policy))) {
            Some(policy) => policy.push(statement),
            None => policies.push(vec![statement]),
        }
    }
    for statements in &mut policies {
        statements.sort_by_cached_key(|statement| statement["Action"].to_string());
    }
    policies.iter().map(|statements| document(statements)).collect()
}

/// Two statements with half of the resources of a statement each, or half of its actions.
fn halves(statement: &Json) -> Option<[Json; 2]> {
    let part = |name: &str| {
        let items = statement[name].as_array().filter(|items| items.len() > 1)?;
        let (first, second) = items.split_at(items.len() / 2);
        Some([first, second].map(|items| {
            let mut half = statement.clone();
            half[name] = items.into();
            half
        }))
    };
    part("Resource").or_else(|| part("Action"))
}

/// The actions that a sweep needs on `*`, to list the objects of a project wherever its state is. Reading and
/// deleting these objects takes the permissions of a deployment.
pub fn sweep() -> BTreeSet<&'static str> {
    let access = kinds::ALL.iter().flat_map(|kind| kind.access);
    access.filter(|access| access.to_sweep).flat_map(|access| access.actions).copied().collect()
}

/// Replaces consecutive wildcards with one, which matches the same.
fn shorten(resource: &str) -> String {
    let mut resource = resource.to_owned();
    while resource.contains("**") {
        resource = resource.replace("**", "*");
    }
    resource
}

struct Known<'a> {
    part: &'a Part<'a>,
    parts: &'a [Part<'a>],
    context: &'a Context,
}

impl Known<'_> {
    fn settings(&self, object: &Object) -> BTreeMap<String, Json> {
        let fields = object.fields.iter().filter(|(_, expr)| **expr != Expr::Literal(Json::Null));
        fields.map(|(name, expr)| ((*name).to_owned(), self.pattern(expr).into())).collect()
    }

    fn place(&self, place: Ambient) -> String {
        // IAM rejects a wildcard in the partition.
        let unknown = if place == Ambient::Partition { "aws" } else { "*" };
        self.context.place(place).unwrap_or_else(|| unknown.to_owned())
    }

    /// The value as it appears in a resource ARN, with wildcards for unknown parts.
    fn pattern(&self, expr: &Expr) -> String {
        match expr {
            Expr::Literal(Json::String(text)) => text.clone(),
            Expr::Literal(other) => other.to_string(),
            Expr::Ambient(place) => self.place(*place),
            Expr::Attribute(key, attribute) => {
                let Some(object) = self.part.graph.get(key) else { return "*".to_owned() };
                let place = |place| Some(self.place(place));
                let known = object.kind.predict(attribute, &self.settings(object), &place);
                known.unwrap_or_else(|| "*".to_owned())
            }
            Expr::Input(variable) => {
                let taken = self.part.takes.get(variable.as_str());
                let output = taken.and_then(|(index, output)| {
                    let part = self.parts.get(*index)?;
                    Some(Known { part, ..*self }.pattern(part.graph.outputs.get(output)?))
                });
                output.unwrap_or_else(|| "*".to_owned())
            }
            Expr::Concat(parts) => parts.iter().map(|part| self.pattern(part)).collect(),
            Expr::Hash(inner) => match self.pattern(inner) {
                text if text.contains('*') => "?".repeat(8),
                text => names::hash(&text),
            },
            _ => "*".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composite::Definition;
    use crate::value::Value;

    #[test]
    fn a_long_policy_is_split_and_still_allows_the_same() {
        let statements: Vec<Json> = (0..40)
            .map(|number| {
                let resources: Vec<String> =
                    (0..=number * 3).map(|other| format!("arn:aws:sqs:*:*:shop-{number}-{other}")).collect();
                let actions = [format!("sqs:Get{number}"), format!("sqs:Put{number}")];
                json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
            })
            .collect();
        let policy = json!({ "Version": "2012-10-17", "Statement": statements });
        let allowed = |policy: &Json| -> BTreeSet<(String, String)> {
            let texts = |value: &Json| -> Vec<String> {
                value.as_array().into_iter().flatten().map(ToString::to_string).collect()
            };
            let statements = policy["Statement"].as_array().expect("statements").iter();
            let pairs = statements.flat_map(|statement| {
                let resources = texts(&statement["Resource"]);
                texts(&statement["Action"]).into_iter().flat_map(move |action| {
                    resources.clone().into_iter().map(move |resource| (action.clone(), resource))
                })
            });
            pairs.collect()
        };
        let parts = split(&policy, LONGEST_MANAGED_POLICY);
        assert!(parts.iter().all(|part| part.to_string().len() <= LONGEST_MANAGED_POLICY));
        let all: BTreeSet<(String, String)> = parts.iter().flat_map(allowed).collect();
        assert_eq!(all, allowed(&policy));
        let least = policy.to_string().len().div_ceil(LONGEST_MANAGED_POLICY);
        assert!(parts.len() <= least + 1, "{} policies where {least} could do", parts.len());
        let short = json!({ "Version": "2012-10-17", "Statement": [statements[0]] });
        assert_eq!(split(&short, LONGEST_MANAGED_POLICY), [short]);
    }

    #[test]
    fn only_objects_that_inputs_name_are_listed_in_a_deployment() {
        let context = Context { project: Some("test".to_owned()), ..Context::default() };
        for (composite, inputs, action, lists) in [
            ("queue", json!({ "name": "jobs" }), "sqs:ListQueues", true),
            ("topic", json!({ "name": "news" }), "sns:ListTopics", false),
            (
                "event_function",
                json!({ "name": "f", "code": { "image_uri": "i" }, "on": [{ "event_pattern": "{\"source\":[\"a\"]}" }] }),
                "events:ListRules",
                true,
            ),
            ("event_function", json!({ "name": "f", "code": { "image_uri": "i" } }), "sqs:ListQueues", false),
        ] {
            let definition = Definition::find(composite).expect("a composite");
            let graph = definition.expand(&Value::from(&inputs), &context).graph.expect("a graph");
            let policy = deployment(&[Part { graph: &graph, takes: BTreeMap::new() }], &context);
            assert_eq!(policy.to_string().contains(action), lists, "{inputs}: {action}");
        }
    }
}
