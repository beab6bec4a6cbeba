//! Whose a composite is: what an apply finds that it did not record, and how long it counts as being made.

use std::time::Duration;

use tandem_model::graph::Object;
use tandem_model::ownership::{OWNER, Owner, STATUS};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::info;

use super::Run;
use crate::canonical;
use crate::driver::{Driver, Failure, Observed, Tags};
use crate::job::Problem;
use crate::ownership::{self, Status, is_ours};
use crate::read;
use crate::record;
use crate::resolve::{Attributes, Resolver};

impl Run<'_> {
    /// Decides whether an object that exists, and is not recorded, is ours to take.
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
            // It can be made without its tags having been kept; nobody else would choose its name.
            None if object.kind.hashed_name && found.tags.is_empty() => {
                let held = self.job.call(|| driver.content(&found.id)).await;
                if !matches!(held, Ok(None)) {
                    return Err(stranger(object, &found, None));
                }
                found.tags = ownership::tags(&self.job.owner, "");
            }
            other => return Err(stranger(object, &found, other)),
        }
        if is_ours(&found, &self.prior.instance) {
            return Ok(());
        }
        if self.is_anchor(key) {
            self.claim_anchor(object, driver, &mut found, as_wanted).await?;
        } else if !self.shared().claiming {
            return Err(self.complete_elsewhere(object, &found));
        }
        let mut set = ownership::tags(&self.job.owner, &self.prior.instance);
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

    /// Two applies may have found the same lease run out, and stamped the anchor one after the other: the
    /// last goes on. Whoever looked before our stamp has most likely written its own by the end of the
    /// pause; who is later still is seen when the lease is renewed, or before the anchor says `complete`.
    async fn confirm(&self, anchor: &Object, driver: &dyn Driver, id: &str) -> Result<(), Problem> {
        tokio::time::sleep(self.job.lease / 10).await;
        let ours = self.still_ours(driver, id).await;
        if ours.map_err(|failure| Problem::failed("Looking at", &anchor.key, &failure))? {
            return Ok(());
        }
        Err(taken_over(&self.job.owner, "Another apply resumed it at the same moment"))
    }

    /// Whether the anchor carries our instance. A read may lag behind: before it is given up, it is looked
    /// at again for a while.
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

    /// The digest of which objects are wanted.
    fn wanted_digest(&self) -> String {
        record::digest(self.graph.objects().iter().map(|object| &object.key))
    }

    /// Whether everything that is wanted exists as it is wanted.
    async fn all_as_wanted(&self) -> bool {
        let mut attributes = Attributes::new();
        for object in self.graph.objects() {
            let resolver = Resolver::new(self.graph, self.job.context, &attributes);
            let Ok(settings) = resolver.settings(object) else { return false };
            let driver = self.job.drivers.driver(object.kind);
            let Ok(Some(found)) = self.find(driver, object, &settings, &resolver).await else { return false };
            let wanted = canonical::settings(object.kind, &settings);
            if !canonical::differing(object.kind, &wanted, &read::settings(object.kind, &found)).is_empty() {
                return false;
            }
            attributes.insert(object.key.clone(), found.attributes);
        }
        true
    }

    /// Waits out a lease that may still be held, and decides by what the anchor says then.
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
            // The clock of whoever holds it may be another than ours: what counts is that the tag does
            // not change for as long as a lease lasts.
            info!(%key, "an earlier apply may still be at work: waiting for its lease to end");
            let end = Instant::now() + self.job.lease;
            while Instant::now() < end && self.job.go_on() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if !self.job.go_on() {
                return Err(Problem::error(
                    format!("`{}` may still be at work elsewhere", self.job.owner),
                    "This apply ended while it waited for the lease of an earlier one. Apply again.",
                ));
            }
        }
        // The last look before it is stamped: what was seen so far may be long ago.
        let again = self.job.call(|| driver.observe(&found.id)).await;
        let again = again.map_err(|failure| Problem::failed("Looking at", key, &failure))?;
        *found = again.ok_or_else(|| {
            Problem::error(
                format!("{key} is being deleted"),
                "It was there a moment ago: somebody else is at work on it. Apply again when they are done.",
            )
        })?;
        match Status::of(&found.tags) {
            Status::Complete { of }
                if self.job.adopt
                    && as_wanted
                    && of.as_ref().is_none_or(|of| *of == self.wanted_digest())
                    && self.all_as_wanted().await => {}
            Status::Complete { .. } => return Err(self.complete_elsewhere(object, found)),
            now if now == first => {}
            Status::Creating { by, .. } => {
                return Err(Problem::error(
                    format!("`{}` is being created by somebody else", self.job.owner),
                    format!(
                        "Process {by} is at work on it: it renewed its lease on {key} while this apply waited. \
                         Wait until it is done. Two states must not hold the same composite: afterwards, \
                         import it into one of them, or give this one another name."
                    ),
                ));
            }
        }
        self.shared().claiming = true;
        Ok(())
    }

    fn complete_elsewhere(&self, object: &Object, found: &Observed) -> Problem {
        let owner = &self.job.owner;
        Problem::error(
            format!("`{owner}` exists already"),
            format!(
                "{} `{}` belongs to a complete composite of that name which is not in this state. If it is \
                 yours and its state was lost, import it:\n\n  import {{\n    to = tandem_{}.NAME\n    id = \
                 \"{}\"\n  }}\n\nwith NAME as in your configuration. If another state holds it, give this one \
                 another `name`. (With `create_before_destroy` \
                 a composite would meet itself here: remove that.)",
                object.kind.title, found.id, owner.composite, owner.name
            ),
        )
    }

    /// Keeps the lease alive until the work is done, and sees when somebody else has taken the composite
    /// over (this process may have slept).
    pub(super) async fn renew_lease(&self, anchor: &Object, done: &Notify) {
        let id = self.shared().record.objects.get(&anchor.key).map(|entry| entry.id.clone());
        let Some(id) = id else { return };
        let driver = self.job.drivers.driver(anchor.kind);
        loop {
            tokio::select! {
                () = done.notified() => return,
                () = tokio::time::sleep((self.job.lease / 3).max(Duration::from_millis(100))) => {}
            }
            // A renewal that fails is made up for by the next; the lease is three times as long.
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

    /// Says at the anchor that all of the record was made, unless it says so already.
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
                let problem = Problem::failed("Looking at", &anchor.key, &failure);
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
        format!("`{owner}` was taken over by somebody else"),
        format!("{how}. Wait until the other apply is done, and apply again."),
    )
}

fn stranger(object: &Object, found: &Observed, owner: Option<&String>) -> Problem {
    let whose = match owner {
        Some(owner) => format!("belongs to `{owner}`"),
        None => "was not made by Tandem".to_owned(),
    };
    Problem::error(
        format!("{} `{}` exists already", object.kind.title, found.id),
        format!(
            "It {whose}, and is not touched. Give this composite another `name`, set another `project` in \
             the provider configuration, or remove that object if nobody needs it. (This is {}.)",
            object.key
        ),
    )
}
