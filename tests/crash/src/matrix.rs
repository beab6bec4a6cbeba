//! The matrix: every combination of composite, operation, mutating call and fault.
//!
//! After the fault, the next apply must end with exactly one of every object and an empty plan. A destroy
//! must leave nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::carrier::Process;
use crate::double::Item;
use crate::fault::Fault;
use crate::instruction::{Instruction, instruction};
use crate::report::Results;
use crate::scene::Scene;
use crate::terraform::End;

/// The disturbed operation, and the command that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A create, then the same apply again.
    Create,
    /// A create, then an apply with fewer objects.
    CreateThenLess,
    /// An update in place, then the same apply again.
    Update,
    /// An update that adds objects, then an apply that removes them again.
    UpdateThenBack,
    /// An update that replaces objects, then the same apply again.
    Replace,
    /// A destroy, then the same destroy again.
    Delete,
    /// The replacement of a resource that a failed create left tainted, then the same apply again.
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
    /// The disturbed operation.
    pub operation: Operation,
    /// The injected fault.
    pub fault: Fault,
    /// The mutating call that meets the fault: its name and its number, e.g. `iam:CreateRole role #1`.
    pub at: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}/{:?}/{}", self.composite, self.operation, self.fault, self.at)
    }
}

/// The outcome of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same command again was enough, or nothing more was needed.
    Converged,
    /// It was enough to follow the printed instructions.
    Instructed,
    /// The fault met no call: the run made fewer calls than the undisturbed run.
    NotFired,
    /// The run failed, for this reason.
    Failed(String),
}

/// The result of an operation without a fault: its objects and its calls.
#[derive(Clone)]
pub struct Undisturbed {
    /// The objects at the end.
    pub made: Vec<Item>,
    /// The calls of the operation itself, in order: mutating calls that AWS executed, and reads by service.
    pub calls: Vec<String>,
}

/// Runs an operation without a fault, once per program. `None` if the composite has no such operation.
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
            // The resulting state does not depend on the call: one call is enough.
            let once = matches!(fault, Fault::StateLost | Fault::StateGone);
            let fitting = fitting.take(if once { 1 } else { usize::MAX });
            cases.extend(fitting.map(|(_, call)| Case { composite, operation, fault, at: call.clone() }));
        }
    }
    cases
}

/// The maximum number of commands after the disturbed one.
const ROUNDS: usize = 4;

/// Runs a case.
pub async fn run(case: &Case, seed: u64) -> Verdict {
    let mut judged = judge(case, seed).await;
    // The number of some calls, e.g. of renewals of a lease, depends on latencies. The calls were counted
    // with seed 1, so the case is tried with it.
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
        return Err("the composite has no such operation".to_owned());
    };
    // The set-up uses the seed with which the calls were counted.
    let mut scene = Scene::new(case.composite, 1).await;
    scene.set_up(operation).await?;
    scene.world.reseed(seed);
    let process = Process::disturbed(&scene.world, case.fault, &case.at);
    let mut end = scene.operate(operation, &process).await;
    if !process.fired() {
        let done = end == End::Done;
        return if done {
            Ok(Verdict::NotFired)
        } else {
            Err(format!("the operation fails without a fault: {end:?}"))
        };
    }
    let first = end.clone();
    let mut instructed = false;
    let mut said = vec![format!("{end:?}")];
    // After a successful operation, one more apply follows if the last configuration is another one.
    let then = matches!(operation, Operation::CreateThenLess | Operation::UpdateThenBack);
    for round in 0..=ROUNDS {
        if end == End::Done && (round > 0 || !then) {
            break;
        }
        if round == ROUNDS {
            return Err(format!("no convergence after the fault: {}", said.join("\n-- then --\n")));
        }
        if let End::Failed(message) = &end {
            let followed = follow(&mut scene, message).await?;
            instructed |= followed;
            // Without a fault, a command may fail only with an instruction.
            if round > 0 && instruction(message).is_none() {
                return Err(format!(
                    "a later command fails without a fault: {}",
                    said.join("\n-- then --\n")
                ));
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
        return Err(context(format!("objects of another owner are missing: {}", list(&missing))));
    }
    Ok(if instructed { Verdict::Instructed } else { Verdict::Converged })
}

fn list(items: &[Item]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Follows the instructions of a message, and nothing else. Returns true if it contained one besides applying
/// again.
pub async fn follow(scene: &mut Scene, message: &str) -> Result<bool, String> {
    let printed = |wrong: String| format!("{wrong}\nprinted message:\n{message}");
    match instruction(message) {
        Some(Instruction::Forget) => scene.terraform.forget().map_err(printed)?,
        Some(Instruction::Untaint) => scene.terraform.untaint().map_err(printed)?,
        Some(Instruction::Import(id)) => {
            let process = Process::new(&scene.world);
            let end = scene.terraform.import(&process, &id).await;
            if end != End::Done {
                return Err(printed(format!("the printed import fails: {end:?}")));
            }
        }
        Some(Instruction::Again) | None => return Ok(false),
    }
    Ok(true)
}

/// Options of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// The seed of the latencies.
    pub seed: u64,
    /// The number of cases that run at a time.
    pub threads: usize,
    /// Stops at the first failure.
    pub fail_fast: bool,
    /// Prints each case as it ends.
    pub verbose: bool,
}

/// Runs the cases that have no result yet. Returns all outcomes in the order of the cases.
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

/// The seed of a case. It differs between cases, and is the same in every run.
fn seed_of(case: &Case, seed: u64) -> u64 {
    let digest = Sha256::digest(format!("{case} {seed}"));
    u64::from_le_bytes(digest[..8].try_into().expect("a slice of eight bytes"))
}

/// Runs work in virtual time: sleeping takes no real time.
pub fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}
