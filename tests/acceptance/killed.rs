//! Faults under the real Terraform, on an emulator. At each mutating call of an operation, or at some of
//! them, the provider or Terraform is killed or interrupted, or the call fails. The next apply ends with
//! exactly one of everything, and a destroy leaves nothing. The crash matrix tests all faults at all calls,
//! on AWS in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use crate::proxy::{Act, Phase};
use crate::stage::{On, Stage, is_full};
use tandem_crash::fault::Fault;
use tandem_crash::fixture::Fixture;
use tandem_crash::instruction::{Instruction, instruction};

/// The provider processes that a parent process started.
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

fn signal(process: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
}

struct Case {
    fixture: Fixture,
    scenario: Scenario,
    fault: Fault,
    number: usize,
}

/// The operation with the fault, and the operation after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// A create, then the same create.
    Create,
    /// A create, then one with fewer objects.
    CreateThenLess,
    /// An update that adds objects, then one that removes them.
    UpdateThenBack,
    /// A destroy, then the same destroy.
    Delete,
}

/// The end of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The operation has fewer calls.
    NotReached,
    /// The same command again was enough.
    Converged,
    /// A command from a message was needed.
    Instructed,
}

/// Number of calls that a service refuses in a row.
const REFUSALS: usize = 3;

/// The state that the hook of a case shares with the test.
#[derive(Default)]
struct Watched {
    armed: AtomicBool,
    fired: AtomicBool,
    /// The process of Terraform.
    terraform: Mutex<u32>,
    /// The first call that counts: the test itself makes calls before.
    first: AtomicUsize,
    /// The number of the call that met the fault.
    met: AtomicUsize,
    /// The number of processes that were killed.
    killed: AtomicUsize,
    /// The number of refusals left, and the name of the call.
    refusing: Mutex<(usize, String)>,
}

impl Watched {
    /// Chooses the action for a call.
    fn act(&self, fault: Fault, number: usize, at: Phase, call: usize, name: &str) -> Act {
        if !self.armed.load(Ordering::SeqCst) {
            return Act::Pass;
        }
        let _ = self.first.compare_exchange(0, call, Ordering::SeqCst, Ordering::SeqCst);
        {
            let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
            if at == Phase::Before && refusing.0 > 0 && refusing.1 == name {
                refusing.0 -= 1;
                return Act::Refuse(fault);
            }
        }
        let dead = self.killed.load(Ordering::SeqCst) > 0;
        let after = matches!(fault, Fault::KillAfter | Fault::AnswerLost);
        let phase = if after { Phase::After } else { Phase::Before };
        let reached = call + 1 >= self.first.load(Ordering::SeqCst) + number;
        if at != phase || !reached || self.fired.swap(true, Ordering::SeqCst) {
            // Calls that a killed provider sent before its last call are lost, too.
            return if at == Phase::Before && dead && fault == Fault::KillBefore {
                Act::Lose
            } else {
                Act::Pass
            };
        }
        self.met.store(call, Ordering::SeqCst);
        let parent = *self.terraform.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            Fault::KillBefore | Fault::KillAfter => {
                let providers = providers_of(parent);
                self.killed.fetch_add(providers.len(), Ordering::SeqCst);
                providers.into_iter().for_each(|process| signal(process, "KILL"));
                if after { Act::Pass } else { Act::Lose }
            }
            Fault::StateLost => {
                self.killed.fetch_add(1, Ordering::SeqCst);
                signal(parent, "KILL");
                Act::Pass
            }
            Fault::Stop => {
                signal(parent, "INT");
                Act::Pass
            }
            Fault::StopTwice => {
                signal(parent, "INT");
                // A process receives two simultaneous signals as one.
                std::thread::sleep(Duration::from_millis(300));
                signal(parent, "INT");
                Act::Pass
            }
            Fault::Delay => Act::Late(Duration::from_secs(3)),
            Fault::ResetBefore | Fault::AnswerLost => Act::Reset,
            fault => {
                let mut refusing = self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
                let times = if fault == Fault::Denied { 1 } else { REFUSALS };
                *refusing = (times - 1, name.to_owned());
                Act::Refuse(fault)
            }
        }
    }
}

