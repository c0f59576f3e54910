//! Tables of bytes for AMF0: every marker, both ways, whole and cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::wire::Truncated;

fn limits(depth_max: usize, values_max: usize) -> Limits {
    Limits {
        depth_max,
        values_max,
    }
}

fn decode_all(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder::new(bytes, &Limits::default());
    let mut values = Vec::new();
    while let Some(value) = decoder.next()? {
        values.push(value);
    }
    Ok(values)
}

fn decode_one(bytes: &[u8]) -> Result<Value, AmfError> {
    let mut decoder = Decoder::new(bytes, &Limits::default());
    let value = decoder.next()?.unwrap();
    assert!(decoder.rest().is_empty(), "left over: {:?}", decoder.rest());
    Ok(value)
}

fn number(value: f64) -> Value {
    Value::Number(value)
}

/// Every marker in the form in which we write it too.
fn both_ways() -> Vec<(&'static str, Vec<u8>, Value)> {
    let long = "x".repeat(0x1_0000);
    vec![
        ("number 1", b"\x00\x3f\xf0\0\0\0\0\0\0".into(), number(1.0)),
        (
            "number 29.97",
            b"\x00\x40\x3d\xf8\x51\xeb\x85\x1e\xb8".into(),
            number(29.97),
        ),
        ("true", b"\x01\x01".into(), Value::Boolean(true)),
        ("false", b"\x01\x00".into(), Value::Boolean(false)),
        ("string", b"\x02\x00\x04live".into(), "live".into()),
        ("empty string", b"\x02\x00\x00".into(), "".into()),
        (
            "object, order kept",
            b"\x03\x00\x01b\x05\x00\x01a\x06\x00\x00\x09".into(),
            Object::from([("b", Value::Null), ("a", Value::Undefined)]).into(),
        ),
        (
            "empty object",
            b"\x03\x00\x00\x09".into(),
            Object::new().into(),
        ),
        (
            "an empty key without an end marker",
            b"\x03\x00\x00\x01\x01\x00\x00\x09".into(),
            Object::from([("", true)]).into(),
        ),
        ("null", b"\x05".into(), Value::Null),
        ("undefined", b"\x06".into(), Value::Undefined),
        (
            "ECMA array",
            b"\x08\0\0\0\x01\x00\x05width\x00\x40\x9e\0\0\0\0\0\0\x00\x00\x09".into(),
            Value::EcmaArray(Object::from([("width", 1920.0)])),
        ),
        (
            "strict array",
            b"\x0a\0\0\0\x02\x02\x00\x04hvc1\x01\x00".into(),
            Value::StrictArray(vec!["hvc1".into(), false.into()]),
        ),
        (
            "date, an hour west",
            b"\x0b\x42\x6d\x1a\x94\xa2\0\0\0\xff\xc4".into(),
            Value::Date {
                unix_ms: 1e12,
                zone: -60,
            },
        ),
        (
            "long string",
            [b"\x0c\x00\x01\x00\x00", long.as_bytes()].concat(),
            long.into(),
        ),
        ("unsupported", b"\x0d".into(), Value::Unsupported),
        (
            "XML",
            b"\x0f\0\0\0\x04<a/>".into(),
            Value::Xml("<a/>".to_owned()),
        ),
        (
            "typed object",
            b"\x10\x00\x01C\x00\x01k\x01\x01\x00\x00\x09".into(),
            Value::TypedObject {
                class_name: "C".to_owned(),
                object: Object::from([("k", true)]),
            },
        ),
        (
            "nested",
            b"\x03\x00\x01o\x08\0\0\0\x01\x00\x01s\x0a\0\0\0\x01\x05\x00\x00\x09\x00\x00\x09"
                .into(),
            Object::new()
                .with(
                    "o",
                    Value::EcmaArray(Object::new().with("s", vec![Value::Null])),
                )
                .into(),
        ),
    ]
}

