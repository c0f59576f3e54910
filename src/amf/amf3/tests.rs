//! Tables of bytes for AMF3: every marker that is read, references, limits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::amf::amf0;

fn decode_one(bytes: &[u8]) -> Result<Value, AmfError> {
    let (value, rest) = decode(bytes, &Limits::default())?;
    assert!(rest.is_empty(), "left over: {rest:?}");
    Ok(value)
}

fn array(elements: impl IntoIterator<Item = Value>) -> Value {
    Value::StrictArray(elements.into_iter().collect())
}

fn typed(class_name: &str, object: Object) -> Value {
    Value::TypedObject {
        class_name: class_name.to_owned(),
        object,
    }
}

fn date(unix_ms: f64) -> Value {
    Value::Date { unix_ms, zone: 0 }
}

fn table() -> Vec<(&'static str, &'static [u8], Value)> {
    vec![
        ("undefined", b"\x00", Value::Undefined),
        ("null", b"\x01", Value::Null),
        ("false", b"\x02", false.into()),
        ("true", b"\x03", true.into()),
        ("integer, 7 bits", b"\x04\x7f", 127.0.into()),
        ("integer, 8 bits", b"\x04\x81\x00", 128.0.into()),
        ("integer, 14 bits", b"\x04\xff\x7f", 16_383.0.into()),
        ("integer, 15 bits", b"\x04\x81\x80\x00", 16_384.0.into()),
        ("integer, 21 bits", b"\x04\xff\xff\x7f", 2_097_151.0.into()),
        ("integer, 22 bits", b"\x04\x80\xc0\x80\x00", 2_097_152.0.into()),
        ("largest integer", b"\x04\xbf\xff\xff\xff", 268_435_455.0.into()),
        ("smallest integer", b"\x04\xc0\x80\x80\x00", (-268_435_456.0).into()),
        ("integer -1", b"\x04\xff\xff\xff\xff", (-1.0).into()),
        ("double", b"\x05\xc0\x04\0\0\0\0\0\0", (-2.5).into()),
        ("string", b"\x06\x09live", "live".into()),
        ("empty string", b"\x06\x01", "".into()),
        ("text that is not UTF-8", b"\x06\x05\xff-", "\u{fffd}-".into()),
        ("XML document", b"\x07\x09<a/>", Value::Xml("<a/>".to_owned())),
        ("XML", b"\x0b\x09<a/>", Value::Xml("<a/>".to_owned())),
        ("date", b"\x08\x01\x42\x6d\x1a\x94\xa2\0\0\0", date(1e12)),
        ("empty array", b"\x09\x01\x01", array([])),
        ("array", b"\x09\x05\x01\x03\x06\x03a", array([true.into(), "a".into()])),
        (
            "array with named elements",
            b"\x09\x05\x03k\x01\x01\x02\x03",
            Value::EcmaArray(
                Object::new()
                    .with("k", Value::Null)
                    .with("0", false)
                    .with("1", true),
            ),
        ),
        (
            "dynamic object",
            b"\x0a\x0b\x01\x07app\x06\x09live\x05fp\x02\x01",
            Object::new().with("app", "live").with("fp", false).into(),
        ),
        ("empty object", b"\x0a\x0b\x01\x01", Object::new().into()),
        (
            "sealed object",
            b"\x0a\x23\x01\x03a\x03b\x02\x03",
            Object::from([("a", false), ("b", true)]).into(),
        ),
        (
            "typed object, sealed and dynamic",
            b"\x0a\x1b\x03C\x03a\x02\x03b\x03\x01",
            typed("C", Object::from([("a", false), ("b", true)])),
        ),
        ("byte array", b"\x0c\x07\x01\x02\x03", Value::ByteArray(vec![1, 2, 3])),
        (
            "string references, the empty string not counted",
            b"\x09\x0b\x01\x06\x03a\x06\x01\x06\x03b\x06\x00\x06\x02",
            array(["a".into(), "".into(), "b".into(), "a".into(), "b".into()]),
        ),
        (
            "a name is a string reference, and a string refers to a name",
            b"\x09\x05\x01\x0a\x0b\x01\x03a\x06\x00\x01\x0a\x0b\x01\x00\x01\x01",
            array([
                Object::from([("a", "a")]).into(),
                Object::from([("a", Value::Null)]).into(),
            ]),
        ),
        (
            "traits reference",
            b"\x09\x07\x01\x0a\x13\x03C\x03a\x02\x0a\x01\x03\x0a\x01\x06\x02",
            array([
                typed("C", Object::from([("a", false)])),
                typed("C", Object::from([("a", true)])),
                typed("C", Object::from([("a", "a")])),
            ]),
        ),
        (
            "references to a date, XML and a byte array",
            b"\x09\x0d\x01\x08\x01\x42\x6d\x1a\x94\xa2\0\0\0\x0b\x03x\x0c\x03y\x08\x02\x0b\x04\x0c\x06",
            array([
                date(1e12),
                Value::Xml("x".to_owned()),
                Value::ByteArray(vec![b'y']),
                date(1e12),
                Value::Xml("x".to_owned()),
                Value::ByteArray(vec![b'y']),
            ]),
        ),
        (
            // The strings a, b, c get the numbers 0, 1, 2 although b is read twice.
            "a reference to an object, and strings after it",
            b"\x09\x0b\x01\x06\x03a\x0a\x0b\x01\x03b\x06\x00\x01\x0a\x02\x06\x03c\x06\x04",
            array([
                "a".into(),
                Object::from([("b", "a")]).into(),
                Object::from([("b", "a")]).into(),
                "c".into(),
                "c".into(),
            ]),
        ),
        (
            "a reference to an array with a reference in it",
            b"\x09\x07\x01\x09\x03\x01\x08\x01\x42\x6d\x1a\x94\xa2\0\0\0\x09\x05\x01\x08\x04\x03\x09\x06",
            array([
                array([date(1e12)]),
                array([date(1e12), true.into()]),
                array([date(1e12), true.into()]),
            ]),
        ),
        ("an array in itself", b"\x09\x05\x01\x03\x09\x00", array([true.into(), Value::Null])),
        (
            "an object in itself, referred to again",
            b"\x09\x05\x01\x0a\x0b\x01\x03o\x0a\x02\x01\x0a\x02",
            array([
                Object::from([("o", Value::Null)]).into(),
                Object::from([("o", Value::Null)]).into(),
            ]),
        ),
    ]
}

