//! What known clients send, as typed commands, and what each of them is told.
//!
//! The orders of ffmpeg, librtmp, rtmpdump and GStreamer were taken from captures (`captures`
//! replays their bytes), those of the others from their logs and sources.

use crate::rtmp::message::MessageType;
use crate::rtmp::session::testing::Arg::{self, Bool, Fields, List, Null, Number, Text};
use crate::rtmp::session::testing::{Subject, command_body};

/// A command with its csid and msid, the replies, and what the server learns.
struct Step {
    csid: u32,
    msid: u32,
    name: &'static str,
    id: f64,
    values: &'static [Arg],
    replies: &'static [&'static str],
    events: &'static [&'static str],
}

const fn step(
    (csid, msid): (u32, u32),
    name: &'static str,
    id: f64,
    values: &'static [Arg],
    replies: &'static [&'static str],
    events: &'static [&'static str],
) -> Step {
    Step {
        csid,
        msid,
        name,
        id,
        values,
        replies,
        events,
    }
}

#[track_caller]
fn check(client: &str, steps: &[Step]) {
    let mut subject = Subject::handshaken();
    for step in steps {
        let replies = subject.call(step.csid, step.msid, step.name, step.id, step.values);
        let place = format!("{client}: {}({})", step.name, step.id);
        assert_eq!(replies, step.replies, "{place}");
        assert_eq!(subject.events(), step.events, "{place}");
    }
}

const CONNECTED: &[&str] = &[
    "WindowAckSize(2500000)",
    "SetPeerBandwidth(2500000, Dynamic)",
    "SetChunkSize(65536)",
    "_result(1) m0 {fmsVer,capabilities} [status] NetConnection.Connect.Success",
];
const PUBLISHING: &[&str] = &[
    "onFCPublish(0) m1 [status] NetStream.Publish.Start",
    "StreamBegin(1)",
    "onStatus(0) m1 [status] NetStream.Publish.Start",
];
const PUBLISHING_WITHOUT_FC: &[&str] = &[
    "StreamBegin(1)",
    "onStatus(0) m1 [status] NetStream.Publish.Start",
];
const PLAYING: &[&str] = &[
    "StreamBegin(1)",
    "onStatus(0) m1 [status] NetStream.Play.Reset",
    "onStatus(0) m1 [status] NetStream.Play.Start",
    "data m1 |RtmpSampleAccess",
    "data m1 onStatus",
];
const LIVE: &[Arg] = &[Fields(&[
    ("app", Text("live")),
    ("type", Text("nonprivate")),
    ("flashVer", Text("FMLE/3.0 (compatible; x)")),
    ("tcUrl", Text("rtmp://localhost/live")),
])];
const NAME: &[Arg] = &[Null, Text("cam")];
const PUBLISH: &[Arg] = &[Null, Text("cam"), Text("live")];

#[test]
fn ffmpeg_publishes() {
    check(
        "ffmpeg",
        &[
            step(
                (3, 0),
                "connect",
                1.0,
                LIVE,
                CONNECTED,
                &["Connect \"live\""],
            ),
            step((3, 0), "releaseStream", 2.0, NAME, &["_result(2) m0"], &[]),
            step((3, 0), "FCPublish", 3.0, NAME, &["_result(3) m0"], &[]),
            step(
                (3, 0),
                "createStream",
                4.0,
                &[Null],
                &["_result(4) m0 1"],
                &[],
            ),
            step(
                (8, 1),
                "publish",
                5.0,
                PUBLISH,
                PUBLISHING,
                &["Publish m1 \"cam\""],
            ),
            step(
                (3, 0),
                "FCUnpublish",
                6.0,
                NAME,
                &[
                    "onStatus(0) m1 [status] NetStream.Unpublish.Success",
                    "onFCUnpublish(0) m0 [status] NetStream.Unpublish.Success",
                    "_result(6) m0",
                ],
                &["Unpublished m1"],
            ),
            step(
                (3, 0),
                "deleteStream",
                7.0,
                &[Null, Number(1.0)],
                &["_result(7) m0"],
                &[],
            ),
        ],
    );
}

#[test]
fn librtmp_and_obs_publish() {
    check(
        "librtmp",
        &[
            step(
                (3, 0),
                "connect",
                1.0,
                LIVE,
                CONNECTED,
                &["Connect \"live\""],
            ),
            step((3, 0), "releaseStream", 2.0, NAME, &["_result(2) m0"], &[]),
            step((3, 0), "FCPublish", 3.0, NAME, &["_result(3) m0"], &[]),
            step(
                (3, 0),
                "createStream",
                4.0,
                &[Null],
                &["_result(4) m0 1"],
                &[],
            ),
            step(
                (4, 1),
                "publish",
                5.0,
                PUBLISH,
                PUBLISHING,
                &["Publish m1 \"cam\""],
            ),
            step(
                (3, 0),
                "deleteStream",
                6.0,
                &[Null, Number(1.0)],
                &[
                    "onStatus(0) m1 [status] NetStream.Unpublish.Success",
                    "_result(6) m0",
                ],
                &["Unpublished m1"],
            ),
        ],
    );
}

