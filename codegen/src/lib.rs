//! `tandem`: from one spec to Terraform modules and Rust Lambda handlers.
//!
//! [`spec`] reads a `tandem.yaml` and checks it with the model's own checks; [`module`] and [`handlers`]
//! say what it becomes; [`project`] plans the files, and [`output`] writes them.

mod arn;
pub mod diagnostic;
mod documents;
pub mod graph;
pub mod handlers;
pub mod hcl;
pub mod module;
pub mod native;
pub mod output;
pub mod project;
pub mod schema;
pub mod source;
pub mod spec;
pub mod templates;
pub mod variables;
pub mod workspace;
