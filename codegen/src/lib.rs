//! `tandem`: from one spec to Terraform modules and Rust Lambda handlers.
//!
//! [`spec`] reads a `tandem.yaml` and checks it with the checks of the model. [`module`] and [`handlers`]
//! generate the contents of files, [`project`] plans all files, and [`output`] writes them.

mod arn;
pub mod backend;
pub mod diagnostic;
pub mod explain;
pub mod handlers;
pub mod hcl;
pub mod module;
pub mod native;
pub mod output;
pub mod picture;
pub mod project;
mod readme;
mod relations;
pub mod schema;
pub mod source;
pub mod spec;
pub mod templates;
pub mod text;
pub mod variables;
pub mod workspace;
