//! Keys of objects.

use std::borrow::Borrow;
use std::fmt;

use crate::kind::Kind;

/// The key of an object in its graph: `kind.slot`, e.g. `iam_role.function`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key of an object of this kind in this slot.
    pub fn new(kind: &Kind, slot: &str) -> Self {
        Self(format!("{}.{slot}", kind.name))
    }

    /// The slot: the part after the kind, e.g. `function`.
    pub fn slot(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, slot)| slot)
    }

    /// Its slot, if it is the key of an object of this kind.
    pub fn slot_of(&self, kind: &Kind) -> Option<&str> {
        self.0.strip_prefix(kind.name)?.strip_prefix('.').filter(|slot| !slot.is_empty())
    }

    /// The key as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
