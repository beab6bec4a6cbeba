//! Plans: replaced objects, values that are known only after apply, and the loss of data.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use tandem_engine::difference::{Difference, Values};
use tandem_engine::plan::{Planned, check_data, plan};
use tandem_engine::record::{Entry, Record};
use tandem_model::code::Code;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key};
use tandem_model::kinds::{apigatewayv2, dynamodb, sqs};

use crate::shop::{ANCHOR, CONTEXT, GROUP, POLICY, QUEUE, USUAL, Wanted, codes, complete, empty};

fn planned(wanted: Wanted, record: &Record) -> Planned {
    plan(&wanted.graph(), &CONTEXT, record, Json::clone)
}

/// The objects whose settings are known only after apply.
fn unknown(planned: &Planned) -> BTreeSet<&str> {
    planned.components.iter().filter(|(_, line)| line.is_none()).map(|(key, _)| key.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_the_recorded_inputs_changes_nothing() {
    let (_, record) = complete(USUAL, "i").await;
    let planned = planned(USUAL, &record);
    assert!(planned.replaced.is_empty() && unknown(&planned).is_empty());
    for (key, entry) in &record.objects {
        assert_eq!(planned.components[key].as_ref(), Some(&entry.line), "{key}");
        let plan = &planned.entries[key];
        assert!(plan.id && plan.digest && plan.attributes, "{key}");
        // The plan has the settings of an entry in `components`.
        assert_eq!(Entry { line: entry.line.clone(), ..plan.entry.clone() }, *entry, "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_immutable_field_replaces_its_object_and_its_children() {
    for (what, wanted, replaced, after_apply, lost) in [
        ("a field in place", Wanted { retention: 30, visibility: 60, ..USUAL }, &[][..], &[][..], &[][..]),
        ("one more object", Wanted { alarm: true, ..USUAL }, &[], &[], &[]),
        // The cloud assigns the id, and the policy refers to it.
        ("the group", Wanted { group: Some("all"), ..USUAL }, &[GROUP], &[POLICY], &[]),
        ("the queue", Wanted { fifo: true, ..USUAL }, &[QUEUE, POLICY], &[], &[Code::WouldLoseData]),
        (
            "the queue, with `force_destroy`",
            Wanted { fifo: true, force_destroy: true, ..USUAL },
            &[QUEUE, POLICY],
            &[],
            &[],
        ),
    ] {
        let (_, record) = complete(USUAL, "i").await;
        let planned = planned(wanted, &record);
        let found: Vec<&str> = planned.replaced.iter().map(Key::as_str).collect();
        assert_eq!(found, replaced, "{what}");
        assert_eq!(unknown(&planned), after_apply.iter().copied().collect(), "{what}");
        assert_eq!(codes(&check_data(&wanted.graph(), &planned.replaced)), lost, "{what}");
        assert_eq!(planned.entries[GROUP].id, !replaced.contains(&GROUP), "{what}");
        assert!(planned.entries[ANCHOR].entry.anchor, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_predictable_ids_are_known_before_a_create() {
    let planned = planned(USUAL, &empty("i"));
    assert_eq!(unknown(&planned), BTreeSet::from([POLICY]));
    let known: Vec<&str> =
        planned.entries.iter().filter(|(_, entry)| entry.id).map(|(key, _)| key.as_str()).collect();
    assert_eq!(known, [ANCHOR, QUEUE, POLICY]);
    assert_eq!(planned.ids[QUEUE].as_deref(), Some("arn:aws:sqs:eu-central-1:123456789012:shop-orders"));
    assert_eq!(planned.ids[GROUP], None);
}

/// Drift that only a replacement changes back makes the id unknown, too.
#[tokio::test(start_paused = true)]
async fn drift_of_an_assigned_object_makes_its_values_unknown() {
    let values = || Values::Hidden;
    for (what, difference, known) in [
        ("is missing", Difference::Missing, false),
        ("has another name", Difference::Field { name: "name".to_owned(), values: values() }, false),
        ("has another rule", Difference::Field { name: "ingress".to_owned(), values: values() }, true),
        ("has no key", Difference::Unlabeled { found: None }, true),
        ("has another instance", Difference::OtherInstance { instance: "i".to_owned() }, true),
    ] {
        let (_, mut record) = complete(USUAL, "i").await;
        record.objects.get_mut(GROUP).expect("a group").differences = vec![difference];
        let planned = planned(USUAL, &record);
        assert_eq!(planned.entries[GROUP].id, known, "the group {what}");
        assert_eq!(unknown(&planned).contains(POLICY), !known, "the group {what}");
    }
}

/// The child refers to an id that the cloud assigns, so no value of the child shows the change.
#[test]
fn a_child_of_a_replaced_object_is_replaced() {
    let graph = |name: &str| {
        let mut graph = Graph::default();
        let api =
            graph.add(&apigatewayv2::API, "main").set("name", name).set("protocol_type", "HTTP").handle();
        graph.add(&apigatewayv2::STAGE, "main").set("api_id", api.attribute("id")).set("name", "$default");
        graph.tags = Expr::map::<String, String>([]);
        graph
    };
    let before = plan(&graph("a"), &CONTEXT, &empty("i"), Json::clone);
    let mut record = empty("i");
    for (key, planned) in before.entries {
        let line = before.components[&key].clone().unwrap_or_default();
        record.objects.insert(key, Entry { line, ..planned.entry });
    }
    let keys = |name: &str| plan(&graph(name), &CONTEXT, &record, Json::clone).replaced;
    assert_eq!(keys("a"), BTreeSet::new());
    assert_eq!(
        keys("b"),
        BTreeSet::from(["apigatewayv2_api.main", "apigatewayv2_stage.main"].map(Key::from))
    );
}

/// The ARN of a stream changes with the view type of the stream.
#[test]
fn a_changed_field_renews_its_attribute() {
    let graph = |view: &str, mode: &str| {
        let mut graph = Graph::default();
        let table = graph.add(&dynamodb::TABLE, "main").set("name", "t").set("hash_key", "id");
        let table = table.set("stream_view_type", view).set("billing_mode", mode).handle();
        let queue = graph.add(&sqs::QUEUE, "main").set("name", "q");
        queue.set("kms_master_key_id", table.attribute("stream_arn"));
        graph.tags = Expr::map::<String, String>([]);
        graph
    };
    let (table, queue) = (Key::from("dynamodb_table.main"), Key::from(QUEUE));
    let drift = |field: &str| vec![Difference::Field { name: field.to_owned(), values: Values::Hidden }];
    for (what, view, mode, differences, known) in [
        ("nothing changes", "KEYS_ONLY", "PROVISIONED", vec![], true),
        ("another field changes", "KEYS_ONLY", "PAY_PER_REQUEST", vec![], true),
        ("the view type changes", "NEW_IMAGE", "PROVISIONED", vec![], false),
        ("the view type drifted", "KEYS_ONLY", "PROVISIONED", drift("stream_view_type"), false),
        ("another field drifted", "KEYS_ONLY", "PROVISIONED", drift("billing_mode"), true),
    ] {
        let before = plan(&graph("KEYS_ONLY", "PROVISIONED"), &CONTEXT, &empty("i"), Json::clone);
        let mut record = empty("i");
        for (key, planned) in before.entries {
            let line = before.components[&key].clone().unwrap_or_default();
            record.objects.insert(key, Entry { line, ..planned.entry });
        }
        let entry = record.objects.get_mut(&table).expect("a table");
        entry.attributes.insert("stream_arn".to_owned(), "stream-1".to_owned());
        entry.differences = differences;
        let planned = plan(&graph(view, mode), &CONTEXT, &record, Json::clone);
        assert!(planned.replaced.is_empty(), "{what}");
        assert_eq!(planned.components[&queue].is_some(), known, "{what}");
        assert_eq!(planned.entries[&table].attributes, known, "{what}");
    }
}
