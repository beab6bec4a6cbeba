//! Kinds of AWS objects: their fields, ids, ARNs and IAM permissions.

pub mod call;
pub mod declare;
pub mod documented;
pub mod place;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use self::documented::Documented;
use self::place::{Beside, Resource, Written};
use crate::ambient::Ambient;

/// A kind of AWS object, with the same name as its `aws_…` resource.
#[derive(Debug)]
pub struct Kind {
    /// The name, e.g. `lambda_function`.
    pub name: &'static str,
    /// The name in messages, e.g. "Lambda function".
    pub title: &'static str,
    /// The service whose endpoint and limits it uses, e.g. `lambda`.
    pub service: &'static str,
    /// Its fields.
    pub fields: &'static [KindField],
    /// The template of its id, over fields and place; `None` if AWS chooses the id.
    pub id: Option<&'static str>,
    /// The names and templates of its attributes. Without a template, an attribute is the field of the same
    /// name, or is known only after the create call.
    pub attributes: &'static [(&'static str, Option<&'static str>)],
    /// True if it supports tags. The create call sets them.
    pub tags: bool,
    /// True if the create call fails for an object that exists. Objects of other kinds are looked up before
    /// the create call.
    pub exclusive: bool,
    /// True if it holds the user's data. Without `force_destroy` it is never replaced, and never deleted
    /// unless it is empty.
    pub data: bool,
    /// The field with the id or ARN of another object whose delete call also deletes this one. AWS documents it for
    /// settings of buckets, queues and topics, and for the parts of a function and of an HTTP API. It is left out where
    /// AWS deletes such objects later, e.g. the subscriptions of a topic.
    pub goes_with: Option<&'static str>,
    /// True if its name contains a hash of account and region. An empty object without tags that has exactly
    /// this name belongs to the composite.
    pub hashed_name: bool,
    /// The IAM permissions to create, change and delete such objects.
    pub access: &'static [Access],
    /// Limits that AWS documents, besides those of [`limits`](crate::limits).
    pub documented: &'static [Documented],
    /// The member of the create call that sets the tags, e.g. `CreateFunction.Tags`: AWS publishes the limits of tags per
    /// service.
    pub tags_member: Option<&'static str>,
    /// The resource of hashicorp/aws.
    pub resource: Resource,
    /// Attributes of the resource of hashicorp/aws that no field sets.
    pub beside: &'static [Beside],
    /// Attributes that have another name in hashicorp/aws: both names.
    pub renamed: &'static [(&'static str, &'static str)],
    /// The resource type of CloudFormation with its fields, e.g. `AWS::SQS::Queue`. A kind with the type of its parent
    /// is a part of the parent there.
    pub cloudformation: Option<&'static str>,
    /// Its look in pictures; `None` if it is not drawn.
    pub look: Option<Look>,
}

/// The look of an object in pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A bucket.
    Bucket,
    /// An event bus.
    Bus,
    /// A container.
    Container,
    /// A source of events, e.g. a schedule.
    Event,
    /// A function.
    Function,
    /// A queue.
    Queue,
    /// A stream.
    Stream,
    /// A table.
    Table,
    /// A topic.
    Topic,
    /// A workflow.
    Workflow,
}

/// IAM actions on a resource. They apply only if every field in the template of the resource is set. For
/// example, the permission for a KMS key applies only if a key is set.
#[derive(Debug)]
pub struct Access {
    /// The template of the resource, like that of an id.
    pub resource: &'static str,
    /// The actions.
    pub actions: &'static [&'static str],
    /// True if the actions only empty an object before its delete, which needs `force_destroy`.
    pub to_empty: bool,
    /// True if the actions only list objects: for a sweep, and for objects that inputs name.
    pub to_sweep: bool,
    /// The service in the ARN of the resource. Resources of other services do not have these actions.
    pub only: Option<&'static str>,
}

