//! Reads: each difference between the record and the cloud, and the apply that removes it.

use std::time::Duration;

use serde_json::json;
use tandem_engine::difference::{Difference, Values};
use tandem_engine::job::Job;
use tandem_engine::read::read;
use tandem_engine::record::Record;
use tandem_engine::testing::{Cloud, Fault};
use tandem_model::code::Code;
use tandem_model::graph::Key;
use tandem_model::ownership::{INSTANCE, KEY, STATUS};
use tokio::time::Instant;

use crate::shop::{
    ANCHOR, GROUP, POLICY, QUEUE, USUAL, Wanted, apply_to, change, codes, complete, job, settled,
};

const WANTED: Wanted = Wanted { team: Some("a"), ..USUAL };

fn remove(cloud: &Cloud, record: &Record, key: &str) {
    cloud.remove(record.objects[key].kind().expect("a kind"), &record.objects[key].id);
}

fn field(name: &str, values: Values) -> Difference {
    Difference::Field { name: name.to_owned(), values }
}

#[tokio::test(start_paused = true)]
async fn each_difference_is_found_and_the_next_apply_removes_it() {
    type Change = fn(&Cloud, &Record);
    let shown = |is, should| Values::Shown { is, should };
    let cases: Vec<(Change, &str, Difference)> = vec![
        (|it, record| remove(it, record, QUEUE), QUEUE, Difference::Missing),
        (|it, record| remove(it, record, GROUP), GROUP, Difference::Missing),
        (|it, record| remove(it, record, POLICY), POLICY, Difference::Missing),
        (
            |it, record| {
                change(it, record, QUEUE, |it| {
                    it.settings.insert("visibility_timeout_seconds".to_owned(), 5.into());
                });
            },
            QUEUE,
            field("visibility_timeout_seconds", shown(Some(json!(5)), Some(json!(30)))),
        ),
        (
            |it, record| change(it, record, ANCHOR, |it| drop(it.settings.remove("retention_in_days"))),
            ANCHOR,
            field("retention_in_days", shown(None, Some(json!(14)))),
        ),
        (
            // An optional field that is not wanted must not be set.
            |it, record| {
                change(it, record, QUEUE, |it| {
                    it.settings.insert("kms_master_key_id".to_owned(), "k".into());
                });
            },
            QUEUE,
            field("kms_master_key_id", shown(Some(json!("k")), None)),
        ),
        (
            |it, record| {
                change(it, record, POLICY, |it| drop(it.settings.insert("policy".to_owned(), json!({}))));
            },
            POLICY,
            field("policy", Values::Hidden),
        ),
        (
            |it, record| {
                change(it, record, QUEUE, |it| drop(it.tags.insert("team".to_owned(), "b".to_owned())));
            },
            QUEUE,
            field("tags", shown(Some(json!({ "team": "b" })), Some(json!({ "team": "a" })))),
        ),
        (
            |it, record| change(it, record, QUEUE, |it| drop(it.tags.remove(KEY))),
            QUEUE,
            Difference::Unlabeled { found: None },
        ),
        (
            |it, record| change(it, record, GROUP, |it| drop(it.tags.insert(KEY.to_owned(), "x".to_owned()))),
            GROUP,
            Difference::Unlabeled { found: Some("x".to_owned()) },
        ),
        (
            |it, record| {
                change(it, record, ANCHOR, |it| {
                    it.tags.insert(STATUS.to_owned(), "creating/1/host:2".to_owned());
                });
            },
            ANCHOR,
            Difference::Unfinished,
        ),
        (
            |it, record| {
                change(it, record, ANCHOR, |it| {
                    drop(it.tags.insert(STATUS.to_owned(), "complete/x".to_owned()));
                });
            },
            ANCHOR,
            Difference::OfAnotherApply,
        ),
    ];
    for (act, key, difference) in cases {
        let (cloud, record) = complete(WANTED, "i").await;
        act(&cloud, &record);
        let reading = read(&job(&cloud), &record).await.expect("a reading");
        assert_eq!(reading.differences, [(Key::from(key), difference.clone())]);
        assert!(!reading.gone);
        let outcome = apply_to(&cloud, &record, WANTED).await;
        assert_eq!(codes(&outcome.problems), [], "{difference:?}");
        let end = settled(&cloud, &outcome.record, WANTED).await;
        end.unwrap_or_else(|wrong| panic!("{difference:?}: {wrong}"));
    }
}

