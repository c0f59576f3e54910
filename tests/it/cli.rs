//! The command line: what a person is told who made a mistake, and with which exit code; signals,
//! pipes and what `-v` shows.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use crate::support::flv::{self, Tag};
use crate::support::frames::{assert_begins, assert_whole, frames};
use crate::support::media::Sample;
use crate::support::peers::{Player, Publisher};
use crate::support::process::{Finished, Process};
use crate::support::raw::RawPeer;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;
use crate::support::wait_for;

#[track_caller]
fn run(arguments: &[&str]) -> Finished {
    Process::millstream("millstream", arguments).finish()
}

/// It ends with exit code 1, nothing on stdout and one line on stderr that has all of `words`.
#[track_caller]
fn assert_fails(arguments: &[&str], words: &[&str]) {
    assert_failed(&format!("{arguments:?}"), run(arguments), words);
}

#[track_caller]
fn assert_failed(what: &str, finished: Finished, words: &[&str]) {
    let said = finished.stderr.join("\n");
    assert_eq!(finished.status.code(), Some(1), "{what}: {said}");
    assert_eq!(finished.stderr.len(), 1, "{what}: {said}");
    assert!(said.starts_with("millstream: "), "{what}: {said}");
    for word in words {
        assert!(said.contains(word), "{what}: no {word:?} in: {said}");
    }
    assert!(finished.stdout.is_empty(), "{what}: {:?}", finished.stdout);
}

/// Push and pull both fail with these words, and pull leaves no file behind.
#[track_caller]
fn assert_both_fail(url: &str, words: &[&str]) {
    assert_fails(&["push", &sample_path(), url], words);
    let dir = TempDir::new();
    let output = dir.join("out.flv");
    assert_fails(&["pull", url, output.to_str().unwrap()], words);
    assert!(!output.exists(), "pull {url} leaves a file behind");
}

fn sample() -> Vec<Tag> {
    flv::read(&Sample::BFrames.path()).unwrap()
}

fn sample_path() -> String {
    Sample::BFrames.path().to_str().unwrap().to_owned()
}

/// A port on which nothing listens, held for as long as the socket lives: a bound socket that
/// does not listen refuses connections.
struct ClosedPort {
    _socket: TcpStream,
    port: u16,
}

impl ClosedPort {
    /// The local port of a connection is taken, and nobody can connect to it.
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self {
            _socket: socket,
            port,
        }
    }

    fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live/cam", self.port)
    }
}

/// A server that is none: `serve` gets each of `count` connections.
fn impostor(
    count: usize,
    serve: impl Fn(TcpStream) + Send + 'static,
) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for _ in 0..count {
            serve(listener.accept().unwrap().0);
        }
    });
    (format!("rtmp://127.0.0.1:{port}/live/cam"), thread)
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for (arguments, words) in [
        (&[][..], &["Usage"][..]),
        (&["frobnicate"], &["frobnicate", "--help"]),
        (&["pus"], &["pus", "similar", "push"]),
        (&["push"], &["<INPUT>", "<URL>"]),
        (&["push", "a.flv"], &["<URL>"]),
        (&["pull", "rtmp://127.0.0.1/live/cam"], &["<OUTPUT>"]),
        (&["serve", "--rtmp", "nonsense"], &["--rtmp", "nonsense"]),
        (&["serve", "--chunk-size", "1"], &["--chunk-size", "128"]),
        (&["serve", "--play-wait", "5x"], &["a time from"]),
        (
            &["serve", "--port", "1936"],
            &["--rtmp ADDRESS:PORT", "--rtmp 0.0.0.0:1936"],
        ),
        (
            &["simulate", "rtmp://127.0.0.1/live/cam"],
            &["--camera KIND", "simulate --list"],
        ),
        (
            &["push", "a.flv", "rtmp://127.0.0.1/live/cam", "--lop"],
            &["--lop", "similar", "--loop"],
        ),
        (
            &["pull", "rtmp://127.0.0.1/live/cam", "a.flv", "--reconect"],
            &["--reconect", "similar", "--reconnect"],
        ),
    ] {
        let finished = run(arguments);
        let said = finished.stderr.join("\n");
        assert_eq!(finished.status.code(), Some(2), "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}: no {word:?} in: {said}");
        }
    }
}

