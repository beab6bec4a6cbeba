//! Changes every input of every composite once, and compares the result with AWS.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_engine::canonical;
use tandem_engine::driver::Observed;
use tandem_model::composite::Settings;
use tandem_model::input::{Body, Field, Shape};
use tandem_model::kinds;
use terraform_provider_tandem::aws::policy;

use crate::stage::{On, Stage, is_full, judged, moto_cannot_judge, sampled};
use tandem_crash::fixture::{Change, Fixture, set};

/// Every input by its path, without the indexes of blocks; `true` if a change of it replaces the composite.
fn inputs(fields: &[Field], prefix: &str, found: &mut BTreeMap<String, bool>) {
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        match &field.shape {
            Shape::Block(body) | Shape::Blocks(body) => {
                let inner = format!("{path}.");
                match body {
                    Body::Fields(fields) => inputs(fields, &inner, found),
                    Body::Choice(variants) => {
                        variants.iter().for_each(|variant| inputs(&variant.fields, &inner, found));
                    }
                }
            }
            _ => {
                found.insert(path, field.replaces.is_some());
            }
        }
    }
}

fn without_numbers(path: &str) -> String {
    let parts = path.split('.').filter(|part| part.parse::<usize>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

#[test]
fn every_input_is_in_a_change_or_replaces() {
    for fixture in Fixture::all() {
        let mut all = BTreeMap::new();
        inputs(&(fixture.definition.fields)(), "", &mut all);
        let changed: BTreeSet<String> =
            fixture.changes("1").iter().map(|change| without_numbers(&change.input)).collect();
        for (input, replaces) in all {
            assert!(
                replaces || changed.contains(&input) || fixture.is_not_changed(&input),
                "{}: no change of `{input}` in the fixture",
                fixture.definition.type_name
            );
        }
    }
}

type Lines = BTreeMap<String, Settings>;

fn lines(state: &Json) -> Lines {
    let components = state["components"].as_object().expect("components");
    components
        .iter()
        .map(|(key, line)| (key.clone(), canonical::parse_line(line.as_str().expect("a line"))))
        .collect()
}

/// A key without the hash at the end of an image's key, which depends on the build.
fn without_hash(key: &str) -> String {
    match key.rsplit_once('_') {
        Some((rest, hash)) if hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()) => {
            format!("{rest}_*")
        }
        _ => key.to_owned(),
    }
}

/// Fields that differ, and objects that were added (`+`) or removed (`-`).
fn difference(before: &Lines, after: &Lines) -> BTreeSet<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut found = BTreeSet::new();
    for key in keys {
        match (before.get(key), after.get(key)) {
            (None, _) => {
                found.insert(format!("+{}", without_hash(key)));
            }
            (_, None) => {
                found.insert(format!("-{}", without_hash(key)));
            }
            (Some(before), Some(after)) => {
                let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
                let differing = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
                found.extend(differing.map(|name| format!("{key}.{name}")));
            }
        }
    }
    found
}

/// AWS's settings of an object as the state would show them.
fn shown(kind: &str, observed: &Observed) -> Settings {
    let kind = kinds::find(kind).expect("a kind");
    let mut settings = canonical::settings(kind, &observed.settings, policy::canonical);
    if kind.tags {
        let tags = tandem_engine::ownership::user_tags(&observed.tags);
        let tags: serde_json::Map<String, Json> =
            tags.map(|(key, value)| (key.clone(), value.clone().into())).collect();
        settings.insert(canonical::TAGS.to_owned(), Json::Object(tags));
    }
    canonical::shown(kind, &settings)
}

#[test]
fn every_change_arrives_in_aws_and_changes_nothing_else() {
    changes_arrive(On::MiniStack);
}

#[test]
fn every_change_arrives_in_moto_and_changes_nothing_else() {
    changes_arrive(On::Moto);
}

/// Consecutive changes of one input or of one block: a later one can need an earlier one.
fn by_input(changes: Vec<Change>) -> Vec<Vec<Change>> {
    let mut groups: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        // The input, with the index of a block, e.g. `build` or `on.2`.
        let of = |change: &Change| {
            let parts = change.input.split('.').enumerate();
            let block = parts.take_while(|(index, part)| *index == 0 || part.parse::<usize>().is_ok());
            block.map(|(_, part)| part.to_owned()).collect::<Vec<_>>()
        };
        match groups.last_mut() {
            Some(group) if of(&group[0]) == of(&change) => group.push(change),
            _ => groups.push(vec![change]),
        }
    }
    groups
}

fn changes_arrive(on: On) {
    for fixture in judged(on) {
        // Its changes are as many as those of all others, and MiniStack gets all of them.
        if on == On::Moto && fixture.definition.type_name == "event_function" && !is_full() {
            continue;
        }
        let stage = Stage::new(on);
        let mut inputs = stage.prepare(&fixture);
        let before_all = stage.aws.everything();
        stage.configure(&fixture, &inputs);
        stage.terraform.apply().expect_success();
        let mut before = lines(&stage.terraform.resource(&fixture.address()));
        // Some changes need earlier ones, so MiniStack gets all of them.
        let changes = by_input(fixture.changes(&stage.account.id));
        let changes = if on == On::Moto {
            sampled(on, &fixture, changes, |group| group[0].input.clone())
        } else {
            changes
        };
        for change in changes.into_iter().flatten() {
            if on == On::Moto && fixture.is_other_on_moto(&change.input) {
                continue;
            }
            for cleared in &change.clear {
                set(&mut inputs, cleared, &Json::Null);
            }
            set(&mut inputs, &change.input, &change.value);
            stage.configure(&fixture, &inputs);
            let run = stage.terraform.apply().expect_success();
            let state = stage.terraform.resource(&fixture.address());
            let after = lines(&state);
            let mut expected: BTreeSet<String> = change.fields.iter().cloned().collect();
            // On moto the inputs differ, and so do the objects.
            let exists = |field: &str| before.keys().any(|key| field.starts_with(&format!("{key}.")));
            expected.retain(|field| on != On::Moto || field.starts_with(['+', '-']) || exists(field));
            assert_eq!(difference(&before, &after), expected, "change of {}:\n{}", change.input, run.text);
            for (key, wanted) in &after {
                let entry = &state["record"][key];
                let (kind, id) =
                    (entry["kind"].as_str().expect("a kind"), entry["id"].as_str().expect("an id"));
                let observed = stage.aws.observe(kind, id).unwrap_or_else(|| panic!("{key} is missing"));
                let now = shown(kind, &observed);
                let mut differing = canonical::differing(kinds::find(kind).expect("a kind"), wanted, &now);
                differing.retain(|field| on != On::Moto || !moto_cannot_judge(key, field));
                assert!(differing.is_empty(), "after {}: {key} {differing:?}: {now:?}", change.input);
            }
            before = after;
        }
        stage.terraform.expect_empty_plan();
        stage.terraform.destroy().expect_success();
        assert_eq!(stage.aws.everything(), before_all);
    }
}
