//! Every composite, operation, mutating call and fault with each other: after the fault the next apply
//! ends with exactly one of everything and an empty plan, and a destroy leaves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tandem_engine::driver::{Drivers as _, Tags};
use tandem_engine::ownership::user_tags;
use tandem_model::kind::Role;
use tandem_model::kinds;
use tandem_model::ownership::{INSTANCE, OWNER, STATUS};
use terraform_provider_tandem::aws::{Aws, Connection};

use crate::carrier::{Process, World};
use crate::double::{ACCOUNT, Item, REGION};
use crate::fault::Fault;
use crate::fixture::{Fixture, set};
use crate::report::Results;
use crate::terraform::{End, Terraform};

/// What is disturbed, and what is applied after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A create, and it again.
    Create,
    /// A create, and one of fewer objects.
    CreateThenLess,
    /// An update that changes objects in place, and it again.
    Update,
    /// An update that adds objects, and then without them again.
    UpdateThenBack,
    /// An update that replaces objects, and it again.
    Replace,
    /// A destroy, and it again.
    Delete,
    /// The replacement of what a failed create left tainted, and it again.
    Tainted,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 7] = [
        Self::Create,
        Self::CreateThenLess,
        Self::Update,
        Self::UpdateThenBack,
        Self::Replace,
        Self::Delete,
        Self::Tainted,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::CreateThenLess => "create, then less",
            Self::Update => "update",
            Self::UpdateThenBack => "update, then back",
            Self::Replace => "replacement of objects",
            Self::Delete => "delete",
            Self::Tainted => "tainted replacement",
        })
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The composite's type.
    pub composite: &'static str,
    /// What is disturbed.
    pub operation: Operation,
    /// With what.
    pub fault: Fault,
    /// At which mutating call, by its name and how often it was carried out: `iam:CreateRole role #1`.
    pub at: String,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:?}/{:?}/{}", self.composite, self.operation, self.fault, self.at)
    }
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same command again was enough, or nothing more was needed.
    Converged,
    /// What a message said to do was done, and was enough.
    Instructed,
    /// The fault met no call: there are fewer than in an undisturbed run.
    NotFired,
    /// What is wrong.
    Failed(String),
}

/// A composite in a world of its own.
pub struct Scene {
    /// Its fixture.
    pub fixture: Fixture,
    /// The world.
    pub world: Arc<World>,
    /// A folder with its configuration.
    pub terraform: Terraform,
    /// What existed before.
    pub before: Vec<Item>,
}

/// What somebody else has on a bucket.
const FOREIGN: &str = "<NotificationConfiguration><QueueConfiguration><Id>theirs</Id>\
    <Queue>arn:aws:sqs:eu-central-1:123456789012:theirs</Queue><Event>s3:ObjectRestore:*</Event>\
    </QueueConfiguration></NotificationConfiguration>";

impl Scene {
    /// With what its fixture says must exist beside it.
    pub async fn new(composite: &str, seed: u64) -> Self {
        enter_folder();
        let fixture = Fixture::named(composite);
        let world = World::new(seed);
        let aws = drivers(&world).await;
        for existing in fixture.existing(ACCOUNT) {
            let kind = kinds::find(existing["kind"].as_str().unwrap_or_default()).expect("a kind");
            let settings = existing["settings"].as_object().expect("settings").clone().into_iter().collect();
            aws.driver(kind).create(&settings, &Tags::new()).await.expect("what exists beside");
        }
        // Others have something in the same buckets.
        let buckets = fixture.existing(ACCOUNT);
        let buckets = buckets.iter().filter_map(|existing| existing["settings"]["bucket"].as_str());
        buckets.for_each(|bucket| world.cloud().put_notifications(bucket, FOREIGN));
        let before = world.cloud().everything();
        let terraform = Terraform::new(fixture.definition);
        Self { fixture, world, terraform, before }
    }

