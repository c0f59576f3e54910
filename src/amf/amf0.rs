//! AMF0, the encoding of commands, metadata and FLV script tags: all of it, both ways.
//!
//! A value is one marker byte and a body; all integers are big-endian:
//!
//! ```text
//! 00 number      f64                      0B date         f64 ms since 1970, i16 zone
//! 01 boolean     u8                       0C long string  u32 length, UTF-8
//! 02 string      u16 length, UTF-8        0D unsupported  -
//! 03 object      properties               0F XML          u32 length, UTF-8
//! 05 null        -                        10 typed object u16 length, class name, properties
//! 06 undefined   -                        11 AMF3         one AMF3 value
//! 07 reference   u16 index                04 movieclip, 0E record set: reserved
//! 08 ECMA array  u32 hint, properties     09 object end: only behind an empty key
//! 0A strict array u32 count, values
//!
//! properties     (u16 length, key, value)*, 00 00 09
//! ```
//!
//! What encoders get wrong and we read all the same: the count of an ECMA array (often 0), an
//! object or array that the message ends in, text that is not UTF-8.
//!
//! Specification: Action Message Format AMF 0 (Adobe), §2.

use super::budget::Budget;
use super::{AmfError, Limits, Object, Value, amf3};
use crate::wire::{PutBytes, Reader};

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const REFERENCE: u8 = 0x07;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0A;
const DATE: u8 = 0x0B;
const LONG_STRING: u8 = 0x0C;
const UNSUPPORTED: u8 = 0x0D;
const XML: u8 = 0x0F;
const TYPED_OBJECT: u8 = 0x10;
const AVM_PLUS: u8 = 0x11;

/// Longest text with a u16 length.
const SHORT_BYTES_MAX: usize = 0xFFFF;
/// Longest text with a u32 length.
const LONG_BYTES_MAX: usize = 0xFFFF_FFFF;

/// Reads the values of one message, one after the other.
///
/// [`Limits::values_max`] spans all of them. After [`AmfError::Truncated`] nothing is left; after
/// another error reading on makes no sense (but does no harm).
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    reader: Reader<'a>,
    budget: Budget,
    amf3: amf3::Tables<'a>,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            reader: Reader::new(bytes),
            budget: Budget::new(limits),
            amf3: amf3::Tables::default(),
        }
    }

    /// The next value; `None` at the end of the input.
    ///
    /// An object, ECMA array, typed object or strict array that the input ends in gives what
    /// was whole in it, and nothing is left afterwards. Memory grows with the bytes that are
    /// there, never with a length or count that they declare.
    ///
    /// # Errors
    /// [`AmfError`]; [`AmfError::Truncated`] when the input ends inside a plain value.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator of results would invite reading on after an error"
    )]
    pub fn next(&mut self) -> Result<Option<Value>, AmfError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let value = self.value(0);
        if let Err(AmfError::Truncated(_)) = value {
            self.reader = Reader::new(&[]);
        }
        value.map(Some)
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// Reads a value inside `depth` containers. Recursion ends at [`Limits::depth_max`].
    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        self.budget.take_value()?;
        let marker = self.reader.u8()?;
        Ok(match marker {
            NUMBER => Value::Number(self.reader.f64()?),
            BOOLEAN => Value::Boolean(self.reader.u8()? != 0),
            STRING => Value::String(self.short_text()?),
            OBJECT => Value::Object(self.properties(depth)?),
            NULL => Value::Null,
            UNDEFINED => Value::Undefined,
            REFERENCE => {
                // No encoder in use sends references; an index alone is not worth a table.
                self.reader.u16()?;
                Value::Null
            }
            ECMA_ARRAY => {
                // The count is a hint, often 0 or wrong: the end marker decides.
                self.reader.u32()?;
                Value::EcmaArray(self.properties(depth)?)
            }
            STRICT_ARRAY => Value::StrictArray(self.elements(depth)?),
            DATE => Value::Date {
                unix_ms: self.reader.f64()?,
                zone: self.reader.i16()?,
            },
            LONG_STRING => Value::String(self.long_text()?),
            UNSUPPORTED => Value::Unsupported,
            XML => Value::Xml(self.long_text()?),
            TYPED_OBJECT => Value::TypedObject {
                class_name: self.short_text()?,
                object: self.properties(depth)?,
            },
            AVM_PLUS => {
                amf3::read_value(&mut self.reader, &mut self.amf3, &mut self.budget, depth)?
            }
            _ => return Err(AmfError::Marker(marker)),
        })
    }

    fn properties(&mut self, depth: usize) -> Result<Object, AmfError> {
        let depth = self.budget.enter(depth)?;
        let mut object = Object::default();
        while let Some(property) = self.unless_cut_short(|this| this.property(depth))? {
            object.properties.push(property);
        }
        Ok(object)
    }

    /// `None` for the end of the object.
    fn property(&mut self, depth: usize) -> Result<Option<(String, Value)>, AmfError> {
        let key = self.short_text()?;
        // An empty key is a property like any other unless the end marker follows it.
        if key.is_empty() && self.reader.peek_u8() == Some(OBJECT_END) {
            self.reader.u8()?;
            return Ok(None);
        }
        let value = self.value(depth)?;
        Ok(Some((key, value)))
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Value>, AmfError> {
        let depth = self.budget.enter(depth)?;
        let count = self.reader.u32()?;
        let mut elements = Vec::new();
        for _ in 0..count {
            match self.unless_cut_short(|this| this.value(depth).map(Some))? {
                Some(element) => elements.push(element),
                None => break,
            }
        }
        Ok(elements)
    }

    /// Turns the end of the input inside a container into the end of the container.
    fn unless_cut_short<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Option<T>, AmfError>,
    ) -> Result<Option<T>, AmfError> {
        match read(self) {
            Err(AmfError::Truncated(_)) => {
                self.reader = Reader::new(&[]);
                Ok(None)
            }
            other => other,
        }
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let length = self.reader.u16()?;
        self.text(usize::from(length))
    }

    fn long_text(&mut self) -> Result<String, AmfError> {
        let length = self.reader.u32()?;
        // Where usize is narrower than u32, such a text cannot be in memory either.
        self.text(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        let bytes = self.reader.bytes(length)?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Appends a value, marker first.
///
/// Strings beyond 65535 bytes become long strings; property and class names beyond that are cut
/// there. [`Value::ByteArray`] is written as unsupported. Recursion is as deep as the value.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => encode_number(*number, out),
        Value::Boolean(boolean) => {
            out.put_u8(BOOLEAN);
            out.put_u8(u8::from(*boolean));
        }
        Value::String(text) => encode_string(text, out),
        Value::Object(object) => encode_object(object, out),
        Value::EcmaArray(object) => encode_ecma_array(object, out),
        Value::StrictArray(elements) => {
            out.put_u8(STRICT_ARRAY);
            let count = u32::try_from(elements.len()).unwrap_or(u32::MAX);
            out.put_u32(count);
            for (_, element) in (0..count).zip(elements) {
                encode(element, out);
            }
        }
        Value::TypedObject { class_name, object } => {
            out.put_u8(TYPED_OBJECT);
            put_short_text(class_name, out);
            put_properties(object, out);
        }
        Value::Date { unix_ms, zone } => {
            out.put_u8(DATE);
            out.put_f64(*unix_ms);
            out.extend_from_slice(&zone.to_be_bytes());
        }
        Value::Xml(text) => {
            out.put_u8(XML);
            put_long_text(text, out);
        }
        Value::Null => out.put_u8(NULL),
        Value::Undefined => out.put_u8(UNDEFINED),
        Value::Unsupported | Value::ByteArray(_) => out.put_u8(UNSUPPORTED),
    }
}

