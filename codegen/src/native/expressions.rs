//! Expressions of graphs as Terraform expressions.

use tandem_model::expr::{Ambient, Expr};
use tandem_model::graph::{Key, Object};
use tandem_model::kind::place::{Outside, Resource};

use super::Printer;
use crate::backend::role;
use crate::hcl::{Body, Hcl};
use crate::variables::Variable;

impl Printer<'_> {
    pub(super) fn data(&mut self, place: &'static str, ty: &'static str, body: Body) {
        let name = match ty {
            "aws_vpc" | "aws_subnets" => "default",
            "aws_subnet" => "given",
            _ => "current",
        };
        self.places.entry(place).or_insert((ty, name, body));
    }

    pub(super) fn place(&mut self, place: Ambient) -> Hcl {
        match place {
            Ambient::Account => {
                self.data("account", "aws_caller_identity", Body::default());
                Hcl::code("data.aws_caller_identity.current.account_id")
            }
            Ambient::Region => {
                self.data("region", "aws_region", Body::default());
                // hashicorp/aws 5 has no `region`.
                Hcl::code("data.aws_region.current.id")
            }
            Ambient::Partition => {
                self.data("partition", "aws_partition", Body::default());
                Hcl::code("data.aws_partition.current.partition")
            }
            Ambient::DefaultVpc => {
                let mut body = Body::default();
                body.set("default", Hcl::Bool(true));
                self.data("vpc", "aws_vpc", body);
                Hcl::code("data.aws_vpc.default.id")
            }
            Ambient::DefaultSubnets => {
                let vpc = self.place(Ambient::DefaultVpc);
                let mut filter = Body::default();
                filter.set("name", "vpc-id");
                filter.set("values", Hcl::List(vec![vpc]));
                let mut body = Body::default();
                body.block("filter", &[], filter);
                // Subnets that users added may be private or in a local zone.
                let mut by_default = Body::default();
                by_default.set("name", "default-for-az");
                by_default.set("values", Hcl::List(vec!["true".into()]));
                body.block("filter", &[], by_default);
                self.data("zsubnets", "aws_subnets", body);
                Hcl::code("join(\",\", data.aws_subnets.default.ids)")
            }
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Hcl {
        match direct(expr) {
            Expr::Literal(json) => json.into(),
            // `print` rejects fields with unknown expressions.
            Expr::Unknown => Hcl::Null,
            Expr::Input(name) => Hcl::code(format!("var.{name}")),
            Expr::Ambient(place) => self.place(*place),
            Expr::Attribute(key, attribute) => self.attribute(key, attribute),
            Expr::Concat(parts) => Hcl::Template(parts.iter().map(|part| self.expr(part)).collect()),
            Expr::Json(inner) => Hcl::Call("jsonencode", vec![self.expr(inner)]),
            Expr::Member(inner, name) => {
                let decoded = Hcl::Call("jsondecode", vec![self.expr(inner)]);
                Hcl::Member(Box::new(decoded), (*name).to_owned())
            }
            Expr::Lookup(map, key) if let Some([then, otherwise]) = of_flag(map) => {
                Hcl::If(Box::new([self.expr(key), self.expr(then), self.expr(otherwise)]))
            }
            Expr::Lookup(map, key) => Hcl::Entry(Box::new(self.expr(map)), Box::new(self.expr(key))),
            Expr::AfterLast(inner, text) => {
                let parts = Hcl::Call("split", vec![(*text).into(), self.expr(inner)]);
                Hcl::Call("element", vec![Hcl::Call("reverse", vec![parts]), Hcl::Number("0".to_owned())])
            }
            Expr::Hash(inner) => {
                let hash = Hcl::Call("sha256", vec![self.expr(inner)]);
                Hcl::Call("substr", vec![hash, Hcl::Number("0".to_owned()), Hcl::Number("8".to_owned())])
            }
            Expr::VpcOf(subnet) => {
                let mut body = Body::default();
                body.set("id", self.expr(subnet));
                self.data("subnet", "aws_subnet", body);
                Hcl::code("data.aws_subnet.given.vpc_id")
            }
            Expr::Merge(parts) => Hcl::Call("merge", parts.iter().map(|part| self.expr(part)).collect()),
            Expr::Product(parts) => Hcl::Product(parts.iter().map(|part| self.expr(part)).collect()),
            Expr::List(items) => Hcl::List(items.iter().map(|item| self.expr(item)).collect()),
            Expr::Map(entries) => {
                Hcl::Map(entries.iter().map(|(key, value)| (key.clone(), self.expr(value))).collect())
            }
        }
    }

    pub(super) fn attribute(&mut self, key: &Key, attribute: &str) -> Hcl {
        let Some(object) = self.graph.get(key) else { return Hcl::Null };
        if let Resource::Outside(outside) = object.kind.resource {
            return self.outside(object, &outside);
        }
        let renamed = object.kind.renamed.iter().find(|(own, _)| *own == attribute);
        Hcl::code(format!("{}.{}", address(key), renamed.map_or(attribute, |(_, name)| name)))
    }

    /// An object that the user makes, e.g. an image. A variable names it.
    fn outside(&mut self, object: &Object, outside: &Outside) -> Hcl {
        let variable = format!("{}_{}", role(&object.key), outside.variable);
        if self.variables.iter().all(|known| known.name != variable) {
            self.variables.push(Variable::of_code(&variable, outside.doc, None));
        }
        let (field, attribute) = outside.parent;
        let parent = match object.fields.get(field) {
            Some(Expr::Attribute(parent, _)) => self.attribute(parent, attribute),
            _ => Hcl::Null,
        };
        Hcl::Template(vec![parent, ":".into(), Hcl::code(format!("var.{variable}"))])
    }
}

/// The entries of a map for `true` and `false`, if it has no others.
fn of_flag(map: &Expr) -> Option<[&Expr; 2]> {
    let Expr::Map(entries) = map else { return None };
    let found = [entries.get("true")?, entries.get("false")?];
    (entries.len() == 2).then_some(found)
}

/// Replaces the member of a JSON text by the member itself, without encoding and decoding.
pub(super) fn direct(expr: &Expr) -> &Expr {
    match expr {
        Expr::Member(text, name) => direct(text).member(name).map_or(expr, direct),
        _ => expr,
    }
}

pub(super) fn address(key: &Key) -> String {
    format!("aws_{}", key.as_str())
}
