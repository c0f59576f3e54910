//! HLS and the still picture as the server gives them, to real players.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::media::Sample;
use super::support::packets::{Kind, packets};
use super::support::process::Process;
use super::support::server::{Server, wait_for_connections};
use super::support::tempdir::TempDir;
use super::support::wait_for;

/// An encoder with a keyframe each second, for so many seconds.
fn encode(server: &Server, name: &str, codec: &[&str], seconds: u32) -> Process {
    let mut ffmpeg = Command::new("ffmpeg");
    let seconds = seconds.to_string();
    ffmpeg
        .args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i"])
        .args(["testsrc=size=320x180:rate=25", "-f", "lavfi", "-i", "sine"])
        .args(codec)
        .args(["-g", "25", "-preset", "ultrafast", "-c:a", "aac"])
        .args(["-t", &seconds, "-f", "flv", &server.url(name)]);
    Process::start_command("ffmpeg", ffmpeg)
}

const AVC: &[&str] = &["-c:v", "libx264"];

/// Pushes a file over and over.
fn push_on(server: &Server, sample: Sample, name: &str) -> Process {
    let input = sample.path();
    let url = server.url(name);
    Process::millstream("push", ["push", "--loop", input.to_str().unwrap(), &url])
}

/// What curl gets: status and body.
fn get(url: &str) -> (u16, String) {
    let (status, body) = get_bytes(url, &[]);
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn get_bytes(url: &str, arguments: &[&str]) -> (u16, Vec<u8>) {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "20", "-w", "%{http_code}"]);
    let output = curl.args(arguments).arg(url).output().unwrap();
    let mut body = output.stdout;
    let status = body.split_off(body.len() - 3);
    (String::from_utf8(status).unwrap().parse().unwrap(), body)
}

/// The values behind `name` in each line that has it.
fn values<'a>(playlist: &'a str, name: &str) -> Vec<&'a str> {
    let lines = playlist.lines();
    lines.filter_map(|line| line.strip_prefix(name)).collect()
}

