//! Judges of tests. They know what AWS publishes, and nothing about Tandem.
//!
//! [`request::read`] decodes a request to AWS by the service model of botocore. [`models::judge`] compares the call
//! with that model: unknown and missing members, types, lengths, ranges, patterns and enums.

pub mod call;
pub mod figures;
mod form;
pub mod iam;
pub mod models;
pub mod mutants;
pub mod request;
mod rest;
mod shape;
mod xml;
