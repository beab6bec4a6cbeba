//! Native modules create the objects of the graph. The real Terraform applies them with a stand-in for
//! hashicorp/aws, and each attribute is compared with the graph, at the place that the kind declares for its field. The
//! schema of hashicorp/aws judges the places.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tandem::module::Flavor;
use tandem::native;
use tandem::project::Part;
use tandem::spec::{App, Entry, Target};
use tandem::variables::{Absent, parametrize};
use tandem_model::artifact::{self, CodeKind};
use tandem_model::context::{Context, Network};
use tandem_model::expr::{Ambient, Expr, Scope};
use tandem_model::graph::{Graph, Key, Object};
use tandem_model::kind::place::{Beside, Given, Resource, Written};
use tandem_model::kind::{Form, Type};
use tandem_model::kinds::s3;
use tandem_model::value::Value;

use crate::project::{ACCOUNT, generate, read, specs, terraform};

/// The value at the place of a field, see `KindField::place`. A state has a block as a list.
fn at<'a>(resource: &'a Json, path: &str) -> &'a Json {
    path.split('.').fold(resource, |found, name| {
        let found = if found.is_array() { &found[0] } else { found };
        &found[name.trim_end_matches("[]")]
    })
}

/// The address under which a state has the outputs of a module.
const OUTPUTS: &str = "outputs";

/// State of the application: attributes of every resource, and the outputs, by module and by address in it.
pub(crate) type State = BTreeMap<(String, String), Json>;

fn resources(module: &Json, name: &str, state: &mut State) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        let mut values = resource["values"].clone();
        // JSON documents are compared as JSON, not as strings.
        for (name, value) in values.as_object_mut().into_iter().flatten() {
            if let (true, Some(text)) = (
                name.contains("polic") || name.contains("definition") || name == "event_pattern",
                value.as_str(),
            ) && let Ok(parsed) = serde_json::from_str::<Json>(text)
                && !parsed.is_null()
            {
                *value = parsed;
            }
        }
        let address = format!(
            "{}.{}",
            resource["type"].as_str().expect("a type"),
            resource["name"].as_str().expect("a name")
        );
        let address = if resource["mode"] == "data" { format!("data.{address}") } else { address };
        state.insert((name.to_owned(), address), values);
    }
    for child in module["child_modules"].as_array().into_iter().flatten() {
        let own = child["address"].as_str().expect("an address").rsplit('.').next().expect("a name");
        resources(child, own, state);
    }
}

struct Made<'a> {
    entry: &'a str,
    graph: &'a Graph,
    state: &'a State,
    context: Context,
    /// Values from other entries, by variable.
    given: BTreeMap<String, Json>,
    /// The code of every function.
    zip: &'a Path,
}

impl Made<'_> {
    fn attributes(&self, key: &Key) -> &Json {
        let address = (self.entry.replace('-', "_"), format!("aws_{key}"));
        self.state.get(&address).unwrap_or_else(|| panic!("{address:?} is missing"))
    }

    /// The value at a place of an object, in its resource or in a second one.
    fn at(&self, object: &Object, path: &str) -> &Json {
        let Some((ty, path)) = path.strip_prefix('@').and_then(|second| second.split_once('.')) else {
            return at(self.attributes(&object.key), path);
        };
        let role = object.key.as_str().split_once('.').expect("a role").1;
        at(&self.state[&(self.entry.replace('-', "_"), format!("aws_{ty}.{role}"))], path)
    }
}

