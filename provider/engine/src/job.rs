//! What every operation on a composite is given, and how it calls drivers.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tandem_model::context::Context;
use tandem_model::graph::Key;
use tandem_model::ownership::Owner;
use tokio::time::Instant;
use tracing::debug;

use crate::driver::{Class, Drivers, Failure};
use crate::ownership::Status;
use crate::record::Record;

/// One operation on one composite.
pub struct Job<'a> {
    /// The drivers of every kind.
    pub drivers: &'a dyn Drivers,
    /// Whose the objects are.
    pub owner: Owner,
    /// Where they are.
    pub context: &'a Context,
    /// Whether a complete composite of another state is taken over when it is as wanted.
    pub adopt: bool,
    /// Objects and fields that others manage: `lambda_function.function.memory_size`.
    pub ignore: &'a [String],
    /// How long an incomplete composite counts as being worked on after the last sign of life.
    pub lease: Duration,
    /// Tells the time of day, for leases.
    pub clock: fn() -> SystemTime,
    /// When the operation must end.
    pub deadline: Instant,
    /// Whether to start no new step.
    pub stopped: &'a (dyn Fn() -> bool + Send + Sync),
}

/// Something to tell the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the operation failed.
    pub error: bool,
    /// What is wrong, in one line.
    pub summary: String,
    /// Where, why, what to do next.
    pub detail: String,
}

impl Problem {
    /// An error.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { error: true, summary: summary.into(), detail: detail.into() }
    }

    /// A warning.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { error: false, ..Self::error(summary, detail) }
    }

    /// The error for a failed call on an object.
    pub fn failed(doing: &str, key: &Key, failure: &Failure) -> Self {
        Self::error(format!("{doing} {key} failed"), format!("{failure}{}", advice(failure)))
    }
}

fn advice(failure: &Failure) -> &'static str {
    if failure.is_denied() {
        "\n\nThe credentials may not make this call: allow it, or use other credentials, and apply again."
    } else if matches!(failure.class, Class::Passing(_)) {
        "\n\nThis usually passes, but did not within the time allowed. Apply again; raise `timeouts` if \
         it keeps happening."
    } else {
        ""
    }
}

/// What an operation left.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What the composite owns now.
    pub record: Record,
    /// What to tell the user.
    pub problems: Vec<Problem>,
}

impl Job<'_> {
    /// Makes a call, again and again while its failure is of the passing kind.
    pub async fn call<T, F, Fut>(&self, call: F) -> Result<T, Failure>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        const LONGEST: Duration = Duration::from_secs(5);
        let start = Instant::now();
        let mut pause = Duration::from_millis(200);
        loop {
            let failure = match call().await {
                Err(failure) => failure,
                good => return good,
            };
            let Class::Passing(budget) = failure.class else { return Err(failure) };
            let now = Instant::now();
            if (self.stopped)() || now - start + pause > budget || now + pause > self.deadline {
                return Err(failure);
            }
            debug!(%failure, "trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// A lease from now on.
    pub(crate) fn new_lease(&self) -> Status {
        Status::lease((self.clock)(), self.lease)
    }

    /// Whether another step may start.
    pub fn go_on(&self) -> bool {
        !(self.stopped)() && Instant::now() < self.deadline
    }

    /// Whether others manage a field of an object, or all of it.
    pub fn ignores(&self, key: &Key, field: &str) -> bool {
        let full = format!("{key}.{field}");
        self.ignore.iter().any(|pattern| {
            *pattern == full
                || pattern == key.as_str()
                || pattern.strip_suffix('*').is_some_and(|p| full.starts_with(p))
        })
    }

    /// Refuses to work in another account or region than the recorded one.
    pub fn check_place(&self, record: &Record) -> Result<(), Problem> {
        let account = self.context.account.as_deref();
        let region = self.context.region.as_deref();
        for (key, entry) in &record.objects {
            let wrong = [("account", &*entry.account, account), ("region", &*entry.region, region)];
            for (what, recorded, now) in wrong {
                if now.is_some_and(|now| now != recorded) {
                    let now = now.unwrap_or_default();
                    return Err(Problem::error(
                        format!("Another {what} than the recorded one"),
                        format!(
                            "{key} was made in {what} {recorded}, and the provider is now configured for {what} \
                             {now}. Nothing was touched. Configure the provider for {what} {recorded} (for example \
                             with a provider alias), or destroy the composite there first."
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}
