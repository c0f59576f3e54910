//! Every simulated camera against our server: its frames arrive, decode, and hold together.
//!
//! What a subscriber should get is the same for all of them: an ordinary stream. Whatever is odd
//! about the camera, the server has put right or left out, and has said so.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use crate::quirks;
use crate::support::flv::{self, AUDIO, Tag, VIDEO};
use crate::support::frames::assert_grows;
use crate::support::peers::Player;
use crate::support::process::{Finished, Process};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// Seconds of media that a camera sends: 75 pictures, a keyframe at every 24th.
const SECONDS: &str = "3";
const PICTURES: usize = 75;
const GROUP: usize = 24;

/// Fewest frames of sound in these seconds: AAC has 46.875 in a second, G.711 50. Those before the
/// first keyframe do not count.
const SOUNDS_MIN: usize = 130;

/// Neighbouring frames of a track are not further apart than that, whatever the camera's clock
/// says.
const LEAP_MAX_MS: u32 = 1000;

/// Cameras at once; each takes the seconds of its media and hardly any work.
const AT_ONCE: usize = 8;

/// Cameras that send HEVC.
const HEVC: &[&str] = &["reolink", "no-hevc-header", "obs-hevc", "obs-hevc-7"];

/// Cameras with a test of their own.
const APART: &[&str] = &["lost-bytes", "power-cut"];

#[test]
fn every_camera_is_served() {
    let names = cameras();
    assert!(names.len() > 60, "{names:?}");
    let left: VecDeque<String> = names
        .into_iter()
        .filter(|name| !APART.contains(&name.as_str()))
        .collect();
    let left = Mutex::new(left);
    let troubles = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(name) = left.lock().unwrap().pop_front() else {
                        return;
                    };
                    if let Err(cause) = catch_unwind(|| serve(&name)) {
                        let text = cause.downcast_ref::<String>().cloned();
                        let fixed = || cause.downcast_ref::<&str>().map(|text| (*text).into());
                        let text = text.or_else(fixed).unwrap_or_default();
                        troubles.lock().unwrap().push(format!("{name}: {text}"));
                    }
                }
            });
        }
    });
    let troubles = troubles.into_inner().unwrap();
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

/// The names that `--list` shows.
fn cameras() -> Vec<String> {
    let listed = Process::millstream("list", ["simulate", "--list"]).succeed();
    let name = |line: &String| line.split_whitespace().next().unwrap().to_owned();
    listed.stdout.iter().map(name).collect()
}

#[test]
fn the_list_names_each_camera_and_its_quirks() {
    let listed = Process::millstream("list", ["simulate", "--list"]).succeed();
    for (name, quirks) in [
        ("plain", "-"),
        ("dahua", "1"),
        ("openipc", "4"),
        ("reolink", "5"),
        ("dji-mini", "7"),
        ("gstreamer", "28"),
        ("msid-0", "49"),
    ] {
        let line = listed.stdout.iter().find(|line| {
            let words: Vec<&str> = line.split_whitespace().take(2).collect();
            words == [name, quirks]
        });
        assert!(line.is_some(), "{name} {quirks} in {:?}", listed.stdout);
    }
    let numbered: Vec<&str> = listed
        .stdout
        .iter()
        .flat_map(|line| line.split_whitespace().nth(1).unwrap().split(','))
        .collect();
    for quirk in (1..=18).chain(20..=28).chain(32..=41).chain([45, 48, 49]) {
        let quirk: u32 = quirk;
        assert!(numbered.contains(&quirk.to_string().as_str()), "{quirk}");
    }
}

pub(crate) fn simulate(url: &str, camera: &str, seconds: &str) -> Process {
    let name = format!("camera {camera}");
    let arguments = [
        "-v",
        "simulate",
        url,
        "--camera",
        camera,
        "--duration",
        seconds,
    ];
    Process::millstream(&name, arguments)
}

