//! Sweeps of real composites on the engine's cloud in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tandem_engine::driver::{Observed, Tags};
use tandem_engine::job::Job;
use tandem_engine::ownership;
use tandem_engine::resolve::{Attributes, Resolver};
use tandem_engine::sweep::{Fate, Object, Owned, Reason, Report as Found, Request, Why, sweep};
use tandem_engine::testing::{Cloud, Fault, START, clock};
use tandem_model::composite::Definition;
use tandem_model::context::Context;
use tandem_model::graph::Key;
use tandem_model::kind::Kind;
use tandem_model::kinds::{iam, lambda, logs, s3, sqs};
use tandem_model::ownership::{OWNER, Owner, STATUS};
use tokio::time::Instant;

use super::{Arguments, Outside, Report};

/// An object: its kind and id.
type Name = (String, String);

/// A cloud in a place.
struct Fake {
    cloud: Cloud,
    context: Context,
}

impl Default for Fake {
    fn default() -> Self {
        let context = Context {
            project: Some("shop".to_owned()),
            region: Some("eu-central-1".to_owned()),
            account: Some("123456789012".to_owned()),
            ..Context::default()
        };
        Self { cloud: Cloud::new(&context), context }
    }
}

fn owner(text: &str) -> Owner {
    Owner::parse(text).expect("an owner")
}

const NOTICE: &str = "shop/eu-central-1/event_function/notice";
const INBOX: &str = "shop/eu-central-1/bucket/inbox";
const LOG_GROUP: &str = "/aws/lambda/shop-notice";
const QUEUE: &str = "shop-notice--dead-letters";

impl Fake {
    /// Every object of the cloud.
    fn objects(&self) -> BTreeSet<Name> {
        self.cloud.objects().into_iter().map(|(kind, id, _)| (kind.to_owned(), id)).collect()
    }

    /// The ids that the last sweep deleted, in the order of its calls.
    fn deleted(&self) -> Vec<String> {
        let calls =
            self.cloud.calls().into_iter().filter_map(|call| call.strip_prefix("delete ").map(str::to_owned));
        calls.map(|call| call.split_once(' ').expect("a kind and an id").1.to_owned()).collect()
    }

    /// Creates a composite and returns its objects, the anchor first.
    fn make(&self, whose: &str, instance: &str) -> Vec<Name> {
        let owner = owner(whose);
        let definition = Definition::find(&owner.composite).expect("a composite");
        let seed = definition.expand_seed(&owner.name, &self.context).graph.expect("a graph");
        let none = Attributes::new();
        let resolver = Resolver::new(&seed, &self.context, &none);
        let mut made = Vec::new();
        let mut keys = BTreeSet::new();
        for object in seed.objects() {
            // A seed has one object for each name that a key can have.
            if !keys.insert(&object.key) {
                continue;
            }
            let Some(id) = resolver.id(object) else { continue };
            let fields = resolver.fields(object).into_iter();
            let settings = fields.filter_map(|(name, value)| Some((name, value?)));
            let mut tags = Tags::new();
            if object.kind.tags {
                tags = ownership::tags(&owner, instance, &object.key);
            }
            if made.is_empty() {
                tags.insert(STATUS.to_owned(), "complete".to_owned());
            }
            made.push((object.kind.name.to_owned(), id.clone()));
            self.cloud
                .put(object.kind, Observed { id, settings: settings.collect(), tags, ..Observed::default() });
        }
        made
    }

    async fn sweep(&self, owned: &[Owned], remove: bool, content: bool) -> Found {
        self.cloud.start(None);
        let job = Job {
            drivers: &self.cloud,
            policy: serde_json::Value::clone,
            owner: owner("shop/eu-central-1/any/any"),
            context: &self.context,
            adopt: false,
            ignore: &[],
            lease: Duration::from_secs(30),
            holder: "host:1",
            clock,
            deadline: Instant::now() + Duration::from_secs(60),
            stopped: &|| false,
        };
        let request = Request { project: "shop", owned, remove, content, progress: &|_| () };
        sweep(&job, &request).await
    }
}

fn owned(instance: &str, objects: &[Name]) -> Owned {
    Owned {
        resource: "tandem_x.y in z".to_owned(),
        instance: instance.to_owned(),
        objects: objects.iter().cloned().collect(),
    }
}

