//! Facts that inputs refer to: code files, build contexts and existing AWS objects.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_engine::driver::Drivers;
use tandem_model::artifact::{self, CodeFacts, CodeKind};
use tandem_model::context::{BuildContext, Context};
use tandem_model::input::{Body, Field, Shape, Source};
use tandem_model::kind::Kind;
use tandem_model::value::Value;

use crate::aws::Aws;
use crate::build_context;

/// A fact that an input refers to.
enum Pointer {
    Code(CodeKind, String),
    Object(&'static Kind, String),
    Subnet(String),
    Build(BuildContext),
}

/// Collects the facts that the inputs refer to.
fn pointers(fields: &[Field], inputs: &Value, found: &mut Vec<Pointer>) {
    for field in fields {
        let value = inputs.get(field.name);
        match (field.source, value) {
            (Some(Source::Code(kind)), Value::String(path)) => found.push(Pointer::Code(kind, path.clone())),
            (Some(Source::Object(kind)), Value::String(arn)) => {
                found.push(Pointer::Object(kind, arn.clone()));
            }
            (Some(Source::Subnets), Value::List(ids)) => {
                let ids = ids.iter().filter_map(Value::as_text);
                found.extend(ids.map(|id| Pointer::Subnet(id.to_owned())));
            }
            (Some(Source::Build), block) => {
                let text = |name| block.get(name).as_text().map(ToOwned::to_owned);
                if let (Some(folder), Some(dockerfile)) = (text("context"), text("dockerfile")) {
                    found.push(Pointer::Build(BuildContext { folder, dockerfile }));
                }
            }
            _ => {}
        }
        match (&field.shape, value) {
            (Shape::Block(body), block) => pointers(&body_fields(body), block, found),
            (Shape::Blocks(body), Value::List(blocks)) => {
                blocks.iter().for_each(|block| pointers(&body_fields(body), block, found));
            }
            _ => {}
        }
    }
}

fn body_fields(body: &Body) -> Vec<Field> {
    match body {
        Body::Fields(fields) => fields.clone(),
        Body::Choice(variants) => variants.iter().flat_map(|variant| variant.fields.clone()).collect(),
    }
}

/// Adds the facts to the context. Without `aws` (in a validation, or with an unknown provider configuration)
/// it reads files only.
///
/// With `absent_is_fine`, a file that does not exist is no error: Terraform also validates before a destroy.
pub(crate) async fn collect(
    fields: &[Field],
    inputs: &Value,
    context: &mut Context,
    aws: Option<&Aws>,
    absent_is_fine: bool,
) {
    let mut found = Vec::new();
    pointers(fields, inputs, &mut found);
    for pointer in found {
        match pointer {
            Pointer::Code(_, path) if absent_is_fine && !std::path::Path::new(&path).exists() => {}
            Pointer::Code(kind, path) => {
                let facts = code(kind, path.clone()).await;
                context.code.insert(path, facts);
            }
            Pointer::Build(build) if absent_is_fine && !std::path::Path::new(&build.folder).exists() => {}
            Pointer::Build(build) => {
                let facts = context_hash(build.clone()).await;
                context.builds.insert(build, facts);
            }
            Pointer::Object(kind, arn) => {
                if let Some(settings) = object(kind, &arn, aws).await {
                    context.objects.insert(arn, settings);
                }
            }
            Pointer::Subnet(id) => {
                let Some(aws) = aws else { continue };
                let vpc = aws.ec2.vpc_of(&id).await.map_err(|failure| failure.to_string());
                context.subnets.insert(id, vpc);
            }
        }
    }
}

/// The files and folders of inputs that do not exist.
pub(crate) fn absent(fields: &[Field], inputs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    pointers(fields, inputs, &mut found);
    let paths = found.into_iter().filter_map(|pointer| match pointer {
        Pointer::Code(_, path) => Some(path),
        Pointer::Build(build) => Some(build.folder),
        Pointer::Object(..) | Pointer::Subnet(_) => None,
    });
    paths.filter(|path| !std::path::Path::new(path).exists()).collect()
}

async fn context_hash(build: BuildContext) -> Result<String, String> {
    let hashed = tokio::task::spawn_blocking(move || {
        let files = build_context::Files::of(&build.folder, &build.dockerfile)?;
        files.hash().map_err(|error| format!("cannot be read: {error}"))
    });
    hashed.await.map_err(|error| error.to_string())?
}

async fn code(kind: CodeKind, path: String) -> Result<CodeFacts, String> {
    let bytes = tokio::fs::read(&path).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "does not exist; build it first, and set a path relative to the folder in \
            which Terraform runs (or one that starts with `${path.module}/`)"
                .to_owned()
        }
        _ => format!("cannot be read: {error}"),
    })?;
    // Compression is slow and would block a thread that serves RPCs.
    let prepared = tokio::task::spawn_blocking(move || artifact::prepare(kind, &bytes)).await;
    prepared.map_err(|error| error.to_string())?.map(|code| code.facts)
}

/// The settings of an existing object. `None` if it cannot be read: the apply then reports the error.
async fn object(kind: &'static Kind, arn: &str, aws: Option<&Aws>) -> Option<BTreeMap<String, Json>> {
    let observed = aws?.driver(kind).observe(arn).await.ok()??;
    Some(observed.settings)
}
