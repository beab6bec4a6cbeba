//! The parameters of an operation on a composite, and its calls of drivers.

use std::future::Future;
use std::time::{Duration, SystemTime};

use tandem_model::code::Code;
use tandem_model::context::Context;
use tandem_model::graph::Key;
use tandem_model::ownership::Owner;
use tokio::time::Instant;
use tracing::debug;

use crate::canonical::Policy;
use crate::driver::{Class, Drivers, Failure};
use crate::ownership::Status;
use crate::problem::{Problem, Remedy};
use crate::record::Record;

/// One operation on one composite.
pub struct Job<'a> {
    /// The drivers of every kind.
    pub drivers: &'a dyn Drivers,
    /// Puts a policy document into canonical form.
    pub policy: Policy,
    /// The owner of the objects.
    pub owner: Owner,
    /// The place of the objects, and further facts.
    pub context: &'a Context,
    /// True to take over a complete composite of another state, if its settings are as wanted.
    pub adopt: bool,
    /// Objects and fields that Tandem does not manage, from `ignore_drift`: `KEY.FIELD`, `KEY`, or a prefix
    /// with `*`.
    pub ignore: &'a [String],
    /// The length of a lease: the time for which an incomplete composite counts as being worked on after a
    /// renewal.
    pub lease: Duration,
    /// The holder of the lease, for the tag of the anchor and for messages: the host and the process.
    pub holder: &'a str,
    /// Returns the time of day, for leases.
    pub clock: fn() -> SystemTime,
    /// The time by which the operation must end.
    pub deadline: Instant,
    /// Returns true to start no new step.
    pub stopped: &'a (dyn Fn() -> bool + Send + Sync),
}

/// The result of an operation.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The objects that the composite owns now.
    pub record: Record,
    /// Errors and warnings for the user.
    pub problems: Vec<Problem>,
}

impl Job<'_> {
    /// Makes a call, and retries it while its failure is of [`Class::Passing`].
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
            debug!(%failure, "retrying");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// A lease that starts now.
    pub(crate) fn new_lease(&self) -> Status {
        Status::lease((self.clock)(), self.lease, self.holder)
    }

    /// Returns true if another step may start.
    pub fn go_on(&self) -> bool {
        !(self.stopped)() && Instant::now() < self.deadline
    }

    /// Returns true if `ignore_drift` contains a field of an object, or the whole object.
    pub fn ignores(&self, key: &Key, field: &str) -> bool {
        let full = format!("{key}.{field}");
        self.ignore.iter().any(|pattern| {
            *pattern == full
                || pattern == key.as_str()
                || pattern.strip_suffix('*').is_some_and(|p| full.starts_with(p))
        })
    }

    /// Returns an error if the provider is configured for another account or region than the recorded one.
    pub fn check_place(&self, record: &Record) -> Result<(), Problem> {
        let account = self.context.account.as_deref();
        let region = self.context.region.as_deref();
        for (key, entry) in &record.objects {
            let wrong = [("account", &*entry.account, account), ("region", &*entry.region, region)];
            for (what, recorded, now) in wrong {
                if now.is_some_and(|now| now != recorded) {
                    let now = now.unwrap_or_default();
                    return Err(Problem::error(
                        Code::OtherPlace,
                        format!("The provider is configured for another {what}"),
                        format!(
                            "{key} was created in {what} {recorded}, but the provider is now configured for {what} \
                             {now}. Nothing was changed."
                        ),
                        Remedy::ConfigurePlace { place: what, recorded: recorded.to_owned() },
                    ));
                }
            }
        }
        Ok(())
    }
}