#[test]
fn help_and_version_are_exit_code_0() {
    for (arguments, word) in [
        (&["--help"][..], "serve"),
        (&["--version"], "millstream"),
        (&["serve", "--help"], "--rtmp"),
        (&["push", "--help"], "--loop"),
        (&["pull", "--help"], "--reconnect"),
        (&["demo", "--help"], "--api-read"),
    ] {
        let finished = run(arguments);
        assert_eq!(finished.status.code(), Some(0), "{arguments:?}");
        let said = finished.stdout.join("\n");
        assert!(said.contains(word), "{arguments:?}: {said}");
        assert!(finished.stderr.is_empty(), "{arguments:?}");
    }
}

/// Who has read enough, as `head` has, is told nothing of it.
#[test]
fn a_reader_that_has_gone_is_no_fault() {
    for arguments in [&["config", "show"][..], &["simulate", "--list"]] {
        let finished = Process::millstream_unread("unread", arguments).succeed();
        assert!(finished.stderr.is_empty(), "{:?}", finished.stderr);
    }
}

#[test]
fn urls_that_are_none() {
    for (url, word) in [
        ("http://127.0.0.1/live/cam", "only rtmp:// URLs"),
        ("127.0.0.1/live/cam", "rtmp://"),
        ("rtmp://127.0.0.1:99999/live/cam", "port"),
        ("rtmp:///live/cam", "host"),
        ("rtmp://127.0.0.1", "no stream"),
        ("rtmp://127.0.0.1/", "no stream"),
        ("rtmps://127.0.0.1/live/cam", "RTMPS is not supported yet"),
        ("", "rtmp://"),
    ] {
        assert_both_fail(url, &[word]);
    }
}

#[test]
fn nothing_listens() {
    let nobody = ClosedPort::new();
    assert_both_fail(&nobody.url(), &["refused", "port", "127.0.0.1"]);
}

#[test]
fn no_such_host() {
    // RFC 6761 promises that this name has no address.
    let url = "rtmp://no-such-host.invalid/live/cam";
    assert_both_fail(url, &["no such host", "no-such-host.invalid"]);
}

#[test]
fn an_http_server_is_named() {
    let (url, server) = impostor(2, |mut socket| {
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
        // Waits for the client to go, as a polite server does.
        socket.read_to_end(&mut Vec::new()).ok();
    });
    assert_both_fail(&url, &["does not speak RTMP", "HTTP", "port"]);
    server.join().unwrap();
}

/// The hasty kind: answers and closes over what it has not read, so that the system resets the
/// connection.
#[test]
fn an_http_server_that_resets_is_named() {
    // As many as come: who is reset before the answer was read comes again.
    let (url, _server) = impostor(usize::MAX, |mut socket| {
        socket.read_exact(&mut [0; 1]).unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    });
    assert_both_fail(&url, &["127.0.0.1", "RTMP"]);
}

#[test]
fn a_server_that_closes_at_once() {
    // Each client comes twice, the second time with the digest handshake.
    let (url, server) = impostor(4, drop);
    let words = [
        "closed it during the RTMP handshake",
        "(the same with the digest handshake)",
        "`millstream doctor rtmp://127.0.0.1:",
    ];
    assert_both_fail(&url, &words);
    server.join().unwrap();
}

#[test]
fn a_server_that_stays_silent() {
    let (url, server) = impostor(2, |mut socket| {
        socket.read_to_end(&mut Vec::new()).ok();
    });
    assert_both_fail(&url, &["did not finish the RTMP handshake"]);
    server.join().unwrap();
}

/// S0 and S1 come, S2 never does.
#[test]
fn a_server_that_stops_in_the_middle_of_the_handshake() {
    let (url, server) = impostor(2, |mut socket| {
        socket.write_all(&[3; 1537]).unwrap();
        socket.read_to_end(&mut Vec::new()).ok();
    });
    assert_both_fail(&url, &["did not finish the RTMP handshake"]);
    server.join().unwrap();
}

/// After the handshake it says nothing, or nothing that makes sense.
#[test]
fn a_server_that_does_not_answer_connect() {
    let (url, server) = impostor(2, |mut socket| {
        let mut hello = vec![0; 1537];
        socket.read_exact(&mut hello).unwrap();
        socket.write_all(&hello).unwrap();
        socket.write_all(&hello[1..]).unwrap();
        socket.read_to_end(&mut Vec::new()).ok();
    });
    assert_both_fail(&url, &["did not answer connect in time"]);
    server.join().unwrap();

    let (url, server) = impostor(2, |mut socket| {
        let mut hello = vec![0; 1537];
        socket.read_exact(&mut hello).unwrap();
        socket.write_all(&hello).unwrap();
        socket.write_all(&hello[1..]).unwrap();
        socket.write_all(&[0xC5; 64]).unwrap();
        socket.read_to_end(&mut Vec::new()).ok();
    });
    assert_both_fail(&url, &["the server broke the protocol", "out of step"]);
    server.join().unwrap();
}

