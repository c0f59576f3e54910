//! How a live stream over HTTP is framed: every kind of client can tell its end from a cut, and
//! goes on with its connection where it may.

use std::process::Command;

use serde_json::Value;

use crate::support::flv::{self, Tag};
use crate::support::frames::assert_begins;
use crate::support::http::{End, HttpClient};
use crate::support::media::Sample;
use crate::support::process::Process;
use crate::support::raw::RawPeer;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;
use crate::support::wait_for;

/// A server, and a live stream `live/cam` on it that a test ends by hand.
fn with_publisher(arguments: &[&str]) -> (Server, RawPeer) {
    let server = Server::start(arguments);
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    let tags = flv::read(&Sample::Plain.path()).unwrap();
    publisher.send_tags(&tags);
    (server, publisher)
}

fn ask(server: &Server, request: &str) -> HttpClient {
    let mut client = HttpClient::connect(server.http_port);
    client.send(request);
    client
}

/// Ends the live stream once so many play it.
fn end(server: &Server, publisher: RawPeer, players: usize) {
    server.process.wait_said(players, ": plays live/cam");
    publisher.unpublish("cam");
}

#[test]
fn every_version_is_told_the_end_as_it_knows_it() {
    for (path, begins) in [("cam.flv", &b"FLV"[..]), ("cam.mp4", b"\0\0\0")] {
        let server = Server::start(&["--workers", "1", "--play-wait", "60"]);
        let clients = [
            ("HTTP/1.1\r\nHost: x\r\n", End::Said, true),
            (
                "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
                End::Said,
                false,
            ),
            ("HTTP/1.0\r\n", End::Close, false),
            ("HTTP/1.0\r\nConnection: keep-alive\r\n", End::Close, false),
        ];
        let mut asked =
            clients.map(|(lines, ..)| ask(&server, &format!("GET /live/{path} {lines}\r\n")));
        server.wait_for_waiting(clients.len());
        let mut publisher = RawPeer::publish(server.port, "live", "cam");
        publisher.send_tags(&flv::read(&Sample::Plain.path()).unwrap());
        publisher.unpublish("cam");
        let mut bodies = Vec::new();
        for ((lines, end, stays), client) in clients.into_iter().zip(&mut asked) {
            let answer = client.answer().unwrap();
            assert_eq!((answer.status, answer.end), (200, end), "{path} {lines}");
            assert_eq!(
                answer.field("connection"),
                (!stays).then_some("close"),
                "{path} {lines}"
            );
            assert!(answer.body.starts_with(begins), "{path} {lines}");
            if stays {
                client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
                let next = client.answer().unwrap();
                assert_eq!((next.status, &*next.text()), (200, "ok\n"));
            } else {
                assert!(client.is_closed(), "{path} {lines}");
            }
            bodies.push(answer.body);
        }
        // Framed in one way or the other, it is the same.
        assert!(bodies[0].len() > 10_000, "{}", bodies[0].len());
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{path}");
        server.stop();
    }
}