/// Forms that others write and we do not.
fn read_only() -> Vec<(&'static str, Vec<u8>, Value)> {
    vec![
        ("a true of 255", b"\x01\xff".into(), Value::Boolean(true)),
        (
            "text that is not UTF-8",
            b"\x02\x00\x02\xff-".into(),
            "\u{fffd}-".into(),
        ),
        (
            "a short long string",
            b"\x0c\0\0\0\x02ab".into(),
            "ab".into(),
        ),
        ("reference", b"\x07\x00\x03".into(), Value::Null),
        (
            "ECMA array, count 0 is wrong",
            b"\x08\0\0\0\0\x00\x01a\x05\x00\x00\x09".into(),
            Value::EcmaArray(Object::from([("a", Value::Null)])),
        ),
        (
            "ECMA array, count 2^32 - 1 is wrong",
            b"\x08\xff\xff\xff\xff\x00\x01a\x05\x00\x00\x09".into(),
            Value::EcmaArray(Object::from([("a", Value::Null)])),
        ),
        (
            "repeated keys are kept",
            b"\x03\x00\x01a\x05\x00\x01a\x06\x00\x00\x09".into(),
            Object::from([("a", Value::Null), ("a", Value::Undefined)]).into(),
        ),
        ("AMF3 true", b"\x11\x03".into(), Value::Boolean(true)),
    ]
}

#[test]
fn every_marker_is_read() {
    for (name, bytes, value) in both_ways().into_iter().chain(read_only()) {
        assert_eq!(decode_one(&bytes), Ok(value), "{name}");
    }
}

#[test]
fn every_marker_is_written() {
    for (name, bytes, value) in both_ways() {
        let mut out = Vec::new();
        encode(&value, &mut out);
        assert_eq!(out, bytes, "{name}");
    }
}

#[test]
fn a_plain_value_cut_short_is_an_error_at_every_length() {
    for (name, bytes, value) in both_ways().into_iter().chain(read_only()) {
        if value.as_object().is_some() || value.as_array().is_some() {
            continue;
        }
        // The long string is not tried at each of its 65541 lengths.
        for length in (1..bytes.len()).take(32).chain([bytes.len() - 1]) {
            if length == 0 || length >= bytes.len() {
                continue;
            }
            let error = decode_one(&bytes[..length]);
            assert!(
                matches!(error, Err(AmfError::Truncated(_))),
                "{name} in {length}: {error:?}"
            );
        }
    }
}

/// Whether `part` is what is left of `whole` when its bytes end early.
fn is_beginning_of(part: &Value, whole: &Value) -> bool {
    let beginning = |part: &Object, whole: &Object| {
        part.len() <= whole.len()
            && part
                .iter()
                .zip(whole.iter())
                .all(|((a, x), (b, y))| a == b && is_beginning_of(x, y))
    };
    match (part, whole) {
        (Value::Object(part), Value::Object(whole))
        | (Value::EcmaArray(part), Value::EcmaArray(whole)) => beginning(part, whole),
        (
            Value::TypedObject {
                class_name: a,
                object: part,
            },
            Value::TypedObject {
                class_name: b,
                object: whole,
            },
        ) => a == b && beginning(part, whole),
        (Value::StrictArray(part), Value::StrictArray(whole)) => {
            part.len() <= whole.len() && part.iter().zip(whole).all(|(x, y)| is_beginning_of(x, y))
        }
        _ => part == whole,
    }
}

#[test]
fn a_container_cut_short_keeps_what_was_whole() {
    for (name, bytes, value) in both_ways().into_iter().chain(read_only()) {
        if value.as_object().is_none() && value.as_array().is_none() {
            continue;
        }
        for length in 1..bytes.len() {
            match decode_one(&bytes[..length]) {
                Ok(part) => assert!(
                    is_beginning_of(&part, &value),
                    "{name} in {length}: {part:?}"
                ),
                // The count or the class name is not whole yet.
                Err(AmfError::Truncated(_)) => assert!(length < 5, "{name} in {length}"),
                Err(error) => panic!("{name} in {length}: {error}"),
            }
        }
    }
}

