//! Judgments over the calls of every composite.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use tandem_crash::carrier::Process;
use tandem_crash::double::{ACCOUNT, REGION};
use tandem_crash::fixture::Fixture;
use tandem_crash::matrix::{Operation, in_virtual_time};
use tandem_crash::scene::Scene;
use tandem_judges::call::Call;
use tandem_judges::iam::{self, Place};
use tandem_judges::{figures, models, mutants};
use tandem_model::access::{Part, deployment};
use tandem_model::context::Context;
use tandem_model::graph::Graph;
use tandem_model::value::Value;

/// The calls that create and destroy a composite.
async fn calls(composite: &str) -> Vec<Call> {
    let mut scene = Scene::new(composite, 1).await;
    scene.world.record();
    let process = Process::new(&scene.world);
    let inputs = scene.fixture.inputs(ACCOUNT);
    scene.terraform.apply(&process, &inputs).await;
    scene.terraform.destroy(&Process::new(&scene.world)).await;
    scene.world.recorded()
}

#[test]
fn the_models_refuse_calls_with_one_fault() {
    let mut shapes: BTreeMap<String, Call> = BTreeMap::new();
    for fixture in Fixture::all() {
        for call in in_virtual_time(calls(fixture.definition.type_name)) {
            // One call per operation and set of members is enough.
            let members: Vec<&String> =
                call.input.as_object().into_iter().flat_map(|input| input.keys()).collect();
            shapes.entry(format!("{}:{} {members:?}", call.service, call.operation)).or_insert(call);
        }
    }
    let (mut made, mut missed) = (0_u64, Vec::new());
    for call in shapes.values() {
        assert_eq!(models::judge(call), [], "a recorded call");
        for mutant in mutants::of(call) {
            made += 1;
            if models::judge(&mutant.call).is_empty() {
                missed.push(format!("{}:{} {}", call.service, call.operation, mutant.fault));
            }
        }
    }
    let unnoticed = u64::try_from(missed.len()).expect("a small number");
    figures::add("calls with a planted fault, judged by the models of botocore", made, made - unnoticed);
    figures::keep();
    println!("{made} mutants of {} calls, {unnoticed} accepted: {missed:#?}", shapes.len());
    assert!(made > 1_000, "{made} mutants are no measure");
    assert!(unnoticed * 100 <= made, "{unnoticed} of {made} are accepted: {missed:#?}");
}

/// Calls that delete a part of an object that every composite with this part owns itself.
const OF_PARTS: &[&str] = &[
    "DeleteAuthorizer",
    "DeleteFunctionEventInvokeConfig",
    "DeleteFunctionUrlConfig",
    "DeleteIntegration",
    "DeleteLifecyclePolicy",
    "DeleteRoute",
    "DeleteStage",
    "RemovePermission",
    "SetQueueAttributes",
    "SetTopicAttributes",
];

/// A destroy deletes a bucket, and makes no call for its settings; the same holds for parts of other objects. An
/// organization can deny `s3:DeleteBucketPolicy`.
#[test]
fn a_destroy_makes_no_call_for_an_object_that_goes_with_another() {
    for fixture in Fixture::all() {
        let composite = fixture.definition.type_name;
        let (created, destroyed) = in_virtual_time(async {
            let mut scene = Scene::new(composite, 1).await;
            scene.world.record();
            let inputs = scene.fixture.inputs(ACCOUNT);
            scene.terraform.apply(&Process::new(&scene.world), &inputs).await;
            let created = scene.world.recorded();
            scene.world.record();
            scene.terraform.destroy(&Process::new(&scene.world)).await;
            (created, scene.world.recorded())
        });
        println!("{composite}: {} calls to create, {} to destroy", created.len(), destroyed.len());
        // Buckets of others, with the notifications of the composite, stay.
        let deleted: Vec<&Call> = destroyed.iter().filter(|call| call.operation == "DeleteBucket").collect();
        let of_a_deleted =
            |call: &Call| deleted.iter().any(|bucket| bucket.input["Bucket"] == call.input["Bucket"]);
        for call in &destroyed {
            let of_part = OF_PARTS.contains(&call.operation.as_str())
                || call.service == "s3"
                    && call.operation != "DeleteBucket"
                    && of_a_deleted(call)
                    && changes(call);
            assert!(!of_part, "{composite}: {} {}", call.operation, call.input);
        }
    }
}

