//! Tests of faults, against AWS in memory and in virtual time.

mod capacity;
mod changes;
mod judges;
mod matrix;
mod races;
mod sweep;
mod throttled;
mod upgrades;

use std::collections::BTreeMap;

use tandem_crash::carrier::Process;
use tandem_crash::double::Item;
use tandem_crash::matrix::{Operation, in_virtual_time, undisturbed};
use tandem_crash::scene::Scene;
use tandem_crash::terraform::End;
use tandem_model::composites;

/// The seeds that a test tries: 500 with `TANDEM_FULL=1`, otherwise 8.
fn seeds() -> std::ops::Range<u64> {
    1..if full() { 501 } else { 9 }
}

fn full() -> bool {
    std::env::var_os("TANDEM_FULL").is_some()
}

/// The types of all composites.
fn types() -> Vec<&'static str> {
    composites::ALL.iter().map(|definition| definition.type_name).collect()
}

/// The objects of an undisturbed create of a composite.
async fn made(composite: &'static str) -> Vec<Item> {
    undisturbed(composite, Operation::Create).await.expect("every composite can be created").made
}

/// The mutating call with this number in an undisturbed create, starting at 1; the last one if there are
/// fewer calls.
async fn call(composite: &'static str, number: usize) -> String {
    let run = undisturbed(composite, Operation::Create).await.expect("every composite can be created");
    let mut calls: Vec<String> = run.calls.into_iter().filter(|call| !call.ends_with(":read")).collect();
    calls.truncate(number);
    calls.pop().expect("a call")
}

/// The number of objects for each item.
fn counts(items: &[Item]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    items.iter().for_each(|item| *counts.entry(item.to_string()).or_default() += 1);
    counts
}

/// Expects an empty plan and the objects of an undisturbed create, and no objects after a destroy.
async fn expect_good(scene: &mut Scene, composite: &'static str, said: &str) {
    let inputs = scene.fixture.inputs(tandem_crash::double::ACCOUNT);
    let process = Process::new(&scene.world);
    let changes =
        scene.terraform.plan(&process, &inputs).await.unwrap_or_else(|end| panic!("{said}: {end:?}"));
    assert!(changes.is_empty(), "{said}: {changes:?}");
    if let Err(wrong) = scene.compare(&made(composite).await) {
        panic!("{said}: {wrong}");
    }
    assert_eq!(scene.terraform.destroy(&process).await, End::Done, "{said}");
    assert_eq!(counts(&scene.made()), BTreeMap::new(), "{said}");
}
