//! `bench` against servers: does it count what is there, and does it see what is wrong?

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use serde_json::Value;

use crate::support::nginx::Nginx;
use crate::support::process::{Finished, Process};
use crate::support::server::Server;

fn bench(url: &str, more: &[&str]) -> Finished {
    let arguments = [&["bench", url, "--duration", "1"], more].concat();
    Process::millstream("bench", arguments).finish()
}

/// The result of a test that must go well.
#[track_caller]
fn measure(url: &str, more: &[&str]) -> Value {
    let finished = bench(url, &[&["--json"], more].concat());
    let said = finished.stderr.join("\n");
    assert!(finished.status.success(), "{said}");
    serde_json::from_str(&finished.stdout.join("\n")).unwrap()
}

#[track_caller]
fn assert_fails(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.status.code(), Some(1), "{:?}", finished.stderr);
    let [line] = &finished.stderr[..] else {
        panic!("one line is expected: {:?}", finished.stderr);
    };
    for word in words {
        assert!(line.contains(word), "no {word:?} in {line:?}");
    }
}

#[track_caller]
fn number(report: &Value, path: &str) -> f64 {
    let value = report.pointer(path);
    let value = value.unwrap_or_else(|| panic!("no {path} in {report:#}"));
    value.as_f64().unwrap_or_else(|| panic!("{path}: {value}"))
}

#[track_caller]
fn assert_numbers(report: &Value, expected: &[(&str, f64)]) {
    for (path, expected) in expected {
        let got = number(report, path);
        assert!(got == *expected, "{path}: {got}, {expected} expected");
    }
}

const NOTHING_WRONG: [(&str, f64); 14] = [
    ("/video/lost", 0.0),
    ("/video/reordered", 0.0),
    ("/video/duplicated", 0.0),
    ("/video/corrupt", 0.0),
    ("/audio/lost", 0.0),
    ("/audio/reordered", 0.0),
    ("/audio/duplicated", 0.0),
    ("/audio/corrupt", 0.0),
    ("/unsent_frames", 0.0),
    ("/video/misrouted", 0.0),
    ("/audio/misrouted", 0.0),
    ("/video/timestamps_back", 0.0),
    ("/audio/timestamps_back", 0.0),
    ("/incomplete_subscribers", 0.0),
];

#[test]
fn our_server_delivers_everything() {
    for workers in ["1", "2"] {
        let server = Server::start(&["--workers", workers]);
        let pid = server.process.id().to_string();
        let load = ["--publishers", "3", "--subscribers", "30", "--pid", &pid];
        let report = measure(&server.url("live/test"), &load);
        assert_numbers(&report, &NOTHING_WRONG);
        let counts = [
            ("/publishing", 3.0),
            ("/playing", 30.0),
            ("/first_frame/count", 30.0),
        ];
        assert_numbers(&report, &counts);
        assert_eq!(report["failures"], Value::Object(serde_json::Map::new()));
        // Of each second: 30 pictures and 43 frames of sound for each of 30 subscribers. A frame
        // more or less at either end.
        let seconds = number(&report, "/seconds");
        for (path, rate) in [("/video/frames", 900.0), ("/audio/frames", 1292.0)] {
            let per_second = number(&report, path) / seconds;
            assert!(
                (per_second / rate - 1.0).abs() < 0.25,
                "{path}: {per_second}"
            );
        }
        assert!(number(&report, "/server/cpu_seconds") > 0.0);
        assert!(number(&report, "/server/resident") > number(&report, "/server/anonymous"));
        server.stop();
    }
}

/// Publishers by RTMP, subscribers over HTTP: in chunks, and every byte of every frame.
#[test]
fn live_streams_over_http_are_whole() {
    for (ending, more) in [("flv", ""), ("mp4", ""), ("flv", "?token=a/b")] {
        let server = Server::start(&["--workers", "2"]);
        let rtmp = format!("127.0.0.1:{}", server.port);
        let pid = server.process.id().to_string();
        let mut load = vec!["--rtmp", &rtmp, "--publishers", "3"];
        load.extend(["--subscribers", "30", "--pid", &pid]);
        let url = server.http_url(&format!("live/test.{ending}{more}"));
        let report = measure(&url, &load);
        assert_numbers(&report, &NOTHING_WRONG);
        let counts = [
            ("/publishing", 3.0),
            ("/playing", 30.0),
            ("/first_frame/count", 30.0),
        ];
        assert_numbers(&report, &counts);
        assert!(number(&report, "/video/frames") > 600.0, "{report:#}");
        assert!(number(&report, "/audio/frames") > 900.0, "{report:#}");
        assert!(number(&report, "/server/cpu_seconds_per_delivered_gb") > 0.0);
        server.stop();
    }
}

