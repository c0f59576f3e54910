//! HTTP: live streams as FLV and MP4 to real players and over WebSocket, and clients that ask oddly.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::flv::{self, Tag};
use crate::support::frames::assert_begins;
use crate::support::media::Sample;
use crate::support::packets::{Kind, packets};
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// Everything that comes for this request until the server closes.
fn exchange(server: &Server, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", server.http_port)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket.write_all(request).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn push(server: &Server, sample: Sample) -> Process {
    let input = sample.path();
    let url = server.url("live/cam");
    Process::millstream("push", ["push", input.to_str().unwrap(), &url])
}

/// A publisher that has sent for a while and goes on until SIGINT.
fn push_for_long(server: &Server) -> Process {
    let input = Sample::BFrames.path();
    let url = server.url("live/cam");
    let arguments = ["push", "--loop", input.to_str().unwrap(), &url];
    let publisher = Process::millstream("push", arguments);
    server.process.wait_said(1, ": publishes live/cam");
    std::thread::sleep(Duration::from_millis(1500));
    publisher
}

#[test]
fn ffmpeg_and_curl_get_every_frame_as_flv() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let url = server.http_url("live/cam.flv");
    let (by_ffmpeg, by_curl) = (dir.join("ffmpeg.flv"), dir.join("curl.flv"));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-i", &url, "-c", "copy"]);
    let ffmpeg = Process::start_command("ffmpeg", {
        ffmpeg.arg(&by_ffmpeg);
        ffmpeg
    });
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o"]).arg(&by_curl).arg(&url);
    let curl = Process::start_command("curl", curl);
    server.wait_for_waiting(2);
    push(&server, Sample::BFrames).succeed();
    ffmpeg.succeed();
    curl.succeed();
    let sent = flv::read(&Sample::BFrames.path()).unwrap();
    for file in [by_ffmpeg, by_curl] {
        let got = flv::read(&file).unwrap();
        assert_begins(file.to_str().unwrap(), &sent, &got);
        assert_eq!(frames(&got), frames(&sent), "{}", file.display());
    }
    server.stop();
}

fn frames(tags: &[Tag]) -> usize {
    let is_frame = |tag: &&Tag| tag.kind != flv::SCRIPT && !tag.is_sequence_header();
    tags.iter().filter(is_frame).count()
}

/// The payloads of a server's binary messages, put together, and the code of its goodbye.
fn messages(mut bytes: &[u8]) -> (Vec<u8>, Option<u16>) {
    let mut payload = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (size, rest) = match second {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            127 => (
                usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(),
                &rest[8..],
            ),
            size => (usize::from(*size), rest),
        };
        match first {
            0x82 => payload.extend_from_slice(&rest[..size]),
            0x88 => return (payload, Some(u16::from_be_bytes([rest[0], rest[1]]))),
            other => panic!("a frame that begins with {other:#x}"),
        }
        bytes = &rest[size..];
    }
    (payload, None)
}

#[test]
fn a_web_socket_carries_the_same_flv() {
    let server = Server::start(&["--play-wait", "60"]);
    let mut socket = TcpStream::connect(("127.0.0.1", server.http_port)).unwrap();
    let request = b"GET /live/cam.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request).unwrap();
    server.wait_for_waiting(1);
    let publisher = push(&server, Sample::BFrames);
    let mut got = Vec::new();
    socket.read_to_end(&mut got).unwrap();
    publisher.succeed();
    let at = got.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&got[..at]);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    // The example of RFC 6455, section 1.3.
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    let (bytes, code) = messages(&got[at..]);
    assert_eq!(code, Some(1000));
    let tags = flv::parse(&bytes).unwrap();
    let sent = flv::read(&Sample::BFrames.path()).unwrap();
    assert_begins("the WebSocket", &sent, &tags);
    assert_eq!(frames(&tags), frames(&sent));
    server.stop();
}

#[test]
fn a_late_viewer_starts_at_a_keyframe_with_its_headers() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let publisher = push_for_long(&server);
    let file = dir.join("late.flv");
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "2", "-o"]).arg(&file);
    curl.arg(server.http_url("live/cam.flv"));
    Process::start_command("curl", curl).finish();
    publisher.signal("INT");
    publisher.succeed();
    // It was cut anywhere: what is whole counts.
    let bytes = fs::read(&file).unwrap();
    let mut reader = millstream::media::flv::Reader::new();
    reader.handle_input(&bytes);
    let tags: Vec<_> = std::iter::from_fn(|| reader.poll_tag().unwrap()).collect();
    let video: Vec<_> = tags
        .iter()
        .filter(|tag| tag.kind == millstream::media::flv::TagKind::Video)
        .collect();
    assert!(millstream::media::flv::is_video_sequence_header(
        &video[0].body
    ));
    assert!(millstream::media::flv::is_keyframe(&video[1].body));
    assert!(video.len() > 20, "{}", video.len());
    assert!(tags.iter().all(|tag| tag.dts < 20_000));
    server.stop();
}

