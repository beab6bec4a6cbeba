//! The ownership of objects: tags that every create call sets.

use std::fmt;

/// The tag with the composite that an object belongs to, e.g. `shop/eu-central-1/bucket/inbox`.
pub const OWNER: &str = "tandem:owner";
/// The tag with the state that an object belongs to: a random string, which the state contains as well.
pub const INSTANCE: &str = "tandem:instance";
/// The tag with the key of an object in its graph, e.g. `lambda_event_source_mapping.on_orders`.
pub const KEY: &str = "tandem:key";
/// The tag of the anchor with the status of the composite. `complete` has a digest of the keys of its
/// objects, `creating` has the end of the lease.
pub const STATUS: &str = "tandem:status";

/// The most of these tags that one object has.
pub const OWN_TAGS: usize = [OWNER, INSTANCE, KEY, STATUS].len();

/// Returns true for a tag that users must not set.
pub fn is_reserved(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.starts_with("tandem:") || key.starts_with("aws:")
}

/// The composite that an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The project.
    pub project: String,
    /// The region.
    pub region: String,
    /// The type of the composite, e.g. `event_function`.
    pub composite: String,
    /// Its name.
    pub name: String,
}

impl Owner {
    /// Parses the value of the tag; `None` for a value that Tandem does not write.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [project, region, composite, name] = parts[..] else { return None };
        let known = parts.iter().all(|part| !part.is_empty());
        known.then(|| Self {
            project: project.to_owned(),
            region: region.to_owned(),
            composite: composite.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.project, self.region, self.composite, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_survives_its_tag() {
        let text = "shop/eu-central-1/bucket/inbox";
        assert_eq!(Owner::parse(text).expect("an owner").to_string(), text);
        for bad in ["", "shop", "shop/eu-central-1/bucket", "shop/eu-central-1//inbox", "a/b/c/d/e"] {
            assert_eq!(Owner::parse(bad), None, "{bad}");
        }
    }
}
