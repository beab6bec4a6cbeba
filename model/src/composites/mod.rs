//! The composites, one file each. To add one: write its file, and add one line here.

mod bucket;
mod common;
mod container_task;
mod event_function;
mod launch;
mod part;
mod thumbnailer;

use std::collections::BTreeMap;

use crate::composite::Definition;
use crate::expr::Expr;
use crate::scalar::Scalar;

/// Every composite.
pub static ALL: &[Definition] = &[
    Definition::of::<bucket::Bucket>(),
    Definition::of::<container_task::ContainerTask>(),
    Definition::of::<event_function::EventFunction>(),
    Definition::of::<thumbnailer::Thumbnailer>(),
];

/// The tags of a graph: those that the user gave, or none.
fn tags(given: Option<&Tags>) -> Expr {
    given.map_or_else(|| Expr::Map(BTreeMap::new()), Expr::from)
}

/// What the input `tags` of every composite holds.
type Tags = Scalar<BTreeMap<String, Scalar<String>>>;
