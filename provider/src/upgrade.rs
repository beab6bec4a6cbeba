//! Upgrades the state that an older version of the provider wrote.
//!
//! Each function `from_N` converts the JSON of schema version N to version N + 1. A change of the schema, or of the
//! key of an object, needs a new version here.

use serde_json::{Map, Value as Json, json};
use tandem_model::composite::Definition;

/// The schema version of every composite.
pub(crate) const VERSION: i64 = 1;

/// Converts a state of a schema version to the current one. `None` for a version that this provider does not know.
pub(crate) fn upgrade(definition: &Definition, version: i64, mut state: Json) -> Option<Json> {
    match version {
        0 => from_0(definition, &mut state),
        VERSION => {}
        _ => return None,
    }
    Some(state)
}

/// The keys that version 1 renamed: the type of the composite, the old key, the new key.
const RENAMED_IN_1: &[(&str, &str, &str)] = &[];

/// Version 1 records the differences of each object; version 0 had only the lines of `drift`. The lines are dropped:
/// without differences, a plan could not tell which values an apply renews. The next read writes both.
fn from_0(definition: &Definition, state: &mut Json) {
    for entry in entries(state, "record").into_iter().flat_map(Map::values_mut) {
        if let Some(entry) = entry.as_object_mut() {
            entry.entry("differences").or_insert_with(|| json!([]));
        }
    }
    if let Some(drift) = state.get_mut("drift").filter(|drift| drift.is_array()) {
        *drift = json!([]);
    }
    if let Some(state) = state.as_object_mut() {
        definition.upgrade(0, state);
    }
    for (composite, old, new) in RENAMED_IN_1 {
        if *composite == definition.type_name {
            rename(state, old, new);
        }
    }
}

/// Gives an object another key, in everything that is stored by key.
fn rename(state: &mut Json, old: &str, new: &str) {
    for attribute in ["components", "ids", "iam_policies", "record"] {
        if let Some(entries) = entries(state, attribute)
            && !entries.contains_key(new)
            && let Some(entry) = entries.remove(old)
        {
            entries.insert(new.to_owned(), entry);
        }
    }
    for entry in entries(state, "record").into_iter().flat_map(Map::values_mut) {
        for need in entry.get_mut("needs").and_then(Json::as_array_mut).into_iter().flatten() {
            if need == old {
                *need = json!(new);
            }
        }
    }
}

fn entries<'a>(state: &'a mut Json, attribute: &str) -> Option<&'a mut Map<String, Json>> {
    state.get_mut(attribute)?.as_object_mut()
}

#[cfg(test)]
mod tests {
    use tandem_engine::difference::Difference;
    use tfplugin::Value;

    use super::*;
    use crate::state;

    /// A state as version 0 wrote it.
    fn old() -> Json {
        json!({
            "name": "jobs",
            "delay": null,
            "id": "shop/eu-central-1/queue/jobs",
            "instance": "i",
            "components": { "sqs_queue.main": "{\"name\":\"shop-jobs\"}", "sqs_queue_policy.main": "{}" },
            "ids": { "sqs_queue.main": "arn:aws:sqs:eu-central-1:123456789012:shop-jobs" },
            "iam_policies": { "sqs_queue_policy.main": "{}" },
            "drift": ["sqs_queue.main is missing"],
            "record": {
                "sqs_queue.main": {
                    "kind": "sqs_queue", "id": "shop-jobs", "region": "eu-central-1",
                    "account": "123456789012", "digest": "d", "needs": [], "attributes": { "url": "u" },
                    "anchor": true,
                },
                "sqs_queue_policy.main": {
                    "kind": "sqs_queue_policy", "id": "shop-jobs", "region": "eu-central-1",
                    "account": "123456789012", "digest": "d", "needs": ["sqs_queue.main"], "attributes": {},
                    "anchor": false,
                },
            },
        })
    }

