//! Fixtures: one file of JSON per composite, and the generic tests take nothing else.

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
    /// Which input, by its path.
    pub input: String,
    /// Its new value.
    pub value: Json,
    /// Inputs that are not given any more.
    pub clear: Vec<String>,
    /// What changes by it: fields by the keys of their objects, objects that come and go.
    pub fields: Vec<String>,
}

impl Fixture {
    /// The fixture of every composite, or of those that `TANDEM_COMPOSITES` names with commas in between.
    pub fn all() -> Vec<Self> {
        let chosen = std::env::var("TANDEM_COMPOSITES").unwrap_or_default();
        let chosen: Vec<&str> = chosen.split(',').filter(|name| !name.is_empty()).collect();
        let wanted = |definition: &&Definition| chosen.is_empty() || chosen.contains(&definition.type_name);
        composites::ALL.iter().filter(wanted).map(Self::of).collect()
    }

    /// The fixture of the composite of that type.
    pub fn named(type_name: &str) -> Self {
        Self::of(Definition::find(type_name).expect("a composite"))
    }

    fn of(definition: &'static Definition) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../fixtures")
            .join(format!("{}.json", definition.type_name));
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("every composite needs a fixture, {}: {error}", path.display()));
        Self { definition, text }
    }

    /// The fixture as it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type of the resource.
    pub fn resource_type(&self) -> String {
        format!("tandem_{}", self.definition.type_name)
    }

    /// The address of the one resource in a test's configuration.
    pub fn address(&self) -> String {
        format!("{}.it", self.resource_type())
    }

    fn json(&self, account: &str) -> Json {
        serde_json::from_str(&self.text.replace("ACCOUNT", account)).expect("a fixture of JSON")
    }

    /// What must exist beside the composite.
    pub fn existing(&self, account: &str) -> Vec<Json> {
        self.json(account)["existing"].as_array().cloned().unwrap_or_default()
    }

    /// Its inputs, every one given that can be.
    pub fn inputs(&self, account: &str) -> Json {
        self.json(account)["inputs"].clone()
    }

    /// Its changes, each on top of those before.
    pub fn changes(&self, account: &str) -> Vec<Change> {
        let texts = |list: &Json| {
            let items = list.as_array().cloned().unwrap_or_default();
            items.iter().filter_map(|item| item.as_str().map(ToOwned::to_owned)).collect::<Vec<_>>()
        };
        let changes = self.json(account)["changes"].as_array().cloned().unwrap_or_default();
        let changes = changes.into_iter().map(|change| Change {
            input: change["input"].as_str().expect("an input").to_owned(),
            value: change["value"].clone(),
            clear: texts(&change["clear"]),
            fields: texts(&change["fields"]),
        });
        changes.collect()
    }

    /// Optional inputs without which there are fewer objects.
    pub fn more(&self) -> Vec<String> {
        let list = self.json("")["more"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect()
    }

    /// Whether an input is listed as one that no change covers, with the reason; `task.*` lists all
    /// that begin like that.
    pub fn is_not_changed(&self, input: &str) -> bool {
        let list = self.json("")["not_changed"].as_object().cloned().unwrap_or_default();
        list.keys().any(|listed| match listed.strip_suffix('*') {
            Some(prefix) => input.starts_with(prefix),
            None => listed == input,
        })
    }

    /// Whether an input is another on moto, or in a block that is.
    pub fn is_other_on_moto(&self, input: &str) -> bool {
        let others = self.json("")["moto"].as_object().cloned().unwrap_or_default();
        others.keys().any(|other| input.starts_with(other.as_str()))
    }

    /// Inputs that are others on moto.
    pub fn for_moto(&self, inputs: &mut Json, account: &str) {
        let others = self.json(account)["moto"].as_object().cloned().unwrap_or_default();
        others.iter().for_each(|(path, value)| set(inputs, path, value));
    }
}

/// Sets an input by its path, `on.0.prefix`.
pub fn set(inputs: &mut Json, path: &str, value: &Json) {
    let pointer = format!("/{}", path.replace('.', "/"));
    if let Some(target) = inputs.pointer_mut(&pointer) {
        *target = value.clone();
        return;
    }
    let (parent, name) = pointer.rsplit_once('/').expect("a path");
    let parent = inputs.pointer_mut(parent).expect("the parent of the input");
    parent.as_object_mut().expect("a block").insert(name.to_owned(), value.clone());
}
