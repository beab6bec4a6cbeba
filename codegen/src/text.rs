//! Files of text, and places in them.

use std::ops::Range;
use std::path::PathBuf;

/// A range of bytes in the text.
pub type Span = Range<usize>;

/// The content of a file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path as the user gave it.
    pub path: PathBuf,
    /// Content.
    pub text: String,
}