/// One camera, from its start to its end, with subscribers that were there first.
#[track_caller]
fn serve(camera: &str) {
    let is_hevc = HEVC.contains(&camera);
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "0.3"]);
    let url = server.url(&format!("live/{camera}"));
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    // Writes what comes as it comes; pull would put timestamps right.
    let witness = Player::Rtmpdump.start(&url, dir.path());
    // ffmpeg reads HEVC in MP4 in every version, in FLV only lately.
    let movie = dir.join("movie.mp4");
    let to_movie = is_hevc
        .then(|| Process::millstream("pull to MP4", ["pull", &url, movie.to_str().unwrap()]));
    server.wait_for_waiting(2 + usize::from(is_hevc));
    let finished = simulate(&url, camera, SECONDS).succeed();
    let file = playing.file.clone();
    let tags = playing.finish_flv();
    if let Some(pull) = to_movie {
        pull.succeed();
    }
    let said = finished.stderr.join("\n");
    if !camera.starts_with("bye-") || camera == "bye-end-of-sequence" {
        assert!(said.contains("goodbye confirmed"), "{said}");
    }
    check_tags(camera, &tags);
    check_tags(camera, &witness.finish_flv());
    quirks::check_log(camera, &server.stop().stderr);
    check_decoded(camera, if is_hevc { &movie } else { &file });
}

/// Nothing that a plain player stumbles over.
#[track_caller]
pub(crate) fn check_tags(camera: &str, tags: &[Tag]) {
    assert_grows(camera, tags, LEAP_MAX_MS);
    for kind in [AUDIO, VIDEO] {
        let headers: Vec<&Tag> = tags
            .iter()
            .filter(|tag| tag.kind == kind && tag.is_sequence_header())
            .collect();
        let repeated = headers.windows(2).find(|pair| pair[0].body == pair[1].body);
        assert!(repeated.is_none(), "a sequence header twice: {repeated:?}");
        let least = match (kind, camera) {
            (VIDEO, "phone-turned" | "phone-turned-in-band") => 2,
            (VIDEO, _) => 1,
            (_, "streamlabs-ios" | "fmle" | "g711-alaw" | "g711-mulaw") => 0,
            _ => 1,
        };
        let count = headers.len();
        assert!(count >= least, "{count} sequence headers of kind {kind}");
        let first = tags.iter().find(|tag| tag.kind == kind);
        if let Some(first) = first.filter(|_| least > 0) {
            assert!(first.is_sequence_header(), "kind {kind} starts without");
        }
    }
    for tag in tags {
        let body = tag.body.as_slice();
        let is_empty = match (tag.kind, body) {
            (_, []) => true,
            // The end of a sequence is nothing but its header.
            (VIDEO, [_, 2, ..]) => false,
            (VIDEO, [first, ..]) => first & 0x80 == 0 && body.len() <= 5,
            (AUDIO, [first, ..]) => first >> 4 == 10 && body.len() <= 2,
            _ => false,
        };
        assert!(!is_empty, "a body without content: {tag:?}");
        let is_multitrack = tag.kind == VIDEO && body[0] & 0x8F == 0x86;
        assert!(!is_multitrack, "a packet of several tracks");
        let is_adts = tag.kind == AUDIO && matches!(body, [0xAF, 1, 0xFF, 0xF0..=0xFF, ..]);
        assert!(!is_adts, "AAC behind an ADTS header");
        if HEVC.contains(&camera) {
            let is_avc = tag.kind == VIDEO && body[0] & 0x8F == 7;
            assert!(!is_avc, "HEVC that is labelled AVC");
        }
    }
}

/// All pictures and the sound decode, without a word of complaint.
#[track_caller]
fn check_decoded(camera: &str, file: &Path) {
    let pictures = decode(file, "0:v");
    let least = match camera {
        // The group that was under way when the server agreed may be lost.
        "early-media" => PICTURES - GROUP,
        _ => PICTURES,
    };
    assert!(pictures >= least, "{pictures} pictures decoded");
    if camera != "streamlabs-ios" {
        let sounds = decode(file, "0:a");
        assert!(sounds >= SOUNDS_MIN, "{sounds} frames of sound decoded");
    }
}

