//! Imports, by the name of the composite alone, and the search for the objects of an apply that did not end.

use std::collections::BTreeSet;

use tandem_engine::driver::{Observed, Tags};
use tandem_engine::import::import;
use tandem_engine::ownership;
use tandem_engine::record::Record;
use tandem_engine::testing::{Cloud, Fault};
use tandem_model::code::Code;
use tandem_model::graph::Key;
use tandem_model::kind::Kind;
use tandem_model::kinds::{cloudwatch, iam, lambda, sqs};
use tandem_model::ownership::{KEY, OWNER, Owner, STATUS};

use crate::shop::{
    ANCHOR, GROUP, ID, POLICY, QUEUE, USUAL, Wanted, apply_killed, apply_to, change, changes, codes,
    complete, empty, errors, job, owner, seed, settled, tag,
};

fn keys(record: &Record) -> BTreeSet<&str> {
    record.objects.keys().map(Key::as_str).collect()
}

fn remove_all(cloud: &Cloud, record: &Record) {
    record.objects.values().for_each(|entry| cloud.remove(entry.kind().expect("a kind"), &entry.id));
}

#[tokio::test(start_paused = true)]
async fn only_a_complete_composite_of_this_owner_is_imported() {
    type Prepare = fn(&Cloud, &Record);
    for (what, prepare, code) in [
        ("missing", remove_all as Prepare, Code::NotFound),
        ("without tags", |it, record| change(it, record, ANCHOR, |it| it.tags.clear()), Code::NotOurs),
        ("of another owner", |it, _| tag(it, OWNER, "shop/eu-central-1/queue/other"), Code::NotOurs),
        ("incomplete", |it, _| tag(it, STATUS, "creating/1/host:2"), Code::ImportIncomplete),
        ("not readable", |it, _| it.fail("read cloudwatch_log_group", Fault::Deny, 1), Code::Denied),
        ("not listable", |it, _| it.fail("list sqs_queue", Fault::Refuse, 1), Code::Failed),
        ("without children", |it, _| it.fail("children sqs_queue_policy", Fault::Refuse, 1), Code::Failed),
    ] {
        let (cloud, record) = complete(USUAL, "i").await;
        prepare(&cloud, &record);
        let found = import(&job(&cloud), &seed()).await;
        assert_eq!(found.map(|_| ()).map_err(|it| it.code), Err(code), "a composite that is {what}");
        assert_eq!(changes(&cloud), [""; 0], "a composite that is {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_gives_the_record_of_the_create() {
    for wanted in [USUAL, Wanted { alarm: true, team: Some("a"), ..USUAL }, Wanted { fifo: true, ..USUAL }] {
        let (cloud, record) = complete(wanted, "i").await;
        let found = import(&job(&cloud), &seed()).await.expect("an import");
        let facts = |record: &Record| -> Vec<_> {
            let entries = record.objects.iter();
            entries.map(|(key, it)| (key.clone(), it.id.clone(), it.anchor, it.digest.clone())).collect()
        };
        assert_eq!(found.record.instance, "i", "{wanted:?}");
        assert_eq!(facts(&found.record), facts(&record), "{wanted:?}");
        assert_eq!(found.settings.len(), record.objects.len(), "{wanted:?}");
        let outcome = apply_to(&cloud, &found.record, wanted).await;
        assert_eq!((codes(&outcome.problems), changes(&cloud)), (vec![], vec![]), "{wanted:?}");
        let end = settled(&cloud, &outcome.record, wanted).await;
        end.unwrap_or_else(|wrong| panic!("{wanted:?}: {wrong}"));
    }
}

#[tokio::test(start_paused = true)]
async fn objects_of_others_stay_outside() {
    let (cloud, record) = complete(USUAL, "i").await;
    let put = |kind: &'static Kind, id: &str, whose: &str, instance: &str, slot: &str| {
        let whose = Owner::parse(whose).expect("an owner");
        let tags = ownership::tags(&whose, instance, &Key::new(kind, slot));
        cloud.put(kind, Observed { id: id.to_owned(), tags, ..Observed::default() });
    };
    put(&sqs::QUEUE, "shop-orders-2", "shop/eu-central-1/queue/orders-2", "j", "main");
    put(&sqs::QUEUE, "shop-orders-of-another-state", &owner().to_string(), "j", "old");
    put(&cloudwatch::METRIC_ALARM, "shop-orders--age", "shop/eu-central-1/queue/other", "j", "age");
    // A queue of the same owner and instance, under a name that inputs gave.
    put(&sqs::QUEUE, "shop-orders--old", &owner().to_string(), "i", "old");
    let found = import(&job(&cloud), &seed()).await.expect("an import").record;
    let mut expected = keys(&record);
    expected.insert("sqs_queue.old");
    assert_eq!(keys(&found), expected);
    assert_eq!(found.objects["sqs_queue.old"].id, "shop-orders--old");
}

#[tokio::test(start_paused = true)]
async fn children_are_found_and_those_of_others_stay() {
    const MAPPING: &str = "lambda_event_source_mapping.on_orders";
    let (cloud, record) = complete(USUAL, "i").await;
    let put = |kind: &'static Kind, id: &str, fields: &[(&str, &str)], tags: Tags| {
        let settings = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        cloud.put(kind, Observed { id: id.to_owned(), settings, tags, ..Observed::default() });
    };
    let mut graph = seed();
    graph.add(&lambda::FUNCTION, "main").set("function_name", ID);
    graph.add(&iam::ROLE, "main").set("name", ID);
    let tags = |key: &str, whose: &str, instance: &str| {
        ownership::tags(&Owner::parse(whose).expect("an owner"), instance, &Key::from(key))
    };
    let us = owner().to_string();
    put(&lambda::FUNCTION, ID, &[("function_name", ID)], tags("lambda_function.main", &us, "i"));
    put(&iam::ROLE, ID, &[("name", ID)], tags("iam_role.main", &us, "i"));
    let queue = "arn:aws:sqs:eu-central-1:123456789012:shop-orders";
    let source = [("function_name", ID), ("event_source_arn", queue)];
    put(&lambda::EVENT_SOURCE_MAPPING, "ours", &source, tags(MAPPING, &us, "i"));
    let other = "shop/eu-central-1/queue/other";
    put(&lambda::EVENT_SOURCE_MAPPING, "other", &source, tags(MAPPING, other, "j"));
    put(&lambda::EVENT_SOURCE_MAPPING, "untagged", &source, Tags::new());
    // Objects that a user added have no key of ours.
    put(&lambda::PERMISSION, "by-hand", &[("function_name", ID), ("statement_id", "by hand")], Tags::new());
    put(&iam::ROLE_POLICY, "by-hand", &[("role", ID), ("name", "by hand")], Tags::new());
    put(&sqs::QUEUE_POLICY, "elsewhere", &[("queue", "elsewhere")], Tags::new());

    let found = import(&job(&cloud), &graph).await.expect("an import").record;
    let mut expected = keys(&record);
    expected.extend(["iam_role.main", "lambda_function.main", MAPPING]);
    assert_eq!(keys(&found), expected);
    assert_eq!(found.objects[MAPPING].id, "ours");
    assert!(found.objects[POLICY].needs.contains(&Key::from(QUEUE)), "{:?}", found.objects[POLICY].needs);
}

