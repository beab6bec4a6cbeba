//! Applies a graph of objects: order, parallelism, retries, ownership, drift.
//!
//! The engine is independent of the cloud: a [`driver::Driver`] reads, creates, changes and deletes the
//! objects of a kind. A [`record::Record`] lists the objects that a composite owns. Every operation works
//! from the record and from the objects that exist.

pub mod apply;
pub mod canonical;
pub mod delete;
pub mod difference;
pub mod driver;
pub mod import;
pub mod job;
pub mod order;
pub mod ownership;
pub mod plan;
pub mod problem;
pub mod read;
pub mod record;
pub mod resolve;
mod search;
pub mod sweep;
#[cfg(feature = "testing")]
pub mod testing;
