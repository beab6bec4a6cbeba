//! Naming of a composite and its parts: names in AWS, and slots of objects.

use crate::context::Context;
use crate::expr::Expr;
use crate::names;

/// A composite, or a part inside another composite, e.g. the launcher of a thumbnailer.
pub(super) struct Part<'a> {
    pub(super) context: &'a Context,
    /// The name of the whole composite.
    pub(super) name: &'a str,
    within: &'a str,
}

impl<'a> Part<'a> {
    /// A composite that is a resource of its own.
    pub(super) fn new(context: &'a Context, name: &'a str) -> Self {
        Self { context, name, within: "" }
    }

    /// A part inside this composite.
    pub(super) fn within(&self, within: &'a str) -> Part<'a> {
        Part { within, ..*self }
    }

    /// The slot of the main objects: `slot` in a composite of its own, or the name of the part with
    /// underscores.
    pub(super) fn main(&self, slot: &str) -> String {
        if self.within.is_empty() { slot.to_owned() } else { self.within.replace('-', "_") }
    }

    /// The slot of any other object, prefixed with the name of the part.
    pub(super) fn slot(&self, slot: &str) -> String {
        if self.within.is_empty() {
            slot.to_owned()
        } else {
            format!("{}_{slot}", self.within.replace('-', "_"))
        }
    }

    /// The name in the form of a path, for ECR: a repository name must not contain two hyphens in a row.
    pub(super) fn path(&self) -> Expr {
        let Some(project) = &self.context.project else { return Expr::Unknown };
        let parts = [project, self.name, self.within].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("/").into()
    }

    /// The name of an object that is unique in its region.
    pub(super) fn regional(&self, part: &str, limit: usize) -> Expr {
        names::regional(self.context, self.name, &self.inner(part), limit)
    }

    /// The same name as a string; `None` if the project is not known.
    pub(super) fn regional_text(&self, part: &str, limit: usize) -> Option<String> {
        names::regional_text(self.context, self.name, &self.inner(part), limit)
    }

    /// The name of an object that is unique in its account.
    pub(super) fn global(&self, part: &str, limit: usize) -> Expr {
        names::global(self.context, self.name, &self.inner(part), limit)
    }

    /// The name of a bucket.
    pub(super) fn bucket(&self) -> Expr {
        names::bucket(self.context, self.name, self.within)
    }

    /// The name of a bucket in the namespace of the account.
    pub(super) fn own_bucket(&self) -> Expr {
        names::own_bucket(self.context, self.name, self.within)
    }

    fn inner(&self, part: &str) -> String {
        let parts = [self.within, part].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("--")
    }
}