#[test]
fn a_viewer_that_is_closed_knows_that_it_has_not_all() {
    let server = Server::start_with(
        &[],
        &[("MILLSTREAM_API_TOKEN", "a-token-that-nobody-guesses")],
    );
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    publisher.send_tags(&flv::read(&Sample::Plain.path()).unwrap());
    let mut client = ask(&server, "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\n\r\n");
    server.process.wait_said(1, ": plays live/cam");
    let mut api = HttpClient::connect(server.http_port);
    api.send("GET /api/v1/connections HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let all: Value = serde_json::from_slice(&api.answer().unwrap().body).unwrap();
    let mut all = all["connections"].as_array().unwrap().iter();
    let id = all.find(|one| one["role"] == "subscriber").unwrap()["id"].clone();
    let body = serde_json::json!({ "connection": id }).to_string();
    api.send(format!(
        "POST /api/v1/kick HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Authorization: Bearer a-token-that-nobody-guesses\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(api.answer().unwrap().status, 202);
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.end), (200, End::Cut));
    drop(publisher);
    server.stop();
}

#[test]
fn what_a_client_asks_behind_a_live_stream_is_answered_behind_it() {
    let (server, publisher) = with_publisher(&["--play-wait", "0.2"]);
    let mut client = ask(
        &server,
        "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\n\r\n\
         HEAD /live/cam.mp4 HTTP/1.1\r\nHost: x\r\n\r\n\
         GET /live/none.flv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    // More than is kept for later: this one gets its live stream, what was kept, and 400.
    let mut greedy = ask(&server, "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\n\r\n");
    server.process.wait_said(2, ": plays live/cam");
    let ahead = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    greedy.send(&ahead);
    // Publishers are read first: the end must not come before what was sent ahead.
    let greedy_address = greedy.socket.local_addr().unwrap().to_string();
    wait_for("all of it to be read", || {
        let asked = "GET /api/v1/connections HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let told = ask(&server, asked).answer().unwrap().text();
        let told: Value = serde_json::from_str(&told).unwrap();
        let mut all = told["connections"].as_array().unwrap().iter();
        let one = all.find(|one| one["address"] == *greedy_address).unwrap();
        (one["bytes_received"].as_u64().unwrap() > ahead.len() as u64).then_some(())
    });
    end(&server, publisher, 2);
    let live = client.answer().unwrap();
    assert_eq!((live.status, live.end), (200, End::Said));
    assert_eq!(client.answer_to("HEAD").unwrap().status, 404);
    assert_eq!(client.answer().unwrap().status, 404);
    assert!(client.is_closed());
    let mut answers = 0;
    while let answer = greedy.answer().unwrap()
        && answer.status == 200
    {
        assert_eq!(answer.end, End::Said);
        answers += 1;
    }
    assert!((100..1000).contains(&answers), "{answers}");
    assert!(greedy.is_closed());
    server.stop();
}

#[test]
fn head_and_options_say_what_get_would() {
    let (server, publisher) = with_publisher(&[]);
    server.process.wait_said(1, ": publishes live/cam");
    let mut client = HttpClient::connect(server.http_port);
    for (path, media_type) in [("cam.flv", "video/x-flv"), ("cam.mp4", "video/mp4")] {
        client.send(format!("HEAD /live/{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let head = client.answer_to("HEAD").unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.field("content-type"), Some(media_type));
        assert_eq!(head.field("transfer-encoding"), Some("chunked"));
        assert_eq!(head.field("access-control-allow-origin"), Some("*"));
        let mut old = ask(&server, &format!("HEAD /live/{path} HTTP/1.0\r\n\r\n"));
        let head = old.answer_to("HEAD").unwrap();
        assert_eq!((head.status, head.field("transfer-encoding")), (200, None));
        assert_eq!(head.field("connection"), Some("close"));
        assert!(old.is_closed());
        client.send(format!(
            "OPTIONS /live/{path} HTTP/1.1\r\nHost: x\r\nOrigin: http://page.example\r\n\
             Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: range\r\n\r\n"
        ));
        let options = client.answer().unwrap();
        assert_eq!(options.status, 204);
        assert_eq!(options.field("allow"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(options.field("access-control-allow-origin"), Some("*"));
        assert_eq!(options.field("access-control-allow-headers"), Some("Range"));
        client.send(format!("HEAD /live/no{path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(client.answer_to("HEAD").unwrap().status, 404);
    }
    drop(publisher);
    server.stop();
}

#[test]
fn another_web_socket_version_is_told_ours() {
    let server = Server::start(&[]);
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for version in [
        "",
        "Sec-WebSocket-Version: 8\r\n",
        "Sec-WebSocket-Version: 8, 13\r\n",
    ] {
        let mut client = ask(
            &server,
            &format!(
                "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\n\
                 Upgrade: websocket\r\n{key}{version}\r\n"
            ),
        );
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.end), (426, End::Said), "{version}");
        assert_eq!(answer.field("upgrade"), Some("websocket"));
        assert_eq!(answer.field("connection"), Some("Upgrade"));
        assert_eq!(answer.field("sec-websocket-version"), Some("13"));
        // It may do without.
        client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_eq!(client.answer().unwrap().status, 200);
    }
    server.stop();
}

#[test]
fn curl_knows_a_whole_stream_from_a_cut_one() {
    let mut server = Server::start(&[]);
    let dir = TempDir::new();
    for (path, ends_well) in [("cam.flv", true), ("cam.mp4", true), ("cam.flv", false)] {
        let ended = server.process.count_said(": ended live/cam");
        let mut publisher = RawPeer::publish(server.port, "live", "cam");
        let tags = flv::read(&Sample::Plain.path()).unwrap();
        publisher.send_tags(&tags);
        let file = dir.join(&format!("{ends_well}-{path}"));
        let mut curl = Command::new("curl");
        curl.args(["-sSN", "-w", "%{http_version} %{size_download}", "-o"]);
        curl.arg(&file)
            .arg(server.http_url(&format!("live/{path}")));
        let curl = Process::start_command("curl", curl);
        wait_for("some bytes", || {
            let size = file.metadata().map_or(0, |file| file.len());
            (size > 0).then_some(())
        });
        if ends_well {
            publisher.unpublish("cam");
            let said = curl.succeed().stdout.join("\n");
            assert!(said.starts_with("1.1 "), "{said}");
            server.process.wait_said(ended + 1, ": ended live/cam");
        } else {
            server.process.kill();
            // "transfer closed with outstanding read data remaining"
            assert_eq!(curl.finish().status.code(), Some(18));
        }
    }
}

#[test]
fn frames_of_the_live_stream_are_those_of_the_publisher() {
    let server = Server::start(&["--play-wait", "60"]);
    let mut client = ask(&server, "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(1);
    let input = Sample::BFrames.path();
    let url = server.url("live/cam");
    Process::millstream("push", ["push", "--no-pace", input.to_str().unwrap(), &url]).succeed();
    let answer = client.answer().unwrap();
    assert_eq!(answer.end, End::Said);
    let got = flv::parse(&answer.body).unwrap();
    assert_begins("HTTP/1.1", &flv::read(&input).unwrap(), &got);
    server.stop();
}

/// A live stream of large pictures, a keyframe in ten, 40 ms apart: 12 MiB.
fn large_pictures() -> Vec<Tag> {
    let sample = flv::read(&Sample::Plain.path()).unwrap();
    let mut headers = sample.into_iter().filter(Tag::is_sequence_header);
    let header = headers.find(|tag| tag.kind == flv::VIDEO).unwrap();
    let picture = |index: u32| {
        let (label, nal) = match index % 10 {
            0 => (0x17, 0x65),
            _ => (0x27, 0x41),
        };
        let size = 60_000_u32;
        let mut body = vec![label, 1, 0, 0, 0];
        body.extend_from_slice(&size.to_be_bytes());
        body.push(nal);
        body.resize(body.len() + size as usize - 1, 0xAA);
        Tag {
            kind: flv::VIDEO,
            timestamp: index * 40,
            body,
        }
    };
    [header].into_iter().chain((0..200).map(picture)).collect()
}

#[test]
fn who_lags_skips_between_chunks_and_is_cut_when_it_takes_too_long() {
    let variables = [
        ("MILLSTREAM_LIMITS_LOG_BYTES_MAX", "1MiB"),
        ("MILLSTREAM_TIMERS_DRAIN_TIMEOUT", "1s"),
    ];
    let server = Server::start_with(&["--play-wait", "60"], &variables);
    let mut slow = ask(&server, "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut stuck = ask(&server, "GET /live/cam.flv HTTP/1.1\r\nHost: x\r\n\r\n");
    server.wait_for_waiting(2);
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    let sent = large_pictures();
    publisher.send_tags(&sent);
    // Who does not read is far behind by now, whatever the system holds.
    let mut metrics = HttpClient::connect(server.http_port);
    wait_for("a lap", || {
        metrics.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let text = metrics.answer().unwrap().text();
        (!text.contains("\nmillstream_frames_total 0\n")
            && text.contains("\nmillstream_frames_total 201\n"))
        .then_some(())
    });
    publisher.unpublish("cam");
    let answer = slow.answer().unwrap();
    assert_eq!((answer.status, answer.end), (200, End::Said));
    let got = flv::parse(&answer.body).unwrap();
    let pictures: Vec<_> = got.iter().filter(|tag| !tag.is_sequence_header()).collect();
    assert!(pictures.len() < 150, "{}", pictures.len());
    assert_eq!(pictures.last().unwrap().body, sent.last().unwrap().body);
    let mut skips = 0;
    for pair in pictures.windows(2) {
        let step = pair[1].timestamp - pair[0].timestamp;
        assert!(step == 40 || pair[1].is_keyframe(), "{step}");
        skips += u32::from(step != 40);
    }
    assert!(skips > 0);
    // The other one never takes the rest.
    server.process.wait_said(2, ": live/cam ended");
    let answer = stuck.answer().unwrap();
    assert_eq!((answer.status, answer.end), (200, End::Cut));
    server.stop();
}

/// Playlist, segment, initialisation segment and still picture: HEAD says what GET gives, pages of
/// other sites may read them, and the connection stays for who wants that, in either version.
#[test]
fn files_of_a_live_stream_are_as_their_heads_say() {
    let server = Server::start(&["--workers", "2"]);
    let input = Sample::BFrames.path();
    let url = server.url("live/cam");
    let publisher = Process::millstream("push", ["push", "--loop", input.to_str().unwrap(), &url]);
    server.process.wait_said(1, ": publishes live/cam");
    let mut client = HttpClient::connect(server.http_port);
    let playlist = wait_for("a playlist with a segment", || {
        client.send("GET /live/cam.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n");
        let text = client.answer().unwrap().text();
        text.contains("#EXTINF").then_some(text)
    });
    let segment = playlist
        .lines()
        .rfind(|line| line.ends_with(".m4s"))
        .unwrap();
    let (_, map) = playlist.split_once("#EXT-X-MAP:URI=\"").unwrap();
    let map = map.split('"').next().unwrap();
    for (path, media_type, is_fixed) in [
        ("cam.m3u8", "application/vnd.apple.mpegurl", false),
        ("cam/still.mp4", "video/mp4", false),
        (segment, "video/mp4", true),
        (map, "video/mp4", true),
    ] {
        for (version, lines, stays) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: keep-alive\r\n", true),
        ] {
            let what = format!("{path} {version} {lines}");
            let rest = format!("/live/{path} HTTP/{version}\r\nHost: x\r\n{lines}\r\n");
            let mut client = ask(&server, &format!("GET {rest}"));
            let whole = client.answer().unwrap();
            assert_eq!((whole.status, whole.end), (200, End::Said), "{what}");
            assert_eq!(whole.field("content-type"), Some(media_type), "{what}");
            assert_eq!(
                whole.field("access-control-allow-origin"),
                Some("*"),
                "{what}"
            );
            let said = match (version, stays) {
                (_, false) => Some("close"),
                ("1.0", true) => Some("keep-alive"),
                _ => None,
            };
            assert_eq!(whole.field("connection"), said, "{what}");
            if !stays {
                assert!(client.is_closed(), "{what}");
                client = HttpClient::connect(server.http_port);
            }
            client.send(format!("HEAD {rest}"));
            let head = client.answer_to("HEAD").unwrap();
            assert_eq!(head.status, 200, "{what}");
            if is_fixed {
                assert_eq!(head.field("content-length"), whole.field("content-length"));
                assert_eq!(head.field("accept-ranges"), Some("bytes"));
            }
            assert_eq!(head.field("content-type"), Some(media_type), "{what}");
            assert_eq!(head.field("connection"), said, "{what}");
            assert_eq!(client.is_open(), stays, "{what}");
        }
        let mut client = ask(
            &server,
            &format!(
                "OPTIONS /live/{path} HTTP/1.1\r\nHost: x\r\nOrigin: http://a.example\r\n\r\n"
            ),
        );
        let options = client.answer().unwrap();
        assert_eq!(options.status, 204);
        assert_eq!(
            options.field("access-control-allow-methods"),
            Some("GET, HEAD, OPTIONS")
        );
    }
    publisher.signal("INT");
    publisher.succeed();
    server.stop();
}

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// What comes on a WebSocket up to the goodbye: payloads of pongs, and the goodbye's code.
fn pongs_and_goodbye(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<u16>) {
    let (mut rest, mut pongs) = (bytes, Vec::new());
    while let [first, second, behind @ ..] = rest {
        let (size, behind) = match second {
            126 => (
                usize::from(u16::from_be_bytes([behind[0], behind[1]])),
                &behind[2..],
            ),
            127 => {
                let size = u64::from_be_bytes(behind[..8].try_into().unwrap());
                (usize::try_from(size).unwrap(), &behind[8..])
            }
            size => (usize::from(*size), behind),
        };
        match first {
            0x82 => {}
            0x8A => pongs.push(behind[..size].to_vec()),
            0x88 => {
                return (
                    pongs,
                    behind.first_chunk().map(|code| u16::from_be_bytes(*code)),
                );
            }
            other => panic!("a frame that begins with {other:#x}"),
        }
        rest = &behind[size..];
    }
    (pongs, None)
}

#[test]
fn a_web_socket_is_answered_while_it_plays() {
    let (server, publisher) = with_publisher(&[]);
    let ping = frame(0x89, b"there?");
    for (what, said, pongs, code) in [
        ("a goodbye", frame(0x88, &[3, 0xE8]), 0, 1000),
        ("a goodbye without a code", frame(0x88, &[]), 0, 1000),
        (
            "pings",
            [&*ping, &ping, &frame(0x88, &[])].concat(),
            2,
            1000,
        ),
        (
            "words, which viewers have none of",
            [&*frame(0x81, b"hello"), &ping, &frame(0x88, &[])].concat(),
            1,
            1000,
        ),
        ("no mask", vec![0x81, 0], 0, 1002),
        ("an extension", frame(0xC1, b"x"), 0, 1002),
        ("an opcode that is none", frame(0x83, b"x"), 0, 1002),
        ("a ping in pieces", frame(0x09, b"x"), 0, 1002),
        ("the middle of nothing", frame(0x80, b"x"), 0, 1002),
        ("a goodbye of one byte", frame(0x88, &[3]), 0, 1002),
        (
            "a message that is too long",
            vec![0x81, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0],
            0,
            1009,
        ),
        (
            "one beyond all bounds",
            [&[0x82, 0xFF][..], &[0xFF; 8], &[0; 4]].concat(),
            0,
            1009,
        ),
    ] {
        let request = "GET /live/cam.mp4 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        // At once with the request, which is too early and yet understood.
        let mut hasty = HttpClient::connect(server.http_port);
        hasty.send([request.as_bytes(), &said].concat());
        hasty.head().unwrap();
        let got = pongs_and_goodbye(&hasty.rest());
        assert_eq!(got.1, Some(code), "{what}, hasty");
        let mut client = ask(&server, request);
        let head = client.head().unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client.send(&said);
        let got = pongs_and_goodbye(&client.rest());
        assert_eq!(got, (vec![b"there?".to_vec(); pongs], Some(code)), "{what}");
    }
    drop(publisher);
    server.stop();
}