impl Scope for Made<'_> {
    fn input(&self, name: &str) -> Option<Json> {
        self.given.get(name).cloned()
    }

    fn place(&self, place: Ambient) -> Option<String> {
        self.context.place(place)
    }

    fn vpc_of(&self, _subnet: &str) -> Option<String> {
        let address = (self.entry.replace('-', "_"), "data.aws_subnet.given".to_owned());
        Some(self.state[&address]["vpc_id"].as_str()?.to_owned())
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        let object = self.graph.get(key)?;
        if let Resource::Outside(outside) = object.kind.resource {
            let (field, attribute) = outside.parent;
            let Some(Expr::Attribute(parent, _)) = object.fields.get(field) else { return None };
            return Some(format!("{}:tag", self.attribute(parent, attribute)?.as_str()?).into());
        }
        let renamed = object.kind.renamed.iter().find(|(own, _)| *own == attribute);
        let name = renamed.map_or(attribute, |(_, name)| name);
        self.attributes(key).get(name).cloned().filter(|value| !value.is_null())
    }
}

/// Normalizes a value for the comparison: sorted lists, numbers as strings, no nulls, no empty collections.
fn plain(value: &Json) -> Json {
    match value {
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(plain).filter(|item| !item.is_null()).collect();
            items.sort_by_key(ToString::to_string);
            if items.is_empty() { Json::Null } else { Json::Array(items) }
        }
        Json::Object(entries) => {
            let entries: serde_json::Map<String, Json> = entries
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)))
                .filter(|(_, value)| !value.is_null())
                .collect();
            if entries.is_empty() { Json::Null } else { Json::Object(entries) }
        }
        // Terraform writes 2.0 as 2.
        Json::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string()).into()
        }
        other => other.clone(),
    }
}

/// Converts a list of names and values to a map, as in the graph.
fn as_map(pairs: &Json) -> Json {
    let Some(pairs) = pairs.as_array() else { return pairs.clone() };
    let value =
        |pair: &Json| pair.get("value").or_else(|| pair.get("valueFrom")).cloned().unwrap_or_default();
    pairs
        .iter()
        .map(|pair| (pair["name"].as_str().unwrap_or_default().to_owned(), value(pair)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Returns the notification documents of an object's bucket.
fn documents<'a>(made: &'a Made<'_>, object: &Object) -> Vec<&'a Json> {
    let bucket = object.fields.get("bucket").and_then(|bucket| bucket.evaluate(made));
    let all =
        made.state.iter().filter(|((_, address), _)| address.starts_with("aws_s3_bucket_notification."));
    all.map(|(_, document)| document)
        .filter(|document| Some(&document["bucket"]) == bucket.as_ref())
        .collect()
}

/// Returns the launch type and the capacity provider strategy for a value of `capacity`. AWS accepts only one.
fn strategies(capacity: &str) -> (Json, Json) {
    let providers: &[&str] = match capacity {
        "fargate" => return ("FARGATE".into(), Json::Null),
        "fargate_spot" => &["FARGATE_SPOT"],
        "mixed" => &["FARGATE", "FARGATE_SPOT"],
        other => panic!("unknown capacity {other}"),
    };
    let strategy = providers.iter().map(|provider| json!({ "capacity_provider": provider, "weight": 1 }));
    (Json::Null, strategy.collect())
}

/// The rules with ids of Tandem, as objects: a state has each block as a list.
fn own_rules(rules: &Json) -> Json {
    fn objects(value: &Json) -> Json {
        match value {
            Json::Array(blocks) if blocks.len() == 1 && blocks[0].is_object() => objects(&blocks[0]),
            Json::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), objects(value))).collect()
            }
            other => other.clone(),
        }
    }
    let rules = rules.as_array().into_iter().flatten();
    let own = rules.filter(|rule| rule["id"].as_str().is_some_and(|id| id.starts_with(s3::RULE_PREFIX)));
    own.map(objects).collect()
}

/// Returns the type of a key attribute of a table.
fn type_of_key(table: &Json, key: &str) -> Json {
    let mut attributes = table["attribute"].as_array().into_iter().flatten();
    attributes
        .find(|attribute| attribute["name"] == table[key])
        .map_or(Json::Null, |attribute| attribute["type"].clone())
}

