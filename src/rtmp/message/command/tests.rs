//! Commands as bytes: what clients and servers send, whole and cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn decode(body: &[u8]) -> Result<Command, AmfError> {
    Command::decode(body, false, &Limits::default())
}

fn decode_amf3(body: &[u8]) -> Result<Command, AmfError> {
    Command::decode(body, true, &Limits::default())
}

/// Commands in the forms in which programs send them.
fn table() -> Vec<(&'static str, Vec<u8>, Command)> {
    vec![
        (
            "connect, begun as ffmpeg does",
            b"\x02\x00\x07connect\x00\x3f\xf0\0\0\0\0\0\0\x03\x00\x03app\x02\x00\x04live\
              \x00\x04type\x02\x00\x0anonprivate\x00\x00\x09"
                .into(),
            Command::new("connect", 1.0)
                .with_object(Object::from([("app", "live"), ("type", "nonprivate")])),
        ),
        (
            "releaseStream",
            b"\x02\x00\x0dreleaseStream\x00\x40\0\0\0\0\0\0\0\x05\x02\x00\x03cam".into(),
            Command::new("releaseStream", 2.0).with_argument("cam"),
        ),
        (
            "createStream",
            b"\x02\x00\x0ccreateStream\x00\x40\x10\0\0\0\0\0\0\x05".into(),
            Command::new("createStream", 4.0),
        ),
        (
            "publish",
            b"\x02\x00\x07publish\x00\x40\x14\0\0\0\0\0\0\x05\x02\x00\x03cam\x02\x00\x04live"
                .into(),
            Command::new("publish", 5.0)
                .with_argument("cam")
                .with_argument("live"),
        ),
        (
            "play from -2000",
            b"\x02\x00\x04play\x00\x40\x10\0\0\0\0\0\0\x05\x02\x00\x03cam\x00\xc0\x9f\x40\0\0\0\0\0"
                .into(),
            Command::new("play", 4.0)
                .with_argument("cam")
                .with_argument(-2000.0),
        ),
        (
            "pause",
            b"\x02\x00\x05pause\x00\0\0\0\0\0\0\0\0\x05\x01\x01\x00\x40\x59\0\0\0\0\0\0".into(),
            Command::new("pause", 0.0)
                .with_argument(true)
                .with_argument(100.0),
        ),
        (
            "deleteStream with a name for its number (GStreamer)",
            b"\x02\x00\x0cdeleteStream\x00\0\0\0\0\0\0\0\0\x05\x02\x00\x03cam".into(),
            Command::new("deleteStream", 0.0).with_argument("cam"),
        ),
        (
            "_result of createStream",
            b"\x02\x00\x07_result\x00\x40\x10\0\0\0\0\0\0\x05\x00\x3f\xf0\0\0\0\0\0\0".into(),
            Command::result(4.0, Value::Null, [1.0.into()]),
        ),
        (
            "_result with undefined (SRS)",
            b"\x02\x00\x07_result\x00\x40\0\0\0\0\0\0\0\x05\x06".into(),
            Command::result(2.0, Value::Null, [Value::Undefined]),
        ),
        (
            "_error",
            b"\x02\x00\x06_error\x00\x3f\xf0\0\0\0\0\0\0\x05\x03\x00\x05level\x02\x00\x05error\
              \x00\x04code\x02\x00\x01c\x00\x0bdescription\x02\x00\x01d\x00\x00\x09"
                .into(),
            Command::error(1.0, status_info(Level::Error, "c", "d")),
        ),
        (
            "onStatus",
            b"\x02\x00\x08onStatus\x00\0\0\0\0\0\0\0\0\x05\x03\x00\x05level\x02\x00\x06status\
              \x00\x04code\x02\x00\x17NetStream.Publish.Start\x00\x0bdescription\x02\x00\x00\
              \x00\x00\x09"
                .into(),
            Command::on_status(status_info(Level::Status, "NetStream.Publish.Start", "")),
        ),
    ]
}

#[test]
fn every_form_is_read_and_written() {
    for (name, body, command) in table() {
        assert_eq!(decode(&body).as_ref(), Ok(&command), "{name}");
        assert_eq!(command.encode(), body, "{name}");
    }
}

#[test]
fn type_17_may_have_its_format_byte_or_not() {
    for (name, body, command) in table() {
        assert_eq!(decode_amf3(&body).as_ref(), Ok(&command), "{name}");
        let prefixed = [&[0][..], &body].concat();
        assert_eq!(decode_amf3(&prefixed).as_ref(), Ok(&command), "{name}");
        // In type 20 the byte is the marker of a number.
        assert!(decode(&prefixed).is_err(), "{name}");
    }
}

#[test]
fn type_17_may_switch_to_amf3_for_any_value() {
    let body = b"\x00\x02\x00\x04play\x00\0\0\0\0\0\0\0\0\x11\x01\x11\x06\x07cam\x11\x04\x05";
    assert_eq!(
        decode_amf3(body),
        Ok(Command::new("play", 0.0)
            .with_argument("cam")
            .with_argument(5.0))
    );
    // An AMF3 command object: anonymous, dynamic, one property.
    let body =
        b"\x02\x00\x07connect\x00\x3f\xf0\0\0\0\0\0\0\x11\x0a\x0b\x01\x07app\x06\x09live\x01";
    assert_eq!(
        decode_amf3(body),
        Ok(Command::new("connect", 1.0).with_object(Object::from([("app", "live")])))
    );
}

#[test]
fn a_format_byte_other_than_0_is_not_skipped() {
    let body = [&[3][..], &Command::new("play", 1.0).encode()].concat();
    assert!(decode_amf3(&body).is_err());
}

