//! Properties of every composite. The tests are generic: a new composite needs no line here.

use std::collections::BTreeSet;

use tandem_model::composite::Definition;
use tandem_model::composites;
use tandem_model::context::Context;
use tandem_model::expr::{Ambient, Expr, Scope};
use tandem_model::finding::Findings;
use tandem_model::graph::{Graph, Key};
use tandem_model::input::{Body, Field, Shape};
use tandem_model::policy::WITHOUT_RESOURCE;

fn context() -> Context {
    Context {
        project: Some("test".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: Some("123456789012".to_owned()),
        ..Context::default()
    }
}

/// The graph of the composite's seed, which has every object with a predictable name.
fn graph(definition: &Definition, name: &str) -> Graph {
    let expansion = definition.expand_seed(name, &context());
    assert_eq!(expansion.findings, Findings::default());
    expansion.graph.expect("a graph")
}

/// The expression with the string `given` for values that a seed leaves unknown, e.g. an existing bucket.
fn given(expr: &Expr) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(given).collect();
    match expr {
        Expr::Unknown => "given".into(),
        Expr::Concat(parts) => Expr::Concat(all(parts)),
        Expr::List(items) => Expr::List(all(items)),
        Expr::Map(entries) => Expr::map(entries.iter().map(|(name, value)| (name.as_str(), given(value)))),
        Expr::Json(inner) => Expr::Json(Box::new(given(inner))),
        other => other.clone(),
    }
}

struct Predict<'a>(&'a Graph, Context);

impl Scope for Predict<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        self.1.place(place)
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<serde_json::Value> {
        let object = self.0.get(key)?;
        let fields =
            object.fields.iter().filter_map(|(name, expr)| Some(((*name).to_owned(), expr.evaluate(self)?)));
        let place = |place| self.place(place);
        object.kind.predict(attribute, &fields.collect(), &place).map(Into::into)
    }
}

#[test]
fn objects_stand_after_what_they_need() {
    for definition in composites::ALL {
        let graph = graph(definition, "it");
        let mut before: BTreeSet<&Key> = BTreeSet::new();
        for object in graph.objects() {
            for need in object.needs() {
                assert!(
                    before.contains(&need),
                    "{}: {} is before {need}, which it needs",
                    definition.type_name,
                    object.key
                );
            }
            before.insert(&object.key);
        }
    }
}

#[test]
fn every_statement_names_exact_actions_and_resources() {
    for definition in composites::ALL {
        let graph = graph(definition, "it");
        let scope = Predict(&graph, context());
        for (key, policy) in graph.policies() {
            let policy =
                given(policy).evaluate(&scope).unwrap_or_else(|| panic!("{key} has an unknown part"));
            for statement in policy["Statement"].as_array().expect("statements") {
                if statement["Effect"] == "Deny" {
                    continue;
                }
                let actions = statement["Action"].to_string();
                assert!(!actions.contains('*'), "{key}: {actions}");
                let Some(resource) = statement.get("Resource") else { continue };
                let whole =
                    resource == "*" && !WITHOUT_RESOURCE.iter().any(|action| actions.contains(action));
                assert!(!whole, "{key}: {statement}");
            }
        }
    }
}

#[test]
fn names_stay_within_awss_limits() {
    let longest = "a".repeat(64);
    for definition in composites::ALL {
        let mut context = context();
        context.project = Some("p".repeat(64));
        let graph = definition.expand_seed(&longest, &context).graph.expect("a graph");
        let scope = Predict(&graph, context);
        for object in graph.objects() {
            for (field, limit) in
                [("bucket", 63), ("function_name", 64), ("alarm_name", 255), ("statement_id", 100)]
            {
                let Some(name) = object.fields.get(field).and_then(|name| name.evaluate(&scope)) else {
                    continue;
                };
                assert!(name.as_str().expect("a name").len() <= limit, "{}: {name}", object.key);
            }
            let limit = match object.kind.name {
                "iam_role" | "scheduler_schedule" | "scheduler_schedule_group" | "cloudwatch_event_rule" => {
                    64
                }
                "ecs_cluster" | "security_group" => 255,
                "ecr_repository" => 256,
                "sqs_queue" => 80,
                _ => 512,
            };
            if let Some(name) = object.fields.get("name").and_then(|name| name.evaluate(&scope)) {
                assert!(name.as_str().expect("a name").len() <= limit, "{}: {name}", object.key);
            }
        }
    }
}

#[test]
fn every_input_is_documented_and_every_default_obeys_its_own_rule() {
    fn walk(fields: &[Field], at: &str) {
        for field in fields {
            assert!(
                field.doc.ends_with('.'),
                "{at}{}: the documentation does not end with a period",
                field.name
            );
            match &field.shape {
                Shape::Block(Body::Fields(fields)) | Shape::Blocks(Body::Fields(fields)) => {
                    walk(fields, field.name);
                }
                Shape::Block(Body::Choice(variants)) | Shape::Blocks(Body::Choice(variants)) => {
                    variants.iter().for_each(|variant| walk(&variant.fields, field.name));
                }
                _ => {}
            }
        }
    }
    for definition in composites::ALL {
        walk(&(definition.fields)(), definition.type_name);
        // The seed uses every default.
        graph(definition, "it");
    }
}

#[test]
fn what_is_unknown_stays_unknown_and_is_no_error() {
    for definition in composites::ALL {
        let expansion = definition.expand_seed("it", &Context::default());
        assert_eq!(expansion.findings, Findings::default(), "{}", definition.type_name);
        assert!(expansion.graph.is_some());
        let unknown = tandem_model::value::Value::Unknown;
        assert!(definition.expand(&unknown, &context()).graph.is_none());
    }
}
