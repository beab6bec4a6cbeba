//! CloudFormation as a back end: one template with the objects of an application. It exists for cfn-lint, which judges
//! the templates with the resource schemas of CloudFormation.

mod table;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tandem::backend::{self, Address, Backend, Property, Refusal, role};
use tandem_model::capacity::{self, Capacity};
use tandem_model::expr::{Expr, Scope};
use tandem_model::graph::{Key, Object};
use tandem_model::kind::place::{Given, Resource, Written};
use tandem_model::kind::{Change, KindField, Type};
use tandem_model::kinds;

use self::table::Return;
use crate::example::Example;

/// The template with the objects of some graphs, each with a prefix for its names.
pub(crate) fn template(graphs: &[(String, Example<'_>)]) -> Result<Json, Refusal> {
    let mut resources = BTreeMap::new();
    let mut parameters = BTreeMap::new();
    for (prefix, example) in graphs {
        let mut backend = CloudFormation { prefix, example, parameters: &mut parameters };
        for made in backend::resources(example.graph, &mut backend)? {
            let Address { ty, name } = made.address;
            let resource: &mut Json = resources.entry(name).or_insert_with(|| json!({ "Type": ty }));
            for part in made.properties.into_iter().chain(made.tags) {
                put(&mut resource["Properties"], &part.path, part.value.unwrap_or_else(|| json!({})));
            }
            let after = made.after.into_iter().map(|other| Json::from(other.name));
            if let list @ [_, ..] = &after.collect::<Vec<_>>()[..] {
                resource["DependsOn"] = list.into();
            }
        }
    }
    for resource in resources.values_mut() {
        let properties = resource["Properties"].take();
        resource["Properties"] = with_lists(properties);
    }
    Ok(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": parameters,
        "Resources": resources,
    }))
}

/// Puts a value at a path. Names keep their marks.
fn put(json: &mut Json, path: &str, value: Json) {
    match path.split_once('.') {
        Some((name, rest)) => put(&mut json[name], rest, value),
        None => json[path] = value,
    }
}

/// Makes the lists of names with brackets or marks, see [`KindField::property`].
fn with_lists(json: Json) -> Json {
    let Json::Object(members) = json else { return json };
    let mut made = Map::new();
    for (name, value) in members {
        let value = with_lists(value);
        let Some((name, _)) = name.split_once(['[', '#']) else {
            made.insert(name, value);
            continue;
        };
        let list = made.entry(name).or_insert_with(|| json!([])).as_array_mut().expect("a list");
        match value {
            Json::Array(items) => list.extend(items),
            // A notification has one event here.
            Json::Object(item) if item.get("Event").is_some_and(Json::is_array) => {
                for event in item["Event"].as_array().into_iter().flatten() {
                    let mut one = item.clone();
                    one.insert("Event".to_owned(), event.clone());
                    list.push(one.into());
                }
            }
            item => list.push(item),
        }
    }
    made.into()
}

/// True for a function of CloudFormation, e.g. `Ref`.
fn is_function(json: &Json) -> bool {
    let is_function = |name: &String| name == "Ref" || name.starts_with("Fn::");
    json.as_object().is_some_and(|members| members.len() == 1 && members.keys().all(is_function))
}

/// Strings and functions, concatenated.
fn joined(parts: impl IntoIterator<Item = Json>) -> Json {
    let mut joined: Vec<Json> = Vec::new();
    for part in parts {
        let text = match part {
            Json::String(text) => text,
            function if is_function(&function) => {
                joined.push(function);
                continue;
            }
            scalar => scalar.to_string(),
        };
        match joined.last_mut() {
            Some(Json::String(last)) => last.push_str(&text),
            _ => joined.push(text.into()),
        }
    }
    match &joined[..] {
        [Json::String(whole)] => whole.as_str().into(),
        _ => json!({ "Fn::Join": ["", joined] }),
    }
}

