//! Parts of resources of hashicorp/aws that places of fields cannot say: code, notifications of buckets, lists in
//! strings.

use serde_json::Value as Json;
use tandem_model::capacity::{self, CAPACITIES, Capacity};
use tandem_model::expr::{Ambient, Expr};
use tandem_model::graph::{Key, Object};
use tandem_model::input::{Rule, Shape};
use tandem_model::kinds::s3;

use super::expressions::{address, direct};
use super::{Printer, role};
use crate::hcl::{Body, Hcl, Item, quoted};
use crate::spec::bootstrap;
use crate::variables::Variable;

impl Printer<'_> {
    /// Writes the code of a function: a zip file from `tandem build`, whose path is a variable.
    pub(super) fn function(&mut self, object: &Object, body: &mut Body) {
        let role = role(&object.key);
        let own = |what: &str| if role == "function" { what.to_owned() } else { format!("{role}_{what}") };
        if let Some(Expr::Literal(source)) = object.fields.get("source") {
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
            let zip = Hcl::Call("coalesce", vec![Hcl::code(format!("var.{}", own("zip"))), default]);
            body.set("filename", zip.clone());
            body.set("source_code_hash", Hcl::Call("filebase64sha256", vec![zip]));
            body.set("architectures", Hcl::List(vec![Hcl::code(format!("var.{}", own("architecture")))]));
            self.variable(
                &own("zip"),
                "Path of the zip file that contains `bootstrap`. Default: the output of `tandem build`.",
                Hcl::Null,
            );
            let architecture = own("architecture");
            self.variable(
                &architecture,
                "Architecture that the code is built for, `x86_64` or `arm64`. Pass the same value to `tandem \
                 build --architecture`.",
                "x86_64".into(),
            );
            if let Some(variable) = self.variables.last_mut() {
                variable.validation =
                    crate::variables::validation(&architecture, Some(Rule::ARCHITECTURE), false);
            }
        }
    }

    pub(super) fn variable(&mut self, name: &str, doc: &str, default: Hcl) {
        self.variables.push(Variable {
            name: name.to_owned(),
            doc: doc.to_owned(),
            ty: crate::variables::type_name(&Shape::String),
            default: Some(default),
            validation: None,
            sensitive: false,
            of_code: true,
            target: None,
        });
    }

    /// Converts a map to the list of names and values that ECS expects. All values become strings.
    pub(super) fn pairs(&mut self, expr: &Expr, value_key: &str) -> Hcl {
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
        let map = self.expr(expr).render(0).replace('\n', "\n      ");
        Hcl::code(format!("[for name, value in {map} : {{ name = name, {value_key} = tostring(value) }}]"))
    }

    /// Splits a string at commas into a list.
    pub(super) fn split(&mut self, expr: &Expr) -> Hcl {
        let text = self.expr(expr);
        match direct(expr) {
            Expr::Literal(Json::String(text)) => Hcl::List(text.split(',').map(Hcl::text).collect()),
            // The attribute of one object has no comma.
            Expr::Attribute(..) => Hcl::List(vec![text]),
            Expr::Ambient(Ambient::DefaultSubnets) => Hcl::code("data.aws_subnets.default.ids"),
            _ => Hcl::Call("split", vec![",".into(), text]),
        }
    }

    /// Adds a notification to the notification configuration of its bucket. For a bucket that the module does
    /// not create, it becomes an output, because the root module contains that configuration.
    pub(super) fn notification(&mut self, object: &Object) {
        let own = object.fields.get("bucket").cloned().unwrap_or(Expr::Unknown);
        let pairs = ["id", "lambda_function_arn", "events", "filter_prefix", "filter_suffix"];
        let mut entry: Vec<(String, Hcl)> = Vec::new();
        for name in pairs {
            let value = match object.fields.get(name) {
                None => Hcl::Null,
                Some(Expr::Literal(Json::String(text))) if name.starts_with("filter_") => {
                    Hcl::text(s3::encoded(text))
                }
                Some(expr) => self.expr(expr),
            };
            entry.push((name.to_owned(), value));
        }
        let Expr::Attribute(made, _) = &own else {
            entry.insert(0, ("bucket".to_owned(), self.expr(&own)));
            self.notifications.push(Hcl::Map(entry));
            return;
        };
        let mut lambda = Body::default();
        entry
            .into_iter()
            .filter(|(_, value)| *value != Hcl::Null)
            .for_each(|(name, value)| lambda.set(&name, value));
        let document = self.document(made);
        depend(document, object.after.iter().map(|key| Hcl::code(address(key))));
        document.block("lambda_function", &[], lambda);
    }

    /// Enables EventBridge in the notification configuration of a bucket.
    pub(super) fn event_bridge(&mut self, object: &Object) -> Result<(), String> {
        let Some(Expr::Attribute(bucket, _)) = object.fields.get("bucket") else {
            return Err(format!("`{}` belongs to a bucket that the module does not create", object.key));
        };
        let heard = Item::Attribute("eventbridge".to_owned(), Hcl::Bool(true));
        self.document(bucket).items.insert(AFTER_BUCKET, heard);
        Ok(())
    }

    /// Returns the notification configuration of a bucket that this module creates.
    fn document(&mut self, bucket: &Key) -> &mut Body {
        let name = role(bucket);
        let there =
            self.resources.iter().position(|(ty, own, _)| ty == "aws_s3_bucket_notification" && own == name);
        let index = there.unwrap_or_else(|| {
            let mut body = Body::default();
            body.set("bucket", Hcl::code(format!("{}.bucket", address(bucket))));
            self.add("s3_bucket_notification", name, body);
            self.resources.len() - 1
        });
        &mut self.resources[index].2
    }
}

/// Position of further attributes in a notification configuration: before its blocks.
const AFTER_BUCKET: usize = 1;

/// Adds dependencies to a notification configuration.
fn depend(document: &mut Body, after: impl Iterator<Item = Hcl>) {
    let known = document.items.iter_mut().find_map(|item| match item {
        Item::Attribute(name, Hcl::List(list)) if name == "depends_on" => Some(list),
        _ => None,
    });
    match known {
        Some(list) => list.extend(after),
        None => document
            .items
            .insert(AFTER_BUCKET, Item::Attribute("depends_on".to_owned(), Hcl::List(after.collect()))),
    }
}

/// Writes the launch type or the capacity provider strategy of a task, the latter as blocks. For a value that is
/// known only at apply it writes both, and one of them is empty.
pub(super) fn capacity(block: &str, capacity: Hcl, task: &mut Body) {
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
        return;
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
}

/// The attribute next to the blocks of a capacity provider strategy.
const LAUNCH_TYPE: &str = "launch_type";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_a_launch_type_or_a_strategy() {
        let printed = |given: Hcl| {
            let mut task = Body::default();
            capacity("capacity_provider_strategy", given, &mut task);
            let text = task.render();
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