#[test]
fn what_is_wrong_with_a_url_of_http_is_named() {
    let server = Server::start(&["--play-wait", "0.2"]);
    let rtmp = format!("127.0.0.1:{}", server.port);
    let nobody = server.http_url("live/nobody.flv");
    let load = ["--rtmp", &rtmp, "--publishers", "0", "--subscribers", "2"];
    let words = ["nobody.flv", "HTTP 404", "--publishers 0 somebody else"];
    assert_fails(&bench(&nobody, &load), &words);
    // RTMP where HTTP should be, and the other way round.
    let wrong = server.url("live/x.flv").replace("rtmp:", "http:");
    let words = [
        "x.flv",
        "closed by the server",
        "may not speak HTTP",
        "8080",
    ];
    assert_fails(&bench(&wrong, &load), &words);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = listener.local_addr().unwrap().to_string();
    drop(listener);
    let finished = bench(&server.http_url("live/x.flv"), &["--rtmp", &refused]);
    assert_fails(&finished, &["publishing to", &refused, "refused", "--rtmp"]);
    let url = server.http_url("live/x.flv");
    assert_fails(&bench(&server.url("live/x"), &load), &["--rtmp"]);
    for (url, words) in [
        (server.http_url("live/x.m3u8"), ".flv"),
        (server.http_url(""), "http://HOST[:PORT]/APP/KEY.flv"),
        (url.replace("http:", "https:"), "https"),
    ] {
        assert_fails(&bench(&url, &[]), &[words]);
    }
    server.stop();
}

#[test]
fn nginx_delivers_everything() {
    let nginx = Nginx::start();
    let load = ["--publishers", "2", "--subscribers", "10"];
    let report = measure(&nginx.url("test"), &load);
    assert_numbers(&report, &NOTHING_WRONG);
    assert_numbers(&report, &[("/publishing", 2.0), ("/playing", 10.0)]);
    assert!(number(&report, "/video/frames") > 0.0 && number(&report, "/audio/frames") > 0.0);
}

#[test]
fn what_it_publishes_is_a_stream_like_any_other() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/test");
    let arguments = [
        "-v",
        "error",
        "-i",
        &url,
        "-c",
        "copy",
        "-f",
        "framehash",
        "-",
    ];
    let player = Process::start("ffmpeg", "ffmpeg", arguments);
    server.wait_for_waiting(1);
    let publisher = bench(&url, &["--subscribers", "0"]);
    assert!(publisher.status.success(), "{:?}", publisher.stderr);
    let player = player.succeed();
    let codecs: Vec<&String> = player
        .stdout
        .iter()
        .filter(|line| line.starts_with("#codec_id"))
        .collect();
    assert_eq!(codecs, ["#codec_id 0: h264", "#codec_id 1: aac"]);
    let packets = |stream: &str| {
        let of_stream = |line: &&String| line.starts_with(stream);
        player.stdout.iter().filter(of_stream).count()
    };
    assert!(packets("0,") >= 30 && packets("1,") >= 43);
    server.stop();
}

/// Not only demuxed: decoders find nothing to complain about.
#[test]
fn what_it_publishes_can_be_decoded() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/test");
    let decode = "-nostdin -v warning -xerror -err_detect explode -i URL -f null -";
    let decode = decode.split(' ').map(|word| word.replace("URL", &url));
    let player = Process::start("ffmpeg", "ffmpeg", decode);
    server.wait_for_waiting(1);
    let publisher = bench(&url, &["--subscribers", "0", "--gop", "0.5"]);
    assert!(publisher.status.success(), "{:?}", publisher.stderr);
    let player = player.succeed();
    assert!(player.stderr.is_empty(), "{:?}", player.stderr);
    server.stop();
}

/// Gaps between frames that came would not show this: nothing comes after them.
#[test]
fn a_server_that_stops_sending_loses_frames() {
    let server = Server::start(&[]);
    let url = server.url("live/test");
    let arguments = ["--subscribers", "5", "--duration", "3", "--json"];
    let arguments = [&["bench", &url][..], &arguments].concat();
    let load = Process::millstream("bench", arguments);
    // With its first subscriber the test is a second from the measured time.
    server.process.wait_said(5, ": plays live/test");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    server.process.signal("STOP");
    let finished = load.finish();
    server.process.signal("CONT");
    assert!(finished.status.success(), "{:?}", finished.stderr);
    let report: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
    for track in ["/video", "/audio"] {
        let [expected, frames, lost] =
            ["expected", "frames", "lost"].map(|name| number(&report, &format!("{track}/{name}")));
        assert!(lost > 0.0, "{report:#}");
        assert!((expected - frames - lost).abs() < 0.5, "{report:#}");
    }
    assert_numbers(&report, &[("/incomplete_subscribers", 5.0)]);
    server.stop();
}

