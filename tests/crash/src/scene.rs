//! A scene: one composite with its own AWS in memory, and the comparison of its objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;
use tandem_engine::driver::{Drivers as _, Tags};
use tandem_engine::ownership::user_tags;
use tandem_model::kind::Change;
use tandem_model::kinds;
use tandem_model::ownership::{INSTANCE, KEY, OWNER, STATUS};
use terraform_provider_tandem::aws::{Aws, Connection};

use crate::carrier::{Process, World};
use crate::double::{ACCOUNT, Item, REGION};
use crate::fault::Fault;
use crate::fixture::{Fixture, set};
use crate::matrix::Operation;
use crate::terraform::{End, Terraform};

/// One composite with its own AWS in memory.
pub struct Scene {
    /// Its fixture.
    pub fixture: Fixture,
    /// AWS in memory.
    pub world: Arc<World>,
    /// A folder with its configuration.
    pub terraform: Terraform,
    /// The objects that existed before the composite.
    pub before: Vec<Item>,
}

/// A notification of another owner on a bucket.
const FOREIGN: &str = "<NotificationConfiguration><QueueConfiguration><Id>theirs</Id>\
    <Queue>arn:aws:sqs:eu-central-1:123456789012:theirs</Queue><Event>s3:ObjectRestore:*</Event>\
    </QueueConfiguration></NotificationConfiguration>";

impl Scene {
    /// Creates AWS in memory with the objects that the fixture requires.
    pub async fn new(composite: &str, seed: u64) -> Self {
        enter_folder();
        let fixture = Fixture::named(composite);
        let world = World::new(seed);
        let aws = drivers(&world).await;
        for existing in fixture.existing(ACCOUNT) {
            let kind = kinds::find(existing["kind"].as_str().unwrap_or_default()).expect("a kind");
            let settings = existing["settings"].as_object().expect("settings").clone().into_iter().collect();
            aws.driver(kind)
                .create(&settings, &Tags::new())
                .await
                .expect("cannot create an existing object of the fixture");
        }
        // Another owner has a notification on each of these buckets.
        let buckets = fixture.existing(ACCOUNT);
        let buckets = buckets.iter().filter_map(|existing| existing["settings"]["bucket"].as_str());
        buckets.for_each(|bucket| world.cloud().put_notifications(bucket, FOREIGN));
        let before = world.cloud().everything();
        let terraform = Terraform::new(fixture.definition);
        Self { fixture, world, terraform, before }
    }

    /// The first configuration, and the one that must be in effect at the end. `None` if the composite has no
    /// such operation.
    pub fn inputs(&self, operation: Operation) -> Option<(Json, Json)> {
        let all = self.fixture.inputs(ACCOUNT);
        let less = || {
            let mut less = all.clone();
            for name in self.fixture.more() {
                less.as_object_mut().expect("inputs").remove(&name);
            }
            (less != all).then_some(less)
        };
        match operation {
            Operation::Create | Operation::Delete | Operation::Tainted => Some((all.clone(), all)),
            Operation::CreateThenLess | Operation::UpdateThenBack => Some((all.clone(), less()?)),
            Operation::Update => Some((all.clone(), self.changed(all, |replaces| !replaces)?)),
            Operation::Replace => Some((all.clone(), self.changed(all, |replaces| replaces)?)),
        }
    }

    /// The inputs with the first wanted change of each input. `wanted` is called with true for a change that
    /// replaces objects. `None` if there is no such change.
    fn changed(&self, mut inputs: Json, wanted: impl Fn(bool) -> bool) -> Option<Json> {
        let mut done = Vec::new();
        for change in self.fixture.changes(ACCOUNT) {
            let replaces = change.fields.iter().any(|field| replaces(field));
            if !wanted(replaces) || done.contains(&change.input) || change.value.is_null() {
                continue;
            }
            for cleared in &change.clear {
                set(&mut inputs, cleared, &Json::Null);
            }
            set(&mut inputs, &change.input, &change.value);
            done.push(change.input);
        }
        (!done.is_empty()).then_some(inputs)
    }

