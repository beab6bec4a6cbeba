//! Ctrl-C: no new step is started, what was made is in the state, and the printed instruction
//! completes it.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::fixture::Fixture;
use crate::proxy::Phase;
use crate::stage::{On, Stage};

#[test]
fn an_interrupted_create_is_completed_after_untaint() {
    for fixture in Fixture::all() {
        let (terraform, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let hook = {
            let (terraform, done) = (terraform.clone(), done.clone());
            move |at: Phase, _: usize, _: &str| {
                let process = terraform.load(Ordering::SeqCst);
                // The first call makes the anchor: everything else still waits for it.
                if at == Phase::Before && process != 0 && !done.swap(true, Ordering::SeqCst) {
                    let _ = Command::new("kill").args(["-INT", &process.to_string()]).status();
                    // The call stays in flight while Terraform's Stop arrives.
                    std::thread::sleep(Duration::from_secs(2));
                }
                true
            }
        };
        let (stage, _proxy) = Stage::proxied(On::MiniStack, hook);
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        let child = stage.terraform.spawn(&["apply", "-auto-approve", "-no-color", "-input=false"]);
        terraform.store(child.id(), Ordering::SeqCst);
        let output = child.wait_with_output().expect("terraform");
        terraform.store(0, Ordering::SeqCst);
        assert!(done.load(Ordering::SeqCst), "it was never interrupted");
        let run = tandem_tests::terraform::run(&output);
        let run = run.expect_failure(&[
            "The apply was interrupted",
            "was asked to stop",
            "terraform untaint ADDRESS",
        ]);
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
