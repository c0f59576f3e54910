//! `probe` against our server and nginx: does it say what ffprobe says of the same stream, and
//! what a camera does wrong?

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::media::Sample;
use crate::support::nginx::Nginx;
use crate::support::process::{Finished, Process};
use crate::support::server::Server;

/// Longer than two of the samples' groups of pictures.
const SECONDS: &str = "2.5";

/// A server of either kind, with its time for a publisher to come.
enum Host {
    Ours(Server),
    Nginx(Nginx),
}

impl Host {
    fn both() -> [Self; 2] {
        let ours = Server::start(&["--play-wait", "60"]);
        [Self::Ours(ours), Self::Nginx(Nginx::start())]
    }

    fn url(&self) -> String {
        match self {
            Self::Ours(server) => server.url("live/cam"),
            Self::Nginx(nginx) => nginx.url("cam"),
        }
    }
}

/// ffmpeg, over and over in real time, until it is dropped.
#[track_caller]
fn ffmpeg(input: &Path, more: &[&str], url: &str) -> Process {
    let input = input.to_str().unwrap();
    let begin = [
        "-nostdin",
        "-v",
        "error",
        "-re",
        "-stream_loop",
        "-1",
        "-i",
        input,
    ];
    let end = ["-c", "copy", "-f", "flv", url];
    Process::start("publisher", "ffmpeg", [&begin[..], more, &end].concat())
}

fn probe(url: &str, more: &[&str]) -> Finished {
    let arguments = [&["probe", url, "--duration", SECONDS], more].concat();
    Process::millstream("probe", arguments).finish()
}

/// The JSON of a probe that must go well.
#[track_caller]
fn look(url: &str) -> Value {
    let finished = probe(url, &["--json"]);
    let said = finished.stderr.join("\n");
    assert!(finished.status.success(), "{said}");
    assert_eq!(said, "");
    serde_json::from_str(&finished.stdout.join("\n")).unwrap()
}

/// The first stream of a kind, as ffprobe sees it.
#[track_caller]
fn ffprobe(input: &str, kind: &str) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", kind, "-show_streams"])
        .args(["-of", "json", "-analyzeduration", "2000000", input])
        .output()
        .unwrap_or_else(|e| panic!("ffprobe does not start ({e}); tests/run installs it"));
    assert!(output.status.success(), "ffprobe {input}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["streams"][0].clone()
}

#[track_caller]
fn assert_same_video(ours: &Value, theirs: &Value) {
    let theirs_level = theirs["level"].as_f64().unwrap();
    let (codec, levels) = match ours["codec"].as_str().unwrap() {
        "H.264" => ("h264", 10.0),
        "HEVC" => ("hevc", 30.0),
        other => panic!("{other}"),
    };
    assert_eq!(theirs["codec_name"], codec);
    assert_eq!(ours["profile"], theirs["profile"]);
    assert_eq!(ours["level"], format!("{:.1}", theirs_level / levels));
    assert_eq!(ours["width"], theirs["width"]);
    assert_eq!(ours["height"], theirs["height"]);
    assert_eq!(
        (&ours["chroma"], &theirs["pix_fmt"]),
        (&"4:2:0".into(), &"yuv420p".into())
    );
    assert_eq!(ours["bit_depth"], 8);
    let theirs_b_frames = theirs["has_b_frames"].as_u64().unwrap();
    assert_eq!(ours["has_b_frames"], theirs_b_frames > 0);
    assert_eq!(theirs["r_frame_rate"], "25/1");
    assert_eq!(ours["frame_rate"]["metadata"], 25.0);
    assert_eq!(ours["frame_rate"]["sps"], 25.0);
    let measured = ours["frame_rate"]["measured"].as_f64().unwrap();
    // Where the publisher begins anew, it leaves a gap of a frame or two.
    assert!((24.0..=25.5).contains(&measured), "{measured}");
    assert!(ours["gop"]["frames"]["max"] == 25.0, "{ours:#}");
    assert!(ours["bitrate"]["mean"].as_f64().unwrap() > 10_000.0);
}

