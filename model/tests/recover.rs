//! Inputs in both directions: the graph sets fields, and an import reads the inputs from the fields. The test is
//! generic: a new input needs no line here if the fixture of its composite changes it.

#[allow(dead_code, reason = "each test uses a part")]
mod shared;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tandem_model::capacity;
use tandem_model::composite::{Definition, Settings};
use tandem_model::composites;
use tandem_model::input::{Body, Shape};
use tandem_model::value::Value;

use shared::{Predict, context, steps};

/// Inputs that an import does not read: the composite, the start of their path, and the reason.
const NOT_READ: &[(&str, &str, &str)] = &[
    ("container_task", "build.", "AWS has the image, and not the files and settings that it was built from"),
    ("event_function", "code.bootstrap", "a path on the user's machine"),
    ("event_function", "code.zip", "a path on the user's machine"),
    ("event_function", "launches", "the handles are in one variable of the environment"),
];

/// The settings of all objects of a graph, by key.
fn settings(definition: &Definition, inputs: &Json) -> Option<BTreeMap<String, Settings>> {
    let graph = definition.expand(&Value::from(inputs), &context()).graph?;
    let scope = Predict(&graph, context());
    let objects = graph.objects().iter();
    Some(objects.map(|object| (object.key.to_string(), scope.settings(object))).collect())
}

/// Returns true for an input in a list of blocks: nothing in AWS shows how many there are, unless they have names.
fn is_in_a_list(definition: &Definition, path: &str) -> bool {
    let name = path.split('.').next().unwrap_or_default();
    let field = (definition.fields)().into_iter().find(|field| field.name == name);
    let Some(Shape::Blocks(Body::Fields(fields))) = field.as_ref().map(|field| &field.shape) else {
        return field.is_some_and(|field| matches!(field.shape, Shape::Blocks(_)));
    };
    fields.iter().all(|field| field.name != "name")
}

/// Returns true if a change sets a field of an object that stays.
fn sets_a_field(change: &Json) -> bool {
    let fields = change["fields"].as_array().into_iter().flatten().filter_map(Json::as_str);
    fields.into_iter().any(|field| {
        !field.starts_with(['+', '-']) && ![".policy", ".tags"].iter().any(|end| field.ends_with(end))
    })
}

/// The values that were read but not given: a plan after the import would show their removal.
fn not_given(read: &Json, given: &Json, path: &str, found: &mut Vec<String>) {
    match (read, given) {
        (Json::Null, _) => {}
        (Json::Object(read), Json::Object(given)) => {
            for (name, read) in read {
                not_given(read, given.get(name).unwrap_or(&Json::Null), &format!("{path}.{name}"), found);
            }
        }
        (Json::Array(read), Json::Array(given)) if read.len() == given.len() => {
            for (read, given) in read.iter().zip(given) {
                not_given(read, given, path, found);
            }
        }
        _ if read == given => {}
        _ => found.push(format!("{path} is {given}, but {read} was read")),
    }
}

#[test]
fn an_import_reads_every_input_that_sets_a_field_and_no_other_value() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for definition in composites::ALL {
        for step in steps(definition) {
            let Some(objects) = settings(definition, &step.inputs) else { continue };
            let name = step.inputs["name"].as_str().expect("a name");
            let recovered = definition.recover(name, &objects, &context()).to_json().expect("known inputs");
            let filled =
                definition.with_defaults(&Value::from(&step.inputs)).to_json().expect("known inputs");
            not_given(&recovered, &filled, definition.type_name, &mut wrong);
            let path = step.change["input"].as_str().unwrap_or("name");
            if is_in_a_list(definition, path) {
                continue;
            }
            let pointer = format!("/{}", path.replace('.', "/"));
            let given = step.inputs.pointer(&pointer).unwrap_or(&Json::Null);
            let found = recovered.pointer(&pointer).unwrap_or(&Json::Null);
            let is_known = NOT_READ
                .iter()
                .any(|(composite, start, _)| *composite == definition.type_name && path.starts_with(start));
            // No block is no value.
            if given == found || (*given == json!([]) && found.is_null() && !is_known) {
                read += 1;
                assert!(!is_known, "{}: {path} is read, remove it from NOT_READ", definition.type_name);
            } else if !is_known && sets_a_field(&step.change) {
                wrong.push(format!("{}: {path} is {given}, but {found} was read", definition.type_name));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read > 80, "{read}");
}

#[test]
fn an_import_reads_the_capacity_from_the_definition_of_a_workflow() {
    let definition = Definition::find("thumbnailer").expect("a composite");
    for word in capacity::WORDS {
        let inputs = json!({
            "name": "videos", "task": { "image": "busybox", "capacity": word }, "video_suffixes": [".mp4"],
        });
        let inputs = definition.with_defaults(&Value::from(&inputs)).to_json().expect("known inputs");
        let objects = settings(definition, &inputs).expect("a graph");
        let recovered = definition.recover("videos", &objects, &context()).to_json().expect("known inputs");
        assert_eq!(recovered["task"]["capacity"], **word, "{recovered}");
    }
}