#[test]
fn obs_sets_its_chunk_size_before_connect() {
    let mut subject = Subject::handshaken();
    let size = 4096_u32.to_be_bytes();
    subject.message(2, 0, MessageType::SET_CHUNK_SIZE, &size);
    // Longer than 128 bytes, in one chunk.
    let replies = subject.call(3, 0, "connect", 1.0, LIVE);
    assert_eq!(replies, CONNECTED);
}

#[test]
fn gstreamer_publishes_with_transaction_ids_of_0() {
    check(
        "rtmp2sink",
        &[
            step(
                (3, 0),
                "connect",
                1.0,
                LIVE,
                CONNECTED,
                &["Connect \"live\""],
            ),
            step((3, 0), "releaseStream", 0.0, NAME, &[], &[]),
            step((3, 0), "FCPublish", 0.0, NAME, &[], &[]),
            step(
                (3, 0),
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (3, 1),
                "publish",
                0.0,
                PUBLISH,
                PUBLISHING,
                &["Publish m1 \"cam\""],
            ),
            step(
                (3, 0),
                "FCUnpublish",
                0.0,
                NAME,
                &[
                    "onStatus(0) m1 [status] NetStream.Unpublish.Success",
                    "onFCUnpublish(0) m0 [status] NetStream.Unpublish.Success",
                ],
                &["Unpublished m1"],
            ),
            step((3, 0), "deleteStream", 0.0, NAME, &[], &[]),
        ],
    );
    // deleteStream alone names the stream by a string, too.
    check(
        "rtmp2sink without FCUnpublish",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (3, 1),
                "publish",
                0.0,
                PUBLISH,
                PUBLISHING_WITHOUT_FC,
                &["Publish m1 \"cam\""],
            ),
            step(
                (3, 0),
                "deleteStream",
                0.0,
                NAME,
                &["onStatus(0) m1 [status] NetStream.Unpublish.Success"],
                &["Unpublished m1"],
            ),
        ],
    );
}

#[test]
fn haivision_publishes_out_of_order() {
    check(
        "Haivision",
        &[
            step(
                (3, 0),
                "connect",
                1.0,
                LIVE,
                CONNECTED,
                &["Connect \"live\""],
            ),
            step((3, 0), "_checkbw", 2.0, &[Null], &["_result(2) m0"], &[]),
            step(
                (3, 0),
                "createStream",
                3.0,
                &[Null],
                &["_result(3) m0 1"],
                &[],
            ),
            step((3, 0), "FCPublish", 4.0, NAME, &["_result(4) m0"], &[]),
            step(
                (4, 1),
                "publish",
                5.0,
                PUBLISH,
                PUBLISHING,
                &["Publish m1 \"cam\""],
            ),
            step(
                (3, 0),
                "FCUnpublish",
                6.0,
                NAME,
                &[
                    "onStatus(0) m1 [status] NetStream.Unpublish.Success",
                    "onFCUnpublish(0) m0 [status] NetStream.Unpublish.Success",
                    "_result(6) m0",
                ],
                &["Unpublished m1"],
            ),
        ],
    );
    // Even FCPublish last of all.
    check(
        "FCPublish after publish",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (4, 1),
                "publish",
                3.0,
                NAME,
                PUBLISHING_WITHOUT_FC,
                &["Publish m1 \"cam\""],
            ),
            step(
                (3, 0),
                "FCPublish",
                4.0,
                NAME,
                &[
                    "_result(4) m0",
                    "onFCPublish(0) m1 [status] NetStream.Publish.Start",
                ],
                &[],
            ),
        ],
    );
}

#[test]
fn flash_and_simple_cameras_publish_without_fc() {
    check(
        "Flash",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            // Without a type.
            step(
                (8, 1),
                "publish",
                0.0,
                NAME,
                PUBLISHING_WITHOUT_FC,
                &["Publish m1 \"cam\""],
            ),
            step(
                (8, 1),
                "closeStream",
                0.0,
                &[Null],
                &["onStatus(0) m1 [status] NetStream.Unpublish.Success"],
                &["Unpublished m1"],
            ),
            // The connection stays open for another one.
            step(
                (8, 1),
                "publish",
                0.0,
                PUBLISH,
                PUBLISHING_WITHOUT_FC,
                &["Publish m1 \"cam\""],
            ),
            step(
                (8, 1),
                "publish",
                0.0,
                &[Null, Bool(false)],
                &["onStatus(0) m1 [status] NetStream.Unpublish.Success"],
                &["Unpublished m1"],
            ),
        ],
    );
    check(
        "OpenIPC: an empty app; ffmpeg with a short URL: an empty name",
        &[
            step(
                (3, 0),
                "connect",
                1.0,
                &[Fields(&[("app", Text("")), ("supportsGoAway", Bool(true))])],
                CONNECTED,
                &["Connect \"\""],
            ),
            step(
                (3, 0),
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (3, 1),
                "publish",
                3.0,
                &[Null, Text("")],
                PUBLISHING_WITHOUT_FC,
                &["Publish m1 \"\""],
            ),
        ],
    );
    check(
        "no name at all",
        &[
            step((3, 0), "connect", 1.0, &[], CONNECTED, &["Connect \"\""]),
            step((3, 0), "createStream", 2.0, &[], &["_result(2) m0 1"], &[]),
            step(
                (3, 1),
                "publish",
                3.0,
                &[],
                PUBLISHING_WITHOUT_FC,
                &["Publish m1 \"\""],
            ),
        ],
    );
}