/// A JSON document as a string. Functions in it are parts of a join.
fn document(json: &Json) -> Json {
    fn add(json: &Json, parts: &mut Vec<Json>) {
        match json {
            function if is_function(function) => {
                parts.extend(["\"".into(), function.clone(), "\"".into()]);
            }
            Json::Object(members) => {
                parts.push("{".into());
                for (index, (name, value)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    parts.push(format!("{comma}{}:", Json::from(name.as_str())).into());
                    add(value, parts);
                }
                parts.push("}".into());
            }
            Json::Array(items) => {
                parts.push("[".into());
                for (index, item) in items.iter().enumerate() {
                    parts.push(if index == 0 { "" } else { "," }.into());
                    add(item, parts);
                }
                parts.push("]".into());
            }
            scalar => parts.push(scalar.to_string().into()),
        }
    }
    let mut parts = Vec::new();
    add(json, &mut parts);
    joined(parts)
}

struct CloudFormation<'a> {
    /// The first part of the logical ids.
    prefix: &'a str,
    example: &'a Example<'a>,
    parameters: &'a mut BTreeMap<String, Json>,
}

/// `http-api` and `http_api` as a part of a logical id.
fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.map(capitalized).collect()
}

/// The logical id of an object of a graph.
fn logical(prefix: &str, key: &Key) -> String {
    pascal(prefix) + &pascal(key.as_str())
}

fn capitalized(word: &str) -> String {
    let first = word.chars().next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(word.chars().skip(1)).collect()
}

/// The property of a field, see [`KindField::property`].
fn property(field: &KindField) -> String {
    let member = || Some(field.member?.split_once('.')?.1);
    match field.property.or_else(member) {
        Some(path) => path.split('.').map(capitalized_property).collect::<Vec<_>>().join("."),
        None => pascal(field.name),
    }
}

/// Capitalizes a name. Options of log drivers have hyphens and stay as they are.
fn capitalized_property(name: &str) -> String {
    if name.contains('-') || name == "mode" { name.to_owned() } else { capitalized(name) }
}

