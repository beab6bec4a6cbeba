//! What a part of a composite is called: its names in AWS, and the roles of its objects.

use crate::context::Context;
use crate::expr::Expr;
use crate::names;

/// A composite, or one inside another, such as the launcher inside a thumbnailer.
pub(super) struct Part<'a> {
    pub(super) context: &'a Context,
    /// The name of the whole composite.
    pub(super) name: &'a str,
    within: &'a str,
}

impl<'a> Part<'a> {
    /// A composite that stands by itself.
    pub(super) fn new(context: &'a Context, name: &'a str) -> Self {
        Self { context, name, within: "" }
    }

    /// A part inside this composite.
    pub(super) fn within(&self, within: &'a str) -> Part<'a> {
        Part { within, ..*self }
    }

    /// The role of the main objects: their own by themselves, the part's inside of another.
    pub(super) fn main(&self, role: &str) -> String {
        if self.within.is_empty() { role.to_owned() } else { self.within.replace('-', "_") }
    }

    /// The role of an object beside the main ones.
    pub(super) fn role(&self, role: &str) -> String {
        if self.within.is_empty() {
            role.to_owned()
        } else {
            format!("{}_{role}", self.within.replace('-', "_"))
        }
    }

    /// A name of folders: for ECR, which allows no two hyphens in a row.
    pub(super) fn path(&self) -> Expr {
        let Some(project) = &self.context.project else { return Expr::Unknown };
        let parts = [project, self.name, self.within].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("/").into()
    }

    /// The name of an object that is unique in its region.
    pub(super) fn regional(&self, role: &str, limit: usize) -> Expr {
        names::regional(self.context, self.name, &self.inner(role), limit)
    }

    /// The same as a text, when the project is known.
    pub(super) fn regional_text(&self, role: &str, limit: usize) -> Option<String> {
        names::regional_text(self.context, self.name, &self.inner(role), limit)
    }

    /// The name of an object that is unique in its account.
    pub(super) fn global(&self, role: &str, limit: usize) -> Expr {
        names::global(self.context, self.name, &self.inner(role), limit)
    }

    /// The name of a bucket.
    pub(super) fn bucket(&self) -> Expr {
        names::bucket(self.context, self.name, self.within)
    }

    fn inner(&self, role: &str) -> String {
        let parts = [self.within, role].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("--")
    }
}
