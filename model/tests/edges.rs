//! Every grant has an edge, and every edge has its grant.
//!
//! The test reads the policies of each graph as IAM does: the actions of each principal on each resource. It
//! does not know how a composite adds its edges.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value as Json, json};
use tandem_model::composites;
use tandem_model::context::Context;
use tandem_model::edge::{Edge, End, ResourceType, Verb};
use tandem_model::expr::{Ambient, Expr, Scope};
use tandem_model::graph::{Graph, Key};
use tandem_model::value::Value;

const ACCOUNT: &str = "123456789012";

/// Actions that stand for a relation, and the verbs that may express it. An action is the first of its grant.
const ACTIONS: &[(&str, &[Verb])] = &[
    ("dynamodb:GetItem", &[Verb::Reads]),
    ("dynamodb:GetRecords", &[Verb::Triggers]),
    ("dynamodb:PutItem", &[Verb::Writes]),
    ("ecs:RunTask", &[Verb::Starts]),
    ("kinesis:GetRecords", &[Verb::Triggers]),
    ("kinesis:PutRecord", &[Verb::Writes]),
    ("lambda:InvokeFunction", &[Verb::Invokes, Verb::Triggers]),
    ("s3:GetObject", &[Verb::Reads]),
    ("s3:PutObject", &[Verb::Writes]),
    ("sns:Publish", &[Verb::Sends]),
    ("sqs:ReceiveMessage", &[Verb::Triggers]),
    ("sqs:SendMessage", &[Verb::Sends, Verb::FailsTo]),
    ("states:StartExecution", &[Verb::Starts, Verb::Triggers]),
];

/// Fields with the role that an object runs with.
const ROLES: &[&str] = &["role", "task_role_arn", "role_arn", "target_role_arn"];

struct Known<'a>(&'a Graph, Context);

impl Scope for Known<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        self.1.place(place)
    }

    /// The predicted attribute, or a string that names the object, e.g. for a URL.
    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        let object = self.0.get(key)?;
        let fields = object.fields.iter();
        let fields = fields.filter_map(|(name, expr)| Some(((*name).to_owned(), expr.evaluate(self)?)));
        let place = |place| self.place(place);
        let predicted = object.kind.predict(attribute, &fields.collect(), &place);
        Some(predicted.unwrap_or_else(|| format!("{key}:{attribute}")).into())
    }

    fn input(&self, name: &str) -> Option<Json> {
        Some(name.into())
    }
}

impl Known<'_> {
    fn text(&self, expr: &Expr) -> String {
        match expr.evaluate(self) {
            Some(Json::String(text)) => text,
            other => panic!("{expr:?} is {other:?}, not a string"),
        }
    }

    /// An end as the ARN that policies contain.
    fn arn(&self, end: &End) -> String {
        match end {
            End::Object(key) => self.text(&Expr::Attribute(key.clone(), "arn")),
            End::Resource(ResourceType::Bucket, name) => format!("arn:aws:s3:::{}", self.text(name)),
            End::Resource(_, arn) => self.text(arn),
        }
    }
}

