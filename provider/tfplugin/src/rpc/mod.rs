//! The provider service, with one file per group of RPCs. It converts values and enforces Terraform's rules,
//! so that a resource does not have to.

mod configure;
mod data_source;
mod ephemeral;
mod function;
mod resource;
mod schemas;
mod undeclared;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tracing::{Instrument, debug, trace_span};

use crate::check::Broken;
use crate::diagnostic::Diagnostic;
use crate::panics;
use crate::proto::{self, provider_server};
use crate::provider::{Context, DataSource, EphemeralResource, Function, Provider, Resource, Signature};
use crate::schema::Schema;
use crate::stop::StopSource;
use crate::types::Type;
use crate::value::Value;
use crate::{json, msgpack};

/// Answers plugin protocol 5.10 for a [`Provider`].
#[derive(Clone)]
pub struct Server(Arc<Inner>);

pub(crate) struct Inner {
    provider: Box<dyn Provider>,
    schema: Declared,
    resources: BTreeMap<String, Entry<dyn Resource>>,
    data_sources: BTreeMap<String, Entry<dyn DataSource>>,
    ephemeral_resources: BTreeMap<String, Entry<dyn EphemeralResource>>,
    functions: BTreeMap<String, (Arc<dyn Function>, Signature)>,
    stop: StopSource,
    running: Running,
}

/// A schema and the type that follows from it.
pub(crate) struct Declared {
    schema: Schema,
    ty: Type,
}

impl Declared {
    fn new(schema: Schema) -> Self {
        let ty = schema.ty();
        Self { schema, ty }
    }
}

pub(crate) struct Entry<T: ?Sized> {
    item: Arc<T>,
    declared: Declared,
}

impl Server {
    /// Reads all declarations of the provider, once.
    pub fn new(provider: impl Provider) -> Self {
        let entry = |name: String, item, schema| (name, Entry { item, declared: Declared::new(schema) });
        let resources = provider.resources().into_iter();
        let data_sources = provider.data_sources().into_iter();
        let ephemeral = provider.ephemeral_resources().into_iter();
        let functions = provider.functions().into_iter();
        Self(Arc::new(Inner {
            schema: Declared::new(provider.schema()),
            resources: resources
                .map(|item| {
                    let (name, schema) = (item.type_name(), item.schema());
                    (name, Entry { item, declared: Declared::new(schema) })
                })
                .collect(),
            data_sources: data_sources
                .map(|item| {
                    let (name, schema) = (item.type_name(), item.schema());
                    (name, Entry { item, declared: Declared::new(schema) })
                })
                .collect(),
            ephemeral_resources: ephemeral
                .map(|item| {
                    let (name, schema) = (item.type_name(), item.schema());
                    entry(name, item, schema)
                })
                .collect(),
            functions: functions
                .map(|item| {
                    let (name, signature) = (item.name(), item.signature());
                    (name, (item, signature))
                })
                .collect(),
            stop: StopSource::default(),
            running: Running::default(),
            provider: Box::new(provider),
        }))
    }

    /// The defects of the declared schemas, which Terraform does not check.
    pub fn schema_defects(&self) -> Vec<String> {
        let named = |name: &str, schema: &Schema| {
            let defects = schema.defects().into_iter();
            defects.map(|defect| format!("{name}: {defect}")).collect::<Vec<_>>()
        };
        let mut defects = named("provider", &self.0.schema.schema);
        for (name, entry) in &self.0.resources {
            defects.extend(named(name, &entry.declared.schema));
        }
        for (name, entry) in &self.0.data_sources {
            defects.extend(named(name, &entry.declared.schema));
        }
        for (name, entry) in &self.0.ephemeral_resources {
            defects.extend(named(name, &entry.declared.schema));
        }
        defects
    }