#[test]
fn nobody_publishes() {
    let server = Server::start(&["--play-wait", "0.2"]);
    let dir = TempDir::new();
    let output = dir.join("out.flv");
    let url = server.url("live/nobody");
    let arguments = ["pull", &url, output.to_str().unwrap()];
    // Twice: the first try must leave nothing that stands in the way of the second.
    for _ in 0..2 {
        assert_fails(
            &arguments,
            &["NetStream.Play.StreamNotFound", "nobody publishes"],
        );
    }
    server.stop();
}

#[test]
fn the_name_is_busy() {
    let server = Server::start(&["--takeover", "never"]);
    let url = server.url("live/cam");
    let first = Process::millstream("first", ["push", "--loop", &sample_path(), &url]);
    server.process.wait_said(1, "publishes live/cam");
    assert_fails(
        &["push", "--no-reconnect", &sample_path(), &url],
        &["NetStream.Publish.BadName", "somebody publishes"],
    );
    first.signal("INT");
    first.succeed();
    server.stop();
}

#[test]
fn input_that_is_not_there_or_not_media() {
    let nobody = ClosedPort::new();
    let url = nobody.url();
    let dir = TempDir::new();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let folder = dir.path().to_str().unwrap();
    assert_fails(
        &["push", "no-such-file.flv", &url],
        &["no-such-file.flv", "No such file"],
    );
    assert_fails(&["push", folder, &url], &[folder, "directory"]);
    let text = write("notes.flv", "this is no film\n".repeat(100).as_bytes());
    assert_fails(&["push", &text, &url], &["notes.flv is not", "--format"]);
    let film = write("my film.mkv", b"\x1a\x45\xdf\xa3 Matroska");
    let command = format!("-re -i '{film}' -c:v libx264 -c:a aac -f flv {url}");
    assert_fails(&["push", &film, &url], &["ffmpeg", &command]);
    assert_fails(&["replay", "nofile"], &["cannot read nofile: No such file"]);
    assert_fails(
        &["serve", "--config", "nofile"],
        &["nofile: cannot be read: No such file", "config show"],
    );
    assert_fails(
        &["push", "--format", "flv", &text, &url],
        &["notes.flv", "FLV"],
    );
    let empty = write("empty.flv", b"");
    assert_fails(&["push", &empty, &url], &["empty.flv is empty"]);
    let bare = write("bare.flv", b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    assert_fails(&["push", &bare, &url], &["bare.flv has no audio or video"]);
}

/// What can be read of a damaged file is pushed, and the person is told where it ends.
#[test]
fn a_file_that_is_cut_short() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let whole = std::fs::read(Sample::BFrames.path()).unwrap();
    let cut = dir.join("cut.flv");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let arguments = ["push", cut.to_str().unwrap(), &url];
    let pushed = Process::millstream("push", arguments).succeed();
    assert_eq!(pushed.stderr.len(), 1, "{:?}", pushed.stderr);
    for word in ["cut.flv", "cut short"] {
        assert!(pushed.stderr[0].contains(word), "{:?}", pushed.stderr);
    }
    let got = playing.finish_flv();
    let count = assert_begins("cut", &sample(), &got);
    assert!((30..70).contains(&count), "{count} frames of 100");
    server.stop();
}

#[test]
fn output_that_exists_or_cannot_be_written() {
    let nobody = ClosedPort::new();
    let url = nobody.url();
    let dir = TempDir::new();
    let precious = dir.join("precious.flv");
    std::fs::write(&precious, "precious").unwrap();
    let path = precious.to_str().unwrap();
    assert_fails(&["pull", &url, path], &["precious.flv", "--force"]);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    // Even with --force nothing is destroyed before there is something to replace it.
    assert_fails(&["pull", "--force", &url, path], &["refused"]);
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    let nowhere = dir.join("no/such/folder/out.flv");
    assert_fails(&["pull", &url, nowhere.to_str().unwrap()], &["out.flv"]);
    for name in ["out.avi", "out"] {
        let unknown = dir.join(name);
        assert_fails(&["pull", &url, unknown.to_str().unwrap()], &[name, ".flv"]);
        assert!(!unknown.exists());
    }
}