/// True for a call that changes a setting of a bucket.
fn changes(call: &Call) -> bool {
    call.operation.starts_with("Delete") && call.operation != "DeleteObjects"
        || call.operation.starts_with("Put")
}

/// The inputs of a fixture, and the inputs after changes: with `TANDEM_FULL` after each of them, otherwise after all that
/// change objects in place, and after all that replace objects.
fn all_inputs(fixture: &Fixture) -> Vec<Json> {
    if crate::full() {
        return fixture.variants(ACCOUNT);
    }
    let scene = in_virtual_time(Scene::new(fixture.definition.type_name, 1));
    let changed = [Operation::Update, Operation::Replace].map(|operation| scene.inputs(operation));
    std::iter::once(fixture.inputs(ACCOUNT))
        .chain(changed.into_iter().flatten().map(|(_, last)| last))
        .collect()
}

/// The documents of IAM in a call: members whose name contains `Policy` with JSON in a string.
fn policies(value: &Json) -> Vec<Json> {
    match value {
        Json::Object(members) => members.values().flat_map(policies).collect(),
        Json::Array(items) => items.iter().flat_map(policies).collect(),
        Json::String(text) if text.starts_with('{') => {
            let document: Json = serde_json::from_str(text).unwrap_or_default();
            if document["Statement"].is_array() { vec![document] } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// The policy that `tandem policy` prints allows every call that creates, changes and destroys a composite, and each of
/// its statements can match a request. So can those of roles, queues, buckets and topics.
#[test]
fn the_policy_of_a_deployment_allows_every_call_and_no_statement_is_idle() {
    let (mut denied, mut idle, mut judged) = (BTreeSet::new(), BTreeSet::new(), 0_u64);
    let place = Place { region: REGION.to_owned(), account: ACCOUNT.to_owned() };
    let context = Context {
        project: Some("test".to_owned()),
        region: Some(REGION.to_owned()),
        account: Some(ACCOUNT.to_owned()),
        ..Context::default()
    };
    for fixture in Fixture::all() {
        let composite = fixture.definition.type_name;
        let all = all_inputs(&fixture);
        let expand = |inputs: &Json| fixture.definition.expand(&Value::from(inputs), &context).graph;
        let graphs: Vec<Graph> = all.iter().filter_map(expand).collect();
        let parts: Vec<Part<'_>> =
            graphs.iter().map(|graph| Part { graph, takes: BTreeMap::new() }).collect();
        let policy = deployment(&parts, &context);
        let recorded = in_virtual_time(async {
            let mut scene = Scene::new(composite, 1).await;
            scene.world.record();
            for inputs in &all {
                scene.terraform.apply(&Process::new(&scene.world), inputs).await;
            }
            scene.terraform.destroy(&Process::new(&scene.world)).await;
            scene.world.recorded()
        });
        for need in iam::needs(&recorded, &place) {
            judged += 1;
            if !iam::allows(&policy, &need) {
                denied.insert(format!("{composite}: {} on {}", need.action, need.resource));
            }
        }
        let documents = recorded.iter().flat_map(|call| policies(&call.input)).chain([policy]);
        idle.extend(documents.flat_map(|document| iam::idle(&document)));
    }
    let refused = u64::try_from(denied.len()).expect("a small number");
    figures::add("needs of recorded calls, judged with the policy of `tandem policy`", judged, refused);
    figures::keep();
    println!("{judged} needs");
    assert!(denied.is_empty() && idle.is_empty(), "denied: {denied:#?}\nidle: {idle:#?}");
    assert!(judged > 500, "{judged} needs are no measure");
    assert!(!iam::allows(
        &json!({ "Statement": [] }),
        &iam::Need { action: "sqs:SendMessage".to_owned(), resource: "*".to_owned() }
    ));
}
