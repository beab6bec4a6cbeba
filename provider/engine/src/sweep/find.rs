//! Finds the objects of a project: lists them by name, and confirms them by their tags.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tandem_model::kind::Kind;
use tandem_model::kinds;
use tandem_model::ownership::OWNER;

use super::Request;
use crate::driver::Observed;
use crate::job::Job;
use crate::problem::Problem;

/// The number of objects that are read at a time.
const PARALLEL: usize = 8;

/// An object with ownership tags.
#[derive(Clone, Debug)]
pub(super) struct Tagged {
    pub(super) kind: &'static Kind,
    pub(super) observed: Observed,
}

impl Tagged {
    pub(super) fn tag(&self, name: &str) -> Option<&str> {
        self.observed.tags.get(name).map(String::as_str)
    }
}

/// The result of the search.
pub(super) struct Found {
    pub(super) tagged: Vec<Tagged>,
    pub(super) problems: Vec<Problem>,
    /// True if every kind could be listed.
    pub(super) everything: bool,
}

/// Finds objects of every kind that supports tags.
pub(super) async fn find(job: &Job<'_>, request: &Request<'_>) -> Found {
    let kinds: Vec<&'static Kind> = kinds::ALL.iter().copied().filter(|kind| kind.tags).collect();
    let mut found = Found { tagged: Vec::new(), problems: Vec::new(), everything: true };
    let listed = AtomicUsize::new(0);
    let lists = kinds.iter().map(|kind| {
        let (listed, all) = (&listed, kinds.len());
        async move {
            let driver = job.drivers.driver(kind);
            let ids = job.call(|| driver.list(request.project)).await;
            let done = listed.fetch_add(1, Ordering::Relaxed) + 1;
            (request.progress)(format!("listed {done} of {all} kinds of objects"));
            (*kind, ids)
        }
    });
    let mut named: Vec<(&'static Kind, String)> = Vec::new();
    for (kind, ids) in join_all(lists).await {
        match ids {
            Ok(ids) => named.extend(ids.into_iter().map(|id| (kind, id))),
            Err(failure) => {
                found.everything = false;
                found
                    .problems
                    .push(Problem::of_sweep(format!("Listing every {} failed", kind.title), &failure));
            }
        }
    }
    let (seen, all) = (AtomicUsize::new(0), named.len());
    let looks = named.into_iter().map(|(kind, id)| {
        let seen = &seen;
        async move {
            let driver = job.drivers.driver(kind);
            let observed = job.call(|| driver.observe(&id)).await;
            let done = seen.fetch_add(1, Ordering::Relaxed) + 1;
            (request.progress)(format!("read {done} of {all} objects with a matching name"));
            (kind, id, observed)
        }
    });
    let region = job.context.region.as_deref().unwrap_or_default();
    let ours = format!("{}/{region}/", request.project);
    let looks: Vec<_> = looks.collect();
    let mut looks = stream::iter(looks).buffered(PARALLEL);
    while let Some((kind, id, observed)) = looks.next().await {
        match observed {
            Ok(Some(observed)) => {
                let tagged = Tagged { kind, observed };
                if tagged.tag(OWNER).is_some_and(|owner| owner.starts_with(&ours)) {
                    found.tagged.push(tagged);
                }
            }
            Ok(None) => {}
            Err(failure) => {
                let fact = format!("The owner of {} `{id}` could not be read", kind.title);
                found.problems.push(Problem::of_sweep(fact, &failure));
            }
        }
    }
    found
}
