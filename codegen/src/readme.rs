//! The README of a module.

use serde_json::{Value as Json, json};
use tandem_model::expr::Expr;
use tandem_model::graph::Object;
use tandem_model::kinds;

use crate::hcl::{Body, Hcl, Item};
use crate::module::{Flavor, Folders, Module};
use crate::spec::{App, Entry, bootstrap};
use crate::templates::{Error, Templates};
use crate::variables::Variable;

/// The parts of a README that are not in its module.
pub(crate) struct Page<'a> {
    /// Name of the entry or of the application.
    pub(crate) title: &'a str,
    /// Description, in Markdown.
    pub(crate) doc: &'a str,
    /// Source of the module, as written in a configuration.
    pub(crate) source: String,
    /// Flavor of the module.
    pub(crate) flavor: Flavor,
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
    pub(crate) inputs: Vec<Variable>,
    /// Names of the outputs.
    pub(crate) outputs: Vec<String>,
}

/// Renders the README of a module.
pub(crate) fn render(
    page: &Page<'_>,
    module: &Module,
    version: &str,
    templates: &Templates,
) -> Result<String, Error> {
    let native = page.flavor == Flavor::Native;
    let handlers = handlers(page);
    let build = match &page.entries[..] {
        [entry] if entry.handlers.len() == 1 => {
            let only = entry.handlers.values().next().map_or("", String::as_str);
            format!("{} {only}", page.build)
        }
        _ => page.build.to_owned(),
    };
    let (composite, resources) = match (page.flavor, &page.entries[..], page.parts) {
        (Flavor::Composite, [entry], None) => {
            (Some(format!("tandem_{}", entry.definition.type_name)), objects(entry))
        }
        (Flavor::Composite, ..) => (None, Vec::new()),
        (Flavor::Native, ..) => (None, resources(&module.main)),
    };
    let outputs = module.outputs.iter().map(|(name, doc, _)| json!({ "name": name, "doc": doc }));
    templates.render(
        "module_readme.md",
        &json!({
            "title": page.title,
            "doc": page.doc,
            "native": native,
            "version": version,
            "usage": usage(page, module),
            "diagram": page.diagram,
            "spec": page.folders.spec,
            "code": !handlers.is_empty() || !files(page).is_empty() || !images(page).is_empty(),
            "build": build,
            "handlers": handlers,
            "files": files(page),
            "images": images(page),
            "whole": page.parts.is_some(),
            "entries": page.parts.unwrap_or_default().iter().map(part).collect::<Vec<_>>(),
            "inputs": module.variables.iter().map(input).collect::<Vec<_>>(),
            "outputs": outputs.collect::<Vec<_>>(),
            "composite": composite,
            "resources": resources,
        }),
    )
}

fn input(variable: &Variable) -> Json {
    json!({
        "name": variable.name,
        "doc": variable.doc,
        // The type of an object has several lines, which do not fit into a table.
        "type": if variable.ty.contains('\n') { "object" } else { &variable.ty },
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
fn usage(page: &Page<'_>, module: &Module) -> String {
    let mut file = Body::default();
    if page.flavor == Flavor::Composite {
        let mut provider = Body::default();
        provider.set("project", Hcl::text(&page.app.name));
        file.block("provider", &["tandem"], provider);
    }
    let mut call = Body::default();
    call.set("source", Hcl::text(&page.source));
    for variable in module.variables.iter().filter(|variable| variable.default.is_none()) {
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
        let zip = if page.flavor == Flavor::Native { ".zip" } else { "" };
        json!({
            "name": name,
            "source": format!("{folder}/{name}/src/handler.rs"),
            "built": format!("{folder}/{}{zip}", bootstrap(name)),
        })
    };
    names.map(handler).collect()
}

fn objects_of<'a>(page: &'a Page<'_>, kind: &'a str) -> impl Iterator<Item = (&'a Entry, &'a Object)> {
    let objects =
        page.entries.iter().flat_map(|entry| entry.graph.objects().iter().map(|object| (*entry, object)));
    objects.filter(move |(_, object)| object.kind.name == kind)
}

/// The files with the code of functions that have no handler.
fn files(page: &Page<'_>) -> Vec<String> {
    let code = objects_of(page, "lambda_function").filter_map(|(entry, object)| {
        let Some(Expr::Literal(source)) = object.fields.get("source") else { return None };
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
        let tag = format!("{}_image_tag", crate::native::role(&object.key));
        let whole = page.parts.and_then(|parts| parts.iter().find(|part| part.entry.name == entry.name));
        Some(json!({
            "entry": entry.name,
            "context": located(&page.folders.spec, context),
            "dockerfile": dockerfile,
            "command": command,
            "tag": whole.map_or_else(|| tag.clone(), |part| format!("{}.{tag}", part.variable)),
        }))
    };
    objects_of(page, "ecr_image").filter_map(image).collect()
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

/// The resources of a file, with links to their documentation.
fn resources(file: &Body) -> Vec<Json> {
    let resource = |item: &Item| {
        let Item::Block(block, labels, _) = item else { return None };
        let (ty, name) = (labels.first()?, labels.get(1).filter(|_| block == "resource")?);
        let kind = ty.strip_prefix("aws_").unwrap_or(ty);
        let link =
            format!("https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/{kind}");
        Some(json!({ "name": format!("{ty}.{name}"), "title": title(kind), "link": link }))
    };
    file.items.iter().filter_map(resource).collect()
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
