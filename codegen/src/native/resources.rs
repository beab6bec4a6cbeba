//! HCL with resources of hashicorp/aws as a back end: the resource of an object, and the values of its fields.

use serde_json::Value as Json;
use tandem_model::capacity::{self, CAPACITIES, Capacity};
use tandem_model::expr::{Ambient, Expr};
use tandem_model::graph::Object;
use tandem_model::input::Rule;
use tandem_model::kind::place::{Beside, Given, Resource, Written};
use tandem_model::kind::{Form, KindField, Type};
use tandem_model::kinds::s3;
use tandem_model::value::Value;

use super::Printer;
use super::body::block_of;
use super::expressions::{address, direct};
use crate::backend::{Address, Backend, Property, Refusal, role};
use crate::hcl::{Body, Hcl, Item, quoted};
use crate::spec::bootstrap;
use crate::variables::Variable;

/// The field with the input of a target. EventBridge Scheduler replaces placeholders such as
/// `<aws.scheduler.scheduled-time>` in it only if `<` and `>` are not escaped.
const GIVEN: &str = "input";

/// Characters that `jsonencode` of Terraform escapes.
const ESCAPED: &[(&str, &str)] = &[("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")];

/// The value of an attribute, or the contents of a block.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// The value of an attribute.
    Value(Hcl),
    /// Attributes and blocks of the block at the path.
    Items(Vec<Item>),
}

impl Backend for Printer<'_> {
    type Value = Content;

    fn resource(&mut self, object: &Object) -> Result<Option<Address>, Refusal> {
        let own = |ty: &str, name: &str| Address { ty: format!("aws_{ty}"), name: name.to_owned() };
        match object.kind.resource {
            Resource::Own => Ok(Some(own(object.kind.name, role(&object.key)))),
            Resource::Outside(_) => Ok(None),
            Resource::Shared(shared) => match object.fields.get(shared.parent) {
                Some(Expr::Attribute(parent, _)) => Ok(Some(own(shared.name, role(parent)))),
                // The root module has the resource, see `Printer::given_away`.
                _ if !shared.block.is_empty() => Ok(None),
                _ => Err(Refusal(format!(
                    "`{}` belongs to a {} that the module does not create",
                    object.key, shared.parent
                ))),
            },
        }
    }

    fn field(
        &mut self,
        object: &Object,
        field: &'static KindField,
        expr: &Expr,
    ) -> Result<Vec<Property<Content>>, Refusal> {
        let place = field.place.unwrap_or(field.name);
        if place.is_empty() {
            return Ok(Vec::new());
        }
        let is_code = matches!(field.written, Written::Code | Written::CodeHash | Written::CodeArchitecture);
        if is_code && let Some(zip) = self.code(object) {
            return Ok(self.of_code(object, field, place, zip));
        }
        if unknown_parts(expr) > 0 {
            return Err(Refusal(format!("`{}` of `{}` is known only at apply", field.name, object.key)));
        }
        let (block, name) = place.rsplit_once('.').unwrap_or(("", place));
        Ok(vec![match field.written {
            Written::Blocks => {
                let Hcl::List(items) = self.expr(expr) else { return Ok(Vec::new()) };
                let name = name.split_once('#').map_or(name, |(name, _)| name).to_owned();
                let blocks =
                    items.into_iter().map(|item| Item::Block(name.clone(), Vec::new(), block_of(item)));
                property(object, block, Content::Items(blocks.collect()))
            }
            Written::Capacity => {
                property(object, block, Content::Items(capacity(name, self.expr(expr)).items))
            }
            _ => property(object, place, Content::Value(self.written(field, expr))),
        }])
    }

    fn beside(&mut self, object: &Object) -> Result<Vec<Property<Content>>, Refusal> {
        let is_there =
            |one: &&Beside| one.only.is_none_or(|(field, with)| object.fields.contains_key(field) == with);
        let besides = object.kind.beside.iter().filter(is_there);
        let made = besides.map(|beside| {
            let value = match beside.given {
                Given::Constant(json) => {
                    let json: Json = serde_json::from_str(json).unwrap_or_default();
                    (&json).into()
                }
                Given::Text(text) => Hcl::text(text),
                Given::Field(field) => object.fields.get(field).map_or(Hcl::Null, |expr| self.expr(expr)),
                Given::Own(attribute) => Hcl::code(format!("{}.{attribute}", address(&object.key))),
                Given::ForceDestroy => Hcl::Bool(self.graph.force_destroy),
                Given::Region => self.expr(&Expr::Ambient(Ambient::Region)),
                Given::Nothing => {
                    return Property {
                        value: None,
                        ..property(object, beside.path, Content::Items(Vec::new()))
                    };
                }
            };
            property(object, beside.path, Content::Value(value))
        });
        Ok(made.collect())
    }

    fn tags(&mut self, _: &Object, tags: &Expr) -> Result<Vec<Property<Content>>, Refusal> {
        Ok(vec![Property::new("tags", Content::Value(self.expr(tags)))])
    }
}