/// The playlist, once the live stream has one.
fn playlist(url: &str) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, text) = get(url);
        if status == 200 {
            return text;
        }
        assert!(Instant::now() < end, "{status} {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Media sequence number and part of what the playlist announces.
fn hint(playlist: &str) -> (u64, u64) {
    let [hint] = values(playlist, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"")[..] else {
        panic!("{playlist}");
    };
    let (_, name) = hint.split_once('/').unwrap();
    let mut numbers = name.split('.').map(str::parse);
    let mut number = || numbers.next().unwrap().unwrap();
    (number(), number())
}

/// Hashes of a track, in order.
fn hashes(file: &Path, kind: Kind) -> Vec<String> {
    let packets = packets(file).into_iter();
    let packets = packets.filter(|packet| packet.kind == kind);
    packets.map(|packet| packet.hash).collect()
}

/// Two workers, since one is not that of the publisher for half of the names.
#[test]
fn ffmpeg_gets_every_packet_that_was_pushed() {
    let server = Server::start(&["--workers", "2"]);
    let dir = TempDir::new();
    let names = ["live/a", "live/b", "live/c"];
    let runs = names.map(|name| {
        let publisher = encode(&server, name, AVC, 6);
        let file = dir.join(&format!("{}.mp4", name.replace('/', "-")));
        let kept = file.with_extension("flv");
        let mut keep = Command::new("ffmpeg");
        keep.args([
            "-nostdin",
            "-v",
            "error",
            "-i",
            &server.url(name),
            "-c",
            "copy",
        ]);
        keep.arg(&kept);
        let keep = Process::start_command("ffmpeg", keep);
        // It has to have whatever the playlist begins with.
        server.process.wait_said(1, &format!("plays {name}"));
        playlist(&server.http_url(&format!("{name}.m3u8")));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-live_start_index", "0", "-i"]);
        ffmpeg.arg(server.http_url(&format!("{name}.m3u8")));
        ffmpeg.args(["-map", "0", "-c", "copy"]).arg(&file);
        let player = Process::start_command("ffmpeg", ffmpeg);
        (publisher, keep, player, kept, file)
    });
    for (publisher, keep, player, kept, file) in runs {
        publisher.succeed();
        keep.succeed();
        // It reads to the end of the playlist, and takes it for one.
        player.succeed();
        for (kind, least) in [(Kind::Video, 75), (Kind::Audio, 120)] {
            let (sent, got) = (hashes(&kept, kind), hashes(&file, kind));
            assert!(got.len() > least, "{kind:?}: {}", got.len());
            // ffmpeg holds the last packets of a track back at times.
            let at = sent.iter().position(|hash| *hash == got[0]).unwrap();
            let both = sent.len().min(at + got.len()) - at;
            assert_eq!(got[..both], sent[at..at + both], "{kind:?}");
            assert!(got.len().abs_diff(sent.len() - at) <= 2, "{kind:?}");
        }
    }
    let said = server.stop().stderr.join("\n");
    assert!(said.contains("goes from worker"), "nobody was handed over");
    assert!(!said.contains("fault of ours"), "{said}");
}

#[test]
fn a_playlist_waits_for_what_it_is_asked_for() {
    let server = Server::start(&[]);
    let publisher = push_on(&server, Sample::BFrames, "live/cam");
    server.process.wait_said(1, ": publishes live/cam");
    let url = server.http_url("live/cam.m3u8");
    assert_eq!(get(&server.http_url("live/nobody.m3u8")).0, 404);
    // Only the playlist begins it.
    assert_eq!(get(&server.http_url("live/cam/0.m4s")).0, 404);
    let first = playlist(&url);
    assert!(first.contains("CAN-BLOCK-RELOAD=YES"), "{first}");
    let (mut sequence, mut part) = hint(&first);
    for _ in 0..4 {
        let (status, text) = get(&format!("{url}?_HLS_msn={sequence}&_HLS_part={part}&a=b"));
        assert_eq!(status, 200);
        let name = format!("cam/{sequence}.{part}.m4s?a=b");
        // Where the hint became the first part of the next segment the name is another one.
        let next = format!("cam/{}.0.m4s?a=b", sequence + 1);
        assert!(text.contains(&name) || text.contains(&next), "{text}");
        (sequence, part) = hint(&text);
    }
    // The announced part itself, while it is being made.
    let named = server.http_url(&format!("live/cam/{sequence}.{part}.m4s"));
    let (status, body) = get_bytes(&named, &[]);
    let is_there = status == 200 && body.get(4..8) == Some(b"moof");
    assert!(is_there || (status == 404 && part > 0), "{status}");
    let [map] = values(&first, "#EXT-X-MAP:URI=")[..] else {
        panic!("{first}");
    };
    let map = server.http_url(&format!("live/{}", map.trim_matches('"')));
    let (status, whole) = get_bytes(&map, &[]);
    assert_eq!((status, whole.get(4..8)), (200, Some(&b"ftyp"[..])));
    let (status, range) = get_bytes(&map, &["-r", "4-7"]);
    assert_eq!((status, &range[..]), (206, &b"ftyp"[..]));
    let (status, _) = get_bytes(&map, &["-r", "99999-"]);
    assert_eq!(status, 416);
    let (status, head) = get_bytes(&map, &["-I"]);
    let head = String::from_utf8(head).unwrap();
    assert_eq!(status, 200);
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", whole.len())));
    assert!(head.contains("\r\nAccess-Control-Allow-Origin: *\r\n"));
    for (query, expected) in [
        (format!("_HLS_msn={}", sequence + 1000), 400),
        (format!("_HLS_msn={sequence}&_HLS_part=9999"), 400),
        ("_HLS_part=1".to_owned(), 400),
        ("_HLS_msn=x".to_owned(), 400),
        ("_HLS_msn=0".to_owned(), 200),
    ] {
        assert_eq!(get(&format!("{url}?{query}")).0, expected, "{query}");
    }
    for name in ["0.m4s", "x.m4s", "init-0.mp4", "99999999999.0.m4s"] {
        let url = server.http_url(&format!("live/cam/{name}"));
        assert_eq!(get(&url).0, 404, "{name}");
    }
    publisher.signal("INT");
    publisher.succeed();
    let ended = playlist(&url);
    assert!(ended.ends_with("#EXT-X-ENDLIST\n"), "{ended}");
    server.stop();
}

#[test]
fn who_waits_and_leaves_is_forgotten_and_who_waits_too_long_is_told() {
    let server = Server::start(&[]);
    let publisher = push_on(&server, Sample::BFrames, "live/cam");
    server.process.wait_said(1, ": publishes live/cam");
    let url = server.http_url("live/cam.m3u8");
    let (sequence, _) = hint(&playlist(&url));
    publisher.signal("STOP");
    let ask = |path: String| {
        let mut socket = TcpStream::connect(("127.0.0.1", server.http_port)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        socket
    };
    let path = format!("/live/cam.m3u8?_HLS_msn={}", sequence + 1);
    let waiting: Vec<_> = (0..20).map(|_| ask(path.clone())).collect();
    wait_for_connections(server.http_port, 20);
    drop(waiting);
    wait_for_connections(server.http_port, 0);
    let since = Instant::now();
    let (status, _) = get(&format!("{url}?_HLS_msn={}", sequence + 1));
    assert_eq!(status, 503);
    assert!(since.elapsed() > Duration::from_secs(2));
    publisher.signal("CONT");
    let (status, _) = get(&format!("{url}?_HLS_msn={}", sequence + 1));
    assert_eq!(status, 200);
    publisher.signal("INT");
    publisher.succeed();
    let said = server.stop().stderr.join("\n");
    assert!(!said.contains("fault of ours"), "{said}");
}

#[test]
fn a_takeover_is_a_discontinuity_and_the_numbers_go_on() {
    let server = Server::start(&["--workers", "2", "--takeover", "always"]);
    let url = server.http_url("live/cam.m3u8");
    let first = push_on(&server, Sample::BFrames, "live/cam");
    server.process.wait_said(1, ": publishes live/cam");
    let before = playlist(&url);
    let (sequence, _) = hint(&before);
    let second = encode(&server, "live/cam", AVC, 20);
    server.process.wait_said(1, "goes on with live/cam");
    drop(first);
    let end = Instant::now() + Duration::from_secs(20);
    let text = loop {
        let text = playlist(&url);
        let maps = values(&text, "#EXT-X-MAP:").len();
        if maps == 2 && hint(&text).0 > sequence + 2 {
            break text;
        }
        assert!(Instant::now() < end, "{text}");
        std::thread::sleep(Duration::from_millis(100));
    };
    // That at the start, and that of the takeover.
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 2, "{text}");
    let sequence_of = |text: &str| values(text, "#EXT-X-MEDIA-SEQUENCE:")[0].to_owned();
    assert_eq!(sequence_of(&text), sequence_of(&before));
    drop(second);
    server.stop();
}

#[test]
fn hevc_is_hvc1() {
    let server = Server::start(&[]);
    let url = server.http_url("live/cam.m3u8");
    let publisher = push_on(&server, Sample::HevcMp4, "live/cam");
    server.process.wait_said(1, ": publishes live/cam");
    playlist(&url);
    let still = server.http_url("live/cam/still.mp4");
    for url in [url, still] {
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"])
            .args(["-show_entries", "stream=codec_name,codec_tag_string", &url])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.starts_with("hevc,hvc1"), "{url}: {told:?}");
    }
    publisher.signal("INT");
    publisher.succeed();
    server.stop();
}

