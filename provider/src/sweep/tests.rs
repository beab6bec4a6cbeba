//! Sweeps of real composites with drivers whose objects are in a map in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::json;
use tandem_engine::driver::{Created, Driver, Drivers, Failure, Observed, Tags};
use tandem_engine::job::Job;
use tandem_engine::ownership;
use tandem_engine::resolve::{Attributes, Resolver};
use tandem_engine::sweep::{Fate, Object, Owned, Reason, Report as Found, Request, Why, sweep};
use tandem_model::composite::{Definition, Settings};
use tandem_model::context::Context;
use tandem_model::graph::Key;
use tandem_model::kind::{Change, Kind};
use tandem_model::kinds::{self, iam, lambda, logs, s3, sqs};
use tandem_model::ownership::{OWNER, Owner, STATUS};
use tokio::time::Instant;

use super::{Arguments, Outside, Report};

/// An object: its kind and id.
type Name = (String, String);

#[derive(Default)]
struct Cloud {
    objects: BTreeMap<Name, Observed>,
    /// The content of data objects, by id.
    content: BTreeMap<String, String>,
    /// Ids that `list` leaves out.
    unlisted: BTreeSet<String>,
    /// Calls that fail: `list KIND`, `observe ID`, `delete ID`.
    refused: BTreeSet<String>,
    /// Ids of deleted objects, in the order of their deletion.
    deleted: Vec<String>,
}

/// The driver of one kind.
struct One {
    kind: &'static Kind,
    cloud: Arc<Mutex<Cloud>>,
}

impl One {
    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self, id: &str) -> Name {
        (self.kind.name.to_owned(), id.to_owned())
    }

    fn check(&self, call: &str, of: &str) -> Result<(), Failure> {
        let refused = self.cloud().refused.contains(&format!("{call} {of}"));
        if refused { Err(Failure::local(call, "refused")) } else { Ok(()) }
    }
}

#[async_trait]
impl Driver for One {
    async fn observe(&self, id: &str) -> Result<Option<Observed>, Failure> {
        self.check("observe", id)?;
        Ok(self.cloud().objects.get(&self.name(id)).cloned())
    }

    async fn list(&self, project: &str) -> Result<Vec<String>, Failure> {
        assert_eq!(project, "shop");
        self.check("list", self.kind.name)?;
        let cloud = self.cloud();
        let names = cloud.objects.keys().filter(|(kind, _)| kind == self.kind.name);
        Ok(names.map(|(_, id)| id.clone()).filter(|id| !cloud.unlisted.contains(id)).collect())
    }

    async fn create(&self, _settings: &Settings, _tags: &Tags) -> Result<Created, Failure> {
        unreachable!("a sweep creates no object")
    }

    async fn update(&self, _id: &str, _fields: &[&str], _settings: &Settings) -> Result<(), Failure> {
        unreachable!("a sweep updates no object")
    }

    async fn delete(&self, id: &str) -> Result<(), Failure> {
        self.check("delete", id)?;
        let mut cloud = self.cloud();
        assert!(cloud.objects.remove(&self.name(id)).is_some(), "{id} does not exist");
        cloud.deleted.push(id.to_owned());
        Ok(())
    }

    async fn content(&self, id: &str) -> Result<Option<String>, Failure> {
        Ok(self.cloud().content.get(id).cloned())
    }

    /// As AWS: a field names the parent by its id or ARN. A notification hangs on the permission of its
    /// function.
    async fn children(&self, parent: &'static Kind, of: &Observed) -> Result<Vec<Observed>, Failure> {
        let named = |kind: &Kind, settings: &Settings| {
            let fields = kind.fields.iter().filter(|field| field.change == Change::WithParent);
            let mut names =
                fields.filter_map(|field| settings.get(field.name)?.as_str()).map(ToOwned::to_owned);
            names.next()
        };
        let of_parent = if parent.tags { Some(of.id.clone()) } else { named(parent, &of.settings) };
        let is_child = |observed: &Observed| {
            let named = named(self.kind, &observed.settings);
            let (Some(named), Some(parent)) = (named, &of_parent) else { return false };
            named == *parent || named.rsplit(':').next() == Some(parent)
        };
        let cloud = self.cloud();
        let ours =
            cloud.objects.iter().filter(|((kind, _), observed)| kind == self.kind.name && is_child(observed));
        Ok(ours.map(|(_, observed)| observed.clone()).collect())
    }
}

struct Fake {
    drivers: BTreeMap<&'static str, One>,
    cloud: Arc<Mutex<Cloud>>,
    context: Context,
}

