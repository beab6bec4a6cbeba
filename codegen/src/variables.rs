//! The variables of a module, one for every scalar input of a composite.

use std::collections::{BTreeMap, BTreeSet};

use tandem_model::finding::{Path, Step};
use tandem_model::input::{Body, Field, Rule, Shape, Source};
use tandem_model::names;
use tandem_model::value::Value;

use crate::spec::{Entry, Target};

/// A variable of a module.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Description, in Markdown.
    pub doc: String,
    /// Its type.
    pub shape: Shape,
    /// Default. A variable without one is required.
    pub default: Option<Value>,
    /// Rule for its value.
    pub rule: Option<Rule>,
    /// True if Terraform hides its value.
    pub sensitive: bool,
    /// True for a variable of code or an image that is built elsewhere: no input has its value.
    pub of_code: bool,
    /// The output of another entry that the root module passes to it.
    pub target: Option<Target>,
}

impl Variable {
    /// A string.
    fn string(name: &str, doc: String, default: Option<Value>) -> Self {
        Self {
            name: name.to_owned(),
            doc,
            shape: Shape::String,
            default,
            rule: None,
            sensitive: false,
            of_code: false,
            target: None,
        }
    }

    /// A string that says where code or an image is.
    pub(crate) fn of_code(name: &str, doc: &str, default: Option<Value>) -> Self {
        Self { of_code: true, ..Self::string(name, doc.to_owned(), default) }
    }
}

/// The scalar inputs without a value in the spec that become variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// All. The provider sets the default of a null value.
    All,
    /// Only maps, because another input with a value can add objects. Paths keep their value.
    Maps,
}

/// Returns the inputs of an entry with references in place of scalars, and the variables that they refer to.
///
/// An input that is an error with any value gets no variable, e.g. `image` if the spec has a `build`.
pub fn parametrize(entry: &Entry, absent: Absent) -> (Value, Vec<Variable>) {
    let fields = (entry.definition.fields)();
    let filled = entry.definition.with_defaults(&entry.inputs);
    let mut maker = Maker { entry, absent, variables: Vec::new(), names: BTreeSet::new() };
    for (name, target) in &entry.references {
        maker.names.insert(name.clone());
        let doc = format!("Output `{}` of `{}`.", target.output, target.entry);
        maker.variables.push(Variable { target: Some(target.clone()), ..Variable::string(name, doc, None) });
    }
    let inputs = maker.map(&filled, &fields, &Path::default());
    (inputs, maker.variables)
}

/// Names that Terraform reserves in a module call.
pub(crate) const RESERVED: &[&str] =
    &["source", "version", "providers", "count", "for_each", "lifecycle", "depends_on", "locals"];

struct Maker<'a> {
    entry: &'a Entry,
    absent: Absent,
    variables: Vec<Variable>,
    names: BTreeSet<String>,
}

impl Maker<'_> {
    fn map(&mut self, value: &Value, fields: &[Field], at: &Path) -> Value {
        let Value::Map(given) = value else { return value.clone() };
        let mut inputs = given.clone();
        for field in fields {
            let at = at.join(Step::Field(field.name.to_owned()));
            let value = given.get(field.name).cloned().unwrap_or_default();
            let replaced = match (&field.shape, &value) {
                (Shape::Block(body), Value::Map(_)) => self.block(&value, body, &at),
                (Shape::Blocks(body), Value::List(blocks)) => {
                    let several = blocks.len() > 1;
                    let blocks = blocks.iter().enumerate().map(|(index, block)| {
                        // A name keeps the variables stable when other blocks are added or removed.
                        let at = match block.get("name").as_text() {
                            Some(name) => at.join(Step::Key(names::slug(name))),
                            None if several => at.join(Step::Index(index)),
                            None => at.clone(),
                        };
                        self.block(block, body, &at)
                    });
                    Value::List(blocks.collect())
                }
                (_, Value::Reference(_)) | (Shape::Block(_) | Shape::Blocks(_), _) => value,
                _ if matches!(field.source, Some(Source::Code(_) | Source::Folder)) && !field.scalar => {
                    // Paths determine the objects; resources that need a path have their own variable.
                    if value.is_null() || self.absent != Absent::All { value } else { self.path(field, &at) }
                }
                _ if field.only.is_some_and(|only| !only.is_met(&Value::Map(given.clone()))) => value,
                (shape, value) if field.scalar => self.scalar(field, shape, value, &at),
                _ => value,
            };
            inputs.insert(field.name.to_owned(), replaced);
        }
        Value::Map(inputs)
    }

    fn block(&mut self, value: &Value, body: &Body, at: &Path) -> Value {
        match body {
            Body::Fields(fields) => self.map(value, fields, at),
            // Only the fields of the chosen variant.
            Body::Choice(variants) => {
                let given =
                    variants.iter().find(|variant| !value.get(variant.discriminator().name).is_null());
                given.map_or_else(|| value.clone(), |variant| self.map(value, &variant.fields, at))
            }
        }
    }

    fn scalar(&mut self, field: &Field, shape: &Shape, value: &Value, at: &Path) -> Value {
        let is_map = matches!(shape, Shape::Map(_));
        let default = match value {
            Value::Null if is_map => Value::Map(BTreeMap::new()),
            Value::Null if self.absent == Absent::Maps => return Value::Null,
            given => given.clone(),
        };
        // The name of a bucket decides which module contains its notification configuration.
        let by_name = field.refers.is_some_and(|reference| reference.by_name);
        let name = self.name(at);
        if self.absent == Absent::Maps && (by_name || field.fixed) {
            return value.clone();
        }
        self.variables.push(Variable {
            name: name.clone(),
            doc: field.doc.to_owned(),
            shape: shape.clone(),
            default: Some(default),
            rule: field.rule,
            sensitive: field.sensitive,
            of_code: false,
            target: None,
        });
        Value::Reference(name)
    }

    /// Adds a variable for a local path. Its default is the path in the spec, relative to the module.
    fn path(&mut self, field: &Field, at: &Path) -> Value {
        let name = self.name(at);
        let doc = format!("{} Default: the path in the spec.", field.doc);
        self.variables.push(Variable::string(&name, doc, Some(Value::Null)));
        Value::Reference(name)
    }

    fn name(&mut self, at: &Path) -> String {
        let parts = at.0.iter().map(|step| match step {
            Step::Field(name) | Step::Key(name) => name.clone(),
            Step::Index(index) => (index + 1).to_string(),
        });
        let mut name = parts.collect::<Vec<_>>().join("_");
        if RESERVED.contains(&name.as_str()) {
            name = format!("{}_{name}", self.entry.definition.type_name);
        }
        let mut unique = name.clone();
        let mut number = 1;
        while !self.names.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        unique
    }
}
