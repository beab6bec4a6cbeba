//! Encodes and decodes the values of requests and responses: `cty`'s MessagePack format, with a known type.

use std::collections::BTreeMap;
use std::fmt;

use rmp::Marker;
use rmp::encode as write;

use crate::path::{Path, Step};
use crate::types::Type;
use crate::value::{Number, Refinement, Value};

/// The MessagePack extension type of `cty` for an unknown value with refinements.
const REFINED_UNKNOWN: i8 = 0x0c;

/// The error for bytes or a value that do not fit a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The path in the value.
    pub path: Path,
    /// The error message.
    pub message: String,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.steps().is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "at {}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for DecodeError {}

impl DecodeError {
    /// An error at the value itself.
    pub(crate) fn here(message: impl Into<String>) -> Self {
        Self { path: Path::root(), message: message.into() }
    }

    /// Adds a step of the enclosing value in front of the path, which is built only after an error.
    pub(crate) fn inside(mut self, step: Step) -> Self {
        self.path.prepend(step);
        self
    }
}

/// Decodes one value of a type. Trailing bytes are an error.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, DecodeError> {
    let mut reader = Reader { rest: bytes, depth: 0 };
    let value = reader.value(ty)?;
    if !reader.rest.is_empty() {
        return Err(DecodeError::here("bytes follow the value"));
    }
    Ok(value)
}

struct Reader<'a> {
    rest: &'a [u8],
    depth: usize,
}

