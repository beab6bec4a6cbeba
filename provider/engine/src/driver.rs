//! The interface between the engine and the kinds of objects.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::kind::Kind;

/// Tags of an object.
pub type Tags = BTreeMap<String, String>;

/// An existing object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Its id.
    pub id: String,
    /// Its settings: the values of the fields of its kind.
    pub settings: Settings,
    /// Attributes that the cloud assigned.
    pub attributes: BTreeMap<String, Json>,
    /// Its tags, if its kind supports tags.
    pub tags: Tags,
}

/// Reads, creates, changes and deletes objects of one kind.
///
/// # Examples
///
/// A driver whose objects are in a map:
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use tandem_engine::driver::{Created, Driver, Failure, Observed, Tags};
/// use tandem_model::composite::Settings;
///
/// #[derive(Default)]
/// struct Boxes(Mutex<BTreeMap<String, Observed>>);
///
/// #[async_trait::async_trait]
/// impl Driver for Boxes {
///     async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
///         Ok(self.0.lock().expect("no panic").get(id).cloned())
///     }
///
///     async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure> {
///         let Some(id) = settings.get("name").and_then(|name| name.as_str()) else {
///             return Err(Failure::local("create", "the name is missing"));
///         };
///         let (id, settings, tags) = (id.to_owned(), settings.clone(), tags.clone());
///         let observed = Observed { id: id.clone(), settings, tags, ..Observed::default() };
///         self.0.lock().expect("no panic").insert(id.clone(), observed);
///         Ok(Created { id, ..Created::default() })
///     }
///
///     async fn update(&self, id: &str, _fields: &[&str], settings: &Settings) -> Result<(), Failure> {
///         if let Some(found) = self.0.lock().expect("no panic").get_mut(id) {
///             found.settings = settings.clone();
///         }
///         Ok(())
///     }
///
///     async fn delete(&self, id: &str) -> Result<(), Failure> {
///         self.0.lock().expect("no panic").remove(id);
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(async {
/// let boxes = Boxes::default();
/// let settings = Settings::from([("name".to_owned(), "a".into())]);
/// let made = boxes.create(&settings, &Tags::new()).await.expect("no fault");
/// assert!(boxes.observe(&made.id).await.expect("no fault").is_some());
/// boxes.delete(&made.id).await.expect("no fault");
/// assert!(boxes.is_gone(&made.id).await.expect("no fault"));
/// # });
/// ```
#[async_trait]
pub trait Driver: Send + Sync {
    /// Reads an object; `None` if it does not exist.
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure>;

    /// Longest time for which a read may return the settings from before a change. A read shows a difference only if it
    /// lasts so long.
    fn settling(&self) -> Duration {
        Duration::ZERO
    }

    /// Finds an object by its settings, for a kind whose ids the cloud chooses.
    async fn find(&self, _settings: &Settings) -> Result<Option<Observed>, Failure> {
        Ok(None)
    }

    /// Creates an object, with its tags in the same call.
    ///
    /// The engine repeats the call after a temporary failure, although the failed call may have created the
    /// object. The repeated call must not create a second one: it returns the object, or fails with
    /// [`Class::AlreadyExists`].
    async fn create(&self, settings: &Settings, tags: &Tags) -> Result<Created, Failure>;

    /// Checks if an object can be used after a create or an update. Until then the result is a failure of
    /// [`Class::Passing`].
    async fn ready(&self, _id: &str) -> Result<(), Failure> {
        Ok(())
    }

    /// Groups fields into parts: one call of the cloud changes all fields of a part. Each part is an update
    /// of its own, and the engine waits until the object is ready before the next.
    fn parts<'a>(&self, fields: &[&'a str]) -> Vec<Vec<&'a str>> {
        vec![fields.to_vec()]
    }

    /// Changes the given fields of an object, those of one part.
    async fn update(&self, id: &str, fields: &[&str], settings: &Settings) -> Result<(), Failure>;

    /// The name with which [`Self::add_tags`] and [`Self::remove_tags`] identify an object, e.g. its ARN. By
    /// default it is the id.
    async fn tagged_as(&self, id: &str) -> Result<String, Failure> {
        Ok(id.to_owned())
    }

    /// Sets tags of an object.
    async fn add_tags(&self, _target: &str, _tags: &Tags) -> Result<(), Failure> {
        Ok(())
    }

    /// Removes tags of an object.
    async fn remove_tags(&self, _target: &str, _keys: &[String]) -> Result<(), Failure> {
        Ok(())
    }

    /// Sets and removes tags.
    async fn tag(&self, id: &str, set: &Tags, remove: &[String]) -> Result<(), Failure> {
        let target = self.tagged_as(id).await?;
        if !set.is_empty() {
            self.add_tags(&target, set).await?;
        }
        if !remove.is_empty() {
            self.remove_tags(&target, remove).await?;
        }
        Ok(())
    }

    /// Deletes an object. It is no error if the object does not exist.
    async fn delete(&self, id: &str) -> Result<(), Failure>;

    /// Returns true once a deleted object is no longer visible.
    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        Ok(self.observe(id).await?.is_none())
    }

    /// Deletes a part of the content of a data object, if only an empty object can be deleted. Returns true
    /// if there may be more.
    async fn empty(&self, _id: &str) -> Result<bool, Failure> {
        Ok(false)
    }

    /// Describes the content of a data object, e.g. `3 messages`; `None` if it is empty.
    async fn content(&self, _id: &str) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// Lists the ids of objects whose names have the prefix of a project, for a kind that supports tags. Some
    /// may belong to other owners.
    async fn list(&self, _project: &str) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    /// Finds the objects of this kind that hang on another object, e.g. the policies of a role. A parent of
    /// any other kind has none.
    async fn children(&self, _parent: &'static Kind, _observed: &Observed) -> Result<Vec<Observed>, Failure> {
        Ok(Vec::new())
    }
}

/// The result of a create call.
#[derive(Clone, Debug, Default)]
pub struct Created {
    /// The id.
    pub id: String,
    /// Attributes that the cloud assigned.
    pub attributes: BTreeMap<String, Json>,
}

/// The drivers of every kind.
pub trait Drivers: Send + Sync {
    /// The driver of a kind.
    fn driver(&self, kind: &'static Kind) -> &dyn Driver;
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reaction of the engine.
    pub class: Class,
    /// True if the credentials do not allow the call.
    pub denied: bool,
    /// The call, e.g. `service:CreateObject`.
    pub operation: String,
    /// The code of the error, from the cloud.
    pub code: String,
    /// The message of the error.
    pub message: String,
}

/// The reaction of the engine to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The object does not exist.
    NotFound,
    /// The object exists already.
    AlreadyExists,
    /// A temporary failure: the engine retries for at most this time.
    Passing(Duration),
    /// Any other failure.
    Final,
}

impl Failure {
    /// A failure in the provider itself, before any call.
    pub fn local(operation: &str, message: impl Into<String>) -> Self {
        Self {
            class: Class::Final,
            denied: false,
            operation: operation.to_owned(),
            code: String::new(),
            message: message.into(),
        }
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

impl std::error::Error for Failure {}