#[test]
fn every_marker_is_read() {
    for (name, bytes, value) in table() {
        assert_eq!(decode_one(bytes), Ok(value), "{name}");
    }
}

#[test]
fn what_follows_is_left() {
    for (name, bytes, value) in table() {
        let longer = [bytes, b"\x05rest"].concat();
        assert_eq!(
            decode(&longer, &Limits::default()),
            Ok((value, &b"\x05rest"[..])),
            "{name}"
        );
    }
}

#[test]
fn a_plain_value_cut_short_is_an_error_at_every_length() {
    for (name, bytes, value) in table() {
        if value.as_object().is_some() || value.as_array().is_some() {
            continue;
        }
        for length in 0..bytes.len() {
            let error = decode_one(&bytes[..length]);
            assert!(
                matches!(error, Err(AmfError::Truncated(_))),
                "{name} in {length}: {error:?}"
            );
        }
    }
}

#[test]
fn a_container_cut_short_keeps_what_was_whole() {
    for (name, bytes, value) in table() {
        let count = |value: &Value| match value {
            Value::StrictArray(elements) => Some(elements.len()),
            other => other.as_object().map(Object::len),
        };
        let Some(whole) = count(&value) else { continue };
        let mut before = 0;
        for length in 1..bytes.len() {
            match decode_one(&bytes[..length]) {
                Ok(part) => {
                    let part = count(&part).unwrap();
                    assert!((before..=whole).contains(&part), "{name} in {length}");
                    before = part;
                }
                // Its header or traits are not whole yet.
                Err(AmfError::Truncated(_)) => assert_eq!(before, 0, "{name} in {length}"),
                Err(error) => panic!("{name} in {length}: {error}"),
            }
        }
    }
    // A date cut short ends the array around it, whose other bytes are not read as values.
    assert_eq!(
        decode_one(b"\x09\x07\x01\x03\x08\x01\x03\x03"),
        Ok(array([true.into()]))
    );
}