/// A marker with its scalar, or with the length of its content.
enum Item<'a> {
    Nil,
    Bool(bool),
    Number(Number),
    Str(&'a str),
    Bin(&'a [u8]),
    Array(usize),
    Map(usize),
    Ext(i8, &'a [u8]),
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(DecodeError::here("the bytes end inside a value"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn uint(&mut self, width: usize) -> Result<u64, DecodeError> {
        Ok(self.take(width)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn length(&mut self, width: usize) -> Result<usize, DecodeError> {
        let length = self.uint(width)?;
        usize::try_from(length).map_err(|_| DecodeError::here("a length is too large"))
    }

    fn int(&mut self, width: usize) -> Result<Item<'a>, DecodeError> {
        let unused = 64 - 8 * u32::try_from(width).unwrap_or(8);
        let raw = self.uint(width)?;
        // Shift left and right again to extend the sign.
        let signed = (raw << unused).cast_signed() >> unused;
        Ok(Item::Number(signed.into()))
    }

    fn float(value: f64) -> Result<Item<'a>, DecodeError> {
        let number = Number::from_f64(value);
        number.map(Item::Number).ok_or_else(|| DecodeError::here("a number is not finite"))
    }

    fn str(&mut self, length: usize) -> Result<Item<'a>, DecodeError> {
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes);
        text.map(Item::Str).map_err(|_| DecodeError::here("a string is not UTF-8"))
    }

    fn ext(&mut self, length: usize) -> Result<Item<'a>, DecodeError> {
        let kind = self.take(1)?[0].cast_signed();
        Ok(Item::Ext(kind, self.take(length)?))
    }

    fn item(&mut self) -> Result<Item<'a>, DecodeError> {
        let marker = Marker::from_u8(self.take(1)?[0]);
        Ok(match marker {
            Marker::Null => Item::Nil,
            Marker::True => Item::Bool(true),
            Marker::False => Item::Bool(false),
            Marker::FixPos(value) => Item::Number(u64::from(value).into()),
            Marker::FixNeg(value) => Item::Number(i64::from(value).into()),
            Marker::U8 => Item::Number(self.uint(1)?.into()),
            Marker::U16 => Item::Number(self.uint(2)?.into()),
            Marker::U32 => Item::Number(self.uint(4)?.into()),
            Marker::U64 => Item::Number(self.uint(8)?.into()),
            Marker::I8 => self.int(1)?,
            Marker::I16 => self.int(2)?,
            Marker::I32 => self.int(4)?,
            Marker::I64 => self.int(8)?,
            Marker::F32 => {
                let bits = u32::try_from(self.uint(4)?).unwrap_or_default();
                Self::float(f64::from(f32::from_bits(bits)))?
            }
            Marker::F64 => {
                let bits = self.uint(8)?;
                Self::float(f64::from_bits(bits))?
            }
            Marker::FixStr(length) => self.str(length.into())?,
            Marker::Str8 => self.length(1).and_then(|length| self.str(length))?,
            Marker::Str16 => self.length(2).and_then(|length| self.str(length))?,
            Marker::Str32 => self.length(4).and_then(|length| self.str(length))?,
            Marker::Bin8 => self.length(1).and_then(|length| self.take(length)).map(Item::Bin)?,
            Marker::Bin16 => self.length(2).and_then(|length| self.take(length)).map(Item::Bin)?,
            Marker::Bin32 => self.length(4).and_then(|length| self.take(length)).map(Item::Bin)?,
            Marker::FixArray(length) => Item::Array(length.into()),
            Marker::Array16 => Item::Array(self.length(2)?),
            Marker::Array32 => Item::Array(self.length(4)?),
            Marker::FixMap(length) => Item::Map(length.into()),
            Marker::Map16 => Item::Map(self.length(2)?),
            Marker::Map32 => Item::Map(self.length(4)?),
            Marker::FixExt1 => self.ext(1)?,
            Marker::FixExt2 => self.ext(2)?,
            Marker::FixExt4 => self.ext(4)?,
            Marker::FixExt8 => self.ext(8)?,
            Marker::FixExt16 => self.ext(16)?,
            Marker::Ext8 => self.length(1).and_then(|length| self.ext(length))?,
            Marker::Ext16 => self.length(2).and_then(|length| self.ext(length))?,
            Marker::Ext32 => self.length(4).and_then(|length| self.ext(length))?,
            Marker::Reserved => return Err(DecodeError::here("a reserved byte")),
        })
    }

    fn value(&mut self, ty: &Type) -> Result<Value, DecodeError> {
        // Only dynamic values can nest deeper than their declared type.
        const MAX_DEPTH: usize = 128;
        if self.depth > MAX_DEPTH {
            return Err(DecodeError::here(format!("nested more than {MAX_DEPTH} levels deep")));
        }
        self.depth += 1;
        let value = self.typed(ty);
        self.depth -= 1;
        value
    }

    fn typed(&mut self, ty: &Type) -> Result<Value, DecodeError> {
        let mismatch = || Err(DecodeError::here(format!("expected a value of type {ty}")));
        match (self.item()?, ty) {
            (Item::Nil, _) => Ok(Value::Null),
            (Item::Ext(REFINED_UNKNOWN, payload), _) => {
                Ok(Value::Unknown(Refinement(Some(payload.to_vec()))))
            }
            (Item::Ext(..), _) => Ok(Value::UNKNOWN),
            (Item::Bool(value), Type::Bool) => Ok(Value::Bool(value)),
            (Item::Number(number), Type::Number) => Ok(Value::Number(number)),
            (Item::Str(text), Type::Number) => match Number::parse(text) {
                Some(number) => Ok(Value::Number(number)),
                None => mismatch(),
            },
            (Item::Str(text), Type::String) => Ok(Value::String(text.to_owned())),
            (Item::Array(length), Type::List(element) | Type::Set(element)) => {
                self.items(length, |_| element)
            }
            (Item::Array(length), Type::Tuple(types)) if length == types.len() => {
                self.items(length, |index| &types[index])
            }
            (Item::Array(2), Type::Dynamic) => {
                let Item::Bin(json) = self.item()? else { return mismatch() };
                let json =
                    serde_json::from_slice(json).map_err(|error| DecodeError::here(error.to_string()))?;
                let ty = Type::from_json(&json).map_err(|error| DecodeError::here(error.to_string()))?;
                let value = self.value(&ty)?;
                Ok(Value::Dynamic(Box::new((ty, value))))
            }
            (Item::Map(length), Type::Map(element)) => {
                let mut entries = BTreeMap::new();
                for _ in 0..length {
                    let key = self.key()?;
                    let value =
                        self.value(element).map_err(|error| error.inside(Step::Key(key.to_owned())))?;
                    entries.insert(key.to_owned(), value);
                }
                Ok(Value::Map(entries))
            }
            (Item::Map(length), Type::Object(object)) => {
                let mut entries = BTreeMap::new();
                for _ in 0..length {
                    let key = self.key()?;
                    let Some(ty) = object.attributes.get(key) else {
                        return Err(DecodeError::here(format!("no attribute `{key}`")));
                    };
                    let inside = |error: DecodeError| error.inside(Step::Attribute(key.to_owned()));
                    entries.insert(key.to_owned(), self.value(ty).map_err(inside)?);
                }
                if let Some(missing) = object.attributes.keys().find(|key| !entries.contains_key(*key)) {
                    return Err(DecodeError::here(format!("attribute `{missing}` is missing")));
                }
                Ok(Value::Map(entries))
            }
            _ => mismatch(),
        }
    }

    fn items<'t>(&mut self, length: usize, ty: impl Fn(usize) -> &'t Type) -> Result<Value, DecodeError> {
        // A length is not trusted, because every nested level can announce a large one: memory grows with the
        // items that arrive.
        const RESERVED: usize = 64;
        let mut items = Vec::with_capacity(length.min(self.rest.len()).min(RESERVED));
        for index in 0..length {
            items.push(self.value(ty(index)).map_err(|error| error.inside(Step::index(index)))?);
        }
        Ok(Value::List(items))
    }

    fn key(&mut self) -> Result<&'a str, DecodeError> {
        match self.item()? {
            Item::Str(key) => Ok(key),
            _ => Err(DecodeError::here("a key is not a string")),
        }
    }
}

