//! Several streams on one connection, calls that nobody defined, bounds, and the forms in which
//! commands and their answers come.

use super::{CONNECTED, LIVE, NAME, PUBLISHING_WITHOUT_FC, check, step};
use crate::amf::{Object, Value};
use crate::rtmp::message::MessageType;
use crate::rtmp::message::command::Command;
use crate::rtmp::session::testing::Arg::{Bool, Fields, List, Null, Number, Text};
use crate::rtmp::session::testing::{Subject, command_body};

#[test]
fn one_connection_publishes_and_plays_once_each() {
    check(
        "several streams",
        &[
            step(
                (3, 0),
                "connect",
                1.0,
                LIVE,
                CONNECTED,
                &["Connect \"live\""],
            ),
            step((3, 0), "createStream", 2.0, &[], &["_result(2) m0 1"], &[]),
            step((3, 0), "createStream", 3.0, &[], &["_result(3) m0 2"], &[]),
            step((3, 0), "createStream", 4.0, &[], &["_result(4) m0 3"], &[]),
            step(
                (4, 1),
                "publish",
                5.0,
                NAME,
                PUBLISHING_WITHOUT_FC,
                &["Note(PublishWithoutType)", "Publish m1 \"cam\""],
            ),
            // The very same once more: said again, not asked again.
            step((4, 1), "publish", 5.0, NAME, PUBLISHING_WITHOUT_FC, &[]),
            step(
                (4, 1),
                "publish",
                6.0,
                &[Null, Text("other")],
                &["onStatus(0) m1 [error] NetStream.Publish.BadName"],
                &[],
            ),
            step(
                (4, 2),
                "publish",
                6.0,
                NAME,
                &["onStatus(0) m2 [error] NetStream.Publish.BadName"],
                &[],
            ),
            step(
                (4, 1),
                "play",
                6.0,
                NAME,
                &["onStatus(0) m1 [error] NetStream.Play.Failed"],
                &[],
            ),
            step(
                (4, 2),
                "play",
                7.0,
                NAME,
                &[
                    "StreamBegin(2)",
                    "onStatus(0) m2 [status] NetStream.Play.Reset",
                    "onStatus(0) m2 [status] NetStream.Play.Start",
                    "data m2 |RtmpSampleAccess",
                    "data m2 onStatus",
                ],
                &["Play m2 \"cam\""],
            ),
            step(
                (4, 3),
                "play",
                8.0,
                NAME,
                &["onStatus(0) m3 [error] NetStream.Play.Failed"],
                &[],
            ),
            step(
                (4, 2),
                "publish",
                8.0,
                &[Null, Text("x")],
                &["onStatus(0) m2 [error] NetStream.Publish.BadName"],
                &[],
            ),
            // An idle stream and one that does not exist: nobody else is hurt.
            step(
                (3, 0),
                "deleteStream",
                9.0,
                &[Null, Number(3.0)],
                &["_result(9) m0"],
                &[],
            ),
            step(
                (3, 0),
                "deleteStream",
                9.0,
                &[Null, Number(3.0)],
                &["_result(9) m0"],
                &[],
            ),
            step(
                (3, 0),
                "deleteStream",
                9.0,
                &[Null, Number(-1.5)],
                &["_result(9) m0"],
                &["Note(StreamNumberMissing)"],
            ),
            step((3, 3), "closeStream", 9.0, &[Null], &["_result(9) m3"], &[]),
            // The freed number is given out again.
            step(
                (3, 0),
                "createStream",
                10.0,
                &[],
                &["_result(10) m0 3"],
                &[],
            ),
            step(
                (3, 0),
                "deleteStream",
                0.0,
                &[Null, Number(2.0)],
                &[],
                &["PlayStopped m2"],
            ),
            step(
                (3, 0),
                "closeStream",
                0.0,
                &[],
                &["onStatus(0) m1 [status] NetStream.Unpublish.Success"],
                &["Unpublished m1"],
            ),
        ],
    );
}

