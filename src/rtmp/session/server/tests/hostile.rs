//! Peers that send what nobody should.

use super::{CAM, METADATA};
use crate::rtmp::chunk::MessageStreamId;
use crate::rtmp::message::MessageType;
use crate::rtmp::session::testing::{Arg, Subject, command_body, handshake_bytes};
use crate::rtmp::session::{ServerConfig, ServerEvent, SessionError};

/// One read of the connection.
const READ_BYTES: usize = 64 << 10;

/// As many copies of a message as fit one read.
fn a_read_full(
    subject: &mut Subject,
    msid: u32,
    message_type: MessageType,
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let next = subject.wire.write(3, msid, message_type, 0, body);
        if bytes.len() + next.len() > READ_BYTES {
            return bytes;
        }
        bytes.extend(next);
    }
}

#[test]
fn a_read_full_of_any_command_stays_small() {
    let odd: &[Arg] = &[Arg::Null, Arg::Bool(true)];
    for name in [
        "connect",
        "createStream",
        "publish",
        "play",
        "pause",
        "seek",
        "receiveAudio",
        "FCPublish",
        "FCUnpublish",
        "FCSubscribe",
        "closeStream",
        "deleteStream",
        "getStreamLength",
        "x",
        "",
    ] {
        for values in [CAM, odd, &[]] {
            for prepare in [
                Subject::handshaken,
                Subject::connected,
                Subject::publishing,
                Subject::playing,
            ] {
                let mut subject = prepare();
                subject.accepting = false;
                let body = command_body(name, 1.0, values);
                let bytes = a_read_full(&mut subject, 1, MessageType::COMMAND_AMF0, &body);
                subject.feed(&bytes).unwrap();
                let output = subject.session.poll_output().unwrap_or_default();
                // The longest replies are some 400 bytes for a command of 30.
                assert!(output.len() < 16 * READ_BYTES, "{name}: {}", output.len());
                let requests = subject.events();
                let asked = |what: &str| {
                    requests
                        .iter()
                        .filter(|event| event.starts_with(what))
                        .count()
                };
                assert!(asked("Connect") <= 1 && asked("Publish") <= 1, "{name}");
                assert!(asked("Note") <= 2, "{name}");
            }
        }
    }
}

#[test]
fn what_is_held_is_bounded() {
    let mut subject = Subject::connected();
    subject.accepting = false;
    subject.call(4, 1, "publish", 3.0, CAM);
    subject.events();
    let bytes = a_read_full(&mut subject, 1, MessageType::VIDEO, &[0x27]);
    for _ in 0..4 {
        subject.feed(&bytes).unwrap();
    }
    assert_eq!(subject.events(), ["Note(TooEarly)", "Note(HeldTooMuch)"]);
    subject
        .session
        .accept_publish(subject.now, MessageStreamId(1));
    assert_eq!(subject.events().len(), 256);

    let mut subject = Subject::connected();
    subject.accepting = false;
    subject.call(4, 1, "publish", 3.0, CAM);
    subject.events();
    for _ in 0..5 {
        subject.message(4, 1, MessageType::VIDEO, &vec![0x27; 300_000]);
    }
    assert_eq!(subject.events(), ["Note(TooEarly)", "Note(HeldTooMuch)"]);
    subject
        .session
        .accept_publish(subject.now, MessageStreamId(1));
    assert_eq!(subject.events().len(), 3);
    // A goodbye drops it all.
    let mut subject = Subject::connected();
    subject.accepting = false;
    subject.call(4, 1, "publish", 3.0, CAM);
    subject.message(4, 1, MessageType::VIDEO, &[0x27]);
    subject.call(3, 0, "FCUnpublish", 4.0, CAM);
    subject.call(4, 1, "publish", 5.0, CAM);
    subject.events();
    subject
        .session
        .accept_publish(subject.now, MessageStreamId(1));
    assert!(subject.events().is_empty());
}

