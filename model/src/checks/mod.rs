//! Checks of the event graph: what AWS would refuse late, or accept and do wrong.

pub mod filters;
pub mod visibility;