#[test]
fn unknown_calls_get_a_result_and_replies_get_nothing() {
    check(
        "odd calls",
        &[
            step(
                (3, 0),
                "createStream",
                1.0,
                &[],
                &["_error(1) m0 [error] NetConnection.Call.Failed"],
                &["Note(CommandBeforeConnect)"],
            ),
            step((3, 0), "publish", 0.0, NAME, &[], &[]),
            step(
                (3, 0),
                "connect",
                1.0,
                LIVE,
                CONNECTED,
                &["Connect \"live\""],
            ),
            step(
                (3, 0),
                "connect",
                2.0,
                LIVE,
                &["_error(2) m0 [error] NetConnection.Call.Failed"],
                &[],
            ),
            step((3, 0), "getMovLen", 3.0, &[], &["_result(3) m0"], &[]),
            step(
                (3, 5),
                "setPeerInfo",
                4.0,
                &[Null, List(&[Number(1.0)])],
                &["_result(4) m5"],
                &[],
            ),
            step((3, 0), "setPeerInfo", 0.0, &[], &[], &[]),
            step((3, 0), "", 9.0, &[], &["_result(9) m0"], &[]),
            step((3, 0), "_result", 5.0, &[Null, Number(1.0)], &[], &[]),
            step((3, 0), "_error", 5.0, &[], &[], &[]),
            step((3, 0), "onStatus", 5.0, &[], &[], &[]),
            // A transaction id that is no number is read as 0; this one is not answered.
            step((3, 0), "_checkbw", f64::NAN, &[], &[], &[]),
            step((3, 0), "_checkbw", -1.0, &[], &[], &[]),
            // Nothing plays: nothing to say.
            step((3, 1), "pause", 6.0, &[Null, Bool(true)], &[], &[]),
            step((3, 1), "seek", 6.0, &[Null, Number(0.0)], &[], &[]),
            step((3, 1), "receiveAudio", 6.0, &[Null, Bool(true)], &[], &[]),
        ],
    );
}

#[test]
fn streams_per_connection_are_bounded() {
    let mut subject = Subject::handshaken();
    subject.call(3, 0, "connect", 1.0, LIVE);
    for number in 1..=8 {
        let replies = subject.call(3, 0, "createStream", 2.0, &[]);
        assert_eq!(replies, [format!("_result(2) m0 {number}")]);
    }
    let replies = subject.call(3, 0, "createStream", 2.0, &[]);
    assert_eq!(replies, ["_error(2) m0 [error] NetConnection.Call.Failed"]);
}

#[test]
fn who_knows_enhanced_rtmp_is_told_what_we_forward() {
    let mut subject = Subject::handshaken();
    let object = Fields(&[("app", Text("live")), ("fourCcList", List(&[Text("hvc1")]))]);
    subject.call(3, 0, "connect", 1.0, &[object]);
    // The reply again, with the whole information object this time.
    let mut subject = Subject::handshaken();
    let body = command_body("connect", 1.0, &[object]);
    let bytes = subject
        .wire
        .write(3, 0, MessageType::COMMAND_AMF0, 0, &body);
    subject.feed(&bytes).unwrap();
    let output = subject.session.poll_output().unwrap();
    for field in [
        "videoFourCcInfoMap",
        "audioFourCcInfoMap",
        "capsEx",
        "objectEncoding",
    ] {
        let found = output
            .windows(field.len())
            .any(|bytes| bytes == field.as_bytes());
        assert!(found, "{field}");
    }
    // Level before code, for Wirecast.
    let place = |text: &[u8]| output.windows(text.len()).position(|bytes| bytes == text);
    assert!(place(b"level").unwrap() < place(b"code").unwrap());
    // Set Chunk Size before the first message of more than 128 bytes: the whole result follows
    // in one chunk.
    let messages = subject.wire.read(&output);
    assert_eq!(messages[2].message_type, MessageType::SET_CHUNK_SIZE);
    assert!(messages[3].payload.len() > 128);
}

#[test]
fn who_declared_it_is_asked_to_connect_anew() {
    for (declared, expected) in [
        (
            Number(1.0),
            &["onStatus(0) m0 [status] NetConnection.Connect.ReconnectRequest"][..],
        ),
        (
            Number(15.0),
            &["onStatus(0) m0 [status] NetConnection.Connect.ReconnectRequest"],
        ),
        (Number(14.0), &[]),
        (Null, &[]),
    ] {
        let mut subject = Subject::handshaken();
        // Not before it is connected.
        assert!(!subject.session.request_reconnect(None, "going down"));
        let fields = [("app", Text("live")), ("capsEx", declared)];
        let object = Value::Object(Object {
            properties: fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.value()))
                .collect(),
        });
        let connect = Command {
            name: "connect".to_owned(),
            transaction_id: 1.0,
            object,
            arguments: Vec::new(),
        };
        subject.message(3, 0, MessageType::COMMAND_AMF0, &connect.encode());
        let url = Some("rtmp://b/live");
        let is_sent = subject.session.request_reconnect(url, "going down");
        assert_eq!(is_sent, !expected.is_empty());
        let output = subject.session.poll_output().unwrap_or_default();
        let has_url = output.windows(13).any(|bytes| bytes == b"rtmp://b/live");
        assert_eq!(has_url, is_sent);
        assert_eq!(subject.wire.read_text(&output), expected);
        assert!(subject.session.poll_event().is_none());
    }
}

#[test]
fn commands_in_amf3_messages_are_read() {
    for prefix in [&[0_u8][..], &[]] {
        let mut subject = Subject::handshaken();
        let body = [prefix, &command_body("connect", 1.0, LIVE)].concat();
        let replies = subject.message(3, 0, MessageType::COMMAND_AMF3, &body);
        assert_eq!(replies, CONNECTED);
    }
}
