//! What publishers send.

use super::{CONNECTED, LIVE, NAME, PUBLISH, PUBLISHING, PUBLISHING_WITHOUT_FC, check, step};
use crate::rtmp::message::MessageType;
use crate::rtmp::session::testing::Arg::{Bool, Fields, Null, Number, Text};
use crate::rtmp::session::testing::Subject;

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
            step(
                (3, 0),
                "deleteStream",
                0.0,
                NAME,
                &[],
                &["Note(StreamNumberMissing)"],
            ),
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
                &["Note(StreamNumberMissing)", "Unpublished m1"],
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
                &["Note(PublishWithoutType)", "Publish m1 \"cam\""],
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
                &["Note(PublishWithoutType)", "Publish m1 \"cam\""],
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
                &["Note(PublishWithoutType)", "Publish m1 \"\""],
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
                &["Note(PublishWithoutType)", "Publish m1 \"\""],
            ),
        ],
    );
}
