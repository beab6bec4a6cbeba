//! Shared with the tests of the provider.

/// Verbs that start a help text.
pub(crate) const IMPERATIVES: &[&str] = &[
    "Add", "Build", "Change", "Create", "Fix", "Indent", "Keep", "Lower", "Move", "Put", "Refer", "Remove",
    "Rename", "Replace", "Run", "Set", "Split", "Start", "Use", "Write",
];
