//! The canonical form of settings: equal when they mean the same, and safe to show.

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use tandem_model::composite::Settings;
use tandem_model::kind::{Form, Kind};

/// The pseudo-field with the tags of the user, in addition to the fields of the kind.
pub const TAGS: &str = "tags";

/// Puts a policy document into a form that is the same for documents with the same meaning. The drivers supply
/// it: the meaning is that of their cloud.
pub type Policy = fn(&Json) -> Json;

/// Settings in canonical form: without recipes and nulls, sets sorted, policies normalized.
pub fn settings(kind: &Kind, settings: &Settings, policy: Policy) -> Settings {
    // The cloud treats an empty string, list or map as not set. Empty tags are kept: the user wants no tags.
    let given = settings.iter().filter(|(name, value)| *name == TAGS || !is_empty(value));
    let fields = given.filter_map(|(name, value)| {
        let form = kind.field(name).map_or(Form::Plain, |field| field.form);
        let value = match form {
            Form::Recipe => return None,
            Form::Set => sorted(value),
            Form::Policy => policy(value),
            Form::Plain | Form::SecretMap => value.clone(),
        };
        Some((name.clone(), value))
    });
    fields.collect()
}

/// Canonical settings as they may be shown and stored: secrets as short digests.
pub fn shown(kind: &Kind, canonical: &Settings) -> Settings {
    let fields = canonical.iter().map(|(name, value)| {
        let form = kind.field(name).map_or(Form::Plain, |field| field.form);
        let value = match (form, value) {
            (Form::SecretMap, Json::Object(entries)) => {
                let entries =
                    entries.iter().map(|(key, value)| (key.clone(), Json::from(fingerprint(value))));
                Json::Object(entries.collect())
            }
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    fields.collect()
}

/// Shown settings as one line of JSON.
pub fn line(shown: &Settings) -> String {
    let map: Map<String, Json> = shown.clone().into_iter().collect();
    Json::Object(map).to_string()
}

/// Parses such a line. A damaged line has no settings, so every field counts as changed.
pub fn parse_line(line: &str) -> Settings {
    serde_json::from_str(line).unwrap_or_default()
}

/// The digest of canonical settings.
pub fn digest(canonical: &Settings) -> String {
    hex::encode(Sha256::digest(line(canonical)))
}

/// Enough of a digest to show a change, but too little to search for the secret.
fn fingerprint(value: &Json) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    format!("sha256:{}", hex::encode(&Sha256::digest(text)[..4]))
}

/// A list without duplicates, in the order of its items as strings.
pub fn sorted(value: &Json) -> Json {
    let Json::Array(items) = value else { return value.clone() };
    let mut items = items.clone();
    items.sort_by_key(ToString::to_string);
    items.dedup();
    Json::Array(items)
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(entries) => entries.is_empty(),
        _ => false,
    }
}

/// The fields in which an object is not as wanted: wanted fields with another value or none, and optional
/// fields that must not be set. Other fields keep the value from the cloud.
pub fn differing<'a>(kind: &'a Kind, wanted: &'a Settings, found: &Settings) -> Vec<&'a str> {
    let differs = wanted.iter().filter(|(name, value)| match found.get(*name) {
        Some(now) => now != *value,
        None => !is_empty(value),
    });
    let optional = kind.fields.iter().filter(|field| field.optional && !wanted.contains_key(field.name));
    let unwanted = optional.filter(|field| found.get(field.name).is_some_and(|now| !is_empty(now)));
    differs.map(|(name, _)| name.as_str()).chain(unwanted.map(|field| field.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tandem_model::kinds;

    #[test]
    fn secrets_are_not_shown_and_changes_of_them_are() {
        let kind = &kinds::lambda::FUNCTION;
        let with = |value: &str| {
            let settings = Settings::from([("environment".to_owned(), json!({"KEY": value}))]);
            line(&shown(kind, &super::settings(kind, &settings, Json::clone)))
        };
        assert!(!with("hunter2").contains("hunter2"));
        assert_ne!(with("hunter2"), with("hunter3"));
    }

    #[test]
    fn what_is_set_and_not_wanted_differs_only_where_leaving_out_means_absent() {
        let kind = &kinds::iam::ROLE;
        let wanted = Settings::from([("name".to_owned(), json!("r"))]);
        let mut found = wanted.clone();
        assert!(differing(kind, &wanted, &found).is_empty());
        found.insert("path".to_owned(), json!("/"));
        assert!(differing(kind, &wanted, &found).is_empty(), "a default of the cloud");
        found.insert("permissions_boundary".to_owned(), json!("arn"));
        assert_eq!(differing(kind, &wanted, &found), ["permissions_boundary"]);
        found.insert("name".to_owned(), json!("other"));
        assert_eq!(differing(kind, &wanted, &found), ["name", "permissions_boundary"]);
    }

    #[test]
    fn recipes_do_not_count() {
        let kind = &kinds::lambda::FUNCTION;
        let settings = Settings::from([("source".to_owned(), json!({"path": "/a"}))]);
        assert!(super::settings(kind, &settings, Json::clone).is_empty());
    }
}
