//! Keys in both directions: the graph names each object without tags, and its key follows from that name.

#[allow(dead_code, reason = "each test uses a part")]
mod shared;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use tandem_model::composite::{Definition, Settings};
use tandem_model::composites;
use tandem_model::graph::{Graph, Key, Object};
use tandem_model::keys::{keys_of_children, kinds_of_children};
use tandem_model::kind::Kind;
use tandem_model::kinds;
use tandem_model::ownership::Owner;
use tandem_model::value::Value;

use shared::{ACCOUNT, Predict, context, steps};

fn owner(definition: &Definition, name: &str) -> Owner {
    Owner::parse(&format!("test/eu-central-1/{}/{name}", definition.type_name)).expect("an owner")
}

/// Inputs with children that no fixture has: URLs, authorizers, and several triggers of one kind.
fn more(definition: &Definition) -> Vec<Json> {
    let on = |on: Json| json!({ "name": "it", "code": { "image_uri": "i" }, "on": on });
    let topic =
        |region: &str, name: &str| json!({ "topic": format!("arn:aws:sns:{region}:{ACCOUNT}:{name}") });
    match definition.type_name {
        "event_function" => vec![
            on(json!([{ "http": "url", "auth": "none" }])),
            on(
                json!([{ "http": "api", "auth": "jwt", "jwt_issuer": "https://a.example", "jwt_audience": ["a"],
                "cors_origins": ["https://a.example"] }]),
            ),
            on(json!([{ "schedule": "rate(1 day)" }, { "schedule": "rate(2 days)" }])),
            on(
                json!([{ "event_pattern": "{\"source\":[\"a\"]}" }, { "event_pattern": "{\"source\":[\"b\"]}" }]),
            ),
            on(json!([topic("eu-central-1", "news"), topic("eu-west-1", "news")])),
        ],
        "container_task" => vec![json!({ "name": "it", "image": "i", "on": [
            { "schedule": "rate(1 day)" }, { "schedule": "rate(2 days)" },
        ] })],
        "queue" => vec![json!({ "name": "it", "fifo": false, "on": [
            topic("eu-west-1", "news"), topic("eu-central-1", "news"), topic("eu-central-1", "more-news"),
            topic("eu-central-1", "more_news"), topic("eu-central-1", "other"),
        ] })],
        "workflow" => vec![json!({ "name": "it", "step": [{ "name": "wait", "wait": 1 }], "on": [
            { "schedule": "rate(1 day)" }, { "event_pattern": "{\"source\":[\"a\"]}" },
            { "schedule": "rate(2 days)" },
        ] })],
        _ => Vec::new(),
    }
}

/// Checks that each object without tags is the child of one that the graph has, and gets its key from it.
fn check(definition: &Definition, name: &str, graph: &Graph) -> usize {
    let owner = owner(definition, name);
    let scope = Predict(graph, context());
    let mut named: BTreeMap<&Key, BTreeSet<Key>> = BTreeMap::new();
    for parent in graph.objects() {
        for kind in kinds_of_children(parent.kind) {
            // A field refers to the parent. Only permissions and policies have children that come after them.
            let is_child = |child: &&Object| {
                let comes_after = !parent.kind.tags && child.after.contains(&parent.key);
                child.kind.name == kind.name && (comes_after || child.parents().contains(&parent.key))
            };
            let children: Vec<&Object> = graph.objects().iter().filter(is_child).collect();
            let settings: Vec<Settings> = children.iter().map(|child| scope.settings(child)).collect();
            let siblings: Vec<&Settings> = settings.iter().collect();
            let keys = keys_of_children(&owner, (&parent.key, parent.kind), kind, &siblings);
            assert_eq!(keys.len(), children.len());
            for (child, key) in children.into_iter().zip(keys) {
                named.entry(&child.key).or_default().extend(key);
            }
        }
    }
    let untagged = graph.objects().iter().filter(|object| !object.kind.tags);
    let mappings = graph.objects().iter().filter(|object| object.kind.name == "lambda_event_source_mapping");
    let mut checked = 0;
    for object in untagged.chain(mappings) {
        let keys = named.get(&object.key).cloned().unwrap_or_default();
        assert_eq!(keys, BTreeSet::from([object.key.clone()]), "{owner}: {}", object.key);
        checked += 1;
    }
    checked
}

