//! The meaning of policy documents.

use serde_json::{Map, Value as Json};
use tandem_engine::canonical::sorted;

/// A policy document as AWS treats it: one value equals a list of one, order does not count, and booleans are
/// strings.
pub fn canonical(document: &Json) -> Json {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_that_mean_the_same_are_equal() {
        let one = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*",
            "Action": "s3:*", "Resource": ["b", "a"], "Condition": {"Bool": {"aws:SecureTransport": false}}}});
        let two = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": {"AWS": "*"},
            "Action": ["s3:*"], "Resource": ["a", "b"], "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}]});
        assert_eq!(canonical(&one), canonical(&two));
        assert_eq!(canonical(&Json::String(one.to_string())), canonical(&two));
        let other = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]});
        assert_ne!(canonical(&one), canonical(&other));
    }
}
