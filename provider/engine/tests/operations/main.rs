//! Tests of every operation of the engine on a cloud in memory, in virtual time.

mod shop;

mod claim;
mod delete;
mod faults;
mod import;
mod plan;
mod read;
