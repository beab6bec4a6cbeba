//! Compares AWS in memory, which the crash matrix uses, with both emulators. The same driver calls on the
//! same objects, existing and deleted, must have the same results. A list gives the reason for each
//! difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use tandem_crash::carrier::Process;
use tandem_crash::double::ACCOUNT;
use tandem_crash::fixture::Fixture;
use tandem_crash::matrix::in_virtual_time;
use tandem_crash::scene::{Scene, drivers};
use tandem_crash::terraform::End;
use tandem_engine::canonical;
use tandem_engine::driver::{Class, Drivers, Failure, Observed, Tags};
use tandem_model::composite::Settings;
use tandem_model::kind::{Change, Form, Kind};
use tandem_model::kinds;
use tandem_testkit::environment::root;
use terraform_provider_tandem::aws::policy;
use tfplugin::Value;

use crate::stage::{On, Stage, is_full};

/// An object of a composite: its key, kind and id.
type Object = (String, &'static Kind, String);

/// The results of each probe of each kind.
type Answers = BTreeMap<String, BTreeSet<String>>;

/// The result of a call: success, or the code and class of the error.
fn ended<T>(result: &Result<T, Failure>) -> String {
    match result {
        Ok(_) => "succeeds".to_owned(),
        Err(failure) if failure.code.is_empty() => "fails here".to_owned(),
        Err(failure) => format!("{} ({:?})", failure.code, failure.class).replace("Passing", "passes after"),
    }
}

/// Repeats a call while its failure is a passing one, up to six times.
async fn settled<T, F: Future<Output = Result<T, Failure>>>(call: impl Fn() -> F) -> Result<T, Failure> {
    let mut result = call().await;
    for _ in 0..6 {
        match &result {
            Err(Failure { class: Class::Passing(_), .. }) => {
                tokio::time::sleep(std::time::Duration::from_millis(250)).await;
                result = call().await;
            }
            _ => break,
        }
    }
    result
}

/// Settings that would create the object again.
fn remade(kind: &Kind, observed: &Observed, code: &str) -> Settings {
    let mut settings = observed.settings.clone();
    if kind.fields.iter().any(|field| field.name == "source" && field.form == Form::Recipe) {
        settings.insert("source".to_owned(), json!({ "kind": "bootstrap", "path": code }));
    }
    settings
}

/// Returns true if calls to AWS are enough to create an object of this kind.
fn is_made_by_a_call(kind: &Kind) -> bool {
    kind.name != "ecr_image"
}

/// Probes every object while it exists, and again after a `destroy`.
struct Probe<'a> {
    drivers: &'a dyn Drivers,
    /// The path of the functions' code.
    code: String,
    answers: Answers,
    /// The settings of every object, by its key.
    settings: BTreeMap<String, Settings>,
}

impl Probe<'_> {
    fn note(&mut self, kind: &Kind, probe: &str, answer: String) {
        self.answers.entry(format!("{}, {probe}", kind.name)).or_default().insert(answer);
    }

    async fn alive(&mut self, objects: &[Object]) {
        for (key, kind, id) in objects {
            let driver = self.drivers.driver(kind);
            let observed = settled(|| driver.observe(id)).await.expect("an observation");
            let observed = observed.unwrap_or_else(|| panic!("{key} does not exist"));
            self.settings
                .insert(key.clone(), canonical::settings(kind, &observed.settings, policy::canonical));
            if is_made_by_a_call(kind) {
                let again = remade(kind, &observed, &self.code);
                let tags = Tags::from([("probe".to_owned(), "again".to_owned())]);
                let made = if kind.exclusive {
                    settled(|| driver.create(&again, &tags)).await.map(drop)
                } else {
                    Ok(())
                };
                self.note(kind, "made again", ended(&made));
            }
            if kind.tags {
                let set = Tags::from([("probe".to_owned(), "1".to_owned())]);
                let tagged = settled(|| driver.tag(id, &set, &[])).await;
                self.note(kind, "tagged", ended(&tagged));
                let now = settled(|| driver.observe(id)).await.expect("an observation").unwrap_or_default();
                self.note(kind, "tagged, then observed", format!("{:?}", now.tags.get("probe")));
                let (none, probe) = (Tags::new(), ["probe".to_owned()]);
                let untagged = settled(|| driver.tag(id, &none, &probe)).await;
                self.note(kind, "untagged", ended(&untagged));
            }
        }
    }

    async fn gone(&mut self, objects: &[Object]) {
        for (key, kind, id) in objects {
            let driver = self.drivers.driver(kind);
            let observed = settled(|| driver.observe(id)).await;
            let seen = observed.as_ref().map(Option::is_some);
            self.note(kind, "gone, observed", format!("{seen:?}"));
            let settings = self.settings[key].clone();
            self.note(kind, "gone, deleted", ended(&settled(|| driver.delete(id)).await));
            if kind.tags {
                let set = Tags::from([("probe".to_owned(), "1".to_owned())]);
                self.note(kind, "gone, tagged", ended(&driver.tag(id, &set, &[]).await));
            }
            let mutable = kind.fields.iter().find(|field| {
                field.change == Change::InPlace
                    && field.form != Form::Recipe
                    && settings.contains_key(field.name)
            });
            if let Some(field) = mutable.filter(|_| is_made_by_a_call(kind)) {
                let updated = driver.update(id, &[field.name], &settings).await;
                self.note(kind, "gone, updated", ended(&updated));
            }
            // An object whose parent is gone, too, cannot be created.
            if is_made_by_a_call(kind) && kind.fields.iter().any(|field| field.change == Change::WithParent) {
                let made = driver.create(&settings, &Tags::new()).await;
                self.note(kind, "made without its parent", ended(&made));
            }
        }
    }
}