fn object<'a>(found: &'a Found, kind: &Kind, id: &str) -> &'a Object {
    let mut objects = found.objects();
    let same = objects.find(|object| object.kind.name == kind.name && object.id == id);
    same.unwrap_or_else(|| panic!("{id} was not found: {found:?}"))
}

fn report(remove: bool, found: Found) -> Report {
    Report {
        project: "shop".to_owned(),
        region: "eu-central-1".to_owned(),
        account: "123456789012".to_owned(),
        states: Vec::new(),
        notes: Vec::new(),
        remove,
        found,
    }
}

#[tokio::test]
async fn a_lost_composite_is_listed_and_then_removed_in_order() {
    let fake = Fake::default();
    let made = fake.make(NOTICE, "1");
    let (permission, entry) = ("shop-notice:on_x", "foreign:tandem-shop-notice-on_x");
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:shop-notice";
    let (statement, notification) = (
        json!({ "function_name": "shop-notice", "statement_id": "on_x", "action": "lambda:InvokeFunction",
            "principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::foreign" }),
        json!({ "bucket": "foreign", "id": "tandem-shop-notice-on_x", "lambda_function_arn": arn }),
    );
    for (kind, id, settings) in
        [(&lambda::PERMISSION, permission, statement), (&s3::NOTIFICATION, entry, notification)]
    {
        let settings = settings.as_object().expect("settings").clone().into_iter().collect();
        fake.cloud.put(kind, Observed { id: id.to_owned(), settings, ..Observed::default() });
    }

    let listed = fake.sweep(&[], false, false).await;
    assert!(listed.good() && fake.deleted().is_empty());
    let found: BTreeSet<Name> =
        listed.objects().map(|object| (object.kind.name.to_owned(), object.id.clone())).collect();
    let more = [(lambda::PERMISSION.name, permission), (s3::NOTIFICATION.name, entry)];
    let more = more.map(|(kind, id)| (kind.to_owned(), id.to_owned()));
    assert_eq!(found, made.iter().cloned().chain(more).collect());
    assert!(listed.objects().all(|object| object.fate == Fate::Removable));
    assert_eq!(object(&listed, &logs::LOG_GROUP, LOG_GROUP).why, Why::UnknownInstance("1".to_owned()));
    assert_eq!(object(&listed, &s3::NOTIFICATION, entry).why, Why::With(arn.to_owned()));
    let listed = report(false, listed);
    assert_eq!((listed.exit_code(false), listed.exit_code(true)), (0, 3));
    let text = listed.text("THE CALL");
    assert!(text.contains("No state was passed") && text.contains("\n  THE CALL\n"), "{text}");
    let line = text.lines().find(|line| line.contains(entry)).expect("a line");
    assert!(line.contains(NOTICE) && line.contains("s3_bucket_notification"), "{line}");
    assert_eq!(listed.json(&[])["objects"].as_array().map(Vec::len), Some(made.len() + 2));

    let removed = fake.sweep(&[], true, false).await;
    assert!(removed.objects().all(|object| object.fate == Fate::Removed), "{removed:?}");
    assert_eq!(report(true, removed).exit_code(false), 0);
    assert!(fake.objects().is_empty());
    let deleted = fake.deleted();
    let place = |id: &str| deleted.iter().position(|deleted| deleted == id).expect("a delete");
    assert_eq!(place(LOG_GROUP), deleted.len() - 1, "the anchor was not deleted last");
    // A permission goes with its function.
    assert!(!deleted.iter().any(|id| id == permission) && place(entry) < place("shop-notice"));

    let nothing = report(true, fake.sweep(&[], true, false).await);
    assert!(nothing.text("").contains("No orphaned objects") && nothing.exit_code(true) == 0);
}

#[tokio::test]
async fn what_a_given_state_has_is_left_alone() {
    let fake = Fake::default();
    let made = fake.make(NOTICE, "1");
    assert_eq!(fake.sweep(&[owned("1", &made)], true, true).await.objects().count(), 0);

    // A state with this instance that lacks one object, as after a killed update.
    let role = "shop-notice--scheduler--eu-central-1";
    let rest: Vec<Name> = made.iter().filter(|(_, id)| id != role).cloned().collect();
    let found = fake.sweep(&[owned("1", &rest)], true, true).await;
    assert_eq!(object(&found, &iam::ROLE, role).why, Why::NotRecorded("tandem_x.y in z".to_owned()));
    assert_eq!(found.objects().count(), 2, "{found:?}");
    assert_eq!(fake.deleted(), ["shop-notice--scheduler--eu-central-1:scheduler", role]);

    // A state with the same record but another instance does not own the objects.
    let found = fake.sweep(&[owned("2", &rest)], false, false).await;
    assert_eq!(object(&found, &logs::LOG_GROUP, LOG_GROUP).why, Why::UnknownInstance("1".to_owned()));
}

