//! Facts that inputs point at: files with code, and existing objects of AWS.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tandem_engine::driver::Drivers;
use tandem_model::artifact::{self, CodeFacts, CodeKind};
use tandem_model::context::Context;
use tandem_model::input::{Body, Field, Shape, Source};
use tandem_model::kind::Kind;
use tandem_model::value::Value;

use crate::aws::Aws;

/// Every input that points at something, with what it points at.
fn sources(fields: &[Field], inputs: &Value, found: &mut Vec<(Source, String)>) {
    for field in fields {
        let value = inputs.get(field.name);
        if let (Some(source), Value::String(text)) = (field.source, value) {
            found.push((source, text.clone()));
        }
        match (&field.shape, value) {
            (Shape::Block(body), block) => sources(&body_fields(body), block, found),
            (Shape::Blocks(body), Value::List(blocks)) => {
                blocks.iter().for_each(|block| sources(&body_fields(body), block, found));
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

/// Puts the facts into the context. Without AWS (validation, unknown configuration) only files are
/// looked at.
///
/// A validation does not ask for files that do not exist yet: it also runs before a destroy.
pub(crate) async fn collect(
    fields: &[Field],
    inputs: &Value,
    context: &mut Context,
    aws: Option<&Aws>,
    absent_is_fine: bool,
) {
    let mut found = Vec::new();
    sources(fields, inputs, &mut found);
    for (source, text) in found {
        match source {
            Source::Code(_) if absent_is_fine && !std::path::Path::new(&text).exists() => {}
            Source::Code(kind) => {
                let facts = code(kind, text.clone()).await;
                context.code.insert(text, facts);
            }
            Source::Object(kind) => {
                if let Some(settings) = object(kind, &text, aws).await {
                    context.objects.insert(text, settings);
                }
            }
        }
    }
}

/// Files that inputs name and that do not exist.
pub(crate) fn absent(fields: &[Field], inputs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    sources(fields, inputs, &mut found);
    let files = found
        .into_iter()
        .filter(|(source, path)| matches!(source, Source::Code(_)) && !std::path::Path::new(path).exists());
    files.map(|(_, path)| path).collect()
}

async fn code(kind: CodeKind, path: String) -> Result<CodeFacts, String> {
    let bytes = tokio::fs::read(&path).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "does not exist; build it first, and give the path from the folder in \
            which Terraform runs (or with `${path.module}/`)"
                .to_owned()
        }
        _ => format!("cannot be read: {error}"),
    })?;
    // Compressing takes a while: not on a thread that answers calls.
    let prepared = tokio::task::spawn_blocking(move || artifact::prepare(kind, &bytes)).await;
    prepared.map_err(|error| error.to_string())?.map(|code| code.facts)
}

/// An existing object; what cannot be seen is left to the apply.
async fn object(kind: &'static Kind, arn: &str, aws: Option<&Aws>) -> Option<BTreeMap<String, Json>> {
    let observed = aws?.driver(kind).observe(arn).await.ok()??;
    Some(observed.settings)
}
