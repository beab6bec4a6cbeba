//! Modules with one resource of the tandem provider.

use tandem_model::input::{self, Field, Shape, Source, union};
use tandem_model::value::Value;

use super::{Layout, Module, Output};
use crate::backend::Address;
use crate::hcl::{Body, Hcl};
use crate::native::versions::Version;
use crate::spec::{Entry, body_fields, bootstrap};
use crate::variables::{Absent, parametrize};

/// Returns the module of an entry with one resource of the provider.
pub(super) fn module(entry: &Entry, layout: &Layout) -> Module {
    let (inputs, variables) = parametrize(entry, Absent::All);
    let written = Written { entry, layout };
    let fields = (entry.definition.fields)();
    let ty = format!("tandem_{}", entry.definition.type_name);
    let mut main = Body::default();
    main.block("resource", &[&ty, "this"], written.body(&inputs, &entry.inputs, &fields));
    let output = |name: &str| Hcl::code(format!("{ty}.this.{name}"));
    let outputs = entry.definition.outputs.iter();
    let outputs = outputs.map(|one| Output::new(one.name, one.doc, output(one.name))).collect();
    let resources = vec![Address { ty, name: "this".to_owned() }];
    Module { main, resources, variables, outputs, requires: Version::FIRST }
}

struct Written<'a> {
    entry: &'a Entry,
    layout: &'a Layout,
}

impl Written<'_> {
    /// Writes the inputs of a block. `inputs` contains references to variables, `given` the values of the
    /// spec.
    fn body(&self, inputs: &Value, given: &Value, fields: &[Field]) -> Body {
        let mut attributes = Body::default();
        let mut blocks = Body::default();
        for field in fields {
            let (value, given) = (inputs.get(field.name), given.get(field.name));
            match (&field.shape, value) {
                (_, Value::Null) => {}
                (Shape::Block(body), block) => {
                    blocks.block(field.name, &[], self.body(block, given, &shape_fields(body, block)));
                }
                (Shape::Blocks(body), Value::List(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        let given = match given {
                            Value::List(given) => given.get(index).unwrap_or(&Value::Null),
                            _ => &Value::Null,
                        };
                        blocks.block(field.name, &[], self.body(item, given, &shape_fields(body, item)));
                    }
                }
                (_, Value::Reference(name))
                    if matches!(field.source, Some(Source::Code(_) | Source::Folder)) =>
                {
                    attributes.set(field.name, self.path(field, name, given));
                }
                (_, Value::List(items)) if items.is_empty() => {}
                (_, value) => attributes.set(field.name, value),
            }
        }
        attributes.items.extend(blocks.items);
        attributes
    }

    fn path(&self, field: &Field, variable: &str, given: &Value) -> Hcl {
        let given = given.as_text().unwrap_or_default();
        let handler = matches!(field.source, Some(Source::Code(_)))
            && self.entry.handlers.values().any(|handler| bootstrap(handler) == given);
        let folders = &self.layout.entry;
        let base = if handler { &folders.handlers } else { &folders.spec };
        let path = if given.starts_with('/') {
            Hcl::text(given)
        } else {
            let path = format!("/{base}/{given}").replace("/./", "/");
            Hcl::Template(vec![Hcl::code("path.module"), Hcl::Text(path)])
        };
        Hcl::Call("coalesce", vec![Hcl::code(format!("var.{variable}")), path])
    }
}

fn shape_fields(body: &input::Body, block: &Value) -> Vec<Field> {
    match body {
        input::Body::Choice(variants) => {
            let chosen = variants.iter().find(|variant| !block.get(variant.discriminator().name).is_null());
            chosen.map_or_else(|| union(variants), |variant| variant.fields.clone())
        }
        input::Body::Fields(_) => body_fields(body),
    }
}