/// Runs one case.
fn run(case: &Case) -> End {
    let watched = Arc::new(Watched::default());
    let hook = {
        let (watched, fault, number) = (watched.clone(), case.fault, case.number);
        move |at: Phase, call: usize, name: &str| watched.act(fault, number, at, call, name)
    };
    let (stage, proxy) = Stage::proxied(On::MiniStack, hook);
    let inputs = stage.prepare(&case.fixture);
    let less = less(&case.fixture, &inputs);
    let before = stage.aws.everything();
    match case.scenario {
        Scenario::UpdateThenBack => {
            stage.configure(&case.fixture, &less);
            stage.terraform.apply().expect_success();
        }
        Scenario::Delete => {
            stage.configure(&case.fixture, &inputs);
            stage.terraform.apply().expect_success();
        }
        Scenario::Create | Scenario::CreateThenLess => {}
    }
    stage.configure(&case.fixture, &inputs);
    let deletes = case.scenario == Scenario::Delete;
    let command = if deletes { "destroy" } else { "apply" };
    let child = {
        let mut held = watched.terraform.lock().unwrap_or_else(PoisonError::into_inner);
        let child = stage.terraform.spawn(&[command, "-auto-approve", "-no-color", "-input=false"]);
        *held = child.id();
        watched.armed.store(true, Ordering::SeqCst);
        child
    };
    let output = child.wait_with_output().expect("terraform");
    watched.armed.store(false, Ordering::SeqCst);
    let first = tandem_testkit::terraform::run(&output);
    if !watched.fired.load(Ordering::SeqCst) {
        first.expect_success();
        return End::NotReached;
    }
    let type_name = case.fixture.definition.type_name;
    let name = format!("{type_name}, {:?}, {:?} at call {}", case.scenario, case.fault, case.number);
    if matches!(case.fault, Fault::KillBefore | Fault::KillAfter) {
        let killed = watched.killed.load(Ordering::SeqCst);
        assert!(killed > 0 && !first.success, "{name}: no process was killed\n{}", first.text);
    }
    if matches!(case.scenario, Scenario::CreateThenLess | Scenario::UpdateThenBack) {
        stage.configure(&case.fixture, &less);
    }
    let again = || if deletes { stage.terraform.destroy() } else { stage.terraform.apply() };
    let mut said = vec![first.text.clone()];
    let (mut end, mut last) = (End::Converged, first);
    for round in 0.. {
        if round > 0 && last.success {
            break;
        }
        let calls = || proxy.mutating().join("\n  ");
        assert!(round < 5, "{name}:\n{}\ncalls:\n  {}", said.join("\n-- then --\n"), calls());
        if follow(&stage, &case.fixture, &last.text) {
            end = End::Instructed;
        }
        last = again();
        said.push(last.text.clone());
    }
    if !deletes {
        stage.terraform.expect_empty_plan();
        // Exactly the objects of an undisturbed create, each of them once.
        let made = normal(&stage, &before);
        assert_eq!(made, undisturbed(type_name, case.scenario), "{name}:\n{}", said.join("\n-- then --\n"));
        let destroyed = stage.terraform.destroy();
        assert!(destroyed.success, "{name}: {}", destroyed.text);
    }
    assert_eq!(stage.aws.everything(), before, "{name}");
    end
}

/// Runs the command that a message prints; returns `false` if it only asks for another apply.
fn follow(stage: &Stage, fixture: &Fixture, message: &str) -> bool {
    match instruction(message) {
        Some(Instruction::Forget) => {
            stage.terraform.run(&["state", "rm", &fixture.address()]).expect_success();
        }
        Some(Instruction::Untaint) => {
            stage.terraform.run(&["untaint", &fixture.address()]).expect_success();
        }
        Some(Instruction::Import(_)) => stage.follow_import(message),
        Some(Instruction::Again) | None => return false,
    }
    true
}

/// Inputs for fewer objects.
fn less(fixture: &Fixture, inputs: &Json) -> Json {
    let mut less = inputs.clone();
    for name in fixture.more() {
        less.as_object_mut().expect("inputs").remove(&name);
    }
    less
}

/// The objects that an undisturbed create makes.
fn undisturbed(type_name: &str, scenario: Scenario) -> Vec<String> {
    static MADE: Mutex<BTreeMap<(String, bool), Vec<String>>> = Mutex::new(BTreeMap::new());
    let of_less = matches!(scenario, Scenario::CreateThenLess | Scenario::UpdateThenBack);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = made.entry((type_name.to_owned(), of_less)).or_insert_with(|| {
        let fixture = Fixture::named(type_name);
        let stage = Stage::new(On::MiniStack);
        let inputs = stage.prepare(&fixture);
        let before = stage.aws.everything();
        stage.configure(&fixture, &if of_less { less(&fixture, &inputs) } else { inputs });
        stage.terraform.apply().expect_success();
        let after = normal(&stage, &before);
        stage.terraform.destroy().expect_success();
        after
    });
    entry.clone()
}

/// The objects of an account that are not in `before`. Removes the parts of their names that differ between
/// accounts: account ids, hashes of them, ports, and ids that AWS chooses.
fn normal(stage: &Stage, before: &BTreeSet<String>) -> Vec<String> {
    let now = stage.aws.everything();
    let items = now.difference(before).map(|item| {
        let words = item.split(['-', '_', '/', ' ', ':']).filter(|word| {
            let hexadecimal = word.len() >= 4 && word.chars().all(|c| c.is_ascii_hexdigit());
            !hexadecimal && word.parse::<u64>().is_err()
        });
        words.collect::<Vec<_>>().join(" ")
    });
    let mut items: Vec<String> = items.collect();
    items.sort();
    items
}

