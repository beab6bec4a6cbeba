//! The traits that a provider implements.

use std::fmt;
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

/// The context of an operation.
#[derive(Clone, Debug)]
pub struct Context {
    /// Set after Terraform's Stop request: finish the calls in progress and start no new step.
    pub stop: StopToken,
}

/// A provider: its configuration, resources, data sources and functions.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The schema of the `provider` block.
    fn schema(&self) -> Schema;

    /// Checks the configuration of the provider, which may contain unknown values.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// Stores the configuration, which may contain unknown values during a plan. Terraform calls this any
    /// number of times, before the first operation that is not a validation. Make no network calls here.
    async fn configure(&self, request: ConfigureRequest) -> Vec<Diagnostic>;

    /// The resources. Called once.
    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        Vec::new()
    }

    /// The data sources. Called once.
    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        Vec::new()
    }

    /// The functions. Called once.
    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }

    /// The ephemeral resources. Called once.
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

/// The error for a state of a schema version from which no upgrade exists.
pub fn other_schema(type_name: &str, version: i64, today: i64) -> Diagnostic {
    Diagnostic::error(
        "The state has another schema version",
        format!(
            "The state of this {type_name} was written with schema version {version}. This provider has version \
             {today} and cannot upgrade the state. Use the provider version that wrote the state, or a newer one."
        ),
    )
}

/// A managed resource.
#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// Its full name, e.g. `example_queue`.
    fn type_name(&self) -> String;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration, which may contain unknown values. The provider may be unconfigured.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }

    /// Converts the stored JSON of an older schema version to the current one.
    async fn upgrade(&self, version: i64, state: Json) -> Result<Json, Vec<Diagnostic>> {
        let today = self.schema().version;
        if version == today {
            return Ok(state);
        }
        Err(vec![other_schema(&self.type_name(), version, today)])
    }

    /// Reads the resource. Return a null state if it no longer exists.
    async fn read(&self, request: ReadRequest, context: Context) -> ReadResponse;

    /// Plans the change of a resource. The result must be deterministic: Terraform plans again at apply.
    async fn plan(&self, request: PlanRequest, context: Context) -> PlanResponse;

    /// Creates (prior is null), updates, or deletes (planned is null) the resource. With an error, the
    /// returned state must still describe the objects that exist.
    async fn apply(&self, request: ApplyRequest, context: Context) -> ApplyResponse;

    /// Imports an existing resource by the id that the user passed.
    async fn import(&self, _id: String, _context: Context) -> Result<Imported, Vec<Diagnostic>> {
        Err(vec![Diagnostic::error(
            "Import is not supported",
            format!("{} cannot be imported.", self.type_name()),
        )])
    }
}

/// The request to read a resource.
#[derive(Clone, Debug)]
pub struct ReadRequest {
    /// The stored state.
    pub state: Value,
    /// Private data that the provider stored with the state.
    pub private: Vec<u8>,
}

/// The result of a read.
#[derive(Clone, Debug, Default)]
pub struct ReadResponse {
    /// The current state; null if the resource no longer exists.
    pub state: Value,
    /// Private data to store with the state.
    pub private: Vec<u8>,
    /// Messages to the user.
    pub diagnostics: Vec<Diagnostic>,
}

/// The request to plan a change.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// The state before; null for a create.
    pub prior: Value,
    /// The configuration with the prior values of unset computed attributes; null for a destroy.
    pub proposed: Value,
    /// The configuration; null for a destroy.
    pub config: Value,
    /// Private data that the provider stored with the state.
    pub private: Vec<u8>,
}

/// A planned change.
#[derive(Clone, Debug, Default)]
pub struct PlanResponse {
    /// The state after the apply, with unknown values where they are known only at apply.
    pub planned: Value,
    /// Attributes whose change requires replacement. Terraform ignores those that do not change.
    pub requires_replace: Vec<Path>,
    /// Private data for the apply.
    pub private: Vec<u8>,
    /// Messages to the user.
    pub diagnostics: Vec<Diagnostic>,
}

/// The request to apply a change.
#[derive(Clone, Debug)]
pub struct ApplyRequest {
    /// The state before; null for a create.
    pub prior: Value,
    /// The planned state; null for a destroy.
    pub planned: Value,
    /// The configuration; null for a destroy.
    pub config: Value,
    /// Private data from the plan.
    pub private: Vec<u8>,
}

/// The result of an apply.
#[derive(Clone, Debug, Default)]
pub struct ApplyResponse {
    /// The current state; null if the resource does not exist.
    pub state: Value,
    /// Private data to store with the state.
    pub private: Vec<u8>,
    /// Messages to the user.
    pub diagnostics: Vec<Diagnostic>,
}

/// An imported resource.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its state, as complete as the provider can read it.
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
    /// Checks a configuration, which may contain unknown values.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }
    /// Reads the data source.
    async fn read(&self, config: Value, context: Context) -> Result<Value, Vec<Diagnostic>>;
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its description, in Markdown.
    pub description: String,
    /// Accepts null.
    pub allow_null: bool,
}

/// The signature of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Description in one line.
    pub summary: String,
    /// Full description, in Markdown.
    pub description: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// The parameter for all further arguments.
    pub variadic: Option<Parameter>,
    /// The type of its result.
    pub returns: Type,
}

/// A failed function call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The error message.
    pub text: String,
    /// The index of the invalid argument, from 0.
    pub argument: Option<i64>,
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.argument {
            Some(argument) => write!(f, "argument {argument}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for FunctionError {}

/// A pure function. It runs in an unconfigured provider.
#[async_trait]
pub trait Function: Send + Sync + 'static {
    /// Its name, without the prefix of the provider.
    fn name(&self) -> String;
    /// Its parameters and result.
    fn signature(&self) -> Signature;
    /// Computes the result.
    async fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

/// An open ephemeral resource.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Its value.
    pub result: Value,
    /// Private data for `renew` and `close`.
    pub private: Vec<u8>,
    /// Time of the next renewal. Terraform renews exactly then: set it well before the value expires.
    pub renew_at: Option<SystemTime>,
}

/// An ephemeral resource: a value that is never stored.
#[async_trait]
pub trait EphemeralResource: Send + Sync + 'static {
    /// Its full name.
    fn type_name(&self) -> String;
    /// Its schema.
    fn schema(&self) -> Schema;
    /// Checks a configuration, which may contain unknown values.
    async fn validate(&self, _config: Value) -> Vec<Diagnostic> {
        Vec::new()
    }
    /// Opens the resource.
    async fn open(&self, config: Value, context: Context) -> Result<Opened, Vec<Diagnostic>>;
    /// Extends its lifetime. Returns the new private data and the time of the next renewal.
    async fn renew(&self, private: Vec<u8>) -> Result<(Vec<u8>, Option<SystemTime>), Vec<Diagnostic>> {
        Ok((private, None))
    }
    /// Closes the resource.
    async fn close(&self, _private: Vec<u8>) -> Vec<Diagnostic> {
        Vec::new()
    }
}
