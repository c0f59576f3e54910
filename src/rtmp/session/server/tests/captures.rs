//! What real programs sent to nginx-rtmp, fed to our session: in every cut, with the same result.

use super::{CAM, METADATA};
use crate::rtmp::message::MessageType;
use crate::rtmp::session::ServerConfig;
use crate::rtmp::session::testing::{
    Arg, HANDSHAKE_BYTES, Subject, Wire, command_body, handshake_bytes,
};

macro_rules! capture {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/session/",
            $name
        ))
    };
}

const FFMPEG_PUBLISH: &[u8] = capture!("ffmpeg_publish.bin");
const LIBRTMP_PUBLISH: &[u8] = capture!("librtmp_publish.bin");
const GST2_PUBLISH: &[u8] = capture!("gst2_publish.bin");
const FFMPEG_PLAY: &[u8] = capture!("ffmpeg_play.bin");
const RTMPDUMP_PLAY: &[u8] = capture!("rtmpdump_play.bin");
const GST2_PLAY: &[u8] = capture!("gst2_play.bin");

const ALL: [(&str, &[u8]); 6] = [
    ("ffmpeg_publish", FFMPEG_PUBLISH),
    ("librtmp_publish", LIBRTMP_PUBLISH),
    ("gst2_publish", GST2_PUBLISH),
    ("ffmpeg_play", FFMPEG_PLAY),
    ("rtmpdump_play", RTMPDUMP_PLAY),
    ("gst2_play", GST2_PLAY),
];

/// Events and output of a session that was fed these pieces and answered after each.
fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<String>, Vec<u8>) {
    let mut subject = Subject::new(ServerConfig::default());
    let mut output = Vec::new();
    let mut events = Vec::new();
    for piece in pieces {
        subject.feed(piece).unwrap();
        while let Some(bytes) = subject.session.poll_output() {
            output.extend(bytes);
        }
        events.extend(subject.events());
    }
    (events, output)
}

/// Where a request surfaces: a client waits there, so no read goes beyond it.
fn waits(capture: &[u8]) -> Vec<usize> {
    let mut subject = Subject::new(ServerConfig::default());
    let mut places = Vec::new();
    for (place, byte) in capture.iter().enumerate() {
        subject.feed(&[*byte]).unwrap();
        let asks = |event: &String| {
            ["Connect ", "Publish ", "Play "]
                .iter()
                .any(|request| event.starts_with(request))
        };
        if subject.events().iter().any(asks) {
            places.push(place + 1);
        }
    }
    places
}

/// Cuts at `always` and wherever `cut` says so.
fn pieces<'a>(
    capture: &'a [u8],
    always: &[usize],
    mut cut: impl FnMut(usize) -> bool,
) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for place in 1..=capture.len() {
        if place == capture.len() || always.contains(&place) || cut(place) {
            pieces.push(&capture[start..place]);
            start = place;
        }
    }
    pieces
}

/// A publisher that does what the captured ones did not: a small window to be acknowledged,
/// chunk sizes that change, interleaved control, pings, aggregates, early metadata.
fn scripted() -> Vec<u8> {
    let mut wire = Wire::new();
    let mut bytes = handshake_bytes();
    let mut write = |csid, msid, kind: MessageType, body: &[u8]| {
        bytes.extend(wire.write(csid, msid, kind, 0, body));
    };
    let command = MessageType::COMMAND_AMF0;
    write(2, 0, MessageType::SET_CHUNK_SIZE, &4096_u32.to_be_bytes());
    write(2, 0, MessageType::WINDOW_ACK_SIZE, &1000_u32.to_be_bytes());
    write(
        3,
        0,
        command,
        &command_body("connect", 1.0, &[Arg::Fields(&[])]),
    );
    write(3, 0, command, &command_body("createStream", 2.0, &[]));
    write(5, 1, MessageType::DATA_AMF0, METADATA);
    write(70, 1, command, &command_body("publish", 3.0, CAM));
    for size in [1_u32, 128, 70_000, 300] {
        write(3, 1, MessageType::SET_CHUNK_SIZE, &size.to_be_bytes());
        write(6, 1, MessageType::VIDEO, &vec![0x27; 40_000]);
        write(400, 0, MessageType::AUDIO, &[0xAF; 300]);
        write(2, 0, MessageType::USER_CONTROL, &[0, 6, 0, 0, 0, 1]);
        write(4, 1, MessageType::AUDIO, &[]);
        let aggregate = [8, 0, 0, 1, 0, 0, 10, 0, 0, 0, 0, 0xAF, 0, 0, 0, 12, 9];
        write(4, 1, MessageType::AGGREGATE, &aggregate);
        write(2, 0, MessageType::SET_PEER_BANDWIDTH, &size.to_be_bytes());
    }
    write(3, 1, command, &command_body("closeStream", 0.0, &[]));
    // Given up in the middle: two chunks of fmt 0 on one csid.
    let unfinished = [&[9, 0, 0, 0, 0, 4, 0, 9, 1, 0, 0, 0][..], &[0x27; 300]].concat();
    bytes.extend(unfinished.repeat(2));
    bytes
}