    /// Runs one RPC in a task of its own. It continues if the client disconnects, and a panic ends only this
    /// RPC.
    pub(crate) async fn run<T, F>(&self, rpc: &'static str, type_name: &str, work: F) -> Result<T, Diagnostic>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let span = trace_span!("rpc", tf_rpc = rpc, tf_resource_type = type_name);
        let start = Instant::now();
        // The task holds the guard, because it continues after the client has disconnected.
        let running = self.0.running.subscribe_guard();
        let task = async move {
            let _running = running;
            work.await
        };
        let result = tokio::spawn(task.instrument(span)).await;
        debug!(
            tf_rpc = rpc,
            tf_resource_type = type_name,
            tf_req_duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        result.map_err(|error| {
            let message = match error.try_into_panic() {
                Ok(payload) => panics::message(&*payload),
                Err(error) => error.to_string(),
            };
            Diagnostic::error(
                "The provider panicked",
                format!(
                    "The provider panicked in {rpc}: {message}\n\n\
                     This is always a bug in the provider. If this was an apply, check which objects \
                     exist before the next one. Please report the bug with the stack trace from \
                     Terraform's log (TF_LOG=ERROR)."
                ),
            )
        })
    }
}

/// The number of RPCs in progress.
#[derive(Default)]
struct Running(watch::Sender<usize>);

/// One RPC in progress. Dropping it decreases the number.
struct RunningGuard(watch::Sender<usize>);

impl Running {
    fn subscribe_guard(&self) -> RunningGuard {
        self.0.send_modify(|count| *count += 1);
        RunningGuard(self.0.clone())
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Server {
    /// The stop token of the operations in progress.
    #[cfg(test)]
    pub(crate) fn stop_token(&self) -> crate::stop::StopToken {
        self.0.stop.token()
    }

    /// Requests a stop and waits for all operations in progress, e.g. after Terraform was killed.
    pub(crate) async fn wind_up(&self) {
        let mut running = self.0.running.0.subscribe();
        if *running.borrow_and_update() > 0 {
            self.0.stop.stop();
            // The sender lives in `self`.
            let _ = running.wait_for(|count| *count == 0).await;
        }
    }
}

impl Inner {
    fn context(&self) -> Context {
        Context { stop: self.stop.token() }
    }
}

/// Decodes a value of a request. A missing value is null.
fn decode(value: Option<&proto::DynamicValue>, ty: &Type) -> Result<Value, Diagnostic> {
    let Some(value) = value else { return Ok(Value::Null) };
    let decoded = if !value.msgpack.is_empty() {
        msgpack::decode(&value.msgpack, ty)
    } else if !value.json.is_empty() {
        match serde_json::from_slice(&value.json) {
            Ok(parsed) => json::decode(&parsed, ty),
            Err(error) => return Err(malformed(&error)),
        }
    } else {
        return Ok(Value::Null);
    };
    decoded.map_err(|error| malformed(&error))
}

fn malformed(error: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic::error(
        "Malformed value",
        format!(
            "A value from Terraform does not fit the provider's schema: {error}. Run `terraform \
             init -upgrade` so that Terraform and the provider use the same provider version."
        ),
    )
}

/// Encodes a value of a response.
fn encode(value: &Value, ty: &Type) -> Result<proto::DynamicValue, Diagnostic> {
    let encoded = msgpack::encode(value, ty).map_err(|error| defect(&[(error.path, error.message)]));
    Ok(proto::DynamicValue { msgpack: encoded?, json: Vec::new() })
}

/// The diagnostic for a response of the provider that breaks Terraform's rules.
fn defect(broken: &[Broken]) -> Diagnostic {
    let list: Vec<String> =
        broken
            .iter()
            .map(|(path, message)| {
                if path.steps().is_empty() { format!("- {message}") } else { format!("- {path}: {message}") }
            })
            .collect();
    Diagnostic::error(
        "The provider's answer breaks Terraform's rules",
        format!("This is always a bug in the provider; please report it.\n{}", list.join("\n")),
    )
}

fn undeclared(kind: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("Unknown {kind}"),
        format!("This provider has no {kind} `{name}`. Check the name and the provider version."),
    )
}

fn wire(diagnostics: Vec<Diagnostic>) -> Vec<proto::Diagnostic> {
    diagnostics.into_iter().map(Into::into).collect()
}

/// Defines the service. A panic in an RPC becomes a diagnostic of its response.
macro_rules! service {
    ($($rpc:ident $name:literal $message:ident $type_name:expr;)*) => {
        #[tonic::async_trait]
        impl provider_server::Provider for Server {
            $(
                async fn $rpc(
                    &self,
                    request: Request<proto::$message::Request>,
                ) -> Result<Response<proto::$message::Response>, Status> {
                    let request = request.into_inner();
                    let name: fn(&proto::$message::Request) -> &str = $type_name;
                    let name = name(&request).to_owned();
                    let inner = self.0.clone();
                    let answer = self.run($name, &name, async move { inner.$rpc(request).await }).await;
                    Ok(Response::new(answer.unwrap_or_else(|diagnostic| {
                        let diagnostics = vec![diagnostic.into()];
                        // Some responses have only the field `diagnostics`.
                        #[allow(clippy::needless_update)]
                        let response = proto::$message::Response { diagnostics, ..Default::default() };
                        response
                    })))
                }
            )*

            async fn call_function(
                &self,
                request: Request<proto::call_function::Request>,
            ) -> Result<Response<proto::call_function::Response>, Status> {
                let request = request.into_inner();
                let (inner, name) = (self.0.clone(), request.name.clone());
                let answer = self.run("CallFunction", &name, async move { inner.call_function(request).await });
                Ok(Response::new(answer.await.unwrap_or_else(|diagnostic| function::failed(diagnostic.detail, None))))
            }

            async fn stop(
                &self,
                _request: Request<proto::stop::Request>,
            ) -> Result<Response<proto::stop::Response>, Status> {
                self.0.stop.stop();
                tracing::info!("received a Stop request");
                Ok(Response::new(proto::stop::Response::default()))
            }

            type ListResourceStream = tokio_stream::Once<Result<proto::list_resource::Event, Status>>;

            async fn list_resource(
                &self,
                request: Request<proto::list_resource::Request>,
            ) -> Result<Response<Self::ListResourceStream>, Status> {
                Ok(Response::new(tokio_stream::once(Ok(undeclared::list(&request.into_inner())))))
            }

            type InvokeActionStream = tokio_stream::Once<Result<proto::invoke_action::Event, Status>>;

            async fn invoke_action(
                &self,
                request: Request<proto::invoke_action::Request>,
            ) -> Result<Response<Self::InvokeActionStream>, Status> {
                Ok(Response::new(tokio_stream::once(Ok(undeclared::action(&request.into_inner())))))
            }
        }
    };
}

service! {
    get_metadata "GetMetadata" get_metadata |_| "";
    get_schema "GetProviderSchema" get_provider_schema |_| "";
    get_resource_identity_schemas "GetResourceIdentitySchemas" get_resource_identity_schemas |_| "";
    get_functions "GetFunctions" get_functions |_| "";
    prepare_provider_config "PrepareProviderConfig" prepare_provider_config |_| "";
    configure "Configure" configure |_| "";
    validate_resource_type_config "ValidateResourceTypeConfig" validate_resource_type_config |r| &r.type_name;
    upgrade_resource_state "UpgradeResourceState" upgrade_resource_state |r| &r.type_name;
    upgrade_resource_identity "UpgradeResourceIdentity" upgrade_resource_identity |r| &r.type_name;
    read_resource "ReadResource" read_resource |r| &r.type_name;
    plan_resource_change "PlanResourceChange" plan_resource_change |r| &r.type_name;
    apply_resource_change "ApplyResourceChange" apply_resource_change |r| &r.type_name;
    import_resource_state "ImportResourceState" import_resource_state |r| &r.type_name;
    move_resource_state "MoveResourceState" move_resource_state |r| &r.target_type_name;
    generate_resource_config "GenerateResourceConfig" generate_resource_config |r| &r.type_name;
    validate_data_source_config "ValidateDataSourceConfig" validate_data_source_config |r| &r.type_name;
    read_data_source "ReadDataSource" read_data_source |r| &r.type_name;
    validate_ephemeral_resource_config "ValidateEphemeralResourceConfig" validate_ephemeral_resource_config |r| &r.type_name;
    open_ephemeral_resource "OpenEphemeralResource" open_ephemeral_resource |r| &r.type_name;
    renew_ephemeral_resource "RenewEphemeralResource" renew_ephemeral_resource |r| &r.type_name;
    close_ephemeral_resource "CloseEphemeralResource" close_ephemeral_resource |r| &r.type_name;
    validate_list_resource_config "ValidateListResourceConfig" validate_list_resource_config |r| &r.type_name;
    validate_action_config "ValidateActionConfig" validate_action_config |r| &r.action_type;
    plan_action "PlanAction" plan_action |r| &r.action_type;
}
