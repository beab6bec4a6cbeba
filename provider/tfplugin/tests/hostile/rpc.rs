//! Calls every RPC with garbage: the response is a diagnostic or a gRPC error, and the provider continues.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::sync::Once;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use prost_reflect::prost::{Message as _, bytes::Bytes};
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value as Field};
use serde_json::Value as Json;
use tfplugin::proto::{self, provider_server::ProviderServer};
use tfplugin::types::Type;
use tfplugin::{Server, Value, json, msgpack, testing};
use tokio::runtime::Runtime;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::Channel;

use crate::cost;
use crate::provider::{ARGUMENTS, Answers, DATA_SOURCE, ECHO, EPHEMERAL, Example, VERSION, schema};
use crate::requests::{Request, any_request, frame, method, requests};
use crate::run::{Input, Verdict, hold, replay};

thread_local! {
    /// The messages of panics on this thread.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Records every panic, including those that become a diagnostic.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            before(info);
        }));
    });
}

/// The response to a request.
struct Answer {
    code: Code,
    message: String,
    body: Vec<u8>,
}

/// A provider that runs on this thread, so that its panics are recorded.
struct Served {
    runtime: Runtime,
    channel: Channel,
    service: ProviderServer<Server>,
    sent: Cell<usize>,
}

impl Served {
    fn start() -> Self {
        note_panics();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let channel = runtime.block_on(testing::channel(Example));
        Self { runtime, channel, service: ProviderServer::new(Server::new(Example)), sent: Cell::new(0) }
    }

