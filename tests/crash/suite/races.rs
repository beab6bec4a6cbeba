//! Races: two applies on the same composite, or on the same bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tandem_crash::carrier::{Process, World};
use tandem_crash::double::{ACCOUNT, Cloud};
use tandem_crash::fault::Fault;
use tandem_crash::instruction::codes;
use tandem_crash::matrix::follow;
use tandem_crash::scene::Scene;
use tandem_crash::terraform::{End, Terraform};
use tandem_model::code::Code;
use tandem_model::composite::Definition;

use crate::{call, counts, expect_good, in_virtual_time, made, seeds, types};

/// Applies until it succeeds, and follows only the printed instructions.
async fn settle(scene: &mut Scene, mut end: End, said: &str) {
    let inputs = scene.fixture.inputs(ACCOUNT);
    for _ in 0..4 {
        if end == End::Done {
            return;
        }
        if let End::Failed(message) = &end {
            follow(scene, message).await.unwrap_or_else(|wrong| panic!("{said}: {wrong}"));
        }
        end = scene.terraform.apply(&Process::new(&scene.world), &inputs).await;
    }
    assert_eq!(end, End::Done, "{said}");
}

#[test]
fn of_two_first_applies_one_wins_and_the_other_says_so() {
    for composite in types() {
        for seed in seeds() {
            in_virtual_time(async {
                let said = format!("{composite}, seed {seed}");
                let mut scene = Scene::new(composite, seed).await;
                let inputs = scene.fixture.inputs(ACCOUNT);
                let (mut one, mut other) = (scene.terraform.clone(), scene.terraform.beside());
                let (first, second) = (Process::new(&scene.world), Process::elsewhere(&scene.world));
                let ends = tokio::join!(one.apply(&first, &inputs), other.apply(&second, &inputs));
                let (winner, loser) = match &ends {
                    (End::Done, End::Failed(message)) => (one, (other, message)),
                    (End::Failed(message), End::Done) => (other, (one, message)),
                    both => panic!("{said}: {both:?}"),
                };
                let (mut loser, message) = loser;
                let told = [Code::BeingCreated, Code::CompleteElsewhere, Code::TakenOver];
                assert!(codes(message).iter().any(|code| told.contains(code)), "{said}: {message}");
                // The loser owns no objects, or its destroy fails and deletes none of the winner's objects.
                let end = loser.destroy(&Process::new(&scene.world)).await;
                assert!(end == End::Done || !loser.state().is_null(), "{said}: {end:?}");
                scene.terraform = winner;
                assert_eq!(counts(&scene.made()), counts(&made(composite).await), "{said}");
                expect_good(&mut scene, composite, &said).await;
            });
        }
    }
}

#[test]
fn of_two_that_resume_one_wins() {
    for composite in types() {
        for seed in seeds() {
            in_virtual_time(async {
                let said = format!("{composite}, seed {seed}");
                let mut scene = Scene::new(composite, seed).await;
                let inputs = scene.fixture.inputs(ACCOUNT);
                let killed = Process::disturbed(&scene.world, Fault::KillAfter, &call(composite, 5).await);
                assert_eq!(scene.terraform.apply(&killed, &inputs).await, End::Killed, "{said}");
                let (mut one, mut other) = (scene.terraform.clone(), scene.terraform.beside());
                let (first, second) = (Process::new(&scene.world), Process::elsewhere(&scene.world));
                let ends = tokio::join!(one.apply(&first, &inputs), other.apply(&second, &inputs));
                let (winner, end) = match &ends {
                    (End::Failed(_), End::Done) => (other, ends.1),
                    // Both may fail. The next apply completes the composite.
                    (End::Done | End::Failed(_), End::Failed(_)) => (one, ends.0),
                    both => panic!("{said}: {both:?}"),
                };
                scene.terraform = winner;
                settle(&mut scene, end, &said).await;
                expect_good(&mut scene, composite, &said).await;
            });
        }
    }
}

#[test]
fn a_live_apply_is_not_resumed() {
    for composite in types() {
        in_virtual_time(async {
            let mut scene = Scene::new(composite, 7).await;
            let inputs = scene.fixture.inputs(ACCOUNT);
            // One call takes longer than a lease lasts, but the apply is alive.
            let slow = Process::disturbed(&scene.world, Fault::Delay, &call(composite, 4).await);
            let mut other = scene.terraform.beside();
            let late = Process::elsewhere(&scene.world);
            let ends = tokio::join!(scene.terraform.apply(&slow, &inputs), async {
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
                other.apply(&late, &inputs).await
            });
            assert_eq!(ends.0, End::Done, "{composite}");
            let End::Failed(message) = ends.1 else { panic!("{composite}: {:?}", ends.1) };
            let told = [Code::BeingCreated, Code::CompleteElsewhere];
            assert!(codes(&message).iter().any(|code| told.contains(code)), "{composite}: {message}");
            assert!(other.state().is_null(), "{composite}: it owns nothing");
            expect_good(&mut scene, composite, composite).await;
        });
    }
}

#[test]
fn create_before_destroy_is_refused_and_touches_nothing() {
    for composite in types() {
        in_virtual_time(async {
            let mut scene = Scene::new(composite, 3).await;
            let inputs = scene.fixture.inputs(ACCOUNT);
            assert_eq!(scene.terraform.apply(&Process::new(&scene.world), &inputs).await, End::Done);
            let before = scene.made();
            // With `create_before_destroy`, Terraform creates the new resource without a state while the old
            // one exists.
            let mut new = scene.terraform.beside();
            let End::Failed(message) = new.apply(&Process::new(&scene.world), &inputs).await else {
                panic!("{composite} is created twice");
            };
            assert_eq!(codes(&message), [Code::CompleteElsewhere], "{message}");
            assert_eq!(scene.made(), before, "{composite}");
            expect_good(&mut scene, composite, composite).await;
        });
    }
}