/// Actions on a resource.
pub const fn access(resource: &'static str, actions: &'static [&'static str]) -> Access {
    Access { resource, actions, to_empty: false, to_sweep: false, only: None }
}

impl Access {
    /// The same, to empty an object before its delete.
    pub const fn to_empty(self) -> Self {
        Self { to_empty: true, ..self }
    }

    /// The same, only for resources of this service.
    pub const fn only(self, service: &'static str) -> Self {
        Self { only: Some(service), ..self }
    }

    /// Returns false if the ARN of a resource is known to be that of another service.
    pub fn is_of(&self, resource: &str) -> bool {
        let service = resource.split(':').nth(2).filter(|service| !service.contains('*'));
        self.only.is_none() || service.is_none() || service == self.only
    }

    /// The same, to list objects.
    pub const fn to_sweep(self) -> Self {
        Self { to_sweep: true, ..self }
    }
}

/// A field of a kind.
#[derive(Debug)]
pub struct KindField {
    /// Its name, as in the `aws_…` resource.
    pub name: &'static str,
    /// The type of its value.
    pub ty: Type,
    /// The effect of a change.
    pub change: Change,
    /// How its value is compared and shown.
    pub form: Form,
    /// True if the field must not be set when it is left out. Otherwise a missing field keeps the default of
    /// AWS.
    pub optional: bool,
    /// True if every object has the field.
    pub required: bool,
    /// The member of a request that the field sets, e.g. `CreateFunction.VpcConfig.SubnetIds`. AWS publishes the limits of
    /// its members.
    pub member: Option<&'static str>,
    /// The property of [`Kind::cloudformation`] that is the same field, e.g. `DelaySeconds`. Its schema has the limits of
    /// services whose API has none. Otherwise the property has the name of the member or of the field; it is empty if there
    /// is none. A name with brackets is a list with one item, and a name with a mark an item of a list, e.g.
    /// `KeySchema#hash.AttributeName`.
    pub property: Option<&'static str>,
    /// The attribute that gets a new value when this field changes, e.g. the ARN of the stream of a table.
    pub renews: Option<&'static str>,
    /// The path of the attribute in the resource of hashicorp/aws, if it is not an attribute of the same name; empty if
    /// there is none. Names of blocks come before a dot: `target.retry_policy.maximum_retry_attempts`. A name and a
    /// mark is one of several blocks of that name: `attribute#hash.type`. A member of the objects in a list of JSON:
    /// `container_definitions[].image`. An attribute of a second resource begins with its type:
    /// `@ecs_cluster_capacity_providers.capacity_providers`.
    pub place: Option<&'static str>,
    /// The form of its value there.
    pub written: Written,
}

/// The type of the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string.
    Text,
    /// An integer.
    Number,
    /// True or false.
    Flag,
    /// A list of strings.
    Texts,
    /// A map of strings.
    TextMap,
    /// A JSON document, which calls take as a string.
    Document,
}

/// The effect of a change of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The field changes in place.
    InPlace,
    /// The object is replaced.
    Replaces,
    /// The object is replaced. The field refers to the parent: if the parent is replaced, so is this object.
    WithParent,
}

/// How the value of a field is compared and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As is.
    Plain,
    /// A list whose order does not count.
    Set,
    /// An IAM policy document.
    Policy,
    /// A map whose values are shown as digests only.
    SecretMap,
    /// Instructions for the create call, e.g. the path of a file: neither compared nor shown.
    Recipe,
}

/// A field that can be changed in place.
pub const fn field(name: &'static str, ty: Type) -> KindField {
    KindField {
        name,
        ty,
        change: Change::InPlace,
        form: Form::Plain,
        optional: false,
        required: true,
        member: None,
        property: None,
        renews: None,
        place: None,
        written: Written::AsIs,
    }
}

impl KindField {
    /// The same, immutable.
    pub const fn immutable(self) -> Self {
        Self { change: Change::Replaces, ..self }
    }

    /// The same, as the reference to the parent.
    pub const fn parent(self) -> Self {
        Self { change: Change::WithParent, ..self }
    }

    /// The same, optional.
    pub const fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// The same, with an attribute that gets a new value when the field changes.
    pub const fn renews(self, attribute: &'static str) -> Self {
        Self { renews: Some(attribute), ..self }
    }

    /// The same, with a name.
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The same, of an object that need not have it.
    pub const fn of_some(self) -> Self {
        Self { required: false, ..self }
    }

    /// The same, with the member of a request that it sets.
    pub const fn sets(self, member: &'static str) -> Self {
        Self { member: Some(member), ..self }
    }

    /// The same, with the property of CloudFormation that it is.
    pub const fn property(self, property: &'static str) -> Self {
        Self { property: Some(property), ..self }
    }

    /// The same, at another place in the resource of hashicorp/aws.
    pub const fn at(self, place: &'static str) -> Self {
        Self { place: Some(place), ..self }
    }

    /// The same, without a counterpart in hashicorp/aws.
    pub const fn nowhere(self) -> Self {
        self.at("")
    }

