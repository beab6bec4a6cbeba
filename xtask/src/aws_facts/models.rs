//! Writes the parts of botocore's service models that describe the requests of the provider: the judge of tests
//! reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value as Json, json};
use tandem_testkit::environment::root;

use super::{Sources, pattern};
use crate::step::Result;

/// Calls that only tests make.
const OF_TESTS: &[&str] = &["lambda:Invoke", "sts:AssumeRole", "sts:GetCallerIdentity"];

/// The keys of a shape that describe a request.
const OF_SHAPE: &[&str] = &[
    "type",
    "members",
    "required",
    "enum",
    "min",
    "max",
    "pattern",
    "member",
    "key",
    "value",
    "flattened",
    "locationName",
    "payload",
];

/// The keys of a reference to a shape that describe a request.
const OF_REFERENCE: &[&str] = &["shape", "location", "locationName", "queryName", "flattened"];

/// The models, by the name of the service in a signature.
pub(super) fn generated(sources: &mut Sources) -> Result<String> {
    let mut services: BTreeMap<String, Map<String, Json>> = BTreeMap::new();
    for call in calls()? {
        let (service, operation) = call.split_once(':').ok_or("a call is `service:Operation`")?;
        let model = sources.model(service)?;
        let metadata = &model["metadata"];
        let name =
            metadata["signingName"].as_str().or(metadata["endpointPrefix"].as_str()).ok_or("no name")?;
        let found = &model["operations"][operation];
        let http = &found["http"];
        let reduced = services.entry(name.to_owned()).or_insert_with(|| {
            let protocol = metadata["protocol"].clone();
            Map::from_iter([
                ("protocol".to_owned(), protocol),
                ("operations".to_owned(), json!({})),
                ("shapes".to_owned(), json!({})),
            ])
        });
        let input = found["input"]["shape"].as_str().unwrap_or_default().to_owned();
        if http.is_null() {
            return Err(format!("there is no operation {call}").into());
        }
        reduced["operations"][operation] =
            json!({ "method": http["method"], "uri": http["requestUri"], "input": input });
        add(model, &input, &mut reduced["shapes"]);
    }
    for (service, reduced) in &services {
        for (name, shape) in reduced["shapes"].as_object().into_iter().flatten() {
            if let Some(pattern) = shape["pattern"].as_str() {
                Regex::new(&format!("^(?:{pattern})$"))
                    .map_err(|error| format!("{service}: the pattern of {name} is not usable: {error}"))?;
            }
        }
    }
    // A shape in a line of its own keeps later differences readable.
    let mut text = "{".to_owned();
    for (index, (service, reduced)) in services.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        text.push_str(&format!("{comma}\n\"{service}\": {{\"protocol\":{}", reduced["protocol"]));
        for part in ["operations", "shapes"] {
            let entries = reduced[part].as_object().into_iter().flatten();
            let lines: Vec<String> = entries.map(|(name, value)| format!("\n{name:?}:{value}")).collect();
            text.push_str(&format!(",\n\"{part}\":{{{}}}", lines.join(",")));
        }
        text.push('}');
    }
    text.push_str("\n}\n");
    Ok(text)
}

/// The calls in the sources of the provider, and those of tests.
fn calls() -> Result<BTreeSet<String>> {
    let mut calls: BTreeSet<String> = OF_TESTS.iter().map(ToString::to_string).collect();
    let call = Regex::new(r#"(?:call!\(|Call::declared\()\s*"([a-z0-9]+:[A-Za-z0-9]+)""#)?;
    read_sources(&root().join("provider/src"), &mut |text| {
        calls.extend(call.captures_iter(text).map(|found| found[1].to_owned()));
    })?;
    Ok(calls)
}

/// Reads the Rust files below a folder.
pub(super) fn read_sources(folder: &Path, take: &mut impl FnMut(&str)) -> Result {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_sources(&path, take)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            take(&std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Adds a shape and those that it refers to.
fn add(model: &Json, name: &str, shapes: &mut Json) {
    let Some(shape) = model["shapes"][name].as_object() else { return };
    if shapes.get(name).is_some() {
        return;
    }
    let mut reduced: Map<String, Json> = kept(shape, OF_SHAPE);
    let mut referred = Vec::new();
    let mut reference = |value: &mut Json| {
        if let Some(entries) = value.as_object() {
            referred.push(entries["shape"].as_str().unwrap_or_default().to_owned());
            *value = kept(entries, OF_REFERENCE).into();
        }
    };
    for key in ["member", "key", "value"] {
        reduced.get_mut(key).into_iter().for_each(&mut reference);
    }
    if let Some(members) = reduced.get_mut("members").and_then(Json::as_object_mut) {
        members.values_mut().for_each(reference);
    }
    if let Some(found) = reduced.remove("pattern")
        && let Some(pattern) = pattern(&found).pop().filter(|pattern| !looks_around(pattern))
    {
        reduced.insert("pattern".to_owned(), pattern.into());
    }
    shapes[name] = reduced.into();
    for name in referred {
        add(model, &name, shapes);
    }
}

fn kept(entries: &Map<String, Json>, keys: &[&str]) -> Map<String, Json> {
    let kept = entries.iter().filter(|(key, _)| keys.contains(&key.as_str()));
    kept.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The crate regex has no look-around. AWS uses it in few patterns of names.
fn looks_around(pattern: &str) -> bool {
    ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|start| pattern.contains(start))
}
