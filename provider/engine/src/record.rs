//! What a composite owns, object by object: the record that the state holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::graph::Key;
use tandem_model::kind::Kind;
use tandem_model::{kinds, names};

use crate::canonical;

/// What a composite owns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The random text in the tags of everything that belongs to this state.
    pub instance: String,
    /// The objects.
    pub objects: BTreeMap<Key, Entry>,
}

/// One object that a composite owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its kind, by name: a later provider may not know the role any more, but knows the kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Where it is.
    pub region: String,
    /// Whose it is.
    pub account: String,
    /// The digest of its settings.
    pub digest: String,
    /// Its settings as shown: one line of JSON without secrets.
    pub line: String,
    /// Its ARN, when it has one.
    pub arn: Option<String>,
    /// Attributes that only the cloud knew.
    pub attributes: BTreeMap<String, String>,
    /// What had to exist before it, and must be deleted after it.
    pub needs: Vec<Key>,
    /// Whether it is the anchor.
    pub anchor: bool,
}

impl Entry {
    /// Its kind; `None` for one that this version does not know.
    pub fn kind(&self) -> Option<&'static Kind> {
        kinds::find(&self.kind)
    }

    /// Its settings as shown.
    pub fn settings(&self) -> Settings {
        canonical::parse_line(&self.line)
    }

    /// Those of an object's attributes that cannot be told from its settings, as a record keeps them.
    pub fn lasting(kind: &Kind, attributes: &BTreeMap<String, Json>) -> BTreeMap<String, String> {
        let unpredictable = attributes.iter().filter(|(name, _)| {
            let declared = kind.attributes.iter().find(|(attribute, _)| attribute == name);
            declared.is_some_and(|(name, template)| template.is_none() && kind.field(name).is_none())
        });
        unpredictable
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect()
    }
}

impl Record {
    /// A digest of which objects are recorded, whatever their settings.
    pub fn digest(&self) -> String {
        digest(self.objects.keys())
    }

    /// The anchor and its key.
    pub fn anchor(&self) -> Option<(&Key, &Entry)> {
        self.objects.iter().find(|(_, entry)| entry.anchor)
    }
}

/// A digest of keys, in whatever order.
pub(crate) fn digest<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let keys: BTreeSet<&str> = keys.map(Key::as_str).collect();
    names::hash(&keys.into_iter().collect::<Vec<_>>().join("\n"))
}
