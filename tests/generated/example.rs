//! The graphs of examples and fixtures, with values for what only AWS knows.

use serde_json::Value as Json;
use tandem::spec::{App, Entry};
use tandem_crash::fixture::Fixture;
use tandem_model::context::Context;
use tandem_model::expr::{Ambient, Expr, Scope};
use tandem_model::graph::{Graph, Key};
use tandem_model::kind::place::Resource;
use tandem_model::value::Value;
use tandem_testkit::environment::root;

use crate::project::{ACCOUNT, examples, read};

const VPC: &str = "vpc-0123456789abcdef0";

/// The values of a graph, with ARNs of the right form in place of those that AWS chooses.
pub(crate) struct Example<'a> {
    pub(crate) graph: &'a Graph,
    /// The entry of the graph, and its spec.
    pub(crate) of: Option<(&'a App, &'a Entry)>,
}

impl Scope for Example<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        Some(match place {
            Ambient::Account => ACCOUNT.to_owned(),
            Ambient::Partition => "aws".to_owned(),
            Ambient::Region => "eu-central-1".to_owned(),
            Ambient::DefaultVpc => VPC.to_owned(),
            Ambient::DefaultSubnets => "subnet-0123456789abcdef0,subnet-0123456789abcdef1".to_owned(),
        })
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        let object = self.graph.get(key)?;
        let settings = object
            .fields
            .iter()
            .map(|(name, expr)| ((*name).to_owned(), expr.evaluate(self).unwrap_or(Json::Null)));
        let known = object.kind.predict(attribute, &settings.collect(), &|place| self.place(place));
        Some(known.unwrap_or_else(|| format!("{}-1", object.kind.name)).into())
    }

    fn vpc_of(&self, _subnet: &str) -> Option<String> {
        Some(VPC.to_owned())
    }

    fn input(&self, name: &str) -> Option<Json> {
        let (app, entry) = self.of?;
        let Some(target) = entry.references.get(name) else {
            return Some(format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{name}").into());
        };
        let entry = app.entries.iter().find(|entry| entry.name == target.entry)?;
        let output = entry.graph.outputs.get(target.output)?;
        output.evaluate(&Example { graph: &entry.graph, of: Some((app, entry)) })
    }
}

impl<'a> Example<'a> {
    /// The entry and the object in it that a variable of this entry refers to.
    pub(crate) fn target(&self, variable: &str) -> Option<(&'a Entry, Key)> {
        let (app, entry) = self.of?;
        let target = entry.references.get(variable)?;
        let entry = app.entries.iter().find(|entry| entry.name == target.entry)?;
        match entry.graph.outputs.get(target.output)? {
            Expr::Attribute(key, _) => Some((entry, key.clone())),
            _ => None,
        }
    }

    /// True if the user makes an object, e.g. an image.
    pub(crate) fn is_outside(&self, key: &Key) -> bool {
        self.graph.get(key).is_some_and(|object| matches!(object.kind.resource, Resource::Outside(_)))
    }
}

/// The applications of examples, and one with more cases, each with its name.
pub(crate) fn apps() -> Vec<(String, App)> {
    let mut specs = examples();
    specs.push(("mixed".to_owned(), root().join("tests/data/specs/mixed.yaml")));
    specs.into_iter().map(|(name, path)| (name, read(&path))).collect()
}

/// Gives the graph of each fixture, and of each fixture with one of its changes, to a closure.
pub(crate) fn each_fixture(mut give: impl FnMut(&str, &Example<'_>)) {
    let context = Context { project: Some("test".to_owned()), ..Context::default() };
    for fixture in Fixture::all() {
        for (number, inputs) in fixture.variants(ACCOUNT).into_iter().enumerate() {
            let graph = fixture.definition.expand(&Value::from(&inputs), &context).graph;
            if let Some(graph) = graph {
                let name = format!("{}-{number}", fixture.definition.type_name);
                give(&name, &Example { graph: &graph, of: None });
            }
        }
    }
}

/// Gives the graph of each entry of all applications, and all of [`each_fixture`], to a closure.
pub(crate) fn each(mut give: impl FnMut(&str, &Example<'_>)) {
    for (name, app) in apps() {
        for entry in &app.entries {
            let example = Example { graph: &entry.graph, of: Some((&app, entry)) };
            give(&format!("{name}-{}", entry.name), &example);
        }
    }
    each_fixture(give);
}