#[test]
fn what_is_not_read_is_named() {
    for marker in 0x0D..=0xFF {
        assert_eq!(decode_one(&[marker, 1, 1]), Err(AmfError::Marker(marker)));
    }
    assert_eq!(
        decode_one(b"\x0a\x07\x03C\x01"),
        Err(AmfError::Externalizable)
    );
}

#[test]
fn references_to_nothing_are_errors() {
    for (bytes, index) in [
        (&b"\x06\x00"[..], 0),
        (b"\x06\xff\xff\xff\xfe", 0x0FFF_FFFF),
        (b"\x08\x00", 0),
        (b"\x0a\x02", 1),
        (b"\x0c\x7e", 63),
        // Traits.
        (b"\x0a\x01", 0),
        (b"\x0a\x05", 1),
        // Inside an array; the array itself is number 0.
        (b"\x09\x03\x01\x09\x02", 1),
        (b"\x09\x05\x01\x06\x03a\x06\x02", 1),
    ] {
        assert_eq!(
            decode_one(bytes),
            Err(AmfError::Reference(index)),
            "{bytes:?}"
        );
    }
}

#[test]
fn tables_span_the_values_of_a_message() {
    let bytes = b"\x11\x06\x03a\x05\x11\x0a\x13\x03C\x03k\x06\x00\x11\x0a\x01\x06\x02\x11\x0a\x00";
    let mut decoder = amf0::Decoder::new(bytes, &Limits::default());
    let mut values = Vec::new();
    while let Some(value) = decoder.next().unwrap() {
        values.push(value);
    }
    assert_eq!(
        values,
        [
            "a".into(),
            Value::Null,
            typed("C", Object::from([("k", "a")])),
            typed("C", Object::from([("k", "C")])),
            typed("C", Object::from([("k", "a")])),
        ]
    );
}

#[test]
fn depth_is_limited_with_amf0_around_it() {
    let nested = |depth| b"\x09\x03\x01".repeat(depth);
    assert!(decode_one(&nested(16)).is_ok());
    assert_eq!(decode_one(&nested(17)), Err(AmfError::TooDeep(16)));
    assert_eq!(decode_one(&nested(1_000_000)), Err(AmfError::TooDeep(16)));
    let objects = b"\x0a\x0b\x01\x03a".repeat(1_000_000);
    assert_eq!(decode_one(&objects), Err(AmfError::TooDeep(16)));

    let around = |depth| [&b"\x0a\0\0\0\x01\x11"[..], &nested(depth)].concat();
    let read = |bytes: &[u8]| amf0::Decoder::new(bytes, &Limits::default()).next();
    assert!(read(&around(15)).is_ok());
    assert_eq!(read(&around(16)), Err(AmfError::TooDeep(16)));
}

#[test]
fn references_do_not_add_depth_without_end() {
    // Each array holds the one before it: [[]], [[[]]], ...
    let mut bytes = b"\x09\x3d\x01\x09\x01\x01".to_vec();
    for index in 1..30 {
        bytes.extend([0x09, 0x03, 0x01, 0x09, index << 1]);
    }
    assert_eq!(decode_one(&bytes), Err(AmfError::TooDeep(16)));
}

#[test]
fn values_multiplied_by_references_are_counted() {
    // Each array holds the one before it ten times: 10^6 values behind 100 bytes.
    let mut bytes = b"\x09\x0f\x01\x09\x15\x01".to_vec();
    bytes.extend([0x03; 10]);
    for index in 1..6 {
        bytes.extend([0x09, 0x15, 0x01]);
        bytes.extend([0x09, index << 1].repeat(10));
    }
    assert_eq!(decode_one(&bytes), Err(AmfError::TooManyValues(4096)));
}

