//! Requests of every RPC of the protocol, with missing, wrong and valid fields.

use std::collections::HashMap;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor};
use prost_reflect::{MethodDescriptor, Value as Field};
use tfplugin::msgpack;
use tfplugin::types::Type;

use crate::bytes::{hostile_json, hostile_msgpack, mutated};
use crate::provider::{ARGUMENTS, Answers, DATA_SOURCE, ECHO, EPHEMERAL, VERSION, schema};
use crate::values::{Parts, text, value};
use crate::{run, wire};

/// The compiled protocol. New RPCs and fields are tested without a change here.
static PROTOCOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let descriptors = include_bytes!(concat!(env!("OUT_DIR"), "/protocol.bin"));
    DescriptorPool::decode(descriptors.as_slice()).expect("descriptors")
});

/// Every RPC of the provider.
pub(crate) fn methods() -> Vec<MethodDescriptor> {
    PROTOCOL.get_service_by_name("tfplugin5.Provider").expect("the service").methods().collect()
}

/// The RPC of this name.
pub(crate) fn method(name: &str) -> MethodDescriptor {
    methods()
        .into_iter()
        .find(|method| method.name() == name)
        .unwrap_or_else(|| panic!("there is no RPC {name}"))
}

/// A request: the name of its RPC and the body of its HTTP request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) rpc: String,
    pub(crate) body: Vec<u8>,
}

/// Requests of any RPC.
pub(crate) fn any_request() -> impl Strategy<Value = Request> {
    let values = Values::new();
    let requests: Vec<_> = methods().into_iter().map(|method| request(&method, &values)).collect();
    select(requests).prop_flat_map(|request| request)
}

/// Requests of one RPC.
pub(crate) fn requests(rpc: &str) -> impl Strategy<Value = Request> {
    request(&method(rpc), &Values::new())
}

fn request(method: &MethodDescriptor, values: &Values) -> BoxedStrategy<Request> {
    let rpc = method.name().to_owned();
    let good = message(&method.input(), values).prop_map(|message| message.encode_to_vec()).boxed();
    let pieces: &[&[u8]] =
        &[b"\x0a\xff\xff\xff\xff\x0f", b"\x0b", b"\x0c", b"\xff", b"\x0a\x00", b"\x08\x80"];
    let message = prop_oneof![8 => good.clone(), 1 => mutated(good, pieces)];
    let frame = prop_oneof![
        12 => Just(Frame::Right),
        1 => Just(Frame::Missing),
        1 => Just(Frame::Compressed),
        1 => any::<u32>().prop_map(Frame::Length),
    ];
    (message, frame)
        .prop_map(move |(message, frame)| Request { rpc: rpc.clone(), body: frame.around(&message) })
        .boxed()
}

/// The gRPC frame before a message: a flag for compression, and the length in four bytes.
#[derive(Clone, Debug)]
enum Frame {
    Right,
    Missing,
    Compressed,
    Length(u32),
}

impl Frame {
    fn around(&self, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("a short message");
        match self {
            Self::Right => frame(message),
            Self::Missing => message.to_vec(),
            Self::Compressed => [&[1], length.to_be_bytes().as_slice(), message].concat(),
            Self::Length(length) => [&[0], length.to_be_bytes().as_slice(), message].concat(),
        }
    }
}

/// A message in a gRPC frame.
pub(crate) fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    [&[0], length.to_be_bytes().as_slice(), message].concat()
}

/// Bytes for the fields with a value.
struct Values {
    configs: BoxedStrategy<Vec<u8>>,
    states: BoxedStrategy<Vec<u8>>,
    arguments: BoxedStrategy<Vec<u8>>,
}

impl Values {
    fn new() -> Self {
        fn packed(ty: Type) -> impl Strategy<Value = Vec<u8>> {
            let values = value(&ty, Parts::MayBeUnknown);
            values.prop_map(move |value| msgpack::encode(&value, &ty).expect("a value of its type"))
        }
        let ty = schema().ty();
        let states = value(&ty, Parts::Known).prop_map({
            let ty = ty.clone();
            move |value| wire::json(&value, &ty).into_bytes()
        });
        let [first, rest] = ARGUMENTS.map(packed);
        Self {
            configs: drawn(packed(ty)),
            states: drawn(states),
            arguments: prop_oneof![1 => first, 2 => rest].boxed(),
        }
    }
}

/// Values drawn once and then selected from: a value of the schema is large, and requests have several.
fn drawn(strategy: impl Strategy<Value = Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let mut runner = run::runner();
    let count = (runner.config().cases / 20).min(10_000);
    let draw = |_| strategy.new_tree(&mut runner).expect("a value").current();
    select((0..count).map(draw).collect::<Vec<_>>()).boxed()
}

