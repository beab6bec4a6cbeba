//! Fixtures and predicted settings, for several tests.

use std::path::Path;

use serde_json::Value as Json;
use tandem_model::composite::{Definition, Settings};
use tandem_model::context::{BuildContext, Context, Network};
use tandem_model::expr::{Ambient, Scope};
use tandem_model::graph::{Graph, Key, Object};

pub(crate) const ACCOUNT: &str = "123456789012";

pub(crate) fn context() -> Context {
    // The hash of a build context decides the key of its image.
    let build = |folder: &str, dockerfile: &str| {
        let context = BuildContext { folder: folder.to_owned(), dockerfile: dockerfile.to_owned() };
        (context, Ok(format!("{folder}/{dockerfile}")))
    };
    let files = ["Dockerfile", "Other.Dockerfile"];
    let builds =
        ["", "context", "context2"].into_iter().flat_map(|folder| files.map(|file| build(folder, file)));
    Context {
        builds: builds.collect(),
        network: Some(Network { vpc: "vpc-1".to_owned(), subnets: vec!["subnet-1".to_owned()] }),
        project: Some("test".to_owned()),
        region: Some("eu-central-1".to_owned()),
        account: Some(ACCOUNT.to_owned()),
        ..Context::default()
    }
}

/// Sets an input by its path, e.g. `on.0.prefix`.
pub(crate) fn set(inputs: &mut Json, path: &str, value: &Json) {
    let pointer = format!("/{}", path.replace('.', "/"));
    let (parent, name) = pointer.rsplit_once('/').expect("a path");
    match inputs.pointer_mut(parent).expect("the parent of the input") {
        Json::Array(items) => items[name.parse::<usize>().expect("an index")] = value.clone(),
        parent => drop(parent.as_object_mut().expect("a block").insert(name.to_owned(), value.clone())),
    }
}

/// The fixture of a composite.
#[expect(clippy::disallowed_methods, reason = "the model does no I/O, its tests read fixtures")]
pub(crate) fn fixture(definition: &Definition) -> Json {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let text = std::fs::read_to_string(path.join(format!("{}.json", definition.type_name)));
    serde_json::from_str(&text.expect("a fixture").replace("ACCOUNT", ACCOUNT)).expect("JSON")
}

/// A change of the inputs of a fixture, after all earlier ones.
pub(crate) struct Step {
    /// The change; null for the first inputs.
    pub(crate) change: Json,
    /// The inputs after the change.
    pub(crate) inputs: Json,
}

/// The inputs of the fixture of a composite, and those after each of its changes.
pub(crate) fn steps(definition: &Definition) -> Vec<Step> {
    let fixture = fixture(definition);
    let mut now = fixture["inputs"].clone();
    let mut all = vec![Step { change: Json::Null, inputs: now.clone() }];
    for change in fixture["changes"].as_array().into_iter().flatten() {
        for path in change["clear"].as_array().into_iter().flatten() {
            set(&mut now, path.as_str().expect("a path"), &Json::Null);
        }
        set(&mut now, change["input"].as_str().expect("a path"), &change["value"]);
        all.push(Step { change: change.clone(), inputs: now.clone() });
    }
    all
}

/// Predicts attributes from the fields of a graph.
pub(crate) struct Predict<'a>(pub(crate) &'a Graph, pub(crate) Context);

impl Scope for Predict<'_> {
    fn place(&self, place: Ambient) -> Option<String> {
        self.1.place(place)
    }

    fn attribute(&self, key: &Key, attribute: &str) -> Option<Json> {
        let settings = self.settings(self.0.get(key)?);
        let object = self.0.get(key)?;
        let predicted = object.kind.predict(attribute, &settings, &|place| self.place(place));
        // AWS assigns an attribute without a template.
        let assigned =
            object.kind.attributes.iter().any(|(name, template)| *name == attribute && template.is_none());
        predicted.or_else(|| assigned.then(|| format!("{attribute}-of-{key}"))).map(Into::into)
    }
}

impl Predict<'_> {
    /// The settings as an engine would observe them.
    pub(crate) fn settings(&self, object: &Object) -> Settings {
        let fields = object.fields.iter();
        fields.filter_map(|(name, expr)| Some(((*name).to_owned(), expr.evaluate(self)?))).collect()
    }
}
