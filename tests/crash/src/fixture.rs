//! Fixtures: one JSON file per composite. The generic tests need no other input.

use std::path::Path;

use serde_json::Value as Json;
use tandem_model::composite::Definition;
use tandem_model::composites;

/// The fixture of a composite.
pub struct Fixture {
    /// The composite.
    pub definition: &'static Definition,
    text: String,
}

/// One change of one input.
pub struct Change {
    /// The path of the input, e.g. `on.0.prefix`.
    pub input: String,
    /// Its new value.
    pub value: Json,
    /// Paths of inputs that the change removes.
    pub clear: Vec<String>,
    /// The expected effect: changed fields by the keys of their objects, and objects that are added or
    /// removed.
    pub fields: Vec<String>,
}

impl Fixture {
    /// The fixture of every composite. `TANDEM_COMPOSITES` limits them to a comma-separated list, e.g.
    /// `bucket,queue`.
    pub fn all() -> Vec<Self> {
        let chosen = std::env::var("TANDEM_COMPOSITES").unwrap_or_default();
        let chosen: Vec<&str> = chosen.split(',').filter(|name| !name.is_empty()).collect();
        let wanted = |definition: &&Definition| chosen.is_empty() || chosen.contains(&definition.type_name);
        composites::ALL.iter().filter(wanted).map(Self::of).collect()
    }

    /// The fixture of a composite by its type, e.g. `bucket`.
    pub fn named(type_name: &str) -> Self {
        Self::of(Definition::find(type_name).expect("the composite must exist"))
    }

    fn of(definition: &'static Definition) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../fixtures")
            .join(format!("{}.json", definition.type_name));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("every composite needs a fixture, but {} cannot be read: {error}", path.display())
        });
        Self { definition, text }
    }

    /// The JSON of the fixture, as written in the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of the resource, e.g. `tandem_bucket`.
    pub fn resource_type(&self) -> String {
        format!("tandem_{}", self.definition.type_name)
    }

    /// The address of the one resource in a test's configuration.
    pub fn address(&self) -> String {
        format!("{}.it", self.resource_type())
    }

    fn json(&self, account: &str) -> Json {
        serde_json::from_str(&self.text.replace("ACCOUNT", account)).expect("the fixture must be JSON")
    }

    /// Objects that must exist before the composite is created.
    pub fn existing(&self, account: &str) -> Vec<Json> {
        self.json(account)["existing"].as_array().cloned().unwrap_or_default()
    }

    /// Its inputs, and its inputs with each of its changes.
    pub fn variants(&self, account: &str) -> Vec<Json> {
        let first = self.inputs(account);
        let changed = self.changes(account).into_iter().map(|change| {
            let mut inputs = first.clone();
            change.clear.iter().for_each(|cleared| set(&mut inputs, cleared, &Json::Null));
            set(&mut inputs, &change.input, &change.value);
            inputs
        });
        std::iter::once(first.clone()).chain(changed).collect()
    }

    /// Its inputs, with as many set as possible.
    pub fn inputs(&self, account: &str) -> Json {
        self.json(account)["inputs"].clone()
    }

    /// Its changes. Each is applied on top of the previous ones.
    pub fn changes(&self, account: &str) -> Vec<Change> {
        let texts = |list: &Json| {
            let items = list.as_array().cloned().unwrap_or_default();
            items.iter().filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect::<Vec<_>>()
        };
        let changes = self.json(account)["changes"].as_array().cloned().unwrap_or_default();
        let changes = changes.into_iter().map(|change| Change {
            input: change["input"].as_str().expect("a change must have an input").to_owned(),
            value: change["value"].clone(),
            clear: texts(&change["clear"]),
            fields: texts(&change["fields"]),
        });
        changes.collect()
    }

    /// Optional inputs that add objects.
    pub fn more(&self) -> Vec<String> {
        let list = self.json("")["more"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect()
    }

    /// Returns true if the fixture lists an input as one that no change covers, with the reason. `task.*`
    /// lists all inputs with that prefix.
    pub fn is_not_changed(&self, input: &str) -> bool {
        let list = self.json("")["not_changed"].as_object().cloned().unwrap_or_default();
        list.keys().any(|listed| match listed.strip_suffix('*') {
            Some(prefix) => input.starts_with(prefix),
            None => listed == input,
        })
    }

    /// Returns true if an input, or the block that contains it, has another value on moto.
    pub fn is_other_on_moto(&self, input: &str) -> bool {
        let others = self.json("")["moto"].as_object().cloned().unwrap_or_default();
        others.keys().any(|other| input.starts_with(other.as_str()))
    }

    /// Replaces the inputs that have another value on moto.
    pub fn for_moto(&self, inputs: &mut Json, account: &str) {
        let others = self.json(account)["moto"].as_object().cloned().unwrap_or_default();
        others.iter().for_each(|(path, value)| set(inputs, path, value));
    }
}

/// Sets an input by its path, e.g. `on.0.prefix`.
pub fn set(inputs: &mut Json, path: &str, value: &Json) {
    let pointer = format!("/{}", path.replace('.', "/"));
    if let Some(target) = inputs.pointer_mut(&pointer) {
        *target = value.clone();
        return;
    }
    let (parent, name) = pointer.rsplit_once('/').expect("a JSON pointer contains a slash");
    let parent = inputs.pointer_mut(parent).expect("the parent of the input must exist");
    parent
        .as_object_mut()
        .expect("the parent of the input must be a block")
        .insert(name.to_owned(), value.clone());
}
