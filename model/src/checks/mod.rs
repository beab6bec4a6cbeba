//! Checks of the event graph: what AWS would refuse late, or accept and do wrong.

pub mod environment;
pub mod filters;
pub mod task_size;
pub mod visibility;
