//! Inputs: their schema and their reading, both from one struct (see [`tandem_model_derive`]).

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::artifact::CodeKind;
use crate::finding::{Code, Findings, Path, Step, suggest};
use crate::kind::Kind;
use crate::scalar::Scalar;
use crate::value::Value;

pub use tandem_model_derive::Inputs;

/// One input of a composite, or one field of a block.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its documentation, in Markdown.
    pub doc: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be known only at apply. What is not scalar is structural: it decides which
    /// objects exist, or their names.
    pub scalar: bool,
    /// Whether it must be given (a default makes it optional).
    pub required: bool,
    /// Its value when none is given.
    pub default: Option<Json>,
    /// What its value must obey.
    pub rule: Option<Rule>,
    /// Why a change makes a new composite.
    pub replaces: Option<&'static str>,
    /// Where facts about its value come from.
    pub source: Option<Source>,
    /// The output of another composite that the value usually is: a spec gives the name of that
    /// composite in its place.
    pub refers: Option<Reference>,
    /// Never shown.
    pub sensitive: bool,
    /// Never stored.
    pub write_only: bool,
}

/// What a field holds.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Bool,
    /// A list of plain values.
    List(Box<Shape>),
    /// A map of plain values.
    Map(Box<Shape>),
    /// One block.
    Block(Body),
    /// Any number of blocks.
    Blocks(Body),
}

/// What a block holds.
#[derive(Clone, Debug)]
pub enum Body {
    /// These fields.
    Fields(Vec<Field>),
    /// The fields of exactly one of these.
    Choice(Vec<Variant>),
}

/// One shape of a block that has several.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What it is.
    pub doc: &'static str,
    /// Its fields; the first tells it apart.
    pub fields: Vec<Field>,
}

impl Variant {
    /// The field that tells the variant apart.
    pub fn discriminator(&self) -> &Field {
        &self.fields[0]
    }
}

/// What a value must obey.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// A number from the first to the second.
    Range(i64, i64),
    /// One of these numbers.
    OneOfNumbers(&'static [i64]),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Named and checked by a function, which says what is wrong.
    Check(&'static str, fn(&str) -> Result<(), String>),
}

impl Rule {
    /// An architecture of Lambda's and Fargate's.
    pub const ARCHITECTURE: Self = Self::OneOf(&["x86_64", "arm64"]);
}

/// Where facts about the value of an input come from. The reader of inputs collects them into the
/// context before it expands.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A file whose content is the code of a function.
    Code(CodeKind),
    /// An object of AWS, by its ARN.
    Object(&'static Kind),
    /// The ids of subnets: the VPC that they are in.
    Subnets,
    /// A block with `context` and `dockerfile`: what they hold.
    Build,
    /// A folder of the block around it.
    Folder,
}

/// An output of a composite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The type of the composite, without the provider's prefix.
    pub composite: &'static str,
    /// Its output.
    pub output: &'static str,
}

impl Reference {
    /// The name of a bucket.
    pub const BUCKET: Self = Self { composite: "bucket", output: "bucket" };
    /// The ARN of a function.
    pub const FUNCTION: Self = Self { composite: "event_function", output: "function_arn" };
    /// The handle of a task that may be started.
    pub const LAUNCH: Self = Self { composite: "container_task", output: "launch" };
    /// The ARN of a queue.
    pub const QUEUE: Self = Self { composite: "queue", output: "arn" };
    /// The ARN of a Kinesis stream.
    pub const STREAM: Self = Self { composite: "stream", output: "arn" };
    /// The ARN of a table.
    pub const TABLE: Self = Self { composite: "table", output: "arn" };
    /// The ARN of the stream of a table's changes.
    pub const TABLE_STREAM: Self = Self { composite: "table", output: "stream_arn" };
    /// The ARN of a topic.
    pub const TOPIC: Self = Self { composite: "topic", output: "arn" };
    /// The ARN of a workflow's state machine.
    pub const WORKFLOW: Self = Self { composite: "workflow", output: "arn" };
}

/// A struct of inputs.
pub trait Inputs: Sized {
    /// Its fields, in order.
    fn fields() -> Vec<Field>;
    /// Reads it; `None` when something is wrong (a finding says what) or not yet known.
    fn read(value: &Value, reader: &mut Reader) -> Option<Self>;
}

/// A type that a field can have.
pub trait Input: Sized {
    /// See [`Field::scalar`].
    const SCALAR: bool;
    /// See [`Field::required`].
    const REQUIRED: bool;
    /// What it holds.
    fn shape() -> Shape;
    /// Reads it; `None` when something is wrong or not yet known.
    fn read(value: &Value, field: &Field, reader: &mut Reader) -> Option<Self>;
}

/// Reads values into inputs, and keeps what it finds wrong.
#[derive(Debug, Default)]
pub struct Reader {
    path: Path,
    /// What is wrong.
    pub findings: Findings,
    /// Set when a structural input is not yet known: nothing can be said about the objects then.
    pub unknown_structure: bool,
}

