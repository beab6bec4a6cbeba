//! A sample of the crash matrix. `TANDEM_FULL=1` and `cargo xtask crash-report` run all of it.

use tandem_crash::matrix::{Case, How, cases, run_all};
use tandem_crash::report::{Report, Results};

use crate::{full, in_virtual_time, types};

/// The number of cases in the sample.
const SAMPLE: usize = 250;

#[test]
fn whatever_breaks_the_next_apply_ends_with_exactly_one_of_everything() {
    let mut all: Vec<Case> = Vec::new();
    for composite in types() {
        all.extend(in_virtual_time(cases(composite)));
    }
    if !full() {
        fastrand::Rng::with_seed(1).shuffle(&mut all);
        all.truncate(SAMPLE);
    }
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let results = Results::open(None, 1).expect("no file");
    let how = How { seed: 1, threads, ..How::default() };
    let report = Report::of(&run_all(&all, &how, &results));
    let failures = report.failures.iter().map(|(case, wrong)| format!("{case}\n{wrong}"));
    let failures: Vec<String> = failures.collect();
    assert!(failures.is_empty(), "{}\n{}", failures.join("\n\n"), report.last_line());
    println!("{}", report.last_line());
}
