//! Data messages: types 18 and 15 (RTMP 1.0 §7.1.2; `@setDataFrame` is Adobe's convention).
//!
//! ```text
//! publisher to server    "@setDataFrame"  "onMetaData"  object, ECMA array, null or nothing
//!                        "@clearDataFrame"  "onMetaData"
//! server to subscriber                    "onMetaData"  the same value
//! ```
//! Everything else (captions, cue points, ad markers) is passed on as it came. A type 15 body
//! starts with a format byte 0, which may be missing.

use super::command::skip_format_byte;
use crate::amf::{Limits, Object, Value, amf0};

/// The handler that metadata is sent to.
pub const ON_META_DATA: &str = "onMetaData";
/// Stores what follows as the metadata of the live stream.
pub const SET_DATA_FRAME: &str = "@setDataFrame";
/// Forgets it.
pub const CLEAR_DATA_FRAME: &str = "@clearDataFrame";

/// What a data message asks for. Slices point into the message's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// `@setDataFrame`, "onMetaData", value, or a bare `onMetaData`: the AMF0 bytes from the
    /// string "onMetaData" on, ready to be relayed.
    SetMetadata(&'a [u8]),
    /// `@clearDataFrame`.
    ClearMetadata,
    /// Anything else, unchanged (the AMF3 format byte left out, and `@setDataFrame` in front of
    /// another handler's name).
    Other(&'a [u8]),
}

impl<'a> Data<'a> {
    /// Reads the body of a type 18 message, or of a type 15 one (`amf3`). Values in front of the
    /// first string are skipped (Uniview cameras send two numbers there). The metadata itself
    /// is not looked into.
    ///
    /// Never fails: what cannot be read is [`Data::Other`].
    pub fn decode(body: &'a [u8], amf3: bool, limits: &Limits) -> Self {
        let body = skip_format_byte(body, amf3);
        let mut values = amf0::Decoder::new(body, limits);
        let Some((name, from_name)) = next_string(&mut values) else {
            return Self::Other(body);
        };
        match name.as_str() {
            ON_META_DATA => Self::SetMetadata(from_name),
            CLEAR_DATA_FRAME => Self::ClearMetadata,
            SET_DATA_FRAME => {
                let from_handler = values.rest();
                match values.next() {
                    Ok(Some(Value::String(handler))) if handler == ON_META_DATA => {
                        Self::SetMetadata(from_handler)
                    }
                    Ok(Some(Value::String(_))) => Self::Other(from_handler),
                    _ => Self::Other(body),
                }
            }
            _ => Self::Other(body),
        }
    }
}

/// Whether the body of a type 18 message begins with something else than a string: with values
/// that [`Data::decode`] skips, or with nothing that can be read.
pub fn has_values_in_front(body: &[u8], limits: &Limits) -> bool {
    let first = amf0::Decoder::new(body, limits).next();
    !matches!(first, Ok(Some(Value::String(_)) | None))
}

/// The next string and the bytes that begin with it; values in front of it are skipped.
fn next_string<'a>(values: &mut amf0::Decoder<'a>) -> Option<(String, &'a [u8])> {
    loop {
        let from_here = values.rest();
        if let Value::String(text) = values.next().ok()?? {
            return Some((text, from_here));
        }
    }
}

/// The first object or ECMA array in the body of a data message or script tag, which in a
/// metadata message is the metadata. `None` when there is none (some cameras send null, or
/// nothing) or when it cannot be read. One cut short gives the properties that were whole.
pub fn metadata_object(body: &[u8], limits: &Limits) -> Option<Object> {
    let mut values = amf0::Decoder::new(body, limits);
    loop {
        if let Some(object) = values.next().ok()??.into_object() {
            return Some(object);
        }
    }
}

/// The body of a type 18 message with the values of a type 15 one, which may switch to AMF3: many
/// subscribers read AMF0 only. `None` when it cannot be read. A byte array becomes "unsupported",
/// and a container cut short is ended.
pub fn to_amf0(body: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let mut values = amf0::Decoder::new(skip_format_byte(body, true), limits);
    let mut out = Vec::with_capacity(body.len());
    while let Some(value) = values.next().ok()? {
        amf0::encode(&value, &mut out);
    }
    Some(out)
}

/// The body of a type 18 message that sends `metadata` as a publisher does (`@setDataFrame`,
/// "onMetaData", ECMA array).
pub fn encode_set_data_frame(metadata: &Object) -> Vec<u8> {
    let mut body = Vec::new();
    amf0::encode_string(SET_DATA_FRAME, &mut body);
    body.extend_from_slice(&encode_metadata(metadata));
    body
}

/// The body of a type 18 message that sends `metadata` as a server does, and of the first
/// script tag of an FLV file ("onMetaData", ECMA array).
pub fn encode_metadata(metadata: &Object) -> Vec<u8> {
    let mut body = Vec::new();
    amf0::encode_string(ON_META_DATA, &mut body);
    amf0::encode_ecma_array(metadata, &mut body);
    body
}

#[cfg(test)]
mod tests;