impl CloudFormation<'_> {
    /// The key of the object whose resource has the properties of an object, with the prefix of its graph: an object of
    /// the same resource type that a field refers to.
    fn parent(&self, object: &Object) -> Option<(String, Key, &'static str)> {
        let ty = object.kind.cloudformation?;
        object.kind.fields.iter().find_map(|field| {
            let (prefix, graph, key) = match object.fields.get(field.name)? {
                Expr::Attribute(key, _) => (self.prefix.to_owned(), self.example.graph, key.clone()),
                Expr::Input(name) => {
                    let (entry, key) = self.example.target(name)?;
                    (entry.name.clone(), &entry.graph, key)
                }
                _ => return None,
            };
            let is_parent = key != object.key && graph.get(&key)?.kind.cloudformation == Some(ty);
            is_parent.then_some((prefix, key, field.name))
        })
    }

    /// The path of a property. A part of a parent is an item of its own in the list.
    fn path(&self, object: &Object, property: &str) -> String {
        if self.parent(object).is_some() {
            property.replacen("[]", &format!("#{}", role(&object.key)), 1)
        } else {
            property.to_owned()
        }
    }

    /// An attribute of an object. A resource with parts can wait for a resource that refers to it, e.g. a bucket for the
    /// permission to invoke a function. So others contain its name or ARN.
    fn attribute(&self, key: &Key, attribute: &str) -> Result<Json, Refusal> {
        let ty = self.example.graph.get(key).and_then(|object| object.kind.cloudformation);
        if kinds::ALL.iter().filter(|kind| ty.is_some() && kind.cloudformation == ty).count() > 1 {
            let known = self.example.attribute(key, attribute);
            return known.ok_or_else(|| Refusal(format!("{attribute} of {key} is unknown")));
        }
        self.reference(key, attribute)
    }

    /// A reference to an attribute of an object.
    fn reference(&self, key: &Key, attribute: &str) -> Result<Json, Refusal> {
        let object = self.example.graph.get(key).ok_or_else(|| Refusal(format!("{key} is missing")))?;
        let name = match self.parent(object) {
            Some((prefix, parent, _)) => logical(&prefix, &parent),
            None => logical(self.prefix, key),
        };
        Ok(match table::returned(object.kind.cloudformation.unwrap_or_default(), attribute) {
            Return::Ref => json!({ "Ref": name }),
            Return::Attribute(of) => json!({ "Fn::GetAtt": [name, of] }),
            Return::Text(text) => json!({ "Fn::Sub": text.replace("{}", &format!("${{{name}}}")) }),
            Return::Field => return self.value(object.fields.get(attribute).unwrap_or(&Expr::Unknown)),
        })
    }

    fn value(&self, expr: &Expr) -> Result<Json, Refusal> {
        let all = |parts: &[Expr]| parts.iter().map(|part| self.value(part)).collect::<Result<Vec<_>, _>>();
        let mut attributes = Vec::new();
        expr.references(&mut attributes);
        if attributes.is_empty() {
            let known = expr.evaluate(self.example);
            return known.ok_or_else(|| Refusal(format!("{expr:?} is unknown")));
        }
        Ok(match expr {
            Expr::Attribute(key, attribute) => self.attribute(key, attribute)?,
            Expr::Concat(parts) => joined(all(parts)?),
            Expr::List(items) => all(items)?.into(),
            Expr::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
                Json::Object(entries.collect::<Result<_, Refusal>>()?)
            }
            Expr::Json(inner) => document(&self.value(inner)?),
            Expr::Member(document, name) => match document.member(name) {
                Some(member) => self.value(member)?,
                None => return Err(Refusal(format!("{name} of a document that is known only at apply"))),
            },
            Expr::Merge(maps) => {
                let maps = all(maps)?.into_iter().filter_map(|map| map.as_object().cloned());
                Json::Object(maps.flatten().collect())
            }
            Expr::AfterLast(whole, text) => {
                let known = whole.evaluate(self.example).unwrap_or_default();
                let last = known.as_str().unwrap_or_default().matches(*text).count();
                json!({ "Fn::Select": [last, { "Fn::Split": [*text, self.value(whole)?] }] })
            }
            other => return Err(Refusal(format!("{other:?} has no form in CloudFormation"))),
        })
    }

    /// The value of a field. A part of a resource can refer to one that waits for the resource, so it contains ids and
    /// ARNs, and no references.
    fn written(&self, object: &Object, field: &KindField, expr: &Expr) -> Result<Json, Refusal> {
        match expr {
            _ if self.parent(object).is_some() => {
                expr.evaluate(self.example).ok_or_else(|| Refusal(format!("{expr:?} is unknown")))
            }
            Expr::Attribute(key, attribute) if field.change == Change::WithParent => {
                self.reference(key, attribute)
            }
            _ => self.value(expr),
        }
    }

    fn parameter(&mut self, name: String) -> Json {
        self.parameters.insert(name.clone(), json!({ "Type": "String" }));
        json!({ "Ref": name })
    }
}