#[test]
fn every_cut_gives_the_same_events_and_output() {
    let scripted = scripted();
    for (name, capture) in ALL.into_iter().chain([("scripted", &scripted[..])]) {
        let waits = waits(capture);
        let whole = run(pieces(capture, &waits, |_| false));
        let restarted = whole
            .0
            .iter()
            .any(|event| event == "Note(MessageRestarted)");
        assert_eq!(restarted, name == "scripted", "{name}: {:?}", whole.0);
        let bytewise = run(pieces(capture, &waits, |_| true));
        assert_eq!(bytewise.0, whole.0, "{name}");
        assert!(bytewise.1 == whole.1, "{name}: output differs");
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mean = random.usize(2..2000);
            let cut = run(pieces(capture, &waits, |_| random.usize(..mean) == 0));
            assert!(cut == whole, "{name}: seed {seed}");
        }
    }
}

/// A publisher whose whole conversation arrives before the first answer loses nothing.
#[test]
fn late_answers_lose_nothing() {
    for (name, capture) in ALL {
        let mut prompt = run(pieces(capture, &waits(capture), |_| false)).0;
        let mut late = run([capture]).0;
        // It is told so, as it would be if it were its fault.
        late.retain(|event| event != "Note(TooEarly)");
        // Only the place of requests among the rest may differ.
        prompt.sort();
        late.sort();
        // A goodbye comes before the answer to the request that it ends; what is held goes.
        if late.iter().any(|event| event.starts_with("Unpublished")) {
            continue;
        }
        assert_eq!(late, prompt, "{name}");
    }
}

#[test]
fn publishers_are_understood() {
    for (name, capture) in &ALL[..3] {
        let (events, _) = run([*capture].into_iter().flat_map(|whole| whole.chunks(1)));
        let starts = |prefix: &str| {
            events
                .iter()
                .filter(|event| event.starts_with(prefix))
                .count()
        };
        assert_eq!(starts("Handshaken"), 1, "{name}");
        assert_eq!(starts("Connect \"live\""), 1, "{name}");
        assert_eq!(starts("Publish m1 \"a\""), 1, "{name}");
        assert!(starts("Metadata") >= 1, "{name}");
        // 10 frames of ffmpeg, 8 of GStreamer, and the sequence header.
        assert!(starts("Video") >= 8, "{name}: {events:#?}");
        assert_eq!(starts("Unpublished m1"), 1, "{name}");
        // GStreamer deletes its stream by name.
        let notes = usize::from(name.starts_with("gst"));
        assert_eq!(starts("Note"), notes, "{name}");
        assert_eq!(starts("Note(StreamNumberMissing)"), notes, "{name}");
    }
}

#[test]
fn players_are_understood() {
    for (name, capture) in &ALL[3..] {
        let (events, output) = run(pieces(capture, &waits(capture), |_| false));
        let starts = |prefix: &str| {
            events
                .iter()
                .filter(|event| event.starts_with(prefix))
                .count()
        };
        assert_eq!(starts("Connect \"live\""), 1, "{name}");
        assert_eq!(starts("Play m1 \"b\""), 1, "{name}");
        assert_eq!(starts("Note"), 0, "{name}: {events:#?}");
        let mut wire = Wire::new();
        let messages = wire.read(&output[HANDSHAKE_BYTES..]);
        // Ours are csids 2 and 3 only: the caller sends media on the others.
        assert!(
            messages
                .iter()
                .all(|message| [2, 3].contains(&message.csid.0)),
            "{name}"
        );
        let last = messages
            .iter()
            .rfind(|message| message.msid.0 == 1)
            .unwrap();
        assert_eq!(last.message_type, MessageType::DATA_AMF0, "{name}");
    }
}
