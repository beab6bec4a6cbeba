//! The same objects as plain resources of hashicorp/aws: for those who want no provider of ours, or want to
//! leave it.

mod expressions;
mod resources;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use tandem_model::context::Context;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key, Object};
use tandem_model::kind::Form;

use self::expressions::address;
use crate::hcl::{Body, Hcl, Item};
use crate::module::{Layout, Module};
use crate::spec::{App, Entry};
use crate::variables::{Absent, Variable, parametrize};

/// The output with which the module of an entry hands its notifications to that of the whole: a bucket
/// has one document of them.
pub(crate) const NOTIFICATIONS: &str = "bucket_notifications";

/// The module of an entry, as resources of hashicorp/aws. An error names what these cannot say.
pub(crate) fn module(app: &App, entry: &Entry, layout: &Layout) -> Result<Module, String> {
    let (graph, variables) = expand(app, entry)?;
    if let Some(other) = hears_of(app, entry) {
        return Err(format!(
            "the bucket tells EventBridge, and `{other}` hears of it: hashicorp/aws says both in one document"
        ));
    }
    let mut printer = Printer {
        entry,
        graph: &graph,
        layout,
        variables,
        places: BTreeMap::new(),
        resources: Vec::new(),
        notifications: Vec::new(),
    };
    printer.print()?;
    let outputs: Vec<(String, String, Hcl)> = entry
        .definition
        .outputs
        .iter()
        .map(|output| {
            let value = graph.outputs.get(output.name).map_or(Hcl::Null, |expr| printer.expr(expr));
            (output.name.to_owned(), output.doc.to_owned(), value)
        })
        .collect();
    let mut outputs = outputs;
    if !printer.notifications.is_empty() {
        outputs.push((
            NOTIFICATIONS.to_owned(),
            "Entries for the notifications of buckets that this module does not make.".to_owned(),
            Hcl::List(std::mem::take(&mut printer.notifications)),
        ));
    }
    let mut main = Body::default();
    for (place, name, body) in printer.places.into_values() {
        main.block("data", &[place, name], body);
    }
    for (ty, name, body) in printer.resources {
        main.block("resource", &[&ty, &name], body);
    }
    let values = outputs.iter().map(|(_, _, value)| value.render(0));
    let text = values.fold(main.render(), |text, value| text + "\n" + &value);
    let mut variables = printer.variables;
    // What only an image takes that others build and push would be set in vain.
    variables.retain(|variable| variable.target.is_some() || names(&text, &variable.name));
    Ok(Module { main, variables, outputs })
}

/// Whether a text names a variable.
fn names(text: &str, variable: &str) -> bool {
    let mut uses = text.split("var.").skip(1).filter_map(|rest| rest.strip_prefix(variable));
    uses.any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-'))
}

/// Another entry that hears of the bucket of this one, where that tells EventBridge, too.
fn hears_of<'a>(app: &'a App, entry: &Entry) -> Option<&'a str> {
    entry.graph.objects().iter().find(|object| object.kind.name == "s3_bucket_eventbridge")?;
    let hears = |other: &&Entry| {
        let objects = other.graph.objects().iter();
        let mut notifications = objects.filter(|object| object.kind.name == "s3_bucket_notification");
        notifications.any(|object| match object.fields.get("bucket") {
            Some(Expr::Input(variable)) => {
                other.references.get(variable).is_some_and(|target| target.entry == entry.name)
            }
            _ => false,
        })
    };
    app.entries.iter().find(hears).map(|other| other.name.as_str())
}

/// The inputs of an entry that its module has variables for, beside what images and code take.
pub fn variables(app: &App, entry: &Entry) -> Result<Vec<Variable>, String> {
    expand(app, entry).map(|(_, variables)| variables)
}