impl Backend for CloudFormation<'_> {
    type Value = Json;

    fn resource(&mut self, object: &Object) -> Result<Option<Address>, Refusal> {
        let Some(ty) = object.kind.cloudformation else { return Ok(None) };
        let name = match (self.parent(object), object.kind.resource) {
            (Some((prefix, parent, _)), _) => logical(&prefix, &parent),
            // A template cannot change a resource that it does not contain.
            (None, Resource::Shared(_)) => return Ok(None),
            (None, _) => logical(self.prefix, &object.key),
        };
        Ok(Some(Address { ty: ty.to_owned(), name }))
    }

    fn field(
        &mut self,
        object: &Object,
        field: &'static KindField,
        expr: &Expr,
    ) -> Result<Vec<Property<Json>>, Refusal> {
        let path = self.path(object, &property(field));
        let is_parent = self.parent(object).is_some_and(|(_, _, parent)| parent == field.name);
        if path.is_empty() || is_parent {
            return Ok(Vec::new());
        }
        let name = path.rsplit('.').next().unwrap_or_default();
        let strings = |value: &Json| -> Json { value.as_str().unwrap_or_default().split(',').collect() };
        let value = match (field.written, expr) {
            (Written::Code, _) => {
                let bucket = self.parameter("CodeBucket".to_owned());
                let key = self.parameter(pascal(self.prefix) + &pascal(role(&object.key)) + "Key");
                json!({ "S3Bucket": bucket, "S3Key": key })
            }
            (Written::CodeArchitecture, expr) => {
                expr.evaluate(self.example).unwrap_or_else(|| json!(["x86_64"]))
            }
            (Written::Attribute(attribute), Expr::Attribute(key, _)) => self.reference(key, attribute)?,
            (_, Expr::Attribute(key, _)) if self.example.is_outside(key) => {
                self.parameter(pascal(self.prefix) + &pascal(key.as_str()))
            }
            (Written::Capacity, expr) => {
                let word = self.written(object, field, expr)?;
                let parent = path.trim_end_matches(name);
                return Ok(match capacity::of(word.as_str().unwrap_or_default()) {
                    Some(Capacity::LaunchType(ty)) => {
                        vec![Property::new(format!("{parent}LaunchType"), ty.into())]
                    }
                    Some(Capacity::Strategy(names)) => {
                        let one = |name: &&str| json!({ "CapacityProvider": name, "Weight": 1 });
                        vec![Property::new(path.clone(), names.iter().map(one).collect())]
                    }
                    None => Vec::new(),
                });
            }
            (Written::Upper, expr) => {
                self.written(object, field, expr)?.as_str().map(str::to_uppercase).into()
            }
            (Written::Split, expr) => match self.written(object, field, expr)? {
                value @ Json::String(_) => strings(&value),
                reference => json!([reference]),
            },
            (Written::Blocks, expr) => table::lifecycle_rules(&self.written(object, field, expr)?),
            (_, expr) => self.written(object, field, expr)?,
        };
        let value = match (field.ty, value) {
            (Type::Document, Json::String(text)) if !table::is_text(name) => {
                serde_json::from_str(&text).unwrap_or(Json::String(text))
            }
            (Type::Document, value) if table::is_text(name) && !value.is_string() => document(&value),
            (Type::TextMap, Json::Object(entries))
                if name.ends_with("[]") || matches!(field.written, Written::Pairs(_)) =>
            {
                let member = if let Written::Pairs(member) = field.written { member } else { "value" };
                let pair =
                    |(key, value): (&String, &Json)| json!({ "Name": key, (capitalized(member)): value });
                entries.iter().map(pair).collect()
            }
            (Type::Flag, Json::Bool(flag)) if name == "AssignPublicIp" => {
                if flag {
                    "ENABLED".into()
                } else {
                    "DISABLED".into()
                }
            }
            (_, value) => value,
        };
        Ok(vec![Property::new(path, value)])
    }

    fn beside(&mut self, object: &Object) -> Result<Vec<Property<Json>>, Refusal> {
        let mut parts = Vec::new();
        for beside in table::constants(object.kind.name) {
            if beside.only.is_some_and(|(field, with)| object.fields.contains_key(field) != with) {
                continue;
            }
            let value = match beside.given {
                Given::Constant(json) => serde_json::from_str(json).expect("JSON"),
                Given::Text(text) => text.into(),
                Given::Field(field) => self.value(&object.fields[field])?,
                other => panic!("{other:?} of {} has no form here", object.kind.name),
            };
            parts.push(Property::new(self.path(object, beside.path), value));
        }
        Ok(parts)
    }

    fn tags(&mut self, object: &Object, tags: &Expr) -> Result<Vec<Property<Json>>, Refusal> {
        let mut tags = self.value(tags)?;
        if !object.kind.cloudformation.is_some_and(table::has_map_of_tags) {
            let one = |(key, value): (&String, &Json)| json!({ "Key": key, "Value": value });
            tags = tags.as_object().into_iter().flatten().map(one).collect();
        }
        Ok(vec![Property::new("Tags", tags)])
    }
}
