//! Upgrades: a state of another version of the provider, whose composites had one object more or less.

use tandem_crash::carrier::Process;
use tandem_crash::double::ACCOUNT;
use tandem_crash::scene::{Scene, drivers};
use tandem_crash::terraform::{End, Terraform};
use tandem_engine::driver::{Drivers as _, Tags};
use tandem_model::kinds;
use tandem_model::ownership::{KEY, STATUS};
use tfplugin::Value;

use crate::{expect_good, in_virtual_time, types};

/// Computed attributes that have an entry for each object.
const BY_OBJECT: [&str; 3] = ["components", "ids", "record"];

/// The key of an object that no other object of the record needs, and that is not the anchor.
fn a_leaf(state: &Value) -> Option<String> {
    let record = state.get("record").as_map().expect("a record");
    let needed = |key: &str| {
        record.values().any(|entry| {
            let needs = entry.get("needs").as_list().unwrap_or_default();
            needs.iter().any(|need| need.as_str() == Some(key))
        })
    };
    let free = |(key, entry): &(&String, &Value)| !needed(key) && *entry.get("anchor") != Value::Bool(true);
    record.iter().find(free).map(|(key, _)| key.clone())
}

#[test]
fn an_object_that_this_version_does_not_make_any_more_goes() {
    for composite in types() {
        in_virtual_time(async {
            let mut scene = Scene::new(composite, 1).await;
            let inputs = scene.fixture.inputs(ACCOUNT);
            let process = Process::new(&scene.world);
            assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{composite}");
            let instance = scene.terraform.state().get("instance").as_str().unwrap_or_default().to_owned();
            let owner = scene.terraform.state().get("id").as_str().unwrap_or_default().to_owned();
            // The other version also created a log group, which this version does not have.
            scene.world.cloud().put_log_group("/tandem/of-another-version", &owner, &instance);
            let mut state = scene.terraform.state().clone();
            let key = "cloudwatch_log_group.of_another_version";
            let line = r#"{"name":"/tandem/of-another-version","tags":{}}"#;
            let entry = Value::map([
                ("kind", Value::string("cloudwatch_log_group")),
                ("id", Value::string("/tandem/of-another-version")),
                ("region", Value::string("eu-central-1")),
                ("account", Value::string(ACCOUNT)),
                ("digest", Value::string("")),
                ("needs", Value::List(Vec::new())),
                ("attributes", Value::map::<String>([])),
                ("anchor", Value::Bool(false)),
                ("differences", Value::List(Vec::new())),
            ]);
            let values = [Value::string(line), Value::string("/tandem/of-another-version"), entry];
            for (name, value) in BY_OBJECT.into_iter().zip(values) {
                let mut entries = state.get(name).clone();
                entries.set(key, value);
                state.set(name, entries);
            }
            scene.terraform.replace_state(state);
            let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
            assert!(changes.iter().any(|change| change.contains(key)), "{composite}: {changes:?}");
            assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{composite}");
            expect_good(&mut scene, composite, composite).await;
        });
    }
}

#[test]
fn an_object_that_only_this_version_makes_comes() {
    for composite in types() {
        in_virtual_time(async {
            let mut scene = Scene::new(composite, 1).await;
            let inputs = scene.fixture.inputs(ACCOUNT);
            let process = Process::new(&scene.world);
            assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{composite}");
            // The other version had no such object: remove it from AWS and from the state.
            let mut state = scene.terraform.state().clone();
            // A composite with a single object has none.
            let Some(key) = a_leaf(&state) else { return };
            let mut smaller = scene.terraform.clone();
            smaller.keep_only(|other| other == key);
            assert_eq!(smaller.destroy(&process).await, End::Done, "{composite}, {key}");
            for name in BY_OBJECT {
                let Value::Map(mut entries) = state.get(name).clone() else { panic!("{name}") };
                entries.remove(&key);
                state.set(name, Value::Map(entries));
            }
            scene.terraform.replace_state(state);
            let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
            assert!(changes.iter().any(|change| change.contains(&key)), "{composite}: {changes:?}");
            assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{composite}");
            expect_good(&mut scene, composite, composite).await;
        });
    }
}

/// Returns true for a call that sets tags, e.g. `iam:TagRole(…)`.
fn sets_tags(call: &str) -> bool {
    ["Tag", "CreateTags", "AddTagsTo"].iter().any(|word| call.contains(word)) && !call.contains("Untag")
}

/// Changes the tags with the keys of all objects, and of the anchor the digest of the keys. Then an apply must
/// set the tags again, and must make no other change. With `lost` the state is lost and imported first.
async fn expect_labels_again(composite: &'static str, label: impl Fn(&str) -> Option<String>, lost: bool) {
    let mut scene = Scene::new(composite, 1).await;
    let inputs = scene.fixture.inputs(ACCOUNT);
    assert_eq!(scene.terraform.apply(&Process::new(&scene.world), &inputs).await, End::Done, "{composite}");
    let aws = drivers(&scene.world).await;
    let record = scene.terraform.state().get("record").clone();
    for (key, entry) in record.as_map().expect("a record") {
        let text = |name: &str| entry.get(name).as_str().unwrap_or_default();
        let kind = kinds::find(text("kind")).expect("a kind");
        if !kind.tags {
            continue;
        }
        let mut set = Tags::new();
        set.extend(label(key).map(|label| (KEY.to_owned(), label)));
        if *entry.get("anchor") == Value::Bool(true) && !set.is_empty() {
            set.insert(STATUS.to_owned(), "complete/0".to_owned());
        }
        let remove: Vec<String> = label(key).is_none().then(|| KEY.to_owned()).into_iter().collect();
        aws.driver(kind).tag(text("id"), &set, &remove).await.expect("another tag");
    }
    let process = Process::new(&scene.world);
    if lost {
        scene.terraform = Terraform::new(scene.fixture.definition);
        let name = inputs["name"].as_str().expect("a name");
        assert_eq!(scene.terraform.import(&process, name).await, End::Done, "{composite}");
    } else {
        let changes = scene.terraform.plan(&process, &inputs).await.expect("a plan");
        assert!(changes.iter().any(|change| change.contains("drift")), "{composite}: {changes:?}");
    }
    let process = Process::new(&scene.world);
    assert_eq!(scene.terraform.apply(&process, &inputs).await, End::Done, "{composite}");
    let calls = process.calls();
    let others: Vec<&String> =
        calls.iter().filter(|call| !call.ends_with(":read") && !sets_tags(call)).collect();
    assert!(others.is_empty(), "{composite}: {others:?}");
    // This also compares the tag of each object with the state.
    expect_good(&mut scene, composite, composite).await;
}

#[test]
fn objects_of_a_version_without_keys_get_them_and_nothing_else_changes() {
    for composite in types() {
        in_virtual_time(expect_labels_again(composite, |_| None, false));
    }
}

#[test]
fn objects_of_a_version_with_other_keys_get_the_new_ones_and_nothing_else_changes() {
    for composite in types() {
        in_virtual_time(expect_labels_again(composite, |key| Some(format!("{key}_of_old")), false));
    }
}

#[test]
fn objects_without_keys_can_be_imported_and_get_them() {
    for composite in types() {
        in_virtual_time(expect_labels_again(composite, |_| None, true));
    }
}
