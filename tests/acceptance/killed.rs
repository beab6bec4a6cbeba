//! The provider is killed at each mutating call of a create, before and after the answer: the next
//! apply ends with exactly one of everything, and a destroy leaves nothing. Likewise when the
//! configuration wants less by then, and when it was an update that was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use crate::fixture::Fixture;
use crate::proxy::Phase;
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
    scenario: Scenario,
    phase: Phase,
    number: usize,
}

/// What is killed, and what is applied after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// A create, and it again.
    Create,
    /// A create, and one of fewer objects.
    CreateThenLess,
    /// An update that adds objects, and then without them again.
    UpdateThenBack,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is no such call.
    NotReached,
    /// The next apply completed it.
    Converged,
    /// Everything was made and said to be: the next apply printed the import, which was followed.
    Imported,
}

/// Runs one case.
fn run(case: &Case) -> End {
    let armed = Arc::new(AtomicBool::new(false));
    let fired = Arc::new(AtomicBool::new(false));
    let terraform = Arc::new(Mutex::new(0_u32));
    let first = Arc::new(AtomicUsize::new(0));
    let killed_count = Arc::new(AtomicUsize::new(0));
    let (phase, number) = (case.phase, case.number);
    let hook = {
        let (armed, fired, terraform, first) =
            (armed.clone(), fired.clone(), terraform.clone(), first.clone());
        let killed = killed_count.clone();
        move |at: Phase, call: usize, _: &str| {
            if !armed.load(Ordering::SeqCst) {
                return true;
            }
            // Calls that the test made before the apply do not count.
            let _ = first.compare_exchange(0, call, Ordering::SeqCst, Ordering::SeqCst);
            let reached = call + 1 >= first.load(Ordering::SeqCst) + number;
            if at == phase && reached && !fired.swap(true, Ordering::SeqCst) {
                let parent = *terraform.lock().unwrap_or_else(PoisonError::into_inner);
                let providers = providers_of(parent);
                killed.fetch_add(providers.len(), Ordering::SeqCst);
                providers.into_iter().for_each(kill);
            }
            // What a dead provider still has on the wire before its call arrives nowhere.
            !(at == Phase::Before && phase == Phase::Before && fired.load(Ordering::SeqCst))
        }
    };
    let (stage, proxy) = Stage::proxied(On::MiniStack, hook);
    let inputs = stage.prepare(&case.fixture);
    let less = less(&case.fixture, &inputs);
    let before = stage.aws.everything();
    if case.scenario == Scenario::UpdateThenBack {
        stage.configure(&case.fixture, &less);
        stage.terraform.apply().expect_success();
    }
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
        return End::NotReached;
    }
    let type_name = case.fixture.definition.type_name;
    let name = format!("{type_name}, {:?}, killed {:?} call {}", case.scenario, case.phase, case.number);
    assert!(
        killed_count.load(Ordering::SeqCst) > 0 && !first.success,
        "{name}: nobody was killed\n{}",
        first.text
    );
    let mut end = End::Converged;
    if case.scenario != Scenario::Create {
        stage.configure(&case.fixture, &less);
    }
    let mut second = stage.terraform.apply();
    if second.text.contains("exists already") {
        // It was killed when all was made and said so: the message has the import to follow.
        stage.follow_import(&second.text);
        second = stage.terraform.apply();
        end = End::Imported;
    }
    let calls = proxy.mutating().join("\n  ");
    assert!(second.success, "{name}:\n{}\nthen:\n{}\ncalls:\n  {calls}", first.text, second.text);
    stage.terraform.expect_empty_plan();
    // Exactly what an undisturbed create makes, and nothing twice.
    let made = normal(&stage, &before);
    assert_eq!(made, undisturbed(type_name, case.scenario != Scenario::Create), "{name}");
    let destroyed = stage.terraform.destroy();
    assert!(destroyed.success, "{name}: {}", destroyed.text);
    assert_eq!(stage.aws.everything(), before, "{name}");
    end
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
fn undisturbed(type_name: &str, of_less: bool) -> Vec<String> {
    static MADE: Mutex<BTreeMap<(String, bool), Vec<String>>> = Mutex::new(BTreeMap::new());
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

/// Kills at the first call, and at each `every`th after it.
fn killed_everywhere(type_name: &str, scenario: Scenario, phase: Phase, every: usize) {
    let (mut number, mut imported) = (1, 0);
    loop {
        let end = run(&Case { fixture: Fixture::named(type_name), scenario, phase, number });
        if end == End::NotReached {
            break;
        }
        // Only a create that had said that it is complete needs an import.
        assert_eq!(imported, 0, "call {number} came after the last");
        imported += usize::from(end == End::Imported);
        number += every;
        assert!(number < 200, "the create never ends");
    }
    assert!(number > 5, "only {number} calls were reached");
}

// One test for each, so that they run beside each other.
#[test]
fn a_bucket_killed_before_each_call_converges() {
    killed_everywhere("bucket", Scenario::Create, Phase::Before, 1);
}

#[test]
fn a_bucket_killed_after_each_call_converges() {
    killed_everywhere("bucket", Scenario::Create, Phase::After, 1);
}

#[test]
fn an_event_function_killed_before_each_call_converges() {
    killed_everywhere("event_function", Scenario::Create, Phase::Before, 1);
}

#[test]
fn an_event_function_killed_after_each_call_converges() {
    killed_everywhere("event_function", Scenario::Create, Phase::After, 1);
}

#[test]
fn what_a_killed_create_made_and_is_not_wanted_any_more_goes() {
    killed_everywhere("event_function", Scenario::CreateThenLess, Phase::After, 3);
}

#[test]
fn what_a_killed_update_made_and_is_not_wanted_any_more_goes() {
    killed_everywhere("event_function", Scenario::UpdateThenBack, Phase::After, 2);
}

#[test]
fn a_container_task_killed_before_each_call_converges() {
    killed_everywhere("container_task", Scenario::Create, Phase::Before, 1);
}

#[test]
fn a_container_task_killed_after_each_call_converges() {
    killed_everywhere("container_task", Scenario::Create, Phase::After, 1);
}

// What a thumbnailer is made of is killed at each call above.
#[test]
fn a_thumbnailer_killed_before_some_calls_converges() {
    killed_everywhere("thumbnailer", Scenario::Create, Phase::Before, 6);
}

#[test]
fn a_thumbnailer_killed_after_some_calls_converges() {
    killed_everywhere("thumbnailer", Scenario::Create, Phase::After, 6);
}