#[test]
fn every_shorter_body_keeps_what_was_whole() {
    for (name, body, command) in table() {
        let name_end = 3 + command.name.len();
        for length in 0..body.len() {
            match decode(&body[..length]) {
                Ok(part) => {
                    assert!(length >= name_end, "{name} in {length}");
                    assert_eq!(part.name, command.name);
                    assert!([0.0, command.transaction_id].contains(&part.transaction_id));
                    assert!(part.arguments.len() <= command.arguments.len());
                }
                Err(error) => {
                    assert!(length < name_end, "{name} in {length}");
                    assert!(matches!(error, AmfError::Truncated(_)), "{name}: {error}");
                }
            }
        }
    }
}

#[test]
fn missing_parts_have_defaults() {
    let name = b"\x02\x00\x0aonBWDone.\0";
    assert_eq!(
        decode(&name[..12]),
        Err(AmfError::Truncated(Truncated {
            wanted: 10,
            left: 9
        }))
    );
    assert_eq!(decode(b"\x02\x00\x01x"), Ok(Command::new("x", 0.0)));
    assert_eq!(
        decode(b"\x02\x00\x01x\x00\x40\0\0\0\0\0\0\0"),
        Ok(Command::new("x", 2.0))
    );
    // No id: what follows is the command object.
    assert_eq!(
        decode(b"\x02\x00\x01x\x03\x00\x01a\x05\x00\x00\x09\x01\x01"),
        Ok(Command::new("x", 0.0)
            .with_object(Object::from([("a", Value::Null)]))
            .with_argument(true))
    );
}

#[test]
fn what_has_no_name_is_refused() {
    assert_eq!(
        decode(b""),
        Err(AmfError::Truncated(Truncated { wanted: 1, left: 0 }))
    );
    assert_eq!(decode(b"\x05"), Err(AmfError::NoName));
    assert_eq!(decode(b"\x00\0\0\0\0\0\0\0\0"), Err(AmfError::NoName));
    assert_eq!(decode(b"\x04"), Err(AmfError::Marker(4)));
    assert_eq!(decode(b"\x02\x00\x01x\x05\x04"), Err(AmfError::Marker(4)));
}

#[test]
fn limits_hold_for_the_whole_command() {
    let limits = Limits {
        values_max: 4,
        ..Limits::default()
    };
    let call = |arguments: usize| {
        let command = (0..arguments).fold(Command::new("x", 1.0), |c, _| c.with_argument(true));
        Command::decode(&command.encode(), false, &limits)
    };
    assert!(call(1).is_ok());
    assert_eq!(call(2), Err(AmfError::TooManyValues(4)));
}

#[test]
fn arguments_are_found_by_place_and_type() {
    let command = Command::new("x", 0.0)
        .with_argument("cam")
        .with_argument(2.0)
        .with_argument(true);
    assert_eq!(command.string(0), Some("cam"));
    assert_eq!(command.number(1), Some(2.0));
    assert_eq!(command.boolean(2), Some(true));
    assert_eq!(command.number(0), None);
    assert_eq!(command.argument(3), None);
}

#[test]
fn the_information_object_is_found_wherever_it_is() {
    let info = status_info(Level::Warning, "code", "why");
    let in_argument = Command::on_status(info.clone());
    let in_object = Command::new("_error", 1.0).with_object(info.clone());
    let in_second = Command::new("_result", 1.0)
        .with_object(Object::from([("fmsVer", "FMS/3,0,1,123")]))
        .with_argument(Value::Null)
        .with_argument(Value::EcmaArray(info.clone()));
    for command in [in_argument, in_object, in_second] {
        let found = command.info().unwrap();
        assert_eq!(
            (found.level, found.code, found.description),
            ("warning", "code", "why")
        );
        assert_eq!(found.object, &info);
        assert!(!found.is_error());
    }
    assert_eq!(Command::new("_result", 1.0).with_argument(1.0).info(), None);
    let bare = Object::from([("code", "c")]);
    let found = StatusInfo::of(&bare).unwrap();
    assert_eq!((found.level, found.description), ("", ""));
    assert!(
        StatusInfo::of(&status_info(Level::Error, "", ""))
            .unwrap()
            .is_error()
    );
}

#[test]
fn what_refuses_says_so_by_its_level_or_is_known_to() {
    for (level, code, expected) in [
        ("error", "Anything", true),
        ("", "NetStream.Publish.BadName", true),
        ("status", "NetStream.Publish.Failed", true),
        ("status", "NetStream.Publish.Start", false),
        ("warning", "NetStream.Publish.BadName", false),
        ("", "", false),
    ] {
        assert_eq!(is_refusal(level, code), expected, "{level} {code}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        name in ".{0,12}",
        transaction_id in 0.0..1e9,
        arguments in prop::collection::vec(".{0,12}", 0..4),
    ) {
        let command = Command::result(
            transaction_id,
            Object::from([("key", name.as_str())]),
            arguments.into_iter().map(Value::from),
        );
        let body = command.encode();
        prop_assert_eq!(decode(&body), Ok(command.clone()));
        prop_assert_eq!(decode_amf3(&body), Ok(command));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..128),
        amf3: bool,
    ) {
        let named = [&b"\x02\x00\x01x"[..], &bytes].concat();
        for body in [bytes, named] {
            if let Ok(command) = Command::decode(&body, amf3, &Limits::default()) {
                prop_assert!(decode(&command.encode()).is_ok());
            }
        }
    }
}
