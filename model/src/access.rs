//! What IAM must allow whoever deploys an application: derived from its objects and what each kind says of
//! its calls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::context::Context;
use crate::expr::{Expr, Place};
use crate::graph::{Graph, Object};
use crate::kind::{Access, fill};
use crate::kinds;
use crate::names;

/// The longest managed policy that IAM takes, in characters without spaces.
pub const LONGEST_MANAGED_POLICY: usize = 6144;

/// Actions by the resources that they are for.
type Rights = BTreeMap<BTreeSet<String>, BTreeSet<&'static str>>;

/// A composite of an application.
#[derive(Debug)]
pub struct Part<'a> {
    /// What it expands to.
    pub graph: &'a Graph,
    /// Outputs of other parts that it takes: by variable, which part, and which output.
    pub takes: BTreeMap<&'a str, (usize, &'static str)>,
}

/// The policy of whoever makes, changes and deletes the objects of these parts with the provider. What is
/// not known, such as the account, is a wildcard.
pub fn deployment(parts: &[Part<'_>], context: &Context) -> Json {
    // Equal calls on several objects first: one statement for all of the roles, one for all of the queues.
    let mut by_call: BTreeMap<(&str, usize), BTreeSet<String>> = BTreeMap::new();
    let mut rights = Rights::new();
    let mut actions: BTreeMap<(&str, usize), &'static [&'static str]> = BTreeMap::new();
    for part in parts {
        let known = Known { part, parts, context };
        for object in part.graph.objects() {
            let settings = known.settings(object);
            let needed = |access: &Access| (part.graph.force_destroy || !access.to_empty) && !access.to_sweep;
            let all = object.kind.access.iter().enumerate();
            for (number, access) in all.filter(|(_, access)| needed(access)) {
                let place = |place| Some(known.place(place));
                if let Some(resource) = fill(access.resource, &settings, &place) {
                    by_call.entry((object.kind.name, number)).or_default().insert(shorten(&resource));
                    actions.insert((object.kind.name, number), access.actions);
                }
            }
        }
        if part.graph.speaks_of(Place::DefaultVpc) || part.graph.speaks_of(Place::DefaultSubnets) {
            let everything = BTreeSet::from(["*".to_owned()]);
            rights.entry(everything).or_default().extend(["ec2:DescribeSubnets", "ec2:DescribeVpcs"]);
        }
    }
    for (call, resources) in by_call {
        rights.entry(resources).or_default().extend(actions[&call]);
    }
    let mut statements: Vec<Json> = rights
        .into_iter()
        .map(|(resources, actions)| json!({ "Effect": "Allow", "Action": actions, "Resource": resources }))
        .collect();
    statements.sort_by_key(|statement| statement["Action"].to_string());
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// What IAM must allow on `*` whoever looks for everything of a project, wherever its state is. To look at
/// what is found and to delete it takes what a deployment takes.
pub fn sweep() -> BTreeSet<&'static str> {
    let access = kinds::ALL.iter().flat_map(|kind| kind.access);
    access.filter(|access| access.to_sweep).flat_map(|access| access.actions).copied().collect()
}

/// Wildcards in a row say what one says.
fn shorten(resource: &str) -> String {
    let mut resource = resource.to_owned();
    while resource.contains("**") {
        resource = resource.replace("**", "*");
    }
    resource
}

struct Known<'a> {
    part: &'a Part<'a>,
    parts: &'a [Part<'a>],
    context: &'a Context,
}

impl Known<'_> {
    fn settings(&self, object: &Object) -> BTreeMap<String, Json> {
        let fields = object.fields.iter().filter(|(_, expr)| **expr != Expr::Literal(Json::Null));
        fields.map(|(name, expr)| ((*name).to_owned(), self.pattern(expr).into())).collect()
    }

    fn place(&self, place: Place) -> String {
        // IAM takes no wildcard for a partition.
        let unknown = if place == Place::Partition { "aws" } else { "*" };
        self.context.place(place).unwrap_or_else(|| unknown.to_owned())
    }

    /// A value as a resource may have it: with wildcards for what is not known.
    fn pattern(&self, expr: &Expr) -> String {
        match expr {
            Expr::Literal(Json::String(text)) => text.clone(),
            Expr::Literal(other) => other.to_string(),
            Expr::Place(place) => self.place(*place),
            Expr::Attribute(key, attribute) => {
                let Some(object) = self.part.graph.get(key) else { return "*".to_owned() };
                let place = |place| Some(self.place(place));
                let known = object.kind.predict(attribute, &self.settings(object), &place);
                known.unwrap_or_else(|| "*".to_owned())
            }
            Expr::Input(variable) => {
                let taken = self.part.takes.get(variable.as_str());
                let output = taken.and_then(|(index, output)| {
                    let part = self.parts.get(*index)?;
                    Some(Known { part, ..*self }.pattern(part.graph.outputs.get(output)?))
                });
                output.unwrap_or_else(|| "*".to_owned())
            }
            Expr::Concat(parts) => parts.iter().map(|part| self.pattern(part)).collect(),
            Expr::Hash(inner) => match self.pattern(inner) {
                text if text.contains('*') => "?".repeat(8),
                text => names::hash(&text),
            },
            _ => "*".to_owned(),
        }
    }
}
