//! Terraform modules: one for each entry of a spec, and the root module.

mod composite;
mod declaration;
mod flavor;

use std::collections::BTreeMap;
use std::fmt;

use crate::backend::Address;
use crate::hcl::{Body, Hcl};
use crate::native::versions::Version;
use crate::picture::Diagram;
use crate::readme::{self, Page, Part};
use crate::spec::{App, Entry};
use crate::templates::{Error, Templates};
use crate::variables::{RESERVED, Variable};

pub(crate) use self::declaration::Declaration;
pub use self::flavor::Flavor;
pub(crate) use self::flavor::Modules;

/// Folders, relative to a module.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    /// The folder of the spec.
    pub spec: String,
    /// The folder of the handlers.
    pub handlers: String,
}

/// The places of files that modules and READMEs refer to.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Folders, relative to the root module.
    pub root: Folders,
    /// Folders, relative to the module of an entry.
    pub entry: Folders,
    /// Source of the root module, as written in a configuration next to the modules.
    pub whole: String,
    /// The command that builds the handlers, run in the folder of the spec.
    pub build: String,
}

/// Files, by their path relative to the root module.
pub type Files = BTreeMap<String, String>;

/// A module.
pub(crate) struct Module {
    pub(crate) main: Body,
    /// The resources in it.
    pub(crate) resources: Vec<Address>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) outputs: Vec<Output>,
    /// The version of hashicorp/aws that a native module requires.
    pub(crate) requires: Version,
}

/// An output of a module.
pub(crate) struct Output {
    pub(crate) name: String,
    /// Description, in Markdown.
    pub(crate) doc: String,
    pub(crate) value: Hcl,
}

impl Output {
    /// An output.
    pub(crate) fn new(name: &str, doc: impl Into<String>, value: Hcl) -> Self {
        Self { name: name.to_owned(), doc: doc.into(), value }
    }
}

/// The reason that modules cannot be generated.
#[derive(Clone, Debug)]
pub enum ModuleError {
    /// An invalid template.
    Template(Error),
    /// Resources of hashicorp/aws cannot represent an entry.
    Native {
        /// Name of the entry.
        entry: String,
        /// The field that they cannot represent, and the reason.
        message: String,
    },
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template(error) => error.fmt(f),
            Self::Native { entry, message } => write!(f, "`{entry}`: {message}"),
        }
    }
}

impl std::error::Error for ModuleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Template(error) => Some(error),
            Self::Native { .. } => None,
        }
    }
}

impl From<Error> for ModuleError {
    fn from(error: Error) -> Self {
        Self::Template(error)
    }
}

/// Generates all modules of an application.
pub fn generate(
    app: &App,
    flavor: Flavor,
    layout: &Layout,
    templates: &Templates,
) -> Result<Files, ModuleError> {
    let mut files = Files::new();
    let modules = flavor.modules();
    let mut whole = Module {
        main: Body::default(),
        resources: Vec::new(),
        variables: Vec::new(),
        outputs: Vec::new(),
        requires: Version::FIRST,
    };
    let mut inputs: Vec<Declaration> = Vec::new();
    let diagram = Diagram::of(app);
    let mut parts: Vec<Part<'_>> = Vec::new();
    let make = |entry: &Entry| -> Result<(Module, Vec<Declaration>, Files), ModuleError> {
        let module = modules
            .entry(app, entry, layout)
            .map_err(|message| ModuleError::Native { entry: entry.name.clone(), message })?;
        let page = Page {
            title: &entry.name,
            doc: entry.definition.doc,
            source: format!("./modules/{}", entry.name),
            modules,
            app,
            parts: None,
            entries: vec![entry],
            folders: &layout.entry,
            build: &layout.build,
            diagram: diagram.around(&entry.name),
        };
        let mut files = Files::new();
        let inputs: Vec<Declaration> = module.variables.iter().map(Into::into).collect();
        write(&mut files, &format!("modules/{}/", entry.name), &module, &inputs, &page, templates)?;
        Ok((module, inputs, files))
    };
    for (entry, made) in app.entries.iter().zip(each(&app.entries, make)) {
        let (module, own, made) = made?;
        let part = call(&mut whole, entry, module, own);
        inputs.push(part.declaration());
        parts.push(part);
        files.extend(made);
    }
    modules.root(app, &mut whole);
    let page = Page {
        title: &app.name,
        doc: "The whole application: every module of `modules/`, wired together.",
        source: layout.whole.clone(),
        modules,
        app,
        parts: Some(&parts),
        entries: app.entries.iter().collect(),
        folders: &layout.root,
        build: &layout.build,
        diagram: diagram.whole(),
    };
    write(&mut files, "", &whole, &inputs, &page, templates)?;
    Ok(files)
}

/// Maps items in parallel on all cores, and keeps their sequence.
fn each<T: Sync, R: Send>(items: &[T], make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let make = &make;
        let mut shares = items.chunks(share);
        let first = shares.next().unwrap_or_default();
        let threads: Vec<_> =
            shares.map(|items| scope.spawn(move || items.iter().map(make).collect::<Vec<R>>())).collect();
        let mut made: Vec<R> = first.iter().map(make).collect();
        for thread in threads {
            made.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        made
    })
}

