//! The composites that one provider process plans in one Terraform command. Finds two resources that would own
//! the same object, and endless loops through several resources.
//!
//! Terraform configures the provider at the start of each command, which starts an empty list. A plan request
//! has no address. Terraform plans a resource once, or twice for a replacement: the second request has no
//! state, but the private data of the first response.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tandem_engine::resolve::{Attributes, Resolver};
use tandem_model::checks::loops::{self, Link, base};
use tandem_model::code::Code;
use tandem_model::context::Context;
use tandem_model::edge::{Edge, End};
use tandem_model::finding::{Findings, Path};
use tandem_model::graph::Graph;
use tandem_model::ownership::Owner;

/// The planned composites, by their owner.
#[derive(Default)]
pub(crate) struct Planned(Mutex<BTreeMap<String, Composite>>);

/// Whose plan a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A resource with a state, by its instance.
    Existing(String),
    /// The second request for a resource with this instance, which is replaced.
    Replacement(String),
    /// A resource without a state.
    New,
}

impl Claim {
    /// The claim of a plan request: the instance in its state, and its private data.
    pub(crate) fn of(instance: Option<&str>, private: &[u8]) -> Self {
        match (instance, std::str::from_utf8(private)) {
            (Some(instance), _) => Self::Existing(instance.to_owned()),
            (None, Ok(private)) if !private.is_empty() => Self::Replacement(private.to_owned()),
            (None, _) => Self::New,
        }
    }

    /// The private data of the response.
    pub(crate) fn private(&self) -> Vec<u8> {
        match self {
            Self::Existing(instance) => instance.clone().into_bytes(),
            Self::Replacement(_) | Self::New => Vec::new(),
        }
    }
}