#[tokio::test]
async fn whatever_is_of_others_is_not_found() {
    let fake = Fake::default();
    for whose in [
        "shop-prod/eu-central-1/bucket/a",
        "sho/eu-central-1/bucket/a",
        "shop/eu-central-2/bucket/a",
        "shop/eu-central-11/bucket/a",
        "somebody",
    ] {
        let tags = Tags::from([(OWNER.to_owned(), whose.to_owned())]);
        fake.cloud.put(&s3::BUCKET, Observed { id: whose.to_owned(), tags, ..Observed::default() });
    }
    fake.cloud.put(&s3::BUCKET, Observed { id: "shop-untagged".to_owned(), ..Observed::default() });
    let found = fake.sweep(&[], true, true).await;
    assert_eq!(found.objects().count(), 0, "{found:?}");
    assert_eq!(fake.objects().len(), 6);
}

#[tokio::test]
async fn what_holds_data_stays_with_all_that_belongs_to_it() {
    let fake = Fake::default();
    let notice = fake.make(NOTICE, "1");
    let inbox = fake.make(INBOX, "2");
    let bucket = inbox[0].1.clone();
    for id in [&*bucket, QUEUE] {
        fake.cloud.fill(id, "something");
    }
    let found = fake.sweep(&[], true, false).await;
    assert_eq!(object(&found, &sqs::QUEUE, QUEUE).fate, Fate::Stays(Reason::Holds("something".to_owned())));
    assert_eq!(object(&found, &logs::LOG_GROUP, LOG_GROUP).fate, Fate::Stays(Reason::Anchor));
    assert_eq!(object(&found, &lambda::FUNCTION, "shop-notice").fate, Fate::Removed);
    // The policy of the queue and every setting of the bucket stay as well.
    let left = fake.objects();
    let policy = ("sqs_queue_policy".to_owned(), QUEUE.to_owned());
    let queue = ("sqs_queue".to_owned(), QUEUE.to_owned());
    let stays: BTreeSet<Name> = inbox.iter().cloned().chain([notice[0].clone(), queue, policy]).collect();
    assert_eq!(left, stays);
    assert_eq!(report(true, found).exit_code(false), 1);

    let found = fake.sweep(&[], true, true).await;
    assert!(found.objects().all(|object| object.fate == Fate::Removed), "{found:?}");
    assert!(fake.objects().is_empty());
}

/// Sets the status of the composite.
fn mark(fake: &Fake, status: &str) {
    let set = |found: &mut Observed| drop(found.tags.insert(STATUS.to_owned(), status.to_owned()));
    fake.cloud.change(&logs::LOG_GROUP, LOG_GROUP, set);
}

