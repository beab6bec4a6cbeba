//! Every operation with each fault at each call. `traces.rs` has the kills of steps that run one after the
//! other.

use std::time::Duration;

use tandem_engine::apply::apply;
use tandem_engine::delete::delete;
use tandem_engine::job::{Job, Outcome};
use tandem_engine::record::Record;
use tandem_engine::testing::{Cloud, Fault};
use tandem_model::code::Code;

use crate::shop::{
    USUAL, Wanted, apply_killed, apply_to, cloud, codes, complete, empty, errors, job, seed, settled,
};

/// An operation with its preparation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Create,
    Update,
    Replace,
    /// A create after a killed one.
    Resume,
    Delete,
}

const OPERATIONS: [Operation; 5] =
    [Operation::Create, Operation::Update, Operation::Replace, Operation::Resume, Operation::Delete];

impl Operation {
    fn before(self) -> Wanted {
        Wanted { force_destroy: self == Self::Replace, ..USUAL }
    }

    fn wanted(self) -> Wanted {
        match self {
            Self::Update => Wanted { retention: 30, visibility: 60, group: None, alarm: true, ..USUAL },
            Self::Replace => Wanted { fifo: true, group: Some("all"), ..self.before() },
            Self::Create | Self::Resume | Self::Delete => USUAL,
        }
    }

    async fn prepare(self) -> (Cloud, Record) {
        match self {
            Self::Create => (cloud(), empty("first")),
            Self::Resume => {
                let cloud = cloud();
                cloud.fail("create sqs_queue ", Fault::KillAfter, 1);
                apply_killed(&cloud, &empty("zeroth"), USUAL).await;
                (cloud, empty("first"))
            }
            Self::Update | Self::Replace | Self::Delete => complete(self.before(), "first").await,
        }
    }

    async fn run(self, cloud: &Cloud, record: &Record) -> Outcome {
        match self {
            Self::Delete => delete(&job(cloud), record.clone(), true).await,
            _ => apply_to(cloud, record, self.wanted()).await,
        }
    }

    /// The next run. A state without objects gets a new instance. If the composite is complete and not
    /// recorded, the user adopts it.
    async fn run_again(self, cloud: &Cloud, record: &Record) -> Outcome {
        cloud.start(None);
        cloud.repair();
        let record = if record.objects.is_empty() { empty("second") } else { record.clone() };
        let outcome = self.run(cloud, &record).await;
        if codes(&outcome.problems) != [Code::CompleteElsewhere] {
            return outcome;
        }
        apply(&Job { adopt: true, ..job(cloud) }, record, &self.wanted().graph(), &seed()).await
    }

    /// Returns an error unless the operation reached its goal.
    async fn reached(self, cloud: &Cloud, outcome: &Outcome) -> Result<(), String> {
        match errors(&outcome.problems)[..] {
            [] => {}
            ref errors => return Err(format!("the errors are {errors:?}")),
        }
        if self != Self::Delete {
            return settled(cloud, &outcome.record, self.wanted()).await;
        }
        let (left, record) = (cloud.objects(), &outcome.record.objects);
        if left.is_empty() && record.is_empty() { Ok(()) } else { Err(format!("{left:?} are left")) }
    }
}

/// Returns an error unless the record has every object. It may have more: a failed delete call can take effect.
fn none_lost(cloud: &Cloud, record: &Record) -> Result<(), String> {
    let recorded = |kind: &str, id: &str| record.objects.values().any(|it| it.kind == kind && it.id == id);
    let objects = cloud.objects();
    let lost: Vec<_> = objects.iter().filter(|(kind, id, _)| !recorded(kind, id)).collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("{lost:?} are not recorded")) }
}

/// Runs a case for each call of each operation, and reports all failures together.
async fn for_each_call(
    faults: &[Fault],
    case: impl AsyncFn(Operation, &Cloud, &Record, Fault) -> Result<(), String>,
) {
    let mut failures = Vec::new();
    let mut count = 0;
    for operation in OPERATIONS {
        let (cloud, record) = operation.prepare().await;
        operation.run(&cloud, &record).await;
        let calls = cloud.calls();
        for (number, call) in (1..).zip(&calls) {
            for fault in faults {
                let (cloud, record) = operation.prepare().await;
                cloud.start(Some((number, *fault)));
                count += 1;
                if let Err(wrong) = case(operation, &cloud, &record, *fault).await {
                    failures.push(format!("{operation:?}, {fault:?} at call {number}, {call}: {wrong}"));
                }
            }
        }
    }
    assert!(count > 50 * faults.len(), "{count} cases");
    assert!(failures.is_empty(), "{} of {count} cases:\n{}", failures.len(), failures.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_call_no_object_is_lost_and_the_next_run_reaches_the_goal() {
    let faults = [Fault::Refuse, Fault::Deny, Fault::LoseAnswer];
    for_each_call(&faults, async |operation, cloud, record, fault| {
        let outcome = operation.run(cloud, record).await;
        let code = if fault == Fault::Deny { Code::Denied } else { Code::Failed };
        let errors = errors(&outcome.problems);
        if errors.iter().any(|found| *found != code) {
            return Err(format!("the errors are {errors:?}"));
        }
        // A resume does not reach every object of the earlier apply.
        if operation != Operation::Resume {
            none_lost(cloud, &outcome.record)?;
        }
        let next = operation.run_again(cloud, &outcome.record).await;
        operation.reached(cloud, &next).await
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_temporary_failure_of_any_call_changes_no_result() {
    for_each_call(&[Fault::Busy, Fault::BusyAfter], async |operation, cloud, record, _| {
        let outcome = operation.run(cloud, record).await;
        operation.reached(cloud, &outcome).await
    })
    .await;
}

/// Calls that take time overlap: a kill interrupts several steps.
#[tokio::test(start_paused = true)]
async fn a_kill_amid_overlapping_calls_loses_no_object() {
    for_each_call(&[Fault::KillBefore, Fault::KillAfter], async |operation, cloud, record, _| {
        cloud.set_latency(Duration::from_millis(70));
        tokio::select! {
            biased;
            () = cloud.killed() => {}
            _ = operation.run(cloud, record) => return Err("it was not killed".to_owned()),
        }
        let next = operation.run_again(cloud, record).await;
        operation.reached(cloud, &next).await
    })
    .await;
}
