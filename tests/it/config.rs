//! The configuration: `config check` and `config show`, and a server that does what its file says.

use std::path::Path;
use std::process::Command;

use crate::support::process::{Finished, Process};
use crate::support::raw::RawPeer;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

const MILLSTREAM: &str = env!("CARGO_BIN_EXE_millstream");

fn run(arguments: &[&str]) -> Finished {
    Process::millstream("millstream", arguments).finish()
}

/// A file with `text` in `dir`, and its path.
fn write(dir: &TempDir, text: &str) -> String {
    let path = dir.join("mill.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_wrong_file_is_told_by_check_and_by_serve_alike() {
    let dir = TempDir::new();
    let file = write(&dir, "workers = 0\n[timers]\npublisher_graze = \"10s\"\n");
    let expected = [
        format!("{file}:1: workers: 0 is out of range: 1 to 256"),
        format!("{file}:3: timers.publisher_graze: no such key; did you mean publisher_grace?"),
    ];
    for arguments in [
        &["config", "check", &file][..],
        &["config", "show", "--config", &file],
        &["serve", "--rtmp", "127.0.0.1:0", "--config", &file],
    ] {
        let finished = run(arguments);
        assert_eq!(finished.status.code(), Some(1), "{arguments:?}");
        assert_eq!(finished.stderr, expected, "{arguments:?}");
        assert!(finished.stdout.is_empty(), "{arguments:?}");
    }
    let missing = run(&["config", "check", "/nowhere/mill.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr[0].starts_with("millstream: /nowhere/mill.toml: cannot be read: "));
    assert_eq!(missing.stderr.len(), 1);
}

#[test]
fn a_right_file_is_told_in_one_line() {
    let dir = TempDir::new();
    let file = write(
        &dir,
        "flush = \"now\"\n[timers]\nplay_wait = 3\n[path.\"a/*\"]\n",
    );
    let finished = run(&["config", "check", &file]);
    assert_eq!(finished.status.code(), Some(0), "{:?}", finished.stderr);
    assert_eq!(
        finished.stdout,
        [format!("{file}: ok, 2 settings, 1 path sections")]
    );
    assert!(finished.stderr.is_empty(), "{:?}", finished.stderr);
}

/// `config show` with variables of the environment.
fn show(arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(MILLSTREAM);
    command.args(["config", "show"]).args(arguments);
    command.envs(variables.iter().copied());
    Process::start_command("show", command).succeed().stdout
}

/// What is said apart from comments.
fn settings(lines: &[String]) -> Vec<&String> {
    let is_setting = |line: &&String| !line.starts_with('#');
    lines.iter().filter(is_setting).collect()
}

#[test]
fn what_show_prints_is_a_file_that_says_the_same() {
    let dir = TempDir::new();
    let text =
        "workers = 3\n[limits]\nlog_bytes_max = \"1MiB\"\n[path.\"live/*\"]\nhevc = \"hvc1\"\n";
    let file = write(&dir, text);
    let variables = [
        ("MILLSTREAM_CONFIG", file.as_str()),
        ("MILLSTREAM_FLUSH", "100ms"),
    ];
    let shown = show(&[], &variables);
    for line in [
        "workers = 3",
        "log_bytes_max = \"1MiB\"",
        "flush = \"100ms\"",
        "# Here from MILLSTREAM_FLUSH.",
        "play_wait = \"5s\"",
        "hevc = \"hvc1\"",
        "[path.\"live/*\"]",
    ] {
        assert!(
            shown.iter().any(|shown| shown == line),
            "no {line:?} in {shown:#?}"
        );
    }
    assert!(shown.contains(&format!("# Here from {file}:1.")));
    let copy = dir.join("copy.toml");
    std::fs::write(&copy, shown.join("\n")).unwrap();
    let again = show(&["--config", copy.to_str().unwrap()], &[]);
    assert_eq!(settings(&again), settings(&shown));
}

/// Waits: a player that waits for `app`/cam, as the server has it noted.
fn waiting(server: &Server, app: &str, count: usize) -> RawPeer {
    let player = RawPeer::play(server.port, app, "cam");
    server.wait_for_waiting(count);
    player
}

#[test]
fn each_live_stream_has_its_own_patience() {
    let dir = TempDir::new();
    let text = "[timers]\nplay_wait = \"60s\"\npublisher_grace = \"60s\"\n\
                [path.\"quick/*\"]\nplay_wait = \"50ms\"\npublisher_grace = \"50ms\"\n";
    let server = Server::start(&["--config", &write(&dir, text)]);
    let mut patient = waiting(&server, "live", 1);
    let mut impatient = waiting(&server, "quick", 2);
    impatient.wait_for(b"NetStream.Play.StreamNotFound");

    let publishers = ["live", "quick"].map(|app| RawPeer::publish(server.port, app, "cam"));
    patient.wait_for(b"NetStream.Play.Start");
    drop(publishers);
    server
        .process
        .wait_said(1, "quick/cam: its publisher did not come back");
    // The other one is still missed, and goes on where it was.
    let again = RawPeer::publish(server.port, "live", "cam");
    server.process.wait_said(1, "goes on with live/cam");
    again.unpublish("cam");
    patient.wait_for(b"NetStream.Play.UnpublishNotify");
    server.stop();
}

#[test]
fn each_live_stream_has_its_own_rule_of_taking_over() {
    let dir = TempDir::new();
    let server = Server::start(&[
        "--takeover",
        "always",
        "--config",
        &write(
            &dir,
            "takeover = \"same-source\"\n[path.\"fast/*\"]\ntakeover = \"never\"\n",
        ),
    ]);
    let _live = RawPeer::publish(server.port, "live", "cam");
    let _taken = RawPeer::publish(server.port, "live", "cam");
    server
        .process
        .wait_said(1, "lost live/cam to a newer publisher");
    let _fast = RawPeer::publish(server.port, "fast", "cam");
    let mut refused = RawPeer::open(server.port, "fast");
    refused.ask_to_publish("cam");
    refused.wait_for(b"NetStream.Publish.BadName");
}

#[test]
fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
    let dir = TempDir::new();
    let file = write(&dir, "[timers]\nplay_wait = \"60s\"\n");
    for (variable, typed, is_patient) in [
        (None, None, true),
        (Some("0.05"), None, false),
        (Some("0.05"), Some("60"), true),
    ] {
        let mut arguments = vec!["--config", file.as_str()];
        arguments.extend(
            typed
                .map(|text| ["--play-wait", text])
                .into_iter()
                .flatten(),
        );
        let variables: Vec<_> = variable
            .map(|text| ("MILLSTREAM_TIMERS_PLAY_WAIT", text))
            .into_iter()
            .collect();
        let server = Server::start_with(&arguments, &variables);
        let mut player = waiting(&server, "live", 1);
        if is_patient {
            let _publisher = RawPeer::publish(server.port, "live", "cam");
            player.wait_for(b"NetStream.Play.Start");
        } else {
            player.wait_for(b"NetStream.Play.StreamNotFound");
        }
    }
}

#[test]
fn a_hangup_reads_the_file_again() {
    let dir = TempDir::new();
    let file = write(&dir, "workers = 2\n[timers]\nplay_wait = \"60s\"\n");
    let server = Server::start(&["--config", &file]);
    let patient = waiting(&server, "live", 1);

    write(&dir, "workers = 3\n[timers]\nplay_wait = \"50ms\"\n");
    server.process.signal("HUP");
    server.process.wait_said(1, "the settings were read again");
    server
        .process
        .wait_said(1, "take effect at the next start: workers");
    waiting(&server, "live/new", 2).wait_for(b"NetStream.Play.StreamNotFound");

    write(
        &dir,
        "[timers]\nplay_wait = \"soon\"\nclose_timeout = \"soon\"\n",
    );
    server.process.signal("HUP");
    let said = format!("the settings stay as they were: {file}:2: timers.play_wait: a time");
    server.process.wait_said(1, &said);
    server.process.wait_said(1, "not \"soon\" (and 1 more)");
    waiting(&server, "live/newer", 3).wait_for(b"NetStream.Play.StreamNotFound");

    std::fs::remove_file(Path::new(&file)).unwrap();
    server.process.signal("HUP");
    server.process.wait_said(1, "mill.toml: cannot be read");
    // Who waits since before goes on to wait as it was told.
    let mut patient = patient;
    let _publisher = RawPeer::publish(server.port, "live", "cam");
    patient.wait_for(b"NetStream.Play.Start");
    server.stop();
}
