//! AMF3, read only: the values that RTMP peers put behind the AMF0 marker `0x11`.
//!
//! Peers that were told object encoding 0 still send some of them; we never write AMF3. Each
//! value becomes the nearest AMF0 one:
//!
//! ```text
//! 00 undefined   04 integer  U29, 29 bits signed    09 array       U29 count, (key, value)*,
//! 01 null        05 double   f64                                   empty key, values
//! 02 false       06 string   U29 length, UTF-8      0A object      U29 traits, values,
//! 03 true        08 date     U29, f64 ms                           [(key, value)*, empty key]
//! 07, 0B XML     U29 length, UTF-8                  0C byte array  U29 length, bytes
//! ```
//! A U29 takes one to four bytes of 7, 7, 7 and 8 bits; the top bit of the first three says that
//! more follow. In front of a string or a complex value its lowest bit tells whether the value
//! follows (1) or an index into a table of those that came before (0).
//!
//! Vectors (`0D`..`10`), dictionaries (`11`) and externalizable classes are not read: no RTMP
//! peer is known to send them.
//!
//! Specification: Action Message Format AMF 3 (Adobe, January 2013), §1.3, §3.

use super::budget::Budget;
use super::{AmfError, Limits, Object, Value};
use crate::wire::Reader;

const UNDEFINED: u8 = 0x00;
const NULL: u8 = 0x01;
const FALSE: u8 = 0x02;
const TRUE: u8 = 0x03;
const INTEGER: u8 = 0x04;
const DOUBLE: u8 = 0x05;
const STRING: u8 = 0x06;
const XML_DOCUMENT: u8 = 0x07;
const DATE: u8 = 0x08;
const ARRAY: u8 = 0x09;
const OBJECT: u8 = 0x0A;
const XML: u8 = 0x0B;
const BYTE_ARRAY: u8 = 0x0C;

/// Reads one value, marker first, and returns what follows it.
///
/// # Errors
/// [`AmfError`]. As in AMF0, an array or object that the input ends in gives what was whole.
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Value, &'a [u8]), AmfError> {
    let mut reader = Reader::new(bytes);
    let value = read_value(
        &mut reader,
        &mut Tables::default(),
        &mut Budget::new(limits),
        0,
    )?;
    Ok((value, reader.rest()))
}

/// Reads one value inside `depth` containers.
pub(super) fn read_value<'a>(
    reader: &mut Reader<'a>,
    tables: &mut Tables<'a>,
    budget: &mut Budget,
    depth: usize,
) -> Result<Value, AmfError> {
    let mut decoder = Decoder {
        reader: *reader,
        tables,
        budget,
        is_replaying: false,
    };
    let value = decoder.value(depth)?;
    *reader = decoder.reader;
    Ok(value)
}

/// What references can point to. Flash keeps the tables from one AMF3 value of a message to the
/// next, whatever AMF0 stands between them.
///
/// The tables hold places in the input, not values. A reference to a complex value reads that
/// place again, with the tables as they were then: `known` is turned back, and what the input
/// would add is there already. So an unused table costs nothing to speak of, and what a
/// reference makes us build is counted like everything else.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables<'a> {
    strings: Vec<&'a [u8]>,
    traits: Vec<Traits<'a>>,
    complex: Vec<Complex<'a>>,
    /// Each field is at most the length of its table, and equal to it unless we are replaying.
    known: Known,
}

/// How much of each table is there at one place of the input.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    strings: usize,
    traits: usize,
    complex: usize,
}

/// The class of an object.
#[derive(Debug, Clone)]
struct Traits<'a> {
    class_name: &'a [u8],
    /// Properties whose names stand here and whose values stand in each object.
    names: Vec<&'a [u8]>,
    /// Whether more properties follow, each with its name.
    is_dynamic: bool,
}

/// A complex value that came before.
#[derive(Debug, Clone)]
struct Complex<'a> {
    marker: u8,
    /// Behind the marker.
    place: Reader<'a>,
    /// At `place`.
    known: Known,
    /// Its end was not reached yet: a reference to it is a cycle.
    is_open: bool,
}

