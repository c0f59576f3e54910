//! The server session against scripted clients.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod any_chunking;
mod captures;
mod hostile;
mod model;
mod sequences;
mod states;
mod timing;

use crate::rtmp::message::MessageType;
use crate::rtmp::session::testing::{Arg, Subject};
use crate::rtmp::session::{Note, Refusal, ServerSession};

const SECRET: Refusal = Refusal {
    code: "NetStream.Publish.Denied",
    description: String::new(),
};

const CAM: &[Arg] = &[Arg::Null, Arg::Text("cam"), Arg::Text("live")];

/// `@setDataFrame`, "onMetaData", null: 35 bytes, of which the last 14 are kept.
const METADATA: &[u8] = b"\x02\x00\x0D@setDataFrame\x02\x00\x0AonMetaData\x05";

#[test]
fn an_idle_session_is_small() {
    // A subscriber costs at most 2 KiB in all (connection, cursor and session).
    let size = size_of::<ServerSession>();
    assert!(size <= 640, "{size} bytes");
}

#[test]
fn control_messages_count_on_any_csid_and_msid() {
    let mut subject = Subject::publishing();
    let size = 4000_u32.to_be_bytes();
    let replies = subject.message(5, 1, MessageType::SET_CHUNK_SIZE, &size);
    assert!(replies.is_empty());
    let video = [0x27; 3000];
    subject.message(6, 1, MessageType::VIDEO, &video);
    let events = subject.events();
    assert_eq!(events[0], "Note(ControlOnOtherCsid)");
    assert!(events[1].starts_with("Video t0 [27, 27,"), "{events:?}");
    // Window and bandwidth.
    let window = 100_000_u32.to_be_bytes();
    assert!(
        subject
            .message(2, 0, MessageType::WINDOW_ACK_SIZE, &window)
            .is_empty()
    );
    let ours = [&2_500_000_u32.to_be_bytes()[..], &[2]].concat();
    assert!(
        subject
            .message(2, 0, MessageType::SET_PEER_BANDWIDTH, &ours)
            .is_empty()
    );
    let other = 100_000_u32.to_be_bytes();
    assert_eq!(
        subject.message(2, 0, MessageType::SET_PEER_BANDWIDTH, &other),
        ["WindowAckSize(100000)"]
    );
    assert!(
        subject
            .message(2, 0, MessageType::SET_PEER_BANDWIDTH, &other)
            .is_empty()
    );
    // Too short: noted once, ignored.
    subject.message(2, 0, MessageType::WINDOW_ACK_SIZE, &[1, 2]);
    subject.message(2, 0, MessageType::WINDOW_ACK_SIZE, &[1, 2, 3]);
    assert_eq!(subject.events(), ["Note(ControlTooShort)"]);
}

#[test]
fn pings_are_answered_and_other_user_control_is_ignored() {
    let mut subject = Subject::handshaken();
    let user_control = MessageType::USER_CONTROL;
    let ping = [0, 6, 1, 2, 3, 4];
    assert_eq!(
        subject.message(2, 0, user_control, &ping),
        ["PingResponse(16909060)"]
    );
    for body in [
        &[0, 3, 0, 0, 0, 1, 0, 0, 3, 0][..],
        &[0, 31, 0, 0, 0, 1],
        &[0, 26],
        &[9, 9],
    ] {
        assert!(
            subject.message(2, 0, user_control, body).is_empty(),
            "{body:?}"
        );
    }
    assert!(subject.events().is_empty());
    assert!(subject.message(2, 0, user_control, &[0]).is_empty());
    assert!(subject.message(2, 0, user_control, &[0, 6, 1]).is_empty());
    assert_eq!(subject.events(), ["Note(Unreadable)"]);
}