/// Adds the call of an entry's module to the root module.
fn call<'a>(whole: &mut Module, entry: &'a Entry, module: Module, own: Vec<Declaration>) -> Part<'a> {
    // Terraform reserves some names of variables.
    let name = entry.name.replace('-', "_");
    let variable = own_variable(&name);
    let mut body = Body::default();
    body.set("source", Hcl::text(format!("./modules/{}", entry.name)));
    let mut inputs = Vec::new();
    for (given, declaration) in module.variables.iter().zip(own) {
        let value = match &given.target {
            Some(target) => format!("module.{}.{}", target.entry.replace('-', "_"), target.output),
            None => format!("var.{variable}.{}", given.name),
        };
        body.set(&given.name, Hcl::code(value));
        if given.target.is_none() {
            inputs.push(declaration);
        }
    }
    whole.main.block("module", &[&name], body);
    let doc = format!("All outputs of `{}`.", entry.name);
    whole.outputs.push(Output::new(&name, doc, Hcl::code(format!("module.{name}"))));
    whole.requires = whole.requires.max(module.requires);
    Part { entry, variable, inputs, outputs: module.outputs.into_iter().map(|output| output.name).collect() }
}

impl Part<'_> {
    /// The variable of the root module with the inputs of an entry.
    fn declaration(&self) -> Declaration {
        let fields = self.inputs.iter().map(|input| {
            let ty = match &input.default {
                None => input.ty.clone(),
                Some(Hcl::Null) => Hcl::Call("optional", vec![input.ty.clone()]),
                Some(default) => Hcl::Call("optional", vec![input.ty.clone(), default.clone()]),
            };
            (input.name.clone(), ty)
        });
        let ty = Hcl::Call("object", vec![Hcl::Map(fields.collect())]);
        let name = &self.entry.name;
        let doc = format!("Inputs of `{name}`. modules/{name}/README.md describes them.");
        let required = self.inputs.iter().any(|input| input.default.is_none());
        Declaration::new(&self.variable, doc, ty, (!required).then(|| Hcl::Map(Vec::new())))
    }
}

/// The name of the root module's variable with the inputs of an entry. The suffix is unique, because no
/// entry's name contains two hyphens in a row.
fn own_variable(own: &str) -> String {
    if RESERVED.contains(&own) { format!("{own}__inputs") } else { own.to_owned() }
}

fn write(
    files: &mut Files,
    folder: &str,
    module: &Module,
    inputs: &[Declaration],
    page: &Page<'_>,
    templates: &Templates,
) -> Result<(), Error> {
    let mut variables = Body::default();
    inputs.iter().for_each(|variable| variable.declare(&mut variables));
    let mut outputs = Body::default();
    for output in &module.outputs {
        let mut body = Body::default();
        body.set("description", Hcl::text(&output.doc));
        body.set("value", output.value.clone());
        outputs.block("output", &[&output.name], body);
    }
    let parts = [
        ("main.tf", &module.main),
        ("variables.tf", &variables),
        ("outputs.tf", &outputs),
        ("versions.tf", &versions(page.modules, module)),
        ("examples/complete/main.tf", &example(page, module, inputs)),
    ];
    for (name, body) in parts {
        files.insert(format!("{folder}{name}"), templates.terraform(body)?);
    }
    files.insert(format!("{folder}README.md"), readme::render(page, module, inputs, templates)?);
    Ok(())
}

fn versions(modules: &dyn Modules, module: &Module) -> Body {
    let version = Hcl::Text(format!(">= {}", modules.version(module)));
    let source = modules.source().into();
    let provider = Hcl::Map(vec![("source".to_owned(), source), ("version".to_owned(), version)]);
    let mut required = Body::default();
    required.set(modules.provider(), provider);
    let mut terraform = Body::default();
    terraform.set("required_version", ">= 1.11");
    terraform.block("required_providers", &[], required);
    let mut file = Body::default();
    file.block("terraform", &[], terraform);
    file
}

/// An example that calls the module. Required inputs of the module are variables of the example.
fn example(page: &Page<'_>, module: &Module, inputs: &[Declaration]) -> Body {
    let mut file = versions(page.modules, module);
    let settings = page.modules.settings(page.app).unwrap_or_default();
    file.block("provider", &[page.modules.provider()], settings);
    let mut call = Body::default();
    call.set("source", "../..");
    for variable in inputs.iter().filter(|variable| variable.default.is_none()) {
        variable.declare(&mut file);
        call.set(&variable.name, Hcl::code(format!("var.{}", variable.name)));
    }
    let name = page.title.replace('-', "_");
    file.block("module", &[&name], call);
    let mut output = Body::default();
    output.set("description", "All outputs of the module.");
    output.set("value", Hcl::code(format!("module.{name}")));
    file.block("output", &[&name], output);
    file
}