    /// Inputs before and after the operation, and those that are applied at last; `None` where a composite
    /// has no such operation.
    fn inputs(&self, operation: Operation) -> Option<(Json, Json)> {
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

    /// The first change of each input that replaces objects, or of each that does not.
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

    /// Brings everything to where the operation begins.
    async fn set_up(&mut self, operation: Operation) -> Result<(), String> {
        let Some((first, last)) = self.inputs(operation) else { return Ok(()) };
        let process = Process::new(&self.world);
        let end = match operation {
            Operation::Create | Operation::CreateThenLess => return Ok(()),
            Operation::Update | Operation::Replace | Operation::Delete => {
                self.terraform.apply(&process, &first).await
            }
            Operation::UpdateThenBack => self.terraform.apply(&process, &last).await,
            Operation::Tainted => {
                // Somewhere in the middle something is refused for good.
                let at = self.middle(&first).await;
                let process = Process::disturbed(&self.world, Fault::Denied, &at);
                let end = self.terraform.apply(&process, &first).await;
                if !matches!(end, End::Failed(_)) || !self.terraform.is_tainted() {
                    return Err(format!("a create that is refused in the middle is not tainted: {end:?}"));
                }
                return Ok(());
            }
        };
        if end == End::Done { Ok(()) } else { Err(format!("an undisturbed set-up fails: {end:?}")) }
    }

    /// A call in the middle of a create, when most that it builds on is made.
    async fn middle(&self, inputs: &Json) -> String {
        let scene = Box::pin(Scene::new(self.fixture.definition.type_name, 1)).await;
        let (mut terraform, process) = (scene.terraform, Process::new(&scene.world));
        terraform.apply(&process, inputs).await;
        let calls: Vec<String> =
            process.calls().into_iter().filter(|call| !call.ends_with(":read")).collect();
        calls[calls.len() / 2].clone()
    }

    /// The operation itself.
    async fn operate(&mut self, operation: Operation, process: &Arc<Process>) -> End {
        let Some((first, last)) = self.inputs(operation) else { return End::Done };
        match operation {
            Operation::Delete => self.terraform.destroy(process).await,
            Operation::Update | Operation::Replace => self.terraform.apply(process, &last).await,
            _ => self.terraform.apply(process, &first).await,
        }
    }

    /// The command that must make everything good.
    async fn again(&mut self, operation: Operation, process: &Arc<Process>) -> End {
        let Some((_, last)) = self.inputs(operation) else { return End::Done };
        match operation {
            Operation::Delete => self.terraform.destroy(process).await,
            _ => self.terraform.apply(process, &last).await,
        }
    }

    /// What exists beyond what did before.
    pub fn made(&self) -> Vec<Item> {
        let mut made = self.world.cloud().everything();
        for item in &self.before {
            if let Some(place) = made.iter().position(|other| other == item) {
                made.remove(place);
            }
        }
        made
    }

    /// What is wrong with what exists, when it should be what an undisturbed run makes.
    pub fn compare(&self, expected: &[Item]) -> Result<(), String> {
        let made = self.made();
        let (now, wanted) = (counts(&made), counts(expected));
        let mut wrong = Vec::new();
        let all: BTreeSet<&String> = now.keys().chain(wanted.keys()).collect();
        for item in all {
            let (is, should) = (now.get(item).unwrap_or(&0), wanted.get(item).unwrap_or(&0));
            if is != should {
                wrong.push(format!("{item}: {is}, should be {should}"));
            }
        }
        let of_state = |name: &str| self.terraform.state().get(name).as_str().unwrap_or_default().to_owned();
        let (instance, owner) = (of_state("instance"), of_state("id"));
        for item in &made {
            let Some(tags) = &item.tags else { continue };
            if tags.get(OWNER) != Some(&owner) {
                wrong.push(format!("{item} is of owner {:?}, and the state is {owner}", tags.get(OWNER)));
            }
            if tags.get(INSTANCE) != Some(&instance) {
                wrong.push(format!(
                    "{item} is of instance {:?}, and the state is {instance}",
                    tags.get(INSTANCE)
                ));
            }
            if tags.get(STATUS).is_some_and(|status| !status.starts_with("complete/")) {
                wrong.push(format!("{item} says {:?}", tags[STATUS]));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// Items by what they are, which tags the user gave them, and their settings.
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

/// A text without what differs between two runs: the host of the world, and what AWS numbers.
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

/// A text in which what follows a start, as far as it is a number of AWS's, is left out.
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

/// The drivers of every kind, in a world.
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

/// Whether a changed field of a fixture makes an object again.
fn replaces(field: &str) -> bool {
    if field.starts_with(['+', '-']) {
        return true;
    }
    let (kind, rest) = field.split_once('.').unwrap_or((field, ""));
    let name = rest.rsplit('.').next().unwrap_or_default();
    kinds::find(kind).and_then(|kind| kind.field(name)).is_some_and(|field| field.role != Role::Mutable)
}

/// What an operation makes when nobody disturbs it, and its mutating calls.
#[derive(Clone)]
pub struct Undisturbed {
    /// What exists at the end.
    pub made: Vec<Item>,
    /// The calls of the operation itself: those that AWS carried out, and that something was read.
    pub calls: Vec<String>,
}

/// Runs an operation undisturbed; `None` where a composite has no such operation.
pub async fn undisturbed(composite: &'static str, operation: Operation) -> Option<Undisturbed> {
    type Known = BTreeMap<(&'static str, Operation), Option<Undisturbed>>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let known = |entry: Option<Option<Undisturbed>>| {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entry {
            known.insert((composite, operation), entry);
        }
        known.get(&(composite, operation)).cloned()
    };
    if let Some(found) = known(None) {
        return found;
    }
    let mut scene = Scene::new(composite, 1).await;
    if scene.inputs(operation).is_none() {
        return known(Some(None)).flatten();
    }
    if let Err(wrong) = scene.set_up(operation).await {
        panic!("{composite}, {operation}: {wrong}");
    }
    let process = Process::new(&scene.world);
    let end = scene.operate(operation, &process).await;
    assert_eq!(end, End::Done, "{composite}, {operation}, undisturbed");
    let calls = process.calls();
    if matches!(operation, Operation::CreateThenLess | Operation::UpdateThenBack) {
        let end = scene.again(operation, &Process::new(&scene.world)).await;
        assert_eq!(end, End::Done, "{composite}, {operation}, undisturbed");
    }
    let made = scene.made();
    known(Some(Some(Undisturbed { made, calls }))).flatten()
}

/// Every case of a composite.
pub async fn cases(composite: &'static str) -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in Operation::ALL {
        let Some(run) = undisturbed(composite, operation).await else { continue };
        for fault in Fault::ALL {
            let calls = run.calls.iter().enumerate().filter(|(_, call)| !call.ends_with(":read"));
            let fitting = calls.filter(|(number, call)| fault.fits(call, &run.calls[number + 1..]));
            // What becomes of the state does not depend on the call.
            let once = matches!(fault, Fault::StateLost | Fault::StateGone);
            let fitting = fitting.take(if once { 1 } else { usize::MAX });
            cases.extend(fitting.map(|(_, call)| Case { composite, operation, fault, at: call.clone() }));
        }
    }
    cases
}

/// The most that a person is asked to do before everything is good.
const ROUNDS: usize = 4;

/// Runs a case.
pub async fn run(case: &Case, seed: u64) -> Verdict {
    match judge(case, seed).await {
        Ok(verdict) => verdict,
        Err(wrong) => Verdict::Failed(wrong),
    }
}

async fn judge(case: &Case, seed: u64) -> Result<Verdict, String> {
    let operation = case.operation;
    let Some(expected) = undisturbed(case.composite, operation).await else {
        return Err("there is no such operation".to_owned());
    };
    let mut scene = Scene::new(case.composite, seed).await;
    scene.set_up(operation).await?;
    let process = Process::disturbed(&scene.world, case.fault, &case.at);
    let mut end = scene.operate(operation, &process).await;
    if !process.fired() {
        return Ok(Verdict::NotFired);
    }
    let first = end.clone();
    let mut instructed = false;
    let mut said = vec![format!("{end:?}")];
    // An operation that ended well is still applied once more where another configuration follows.
    let then = matches!(operation, Operation::CreateThenLess | Operation::UpdateThenBack);
    for round in 0..=ROUNDS {
        if end == End::Done && (round > 0 || !then) {
            break;
        }
        if round == ROUNDS {
            return Err(format!("it does not converge: {}", said.join("\n-- then --\n")));
        }
        if let End::Failed(message) = &end {
            let followed = follow(&mut scene, message).await?;
            instructed |= followed;
            // Undisturbed, it fails only to say what to do.
            if round > 0 && !followed && !message.contains("pply again") {
                return Err(format!("it fails undisturbed: {}", said.join("\n-- then --\n")));
            }
            instructed |= round > 0;
        }
        end = scene.again(operation, &Process::new(&scene.world)).await;
        let now = format!("{end:?}");
        if said.last() != Some(&now) {
            said.push(now);
        }
    }
    let context = |wrong: String| format!("{wrong}\nfirst: {first:?}\nall: {}", said.join("\n-- then --\n"));
    let process = Process::new(&scene.world);
    if operation == Operation::Delete {
        if !scene.made().is_empty() {
            return Err(context(format!("left after the destroy: {}", list(&scene.made()))));
        }
    } else {
        let Some((_, last)) = scene.inputs(operation) else { return Ok(Verdict::NotFired) };
        let changes = scene.terraform.plan(&process, &last).await;
        let changes = changes.map_err(|end| context(format!("the plan fails: {end:?}")))?;
        if !changes.is_empty() {
            return Err(context(format!("the plan is not empty: {}", changes.join("; "))));
        }
        scene.compare(&expected.made).map_err(context)?;
        let destroyed = scene.terraform.destroy(&process).await;
        if destroyed != End::Done {
            return Err(context(format!("the destroy fails: {destroyed:?}")));
        }
        if !scene.made().is_empty() {
            return Err(context(format!("left after the destroy: {}", list(&scene.made()))));
        }
    }
    let missing = scene.before.iter().filter(|item| !scene.world.cloud().everything().contains(item));
    let missing: Vec<Item> = missing.cloned().collect();
    if !missing.is_empty() {
        return Err(context(format!("somebody else's are gone: {}", list(&missing))));
    }
    Ok(if instructed { Verdict::Instructed } else { Verdict::Converged })
}

fn list(items: &[Item]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Does what a message says, and nothing else; whether it said something to do beside applying again.
pub async fn follow(scene: &mut Scene, message: &str) -> Result<bool, String> {
    if message.contains("terraform state rm ADDRESS") {
        scene.terraform.forget().map_err(|wrong| format!("{wrong}, and this was printed:\n{message}"))?;
        return Ok(true);
    }
    if message.contains("terraform untaint ADDRESS") {
        scene.terraform.untaint().map_err(|wrong| format!("{wrong}, and this was printed:\n{message}"))?;
        return Ok(true);
    }
    if let Some((_, rest)) = message.split_once("id = \"") {
        let id = rest.split('"').next().unwrap_or_default().to_owned();
        let process = Process::new(&scene.world);
        let end = scene.terraform.import(&process, &id).await;
        if end != End::Done {
            return Err(format!("the import that was printed fails: {end:?}\nprinted:\n{message}"));
        }
        return Ok(true);
    }
    Ok(false)
}

/// The folder in which everything runs: what the fixtures' paths name is in it.
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
        std::env::set_current_dir(at).expect("a folder to be in");
        folder
    });
}

/// How cases are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// What latencies follow from.
    pub seed: u64,
    /// How many run at a time.
    pub threads: usize,
    /// Whether the first failure ends it.
    pub fail_fast: bool,
    /// Whether each case is printed as it ends.
    pub verbose: bool,
}