/// Appends a number: 9 bytes.
pub fn encode_number(number: f64, out: &mut Vec<u8>) {
    out.put_u8(NUMBER);
    out.put_f64(number);
}

/// Appends a string; a long string beyond 65535 bytes.
pub fn encode_string(text: &str, out: &mut Vec<u8>) {
    if text.len() <= SHORT_BYTES_MAX {
        out.put_u8(STRING);
        put_short_text(text, out);
    } else {
        out.put_u8(LONG_STRING);
        put_long_text(text, out);
    }
}

/// Appends an object.
pub fn encode_object(object: &Object, out: &mut Vec<u8>) {
    out.put_u8(OBJECT);
    put_properties(object, out);
}

/// Appends an ECMA array, the usual form of metadata; its count is right.
pub fn encode_ecma_array(object: &Object, out: &mut Vec<u8>) {
    out.put_u8(ECMA_ARRAY);
    out.put_u32(u32::try_from(object.len()).unwrap_or(u32::MAX));
    put_properties(object, out);
}

fn put_properties(object: &Object, out: &mut Vec<u8>) {
    for (key, value) in object.iter() {
        put_short_text(key, out);
        encode(value, out);
    }
    out.put_u16(0);
    out.put_u8(OBJECT_END);
}

fn put_short_text(text: &str, out: &mut Vec<u8>) {
    let text = cut(text, SHORT_BYTES_MAX);
    out.put_u16(u16::try_from(text.len()).expect("was cut to what a u16 holds"));
    out.extend_from_slice(text.as_bytes());
}

fn put_long_text(text: &str, out: &mut Vec<u8>) {
    let text = cut(text, LONG_BYTES_MAX);
    out.put_u32(u32::try_from(text.len()).expect("was cut to what a u32 holds"));
    out.extend_from_slice(text.as_bytes());
}

/// The longest beginning of `text` within `bytes_max` that ends between two characters.
fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
