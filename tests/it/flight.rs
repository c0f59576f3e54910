//! `serve --flight` records connections that end in an error; `replay` and tshark read it.

use std::fs;
use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::media::Sample;
use crate::support::peers::Publisher;
use crate::support::process::Process;
use crate::support::raw::{RawPeer, message};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;
use crate::support::wait_for;

/// A server that records.
struct Recording {
    server: Server,
    dir: TempDir,
}

impl Recording {
    #[track_caller]
    fn start(arguments: &[&str]) -> Self {
        let dir = TempDir::new();
        let folder = dir.join("flights");
        let mut all = vec!["--flight", folder.to_str().unwrap()];
        all.extend_from_slice(arguments);
        let server = Server::start(&all);
        Self { server, dir }
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.join("flights")).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !path.to_str().unwrap().ends_with(".part"));
        files.sort();
        files
    }

    /// The recording of the connection whose peer had this port.
    #[track_caller]
    fn wait_file(&self, port: u16) -> PathBuf {
        let name = format!("-127.0.0.1-{port}");
        let is_it = |path: &PathBuf| path.to_str().unwrap().contains(&name);
        wait_for(&format!("a recording of {name}"), || {
            self.files().into_iter().find(is_it)
        })
    }

    /// The recording of `peer`, which says what the log says, and what `replay` tells of it.
    #[track_caller]
    fn check(&self, peer: &RawPeer, end: &str) -> (PathBuf, Vec<String>) {
        let address = peer.socket.local_addr().unwrap();
        let file = self.wait_file(address.port());
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let told = replay(&file);
        let ended = told.iter().find_map(|line| line.strip_prefix("ended: "));
        let ended = ended.unwrap_or_else(|| panic!("no end in {told:#?}"));
        assert!(ended.contains(end), "{end} expected: {told:#?}");
        // Word by word what the log says.
        let said = format!("{address}: {ended}");
        self.server.process.wait_said(1, &said);
        (file, told)
    }
}

#[track_caller]
fn replay(file: &Path) -> Vec<String> {
    let arguments = ["replay", file.to_str().unwrap()];
    Process::millstream("replay", arguments).succeed().stdout
}

/// The verdict of the story.
#[track_caller]
fn assert_verdict(told: &[String], part: &str) {
    let verdict = told.iter().find(|line| line.starts_with("verdict: "));
    let verdict = verdict.unwrap_or_else(|| panic!("no verdict in {told:#?}"));
    assert!(verdict.contains(part), "no {part:?} in {told:#?}");
}

#[track_caller]
fn assert_told(told: &[String], line: &str) {
    assert!(told.iter().any(|l| l == line), "no {line:?} in {told:#?}");
}

#[test]
fn who_speaks_something_else() {
    let recording = Recording::start(&[]);
    for (bytes, end) in [
        (&[0x16, 3, 1, 2, 0, 1, 0][..], "this is TLS"),
        (&[6; 1537], "RTMPE"),
        (b"GET / HTTP/1.1\r\n\r\n", "this is HTTP"),
    ] {
        let mut peer = RawPeer::connect(recording.server.port);
        peer.socket.write_all(bytes).unwrap();
        peer.wait_closed();
        let (_, told) = recording.check(&peer, end);
        assert_verdict(&told, "handshake ");
        assert_told(&told, "this version ends it likewise");
    }
    // Who has read enough is told nothing of it.
    let file = recording.files().remove(0);
    let arguments = ["replay", file.to_str().unwrap()];
    let unread = Process::millstream_unread("replay", arguments).succeed();
    assert!(unread.stderr.is_empty(), "{:?}", unread.stderr);
    recording.server.stop();
}

#[test]
fn garbage_behind_a_handshake_and_behind_a_publish() {
    let recording = Recording::start(&[]);
    let port = recording.server.port;
    for is_publishing in [false, true] {
        let mut peer = match is_publishing {
            true => RawPeer::publish(port, "live", "cam"),
            false => {
                let mut peer = RawPeer::connect(port);
                peer.handshake();
                peer
            }
        };
        peer.socket.write_all(&[0xC5; 64]).unwrap();
        peer.wait_closed();
        let (file, told) = recording.check(&peer, "out of step");
        assert_told(&told, "this version ends it likewise");
        let is_named = file.to_str().unwrap().ends_with("-live_cam.pcapng");
        assert_eq!(is_named, is_publishing, "{}", file.display());
    }
    recording.server.stop();
}

