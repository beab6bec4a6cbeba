//! A create that finds existing objects: of other owners, of a complete composite, and of an apply that did
//! not end.

use std::time::{Duration, UNIX_EPOCH};

use tandem_engine::apply::apply;
use tandem_engine::driver::{Observed, Tags};
use tandem_engine::job::Job;
use tandem_engine::testing::{Cloud, Fault, START, clock};
use tandem_model::code::Code;
use tandem_model::expr::Expr;
use tandem_model::graph::Graph;
use tandem_model::kinds::{logs, s3};
use tandem_model::ownership::{INSTANCE, OWNER, STATUS};
use tokio::time::Instant;

use crate::shop::{
    ANCHOR, GROUP, ID, POLICY, QUEUE, USUAL, Wanted, apply_killed, apply_to, changes, cloud, codes, complete,
    empty, errors, job, object, seed, settled, tag,
};

/// The objects that an apply of the instance `old` created before it was killed, with a lease that lasts
/// until `until`.
async fn remains(until: u64) -> Cloud {
    let cloud = cloud();
    cloud.fail("create sqs_queue ", Fault::KillAfter, 1);
    apply_killed(&cloud, &empty("old"), USUAL).await;
    tag(&cloud, STATUS, &format!("creating/{until}/host:2"));
    cloud
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_owner_is_not_touched() {
    for (what, tags) in [
        ("another owner", &[(OWNER, "shop/eu-central-1/queue/other"), (INSTANCE, "i")][..]),
        ("another project", &[(OWNER, "shop-2/eu-central-1/queue/orders"), (INSTANCE, "i")]),
        ("no tags", &[]),
        ("tags of the user only", &[("team", "a")]),
    ] {
        for taken in [ANCHOR, QUEUE, GROUP] {
            let (before, record) = complete(USUAL, "i").await;
            let found = object(&before, &record, taken).expect("an object");
            let kind = record.objects[taken].kind().expect("a kind");
            let tags = tags.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect();
            let stranger = Observed { tags, ..found };
            let cloud = cloud();
            cloud.put(kind, stranger.clone());

            let outcome = apply_to(&cloud, &empty("i"), USUAL).await;
            let case = format!("{taken} has {what}");
            assert_eq!(errors(&outcome.problems), [Code::NameTaken], "{case}");
            assert!(!outcome.record.objects.contains_key(taken), "{case}: it is recorded");
            let objects = cloud.objects();
            let now = objects.iter().find(|(name, id, _)| *name == kind.name && *id == stranger.id);
            assert_eq!(now.map(|(.., now)| now), Some(&stranger), "{case}: it was changed");
            if taken == ANCHOR {
                assert_eq!(objects.len(), 1, "{case}: objects were created");
            }
        }
    }
}

/// A create call can lose the tags of an object whose name has a hash.
#[tokio::test(start_paused = true)]
async fn an_object_without_tags_is_claimed_only_if_it_is_empty_and_its_name_has_a_hash() {
    const NAME: &str = "shop-orders-2f9a";
    let mut graph = Graph::default();
    graph.add(&s3::BUCKET, "main").set("bucket", NAME);
    graph.tags = Expr::map::<String, String>([]);
    for (what, content, tag, code) in [
        ("nothing", None, None, None),
        ("content", Some("1 object"), None, Some(Code::NameTaken)),
        ("a tag", None, Some("team"), Some(Code::NameTaken)),
    ] {
        let cloud = cloud();
        let settings = [("bucket".to_owned(), NAME.into())].into();
        let tags: Tags = tag.into_iter().map(|tag: &str| (tag.to_owned(), String::new())).collect();
        cloud.put(&s3::BUCKET, Observed { id: NAME.to_owned(), settings, tags, ..Observed::default() });
        if let Some(content) = content {
            cloud.fill(NAME, content);
        }
        let outcome = apply(&job(&cloud), empty("i"), &graph, &graph).await;
        assert_eq!(errors(&outcome.problems), Vec::from_iter(code), "the bucket has {what}");
        assert_eq!(outcome.record.objects.len(), usize::from(code.is_none()), "the bucket has {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_complete_composite_is_taken_only_if_the_job_adopts_and_all_is_as_wanted() {
    for (what, adopt, wanted, code) in [
        ("without `adopt`", false, USUAL, Code::CompleteElsewhere),
        ("as it exists", true, USUAL, Code::Adopted),
        ("with another setting", true, Wanted { visibility: 60, ..USUAL }, Code::CompleteElsewhere),
        ("with one more object", true, Wanted { alarm: true, ..USUAL }, Code::CompleteElsewhere),
    ] {
        let (cloud, _) = complete(USUAL, "old").await;
        let before = cloud.objects();
        let job = Job { adopt, ..job(&cloud) };
        let outcome = apply(&job, empty("new"), &wanted.graph(), &seed()).await;
        assert_eq!(codes(&outcome.problems), [code], "{what}");
        if code == Code::Adopted {
            settled(&cloud, &outcome.record, wanted).await.expect(what);
        } else {
            assert_eq!(cloud.objects(), before, "{what}: objects were changed");
            assert!(outcome.record.objects.is_empty(), "{what}: objects are recorded");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_may_be_held_is_waited_for() {
    for (what, until, waits) in [
        ("live", START + 20, true),
        // The clock of the holder may be behind by half an hour.
        ("over for ten minutes", START - 600, true),
        ("over for an hour", START - 3600, false),
    ] {
        let cloud = remains(until).await;
        let start = Instant::now();
        let outcome = apply_to(&cloud, &empty("new"), USUAL).await;
        assert_eq!(codes(&outcome.problems), [Code::Resumed], "a lease that is {what}");
        let waited = start.elapsed() >= Duration::from_secs(30);
        assert_eq!(waited, waits, "a lease that is {what}: {:?}", start.elapsed());
        settled(&cloud, &outcome.record, USUAL).await.expect(what);
    }
}

/// The other apply acts while this one waits for its lease.
#[tokio::test(start_paused = true)]
async fn another_apply_that_is_at_work_keeps_the_composite() {
    type Act = fn(&Cloud);
    for (what, act, code) in [
        ("renews its lease", (|it| tag(it, STATUS, "creating/1800000045/host:2")) as Act, Code::BeingCreated),
        ("completes", |it| tag(it, STATUS, "complete/x"), Code::CompleteElsewhere),
        ("is a destroy", |it| it.remove(&logs::LOG_GROUP, ID), Code::BeingDeleted),
    ] {
        let cloud = remains(START + 20).await;
        let meanwhile = async {
            tokio::time::sleep(Duration::from_secs(15)).await;
            act(&cloud);
        };
        let record = empty("new");
        let (outcome, ()) = tokio::join!(apply_to(&cloud, &record, USUAL), meanwhile);
        assert_eq!(codes(&outcome.problems), [code], "the other apply {what}");
        assert!(outcome.record.objects.is_empty(), "the other apply {what}");
        let objects = cloud.objects();
        let taken = objects.iter().filter(|(.., it)| it.tags.get(INSTANCE).is_some_and(|it| it == "new"));
        assert_eq!(taken.count(), 0, "the other apply {what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_apply_that_ends_while_it_waits_takes_nothing() {
    let cloud = remains(START + 20).await;
    let before = cloud.objects();
    let job = Job { deadline: Instant::now() + Duration::from_secs(5), ..job(&cloud) };
    let outcome = apply(&job, empty("new"), &USUAL.graph(), &seed()).await;
    assert_eq!(codes(&outcome.problems), [Code::AtWork]);
    assert!(outcome.record.objects.is_empty());
    assert_eq!(cloud.objects(), before);
}

/// Two applies find the same expired lease. The last one that writes its instance continues.
#[tokio::test(start_paused = true)]
async fn of_two_applies_that_resume_at_once_one_continues() {
    for later in [0, 50, 500, 1500] {
        let cloud = remains(0).await;
        cloud.set_latency(Duration::from_millis(20));
        let (one, two) = (empty("one"), empty("two"));
        let second = async {
            tokio::time::sleep(Duration::from_millis(later)).await;
            apply_to(&cloud, &two, USUAL).await
        };
        let (first, second) = tokio::join!(apply_to(&cloud, &one, USUAL), second);
        cloud.set_latency(Duration::ZERO);
        let found = (codes(&first.problems), codes(&second.problems));
        let good = [&first, &second].into_iter().filter(|it| errors(&it.problems).is_empty());
        let [winner] = good.collect::<Vec<_>>()[..] else { panic!("{later} ms later: {found:?}") };
        let end = settled(&cloud, &winner.record, USUAL).await;
        end.unwrap_or_else(|wrong| panic!("{later} ms later: {wrong}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_apply_that_lost_its_composite_stops() {
    let cloud = cloud();
    cloud.set_latency(Duration::from_secs(12));
    let record = empty("one");
    let takes = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        tag(&cloud, INSTANCE, "two");
    };
    let (outcome, ()) = tokio::join!(apply_to(&cloud, &record, USUAL), takes);
    assert!(errors(&outcome.problems).contains(&Code::TakenOver), "{:?}", outcome.problems);
    let anchor = object(&cloud, &outcome.record, ANCHOR).expect("an anchor");
    assert_eq!(anchor.tags[INSTANCE], "two");
    assert!(anchor.tags[STATUS].starts_with("creating"), "{:?}", anchor.tags);
}

#[tokio::test(start_paused = true)]
async fn a_running_apply_renews_its_lease() {
    let cloud = cloud();
    // The engine retries it for 30 seconds.
    cloud.fail("create sqs_queue ", Fault::Busy, usize::MAX);
    let record = empty("one");
    let mut leases = Vec::new();
    let look = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(9)).await;
            let objects = cloud.objects();
            let anchor = objects.iter().find(|(kind, ..)| *kind == logs::LOG_GROUP.name).expect("an anchor");
            leases.push(anchor.2.tags[STATUS].clone());
        }
    };
    let (outcome, ()) = tokio::join!(apply_to(&cloud, &record, USUAL), look);
    assert_eq!(codes(&outcome.problems), [Code::Lasting, Code::Incomplete]);
    assert!(leases.windows(2).all(|pair| pair[0] < pair[1]), "{leases:?}");
}

/// Without an anchor there was no complete composite. Its other objects are claimed, also after the answer of
/// the call that creates the anchor was lost.
#[tokio::test(start_paused = true)]
async fn objects_without_an_anchor_are_claimed() {
    for fault in [None, Some(Fault::Busy), Some(Fault::BusyAfter)] {
        let cloud = remains(0).await;
        cloud.remove(&logs::LOG_GROUP, ID);
        if let Some(fault) = fault {
            cloud.fail("create cloudwatch_log_group ", fault, 1);
        }
        let outcome = apply_to(&cloud, &empty("new"), USUAL).await;
        assert_eq!(codes(&outcome.problems), [Code::Resumed], "{fault:?}");
        let end = settled(&cloud, &outcome.record, USUAL).await;
        end.unwrap_or_else(|wrong| panic!("{fault:?}: {wrong}"));
    }
}

/// The policy of a queue has no tags to show its owner.
#[tokio::test(start_paused = true)]
async fn a_child_without_tags_is_taken_with_its_parent() {
    let (cloud, record) = complete(USUAL, "old").await;
    for (key, entry) in record.objects.iter().filter(|(key, _)| ![POLICY, QUEUE].contains(&key.as_str())) {
        cloud.remove(entry.kind().unwrap_or_else(|| panic!("{key}")), &entry.id);
    }
    let wanted = Wanted { group: None, ..USUAL };
    let outcome = apply_to(&cloud, &empty("new"), wanted).await;
    assert_eq!(codes(&outcome.problems), [Code::Resumed]);
    assert!(
        changes(&cloud).contains(&format!("update policy sqs_queue_policy {ID}")),
        "{:?}",
        changes(&cloud)
    );
    settled(&cloud, &outcome.record, wanted).await.expect("the objects");
}

#[tokio::test(start_paused = true)]
async fn the_clock_follows_virtual_time() {
    let _cloud = cloud();
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert_eq!(clock().duration_since(UNIX_EPOCH).expect("a time").as_secs(), START + 90);
}
