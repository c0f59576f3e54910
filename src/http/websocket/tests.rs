//! The examples of RFC 6455, and clients that break its rules.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;

use super::*;
use crate::http::request::{RequestLimits, RequestReader};
use crate::http::testing::pieces;

fn request(text: &str) -> Request {
    let mut reader = RequestReader::new(RequestLimits::default());
    let (taken, request) = reader.handle_input(text.as_bytes()).unwrap();
    assert_eq!(taken, text.len());
    request.unwrap()
}

/// RFC 6455 §1.2, with a line changed or added.
fn handshake(line: &str) -> Request {
    let name = line.split(':').next().unwrap();
    let mut text = "GET /live/cam.flv HTTP/1.1\r\n".to_owned();
    for field in [
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Origin: http://example.com",
        "Sec-WebSocket-Version: 13",
    ] {
        if !field.starts_with(name) || name.is_empty() {
            text.push_str(&format!("{field}\r\n"));
        }
    }
    if !line.ends_with('-') && !line.is_empty() {
        text.push_str(&format!("{line}\r\n"));
    }
    request(&format!("{text}\r\n"))
}

#[test]
fn the_example_of_the_rfc_is_accepted() {
    assert_eq!(
        accept_key("dGhlIHNhbXBsZSBub25jZQ=="),
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    for line in [
        "",
        "Connection: keep-alive, upgrade",
        "Upgrade: h2c, WebSocket",
    ] {
        let Upgrade::Accepted(head) = upgrade(&handshake(line)) else {
            panic!("{line}");
        };
        let mut out = Vec::new();
        head.encode(Version::Http11, true, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
    }
}

#[test]
fn wishes_that_are_none_are_told_from_faults() {
    for (line, status) in [
        ("Upgrade: -", None),
        ("Upgrade: h2c", None),
        ("Connection: keep-alive", Some(Status::BadRequest)),
        ("Sec-WebSocket-Key: -", Some(Status::BadRequest)),
        (
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ",
            Some(Status::BadRequest),
        ),
        (
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ=*=",
            Some(Status::BadRequest),
        ),
        ("Sec-WebSocket-Key: dGhl", Some(Status::BadRequest)),
        ("Sec-WebSocket-Version: 8", Some(Status::UpgradeRequired)),
        ("Sec-WebSocket-Version: -", Some(Status::UpgradeRequired)),
    ] {
        match (upgrade(&handshake(line)), status) {
            (Upgrade::NotAsked, None) => {}
            (Upgrade::Refused(found), Some(status)) => assert_eq!(found, status, "{line}"),
            (other, _) => panic!("{line}: {other:?}"),
        }
    }
    let old = "GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    assert!(matches!(upgrade(&request(old)), Upgrade::NotAsked));
}

#[test]
fn base64_is_padded() {
    for (bytes, text) in [
        (&b""[..], ""),
        (b"f", "Zg=="),
        (b"fo", "Zm8="),
        (b"foo", "Zm9v"),
        (b"\xFB\xFF\xBF", "+/+/"),
    ] {
        assert_eq!(base64(bytes), text);
    }
}

#[test]
fn our_frames_have_the_shortest_length() {
    for (length, head) in [
        (0, &[0x82, 0][..]),
        (125, &[0x82, 125]),
        (126, &[0x82, 126, 0, 126]),
        (0xFFFF, &[0x82, 126, 0xFF, 0xFF]),
        (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        assert_eq!(FrameHead::new(Opcode::Binary, length).bytes(), head);
    }
    assert_eq!(frame(Opcode::Text, b"Hello"), b"\x81\x05Hello");
    assert_eq!(frame(Opcode::Pong, &[1; 200]).len(), 127);
    assert_eq!(close_frame(1001, "bye"), b"\x88\x05\x03\xE9bye");
    let long = close_frame(1000, &"\u{e9}".repeat(100));
    assert_eq!(long.len(), 2 + 2 + 122);
    assert!(std::str::from_utf8(&long[4..]).is_ok());
}

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = frame(Opcode::Binary, payload);
    let head = out.len() - payload.len();
    out.truncate(head);
    out[0] = first;
    out[1] |= 0x80;
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    out.extend_from_slice(&mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}

fn read(input: &[u8], cuts: &[usize]) -> (Vec<Event>, Option<Fault>) {
    let mut reader = FrameReader::new();
    let mut events = Vec::new();
    for mut piece in pieces(input, cuts) {
        while !piece.is_empty() {
            match reader.handle_input(piece) {
                Ok((taken, event)) => {
                    assert!(taken > 0);
                    piece = &piece[taken..];
                    events.extend(event);
                }
                Err(fault) => return (events, Some(fault)),
            }
        }
    }
    (events, None)
}

#[test]
fn clients_are_understood() {
    // "Hello" of RFC 6455 §5.7.
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_eq!(masked(0x81, b"Hello"), hello);
    let long = vec![7; MESSAGE_BYTES_MAX];
    let all = [
        hello.to_vec(),
        masked(0x89, b"ping"),
        masked(0x8A, b""),
        // In pieces, with a ping among them.
        masked(0x02, b"ab"),
        masked(0x89, b""),
        masked(0x00, b""),
        masked(0x80, b"cde"),
        masked(0x82, &long),
        masked(0x81, b""),
        masked(0x88, b"\x03\xE8bye"),
        masked(0x88, b""),
    ]
    .concat();
    let expected = [
        Event::Message(b"Hello".to_vec()),
        Event::Ping(b"ping".to_vec()),
        Event::Pong,
        Event::Ping(Vec::new()),
        Event::Message(b"abcde".to_vec()),
        Event::Message(long),
        Event::Message(Vec::new()),
        Event::Close(Some(1000)),
        Event::Close(None),
    ];
    assert_eq!(read(&all, &[]), (expected.to_vec(), None));
    let each: Vec<usize> = (0..all.len()).collect();
    assert_eq!(read(&all, &each), (expected.to_vec(), None));
}

#[test]
fn faults_have_their_codes() {
    let too_long = vec![0; MESSAGE_BYTES_MAX + 1];
    let two = [
        masked(0x02, &too_long[..MESSAGE_BYTES_MAX]),
        masked(0x80, b"a"),
    ]
    .concat();
    for (bytes, fault, code) in [
        (vec![0x81, 0x05], Fault::Unmasked, 1002),
        (vec![0xC1], Fault::Reserved, 1002),
        (vec![0x83], Fault::Reserved, 1002),
        (vec![0x8B], Fault::Reserved, 1002),
        (masked(0x09, b""), Fault::Control, 1002),
        (masked(0x89, &[0; 126]), Fault::Control, 1002),
        (masked(0x88, &[3]), Fault::Control, 1002),
        (masked(0x80, b"a"), Fault::Fragment, 1002),
        (
            [masked(0x01, b"a"), masked(0x81, b"b")].concat(),
            Fault::Fragment,
            1002,
        ),
        (masked(0x82, &too_long), Fault::TooLarge, 1009),
        (two, Fault::TooLarge, 1009),
        // The largest length there is: refused by its head.
        (
            [&[0x82, 0xFF][..], &[0xFF; 12]].concat(),
            Fault::TooLarge,
            1009,
        ),
    ] {
        assert_eq!(
            read(&bytes, &[]).1,
            Some(fault),
            "{:x?}",
            &bytes[..2.min(bytes.len())]
        );
        assert_eq!(fault.code(), code);
    }
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same(
        frames in proptest::collection::vec(
            (0_u8..=255, proptest::collection::vec(0_u8..=255, 0..140)), 0..6,
        ),
        noise in proptest::collection::vec(0_u8..=255, 0..20),
        cuts in proptest::collection::vec(0_usize..900, 0..20),
    ) {
        let mut input: Vec<u8> = Vec::new();
        for (first, payload) in frames {
            // Most of them valid.
            input.extend(masked(if first < 0x40 { first } else { 0x80 | (first % 3) }, &payload));
        }
        input.extend(noise);
        let whole = read(&input, &[]);
        prop_assert_eq!(&whole, &read(&input, &cuts));
        let each: Vec<usize> = (0..input.len()).collect();
        prop_assert_eq!(&whole, &read(&input, &each));
    }
}
