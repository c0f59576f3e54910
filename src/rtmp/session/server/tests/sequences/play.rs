//! What players send.

use super::{CONNECTED, LIVE, NAME, PLAYING, check, step};
use crate::rtmp::session::testing::Arg::{Bool, Null, Number, Text};

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