#[test]
fn faults_end_the_session() {
    let mut subject = Subject::connected();
    let bytes = subject
        .wire
        .write(2, 0, MessageType::SET_CHUNK_SIZE, 0, &[0; 4]);
    // The top bit is not part of the size.
    let masked = [&bytes[..bytes.len() - 4], &[0x80, 0, 0, 0]].concat();
    assert_eq!(subject.feed(&masked), Err(SessionError::ChunkSizeZero));

    for body in [&b""[..], b"\x02", b"\x02\x00\x09conn", b"\x04", b"\xFF\x00"] {
        for mut subject in [Subject::handshaken(), Subject::connected()] {
            let bytes = subject.wire.write(3, 0, MessageType::COMMAND_AMF0, 0, body);
            let outcome = subject.feed(&bytes);
            let fault = matches!(outcome, Err(SessionError::Command(_)) | Ok(()));
            assert!(fault, "{body:?}: {outcome:?}");
        }
    }
    // Out of step: fmt 3 on a chunk stream that was never used.
    let mut subject = Subject::connected();
    let outcome = subject.feed(&[0xC0 | 9, 0, 0, 0]);
    assert!(
        matches!(outcome, Err(SessionError::Chunk(_))),
        "{outcome:?}"
    );
    // A note that comes with the fault is not lost: it may say what led to it.
    let mut subject = Subject::connected();
    let mut bytes = vec![9, 0, 0, 0, 0, 4, 0, 9, 1, 0, 0, 0];
    bytes.extend([0x27; 128]);
    bytes.extend_from_within(..);
    bytes.push(0xC0 | 20);
    let outcome = subject.feed(&bytes);
    assert!(
        matches!(outcome, Err(SessionError::Chunk(_))),
        "{outcome:?}"
    );
    assert_eq!(subject.events(), ["Note(MessageRestarted)"]);
    // Not RTMP at all.
    for first in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01", b"\x06"] {
        let mut subject = Subject::new(ServerConfig::default());
        let outcome = subject.feed(first);
        assert!(
            matches!(outcome, Err(SessionError::Handshake(_))),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_control_message_after_an_unreadable_one_still_counts() {
    let mut subject = Subject::publishing();
    for body in [&[][..], &[0], &[8, 0, 0, 200, 0], &[0xFF; 40]] {
        assert!(
            subject
                .message(4, 1, MessageType::AGGREGATE, body)
                .is_empty()
        );
    }
    for body in [
        &[][..],
        &[2],
        b"\x02\x00\xFFonMeta",
        &[0xFF; 9],
        &METADATA[..20],
    ] {
        subject.message(4, 1, MessageType::DATA_AMF0, body);
        subject.message(4, 1, MessageType::DATA_AMF3, body);
    }
    subject.events();
    let ping = [0, 6, 0, 0, 0, 7];
    assert_eq!(
        subject.message(2, 0, MessageType::USER_CONTROL, &ping),
        ["PingResponse(7)"]
    );
}

#[test]
fn metadata_in_amf3_is_handed_on_in_amf0() {
    let mut subject = Subject::publishing();
    let body = [
        &b"\0\x02\0\x0AonMetaData\x11"[..],
        // A dynamic object without a class name: width, double 640.
        b"\x0A\x0B\x01\x0Bwidth\x05\x40\x84\0\0\0\0\0\0\x01",
    ]
    .concat();
    let bytes = subject.wire.write(4, 1, MessageType::DATA_AMF3, 0, &body);
    subject
        .session
        .handle_input(subject.now, &bytes)
        .expect("a whole message");
    let Some(ServerEvent::Metadata(payload)) = subject.session.poll_event() else {
        panic!("no metadata");
    };
    let expected = b"\x02\0\x0AonMetaData\x03\0\x05width\0\x40\x84\0\0\0\0\0\0\0\0\x09";
    assert_eq!(payload.as_slice(), expected);
}

#[test]
fn room_for_events_is_given_back() {
    let mut subject = Subject::playing();
    let bytes = a_read_full(&mut subject, 1, MessageType::VIDEO, &[0x27]);
    subject.feed(&bytes).unwrap();
    assert_eq!(subject.session.events.capacity(), 0);
    let mut subject = Subject::publishing();
    subject.feed(&bytes).unwrap();
    assert_eq!(subject.session.events.capacity(), 0);
    subject.message(4, 1, MessageType::VIDEO, &[0x27]);
    assert!(subject.session.events.capacity() > 0);
}

#[test]
fn random_bytes_after_the_handshake_never_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..300 {
        let mut subject = Subject::new(ServerConfig::default());
        subject.feed(&handshake_bytes()).unwrap();
        for _ in 0..4 {
            let bytes: Vec<u8> = (0..random.usize(1..600)).map(|_| random.u8(..)).collect();
            if subject.feed(&bytes).is_err() {
                break;
            }
        }
    }
}

#[test]
fn bodies_of_commands_with_a_byte_changed_never_panic() {
    let bodies = [
        command_body(
            "connect",
            1.0,
            &[Arg::Fields(&[("app", Arg::Text("live"))])],
        ),
        command_body("publish", 3.0, CAM),
        command_body("deleteStream", 3.0, &[Arg::Null, Arg::Number(1.0)]),
        METADATA.to_vec(),
    ];
    for body in bodies {
        for place in 0..body.len() {
            for value in [0, 1, 2, 3, 5, 8, 9, 0x11, 0x7F, 0xFF] {
                let mut body = body.clone();
                body[place] = value;
                for message_type in [15, 17, 18, 20, 22] {
                    let mut subject = Subject::publishing();
                    let kind = MessageType(message_type);
                    let bytes = subject.wire.write(3, 1, kind, 0, &body);
                    // Either way is fine.
                    subject.feed(&bytes).ok();
                }
            }
        }
    }
}