/// Returns the differences between an object and its resource.
fn differences(made: &Made<'_>, object: &Object) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: &Json, found: &Json| {
        if plain(expected) != plain(found) {
            wrong.push(format!("{} {what}: the graph has {expected}, the module {found}", object.key));
        }
    };
    if matches!(object.kind.resource, Resource::Outside(_)) {
        return wrong;
    }
    if object.kind.name == "s3_bucket_notification" {
        let value =
            |name: &str| object.fields.get(name).and_then(|expr| expr.evaluate(made)).unwrap_or_default();
        let documents = documents(made, object).into_iter();
        let mut entries = documents.filter_map(|document| document["lambda_function"].as_array()).flatten();
        let found = entries.find(|entry| entry["id"] == value("id"));
        let Some(found) = found else { return vec![format!("{} is missing", object.key)] };
        for name in ["lambda_function_arn", "events", "filter_prefix", "filter_suffix"] {
            compare(name, &value(name), &found[name]);
        }
        return wrong;
    }
    if object.kind.name == "s3_bucket_eventbridge" {
        // Exactly one document: a second one would replace the first.
        let documents = documents(made, object).into_iter();
        let found: Vec<bool> = documents.map(|document| document["eventbridge"] == true).collect();
        compare("eventbridge", &json!([true]), &json!(found));
        return wrong;
    }
    let attributes = made.attributes(&object.key);
    for field in object.kind.fields {
        let path = field.place.unwrap_or(field.name);
        // The source of a zip is not in the module, but the hash of the zip is.
        if path.is_empty() || field.form == Form::Recipe {
            continue;
        }
        let expected = match object.fields.get(field.name) {
            None => continue,
            Some(expr) => {
                expr.evaluate(made).unwrap_or_else(|| panic!("{} {} is unknown", object.key, field.name))
            }
        };
        let mut found = made.at(object, path).clone();
        let expected = match (field.written, expected.as_str(), object.fields.get(field.name)) {
            (Written::Capacity, Some(capacity), _) => {
                let (launch_type, strategy) = strategies(capacity);
                let beside = path.rsplit_once('.').map_or("", |(block, _)| block);
                compare("launch_type", &launch_type, &made.at(object, beside)[0]["launch_type"]);
                strategy
            }
            (Written::Split, Some(ids), _) => ids.split(',').collect(),
            (Written::Upper, Some(text), _) => text.to_uppercase().into(),
            (Written::Attribute(attribute), _, Some(Expr::Attribute(other, _))) => {
                made.attribute(other, attribute).expect("an attribute")
            }
            _ => expected,
        };
        if field.ty == Type::Document {
            found = document(&found);
        }
        if field.written == Written::Blocks {
            let name = path.split_once('#').map_or(path, |(name, _)| name);
            found = own_rules(&attributes[name]);
        } else if path.contains('#') {
            found = type_of_key(attributes, field.name.trim_end_matches("_type"));
        }
        if let Written::Pairs(_) = field.written {
            found = as_map(&found);
            // ECS accepts only strings.
            let text = found.as_object().is_none_or(|found| found.values().all(Json::is_string));
            compare("all strings", &true.into(), &text.into());
        }
        compare(field.name, &expected, &found);
    }
    if object.kind.tags {
        let tags = made.graph.tags.evaluate(made).unwrap_or_default();
        compare("tags", &tags, &attributes["tags"]);
    }
    for force in ["force_destroy", "force_delete"] {
        if let Some(found) = attributes.get(force).filter(|_| object.kind.data) {
            compare(force, &made.graph.force_destroy.into(), found);
        }
    }
    if let Some(found) = attributes.get("filename").filter(|_| object.fields.contains_key("source")) {
        compare("filename", &made.zip.display().to_string().into(), found);
    }
    for beside in object.kind.beside {
        let expected = match beside.given {
            Given::Constant(json) => serde_json::from_str(json).expect("JSON"),
            Given::Text(text) => text.into(),
            Given::Own(attribute) => attributes[attribute].clone(),
            Given::Region => json!("eu-central-1"),
            Given::Field(_) | Given::ForceDestroy | Given::Nothing => continue,
        };
        let applies =
            |one: &Beside| one.only.is_none_or(|(field, with)| object.fields.contains_key(field) == with);
        if applies(beside) {
            compare(beside.path, &expected, made.at(object, beside.path));
        } else if !object.kind.beside.iter().any(|one| one.path == beside.path && applies(one)) {
            compare(beside.path, &Json::Null, made.at(object, beside.path));
        }
    }
    wrong
}