/// A value at a place, see [`KindField::place`]. The values of a shared resource are in a block for each object, except
/// the reference to the parent.
fn property(object: &Object, place: &str, content: Content) -> Property<Content> {
    let second = place.strip_prefix('@').map(|second| second.split_once('.').unwrap_or((second, "")));
    if let Some((ty, name)) = second {
        return Property { second: Some(format!("aws_{ty}")), ..Property::new(name, content) };
    }
    match object.kind.resource {
        Resource::Shared(shared) if !shared.block.is_empty() && place != shared.parent => {
            Property::new(format!("{}#{}.{place}", shared.block, role(&object.key)), content)
        }
        _ => Property::new(place, content),
    }
}

pub(super) fn unknown_parts(expr: &Expr) -> usize {
    let own = usize::from(*expr == Expr::Unknown);
    own + expr.parts().into_iter().map(unknown_parts).sum::<usize>()
}

impl Printer<'_> {
    /// The value of a field in the form that hashicorp/aws takes.
    pub(super) fn written(&mut self, field: &KindField, expr: &Expr) -> Hcl {
        match (field.written, expr) {
            (Written::Upper, _) => Hcl::Call("upper", vec![self.expr(expr)]),
            (Written::Pairs(member), _) => self.pairs(expr, member),
            (Written::Split, _) => self.split(expr),
            (Written::Attribute(attribute), Expr::Attribute(other, _)) => {
                Hcl::code(format!("{}.{attribute}", address(other)))
            }
            (Written::S3Filter, Expr::Literal(Json::String(text))) => Hcl::text(s3::encoded(text)),
            // Policies can be text already.
            (_, Expr::Literal(Json::String(_))) if field.form == Form::Policy => self.expr(expr),
            _ if field.ty == Type::Document => {
                let escaped = ESCAPED.iter().filter(|(sign, _)| field.name == GIVEN && expr.has(sign));
                escaped.fold(Hcl::Call("jsonencode", vec![self.expr(expr)]), |text, (sign, number)| {
                    Hcl::Call("replace", vec![text, Hcl::text(*number), Hcl::text(*sign)])
                })
            }
            _ => self.expr(expr),
        }
    }

    /// The path of the zip file with the code of an object, if the generator knows it: a variable, or the output of
    /// `tandem build`.
    fn code(&mut self, object: &Object) -> Option<Hcl> {
        let field = object.kind.fields.iter().find(|field| field.written == Written::Code)?;
        let Some(Expr::Literal(source)) = object.fields.get(field.name) else { return None };
        let path = source["path"].as_str().unwrap_or_default();
        let handler = self.entry.handlers.values().any(|handler| bootstrap(handler) == path);
        let base = if handler { &self.layout.entry.handlers } else { &self.layout.entry.spec };
        // AWS requires a zip file. `tandem build` writes it next to the binary.
        let zip = if source["kind"] == "bootstrap" { format!("{path}.zip") } else { path.to_owned() };
        let default = if zip.starts_with('/') {
            Hcl::Text(zip)
        } else {
            Hcl::Template(vec![Hcl::code("path.module"), Hcl::Text(format!("/{base}/{zip}"))])
        };
        Some(Hcl::Call("coalesce", vec![Hcl::code(format!("var.{}", of_code(object, "zip"))), default]))
    }

    /// A field that describes code.
    fn of_code(
        &mut self,
        object: &Object,
        field: &KindField,
        place: &str,
        zip: Hcl,
    ) -> Vec<Property<Content>> {
        let value = match field.written {
            Written::CodeArchitecture => {
                let name = of_code(object, "architecture");
                let mut variable = Variable::of_code(
                    &name,
                    "Architecture that the code is built for, `x86_64` or `arm64`. Pass the same value to `tandem \
                     build --architecture`.",
                    Some(Value::String("x86_64".to_owned())),
                );
                variable.rule = Some(Rule::ARCHITECTURE);
                self.variables.push(variable);
                Hcl::List(vec![Hcl::code(format!("var.{name}"))])
            }
            Written::CodeHash => return Vec::new(),
            _ => {
                self.variables.push(Variable::of_code(
                    &of_code(object, "zip"),
                    "Path of the zip file that contains `bootstrap`. Default: the output of `tandem build`.",
                    Some(Value::Null),
                ));
                let hash = object.kind.fields.iter().find(|field| field.written == Written::CodeHash);
                let hash = hash.map(|field| {
                    let hash = Hcl::Call("filebase64sha256", vec![zip.clone()]);
                    property(object, field.place.unwrap_or(field.name), Content::Value(hash))
                });
                let path = property(object, place, Content::Value(zip));
                return [path].into_iter().chain(hash).collect();
            }
        };
        vec![property(object, place, Content::Value(value))]
    }

    /// Converts a map to the list of names and values that ECS expects. All values become strings.
    fn pairs(&mut self, expr: &Expr, value_key: &str) -> Hcl {
        if let Expr::Map(entries) = expr {
            let pairs = entries.iter().map(|(name, value)| {
                let value = match (value, self.expr(value)) {
                    (_, Hcl::Number(number)) => Hcl::Text(number),
                    (_, Hcl::Bool(value)) => Hcl::Text(value.to_string()),
                    (Expr::Input(_) | Expr::Product(_), value) => Hcl::Call("tostring", vec![value]),
                    (_, value) => value,
                };
                Hcl::Map(vec![("name".to_owned(), Hcl::text(name)), (value_key.to_owned(), value)])
            });
            return Hcl::List(pairs.collect());
        }
        let pair = Hcl::code(format!("{{ name = name, {value_key} = tostring(value) }}"));
        Hcl::Each(Box::new(self.expr(expr)), Box::new(pair))
    }

    /// Splits a string at commas into a list.
    fn split(&mut self, expr: &Expr) -> Hcl {
        let text = self.expr(expr);
        match direct(expr) {
            Expr::Literal(Json::String(text)) => Hcl::List(text.split(',').map(Hcl::text).collect()),
            // The attribute of one object has no comma.
            Expr::Attribute(..) => Hcl::List(vec![text]),
            Expr::Ambient(Ambient::DefaultSubnets) => Hcl::code("data.aws_subnets.default.ids"),
            _ => Hcl::Call("split", vec![",".into(), text]),
        }
    }
}