#[track_caller]
fn assert_same_audio(ours: &Value, theirs: &Value) {
    assert_eq!(
        (&ours["codec"], &theirs["codec_name"]),
        (&"AAC".into(), &"aac".into())
    );
    assert_eq!(ours["profile"], theirs["profile"]);
    let rate = ours["sample_rate"].as_u64().unwrap().to_string();
    assert_eq!(theirs["sample_rate"], *rate);
    assert_eq!(ours["channels"], theirs["channels"]);
    assert!(ours["bitrate"]["mean"].as_f64().unwrap() > 10_000.0);
}

#[track_caller]
fn assert_kinds(report: &Value, expected: &[&str]) {
    let notes = report["notes"].as_array().unwrap();
    let kinds: Vec<_> = notes
        .iter()
        .map(|note| note["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, expected, "{notes:#?}");
}

#[test]
fn h264_with_b_frames_is_what_ffprobe_says() {
    for host in Host::both() {
        let url = host.url();
        let _publisher = ffmpeg(&Sample::BFrames.path(), &[], &url);
        let report = look(&url);
        assert_kinds(&report, &[]);
        // Of the file: from a live stream ffprobe guesses the frame rate.
        let sample = Sample::BFrames.path();
        let sample = sample.to_str().unwrap();
        assert_same_video(&report["video"][0], &ffprobe(sample, "v"));
        assert_same_audio(&report["audio"][0], &ffprobe(sample, "a"));
        assert_eq!(report["video"][0]["tag"], "codec id 7");
        assert_eq!(report["video"][0]["has_b_frames"], true);
        assert_eq!(report["ended"], "duration");
        assert_eq!(report["url"], *url);
        let offset = report["sync"]["mean_ms"].as_f64().unwrap();
        assert!(offset.abs() < 200.0, "{offset}");
        let steps = report["steps"].as_array().unwrap();
        let numbers: Vec<_> = steps
            .iter()
            .map(|step| step["number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        for time in ["metadata_ms", "frame_ms", "keyframe_ms"] {
            assert!(report["first"][time].as_f64().unwrap() > 0.0, "{time}");
        }
        assert!(
            report["server"]["software"]
                .as_str()
                .unwrap()
                .starts_with("FMS/")
        );
    }
}

#[test]
fn hevc_from_an_mp4_file_is_what_ffprobe_says() {
    let sample = Sample::HevcMp4.path();
    let sample = sample.to_str().unwrap();
    // nginx-rtmp does not know hvc1 and withholds it.
    let server = Server::start(&[]);
    let url = server.url("live/cam");
    let _publisher = Process::millstream("publisher", ["push", "--loop", sample, &url]);
    let report = look(&url);
    assert_kinds(&report, &[]);
    assert_same_video(&report["video"][0], &ffprobe(sample, "v"));
    assert_same_audio(&report["audio"][0], &ffprobe(sample, "a"));
    assert_eq!(report["video"][0]["tag"], "hvc1");
    assert_eq!(report["video"][0]["tier"], "Main");
}

#[test]
fn one_track_alone_is_no_fault() {
    for host in Host::both() {
        let url = host.url();
        let publisher = ffmpeg(&Sample::Plain.path(), &["-vn"], &url);
        let sound = look(&url);
        drop(publisher);
        assert_kinds(&sound, &[]);
        assert_eq!(sound["video"], Value::Array(Vec::new()));
        assert_same_audio(
            &sound["audio"][0],
            &ffprobe(Sample::Plain.path().to_str().unwrap(), "a"),
        );

        let url = format!("{url}-2");
        let _publisher = ffmpeg(&Sample::Plain.path(), &["-an"], &url);
        let picture = look(&url);
        assert_kinds(&picture, &[]);
        assert_eq!(picture["audio"], Value::Array(Vec::new()));
        assert_eq!(picture["sync"], Value::Null);
        assert_same_video(&picture["video"][0], &ffprobe(&url, "v"));
        assert_eq!(picture["video"][0]["has_b_frames"], false);
    }
}

/// nginx passes most of what a camera does on as it came.
#[test]
fn what_a_camera_does_wrong_is_said() {
    let nginx = Nginx::start();
    for (camera, kind) in [
        ("annexb", "annex-b"),
        ("reolink", "hevc-codec-id-12"),
        ("dji-m350", "empty-nal-unit"),
        ("adts", "adts-in-aac"),
    ] {
        let url = nginx.url(camera);
        let arguments = ["simulate", &url, "--camera", camera, "--duration", "60"];
        let _camera = Process::millstream(camera, arguments);
        let report = look(&url);
        let notes = report["notes"].as_array().unwrap();
        assert!(
            notes.iter().any(|note| note["kind"] == kind),
            "{camera}: {notes:#?}"
        );
    }
}

#[test]
fn people_get_a_page() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let _publisher = ffmpeg(&Sample::BFrames.path(), &[], &url);
    let finished = probe(&url, &[]);
    assert!(finished.status.success());
    let page = finished.stdout.join("\n");
    for words in [
        url.as_str(),
        "step",
        "H.264 (codec id 7), High, level 1.2, 320x180, 4:2:0, 8 bits",
        "metadata say 25, the SPS says 25",
        "one every 25 frames",
        "B-frames, reordered by",
        "AAC LC (sound format 10), 44100 Hz, mono",
        "nothing odd",
    ] {
        assert!(page.contains(words), "no {words:?} in\n{page}");
    }
}

#[test]
fn a_stream_that_ends_and_ctrl_c_give_a_report() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let watching = Process::millstream("probe", ["probe", &url, "--json", "--duration", "60"]);
    server.wait_for_waiting(1);
    let sample = Sample::Plain.path();
    Process::millstream("publisher", ["push", sample.to_str().unwrap(), &url]).succeed();
    let report: Value = serde_json::from_str(&watching.succeed().stdout.join("\n")).unwrap();
    assert_eq!(report["ended"], "unpublished");
    assert_eq!(report["video"][0]["frames"], 100);

    let _publisher = ffmpeg(&sample, &[], &url);
    let arguments = ["-v", "probe", &url, "--json", "--duration", "60"];
    let watching = Process::millstream("probe", arguments);
    watching.wait_said(1, "step 3");
    watching.signal("INT");
    let report: Value = serde_json::from_str(&watching.succeed().stdout.join("\n")).unwrap();
    assert_eq!(report["ended"], "stopped");
}

#[track_caller]
fn assert_fails(url: &str, words: &[&str]) {
    let finished = probe(url, &["--json"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(finished.stdout.is_empty());
    let [line] = &finished.stderr[..] else {
        panic!("one line is expected: {:?}", finished.stderr);
    };
    for word in words {
        assert!(line.contains(word), "no {word:?} in {line:?}");
    }
}

#[test]
fn failures_are_one_line() {
    let server = Server::start(&["--play-wait", "0.1"]);
    let url = server.url("live/wrong");
    assert_fails(
        &url,
        &["StreamNotFound", "nobody publishes it; check app and key"],
    );

    // The port of a connection's own end: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let held = TcpStream::connect(address).unwrap();
    let port = held.local_addr().unwrap().port();
    let url = format!("rtmp://127.0.0.1:{port}/live/cam");
    assert_fails(&url, &["refused the connection", "port"]);
    drop((listener, held));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let http = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        socket.read_to_end(&mut Vec::new()).ok();
    });
    let url = format!("rtmp://127.0.0.1:{port}/live/cam");
    assert_fails(&url, &["does not speak RTMP", "port"]);
    http.join().unwrap();
}