/// Objects of a state.
fn objects<'a>(entries: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Vec<Object> {
    entries
        .map(|(key, kind, id)| (key.to_owned(), kinds::find(kind).expect("a kind"), id.to_owned()))
        .collect()
}

/// Replaces texts that always differ between two accounts: account ids, names with their hashes, hosts and
/// digests.
fn normal(
    settings: &BTreeMap<String, Settings>,
    account: &str,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let buckets: Vec<String> = settings
        .values()
        .filter_map(|settings| settings.get("bucket")?.as_str().map(ToOwned::to_owned))
        .filter(|bucket| !bucket.contains(account))
        .collect();
    let normal = |value: &Json| {
        let mut text = value.to_string();
        for bucket in &buckets {
            text = text.replace(bucket.as_str(), "BUCKET");
        }
        let text = without_ids(&text.replace(account, "ACCOUNT").replace(ACCOUNT, "ACCOUNT"));
        // An image: the host of its registry and the digest of its content.
        match text.split_once("@sha256:") {
            Some((image, _)) => format!("image {}", image.split_once('/').map_or(image, |(_, name)| name)),
            None => text,
        }
    };
    settings
        .iter()
        .map(|(key, settings)| {
            // Code and build contexts differ, and AWS chooses the ids of APIs and their parts.
            let other = ["source_code_hash", "tag", "api_id", "target"];
            let fields = settings.iter().filter(|(field, _)| !other.contains(&field.as_str()));
            let fields = fields.map(|(field, value)| (field.clone(), normal(value)));
            (normal_key(key, account), fields.collect())
        })
        .collect()
}

/// A key without the account, and without the hash at the end of an image's key.
fn normal_key(key: &str, account: &str) -> String {
    let key = key.replace(account, "ACCOUNT");
    match key.rsplit_once('_') {
        Some((rest, hash)) if hash.len() == 16 && key.starts_with("ecr_image.") => format!("{rest}_*"),
        _ => key,
    }
}

/// The text with each id that AWS chose cut to its prefix.
fn without_ids(text: &str) -> String {
    let mut text = text.to_owned();
    for start in ["sg-", "vpc-", "subnet-", "execute-api:eu-central-1:ACCOUNT:"] {
        let mut parts = text.split(start);
        let mut normal = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            normal.push_str(start);
            normal.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
        }
        text = normal;
    }
    // The number of subnets depends on the emulator, too.
    text.replace(",subnet-", "")
}

/// Compares the settings of both sides, kind by kind and field by field.
fn compare_settings(
    ours: &BTreeMap<String, BTreeMap<String, String>>,
    theirs: &BTreeMap<String, BTreeMap<String, String>>,
    found: &mut BTreeMap<String, String>,
) {
    for (key, ours) in ours {
        let Some(theirs) = theirs.get(key) else {
            found.insert(format!("{key}, exists"), "only here".to_owned());
            continue;
        };
        let kind = key.split('.').next().unwrap_or_default();
        let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for name in names {
            let (one, other) = (ours.get(name), theirs.get(name));
            if one != other {
                found.insert(format!("{kind}.{name}"), format!("{one:?} here, {other:?} there"));
            }
        }
    }
}

