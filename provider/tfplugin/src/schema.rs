//! Schemas of configuration blocks, and the check of schemas for defects.

use std::collections::BTreeSet;

use crate::proto;
use crate::types::Type;

/// The schema of a provider, resource, data source or ephemeral resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// Increase it if the stored state of older versions needs an upgrade.
    pub version: i64,
    /// The block itself.
    pub block: Block,
}

/// Attributes and nested blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Description, in Markdown.
    pub description: String,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// Its nested blocks.
    pub blocks: Vec<NestedBlock>,
    /// Set if deprecated: the reason and the replacement.
    pub deprecated: Option<String>,
}

/// The source of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The configuration must set the value.
    Required,
    /// The configuration may set the value. Otherwise it is null.
    Optional,
    /// The configuration may set the value. Otherwise the provider sets it.
    OptionalComputed,
    /// The provider sets the value.
    Computed,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name: lower-case letters, digits and underscores.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// The source of its value.
    pub mode: Mode,
    /// Description, in Markdown.
    pub description: String,
    /// Hidden in plans.
    pub sensitive: bool,
    /// Never stored in plans or state.
    pub write_only: bool,
    /// Set if deprecated: the reason and the replacement.
    pub deprecated: Option<String>,
}

impl Attribute {
    /// An attribute that is neither sensitive, write-only nor deprecated.
    pub fn new(name: impl Into<String>, ty: Type, mode: Mode, description: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty,
            mode,
            description: description.into(),
            sensitive: false,
            write_only: false,
            deprecated: None,
        }
    }
}

/// The number of nested blocks and the form of their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// At most one block. Null if absent.
    Single,
    /// At most one block. If absent, an object with null attributes.
    Group,
    /// Any number of blocks, in order.
    List,
    /// Any number of blocks, without order.
    Set,
    /// Any number of blocks, each with a label.
    Map,
}

/// A nested block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NestedBlock {
    /// The name of the block.
    pub name: String,
    /// The nesting mode.
    pub nesting: Nesting,
    /// Attributes and nested blocks.
    pub block: Block,
    /// The minimum number of blocks of a list or set. A required single block sets 1 here and in `max_items`.
    pub min_items: i64,
    /// The maximum number of blocks of a list or set. 0 is no limit.
    pub max_items: i64,
}

impl Schema {
    /// The type of a value of this schema.
    pub fn ty(&self) -> Type {
        self.block.ty()
    }

    /// The defects of the schema. Terraform does not check schemas, and panics on some defects.
    pub fn defects(&self) -> Vec<String> {
        let mut defects = Vec::new();
        if self.version < 0 {
            defects.push("the version is negative".to_owned());
        }
        self.block.find_defects("", &mut defects);
        defects
    }
}

impl Block {
    /// The object type of the block.
    pub fn ty(&self) -> Type {
        let attributes =
            self.attributes.iter().map(|attribute| (attribute.name.clone(), attribute.ty.clone()));
        let blocks = self.blocks.iter().map(|nested| {
            let inner = nested.block.ty();
            let ty = match nested.nesting {
                Nesting::Single | Nesting::Group => inner,
                Nesting::List => Type::list(inner),
                Nesting::Set => Type::set(inner),
                Nesting::Map => Type::map(inner),
            };
            (nested.name.clone(), ty)
        });
        Type::object(attributes.chain(blocks))
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The nested block of this name.
    pub fn nested(&self, name: &str) -> Option<&NestedBlock> {
        self.blocks.iter().find(|nested| nested.name == name)
    }

    fn find_defects(&self, at: &str, defects: &mut Vec<String>) {
        // Terraform's meta-arguments of a resource.
        const RESERVED: [&str; 7] =
            ["count", "for_each", "depends_on", "lifecycle", "provider", "provisioner", "connection"];
        let mut seen = BTreeSet::new();
        let names = self.attributes.iter().map(|attribute| &attribute.name);
        for name in names.chain(self.blocks.iter().map(|nested| &nested.name)) {
            let start = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
            if !start || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                defects.push(format!("`{at}{name}` is not a valid name"));
            }
            if at.is_empty() && RESERVED.contains(&name.as_str()) {
                defects.push(format!("`{name}` is reserved by Terraform"));
            }
            if !seen.insert(name) {
                defects.push(format!("`{at}{name}` is declared twice"));
            }
        }
        for attribute in &self.attributes {
            let name = &attribute.name;
            if attribute.write_only && matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed) {
                defects.push(format!("`{at}{name}` cannot be both computed and write-only"));
            }
            if let Err(error) = Type::from_json(&attribute.ty.to_json()) {
                defects.push(format!("`{at}{name}`: {error}"));
            }
        }
        for nested in &self.blocks {
            let name = &nested.name;
            let counted = matches!(nested.nesting, Nesting::List | Nesting::Set);
            if nested.max_items != 0 && nested.min_items > nested.max_items {
                defects.push(format!("`{at}{name}` has a `min_items` greater than its `max_items`"));
            }
            let single = nested.nesting == Nesting::Single
                && nested.min_items == nested.max_items
                && (0..=1).contains(&nested.min_items);
            if !counted && !single && (nested.min_items, nested.max_items) != (0, 0) {
                defects.push(format!(
                    "`{at}{name}` sets `min_items` or `max_items`, which its nesting does not allow"
                ));
            }
            if nested.nesting == Nesting::Set && nested.block.has_write_only() {
                defects.push(format!("`{at}{name}` is a set that contains a write-only attribute"));
            }
            nested.block.find_defects(&format!("{at}{name}."), defects);
        }
    }

    fn has_write_only(&self) -> bool {
        self.attributes.iter().any(|attribute| attribute.write_only)
            || self.blocks.iter().any(|nested| nested.block.has_write_only())
    }
}

