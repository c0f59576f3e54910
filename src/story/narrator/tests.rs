//! Conversations as bytes, and what is told of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::rtmp::chunk::{ChunkEncoder, ChunkStreamId, MessageStreamId};
use crate::rtmp::message::user_control::UserControl;
use crate::rtmp::session::{Refusal, ServerConfig, ServerEvent, ServerSession};

/// What a server of ours says to these bytes; `refuses`: the code of what it does not grant.
fn answers(input: &[u8], refuses: Option<&'static str>) -> Vec<(usize, Vec<u8>)> {
    let now = Instant::now();
    let mut session = ServerSession::new(Arc::new(ServerConfig::default()), 1, now);
    let mut answers = Vec::new();
    for (index, piece) in input.chunks(1000).enumerate() {
        session.handle_input(now, piece).unwrap();
        while let Some(event) = session.poll_event() {
            let refusal = refuses.map(|code| Refusal {
                code,
                description: "live/cam is not for you".to_owned(),
            });
            match (event, refusal) {
                (ServerEvent::Connect(_), _) => session.accept_connect(),
                (ServerEvent::Publish { msid, .. }, Some(refusal)) => {
                    session.reject_publish(msid, &refusal);
                }
                (ServerEvent::Publish { msid, .. }, None) => session.accept_publish(now, msid),
                (ServerEvent::Play { msid, .. }, Some(refusal)) => {
                    session.reject_play(msid, &refusal);
                }
                (ServerEvent::Play { msid, .. }, None) => session.accept_play(now, msid),
                _ => {}
            }
        }
        while let Some(bytes) = session.poll_output() {
            answers.push((index, bytes));
        }
    }
    answers
}

/// The story of a client that says `input` to a server of ours.
fn story(input: &[u8], refuses: Option<&'static str>) -> (Vec<String>, String) {
    let mut narrator = Narrator::new(Role::Server, ChunkLimits::default());
    let answers = answers(input, refuses);
    for (index, piece) in input.chunks(1000).enumerate() {
        narrator.handle_bytes(Duration::ZERO, Side::Peer, piece);
        for (_, bytes) in answers.iter().filter(|(at, _)| *at == index) {
            narrator.handle_bytes(Duration::ZERO, Side::We, bytes);
        }
    }
    narrator.handle_end(Duration::ZERO, Ending::PeerClosed);
    finish(narrator)
}

fn finish(mut narrator: Narrator) -> (Vec<String>, String) {
    let lines = std::iter::from_fn(|| narrator.poll_line()).map(|line| line.text);
    let lines = lines.collect();
    (lines, narrator.verdict().to_string())
}

const FFMPEG: &[u8] = include_bytes!("../../../tests/data/session/ffmpeg_publish.bin");
const GST_PLAY: &[u8] = include_bytes!("../../../tests/data/session/gst2_play.bin");
const FFMPEG_PLAY: &[u8] = include_bytes!("../../../tests/data/session/ffmpeg_play.bin");
const NGINX: &[u8] = include_bytes!("../../../tests/data/session/nginx_to_player.bin");

/// The story of bytes of one side alone.
fn one_side(role: Role, input: &[u8], cut: usize, ending: Ending) -> (Vec<String>, String) {
    let mut narrator = Narrator::new(role, ChunkLimits::default());
    for piece in input.chunks(cut) {
        narrator.handle_bytes(Duration::ZERO, Side::Peer, piece);
    }
    narrator.handle_end(Duration::ZERO, ending);
    finish(narrator)
}

/// C0 and C1, then C2, all zeros.
fn shaken() -> Vec<u8> {
    let mut bytes = vec![0; 1 + 2 * 1536];
    bytes[0] = 3;
    bytes
}