#[test]
fn text_multiplied_by_references_is_counted() {
    // 1000 bytes behind each two: as a string, a name of a class, a class, a byte array.
    let text = |mark: &[u8]| [mark, &b"t".repeat(1000)].concat();
    let strings = [
        text(b"\x09\x82\x05\x01\x06\x8f\x51"),
        b"\x06\x00".repeat(129),
    ]
    .concat();
    let names = [
        text(b"\x09\x82\x05\x01\x0a\x13\x01\x8f\x51"),
        b"\x03".to_vec(),
        b"\x0a\x01\x03".repeat(129),
    ]
    .concat();
    let classes = [
        text(b"\x09\x82\x05\x01\x0a\x03\x8f\x51"),
        b"\x0a\x01".repeat(129),
    ]
    .concat();
    let blobs = [
        text(b"\x09\x82\x05\x01\x0c\x8f\x51"),
        b"\x0c\x02".repeat(129),
    ]
    .concat();
    let too_much = Err(AmfError::TooMuchCopied(64 * 1024));
    for bytes in [strings, names, classes, blobs] {
        let result = decode(&bytes, &Limits::default()).map(|_| "read");
        assert_eq!(result, too_much);
    }
}

#[test]
fn declared_counts_allocate_nothing() {
    // 2^28 - 1 elements, and 2^25 - 1 names.
    assert_eq!(
        decode_one(b"\x09\xff\xff\xff\xff\x01\x03"),
        Ok(array([true.into()]))
    );
    assert_eq!(
        decode_one(b"\x0a\xff\xff\xff\xf3\x01\x03a"),
        Err(AmfError::TooManyValues(4096))
    );
    assert!(matches!(
        decode_one(b"\x0c\xff\xff\xff\xffab"),
        Err(AmfError::Truncated(_))
    ));
}

/// Writes values with every reference that can be made.
#[derive(Default)]
struct Encoder {
    out: Vec<u8>,
    strings: Vec<String>,
    classes: Vec<(String, Vec<String>)>,
    /// `None` while the value is being written.
    complex: Vec<Option<Value>>,
}