impl Drivers for Fake {
    fn driver(&self, kind: &'static Kind) -> &dyn Driver {
        &self.drivers[kind.name]
    }
}

impl Default for Fake {
    fn default() -> Self {
        let cloud = Arc::<Mutex<Cloud>>::default();
        let drivers = kinds::ALL.iter().map(|kind| (kind.name, One { kind, cloud: cloud.clone() }));
        let context = Context {
            project: Some("shop".to_owned()),
            region: Some("eu-central-1".to_owned()),
            account: Some("123456789012".to_owned()),
            ..Context::default()
        };
        Self { drivers: drivers.collect(), cloud, context }
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
    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, kind: &Kind, observed: Observed) {
        self.cloud().objects.insert((kind.name.to_owned(), observed.id.clone()), observed);
    }

    /// Creates a composite and returns its objects, the anchor first.
    fn make(&self, whose: &str, instance: &str) -> Vec<Name> {
        let owner = owner(whose);
        let definition = Definition::find(&owner.composite).expect("a composite");
        let seed = definition.expand_seed(&owner.name, &self.context).graph.expect("a graph");
        let none = Attributes::new();
        let resolver = Resolver::new(&seed, &self.context, &none);
        let mut made = Vec::new();
        for object in seed.objects() {
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
            self.put(object.kind, Observed { id, settings: settings.collect(), tags, ..Observed::default() });
        }
        made
    }

    fn tag(&self, id: &str, tag: &str, value: &str) {
        let mut cloud = self.cloud();
        let objects = cloud.objects.iter_mut().filter(|((_, known), _)| known == id);
        objects.for_each(|(_, observed)| drop(observed.tags.insert(tag.to_owned(), value.to_owned())));
    }

    async fn sweep(&self, owned: &[Owned], remove: bool, content: bool) -> Found {
        let job = Job {
            drivers: self,
            policy: serde_json::Value::clone,
            owner: owner("shop/eu-central-1/any/any"),
            context: &self.context,
            adopt: false,
            ignore: &[],
            lease: Duration::from_secs(30),
            holder: "host:1",
            clock: SystemTime::now,
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
        fake.put(kind, Observed { id: id.to_owned(), settings, ..Observed::default() });
    }

    let listed = fake.sweep(&[], false, false).await;
    assert!(listed.good() && fake.cloud().deleted.is_empty());
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
    assert!(fake.cloud().objects.is_empty());
    let deleted = fake.cloud().deleted.clone();
    let place = |id: &str| deleted.iter().position(|deleted| deleted == id).expect("a delete");
    assert_eq!(place(LOG_GROUP), deleted.len() - 1, "the anchor was not deleted last");
    assert!(place(permission) < place("shop-notice") && place(entry) < place("shop-notice"));

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
    assert_eq!(fake.cloud().deleted, ["shop-notice--scheduler--eu-central-1:scheduler", role]);

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
        fake.put(&s3::BUCKET, Observed { id: whose.to_owned(), tags, ..Observed::default() });
    }
    fake.put(&s3::BUCKET, Observed { id: "shop-untagged".to_owned(), ..Observed::default() });
    let found = fake.sweep(&[], true, true).await;
    assert_eq!(found.objects().count(), 0, "{found:?}");
    assert_eq!(fake.cloud().objects.len(), 6);
}

#[tokio::test]
async fn what_holds_data_stays_with_all_that_belongs_to_it() {
    let fake = Fake::default();
    let notice = fake.make(NOTICE, "1");
    let inbox = fake.make(INBOX, "2");
    let bucket = inbox[0].1.clone();
    for id in [&*bucket, QUEUE] {
        fake.cloud().content.insert(id.to_owned(), "something".to_owned());
    }
    let found = fake.sweep(&[], true, false).await;
    assert_eq!(object(&found, &sqs::QUEUE, QUEUE).fate, Fate::Stays(Reason::Holds("something".to_owned())));
    assert_eq!(object(&found, &logs::LOG_GROUP, LOG_GROUP).fate, Fate::Stays(Reason::Anchor));
    assert_eq!(object(&found, &lambda::FUNCTION, "shop-notice").fate, Fate::Removed);
    // The policy of the queue and every setting of the bucket stay as well.
    let left: BTreeSet<Name> = fake.cloud().objects.keys().cloned().collect();
    let policy = ("sqs_queue_policy".to_owned(), QUEUE.to_owned());
    let queue = ("sqs_queue".to_owned(), QUEUE.to_owned());
    let stays: BTreeSet<Name> = inbox.iter().cloned().chain([notice[0].clone(), queue, policy]).collect();
    assert_eq!(left, stays);
    assert_eq!(report(true, found).exit_code(false), 1);

    let found = fake.sweep(&[], true, true).await;
    assert!(found.objects().all(|object| object.fate == Fate::Removed), "{found:?}");
    assert!(fake.cloud().objects.is_empty());
}