/// The answers of AWS in memory.
fn in_memory(fixture: &Fixture, inputs: &Json) -> (Answers, BTreeMap<String, Settings>) {
    in_virtual_time(async {
        let mut scene = Scene::new(fixture.definition.type_name, 1).await;
        let aws = drivers(&scene.world).await;
        let process: Arc<Process> = Process::new(&scene.world);
        assert_eq!(scene.terraform.apply(&process, inputs).await, End::Done);
        let state = scene.terraform.state().clone();
        let record = state.get("record").as_map().expect("a record");
        let text = |value: &Value, name: &str| value.get(name).as_str().unwrap_or_default().to_owned();
        let entries: Vec<(String, String, String)> =
            record.iter().map(|(key, entry)| (key.clone(), text(entry, "kind"), text(entry, "id"))).collect();
        let objects = objects(entries.iter().map(|(key, kind, id)| (&**key, &**kind, &**id)));
        let mut probe = Probe {
            drivers: &aws,
            code: "bootstrap".to_owned(),
            answers: Answers::new(),
            settings: BTreeMap::new(),
        };
        probe.alive(&objects).await;
        assert_eq!(scene.terraform.destroy(&process).await, End::Done);
        // Waits until deleted objects are not visible any more.
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        probe.gone(&objects).await;
        (probe.answers, probe.settings)
    })
}

/// The answers of an emulator.
fn emulated(fixture: &Fixture, stage: &Stage, inputs: &Json) -> (Answers, BTreeMap<String, Settings>) {
    let code = stage.terraform.path().join("bootstrap").display().to_string();
    stage.configure(fixture, inputs);
    stage.terraform.apply().expect_success();
    let state = stage.terraform.resource(&fixture.address());
    let record = state["record"].as_object().expect("a record");
    let text = |entry: &Json, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let entries: Vec<(String, String, String)> =
        record.iter().map(|(key, entry)| (key.clone(), text(entry, "kind"), text(entry, "id"))).collect();
    let objects = objects(entries.iter().map(|(key, kind, id)| (&**key, &**kind, &**id)));
    let mut probe =
        Probe { drivers: stage.aws.drivers(), code, answers: Answers::new(), settings: BTreeMap::new() };
    stage.aws.wait(probe.alive(&objects));
    stage.terraform.destroy().expect_success();
    stage.aws.wait(probe.gone(&objects));
    (probe.answers, probe.settings)
}

fn judged_by(on: On, name: &str) {
    let listed = std::fs::read_to_string(root().join("tests/fixtures/double.json")).expect("the list");
    let listed: Json = serde_json::from_str(&listed).expect("JSON");
    let listed: BTreeSet<String> = listed[name].as_object().expect("a list").keys().cloned().collect();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let full = is_full();
    // Other composites contain the parts of these two.
    let others =
        |fixture: &Fixture| full || !["queues", "thumbnailer"].contains(&fixture.definition.type_name);
    for fixture in Fixture::all().into_iter().filter(others) {
        let stage = Stage::new(on);
        let inputs = stage.prepare(&fixture);
        let mut ours = inputs.to_string().replace(&stage.account.id, ACCOUNT);
        if on == On::Moto {
            ours = inputs.to_string();
        }
        let ours: Json = serde_json::from_str(&ours).expect("JSON");
        let (here, settings) = in_memory(&fixture, &ours);
        let (there, their_settings) = emulated(&fixture, &stage, &inputs);
        compare_settings(
            &normal(&settings, ACCOUNT),
            &normal(&their_settings, &stage.account.id),
            &mut found,
        );
        for (probe, answers) in &here {
            let theirs = there.get(probe).cloned().unwrap_or_default();
            if *answers != theirs {
                found.insert(probe.clone(), format!("{answers:?} here, {theirs:?} there"));
            }
        }
    }
    let keys: BTreeSet<String> = found.keys().cloned().collect();
    let surprises: Vec<String> =
        keys.difference(&listed).map(|key| format!("{key}: {}", found[key])).collect();
    assert!(surprises.is_empty(), "not listed in tests/fixtures/double.json:\n{}", surprises.join("\n"));
    let idle: Vec<&String> = listed.difference(&keys).collect();
    assert!(idle.is_empty(), "listed, but without a difference: {idle:?}");
}

#[test]
fn ministack_answers_as_the_double_does() {
    judged_by(On::MiniStack, "ministack");
}

#[test]
fn moto_answers_as_the_double_does() {
    judged_by(On::Moto, "moto");
}
