//! A complete provider with one resource, `example_note`, which stores a string in a file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use tfplugin::provider::{
    ApplyRequest, ApplyResponse, ConfigureRequest, Context, Imported, PlanRequest, PlanResponse, Provider,
    ReadRequest, ReadResponse, Resource,
};
use tfplugin::schema::{Attribute, Block, Mode, Schema};
use tfplugin::types::Type;
use tfplugin::{Diagnostic, Options, Path, Value};

struct Example;

#[async_trait]
impl Provider for Example {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    async fn configure(&self, _request: ConfigureRequest) -> Vec<Diagnostic> {
        Vec::new()
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![Arc::new(Note)]
    }
}

struct Note;

#[async_trait]
impl Resource for Note {
    fn type_name(&self) -> String {
        "example_note".to_owned()
    }

    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::new("path", Type::String, Mode::Required, "Path of the file."),
            Attribute::new("text", Type::String, Mode::Required, "Content of the file."),
            Attribute::new("bytes", Type::Number, Mode::Computed, "Size of the file in bytes."),
        ];
        Schema { version: 0, block: Block { attributes, ..Block::default() } }
    }

    async fn read(&self, request: ReadRequest, _context: Context) -> ReadResponse {
        let path = request.state.get("path").as_str().unwrap_or_default().to_owned();
        let state = std::fs::read_to_string(&path).map_or(Value::Null, |text| note(&path, &text));
        ReadResponse { state, private: request.private, diagnostics: Vec::new() }
    }

    async fn plan(&self, request: PlanRequest, _context: Context) -> PlanResponse {
        let mut planned = request.proposed;
        if let Value::Map(_) = planned {
            let size = planned.get("text").as_str().map(str::len);
            let size = size.and_then(|size| i64::try_from(size).ok());
            planned.set("bytes", size.map_or(Value::UNKNOWN, Value::from));
        }
        PlanResponse { planned, requires_replace: vec![Path::attribute("path")], ..Default::default() }
    }

    async fn apply(&self, request: ApplyRequest, _context: Context) -> ApplyResponse {
        let result = if request.planned.is_null() {
            let path = request.prior.get("path").as_str().unwrap_or_default().to_owned();
            std::fs::remove_file(path).map(|()| Value::Null)
        } else {
            let path = request.planned.get("path").as_str().unwrap_or_default();
            let text = request.planned.get("text").as_str().unwrap_or_default();
            std::fs::write(path, text).map(|()| note(path, text))
        };
        match result {
            Ok(state) => ApplyResponse { state, ..Default::default() },
            Err(error) => ApplyResponse {
                state: request.prior,
                diagnostics: vec![
                    Diagnostic::error("The note cannot be written or deleted", error.to_string())
                        .at(Path::attribute("path")),
                ],
                ..Default::default()
            },
        }
    }

    async fn import(&self, id: String, _context: Context) -> Result<Imported, Vec<Diagnostic>> {
        let text = std::fs::read_to_string(PathBuf::from(&id))
            .map_err(|error| vec![Diagnostic::error(format!("No note at {id}"), error.to_string())])?;
        Ok(Imported { state: note(&id, &text), diagnostics: Vec::new() })
    }
}

fn note(path: &str, text: &str) -> Value {
    let bytes = i64::try_from(text.len()).unwrap_or(i64::MAX);
    Value::map([("path", path.into()), ("text", text.into()), ("bytes", bytes.into())])
}

#[tokio::main]
async fn main() -> ExitCode {
    tfplugin::log::init("example", &["note", "tfplugin"]);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options { source: "example/example", version: env!("CARGO_PKG_VERSION"), commands: &[] };
    tfplugin::serve(Example, options, &arguments).await
}