#[tokio::test]
async fn a_composite_that_may_be_worked_on_is_not_touched() {
    let held = START + 30;
    for unlisted in [false, true] {
        let fake = Fake::default();
        let made = fake.make(NOTICE, "1");
        fake.make(INBOX, "2");
        mark(&fake, &format!("creating/{held}/host:1"));
        if unlisted {
            // Created after the log groups were listed.
            fake.cloud.hide(LOG_GROUP, true);
        }
        let found = fake.sweep(&[], true, false).await;
        let at_work = Fate::Stays(Reason::AtWork("host:1".to_owned()));
        assert_eq!(object(&found, &lambda::FUNCTION, "shop-notice").fate, at_work);
        assert_eq!(fake.objects().len(), made.len(), "the bucket was not deleted");
        assert_eq!(report(true, found).exit_code(false), 1);

        // The lease ended two hours ago.
        mark(&fake, &format!("creating/{}/host:1", held - 7200));
        fake.cloud.hide(LOG_GROUP, false);
        fake.sweep(&[], true, false).await;
        assert!(fake.objects().is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_known_is_not_removed() {
    let fake = Fake::default();
    let queue = |id: &str, tags: Tags| {
        fake.cloud.put(&sqs::QUEUE, Observed { id: id.to_owned(), tags, ..Observed::default() });
    };
    let key = Key::new(&sqs::QUEUE, "main");
    queue("shop-w", ownership::tags(&owner("shop/eu-central-1/dynasty/w"), "1", &key));
    queue("shop-x", Tags::from([(OWNER.to_owned(), "shop/eu-central-1/bucket/x".to_owned())]));
    queue("shop-y", Tags::from([(OWNER.to_owned(), "shop/eu-central-1/what?".to_owned())]));
    let found = fake.sweep(&[], true, true).await;
    assert_eq!(object(&found, &sqs::QUEUE, "shop-w").fate, Fate::Stays(Reason::UnknownComposite));
    assert_eq!(object(&found, &sqs::QUEUE, "shop-x").fate, Fate::Stays(Reason::NoInstance));
    assert_eq!(object(&found, &sqs::QUEUE, "shop-y").fate, Fate::Stays(Reason::UnknownComposite));
    assert_eq!(fake.objects().len(), 3);
}

#[tokio::test]
async fn a_failure_is_told_and_holds_back_no_more_than_it_must() {
    // Nothing is removed if a kind cannot be listed.
    let fake = Fake::default();
    let notice = fake.make(NOTICE, "1");
    let inbox = fake.make(INBOX, "2");
    fake.cloud.fail("list iam_role", Fault::Refuse, usize::MAX);
    let found = fake.sweep(&[], true, false).await;
    assert!(found.problems[0].fact.contains("IAM role"), "{:?}", found.problems);
    assert!(found.objects().all(|object| object.fate == Fate::Stays(Reason::Unseen)));
    assert_eq!(fake.objects().len(), notice.len() + inbox.len());
    assert_eq!(report(true, found).exit_code(false), 1);

    // After a failed delete, the objects that it needs stay. Other composites are deleted.
    fake.cloud.repair();
    fake.cloud.fail("delete lambda_function shop-notice", Fault::Refuse, usize::MAX);
    let found = fake.sweep(&[], true, false).await;
    assert_eq!(object(&found, &lambda::FUNCTION, "shop-notice").fate, Fate::Left);
    assert_eq!(object(&found, &logs::LOG_GROUP, LOG_GROUP).fate, Fate::Left);
    assert_eq!(object(&found, &s3::BUCKET, &inbox[0].1).fate, Fate::Removed);
    let of: Vec<_> = found.composites.iter().filter(|composite| !composite.problems.is_empty()).collect();
    assert_eq!(of.iter().map(|composite| &*composite.owner).collect::<Vec<_>>(), [NOTICE]);
    assert_eq!(report(true, found).exit_code(false), 1);

    // An object that cannot be read has no known owner and stays. All other objects are deleted.
    let left = fake.objects().len();
    fake.cloud.repair();
    fake.cloud.fail("read s3_bucket shop-other", Fault::Refuse, usize::MAX);
    fake.cloud.put(&s3::BUCKET, Observed { id: "shop-other".to_owned(), ..Observed::default() });
    let found = fake.sweep(&[], true, false).await;
    assert!(found.problems[0].fact.contains("shop-other"), "{:?}", found.problems);
    assert_eq!(found.objects().filter(|object| object.fate == Fate::Removed).count(), left);
}

#[test]
fn a_sweep_can_move_between_threads() {
    fn movable<T: Send>(_sweep: T) {}
    movable(super::sweep(Outside::default(), &Arguments::default(), &()));
}

#[tokio::test]
async fn a_bad_call_is_refused_before_anything_is_looked_at() {
    let calls = [
        (Arguments::default(), "--project"),
        (
            Arguments {
                project: "shop".to_owned(),
                states: vec!["/nowhere/s".into()],
                ..Arguments::default()
            },
            "/nowhere/s",
        ),
        (
            Arguments {
                project: "shop".to_owned(),
                region: Some("eu-moon-1".to_owned()),
                ..Arguments::default()
            },
            "eu-moon-1",
        ),
    ];
    for (arguments, part) in calls {
        let refusal = super::sweep(Outside::default(), &arguments, &()).await.expect_err("a refusal");
        assert!(refusal.0.contains(part), "{refusal:?}");
    }
}