#[test]
fn what_is_not_there_or_not_understood_gets_its_status() {
    let server = Server::start(&["--play-wait", "0.2"]);
    for (request, answer) in [
        (
            "GET /live/nobody.flv HTTP/1.1\r\nHost: x\r\n\r\n",
            "HTTP/1.1 404 ",
        ),
        ("GET /live/nobody.flv HTTP/1.0\r\n\r\n", "HTTP/1.1 404 "),
        ("GET /nothing HTTP/1.0\r\n\r\n", "HTTP/1.1 404 "),
        ("POST /live/cam.flv HTTP/1.0\r\n\r\n", "HTTP/1.1 405 "),
        ("PUT /live/cam.flv HTTP/1.0\r\n\r\n", "HTTP/1.1 405 "),
        ("BREW /pot HTTP/1.0\r\n\r\n", "HTTP/1.1 501 "),
        ("GET /../etc/passwd HTTP/1.0\r\n\r\n", "HTTP/1.1 400 "),
        ("GET /live%2Fcam.flv HTTP/1.0\r\n\r\n", "HTTP/1.1 400 "),
        ("GET /%zz HTTP/1.0\r\n\r\n", "HTTP/1.1 400 "),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
        ("GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 "),
        (
            "POST /api/v1/kick HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
        ("GET /healthz HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 "),
        ("HEAD /live/cam.flv HTTP/1.0\r\n\r\n", "HTTP/1.1 404 "),
        (
            "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "HTTP/1.1 400 ",
        ),
    ] {
        let got = exchange(&server, request.as_bytes());
        assert!(got.starts_with(answer), "{request:?} got {got:?}");
    }
    let put = exchange(&server, b"PUT /live/cam.flv HTTP/1.0\r\n\r\n");
    assert!(put.contains("\r\nAllow: GET, HEAD"), "{put:?}");
    let long = format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(9000));
    let got = exchange(&server, long.as_bytes());
    assert!(got.starts_with("HTTP/1.1 414 "), "{got:?}");
    // A name in an answer is inert.
    let tag = exchange(&server, b"GET /live/%3Cscript%3E.flv HTTP/1.0\r\n\r\n");
    assert!(
        tag.contains("Content-Type: text/plain") && tag.contains("nosniff"),
        "{tag}"
    );
    // TLS and RTMP get no answer that they would not understand.
    assert_eq!(exchange(&server, &[0x16, 3, 1, 0, 5]), "");
    assert_eq!(exchange(&server, &[3; 1537]), "");
    server.stop();
}

#[test]
fn several_requests_come_on_one_connection() {
    let server = Server::start(&[]);
    let got = exchange(
        &server,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nHEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n\
          GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(got.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{got}");
    assert_eq!(got.matches("\r\n\r\nok\n").count(), 1, "{got}");
    assert!(got.contains("\nmillstream_connections_total 1\n"), "{got}");
    let finished = server.stop();
    assert!(
        finished
            .stderr
            .iter()
            .all(|line| !line.contains("fault of ours"))
    );
}

/// What a file holds of a track: hashes and times of its packets, from the first one on.
fn track(file: &Path, kind: Kind) -> Vec<(i64, i64, String)> {
    let all: Vec<_> = packets(file)
        .into_iter()
        .filter(|packet| packet.kind == kind)
        .collect();
    let start = all[0].dts_ms;
    all.into_iter()
        .map(|packet| {
            let (dts, pts) = (packet.dts_ms - start, packet.pts_ms - start);
            (dts, pts, packet.hash)
        })
        .collect()
}

#[test]
fn every_frame_comes_as_mp4_too() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let url = server.http_url("live/cam.mp4");
    let file = dir.join("curl.mp4");
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o"]).arg(&file).arg(&url);
    let curl = Process::start_command("curl", curl);
    server.wait_for_waiting(1);
    push(&server, Sample::BFrames).succeed();
    curl.succeed();
    let sample = Sample::BFrames.path();
    for kind in [Kind::Video, Kind::Audio] {
        let (sent, got) = (track(&sample, kind), track(&file, kind));
        assert_eq!(got.len(), sent.len(), "{kind:?}");
        for (at, (sent, got)) in sent.iter().zip(&got).enumerate() {
            assert_eq!(got.2, sent.2, "{kind:?} packet {at}");
            assert!(
                (got.0 - sent.0).abs() <= 1,
                "{kind:?} packet {at}: {got:?} {sent:?}"
            );
            assert!(
                (got.1 - sent.1).abs() <= 1,
                "{kind:?} packet {at}: {got:?} {sent:?}"
            );
        }
    }
    server.stop();
}

#[test]
fn a_late_viewer_of_mp4_gets_a_whole_file_that_decodes() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let publisher = push_for_long(&server);
    let files = ["first.mp4", "second.mp4"].map(|name| dir.join(name));
    for file in &files {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-m", "2", "-o"]).arg(file);
        curl.arg(server.http_url("live/cam.mp4"));
        Process::start_command("curl", curl).finish();
    }
    publisher.signal("INT");
    publisher.succeed();
    for file in &files {
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-count_frames", "-show_entries"])
            .args(["stream=codec_name,nb_read_frames", "-of", "csv=p=0"])
            .arg(file)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let frames: Vec<_> = told.lines().collect();
        assert_eq!(frames.len(), 2, "{told}");
        for (line, codec, least) in [(frames[0], "h264,", 20), (frames[1], "aac,", 40)] {
            let count = line.strip_prefix(codec).unwrap();
            assert!(count.parse::<u32>().unwrap() > least, "{told}");
        }
    }
    server.stop();
}