#[test]
fn the_still_picture_is_one_that_decodes() {
    let server = Server::start(&["--workers", "2"]);
    let dir = TempDir::new();
    let url = server.http_url("live/cam/still.mp4");
    assert_eq!(get(&url).0, 404);
    let publisher = push_on(&server, Sample::BFrames, "live/cam");
    server.process.wait_said(1, ": publishes live/cam");
    std::thread::sleep(Duration::from_millis(500));
    // On whichever worker the request comes.
    for index in 0..4 {
        let (status, body) = get_bytes(&url, &[]);
        assert_eq!(status, 200);
        let file = dir.join(&format!("{index}.mp4"));
        fs::write(&file, body).unwrap();
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(&file)
            .args(["-f", "framemd5", "-"])
            .output()
            .unwrap();
        let pictures = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let count = pictures.lines().filter(|line| !line.starts_with('#'));
        assert_eq!((count.count(), &*said), (1, ""));
    }
    publisher.signal("INT");
    publisher.succeed();
    assert_eq!(get(&url).0, 404);
    server.stop();
}

#[test]
fn viewers_are_counted_however_many_connections_they_have() {
    let server = Server::start(&["--workers", "2"]);
    let publisher = push_on(&server, Sample::BFrames, "live/cam");
    server.process.wait_said(1, ": publishes live/cam");
    let viewers = || {
        let (status, text) = get(&server.http_url("api/v1/streams"));
        assert_eq!(status, 200);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let stream = &report["streams"][0];
        let mut forms = stream["outputs"].as_array().unwrap().iter();
        let hls = forms.find(|form| form["kind"] == "hls").unwrap();
        assert_eq!(hls["subscriber_count"], stream["subscriber_count"]);
        let (_, text) = get(&server.http_url("metrics"));
        let total = values(&text, "millstream_subscribers ")[0].to_owned();
        assert_eq!(total, stream["subscriber_count"].to_string());
        stream["subscriber_count"].as_u64().unwrap()
    };
    assert_eq!(viewers(), 0);
    // A new connection for each request, as some players do: one viewer, also between them.
    let url = server.http_url("live/cam.m3u8");
    let text = playlist(&url);
    playlist(&url);
    let [map] = values(&text, "#EXT-X-MAP:URI=")[..] else {
        panic!("{text}");
    };
    let map = server.http_url(&format!("live/{}", map.trim_matches('"')));
    assert_eq!(get_bytes(&map, &[]).0, 200);
    assert_eq!(viewers(), 1);
    get_bytes(&url, &["-A", "another"]);
    assert_eq!(viewers(), 2);
    // Three behind one router, that wait for what comes next.
    publisher.signal("STOP");
    let (sequence, _) = hint(&playlist(&url));
    let waiting = [1, 2, 3].map(|_| {
        let mut socket = TcpStream::connect(("127.0.0.1", server.http_port)).unwrap();
        let path = format!("/live/cam.m3u8?_HLS_msn={}", sequence + 1);
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: third\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        socket
    });
    wait_for("three more", || (viewers() == 5).then_some(()));
    drop(waiting);
    publisher.signal("CONT");
    publisher.signal("INT");
    publisher.succeed();
    server.stop();
}

#[test]
fn gstreamer_plays_it() {
    let server = Server::start(&["--workers", "2"]);
    let publisher = encode(&server, "live/cam", AVC, 8);
    let url = server.http_url("live/cam.m3u8");
    playlist(&url);
    let mut gst = Command::new("gst-launch-1.0");
    gst.args([
        "-v",
        "souphttpsrc",
        &format!("location={url}"),
        "!",
        "hlsdemux",
    ]);
    gst.args([
        "!",
        "qtdemux",
        "!",
        "h264parse",
        "!",
        "identity",
        "silent=false",
    ]);
    gst.args(["!", "fakesink", "sync=false"]);
    let output = gst.output().unwrap();
    publisher.succeed();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let frames = said.matches("last-message = chain").count();
    assert!(frames > 75, "{frames} frames\n{said}");
    server.stop();
}