/// The graph with variables in it. An input that decides what a policy says, such as the ARNs of secrets, or
/// that JSON has as a list, such as the environment of a schedule, stays as the spec has it: as a variable it
/// would leave the whole unknown.
fn expand(app: &App, entry: &Entry) -> Result<(Graph, Vec<Variable>), String> {
    let context = Context { project: Some(app.name.clone()), ..Context::default() };
    let attempt = |literal: &BTreeSet<String>| {
        let (inputs, variables) = parametrize(entry, Absent::Maps, literal);
        let expansion = entry.definition.expand(&inputs, &context);
        let messages =
            || expansion.findings.0.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>();
        expansion.graph.clone().map(|graph| (graph, variables)).ok_or_else(|| messages().join("; "))
    };
    let all = attempt(&BTreeSet::new())?;
    let known = unknowns(&entry.graph);
    if unknowns(&all.0) <= known {
        return Ok(all);
    }
    // From literal inputs on, as many as may become variables: two may hide the same policy together. It is
    // maps most often.
    let free = all.1.into_iter().filter(|variable| variable.target.is_none());
    let (maps, others): (Vec<Variable>, Vec<Variable>) =
        free.partition(|variable| variable.ty.starts_with("map"));
    let names = |variables: &[Variable]| -> Vec<String> {
        variables.iter().map(|variable| variable.name.clone()).collect()
    };
    let (maps, others) = (names(&maps), names(&others));
    let mut literal: BTreeSet<String> = maps.iter().cloned().collect();
    let mut best = attempt(&literal)?;
    let mut groups = vec![&maps[..]];
    if unknowns(&best.0) > known {
        literal.extend(others.iter().cloned());
        best = attempt(&literal)?;
        groups.push(&others);
    }
    // Halves first: most inputs have nothing to do with policies.
    while let Some(group) = groups.pop() {
        let fewer = literal.iter().filter(|name| !group.contains(name)).cloned().collect();
        match attempt(&fewer) {
            Ok(attempt) if unknowns(&attempt.0) <= known => (literal, best) = (fewer, attempt),
            _ if group.len() > 1 => {
                let (first, second) = group.split_at(group.len() / 2);
                groups.extend([second, first]);
            }
            _ => {}
        }
    }
    Ok(best)
}

/// How much of a graph is not known.
fn unknowns(graph: &Graph) -> usize {
    // What an image is made of is no part of the module.
    let objects = graph.objects().iter().filter(|object| object.kind.name != "ecr_image");
    let exprs = objects.flat_map(|object| object.fields.values()).chain(graph.outputs.values());
    exprs.map(unknown_parts).sum()
}

fn unknown_parts(expr: &Expr) -> usize {
    match expr {
        Expr::Unknown => 1,
        Expr::Concat(parts) | Expr::Product(parts) | Expr::List(parts) | Expr::Merge(parts) => {
            parts.iter().map(unknown_parts).sum()
        }
        Expr::Map(entries) => entries.values().map(unknown_parts).sum(),
        Expr::Json(inner) | Expr::Member(inner, _) | Expr::Hash(inner) | Expr::VpcOf(inner) => {
            unknown_parts(inner)
        }
        Expr::Literal(_) | Expr::Input(_) | Expr::Place(_) | Expr::Attribute(..) => 0,
    }
}

/// Fields that nobody knows before an apply, and that are said another way here.
const LATE: &[(&str, &str)] = &[
    ("lambda_function", "source_code_hash"),
    ("lambda_function", "architectures"),
    ("lambda_function", "source"),
];

struct Printer<'a> {
    entry: &'a Entry,
    graph: &'a Graph,
    layout: &'a Layout,
    variables: Vec<Variable>,
    /// Data sources that expressions speak of.
    places: BTreeMap<&'static str, (&'static str, &'static str, Body)>,
    resources: Vec<(String, String, Body)>,
    notifications: Vec<Hcl>,
}

/// The name of a resource: the role of its object.
fn role(key: &Key) -> &str {
    key.as_str().split_once('.').map_or(key.as_str(), |(_, role)| role)
}

/// A field of an object in JSON text, beside policies.
const JSON: &[&str] =
    &["definition", "event_pattern", "filter_policy", "input", "redrive_allow_policy", "redrive_policy"];

/// The field with what a target is given. AWS puts what it knows in the place of words such as
/// `<aws.scheduler.scheduled-time>`, and looks for them as they stand there.
const GIVEN: &str = "input";

/// Signs that Terraform writes as numbers into JSON text.
const ESCAPED: &[(&str, &str)] = &[("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")];

/// The JSON text of a field.
fn json_text(field: &str, value: Hcl) -> Hcl {
    let escaped = ESCAPED.iter().filter(|(sign, _)| field == GIVEN && value.has(sign));
    let escaped: Vec<_> = escaped.collect();
    escaped.into_iter().fold(Hcl::Call("jsonencode", vec![value]), |text, (sign, number)| {
        Hcl::Call("replace", vec![text, Hcl::text(*number), Hcl::text(*sign)])
    })
}