impl Encoder {
    fn u29(&mut self, value: usize) {
        let byte = |value: usize| u8::try_from(value & 0x7F).unwrap() | 0x80;
        match value {
            0..0x80 => self.out.push(byte(value) & 0x7F),
            0x80..0x4000 => self.out.extend([byte(value >> 7), byte(value) & 0x7F]),
            _ => self
                .out
                .extend([byte(value >> 14), byte(value >> 7), byte(value) & 0x7F]),
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(index) = self.strings.iter().position(|known| known == text) {
            return self.u29(index << 1);
        }
        if !text.is_empty() {
            self.strings.push(text.to_owned());
        }
        self.sent(text.as_bytes());
    }

    fn sent(&mut self, bytes: &[u8]) {
        self.u29(bytes.len() << 1 | 1);
        self.out.extend_from_slice(bytes);
    }

    fn named(&mut self, object: &Object) {
        for (key, value) in object.iter() {
            self.text(key);
            self.value(value);
        }
        self.out.push(1);
    }

    fn value(&mut self, value: &Value) {
        let marker = match value {
            Value::Undefined => UNDEFINED,
            Value::Null => NULL,
            Value::Boolean(false) => FALSE,
            Value::Boolean(true) => TRUE,
            Value::Number(_) => DOUBLE,
            Value::String(_) => STRING,
            Value::Date { .. } => DATE,
            Value::StrictArray(_) | Value::EcmaArray(_) => ARRAY,
            Value::Object(_) | Value::TypedObject { .. } => OBJECT,
            Value::Xml(_) => XML,
            Value::ByteArray(_) => BYTE_ARRAY,
            Value::Unsupported => panic!("not in AMF3"),
        };
        self.out.push(marker);
        match value {
            Value::Number(number) => self.out.extend(number.to_be_bytes()),
            Value::String(text) => self.text(text),
            _ if marker < XML_DOCUMENT => {}
            _ => self.complex(value),
        }
    }

    fn complex(&mut self, value: &Value) {
        let same = |known: &Option<Value>| known.as_ref() == Some(value);
        if let Some(index) = self.complex.iter().position(same) {
            return self.u29(index << 1);
        }
        let index = self.complex.len();
        self.complex.push(None);
        match value {
            Value::Date { unix_ms, .. } => {
                self.u29(1);
                self.out.extend(unix_ms.to_be_bytes());
            }
            Value::StrictArray(elements) => {
                self.u29(elements.len() << 1 | 1);
                self.out.push(1);
                for element in elements {
                    self.value(element);
                }
            }
            Value::EcmaArray(object) => {
                self.u29(1);
                self.named(object);
            }
            Value::Object(object) => {
                // Anonymous and dynamic, without sealed names.
                self.class("", &[], 0b1011);
                self.named(object);
            }
            Value::TypedObject { class_name, object } => {
                let names: Vec<String> = object.iter().map(|(key, _)| key.to_owned()).collect();
                self.class(class_name, &names, 0b0011);
                for (_, value) in object.iter() {
                    self.value(value);
                }
            }
            Value::Xml(text) => self.sent(text.as_bytes()),
            Value::ByteArray(bytes) => self.sent(bytes),
            _ => panic!("not complex"),
        }
        self.complex[index] = Some(value.clone());
    }

    fn class(&mut self, name: &str, names: &[String], flags: usize) {
        let class = (name.to_owned(), names.to_vec());
        if let Some(index) = self.classes.iter().position(|known| *known == class) {
            return self.u29(index << 2 | 1);
        }
        self.classes.push(class);
        self.u29(names.len() << 4 | flags);
        self.text(name);
        for name in names {
            self.text(name);
        }
    }
}

/// Few different leaves and names, so that many of them come again.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Undefined),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Boolean),
        (-3..3).prop_map(|n| Value::Number(f64::from(n) / 2.0)),
        "[ab]{0,2}".prop_map(Value::String),
        "[ab]{0,2}".prop_map(Value::Xml),
        (0..2).prop_map(|ms| date(f64::from(ms))),
        prop::collection::vec(0..2_u8, 0..2).prop_map(Value::ByteArray),
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        let object = |least: usize| {
            prop::collection::vec(("[ab]{1,2}", inner.clone()), least..5)
                .prop_map(|properties| Object { properties })
        };
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::StrictArray),
            object(1).prop_map(Value::EcmaArray),
            object(0).prop_map(Value::Object),
            ("[CD]", object(0)).prop_map(|(name, object)| typed(&name, object)),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_with_references_is_read_back(
        values in prop::collection::vec(any_value(), 1..4),
    ) {
        let mut encoder = Encoder::default();
        for value in &values {
            encoder.out.push(0x11);
            encoder.value(value);
        }
        let mut decoder = amf0::Decoder::new(&encoder.out, &Limits::default());
        for value in values {
            prop_assert_eq!(decoder.next(), Ok(Some(value)));
        }
        prop_assert_eq!(decoder.next(), Ok(None));
    }

    #[test]
    fn any_bytes_are_refused_or_read_within_the_limits(
        bytes in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        // Small numbers are likelier to be markers, lengths and indices.
        for bytes in [bytes.clone(), bytes.iter().map(|byte| byte % 14).collect()] {
            let inside = [b"\x09\x81\x01\x01", &bytes[..]].concat();
            for bytes in [bytes, inside] {
                if let Ok((value, _)) = decode(&bytes, &Limits::default()) {
                    let (values, text) = size(&value);
                    prop_assert!(values <= 4096);
                    // What is not UTF-8 grows to three bytes each.
                    prop_assert!(text <= 3 * (bytes.len() + 64 * 1024) + 4 * values);
                }
            }
        }
    }
}

/// Number of values, and bytes of text in them.
fn size(value: &Value) -> (usize, usize) {
    let sum = |sizes: &mut dyn Iterator<Item = (usize, usize)>| {
        sizes.fold((1, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1))
    };
    if let Some(object) = value.as_object() {
        return sum(&mut object.iter().map(|(key, value)| {
            let (values, text) = size(value);
            (values, text + key.len())
        }));
    }
    match value {
        Value::StrictArray(elements) => sum(&mut elements.iter().map(size)),
        Value::String(text) | Value::Xml(text) => (1, text.len()),
        Value::ByteArray(bytes) => (1, bytes.len()),
        _ => (1, 0),
    }
}
