//! Every composite, operation, mutating call and fault with each other: after the fault the next apply
//! ends with exactly one of everything and an empty plan, and a destroy leaves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::carrier::Process;
use crate::double::Item;
use crate::fault::Fault;
use crate::report::Results;
use crate::scene::Scene;
use crate::terraform::End;

/// What is disturbed, and what is applied after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A create, and it again.
    Create,
    /// A create, and one of fewer objects.
    CreateThenLess,
    /// An update that changes objects in place, and it again.
    Update,
    /// An update that adds objects, and then without them again.
    UpdateThenBack,
    /// An update that replaces objects, and it again.
    Replace,
    /// A destroy, and it again.
    Delete,
    /// The replacement of what a failed create left tainted, and it again.
    Tainted,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::CreateThenLess,
        Self::Update,
        Self::UpdateThenBack,
        Self::Replace,
        Self::Delete,
        Self::Tainted,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::CreateThenLess => "create, then less",
            Self::Update => "update",
            Self::UpdateThenBack => "update, then back",
            Self::Replace => "replacement of objects",
            Self::Delete => "delete",
            Self::Tainted => "tainted replacement",
        })
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The composite's type.
    pub composite: &'static str,
    /// What is disturbed.
    pub operation: Operation,
    /// With what.
    pub fault: Fault,
    /// At which mutating call, by its name and how often it was carried out: `iam:CreateRole role #1`.
    pub at: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}/{:?}/{}", self.composite, self.operation, self.fault, self.at)
    }
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same command again was enough, or nothing more was needed.
    Converged,
    /// What a message said to do was done, and was enough.
    Instructed,
    /// The fault met no call: there are fewer than in an undisturbed run.
    NotFired,
    /// What is wrong.
    Failed(String),
}

/// What an operation makes when nobody disturbs it, and its mutating calls.
#[derive(Clone)]
pub struct Undisturbed {
    /// What exists at the end.
    pub made: Vec<Item>,
    /// The calls of the operation itself: those that AWS carried out, and that something was read.
    pub calls: Vec<String>,
}

/// Runs an operation undisturbed; `None` where a composite has no such operation.
pub async fn undisturbed(composite: &'static str, operation: Operation) -> Option<Undisturbed> {
    type Known = BTreeMap<(&'static str, Operation), Option<Undisturbed>>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let known = |entry: Option<Option<Undisturbed>>| {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entry {
            known.insert((composite, operation), entry);
        }
        known.get(&(composite, operation)).cloned()
    };
    if let Some(found) = known(None) {
        return found;
    }
    let mut scene = Scene::new(composite, 1).await;
    if scene.inputs(operation).is_none() {
        return known(Some(None)).flatten();
    }
    if let Err(wrong) = scene.set_up(operation).await {
        panic!("{composite}, {operation}: {wrong}");
    }
    scene.world.reseed(1);
    let process = Process::new(&scene.world);
    let end = scene.operate(operation, &process).await;
    assert_eq!(end, End::Done, "{composite}, {operation}, undisturbed");
    let calls = process.calls();
    if matches!(operation, Operation::CreateThenLess | Operation::UpdateThenBack) {
        let end = scene.again(operation, &Process::new(&scene.world)).await;
        assert_eq!(end, End::Done, "{composite}, {operation}, undisturbed");
    }
    let made = scene.made();
    known(Some(Some(Undisturbed { made, calls }))).flatten()
}

/// Every case of a composite.
pub async fn cases(composite: &'static str) -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in Operation::ALL {
        let Some(run) = undisturbed(composite, operation).await else { continue };
        for fault in Fault::ALL {
            let calls = run.calls.iter().enumerate().filter(|(_, call)| !call.ends_with(":read"));
            let fitting = calls.filter(|(number, call)| fault.fits(call, &run.calls[number + 1..]));
            // What becomes of the state does not depend on the call.
            let once = matches!(fault, Fault::StateLost | Fault::StateGone);
            let fitting = fitting.take(if once { 1 } else { usize::MAX });
            cases.extend(fitting.map(|(_, call)| Case { composite, operation, fault, at: call.clone() }));
        }
    }
    cases
}

/// The most that a person is asked to do before everything is good.
const ROUNDS: usize = 4;

/// Runs a case.
pub async fn run(case: &Case, seed: u64) -> Verdict {
    let mut judged = judge(case, seed).await;
    // How often some calls are made, such as those of leases, follows from how long others take: it was counted
    // with this seed.
    if judged == Ok(Verdict::NotFired) {
        judged = judge(case, 1).await;
    }
    match judged {
        Ok(verdict) => verdict,
        Err(wrong) => Verdict::Failed(wrong),
    }
}