/// A message with most of its fields.
fn message(descriptor: &MessageDescriptor, values: &Values) -> BoxedStrategy<DynamicMessage> {
    let fields: Vec<_> =
        descriptor.fields().map(|field| option::weighted(0.85, content(&field, values))).collect();
    let descriptor = descriptor.clone();
    fields
        .prop_map(move |fields| {
            let mut message = DynamicMessage::new(descriptor.clone());
            for (field, content) in descriptor.fields().zip(fields) {
                if let Some(content) = content {
                    message.set_field(&field, content);
                }
            }
            message
        })
        .boxed()
}

fn content(field: &FieldDescriptor, values: &Values) -> BoxedStrategy<Field> {
    if field.is_map() {
        let entries = vec((text().prop_map(MapKey::String), text().prop_map(Field::String)), 0..3);
        return entries
            .prop_map(|entries| Field::Map(entries.into_iter().collect::<HashMap<_, _>>()))
            .boxed();
    }
    let one = match field.kind() {
        Kind::String => string(field.name()),
        Kind::Bytes => vec(any::<u8>(), 0..20).prop_map(|bytes| Field::Bytes(bytes.into())).boxed(),
        Kind::Bool => any::<bool>().prop_map(Field::Bool).boxed(),
        Kind::Int64 => prop_oneof![
            4 => Just(VERSION),
            1 => any::<i64>(),
            1 => select(&[0, -1, i64::MIN, i64::MAX]),
        ]
        .prop_map(Field::I64)
        .boxed(),
        Kind::Message(inner) => match inner.full_name() {
            "tfplugin5.DynamicValue" if field.name() == "arguments" => {
                dynamic(&inner, &values.arguments, values)
            }
            "tfplugin5.DynamicValue" => dynamic(&inner, &values.configs, values),
            "tfplugin5.RawState" => raw_state(&inner, values),
            _ => message(&inner, values).prop_map(Field::Message).boxed(),
        },
        kind => panic!("add a strategy for fields of kind {kind:?}"),
    };
    if field.is_list() { vec(one, 0..4).prop_map(Field::List).boxed() } else { one }
}

fn string(name: &str) -> BoxedStrategy<Field> {
    let known: Vec<String> = match name {
        "type_name" | "target_type_name" | "source_type_name" | "action_type" => {
            let resources = Answers::ALL.map(Answers::type_name).into_iter();
            resources.chain([DATA_SOURCE.to_owned(), EPHEMERAL.to_owned()]).collect()
        }
        "name" => vec![ECHO.to_owned()],
        _ => vec!["x".to_owned()],
    };
    prop_oneof![6 => select(known), 1 => text()].prop_map(Field::String).boxed()
}

/// A value of a request, as MessagePack or JSON.
fn dynamic(
    descriptor: &MessageDescriptor,
    good: &BoxedStrategy<Vec<u8>>,
    values: &Values,
) -> BoxedStrategy<Field> {
    let descriptor = descriptor.clone();
    let of = move |field: &'static str, bytes: BoxedStrategy<Vec<u8>>| {
        let descriptor = descriptor.clone();
        bytes
            .prop_map(move |bytes| {
                let mut message = DynamicMessage::new(descriptor.clone());
                message.set_field_by_name(field, Field::Bytes(bytes.into()));
                Field::Message(message)
            })
            .boxed()
    };
    prop_oneof![
        6 => of("msgpack", good.clone()),
        3 => of("msgpack", hostile_msgpack(good.clone()).boxed()),
        1 => of("msgpack", Just(vec![0xc0]).boxed()),
        1 => of("msgpack", Just(vec![0xd4, 0, 0]).boxed()),
        1 => of("msgpack", vec(any::<u8>(), 0..30).boxed()),
        1 => of("json", values.states.clone()),
        1 => of("json", hostile_json(values.states.clone()).boxed()),
    ]
    .boxed()
}

/// A stored state, valid or changed.
fn raw_state(descriptor: &MessageDescriptor, values: &Values) -> BoxedStrategy<Field> {
    let json = prop_oneof![2 => values.states.clone(), 3 => hostile_json(values.states.clone()).boxed()];
    let flatmap = vec((text(), text()), 0..2);
    let descriptor = descriptor.clone();
    (json, option::weighted(0.1, flatmap))
        .prop_map(move |(json, flatmap)| {
            let mut message = DynamicMessage::new(descriptor.clone());
            message.set_field_by_name("json", Field::Bytes(json.into()));
            if let Some(flatmap) = flatmap {
                let entries =
                    flatmap.into_iter().map(|(key, value)| (MapKey::String(key), Field::String(value)));
                message.set_field_by_name("flatmap", Field::Map(entries.collect()));
            }
            Field::Message(message)
        })
        .boxed()
}
