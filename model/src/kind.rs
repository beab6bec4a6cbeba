//! Kinds of AWS objects: which fields they have, which of them are immutable, what names them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::expr::Place;

/// A kind of AWS object, named as its `aws_…` resource is.
#[derive(Debug)]
pub struct Kind {
    /// `lambda_function`
    pub name: &'static str,
    /// For people: "Lambda function".
    pub title: &'static str,
    /// The service whose endpoint and limits it uses: `lambda`.
    pub service: &'static str,
    /// Its fields.
    pub fields: &'static [KindField],
    /// Its id, as a template over fields and place; `None` when AWS chooses the id.
    pub id: Option<&'static str>,
    /// What it gives to others: name and template. Without a template it is known only once made.
    pub attributes: &'static [(&'static str, Option<&'static str>)],
    /// Whether it carries our tags, from its create call on.
    pub tags: bool,
    /// Whether its create call fails when it exists (else it is looked for first).
    pub exclusive: bool,
    /// Whether it holds a user's data: never deleted full, never replaced, without `force_destroy`.
    pub data: bool,
    /// Whether its name holds a hash of account and region: an empty one without tags that has
    /// exactly this name counts as ours.
    pub hashed_name: bool,
    /// What IAM must allow whoever makes, changes and deletes such objects.
    pub access: &'static [Access],
}

/// Actions of IAM on what a template like that of the id names. Where one of its fields is not set, it does
/// not apply: the right to use a key, without a key.
#[derive(Debug)]
pub struct Access {
    /// The resource.
    pub resource: &'static str,
    /// The actions.
    pub actions: &'static [&'static str],
    /// Whether only a composite that may delete what its objects hold needs them.
    pub to_empty: bool,
    /// Whether only a sweep needs them, which looks for objects that no state has.
    pub to_sweep: bool,
}

/// Actions on a resource.
pub const fn access(resource: &'static str, actions: &'static [&'static str]) -> Access {
    Access { resource, actions, to_empty: false, to_sweep: false }
}

impl Access {
    /// The same, to empty an object before its delete.
    pub const fn to_empty(self) -> Self {
        Self { to_empty: true, ..self }
    }

    /// The same, to find what no state has.
    pub const fn to_sweep(self) -> Self {
        Self { to_sweep: true, ..self }
    }
}

/// A field of a kind.
#[derive(Debug)]
pub struct KindField {
    /// Its name, as in the `aws_…` resource.
    pub name: &'static str,
    /// How it behaves.
    pub role: Role,
    /// How its value is compared and shown.
    pub form: Form,
    /// Whether leaving it out means that it must not be set; else AWS's default stands.
    pub optional: bool,
    /// An attribute that a change of the field gives another value.
    pub renews: Option<&'static str>,
}

/// How a field behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Changed in place.
    Mutable,
    /// A change replaces the object.
    Immutable,
    /// Immutable, and names an object that this one does not outlive: when that is replaced, this is
    /// made again.
    Parent,
}

/// How the value of a field is compared and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// A list without order.
    Set,
    /// An IAM policy document.
    Policy,
    /// A map whose values are shown as digests only.
    SecretMap,
    /// How to make the object, such as the path of a file: neither compared nor shown.
    Recipe,
}

/// A field that can be changed in place.
pub const fn field(name: &'static str) -> KindField {
    KindField { name, role: Role::Mutable, form: Form::Plain, optional: false, renews: None }
}

impl KindField {
    /// The same, immutable.
    pub const fn immutable(self) -> Self {
        Self { role: Role::Immutable, ..self }
    }

    /// The same, naming the parent.
    pub const fn parent(self) -> Self {
        Self { role: Role::Parent, ..self }
    }

    /// The same, not set when it is left out.
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The same, giving an attribute another value.
    pub const fn renews(self, attribute: &'static str) -> Self {
        Self { renews: Some(attribute), ..self }
    }

    /// The same, in another form.
    pub const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }
}

impl Kind {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&KindField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The id of an object with these settings, when it can be told beforehand.
    pub fn predict_id(
        &self,
        settings: &BTreeMap<String, Json>,
        place: &dyn Fn(Place) -> Option<String>,
    ) -> Option<String> {
        fill(self.id?, settings, place)
    }

    /// An attribute of an object with these settings, when it can be told beforehand.
    pub fn predict(
        &self,
        attribute: &str,
        settings: &BTreeMap<String, Json>,
        place: &dyn Fn(Place) -> Option<String>,
    ) -> Option<String> {
        let template = self.attributes.iter().find(|(name, _)| *name == attribute)?.1;
        match template {
            Some(template) => fill(template, settings, place),
            // A field of the same name gives itself.
            None => settings.get(attribute).and_then(Json::as_str).map(ToOwned::to_owned),
        }
    }
}

/// Fills `{field}`, `{account}`, `{region}` and `{partition}`.
pub(crate) fn fill(
    template: &str,
    settings: &BTreeMap<String, Json>,
    place: &dyn Fn(Place) -> Option<String>,
) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        let value = match name {
            "account" => place(Place::Account)?,
            "region" => place(Place::Region)?,
            "partition" => place(Place::Partition)?,
            field => settings.get(field)?.as_str()?.to_owned(),
        };
        filled.push_str(&value);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn templates_name_fields_and_places_only() {
        for kind in kinds::ALL {
            let access = kind.access.iter().map(|access| access.resource);
            let attributes = kind.attributes.iter().filter_map(|(_, template)| *template);
            let templates = attributes.chain(kind.id).chain(access);
            for template in templates {
                for part in template.split('{').skip(1) {
                    let name = part.split_once('}').expect("a closed brace").0;
                    let known =
                        ["account", "region", "partition"].contains(&name) || kind.field(name).is_some();
                    assert!(known, "{}: {template} names {name}", kind.name);
                }
            }
        }
    }

    #[test]
    fn an_arn_is_predicted() {
        let settings = BTreeMap::from([("name".to_owned(), "r".into()), ("path".to_owned(), "/p/".into())]);
        let place = |place| Some(if place == Place::Partition { "aws" } else { "123456789012" }.to_owned());
        let arn = kinds::iam::ROLE.predict("arn", &settings, &place);
        assert_eq!(arn.as_deref(), Some("arn:aws:iam::123456789012:role/p/r"));
        assert_eq!(kinds::iam::ROLE.predict("arn", &settings, &|_| None), None);
    }
}
