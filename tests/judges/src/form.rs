//! Decodes forms: the protocols `query` and `ec2`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::shape::{Shape, Type, typed};

/// The members of a form. The error names keys that belong to no member.
pub(crate) fn read(shape: Shape, pairs: Vec<(String, String)>, is_ec2: bool) -> Result<Json, String> {
    let mut form = Form { pairs: pairs.into_iter().collect(), is_ec2 };
    form.pairs.remove("Action");
    form.pairs.remove("Version");
    let members = form.structure("", shape);
    match form.pairs.keys().next() {
        Some(key) => Err(format!("`{key}` is the name of no member")),
        None => Ok(members.unwrap_or_else(|| Map::new().into())),
    }
}

struct Form {
    /// Keys that are not read yet.
    pairs: BTreeMap<String, String>,
    is_ec2: bool,
}

impl Form {
    fn value(&mut self, prefix: &str, shape: Shape) -> Option<Json> {
        match shape.ty() {
            Type::Structure => self.structure(prefix, shape),
            Type::List => self.list(prefix, shape),
            Type::Map => self.map(prefix, shape),
            _ => self.pairs.remove(prefix).map(|text| typed(shape, &text)),
        }
    }

    fn structure(&mut self, prefix: &str, shape: Shape) -> Option<Json> {
        let mut members = Map::new();
        for (name, member) in shape.members() {
            let name_there = self.name(name, member);
            let key = if prefix.is_empty() { name_there } else { format!("{prefix}.{name_there}") };
            if let Some(value) = self.value(&key, member) {
                members.insert(name.to_owned(), value);
            }
        }
        (!members.is_empty()).then(|| members.into())
    }

    fn name(&self, name: &str, member: Shape) -> String {
        if !self.is_ec2 {
            return member.location_name().unwrap_or(name).to_owned();
        }
        member.query_name().map_or_else(
            || {
                let name = member.location_name().unwrap_or(name);
                let mut letters = name.chars();
                letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
            },
            ToOwned::to_owned,
        )
    }

    fn list(&mut self, prefix: &str, shape: Shape) -> Option<Json> {
        // An empty list is an empty value.
        if self.pairs.get(prefix).is_some_and(String::is_empty) {
            self.pairs.remove(prefix);
            return Some(Json::Array(Vec::new()));
        }
        let prefix = if self.is_ec2 {
            prefix.to_owned()
        } else if shape.is_flattened() {
            match (shape.item().location_name(), prefix.rsplit_once('.')) {
                (Some(name), Some((parent, _))) => format!("{parent}.{name}"),
                (Some(name), None) => name.to_owned(),
                (None, _) => prefix.to_owned(),
            }
        } else {
            format!("{prefix}.{}", shape.item().location_name().unwrap_or("member"))
        };
        let items: Vec<Json> =
            (1..).map_while(|number| self.value(&format!("{prefix}.{number}"), shape.item())).collect();
        (!items.is_empty()).then(|| items.into())
    }

    fn map(&mut self, prefix: &str, shape: Shape) -> Option<Json> {
        let prefix = if shape.is_flattened() { prefix.to_owned() } else { format!("{prefix}.entry") };
        let key = shape.key().location_name().unwrap_or("key");
        let value = shape.value().location_name().unwrap_or("value");
        let mut entries = Map::new();
        for number in 1.. {
            let Some(name) = self.pairs.remove(&format!("{prefix}.{number}.{key}")) else { break };
            let value = self.value(&format!("{prefix}.{number}.{value}"), shape.value());
            entries.insert(name, value.unwrap_or_default());
        }
        (!entries.is_empty()).then(|| entries.into())
    }
}
