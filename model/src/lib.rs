//! The definitions of Tandem composites.
//!
//! A composite is defined once, as a pure function from typed inputs to a graph of AWS objects. Everything
//! else reads that definition. This crate does no I/O: it uses neither the file system nor the network.

// The derive macro refers to `::tandem_model`, also in this crate.
extern crate self as tandem_model;

pub mod access;
pub mod ambient;
pub mod artifact;
pub mod capacity;
pub mod checks;
pub mod code;
pub mod composite;
pub mod composites;
pub mod context;
pub mod edge;
pub mod expr;
pub mod finding;
pub mod flow;
pub mod graph;
pub mod hash;
pub mod image;
pub mod input;
pub mod key;
pub mod kind;
pub mod kinds;
pub mod limits;
pub mod names;
pub mod ownership;
pub mod partition;
pub mod policy;
mod recover;
pub mod scalar;
pub mod schedule;
pub mod suggest;
pub mod unit;
pub mod value;

pub use composites::keys;