/// The handshake, then these messages: type, message stream, body.
fn conversation(messages: &[(MessageType, u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = shaken();
    let mut encoder = ChunkEncoder::new();
    for (message_type, msid, body) in messages {
        let (csid, msid) = (ChunkStreamId(3), MessageStreamId(*msid));
        encoder.encode(&mut bytes, csid, msid, *message_type, 0, body);
    }
    bytes
}

#[test]
fn a_publisher_from_the_handshake_to_its_goodbye() {
    let (lines, verdict) = story(FFMPEG, None);
    for expected in [
        "peer: C0, C1: handshake, with a digest",
        "we: S0, S1: handshake",
        "peer: connect, app \"live\", tcUrl \"rtmp://127.0.0.1:19641/live\", flashVer FMLE/3.0 \
         (compatible; Lavf59.27",
        "we: yes to connect: NetConnection.Connect.Success (connected), server FMS/3,0,1,123",
        "peer: FCPublish \"a\"",
        "we: yes to createStream: stream 1",
        "peer: publish \"a\", as live",
        "we: onStatus NetStream.Publish.Start (publishing)",
        "peer: metadata: 64x48, 5 frames/s, H.264, AAC, 22050 Hz, by Lavf59.27.100",
        "peer: 1st video: H.264 sequence header, High 4:4:4 Predictive 1.0, 64x48",
        "peer: 1st video frame: H.264, a keyframe",
        "peer: 1st audio: AAC sequence header, LC, 22050 Hz, mono",
        "peer: FCUnpublish \"a\"",
        "peer: in all 10 video frames (",
        "peer closes the connection",
    ] {
        let is_told = lines.iter().any(|line| line.starts_with(expected));
        assert!(is_told, "{expected}\n{}", lines.join("\n"));
    }
    assert!(
        verdict.starts_with("handshake fine; connect fine; publish fine; media fine: 10 video"),
        "{verdict}"
    );
    assert!(verdict.ends_with("close by the peer"), "{verdict}");
}

#[test]
fn a_refusal_says_what_to_do() {
    let (lines, verdict) = story(FFMPEG, Some("NetStream.Publish.BadName"));
    let refusal = "we: onStatus error NetStream.Publish.BadName (live/cam is not for you)";
    assert!(lines.iter().any(|line| line == refusal));
    assert!(
        verdict.starts_with(
            "handshake fine; connect fine; publish refused: NetStream.Publish.BadName (live/cam \
             is not for you); another publisher has this name"
        ),
        "{verdict}"
    );
    let (_, verdict) = story(GST_PLAY, Some("NetStream.Play.StreamNotFound"));
    assert!(verdict.contains("play refused: NetStream.Play.StreamNotFound"));
    assert!(
        verdict.contains("nobody publishes it: check app and key"),
        "{verdict}"
    );
}

#[test]
fn a_client_tells_of_its_server() {
    let mut narrator = Narrator::new(Role::Client, ChunkLimits::default());
    let at = Duration::from_millis(12);
    narrator.handle_bytes(at, Side::We, FFMPEG_PLAY);
    narrator.handle_bytes(at, Side::Peer, NGINX);
    let first = narrator.poll_line().unwrap();
    assert_eq!(
        first.to_string(),
        "0.012 s we: C0, C1: handshake, with a digest"
    );
    let (lines, verdict) = finish(narrator);
    let start = "server: onStatus NetStream.Play.Start (Start live)";
    assert!(lines.iter().any(|line| line == start));
    assert_eq!(
        verdict,
        "handshake fine; connect fine; play fine; media fine: 5 video frames (1 keyframe) and 43 \
         audio frames, 9883 bytes"
    );
}

#[test]
fn what_is_told_does_not_depend_on_how_the_bytes_are_cut() {
    for input in [
        FFMPEG,
        GST_PLAY,
        &b"GET / HTTP/1.1\r\n"[..],
        b"RTSP",
        &[3; 4000],
    ] {
        let whole = one_side(Role::Server, input, 1 << 20, Ending::PeerClosed);
        for cut in [1, 7, 128, 1537] {
            let pieces = one_side(Role::Server, input, cut, Ending::PeerClosed);
            assert_eq!(whole, pieces, "cut every {cut} bytes");
        }
    }
}

#[test]
fn what_is_no_rtmp_has_a_name() {
    for (role, bytes, expected) in [
        (
            Role::Server,
            &b"GET /live HTTP/1.1\r\n"[..],
            "this is HTTP; a browser",
        ),
        (
            Role::Server,
            b"\x16\x03\x01\x02\x00",
            "this is TLS (RTMPS or HTTPS); its URL begins",
        ),
        (
            Role::Client,
            b"HTTP/1.1 400 Bad Request",
            "this is HTTP; that port is one of HTTP",
        ),
        (
            Role::Client,
            b"RTSP/1.0 400 Bad Request",
            "this is RTSP; RTSP is another protocol",
        ),
        (
            Role::Client,
            b"\x15\x03\x03\x00\x02",
            "this is TLS (RTMPS or HTTPS); that port is",
        ),
        (
            Role::Client,
            b"SSH-2.0-OpenSSH",
            "first byte is 0x53, 0x03 was expected; something",
        ),
        (
            Role::Server,
            b"\x06",
            "this is encrypted RTMP (RTMPE); encrypted RTMP",
        ),
    ] {
        let (_, verdict) = one_side(role, bytes, 1, Ending::PeerClosed);
        let expected = format!("handshake failed: {expected}");
        assert!(verdict.starts_with(&expected), "{verdict}");
    }
}

#[test]
fn every_place_to_stop_at_has_its_verdict() {
    let connect = Command::new("connect", 1.0)
        .with_object(crate::amf::Object::new().with("app", "live"))
        .encode();
    let command = MessageType::COMMAND_AMF0;
    for (bytes, expected) in [
        (vec![], "handshake failed: not a byte came; a port scan"),
        (
            vec![3; 100],
            "handshake not finished: 100 bytes came; it gave up",
        ),
        (
            vec![3; 1537],
            "handshake not finished: C1 came, C2 did not; it gave up",
        ),
        (
            shaken(),
            "handshake fine; connect never came; it connects and asks",
        ),
        (
            conversation(&[(command, 0, connect)]),
            "handshake fine; connect not answered; it left",
        ),
        // fmt 3 on a chunk stream that nobody has used.
        (
            [shaken(), vec![0xC5, 1, 2, 3]].concat(),
            "handshake fine; connect failed: what it sent cannot be read any further: fmt 3 chunk \
             on unknown csid 5: the byte stream is out of step; bytes were lost",
        ),
    ] {
        let (_, verdict) = one_side(Role::Server, &bytes, 64, Ending::PeerClosed);
        assert!(verdict.starts_with(expected), "{verdict}");
    }
    let lost = Ending::Lost("connection reset by peer".to_owned());
    let (lines, verdict) = one_side(Role::Client, &[], 1, lost);
    assert_eq!(lines, ["the connection breaks: connection reset by peer"]);
    assert!(
        verdict.contains("close failed: the connection broke"),
        "{verdict}"
    );
}

#[test]
fn every_truncation_has_a_story() {
    for input in [FFMPEG, FFMPEG_PLAY] {
        for length in (0..input.len()).step_by(13) {
            let (_, verdict) = one_side(Role::Server, &input[..length], 4096, Ending::PeerClosed);
            assert!(verdict.starts_with("handshake "), "{verdict}");
        }
    }
}

#[test]
fn secrets_are_not_told() {
    let object = crate::amf::Object::new()
        .with("app", "live?authmod=adobe&user=u&response=SECRET")
        .with("tcUrl", "rtmp://u:SECRET@h/live?response=SECRET");
    let publish = Command::new("publish", 3.0).with_argument("cam?token=SECRET");
    let other = Command::new("login", 4.0).with_argument("SECRET");
    let command = MessageType::COMMAND_AMF0;
    let input = conversation(&[
        (
            command,
            0,
            Command::new("connect", 1.0).with_object(object).encode(),
        ),
        (command, 1, publish.encode()),
        (command, 1, other.encode()),
    ]);
    let (lines, _) = one_side(Role::Server, &input, 4096, Ending::PeerClosed);
    let lines = lines.join("\n");
    assert!(lines.contains("publish \"cam?…\""), "{lines}");
    assert!(
        lines.contains("connect, app \"live?…\", tcUrl \"rtmp://h/live?…\""),
        "{lines}"
    );
    assert!(
        lines.contains("command \"login\" with 1 argument"),
        "{lines}"
    );
    assert!(!lines.contains("SECRET"), "{lines}");
}

#[test]
fn whoever_repeats_himself_is_cut_short() {
    let ping = UserControl::PingRequest(1).encode();
    let pings = vec![(MessageType::USER_CONTROL, 0, ping); 1000];
    let (lines, _) = one_side(
        Role::Server,
        &conversation(&pings),
        4096,
        Ending::PeerClosed,
    );
    assert_eq!(lines.iter().filter(|line| *line == "peer: ping").count(), 3);

    let command = Command::new("releaseStream", 2.0).encode();
    let commands = vec![(MessageType::COMMAND_AMF0, 0, command); 10_000];
    let (lines, _) = one_side(
        Role::Server,
        &conversation(&commands),
        4096,
        Ending::PeerClosed,
    );
    assert_eq!(lines.len(), 302);
    assert_eq!(lines[300], "more is said than is told here");
    assert_eq!(lines[301], "peer closes the connection");
}

#[test]
fn what_is_missing_is_said() {
    let mut narrator = Narrator::new(Role::Server, ChunkLimits::default());
    narrator.handle_bytes(Duration::ZERO, Side::Peer, &FFMPEG[..4000]);
    narrator.handle_gap(Duration::ZERO, Side::Peer);
    narrator.handle_bytes(Duration::ZERO, Side::Peer, &FFMPEG[5000..]);
    let (lines, _) = finish(narrator);
    let last = "peer: what it sent from here on was not kept";
    assert_eq!(lines.last().map(String::as_str), Some(last));
}