    /// The same, written in another form.
    pub const fn written(self, written: Written) -> Self {
        Self { written, ..self }
    }

    /// The same, in another form.
    pub const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }
}

impl Kind {
    /// A kind without fields, whose declaration names only what differs.
    pub const DEFAULT: Self = Self {
        name: "",
        title: "",
        service: "",
        fields: &[],
        id: None,
        attributes: &[],
        tags: false,
        exclusive: false,
        data: false,
        goes_with: None,
        hashed_name: false,
        access: &[],
        documented: &[],
        tags_member: None,
        resource: Resource::Own,
        beside: &[],
        renamed: &[],
        cloudformation: None,
        look: None,
    };

    /// The field with that name.
    pub fn field(&self, name: &str) -> Option<&KindField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The id of an object with these settings, if it is predictable.
    pub fn predict_id(
        &self,
        settings: &BTreeMap<String, Json>,
        place: &dyn Fn(Ambient) -> Option<String>,
    ) -> Option<String> {
        fill(self.id?, settings, place)
    }

    /// Returns true if the value of an attribute follows from this field.
    pub fn predicts_from(&self, attribute: &str, field: &str) -> bool {
        let known = self.attributes.iter().find(|(name, _)| *name == attribute);
        match known.and_then(|(_, template)| *template) {
            Some(template) => names_field(template, field),
            None => attribute == field,
        }
    }

    /// An attribute of an object with these settings, if it is predictable.
    pub fn predict(
        &self,
        attribute: &str,
        settings: &BTreeMap<String, Json>,
        place: &dyn Fn(Ambient) -> Option<String>,
    ) -> Option<String> {
        let template = self.attributes.iter().find(|(name, _)| *name == attribute)?.1;
        match template {
            Some(template) => fill(template, settings, place),
            // The attribute is the field of the same name.
            None => settings.get(attribute).and_then(Json::as_str).map(ToOwned::to_owned),
        }
    }
}

/// Returns true if a template contains `{field}` or `{field?…}`.
pub(crate) fn names_field(template: &str, field: &str) -> bool {
    template.contains(&format!("{{{field}}}")) || template.contains(&format!("{{{field}?"))
}

/// Fills in `{field}`, `{account}`, `{region}` and `{partition}`; `None` if a value is missing. `{field?/}` is the
/// field and a slash, or nothing for an object without the field. A field that is there, but is no string, is not
/// known.
pub(crate) fn fill(
    template: &str,
    settings: &BTreeMap<String, Json>,
    place: &dyn Fn(Ambient) -> Option<String>,
) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        let (name, after_value) =
            name.split_once('?').map_or((name, None), |(name, text)| (name, Some(text)));
        let value = match name {
            field if after_value.is_some() && !settings.contains_key(field) => String::new(),
            "account" => place(Ambient::Account)?,
            "region" => place(Ambient::Region)?,
            "partition" => place(Ambient::Partition)?,
            field => settings.get(field)?.as_str()?.to_owned() + after_value.unwrap_or_default(),
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
                    let name = name.split('?').next().unwrap_or(name);
                    let known =
                        ["account", "region", "partition"].contains(&name) || kind.field(name).is_some();
                    assert!(known, "{}: {template} refers to {name}", kind.name);
                }
            }
        }
    }

    #[test]
    fn an_arn_is_predicted() {
        let settings = BTreeMap::from([("name".to_owned(), "r".into()), ("path".to_owned(), "/p/".into())]);
        let place = |place| Some(if place == Ambient::Partition { "aws" } else { "123456789012" }.to_owned());
        let arn = kinds::iam::ROLE.predict("arn", &settings, &place);
        assert_eq!(arn.as_deref(), Some("arn:aws:iam::123456789012:role/p/r"));
        assert_eq!(kinds::iam::ROLE.predict("arn", &settings, &|_| None), None);
    }

    #[test]
    fn an_optional_part_of_an_id_needs_its_field() {
        let id = |settings: Json| {
            let settings = serde_json::from_value(settings).expect("a map");
            kinds::events::RULE.predict_id(&settings, &|_| None)
        };
        assert_eq!(id(serde_json::json!({ "name": "r" })).as_deref(), Some("r"));
        assert_eq!(id(serde_json::json!({ "name": "r", "event_bus_name": "b" })).as_deref(), Some("b/r"));
        // It is there, but not known yet.
        assert_eq!(id(serde_json::json!({ "name": "r", "event_bus_name": null })), None);
    }
}
