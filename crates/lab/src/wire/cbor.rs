//! CBOR as CloudWatch's clients send it (smithy rpc-v2-cbor), to and from JSON.

use crate::api::ApiError;
use minicbor::data::{IanaTag, Tag, Type};
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Number, Value};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 32;

/// Reads one CBOR item; timestamps (tag 1) become RFC 3339 text, as the query protocol sends them.
///
/// # Errors
/// `SerializationException` for anything that is no complete, well-formed item.
pub fn read(bytes: &[u8]) -> Result<Value, ApiError> {
    let mut decoder = Decoder::new(bytes);
    item(&mut decoder, 0)
        .map_err(|e| ApiError::new("SerializationException", format!("the body is not valid CBOR: {e}")))
}

fn item(decoder: &mut Decoder<'_>, depth: usize) -> Result<Value, minicbor::decode::Error> {
    if depth > MAX_DEPTH {
        return Err(minicbor::decode::Error::message("nested too deeply"));
    }
    Ok(match decoder.datatype()? {
        Type::Bool => Value::Bool(decoder.bool()?),
        Type::Null => {
            decoder.null()?;
            Value::Null
        }
        Type::Undefined => {
            decoder.undefined()?;
            Value::Null
        }
        Type::F16 | Type::F32 | Type::F64 => Number::from_f64(decoder.f64()?).map_or(Value::Null, Value::Number),
        Type::String => Value::String(decoder.str()?.to_owned()),
        Type::StringIndef => {
            let mut text = String::new();
            for part in decoder.str_iter()? {
                text.push_str(part?);
            }
            Value::String(text)
        }
        Type::Array | Type::ArrayIndef => {
            let mut items = Vec::new();
            match decoder.array()? {
                Some(count) => {
                    for _ in 0..count {
                        items.push(item(decoder, depth + 1)?);
                    }
                }
                None => {
                    while decoder.datatype()? != Type::Break {
                        items.push(item(decoder, depth + 1)?);
                    }
                    decoder.skip()?;
                }
            }
            Value::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let mut members = Map::new();
            match decoder.map()? {
                Some(count) => {
                    for _ in 0..count {
                        member(decoder, depth, &mut members)?;
                    }
                }
                None => {
                    while decoder.datatype()? != Type::Break {
                        member(decoder, depth, &mut members)?;
                    }
                    decoder.skip()?;
                }
            }
            Value::Object(members)
        }
        Type::Tag => {
            let tag = decoder.tag()?;
            let inner = item(decoder, depth + 1)?;
            if tag == Tag::from(IanaTag::Timestamp)
                && let Some(seconds) = inner.as_f64()
            {
                return Ok(Value::String(crate::clock::iso_seconds(seconds)));
            }
            inner
        }
        _ => Value::from(decoder.i64()?),
    })
}

fn member(
    decoder: &mut Decoder<'_>,
    depth: usize,
    into: &mut Map<String, Value>,
) -> Result<(), minicbor::decode::Error> {
    let Value::String(name) = item(decoder, depth + 1)? else {
        return Err(minicbor::decode::Error::message("a map key is not text"));
    };
    let value = item(decoder, depth + 1)?;
    // A member that is null means that it was not given.
    if !value.is_null() {
        into.insert(name, value);
    }
    Ok(())
}

/// Writes a value; text under a name that ends in `Timestamp` or `Timestamps` becomes a tagged timestamp.
pub fn write(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing into memory cannot fail.
    let _ = put(&mut encoder, value, false);
    encoder.into_writer()
}

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn put(encoder: &mut Encoder<Vec<u8>>, value: &Value, time: bool) -> Written {
    match value {
        Value::Null => {
            encoder.null()?;
        }
        Value::Bool(flag) => {
            encoder.bool(*flag)?;
        }
        Value::Number(number) => match number.as_i64() {
            Some(whole) => {
                encoder.i64(whole)?;
            }
            None => {
                encoder.f64(number.as_f64().unwrap_or_default())?;
            }
        },
        Value::String(text) => match time.then(|| crate::clock::parse_iso(text)).flatten() {
            Some(seconds) => {
                encoder.tag(Tag::from(IanaTag::Timestamp))?.f64(seconds)?;
            }
            None => {
                encoder.str(text)?;
            }
        },
        Value::Array(items) => {
            encoder.array(items.len() as u64)?;
            for value in items {
                put(encoder, value, time)?;
            }
        }
        Value::Object(members) => {
            let present = members.iter().filter(|(_, v)| !v.is_null());
            encoder.map(present.clone().count() as u64)?;
            for (name, value) in present {
                encoder.str(name)?;
                put(
                    encoder,
                    value,
                    name.ends_with("Timestamp") || name.ends_with("Timestamps"),
                )?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn round_trips() {
        let value = json!({"A": [1, -2, 1.5, true, "x"], "M": {"Timestamp": "2026-01-02T03:04:05Z"}});
        assert_eq!(read(&write(&value)).unwrap(), value);
    }

    #[test]
    fn reads_indefinite_items() {
        // {_ "a": [_ 1, (_ "x", "y")]}
        let bytes = [
            0xbf, 0x61, b'a', 0x9f, 0x01, 0x7f, 0x61, b'x', 0x61, b'y', 0xff, 0xff, 0xff,
        ];
        assert_eq!(read(&bytes).unwrap(), json!({"a": [1, "xy"]}));
    }

    #[test]
    fn refuses_broken_input() {
        for bytes in [&[][..], &[0xbf, 0x61], &[0xa1, 0x01, 0x02], &[0x9f; 64]] {
            assert_eq!(read(bytes).unwrap_err().code, "SerializationException");
        }
    }
}
