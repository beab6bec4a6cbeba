//! A second encoder of both formats, so that tests of the decoders do not depend only on the crate's encoder.

use tfplugin::msgpack;
use tfplugin::types::Type;
use tfplugin::value::Value;

/// MessagePack with the longest form of each length, which is as valid as the shortest form.
pub(crate) fn msgpack(value: &Value, ty: &Type) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, value, ty);
    out
}

fn header(out: &mut Vec<u8>, marker: u8, length: usize) {
    out.push(marker);
    out.extend(u32::try_from(length).expect("a short value").to_be_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    header(out, 0xdb, text.len());
    out.extend(text.as_bytes());
}

fn put(out: &mut Vec<u8>, value: &Value, ty: &Type) {
    match (value, ty) {
        (Value::Null, _) => out.push(0xc0),
        // Only the crate can encode a refinement.
        (Value::Unknown(_), _) => out.extend(msgpack::encode(value, ty).expect("an unknown value")),
        (Value::Bool(value), _) => out.push(if *value { 0xc3 } else { 0xc2 }),
        (Value::Number(number), _) => match (number.as_i64(), number.as_str().parse::<u64>()) {
            (_, Ok(number)) => {
                out.push(0xcf);
                out.extend(number.to_be_bytes());
            }
            (Some(number), _) => {
                out.push(0xd3);
                out.extend(number.to_be_bytes());
            }
            _ => text(out, number.as_str()),
        },
        (Value::String(value), _) => text(out, value),
        (Value::List(items), Type::Tuple(types)) => {
            header(out, 0xdd, items.len());
            items.iter().zip(types).for_each(|(item, ty)| put(out, item, ty));
        }
        (Value::List(items), Type::List(ty) | Type::Set(ty)) => {
            header(out, 0xdd, items.len());
            items.iter().for_each(|item| put(out, item, ty));
        }
        (Value::Map(entries), _) => {
            header(out, 0xdf, entries.len());
            for (key, item) in entries {
                text(out, key);
                put(out, item, inner(ty, key));
            }
        }
        (Value::Dynamic(inner), _) => {
            header(out, 0xdd, 2);
            let json = inner.0.to_json().to_string();
            header(out, 0xc6, json.len());
            out.extend(json.as_bytes());
            put(out, &inner.1, &inner.0);
        }
        (Value::List(_), _) => panic!("a list of type {ty}"),
    }
}

fn inner<'t>(ty: &'t Type, key: &str) -> &'t Type {
    match ty {
        Type::Map(ty) => ty,
        Type::Object(object) => &object.attributes[key],
        _ => panic!("entries of type {ty}"),
    }
}

/// JSON in the form of stored state. The value must not have unknown parts.
pub(crate) fn json(value: &Value, ty: &Type) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    match (value, ty) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Bool(value), _) => value.to_string(),
        (Value::Number(number), _) => number.to_string(),
        (Value::String(text), _) => quoted(text),
        (Value::List(items), Type::Tuple(types)) => {
            list(items.iter().zip(types).map(|(item, ty)| json(item, ty)).collect())
        }
        (Value::List(items), Type::List(ty) | Type::Set(ty)) => {
            list(items.iter().map(|item| json(item, ty)).collect())
        }
        (Value::Map(entries), _) => {
            let entries =
                entries.iter().map(|(key, item)| format!("{}:{}", quoted(key), json(item, inner(ty, key))));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        (Value::Dynamic(inner), _) => {
            format!("{{\"type\":{},\"value\":{}}}", inner.0.to_json(), json(&inner.1, &inner.0))
        }
        (Value::Unknown(_) | Value::List(_), _) => panic!("no JSON of type {ty} for {value:?}"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}