/// The graphs to check: of every fixture, before and after its changes, and of a few further inputs.
#[expect(clippy::disallowed_methods, reason = "the model does no I/O, its tests read fixtures")]
fn graphs() -> Vec<(String, Graph)> {
    let context = Context {
        project: Some("test".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: Some(ACCOUNT.to_owned()),
        ..Context::default()
    };
    let mut graphs = Vec::new();
    for definition in composites::ALL {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
        let path = path.join(format!("{}.json", definition.type_name));
        let text = std::fs::read_to_string(path).expect("a fixture").replace("ACCOUNT", ACCOUNT);
        let fixture: Json = serde_json::from_str(&text).expect("JSON");
        let mut all = vec![fixture["inputs"].clone()];
        for further in further(definition.type_name) {
            let mut inputs = fixture["inputs"].clone();
            for (name, value) in further.as_object().expect("an object") {
                inputs[name] = value.clone();
            }
            all.push(inputs);
        }
        for (index, inputs) in all.iter().enumerate() {
            let expansion = definition.expand(&definition.with_defaults(&Value::from(inputs)), &context);
            let graph = expansion.graph.unwrap_or_else(|| panic!("{:?}", expansion.findings));
            graphs.push((format!("{} {index}", definition.type_name), graph));
        }
    }
    graphs
}

fn further(type_name: &str) -> Vec<Json> {
    let arn = |rest: &str| format!("arn:aws:{rest}");
    let here = |service: &str, rest: &str| arn(&format!("{service}:eu-central-1:{ACCOUNT}:{rest}"));
    let launch = json!({
        "name": "k", "task_definition": here("ecs", "task-definition/k"), "cluster": here("ecs", "cluster/k"),
        "container": "main", "roles": [arn(&format!("iam::{ACCOUNT}:role/k"))], "subnets": "subnet-1",
        "security_groups": "sg-1", "assign_public_ip": true, "capacity": "fargate",
    })
    .to_string();
    match type_name {
        "event_function" => vec![
            json!({
                "on": [
                    { "http": "url", "auth": "none" },
                    { "table": here("dynamodb", "table/t/stream/2026-01-01T00:00:00.000") },
                    { "schedule": "rate(1 day)", "input": "{}" },
                    { "bucket": "inbox", "events": ["created", "removed"] },
                ],
                "launches": [launch],
                "reads": [{ "table": here("dynamodb", "table/u") }, { "bucket": "photos", "suffix": ".jpg" }],
                "writes": [{ "bucket": "drafts" }, { "stream": here("kinesis", "stream/s") }],
                "sends_to": [{ "topic": here("sns", "n") }, { "queue": here("sqs", "q.fifo") }],
                "invokes": [{ "workflow": here("states", "stateMachine:m") }],
            }),
            json!({ "on": [], "reads": [], "writes": [], "sends_to": [], "invokes": [] }),
        ],
        "workflow" => vec![json!({
            "type": "express",
            "on": [{ "event_pattern": "{\"source\":[\"a\"]}" }],
            "step": [{ "name": "one", "function": here("lambda", "function:f") }],
        })],
        "container_task" => vec![json!({ "on_failure": "none" })],
        "queue" => vec![json!({ "dead_letters": false, "on": [] })],
        _ => Vec::new(),
    }
}

/// The objects that run with each role.
fn principals(graph: &Graph) -> BTreeMap<Key, BTreeSet<Key>> {
    let mut principals: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    for object in graph.objects() {
        // The role of an image's pull and of its logs is not the program's.
        for field in ROLES.iter().filter_map(|field| object.fields.get(field)) {
            if let Expr::Attribute(role, "arn") = field {
                principals.entry(role.clone()).or_default().insert(object.key.clone());
            }
        }
    }
    // The target of a rule runs with the role; the source of its events is the rule.
    for runners in principals.values_mut() {
        *runners = runners
            .iter()
            .map(|key| {
                let object = graph.get(key).expect("an object");
                match object.fields.get("rule") {
                    Some(Expr::Attribute(rule, _)) => rule.clone(),
                    _ => key.clone(),
                }
            })
            .collect();
    }
    principals
}

/// A relation as policies express it: who, which verbs are possible, and the ARN.
type Relation = (BTreeSet<Key>, &'static [Verb], String);

fn relations(graph: &Graph, known: &Known<'_>) -> Vec<Relation> {
    let principals = principals(graph);
    let mut relations = Vec::new();
    for object in graph.objects().iter().filter(|object| object.kind.name == "iam_role_policy") {
        let Expr::Attribute(role, _) = &object.fields["role"] else { panic!("a role") };
        let Some(runners) = principals.get(role) else { continue };
        let policy = object.fields["policy"].evaluate(known).unwrap_or_else(|| panic!("{}", object.key));
        for statement in policy["Statement"].as_array().expect("statements") {
            let actions = statement["Action"].to_string();
            for (_, verbs) in ACTIONS.iter().filter(|(action, _)| actions.contains(&format!("\"{action}\"")))
            {
                let resources = match &statement["Resource"] {
                    Json::Array(items) => items.clone(),
                    one => vec![one.clone()],
                };
                for resource in resources {
                    // Objects of a bucket, and revisions of a task definition.
                    let arn = resource.as_str().expect("an ARN");
                    let arn =
                        if arn.contains(":s3:::") { arn.split('/').next() } else { arn.strip_suffix(":*") };
                    let arn =
                        arn.map_or_else(|| resource.as_str().expect("an ARN").to_owned(), ToOwned::to_owned);
                    relations.push((runners.clone(), *verbs, arn));
                }
            }
        }
    }
    relations
}

/// True for the grant of a distributed map to start executions of its own state machine.
fn is_own_map((runners, _, arn): &Relation, known: &Known<'_>) -> bool {
    runners.iter().any(|key| known.arn(&End::Object(key.clone())) == *arn)
}

fn fits(edge: &Edge, (runners, verbs, arn): &Relation, graph: &Graph, known: &Known<'_>) -> bool {
    // EventBridge and Scheduler run as the rule or schedule. Behind a rule on a bucket, the bucket is the source.
    let runs = |end: &End| match end {
        End::Object(key) => runners.contains(key),
        End::Resource(ResourceType::Bucket, _) => runners
            .iter()
            .any(|key| graph.get(key).is_some_and(|object| object.kind.name == "cloudwatch_event_rule")),
        End::Resource(..) => false,
    };
    let is_from_bucket =
        |end: &End| matches!(end, End::Object(key) if key.as_str().starts_with("s3_bucket."));
    let behind_rule = runners.iter().any(|key| key.as_str().starts_with("cloudwatch_event_rule."));
    verbs.contains(&edge.verb)
        && ((runs(&edge.from) || behind_rule && is_from_bucket(&edge.from)) && known.arn(&edge.to) == *arn
            || edge.verb == Verb::Triggers && runs(&edge.to) && known.arn(&edge.from) == *arn)
}

#[test]
fn every_grant_has_an_edge() {
    for (name, graph) in graphs() {
        let known = known(&graph);
        for relation in relations(&graph, &known).iter().filter(|relation| !is_own_map(relation, &known)) {
            let has = graph.edges().iter().any(|edge| fits(edge, relation, &graph, &known));
            assert!(has, "{name}: no edge for {relation:?} in {:#?}", graph.edges());
        }
    }
}

#[test]
fn every_edge_has_its_grant() {
    for (name, graph) in graphs() {
        let known = known(&graph);
        let relations = relations(&graph, &known);
        for edge in graph.edges() {
            let by_role = relations.iter().any(|relation| fits(edge, relation, &graph, &known));
            assert!(by_role || by_resource(edge, &graph, &known), "{name}: no grant for {edge:#?}");
        }
    }
}

/// True if the target lets the source in itself, or needs not be asked: a Lambda permission, the policy of a
/// queue, the redrive policy of a queue, or a function URL.
fn by_resource(edge: &Edge, graph: &Graph, known: &Known<'_>) -> bool {
    let (from, to) = (known.arn(&edge.from), known.arn(&edge.to));
    graph.objects().iter().any(|object| {
        let fields = &object.fields;
        let text = |field: &str| fields.get(field).and_then(|value| value.evaluate(known)).unwrap_or_default();
        let refers = |field: &str| {
            matches!((fields.get(field), &edge.to), (Some(Expr::Attribute(key, _)), End::Object(to)) if key == to)
        };
        let of_source = |text: &Json| text.to_string().contains(&format!("\"{from}\""));
        match object.kind.name {
            "lambda_permission" => {
                let source = text("source_arn");
                // The ARN of an API is followed by its stages and routes.
                let same = source.as_str().is_some_and(|arn| arn == from || arn.contains(&from_id(&edge.from)));
                refers("function_name") && same
            }
            "lambda_function_url" => {
                End::Object(object.key.clone()) == edge.from && refers("function_name")
            }
            "sqs_queue_policy" => refers("queue") && of_source(&text("policy")),
            "sqs_queue" => {
                End::Object(object.key.clone()) == edge.from
                    && text("redrive_policy")["deadLetterTargetArn"] == to.as_str()
            }
            // The rule on failures of a task or a workflow names them in its pattern. A rule receives the events of its
            // bus without a grant.
            "cloudwatch_event_rule" => match edge.verb {
                Verb::FailsTo => text("event_pattern").to_string().contains(&from),
                Verb::Triggers => {
                    let bus = text("event_bus_name");
                    End::Object(object.key.clone()) == edge.to
                        && bus.as_str().is_some_and(|bus| from.ends_with(&format!(":event-bus/{bus}")))
                }
                _ => false,
            },
            _ => false,
        }
    })
}

/// The start of an attribute that AWS chooses, as [`Known::attribute`] writes it.
fn from_id(end: &End) -> String {
    match end {
        End::Object(key) => format!("{key}:"),
        End::Resource(..) => "no object".to_owned(),
    }
}

fn known(graph: &Graph) -> Known<'_> {
    let context = Context {
        region: Some("eu-central-1".to_owned()),
        account: Some(ACCOUNT.to_owned()),
        ..Context::default()
    };
    Known(graph, context)
}

#[test]
fn edges_end_at_objects_of_their_graph() {
    for (name, graph) in graphs() {
        for end in graph.edges().iter().flat_map(|edge| [&edge.from, &edge.to]) {
            if let End::Object(key) = end {
                assert!(graph.get(key).is_some(), "{name}: {key} is not in the graph");
            }
        }
    }
}