#[test]
fn aggregates_are_split_and_empty_media_is_dropped() {
    let mut subject = Subject::publishing();
    let aggregate = [
        8, 0, 0, 1, 0, 0, 10, 0, 0, 0, 0, 0xAF, 0, 0, 0, 12, // audio at 10
        9, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 11, // empty video
        9, 0, 0, 1, 0, 0, 50, 0, 0, 0, 0, 0x27, 0, 0, 0, 12, // video at 50
        9, 0, 0, 9, 0, 0, 50, 0, 0, 0, 0, 0x27, // cut short
    ];
    subject.message(4, 1, MessageType::AGGREGATE, &aggregate);
    subject.message(4, 1, MessageType::AUDIO, &[]);
    subject.message(4, 1, MessageType::VIDEO, &[]);
    assert_eq!(
        subject.events(),
        ["Audio t0 [AF]", "Video t40 [27]", "Note(Unreadable)"]
    );
}

#[test]
fn a_publishers_media_may_come_on_any_message_stream() {
    let mut subject = Subject::publishing();
    for msid in [0, 1, 7] {
        subject.message(4, msid, MessageType::AUDIO, &[0xAF, 1]);
    }
    let sound = "Audio t0 [AF, 01]";
    let note = "Note(OtherMessageStream)";
    assert_eq!(subject.events(), [note, sound, sound, sound]);
    let counts: Vec<_> = subject.session.take_note_counts().collect();
    assert_eq!(counts, [(Note::OtherMessageStream, 2)]);
    assert_eq!(subject.session.take_note_counts().count(), 0);
}

#[test]
fn data_messages_are_sorted() {
    let mut subject = Subject::publishing();
    subject.message(4, 1, MessageType::DATA_AMF0, METADATA);
    let clear = b"\x02\x00\x0F@clearDataFrame\x02\x00\x0AonMetaData";
    subject.message(4, 1, MessageType::DATA_AMF0, clear);
    subject.message(4, 1, MessageType::DATA_AMF0, b"\x02\x00\x0AonTextData\x05");
    // AMF3: a leading format byte.
    subject.message(
        4,
        1,
        MessageType::DATA_AMF3,
        b"\x00\x02\x00\x0AonTextData\x05",
    );
    subject.message(4, 1, MessageType::SHARED_OBJECT_AMF0, b"\x00");
    subject.message(4, 1, MessageType(99), b"\x00");
    assert_eq!(
        subject.events(),
        ["Metadata 14", "ClearMetadata", "Data t0 14", "Data t0 14"]
    );
}

#[test]
fn media_outside_a_publish_is_dropped_with_one_note() {
    let mut subject = Subject::connected();
    for _ in 0..3 {
        subject.message(4, 1, MessageType::VIDEO, &[0x17, 1]);
    }
    assert_eq!(subject.events(), ["Note(MediaWithoutPublish)"]);
}

#[test]
fn metadata_before_publish_is_kept_the_last_of_it() {
    let mut subject = Subject::connected();
    let longer = [METADATA, b"\x05"].concat();
    subject.message(4, 1, MessageType::DATA_AMF0, &longer);
    subject.message(4, 1, MessageType::DATA_AMF0, METADATA);
    let huge = [METADATA, &[5; 70_000]].concat();
    subject.message(4, 1, MessageType::DATA_AMF0, &huge);
    assert_eq!(
        subject.events(),
        ["Note(TooEarly)", "Note(MediaWithoutPublish)"]
    );
    subject.call(4, 1, "publish", 3.0, CAM);
    assert_eq!(subject.events(), ["Publish m1 \"cam\"", "Metadata 14"]);
    // And not once more for the next publish.
    subject.call(3, 0, "FCUnpublish", 4.0, CAM);
    subject.call(4, 1, "publish", 5.0, CAM);
    assert_eq!(subject.events(), ["Unpublished m1", "Publish m1 \"cam\""]);
}

