//! Terraform modules: one for each entry of a spec, and the root module.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tandem_model::expr::Expr;
use tandem_model::input::{Field, Shape, Source, union};
use tandem_model::names;
use tandem_model::value::Value;

use crate::hcl::{Body, Hcl, Item};
use crate::native::versions::Version;
use crate::native::{self, NOTIFICATIONS};
use crate::picture::Diagram;
use crate::readme::{self, Page, Part};
use crate::spec::{App, Entry, body_fields, bootstrap};
use crate::templates::{Error, Templates};
use crate::variables::{Absent, RESERVED, Variable, parametrize};

/// The resources that a module uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// Resources of the tandem provider
    #[default]
    Composite,
    /// Only resources of hashicorp/aws
    Native,
}

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
    pub(crate) variables: Vec<Variable>,
    pub(crate) outputs: Vec<(String, String, Hcl)>,
    /// The version of hashicorp/aws that a native module requires.
    pub(crate) requires: Version,
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
    let mut whole = Module {
        main: Body::default(),
        variables: Vec::new(),
        outputs: Vec::new(),
        requires: Version::FIRST,
    };
    let diagram = Diagram::of(app);
    let mut parts: Vec<Part<'_>> = Vec::new();
    let make = |entry: &Entry| -> Result<(Module, Files), ModuleError> {
        let module = match flavor {
            Flavor::Composite => composite(entry, layout),
            Flavor::Native => native::module(app, entry, layout)
                .map_err(|message| ModuleError::Native { entry: entry.name.clone(), message })?,
        };
        let page = Page {
            title: &entry.name,
            doc: entry.definition.doc,
            source: format!("./modules/{}", entry.name),
            flavor,
            app,
            parts: None,
            entries: vec![entry],
            folders: &layout.entry,
            build: &layout.build,
            diagram: diagram.around(&entry.name),
        };
        let mut files = Files::new();
        write(&mut files, &format!("modules/{}/", entry.name), &module, &page, templates)?;
        Ok((module, files))
    };
    for (entry, made) in app.entries.iter().zip(each(&app.entries, make)) {
        let (module, own) = made?;
        parts.push(call(&mut whole, entry, module));
        files.extend(own);
    }
    if flavor == Flavor::Native {
        notifications(app, &mut whole);
        whole.requires = whole.requires.max(native::versions::required(&whole.main));
    }
    let page = Page {
        title: &app.name,
        doc: "The whole application: every module of `modules/`, wired together.",
        source: layout.whole.clone(),
        flavor,
        app,
        parts: Some(&parts),
        entries: app.entries.iter().collect(),
        folders: &layout.root,
        build: &layout.build,
        diagram: diagram.whole(),
    };
    write(&mut files, "", &whole, &page, templates)?;
    Ok(files)
}

/// Maps items in parallel on all cores, and keeps their sequence.
fn each<T: Sync, R: Send>(items: &[T], make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let make = &make;
        let threads: Vec<_> = items
            .chunks(share)
            .map(|items| scope.spawn(move || items.iter().map(make).collect::<Vec<R>>()))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Returns the module of an entry with one resource of the provider.
fn composite(entry: &Entry, layout: &Layout) -> Module {
    let (inputs, variables) = parametrize(entry, Absent::All);
    let written = Written { entry, layout };
    let fields = (entry.definition.fields)();
    let ty = format!("tandem_{}", entry.definition.type_name);
    let mut main = Body::default();
    main.block("resource", &[&ty, "this"], written.body(&inputs, &entry.inputs, &fields));
    let outputs = entry.definition.outputs.iter().map(|output| {
        (output.name.to_owned(), output.doc.to_owned(), Hcl::code(format!("{ty}.this.{}", output.name)))
    });
    Module { main, variables, outputs: outputs.collect(), requires: Version::FIRST }
}

struct Written<'a> {
    entry: &'a Entry,
    layout: &'a Layout,
}

