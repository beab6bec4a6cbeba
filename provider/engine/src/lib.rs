//! Carries out a graph of objects: order, parallelism, retries, ownership, drift.
//!
//! Knows no cloud: what an object is, and how to make one, is a [`driver::Driver`]'s to know. What
//! a composite owns is its [`record::Record`]; everything here works from that, and from what the
//! cloud says exists.

pub mod apply;
pub mod canonical;
pub mod delete;
pub mod driver;
pub mod import;
pub mod job;
pub mod order;
pub mod ownership;
pub mod plan;
pub mod read;
pub mod record;
pub mod resolve;
pub mod sweep;
