//! Inputs of composites: the schema and the reader, both derived from one struct by
//! [`tandem_model_derive`].

mod advice;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use self::advice::{example, first_sentence, lower_first, type_help};
use crate::artifact::CodeKind;
use crate::finding::{Code, Findings, Path, Step};
use crate::kind::{Kind, Type};
use crate::limits::{self, ValuePart};
use crate::scalar::Scalar;
use crate::suggest::{self, Suggestion};
use crate::unit::Unit;
use crate::value::Value;

pub use tandem_model_derive::Inputs;

/// One input of a composite, or one field of a block.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name in Terraform and in specs.
    pub name: &'static str,
    /// Documentation in Markdown.
    pub doc: &'static str,
    /// Type of the value.
    pub shape: Shape,
    /// True for a scalar field: its value may be unknown until apply. Every other field is structural: it
    /// determines which objects exist, and their names.
    pub scalar: bool,
    /// Required, unless there is a default.
    pub required: bool,
    /// Value of a field that is not set.
    pub default: Option<Json>,
    /// Constraint on the value.
    pub rule: Option<Rule>,
    /// Unit of a number.
    pub unit: Option<Unit>,
    /// The reason why a change replaces the composite. `None` for a change in place.
    pub replaces: Option<&'static str>,
    /// Source of facts about the value.
    pub source: Option<Source>,
    /// The output of another composite that usually provides the value. A spec contains the name of that
    /// composite's entry instead.
    pub refers: Option<Reference>,
    /// The value of another field of the same block without which this one is an error.
    pub only: Option<Only>,
    /// In native modules the field keeps the value of the spec, because documents depend on it that no expression of
    /// Terraform can write with a variable in place of the value.
    pub fixed: bool,
    /// Terraform hides the value in plans and outputs.
    pub sensitive: bool,
    /// Terraform does not store the value in the state.
    pub write_only: bool,
}

impl Field {
    /// The first sentence of the documentation.
    pub fn summary(&self) -> &str {
        first_sentence(self.doc)
    }

    /// True if every block must set the field: it is required, and has no default.
    pub fn must_be_set(&self) -> bool {
        self.required && self.default.is_none()
    }
}

/// A condition on another field of the same block.
#[derive(Clone, Copy, Debug)]
pub enum Only {
    /// The field has this value, e.g. `jwt`, or `true`.
    If(&'static str, &'static str),
    /// The field is not set.
    Without(&'static str),
}

impl Only {
    /// Returns true for a block that meets the condition.
    pub fn is_met(self, block: &Value) -> bool {
        match self {
            Self::If(name, wanted) => match block.get(name) {
                Value::Bool(value) => value.to_string() == wanted,
                value => value.as_text() == Some(wanted),
            },
            Self::Without(name) => block.get(name).is_null(),
        }
    }
}

/// The type of a field.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A string.
    String,
    /// An integer.
    Integer,
    /// `true` or `false`.
    Bool,
    /// A list of scalars.
    List(Box<Shape>),
    /// A map of scalars.
    Map(Box<Shape>),
    /// One block.
    Block(Body),
    /// Any number of blocks.
    Blocks(Body),
}

