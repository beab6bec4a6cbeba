//! Attributes and blocks of a resource, from the places that the kind declares.

use tandem_model::expr::{Ambient, Expr};
use tandem_model::graph::Object;
use tandem_model::kind::place::{Beside, Given, Written};
use tandem_model::kind::{Form, KindField, Type};

use super::expressions::address;
use super::{Printer, role};
use crate::hcl::{Body, Hcl, Item};

/// The mark of a name that is a list of objects in JSON, e.g. `container_definitions[]`.
const OF_JSON: &str = "[]";

/// The field with the input of a target. EventBridge Scheduler replaces placeholders such as
/// `<aws.scheduler.scheduled-time>` in it only if `<` and `>` are not escaped.
const GIVEN: &str = "input";

/// Characters that `jsonencode` of Terraform escapes.
const ESCAPED: &[(&str, &str)] = &[("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")];

/// A resource in the making.
#[derive(Default)]
pub(super) struct Placed {
    pub(super) attributes: Body,
    pub(super) blocks: Body,
    /// Second resources, by type.
    seconds: Vec<(String, Body)>,
}

impl Placed {
    /// Puts a value at a path, see [`KindField::place`].
    pub(super) fn put(&mut self, path: &str, value: Option<Hcl>) {
        if let Some(second) = path.strip_prefix('@') {
            let (ty, name) = second.split_once('.').unwrap_or((second, ""));
            let known = self.seconds.iter().position(|(known, _)| known == ty);
            let index = known.unwrap_or_else(|| {
                self.seconds.push((ty.to_owned(), Body::default()));
                self.seconds.len() - 1
            });
            put(&mut self.seconds[index].1, name, value);
        } else if path.contains('.') && !path.contains(OF_JSON) {
            put(&mut self.blocks, path, value);
        } else {
            put(&mut self.attributes, path, value);
        }
    }

    /// Puts a block with parts that have no path, e.g. a dynamic block.
    fn block(&mut self, path: &str, build: impl FnOnce(&mut Body)) {
        build(body_at(&mut self.blocks, path));
    }
}

/// The body of the block at a path, which is made if it is missing.
fn body_at<'a>(body: &'a mut Body, path: &str) -> &'a mut Body {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let known = body.items.iter().position(|item| matches!(item, Item::Block(known, ..) if known == name));
    let index = known.unwrap_or_else(|| {
        body.block(name, &[], Body::default());
        body.items.len() - 1
    });
    let Item::Block(_, _, inner) = &mut body.items[index] else { unreachable!("a block") };
    match rest {
        Some(rest) => body_at(inner, rest),
        None => inner,
    }
}

fn put(body: &mut Body, path: &str, value: Option<Hcl>) {
    if path.contains(OF_JSON) {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        let name = name.trim_end_matches(OF_JSON);
        let known = body.items.iter_mut().find_map(|item| match item {
            Item::Attribute(known, Hcl::Call(_, arguments)) if known == name => arguments.first_mut(),
            _ => None,
        });
        if let Some(list) = known {
            put_json(list, rest, value);
        } else {
            let mut list = Hcl::List(vec![Hcl::Map(Vec::new())]);
            put_json(&mut list, rest, value);
            body.set(name, Hcl::Call("jsonencode", vec![list]));
        }
        return;
    }
    match (path.rsplit_once('.'), value) {
        // An empty list leaves its block out.
        (Some(_), Some(Hcl::List(items))) if items.is_empty() => {}
        (Some((blocks, name)), Some(value)) => body_at(body, blocks).set(name, value),
        (None, Some(value)) => body.set(path, value),
        (_, None) => drop(body_at(body, path)),
    }
}

/// The body of a block from an object: objects within it are blocks.
fn block_of(object: Hcl) -> Body {
    let mut body = Body::default();
    let Hcl::Map(entries) = object else { return body };
    for (name, value) in entries {
        match value {
            Hcl::Map(_) => body.block(&name, &[], block_of(value)),
            value => body.set(&name, value),
        }
    }
    body
}

