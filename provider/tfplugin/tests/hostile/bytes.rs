//! Values of requests and of states: an encoded value decodes to the same value, and garbage is an error.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;
use tfplugin::types::Type;
use tfplugin::value::Value;
use tfplugin::{json, msgpack};

use crate::run::{Input, Verdict, hold, replay};
use crate::values::{Parts, ty, typed};
use crate::{cost, wire};

/// Byte sequences with a meaning in MessagePack: markers, lengths, strings that become numbers.
const MSGPACK: &[&[u8]] = &[
    b"\xc0",
    b"\xc1",
    b"\xc4\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc7\x00\x0c",
    b"\xc9\xff\xff\xff\xff\x0c",
    b"\xca\x7f\xc0\x00\x00",
    b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"\xcb\x00\x00\x00\x00\x00\x00\x00\x01",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xd4\x00\x00",
    b"\xdb\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\x80",
    b"\x81\xa1a",
    b"\x90",
    b"\x91",
    b"\xa1\xff",
    b"\x92\xc4\x08\"string\"",
    b"\x92\xc4\x09\"dynamic\"",
    b"\x92\xc4\x12[\"list\",\"dynamic\"]",
    b"\xa51e999",
    b"\xa71e99999",
    b"\xb61e-9223372036854775808",
    b"\xb51e9223372036854775807",
    b"\xa3NaN",
    b"\xa4-Inf",
];

/// Byte sequences with a meaning in JSON.
const JSON: &[&[u8]] = &[
    b"null",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\ud800",
    b"\xff",
    b"{}",
    b"[]",
    b"\"\"",
    b"true",
    b"1e999",
    b"1e99999",
    b"1e-9223372036854775808",
    b"\"1e-9223372036854775808\"",
    b"1e9223372036854775807",
    b"-0",
    b"{\"type\":",
    b",\"value\":",
    b"{\"type\":\"dynamic\",\"value\":",
    b"{\"type\":[\"tuple\",[\"string\",\"number\"]],\"value\":[]}",
    b"{\"type\":[\"object\",{\"a\":\"string\"}],\"value\":{}}",
    b"{\"type\":[\"list\",\"number\"],\"value\":[1,null]}",
    b"[\"list\",",
    b"[\"object\",{",
];

/// One change of a byte sequence.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, u8),
    Repeat(Index, u8),
    Truncate(Index),
}

