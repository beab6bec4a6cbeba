//! Upgrades: a state of another version of the provider, whose composites had one object more or less.

use tandem_crash::carrier::Process;
use tandem_crash::double::ACCOUNT;
use tandem_crash::scene::Scene;
use tandem_crash::terraform::End;
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