impl From<&Schema> for proto::Schema {
    fn from(schema: &Schema) -> Self {
        let mut block: proto::schema::Block = (&schema.block).into();
        block.version = schema.version;
        Self { version: schema.version, block: Some(block) }
    }
}

impl From<&Block> for proto::schema::Block {
    fn from(block: &Block) -> Self {
        Self {
            version: 0,
            attributes: block.attributes.iter().map(Into::into).collect(),
            block_types: block.blocks.iter().map(Into::into).collect(),
            description: block.description.clone(),
            description_kind: proto::StringKind::Markdown.into(),
            deprecated: block.deprecated.is_some(),
            deprecation_message: block.deprecated.clone().unwrap_or_default(),
        }
    }
}

impl From<&Attribute> for proto::schema::Attribute {
    fn from(attribute: &Attribute) -> Self {
        Self {
            name: attribute.name.clone(),
            r#type: attribute.ty.to_json().to_string().into_bytes(),
            description: attribute.description.clone(),
            required: attribute.mode == Mode::Required,
            optional: matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed),
            computed: matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed),
            sensitive: attribute.sensitive,
            description_kind: proto::StringKind::Markdown.into(),
            deprecated: attribute.deprecated.is_some(),
            write_only: attribute.write_only,
            deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
        }
    }
}

impl From<&NestedBlock> for proto::schema::NestedBlock {
    fn from(nested: &NestedBlock) -> Self {
        use proto::schema::nested_block::NestingMode;
        let nesting = match nested.nesting {
            Nesting::Single => NestingMode::Single,
            Nesting::Group => NestingMode::Group,
            Nesting::List => NestingMode::List,
            Nesting::Set => NestingMode::Set,
            Nesting::Map => NestingMode::Map,
        };
        Self {
            type_name: nested.name.clone(),
            block: Some((&nested.block).into()),
            nesting: nesting.into(),
            min_items: nested.min_items,
            max_items: nested.max_items,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defects_are_found() {
        let mut write_only = Attribute::new("w", Type::String, Mode::OptionalComputed, "");
        write_only.write_only = true;
        let schema = Schema {
            version: 0,
            block: Block {
                attributes: vec![
                    Attribute::new("Bad", Type::String, Mode::Optional, ""),
                    Attribute::new("count", Type::Number, Mode::Optional, ""),
                    Attribute::new("twice", Type::Number, Mode::Optional, ""),
                    write_only,
                ],
                blocks: vec![NestedBlock {
                    name: "twice".into(),
                    nesting: Nesting::List,
                    block: Block::default(),
                    min_items: 3,
                    max_items: 2,
                }],
                ..Block::default()
            },
        };
        assert_eq!(schema.defects().len(), 5, "{:?}", schema.defects());
        assert!(Schema::default().defects().is_empty());
    }
}