async fn judge(case: &Case, seed: u64) -> Result<Verdict, String> {
    let operation = case.operation;
    let Some(expected) = undisturbed(case.composite, operation).await else {
        return Err("there is no such operation".to_owned());
    };
    // What was there before is the same as where the calls were counted.
    let mut scene = Scene::new(case.composite, 1).await;
    scene.set_up(operation).await?;
    scene.world.reseed(seed);
    let process = Process::disturbed(&scene.world, case.fault, &case.at);
    let mut end = scene.operate(operation, &process).await;
    if !process.fired() {
        let done = end == End::Done;
        return if done { Ok(Verdict::NotFired) } else { Err(format!("it fails undisturbed: {end:?}")) };
    }
    let first = end.clone();
    let mut instructed = false;
    let mut said = vec![format!("{end:?}")];
    // An operation that ended well is still applied once more where another configuration follows.
    let then = matches!(operation, Operation::CreateThenLess | Operation::UpdateThenBack);
    for round in 0..=ROUNDS {
        if end == End::Done && (round > 0 || !then) {
            break;
        }
        if round == ROUNDS {
            return Err(format!("it does not converge: {}", said.join("\n-- then --\n")));
        }
        if let End::Failed(message) = &end {
            let followed = follow(&mut scene, message).await?;
            instructed |= followed;
            // Undisturbed, it fails only to say what to do.
            if round > 0 && !followed && !message.contains("pply again") {
                return Err(format!("it fails undisturbed: {}", said.join("\n-- then --\n")));
            }
            instructed |= round > 0;
        }
        end = scene.again(operation, &Process::new(&scene.world)).await;
        let now = format!("{end:?}");
        if said.last() != Some(&now) {
            said.push(now);
        }
    }
    let context = |wrong: String| format!("{wrong}\nfirst: {first:?}\nall: {}", said.join("\n-- then --\n"));
    let process = Process::new(&scene.world);
    if operation == Operation::Delete {
        if !scene.made().is_empty() {
            return Err(context(format!("left after the destroy: {}", list(&scene.made()))));
        }
    } else {
        let Some((_, last)) = scene.inputs(operation) else { return Ok(Verdict::NotFired) };
        let changes = scene.terraform.plan(&process, &last).await;
        let changes = changes.map_err(|end| context(format!("the plan fails: {end:?}")))?;
        if !changes.is_empty() {
            return Err(context(format!("the plan is not empty: {}", changes.join("; "))));
        }
        scene.compare(&expected.made).map_err(context)?;
        let destroyed = scene.terraform.destroy(&process).await;
        if destroyed != End::Done {
            return Err(context(format!("the destroy fails: {destroyed:?}")));
        }
        if !scene.made().is_empty() {
            return Err(context(format!("left after the destroy: {}", list(&scene.made()))));
        }
    }
    let missing = scene.before.iter().filter(|item| !scene.world.cloud().everything().contains(item));
    let missing: Vec<Item> = missing.cloned().collect();
    if !missing.is_empty() {
        return Err(context(format!("somebody else's are gone: {}", list(&missing))));
    }
    Ok(if instructed { Verdict::Instructed } else { Verdict::Converged })
}

fn list(items: &[Item]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Does what a message says, and nothing else; whether it said something to do beside applying again.
pub async fn follow(scene: &mut Scene, message: &str) -> Result<bool, String> {
    if message.contains("terraform state rm ADDRESS") {
        scene.terraform.forget().map_err(|wrong| format!("{wrong}, and this was printed:\n{message}"))?;
        return Ok(true);
    }
    if message.contains("terraform untaint ADDRESS") {
        scene.terraform.untaint().map_err(|wrong| format!("{wrong}, and this was printed:\n{message}"))?;
        return Ok(true);
    }
    if let Some((_, rest)) = message.split_once("id = \"") {
        let id = rest.split('"').next().unwrap_or_default().to_owned();
        let process = Process::new(&scene.world);
        let end = scene.terraform.import(&process, &id).await;
        if end != End::Done {
            return Err(format!("the import that was printed fails: {end:?}\nprinted:\n{message}"));
        }
        return Ok(true);
    }
    Ok(false)
}

/// How cases are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// What latencies follow from.
    pub seed: u64,
    /// How many run at a time.
    pub threads: usize,
    /// Whether the first failure ends it.
    pub fail_fast: bool,
    /// Whether each case is printed as it ends.
    pub verbose: bool,
}

/// Runs cases, those without a known result; outcomes come in the order of the cases.
pub fn run_all(cases: &[Case], how: &How, results: &Results) -> Vec<(Case, Verdict)> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let outcomes: Mutex<BTreeMap<usize, Verdict>> = Mutex::default();
    let work = || {
        while !(how.fail_fast && failed.load(Ordering::Relaxed)) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(number) else { break };
            let verdict = results.get(case).unwrap_or_else(|| {
                let verdict = in_virtual_time(run(case, seed_of(case, how.seed)));
                results.keep(case, &verdict);
                if how.verbose {
                    eprintln!("{case}: {verdict:?}");
                }
                verdict
            });
            if matches!(verdict, Verdict::Failed(_) | Verdict::NotFired) {
                failed.store(true, Ordering::Relaxed);
            }
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.insert(number, verdict);
            if outcomes.len().is_multiple_of(100) {
                eprintln!("{} of {} runs", outcomes.len(), cases.len());
            }
        }
    };
    std::thread::scope(|scope| {
        (0..how.threads.max(1)).for_each(|_| {
            scope.spawn(work);
        });
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.into_iter().map(|(number, verdict)| (cases[number].clone(), verdict)).collect()
}

/// The seed of a case: another one for each, the same one again for the same.
fn seed_of(case: &Case, seed: u64) -> u64 {
    let digest = Sha256::digest(format!("{case} {seed}"));
    u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
}

/// Runs work in virtual time: what waits, waits for nothing.
pub fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}
