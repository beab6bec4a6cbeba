//! Memory limits of decoders: proportional to the input bytes, for any announced lengths.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tfplugin::types::Type;
use tfplugin::{json, msgpack};

/// Maximum bytes of memory at a time per byte of input. A float needs most: a thousand digits for nine bytes.
const HELD: u64 = 256;

/// Maximum bytes of all allocations per byte of input.
const SPENT: u64 = 1024;

/// Bytes for error messages and for other costs that do not depend on the input.
const FREE: u64 = 64 << 10;

/// Runs `work` for an input of `length` bytes. Allocations above the limits are an error.
pub(crate) fn bounded<T>(length: usize, work: impl FnOnce() -> T) -> Result<T, String> {
    let mut result = None;
    // The counter must be stopped after a panic as well.
    let cost = allocation_counter::measure(|| result = Some(catch_unwind(AssertUnwindSafe(work))));
    let result = result.expect("a result").unwrap_or_else(|panic| resume_unwind(panic));
    let length = u64::try_from(length).expect("a length");
    if cost.bytes_max > FREE + HELD * length {
        return Err(format!("{length} bytes of input used {} bytes of memory at a time", cost.bytes_max));
    }
    if cost.bytes_total > FREE + SPENT * length {
        return Err(format!("{length} bytes of input used {} bytes of memory in all", cost.bytes_total));
    }
    Ok(result)
}

/// Nested lists.
fn lists(depth: usize, element: Type) -> Type {
    (0..depth).fold(element, |ty, _| Type::list(ty))
}

const SIZE: usize = 10_000;

/// The error with the name of the input, if it used too much memory.
fn dear<T>(name: &str, length: usize, work: impl FnOnce() -> T) -> Option<String> {
    bounded(length, work).err().map(|error| format!("{name}: {error}"))
}

#[test]
fn a_large_message_costs_what_its_size_is_worth() {
    let length = u32::try_from(SIZE).expect("a short length").to_be_bytes();
    let array = |count: [u8; 4]| [b"\xdd".as_slice(), &count].concat();
    let text = |text: &str| {
        [b"\xdb".as_slice(), &u32::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
    };
    let mut found = Vec::new();
    for (name, ty, bytes) in [
        // Each of 60 levels announces 2^32 - 1 elements.
        ("announced", lists(60, Type::Bool), [array([0xff; 4]).repeat(60), vec![0xc0; SIZE]].concat()),
        ("nulls", Type::list(Type::Bool), [array(length), vec![0xc0; SIZE]].concat()),
        ("exponents", Type::list(Type::Number), [array(length), text("1e9999").repeat(SIZE)].concat()),
        ("short exponents", Type::list(Type::Number), [array(length), b"\xa51e399".repeat(SIZE)].concat()),
        (
            "floats",
            Type::list(Type::Number),
            [array(length), b"\xcb\x00\x00\x00\x00\x00\x00\x00\x01".repeat(SIZE)].concat(),
        ),
        // A key that would be part of the path of each of many elements.
        (
            "a long key",
            Type::map(Type::list(Type::Bool)),
            [b"\x81".to_vec(), text(&"k".repeat(SIZE)), array(length), vec![0xc0; SIZE]].concat(),
        ),
        (
            "many keys",
            Type::map(Type::Bool),
            [
                [b"\xdf".as_slice(), &length].concat(),
                (0..SIZE).flat_map(|key| [text(&key.to_string()), vec![0xc0]].concat()).collect(),
            ]
            .concat(),
        ),
    ] {
        found.extend(dear(name, bytes.len(), || msgpack::decode(&bytes, &ty)));
        let Ok(value) = msgpack::decode(&bytes, &ty) else { continue };
        // A float is encoded with all its digits.
        let written = msgpack::encode(&value, &ty).expect("a value of its type");
        let writing = format!("{name}, encoded");
        found.extend(dear(&writing, bytes.len() + written.len(), || msgpack::encode(&value, &ty)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_large_state_costs_what_its_size_is_worth() {
    let repeat = |item: &str| vec![item; SIZE].join(",");
    let attributes: Vec<String> = (0..SIZE / 100).map(|index| format!("\"a{index}\":\"bool\"")).collect();
    let mut found = Vec::new();
    for (name, ty, text) in [
        ("nulls", Type::list(Type::Bool), format!("[{}]", repeat("null"))),
        ("exponents", Type::list(Type::Number), format!("[{}]", repeat("1e9999"))),
        (
            "a long key",
            Type::map(Type::list(Type::Bool)),
            format!("{{\"{}\":[{}]}}", "k".repeat(SIZE), repeat("null")),
        ),
        // A large type for many small elements.
        (
            "a large type",
            Type::Dynamic,
            format!(
                "{{\"type\":[\"list\",[\"object\",{{{}}}]],\"value\":[{}]}}",
                attributes.join(","),
                repeat("{}"),
            ),
        ),
        (
            "a large type of nulls",
            Type::Dynamic,
            format!(
                "{{\"type\":[\"list\",[\"object\",{{{}}}]],\"value\":[{}]}}",
                attributes.join(","),
                repeat("null"),
            ),
        ),
    ] {
        let parsed = serde_json::from_str(&text).expect("JSON");
        found.extend(dear(name, text.len(), || json::decode(&parsed, &ty)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
