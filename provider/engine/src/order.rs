//! Runs steps in the order of their edges, in parallel as far as the edges and a limit allow.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tandem_model::graph::Key;

/// The maximum number of steps of one composite that run at a time.
const PARALLEL: usize = 8;

/// Runs each step after all steps that it needs have succeeded. A failed step blocks the steps that need it;
/// independent steps continue. No new step starts while `go_on` returns false.
///
/// Returns the steps that never started.
pub async fn run<F, Fut>(
    needs: &BTreeMap<Key, BTreeSet<Key>>,
    go_on: &(dyn Fn() -> bool + Sync),
    step: F,
) -> BTreeSet<Key>
where
    F: Fn(Key) -> Fut,
    Fut: Future<Output = bool>,
{
    let mut waiting: BTreeSet<&Key> = needs.keys().collect();
    let mut done: BTreeSet<Key> = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    loop {
        let ready: Vec<&Key> = waiting
            .iter()
            .copied()
            // A need that is not a step of this run is already created, or already deleted.
            .filter(|key| needs[*key].iter().all(|need| done.contains(need) || !needs.contains_key(need)))
            .collect();
        for key in ready {
            if running.len() >= PARALLEL || !go_on() {
                break;
            }
            waiting.remove(key);
            let future = step(key.clone());
            running.push(async move { (key.clone(), future.await) });
        }
        match running.next().await {
            Some((key, true)) => {
                done.insert(key);
            }
            Some((_, false)) => {}
            None => break,
        }
    }
    waiting.into_iter().cloned().collect()
}

/// Reverses the edges, for deletes.
pub fn reversed(needs: &BTreeMap<Key, BTreeSet<Key>>) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut reversed: BTreeMap<Key, BTreeSet<Key>> =
        needs.keys().map(|key| (key.clone(), BTreeSet::new())).collect();
    for (key, needs) in needs {
        for need in needs {
            if let Some(entry) = reversed.get_mut(need) {
                entry.insert(key.clone());
            }
        }
    }
    reversed
}

/// Returns true if an object needs another one, directly or through others.
pub fn reaches(needs: &BTreeMap<Key, BTreeSet<Key>>, from: &Key, to: &Key) -> bool {
    let (mut next, mut seen) = (vec![from], BTreeSet::new());
    while let Some(key) = next.pop() {
        if key == to {
            return true;
        }
        if seen.insert(key) {
            next.extend(needs.get(key).into_iter().flatten());
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<Key, BTreeSet<Key>> {
        let edges = edges
            .iter()
            .map(|(key, needs)| ((*key).into(), needs.iter().map(|need| (*need).into()).collect()));
        edges.collect()
    }

    async fn order(edges: &BTreeMap<Key, BTreeSet<Key>>, fail: &str) -> (Vec<String>, BTreeSet<Key>) {
        let log = Mutex::new(Vec::new());
        let left = run(edges, &|| true, |key| {
            log.lock().unwrap().push(key.to_string());
            let good = key.as_str() != fail;
            async move { good }
        })
        .await;
        (log.into_inner().unwrap(), left)
    }

    #[tokio::test]
    async fn edges_are_kept_and_failures_hold_back_only_what_needs_them() {
        let edges = graph(&[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"]), ("e", &[])]);
        let (log, left) = order(&edges, "").await;
        let place = |key: &str| log.iter().position(|known| known == key).unwrap();
        assert!(place("a") < place("b") && place("b") < place("d") && place("c") < place("d"));
        assert!(left.is_empty());

        let (log, left) = order(&edges, "b").await;
        assert!(log.contains(&"c".to_owned()) && log.contains(&"e".to_owned()));
        assert_eq!(left, BTreeSet::from(["d".into()]));

        let (log, _) = order(&reversed(&edges), "").await;
        assert!(log.iter().position(|key| key == "d") < log.iter().position(|key| key == "a"));
    }

    #[tokio::test]
    async fn a_stop_starts_nothing_new() {
        let edges = graph(&[("a", &[]), ("b", &["a"])]);
        let stopped = std::sync::atomic::AtomicBool::new(false);
        let go_on = || !stopped.load(std::sync::atomic::Ordering::SeqCst);
        let left = run(&edges, &go_on, |_| {
            stopped.store(true, std::sync::atomic::Ordering::SeqCst);
            async { true }
        })
        .await;
        assert_eq!(left, BTreeSet::from(["b".into()]));
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_a_limited_number_of_steps_runs_at_a_time() {
        let keys: Vec<String> = (0..3 * PARALLEL).map(|number| format!("k.{number}")).collect();
        let edges: Vec<(&str, &[&str])> = keys.iter().map(|key| (key.as_str(), &[][..])).collect();
        let (now, most) = (Mutex::new(0), Mutex::new(0));
        let left = run(&graph(&edges), &|| true, async |_| {
            {
                let mut now = now.lock().unwrap();
                *now += 1;
                let mut most = most.lock().unwrap();
                *most = (*most).max(*now);
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            *now.lock().unwrap() -= 1;
            true
        })
        .await;
        assert!(left.is_empty());
        assert_eq!(*most.lock().unwrap(), PARALLEL);
    }
}
