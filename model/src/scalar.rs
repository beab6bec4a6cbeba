//! Scalar inputs: values that land in a field, and may be known only later.

/// A value that is known, not yet known, or a variable of a generated module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar<T> {
    /// Known.
    Known(T),
    /// Known only at apply.
    Unknown,
    /// A variable of a generated module, by name.
    Reference(String),
}

impl<T> Scalar<T> {
    /// The value, when it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown | Self::Reference(_) => None,
        }
    }

    /// Whether these are surely the same value; two unknown ones are not.
    pub fn surely_equals(&self, other: &Self) -> bool
    where
        T: PartialEq,
    {
        !matches!(self, Self::Unknown) && self == other
    }
}

impl<T> From<T> for Scalar<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}
