#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

const SET: &[u8] = b"\x02\x00\x0d@setDataFrame";
const CLEAR: &[u8] = b"\x02\x00\x0f@clearDataFrame";
const ON: &[u8] = b"\x02\x00\x0aonMetaData";
const TEXT: &[u8] = b"\x02\x00\x0aonTextData";
const ARRAY: &[u8] = b"\x08\0\0\0\0\x00\x05width\x00\x40\x9e\0\0\0\0\0\0\x00\x00\x09";
const OBJECT: &[u8] = b"\x03\x00\x05width\x00\x40\x9e\0\0\0\0\0\0\x00\x00\x09";
const NULL: &[u8] = b"\x05";
const TWO_NUMBERS: &[u8] = b"\x00\x3f\xf0\0\0\0\0\0\0\x00\x40\0\0\0\0\0\0\0";

fn decode(body: &[u8]) -> Data<'_> {
    Data::decode(body, false, &Limits::default())
}

#[test]
fn every_form_of_metadata_is_cut_to_what_is_relayed() {
    for value in [ARRAY, OBJECT, NULL, b"", b"\x08\0"] {
        let relayed = [ON, value].concat();
        for junk in [&b""[..], TWO_NUMBERS, NULL] {
            let set = [junk, SET, ON, value].concat();
            let bare = [junk, ON, value].concat();
            for body in [set, bare] {
                assert_eq!(decode(&body), Data::SetMetadata(&relayed), "{body:?}");
            }
        }
    }
}

#[test]
fn metadata_is_forgotten_on_request() {
    for body in [CLEAR.to_vec(), [CLEAR, ON].concat(), [NULL, CLEAR].concat()] {
        assert_eq!(decode(&body), Data::ClearMetadata);
    }
}

#[test]
fn type_15_may_have_its_format_byte_or_not() {
    let limits = Limits::default();
    let relayed = [ON, ARRAY].concat();
    let prefixed = [b"\x00", SET, ON, ARRAY].concat();
    assert_eq!(
        Data::decode(&prefixed, true, &limits),
        Data::SetMetadata(&relayed)
    );
    assert_eq!(
        Data::decode(&prefixed[1..], true, &limits),
        Data::SetMetadata(&relayed)
    );
    let prefixed = [b"\x00", TEXT, ARRAY].concat();
    assert_eq!(
        Data::decode(&prefixed, true, &limits),
        Data::Other(&prefixed[1..])
    );
}

#[test]
fn everything_else_is_passed_on() {
    let text = [TEXT, ARRAY].concat();
    let numbers_and_text = [TWO_NUMBERS, TEXT].concat();
    for body in [
        &text[..],
        &numbers_and_text,
        b"",
        TWO_NUMBERS,
        NULL,
        // Not readable.
        b"\x04",
        b"\xff\xff\xff",
        // Without a handler's name.
        SET,
        &[SET, ARRAY].concat(),
        &[SET, b"\x04"].concat(),
    ] {
        assert_eq!(decode(body), Data::Other(body), "{body:?}");
    }
}

#[test]
fn data_frames_of_other_handlers_lose_the_request_only() {
    let body = [SET, TEXT, ARRAY].concat();
    assert_eq!(decode(&body), Data::Other(&body[SET.len()..]));
}

#[test]
fn every_shorter_body_is_passed_on_until_it_has_its_name() {
    let body = [SET, ON, ARRAY].concat();
    let named = SET.len() + ON.len();
    for length in 0..body.len() {
        let cut = &body[..length];
        let expected = if length < named {
            Data::Other(cut)
        } else {
            Data::SetMetadata(&cut[SET.len()..])
        };
        assert_eq!(decode(cut), expected);
    }
}

#[test]
fn metadata_is_found_in_every_form() {
    let limits = Limits::default();
    let width = Object::from([("width", 1920.0)]);
    for value in [ARRAY, OBJECT] {
        for front in [
            &b""[..],
            ON,
            &[SET, ON].concat(),
            &[TWO_NUMBERS, ON].concat(),
        ] {
            let body = [front, value].concat();
            assert_eq!(metadata_object(&body, &limits), Some(width.clone()));
        }
    }
    // AMF3: an anonymous object with one dynamic property.
    let body = [ON, b"\x11\x0a\x0b\x01\x0bwidth\x04\x8f\x00\x01"].concat();
    assert_eq!(metadata_object(&body, &limits), Some(width.clone()));
    for value in [NULL, b"", b"\x04", b"\x08\0\0"] {
        assert_eq!(metadata_object(&[ON, value].concat(), &limits), None);
    }
    // Cut short behind its only property.
    let body = [ON, &ARRAY[..ARRAY.len() - 3]].concat();
    assert_eq!(metadata_object(&body, &limits), Some(width));
}

#[test]
fn amf3_is_rewritten() {
    let limits = Limits::default();
    let plain = [SET, ON, OBJECT].concat();
    let switching = b"\x00\x11\x06\x1b@setDataFrame\x11\x06\x15onMetaData\
        \x11\x0a\x0b\x01\x0bwidth\x05\x40\x9e\0\0\0\0\0\0\x01";
    for body in [&switching[..], &switching[1..], &plain] {
        assert_eq!(to_amf0(body, &limits), Some(plain.clone()));
    }
    // An object cut short is ended, a plain value cut short is an error.
    let cut = &switching[..switching.len() - 1];
    assert_eq!(to_amf0(cut, &limits), Some(plain));
    assert_eq!(to_amf0(&switching[..5], &limits), None);
    assert_eq!(to_amf0(b"\x00\x04", &limits), None);
}

#[test]
fn what_is_written_is_read_back() {
    let metadata = Object::new()
        .with("width", 1920.0)
        .with("encoder", "test")
        .with("stereo", true);
    let set = encode_set_data_frame(&metadata);
    let bare = encode_metadata(&metadata);
    assert_eq!(decode(&set), Data::SetMetadata(&bare));
    assert_eq!(decode(&bare), Data::SetMetadata(&bare));
    assert_eq!(metadata_object(&bare, &Limits::default()), Some(metadata));
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..96), amf3: bool) {
        let limits = Limits::default();
        let body = [SET, &bytes].concat();
        for body in [&bytes, &body] {
            if let Data::SetMetadata(relayed) = Data::decode(body, amf3, &limits) {
                prop_assert!(relayed.starts_with(ON));
                prop_assert!(body.ends_with(relayed));
            }
            let _ = metadata_object(body, &limits);
        }
    }
}