/// Returns the inputs of an entry with its variables, and the values of these: the caller of the module sets tags and
/// environments, and others have their defaults.
fn inputs(app: &App, entry: &Entry) -> (Value, BTreeMap<String, Json>) {
    let given = given_names(app, entry);
    let (inputs, variables) = parametrize(entry, Absent::Maps);
    let values = variables.into_iter().filter_map(|variable| {
        let value = if given.contains(&variable.name) { given_map() } else { variable.default?.to_json()? };
        Some((variable.name, value))
    });
    (inputs, values.collect())
}

/// Returns the variables that the caller of an entry's module sets.
fn given_names(app: &App, entry: &Entry) -> BTreeSet<String> {
    let all = native::variables(app, entry).expect("variables").into_iter().map(|variable| variable.name);
    all.filter(|name| name == "tags" || name.ends_with("environment")).collect()
}

fn given_map() -> Json {
    json!({ "GIVEN": "with the call" })
}

/// Returns the expected graph of an entry.
fn expansion(app: &App, entry: &Entry, context: &Context) -> Graph {
    let expansion = entry.definition.expand(&inputs(app, entry).0, context);
    expansion.graph.unwrap_or_else(|| panic!("{}: {:?}", entry.name, expansion.findings))
}

/// Returns the values that an entry gets from other entries.
fn given(app: &App, entry: &Entry, context: &Context, state: &State) -> BTreeMap<String, Json> {
    let value = |target: &Target| {
        let other = app.entries.iter().find(|other| other.name == target.entry).expect("the entry");
        let graph = expansion(app, other, context);
        let given = given(app, other, context, state);
        let made = Made {
            entry: &other.name,
            graph: &graph,
            state,
            context: context.clone(),
            given,
            zip: Path::new(""),
        };
        graph.outputs[target.output].evaluate(&made).expect("a known output")
    };
    let wired = entry.references.iter().map(|(variable, target)| (variable.clone(), value(target)));
    wired.chain(inputs(app, entry).1).collect()
}

/// Returns a configuration that calls the module of the application.
pub(crate) fn configuration(modules: &Path, app: &App, zip: &Path) -> Json {
    let mut call = json!({ "source": modules });
    for entry in &app.entries {
        let mut inputs = serde_json::Map::new();
        inputs.extend(given_names(app, entry).into_iter().map(|name| (name, given_map())));
        for object in entry.graph.objects() {
            let role = object.key.as_str().split_once('.').expect("a role").1;
            match object.kind.resource {
                Resource::Outside(outside) => {
                    inputs.insert(format!("{role}_{}", outside.variable), "tag".into())
                }
                _ if object.kind.name != "lambda_function" => None,
                _ if role == "function" => inputs.insert("zip".to_owned(), json!(zip)),
                _ => inputs.insert(format!("{role}_zip"), json!(zip)),
            };
        }
        // Terraform reserves this name.
        let name =
            if entry.name == "count" { "count__inputs".to_owned() } else { entry.name.replace('-', "_") };
        call[name] = inputs.into();
    }
    json!({ "module": { "app": call }, "output": { "app": { "value": "${module.app}" } } })
}