/// Runs cases, those without a known result; outcomes come in the order of the cases.
pub fn run_all(cases: &[Case], how: &How, results: &Results) -> Vec<(Case, Verdict)> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let outcomes: Mutex<BTreeMap<usize, Verdict>> = Mutex::default();
    let work = || {
        while !(how.fail_fast && failed.load(Ordering::Relaxed)) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = cases.get(number) else { break };
            let verdict = results.get(case).unwrap_or_else(|| {
                let verdict = in_virtual_time(run(case, seed_of(case, how.seed)));
                results.keep(case, &verdict);
                if how.verbose {
                    eprintln!("{case}: {verdict:?}");
                }
                verdict
            });
            if matches!(verdict, Verdict::Failed(_) | Verdict::NotFired) {
                failed.store(true, Ordering::Relaxed);
            }
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.insert(number, verdict);
            if outcomes.len().is_multiple_of(100) {
                eprintln!("{} of {} runs", outcomes.len(), cases.len());
            }
        }
    };
    std::thread::scope(|scope| {
        (0..how.threads.max(1)).for_each(|_| {
            scope.spawn(work);
        });
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.into_iter().map(|(number, verdict)| (cases[number].clone(), verdict)).collect()
}

/// The seed of a case: another one for each, the same one again for the same.
fn seed_of(case: &Case, seed: u64) -> u64 {
    let digest = Sha256::digest(format!("{case} {seed}"));
    u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
}

/// Runs work in virtual time: what waits, waits for nothing.
pub fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(work)
}