impl Shape {
    /// The fields within a block; of one with variants, those of all variants.
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Self::Block(Body::Fields(fields)) | Self::Blocks(Body::Fields(fields)) => fields.clone(),
            Self::Block(Body::Choice(variants)) | Self::Blocks(Body::Choice(variants)) => {
                variants.iter().flat_map(|variant| variant.fields.clone()).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The content of a block.
#[derive(Clone, Debug)]
pub enum Body {
    /// A fixed set of fields.
    Fields(Vec<Field>),
    /// The fields of exactly one variant.
    Choice(Vec<Variant>),
}

/// One variant of a block that has several.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Documentation in Markdown.
    pub doc: &'static str,
    /// Fields; the first one identifies the variant.
    pub fields: Vec<Field>,
}

impl Variant {
    /// The field that identifies the variant: a block that sets it has this variant.
    pub fn discriminator(&self) -> &Field {
        &self.fields[0]
    }
}

/// A constraint on a value.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// A number between two limits, both included.
    Range(i64, i64),
    /// The limit that AWS publishes for the field of a kind, see [`limits`].
    Limit(&'static Kind, &'static str),
    /// One of these numbers.
    OneOfNumbers(&'static [i64]),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A function that checks a string and returns the fault. The first part completes "Set `input` to …".
    Check(&'static str, fn(&str) -> Result<(), String>),
    /// Like [`Rule::Check`], with another code than [`Code::OutOfRange`].
    Coded(Code, &'static str, fn(&str) -> Result<(), String>),
}

/// The bounds of a value, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// The least and the greatest number.
    Numbers(i64, i64),
    /// The least number.
    AtLeast(i64),
    /// The least and the greatest length of a string, in characters.
    Characters(i64, i64),
}

impl Rule {
    /// A CPU architecture of Lambda and Fargate.
    pub const ARCHITECTURE: Self = Self::OneOf(&["x86_64", "arm64"]);

    /// The numbers or lengths that the rule allows, if it is about these.
    pub fn bounds(self) -> Option<Bounds> {
        match self {
            Self::Range(low, high) => Some(Bounds::Numbers(low, high)),
            Self::Limit(kind, field) => {
                let limit = limits::of(kind.name, field).find(|limit| limit.part == ValuePart::Whole)?;
                let low = limit.min.unwrap_or(0);
                let is_number = kind.field(field).is_some_and(|field| field.ty == Type::Number);
                match limit.max {
                    Some(high) if is_number => Some(Bounds::Numbers(low, high)),
                    Some(high) => Some(Bounds::Characters(low, high)),
                    None if is_number => Some(Bounds::AtLeast(low)),
                    None => None,
                }
            }
            _ => None,
        }
    }

    /// The values that AWS publishes for a field or the items of its list. AWS adds values, so another value is
    /// a warning.
    pub fn published(self) -> &'static [&'static str] {
        match self {
            Self::Limit(kind, field) => {
                let mut limits = limits::of(kind.name, field).map(|limit| limit.values);
                limits.find(|values| !values.is_empty()).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// The code and the message for a value that breaks the rule, and the end of "Set `input` to …".
    fn violation(self, value: &Value) -> Option<(Code, String, String)> {
        match (self, value) {
            (Self::Range(..) | Self::Limit(..), Value::Number(number)) => {
                let (low, high, allowed) = match self.bounds()? {
                    Bounds::Numbers(low, high) => (low, high, format!("a number from {low} to {high}")),
                    // No call takes a larger number.
                    Bounds::AtLeast(low) => (low, i64::from(i32::MAX), format!("a number of at least {low}")),
                    Bounds::Characters(..) => return None,
                };
                match number.parse::<i64>() {
                    Ok(number) if (low..=high).contains(&number) => None,
                    _ => {
                        let fault = format!("{number} is not between {low} and {high}");
                        Some((Code::OutOfRange, fault, allowed))
                    }
                }
            }
            (Self::Limit(kind, field), Value::String(text)) => {
                let text = Json::from(text.as_str());
                let mut all = limits::of(kind.name, field);
                let violation = all.find_map(|limit| limit.check(Type::Text, &text))?;
                // The check of the graph warns of a value that AWS can have added.
                if violation.is_only_unknown {
                    return None;
                }
                Some((Code::OutOfRange, violation.fault, violation.allowed))
            }
            (Self::OneOfNumbers(allowed), Value::Number(number)) => match number.parse::<i64>() {
                Ok(number) if allowed.contains(&number) => None,
                _ => {
                    let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
                    let message = format!("{number} is not an allowed value");
                    Some((Code::OutOfRange, message, format!("one of {}", allowed.join(", "))))
                }
            },
            (Self::OneOf(allowed), Value::String(text)) => {
                if allowed.contains(&text.as_str()) {
                    return None;
                }
                let allowed: Vec<_> = allowed.iter().map(|value| format!("`{value}`")).collect();
                let message = format!("{text:?} is not an allowed value");
                Some((Code::OutOfRange, message, format!("one of {}", allowed.join(", "))))
            }
            (Self::Check(expected, check), Value::String(text)) => {
                check(text).err().map(|message| (Code::OutOfRange, message, expected.to_owned()))
            }
            (Self::Coded(code, expected, check), Value::String(text)) => {
                check(text).err().map(|message| (code, message, expected.to_owned()))
            }
            _ => None,
        }
    }
}

/// The source of facts about the value of an input. The provider and the generator collect these facts into
/// the context before they expand a composite.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A file with the code of a function.
    Code(CodeKind),
    /// An AWS object, by ARN.
    Object(&'static Kind),
    /// Ids of subnets: the VPC that contains them.
    Subnets,
    /// A block with `context` and `dockerfile`: the files of the build context.
    Build,
    /// A folder that belongs to the enclosing block.
    Folder,
}

impl Source {
    /// Returns true for files of this machine. AWS does not report their paths.
    pub(crate) fn is_local(self) -> bool {
        match self {
            Self::Code(_) | Self::Build | Self::Folder => true,
            Self::Object(_) | Self::Subnets => false,
        }
    }
}

/// An output of a composite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Type of the composite without the provider's prefix, e.g. `event_function`.
    pub composite: &'static str,
    /// Name of the output.
    pub output: &'static str,
    /// True if the output is a plain name: any string can be the name of an existing object. Every other output
    /// is an ARN or a handle, and a string of another form can only be the name of an entry.
    pub by_name: bool,
}

impl Reference {
    /// The name of a bucket.
    pub const BUCKET: Self = Self { composite: "bucket", output: "bucket", by_name: true };
    /// The ARN of an event bus.
    pub const EVENT_BUS: Self = Self::handle("event_bus", "arn");
    /// The ARN of a function.
    pub const FUNCTION: Self = Self::handle("event_function", "function_arn");
    /// The `launch` handle of a task.
    pub const LAUNCH: Self = Self::handle("container_task", "launch");
    /// The ARN of a queue.
    pub const QUEUE: Self = Self::handle("queue", "arn");
    /// The ARN of a Kinesis stream.
    pub const STREAM: Self = Self::handle("stream", "arn");
    /// The ARN of a table.
    pub const TABLE: Self = Self::handle("table", "arn");
    /// The ARN of the stream of a table's changes.
    pub const TABLE_STREAM: Self = Self::handle("table", "stream_arn");
    /// The ARN of a topic.
    pub const TOPIC: Self = Self::handle("topic", "arn");
    /// The ARN of a workflow's state machine.
    pub const WORKFLOW: Self = Self::handle("workflow", "arn");

    /// An output that is an ARN or a handle.
    const fn handle(composite: &'static str, output: &'static str) -> Self {
        Self { composite, output, by_name: false }
    }
}

/// A struct of inputs.
pub trait Inputs: Sized {
    /// Fields in order of declaration.
    fn fields() -> Vec<Field>;
    /// Reads a value. `None` if a structural value is wrong (see the findings of the reader) or unknown. `fields`
    /// contains [`Inputs::fields`], with the replacements of a struct that flattens this one.
    fn read(fields: &[Field], value: &Value, reader: &mut Reader) -> Option<Self>;
}

/// A type that a field can have.
pub trait Input: Sized {
    /// See [`Field::scalar`].
    const SCALAR: bool;
    /// See [`Field::required`].
    const REQUIRED: bool;
    /// Type of the field.
    fn shape() -> Shape;
    /// Reads a value. `None` if a structural value is wrong or unknown.
    fn read(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self>;
}

/// Reads values into inputs, and collects findings.
#[derive(Debug, Default)]
pub struct Reader {
    path: Path,
    /// Faults found so far.
    pub findings: Findings,
    /// A structural input is unknown, so the objects are unknown as well.
    pub unknown_structure: bool,
}

impl Reader {
    fn inside<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.0.push(step);
        let result = read(self);
        self.path.0.pop();
        result
    }

    fn wrong_type(&mut self, expected: &str, value: &Value, help: String) {
        let message = format!("expected {expected}, found {}", value.describe());
        self.findings.error(Code::WrongType, self.path.clone(), message, help);
    }

    /// The name of the input that is being read: the last name in the path.
    fn name(&self) -> &str {
        let name = self.path.0.iter().rev().find_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Index(_) | Step::Key(_) => None,
        });
        name.unwrap_or_default()
    }

    /// The input or map entry that is being read, for "Set `…` to".
    fn shown(&self) -> &str {
        match self.path.0.last() {
            Some(Step::Key(key)) => key,
            _ => self.name(),
        }
    }

    /// Reads one field of a block.
    pub fn field<T: Input>(&mut self, fields: &[Field], name: &'static str, block: &Value) -> Option<T> {
        let field = fields.iter().find(|field| field.name == name).expect("a declared field");
        let given = block.get(name);
        let default = field.default.as_ref().filter(|_| given.is_null()).map(Value::from);
        self.inside(Step::Field(name.to_owned()), |reader| {
            let value = default.as_ref().unwrap_or(given);
            if value.is_null() && T::REQUIRED {
                reader.findings.error(
                    Code::Missing,
                    reader.path.clone(),
                    format!("`{name}` is required"),
                    match field.rule {
                        Some(Rule::OneOf(allowed)) => {
                            format!("Set `{name}` to one of `{}`.", allowed.join("`, `"))
                        }
                        _ => format!("Set `{name}`: {}", lower_first(field.summary())),
                    },
                );
                return None;
            }
            T::read(value, field, reader)
        })
    }

    /// Checks that a value is a block with no other fields than these.
    pub fn block(&mut self, value: &Value, fields: &[Field]) -> Option<()> {
        match value {
            Value::Map(entries) => {
                let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
                for name in entries.keys().filter(|name| !names.contains(&name.as_str())) {
                    self.unknown_input(name, &names);
                }
                Some(())
            }
            Value::Unknown => {
                self.unknown_structure = true;
                None
            }
            other => {
                let value = other.as_text().filter(|text| !text.is_empty());
                let help = format!("Write a block: `{}: {}`.", self.name(), example(fields, value));
                self.wrong_type("a block", other, help);
                None
            }
        }
    }

    fn unknown_input(&mut self, name: &str, names: &[&str]) {
        let help = match suggest::for_input(name, names) {
            Suggestion::Name(near) => {
                format!("Did you mean `{near}`? Replace `{name}` with it, or remove it.")
            }
            Suggestion::NotCovered(subject) => format!(
                "Tandem does not support {subject} here. Remove `{name}`; the guide {} has the alternative, if there is one.",
                suggest::GUIDE
            ),
            Suggestion::None => format!("Use one of: {}.", names.join(", ")),
        };
        let message = match self.name() {
            "" => format!("there is no input `{name}`"),
            block => format!("`{name}` is not an input of `{block}`"),
        };
        let path = self.path.join(Step::Field(name.to_owned()));
        self.findings.error(Code::UnknownInput, path, message, help);
    }

    /// The one variant whose discriminator is set.
    pub fn choice(&mut self, value: &Value, variants: &[Variant]) -> Option<usize> {
        let every: Vec<Field> = union(variants);
        if !matches!(value, Value::Map(_) | Value::Unknown) {
            // `on: http` names a variant without its block.
            let named = value
                .as_text()
                .and_then(|text| variants.iter().find(|variant| variant.discriminator().name == text));
            let variant = named.unwrap_or(&variants[0]);
            let value_of = named.is_none().then(|| value.as_text()).flatten();
            let help = format!("Write a block: `{}: {}`.", self.name(), example(&variant.fields, value_of));
            self.wrong_type("a block", value, help);
            return None;
        }
        self.block(value, &every)?;
        let names: Vec<String> =
            variants.iter().map(|variant| format!("`{}`", variant.discriminator().name)).collect();
        let given: Vec<usize> = (0..variants.len())
            .filter(|index| !value.get(variants[*index].discriminator().name).is_empty())
            .collect();
        // A misspelt discriminator has been reported with its suggestion.
        let every_name: Vec<&str> = every.iter().map(|field| field.name).collect();
        let misspelt = |name: &String| {
            !every_name.contains(&name.as_str())
                && matches!(suggest::for_input(name, &every_name), Suggestion::Name(near)
                    if variants.iter().any(|variant| variant.discriminator().name == near))
        };
        if given.is_empty() && matches!(value, Value::Map(entries) if entries.keys().any(misspelt)) {
            return None;
        }
        let [index] = given[..] else {
            let message = if given.is_empty() {
                let found: Vec<String> = match value {
                    // Terraform sends an attribute that is not set as null.
                    Value::Map(entries) => {
                        let set = entries.iter().filter(|(_, value)| !value.is_empty());
                        set.map(|(key, _)| format!("`{key}`")).collect()
                    }
                    _ => Vec::new(),
                };
                let found = if found.is_empty() {
                    "nothing".to_owned()
                } else {
                    format!("only {}", found.join(", "))
                };
                format!("`{}` needs one of {}; found {found}", self.name(), names.join(", "))
            } else {
                let given: Vec<_> = given.iter().map(|index| names[*index].clone()).collect();
                format!("{} cannot be combined", given.join(" and "))
            };
            let help = if given.is_empty() {
                format!("Set exactly one of {}.", names.join(", "))
            } else if matches!(self.path.0.last(), Some(Step::Index(_))) {
                "Keep one of them, and write another block for the other.".to_owned()
            } else {
                "Keep one of them, and remove the others.".to_owned()
            };
            self.findings.error(Code::Choice, self.path.clone(), message, help);
            return None;
        };
        let chosen = &variants[index];
        for field in &every {
            let foreign = chosen.fields.iter().all(|own| own.name != field.name);
            if foreign && !value.get(field.name).is_empty() {
                let path = self.path.join(Step::Field(field.name.to_owned()));
                let message = format!("`{}` cannot be combined with {}", field.name, names[index]);
                self.findings.error(Code::Choice, path, message, format!("Remove `{}`.", field.name));
            }
        }
        Some(index)
    }

    fn obeys(&mut self, field: &Field, value: &Value) -> bool {
        let Some((code, message, expected)) = field.rule.and_then(|rule| rule.violation(value)) else {
            return true;
        };
        let near = match (field.rule, value) {
            (Some(Rule::OneOf(allowed)), Value::String(text)) => {
                suggest::suggest(&text.to_lowercase(), allowed.iter().copied())
            }
            _ => None,
        };
        let near = near.map_or_else(String::new, |near| format!("Did you mean `{near}`? "));
        let unit = field.unit.map_or_else(String::new, |unit| format!(" ({})", unit.plural()));
        let help = format!("{near}Set `{}` to {expected}{unit}.", field.name);
        self.findings.error(code, self.path.clone(), message, help);
        false
    }
}

/// The fields of all variants. A field of several variants appears once.
pub fn union(variants: &[Variant]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for field in variants.iter().flat_map(|variant| &variant.fields) {
        if fields.iter().all(|known| known.name != field.name) {
            fields.push(field.clone());
        }
    }
    fields
}

/// Fills in the defaults of fields that are not set, in nested blocks as well.
pub fn fill_defaults(value: &Value, fields: &[Field]) -> Value {
    let Value::Map(entries) = value else { return value.clone() };
    let mut filled = entries.clone();
    for field in fields {
        let entry = filled.entry(field.name.to_owned()).or_default();
        match (&field.shape, &mut *entry) {
            (_, Value::Null) => {
                if let Some(default) = &field.default {
                    *entry = default.into();
                }
            }
            (Shape::Block(body), block) => *block = fill_body(block, body),
            (Shape::Blocks(body), Value::List(blocks)) => {
                blocks.iter_mut().for_each(|block| *block = fill_body(block, body));
            }
            _ => {}
        }
    }
    Value::Map(filled)
}

fn fill_body(block: &Value, body: &Body) -> Value {
    match body {
        Body::Fields(fields) => fill_defaults(block, fields),
        Body::Choice(variants) => {
            let mut given =
                variants.iter().filter(|variant| !block.get(variant.discriminator().name).is_empty());
            match (given.next(), given.next()) {
                (Some(variant), None) => fill_defaults(block, &variant.fields),
                _ => block.clone(),
            }
        }
    }
}

macro_rules! plain {
    ($ty:ty, $shape:expr, $expected:literal, $pattern:pat => $read:expr) => {
        impl Plain for $ty {
            fn plain_shape() -> Shape {
                $shape
            }

            fn read_plain(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self> {
                let read = match value {
                    $pattern => $read,
                    _ => None,
                };
                if read.is_none() {
                    let help = type_help(reader, field, &$shape, value);
                    reader.wrong_type($expected, value, help);
                }
                read
            }
        }

        /// A field of a plain type is structural.
        impl Input for $ty {
            const SCALAR: bool = false;
            const REQUIRED: bool = true;

            fn shape() -> Shape {
                $shape
            }

            fn read(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self> {
                if matches!(value, Value::Unknown | Value::Reference(_)) {
                    reader.unknown_structure = true;
                    return None;
                }
                let read = Self::read_plain(value, field, reader)?;
                reader.obeys(field, value).then_some(read)
            }
        }
    };
}

/// A type that is not a block.
pub trait Plain: Sized {
    /// Type of the field.
    fn plain_shape() -> Shape;
    /// Reads a known value.
    fn read_plain(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self>;
}

plain!(String, Shape::String, "a string", Value::String(text) => Some(text.clone()));
plain!(i64, Shape::Integer, "an integer", Value::Number(number) => number.parse().ok());
plain!(bool, Shape::Bool, "`true` or `false`", Value::Bool(value) => Some(*value));

/// A map in which each value can be unknown.
impl Plain for BTreeMap<String, Scalar<String>> {
    fn plain_shape() -> Shape {
        Shape::Map(Box::new(Shape::String))
    }

    fn read_plain(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = value else {
            let help = type_help(reader, field, &Self::plain_shape(), value);
            reader.wrong_type("a map of strings", value, help);
            return None;
        };
        let mut read = BTreeMap::new();
        for (key, value) in entries {
            let scalar = match value {
                Value::Unknown => Scalar::Unknown,
                Value::Reference(name) => Scalar::Reference(name.clone()),
                // Terraform keeps null entries of a map: an entry that is null is not set.
                Value::Null => continue,
                // An entry of a wrong type counts as unknown: checks of the other entries still run.
                known => reader
                    .inside(Step::Key(key.clone()), |reader| String::read_plain(known, field, reader))
                    .map_or(Scalar::Unknown, Scalar::Known),
            };
            read.insert(key.clone(), scalar);
        }
        Some(read)
    }
}

impl<T: Plain> Input for Scalar<T> {
    const SCALAR: bool = true;
    const REQUIRED: bool = true;

    fn shape() -> Shape {
        T::plain_shape()
    }

    fn read(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self> {
        match value {
            Value::Unknown => Some(Self::Unknown),
            Value::Reference(name) => Some(Self::Reference(name.clone())),
            // A value that is wrong counts as unknown: checks of the other inputs still run.
            known => match T::read_plain(known, field, reader) {
                Some(read) if reader.obeys(field, known) => Some(Self::Known(read)),
                _ => Some(Self::Unknown),
            },
        }
    }
}

impl<T: Input> Input for Option<T> {
    const SCALAR: bool = T::SCALAR;
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        T::shape()
    }

    fn read(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::read(value, field, reader).map(Some) }
    }
}

impl<T: Input> Input for Vec<T> {
    const SCALAR: bool = false;
    const REQUIRED: bool = false;

    fn shape() -> Shape {
        match T::shape() {
            Shape::Block(body) => Shape::Blocks(body),
            plain => Shape::List(Box::new(plain)),
        }
    }

    fn read(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self> {
        let items = match value {
            Value::Null => return Some(Vec::new()),
            Value::List(items) => items,
            Value::Unknown | Value::Reference(_) => {
                reader.unknown_structure = true;
                return None;
            }
            other => {
                let help = format!("Write a list: `{}: […]`.", reader.name());
                reader.wrong_type("a list", other, help);
                return None;
            }
        };
        // All items are read before the first error ends the list: one run reports all findings.
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| reader.inside(Step::Index(index), |reader| T::read(item, field, reader)))
            .collect();
        read.into_iter().collect()
    }
}
