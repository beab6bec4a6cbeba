//! The README of a module.

use serde_json::{Value as Json, json};
use tandem_model::expr::Expr;
use tandem_model::graph::Object;
use tandem_model::kind::place::{Resource, Written};
use tandem_model::kinds;

use crate::backend::{Address, role};
use crate::hcl::{Body, Hcl};
use crate::module::{Declaration, Folders, Module, Modules};
use crate::spec::{App, Entry, bootstrap};
use crate::templates::{Error, Templates};

/// The parts of a README that are not in its module.
pub(crate) struct Page<'a> {
    /// Name of the entry or of the application.
    pub(crate) title: &'a str,
    /// Description, in Markdown.
    pub(crate) doc: &'a str,
    /// Source of the module, as written in a configuration.
    pub(crate) source: String,
    /// The provider of the module.
    pub(crate) modules: &'static dyn Modules,
    /// The application.
    pub(crate) app: &'a App,
    /// The modules of the entries that the module contains. None for the module of an entry.
    pub(crate) parts: Option<&'a [Part<'a>]>,
    /// The entries of the module: one, or all of the application.
    pub(crate) entries: Vec<&'a Entry>,
    /// Folders, relative to the module.
    pub(crate) folders: &'a Folders,
    /// The command that builds all handlers, run in the folder of the spec.
    pub(crate) build: &'a str,
    /// The diagram as Mermaid text.
    pub(crate) diagram: Option<String>,
}

/// The module of an entry, as part of the root module.
pub(crate) struct Part<'a> {
    pub(crate) entry: &'a Entry,
    /// The variable of the root module with the inputs of the entry.
    pub(crate) variable: String,
    /// The inputs that a caller of the root module can set.
    pub(crate) inputs: Vec<Declaration>,
    /// Names of the outputs.
    pub(crate) outputs: Vec<String>,
}

/// Renders the README of a module.
pub(crate) fn render(
    page: &Page<'_>,
    module: &Module,
    inputs: &[Declaration],
    templates: &Templates,
) -> Result<String, Error> {
    let outside = page.modules.builds_outside();
    let handlers = handlers(page);
    let build = match &page.entries[..] {
        [entry] if entry.handlers.len() == 1 => {
            let only = entry.handlers.values().next().map_or("", String::as_str);
            format!("{} {only}", page.build)
        }
        _ => page.build.to_owned(),
    };
    // A module of one composite lists the objects that the composite creates.
    let (composite, resources) = match (outside, &page.entries[..], page.parts) {
        (true, ..) => (None, module.resources.iter().map(resource).collect()),
        (false, [entry], None) => (Some(format!("tandem_{}", entry.definition.type_name)), objects(entry)),
        (false, ..) => (None, Vec::new()),
    };
    let outputs = module.outputs.iter().map(|output| json!({ "name": output.name, "doc": output.doc }));
    templates.render(
        "module_readme.md",
        &json!({
            "title": page.title,
            "doc": page.doc,
            "native": outside,
            "version": format!(">= {}", page.modules.version(module)),
            "usage": usage(page, inputs),
            "diagram": page.diagram,
            "spec": page.folders.spec,
            "code": !handlers.is_empty() || !files(page).is_empty() || !images(page).is_empty(),
            "build": build,
            "handlers": handlers,
            "files": files(page),
            "images": images(page),
            "whole": page.parts.is_some(),
            "entries": page.parts.unwrap_or_default().iter().map(part).collect::<Vec<_>>(),
            "inputs": inputs.iter().map(input).collect::<Vec<_>>(),
            "outputs": outputs.collect::<Vec<_>>(),
            "composite": composite,
            "resources": resources,
        }),
    )
}

fn input(variable: &Declaration) -> Json {
    let ty = variable.ty.render(0);
    json!({
        "name": variable.name,
        "doc": variable.doc,
        // The type of an object has several lines, which do not fit into a table.
        "type": if ty.contains('\n') { "object" } else { &ty },
        "default": variable.default.as_ref().map(|default| default.render(0)),
    })
}

fn part(part: &Part<'_>) -> Json {
    json!({
        "name": part.entry.name,
        "variable": part.variable,
        "output": part.entry.name.replace('-', "_"),
        // The first paragraph of the documentation is its summary.
        "doc": part.entry.definition.doc.split("\n\n").next().unwrap_or_default(),
        "required": part.inputs.iter().any(|input| input.default.is_none()),
        "inputs": part.inputs.iter().map(input).collect::<Vec<_>>(),
        "outputs": part.outputs,
    })
}

/// A configuration that calls the module. `…` stands for the values of required inputs.
fn usage(page: &Page<'_>, inputs: &[Declaration]) -> String {
    let mut file = Body::default();
    if let Some(settings) = page.modules.settings(page.app) {
        file.block("provider", &[page.modules.provider()], settings);
    }
    let mut call = Body::default();
    call.set("source", Hcl::text(&page.source));
    for variable in inputs.iter().filter(|variable| variable.default.is_none()) {
        let required = page.parts.unwrap_or_default().iter().find(|part| part.variable == variable.name);
        let inputs = required.map(|part| part.inputs.iter().filter(|input| input.default.is_none()));
        let value = inputs.map_or_else(
            || Hcl::code("…"),
            |inputs| Hcl::Map(inputs.map(|input| (input.name.clone(), Hcl::code("…"))).collect()),
        );
        call.set(&variable.name, value);
    }
    file.block("module", &[&page.title.replace('-', "_")], call);
    file.render()
}

