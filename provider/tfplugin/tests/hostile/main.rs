//! Hostile input: for any bytes, the result is a value or an error, never a crash.
//!
//! Runs 10,000 cases of each property, or 1,000,000 with `TANDEM_FULL` set. `tests/corpus` has the inputs of
//! earlier failures, which every run tests again. A failure prints its seed, for `TANDEM_SEED`, and a file
//! for the corpus. If the process crashes, that file is `target/tmp/hostile-*.txt`.

mod bytes;
mod cost;
mod provider;
mod requests;
mod rpc;
mod run;
mod values;
mod wire;
