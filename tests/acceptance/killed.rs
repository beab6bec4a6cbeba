//! Under the real Terraform, on an emulator: provider or Terraform are killed or interrupted, and calls fail,
//! at each mutating call of an operation or at some. What comes next ends with exactly one of everything,
//! and a destroy leaves nothing. All faults at all calls are the crash matrix's, against AWS in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use crate::proxy::{Act, Phase};
use crate::stage::{On, Stage};
use tandem_crash::fault::Fault;
use tandem_crash::fixture::Fixture;

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

fn signal(process: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
}

struct Case {
    fixture: Fixture,
    scenario: Scenario,
    fault: Fault,
    number: usize,
}

/// What is disturbed, and what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// A create, and it again.
    Create,
    /// A create, and one of fewer objects.
    CreateThenLess,
    /// An update that adds objects, and then without them again.
    UpdateThenBack,
    /// A destroy, and it again.
    Delete,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is no such call.
    NotReached,
    /// The same command again was enough.
    Converged,
    /// What a message said was followed.
    Instructed,
}

/// How often a service refuses, where it does.
const REFUSALS: usize = 3;

/// What the hook of a case shares with the test.
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
    /// How many processes were killed.
    killed: AtomicUsize,
    /// How often a call of this name is still refused.
    refusing: Mutex<(usize, String)>,
}

impl Watched {
    /// What becomes of a call.
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
            // What a dead provider still has on the wire before its call arrives nowhere.
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
                // Two at once are one to a process.
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
    let first = tandem_tests::terraform::run(&output);
    if !watched.fired.load(Ordering::SeqCst) {
        first.expect_success();
        return End::NotReached;
    }
    let type_name = case.fixture.definition.type_name;
    let name = format!("{type_name}, {:?}, {:?} at call {}", case.scenario, case.fault, case.number);
    if matches!(case.fault, Fault::KillBefore | Fault::KillAfter) {
        let killed = watched.killed.load(Ordering::SeqCst);
        assert!(killed > 0 && !first.success, "{name}: nobody was killed\n{}", first.text);
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
        // Exactly what an undisturbed create makes, and nothing twice.
        let made = normal(&stage, &before);
        assert_eq!(made, undisturbed(type_name, case.scenario), "{name}:\n{}", said.join("\n-- then --\n"));
        let destroyed = stage.terraform.destroy();
        assert!(destroyed.success, "{name}: {}", destroyed.text);
    }
    assert_eq!(stage.aws.everything(), before, "{name}");
    end
}

/// Does what a message says, and nothing else; whether it said something to do beside applying again.
fn follow(stage: &Stage, fixture: &Fixture, message: &str) -> bool {
    if message.contains("terraform state rm ADDRESS") {
        stage.terraform.run(&["state", "rm", &fixture.address()]).expect_success();
        return true;
    }
    if message.contains("terraform untaint ADDRESS") {
        stage.terraform.run(&["untaint", &fixture.address()]).expect_success();
        return true;
    }
    if message.contains("import {") {
        stage.follow_import(message);
        return true;
    }
    false
}

/// Inputs under which there are fewer objects.
fn less(fixture: &Fixture, inputs: &Json) -> Json {
    let mut less = inputs.clone();
    for name in fixture.more() {
        less.as_object_mut().expect("inputs").remove(&name);
    }
    less
}

/// What a create that nobody disturbs makes.
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

/// What an account has beyond `before`, without what differs between accounts: their ids, hashes of
/// them, ports, and ids that AWS chooses.
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

/// Meets the first call, and each `every`th after it; with `TANDEM_FULL=1` each.
fn killed_everywhere(type_name: &str, scenario: Scenario, fault: Fault, every: usize) {
    let every = if std::env::var_os("TANDEM_FULL").is_some() { 1 } else { every };
    let mut number = 1;
    while run(&Case { fixture: Fixture::named(type_name), scenario, fault, number }) != End::NotReached {
        number += every;
        assert!(number < 200, "the operation never ends");
    }
    assert!(number > 5, "only {number} calls were reached");
}

// One test for each, so that they run beside each other.
#[test]
fn a_bucket_killed_before_each_call_converges() {
    killed_everywhere("bucket", Scenario::Create, Fault::KillBefore, 1);
}

#[test]
fn a_bucket_killed_after_each_call_converges() {
    killed_everywhere("bucket", Scenario::Create, Fault::KillAfter, 1);
}

#[test]
fn an_event_function_killed_before_each_call_converges() {
    killed_everywhere("event_function", Scenario::Create, Fault::KillBefore, 4);
}

#[test]
fn an_event_function_killed_after_each_call_converges() {
    killed_everywhere("event_function", Scenario::Create, Fault::KillAfter, 4);
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
    killed_everywhere("container_task", Scenario::Create, Fault::KillBefore, 4);
}

#[test]
fn a_container_task_killed_after_each_call_converges() {
    killed_everywhere("container_task", Scenario::Create, Fault::KillAfter, 4);
}

// What a thumbnailer is made of is killed at each call above.
#[test]
fn a_thumbnailer_killed_before_some_calls_converges() {
    killed_everywhere("thumbnailer", Scenario::Create, Fault::KillBefore, 9);
}

#[test]
fn a_thumbnailer_killed_after_some_calls_converges() {
    killed_everywhere("thumbnailer", Scenario::Create, Fault::KillAfter, 9);
}

#[test]
fn a_thumbnailer_whose_delete_is_killed_before_some_calls_goes() {
    killed_everywhere("thumbnailer", Scenario::Delete, Fault::KillBefore, 15);
}

#[test]
fn a_thumbnailer_whose_delete_is_killed_after_some_calls_goes() {
    killed_everywhere("thumbnailer", Scenario::Delete, Fault::KillAfter, 15);
}

/// Seeded cases, of every fault and scenario; one of so many parts.
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
    for (fault, scenario, type_name, number) in cases.into_iter().skip(part).step_by(parts) {
        let end = run(&Case { fixture: Fixture::named(type_name), scenario, fault, number });
        assert_ne!(end, End::NotReached, "{type_name}, {scenario:?}, {fault:?} at call {number}");
    }
}

// In parts, so that they run beside each other.
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