/// A function with a trigger on a bucket that it does not own.
fn on_shared(name: &str, suffix: &str) -> Json {
    json!({
        "name": name,
        "code": { "bootstrap": "bootstrap" },
        "on": [{ "bucket": format!("shared-{ACCOUNT}"), "suffix": suffix }],
    })
}

fn function() -> Terraform {
    Terraform::new(Definition::find("event_function").expect("a composite"))
}

/// The number of notification entries, without the one that every scene has.
fn entries(world: &Arc<World>) -> usize {
    let all = world.cloud().everything();
    let ours = all.iter().filter(|item| item.kind == "notification" && !item.name.ends_with(":theirs"));
    ours.count()
}

#[test]
fn two_functions_on_one_bucket_both_stay() {
    for seed in seeds() {
        in_virtual_time(async {
            let scene = Scene::new("event_function", seed).await;
            let (mut one, mut other) = (function(), function());
            let (inputs, others) = (on_shared("one", ".a"), on_shared("two", ".b"));
            let (first, second) = (Process::new(&scene.world), Process::new(&scene.world));
            let ends = tokio::join!(one.apply(&first, &inputs), other.apply(&second, &others));
            assert_eq!(ends, (End::Done, End::Done), "seed {seed}");
            assert_eq!(entries(&scene.world), 2, "seed {seed}");
            for (terraform, inputs) in [(&mut one, &inputs), (&mut other, &others)] {
                let process = Process::new(&scene.world);
                assert_eq!(terraform.plan(&process, inputs).await, Ok(Vec::new()), "seed {seed}");
            }
            let (first, second) = (Process::new(&scene.world), Process::new(&scene.world));
            let ends = tokio::join!(one.destroy(&first), other.destroy(&second));
            assert_eq!(ends, (End::Done, End::Done), "seed {seed}");
            assert_eq!(counts(&scene.made()), BTreeMap::new(), "seed {seed}");
        });
    }
}

/// S3 has no conditional write of notifications: two machines that write to one bucket at the same time may
/// lose an entry. The plan shows it as drift, and the next applies repair it.
#[test]
fn what_two_machines_lose_is_found_and_mended() {
    let mut lost = 0;
    for seed in 1..40 {
        in_virtual_time(async {
            let scene = Scene::new("event_function", seed).await;
            let (mut one, mut other) = (function(), function());
            let (inputs, others) = (on_shared("one", ".a"), on_shared("two", ".b"));
            let (first, second) = (Process::new(&scene.world), Process::elsewhere(&scene.world));
            let ends = tokio::join!(one.apply(&first, &inputs), other.apply(&second, &others));
            assert_eq!(ends, (End::Done, End::Done), "seed {seed}");
            let missing = 2 - entries(&scene.world);
            lost += missing;
            let mut named = 0;
            for (terraform, inputs) in [(&mut one, &inputs), (&mut other, &others)] {
                let process = Process::new(&scene.world);
                let changes = terraform.plan(&process, inputs).await.expect("a plan");
                named += usize::from(changes.iter().any(|change| change.contains("s3_bucket_notification")));
                assert_eq!(terraform.apply(&process, inputs).await, End::Done, "seed {seed}");
            }
            assert_eq!(named, missing, "seed {seed}");
            assert_eq!(entries(&scene.world), 2, "seed {seed}");
        });
    }
    println!("{lost} entries were lost, and repaired");
}

const FOREIGN: &str = "<NotificationConfiguration><QueueConfiguration><Id>foreign</Id>\
    <Queue>arn:aws:sqs:eu-central-1:123456789012:jobs</Queue><Event>s3:ObjectRemoved:*</Event>\
    </QueueConfiguration></NotificationConfiguration>";

fn foreign_writes(cloud: &mut Cloud) {
    cloud.put_notifications(&format!("shared-{ACCOUNT}"), FOREIGN);
}

#[test]
fn an_entry_that_a_foreign_writer_loses_is_found_as_drift() {
    in_virtual_time(async {
        let scene = Scene::new("event_function", 5).await;
        let mut terraform = function();
        let inputs = on_shared("one", ".a");
        assert_eq!(terraform.apply(&Process::new(&scene.world), &inputs).await, End::Done);
        // The foreign writer read before our entry was written. Its write therefore removes our entry.
        foreign_writes(&mut scene.world.cloud());
        let process = Process::new(&scene.world);
        let changes = terraform.plan(&process, &inputs).await.expect("a plan");
        assert!(changes.iter().any(|change| change.contains("s3_bucket_notification")), "{changes:?}");
        assert_eq!(terraform.apply(&process, &inputs).await, End::Done);
        assert_eq!(entries(&scene.world), 2, "our entry is back, and the foreign one has stayed");
        assert_eq!(terraform.plan(&process, &inputs).await, Ok(Vec::new()));
    });
}

/// A limit of S3: a foreign write between our read and our write is lost.
#[test]
fn a_foreign_write_between_our_read_and_our_write_is_what_aws_cannot_keep() {
    in_virtual_time(async {
        let scene = Scene::new("event_function", 6).await;
        let mut terraform = function();
        let inputs = on_shared("one", ".a");
        assert_eq!(terraform.apply(&Process::new(&scene.world), &inputs).await, End::Done);
        let process = Process::new(&scene.world);
        process.before("s3:PutBucketNotificationConfiguration", foreign_writes);
        assert_eq!(terraform.destroy(&process).await, End::Done);
        assert_eq!(entries(&scene.world), 0, "our entry and the foreign one are removed");
    });
}
