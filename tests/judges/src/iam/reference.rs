//! AWS's Service Authorization Reference.

use std::sync::LazyLock;

use serde_json::Value as Json;

/// The actions in use, written by `cargo xtask aws-facts`.
static REFERENCE: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../data/aws-actions.json")).expect("generated JSON")
});

/// An action.
#[derive(Clone, Copy, Debug)]
pub(super) struct Action {
    service: &'static Json,
    entry: &'static Json,
    /// Its name without the service, e.g. `PassRole`.
    pub(super) name: &'static str,
}

impl Action {
    /// An action by its name, e.g. `iam:PassRole`.
    pub(super) fn find(name: &str) -> Option<Self> {
        let (prefix, name) = name.split_once(':')?;
        Self::of_service(prefix).find(|action| action.name == name)
    }

    /// The actions of a service.
    pub(super) fn of_service(prefix: &str) -> impl Iterator<Item = Self> {
        let service = REFERENCE.get(prefix);
        let actions = service.and_then(|service| service["actions"].as_object());
        actions
            .into_iter()
            .flatten()
            .filter_map(move |(name, action)| Some(Self { service: service?, entry: action, name }))
    }

    /// True if the documentation of the action is that of this operation.
    pub(super) fn is_of(self, operation: &str) -> bool {
        self.entry["operation"] == operation
    }

    /// The types of its resources, each with true if every call has one.
    pub(super) fn types(self) -> impl Iterator<Item = (&'static str, bool)> {
        let types = self.entry["resources"].as_object().into_iter().flatten();
        types.map(|(name, required)| (name.as_str(), *required == true))
    }

    /// The pattern of the ARNs of a type, e.g. `arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`.
    pub(super) fn arn(self, ty: &str) -> Option<&'static str> {
        self.service["resources"][ty].as_str()
    }

    /// Patterns of the ARNs of its resources.
    pub(super) fn arns(self) -> impl Iterator<Item = String> {
        self.types().filter_map(move |(ty, _)| Some(as_pattern(self.arn(ty)?)))
    }

    pub(super) fn has_condition(self, key: &str) -> bool {
        let mut known = self.entry["conditions"].as_array().into_iter().flatten().filter_map(Json::as_str);
        known.any(|known| known.split('$').next() == key.split('$').next() || known == key)
    }
}

/// The ARN with `*` in place of variables.
fn as_pattern(arn: &str) -> String {
    let mut parts = arn.split("${");
    let mut pattern = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        pattern.push('*');
        pattern.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    pattern
}
