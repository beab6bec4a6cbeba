//! Calls every RPC of protocol 5.10 with valid and with invalid input, and checks the responses.

#![allow(clippy::needless_update, reason = "some requests have only the fields that a table sets")]

use std::sync::Arc;

use async_trait::async_trait;
use tfplugin::proto::{self, provider_client::ProviderClient};
use tfplugin::provider::{
    ApplyRequest, ApplyResponse, ConfigureRequest, Context, DataSource, EphemeralResource, Function,
    FunctionError, Imported, Opened, Parameter, PlanRequest, PlanResponse, Provider, ReadRequest,
    ReadResponse, Resource, Signature,
};
use tfplugin::schema::{Attribute, Block, Mode, Schema};
use tfplugin::testing::{client, dynamic, value};
use tfplugin::types::Type;
use tfplugin::{Diagnostic, Path, Value};
use tokio::sync::Notify;
use tonic::transport::Channel;

struct Example;

fn schema() -> Schema {
    let mut secret = Attribute::new("secret", Type::String, Mode::Optional, "");
    secret.write_only = true;
    let attributes = vec![
        Attribute::new("name", Type::String, Mode::Required, ""),
        Attribute::new("size", Type::Number, Mode::Computed, ""),
        secret,
    ];
    Schema { version: 1, block: Block { attributes, ..Block::default() } }
}

fn thing(name: &str, size: Value, secret: Value) -> Value {
    Value::map([("name", name.into()), ("size", size), ("secret", secret)])
}

#[async_trait]
impl Provider for Example {
    fn schema(&self) -> Schema {
        schema()
    }

    async fn validate(&self, config: Value) -> Vec<Diagnostic> {
        refuse_bad(&config)
    }

    async fn configure(&self, request: ConfigureRequest) -> Vec<Diagnostic> {
        refuse_bad(&request.config)
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![Arc::new(Thing)]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        vec![Arc::new(Thing)]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Length)]
    }

    fn ephemeral_resources(&self) -> Vec<Arc<dyn EphemeralResource>> {
        vec![Arc::new(Thing)]
    }
}

fn refuse_bad(config: &Value) -> Vec<Diagnostic> {
    match config.get("name").as_str() {
        Some("bad") => vec![Diagnostic::error("bad", "a bad name").at(Path::attribute("name"))],
        Some("panic") => panic!("the input requires a panic"),
        _ => Vec::new(),
    }
}

/// Notified when the plan that waits for a Stop has started.
static PLANNING: Notify = Notify::const_new();

struct Thing;

#[async_trait]
impl Resource for Thing {
    fn type_name(&self) -> String {
        "example_thing".to_owned()
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn validate(&self, config: Value) -> Vec<Diagnostic> {
        refuse_bad(&config)
    }

    async fn read(&self, request: ReadRequest, _context: Context) -> ReadResponse {
        ReadResponse { state: request.state, private: request.private, diagnostics: Vec::new() }
    }

    async fn plan(&self, request: PlanRequest, context: Context) -> PlanResponse {
        if request.config.get("name").as_str() == Some("endless") {
            PLANNING.notify_one();
            context.stop.stopped().await;
            let diagnostics = vec![Diagnostic::error("stopped", "")];
            return PlanResponse { diagnostics, ..Default::default() };
        }
        let mut planned = request.proposed;
        let diagnostics = refuse_bad(&request.config);
        if let Value::Map(_) = planned {
            planned.set("size", Value::UNKNOWN);
            if planned.get("name").as_str() == Some("broken") {
                planned.set("name", "other".into());
            }
        }
        PlanResponse {
            planned,
            diagnostics,
            requires_replace: vec![Path::attribute("name")],
            ..Default::default()
        }
    }

    async fn apply(&self, request: ApplyRequest, _context: Context) -> ApplyResponse {
        let mut state = request.planned;
        if let Value::Map(_) = state {
            let broken = state.get("name").as_str() == Some("broken");
            state.set("size", if broken { Value::UNKNOWN } else { 5.into() });
        }
        ApplyResponse { state, ..Default::default() }
    }

    async fn import(&self, id: String, _context: Context) -> Result<Imported, Vec<Diagnostic>> {
        Ok(Imported { state: thing(&id, 5.into(), Value::Null), diagnostics: Vec::new() })
    }
}

#[async_trait]
impl DataSource for Thing {
    fn type_name(&self) -> String {
        "example_thing".to_owned()
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn validate(&self, config: Value) -> Vec<Diagnostic> {
        refuse_bad(&config)
    }

    async fn read(&self, config: Value, _context: Context) -> Result<Value, Vec<Diagnostic>> {
        Ok(thing(config.get("name").as_str().unwrap_or_default(), 7.into(), Value::Null))
    }
}

#[async_trait]
impl EphemeralResource for Thing {
    fn type_name(&self) -> String {
        "example_thing".to_owned()
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn open(&self, config: Value, _context: Context) -> Result<Opened, Vec<Diagnostic>> {
        let name = config.get("name").as_str().unwrap_or_default().to_owned();
        Ok(Opened { result: thing(&name, 9.into(), Value::Null), private: name.into_bytes(), renew_at: None })
    }
}

struct Length;

#[async_trait]
impl Function for Length {
    fn name(&self) -> String {
        "length".to_owned()
    }

