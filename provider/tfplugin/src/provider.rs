//! What an author of a provider implements.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::path::Path;
use crate::schema::Schema;
use crate::stop::StopToken;
use crate::types::Type;
use crate::value::Value;

/// What every operation is given beside its request.
#[derive(Clone, Debug)]
pub struct Context {
    /// Set when Terraform asks to stop: start no new step, finish what is in flight.
    pub stop: StopToken,
}

/// A provider: its configuration, and what it offers.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The schema of the `provider` block.
    fn schema(&self) -> Schema;

    /// Checks the configuration of the provider, which may hold unknown values.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// Takes the configuration, which may hold unknown values during plan. Called any number of
    /// times, before the first operation that is not a validation. Make no network calls here.
    async fn configure(&self, request: ConfigureRequest) -> Vec<Diagnostic>;

    /// The resources; asked for once.
    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        Vec::new()
    }

    /// The data sources; asked for once.
    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        Vec::new()
    }

    /// The functions; asked for once.
    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }

    /// The ephemeral resources; asked for once.
    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource>> {
        Vec::new()
    }
}

/// The configuration of a provider.
#[derive(Clone, Debug)]
pub struct ConfigureRequest {
    /// The value of the `provider` block.
    pub config: Value,
    /// The version of Terraform or OpenTofu.
    pub terraform_version: String,
}

/// A managed resource.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// Its full name: `example_thing`.
    fn type_name(&self) -> String;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration, which may hold unknown values. The provider may be unconfigured.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// Brings the stored JSON of an older schema version to today's shape.
    async fn upgrade(&self, version: i64, state: Json) -> Result<Json, Vec<Diagnostic>> {
        let today = self.schema().version;
        if version == today {
            return Ok(state);
        }
        Err(vec![Diagnostic::error(
            "State of another version",
            format!(
                "The state of this {} was written with schema version {version}; this provider \
                 has version {today} and knows no upgrade between them. Use the provider version \
                 that wrote the state, or a newer one.",
                self.type_name()
            ),
        )])
    }

    /// Looks at what exists. A null state says that the resource is gone.
    async fn read(&self, request: ReadRequest, context: Context) -> ReadResponse;

    /// Says what an apply would make of the resource. Deterministic: it is asked twice.
    async fn plan(&self, request: PlanRequest, context: Context) -> PlanResponse;

    /// Creates (prior is null), updates, or deletes (planned is null). With an error, the state
    /// returned is what exists all the same.
    async fn apply(&self, request: ApplyRequest, context: Context) -> ApplyResponse;

    /// Finds an existing resource by the id that the user gave.
    async fn import(&self, _id: String, _context: Context) -> Result<Imported, Vec<Diagnostic>> {
        Err(vec![Diagnostic::error(
            "Import is not supported",
            format!("{} cannot be imported.", self.type_name()),
        )])
    }
}

/// A resource to be looked at.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The state as stored.
    pub state: Value,
    /// What the provider stored beside the state.
    pub private: Vec<u8>,
}

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct ReadResponse {
    /// The state now; null when the resource is gone.
    pub state: Value,
    /// To be stored beside the state.
    pub private: Vec<u8>,
    /// Messages to the user.
    pub diagnostics: Vec<Diagnostic>,
}

/// A change to be planned.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The state before; null for a create.
    pub prior: Value,
    /// Config, with the prior values of unset computed attributes; null for a destroy.
    pub proposed: Value,
    /// The configuration; null for a destroy.
    pub config: Value,
    /// What the provider stored beside the state.
    pub private: Vec<u8>,
}

/// A planned change.
#[derive(Clone, Debug, Default)]
pub struct PlanResponse {
    /// The state that an apply would leave; unknown where it cannot be known.
    pub planned: Value,
    /// Attributes whose change needs a new resource.
    pub requires_replace: Vec<Path>,
    /// Handed to the apply.
    pub private: Vec<u8>,
    /// Messages to the user.
    pub diagnostics: Vec<Diagnostic>,
}

/// A change to be carried out.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The state before; null for a create.
    pub prior: Value,
    /// The planned state; null for a destroy.
    pub planned: Value,
    /// The configuration; null for a destroy.
    pub config: Value,
    /// What the plan handed over.
    pub private: Vec<u8>,
}

/// What an apply left.
#[derive(Clone, Debug, Default)]
pub struct ApplyResponse {
    /// The state now; null when nothing exists.
    pub state: Value,
    /// To be stored beside the state.
    pub private: Vec<u8>,
    /// Messages to the user.
    pub diagnostics: Vec<Diagnostic>,
}

/// An imported resource.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its state, as far as it can be known.
    pub state: Value,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// A data source.
#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    /// Its full name.
    fn type_name(&self) -> String;
    /// Its schema.
    fn schema(&self) -> Schema;
    /// Checks a configuration, which may hold unknown values.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }
    /// Reads it.
    async fn read(&self, config: Value, context: Context) -> Result<Value, Vec<Diagnostic>>;
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What it means, in Markdown.
    pub description: String,
    /// Whether null may be passed.
    pub allow_null: bool,
}

/// What Terraform is told of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// One line.
    pub summary: String,
    /// The rest, in Markdown.
    pub description: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The parameter that takes the rest of the arguments.
    pub variadic: Option<Parameter>,
    /// The type of its result.
    pub returns: Type,
}

/// A failed function call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// What is wrong.
    pub text: String,
    /// The argument at fault, from 0.
    pub argument: Option<i64>,
}

/// A pure function. It runs in an unconfigured provider.
#[async_trait]
pub trait Function: Send + Sync + 'static {
    /// Its name, without the provider's.
    fn name(&self) -> String;
    /// Its parameters and result.
    fn signature(&self) -> Signature;
    /// Computes it.
    async fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

/// An open ephemeral resource.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Its value.
    pub result: Value,
    /// Handed to renew and close.
    pub private: Vec<u8>,
    /// When to renew; set it early, Terraform is exact.
    pub renew_at: Option<SystemTime>,
}

/// A value that is never stored.
#[async_trait]
pub trait EphemeralResource: Send + Sync + 'static {
    /// Its full name.
    fn type_name(&self) -> String;
    /// Its schema.
    fn schema(&self) -> Schema;
    /// Checks a configuration, which may hold unknown values.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }
    /// Opens it.
    async fn open(&self, config: Value, context: Context) -> Result<Opened, Vec<Diagnostic>>;
    /// Extends its life: the new private data and the next time to renew.
    async fn renew(&self, private: Vec<u8>) -> Result<(Vec<u8>, Option<SystemTime>), Vec<Diagnostic>> {
        Ok((private, None))
    }
    /// Ends it.
    async fn close(&self, _private: Vec<u8>) -> Vec<Diagnostic> {
        Vec::new()
    }
}
