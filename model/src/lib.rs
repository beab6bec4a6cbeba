//! What a Tandem composite is.
//!
//! A composite is defined once, as a pure function from typed inputs to a graph of AWS objects;
//! everything else reads that definition. This crate does no input or output: it knows neither a
//! file system nor a network.

// The derive names this crate, in here as well.
extern crate self as tandem_model;

pub mod access;
pub mod artifact;
pub mod capacity;
pub mod checks;
pub mod composite;
pub mod composites;
pub mod context;
pub mod expr;
pub mod finding;
pub mod graph;
pub mod image;
pub mod input;
pub mod kind;
pub mod kinds;
pub mod names;
pub mod ownership;
pub mod policy;
pub mod scalar;
pub mod schedule;
pub mod value;