impl Reader {
    fn inside<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.0.push(step);
        let result = read(self);
        self.path.0.pop();
        result
    }

    fn wrong_type(&mut self, expected: &str, value: &Value) {
        let message = format!("expected {expected}, found {}", value.describe());
        self.findings.error(Code::WrongType, self.path.clone(), message, format!("Give {expected}."));
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
                    format!("Give `{name}`: {}", field.doc.lines().next().unwrap_or_default()),
                );
                return None;
            }
            T::read(value, field, reader)
        })
    }

    /// Checks that a value is a block of these fields and no others.
    pub fn block(&mut self, value: &Value, fields: &[Field]) -> Option<()> {
        match value {
            Value::Map(entries) => {
                for name in entries.keys().filter(|name| fields.iter().all(|field| field.name != **name)) {
                    let near = suggest(name, fields.iter().map(|field| field.name));
                    let help = match near {
                        Some(near) => format!("Did you mean `{near}`?"),
                        None => format!(
                            "Known here: {}.",
                            fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
                        ),
                    };
                    let path = self.path.join(Step::Field(name.clone()));
                    self.findings.error(
                        Code::UnknownInput,
                        path,
                        format!("there is no input `{name}`"),
                        help,
                    );
                }
                Some(())
            }
            Value::Unknown => {
                self.unknown_structure = true;
                None
            }
            other => {
                self.wrong_type("a block", other);
                None
            }
        }
    }

    /// Finds the one variant of which the discriminator is given.
    pub fn choice(&mut self, value: &Value, variants: &[Variant]) -> Option<usize> {
        let every: Vec<Field> = union(variants);
        self.block(value, &every)?;
        let names: Vec<String> =
            variants.iter().map(|variant| format!("`{}`", variant.discriminator().name)).collect();
        let given: Vec<usize> = (0..variants.len())
            .filter(|index| !value.get(variants[*index].discriminator().name).is_empty())
            .collect();
        let [index] = given[..] else {
            let message = if given.is_empty() {
                format!("none of {} is given", names.join(", "))
            } else {
                let given: Vec<_> = given.iter().map(|index| names[*index].clone()).collect();
                format!("{} are given together", given.join(" and "))
            };
            let help = format!("Give exactly one of {}.", names.join(", "));
            self.findings.error(Code::Choice, self.path.clone(), message, help);
            return None;
        };
        let chosen = &variants[index];
        for field in &every {
            let foreign = chosen.fields.iter().all(|own| own.name != field.name);
            if foreign && !value.get(field.name).is_empty() {
                let path = self.path.join(Step::Field(field.name.to_owned()));
                let message = format!("`{}` does not go with {}", field.name, names[index]);
                self.findings.error(Code::Choice, path, message, format!("Remove `{}`.", field.name));
            }
        }
        Some(index)
    }

    fn obeys(&mut self, field: &Field, value: &Value) -> bool {
        let message = match (field.rule, value) {
            (Some(Rule::Range(low, high)), Value::Number(number)) => match number.parse::<i64>() {
                Ok(number) if (low..=high).contains(&number) => return true,
                _ => format!("{number} is not between {low} and {high}"),
            },
            (Some(Rule::OneOfNumbers(allowed)), Value::Number(number)) => match number.parse::<i64>() {
                Ok(number) if allowed.contains(&number) => return true,
                _ => {
                    let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
                    format!("{number} is not one of {}", allowed.join(", "))
                }
            },
            (Some(Rule::OneOf(allowed)), Value::String(text)) => {
                if allowed.contains(&text.as_str()) {
                    return true;
                }
                format!("{text:?} is not one of {}", allowed.join(", "))
            }
            (Some(Rule::Check(_, check)), Value::String(text)) => match check(text) {
                Ok(()) => return true,
                Err(message) => message,
            },
            _ => return true,
        };
        let help = format!("`{}`: {}", field.name, field.doc.lines().next().unwrap_or_default());
        self.findings.error(Code::OutOfRange, self.path.clone(), message, help);
        false
    }
}

/// The fields of all variants; one that several have is listed once.
pub fn union(variants: &[Variant]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::new();
    for field in variants.iter().flat_map(|variant| &variant.fields) {
        if fields.iter().all(|known| known.name != field.name) {
            fields.push(field.clone());
        }
    }
    fields
}

/// Fills in the defaults of what was not given, at every depth.
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

            fn read_plain(value: &Value, reader: &mut Reader) -> Option<Self> {
                let read = match value {
                    $pattern => $read,
                    _ => None,
                };
                if read.is_none() {
                    reader.wrong_type($expected, value);
                }
                read
            }
        }

        /// A plain type by itself is structural.
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
                let read = Self::read_plain(value, reader)?;
                reader.obeys(field, value).then_some(read)
            }
        }
    };
}

/// A type without parts that are inputs of their own.
pub trait Plain: Sized {
    /// What it holds.
    fn plain_shape() -> Shape;
    /// Reads a known value.
    fn read_plain(value: &Value, reader: &mut Reader) -> Option<Self>;
}

plain!(String, Shape::String, "a text", Value::String(text) => Some(text.clone()));
plain!(i64, Shape::Integer, "a whole number", Value::Number(number) => number.parse().ok());
plain!(bool, Shape::Bool, "`true` or `false`", Value::Bool(value) => Some(*value));

/// A map whose values may each be known only later.
impl Plain for BTreeMap<String, Scalar<String>> {
    fn plain_shape() -> Shape {
        Shape::Map(Box::new(Shape::String))
    }

    fn read_plain(value: &Value, reader: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = value else {
            reader.wrong_type("a map of texts", value);
            return None;
        };
        let mut read = BTreeMap::new();
        for (key, value) in entries {
            let scalar = match value {
                Value::Unknown => Some(Scalar::Unknown),
                Value::Reference(name) => Some(Scalar::Reference(name.clone())),
                // Terraform drops null entries of a map nowhere; here null says "not this one".
                Value::Null => continue,
                known => reader
                    .inside(Step::Key(key.clone()), |reader| String::read_plain(known, reader))
                    .map(Scalar::Known),
            };
            read.insert(key.clone(), scalar?);
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
            known => {
                let read = T::read_plain(known, reader)?;
                reader.obeys(field, known).then_some(Self::Known(read))
            }
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
                reader.wrong_type("a list", other);
                return None;
            }
        };
        // Every item is read before any of them counts, so that all findings come at once.
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| reader.inside(Step::Index(index), |reader| T::read(item, field, reader)))
            .collect();
        read.into_iter().collect()
    }
}
