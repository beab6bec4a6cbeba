//! Hostile input: whatever bytes arrive, the answer is a value or an error, never a dead process.
//!
//! Ten thousand cases of each property, a million with `TANDEM_FULL` set. What failed once is in
//! `tests/corpus` and is tried on every run. A failure prints its seed, for `TANDEM_SEED`, and a file
//! for the corpus; of a process that dies, that file is `target/tmp/hostile-*.txt`.

mod bytes;
mod cost;
mod provider;
mod requests;
mod rpc;
mod run;
mod values;
mod wire;
