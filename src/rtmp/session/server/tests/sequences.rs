//! What known clients send, as typed commands, and what each of them is told: `publish`, `play`,
//! and `calls` for what either of them may send besides.
//!
//! The orders of ffmpeg, librtmp, rtmpdump and GStreamer were taken from captures (`captures`
//! replays their bytes), those of the others from their logs and sources.

mod calls;
mod play;
mod publish;

use crate::rtmp::session::testing::Arg::{self, Fields, Null, Text};
use crate::rtmp::session::testing::Subject;

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