#[test]
fn ffmpeg_plays() {
    check(
        "ffmpeg",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (8, 0),
                "getStreamLength",
                3.0,
                NAME,
                &["_result(3) m0 0"],
                &[],
            ),
            step(
                (8, 1),
                "play",
                4.0,
                &[Null, Text("cam"), Number(-2000.0)],
                PLAYING,
                &["Play m1 \"cam\""],
            ),
            step(
                (3, 0),
                "deleteStream",
                5.0,
                &[Null, Number(1.0)],
                &["_result(5) m0"],
                &["PlayStopped m1"],
            ),
        ],
    );
}

#[test]
fn rtmpdump_and_gstreamer_play() {
    check(
        "rtmpdump --live",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (3, 0),
                "FCSubscribe",
                3.0,
                NAME,
                &[
                    "_result(3) m0",
                    "onFCSubscribe(0) m0 [status] NetStream.Play.Start",
                ],
                &[],
            ),
            step(
                (8, 1),
                "play",
                4.0,
                &[Null, Text("cam"), Number(-1000.0), Number(1000.0)],
                PLAYING,
                &["Play m1 \"cam\""],
            ),
        ],
    );
    check(
        "rtmp2src",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (3, 1),
                "play",
                0.0,
                &[Null, Text("cam"), Number(-2.0)],
                PLAYING,
                &["Play m1 \"cam\""],
            ),
        ],
    );
    check(
        "start as a string, and no reset",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step(
                (8, 1),
                "play",
                3.0,
                &[Null, Text("cam"), Text("-2"), Null, Bool(false)],
                &[
                    "StreamBegin(1)",
                    "onStatus(0) m1 [status] NetStream.Play.Start",
                    "data m1 |RtmpSampleAccess",
                    "data m1 onStatus",
                ],
                &["Play m1 \"cam\""],
            ),
        ],
    );
}

#[test]
fn flash_pauses_seeks_and_chooses_media() {
    check(
        "Flash",
        &[
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
                "createStream",
                2.0,
                &[Null],
                &["_result(2) m0 1"],
                &[],
            ),
            step((8, 1), "play", 0.0, NAME, PLAYING, &["Play m1 \"cam\""]),
            step(
                (8, 1),
                "pause",
                0.0,
                &[Null, Bool(true), Number(1000.0)],
                &[
                    "StreamEof(1)",
                    "onStatus(0) m1 [status] NetStream.Pause.Notify",
                ],
                &["Paused m1 true"],
            ),
            step(
                (8, 1),
                "pause",
                0.0,
                &[Null, Bool(false), Number(1000.0)],
                &[
                    "StreamBegin(1)",
                    "onStatus(0) m1 [status] NetStream.Unpause.Notify",
                ],
                &["Paused m1 false"],
            ),
            step(
                (8, 1),
                "seek",
                0.0,
                &[Null, Number(5000.0)],
                &["onStatus(0) m1 [warning] NetStream.Seek.Failed"],
                &[],
            ),
            step(
                (8, 1),
                "receiveVideo",
                0.0,
                &[Null, Bool(false)],
                &[],
                &["Receive m1 Video false"],
            ),
            step(
                (8, 1),
                "receiveVideo",
                0.0,
                &[Null, Bool(true)],
                &[
                    "onStatus(0) m1 [status] NetStream.Seek.Notify",
                    "onStatus(0) m1 [status] NetStream.Play.Start",
                ],
                &["Receive m1 Video true"],
            ),
            step(
                (8, 1),
                "receiveAudio",
                0.0,
                &[Null, Bool(false)],
                &[],
                &["Receive m1 Audio false"],
            ),
            step(
                (8, 1),
                "closeStream",
                0.0,
                &[Null],
                &[],
                &["PlayStopped m1"],
            ),
            // Another stream on the same message stream, then one in its place.
            step((8, 1), "play", 0.0, NAME, PLAYING, &["Play m1 \"cam\""]),
            step(
                (8, 1),
                "play",
                0.0,
                &[Null, Text("two")],
                PLAYING,
                &["PlayStopped m1", "Play m1 \"two\""],
            ),
            step(
                (8, 1),
                "play",
                0.0,
                &[Null, Bool(false)],
                &[],
                &["PlayStopped m1"],
            ),
        ],
    );
}

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
                &["Publish m1 \"cam\""],
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
                &[],
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
fn commands_in_amf3_messages_are_read() {
    for prefix in [&[0_u8][..], &[]] {
        let mut subject = Subject::handshaken();
        let body = [prefix, &command_body("connect", 1.0, LIVE)].concat();
        let replies = subject.message(3, 0, MessageType::COMMAND_AMF3, &body);
        assert_eq!(replies, CONNECTED);
    }
}
