//! What the engine needs of a kind of object.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;

/// Tags of an object.
pub type Tags = BTreeMap<String, String>;

/// An object as it exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Its id.
    pub id: String,
    /// Its settings, as far as the kind has fields for them.
    pub settings: Settings,
    /// Attributes that only the cloud knows.
    pub attributes: BTreeMap<String, Json>,
    /// Its tags, for a kind that carries some.
    pub tags: Tags,
}

/// Observes, makes, changes and deletes objects of one kind.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Looks at an object; `None` when there is none.
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure>;

    /// Looks for an object whose id the cloud chose, by what it is for.
    async fn find(&self, _settings: &Settings) -> Result<Option<Observed>, Failure> {
        Ok(None)
    }

    /// Makes an object, with its tags in the same call.
    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure>;

    /// Whether an object that was just made or changed can be used; a passing failure while it cannot.
    async fn ready(&self, _id: &str) -> Result<(), Failure> {
        Ok(())
    }

    /// The fields that one call of the cloud changes: each part is an update of its own, and the object
    /// is ready before the next.
    fn parts<'a>(&self, fields: &[&'a str]) -> Vec<Vec<&'a str>> {
        vec![fields.to_vec()]
    }

    /// Changes the named fields of an object, those of one part.
    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure>;

    /// Sets and removes tags.
    async fn tag(&self, _id: &str, _set: &Tags, _remove: &[String]) -> Result<(), Failure> {
        Ok(())
    }

    /// Deletes an object. No error when it is gone.
    async fn delete(&self, id: &str) -> Result<(), Failure>;

    /// Whether a deleted object is not seen any more.
    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        Ok(self.observe(id).await?.is_none())
    }

    /// Deletes a part of what an object of a data kind holds, when it cannot be deleted otherwise;
    /// whether there may be more.
    async fn empty(&self, _id: &str) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Says what an object of a data kind holds; `None` when it is empty.
    async fn content(&self, _id: &str) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// Ids of objects of a kind with tags whose names begin as those of a project do; some may be others'.
    async fn list(&self, _project: &str) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    /// Objects of this kind that belong to those found so far, by role: for import.
    async fn belonging(
        &self,
        _found: &BTreeMap<String, Observed>,
    ) -> Result<Vec<(String, Observed)>, Failure> {
        Ok(Vec::new())
    }
}

/// What a create call gave.
#[derive(Clone, Debug, Default)]
pub struct Created {
    /// The id.
    pub id: String,
    /// Attributes that only the cloud knows.
    pub attributes: BTreeMap<String, Json>,
}

/// The drivers of every kind.
pub trait Drivers: Send + Sync {
    /// The driver of a kind.
    fn driver(&self, kind: &'static Kind) -> &dyn Driver;
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it means to the engine.
    pub class: Class,
    /// The call: `lambda:CreateFunction`.
    pub operation: String,
    /// The error's code, as the cloud names it.
    pub code: String,
    /// The error's message.
    pub message: String,
}

/// What a failure means to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// There is no such object.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// It passes: try again, for so long at the most.
    Passing(Duration),
    /// Everything else.
    Final,
}

impl Failure {
    /// A failure of our own, before any call.
    pub fn local(operation: &str, message: impl Into<String>) -> Self {
        Self {
            class: Class::Final,
            operation: operation.to_owned(),
            code: String::new(),
            message: message.into(),
        }
    }

    /// Whether a right is missing.
    pub fn is_denied(&self) -> bool {
        let denied = ["AccessDenied", "AuthorizationError", "Unauthorized", "NotAuthorized", "Forbidden"];
        denied.iter().any(|word| self.code.contains(word))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code.as_str() {
            "" => write!(f, "{}: {}", self.operation, self.message),
            code => write!(f, "{}: {code}: {}", self.operation, self.message),
        }
    }
}