impl Printer<'_> {
    fn print(&mut self) -> Result<(), String> {
        let graph = self.graph;
        for object in graph.objects() {
            let late =
                |field: &str| LATE.contains(&(object.kind.name, field)) || object.kind.name == "ecr_image";
            let unknown = object.fields.iter().find(|(name, expr)| unknown_parts(expr) > 0 && !late(name));
            if let Some((name, _)) = unknown {
                return Err(format!("`{name}` of `{}` is not known before an apply", object.key));
            }
            match object.kind.name {
                // Pushed by the user: Terraform has no builder of images.
                "ecr_image" => {}
                "s3_bucket_notification" => self.notification(object),
                "s3_bucket_eventbridge" => self.event_bridge(object)?,
                _ => {
                    let body = self.object(object);
                    self.add(object.kind.name, role(&object.key), body);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, kind: &str, name: &str, body: Body) {
        self.resources.push((format!("aws_{kind}"), name.to_owned(), body));
    }

    /// The address of the resource that has an object in it.
    fn resource(&self, key: &Key) -> String {
        let in_document =
            |object: &&Object| matches!(object.kind.name, "s3_bucket_eventbridge" | "s3_bucket_notification");
        let bucket = self.graph.get(key).filter(in_document).and_then(|object| object.fields.get("bucket"));
        match bucket {
            Some(Expr::Attribute(bucket, _)) => format!("aws_s3_bucket_notification.{}", role(bucket)),
            _ => address(key),
        }
    }

    fn object(&mut self, object: &Object) -> Body {
        let mut fields: BTreeMap<&str, Hcl> = BTreeMap::new();
        for (name, expr) in &object.fields {
            let form = object.kind.field(name).map_or(Form::Plain, |field| field.form);
            let json = match form {
                Form::Policy => !matches!(expr, Expr::Literal(Json::String(_))),
                _ => JSON.contains(name),
            };
            let value = self.expr(expr);
            fields.insert(name, if json { json_text(name, value) } else { value });
        }
        let mut body = Body::default();
        let mut blocks = Body::default();
        self.special(object, &mut fields, &mut body, &mut blocks);
        // In the order of the kind, which is that of people.
        for field in object.kind.fields {
            if let Some(value) = fields.remove(field.name) {
                body.set(field.name, value);
            }
        }
        if object.kind.tags {
            body.set("tags", self.expr(&self.graph.tags.clone()));
        }
        body.items.extend(blocks.items);
        let after: Vec<Hcl> = object.after.iter().map(|key| Hcl::code(self.resource(key))).collect();
        if !after.is_empty() {
            let mut depends = Body::default();
            depends.set("depends_on", Hcl::List(after));
            body.items.push(Item::Comment("What no attribute names, and must be there first.".to_owned()));
            body.items.extend(depends.items);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::spec;

    #[test]
    fn a_schedule_is_given_what_it_looks_for() {
        let text = "app: a\ntasks:\n  k:\n    image: i\n    schedule:\n      expression: rate(1 day)\n      \
                    environment: { DUE: <aws.scheduler.scheduled-time> }\n";
        let (app, diagnostics) = spec::read(&Source { path: "tandem.yaml".into(), text: text.to_owned() });
        let app = app.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let [up, handlers, whole] = ["../..", "../../handlers", "./terraform"].map(ToOwned::to_owned);
        let layout = Layout { spec: up, handlers, whole };
        let text = module(&app, &app.entries[0], &layout).unwrap().main.render();
        for part in [
            "input = replace(replace(jsonencode({",
            "}), \"\\\\u003c\", \"<\"), \"\\\\u003e\", \">\")",
            "subnets          = data.aws_subnets.default.ids",
            "security_groups  = [aws_security_group.task.id]",
            "assign_public_ip = true",
            "}[var.capacity]",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("jsondecode"), "{text}");
        let variables = variables(&app, &app.entries[0]).unwrap();
        let has = |name: &str| variables.iter().any(|variable| variable.name == name);
        assert!(has("environment") && !has("schedule_environment"));
    }
}