impl Mutation {
    fn any(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Self> {
        let at = any::<Index>;
        prop_oneof![
            2 => (at(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            3 => (at(), select(pieces)).prop_map(|(at, piece)| Self::Insert(at, piece.to_vec())),
            1 => (at(), vec(any::<u8>(), 1..6)).prop_map(|(at, bytes)| Self::Insert(at, bytes)),
            2 => (at(), 1..20_u8).prop_map(|(at, length)| Self::Remove(at, length)),
            1 => (at(), 1..20_u8).prop_map(|(at, length)| Self::Repeat(at, length)),
            1 => at().prop_map(Self::Truncate),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let range = |at: &Index, length: u8, bytes: &[u8]| {
            let start = at.index(bytes.len() + 1);
            start..bytes.len().min(start + usize::from(length))
        };
        match self {
            Self::Set(at, byte) => {
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
            }
            Self::Insert(at, piece) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Remove(at, length) => {
                bytes.drain(range(at, *length, bytes));
            }
            Self::Repeat(at, length) => {
                let range = range(at, *length, bytes);
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, copy);
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len() + 1)),
        }
    }
}

/// The bytes with up to five changes.
pub(crate) fn mutated(
    bytes: impl Strategy<Value = Vec<u8>>,
    pieces: &'static [&'static [u8]],
) -> impl Strategy<Value = Vec<u8>> {
    (bytes, vec(Mutation::any(pieces), 0..6)).prop_map(|(mut bytes, mutations)| {
        mutations.iter().for_each(|mutation| mutation.apply(&mut bytes));
        bytes
    })
}

/// Changed MessagePack.
pub(crate) fn hostile_msgpack(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    mutated(bytes, MSGPACK)
}

/// Changed JSON.
pub(crate) fn hostile_json(bytes: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    mutated(bytes, JSON)
}

/// Deeply nested values, up to far more levels than fit on a stack.
fn nested(units: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let depth = prop_oneof![Just(127_usize), Just(128), Just(129), 1..100_usize, 1000..5000_usize];
    let unit = vec(select(units), 1..3).prop_map(|units| units.concat());
    (depth, unit, vec(any::<u8>(), 0..4)).prop_map(|(depth, unit, end)| [unit.repeat(depth), end].concat())
}

/// Types of deeply nested values.
fn deep_type() -> impl Strategy<Value = Type> {
    let nest = |make: fn(Type) -> Type, depth: usize| (0..depth).fold(Type::Dynamic, |ty, _| make(ty));
    prop_oneof![
        Just(Type::Dynamic),
        (1..64_usize).prop_map(move |depth| nest(Type::list, depth)),
        (1..64_usize).prop_map(move |depth| nest(Type::map, depth))
    ]
}

/// Checks that every encoding of a value decodes to the same value.
fn survives(value: &Value, ty: &Type) -> Verdict {
    let read = |bytes: &[u8], how: &str| match msgpack::decode(bytes, ty) {
        Ok(again) if again == *value => Ok(()),
        Ok(again) => Err(format!("{how}, it decodes to {again:?}\ninstead of {value:?}")),
        Err(error) => Err(format!("{how}, it does not decode: {error}\n{value:?}")),
    };
    let bytes =
        msgpack::encode(value, ty).map_err(|error| format!("it does not encode: {error}\n{value:?}"))?;
    read(&bytes, "as MessagePack")?;
    read(&wire::msgpack(value, ty), "as long MessagePack")?;
    if Type::from_json(&ty.to_json()).as_ref() != Ok(ty) {
        return Err("the type decodes to another one".to_owned());
    }
    if !value.is_fully_known() {
        return Ok(());
    }
    let text = wire::json(value, ty);
    let parsed: Json = match serde_json::from_str(&text) {
        Ok(parsed) => parsed,
        // Only dynamic values nest this deeply. States do not.
        Err(error) if error.to_string().contains("recursion limit") => return Ok(()),
        Err(error) => return Err(format!("not JSON: {error}\n{text}")),
    };
    match json::decode(&parsed, ty) {
        Ok(again) if again == *value => Ok(()),
        other => Err(format!("as JSON, it decodes to {other:?}\ninstead of {value:?}\n{text}")),
    }
}

/// Checks that a value does not decode with one byte more or less.
fn ends_where_it_ends(bytes: &[u8], ty: &Type) -> Verdict {
    let longer = [bytes, &[0xc0]].concat();
    if msgpack::decode(&longer, ty).is_ok() || msgpack::decode(&bytes[..bytes.len() - 1], ty).is_ok() {
        return Err("it also decodes with one byte more or less".to_owned());
    }
    Ok(())
}

/// Checks that input decodes to a value or an error within the memory limits, and that a value encodes.
fn decodes(input: &Input) -> Verdict {
    let (ty, decoded) = match input {
        Input::Msgpack(ty, bytes) => {
            let decoded = cost::bounded(bytes.len(), || msgpack::decode(bytes, ty))?;
            if decoded.is_ok() {
                ends_where_it_ends(bytes, ty)?;
            }
            (ty, decoded)
        }
        Input::Json(ty, bytes) => {
            let Ok(parsed) = serde_json::from_slice::<Json>(bytes) else { return Ok(()) };
            (ty, cost::bounded(bytes.len(), || json::decode(&parsed, ty))?)
        }
        Input::Rpc(..) => return Ok(()),
    };
    decoded.map_or(Ok(()), |value| survives(&value, ty))
}

#[test]
fn the_corpus_decodes_or_is_refused() {
    replay(decodes);
}

#[test]
fn what_is_written_comes_back() {
    hold(
        "written",
        typed(Parts::MayBeUnknown),
        |(ty, value)| Input::Msgpack(ty.clone(), wire::msgpack(value, ty)),
        |(ty, value)| survives(value, ty),
    );
}

#[test]
fn garbage_in_messagepack_is_an_error() {
    let written = typed(Parts::MayBeUnknown).prop_flat_map(|(ty, value)| {
        let short = msgpack::encode(&value, &ty).expect("a value of its type");
        let long = wire::msgpack(&value, &ty);
        (Just(ty), hostile_msgpack(prop_oneof![Just(short), Just(long)]))
    });
    let units: &[&[u8]] = &[
        b"\x91",
        b"\x81\xa1a",
        b"\x92\xc4\x09\"dynamic\"",
        b"\x92\xc4\x12[\"list\",\"dynamic\"]\x91",
        b"\x92\xc4\x11[\"map\",\"dynamic\"]\x81\xa0",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\xa0",
    ];
    let inputs = prop_oneof![
        8 => written,
        2 => (ty(), vec(any::<u8>(), 0..60)),
        1 => (deep_type(), nested(units)),
    ];
    let inputs = inputs.prop_map(|(ty, bytes)| Input::Msgpack(ty, bytes));
    hold("msgpack", inputs, Input::clone, decodes);
}

#[test]
fn garbage_in_a_state_is_an_error() {
    let written = (typed(Parts::Known), ty(), 0..10_u8).prop_flat_map(|((ty, value), other, which)| {
        let text = wire::json(&value, &ty).into_bytes();
        (Just(if which == 0 { other } else { ty }), hostile_json(Just(text)))
    });
    let units: &[&[u8]] = &[
        b"[",
        b"{\"a\":",
        b"{\"type\":\"dynamic\",\"value\":",
        b"{\"type\":[\"list\",\"dynamic\"],\"value\":[",
        b"{\"value\":null,\"type\":[\"list\",",
    ];
    let inputs = prop_oneof![
        8 => written,
        2 => (ty(), hostile_json(Just(Vec::new()))),
        1 => (deep_type(), nested(units)),
    ];
    let inputs = inputs.prop_map(|(ty, bytes)| Input::Json(ty, bytes));
    hold("json", inputs, Input::clone, decodes);
}