/// How many frames of a track ffmpeg decodes; it must find nothing wrong.
#[track_caller]
pub(crate) fn decode(file: &Path, track: &str) -> usize {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-map", track, "-fps_mode", "passthrough"])
        .args(["-f", "framehash", "-hash", "md5", "-"])
        .output()
        .unwrap_or_else(|e| panic!("ffmpeg does not start ({e}); tests/run installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    let mut complaint = String::new();
    for line in said.lines().take(3) {
        writeln!(complaint, "{line}").unwrap();
    }
    assert!(
        output.status.success() && complaint.is_empty(),
        "{track} does not decode: {complaint}"
    );
    let frames = String::from_utf8(output.stdout).unwrap();
    frames.lines().filter(|line| !line.starts_with('#')).count()
}

#[track_caller]
fn assert_fails(finished: &Finished, words: &[&str]) {
    let said = finished.stderr.join("\n");
    assert_eq!(finished.status.code(), Some(1), "{said}");
    let last = finished.stderr.last().unwrap();
    for word in words {
        assert!(last.contains(word), "no {word:?} in:\n{said}");
    }
}

/// What is lost cannot be read on: the server closes, and its log says why.
#[test]
fn a_camera_that_loses_bytes_is_closed() {
    let server = Server::start(&[]);
    let camera = simulate(&server.url("live/cam"), "lost-bytes", SECONDS).finish();
    assert_fails(&camera, &["as lost-bytes", "closed"]);
    server.process.wait_said(1, "out of step");
}

/// A camera without power says nothing: a second one takes its place at once and the player goes
/// on; the first one's connection is closed.
#[test]
fn a_camera_that_lost_its_power_is_replaced() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "0.3"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let first = simulate(&url, "power-cut", "1");
    let silent = "step 4: ";
    first.wait_said(1, silent);
    simulate(&url, "plain", SECONDS).succeed();
    let first = first.succeed();
    let said = first.stderr.join("\n");
    assert!(said.contains("silent; the server closed after"), "{said}");
    let file = playing.file.clone();
    assert_grows("the player", &playing.finish_flv(), 10_000);
    let pictures = decode(&file, "0:v");
    assert!(pictures >= PICTURES + 25, "{pictures} pictures");
}

/// Nobody takes its place: the server notices by itself.
#[test]
fn a_camera_that_lost_its_power_is_noticed() {
    let dir = TempDir::new();
    let config = dir.join("mill.toml");
    std::fs::write(&config, "[timers]\nmedia_idle_timeout = \"1s\"\n").unwrap();
    let server = Server::start(&["--config", config.to_str().unwrap()]);
    let camera = simulate(&server.url("live/cam"), "power-cut", "1").succeed();
    let said = camera.stderr.join("\n");
    assert!(said.contains("silent; the server closed after"), "{said}");
    server.process.wait_said(1, "stopped sending media");
}

/// OBS waits for the server to close after a refusal.
#[test]
fn a_refused_camera_is_closed() {
    let server = Server::start(&["--takeover", "never"]);
    let url = server.url("live/cam");
    let first = simulate(&url, "plain", "60");
    first.wait_said(1, "step 3: ");
    let second = simulate(&url, "obs", SECONDS).finish();
    assert_fails(&second, &["as obs", "NetStream.Publish.BadName"]);
    let said = second.stderr.join("\n");
    assert!(said.contains("the server closed the connection"), "{said}");
    first.signal("INT");
    let said = first.succeed().stderr.join("\n");
    assert!(said.contains("goodbye confirmed"), "{said}");
}

#[test]
fn a_camera_films_what_it_is_given() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let sample = crate::support::media::Sample::BFrames.path();
    let sample = sample.to_str().unwrap();
    let camera = [
        "simulate",
        &url,
        "--camera",
        "dji-fly",
        "--input",
        sample,
        "--duration",
        "2",
    ];
    Process::millstream("camera", camera).succeed();
    let got = playing.finish_flv();
    let sent = flv::read(Path::new(sample)).unwrap();
    crate::support::frames::assert_begins("dji-fly", &sent, &got);
}

#[test]
fn wrong_usage_is_told() {
    let unknown = Process::millstream(
        "unknown",
        ["simulate", "rtmp://127.0.0.1/live/a", "--camera", "dji"],
    );
    let unknown = unknown.finish();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stderr.join("\n").contains("did you mean dji-fly"));
    let bare = Process::millstream("bare", ["simulate"]).finish();
    assert_eq!(bare.status.code(), Some(2));
    // A camera whose pictures turn has its own.
    let server = Server::start(&[]);
    let sample = crate::support::media::Sample::Tiny.path();
    let turned = Process::millstream(
        "camera",
        [
            "simulate",
            &server.url("live/cam"),
            "--camera",
            "phone-turned",
            "--input",
            sample.to_str().unwrap(),
        ],
    );
    assert_fails(&turned.finish(), &["two picture sizes"]);
    assert_eq!(server.process.count_said("publishes"), 0);
}