/// The name of a variable of code. The main function of an entry has the short name.
fn of_code(object: &Object, what: &str) -> String {
    match role(&object.key) {
        "function" => what.to_owned(),
        role => format!("{role}_{what}"),
    }
}

/// The launch type or the capacity provider strategy of a task, the latter as blocks. For a value that is known only
/// at apply it has both, and one of them is empty.
fn capacity(block: &str, capacity: Hcl) -> Body {
    let mut task = Body::default();
    let strategy = |provider: Hcl| {
        let mut strategy = Body::default();
        strategy.set("capacity_provider", provider);
        strategy.set("weight", Hcl::Number("1".to_owned()));
        strategy
    };
    if let Hcl::Text(word) = &capacity {
        match capacity::of(word) {
            Some(Capacity::LaunchType(name)) => task.set(LAUNCH_TYPE, name),
            Some(Capacity::Strategy(names)) => {
                names.iter().for_each(|name| task.block(block, &[], strategy(Hcl::text(*name))));
            }
            None => {}
        }
        return task;
    }
    for (word, of) in CAPACITIES {
        if let Capacity::LaunchType(name) = of {
            let (given, word, name) = (capacity.render(0), quoted(word), quoted(name));
            task.set(LAUNCH_TYPE, Hcl::code(format!("{given} == {word} ? {name} : null")));
        }
    }
    let providers = |of: &Capacity| match of {
        Capacity::LaunchType(_) => Hcl::List(Vec::new()),
        Capacity::Strategy(names) => Hcl::List(names.iter().copied().map(Hcl::text).collect()),
    };
    let all = CAPACITIES.iter().map(|(word, of)| ((*word).to_owned(), providers(of))).collect();
    let mut dynamic = Body::default();
    dynamic.set("for_each", Hcl::Entry(Box::new(Hcl::Map(all)), Box::new(capacity)));
    dynamic.block("content", &[], strategy(Hcl::code(format!("{block}.value"))));
    task.block("dynamic", &[block], dynamic);
    task
}

/// The attribute next to the blocks of a capacity provider strategy.
const LAUNCH_TYPE: &str = "launch_type";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_a_launch_type_or_a_strategy() {
        let printed = |given: Hcl| {
            let text = capacity("capacity_provider_strategy", given).render();
            (text.contains("launch_type"), text.matches("weight").count(), text)
        };
        for (word, has_launch_type, providers) in
            [("fargate", true, 0), ("fargate_spot", false, 1), ("mixed", false, 2)]
        {
            let (launch_type, weights, text) = printed(word.into());
            assert_eq!((launch_type, weights), (has_launch_type, providers), "{word}: {text}");
        }
        let (launch_type, weights, text) = printed(Hcl::code("var.capacity"));
        assert_eq!((launch_type, weights), (true, 1), "{text}");
        assert!(text.contains("launch_type = var.capacity == \"fargate\" ? \"FARGATE\" : null\n"), "{text}");
    }
}