#[test]
fn force_overwrites() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let output = dir.join("old.flv");
    // Longer than what comes: nothing of it may be left at the end.
    std::fs::write(&output, vec![b'x'; 1 << 20]).unwrap();
    let path = output.to_str().unwrap();
    let pull = Process::millstream("pull", ["pull", "--force", &url, path]);
    server.wait_for_waiting(1);
    Process::millstream("push", ["push", &sample_path(), &url]).succeed();
    pull.succeed();
    assert_whole("--force", &sample(), &flv::read(&output).unwrap());
    server.stop();
}

#[test]
fn the_address_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for command in ["serve", "demo"] {
        assert_fails(
            &[command, "--rtmp", &address, "--http", "127.0.0.1:0"],
            &[&address, "already", "--rtmp"],
        );
        assert_fails(
            &[command, "--rtmp", "127.0.0.1:0", "--http", &address],
            &[&address, "already", "--http"],
        );
    }
    let port = listener.local_addr().unwrap().port();
    assert_fails(
        &["serve", "--rtmp", &address],
        &[&format!(
            "--rtmp 127.0.0.1:{}",
            port.checked_add(1).unwrap_or(1936)
        )],
    );
    // TEST-NET-1 (RFC 5737): no machine has it.
    assert_fails(
        &["serve", "--rtmp", "192.0.2.1:1935"],
        &["192.0.2.1", "no such address"],
    );
}

/// A server does without HTTP that nobody asked for, and says what that means; a demonstration that
/// nobody can see is none.
#[test]
fn the_usual_port_of_http_is_taken() {
    // If it cannot be bound, it is taken already.
    let _held = TcpListener::bind("127.0.0.1:8080");
    assert_fails(
        &["demo", "--rtmp", "127.0.0.1:0"],
        &["0.0.0.0:8080", "already", "--http 127.0.0.1:8081"],
    );
    let server = Process::millstream("serve", ["serve", "--rtmp", "127.0.0.1:0"]);
    server.wait_said(
        1,
        "no HTTP, so no pages and no API: 0.0.0.0:8080 is in use; choose another with \
         --http ADDRESS:PORT",
    );
    server.wait_stdout("that it listens", |line| line.starts_with("RTMP listening"));
    server.signal("TERM");
    server.succeed();
}

#[test]
fn signals_end_push_and_pull_properly() {
    for signal in ["INT", "TERM"] {
        let server = Server::start(&["--play-wait", "60"]);
        let url = server.url("live/cam");
        let (dir, other) = (TempDir::new(), TempDir::new());
        let stopped = Player::Pull.start(&url, dir.path());
        let watching = Player::Pull.start(&url, other.path());
        server.wait_for_waiting(2);
        let push = Process::millstream("push", ["push", "-v", "--loop", &sample_path(), &url]);
        stopped.wait_written(20_000);
        stopped.process.signal(signal);
        let count = assert_begins("stopped", &sample(), &stopped.finish_flv());
        assert!(count > 10, "{count} frames");
        // The stream goes on for the other one, until push says goodbye in the middle.
        let before = watching.written();
        watching.wait_written(before + 20_000);
        push.signal(signal);
        push.succeed();
        assert_begins("watching", &sample(), &watching.finish_flv());
        server.process.wait_said(1, "ended live/cam");
        server.stop();
    }
}

/// Nothing has come yet when Ctrl-C does: every wait can be ended, with one line or none.
#[test]
fn signals_end_every_wait() {
    let server = Server::start(&["--play-wait", "60"]);
    let (silent_url, silent) = impostor(2, |mut socket| {
        socket.read_to_end(&mut Vec::new()).ok();
    });
    let dir = TempDir::new();
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();

    let waiting = file("waiting.flv");
    let pull = Process::millstream("pull", ["pull", &server.url("live/a"), &waiting]);
    server.wait_for_waiting(1);
    assert_stops("a pull that waits for a publisher", pull);
    assert!(!dir.join("waiting.flv").exists());

    let in_handshake = ["pull", "-v", &silent_url, &file("silent.flv")];
    let pull = Process::millstream("pull", in_handshake);
    pull.wait_said(1, "step 1");
    assert_stops("a pull in the handshake", pull);
    let push = Process::millstream("push", ["push", "-v", &sample_path(), &silent_url]);
    push.wait_said(1, "step 1");
    assert_stops("a push in the handshake", push);
    silent.join().unwrap();

    // Nothing on standard input: not even the format is known.
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.args(["push", "-", &server.url("live/a")]);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _pipe = child.stdin.take();
    wait_for_signal_handler(child.id());
    signal(child.id());
    let status = wait_for("push to end", || child.try_wait().unwrap());
    assert!(status.code().is_some(), "{status}");
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert!(said.lines().count() <= 1, "{said}");
    server.stop();
}