#[derive(Default)]
struct Composite {
    claims: Vec<Claim>,
    /// Kind and id of each object whose id follows from its name.
    objects: BTreeSet<(&'static str, String)>,
    edges: Vec<Known>,
}

/// An edge, with both ends as ARNs or keys.
struct Known {
    from: String,
    to: String,
    edge: Edge,
}

impl Composite {
    /// Returns true if the requests came from more than one resource.
    fn is_planned_twice(&self) -> bool {
        let existing = |claim: &&Claim| matches!(claim, Claim::Existing(_));
        let instances: BTreeSet<&String> = self
            .claims
            .iter()
            .filter_map(|claim| match claim {
                Claim::Existing(instance) | Claim::Replacement(instance) => Some(instance),
                Claim::New => None,
            })
            .collect();
        let new = self.claims.iter().filter(|claim| **claim == Claim::New).count();
        instances.len() + new > 1 || self.claims.iter().filter(existing).count() > 1
    }
}

impl Planned {
    /// Adds a planned composite, and reports conflicts with those planned before.
    pub(crate) fn add(&self, owner: &Owner, claim: Claim, graph: &Graph, context: &Context) -> Findings {
        let name = owner.to_string();
        let none = Attributes::new();
        let resolver = Resolver::new(graph, context, &none);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.entry(name.clone()).or_default();
        own.claims.push(claim);
        own.objects = objects(graph, &resolver);
        own.edges = edges(&name, graph, &resolver);
        let mut findings = Findings::default();
        if own.is_planned_twice() {
            findings.error(
                Code::SameObject,
                Path::field("name"),
                format!("two resources of this configuration are `{name}`"),
                "Give one of them another `name`, or remove it: each AWS object belongs to one resource.",
            );
            return findings;
        }
        let own = &all[&name];
        let shared = all.iter().filter(|(other, _)| **other != name).find_map(|(other, composite)| {
            Some((other, own.objects.intersection(&composite.objects).next()?))
        });
        if let Some((other, (kind, id))) = shared {
            findings.error(
                Code::SameObject,
                Path::field("name"),
                format!("`{name}` and `{other}` would both own {kind} `{id}`"),
                "Give one of them another `name`.",
            );
        }
        find_loops(&all, &name, &mut findings);
        findings
    }
}

fn objects(graph: &Graph, resolver: &Resolver<'_>) -> BTreeSet<(&'static str, String)> {
    let named = graph.objects().iter().filter(|object| object.kind.tags);
    named.filter_map(|object| Some((object.kind.name, resolver.id(object)?))).collect()
}

fn edges(owner: &str, graph: &Graph, resolver: &Resolver<'_>) -> Vec<Known> {
    let node = |end: &End| {
        let arn = end.arn().evaluate(resolver);
        match (arn.as_ref().and_then(serde_json::Value::as_str), end) {
            (Some(arn), _) => Some(base(arn).to_owned()),
            (None, End::Object(key)) => Some(format!("{owner}/{key}")),
            (None, End::Resource(..)) => None,
        }
    };
    let edges = graph.edges().iter();
    edges
        .filter_map(|edge| Some(Known { from: node(&edge.from)?, to: node(&edge.to)?, edge: edge.clone() }))
        .collect()
}

/// Reports the loops through a composite, each at one of its inputs.
fn find_loops(all: &BTreeMap<String, Composite>, owner: &str, findings: &mut Findings) {
    let mut links = Vec::new();
    let mut own = Vec::new();
    for (name, composite) in all {
        for Known { from, to, edge } in &composite.edges {
            links.push(Link { from, to, edge });
            own.push(name == owner);
        }
    }
    for path in loops::find_through(&links, |index| own[index]) {
        let (message, help) = loops::describe(&links, &path, |node| named(node));
        findings.error(Code::Loop, links[path[0]].edge.path.clone(), message, help);
    }
}

/// A node for a message: service and name of an ARN, or the key of an object.
fn named(node: &str) -> String {
    let parts: Vec<&str> = node.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, service, _, _, name] => format!("{service} `{name}`"),
        _ => format!("`{node}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tandem_model::composite::Definition;
    use tandem_model::value::Value;

    use super::*;

    fn context() -> Context {
        Context {
            project: Some("shop".to_owned()),
            region: Some("eu-central-1".to_owned()),
            account: Some("123456789012".to_owned()),
            ..Context::default()
        }
    }

    /// Plans a composite and returns the codes of the findings.
    fn plan(planned: &Planned, composite: &str, inputs: &serde_json::Value, claim: Claim) -> Vec<Code> {
        let definition = Definition::find(composite).expect("a composite");
        let inputs = definition.with_defaults(&Value::from(inputs));
        let expansion = definition.expand(&inputs, &context());
        let graph = expansion.graph.unwrap_or_else(|| panic!("{:?}", expansion.findings));
        let name = inputs.get("name").as_text().expect("a name").to_owned();
        let owner = Owner {
            project: "shop".to_owned(),
            region: "eu-central-1".to_owned(),
            composite: composite.to_owned(),
            name,
        };
        let findings = planned.add(&owner, claim, &graph, &context());
        findings.0.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn two_resources_of_one_name_are_found() {
        let queue = json!({ "name": "jobs" });
        let existing = || Claim::Existing("a".to_owned());
        for (first, second, expected) in [
            (Claim::New, Claim::New, true),
            (existing(), Claim::New, true),
            (Claim::New, existing(), true),
            (existing(), existing(), true),
            (existing(), Claim::Existing("b".to_owned()), true),
            (existing(), Claim::Replacement("a".to_owned()), false),
            (existing(), Claim::Replacement("b".to_owned()), true),
        ] {
            let planned = Planned::default();
            assert_eq!(plan(&planned, "queue", &queue, first.clone()), []);
            let found = plan(&planned, "queue", &queue, second.clone());
            assert_eq!(found == [Code::SameObject], expected, "{first:?} {second:?}");
        }
    }

    #[test]
    fn two_composites_with_an_object_of_one_name_are_found() {
        let planned = Planned::default();
        let function = json!({ "name": "resize", "code": { "image_uri": "i" } });
        assert_eq!(plan(&planned, "event_function", &function, Claim::New), []);
        let task = json!({ "name": "resize", "image": "i" });
        assert_eq!(plan(&planned, "container_task", &task, Claim::New), [Code::SameObject]);
        let other = json!({ "name": "other", "image": "i" });
        assert_eq!(plan(&planned, "container_task", &other, Claim::New), []);
    }

    #[test]
    fn a_loop_through_two_resources_is_found() {
        let arn = |rest: &str| format!("arn:aws:{rest}");
        let queue = arn("sqs:eu-central-1:123456789012:shop-jobs");
        let reader = json!({
            "name": "reader", "code": { "image_uri": "i" }, "on": [{ "queue": queue }],
            "invokes": [{ "function": arn("lambda:eu-central-1:123456789012:function:shop-writer") }],
        });
        let mut writer =
            json!({ "name": "writer", "code": { "image_uri": "i" }, "sends_to": [{ "queue": queue }] });
        for (allowed, expected) in [(false, &[Code::Loop][..]), (true, &[])] {
            let planned = Planned::default();
            let mut reader = reader.clone();
            reader["on"][0]["allow_loop"] = allowed.into();
            assert_eq!(plan(&planned, "queue", &json!({ "name": "jobs" }), Claim::New), []);
            assert_eq!(plan(&planned, "event_function", &reader, Claim::New), []);
            assert_eq!(plan(&planned, "event_function", &writer, Claim::New), expected);
        }
        writer["name"] = "another".into();
        let planned = Planned::default();
        assert_eq!(plan(&planned, "event_function", &reader, Claim::New), []);
        assert_eq!(plan(&planned, "event_function", &writer, Claim::New), []);
    }
}