#[test]
fn keys_of_objects_without_tags_follow_from_their_names() {
    let mut kinds_with_keys = BTreeSet::new();
    let mut checked = 0;
    for definition in composites::ALL {
        let steps = steps(definition).into_iter().map(|step| step.inputs);
        let all = steps.chain(more(definition));
        let graphs = all.filter_map(|inputs| {
            let name = inputs["name"].as_str()?.to_owned();
            Some((name, definition.expand(&Value::from(&inputs), &context()).graph?))
        });
        let mut graphs: Vec<(String, Graph)> = graphs.collect();
        assert!(graphs.len() > 1, "{}: the fixture gives no graph", definition.type_name);
        // A long name is shortened in AWS.
        for name in ["it", &"n".repeat(64)] {
            graphs.push((name.to_owned(), definition.expand_seed(name, &context()).graph.expect("a graph")));
        }
        for (name, graph) in &graphs {
            checked += check(definition, name, graph);
            kinds_with_keys.extend(graph.objects().iter().map(|object| object.kind.name));
        }
    }
    assert!(checked > 1000, "{checked}");
    for kind in kinds::ALL.iter().filter(|kind| !kind.tags) {
        assert!(kinds_with_keys.contains(kind.name), "no graph has a {}", kind.name);
    }
}

#[test]
fn objects_of_other_owners_get_no_key() {
    let function = (&Key::from("lambda_function.function"), &kinds::lambda::FUNCTION);
    let event_function = Definition::find("event_function").expect("a composite");
    let owner = owner(event_function, "notice");
    let settings =
        |json: Json| -> Settings { json.as_object().expect("settings").clone().into_iter().collect() };
    let none = |parent: (&Key, &Kind), kind: &'static Kind, json: Json| {
        let settings = settings(json);
        assert_eq!(keys_of_children(&owner, parent, kind, &[&settings]), [None], "{settings:?}");
    };
    let statement = |id: &str, principal: &str| json!({ "statement_id": id, "principal": principal, "action": "lambda:InvokeFunction" });
    for (id, principal) in
        [("by-hand", "s3.amazonaws.com"), ("on_x", "123456789013"), ("launcher_on_x", "s3.amazonaws.com")]
    {
        none(function, &kinds::lambda::PERMISSION, statement(id, principal));
    }
    let permission = (&Key::from("lambda_permission.on_x"), &kinds::lambda::PERMISSION);
    for id in ["theirs", "tandem-test-notice-two-on_x", "tandem-test-notic-on_x", "tandem-test-notice-"] {
        none(permission, &kinds::s3::NOTIFICATION, json!({ "id": id }));
    }
    let role = (&Key::from("iam_role.function"), &kinds::iam::ROLE);
    none(role, &kinds::iam::ROLE_POLICY, json!({ "name": "by-hand" }));
    let rule = (&Key::from("cloudwatch_event_rule.on_event"), &kinds::events::RULE);
    none(rule, &kinds::events::TARGET, json!({ "target_id": "by-hand" }));
    let group = (&Key::from("scheduler_schedule_group.schedules"), &kinds::scheduler::SCHEDULE_GROUP);
    none(group, &kinds::scheduler::SCHEDULE, json!({ "name": "on_schedule_by_hand" }));
    let api = (&Key::from("apigatewayv2_api.http"), &kinds::apigatewayv2::API);
    none(api, &kinds::apigatewayv2::ROUTE, json!({ "route_key": "GET /mine" }));
    let other = format!("arn:aws:lambda:eu-central-1:{ACCOUNT}:function:other");
    none(api, &kinds::apigatewayv2::INTEGRATION, json!({ "integration_uri": other }));
    let repository = (&Key::from("ecr_repository.task"), &kinds::ecr::REPOSITORY);
    none(repository, &kinds::ecr::IMAGE, json!({ "tag": "latest" }));
    let policy = (&Key::from("sqs_queue_policy.dead_letters"), &kinds::sqs::QUEUE_POLICY);
    none(policy, &kinds::sns::TOPIC_SUBSCRIPTION, json!({ "topic_arn": "arn:aws:sns:r:a:news" }));
}

#[test]
fn topics_of_one_name_get_keys_in_any_order() {
    let definition = Definition::find("queue").expect("a composite");
    let topic = |region: &str| format!("arn:aws:sns:{region}:{ACCOUNT}:news");
    let keys = |topics: [String; 2]| -> BTreeSet<(String, Key)> {
        let on: Vec<Json> = topics.iter().map(|topic| json!({ "topic": topic })).collect();
        let inputs = json!({ "name": "jobs", "on": on });
        let graph = definition.expand(&Value::from(&inputs), &context()).graph.expect("a graph");
        let scope = Predict(&graph, context());
        let subscriptions =
            graph.objects().iter().filter(|object| object.kind.name == "sns_topic_subscription");
        let topic = |object: &Object| scope.settings(object)["topic_arn"].as_str().map(ToOwned::to_owned);
        subscriptions.map(|object| (topic(object).expect("a topic"), object.key.clone())).collect()
    };
    let one = keys([topic("eu-central-1"), topic("eu-west-1")]);
    assert_eq!(one, keys([topic("eu-west-1"), topic("eu-central-1")]));
    let slots: Vec<&str> =
        one.iter().filter_map(|(_, key)| key.slot_of(&kinds::sns::TOPIC_SUBSCRIPTION)).collect();
    assert!(
        slots.len() == 2 && slots.iter().all(|slot| slot.starts_with("on_news_") && slot.len() == 16),
        "{slots:?}"
    );
}