#[track_caller]
fn assert_stops(what: &str, process: Process) {
    process.signal("INT");
    let finished = process.finish();
    let said = finished.stderr.join("\n");
    // A code, and not the signal itself or the 130 that a second one would give.
    assert!(
        matches!(finished.status.code(), Some(0 | 1)),
        "{what}: {}",
        finished.status
    );
    let lines = finished.stderr.iter();
    let lines = lines.filter(|line| line.starts_with("millstream: "));
    assert!(lines.count() <= 1, "{what}: {said}");
}

/// The bit of SIGINT in the mask of signals that a process catches.
fn wait_for_signal_handler(id: u32) {
    wait_for("a handler for SIGINT", || {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = u64::from_str_radix(mask.unwrap().trim(), 16).unwrap();
        (mask & (1 << 1) != 0).then_some(())
    });
}

fn signal(id: u32) {
    let command = format!("kill -INT {id}");
    assert!(
        Command::new("sh")
            .args(["-c", &command])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn both_clients_show_their_five_steps_in_order() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let sample = Sample::BFrames.path();
    let pushed = Publisher::Push.start(&sample, &url).succeed();
    let pulled = playing.process.succeed();
    for (name, said) in [("push", &pushed.stderr), ("pull", &pulled.stderr)] {
        let steps = said.iter().filter(|line| line.starts_with("step "));
        let numbers: Vec<&str> = steps.clone().map(|line| &line[5..7]).collect();
        let all = said.join("\n");
        assert_eq!(numbers, ["1:", "2:", "3:", "4:", "5:"], "{name}:\n{all}");
        for (line, words) in steps.zip([
            &["TCP", "127.0.0.1"][..],
            &["handshake"],
            &["metadata", "320x180"],
            &["100 video", "of media"],
            &["closed"],
        ]) {
            for word in words {
                assert!(line.contains(word), "{name}: no {word:?} in {line:?}");
            }
            assert!(line.ends_with(" ms)"), "{name}: how long took {line:?}");
        }
    }
    let last = pushed.stderr.last().unwrap();
    assert!(last.contains("confirmed by the server"), "{last}");
    let last = pulled.stderr.join("\n");
    assert!(last.contains("the publisher left"), "{last}");
    // Without -v nothing is said, but why pull ended.
    let dir = TempDir::new();
    let file = dir.join("quiet.flv");
    let arguments = ["pull", &url, file.to_str().unwrap()];
    let pull = Process::millstream("pull", arguments);
    server.wait_for_waiting(2);
    let arguments = ["push", "--no-pace", &sample_path(), &url];
    let pushed = Process::millstream("push", arguments).succeed();
    assert_eq!(pushed.stderr, [""; 0]);
    assert_eq!(pull.succeed().stderr, ["millstream: the publisher left"]);
    server.stop();
}

#[test]
fn pull_ends_after_its_duration() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let file = dir.join("out.flv");
    let path = file.to_str().unwrap();
    let pull = Process::millstream("pull", ["pull", "--duration", "2", &url, path]);
    server.wait_for_waiting(1);
    let push = Process::millstream("push", ["push", "--loop", &sample_path(), &url]);
    assert_eq!(pull.succeed().stderr, [""; 0]);
    let tags = flv::read(&file).unwrap();
    let last = tags.iter().map(|tag| tag.timestamp).max().unwrap();
    assert!((1900..=2100).contains(&last), "ends at {last} ms");
    push.signal("INT");
    push.succeed();
    server.stop();
}