/// An older version set no key, and a user can change it.
#[tokio::test(start_paused = true)]
async fn an_object_at_a_name_of_the_seed_needs_no_key() {
    for key in [None, Some("sqs_queue.gone"), Some("of a user")] {
        let (cloud, record) = complete(USUAL, "i").await;
        for tagged in [ANCHOR, QUEUE, GROUP] {
            change(&cloud, &record, tagged, |found| {
                found.tags.remove(KEY);
                found.tags.extend(key.map(|key| (KEY.to_owned(), key.to_owned())));
            });
        }
        let found = import(&job(&cloud), &seed()).await.expect("an import").record;
        assert_eq!(keys(&found), keys(&record), "{key:?}");
        // The next apply sets the keys, and changes nothing else.
        let outcome = apply_to(&cloud, &found, USUAL).await;
        assert_eq!(codes(&outcome.problems), [], "{key:?}");
        let calls = changes(&cloud);
        assert!(calls.len() == 3 && calls.iter().all(|call| call.starts_with("tag ")), "{key:?}: {calls:?}");
        let end = settled(&cloud, &outcome.record, USUAL).await;
        end.unwrap_or_else(|wrong| panic!("{key:?}: {wrong}"));
    }
}

/// An apply with other inputs created an object under the key of a wanted one, but with another id. Its state was
/// not saved, and the inputs were changed back: the next apply deletes the object and its children.
#[tokio::test(start_paused = true)]
async fn objects_that_other_inputs_named_are_deleted() {
    let other = Wanted { alarm: true, fifo: true, force_destroy: true, ..USUAL };
    for (killed, recorded) in [(false, true), (true, true), (true, false)] {
        let case = format!("the apply was killed: {killed}, an earlier state exists: {recorded}");
        let (cloud, record) =
            if recorded { complete(USUAL, "i").await } else { (crate::shop::cloud(), empty("i")) };
        if killed {
            cloud.fail("create sqs_queue_policy ", Fault::KillAfter, 1);
            apply_killed(&cloud, &record, other).await;
        } else {
            assert_eq!(codes(&apply_to(&cloud, &record, other).await.problems), [], "{case}");
        }
        let next = if recorded { record } else { empty("j") };
        let outcome = apply_to(&cloud, &next, USUAL).await;
        assert_eq!(errors(&outcome.problems), [], "{case}");
        let end = settled(&cloud, &outcome.record, USUAL).await;
        end.unwrap_or_else(|wrong| panic!("{case}: {wrong}"));
    }
}

/// Such an object is not deleted with its content.
#[tokio::test(start_paused = true)]
async fn content_of_objects_that_other_inputs_named_is_not_lost() {
    let (cloud, record) = complete(USUAL, "i").await;
    let other = Wanted { alarm: true, fifo: true, force_destroy: true, ..USUAL };
    assert_eq!(codes(&apply_to(&cloud, &record, other).await.problems), []);
    cloud.fill("shop-orders.fifo", "1 message");
    let outcome = apply_to(&cloud, &record, USUAL).await;
    assert_eq!(errors(&outcome.problems), [Code::NotEmpty]);
    assert!(cloud.objects().iter().any(|(_, id, _)| id == "shop-orders.fifo"));
    assert!(
        outcome.record.objects.values().any(|entry| entry.id == "shop-orders.fifo"),
        "it is not recorded"
    );
}