/// Encodes a value of a type.
///
/// # Errors
/// If the value does not fit the type, which is a defect of the caller.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    put(&mut out, value, ty)?;
    Ok(out)
}

fn put(out: &mut Vec<u8>, value: &Value, ty: &Type) -> Result<(), DecodeError> {
    // Writing to a Vec cannot fail: rmp returns a `Result` because it accepts any writer.
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let ok = "a write to memory cannot fail";
    match (value, ty) {
        (Value::Null, _) => write::write_nil(out).expect(ok),
        (Value::Unknown(Refinement(None)), _) => out.extend([0xd4, 0x00, 0x00]),
        (Value::Unknown(Refinement(Some(payload))), _) => {
            write::write_ext_meta(out, length(payload.len()), REFINED_UNKNOWN).expect(ok);
            out.extend(payload);
        }
        (Value::Bool(value), Type::Bool) => write::write_bool(out, *value).expect(ok),
        (Value::Number(number), Type::Number) => match number.as_i64() {
            Some(integer) => {
                write::write_sint(out, integer).expect(ok);
            }
            None => write::write_str(out, number.as_str()).expect(ok),
        },
        (Value::String(text), Type::String) => write::write_str(out, text).expect(ok),
        (Value::List(items), Type::List(element) | Type::Set(element)) => {
            write::write_array_len(out, length(items.len())).expect(ok);
            for (index, item) in items.iter().enumerate() {
                put(out, item, element).map_err(|error| error.inside(Step::index(index)))?;
            }
        }
        (Value::List(items), Type::Tuple(types)) if items.len() == types.len() => {
            write::write_array_len(out, length(items.len())).expect(ok);
            for (index, (item, ty)) in items.iter().zip(types).enumerate() {
                put(out, item, ty).map_err(|error| error.inside(Step::index(index)))?;
            }
        }
        (Value::Map(entries), Type::Map(element)) => {
            write::write_map_len(out, length(entries.len())).expect(ok);
            for (key, item) in entries {
                write::write_str(out, key).expect(ok);
                put(out, item, element).map_err(|error| error.inside(Step::Key(key.clone())))?;
            }
        }
        (Value::Map(entries), Type::Object(object)) => {
            if let Some(extra) = entries.keys().find(|key| !object.attributes.contains_key(*key)) {
                return Err(DecodeError::here(format!("no attribute `{extra}` in the schema")));
            }
            write::write_map_len(out, length(object.attributes.len())).expect(ok);
            for (key, ty) in &object.attributes {
                write::write_str(out, key).expect(ok);
                let item = entries.get(key).unwrap_or(&Value::Null);
                put(out, item, ty).map_err(|error| error.inside(Step::Attribute(key.clone())))?;
            }
        }
        (Value::Dynamic(inner), Type::Dynamic) => {
            write::write_array_len(out, 2).expect(ok);
            let json = inner.0.to_json().to_string();
            write::write_bin(out, json.as_bytes()).expect(ok);
            put(out, &inner.1, &inner.0)?;
        }
        _ => return Err(DecodeError::here(format!("the value does not have type {ty}"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: &Value, ty: &Type) {
        let bytes = encode(value, ty).unwrap();
        assert_eq!(&decode(&bytes, ty).unwrap(), value, "{ty}");
    }

    #[test]
    fn values_survive_the_wire() {
        round_trip(&Value::Null, &Type::String);
        round_trip(&Value::UNKNOWN, &Type::map(Type::Bool));
        round_trip(&Value::Unknown(Refinement(Some(vec![0x81, 0x01, 0xc2]))), &Type::String);
        round_trip(&Value::string(""), &Type::String);
        round_trip(&Value::List(vec![]), &Type::list(Type::String));
        round_trip(&Value::Map(BTreeMap::new()), &Type::map(Type::String));
        round_trip(&Value::string("my video+ü.mp4".repeat(9000)), &Type::String);
        for number in [
            "0",
            "-1",
            "127",
            "-129",
            "65536",
            "9223372036854775807",
            "0.1",
            "123456789012345678901234567",
            "18446744073709551615",
            "-0.000000001",
        ] {
            round_trip(&Value::Number(Number::parse(number).unwrap()), &Type::Number);
        }
        let object = Type::object([("a", Type::String), ("b", Type::set(Type::Number))]);
        round_trip(
            &Value::map([("a", Value::UNKNOWN), ("b", Value::List(vec![1.into(), 2.into()]))]),
            &object,
        );
        let dynamic =
            Value::Dynamic(Box::new((object, Value::map([("a", Value::Null), ("b", Value::Null)]))));
        round_trip(&dynamic, &Type::Dynamic);
        round_trip(&Value::List(vec!["x".into(), true.into()]), &Type::Tuple(vec![Type::String, Type::Bool]));
    }

    #[test]
    fn a_defect_names_its_path() {
        let ty = Type::object([("on", Type::list(Type::object([("port", Type::Number)])))]);
        let value = Value::map([("on", Value::List(vec![Value::map([("port", Value::from("x"))])]))]);
        assert_eq!(encode(&value, &ty).unwrap_err().path.to_string(), "on[0].port");
        let bytes = encode(
            &Value::map([("on", Value::List(vec![Value::map([("port", Value::from("x"))])]))]),
            &Type::object([("on", Type::list(Type::object([("port", Type::String)])))]),
        );
        assert_eq!(decode(&bytes.unwrap(), &ty).unwrap_err().path.to_string(), "on[0].port");
    }

    #[test]
    fn garbage_is_an_error_and_never_a_panic() {
        let ty = Type::object([("a", Type::list(Type::Dynamic)), ("b", Type::map(Type::Number))]);
        let good = encode(
            &Value::map([
                ("a", Value::List(vec![Value::Dynamic(Box::new((Type::String, "x".into())))])),
                ("b", Value::map([("k", Value::from(7))])),
            ]),
            &ty,
        )
        .unwrap();
        for end in 0..good.len() {
            assert!(decode(&good[..end], &ty).is_err());
        }
        // With any byte changed, decoding returns a value or an error, but does not panic.
        for position in 0..good.len() {
            for byte in 0..=255u8 {
                let mut bad = good.clone();
                bad[position] = byte;
                let _ = decode(&bad, &ty);
            }
        }
        // A huge announced length must not allocate memory.
        assert!(decode(&[0xdd, 0xff, 0xff, 0xff, 0xff], &Type::list(Type::String)).is_err());
        let mut nested = Vec::new();
        for _ in 0..1000 {
            nested.extend([0x92, 0xc4, 0x09]);
            nested.extend(b"\"dynamic\"");
        }
        assert!(decode(&nested, &Type::Dynamic).is_err());
    }
}
