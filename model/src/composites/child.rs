//! An object that hangs on another object, for the rules that give its key.

use crate::composite::Settings;
use crate::ownership::Owner;

/// A child of an object that has a key.
pub(super) struct Child<'a> {
    /// The owner of the parent.
    pub(super) owner: &'a Owner,
    /// The slot of the parent.
    pub(super) parent: &'a str,
    /// The settings of the child.
    pub(super) settings: &'a Settings,
    /// The settings of all children of this kind that the parent has.
    pub(super) siblings: &'a [&'a Settings],
}

impl Child<'_> {
    /// A setting of the child; empty if it is not set.
    pub(super) fn text(&self, field: &str) -> &str {
        self.settings.get(field).and_then(|value| value.as_str()).unwrap_or_default()
    }
}