/// Reads one value and what is nested in it.
struct Decoder<'a, 'b> {
    reader: Reader<'a>,
    tables: &'b mut Tables<'a>,
    budget: &'b mut Budget,
    is_replaying: bool,
}

impl<'a> Decoder<'a, '_> {
    /// Recursion ends at [`Limits::depth_max`].
    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        self.budget.take_value()?;
        let marker = self.reader.u8()?;
        Ok(match marker {
            UNDEFINED => Value::Undefined,
            NULL => Value::Null,
            FALSE => Value::Boolean(false),
            TRUE => Value::Boolean(true),
            INTEGER => Value::Number(f64::from(sign_extend(self.u29()?))),
            DOUBLE => Value::Number(self.reader.f64()?),
            STRING => Value::String(owned(self.text()?)),
            XML_DOCUMENT | DATE | ARRAY | OBJECT | XML | BYTE_ARRAY => {
                self.complex(marker, depth)?
            }
            _ => return Err(AmfError::Marker(marker)),
        })
    }

    /// A value that has a place in the table of complex values, or a reference to one.
    fn complex(&mut self, marker: u8, depth: usize) -> Result<Value, AmfError> {
        let (place, known) = (self.reader, self.tables.known);
        let (header, is_inline) = self.header()?;
        if !is_inline {
            return self.replay(header, depth);
        }
        let index = known.complex;
        self.tables.known.complex += 1;
        self.open(index, marker, place, known);
        let value = match marker {
            DATE => Value::Date {
                unix_ms: self.reader.f64()?,
                zone: 0,
            },
            ARRAY => self.array(header, depth)?,
            OBJECT => self.object(header, depth)?,
            BYTE_ARRAY => Value::ByteArray(self.sent_bytes(header)?.to_vec()),
            _ => Value::Xml(owned(self.sent_bytes(header)?)),
        };
        if let Some(complex) = self.tables.complex.get_mut(index) {
            complex.is_open = false;
        }
        Ok(value)
    }

    fn open(&mut self, index: usize, marker: u8, place: Reader<'a>, known: Known) {
        match self.tables.complex.get_mut(index) {
            Some(complex) => complex.is_open = true,
            None => self.tables.complex.push(Complex {
                marker,
                place,
                known,
                is_open: true,
            }),
        }
    }

    /// Reads the complex value at `index` of the table once more. A value that contains itself
    /// has no form in [`Value`]; the inner one becomes null.
    fn replay(&mut self, index: u32, depth: usize) -> Result<Value, AmfError> {
        let complex = visible(&self.tables.complex, self.tables.known.complex, index)?;
        if complex.is_open {
            return Ok(Value::Null);
        }
        let after = (self.reader, self.tables.known, self.is_replaying);
        let marker = complex.marker;
        (self.reader, self.tables.known, self.is_replaying) = (complex.place, complex.known, true);
        let value = self.complex(marker, depth);
        (self.reader, self.tables.known, self.is_replaying) = after;
        value
    }

    /// An array without named elements is a strict one.
    fn array(&mut self, count: u32, depth: usize) -> Result<Value, AmfError> {
        let depth = self.budget.enter(depth)?;
        let mut named = Object::default();
        self.named_values(&mut named, depth)?;
        let mut elements = Vec::new();
        for _ in 0..count {
            match self.unless_cut_short(|this| this.value(depth).map(Some))? {
                Some(element) => elements.push(element),
                None => break,
            }
        }
        if named.is_empty() {
            return Ok(Value::StrictArray(elements));
        }
        let numbered = elements.into_iter().enumerate();
        named
            .properties
            .extend(numbered.map(|(index, element)| (index.to_string(), element)));
        Ok(Value::EcmaArray(named))
    }

    fn object(&mut self, header: u32, depth: usize) -> Result<Value, AmfError> {
        let depth = self.budget.enter(depth)?;
        let is_sent = header & 1 == 1;
        let index = if is_sent {
            self.traits(header >> 1)?
        } else {
            header >> 1
        };
        let traits = visible(&self.tables.traits, self.tables.known.traits, index)?;
        let (class_name, is_dynamic) = (traits.class_name, traits.is_dynamic);
        let is_copied = !is_sent || self.is_replaying;
        let mut object = Object::default();
        while let Some(name) = self.sealed_name(index, object.len()) {
            let Some(value) = self.unless_cut_short(|this| this.value(depth).map(Some))? else {
                break;
            };
            if is_copied {
                self.budget.copy_bytes(name.len())?;
            }
            object.properties.push((owned(name), value));
        }
        if is_dynamic {
            self.named_values(&mut object, depth)?;
        }
        if class_name.is_empty() {
            return Ok(Value::Object(object));
        }
        if is_copied {
            self.budget.copy_bytes(class_name.len())?;
        }
        Ok(Value::TypedObject {
            class_name: owned(class_name),
            object,
        })
    }

    fn sealed_name(&self, traits: u32, at: usize) -> Option<&'a [u8]> {
        let traits = self.tables.traits.get(length(traits))?;
        traits.names.get(at).copied()
    }

    /// Puts the traits that follow into the table and returns their index. `header` begins with
    /// the third bit: externalizable, dynamic, count of names.
    fn traits(&mut self, header: u32) -> Result<u32, AmfError> {
        if header & 1 == 1 {
            return Err(AmfError::Externalizable);
        }
        let class_name = self.text()?;
        let count = header >> 2;
        // Each name has a value in the object that follows.
        self.budget.expect_values(length(count))?;
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.text()?);
        }
        let index = self.tables.known.traits;
        if index == self.tables.traits.len() {
            self.tables.traits.push(Traits {
                class_name,
                names,
                is_dynamic: header & 2 == 2,
            });
        }
        self.tables.known.traits += 1;
        // Each entry took a byte of a message, whose length has 24 bits.
        Ok(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Names and values up to an empty name.
    fn named_values(&mut self, object: &mut Object, depth: usize) -> Result<(), AmfError> {
        while let Some(property) = self.unless_cut_short(|this| this.named_value(depth))? {
            object.properties.push(property);
        }
        Ok(())
    }

    fn named_value(&mut self, depth: usize) -> Result<Option<(String, Value)>, AmfError> {
        let name = self.text()?;
        if name.is_empty() {
            return Ok(None);
        }
        let value = self.value(depth)?;
        Ok(Some((owned(name), value)))
    }

    /// The bytes of a string, which stand here or in the table. The empty string is never in
    /// the table.
    fn text(&mut self) -> Result<&'a [u8], AmfError> {
        let (header, is_inline) = self.header()?;
        if !is_inline {
            let text = *visible(&self.tables.strings, self.tables.known.strings, header)?;
            self.budget.copy_bytes(text.len())?;
            return Ok(text);
        }
        let text = self.sent_bytes(header)?;
        if !text.is_empty() {
            if self.tables.known.strings == self.tables.strings.len() {
                self.tables.strings.push(text);
            }
            self.tables.known.strings += 1;
        }
        Ok(text)
    }

    fn sent_bytes(&mut self, count: u32) -> Result<&'a [u8], AmfError> {
        let bytes = self.reader.bytes(length(count))?;
        if self.is_replaying {
            self.budget.copy_bytes(bytes.len())?;
        }
        Ok(bytes)
    }

    /// A U29 whose lowest bit says whether the thing itself follows; the other bits are a length
    /// then, and else an index.
    fn header(&mut self) -> Result<(u32, bool), AmfError> {
        let header = self.u29()?;
        Ok((header >> 1, header & 1 == 1))
    }

    fn u29(&mut self) -> Result<u32, AmfError> {
        let mut value = 0;
        for _ in 0..3 {
            let byte = self.reader.u8()?;
            value = value << 7 | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        let byte = self.reader.u8()?;
        Ok(value << 8 | u32::from(byte))
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
}

/// The entry at `index` among the first `known` of a table.
fn visible<T>(table: &[T], known: usize, index: u32) -> Result<&T, AmfError> {
    table
        .get(..known)
        .and_then(|table| table.get(length(index)))
        .ok_or(AmfError::Reference(index))
}

/// Where usize is narrower than u32, what does not fit cannot be in memory either.
fn length(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn owned(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// The 29 bits as a signed number.
fn sign_extend(u29: u32) -> i32 {
    (u29 << 3).cast_signed() >> 3
}

#[cfg(test)]
mod tests;
