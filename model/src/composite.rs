//! What a composite is, and the list of all of them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::composites;
use crate::context::Context;
use crate::finding::{Code, Findings, Path, Step};
use crate::graph::Graph;
use crate::input::{Field, Inputs, Reader, fill_defaults};
use crate::ownership;
use crate::value::Value;

/// A composite: typed inputs, and a pure function from them to a graph of AWS objects.
pub trait Composite {
    /// Its inputs.
    type Inputs: Inputs;
    /// Its type, without the provider's prefix: `event_function`.
    const TYPE: &'static str;
    /// The section of a spec that holds it, where that is not the last word of its type with an `s`.
    const SECTION: Option<&'static str> = None;
    /// What it is, in Markdown; the first line stands alone.
    const DOC: &'static str;
    /// What it gives to others: name and documentation.
    const OUTPUTS: &'static [Output];

    /// The graph for these inputs; what is wrong with them goes to the findings.
    fn expand(inputs: &Self::Inputs, context: &Context, findings: &mut Findings) -> Graph;

    /// Inputs under which the graph has every object whose name follows from the composite's: what an
    /// import looks for first.
    fn seed(name: &str) -> Value;

    /// More such inputs, where one graph cannot have all of these objects.
    fn other_seeds(_name: &str) -> Vec<Value> {
        Vec::new()
    }

    /// Inputs read back from the settings of existing objects, by key: as far as AWS can tell.
    fn recover(name: &str, objects: &BTreeMap<String, Settings>) -> Value;
}

/// The settings of an object, by field.
pub type Settings = BTreeMap<String, Json>;

/// An output of a composite: a text, or a map of texts.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// Its documentation, in Markdown.
    pub doc: &'static str,
    /// Whether it is a map.
    pub map: bool,
}

impl Output {
    /// A text.
    pub const fn text(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, map: false }
    }

    /// A map of texts.
    pub const fn map(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, map: true }
    }
}

/// A composite without its types, for readers that know none by name.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// See [`Composite::TYPE`].
    pub type_name: &'static str,
    /// See [`Composite::SECTION`].
    pub section: Option<&'static str>,
    /// See [`Composite::DOC`].
    pub doc: &'static str,
    /// See [`Composite::OUTPUTS`].
    pub outputs: &'static [Output],
    /// Its inputs.
    pub fields: fn() -> Vec<Field>,
    expand: fn(&Value, &Context) -> Expansion,
    /// See [`Composite::seed`].
    pub seed: fn(&str) -> Value,
    other_seeds: fn(&str) -> Vec<Value>,
    /// See [`Composite::recover`].
    pub recover: fn(&str, &BTreeMap<String, Settings>) -> Value,
}

/// What came of an expansion.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// The graph; `None` when inputs are wrong, or a structural one is not yet known.
    pub graph: Option<Graph>,
    /// What is wrong.
    pub findings: Findings,
}

impl Definition {
    /// Makes one of a composite.
    pub const fn of<C: Composite>() -> Self {
        Self {
            type_name: C::TYPE,
            section: C::SECTION,
            doc: C::DOC,
            outputs: C::OUTPUTS,
            fields: C::Inputs::fields,
            expand: expand::<C>,
            seed: C::seed,
            other_seeds: C::other_seeds,
            recover: C::recover,
        }
    }

    /// The graph for these inputs.
    pub fn expand(&self, inputs: &Value, context: &Context) -> Expansion {
        (self.expand)(inputs, context)
    }

    /// Every object whose name follows from the composite's, in one graph.
    pub fn expand_seed(&self, name: &str, context: &Context) -> Expansion {
        let mut first = self.expand(&(self.seed)(name), context);
        for seed in (self.other_seeds)(name) {
            let other = self.expand(&seed, context);
            first.findings.0.extend(other.findings.0);
            if let (Some(graph), Some(other)) = (&mut first.graph, other.graph) {
                graph.merge(other);
            }
        }
        first
    }

    /// The inputs with every default filled in.
    pub fn with_defaults(&self, inputs: &Value) -> Value {
        fill_defaults(inputs, &(self.fields)())
    }

    /// The composite of that type.
    pub fn find(type_name: &str) -> Option<&'static Definition> {
        composites::ALL.iter().find(|definition| definition.type_name == type_name)
    }
}

fn expand<C: Composite>(inputs: &Value, context: &Context) -> Expansion {
    let mut reader = Reader::default();
    let known = reader.block(inputs, &C::Inputs::fields());
    let read = known.and_then(|()| C::Inputs::read(inputs, &mut reader));
    let mut findings = std::mem::take(&mut reader.findings);
    if let Value::Map(tags) = inputs.get("tags") {
        for key in tags.keys().filter(|key| ownership::is_reserved(key)) {
            findings.error(
                Code::ReservedTag,
                Path::field("tags").join(Step::Key(key.clone())),
                format!("the tag `{key}` is reserved"),
                "Tags that begin with `tandem:` say whose an object is, and those with `aws:` are AWS's.",
            );
        }
    }
    let graph = match read {
        Some(read) if !findings.any_error() && !reader.unknown_structure => {
            Some(C::expand(&read, context, &mut findings)).filter(|_| !findings.any_error())
        }
        _ => None,
    };
    Expansion { graph, findings }
}

/// The path of an item of a list of blocks.
pub fn item_path(list: &str, index: usize) -> Path {
    Path::field(list).join(Step::Index(index))
}