/// The start and the end of a long conversation are kept, and the end can be read though what is
/// before it is missing.
#[test]
fn garbage_behind_megabytes_of_media() {
    let recording = Recording::start(&[]);
    let mut peer = RawPeer::publish(recording.server.port, "live", "cam");
    // Longer than a chunk of this peer, so that places lie within messages, too.
    for number in 0..300 {
        let audio = message(4, 8, number * 20, 1, &[0x2F; 300]);
        let video = message(6, 9, number * 20, 1, &[0x27; 9000]);
        peer.socket.write_all(&[audio, video].concat()).unwrap();
    }
    peer.socket.write_all(&[0xC5; 64]).unwrap();
    peer.wait_closed();
    let (_, told) = recording.check(&peer, "fmt 3 chunk on unknown csid 5");
    let story = told.join("\n");
    assert!(story.contains("of them not kept"), "{story}");
    assert_told(&told, "this version ends it likewise");
    recording.server.stop();
}

#[test]
fn a_publish_and_a_play_that_are_refused() {
    let recording = Recording::start(&["--takeover", "never", "--play-wait", "0"]);
    let port = recording.server.port;
    let holder = RawPeer::publish(port, "live", "cam");
    let mut second = RawPeer::open(port, "live");
    second.ask_to_publish("cam");
    second.wait_for(b"NetStream.Publish.BadName");
    second.socket.shutdown(Shutdown::Write).unwrap();
    second.wait_closed();
    let (file, told) = recording.check(&second, "publish of live/cam refused: 127.0.0.1");
    assert_told(&told, "asked for live/cam");
    assert_verdict(&told, "publish refused: NetStream.Publish.BadName");
    assert_told(&told, "this version answers it likewise");
    let mut player = RawPeer::play(port, "live", "other");
    player.wait_closed();
    let (_, told) = recording.check(&player, "play of live/other refused: nobody publishes it");
    assert_told(&told, "this version answers it likewise");
    assert_dissected(&file, port);
    holder.unpublish("cam");
    recording.server.stop();
}

#[test]
fn a_publisher_that_is_killed() {
    let recording = Recording::start(&[]);
    let url = recording.server.url("live/cam");
    let mut ffmpeg = Publisher::Ffmpeg.start(&Sample::BFrames.path(), &url);
    recording.server.process.wait_said(1, "publishes live/cam");
    ffmpeg.kill();
    recording.server.process.wait_said(1, "recorded in");
    let files = recording.files();
    let told = replay(&files[0]);
    // Which of the two depends on whether it had read all that we said.
    let ends = [
        "ended: publisher of live/cam vanished; ",
        "ended: connection lost: ",
    ];
    let is_end = |line: &String| ends.iter().any(|end| line.starts_with(end));
    assert!(told.iter().any(is_end), "{told:#?}");
    assert_verdict(&told, "publish fine; ");
    assert_told(&told, "this version answers it likewise");
    recording.server.stop();
}

#[test]
fn who_leaves_without_a_word_or_says_goodbye() {
    let recording = Recording::start(&[]);
    let port = recording.server.port;
    // Nothing was sent: a check whether somebody listens.
    drop(RawPeer::connect(port));
    // All went well, for ffmpeg and by hand.
    Publisher::Ffmpeg
        .start(&Sample::BFrames.path(), &recording.server.url("live/film"))
        .succeed();
    RawPeer::publish(port, "live", "cam").unpublish("cam");
    // ffmpeg does not wait for the answer to its goodbye: what it has not read resets the connection.
    let mut peer = RawPeer::publish(port, "live", "hasty");
    let address = peer.socket.local_addr().unwrap();
    peer.say_goodbye("hasty");
    peer.command(0, "createStream", 6.0, &[5], &[]);
    assert_eq!(peer.socket.peek(&mut [0]).unwrap(), 1);
    drop(peer);
    let closed = format!("{address}: closed");
    recording.server.process.wait_said(1, &closed);
    // Gave up before it asked for anything.
    let mut peer = RawPeer::open(port, "live");
    peer.socket.shutdown(Shutdown::Write).unwrap();
    peer.wait_closed();
    recording.check(&peer, "left before it published or played");
    assert_eq!(recording.files().len(), 1, "{:?}", recording.files());
    recording.server.stop();
}

