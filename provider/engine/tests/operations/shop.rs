//! A small composite whose objects differ in the ways that matter to the engine.
//!
//! | object | kind |
//! | --- | --- |
//! | `cloudwatch_log_group.main` | the anchor; its create call refuses an existing object |
//! | `sqs_queue.main` | holds data; inputs decide its name |
//! | `sqs_queue_policy.main` | has no tags: a child of the queue. It refers to the security group |
//! | `security_group.main` | the cloud assigns its id |
//! | `cloudwatch_metric_alarm.age` | carries tags, and exists for some inputs only |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value as Json;
use tandem_engine::apply::apply;
use tandem_engine::driver::Observed;
use tandem_engine::job::{Job, Outcome};
use tandem_engine::problem::Problem;
use tandem_engine::read::read;
use tandem_engine::record::Record;
use tandem_engine::testing::{Cloud, clock};
use tandem_model::code::Code;
use tandem_model::context::Context;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key};
use tandem_model::kinds::{cloudwatch, ec2, logs, sqs};
use tandem_model::ownership::{INSTANCE, Owner, STATUS};
use tokio::time::Instant;

pub(crate) const ANCHOR: &str = "cloudwatch_log_group.main";
pub(crate) const QUEUE: &str = "sqs_queue.main";
pub(crate) const POLICY: &str = "sqs_queue_policy.main";
pub(crate) const GROUP: &str = "security_group.main";

/// The id of the log group, of the queue and of the policy of the queue.
pub(crate) const ID: &str = "shop-orders";

/// The place of the objects.
pub(crate) static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context {
    project: Some("shop".to_owned()),
    region: Some("eu-central-1".to_owned()),
    account: Some("123456789012".to_owned()),
    ..Context::default()
});

/// The inputs of the composite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) retention: i64,
    pub(crate) visibility: i64,
    /// A FIFO queue has another name.
    pub(crate) fifo: bool,
    /// The description of the security group, which is immutable.
    pub(crate) group: Option<&'static str>,
    pub(crate) alarm: bool,
    pub(crate) force_destroy: bool,
    /// The value of a tag of the user.
    pub(crate) team: Option<&'static str>,
}

/// The composite as most tests create it.
pub(crate) const USUAL: Wanted = Wanted {
    retention: 14,
    visibility: 30,
    fifo: false,
    group: Some("orders"),
    alarm: false,
    force_destroy: false,
    team: None,
};

impl Wanted {
    pub(crate) fn graph(self) -> Graph {
        let mut graph = Graph::default();
        graph.force_destroy = self.force_destroy;
        graph.add(&logs::LOG_GROUP, "main").set("name", ID).set("retention_in_days", self.retention);
        let queue = graph
            .add(&sqs::QUEUE, "main")
            .set("name", if self.fifo { "shop-orders.fifo" } else { ID })
            .set_if("fifo_queue", self.fifo.then_some(true))
            .set("visibility_timeout_seconds", self.visibility)
            .named_by_inputs()
            .handle();
        let group = self.group.map(|description| {
            let group = graph.add(&ec2::SECURITY_GROUP, "main").set("name", ID);
            group.set("description", description).set("vpc_id", "vpc-1").handle()
        });
        let allowed = group.map_or_else(|| Expr::from("none"), |group| group.attribute("id"));
        graph
            .add(&sqs::QUEUE_POLICY, "main")
            .set("queue", queue.attribute("name"))
            .set("policy", Expr::map([("queue", queue.arn()), ("group", allowed)]));
        if self.alarm {
            let alarm = graph.add(&cloudwatch::METRIC_ALARM, "age").set("alarm_name", "shop-orders--age");
            alarm.set("threshold", 60).set("dimensions", Expr::map([("QueueName", queue.attribute("name"))]));
        }
        graph.tags = Expr::map(self.team.map(|team| ("team", team)));
        graph
    }
}

/// The graph with which an apply and an import search for objects.
pub(crate) fn seed() -> Graph {
    Wanted { alarm: true, ..USUAL }.graph()
}

pub(crate) fn owner() -> Owner {
    Owner::parse("shop/eu-central-1/queue/orders").expect("an owner")
}

/// The record of a state that has no object yet.
pub(crate) fn empty(instance: &str) -> Record {
    Record { instance: instance.to_owned(), objects: BTreeMap::new() }
}

pub(crate) fn cloud() -> Cloud {
    Cloud::new(&CONTEXT)
}

pub(crate) fn job(cloud: &Cloud) -> Job<'_> {
    Job {
        drivers: cloud,
        policy: Json::clone,
        owner: owner(),
        context: &CONTEXT,
        adopt: false,
        ignore: &[],
        lease: Duration::from_secs(30),
        holder: "host:1",
        clock,
        deadline: Instant::now() + Duration::from_secs(3600),
        stopped: &|| false,
    }
}