impl Written<'_> {
    /// Writes the inputs of a block. `inputs` contains references to variables, `given` the values of the
    /// spec.
    fn body(&self, inputs: &Value, given: &Value, fields: &[Field]) -> Body {
        let mut attributes = Body::default();
        let mut blocks = Body::default();
        for field in fields {
            let (value, given) = (inputs.get(field.name), given.get(field.name));
            match (&field.shape, value) {
                (_, Value::Null) => {}
                (Shape::Block(body), block) => {
                    blocks.block(field.name, &[], self.body(block, given, &shape_fields(body, block)));
                }
                (Shape::Blocks(body), Value::List(items)) => {
                    for (index, item) in items.iter().enumerate() {
                        let given = match given {
                            Value::List(given) => given.get(index).unwrap_or(&Value::Null),
                            _ => &Value::Null,
                        };
                        blocks.block(field.name, &[], self.body(item, given, &shape_fields(body, item)));
                    }
                }
                (_, Value::Reference(name))
                    if matches!(field.source, Some(Source::Code(_) | Source::Folder)) =>
                {
                    attributes.set(field.name, self.path(field, name, given));
                }
                (_, Value::List(items)) if items.is_empty() => {}
                (_, value) => attributes.set(field.name, value),
            }
        }
        attributes.items.extend(blocks.items);
        attributes
    }

    fn path(&self, field: &Field, variable: &str, given: &Value) -> Hcl {
        let given = given.as_text().unwrap_or_default();
        let handler = matches!(field.source, Some(Source::Code(_)))
            && self.entry.handlers.values().any(|handler| bootstrap(handler) == given);
        let folders = &self.layout.entry;
        let base = if handler { &folders.handlers } else { &folders.spec };
        let path = if given.starts_with('/') {
            Hcl::text(given)
        } else {
            let path = format!("/{base}/{given}").replace("/./", "/");
            Hcl::Template(vec![Hcl::code("path.module"), Hcl::Text(path)])
        };
        Hcl::Call("coalesce", vec![Hcl::code(format!("var.{variable}")), path])
    }
}

fn shape_fields(body: &tandem_model::input::Body, block: &Value) -> Vec<Field> {
    match body {
        tandem_model::input::Body::Choice(variants) => {
            let chosen = variants.iter().find(|variant| !block.get(variant.discriminator().name).is_null());
            chosen.map_or_else(|| union(variants), |variant| variant.fields.clone())
        }
        tandem_model::input::Body::Fields(_) => body_fields(body),
    }
}

/// Adds the call of an entry's module to the root module.
fn call<'a>(whole: &mut Module, entry: &'a Entry, module: Module) -> Part<'a> {
    // Terraform reserves some names of variables.
    let own = entry.name.replace('-', "_");
    let given = own_variable(&own);
    let mut body = Body::default();
    body.set("source", Hcl::text(format!("./modules/{}", entry.name)));
    let mut fields = Vec::new();
    for variable in &module.variables {
        if let Some(target) = &variable.target {
            let of = format!("module.{}.{}", target.entry.replace('-', "_"), target.output);
            body.set(&variable.name, Hcl::code(of));
            continue;
        }
        body.set(&variable.name, Hcl::code(format!("var.{given}.{}", variable.name)));
        let ty = Hcl::code(&variable.ty);
        let ty = match &variable.default {
            None => ty,
            Some(Hcl::Null) => Hcl::Call("optional", vec![ty]),
            Some(default) => Hcl::Call("optional", vec![ty, default.clone()]),
        };
        fields.push((variable.name.clone(), ty));
    }
    whole.main.block("module", &[&own], body);
    let required =
        module.variables.iter().any(|variable| variable.target.is_none() && variable.default.is_none());
    whole.variables.push(Variable {
        name: given.clone(),
        doc: format!("Inputs of `{}`. modules/{}/README.md describes them.", entry.name, entry.name),
        ty: Hcl::Call("object", vec![Hcl::Map(fields)]).render(1),
        default: (!required).then(|| Hcl::Map(Vec::new())),
        validation: None,
        sensitive: false,
        of_code: false,
        target: None,
    });
    whole.outputs.push((
        own.clone(),
        format!("All outputs of `{}`.", entry.name),
        Hcl::code(format!("module.{own}")),
    ));
    whole.requires = whole.requires.max(module.requires);
    let inputs = module.variables.into_iter().filter(|variable| variable.target.is_none());
    Part {
        entry,
        variable: given,
        inputs: inputs.collect(),
        outputs: module.outputs.into_iter().map(|(name, ..)| name).collect(),
    }
}

/// The name of the root module's variable with the inputs of an entry. The suffix is unique, because no
/// entry's name contains two hyphens in a row.
fn own_variable(own: &str) -> String {
    if RESERVED.contains(&own) { format!("{own}__inputs") } else { own.to_owned() }
}