/// Somebody else publishes: frames are counted, and nothing is held against them.
#[test]
fn a_stream_of_somebody_else_is_only_counted() {
    let server = Server::start(&[]);
    let url = server.url("live/test");
    let input = crate::support::media::Sample::Plain.path();
    let push = ["push", "--loop", input.to_str().unwrap(), &url];
    let push = Process::millstream("push", push);
    server.process.wait_said(1, "publishes live/test");
    let report = measure(&url, &["--publishers", "0", "--subscribers", "5"]);
    assert_numbers(&report, &NOTHING_WRONG);
    assert!(number(&report, "/video/frames") > 0.0);
    // There are no stamps, so there is no latency and nothing that is known to be missing.
    let unknown = [
        "/video/latency/count",
        "/audio/latency/count",
        "/video/expected",
    ];
    assert_numbers(&report, &unknown.map(|path| (path, 0.0)));
    assert!(number(&report, "/video/timestamp_gap_ms_max") >= 40.0);
    push.signal("INT");
    push.succeed();
    server.stop();
}

#[test]
fn subscribers_that_do_not_read_take_nothing_from_the_others() {
    let server = Server::start(&[]);
    let load = ["--subscribers", "20", "--slow", "50", "--bitrate", "20M"];
    let report = measure(&server.url("live/test"), &load);
    assert_numbers(&report, &NOTHING_WRONG);
    assert_numbers(&report, &[("/playing", 20.0)]);
    assert_numbers(&report, &[("/first_frame/count", 10.0)]);
    server.stop();
}

/// One byte in 150,000 is changed on its way to the subscribers.
#[test]
fn damaged_frames_are_seen() {
    let server = Server::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server_port = server.port;
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", server_port)).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || relay(from, to, usize::MAX));
            std::thread::spawn(move || relay(server, client, 150_000));
        }
    });
    let url = format!("rtmp://127.0.0.1:{port}/live/test");
    let report = measure(&url, &["--subscribers", "3", "--bitrate", "10M"]);
    assert!(number(&report, "/video/corrupt") > 0.0, "{report:#}");
    server.stop();
}

/// Passes bytes on, and changes one in each `period`.
fn relay(mut from: TcpStream, mut to: TcpStream, period: usize) {
    let mut buffer = vec![0; 10_000];
    let mut total = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let to_next = period - total % period;
        if to_next <= count {
            buffer[to_next - 1] ^= 0x40;
        }
        total += count;
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // Either side may be gone.
    to.shutdown(Shutdown::Both).unwrap_or_default();
}

#[test]
fn servers_that_do_not_serve_are_told_in_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("rtmp://127.0.0.1:{port}/live/test");
    assert_fails(&bench(&url, &[]), &["refused the connection"]);

    let server = Server::start(&["--play-wait", "0.1"]);
    let nobody = ["--publishers", "0", "--subscribers", "2"];
    let finished = bench(&server.url("live/test"), &nobody);
    let words = [
        "nothing was delivered",
        "NetStream.Play.StreamNotFound",
        "nobody publishes it",
        "--publishers 0",
    ];
    assert_fails(&finished, &words);

    let finished = bench(&server.url("live/test"), &["--pid", "4000000"]);
    assert_fails(&finished, &["4000000", "is it running"]);
    server.stop();
}

/// As a script has it that starts both at once.
#[test]
fn a_server_that_does_not_listen_yet_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    // Any process that lives will do.
    let pid = std::process::id().to_string();
    let url = format!("rtmp://127.0.0.1:{port}/live/test");
    let load = ["--duration", "1", "--subscribers", "2", "--pid", &pid];
    let load = Process::millstream("bench", [&["bench", &url][..], &load].concat());
    std::thread::sleep(std::time::Duration::from_millis(300));
    let server = Server::start_on(port, &[]);
    load.succeed();
    server.stop();
    let began = std::time::Instant::now();
    assert_fails(&bench(&url, &["--pid", &pid]), &["refused"]);
    assert!(began.elapsed() >= std::time::Duration::from_secs(1));
}

/// What is asked for cannot be met (0.1 ms for a picture that waits for nothing is too short for a
/// loaded machine, or not): either way a search ends and says what it tried.
#[test]
fn a_search_ends() {
    let server = Server::start(&[]);
    let search = ["--find-max", "--subscribers", "1", "--max-p99", "0.1"];
    let finished = bench(
        &server.url("live/test"),
        &[&search[..], &["--json"]].concat(),
    );
    assert!(finished.status.success(), "{:?}", finished.stderr);
    let found: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
    assert!(found["healthy_subscribers"].is_number());
    assert_eq!(
        found["tests"].as_array().unwrap().len(),
        finished.stderr.len()
    );
    server.stop();
}