    fn queue() -> &'static Definition {
        Definition::find("queue").expect("a composite")
    }

    fn decode(state: &Json) -> Value {
        tfplugin::json::decode(state, &state::schema(queue()).ty()).expect("a state of this schema")
    }

    #[test]
    fn a_state_of_version_0_gets_empty_differences_and_keeps_everything_else() {
        let new = upgrade(queue(), 0, old()).expect("an upgrade");
        let mut expected = old();
        expected["drift"] = json!([]);
        for key in ["sqs_queue.main", "sqs_queue_policy.main"] {
            expected["record"][key]["differences"] = json!([]);
        }
        assert_eq!(new, expected);
        let record = state::record(&decode(&new));
        assert_eq!(record.objects.len(), 2);
        assert!(record.objects.values().all(|entry| entry.differences.is_empty()));
        // Writing the record again changes nothing: a plan without drift is empty.
        let mut again = decode(&new);
        state::set_record(&mut again, &record);
        assert_eq!(again.get("record"), decode(&new).get("record"));
        assert_eq!(upgrade(queue(), VERSION, new.clone()), Some(new));
    }

    #[test]
    fn a_state_without_a_record_is_upgraded_too() {
        let state = json!({ "name": "jobs", "drift": null, "record": null });
        assert_eq!(upgrade(queue(), 0, state.clone()), Some(state));
    }

    /// Every input of a composite has a place in the schema after the upgrade.
    #[test]
    fn inputs_of_another_form_are_converted() {
        let schedule = json!({ "expression": "rate(1 day)", "timezone": "UTC", "flexible_window": null,
            "retry_attempts": 3, "maximum_event_age": 3600, "command": null, "environment": null });
        let mut converted = 0;
        for definition in tandem_model::composites::ALL {
            let old = json!({ "name": "t", "schedule": schedule });
            let new = upgrade(definition, 0, old.clone()).expect("an upgrade");
            if new != old {
                let state = tfplugin::json::decode(&new, &state::schema(definition).ty());
                let state = state.expect("a state of this schema");
                assert_eq!(state.get("name").as_str(), Some("t"));
                converted += 1;
            }
        }
        assert_eq!(converted, 1, "only a task had a block `schedule`");
    }

    #[test]
    fn a_newer_version_is_refused() {
        assert_eq!(upgrade(queue(), VERSION + 1, old()), None);
    }

    #[test]
    fn a_renamed_key_is_renamed_everywhere() {
        let mut state = old();
        rename(&mut state, "sqs_queue.main", "sqs_queue.first");
        assert_eq!(state["components"]["sqs_queue.first"], old()["components"]["sqs_queue.main"]);
        assert_eq!(state["ids"]["sqs_queue.first"], old()["ids"]["sqs_queue.main"]);
        assert_eq!(state["record"]["sqs_queue.first"], old()["record"]["sqs_queue.main"]);
        assert_eq!(state["record"]["sqs_queue_policy.main"]["needs"], json!(["sqs_queue.first"]));
        assert!(!state["record"].to_string().contains("sqs_queue.main"), "{state}");
    }

    #[test]
    fn differences_survive_the_state() {
        let new = upgrade(queue(), 0, old()).expect("an upgrade");
        let mut stored = decode(&new);
        let key = tandem_model::graph::Key::from("sqs_queue.main");
        let differences = [
            Difference::Missing,
            Difference::Field { name: "name".to_owned(), values: tandem_engine::difference::Values::Hidden },
            Difference::OtherInstance { instance: "i".to_owned() },
            Difference::Unlabeled { found: None },
            Difference::Unfinished,
            Difference::OfAnotherApply,
        ];
        let reading = tandem_engine::read::Reading {
            gone: false,
            differences: differences.iter().map(|difference| (key.clone(), difference.clone())).collect(),
        };
        state::set_reading(&mut stored, &reading);
        assert_eq!(stored.get("drift").as_list().map(<[Value]>::len), Some(differences.len()));
        let record = state::record(&stored);
        assert_eq!(record.objects[&key].differences, differences);
        // After an apply there are none.
        state::set_record(&mut stored, &record.settled());
        assert_eq!(stored.get("record"), decode(&new).get("record"));
    }
}