#[test]
fn the_demo_can_be_pulled_and_stopped() {
    let demo = Process::millstream(
        "demo",
        ["demo", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"],
    );
    let line = demo.wait_stdout("where it is", |line| line.contains("/live/demo."));
    let url = line.split_whitespace().find(|w| w.starts_with("rtmp://"));
    let url = url.unwrap().trim_end_matches('.');
    let line = demo.wait_stdout("its page", |line| line.contains("/watch/live/demo"));
    let page = line.split_whitespace().next().unwrap();
    let fetched = Command::new("curl").args(["-sf", page]).output().unwrap();
    let text = String::from_utf8(fetched.stdout).unwrap();
    assert!(text.contains("<script type=\"module\""), "{page}: {text}");
    let dir = TempDir::new();
    let playing = Player::Pull.start(url, dir.path());
    playing.wait_written(50_000);
    demo.signal("TERM");
    demo.succeed();
    assert!(frames(&playing.finish_flv()).count() > 20);
}

/// `pull URL -` writes FLV as it comes; when its reader has seen enough, it ends as if all was
/// well, which it is.
#[test]
fn the_reader_of_a_pulled_pipe_leaves() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.args(["pull", &url, "-"]);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut pull = command.spawn().unwrap();
    server.wait_for_waiting(1);
    let push = Process::millstream("push", ["push", "--loop", &sample_path(), &url]);
    let mut pipe = pull.stdout.take().unwrap();
    let mut begin = vec![0; 30_000];
    pipe.read_exact(&mut begin).unwrap();
    drop(pipe);
    assert_eq!(&begin[..13], b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    let status = wait_for("pull to end", || pull.try_wait().unwrap());
    assert!(status.success(), "{status}");
    let mut said = String::new();
    let mut stderr = pull.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
    push.signal("INT");
    push.succeed();
    server.stop();
}

/// All of a stream through `pull URL -` into a file.
#[test]
fn a_pulled_pipe_is_a_whole_file() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let file = dir.join("piped.flv");
    let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
    command.args(["pull", &url, "-"]);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command.stdout(std::fs::File::create(&file).unwrap());
    let pull = Process::start_as_configured("pull", command);
    server.wait_for_waiting(1);
    Process::millstream("push", ["push", &sample_path(), &url]).succeed();
    pull.succeed();
    assert_whole("piped", &sample(), &flv::read(&file).unwrap());
    server.stop();
}

/// Starts `ffmpeg ... -` in real time into `push -`.
#[track_caller]
fn pipe_into_push(sample: Sample, format: &str, url: &str) -> Process {
    let input = sample.path();
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error", "-re", "-i"])
        .arg(input)
        .args(["-c", "copy", "-f", format, "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut ffmpeg = ffmpeg.spawn().unwrap();
    let pipe = ffmpeg.stdout.take().unwrap();
    let mut push = Command::new(env!("CARGO_BIN_EXE_millstream"));
    push.args(["push", "-v", "-", url]);
    push.stdin(pipe);
    push.stdout(Stdio::piped()).stderr(Stdio::piped());
    let push = Process::start_as_configured("push", push);
    // ffmpeg ends with its input; waited for, so that no zombie stays.
    std::thread::spawn(move || ffmpeg.wait());
    push
}

/// As from a camera: a raw byte stream without timestamps, stamped as it comes.
#[test]
fn live_h264_from_standard_input() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    pipe_into_push(Sample::H264, "h264", &url).succeed();
    let tags = playing.finish_flv();
    let video: Vec<&Tag> = tags
        .iter()
        .filter(|tag| tag.kind == flv::VIDEO && !tag.is_sequence_header())
        .collect();
    assert_eq!(video.len(), 100);
    let grows = |pair: &[&Tag]| pair[0].timestamp < pair[1].timestamp;
    assert!(video.windows(2).all(grows), "time stands still");
    assert!(video[0].is_keyframe());
    assert_eq!(video.iter().filter(|tag| tag.is_keyframe()).count(), 4);
    server.stop();
}

#[test]
fn live_flv_from_standard_input() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    pipe_into_push(Sample::BFrames, "flv", &url).succeed();
    let sent = flv::read(&Sample::BFrames.path()).unwrap();
    assert_whole("piped", &sent, &playing.finish_flv());
    server.stop();
}

/// Whoever feeds standard input leaves before a byte came, or sends what is no media.
#[test]
fn standard_input_that_is_no_media() {
    let nobody = ClosedPort::new();
    for (name, bytes, words) in [
        ("nothing", &b""[..], &["standard input is empty"][..]),
        ("text", b"no film\n", &["standard input is not", "--format"]),
        (
            "a header only",
            b"FLV\x01\x05\0\0\0\x09\0\0\0\0",
            &["standard input has no audio or video"],
        ),
    ] {
        let dir = TempDir::new();
        let file = dir.join("input");
        std::fs::write(&file, bytes).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.args(["push", "-", &nobody.url()]);
        command.stdin(std::fs::File::open(file).unwrap());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let push = Process::start_as_configured("push", command);
        assert_failed(name, push.finish(), words);
    }
}

#[test]
fn a_player_without_a_stream_name_is_refused() {
    let server = Server::start(&[]);
    let mut peer = RawPeer::play(server.port, "", "");
    peer.wait_closed();
    server.stop();
}
