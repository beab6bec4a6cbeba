//! Strategies for types, values and numbers, including edge cases.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use tfplugin::msgpack;
use tfplugin::types::{ObjectType, Type};
use tfplugin::value::{Number, Value};

/// Names of attributes and keys of maps.
const NAMES: &[&str] = &["a", "name", "on", "ü", "", "a.b", "type", "value", "${x}", "\u{0}", "a\"b\\c"];

/// Strings with edge cases for decoders.
const TEXTS: &[&str] =
    &["", "\u{0}", "\"", "\\", "\u{feff}", "日本語", "\u{10ffff}", "null", "1", "e\u{301}", "\r\n"];

/// Numbers at the limits of formats and integer types.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "127",
    "128",
    "-32",
    "-33",
    "-128",
    "-129",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "0.1",
    "1e400",
    "1e-400",
    "1.7976931348623157e308",
    "123456789012345678901234567890.123456789012345678901234567890",
];

/// Any type, a few levels deep.
pub(crate) fn ty() -> BoxedStrategy<Type> {
    nested_type(4, 12)
}

fn nested_type(depth: u32, size: u32) -> BoxedStrategy<Type> {
    let leaf = prop_oneof![
        2 => Just(Type::Bool),
        3 => Just(Type::Number),
        3 => Just(Type::String),
        1 => Just(Type::Dynamic)
    ];
    let deeper = |inner: BoxedStrategy<Type>| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            vec(inner.clone(), 0..4).prop_map(Type::Tuple),
            object(inner),
        ]
    };
    leaf.prop_recursive(depth, size, 3, deeper).boxed()
}

fn object(attribute: BoxedStrategy<Type>) -> impl Strategy<Value = Type> {
    btree_map(select(NAMES), (attribute, any::<bool>()), 0..4).prop_map(|attributes| {
        let optional = attributes.iter().filter(|(_, (_, optional))| *optional);
        let optional: BTreeSet<String> = optional.map(|(name, _)| (*name).to_owned()).collect();
        let attributes = attributes.into_iter().map(|(name, (ty, _))| (name.to_owned(), ty)).collect();
        Type::Object(ObjectType { attributes, optional })
    })
}

/// Any string.
pub(crate) fn text() -> BoxedStrategy<String> {
    // Lengths at which MessagePack uses a longer header.
    let long = select(&[31_usize, 32, 255, 256, 65535, 65536]).prop_map(|length| "x".repeat(length));
    prop_oneof![
        200 => vec(any::<char>(), 0..8).prop_map(String::from_iter),
        200 => select(TEXTS).prop_map(str::to_owned),
        1 => long,
    ]
    .boxed()
}

/// The text of a number in the form of any encoder.
fn number_text() -> BoxedStrategy<String> {
    let digits = |count| {
        vec(0..10_u8, count).prop_map(|digits| digits.iter().map(ToString::to_string).collect::<String>())
    };
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        select(NUMBERS).prop_map(str::to_owned),
        (any::<bool>(), digits(1..60), digits(0..60))
            .prop_map(|(negative, whole, rest)| format!("{}{whole}.{rest}", if negative { "-" } else { "" })),
        (any::<i32>(), -400..=400).prop_map(|(mantissa, exponent)| format!("{mantissa}e{exponent}")),
    ]
    .boxed()
}

/// Any number.
fn number() -> impl Strategy<Value = Number> {
    let text = number_text().prop_map(|text| Number::parse(&text).expect("a number"));
    let float = any::<f64>().prop_map(|float| Number::from_f64(float).unwrap_or_else(|| 0_i64.into()));
    prop_oneof![4 => text, 1 => float]
}

/// An unknown value, with or without a refinement.
fn unknown() -> impl Strategy<Value = Value> {
    let refined = vec(any::<u8>(), 0..20).prop_map(|payload| {
        let mut bytes = vec![0xc7, u8::try_from(payload.len()).expect("short"), 0x0c];
        bytes.extend(payload);
        msgpack::decode(&bytes, &Type::String).expect("an unknown value")
    });
    prop_oneof![Just(Value::UNKNOWN), refined]
}

/// The choice between values with and without unknown parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// No part is unknown, as in a state.
    Known,
    /// Parts may be unknown, as in a plan.
    MayBeUnknown,
}

/// Any value of a type.
pub(crate) fn value(ty: &Type, parts: Parts) -> BoxedStrategy<Value> {
    let list = |element: &Type| vec(value(element, parts), 0..4).prop_map(Value::List).boxed();
    let present = match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => number().prop_map(Value::Number).boxed(),
        Type::String => text().prop_map(Value::String).boxed(),
        Type::Dynamic => {
            let inner = nested_type(2, 4);
            inner
                .prop_flat_map(move |ty| {
                    let value = value(&ty, parts);
                    value.prop_map(move |value| Value::Dynamic(Box::new((ty.clone(), value))))
                })
                .boxed()
        }
        Type::List(element) | Type::Set(element) => list(element),
        Type::Map(element) => {
            let key = prop_oneof![select(NAMES).prop_map(str::to_owned), text()];
            btree_map(key, value(element, parts), 0..4).prop_map(Value::Map).boxed()
        }
        Type::Tuple(types) => {
            types.iter().map(|ty| value(ty, parts)).collect::<Vec<_>>().prop_map(Value::List).boxed()
        }
        Type::Object(object) => {
            let attributes = object.attributes.iter();
            let (names, values): (Vec<String>, Vec<_>) =
                attributes.map(|(name, ty)| (name.clone(), value(ty, parts))).unzip();
            let named =
                move |values: Vec<Value>| names.iter().cloned().zip(values).collect::<BTreeMap<_, _>>();
            values.prop_map(move |values| Value::Map(named(values))).boxed()
        }
    };
    match parts {
        Parts::Known => prop_oneof![9 => present, 1 => Just(Value::Null)].boxed(),
        Parts::MayBeUnknown => prop_oneof![8 => present, 1 => Just(Value::Null), 1 => unknown()].boxed(),
    }
}

/// Any type with any value of that type.
pub(crate) fn typed(parts: Parts) -> impl Strategy<Value = (Type, Value)> {
    ty().prop_flat_map(move |ty| {
        let value = value(&ty, parts);
        (Just(ty), value)
    })
}