/// Puts a value at a path in the first object of a list in JSON, or in an object.
fn put_json(json: &mut Hcl, path: &str, value: Option<Hcl>) {
    let entries = match json {
        Hcl::List(items) => return items.first_mut().map_or((), |first| put_json(first, path, value)),
        Hcl::Map(entries) => entries,
        _ => return,
    };
    let Some((name, rest)) = path.split_once('.') else {
        entries.push((path.to_owned(), value.unwrap_or(Hcl::Null)));
        return;
    };
    let (name, list) = name.strip_suffix(OF_JSON).map_or((name, false), |name| (name, true));
    let index = entries.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        let object = Hcl::Map(Vec::new());
        entries.push((name.to_owned(), if list { Hcl::List(vec![object]) } else { object }));
        entries.len() - 1
    });
    put_json(&mut entries[index].1, rest, value);
}

/// Puts the attributes of each block before its blocks, and removes the marks that tell blocks of one name apart.
fn tidy(body: &mut Body) {
    body.items.sort_by_key(|item| matches!(item, Item::Block(..)));
    for item in &mut body.items {
        if let Item::Block(name, _, inner) = item {
            if let Some((own, _)) = name.split_once('#') {
                *name = own.to_owned();
            }
            tidy(inner);
        }
    }
}

impl Printer<'_> {
    /// The attributes and blocks of an object.
    pub(super) fn placed(&mut self, object: &Object) -> Placed {
        let mut placed = Placed::default();
        // The fields of a kind are in a readable order.
        for field in object.kind.fields {
            // Code that the generator builds has a place of its own.
            let is_code = field.written == Written::Special && object.fields.contains_key("source");
            if let Some(expr) = object.fields.get(field.name).filter(|_| !is_code) {
                self.field(field, expr, &mut placed);
            }
        }
        for beside in object.kind.beside {
            let is_there = beside.only.is_none_or(|(field, with)| object.fields.contains_key(field) == with);
            if is_there {
                let value = self.beside(object, beside);
                placed.put(beside.path, value);
            }
        }
        tidy(&mut placed.blocks);
        for (ty, body) in std::mem::take(&mut placed.seconds) {
            self.add(&ty, role(&object.key), body);
        }
        placed
    }

    fn field(&mut self, field: &KindField, expr: &Expr, placed: &mut Placed) {
        let path = field.place.unwrap_or(field.name);
        let value = match field.written {
            _ if path.is_empty() => return,
            Written::AsIs | Written::Special => self.own(field, expr),
            Written::Upper => Hcl::Call("upper", vec![self.expr(expr)]),
            Written::Pairs(member) => self.pairs(expr, member),
            Written::Split => self.split(expr),
            Written::Attribute(attribute) => match expr {
                Expr::Attribute(other, _) => Hcl::code(format!("{}.{attribute}", address(other))),
                other => self.expr(other),
            },
            Written::Blocks => {
                let Hcl::List(items) = self.expr(expr) else { return };
                let name = path.split_once('#').map_or(path, |(name, _)| name);
                return items.into_iter().for_each(|item| placed.blocks.block(name, &[], block_of(item)));
            }
            Written::Capacity => {
                let capacity = self.expr(expr);
                let (blocks, name) = path.rsplit_once('.').unwrap_or(("", path));
                return placed.block(blocks, |body| super::resources::capacity(name, capacity, body));
            }
        };
        placed.put(path, Some(value));
    }

    /// The value of a field. A document is JSON text, unless it is text already.
    fn own(&mut self, field: &KindField, expr: &Expr) -> Hcl {
        let value = self.expr(expr);
        let is_text =
            field.form == Form::Policy && matches!(expr, Expr::Literal(serde_json::Value::String(_)));
        if field.ty != Type::Document || is_text {
            return value;
        }
        let escaped = ESCAPED.iter().filter(|(sign, _)| field.name == GIVEN && expr.has(sign));
        escaped.fold(Hcl::Call("jsonencode", vec![value]), |text, (sign, number)| {
            Hcl::Call("replace", vec![text, Hcl::text(*number), Hcl::text(*sign)])
        })
    }

    fn beside(&mut self, object: &Object, beside: &Beside) -> Option<Hcl> {
        Some(match beside.given {
            Given::Constant(json) => {
                let json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
                (&json).into()
            }
            Given::Text(text) => Hcl::text(text),
            Given::Field(field) => object.fields.get(field).map_or(Hcl::Null, |expr| self.expr(expr)),
            Given::Own(attribute) => Hcl::code(format!("{}.{attribute}", address(&object.key))),
            Given::ForceDestroy => Hcl::Bool(self.graph.force_destroy),
            Given::Region => self.expr(&Expr::Ambient(Ambient::Region)),
            Given::Nothing => return None,
        })
    }
}
