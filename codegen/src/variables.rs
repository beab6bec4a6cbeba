//! The variables of a module, one for every scalar input of a composite.

use std::collections::BTreeSet;

use tandem_model::finding::{Path, Step};
use tandem_model::input::{Body, Bounds, Field, Rule, Shape, Source};
use tandem_model::names;
use tandem_model::value::Value;

use crate::hcl::{Body as HclBody, Hcl};
use crate::spec::{Entry, Target};

/// A variable of a module.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Name.
    pub name: String,
    /// Description, in Markdown.
    pub doc: String,
    /// Terraform type, e.g. `list(string)`.
    pub ty: String,
    /// Default. A variable without one is required.
    pub default: Option<Hcl>,
    /// Condition and error message of its validation.
    pub validation: Option<(String, String)>,
    /// True if Terraform hides its value.
    pub sensitive: bool,
    /// True for a variable of code or an image that is built elsewhere: no input has its value.
    pub of_code: bool,
    /// The output of another entry that the root module passes to it.
    pub target: Option<Target>,
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
        maker.variables.push(Variable {
            name: name.clone(),
            doc: format!("Output `{}` of `{}`.", target.output, target.entry),
            ty: "string".to_owned(),
            default: None,
            validation: None,
            sensitive: false,
            of_code: false,
            target: Some(target.clone()),
        });
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
            Value::Null if is_map => Hcl::Map(Vec::new()),
            Value::Null if self.absent == Absent::Maps => return Value::Null,
            Value::Null => Hcl::Null,
            // A map with references to other entries inside is not a default.
            given => given.into(),
        };
        // The name of a bucket decides which module contains its notification configuration.
        let by_name = field.refers.is_some_and(|reference| reference.by_name);
        let name = self.name(at);
        if self.absent == Absent::Maps && (by_name || field.fixed) {
            return value.clone();
        }
        let nullable = default == Hcl::Null;
        self.variables.push(Variable {
            name: name.clone(),
            doc: field.doc.to_owned(),
            ty: type_name(shape),
            default: Some(default),
            validation: validation(&name, field.rule, nullable),
            sensitive: field.sensitive,
            of_code: false,
            target: None,
        });
        Value::Reference(name)
    }

    /// Adds a variable for a local path. Its default is the path in the spec, relative to the module.
    fn path(&mut self, field: &Field, at: &Path) -> Value {
        let name = self.name(at);
        self.variables.push(Variable {
            name: name.clone(),
            doc: format!("{} Default: the path in the spec.", field.doc),
            ty: "string".to_owned(),
            default: Some(Hcl::Null),
            validation: None,
            sensitive: false,
            of_code: false,
            target: None,
        });
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

/// The Terraform type of a variable.
pub(crate) fn type_name(shape: &Shape) -> String {
    match shape {
        Shape::String => "string".to_owned(),
        Shape::Integer => "number".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::List(element) => format!("list({})", type_name(element)),
        Shape::Map(element) => format!("map({})", type_name(element)),
        Shape::Block(_) | Shape::Blocks(_) => "any".to_owned(),
    }
}

/// The validation of a variable, as condition and message. Rules without a Terraform condition are checked
/// only by the provider.
pub(crate) fn validation(name: &str, rule: Option<Rule>, nullable: bool) -> Option<(String, String)> {
    let rule = rule?;
    let (condition, message) = match (rule, rule.bounds()) {
        (_, Some(Bounds::Numbers(low, high))) => (
            format!("var.{name} >= {low} && var.{name} <= {high}"),
            format!("{name} must be a number from {low} to {high}."),
        ),
        (_, Some(Bounds::AtLeast(low))) => {
            (format!("var.{name} >= {low}"), format!("{name} must be a number of at least {low}."))
        }
        (_, Some(Bounds::Characters(0, high))) => {
            (format!("length(var.{name}) <= {high}"), format!("{name} must have at most {high} characters."))
        }
        (_, Some(Bounds::Characters(low, high))) => (
            format!("length(var.{name}) >= {low} && length(var.{name}) <= {high}"),
            format!("{name} must have {low} to {high} characters."),
        ),
        (Rule::OneOfNumbers(allowed), None) => {
            let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            (
                format!("contains([{}], var.{name})", list.join(", ")),
                format!("{name} must be one of {}.", list.join(", ")),
            )
        }
        (Rule::OneOf(allowed), None) => {
            let list = Hcl::List(allowed.iter().map(|text| Hcl::text(*text)).collect()).render(0);
            (
                format!("contains({list}, var.{name})"),
                format!("{name} must be one of {}.", allowed.join(", ")),
            )
        }
        _ => return None,
    };
    let condition = if nullable { format!("var.{name} == null ? true : {condition}") } else { condition };
    Some((condition, message))
}

impl Variable {
    /// The block that declares it.
    pub fn declare(&self, file: &mut HclBody) {
        let mut body = HclBody::default();
        body.set("description", Hcl::text(&self.doc));
        body.set("type", Hcl::code(&self.ty));
        if let Some(default) = &self.default {
            body.set("default", default.clone());
        }
        if self.sensitive {
            body.set("sensitive", Hcl::Bool(true));
        }
        if self.default.as_ref().is_some_and(|default| *default != Hcl::Null) {
            body.set("nullable", Hcl::Bool(false));
        }
        if let Some((condition, message)) = &self.validation {
            let mut validation = HclBody::default();
            validation.set("condition", Hcl::code(condition));
            validation.set("error_message", Hcl::text(message));
            body.block("validation", &[], validation);
        }
        file.block("variable", &[&self.name], body);
    }
}