    /// Brings AWS and the state to the point where the operation starts.
    pub(crate) async fn set_up(&mut self, operation: Operation) -> Result<(), String> {
        let Some((first, last)) = self.inputs(operation) else { return Ok(()) };
        let process = Process::new(&self.world);
        let end = match operation {
            Operation::Create | Operation::CreateThenLess => return Ok(()),
            Operation::Update | Operation::Replace | Operation::Delete => {
                self.terraform.apply(&process, &first).await
            }
            Operation::UpdateThenBack => self.terraform.apply(&process, &last).await,
            Operation::Tainted => {
                // AWS denies a call in the middle, which fails the create.
                let at = self.middle(&first).await;
                let process = Process::disturbed(&self.world, Fault::Denied, &at);
                let end = self.terraform.apply(&process, &first).await;
                if !matches!(end, End::Failed(_)) || !self.terraform.is_tainted() {
                    return Err(format!(
                        "the create was denied at {at}, but the resource is not tainted: {end:?}"
                    ));
                }
                return Ok(());
            }
        };
        if end == End::Done { Ok(()) } else { Err(format!("the set-up fails without a fault: {end:?}")) }
    }

    /// A mutating call in the middle of a create.
    async fn middle(&self, inputs: &Json) -> String {
        let scene = Box::pin(Scene::new(self.fixture.definition.type_name, 1)).await;
        let (mut terraform, process) = (scene.terraform, Process::new(&scene.world));
        terraform.apply(&process, inputs).await;
        let calls: Vec<String> =
            process.calls().into_iter().filter(|call| !call.ends_with(":read")).collect();
        calls[calls.len() / 2].clone()
    }

    /// Runs the operation itself.
    pub(crate) async fn operate(&mut self, operation: Operation, process: &Arc<Process>) -> End {
        let Some((first, last)) = self.inputs(operation) else { return End::Done };
        match operation {
            Operation::Delete => self.terraform.destroy(process).await,
            Operation::Update | Operation::Replace => self.terraform.apply(process, &last).await,
            _ => self.terraform.apply(process, &first).await,
        }
    }

    /// Runs the command that follows the operation.
    pub(crate) async fn again(&mut self, operation: Operation, process: &Arc<Process>) -> End {
        let Some((_, last)) = self.inputs(operation) else { return End::Done };
        match operation {
            Operation::Delete => self.terraform.destroy(process).await,
            _ => self.terraform.apply(process, &last).await,
        }
    }

    /// The objects that exist now and did not exist before.
    pub fn made(&self) -> Vec<Item> {
        let mut made = self.world.cloud().everything();
        for item in &self.before {
            if let Some(place) = made.iter().position(|other| other == item) {
                made.remove(place);
            }
        }
        made
    }