fn handlers(page: &Page<'_>) -> Vec<Json> {
    let names = page.entries.iter().flat_map(|entry| entry.handlers.values());
    let folder = &page.folders.handlers;
    let handler = |name: &String| {
        // Only native modules read the zip file. The provider zips the binary itself.
        let zip = if page.modules.builds_outside() { ".zip" } else { "" };
        json!({
            "name": name,
            "source": format!("{folder}/{name}/src/handler.rs"),
            "built": format!("{folder}/{}{zip}", bootstrap(name)),
        })
    };
    names.map(handler).collect()
}

/// The objects of the entries, each with its entry.
fn objects_of<'a>(page: &'a Page<'_>) -> impl Iterator<Item = (&'a Entry, &'a Object)> {
    page.entries.iter().flat_map(|entry| entry.graph.objects().iter().map(|object| (*entry, object)))
}

/// The files with the code of functions that have no handler.
fn files(page: &Page<'_>) -> Vec<String> {
    let code = objects_of(page).filter_map(|(entry, object)| {
        let field = object.kind.fields.iter().find(|field| field.written == Written::Code)?;
        let Some(Expr::Literal(source)) = object.fields.get(field.name) else { return None };
        let path = source["path"].as_str()?;
        let built = entry.handlers.values().any(|handler| bootstrap(handler) == path);
        (!built).then(|| located(&page.folders.spec, path))
    });
    code.collect()
}

/// A path of the spec, relative to the module.
fn located(folder: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}").replace("/./", "/") }
}

/// The images that are built from a context.
fn images(page: &Page<'_>) -> Vec<Json> {
    let image = |(entry, object): (&Entry, &Object)| {
        let Resource::Outside(outside) = object.kind.resource else { return None };
        let Some(Expr::Map(recipe)) = object.fields.get("build") else { return None };
        let text = |name: &str| match recipe.get(name) {
            Some(Expr::Literal(value)) => value.as_str().unwrap_or_default(),
            _ => "",
        };
        let (context, dockerfile, target) = (text("context"), text("dockerfile"), text("target"));
        let platform = if text("architecture") == "arm64" { "linux/arm64" } else { "linux/amd64" };
        let mut command = format!("docker build --platform {platform} --tag \"$image\"");
        if dockerfile != "Dockerfile" {
            command.push_str(&format!(" --file {}", quoted(&format!("{context}/{dockerfile}"))));
        }
        if !target.is_empty() {
            command.push_str(&format!(" --target {}", quoted(target)));
        }
        if let Some(Expr::Map(arguments)) = recipe.get("args") {
            for (name, value) in arguments {
                let Expr::Literal(Json::String(value)) = value else { continue };
                command.push_str(&format!(" --build-arg {}", quoted(&format!("{name}={value}"))));
            }
        }
        command.push_str(&format!(" {}", quoted(context)));
        let tag = format!("{}_{}", role(&object.key), outside.variable);
        let whole = page.parts.and_then(|parts| parts.iter().find(|part| part.entry.name == entry.name));
        Some(json!({
            "entry": entry.name,
            "context": located(&page.folders.spec, context),
            "dockerfile": dockerfile,
            "command": command,
            "tag": whole.map_or_else(|| tag.clone(), |part| format!("{}.{tag}", part.variable)),
        }))
    };
    objects_of(page).filter_map(image).collect()
}

/// A word of a shell command.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''").replace(['\n', '\r'], " "))
    }
}

/// The AWS objects of an entry.
fn objects(entry: &Entry) -> Vec<Json> {
    let object =
        |object: &Object| json!({ "name": object.key.as_str(), "title": object.kind.title, "link": null });
    entry.graph.objects().iter().map(object).collect()
}

/// The name of a kind of resource in messages. Some resources have a part of a kind, e.g. the capacity providers of a
/// cluster.
fn title(kind: &str) -> String {
    let known = kinds::ALL.iter().filter_map(|known| Some((known, kind.strip_prefix(known.name)?)));
    let nearest = known.min_by_key(|(_, rest)| rest.len());
    nearest.map_or_else(
        || kind.replace('_', " "),
        |(known, rest)| known.title.to_owned() + &rest.replace('_', " "),
    )
}

/// A resource of hashicorp/aws, with a link to its documentation.
fn resource(address: &Address) -> Json {
    let Address { ty, name } = address;
    let kind = ty.strip_prefix("aws_").unwrap_or(ty);
    let link = format!("https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/{kind}");
    json!({ "name": format!("{ty}.{name}"), "title": title(kind), "link": link })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_commands_are_quoted() {
        for (text, expected) in [("a/b-1.c", "a/b-1.c"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(quoted(text), expected);
        }
    }
}