    /// Sends bytes as the body of a request.
    fn send<S>(&self, mut service: S, rpc: &str, body: &[u8]) -> Result<Answer, String>
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error: Display>,
    {
        let request = http::Request::post(format!("http://in.memory/tfplugin5.Provider/{rpc}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::new(Full::new(Bytes::copy_from_slice(body))))
            .expect("a request");
        let broken = |error: S::Error| format!("the connection failed: {error}");
        let answer = async {
            std::future::poll_fn(|context| service.poll_ready(context)).await.map_err(broken)?;
            let (head, body) = service.call(request).await.map_err(broken)?.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?;
            // A response without a message has its status in the headers.
            let trailers = body.trailers().cloned().unwrap_or_default();
            let find = |name: &str| {
                let value = trailers.get(name).or_else(|| head.headers.get(name));
                value.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
            };
            Ok(Answer {
                code: find("grpc-status").parse::<i32>().map_err(|_| "no status".to_owned())?.into(),
                message: find("grpc-message"),
                body: body.to_bytes().to_vec(),
            })
        };
        let limit = Duration::from_secs(20);
        let timed = self.runtime.block_on(async { tokio::time::timeout(limit, answer).await });
        timed.unwrap_or_else(|_| Err(format!("no answer after {} s", limit.as_secs())))
    }

    /// Checks the response to a request, and that the provider continues to serve. Most requests call the
    /// service directly, because a connection takes most of the time and is not code of this crate.
    fn answers(&self, request: &Request) -> Verdict {
        const CONNECTED: usize = 25;
        self.sent.set(self.sent.get() + 1);
        if self.sent.get().is_multiple_of(CONNECTED) { self.connected(request) } else { self.direct(request) }
    }

    fn direct(&self, request: &Request) -> Verdict {
        Self::judged(request, || self.send(self.service.clone(), &request.rpc, &request.body))
    }

    fn connected(&self, request: &Request) -> Verdict {
        Self::judged(request, || self.send(self.channel.clone(), &request.rpc, &request.body))?;
        let schemas = self.send(self.channel.clone(), "GetSchema", &frame(&[]))?;
        if schemas.code != Code::Ok || schemas.body.len() < 100 {
            return Err(format!("the provider no longer serves: {:?} {}", schemas.code, schemas.message));
        }
        Ok(())
    }

    fn judged(request: &Request, send: impl FnOnce() -> Result<Answer, String>) -> Verdict {
        PANICS.with_borrow_mut(Vec::clear);
        let answer = send()?;
        if let Some(panic) = PANICS.with_borrow(|panics| panics.first().cloned()) {
            return Err(format!("a panic: {panic}"));
        }
        judge(request, &answer)
    }
}

/// The message of a body with exactly one gRPC frame.
fn unframed(body: &[u8]) -> Option<&[u8]> {
    let (head, message) = body.split_at_checked(5)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    (head[0] == 0 && usize::try_from(length) == Ok(message.len())).then_some(message)
}

fn judge(request: &Request, answer: &Answer) -> Verdict {
    let method = method(&request.rpc);
    let said = || format!("{:?} {}", answer.code, answer.message);
    let received =
        unframed(&request.body).and_then(|bytes| DynamicMessage::decode(method.input(), bytes).ok());
    let Some(received) = received else {
        // tonic rejects a body that is not a message.
        let refused = matches!(
            answer.code,
            Code::Internal | Code::OutOfRange | Code::Unimplemented | Code::InvalidArgument
        );
        return if refused {
            Ok(())
        } else {
            Err(format!("the body is no message, but the response is {}", said()))
        };
    };
    if answer.code != Code::Ok {
        return Err(format!("the body is a message, but the response is {}", said()));
    }
    let message = unframed(&answer.body).ok_or("the response is not exactly one message")?;
    let message = DynamicMessage::decode(method.output(), message).map_err(|error| error.to_string())?;
    let refused = refusals(&message) > 0;
    match wrong(&request.rpc, &received) {
        Some(wrong) if !refused => return Err(format!("no error, although {wrong}: {message:?}")),
        _ => {}
    }
    if !refused {
        for (field, content) in message.fields() {
            let ty = if field.name() == "result" && request.rpc == "CallFunction" {
                Type::Dynamic
            } else {
                schema().ty()
            };
            if let Some(wrong) = content.as_message().and_then(|value| undecodable(value, &ty)) {
                return Err(format!("the field {} of the response does not decode: {wrong}", field.name()));
            }
        }
    }
    falls_back(&request.rpc, &received, &message)
}

/// The reason for which a request must be rejected.
fn wrong(rpc: &str, request: &DynamicMessage) -> Option<String> {
    let text = |field: &str| {
        request.get_field_by_name(field).and_then(|field| field.as_str().map(ToOwned::to_owned))
    };
    let resources: Vec<String> = Answers::ALL.map(Answers::type_name).into();
    let (name, known) = match rpc {
        "ListResource" | "ValidateListResourceConfig" | "UpgradeResourceIdentity" => {
            (text("type_name"), Vec::new())
        }
        "ValidateActionConfig" | "PlanAction" | "InvokeAction" => (text("action_type"), Vec::new()),
        "MoveResourceState" => (text("target_type_name"), Vec::new()),
        "CallFunction" => (text("name"), vec![ECHO.to_owned()]),
        _ if rpc.contains("DataSource") => (text("type_name"), vec![DATA_SOURCE.to_owned()]),
        _ if rpc.contains("Ephemeral") => (text("type_name"), vec![EPHEMERAL.to_owned()]),
        _ => (text("type_name"), resources),
    };
    if let Some(name) = name.filter(|name| !known.contains(name)) {
        return Some(format!("there is no {name:?}"));
    }
    if rpc == "ImportResourceState" && text("id").is_some_and(|id| id.is_empty()) {
        return Some("there is no id".to_owned());
    }
    if rpc == "CallFunction" {
        let arguments = request.get_field_by_name("arguments").expect("arguments").into_owned();
        let arguments: Vec<DynamicMessage> =
            arguments.as_list().unwrap_or_default().iter().filter_map(Field::as_message).cloned().collect();
        let types = std::iter::once(&ARGUMENTS[0]).chain(std::iter::repeat(&ARGUMENTS[1]));
        let wrong = arguments.iter().zip(types).find_map(|(value, ty)| undecodable(value, ty));
        return wrong.or_else(|| arguments.is_empty().then(|| "there is no argument".to_owned()));
    }
    if rpc == "UpgradeResourceState" {
        return wrong_state(request);
    }
    // The provider reads these values of a request.
    let fields = ["config", "state", "current_state", "prior_state", "proposed_new_state", "planned_state"];
    fields.iter().find_map(|field| {
        let value = request.get_field_by_name(field)?;
        undecodable(value.as_message()?, &schema().ty()).map(|error| format!("{field} is wrong: {error}"))
    })
}

fn wrong_state(request: &DynamicMessage) -> Option<String> {
    let version = request.get_field_by_name("version")?.as_i64();
    if version != Some(VERSION) {
        return Some(format!("the version is {version:?}"));
    }
    let state = request.get_field_by_name("raw_state")?;
    let bytes = state.as_message()?.get_field_by_name("json")?;
    match serde_json::from_slice::<Json>(bytes.as_bytes()?) {
        Ok(parsed) => json::decode(&parsed, &schema().ty()).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

/// The error of a value that does not fit the type. `None` for other messages.
fn undecodable(value: &DynamicMessage, ty: &Type) -> Option<String> {
    if value.descriptor().full_name() != "tfplugin5.DynamicValue" {
        return None;
    }
    read(value, ty).err()
}

fn read(value: &DynamicMessage, ty: &Type) -> Result<Value, String> {
    let bytes = |field: &str| {
        let field = value.get_field_by_name(field).expect("a field").into_owned();
        field.as_bytes().expect("bytes").to_vec()
    };
    let (packed, text) = (bytes("msgpack"), bytes("json"));
    if !packed.is_empty() {
        return msgpack::decode(&packed, ty).map_err(|error| error.to_string());
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let parsed: Json = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    json::decode(&parsed, ty).map_err(|error| error.to_string())
}

/// The number of errors anywhere in a response.
fn refusals(message: &DynamicMessage) -> usize {
    const ERROR: i32 = 1;
    match message.descriptor().full_name() {
        "tfplugin5.FunctionError" => return 1,
        "tfplugin5.Diagnostic" => {
            let severity = message.get_field_by_name("severity").and_then(|field| field.as_enum_number());
            return usize::from(severity == Some(ERROR));
        }
        _ => {}
    }
    let inside = |field: &Field| match field {
        Field::Message(message) => refusals(message),
        Field::List(items) => items.iter().filter_map(Field::as_message).map(refusals).sum(),
        _ => 0,
    };
    message.fields().map(|(_, field)| inside(field)).sum()
}

/// Checks that a new state of a wrong shape is replaced by the known part of the planned state.
fn falls_back(rpc: &str, request: &DynamicMessage, answer: &DynamicMessage) -> Verdict {
    let name = request.get_field_by_name("type_name");
    let name = name.as_ref().and_then(|name| name.as_str());
    if rpc != "ApplyResourceChange"
        || name != Some(&Answers::Misshapen.type_name())
        || wrong(rpc, request).is_some()
    {
        return Ok(());
    }
    let state = answer.get_field_by_name("new_state").ok_or("no state")?;
    let state = read(state.as_message().ok_or("no state")?, &schema().ty())?;
    if state.is_fully_known() { Ok(()) } else { Err(format!("the state has unknown values: {state:?}")) }
}

fn input(request: &Request) -> Input {
    Input::Rpc(request.rpc.clone(), request.body.clone())
}

#[test]
fn the_corpus_is_answered() {
    let served = Served::start();
    replay(|input| match input {
        Input::Rpc(rpc, body) => served.connected(&Request { rpc: rpc.clone(), body: body.clone() }),
        // The input has another type than the schema: the provider must not crash.
        Input::Json(_, json) => {
            let raw_state = Some(proto::RawState { json: json.clone(), ..Default::default() });
            let type_name = Answers::Expected.type_name();
            let message = proto::upgrade_resource_state::Request { type_name, version: VERSION, raw_state };
            let body = frame(&message.encode_to_vec());
            served.connected(&Request { rpc: "UpgradeResourceState".to_owned(), body })
        }
        Input::Msgpack(_, msgpack) => {
            let config = Some(proto::DynamicValue { msgpack: msgpack.clone(), ..Default::default() });
            let body = frame(&proto::prepare_provider_config::Request { config }.encode_to_vec());
            served.connected(&Request { rpc: "PrepareProviderConfig".to_owned(), body })
        }
    });
}

#[test]
fn every_rpc_answers_garbage_with_an_error_and_goes_on() {
    let served = Served::start();
    hold("rpc", any_request(), input, |request| served.answers(request));
}

#[test]
fn a_stored_state_is_upgraded_or_refused() {
    let served = Served::start();
    hold("upgrade", requests("UpgradeResourceState"), input, |request| served.answers(request));
}

#[test]
fn a_large_request_costs_what_its_size_is_worth() {
    const COUNT: usize = 30_000;
    let served = Served::start();
    let ty = schema().ty();
    let value = |name: &str, value: Value| testing::dynamic(&Value::map([(name, value)]), &ty);
    // Many unknown values, which a state must not have, each with a long path.
    let long = Value::map([("k".repeat(COUNT), Value::List(vec![Value::UNKNOWN; COUNT]))]);
    let long = Value::Dynamic(Box::new((Type::map(Type::list(Type::Bool)), long)));
    let read = proto::read_resource::Request {
        type_name: Answers::Expected.type_name(),
        current_state: value("any", long),
        ..Default::default()
    };
    // Two equal sets with their elements in reverse order.
    let count = 100_000;
    let set = |numbers: &mut dyn Iterator<Item = i64>| Value::List(numbers.map(Value::from).collect());
    let plan = proto::plan_resource_change::Request {
        type_name: Answers::Expected.type_name(),
        config: value("numbers", set(&mut (0..count))),
        proposed_new_state: value("numbers", set(&mut (0..count).rev())),
        ..Default::default()
    };
    for (rpc, message) in
        [("ReadResource", read.encode_to_vec()), ("PlanResourceChange", plan.encode_to_vec())]
    {
        let request = Request { rpc: rpc.to_owned(), body: frame(&message) };
        let start = Instant::now();
        let verdict = cost::bounded(message.len(), || served.direct(&request)).and_then(|verdict| verdict);
        assert_eq!(verdict, Ok(()), "{rpc}");
        assert!(start.elapsed() < Duration::from_secs(10), "{rpc} took {:?}", start.elapsed());
    }
}
