//! Modules with plain resources of hashicorp/aws: they work without the tandem provider.

mod body;
mod expressions;
mod resources;
mod root;
pub(crate) mod versions;

use std::collections::{BTreeMap, BTreeSet};

use tandem_model::context::Context;
use tandem_model::expr::Expr;
use tandem_model::graph::{Graph, Object};
use tandem_model::kind::place::{Resource, Shared};

use crate::backend;
use crate::hcl::{Body, Hcl};
use crate::module::{Layout, Module, Output};
use crate::spec::{App, Entry};
use crate::variables::{Absent, Variable, parametrize};

pub(crate) use self::root::root;

/// Returns the module of an entry with resources of hashicorp/aws. The error names the field that they cannot
/// represent.
pub(crate) fn module(app: &App, entry: &Entry, layout: &Layout) -> Result<Module, String> {
    let (graph, variables) = expand(app, entry)?;
    root::one_owner(app, entry)?;
    let mut printer = Printer { entry, graph: &graph, layout, variables, places: BTreeMap::new() };
    let resources = backend::resources(&graph, &mut printer).map_err(|refusal| refusal.0)?;
    let mut outputs: Vec<Output> = Vec::new();
    for output in entry.definition.outputs {
        let value = graph.outputs.get(output.name).map_or(Hcl::Null, |expr| printer.expr(expr));
        outputs.push(Output::new(output.name, output.doc, value));
    }
    outputs.extend(printer.given_away());
    let mut variables = printer.variables;
    // Inputs of a container build have no effect here: the user builds and pushes the image.
    let used = used(&graph);
    variables
        .retain(|variable| variable.of_code || variable.target.is_some() || used.contains(&variable.name));
    let requires = versions::required(&resources);
    let mut main = Body::default();
    for (place, name, body) in printer.places.into_values() {
        main.block("data", &[place, name], body);
    }
    let mut addresses = Vec::new();
    for resource in resources {
        let address = resource.address.clone();
        main.block("resource", &[&address.ty, &address.name], body::body(resource));
        addresses.push(address);
    }
    Ok(Module { main, resources: addresses, variables, outputs, requires })
}

/// The variables that the objects of a module refer to. The module does not contain what the user makes.
fn used(graph: &Graph) -> BTreeSet<String> {
    fn add(expr: &Expr, used: &mut BTreeSet<String>) {
        if let Expr::Input(name) = expr {
            used.insert(name.clone());
        }
        expr.parts().into_iter().for_each(|part| add(part, used));
    }
    let mut used = BTreeSet::new();
    let is_here = |object: &&Object| !matches!(object.kind.resource, Resource::Outside(_));
    let exprs = graph.objects().iter().filter(is_here).flat_map(|object| object.fields.values());
    exprs.chain(graph.outputs.values()).chain([&graph.tags]).for_each(|expr| add(expr, &mut used));
    used
}

/// The resource that an object shares with other objects of its parent, and the reference to the parent.
fn shared(object: &Object) -> Option<(Shared, &Expr)> {
    match object.kind.resource {
        Resource::Shared(shared) => Some((shared, object.fields.get(shared.parent)?)),
        _ => None,
    }
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

struct Printer<'a> {
    entry: &'a Entry,
    graph: &'a Graph,
    layout: &'a Layout,
    variables: Vec<Variable>,
    /// Data sources that expressions refer to.
    places: BTreeMap<&'static str, (&'static str, &'static str, Body)>,
}

impl Printer<'_> {
    /// The outputs with the parts of resources that other modules contain, e.g. the notifications of their buckets.
    fn given_away(&mut self) -> Vec<Output> {
        let mut lists: BTreeMap<(&str, &str), Vec<Hcl>> = BTreeMap::new();
        for object in self.graph.objects() {
            let Some((shared, parent)) = shared(object) else { continue };
            if matches!(parent, Expr::Attribute(..)) {
                continue;
            }
            let fields = object.kind.fields.iter().map(|field| {
                let value = object.fields.get(field.name).map_or(Hcl::Null, |expr| self.written(field, expr));
                (field.name.to_owned(), value)
            });
            lists.entry(shared.output).or_default().push(Hcl::Map(fields.collect()));
        }
        let lists = lists.into_iter();
        lists.map(|((name, doc), list)| Output::new(name, doc, Hcl::List(list))).collect()
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