/// Applies a configuration to a separate state file. Returns the state; the error is Terraform's output.
pub(crate) fn apply(work: &Path, state: &str) -> Result<State, String> {
    let state = format!("-state={state}");
    let run = terraform(work, &["apply", "-auto-approve", "-no-color", "-input=false", &state]);
    if !run.success {
        return Err(run.text);
    }
    let shown = terraform(work, &["show", "-json", state.trim_start_matches("-state=")]).expect_success();
    let shown: Json = serde_json::from_str(shown.text.lines().next().expect("JSON")).expect("JSON");
    let mut state = State::new();
    resources(&shown["values"]["root_module"], "", &mut state);
    for (entry, outputs) in shown["values"]["outputs"]["app"]["value"].as_object().into_iter().flatten() {
        state.insert((entry.clone(), OUTPUTS.to_owned()), outputs.clone());
    }
    Ok(state)
}

pub(crate) fn all_differences(app: &App, state: &State, zip: &Path) -> Vec<String> {
    let code = std::fs::read(zip).expect("the code");
    let facts = artifact::prepare(CodeKind::Zip, &code).expect("a zip").facts;
    let mut context = Context {
        project: Some(app.name.clone()),
        region: Some("eu-central-1".to_owned()),
        account: Some(ACCOUNT.to_owned()),
        network: Some(Network {
            vpc: "vpc-default".to_owned(),
            subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
        }),
        ..Context::default()
    };
    for object in app.entries.iter().flat_map(|entry| entry.graph.objects()) {
        if let Some(Expr::Literal(source)) = object.fields.get("source") {
            context.code.insert(source["path"].as_str().expect("a path").to_owned(), Ok(facts.clone()));
        }
    }
    let mut wrong = Vec::new();
    for entry in &app.entries {
        let graph = expansion(app, entry, &context);
        let given = given(app, entry, &context, state);
        let made = Made { entry: &entry.name, graph: &graph, state, context: context.clone(), given, zip };
        graph.objects().iter().for_each(|object| wrong.extend(differences(&made, object)));
        let outputs = &state[&(entry.name.replace('-', "_"), OUTPUTS.to_owned())];
        for output in entry.definition.outputs {
            let expected = graph.outputs[output.name].evaluate(&made).unwrap_or_default();
            let found = &outputs[output.name];
            if plain(&document(&expected)) != plain(&document(found)) {
                wrong.push(format!(
                    "output {} of {}: the graph has {expected}, the module {found}",
                    output.name, entry.name
                ));
            }
        }
    }
    wrong
}

/// The value of a string with a JSON document. Terraform and the model escape such strings differently.
fn document(value: &Json) -> Json {
    let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    parsed.filter(|parsed: &Json| parsed.is_object() || parsed.is_array()).unwrap_or_else(|| value.clone())
}

/// Writes a zip that Lambda would accept as the code of a function.
pub(crate) fn write_zip(folder: &Path) -> PathBuf {
    let mut binary = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    binary.resize(64, 0);
    // The architecture: x86_64.
    binary[18] = 62;
    let path = folder.join("code.zip");
    std::fs::write(&path, artifact::prepare(CodeKind::Bootstrap, &binary).expect("code").zip)
        .expect("written");
    path
}

#[test]
fn native_modules_make_what_the_graph_says() {
    let work = tempfile::tempdir().expect("a folder");
    let zip = write_zip(work.path());
    for (name, spec) in specs(work.path()) {
        let app = read(&spec);
        let modules = work.path().join(&name).join("modules");
        generate(&app, &spec, &modules, Flavor::Native, Some(Part::Modules));
        let root = work.path().join(&name).join("root");
        std::fs::create_dir_all(&root).expect("a folder");
        std::fs::write(root.join("main.tf.json"), configuration(&modules, &app, &zip).to_string())
            .expect("written");
        terraform(&root, &["init", "-no-color", "-input=false"]).expect_success();
        let state = apply(&root, "terraform.tfstate").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(all_differences(&app, &state, &zip), Vec::<String>::new(), "{name}");
        let plan = terraform(&root, &["plan", "-detailed-exitcode", "-no-color", "-input=false"]);
        assert!(plan.success, "{name}: the second plan is not empty: {}", plan.text);
    }
}