pub(crate) async fn apply_to(cloud: &Cloud, record: &Record, wanted: Wanted) -> Outcome {
    apply(&job(cloud), record.clone(), &wanted.graph(), &seed()).await
}

/// An apply that a fault kills.
pub(crate) async fn apply_killed(cloud: &Cloud, record: &Record, wanted: Wanted) {
    tokio::select! {
        biased;
        () = cloud.killed() => {}
        outcome = apply_to(cloud, record, wanted) => panic!("it was not killed: {outcome:?}"),
    }
    cloud.start(None);
}

/// A cloud with the complete composite, and the record of its state.
pub(crate) async fn complete(wanted: Wanted, instance: &str) -> (Cloud, Record) {
    let cloud = cloud();
    let outcome = apply_to(&cloud, &empty(instance), wanted).await;
    assert_eq!(codes(&outcome.problems), []);
    cloud.start(None);
    (cloud, outcome.record)
}

/// The codes of problems.
pub(crate) fn codes(problems: &[Problem]) -> Vec<Code> {
    problems.iter().map(|problem| problem.code).collect()
}

/// The codes of the errors among problems.
pub(crate) fn errors(problems: &[Problem]) -> Vec<Code> {
    problems.iter().filter(|problem| problem.error).map(|problem| problem.code).collect()
}

/// The calls that can change an object.
pub(crate) fn changes(cloud: &Cloud) -> Vec<String> {
    let reads = ["read ", "find ", "list ", "children ", "content "];
    let calls = cloud.calls().into_iter();
    calls.filter(|call| !reads.iter().any(|read| call.starts_with(read))).collect()
}

/// The object with this key in the record.
pub(crate) fn object(cloud: &Cloud, record: &Record, key: &str) -> Option<Observed> {
    let entry = record.objects.get(key)?;
    let mut objects = cloud.objects().into_iter();
    objects.find(|(kind, id, _)| *kind == entry.kind && *id == entry.id).map(|(.., found)| found)
}

/// Changes an object of the record without a call.
pub(crate) fn change(cloud: &Cloud, record: &Record, key: &str, change: impl FnOnce(&mut Observed)) {
    let entry = &record.objects[key];
    cloud.change(entry.kind().expect("a kind"), &entry.id, change);
}

/// Sets a tag without a call.
pub(crate) fn tag(cloud: &Cloud, tag: &str, value: &str) {
    cloud.change(&logs::LOG_GROUP, ID, |found| drop(found.tags.insert(tag.to_owned(), value.to_owned())));
}

/// Returns an error unless the composite is as wanted and complete: the cloud has exactly the recorded
/// objects, those of the graph, and another apply changes nothing.
pub(crate) async fn settled(cloud: &Cloud, record: &Record, wanted: Wanted) -> Result<(), String> {
    let graph = wanted.graph();
    let keys: BTreeSet<&Key> = graph.objects().iter().map(|object| &object.key).collect();
    let recorded: BTreeSet<&Key> = record.objects.keys().collect();
    if keys != recorded {
        return Err(format!("recorded are {recorded:?}"));
    }
    let ids: BTreeSet<(&str, &str)> =
        record.objects.values().map(|entry| (&*entry.kind, &*entry.id)).collect();
    let objects = cloud.objects();
    let exist: BTreeSet<(&str, &str)> = objects.iter().map(|(kind, id, _)| (*kind, &**id)).collect();
    if ids != exist {
        return Err(format!("recorded are {ids:?}\nbut {exist:?} exist"));
    }
    for (kind, id, found) in &objects {
        if found.tags.get(INSTANCE).is_some_and(|instance| *instance != record.instance) {
            return Err(format!("{kind} {id} has the tags {:?}", found.tags));
        }
    }
    let differences = read(&job(cloud), record).await.map_err(|problems| format!("{problems:?}"))?.lines();
    if !differences.is_empty() {
        return Err(differences.join("\n"));
    }
    let anchor = object(cloud, record, ANCHOR).expect("an anchor");
    if !anchor.tags[STATUS].starts_with("complete") {
        return Err(format!("the anchor has the tags {:?}", anchor.tags));
    }
    cloud.start(None);
    let again = apply_to(cloud, record, wanted).await;
    let (changes, problems) = (changes(cloud), again.problems);
    if again.record == *record && changes.is_empty() && problems.is_empty() {
        Ok(())
    } else {
        Err(format!("another apply makes the calls {changes:?}, with the problems {problems:?}"))
    }
}
