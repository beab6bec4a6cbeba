//! Deletes: refusals before anything is deleted, the order, and interruptions.

use std::time::Duration;

use tandem_engine::delete::delete;
use tandem_engine::job::Job;
use tandem_engine::record::Record;
use tandem_engine::testing::{Cloud, Fault};
use tandem_model::code::Code;
use tandem_model::ownership::{INSTANCE, OWNER};
use tokio::time::Instant;

use crate::shop::{ANCHOR, GROUP, ID, POLICY, QUEUE, USUAL, change, changes, codes, complete, job};

#[tokio::test(start_paused = true)]
async fn a_refused_delete_deletes_nothing() {
    type Prepare = Box<dyn Fn(&Cloud, &mut Record)>;
    let of_another = |cloud: &Cloud, record: &Record, key: &str| {
        change(cloud, record, key, |it| drop(it.tags.insert(INSTANCE.to_owned(), "j".to_owned())));
    };
    for (what, prepare, code) in [
        (
            "with messages",
            Box::new(|it: &Cloud, _: &mut Record| it.fill(ID, "1 message")) as Prepare,
            Code::NotEmpty,
        ),
        (
            "of which one object has another instance",
            Box::new(move |it, record| of_another(it, record, QUEUE)),
            Code::OtherOwner,
        ),
        (
            "of another instance",
            Box::new(move |it, record| {
                [ANCHOR, QUEUE, GROUP].iter().for_each(|key| of_another(it, record, key));
            }),
            Code::OtherInstance,
        ),
        (
            "of another owner",
            Box::new(move |it, record| {
                for key in [ANCHOR, QUEUE, GROUP] {
                    of_another(it, record, key);
                    change(it, record, key, |it| drop(it.tags.insert(OWNER.to_owned(), "x".to_owned())));
                }
            }),
            Code::OtherOwner,
        ),
        ("that cannot be read", Box::new(|it, _| it.fail("read sqs_queue ", Fault::Deny, 1)), Code::Denied),
        (
            "whose content cannot be read",
            Box::new(|it, _| it.fail("content ", Fault::Refuse, 1)),
            Code::Failed,
        ),
        (
            "of another region",
            Box::new(|_, record| {
                record.objects.values_mut().for_each(|it| it.region = "eu-west-1".to_owned());
            }),
            Code::OtherPlace,
        ),
        (
            "of a later version",
            Box::new(|_, record| record.objects.get_mut(QUEUE).expect("a queue").kind = "later".to_owned()),
            Code::UnknownKind,
        ),
    ] {
        let (cloud, mut record) = complete(USUAL, "i").await;
        prepare(&cloud, &mut record);
        let before = cloud.objects();
        let outcome = delete(&job(&cloud), record.clone(), false).await;
        assert_eq!(codes(&outcome.problems), [code], "a composite {what}");
        assert_eq!(outcome.record, record, "a composite {what}");
        assert_eq!((cloud.objects(), changes(&cloud)), (before, vec![]), "a composite {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn objects_are_deleted_before_those_that_they_need_and_the_anchor_last() {
    for content in [false, true] {
        let (cloud, record) = complete(USUAL, "i").await;
        if content {
            cloud.fill(ID, "1 message");
        }
        let outcome = delete(&job(&cloud), record.clone(), content).await;
        assert_eq!(codes(&outcome.problems), []);
        assert!(outcome.record.objects.is_empty() && cloud.objects().is_empty());
        let deletes: Vec<String> =
            changes(&cloud).into_iter().filter(|call| call.starts_with("delete ")).collect();
        let place = |key: &str| {
            let entry = &record.objects[key];
            let call = format!("delete {} {}", entry.kind, entry.id);
            deletes.iter().position(|it| *it == call).unwrap_or_else(|| panic!("no {call} in {deletes:?}"))
        };
        // The policy goes with the queue, which takes its place in the order.
        assert!(!deletes.iter().any(|call| call.contains(&record.objects[POLICY].kind)), "{deletes:?}");
        assert!(place(QUEUE) < place(GROUP), "{deletes:?}");
        assert_eq!(place(ANCHOR), deletes.len() - 1, "{deletes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn missing_objects_are_no_obstacle() {
    let (cloud, record) = complete(USUAL, "i").await;
    for key in [QUEUE, POLICY] {
        cloud.remove(record.objects[key].kind().expect("a kind"), &record.objects[key].id);
    }
    let outcome = delete(&job(&cloud), record, false).await;
    assert_eq!(codes(&outcome.problems), []);
    assert!(outcome.record.objects.is_empty() && cloud.objects().is_empty());
}

/// A failed delete holds back the objects that the object needs. The record has every object that is left.
#[tokio::test(start_paused = true)]
async fn after_a_failed_or_interrupted_delete_the_rest_is_recorded_and_deleted_by_the_next() {
    for (what, fault, seconds, code) in [
        ("refused", Some(Fault::Refuse), 3600, Code::Failed),
        ("denied", Some(Fault::Deny), 3600, Code::Denied),
        ("busy for too long", Some(Fault::Busy), 3600, Code::Lasting),
        ("interrupted", None, 5, Code::DeleteInterrupted),
    ] {
        let (cloud, record) = complete(USUAL, "i").await;
        match fault {
            Some(fault) => cloud.fail("delete security_group", fault, usize::MAX),
            None => cloud.set_latency(Duration::from_secs(2)),
        }
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let outcome = delete(&Job { deadline, ..job(&cloud) }, record.clone(), false).await;
        assert_eq!(codes(&outcome.problems), [code], "{what}");
        let mut recorded: Vec<_> =
            outcome.record.objects.values().map(|it| (it.kind.clone(), it.id.clone())).collect();
        recorded.sort();
        let left: Vec<_> = cloud.objects().into_iter().map(|(kind, id, _)| (kind.to_owned(), id)).collect();
        assert_eq!(recorded, left, "{what}");
        assert!(outcome.record.objects.contains_key(ANCHOR), "{what}: the anchor was deleted early");
        if fault.is_some() {
            assert!(!outcome.record.objects.contains_key(QUEUE), "{what}: the queue does not need the group");
            assert!(outcome.record.objects.contains_key(GROUP), "{what}");
        }
        cloud.start(None);
        cloud.repair();
        let outcome = delete(&job(&cloud), outcome.record, false).await;
        assert_eq!(codes(&outcome.problems), [], "{what}");
        assert!(cloud.objects().is_empty(), "{what}");
    }
}