/// More faulty peers than there is memory and room for; whoever behaves does not notice.
#[test]
fn bounds_hold() {
    let dir = TempDir::new();
    let config = dir.join("mill.toml");
    let text = "[limits]\nflight_bytes_max = \"1MiB\"\nflight_files_max = 20\n\
                flight_folder_bytes_max = \"1MiB\"\n";
    fs::write(&config, text).unwrap();
    let recording = Recording::start(&["--config", config.to_str().unwrap()]);
    let port = recording.server.port;
    let before = recording.server.process.resident_bytes();
    let holder = RawPeer::publish(port, "live", "cam");
    let mut peers: Vec<RawPeer> = (0..50)
        .map(|number| RawPeer::publish(port, "live", &format!("faulty{number}")))
        .collect();
    for peer in &mut peers {
        // 300 KiB of shared objects, which are ignored.
        let message = message(4, 19, 0, 1, &[0x2F; 4000]);
        peer.socket.write_all(&message.repeat(75)).unwrap();
    }
    for peer in &mut peers {
        peer.socket.write_all(&[0xC5; 64]).unwrap();
        peer.wait_closed();
    }
    recording.server.process.wait_said(50, "recorded in");
    let sizes: Vec<u64> = recording
        .files()
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .collect();
    assert!(sizes.len() <= 20, "{sizes:?}");
    assert!(sizes.iter().sum::<u64>() <= 1 << 20, "{sizes:?}");
    let grown = recording
        .server
        .process
        .resident_bytes()
        .saturating_sub(before);
    // Without bounds: 50 times 300 KiB of recordings.
    assert!(grown < 8 << 20, "{grown} bytes more");
    let files = recording.files();
    let latest = replay(files.last().unwrap());
    assert_told(&latest, "asked for live/faulty49");
    holder.unpublish("cam");
    recording.server.stop();
}

#[test]
fn replay_says_in_one_line_what_is_wrong_with_a_file() {
    let recording = Recording::start(&[]);
    let mut peer = RawPeer::connect(recording.server.port);
    peer.socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    peer.wait_closed();
    let (file, _) = recording.check(&peer, "this is HTTP");
    let good = fs::read(&file).unwrap();
    recording.server.stop();
    let dir = TempDir::new();
    let path = dir.join("x.pcapng");
    let mut damaged = good.clone();
    let length = damaged.len();
    let at = good.windows(4).position(|part| part == b"GET ").unwrap();
    damaged[at - 40] = 0x55;
    let damaged_header = [&good[..4], &[0; 8], &good[12..]].concat();
    for (bytes, said) in [
        (&b""[..], "not a recorded conversation"),
        (b"FLV\x01\x05", "not a recorded conversation"),
        (&good[..length - 1], "cut off"),
        (&good[..100], "cut off"),
        (&damaged, "damaged: a packet that is not IP"),
        (
            &damaged_header,
            "that `millstream serve --flight` did not record",
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        let arguments = ["replay", path.to_str().unwrap()];
        let finished = Process::millstream("replay", arguments).finish();
        assert_eq!(finished.status.code(), Some(1));
        let [line] = &finished.stderr[..] else {
            panic!("one line was expected: {:?}", finished.stderr);
        };
        let prefix = format!("millstream: {}: ", path.display());
        assert!(line.starts_with(&prefix) && line.contains(said), "{line}");
    }
    let missing = dir.join("missing");
    let arguments = ["replay", missing.to_str().unwrap()];
    let finished = Process::millstream("replay", arguments).finish();
    assert!(
        finished.stderr[0].contains("No such file"),
        "{:?}",
        finished.stderr
    );
    let finished = Process::millstream("replay", ["replay"]).finish();
    assert_eq!(finished.status.code(), Some(2));
}

#[test]
fn a_folder_that_cannot_be_made_is_told_at_the_start() {
    let dir = TempDir::new();
    let folder = dir.join("file");
    fs::write(&folder, "").unwrap();
    let arguments = ["serve", "--rtmp", "127.0.0.1:0", "--flight"];
    let arguments = arguments.into_iter().chain([folder.to_str().unwrap()]);
    let finished = Process::millstream("serve", arguments).finish();
    assert_eq!(finished.status.code(), Some(1));
    let said = finished.stderr.join("\n");
    let expected = format!("cannot record in {}: ", folder.display());
    assert!(
        said.contains(&expected) && said.contains("--flight"),
        "{said}"
    );
}

/// Wireshark understands it as RTMP, from the handshake to the refusal.
#[track_caller]
fn assert_dissected(file: &Path, port: u16) {
    let mut command = Command::new("tshark");
    command.args(["-n", "-r"]).arg(file);
    command.args(["-d", &format!("tcp.port=={port},rtmpt"), "-Y", "rtmpt"]);
    let output = command.output().unwrap();
    let info = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for wanted in [
        "Handshake C0+C1",
        "Handshake S0+S1+S2",
        "connect('live')",
        "createStream()",
        "publish('cam')",
        "onStatus('NetStream.Publish.BadName')",
    ] {
        assert!(info.contains(wanted), "no {wanted} in:\n{info}{said}");
    }
    assert!(
        !info.contains("Malformed") && !info.contains("Unknown"),
        "{info}"
    );
}
