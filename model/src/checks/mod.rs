//! Checks of the event graph, for mistakes that AWS rejects only at apply, or accepts.

pub(crate) mod documented;
pub mod environment;
pub mod event_pattern;
pub mod fifo;
pub mod filters;
pub(crate) mod limits;
pub mod loops;
pub mod tags;
pub mod task_size;
pub mod visibility;
