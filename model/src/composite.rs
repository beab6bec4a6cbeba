//! The definition of a composite, with and without its Rust types.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::checks::{limits, tags};
use crate::context::Context;
use crate::expr::Expr;
use crate::finding::{Findings, Path, Step};
use crate::graph::Graph;
use crate::input::{Field, Inputs, Reader, fill_defaults};
use crate::recover;
use crate::value::Value;

pub use tandem_model_derive::Outputs;

/// A composite: typed inputs, and a pure function from them to a graph of AWS objects.
///
/// # Examples
///
/// A composite with one topic:
///
/// ```
/// use std::collections::BTreeMap;
///
/// use tandem_model::composite::{Composite, Definition, Outputs};
/// use tandem_model::context::Context;
/// use tandem_model::expr::Expr;
/// use tandem_model::finding::Findings;
/// use tandem_model::graph::Graph;
/// use tandem_model::input::{Inputs, Rule};
/// use tandem_model::kinds::sns;
/// use tandem_model::names;
/// use tandem_model::scalar::Scalar;
/// use tandem_model::value::Value;
///
/// #[derive(Debug, Inputs)]
/// struct NewsInputs {
///     /// Name of the topic.
///     #[input(rule = Rule::NAME, replaces = "the name is the identity of the composite")]
///     name: String,
///     /// Sender name in emails.
///     display_name: Option<Scalar<String>>,
/// }
///
/// #[derive(Outputs)]
/// struct NewsOutputs {
///     /// ARN of the topic.
///     arn: Expr,
/// }
///
/// struct News;
///
/// impl Composite for News {
///     type Inputs = NewsInputs;
///     type Outputs = NewsOutputs;
///     const TYPE: &'static str = "news";
///     const DOC: &'static str = "Creates a topic.";
///
///     fn expand(
///         inputs: &NewsInputs,
///         graph: &mut Graph,
///         context: &Context,
///         _findings: &mut Findings,
///     ) -> Option<NewsOutputs> {
///         // The first object is the anchor: its tags show if the composite is complete.
///         let topic = graph
///             .add(&sns::TOPIC, "main")
///             .set("name", names::regional(context, &inputs.name, "", 256))
///             .set_if("display_name", inputs.display_name.as_ref())
///             .handle();
///         Some(NewsOutputs { arn: topic.arn() })
///     }
///
///     fn seed(name: &str) -> Value {
///         Value::map([("name", Value::String(name.to_owned()))])
///     }
/// }
///
/// let news = Definition::of::<News>();
/// let context = Context { project: Some("shop".to_owned()), ..Context::default() };
/// let inputs = Value::map([("name", Value::String("offers".to_owned()))]);
/// let graph = news.expand(&inputs, &context).graph.expect("the inputs are valid");
/// assert_eq!(graph.objects()[0].key.as_str(), "sns_topic.main");
/// assert_eq!(graph.objects()[0].fields["name"], Expr::from("shop-offers"));
/// ```
pub trait Composite {
    /// Its inputs.
    type Inputs: Inputs;
    /// Its outputs.
    type Outputs: Outputs;
    /// Its type, without the provider's prefix: `event_function`.
    const TYPE: &'static str;
    /// The section of a spec for this composite. By default it is the last word of the type with an `s`, e.g.
    /// `functions`.
    const SECTION: Option<&'static str> = None;
    /// Terms of AWS and of other tools for this composite, e.g. `lambda`: plural forms too. They lead to the
    /// section.
    const TERMS: &'static [&'static str] = &[];
    /// Its documentation, in Markdown; the first line is a summary.
    const DOC: &'static str;

    /// Adds the objects for these inputs to an empty graph, and returns the outputs. Adds errors and warnings about
    /// the inputs to `findings`. Returns `None` if the inputs are too wrong to go on.
    fn expand(
        inputs: &Self::Inputs,
        graph: &mut Graph,
        context: &Context,
        findings: &mut Findings,
    ) -> Option<Self::Outputs>;

    /// Inputs whose graph has every object with tags whose name follows from the name of the composite, and one
    /// of each kind that inputs name. An import looks for these objects first, and then for their children.
    fn seed(name: &str) -> Value;

    /// More such inputs, for objects that one graph cannot have at the same time.
    fn other_seeds(_name: &str) -> Vec<Value> {
        Vec::new()
    }

    /// The blocks of a list whose names the existing objects show, from their settings by key. An import reads no other
    /// list of blocks, because nothing in AWS shows how many there are.
    fn named_blocks(_objects: &BTreeMap<String, Settings>) -> Option<NamedBlocks> {
        None
    }

    /// Converts the inputs in a state of an older schema version to the next version. It gets all attributes of the
    /// state.
    fn upgrade(_version: i64, _state: &mut Map<String, Json>) {}

    /// Inputs that an import cannot read from the fields that they set, e.g. the services in a policy.
    fn read_back(_objects: &BTreeMap<String, Settings>) -> Value {
        Value::Null
    }
}

/// A list of blocks with names.
#[derive(Clone, Debug)]
pub struct NamedBlocks {
    /// The input.
    pub input: &'static str,
    /// The value of `name` in each block.
    pub names: Vec<String>,
}

/// The settings of an object, by field.
pub type Settings = BTreeMap<String, Json>;

/// The outputs of a composite: a struct with one field for each, of type [`Expr`], `Option<Expr>` (null if `None`), or
/// a map of strings to them. The doc comment of a field is the documentation of its output.
pub trait Outputs {
    /// Names and documentation.
    const DECLARED: &'static [Output];