/// Runs cases at the first call and at each `every`th call after it; with `TANDEM_FULL=1` at each call.
fn killed_everywhere(type_name: &str, scenario: Scenario, fault: Fault, every: usize) {
    let every = if is_full() { 1 } else { every };
    let mut number = 1;
    while run(&Case { fixture: Fixture::named(type_name), scenario, fault, number }) != End::NotReached {
        number += every;
        assert!(number < 200, "the operation never ends");
    }
    assert!(number > 5, "only {number} calls were reached");
}

// Separate tests run in parallel.
#[test]
fn a_bucket_killed_before_each_call_converges() {
    killed_everywhere("bucket", Scenario::Create, Fault::KillBefore, 2);
}

#[test]
fn a_bucket_killed_after_each_call_converges() {
    killed_everywhere("bucket", Scenario::Create, Fault::KillAfter, 2);
}

#[test]
fn an_event_function_killed_before_each_call_converges() {
    killed_everywhere("event_function", Scenario::Create, Fault::KillBefore, 9);
}

#[test]
fn an_event_function_killed_after_each_call_converges() {
    killed_everywhere("event_function", Scenario::Create, Fault::KillAfter, 9);
}

#[test]
fn what_a_killed_create_made_and_is_not_wanted_any_more_goes() {
    killed_everywhere("event_function", Scenario::CreateThenLess, Fault::KillAfter, 9);
}

#[test]
fn what_a_killed_update_made_and_is_not_wanted_any_more_goes() {
    killed_everywhere("event_function", Scenario::UpdateThenBack, Fault::KillAfter, 6);
}

#[test]
fn a_container_task_killed_before_each_call_converges() {
    killed_everywhere("container_task", Scenario::Create, Fault::KillBefore, 8);
}

#[test]
fn a_container_task_killed_after_each_call_converges() {
    killed_everywhere("container_task", Scenario::Create, Fault::KillAfter, 8);
}

// The tests above cover the parts of a thumbnailer with more calls.
#[test]
fn a_thumbnailer_killed_before_some_calls_converges() {
    killed_everywhere("thumbnailer", Scenario::Create, Fault::KillBefore, 15);
}

#[test]
fn a_thumbnailer_killed_after_some_calls_converges() {
    killed_everywhere("thumbnailer", Scenario::Create, Fault::KillAfter, 15);
}

#[test]
fn a_thumbnailer_whose_delete_is_killed_before_some_calls_goes() {
    killed_everywhere("thumbnailer", Scenario::Delete, Fault::KillBefore, 15);
}

#[test]
fn a_thumbnailer_whose_delete_is_killed_after_some_calls_goes() {
    killed_everywhere("thumbnailer", Scenario::Delete, Fault::KillAfter, 15);
}

/// Runs one part of the seeded cases: each fault at a random call, in one scenario, or with `TANDEM_FULL=1` in each.
fn seeded(part: usize, parts: usize) {
    const FAULTS: [Fault; 11] = [
        Fault::KillBefore,
        Fault::KillAfter,
        Fault::StateLost,
        Fault::Stop,
        Fault::StopTwice,
        Fault::Delay,
        Fault::Throttled,
        Fault::ServerError,
        Fault::ResetBefore,
        Fault::AnswerLost,
        Fault::Denied,
    ];
    const SCENARIOS: [Scenario; 3] = [Scenario::Create, Scenario::UpdateThenBack, Scenario::Delete];
    let mut random = fastrand::Rng::with_seed(7);
    let cases = FAULTS.into_iter().flat_map(|fault| SCENARIOS.map(|scenario| (fault, scenario)));
    let cases: Vec<_> = cases
        .map(|(fault, scenario)| {
            let composites = ["event_function", "container_task", "thumbnailer"];
            let number = if scenario == Scenario::UpdateThenBack { 1..5 } else { 1..15 };
            (fault, scenario, composites[random.usize(..composites.len())], random.usize(number))
        })
        .collect();
    // The scenarios of a fault are next to each other.
    let first = |index: usize| index % SCENARIOS.len() == index / SCENARIOS.len() % SCENARIOS.len();
    let chosen =
        cases.into_iter().enumerate().filter(|(index, _)| is_full() || first(*index)).map(|(_, case)| case);
    for (fault, scenario, type_name, number) in chosen.skip(part).step_by(parts) {
        let end = run(&Case { fixture: Fixture::named(type_name), scenario, fault, number });
        assert_ne!(end, End::NotReached, "{type_name}, {scenario:?}, {fault:?} at call {number}");
    }
}

// Separate tests run in parallel.
#[test]
fn whatever_else_breaks_converges_1() {
    seeded(0, 3);
}

#[test]
fn whatever_else_breaks_converges_2() {
    seeded(1, 3);
}

#[test]
fn whatever_else_breaks_converges_3() {
    seeded(2, 3);
}