    /// Compares the objects with those of an undisturbed run, and their tags with the state. The error lists
    /// the differences.
    pub fn compare(&self, expected: &[Item]) -> Result<(), String> {
        let made = self.made();
        let (now, wanted) = (counts(&made), counts(expected));
        let mut wrong = Vec::new();
        let all: BTreeSet<&String> = now.keys().chain(wanted.keys()).collect();
        for item in all {
            let (is, should) = (now.get(item).unwrap_or(&0), wanted.get(item).unwrap_or(&0));
            if is != should {
                wrong.push(format!("{item}: found {is}, expected {should}"));
            }
        }
        let of_state = |name: &str| self.terraform.state().get(name).as_str().unwrap_or_default().to_owned();
        let (instance, owner) = (of_state("instance"), of_state("id"));
        let record = self.terraform.state().get("record");
        let mut keys = BTreeSet::new();
        for item in &made {
            let Some(tags) = &item.tags else { continue };
            let key = tags.get(KEY).map(String::as_str).unwrap_or_default();
            if record.get(key).is_null() || !keys.insert(key) {
                wrong.push(format!(
                    "{item} has key {key:?}, which the state does not have, or another object has"
                ));
            }
            if tags.get(OWNER) != Some(&owner) {
                wrong.push(format!("{item} has owner {:?}, but the state has {owner}", tags.get(OWNER)));
            }
            if tags.get(INSTANCE) != Some(&instance) {
                wrong.push(format!(
                    "{item} has instance {:?}, but the state has {instance}",
                    tags.get(INSTANCE)
                ));
            }
            if tags.get(STATUS).is_some_and(|status| !status.starts_with("complete/")) {
                wrong.push(format!("{item} has status {:?}", tags[STATUS]));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// The number of items by kind, name, user tags and settings.
fn counts(items: &[Item]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        let tags = item.tags.clone().unwrap_or_default();
        let tags: Vec<String> = user_tags(&tags).map(|(key, value)| format!("{key}={value}")).collect();
        let settings = normal(&item.settings.to_string());
        *counts.entry(format!("{item} [{}] {settings}", tags.join(","))).or_default() += 1;
    }
    counts
}

/// Removes the parts that differ between two runs: the host of the world, and numbers that AWS assigned.
fn normal(text: &str) -> String {
    let mut normal = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(".double") {
        let (before, after) = rest.split_at(start);
        let host = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(0, |at| at + 1);
        normal.push_str(&before[..host]);
        normal.push_str("HOST");
        rest = &after[".double".len()..];
    }
    normal.push_str(rest);
    for (start, kept) in [("sg-", "sg-"), (":task-definition/", ":task-definition/")] {
        normal = without_numbers(&normal, start, kept);
    }
    normal
}

/// Removes the numbers that AWS assigned after each `start`, e.g. the revision of a task definition.
fn without_numbers(text: &str, start: &str, kept: &str) -> String {
    let mut parts = text.split(start);
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        normal.push_str(kept);
        if start == "sg-" {
            normal.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
        } else {
            // `family:7`
            let end =
                part.find(|c: char| !c.is_ascii_alphanumeric() && !"-_:".contains(c)).unwrap_or(part.len());
            let (name, rest) = part.split_at(end);
            let name = name
                .rsplit_once(':')
                .filter(|(_, number)| number.parse::<u64>().is_ok())
                .map_or(name, |(name, _)| name);
            normal.push_str(name);
            normal.push_str(rest);
        }
    }
    normal
}

/// The drivers of every kind, connected to a world.
pub async fn drivers(world: &Arc<World>) -> Aws {
    let connection = Connection {
        region: Some(REGION.to_owned()),
        access_key: Some(ACCOUNT.to_owned()),
        secret_key: Some("secret".to_owned()),
        endpoint: Some(world.endpoint.clone()),
        carrier: Process::new(world).outside().carrier,
        ..Connection::default()
    };
    Aws::new(&connection.clients().await.expect("clients"))
}

/// Returns true if a change that a fixture lists creates, deletes or replaces an object.
fn replaces(field: &str) -> bool {
    if field.starts_with(['+', '-']) {
        return true;
    }
    let (kind, rest) = field.split_once('.').unwrap_or((field, ""));
    let name = rest.rsplit('.').next().unwrap_or_default();
    kinds::find(kind).and_then(|kind| kind.field(name)).is_some_and(|field| field.change != Change::InPlace)
}

/// Changes to a temporary folder with the files that the fixtures refer to.
pub fn enter_folder() {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let mut binary = vec![0; 64];
        binary[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        binary[18] = 62;
        std::fs::write(at.join("bootstrap"), &binary).expect("code");
        binary.push(0);
        std::fs::write(at.join("bootstrap2"), &binary).expect("code");
        let code = tandem_model::artifact::prepare(tandem_model::artifact::CodeKind::Bootstrap, &binary);
        std::fs::write(at.join("code.zip"), code.expect("a zip").zip).expect("code");
        for context in ["context", "context2"] {
            std::fs::create_dir_all(at.join(context)).expect("a folder");
            for file in ["Dockerfile", "Other.Dockerfile"] {
                std::fs::write(at.join(context).join(file), "FROM scratch\nCOPY hello /hello\n")
                    .expect("a file");
            }
            std::fs::write(at.join(context).join("hello"), context).expect("a file");
        }
        std::env::set_current_dir(at).expect("cannot change to the folder");
        folder
    });
}