/// A difference counts if it lasts longer than reads may be old. Other objects of the composite are not read again.
#[tokio::test(start_paused = true)]
async fn a_difference_must_last_until_reads_have_settled() {
    const SETTLING: Duration = Duration::from_secs(60);
    for (restored_after, differences) in [(0, 0), (30, 0), (58, 0), (600, 1)] {
        let (cloud, record) = complete(WANTED, "i").await;
        cloud.settle(record.objects[QUEUE].kind().expect("a kind"), SETTLING);
        let seconds = |cloud: &Cloud, seconds: i64| {
            change(cloud, &record, QUEUE, |it| {
                it.settings.insert("visibility_timeout_seconds".to_owned(), seconds.into());
            });
        };
        seconds(&cloud, 5);
        cloud.start(None);
        let start = Instant::now();
        let restore = async {
            tokio::time::sleep(Duration::from_secs(restored_after)).await;
            seconds(&cloud, 30);
        };
        let job = job(&cloud);
        let reading = async { (read(&job, &record).await.expect("a reading"), start.elapsed()) };
        let ((reading, took), ()) = tokio::join!(reading, restore);
        assert_eq!(reading.differences.len(), differences, "restored after {restored_after} s");
        let most = Duration::from_secs(restored_after + 5).min(SETTLING + Duration::from_secs(5));
        assert!(took <= most, "restored after {restored_after} s: {took:?}");
        assert!(differences == 0 || took >= SETTLING, "{took:?}");
        let group = cloud
            .calls()
            .iter()
            .filter(|call| call.starts_with("read ") && !call.contains("sqs_queue "))
            .count();
        assert_eq!(group, record.objects.len() - 1, "{:?}", cloud.calls());
    }
}

/// Another state may own such an object: the next apply does not touch it.
#[tokio::test(start_paused = true)]
async fn an_object_of_another_instance_is_reported_and_not_touched() {
    let (cloud, record) = complete(WANTED, "i").await;
    change(&cloud, &record, QUEUE, |it| drop(it.tags.insert(INSTANCE.to_owned(), "j".to_owned())));
    let reading = read(&job(&cloud), &record).await.expect("a reading");
    let difference = Difference::OtherInstance { instance: "i".to_owned() };
    assert_eq!(reading.differences, [(Key::from(QUEUE), difference)]);
    let before = cloud.objects();
    let outcome = apply_to(&cloud, &record, WANTED).await;
    assert_eq!(codes(&outcome.problems), [Code::OtherOwner]);
    assert_eq!((cloud.objects(), outcome.record), (before, record));
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_composite_has_no_difference_and_a_removed_one_is_gone() {
    let (cloud, record) = complete(WANTED, "i").await;
    let reading = read(&job(&cloud), &record).await.expect("a reading");
    assert_eq!((reading.gone, reading.differences), (false, vec![]));
    record.objects.keys().for_each(|key| remove(&cloud, &record, key.as_str()));
    let reading = read(&job(&cloud), &record).await.expect("a reading");
    assert_eq!((reading.gone, reading.differences.len()), (true, record.objects.len()));
    // A temporary failure is retried, a permanent one is a problem: the object is not missing.
    for (fault, code) in [(Fault::Refuse, Code::Failed), (Fault::Deny, Code::Denied)] {
        cloud.fail("read sqs_queue ", fault, 1);
        let problems = read(&job(&cloud), &record).await.expect_err("a problem");
        assert_eq!(codes(&problems), [code]);
    }
    cloud.fail("read sqs_queue ", Fault::Busy, 3);
    assert!(read(&job(&cloud), &record).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn ignored_objects_and_fields_are_no_drift() {
    for (ignore, count) in [
        ("sqs_queue.main.visibility_timeout_seconds", 1),
        ("sqs_queue.main", 1),
        ("sqs_queue.main.*", 1),
        // The queue needs no policy, but no other object needs the policy.
        ("sqs_queue_policy.main", 1),
        ("sqs_queue*", 0),
        ("cloudwatch_log_group.main", 2),
    ] {
        let (cloud, record) = complete(WANTED, "i").await;
        change(&cloud, &record, QUEUE, |it| {
            it.settings.insert("visibility_timeout_seconds".to_owned(), 5.into());
        });
        remove(&cloud, &record, POLICY);
        let ignore = [ignore.to_owned()];
        let job = Job { ignore: &ignore, ..job(&cloud) };
        let reading = read(&job, &record).await.expect("a reading");
        assert_eq!(reading.differences.len(), count, "{ignore:?}: {:?}", reading.differences);
    }
}
