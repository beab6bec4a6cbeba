//! The crash matrix shows that no fault loses or duplicates an object.
//!
//! - [`double`]: AWS in memory.
//! - [`carrier`]: transports calls to it, and breaks one of them.
//! - [`terraform`]: Terraform's rules, in process.
//! - [`instruction`]: the next step that a message asks for.
//! - [`matrix`]: every combination of composite, operation, call and fault.

pub mod carrier;
pub mod double;
pub mod fault;
pub mod fixture;
pub mod instruction;
pub mod matrix;
pub mod report;
pub mod scene;
pub mod terraform;