#[test]
fn what_follows_a_request_waits_for_its_answer() {
    let mut subject = Subject::handshaken();
    subject.accepting = false;
    // A client that waits for nothing.
    subject.call(3, 0, "connect", 1.0, &[Arg::Fields(&[])]);
    assert!(subject.call(3, 0, "createStream", 2.0, &[]).is_empty());
    assert!(subject.call(3, 1, "publish", 3.0, CAM).is_empty());
    subject.message(4, 1, MessageType::DATA_AMF0, METADATA);
    subject.message(4, 1, MessageType::VIDEO, &[0x17, 0]);
    assert_eq!(subject.events(), ["Connect \"\"", "Note(TooEarly)"]);
    subject.session.accept_connect();
    let replies = subject.replies();
    assert_eq!(replies.last().unwrap(), "_result(2) m0 1");
    assert_eq!(subject.events(), ["Publish m1 \"cam\""]);
    subject.message(4, 1, MessageType::VIDEO, &[0x27, 1]);
    assert!(subject.events().is_empty());
    let msid = crate::rtmp::chunk::MessageStreamId(1);
    subject.session.accept_publish(subject.now, msid);
    assert_eq!(
        subject.events(),
        ["Metadata 14", "Video t0 [17, 00]", "Video t0 [27, 01]"]
    );
}

#[test]
fn refusals_name_the_request() {
    let mut subject = Subject::handshaken();
    subject.accepting = false;
    subject.call(3, 0, "connect", 1.0, &[]);
    let refusal = Refusal {
        code: "NetConnection.Connect.Rejected",
        description: "no".to_owned(),
    };
    subject.session.reject_connect(&refusal);
    assert_eq!(
        subject.replies(),
        ["_error(1) m0 [error] NetConnection.Connect.Rejected"]
    );
    // Whatever comes then is not even read.
    subject.feed(&[0xFF; 5000]).unwrap();
    assert_eq!(subject.events(), ["Connect \"\""]);

    let mut subject = Subject::connected();
    subject.accepting = false;
    let msid = crate::rtmp::chunk::MessageStreamId(1);
    subject.call(3, 1, "publish", 3.0, CAM);
    subject.session.reject_publish(msid, &SECRET);
    assert_eq!(
        subject.replies(),
        ["onStatus(0) m1 [error] NetStream.Publish.Denied"]
    );
    subject.call(3, 1, "play", 4.0, CAM);
    let refusal = Refusal {
        code: "NetStream.Play.StreamNotFound",
        description: "no".to_owned(),
    };
    subject.session.reject_play(msid, &refusal);
    assert_eq!(
        subject.replies(),
        ["onStatus(0) m1 [error] NetStream.Play.StreamNotFound"]
    );
    // Answers to what is gone do nothing.
    subject.session.reject_play(msid, &refusal);
    subject.session.accept_play(subject.now, msid);
    subject.session.accept_publish(subject.now, msid);
    subject.session.accept_connect();
    subject.session.end_play(msid);
    subject.session.end_publish(msid, &SECRET);
    assert!(subject.replies().is_empty());
}

#[test]
fn the_server_can_end_both_roles() {
    let msid = crate::rtmp::chunk::MessageStreamId(1);
    let mut subject = Subject::playing();
    subject.session.end_play(msid);
    assert_eq!(
        subject.replies(),
        [
            "StreamEof(1)",
            "onStatus(0) m1 [status] NetStream.Play.UnpublishNotify",
            "onStatus(0) m1 [status] NetStream.Play.Stop",
        ]
    );
    let mut subject = Subject::publishing();
    let shutdown = Refusal {
        code: "NetStream.Unpublish.Success",
        description: "shutting down".to_owned(),
    };
    subject.session.end_publish(msid, &shutdown);
    assert_eq!(
        subject.replies(),
        ["onStatus(0) m1 [status] NetStream.Unpublish.Success"]
    );
    // The connection stays and may be used again.
    subject.call(4, 1, "publish", 9.0, CAM);
    subject.session.end_publish(msid, &SECRET);
    assert_eq!(
        subject.replies(),
        ["onStatus(0) m1 [error] NetStream.Publish.Denied"]
    );
}
