//! Whose an object is: tags that every object carries from its create call on.

use std::fmt;

/// The tag that says which composite an object belongs to.
pub const OWNER: &str = "tandem:owner";
/// The tag that says which state an object belongs to: a random text, also in the state.
pub const INSTANCE: &str = "tandem:instance";
/// The tag of the anchor: `complete`, or `creating` with the end of the lease.
pub const STATUS: &str = "tandem:status";

/// Whether a tag is not the user's to set.
pub fn is_reserved(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.starts_with("tandem:") || key.starts_with("aws:")
}

/// Which composite an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The project.
    pub project: String,
    /// The region.
    pub region: String,
    /// The type of composite: `event_function`.
    pub composite: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.project, self.region, self.composite, self.name)
    }
}
