//! Wireshark's dissector reads what our server and clients say to others and to each other.

use std::path::Path;
use std::process::Command;

use crate::support::media::Sample;
use crate::support::peers::{Player, Publisher};
use crate::support::recorder::Recorder;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// Runs tshark on a capture; one line per packet that `filter` lets through.
#[track_caller]
fn dissect(capture: &Path, port: u16, filter: &str, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(capture);
    command.args([
        "-d",
        &format!("tcp.port=={port},rtmpt"),
        "-Y",
        filter,
        "-T",
        "fields",
    ]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("tshark does not start ({e}); tests/run installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark {filter}: {said}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(str::to_owned).collect()
}

/// No packet is malformed, and the messages that must be there were understood.
#[track_caller]
fn assert_well_formed(what: &str, capture: &Path, port: u16, messages: &[&str]) {
    let malformed = dissect(
        capture,
        port,
        "_ws.malformed",
        &["frame.number", "_ws.col.Info"],
    );
    assert!(malformed.is_empty(), "{what}: malformed: {malformed:#?}");
    let info = dissect(capture, port, "rtmpt", &["_ws.col.Info"]).join("\n");
    for message in messages {
        assert!(
            info.contains(message),
            "{what}: tshark saw no {message} in:\n{info}"
        );
    }
    // A dissector that lost its place reports types that do not exist.
    assert!(
        !info.contains("Unknown"),
        "{what}: unknown message in:\n{info}"
    );
}

#[test]
fn conversations_are_well_formed() {
    let server = Server::start(&["--play-wait", "60", "--chunk-size", "4096"]);
    let dir = TempDir::new();
    let mut recorders = Vec::new();
    let mut record = |name: &str| {
        let file = dir.join(&format!("{name}.pcap"));
        let recorder = Recorder::start(server.port, &file);
        let url = recorder.url("live/cam");
        recorders.push((name.to_owned(), file, recorder));
        url
    };
    let ffmpeg = Player::Ffmpeg.start(&record("ffmpeg plays"), dir.path());
    let pull = Player::Pull.start(&record("pull"), dir.path());
    let rtmpdump = Player::Rtmpdump.start(&record("rtmpdump"), dir.path());
    server.wait_for_waiting(3);
    Publisher::Push
        .start(&Sample::BFrames.path(), &record("push"))
        .succeed();
    for playing in [ffmpeg, pull, rtmpdump] {
        playing.finish();
    }
    let pushed = [
        "connect",
        "publish",
        "Audio Data",
        "Video Data",
        "deleteStream",
    ];
    let played = ["connect", "play", "onStatus", "Audio Data", "Video Data"];
    for (name, file, recorder) in recorders {
        recorder.finish();
        let messages: &[&str] = if name == "push" { &pushed } else { &played };
        assert_well_formed(&name, &file, server.port, messages);
    }
    server.stop();
}

#[test]
fn ffmpeg_as_publisher_is_well_formed() {
    let server = Server::start(&["--chunk-size", "4096"]);
    let dir = TempDir::new();
    let file = dir.join("ffmpeg.pcap");
    let recorder = Recorder::start(server.port, &file);
    let url = recorder.url("live/cam");
    Publisher::Ffmpeg
        .start(&Sample::BFrames.path(), &url)
        .succeed();
    recorder.finish();
    let messages = ["connect", "publish", "onStatus", "Audio Data", "Video Data"];
    assert_well_formed("ffmpeg publishes", &file, server.port, &messages);
    server.stop();
}
