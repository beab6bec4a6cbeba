//! Environment variables that the composites set.

/// The variable with the resources of a program: a JSON list of bucket names and ARNs.
pub(crate) const RESOURCES: &str = "TANDEM_RESOURCES";

/// The variable with the handles of the tasks that a function may start: a JSON list.
pub(crate) const LAUNCHES: &str = "TANDEM_LAUNCHES";

/// The prefix of their names.
pub(crate) const PREFIX: &str = "TANDEM_";