    /// The values, by name.
    fn values(self) -> BTreeMap<&'static str, Expr>;
}

/// An output of a composite: a string, or a map of strings.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// Its documentation, in Markdown.
    pub doc: &'static str,
    /// True for a map.
    pub map: bool,
}

/// The type of a field of [`Outputs`].
pub trait OutputValue {
    /// See [`Output::map`].
    const MAP: bool = false;

    /// The value.
    fn expr(self) -> Expr;
}

impl OutputValue for Expr {
    fn expr(self) -> Expr {
        self
    }
}

impl OutputValue for Option<Expr> {
    fn expr(self) -> Expr {
        self.unwrap_or(Expr::Literal(Json::Null))
    }
}

impl OutputValue for BTreeMap<String, Expr> {
    const MAP: bool = true;

    fn expr(self) -> Expr {
        Expr::Map(self)
    }
}

/// A composite without its Rust types, for code that treats all composites alike.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// See [`Composite::TYPE`].
    pub type_name: &'static str,
    /// See [`Composite::SECTION`].
    pub section: Option<&'static str>,
    /// See [`Composite::TERMS`].
    pub terms: &'static [&'static str],
    /// See [`Composite::DOC`].
    pub doc: &'static str,
    /// Its outputs.
    pub outputs: &'static [Output],
    /// Its inputs.
    pub fields: fn() -> Vec<Field>,
    expand: fn(&Value, &Context) -> Expansion,
    /// See [`Composite::seed`].
    pub seed: fn(&str) -> Value,
    pub(crate) other_seeds: fn(&str) -> Vec<Value>,
    pub(crate) named_blocks: fn(&BTreeMap<String, Settings>) -> Option<NamedBlocks>,
    upgrade: fn(i64, &mut Map<String, Json>),
    pub(crate) read_back: fn(&BTreeMap<String, Settings>) -> Value,
}

/// The result of an expansion.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// The graph; `None` if an input is invalid, or if a structural input is not known yet.
    pub graph: Option<Graph>,
    /// Errors and warnings about the inputs.
    pub findings: Findings,
}

impl Definition {
    /// The definition of a composite.
    pub const fn of<C: Composite>() -> Self {
        Self {
            type_name: C::TYPE,
            section: C::SECTION,
            terms: C::TERMS,
            doc: C::DOC,
            outputs: C::Outputs::DECLARED,
            fields: C::Inputs::fields,
            expand: expand::<C>,
            seed: C::seed,
            other_seeds: C::other_seeds,
            named_blocks: C::named_blocks,
            upgrade: C::upgrade,
            read_back: C::read_back,
        }
    }

    /// The graph for these inputs.
    pub fn expand(&self, inputs: &Value, context: &Context) -> Expansion {
        let mut expansion = self.expand_unchecked(inputs, context);
        tags::check(inputs, context, expansion.graph.as_ref(), &mut expansion.findings);
        if let Some(graph) = &expansion.graph {
            limits::check(self, inputs, context, graph, &mut expansion.findings);
        }
        if expansion.findings.any_error() {
            expansion.graph = None;
        }
        expansion
    }

    /// The graph for these inputs, without a comparison with the limits of AWS.
    pub(crate) fn expand_unchecked(&self, inputs: &Value, context: &Context) -> Expansion {
        (self.expand)(inputs, context)
    }

    /// Returns one graph with every object with tags whose name follows from the composite's: that of all
    /// seeds, merged.
    pub fn expand_seed(&self, name: &str, context: &Context) -> Expansion {
        let mut first = self.expand_unchecked(&(self.seed)(name), context);
        for seed in (self.other_seeds)(name) {
            let other = self.expand_unchecked(&seed, context);
            first.findings.0.extend(other.findings.0);
            if let (Some(graph), Some(other)) = (&mut first.graph, other.graph) {
                graph.merge(other);
            }
        }
        first
    }

    /// See [`Composite::upgrade`].
    pub fn upgrade(&self, version: i64, state: &mut Map<String, Json>) {
        (self.upgrade)(version, state);
    }

    /// Recovers the inputs from the settings of existing objects, by key. Inputs that AWS does not report are missing.
    pub fn recover(&self, name: &str, objects: &BTreeMap<String, Settings>, context: &Context) -> Value {
        recover::recover(self, name, objects, context)
    }

    /// The inputs with every default filled in.
    pub fn with_defaults(&self, inputs: &Value) -> Value {
        fill_defaults(inputs, &(self.fields)())
    }
}

fn expand<C: Composite>(inputs: &Value, context: &Context) -> Expansion {
    let mut reader = Reader::default();
    let fields = C::Inputs::fields();
    let known = reader.block(inputs, &fields);
    let read = known.and_then(|()| C::Inputs::read(&fields, inputs, &mut reader));
    let mut findings = std::mem::take(&mut reader.findings);
    // Checks across inputs run although one input is wrong, so that one run reports every fault.
    let mut graph = None;
    if let Some(read) = read.filter(|_| !reader.unknown_structure) {
        let mut made = Graph::default();
        if let Some(outputs) = C::expand(&read, &mut made, context, &mut findings) {
            made.outputs = outputs.values();
            graph = Some(made);
        }
    }
    let graph = graph.filter(|_| !findings.any_error());
    Expansion { graph, findings }
}

/// The path of an item of a list of blocks.
pub fn item_path(list: &str, index: usize) -> Path {
    Path::field(list).join(Step::Index(index))
}