#[tokio::test]
async fn a_composite_that_may_be_worked_on_is_not_touched() {
    let held = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs() + 30;
    for unlisted in [false, true] {
        let fake = Fake::default();
        let made = fake.make(NOTICE, "1");
        fake.make(INBOX, "2");
        fake.tag(LOG_GROUP, STATUS, &format!("creating/{held}/host:1"));
        if unlisted {
            // Created after the log groups were listed.
            fake.cloud().unlisted.insert(LOG_GROUP.to_owned());
        }
        let found = fake.sweep(&[], true, false).await;
        let at_work = Fate::Stays(Reason::AtWork("host:1".to_owned()));
        assert_eq!(object(&found, &lambda::FUNCTION, "shop-notice").fate, at_work);
        assert_eq!(fake.cloud().objects.len(), made.len(), "the bucket was not deleted");
        assert_eq!(report(true, found).exit_code(false), 1);

        // The lease ended two hours ago.
        fake.tag(LOG_GROUP, STATUS, &format!("creating/{}/host:1", held - 7200));
        fake.cloud().unlisted.clear();
        fake.sweep(&[], true, false).await;
        assert!(fake.cloud().objects.is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_known_is_not_removed() {
    let fake = Fake::default();
    let queue = |id: &str, tags: Tags| {
        fake.put(&sqs::QUEUE, Observed { id: id.to_owned(), tags, ..Observed::default() });
    };
    let key = Key::new(&sqs::QUEUE, "main");
    queue("shop-w", ownership::tags(&owner("shop/eu-central-1/dynasty/w"), "1", &key));
    queue("shop-x", Tags::from([(OWNER.to_owned(), "shop/eu-central-1/bucket/x".to_owned())]));
    queue("shop-y", Tags::from([(OWNER.to_owned(), "shop/eu-central-1/what?".to_owned())]));
    let found = fake.sweep(&[], true, true).await;
    assert_eq!(object(&found, &sqs::QUEUE, "shop-w").fate, Fate::Stays(Reason::UnknownComposite));
    assert_eq!(object(&found, &sqs::QUEUE, "shop-x").fate, Fate::Stays(Reason::NoInstance));
    assert_eq!(object(&found, &sqs::QUEUE, "shop-y").fate, Fate::Stays(Reason::UnknownComposite));
    assert_eq!(fake.cloud().objects.len(), 3);
}

#[tokio::test]
async fn a_failure_is_told_and_holds_back_no_more_than_it_must() {
    // Nothing is removed if a kind cannot be listed.
    let fake = Fake::default();
    let notice = fake.make(NOTICE, "1");
    let inbox = fake.make(INBOX, "2");
    fake.cloud().refused.insert("list iam_role".to_owned());
    let found = fake.sweep(&[], true, false).await;
    assert!(found.problems[0].fact.contains("IAM role"), "{:?}", found.problems);
    assert!(found.objects().all(|object| object.fate == Fate::Stays(Reason::Unseen)));
    assert_eq!(fake.cloud().objects.len(), notice.len() + inbox.len());
    assert_eq!(report(true, found).exit_code(false), 1);

    // After a failed delete, the objects that it needs stay. Other composites are deleted.
    fake.cloud().refused = BTreeSet::from(["delete shop-notice".to_owned()]);
    let found = fake.sweep(&[], true, false).await;
    assert_eq!(object(&found, &lambda::FUNCTION, "shop-notice").fate, Fate::Left);
    assert_eq!(object(&found, &logs::LOG_GROUP, LOG_GROUP).fate, Fate::Left);
    assert_eq!(object(&found, &s3::BUCKET, &inbox[0].1).fate, Fate::Removed);
    let of: Vec<_> = found.composites.iter().filter(|composite| !composite.problems.is_empty()).collect();
    assert_eq!(of.iter().map(|composite| &*composite.owner).collect::<Vec<_>>(), [NOTICE]);
    assert_eq!(report(true, found).exit_code(false), 1);

    // An object that cannot be read has no known owner and stays. All other objects are deleted.
    let left = fake.cloud().objects.len();
    fake.cloud().refused = BTreeSet::from(["observe shop-other".to_owned()]);
    fake.put(&s3::BUCKET, Observed { id: "shop-other".to_owned(), ..Observed::default() });
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
