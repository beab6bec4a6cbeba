//! The canonical form of settings: equal when they mean the same, and safe to show.

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use tandem_model::composite::Settings;
use tandem_model::kind::{Form, Kind};

/// The pseudo-field with the tags of the user, in addition to the fields of the kind.
pub const TAGS: &str = "tags";

/// Settings in canonical form: without recipes and nulls, sets sorted, policies normalized.
pub fn settings(kind: &Kind, settings: &Settings) -> Settings {
    // AWS treats an empty string, list or map as not set. Empty tags are kept: the user wants no tags.
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

fn sorted(value: &Json) -> Json {
    let Json::Array(items) = value else { return value.clone() };
    let mut items = items.clone();
    items.sort_by_key(ToString::to_string);
    items.dedup();
    Json::Array(items)
}

/// A policy document as AWS treats it: one value equals a list of one, order does not count, and booleans are
/// strings.
pub fn policy(document: &Json) -> Json {
    let parsed;
    let document = match document {
        Json::String(text) => match serde_json::from_str::<Json>(text) {
            Ok(json) => {
                parsed = json;
                &parsed
            }
            Err(_) => return document.clone(),
        },
        other => other,
    };
    let Json::Object(entries) = document else { return document.clone() };
    let mut entries = entries.clone();
    if let Some(statements) = entries.get_mut("Statement") {
        let list = match statements.take() {
            Json::Array(list) => list,
            one => vec![one],
        };
        let mut list: Vec<Json> = list.iter().map(statement).collect();
        list.sort_by_key(ToString::to_string);
        *statements = Json::Array(list);
    }
    Json::Object(entries)
}

fn statement(statement: &Json) -> Json {
    let Json::Object(entries) = statement else { return statement.clone() };
    let entries = entries.iter().map(|(key, value)| {
        let value = match key.as_str() {
            "Action" | "NotAction" | "Resource" | "NotResource" => texts(value),
            "Principal" | "NotPrincipal" => principal(value),
            "Condition" => condition(value),
            _ => value.clone(),
        };
        (key.clone(), value)
    });
    Json::Object(entries.collect())
}

fn principal(value: &Json) -> Json {
    match value {
        // AWS treats `"*"` and `{"AWS": "*"}` alike.
        Json::String(text) if text == "*" => Json::Object(Map::from_iter([("AWS".to_owned(), texts(value))])),
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), texts(value))).collect(),
        _ => value.clone(),
    }
}

fn condition(value: &Json) -> Json {
    let Json::Object(operators) = value else { return value.clone() };
    let operators = operators.iter().map(|(operator, keys)| {
        let keys = match keys {
            Json::Object(keys) => keys.iter().map(|(key, value)| (key.clone(), texts(value))).collect(),
            other => other.clone(),
        };
        (operator.clone(), keys)
    });
    Json::Object(operators.collect())
}

/// A string or a list of strings, as a sorted list.
fn texts(value: &Json) -> Json {
    let list = match value {
        Json::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    let text = |item: &Json| match item {
        Json::Bool(_) | Json::Number(_) => Json::String(item.to_string()),
        other => other.clone(),
    };
    sorted(&Json::Array(list.iter().map(text).collect()))
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
/// fields that must not be set. Other fields keep the value from AWS.
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
    fn policies_that_mean_the_same_are_equal() {
        let one = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
            "Action": "s3:*", "Resource": ["b", "a"], "Condition": {"Bool": {"aws:SecureTransport": false}}}});
        let two = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": {"AWS": "*"},
            "Action": ["s3:*"], "Resource": ["a", "b"], "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}]});
        assert_eq!(policy(&one), policy(&two));
        assert_eq!(policy(&Json::String(one.to_string())), policy(&two));
        let other = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]});
        assert_ne!(policy(&one), policy(&other));
    }

    #[test]
    fn secrets_are_not_shown_and_changes_of_them_are() {
        let kind = &kinds::lambda::FUNCTION;
        let with = |value: &str| {
            let settings = Settings::from([("environment".to_owned(), json!({"KEY": value}))]);
            line(&shown(kind, &super::settings(kind, &settings)))
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
        assert!(differing(kind, &wanted, &found).is_empty(), "AWS's default");
        found.insert("permissions_boundary".to_owned(), json!("arn"));
        assert_eq!(differing(kind, &wanted, &found), ["permissions_boundary"]);
        found.insert("name".to_owned(), json!("other"));
        assert_eq!(differing(kind, &wanted, &found), ["name", "permissions_boundary"]);
    }

    #[test]
    fn recipes_do_not_count() {
        let kind = &kinds::lambda::FUNCTION;
        let settings = Settings::from([("source".to_owned(), json!({"path": "/a"}))]);
        assert!(super::settings(kind, &settings).is_empty());
    }
}