    fn signature(&self) -> Signature {
        let parameter = Parameter {
            name: "text".into(),
            ty: Type::String,
            description: String::new(),
            allow_null: false,
        };
        Signature {
            summary: "Length".into(),
            description: String::new(),
            parameters: vec![parameter],
            variadic: None,
            returns: Type::Number,
        }
    }

    async fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        match arguments[0].as_str() {
            Some("panic") => panic!("the input requires a panic"),
            Some(text) => Ok(i64::try_from(text.len()).unwrap_or_default().into()),
            None => Err(FunctionError { text: "no text".into(), argument: Some(0) }),
        }
    }
}

type Client = ProviderClient<Channel>;

fn config(name: &str) -> Option<proto::DynamicValue> {
    dynamic(&thing(name, Value::Null, "s3cret".into()), &schema().ty())
}

// An `Option`, like the fields of requests.
#[allow(clippy::unnecessary_wraps)]
fn garbage() -> Option<proto::DynamicValue> {
    Some(proto::DynamicValue { msgpack: vec![0xc1, 0xff, 0x00], json: Vec::new() })
}

fn summaries(diagnostics: &[proto::Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.summary.as_str()).collect()
}

const TYPE: &str = "example_thing";

#[tokio::test]
async fn declarations_are_answered() {
    let mut client: Client = client(Example).await;
    let metadata = client.get_metadata(proto::get_metadata::Request {}).await.unwrap().into_inner();
    assert_eq!(metadata.resources[0].type_name, TYPE);
    assert_eq!(metadata.data_sources.len(), 1);
    assert_eq!(metadata.functions[0].name, "length");
    assert_eq!(metadata.ephemeral_resources.len(), 1);
    assert!(metadata.server_capabilities.unwrap().plan_destroy);
    let schemas = client.get_schema(proto::get_provider_schema::Request {}).await.unwrap().into_inner();
    assert_eq!(schemas.resource_schemas[TYPE].version, 1);
    assert!(schemas.resource_schemas[TYPE].block.as_ref().unwrap().attributes[2].write_only);
    let functions = client.get_functions(proto::get_functions::Request {}).await.unwrap().into_inner();
    assert_eq!(functions.functions["length"].parameters.len(), 1);
    let request = proto::get_resource_identity_schemas::Request {};
    let identities = client.get_resource_identity_schemas(request).await.unwrap().into_inner();
    assert!(identities.identity_schemas.is_empty() && identities.diagnostics.is_empty());
    assert_eq!(client.stop(proto::stop::Request {}).await.unwrap().into_inner().error, "");
}

/// Calls an RPC with a type name and a value, and returns the summaries of its diagnostics.
macro_rules! diagnose {
    ($client:ident . $rpc:ident ( $message:ident { $($field:ident : $value:expr),* } )) => {{
        let request = proto::$message::Request { $($field: $value,)* ..Default::default() };
        let response = $client.$rpc(request).await.expect("no gRPC error").into_inner();
        summaries(&response.diagnostics).into_iter().map(ToOwned::to_owned).collect::<Vec<String>>()
    }};
}

#[tokio::test]
async fn every_rpc_takes_valid_input_and_refuses_the_rest_with_a_diagnostic() {
    let mut client: Client = client(Example).await;
    let none: Vec<String> = Vec::new();
    let bad = vec!["bad".to_owned()];
    let panicked = vec!["The provider panicked".to_owned()];
    let malformed = vec!["Malformed value".to_owned()];
    let unknown = |kind: &str| vec![format!("Unknown {kind}")];
    let name = || TYPE.to_owned();
    let nothing = || "example_nothing".to_owned();

    // Every RPC with a configuration: valid, rejected, with a panic, not decodable.
    macro_rules! table {
        ($($rpc:ident $message:ident $(: $type_name:ident $kind:literal)?;)*) => {$(
            for (given, expected) in [
                (config("good"), &none), (config("bad"), &bad), (config("panic"), &panicked), (garbage(), &malformed),
            ] {
                assert_eq!(&diagnose!(client.$rpc($message { config: given $(, $type_name: name())? })), expected);
            }
            $(assert_eq!(diagnose!(client.$rpc($message { config: config("good"), $type_name: nothing() })), unknown($kind));)?
        )*};
    }
    table! {
        prepare_provider_config prepare_provider_config;
        configure configure;
        validate_resource_type_config validate_resource_type_config: type_name "resource type";
        validate_data_source_config validate_data_source_config: type_name "data source";
    }

    // Ephemeral resources.
    assert_eq!(
        diagnose!(client.validate_ephemeral_resource_config(validate_ephemeral_resource_config {
            type_name: name(),
            config: config("a")
        })),
        none
    );
    assert_eq!(
        diagnose!(client.validate_ephemeral_resource_config(validate_ephemeral_resource_config {
            type_name: nothing(),
            config: config("a")
        })),
        unknown("ephemeral resource")
    );
    assert_eq!(
        diagnose!(
            client
                .open_ephemeral_resource(open_ephemeral_resource { type_name: name(), config: config("a") })
        ),
        none
    );
    assert_eq!(
        diagnose!(
            client.open_ephemeral_resource(open_ephemeral_resource { type_name: name(), config: garbage() })
        ),
        malformed
    );
    assert_eq!(
        diagnose!(client.renew_ephemeral_resource(renew_ephemeral_resource { type_name: name() })),
        none
    );
    assert_eq!(
        diagnose!(client.renew_ephemeral_resource(renew_ephemeral_resource { type_name: nothing() })),
        unknown("ephemeral resource")
    );
    assert_eq!(
        diagnose!(client.close_ephemeral_resource(close_ephemeral_resource { type_name: name() })),
        none
    );
    assert_eq!(
        diagnose!(client.close_ephemeral_resource(close_ephemeral_resource { type_name: nothing() })),
        unknown("ephemeral resource")
    );

    // List resources, actions and others that the provider does not declare.
    assert_eq!(
        diagnose!(client.validate_list_resource_config(validate_list_resource_config { type_name: name() })),
        unknown("list resource")
    );
    assert_eq!(
        diagnose!(client.validate_action_config(validate_action_config { action_type: name() })),
        unknown("action")
    );
    assert_eq!(diagnose!(client.plan_action(plan_action { action_type: name() })), unknown("action"));
    assert_eq!(
        diagnose!(client.upgrade_resource_identity(upgrade_resource_identity { type_name: name() })),
        ["The resource has no identity"]
    );
    assert_eq!(
        diagnose!(client.upgrade_resource_identity(upgrade_resource_identity { type_name: nothing() })),
        unknown("resource type")
    );
    assert_eq!(
        diagnose!(client.move_resource_state(move_resource_state { target_type_name: name() })),
        ["Move is not supported"]
    );
    assert_eq!(
        diagnose!(client.move_resource_state(move_resource_state { target_type_name: nothing() })),
        unknown("resource type")
    );
    let mut events =
        client.list_resource(proto::list_resource::Request::default()).await.unwrap().into_inner();
    assert_eq!(summaries(&events.message().await.unwrap().unwrap().diagnostic), ["Unknown list resource"]);
    let mut events =
        client.invoke_action(proto::invoke_action::Request::default()).await.unwrap().into_inner();
    let event = events.message().await.unwrap().unwrap().r#type.unwrap();
    let proto::invoke_action::event::Type::Completed(completed) = event else { panic!("{event:?}") };
    assert_eq!(summaries(&completed.diagnostics), ["Unknown action"]);

    // The RPCs of a resource with undecodable values and unknown types.
    assert_eq!(
        diagnose!(client.read_resource(read_resource { type_name: name(), current_state: garbage() })),
        malformed
    );
    assert_eq!(
        diagnose!(client.read_resource(read_resource { type_name: nothing() })),
        unknown("resource type")
    );
    assert_eq!(
        diagnose!(client.plan_resource_change(plan_resource_change { type_name: name(), config: garbage() })),
        malformed
    );
    assert_eq!(
        diagnose!(client.plan_resource_change(plan_resource_change { type_name: nothing() })),
        unknown("resource type")
    );
    assert_eq!(
        diagnose!(
            client
                .apply_resource_change(apply_resource_change { type_name: name(), planned_state: garbage() })
        ),
        malformed
    );
    assert_eq!(
        diagnose!(client.apply_resource_change(apply_resource_change { type_name: nothing() })),
        unknown("resource type")
    );
    assert_eq!(
        diagnose!(client.import_resource_state(import_resource_state { type_name: name() })),
        ["An import requires an id"]
    );
    assert_eq!(
        diagnose!(client.import_resource_state(import_resource_state { type_name: nothing(), id: name() })),
        unknown("resource type")
    );
    assert_eq!(
        diagnose!(
            client.generate_resource_config(generate_resource_config { type_name: name(), state: garbage() })
        ),
        malformed
    );
    assert_eq!(
        diagnose!(client.read_data_source(read_data_source { type_name: name(), config: garbage() })),
        malformed
    );
    assert_eq!(
        diagnose!(client.read_data_source(read_data_source { type_name: nothing() })),
        unknown("data source")
    );
    let raw = |json: &[u8]| Some(proto::RawState { json: json.to_vec(), ..Default::default() });
    for (version, state, expected) in [
        (1, raw(br#"{"name":"a","gone":1}"#), none.clone()),
        (0, raw(br#"{"name":"a"}"#), vec!["The state has another schema version".to_owned()]),
        (1, raw(b"{"), vec!["The stored state cannot be read".to_owned()]),
        (1, raw(br#"{"name":["a"]}"#), vec!["The stored state cannot be read".to_owned()]),
        (1, None, vec!["The stored state cannot be read".to_owned()]),
    ] {
        assert_eq!(
            diagnose!(client.upgrade_resource_state(upgrade_resource_state {
                type_name: name(),
                version: version,
                raw_state: state
            })),
            expected
        );
    }
}

#[tokio::test]
async fn a_resource_lives_and_write_only_values_never_leave() {
    let mut client: Client = client(Example).await;
    let ty = schema().ty();
    let planned = client
        .plan_resource_change(proto::plan_resource_change::Request {
            type_name: TYPE.to_owned(),
            config: config("a"),
            proposed_new_state: config("a"),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(value(planned.planned_state.as_ref(), &ty), thing("a", Value::UNKNOWN, Value::Null));
    assert_eq!(planned.requires_replace.len(), 1);
    let applied = client
        .apply_resource_change(proto::apply_resource_change::Request {
            type_name: TYPE.to_owned(),
            config: config("a"),
            planned_state: planned.planned_state,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(value(applied.new_state.as_ref(), &ty), thing("a", 5.into(), Value::Null));
    assert!(applied.diagnostics.is_empty());
    let read = proto::read_resource::Request {
        type_name: TYPE.to_owned(),
        current_state: applied.new_state.clone(),
        private: vec![1, 2],
        ..Default::default()
    };
    let read = client.read_resource(read).await.unwrap().into_inner();
    assert_eq!((read.new_state.as_ref(), read.private), (applied.new_state.as_ref(), vec![1, 2]));
    let imported = proto::import_resource_state::Request {
        type_name: TYPE.to_owned(),
        id: "x".into(),
        ..Default::default()
    };
    let imported = client.import_resource_state(imported).await.unwrap().into_inner().imported_resources;
    assert_eq!(value(imported[0].state.as_ref(), &ty), thing("x", 5.into(), Value::Null));
    let generate = proto::generate_resource_config::Request {
        type_name: TYPE.to_owned(),
        state: imported[0].state.clone(),
    };
    let generated = client.generate_resource_config(generate).await.unwrap().into_inner();
    assert_eq!(value(generated.config.as_ref(), &ty), thing("x", Value::Null, Value::Null));
    let destroy = proto::plan_resource_change::Request {
        type_name: TYPE.to_owned(),
        prior_state: applied.new_state,
        proposed_new_state: dynamic(&Value::Null, &ty),
        config: dynamic(&Value::Null, &ty),
        ..Default::default()
    };
    let destroy = client.plan_resource_change(destroy).await.unwrap().into_inner();
    assert!(value(destroy.planned_state.as_ref(), &ty).is_null() && destroy.diagnostics.is_empty());
}

#[tokio::test]
async fn answers_that_break_terraforms_rules_are_named_with_their_path() {
    let mut client: Client = client(Example).await;
    let plan = proto::plan_resource_change::Request {
        type_name: TYPE.to_owned(),
        config: config("broken"),
        proposed_new_state: config("broken"),
        ..Default::default()
    };
    let planned = client.plan_resource_change(plan).await.unwrap().into_inner();
    assert!(planned.diagnostics[0].detail.contains("- name: the planned value is not the configured one"));
    let apply = proto::apply_resource_change::Request {
        type_name: TYPE.to_owned(),
        config: config("broken"),
        planned_state: dynamic(&thing("broken", Value::UNKNOWN, Value::Null), &schema().ty()),
        ..Default::default()
    };
    let applied = client.apply_resource_change(apply).await.unwrap().into_inner();
    assert!(
        applied.diagnostics[0].detail.contains("- size: the value is unknown"),
        "{:?}",
        applied.diagnostics
    );
}

#[tokio::test]
async fn functions_are_called() {
    let mut client: Client = client(Example).await;
    let text = |text: &str| dynamic(&text.into(), &Type::String).unwrap();
    for (name, arguments, expected) in [
        ("length", vec![text("four")], Ok(4)),
        ("length", vec![text("panic")], Err("requires a panic")),
        ("length", vec![dynamic(&Value::Null, &Type::String).unwrap()], Err("no text")),
        ("length", vec![], Err("takes 1 arguments, not 0")),
        ("length", vec![text("a"), text("b")], Err("takes 1 arguments, not 2")),
        ("length", vec![garbage().unwrap()], Err("does not fit")),
        ("nothing", vec![], Err("no function `nothing`")),
    ] {
        let request = proto::call_function::Request { name: name.to_owned(), arguments };
        let response = client.call_function(request).await.unwrap().into_inner();
        match expected {
            Ok(number) => assert_eq!(value(response.result.as_ref(), &Type::Number), Value::from(number)),
            Err(part) => {
                let text = response.error.unwrap().text;
                assert!(text.contains(part), "{text}");
            }
        }
    }
}

fn plan_of(name: &str) -> proto::plan_resource_change::Request {
    proto::plan_resource_change::Request {
        type_name: TYPE.to_owned(),
        config: config(name),
        proposed_new_state: config(name),
        ..Default::default()
    }
}

#[tokio::test]
async fn stop_ends_what_runs_and_is_re_armed() {
    let mut client: Client = client(Example).await;
    for _ in 0..2 {
        let mut other = client.clone();
        let running = tokio::spawn(async move { other.plan_resource_change(plan_of("endless")).await });
        PLANNING.notified().await;
        client.stop(proto::stop::Request {}).await.unwrap();
        let stopped = running.await.unwrap().unwrap().into_inner();
        assert_eq!(summaries(&stopped.diagnostics), ["stopped"]);
    }
}

#[tokio::test]
async fn messages_of_256_mib_pass() {
    let mut client: Client = client(Example).await;
    let validate = |mib: usize| proto::validate_resource_type_config::Request {
        type_name: TYPE.to_owned(),
        config: config(&"x".repeat(mib << 20)),
        ..Default::default()
    };
    let answer = client.validate_resource_type_config(validate(255)).await.unwrap().into_inner();
    assert!(answer.diagnostics.is_empty());
    // A larger message is rejected, and the provider continues to serve.
    let mut unlimited = client.clone().max_encoding_message_size(usize::MAX);
    let refused = unlimited.validate_resource_type_config(validate(257)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::OutOfRange, "{refused}");
    client.validate_resource_type_config(validate(1)).await.unwrap();
}

#[test]
fn every_rpc_of_the_protocol_is_called_here() {
    let protocol = include_str!("../proto/tfplugin5.proto");
    let rpcs = protocol.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
    let snake = |name: &str| {
        let mut snake = String::new();
        for letter in name.trim().chars() {
            if letter.is_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        snake
    };
    let source: String = include_str!("rpc.rs").split_whitespace().collect();
    let called = |rpc: &str| source.contains(&format!(".{rpc}(")) || source.contains(&format!("{rpc}{rpc}"));
    let rpcs: Vec<String> = rpcs.map(snake).collect();
    assert!(rpcs.len() > 25, "{rpcs:?}");
    let missing: Vec<&String> = rpcs.iter().filter(|rpc| !called(rpc)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
