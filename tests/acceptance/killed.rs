//! The provider is killed at each mutating call of a create, before and after the answer: the next
//! apply ends with exactly one of everything, and a destroy leaves nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::fixture::Fixture;
use crate::proxy::{Phase, Proxy};
use crate::stage::{On, Stage};

/// Providers that a process started, by their parent.
fn providers_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).ok()?;
        // `pid (name) state ppid …`; the name may hold spaces and is cut to 15 characters.
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let of: u32 = rest.split_whitespace().nth(1)?.parse().ok()?;
        (of == parent && name.starts_with("terraform-prov")).then_some(id)
    });
    processes.collect()
}

fn kill(process: u32) {
    let _ = Command::new("kill").args(["-9", &process.to_string()]).status();
}

struct Case {
    fixture: Fixture,
    phase: Phase,
    number: usize,
}

/// Runs one case; whether the call to kill at was reached.
fn run(case: &Case) -> bool {
    let armed = Arc::new(AtomicBool::new(false));
    let fired = Arc::new(AtomicBool::new(false));
    let terraform = Arc::new(Mutex::new(0_u32));
    let first = Arc::new(AtomicUsize::new(0));
    let (phase, number) = (case.phase, case.number);
    let hook = {
        let (armed, fired, terraform, first) =
            (armed.clone(), fired.clone(), terraform.clone(), first.clone());
        move |at: Phase, call: usize, _: &str| {
            if !armed.load(Ordering::SeqCst) {
                return true;
            }
            // Calls that the test made before the apply do not count.
            let _ = first.compare_exchange(0, call, Ordering::SeqCst, Ordering::SeqCst);
            let reached = call + 1 >= first.load(Ordering::SeqCst) + number;
            if at == phase && reached && !fired.swap(true, Ordering::SeqCst) {
                let parent = *terraform.lock().unwrap_or_else(PoisonError::into_inner);
                providers_of(parent).into_iter().for_each(kill);
            }
            // What a dead provider still has on the wire before its call arrives nowhere.
            !(at == Phase::Before && phase == Phase::Before && fired.load(Ordering::SeqCst))
        }
    };
    let proxy = Proxy::start(On::MiniStack.endpoint(), hook);
    let stage = Stage::at(&proxy.endpoint);
    let inputs = stage.prepare(&case.fixture);
    let before = stage.aws.everything();
    stage.configure(&case.fixture, &inputs);
    let child = {
        let mut held = terraform.lock().unwrap_or_else(PoisonError::into_inner);
        let child = stage.terraform.spawn(&["apply", "-auto-approve", "-no-color", "-input=false"]);
        *held = child.id();
        armed.store(true, Ordering::SeqCst);
        child
    };
    let output = child.wait_with_output().expect("terraform");
    armed.store(false, Ordering::SeqCst);
    let first = tandem_tests::terraform::run(&output);
    if !fired.load(Ordering::SeqCst) {
        first.expect_success();
        return false;
    }
    let name = format!("{} killed {:?} call {}", case.fixture.definition.type_name, case.phase, case.number);
    let mut second = stage.terraform.apply();
    if second.text.contains("exists already") {
        // It was killed when all was made and said so: the message has the import to follow.
        second.clone().expect_text(&["import {"]);
        let id = inputs["name"].as_str().expect("a name");
        stage.terraform.run(&["import", "-no-color", &case.fixture.address(), id]).expect_success();
        second = stage.terraform.apply();
    }
    let calls = proxy.mutating().join("\n  ");
    assert!(second.success, "{name}:\n{}\nthen:\n{}\ncalls:\n  {calls}", first.text, second.text);
    stage.terraform.expect_empty_plan();
    let owned = stage.terraform.resource(&case.fixture.address())["ids"].as_object().expect("ids").len();
    assert!(owned > 1, "{name}");
    let twice: BTreeSet<String> = stage.aws.everything();
    assert_eq!(twice.len(), stage.aws.everything().len());
    let destroyed = stage.terraform.destroy();
    assert!(destroyed.success, "{name}: {}", destroyed.text);
    assert_eq!(stage.aws.everything(), before, "{name}");
    true
}

fn killed_everywhere(type_name: &str, phase: Phase) {
    let mut number = 0;
    loop {
        number += 1;
        if !run(&Case { fixture: Fixture::named(type_name), phase, number }) {
            break;
        }
        assert!(number < 200, "the create never ends");
    }
    assert!(number > 5, "only {number} calls were reached");
}

// One test for each, so that they run beside each other.
#[test]
fn a_bucket_killed_before_each_call_converges() {
    killed_everywhere("bucket", Phase::Before);
}

#[test]
fn a_bucket_killed_after_each_call_converges() {
    killed_everywhere("bucket", Phase::After);
}

#[test]
fn an_event_function_killed_before_each_call_converges() {
    killed_everywhere("event_function", Phase::Before);
}

#[test]
fn an_event_function_killed_after_each_call_converges() {
    killed_everywhere("event_function", Phase::After);
}
