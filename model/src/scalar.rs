//! Scalar inputs: values that go into a field, and may be known only at apply.

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
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown | Self::Reference(_) => None,
        }
    }

    /// Returns true if both are certainly the same value. Two unknown values are not.
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