#[test]
fn nothing_is_left_behind_a_value_cut_short() {
    // The rest of a number, which would be read as a string.
    let mut decoder = Decoder::new(b"\x00\x02\x00\x00", &Limits::default());
    assert!(matches!(decoder.next(), Err(AmfError::Truncated(_))));
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn a_property_cut_short_is_left_out() {
    // The second number lacks six of its bytes.
    let bytes = b"\x08\0\0\0\x02\x00\x05width\x00\x40\x9e\0\0\0\0\0\0\x00\x06height\x00\x40\x90";
    let mut decoder = Decoder::new(bytes, &Limits::default());
    assert_eq!(
        decoder.next(),
        Ok(Some(Value::EcmaArray(Object::from([("width", 1920.0)]))))
    );
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.rest(), b"");
}

#[test]
fn reserved_and_unknown_markers_are_named() {
    for marker in [0x04, 0x09, 0x0E].into_iter().chain(0x12..=0xFF) {
        let body = [marker, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(decode_one(&body), Err(AmfError::Marker(marker)));
    }
    // An end marker behind a key that is not empty.
    assert_eq!(decode_one(b"\x03\x00\x01a\x09"), Err(AmfError::Marker(9)));
    // An error inside a container is not taken for its end.
    assert_eq!(
        decode_one(b"\x0a\0\0\0\x02\x05\x04"),
        Err(AmfError::Marker(4))
    );
}

#[test]
fn values_come_one_after_the_other() {
    let bytes = b"\x02\x00\x07connect\x00\x3f\xf0\0\0\0\0\0\0\x05";
    let mut decoder = Decoder::new(bytes, &Limits::default());
    assert_eq!(decoder.next(), Ok(Some("connect".into())));
    assert_eq!(decoder.rest().len(), 10);
    assert_eq!(decoder.next(), Ok(Some(number(1.0))));
    assert_eq!(decoder.rest(), b"\x05");
    assert_eq!(decoder.next(), Ok(Some(Value::Null)));
    assert_eq!(decoder.next(), Ok(None));
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn amf3_is_one_value_and_then_amf0_again() {
    let bytes = b"\x11\x06\x07abc\x02\x00\x01d\x11\x01\x05";
    assert_eq!(
        decode_all(bytes),
        Ok(vec!["abc".into(), "d".into(), Value::Null, Value::Null])
    );
    // Inside an object, too.
    assert_eq!(
        decode_one(b"\x03\x00\x01a\x11\x04\x05\x00\x01b\x05\x00\x00\x09"),
        Ok(Object::new().with("a", 5.0).with("b", Value::Null).into())
    );
}

#[test]
fn the_limit_of_values_spans_the_message() {
    let five = b"\x05\x0a\0\0\0\x02\x05\x05\x05";
    let read = |values_max| {
        let limits = limits(16, values_max);
        let mut decoder = Decoder::new(five, &limits);
        while decoder.next()?.is_some() {}
        Ok(())
    };
    assert_eq!(read(5), Ok(()));
    assert_eq!(read(4), Err(AmfError::TooManyValues(4)));
    assert_eq!(read(0), Err(AmfError::TooManyValues(0)));
}

/// `depth` containers, one in the other, of each kind.
fn nested(depth: usize) -> [Vec<u8>; 4] {
    [
        b"\x03\x00\x01a".repeat(depth),
        b"\x08\0\0\0\x01\x00\x01a".repeat(depth),
        b"\x10\x00\x01C\x00\x01a".repeat(depth),
        b"\x0a\0\0\0\x01".repeat(depth),
    ]
}

#[test]
fn depth_is_limited() {
    for bytes in nested(16) {
        assert!(decode_one(&bytes).is_ok());
    }
    for bytes in nested(17) {
        assert_eq!(decode_one(&bytes), Err(AmfError::TooDeep(16)));
    }
    // A million levels end as early as seventeen do.
    for bytes in nested(1_000_000) {
        assert_eq!(decode_one(&bytes), Err(AmfError::TooDeep(16)));
    }
}

#[test]
fn declared_counts_allocate_nothing() {
    // 4 294 967 295 elements and one of them there; the same for text.
    assert_eq!(
        decode_one(b"\x0a\xff\xff\xff\xff\x05"),
        Ok(Value::StrictArray(vec![Value::Null]))
    );
    assert_eq!(
        decode_one(b"\x0c\xff\xff\xff\xffab"),
        Err(AmfError::Truncated(Truncated {
            wanted: 0xFFFF_FFFF,
            left: 2
        }))
    );
}

#[test]
fn keys_too_long_for_their_field_are_cut_between_characters() {
    let key = format!("{}\u{e9}tail", "k".repeat(0xFFFE));
    let mut out = Vec::new();
    encode_object(&Object::from([(key, 1.0)]), &mut out);
    let Ok(Value::Object(object)) = decode_one(&out) else {
        panic!("an object");
    };
    assert_eq!(object, Object::from([("k".repeat(0xFFFE), 1.0)]));
}

#[test]
fn a_string_of_65535_bytes_is_a_short_one() {
    for (length, marker) in [(0xFFFF, STRING), (0x1_0000, LONG_STRING)] {
        let text = "s".repeat(length);
        let mut out = Vec::new();
        encode_string(&text, &mut out);
        assert_eq!(out[0], marker);
        assert_eq!(decode_one(&out), Ok(text.into()));
    }
}

#[test]
fn byte_arrays_have_no_amf0_form() {
    let mut out = Vec::new();
    encode(&Value::ByteArray(vec![1, 2, 3]), &mut out);
    assert_eq!(out, [UNSUPPORTED]);
}

/// Values that AMF0 can carry and that are equal to themselves.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>()
            .prop_filter("NaN", |n| !n.is_nan())
            .prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,8}".prop_map(Value::String),
        ".{0,8}".prop_map(Value::Xml),
        (-1e15..1e15, any::<i16>()).prop_map(|(unix_ms, zone)| Value::Date { unix_ms, zone }),
        Just(Value::Null),
        Just(Value::Undefined),
        Just(Value::Unsupported),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let object = prop::collection::vec((".{0,4}", inner.clone()), 0..6)
            .prop_map(|properties| Object { properties });
        prop_oneof![
            object.clone().prop_map(Value::Object),
            object.clone().prop_map(Value::EcmaArray),
            (".{0,4}", object)
                .prop_map(|(class_name, object)| Value::TypedObject { class_name, object }),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(values in prop::collection::vec(any_value(), 0..4)) {
        let mut out = Vec::new();
        for value in &values {
            encode(value, &mut out);
        }
        prop_assert_eq!(decode_all(&out), Ok(values));
    }

    #[test]
    fn a_beginning_of_a_message_is_read_as_a_beginning(
        values in prop::collection::vec(any_value(), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut out = Vec::new();
        for value in &values {
            encode(value, &mut out);
        }
        let limits = Limits::default();
        let mut decoder = Decoder::new(&out[..cut.index(out.len())], &limits);
        for value in &values {
            match decoder.next() {
                Ok(Some(part)) => prop_assert!(is_beginning_of(&part, value)),
                Ok(None) | Err(AmfError::Truncated(_)) => break,
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        // Small numbers are likelier to be markers and lengths.
        for bytes in [bytes.clone(), bytes.iter().map(|byte| byte % 19).collect()] {
            if let Ok(values) = decode_all(&bytes) {
                let mut out = Vec::new();
                for value in &values {
                    encode(value, &mut out);
                }
                let again = decode_all(&out).unwrap();
                prop_assert_eq!(again.len(), values.len());
            }
        }
    }
}
