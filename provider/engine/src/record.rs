//! The record: the list of objects that a composite owns. The state contains it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::composite::Settings;
use tandem_model::graph::Key;
use tandem_model::kind::Kind;
use tandem_model::{kinds, names};

use crate::canonical;
use crate::difference::Difference;

/// The objects that a composite owns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The random string in the tag `tandem:instance` of every object of this state.
    pub instance: String,
    /// The objects.
    pub objects: BTreeMap<Key, Entry>,
}

/// One object that a composite owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The name of its kind. A later provider may have no such role any more, but has the kind.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: String,
    /// The digest of its settings.
    pub digest: String,
    /// Its settings as shown: one line of JSON without secrets.
    pub line: String,
    /// Its ARN, if it has one.
    pub arn: Option<String>,
    /// Attributes that the cloud assigned.
    pub attributes: BTreeMap<String, String>,
    /// The objects that must be created before it, and deleted after it.
    pub needs: Vec<Key>,
    /// True for the anchor.
    pub anchor: bool,
    /// The differences that the last read found. After an apply there are none.
    pub differences: Vec<Difference>,
}

impl Entry {
    /// Its kind; `None` if this version does not support it.
    pub fn kind(&self) -> Option<&'static Kind> {
        kinds::find(&self.kind)
    }

    /// Its settings as shown.
    pub fn settings(&self) -> Settings {
        canonical::parse_line(&self.line)
    }

    /// The attributes of an object that do not follow from its settings, as a record contains them.
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
    /// A digest of the keys of the recorded objects. Their settings do not count.
    pub fn digest(&self) -> String {
        digest(self.objects.keys())
    }

    /// This record without differences, as after an apply.
    pub fn settled(mut self) -> Self {
        self.objects.values_mut().for_each(|entry| entry.differences.clear());
        self
    }

    /// The anchor and its key.
    pub fn anchor(&self) -> Option<(&Key, &Entry)> {
        self.objects.iter().find(|(_, entry)| entry.anchor)
    }
}

/// A digest of keys. Their order does not count.
pub(crate) fn digest<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let keys: BTreeSet<&str> = keys.map(Key::as_str).collect();
    names::hash(&keys.into_iter().collect::<Vec<_>>().join("\n"))
}
