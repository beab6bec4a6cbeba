//! Claims objects that exist but are not recorded, and holds the lease of a composite.

use std::time::Duration;

use tandem_model::code::Code;
use tandem_model::graph::Object;
use tandem_model::ownership::{OWNER, Owner, STATUS};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::info;

use super::Run;
use crate::canonical;
use crate::driver::{Driver, Failure, Observed, Tags};
use crate::ownership::{self, Status, is_ours};
use crate::problem::{Other, Problem, Remedy};
use crate::read;
use crate::record;
use crate::resolve::{Attributes, Resolver};

impl Run<'_> {
    /// Takes over an object that exists but is not recorded. Returns an error if it belongs to another owner.
    pub(super) async fn claim(
        &self,
        object: &Object,
        driver: &dyn Driver,
        found: &Observed,
        as_wanted: bool,
    ) -> Result<(), Problem> {
        let key = &object.key;
        let owner = self.job.owner.to_string();
        let mut found = found.clone();
        match found.tags.get(OWNER) {
            Some(tag) if *tag == owner => {}
            // A create call can lose the tags. No other owner would choose a name with this hash.
            None if object.kind.hashed_name && found.tags.is_empty() => {
                let held = self.job.call(|| driver.content(&found.id)).await;
                if !matches!(held, Ok(None)) {
                    return Err(stranger(object, &found, None));
                }
                found.tags = ownership::tags(&self.job.owner, "", key);
            }
            other => return Err(stranger(object, &found, other)),
        }
        if is_ours(&found, &self.prior.instance) {
            // The answer of our create call was lost. There was no complete composite, as after its success.
            if self.is_anchor(key) && !Status::of(&found.tags).is_complete() {
                self.shared().claiming = true;
            }
            return Ok(());
        }
        if self.is_anchor(key) {
            self.claim_anchor(object, driver, &mut found, as_wanted).await?;
        } else if !self.shared().claiming {
            return Err(self.complete_elsewhere(object, &found));
        }
        let mut set = ownership::tags(&self.job.owner, &self.prior.instance, key);
        if self.is_anchor(key) {
            set.extend(self.job.new_lease().tag());
        }
        let taken = self.job.call(|| driver.tag(&found.id, &set, &[])).await;
        taken.map_err(|failure| Problem::failed("Taking over", key, &failure))?;
        if self.is_anchor(key) {
            self.confirm(object, driver, &found.id).await?;
        }
        self.shared().resumed.push(key.clone());
        Ok(())
    }

    /// Detects a second apply that resumes the composite at the same time. Two applies can find the same
    /// expired lease, and write their instance to the anchor one after the other: the last one continues. The
    /// other apply has most likely written by the end of this pause. A later write is found when the lease is
    /// renewed, or before the status becomes `complete`.
    async fn confirm(&self, anchor: &Object, driver: &dyn Driver, id: &str) -> Result<(), Problem> {
        tokio::time::sleep(self.job.lease / 10).await;
        let ours = self.still_ours(driver, id).await;
        if ours.map_err(|failure| Problem::failed("Reading", &anchor.key, &failure))? {
            return Ok(());
        }
        Err(taken_over(&self.job.owner, "Another apply resumed it at the same moment"))
    }

    /// Returns true if the anchor carries our instance. A read can be out of date, so the anchor is read
    /// again for a few seconds before the result is false.
    pub(super) async fn still_ours(&self, driver: &dyn Driver, id: &str) -> Result<bool, Failure> {
        let mut pause = Duration::from_millis(200);
        loop {
            let found = self.job.call(|| driver.observe(id)).await?;
            if found.is_some_and(|found| is_ours(&found, &self.prior.instance)) {
                return Ok(true);
            }
            if pause > Duration::from_secs(2) || !self.job.go_on() {
                return Ok(false);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// The digest of the keys of the wanted objects.
    fn wanted_digest(&self) -> String {
        record::digest(self.graph.objects().iter().map(|object| &object.key))
    }

    /// Returns true if every wanted object exists with its wanted settings.
    async fn all_as_wanted(&self) -> bool {
        let mut attributes = Attributes::new();
        for object in self.graph.objects() {
            let resolver = Resolver::new(self.graph, self.job.context, &attributes);
            let Ok(settings) = resolver.settings(object) else { return false };
            let driver = self.job.drivers.driver(object.kind);
            let Ok(Some(found)) = self.find(driver, object, &settings, &resolver).await else { return false };
            let wanted = canonical::settings(object.kind, &settings, self.job.policy);
            let now = read::settings(self.job, object.kind, &found);
            if !canonical::differing(object.kind, &wanted, &now).is_empty() {
                return false;
            }
            attributes.insert(object.key.clone(), found.attributes);
        }
        true
    }

    /// Waits until a lease that may be held has ended, then decides by the status of the anchor.
    async fn claim_anchor(
        &self,
        object: &Object,
        driver: &dyn Driver,
        found: &mut Observed,
        as_wanted: bool,
    ) -> Result<(), Problem> {
        let key = &object.key;
        let first = Status::of(&found.tags);
        if first.may_be_held((self.job.clock)()) {
            // The clock of the holder may differ from ours. The lease has ended if its tag does not change
            // for as long as a lease lasts.
            info!(%key, "an earlier apply may still be at work: waiting for its lease to end");
            let end = Instant::now() + self.job.lease;
            while Instant::now() < end && self.job.go_on() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if !self.job.go_on() {
                return Err(Problem::error(
                    Code::AtWork,
                    format!("Another apply of `{}` may still be running", self.job.owner),
                    "This apply ended while it waited for the lease of the other one.",
                    Remedy::ApplyAgain,
                ));
            }
        }
        // Read the anchor right before the write: the earlier result may be old.
        let again = self.job.call(|| driver.observe(&found.id)).await;
        let again = again.map_err(|failure| Problem::failed("Reading", key, &failure))?;
        *found = again.ok_or_else(|| {
            Problem::error(
                Code::BeingDeleted,
                format!("{key} is being deleted"),
                "It existed a moment ago: another apply or destroy is running.",
                Remedy::WaitFor(Other::Operation),
            )
        })?;
        match Status::of(&found.tags) {
            Status::Complete { of }
                if self.job.adopt
                    && as_wanted
                    && of.as_ref().is_none_or(|of| *of == self.wanted_digest())
                    && self.all_as_wanted().await =>
            {
                self.shared().adopted = true;
            }
            Status::Complete { .. } => return Err(self.complete_elsewhere(object, found)),
            now if now == first => {}
            Status::Creating { by, .. } => {
                return Err(Problem::error(
                    Code::BeingCreated,
                    format!("`{}` is being created by another apply", self.job.owner),
                    format!("Process {by} renewed its lease on {key} while this apply waited."),
                    Remedy::WaitFor(Other::Process),
                ));
            }
        }
        self.shared().claiming = true;
        Ok(())
    }

    fn complete_elsewhere(&self, object: &Object, found: &Observed) -> Problem {
        let owner = &self.job.owner;
        Problem::error(
            Code::CompleteElsewhere,
            format!("`{owner}` exists already"),
            format!(
                "{} `{}` belongs to a complete composite of that name, which is not in this state.",
                object.kind.title, found.id
            ),
            Remedy::Import { composite: owner.composite.clone(), name: owner.name.clone() },
        )
    }

    /// Renews the lease until the work is done. Detects that another apply took the composite over, e.g.
    /// after this process was suspended.
    pub(super) async fn renew_lease(&self, anchor: &Object, done: &Notify) {
        let id = self.shared().record.objects.get(&anchor.key).map(|entry| entry.id.clone());
        let Some(id) = id else { return };
        let driver = self.job.drivers.driver(anchor.kind);
        loop {
            tokio::select! {
                () = done.notified() => return,
                () = tokio::time::sleep((self.job.lease / 3).max(Duration::from_millis(100))) => {}
            }
            // The next renewal makes up for a failed one: the lease is three times as long as the interval.
            let renewal = async {
                if !self.still_ours(driver, &id).await? {
                    self.shared().lost = true;
                    return Ok(());
                }
                driver.tag(&id, &self.job.new_lease().tag(), &[]).await
            };
            let _: Result<Result<(), Failure>, _> = tokio::time::timeout(self.job.lease / 3, renewal).await;
            if self.shared().lost {
                return;
            }
        }
    }

    /// Sets the status of the anchor to `complete`, unless it is already that of the record.
    pub(super) async fn complete(&self, anchor: &Object) {
        let (id, status, said) = {
            let shared = self.shared();
            let Some(entry) = shared.record.objects.get(&anchor.key) else { return };
            (entry.id.clone(), Status::complete(&shared.record), shared.status.clone())
        };
        if said.as_ref() == Some(&status) {
            return;
        }
        let driver = self.job.drivers.driver(anchor.kind);
        match self.still_ours(driver, &id).await {
            Ok(true) => {}
            Ok(false) => {
                self.shared().lost = true;
                return;
            }
            Err(failure) => {
                let problem = Problem::failed("Reading", &anchor.key, &failure);
                self.shared().problems.push(problem);
                return;
            }
        }
        let tags = status.tag();
        if let Err(failure) = self.job.call(|| driver.tag(&id, &tags, &[])).await {
            let problem = Problem::failed("Marking as complete", &anchor.key, &failure);
            self.shared().problems.push(problem);
            return;
        }
        let (old, kind) = self.recorded_anchor(anchor);
        let stays = self.shared().record.objects.get(&old).map(|entry| entry.id.clone());
        if old != anchor.key
            && let (Some(id), Some(kind)) = (stays, kind)
        {
            let driver = self.job.drivers.driver(kind);
            let (none, status) = (Tags::new(), [STATUS.to_owned()]);
            if let Err(failure) = self.job.call(|| driver.tag(&id, &none, &status)).await {
                self.shared().problems.push(Problem::failed("Tagging", &old, &failure));
            }
        }
    }
}

pub(super) fn taken_over(owner: &Owner, how: &str) -> Problem {
    Problem::error(
        Code::TakenOver,
        format!("`{owner}` was taken over by another apply"),
        format!("{how}."),
        Remedy::WaitFor(Other::Apply),
    )
}

fn stranger(object: &Object, found: &Observed, owner: Option<&String>) -> Problem {
    let whose = match owner {
        Some(owner) => format!("belongs to `{owner}`"),
        None => "was not created by Tandem".to_owned(),
    };
    Problem::error(
        Code::NameTaken,
        format!("{} `{}` exists already", object.kind.title, found.id),
        format!("It {whose}, and is not touched."),
        Remedy::AnotherName { key: object.key.clone() },
    )
}