/// Adds the notification configuration of each bucket that triggers an entry but belongs to another entry or
/// is not in the spec. S3 allows one configuration per bucket, so the root module merges the entries'
/// notifications.
fn notifications(app: &App, whole: &mut Module) {
    // The key is the bucket as an expression. The value is the name of its resource, the entries that it
    // triggers, and true if the bucket is not in the spec.
    let mut documents: BTreeMap<String, (String, BTreeSet<String>, bool)> = BTreeMap::new();
    for entry in &app.entries {
        for object in
            entry.graph.objects().iter().filter(|object| object.kind.name == "s3_bucket_notification")
        {
            let (bucket, name, foreign) = match object.fields.get("bucket") {
                Some(Expr::Input(variable)) => match entry.references.get(variable) {
                    Some(target) => {
                        let made = target.entry.replace('-', "_");
                        (format!("module.{made}.{}", target.output), made, false)
                    }
                    None => continue,
                },
                Some(Expr::Literal(Json::String(name))) => (Hcl::text(name).render(0), name.clone(), true),
                _ => continue,
            };
            let document = documents.entry(bucket).or_insert((name, BTreeSet::new(), foreign));
            document.1.insert(entry.name.replace('-', "_"));
        }
    }
    // No other resource begins with `given__`, because names of entries contain only single hyphens. Names
    // are made unique, because `my.bucket` and `my-bucket` become the same identifier.
    let mut roles = names::Slots::default();
    for (bucket, (name, heard, foreign)) in documents {
        let name = if foreign { format!("given__{}", roles.unique(&name)) } else { name };
        let lists: Vec<String> =
            heard.iter().map(|entry| format!("module.{entry}.{NOTIFICATIONS}")).collect();
        let mut content = Body::default();
        for field in ["id", "lambda_function_arn", "events", "filter_prefix", "filter_suffix"] {
            content.set(field, Hcl::code(format!("lambda_function.value.{field}")));
        }
        let mut dynamic = Body::default();
        let all = format!("[for entry in concat({}) : entry if entry.bucket == {bucket}]", lists.join(", "));
        dynamic.set("for_each", Hcl::code(all));
        dynamic.block("content", &[], content);
        let mut body = Body::default();
        body.set("bucket", Hcl::code(&bucket));
        body.set(
            "depends_on",
            Hcl::List(heard.iter().map(|entry| Hcl::code(format!("module.{entry}"))).collect()),
        );
        body.block("dynamic", &["lambda_function"], dynamic);
        if foreign {
            let comment = "A bucket has one notification configuration: this one replaces any other.";
            whole.main.items.push(Item::Comment(comment.to_owned()));
        }
        whole.main.block("resource", &["aws_s3_bucket_notification", &name], body);
    }
}

fn write(
    files: &mut Files,
    folder: &str,
    module: &Module,
    page: &Page<'_>,
    templates: &Templates,
) -> Result<(), Error> {
    let mut variables = Body::default();
    module.variables.iter().for_each(|variable| variable.declare(&mut variables));
    let mut outputs = Body::default();
    for (name, doc, value) in &module.outputs {
        let mut body = Body::default();
        body.set("description", Hcl::text(doc));
        body.set("value", value.clone());
        outputs.block("output", &[name], body);
    }
    let parts = [
        ("main.tf", module.main.clone()),
        ("variables.tf", variables),
        ("outputs.tf", outputs),
        ("versions.tf", versions(page.flavor, module)),
        ("examples/complete/main.tf", example(page, module)),
    ];
    for (name, body) in parts {
        files.insert(format!("{folder}{name}"), templates.terraform(&body)?);
    }
    let version = version(page.flavor, module);
    files.insert(format!("{folder}README.md"), readme::render(page, module, &version, templates)?);
    Ok(())
}

/// The version constraint of the provider that a module uses.
fn version(flavor: Flavor, module: &Module) -> String {
    match flavor {
        Flavor::Composite => format!(">= {}", env!("CARGO_PKG_VERSION")),
        Flavor::Native => format!(">= {}", module.requires),
    }
}

fn versions(flavor: Flavor, module: &Module) -> Body {
    let (name, source) = match flavor {
        Flavor::Composite => ("tandem", "tandem/tandem"),
        Flavor::Native => ("aws", "hashicorp/aws"),
    };
    let version = Hcl::Text(version(flavor, module));
    let provider = Hcl::Map(vec![("source".to_owned(), source.into()), ("version".to_owned(), version)]);
    let mut required = Body::default();
    required.set(name, provider);
    let mut terraform = Body::default();
    terraform.set("required_version", ">= 1.11");
    terraform.block("required_providers", &[], required);
    let mut file = Body::default();
    file.block("terraform", &[], terraform);
    file
}

/// An example that calls the module. Required inputs of the module are variables of the example.
fn example(page: &Page<'_>, module: &Module) -> Body {
    let mut file = versions(page.flavor, module);
    let mut provider = Body::default();
    match page.flavor {
        Flavor::Composite => {
            provider.set("project", Hcl::text(&page.app.name));
            file.block("provider", &["tandem"], provider);
        }
        Flavor::Native => file.block("provider", &["aws"], provider),
    }
    let mut call = Body::default();
    call.set("source", "../..");
    for variable in module.variables.iter().filter(|variable| variable.default.is_none()) {
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
