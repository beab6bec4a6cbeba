//! Modules with plain resources of hashicorp/aws: they work without the tandem provider.

mod expressions;
mod placed;
mod resources;
pub(crate) mod versions;

use std::collections::{BTreeMap, BTreeSet};

use tandem_model::context::Context;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Key, Object};

use self::expressions::address;
use self::placed::Placed;
use crate::hcl::{Body, Hcl, Item};
use crate::module::{Layout, Module};
use crate::spec::{App, Entry};
use crate::variables::{Absent, Variable, parametrize};

/// The output with which an entry's module passes its notifications to the root module. S3 allows one
/// notification configuration per bucket, so the root module merges them.
pub(crate) const NOTIFICATIONS: &str = "bucket_notifications";

/// Returns the module of an entry with resources of hashicorp/aws. The error names the field that they cannot
/// represent.
pub(crate) fn module(app: &App, entry: &Entry, layout: &Layout) -> Result<Module, String> {
    let (graph, variables) = expand(app, entry)?;
    if let Some(other) = hears_of(app, entry) {
        return Err(format!(
            "the bucket sends events to EventBridge and also triggers `{other}`: hashicorp/aws sets both in one \
             resource"
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
            "Notifications for buckets that this module does not create.".to_owned(),
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
    let mut variables = printer.variables;
    // Inputs of a container build have no effect here: the user builds and pushes the image.
    let used = used(&graph);
    variables
        .retain(|variable| variable.of_code || variable.target.is_some() || used.contains(&variable.name));
    let requires = versions::required(&main);
    Ok(Module { main, variables, outputs, requires })
}

/// The variables that the objects of a module refer to. The module does not contain the build of an image.
fn used(graph: &Graph) -> BTreeSet<String> {
    fn add(expr: &Expr, used: &mut BTreeSet<String>) {
        if let Expr::Input(name) = expr {
            used.insert(name.clone());
        }
        expr.parts().into_iter().for_each(|part| add(part, used));
    }
    let mut used = BTreeSet::new();
    let objects = graph.objects().iter().filter(|object| object.kind.name != "ecr_image");
    let exprs = objects.flat_map(|object| object.fields.values());
    exprs.chain(graph.outputs.values()).chain([&graph.tags]).for_each(|expr| add(expr, &mut used));
    used
}

/// Returns another entry that the bucket of this entry triggers, if the bucket also sends events to
/// EventBridge.
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

/// Returns the inputs of an entry that are variables of its module, without those of images and code. The
/// error lists the findings of an invalid entry.
pub fn variables(app: &App, entry: &Entry) -> Result<Vec<Variable>, String> {
    expand(app, entry).map(|(_, variables)| variables)
}

/// Expands an entry with variables in place of inputs.
fn expand(app: &App, entry: &Entry) -> Result<(Graph, Vec<Variable>), String> {
    let context = Context { project: Some(app.name.clone()), ..Context::default() };
    let (inputs, variables) = parametrize(entry, Absent::Maps);
    let expansion = entry.definition.expand(&inputs, &context);
    let findings = expansion.findings.0;
    expansion.graph.map(|graph| (graph, variables)).ok_or_else(|| {
        let messages = findings.into_iter().map(|finding| finding.message);
        messages.collect::<Vec<_>>().join("; ")
    })
}

fn unknown_parts(expr: &Expr) -> usize {
    let own = usize::from(*expr == Expr::Unknown);
    own + expr.parts().into_iter().map(unknown_parts).sum::<usize>()
}

/// Fields that are known only at apply and are written in another way here.
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
    /// Data sources that expressions refer to.
    places: BTreeMap<&'static str, (&'static str, &'static str, Body)>,
    resources: Vec<(String, String, Body)>,
    notifications: Vec<Hcl>,
}

/// The name of a resource, which is the part of the object's key after the kind.
pub(crate) fn role(key: &Key) -> &str {
    key.as_str().split_once('.').map_or(key.as_str(), |(_, role)| role)
}

impl Printer<'_> {
    fn print(&mut self) -> Result<(), String> {
        let graph = self.graph;
        for object in graph.objects() {
            let late =
                |field: &str| LATE.contains(&(object.kind.name, field)) || object.kind.name == "ecr_image";
            let unknown = object.fields.iter().find(|(name, expr)| unknown_parts(expr) > 0 && !late(name));
            if let Some((name, _)) = unknown {
                return Err(format!("`{name}` of `{}` is known only at apply", object.key));
            }
            match object.kind.name {
                // Terraform cannot build images: the user pushes the image.
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

    /// Returns the address of the resource that contains an object.
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
        let Placed { attributes: mut body, blocks, .. } = self.placed(object);
        if object.kind.name == "lambda_function" {
            self.function(object, &mut body);
        }
        if object.kind.tags {
            body.set("tags", self.expr(&self.graph.tags.clone()));
        }
        body.items.extend(blocks.items);
        let after: Vec<Hcl> = object.after.iter().map(|key| Hcl::code(self.resource(key))).collect();
        if !after.is_empty() {
            let mut depends = Body::default();
            depends.set("depends_on", Hcl::List(after));
            body.items.push(Item::Comment("Required first, but no attribute refers to it.".to_owned()));
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
        let text = "app: a\ntasks:\n  k:\n    image: i\n    on:\n      schedule: rate(1 day)\n      \
                    environment: { DUE: <aws.scheduler.scheduled-time> }\n";
        let (app, diagnostics) = spec::read(&Source { path: "tandem.yaml".into(), text: text.to_owned() });
        let app = app.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let text = module(&app, &app.entries[0], &Layout::default()).unwrap().main.render();
        for part in [
            "input = replace(replace(jsonencode({",
            "}), \"\\\\u003c\", \"<\"), \"\\\\u003e\", \">\")",
            "subnets          = data.aws_subnets.default.ids",
            "security_groups  = [aws_security_group.task.id]",
            "assign_public_ip = true",
            "launch_type         = var.capacity == \"fargate\" ? \"FARGATE\" : null",
            "fargate      = []",
            "}[var.capacity]",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("jsondecode"), "{text}");
        let variables = variables(&app, &app.entries[0]).unwrap();
        let has = |name: &str| variables.iter().any(|variable| variable.name == name);
        assert!(has("environment") && !has("on_environment"));
    }
}
