//! Ctrl-C and `timeouts`: no new step starts, the state contains the created objects, and the printed command
//! completes the apply.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::proxy::Phase;
use crate::stage::{On, Stage, judged};
use tandem_crash::fixture::Fixture;
use tandem_model::context::Context;
use tandem_model::kinds;

/// A part of the provider's log line for a Stop.
const STOP: &str = "received a Stop request";

/// Composites with more than one object: a create of a single object cannot end halfway.
fn of_several_steps() -> Vec<Fixture> {
    let mut fixtures = judged(On::Moto);
    fixtures.retain(|fixture| {
        let seed = fixture.definition.expand_seed("it", &Context::default());
        seed.graph.expect("a graph").objects().len() > 1
    });
    fixtures
}

#[test]
fn an_interrupted_create_is_completed_after_untaint() {
    for fixture in of_several_steps() {
        let (terraform, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let logs = tempfile::tempdir().expect("a folder");
        let log = logs.path().join("provider.log");
        let hook = {
            let log = log.clone();
            let (terraform, done) = (terraform.clone(), done.clone());
            move |at: Phase, _: usize, _: &str| {
                let process = terraform.load(Ordering::SeqCst);
                // The first call creates the anchor: all other calls still wait for it.
                if at == Phase::Before && process != 0 && !done.swap(true, Ordering::SeqCst) {
                    let _ = Command::new("kill").args(["-INT", &process.to_string()]).status();
                    // The call stays in flight until Terraform's Stop has arrived.
                    let heard = || std::fs::read_to_string(&log).is_ok_and(|log| log.contains(STOP));
                    let start = Instant::now();
                    while !heard() && start.elapsed() < Duration::from_secs(20) {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                true
            }
        };
        let (mut stage, _proxy) = Stage::proxied(On::MiniStack, hook);
        stage.terraform.set("TF_LOG_PROVIDER", "DEBUG");
        stage.terraform.set("TF_LOG_PATH", &log.display().to_string());
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        let child = stage.terraform.spawn(&["apply", "-auto-approve", "-no-color", "-input=false"]);
        terraform.store(child.id(), Ordering::SeqCst);
        let output = child.wait_with_output().expect("terraform");
        terraform.store(0, Ordering::SeqCst);
        assert!(done.load(Ordering::SeqCst), "the apply was not interrupted");
        let run = tandem_testkit::terraform::run(&output);
        let run = run.expect_failure(&["[TDM110]", "was asked to stop", "[TDM113]"]);
        let made =
            stage.terraform.resource(&fixture.address())["record"].as_object().expect("a record").len();
        assert!(made > 0, "{}", run.text);

        stage.terraform.run(&["untaint", &fixture.address()]).expect_success();
        stage.terraform.apply().expect_success();
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before);
    }
}

#[test]
fn timeouts_end_an_operation_and_leave_its_work_in_the_state() {
    for fixture in of_several_steps() {
        let late = Arc::new(AtomicBool::new(true));
        let slow = late.clone();
        let (stage, _proxy) = Stage::proxied(On::MiniStack, move |at, _, _| {
            if at == Phase::After && slow.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(4500));
            }
            true
        });
        late.store(false, Ordering::SeqCst);
        let mut inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        late.store(true, Ordering::SeqCst);
        inputs["timeouts"] = json!({ "create": "4s", "delete": "4s" });
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_failure(&["[TDM110]", "ran out of time"]);
        late.store(false, Ordering::SeqCst);
        stage.terraform.run(&["untaint", &fixture.address()]).expect_success();
        stage.terraform.apply().expect_success();
        // A bucket is deleted with one call, and a call that was sent is waited for.
        let record = &stage.terraform.resource(&fixture.address())["record"];
        let record = record.as_object().expect("a record").values();
        let kinds = record.map(|entry| kinds::find(entry["kind"].as_str().expect("a kind")).expect("a kind"));
        if kinds.filter(|kind| kind.goes_with.is_none()).count() > 1 {
            late.store(true, Ordering::SeqCst);
            stage.terraform.destroy().expect_failure(&["[TDM111]"]);
            late.store(false, Ordering::SeqCst);
        }
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before);
    }
}
