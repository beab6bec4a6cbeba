//! The place of the fields of a kind in the resource of hashicorp/aws.

/// The resource of hashicorp/aws that has the fields of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// One with the same name as the kind.
    Own,
    /// One that all objects of a parent share, e.g. the notifications of a bucket.
    Shared(Shared),
    /// None. The user makes the object, and a variable names it.
    Outside(Outside),
}

/// A resource that all objects of a parent share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The name of the resource, without `aws_`.
    pub name: &'static str,
    /// Its name in messages.
    pub title: &'static str,
    /// The field that refers to the parent. It is an attribute of the resource.
    pub parent: &'static str,
    /// The block with the other fields of one object; empty if the object has only attributes beside its fields.
    pub block: &'static str,
    /// The output of a module with the blocks for parents that the module does not create: its name and description.
    pub output: (&'static str, &'static str),
}

/// An object that the user makes, e.g. an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The end of the name of the variable. The role of the object comes before it.
    pub variable: &'static str,
    /// The description of the variable.
    pub doc: &'static str,
    /// The field that refers to the parent, and the attribute of the parent. All attributes of the object are this
    /// attribute, a colon and the variable.
    pub parent: (&'static str, &'static str),
}

/// An attribute that no field sets by its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Its path, see [`KindField::place`](super::KindField::place).
    pub path: &'static str,
    /// Its value.
    pub given: Given,
    /// It is there only in objects with this field (`true`) or without it (`false`).
    pub only: Option<(&'static str, bool)>,
}

/// The value of an attribute that no field sets by its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// A constant, as JSON.
    Constant(&'static str),
    /// A constant string.
    Text(&'static str),
    /// The value of a field that also has a place of its own.
    Field(&'static str),
    /// A reference to an attribute of the resource itself, from a second resource.
    Own(&'static str),
    /// True if the user allows the deletion of data.
    ForceDestroy,
    /// The region.
    Region,
    /// An empty block.
    Nothing,
}

/// An attribute with a constant value, as JSON.
pub const fn constant(path: &'static str, json: &'static str) -> Beside {
    Beside { path, given: Given::Constant(json), only: None }
}

/// An attribute with another value.
pub const fn beside(path: &'static str, given: Given) -> Beside {
    Beside { path, given, only: None }
}

impl Beside {
    /// The same, only in objects with this field.
    pub const fn with(self, field: &'static str) -> Self {
        Self { only: Some((field, true)), ..self }
    }

    /// The same, only in objects without this field.
    pub const fn without(self, field: &'static str) -> Self {
        Self { only: Some((field, false)), ..self }
    }
}

/// The form in which hashicorp/aws takes the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// As it is. A document is JSON text.
    AsIs,
    /// In upper case.
    Upper,
    /// A list of objects with the members `name` and this one, in place of a map. All values are strings.
    Pairs(&'static str),
    /// A list, in place of a string with commas.
    Split,
    /// The attribute `launch_type` or blocks with a capacity provider strategy, for a word of
    /// [`capacity`](crate::capacity).
    Capacity,
    /// An attribute of the object that the field refers to, in place of its name.
    Attribute(&'static str),
    /// Blocks, in place of a list of objects. The objects have the names of hashicorp/aws.
    Blocks,
    /// With percent-encoding, as in the filters of S3's notifications.
    S3Filter,
    /// The path of a zip file, in place of the place of the code.
    Code,
    /// The hash of the zip file of a field written as [`Written::Code`]; as it is in an object without one.
    CodeHash,
    /// The architecture that the code of a field written as [`Written::Code`] is built for; as it is in an object without
    /// one.
    CodeArchitecture,
}
