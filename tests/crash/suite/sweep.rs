//! `sweep` finds orphaned objects of killed applies by their tags, and no other objects.

use std::collections::BTreeMap;
use std::time::Duration;

use tandem_crash::carrier::Process;
use tandem_crash::double::{ACCOUNT, REGION};
use tandem_crash::fault::Fault;
use tandem_crash::matrix::{Operation, undisturbed};
use tandem_crash::scene::Scene;
use tandem_crash::terraform::End;
use terraform_provider_tandem::sweep::{Arguments, Report, sweep};

use crate::{call, counts, expect_good, in_virtual_time, types};

/// Longer than a lease plus the difference between the clocks of two machines.
const LATER: Duration = Duration::from_secs(60 * 60);

async fn clean(scene: &Scene, states: &[&std::path::Path], remove: bool) -> Report {
    let arguments = Arguments {
        project: "test".to_owned(),
        region: Some(REGION.to_owned()),
        endpoint: Some(Process::new(&scene.world).endpoint()),
        states: states.iter().map(|path| path.to_path_buf()).collect(),
        remove,
        ..Arguments::default()
    };
    let process = Process::new(&scene.world);
    match sweep(process.outside(), &arguments, &()).await {
        Ok(report) => {
            assert!(report.found.problems.is_empty(), "{:?}", report.found.problems);
            report
        }
        Err(refusal) => panic!("{}", refusal.0),
    }
}

/// Numbers of calls after which a create is killed: all with `TANDEM_FULL=1`, otherwise every fifth.
fn calls(all: usize) -> impl Iterator<Item = usize> {
    (1..=all).step_by(if crate::full() { 1 } else { 5 })
}

#[test]
fn what_a_killed_create_left_is_removed_without_its_state() {
    for composite in types() {
        let of_create = in_virtual_time(undisturbed(composite, Operation::Create)).expect("a create");
        let all = of_create.calls.iter().filter(|call| !call.ends_with(":read")).count();
        for at in calls(all) {
            in_virtual_time(async {
                let said = format!("{composite}, killed after call {at}");
                let mut scene = Scene::new(composite, at as u64).await;
                let inputs = scene.fixture.inputs(ACCOUNT);
                let killed = Process::disturbed(&scene.world, Fault::KillAfter, &call(composite, at).await);
                assert_eq!(scene.terraform.apply(&killed, &inputs).await, End::Killed, "{said}");
                let left = scene.made();
                // The lease has not expired, so the apply may still be running.
                if at < all {
                    clean(&scene, &[], true).await;
                    assert_eq!(scene.made(), left, "{said}: the apply may still be running");
                }
                tokio::time::sleep(LATER).await;
                let listed = clean(&scene, &[], false).await;
                assert_eq!(scene.made(), left, "{said}: without `remove`, sweep only lists");
                assert_eq!(listed.found.objects().next().is_some(), !left.is_empty(), "{said}");
                let report = clean(&scene, &[], true).await;
                // Objects that hold data are not deleted.
                let stays =
                    |kind: &str| kind == "repository" || kind == "image" || kind == "lifecycle policy";
                let left: Vec<_> = scene.made().into_iter().filter(|item| !stays(item.kind)).collect();
                let held = scene.made().len() > left.len();
                if !held {
                    let why: Vec<_> =
                        report.found.composites.iter().flat_map(|composite| &composite.problems).collect();
                    assert_eq!(counts(&left), BTreeMap::new(), "{said}\n{}\n{why:?}", report.text("sweep"));
                }
                let beside = counts(&scene.before);
                let now = counts(&scene.world.cloud().everything());
                for item in beside.keys() {
                    assert!(now.contains_key(item), "{said}: {item} of another owner was deleted");
                }
            });
        }
    }
}

#[test]
fn what_a_given_state_has_stays() {
    for composite in types() {
        in_virtual_time(async {
            let mut scene = Scene::new(composite, 1).await;
            let inputs = scene.fixture.inputs(ACCOUNT);
            assert_eq!(scene.terraform.apply(&Process::new(&scene.world), &inputs).await, End::Done);
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("terraform.tfstate");
            std::fs::write(&path, scene.terraform.state_file()).expect("a file");
            let before = scene.made();
            let report = clean(&scene, &[&path], true).await;
            assert!(report.found.objects().next().is_none(), "{composite}: {}", report.text("sweep"));
            assert_eq!(scene.made(), before, "{composite}");
            expect_good(&mut scene, composite, composite).await;
        });
    }
}
