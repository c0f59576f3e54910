//! Cables pulled: every side says what happened, ends or reconnects as documented, and leaves
//! whole files.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::support::flv::{self, Tag};
use crate::support::frames::{assert_begins, assert_grows, assert_whole, bodies, frames};
use crate::support::media::Sample;
use crate::support::onlookers::assert_stops_well;
use crate::support::packets::{Tolerance, assert_same, packets};
use crate::support::peers::{Player, Playing, Publisher};
use crate::support::process::{Finished, Process};
use crate::support::raw::{RawPeer, shifted, string, tag_message};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;
use crate::support::wait_for;

fn sample() -> Vec<Tag> {
    flv::read(&Sample::BFrames.path()).unwrap()
}

fn sample_path() -> String {
    Sample::BFrames.path().to_str().unwrap().to_owned()
}

/// Sends tags group by group, each when `playing` has written the one before: a player that has
/// not started yet starts at the latest keyframe, and the first ones shall not be missed.
#[track_caller]
fn send_groups(publisher: &mut RawPeer, tags: &[Tag], playing: &Playing) {
    let mut wanted = playing.written();
    let mut group = 0;
    for tag in tags {
        if tag.is_keyframe() && group > 0 {
            wanted += group;
            group = 0;
            playing.wait_written(wanted);
        }
        publisher.send_tag(tag);
        group += u64::from(tag.is_keyframe() || group > 0) * (tag.body.len() as u64 + 15);
    }
    playing.wait_written(wanted + group);
}

/// Waits for a player's good end; what it said, and what it wrote. rtmpdump calls itself
/// incomplete (2) when the metadata promised more than came, which is true.
#[track_caller]
fn finish(playing: Playing) -> (String, Vec<Tag>) {
    let what = format!("{:?}", playing.player);
    let finished = playing.process.finish();
    let is_good = match playing.player {
        Player::Rtmpdump => matches!(finished.status.code(), Some(0 | 2)),
        _ => finished.status.success(),
    };
    let said = finished.stderr.join("\n");
    assert!(is_good, "{what}: {said}");
    let tags = flv::read(&playing.file).unwrap_or_else(|e| panic!("{what}: {e}"));
    (said, tags)
}

/// Exit code 1, and the last line on stderr has all of `words`.
#[track_caller]
fn assert_lost(finished: &Finished, words: &[&str]) {
    let said = finished.stderr.join("\n");
    assert_eq!(finished.status.code(), Some(1), "{said}");
    let last = finished.stderr.last().unwrap();
    assert!(last.starts_with("millstream: "), "{said}");
    for word in words {
        assert!(last.contains(word), "no {word:?} in:\n{said}");
    }
}

/// Wherever video frames of the looped sample are missing, it goes on at a keyframe.
#[track_caller]
fn assert_skips_to_keyframes(sent: &[Tag], got: &[Tag]) {
    let sent = bodies(sent, flv::VIDEO);
    let place = |body: &[u8]| sent.iter().position(|sent| *sent == body).unwrap();
    for pair in bodies(got, flv::VIDEO).windows(2) {
        let (before, after) = (place(pair[0]), place(pair[1]));
        let follows = after == (before + 1) % sent.len();
        assert!(follows || after % 25 == 0, "frame {before}, then {after}");
    }
}

/// A port that nobody else takes while its server is down: those that the system gives out are
/// above.
fn steady_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 1000).unwrap() * 8;
    loop {
        let port = 21_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A publisher dies in the middle of a frame. Its players are kept for the grace time, then told
/// that it is over; the half frame reaches nobody.
#[test]
fn publisher_dies_in_mid_frame() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "1"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let players = [Player::Ffmpeg, Player::Rtmpdump, Player::Pull]
        .map(|player| player.start(&url, dir.path()));
    server.wait_for_waiting(3);
    let tags = sample();
    let keyframes: Vec<usize> = (0..tags.len())
        .filter(|&index| tags[index].is_keyframe())
        .collect();
    // Two whole seconds, then the first half of the keyframe that opens the third.
    let (whole, rest) = tags.split_at(keyframes[2]);
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    send_groups(&mut publisher, whole, &players[2]);
    let half = tag_message(&rest[0]);
    publisher.socket.write_all(&half[..half.len() / 2]).unwrap();
    drop(publisher);
    server
        .process
        .wait_said(1, "publisher of live/cam vanished");

    for playing in players {
        let what = format!("{:?}", playing.player);
        let is_ours = playing.player == Player::Pull;
        let (said, got) = finish(playing);
        assert_whole(&what, whole, &got);
        if is_ours {
            assert!(said.contains("the publisher left"), "{said}");
        }
    }
    server
        .process
        .wait_said(1, "its publisher did not come back");
    assert_stops_well(server);
}

/// kill -9 on real encoders.
#[test]
fn encoder_is_killed() {
    for publisher in [Publisher::Ffmpeg, Publisher::Push] {
        let server = Server::start(&["--play-wait", "60", "--publisher-grace", "0.5"]);
        let url = server.url("live/cam");
        let dir = TempDir::new();
        let playing = Player::Pull.start(&url, dir.path());
        server.wait_for_waiting(1);
        let mut encoder = publisher.start(&Sample::BFrames.path(), &url);
        playing.wait_written(30_000);
        encoder.kill();
        server
            .process
            .wait_said(1, "publisher of live/cam vanished");
        let sent = packets(&Sample::BFrames.path());
        let (finished, got) = playing.finish();
        let said = finished.stderr.join("\n");
        assert!(said.contains("the publisher left"), "{said}");
        let tolerance = Tolerance {
            tail_packets: usize::MAX,
            ..Tolerance::default()
        };
        assert_same("until the kill", &sent, &got, tolerance);
        assert_stops_well(server);
    }
}

/// The publisher comes back within the grace time, with another clock, as after a restart: its
/// players stay and go on.
#[test]
fn publisher_comes_back() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let players =
        [Player::Ffmpeg, Player::Rtmpdump, Player::Pull].map(|p| p.start(&url, dir.path()));
    server.wait_for_waiting(3);
    let tags = sample();
    let mut first = RawPeer::publish(server.port, "live", "cam");
    send_groups(&mut first, &tags, &players[2]);
    let half = tag_message(frames(&tags).next().unwrap());
    first.socket.write_all(&half[..half.len() / 2]).unwrap();
    drop(first);
    server
        .process
        .wait_said(1, "publisher of live/cam vanished");
    let mut second = RawPeer::publish(server.port, "live", "cam");
    send_groups(&mut second, &shifted(&tags, 3_000_000), &players[2]);
    second.unpublish("cam");
    server.process.wait_said(1, "goes on with live/cam");
    for playing in players {
        let what = format!("{:?}", playing.player);
        let file = playing.file.clone();
        playing.finish();
        let got = flv::read(&file).unwrap_or_else(|e| panic!("{what}: {e}"));
        // Looped, the sample is what both sent.
        let count = assert_begins(&what, &tags, &got);
        assert_eq!(count, 2 * bodies(&tags, flv::VIDEO).len(), "{what}");
        assert_grows(&what, &got, 60_000);
    }
    assert_stops_well(server);
}

/// A real publisher is killed, another one comes; the player's file has both, in order.
#[test]
fn a_successor_takes_over_from_a_killed_encoder() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let mut first = Publisher::Push.start(&Sample::BFrames.path(), &url);
    playing.wait_written(30_000);
    first.kill();
    server
        .process
        .wait_said(1, "publisher of live/cam vanished");
    Publisher::Push
        .start(&Sample::BFrames.path(), &url)
        .succeed();
    let tags = sample();
    let got = playing.finish_flv();
    for kind in [flv::AUDIO, flv::VIDEO] {
        let (got, sent) = (bodies(&got, kind), bodies(&tags, kind));
        let (begin, all) = got.split_at(got.len() - sent.len());
        assert!(all == sent, "kind {kind}: the second publisher's frames");
        assert!(!begin.is_empty());
        assert!(begin == &sent[..begin.len()], "kind {kind}: the first's");
    }
    assert_grows("both", &got, 60_000);
    assert_stops_well(server);
}

/// Subscribers that stop reading are closed when they take nothing for too long; nobody else
/// notices, and the server does not grow by what it cannot send.
#[test]
fn subscribers_that_never_read() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    let mut stuck: Vec<RawPeer> = (0..20)
        .map(|_| RawPeer::play(server.port, "live", "cam"))
        .collect();
    server.wait_for_waiting(21);
    let tags = sample();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    // Rounds until the last of them is closed; the player that reads is waited for, so that it
    // never has a reason to skip.
    let mut rounds = 0;
    while server.process.count_said("closed: took nothing for") < stuck.len() {
        send_groups(&mut publisher, &shifted(&tags, rounds * 4040), &playing);
        rounds += 1;
        let resident = server.process.resident_bytes();
        assert!(resident < 150 << 20, "{resident} bytes resident");
    }
    publisher.unpublish("cam");
    let got = playing.finish_flv();
    let count = assert_begins("the player that reads", &tags, &got);
    let rounds = usize::try_from(rounds).unwrap();
    assert_eq!(count, rounds * bodies(&tags, flv::VIDEO).len());
    for peer in &mut stuck {
        peer.wait_closed();
    }
    assert_stops_well(server);
}

/// Players that are stopped (SIGSTOP) while more passes than any buffer holds, and go on later:
/// they skip to a keyframe. The publisher and the other player are not held up.
#[test]
fn players_that_stop_for_a_while() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let (dir, other) = (TempDir::new(), TempDir::new());
    let playing = Player::Pull.start(&url, dir.path());
    let stopped = Player::Pull.start(&url, other.path());
    server.wait_for_waiting(2);
    let tags = sample();
    let length: u64 = frames(&tags).map(|tag| tag.body.len() as u64 + 15).sum();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    let mut rounds = 0;
    let mut round = |publisher: &mut RawPeer| {
        let tags = shifted(&tags, rounds * 4040);
        if rounds == 0 {
            send_groups(publisher, &tags, &playing);
        } else {
            let before = playing.written();
            tags.iter().for_each(|tag| publisher.send_tag(tag));
            playing.wait_written(before + length);
        }
        rounds += 1;
    };
    round(&mut publisher);
    stopped.wait_written(1000);
    stopped.process.signal("STOP");
    // 2.4 MB, and a minute: more than the system's buffers and the log of the stream keep.
    for _ in 0..15 {
        round(&mut publisher);
    }
    let before = stopped.written();
    stopped.process.signal("CONT");
    // On with it, until what it gets is new, unless all this has taken too long.
    let is_closed = || server.process.count_said("closed: took nothing for") > 0;
    wait_for("the stopped player to go on", || {
        (stopped.written() > before || is_closed()).then_some(())
    });
    for _ in 0..3 {
        round(&mut publisher);
    }
    publisher.unpublish("cam");
    let rounds = usize::try_from(rounds).unwrap();
    let video = bodies(&tags, flv::VIDEO);
    let got = playing.finish_flv();
    let count = assert_begins("the player that reads", &tags, &got);
    assert_eq!(count, rounds * video.len());
    // The one that slept has whole pictures only: each run of frames starts at a keyframe.
    let was_closed = server.process.count_said("closed: took nothing for") > 0;
    let finished = stopped.process.finish();
    assert_eq!(finished.status.success(), !was_closed);
    let slept = flv::read(&stopped.file).unwrap();
    let slept_video = bodies(&slept, flv::VIDEO);
    assert!(slept_video.len() >= video.len());
    assert!(
        slept_video.len() < rounds * video.len(),
        "nothing was skipped, so nothing is proven"
    );
    assert_skips_to_keyframes(&tags, &slept);
    assert_grows("slept", &slept, 60_000_000);
    assert_stops_well(server);
}

/// A player that is far behind when the stream ends: what was begun is finished, so that the end
/// is understood, and its file is whole.
#[test]
fn the_end_reaches_a_player_that_lags() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let lagging = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let tags = sample();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    send_groups(&mut publisher, &tags, &lagging);
    lagging.process.signal("STOP");
    for round in 1..60 {
        for tag in shifted(&tags, round * 4040) {
            publisher.send_tag(&tag);
        }
    }
    publisher.unpublish("cam");
    server.process.wait_said(1, "ended live/cam");
    lagging.process.signal("CONT");
    let file = lagging.file.clone();
    let finished = lagging.process.succeed();
    let said = finished.stderr.join("\n");
    assert!(said.contains("the publisher left"), "{said}");
    let got = flv::read(&file).unwrap();
    assert_skips_to_keyframes(&tags, &got);
    let count = bodies(&got, flv::VIDEO).len();
    let (all, one) = (
        60 * bodies(&tags, flv::VIDEO).len(),
        bodies(&tags, flv::VIDEO).len(),
    );
    assert!(
        (one..all).contains(&count),
        "{count} of {all} frames: no lag"
    );
    assert_stops_well(server);
}

/// Players vanish, by a reset, in the very moment in which the stream or the server ends.
#[test]
fn players_vanish_while_the_stream_ends() {
    for is_server_stopped in [true, false, true, false] {
        let server = Server::start(&["--play-wait", "60"]);
        let tags = sample();
        let mut publisher = RawPeer::publish(server.port, "live", "cam");
        let players: Vec<RawPeer> = (0..200)
            .map(|_| RawPeer::play(server.port, "live", "cam"))
            .collect();
        server.process.wait_said(200, ": plays live/cam");
        for tag in &tags[..20] {
            publisher.send_tag(tag);
        }
        let sending = std::thread::spawn(move || {
            for tag in &tags[20..] {
                let bytes = tag_message(tag);
                if publisher.socket.write_all(&bytes).is_err() {
                    return;
                }
            }
            if is_server_stopped {
                publisher.wait_closed();
            } else {
                publisher.unpublish("cam");
            }
        });
        // They have read nothing, so that closing resets.
        let leaving = std::thread::spawn(move || drop(players));
        if !is_server_stopped {
            server.process.wait_said(1, "ended live/cam");
        }
        assert_stops_well(server);
        sending.join().unwrap();
        leaving.join().unwrap();
    }
}

/// Publishers that play their own stream and are gone before the answer to their goodbye: its end
/// is sent to the very connection that is being served.
#[test]
fn peers_that_play_their_own_stream_vanish_while_they_end_it() {
    let server = Server::start(&["--workers", "1"]);
    let tags = flv::read(&Sample::Tiny.path()).unwrap();
    for number in 0..50 {
        let key = number.to_string();
        let mut peer = RawPeer::publish(server.port, "live", &key);
        peer.command(0, "createStream", 4.0, &[5], &[]);
        peer.wait_for(b"_result");
        peer.command(2, "play", 5.0, &[5], &string(&key));
        peer.send_tags(&tags);
        let one = [&[0], 1.0_f64.to_be_bytes().as_slice()].concat();
        peer.command(0, "deleteStream", 6.0, &[5], &one);
    }
    // A reset can be faster than the goodbye before it: some just vanish.
    server.wait_for_connections(0);
    let said = server.stop().stderr.join("\n");
    assert!(said.contains(": ended live/"), "{said}");
    assert!(!said.contains("fault of ours"), "{said}");
}

/// Players vanish, by a reset, in the very moment in which the server stops. Other publishers
/// keep its one worker so busy that it learns of both in the same turn.
#[test]
fn players_vanish_while_the_server_stops() {
    let server = Server::start(&["--play-wait", "60", "--workers", "1"]);
    let port = server.port;
    let players: Vec<RawPeer> = (0..200)
        .map(|_| RawPeer::play(port, "live", "cam"))
        .collect();
    server.wait_for_waiting(200);
    let tags = flv::read(&Sample::Tiny.path()).unwrap();
    let publishers = ["cam", "a", "b", "c", "d"].map(|key| {
        let mut publisher = RawPeer::publish(port, "live", key);
        let tags = tags.clone();
        std::thread::spawn(move || {
            for tag in tags.iter().cycle() {
                if publisher.socket.write_all(&tag_message(tag)).is_err() {
                    return;
                }
                if key == "cam" {
                    // Slowly: its players do not read, and shall not be stuck before the end.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        })
    });
    server.process.wait_said(200, ": plays live/cam");
    // They have read nothing, so that closing resets.
    let leaving = std::thread::spawn(move || {
        for player in players {
            drop(player);
            std::thread::sleep(Duration::from_micros(100));
        }
    });
    assert_stops_well(server);
    leaving.join().unwrap();
    for publisher in publishers {
        publisher.join().unwrap();
    }
}

/// The server dies under push and pull. push connects again to the next server at the same place
/// and goes on; pull ends with one line and a whole file, or goes on in it when told to.
#[test]
fn server_is_killed() {
    let port = steady_port();
    let mut server = Server::start_on(port, &["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (once, again) = (file("once.flv"), file("again.flv"));
    let pull = Process::millstream("pull", ["pull", &url, &once]);
    let pull_again = ["pull", "-v", "--reconnect", &url, &again];
    let pull_again = Process::millstream("pull --reconnect", pull_again);
    server.wait_for_waiting(2);
    let input = sample_path();
    let push = Process::millstream("push", ["push", "-v", "--loop", &input, &url]);
    let fixed_url = server.url("live/fixed");
    let fixed = ["push", "--loop", "--no-reconnect", &input, &fixed_url];
    let fixed = Process::millstream("push --no-reconnect", fixed);
    let size = |path: &str| std::fs::metadata(path).map_or(0, |file| file.len());
    wait_for("both pulls to write", || {
        (size(&once) > 30_000 && size(&again) > 30_000).then_some(())
    });
    server.process.wait_said(1, "publishes live/fixed");
    server.process.kill();

    for lost in [pull, fixed] {
        let lost = lost.finish();
        assert_lost(&lost, &["connection"]);
        assert_eq!(lost.stderr.len(), 1, "{:?}", lost.stderr);
    }
    let tags = flv::read(Path::new(&once)).unwrap();
    assert!(frames(&tags).count() > 20);
    assert_grows("once", &tags, 1000);

    push.wait_said(1, "trying again in");
    pull_again.wait_said(1, "trying again in");
    let before = size(&again);
    let server = Server::start_on(port, &["--play-wait", "60"]);
    wait_for("pull to go on", || {
        (size(&again) > before + 30_000).then_some(())
    });
    pull_again.signal("INT");
    pull_again.succeed();
    push.signal("INT");
    push.succeed();
    let tags = flv::read(Path::new(&again)).unwrap();
    // The time of the outage is not in the file.
    assert_grows("again", &tags, 1000);
    // Nothing of a picture is missing where the two meet: what is skipped is skipped up to a
    // keyframe.
    assert_skips_to_keyframes(&sample(), &tags);
    assert_stops_well(server);
}

/// The order to stop: publishers and players are told and end, and so does the server.
#[test]
fn server_is_told_to_stop() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let players: Vec<Playing> = [Player::Ffmpeg, Player::Rtmpdump, Player::Pull]
        .map(|player| player.start(&url, dir.path()))
        .into();
    server.wait_for_waiting(3);
    let waiting_dir = TempDir::new();
    let waiting = Player::Pull.start(&server.url("live/other"), waiting_dir.path());
    server.wait_for_waiting(4);
    let input = sample_path();
    let push = ["push", "--loop", "--no-reconnect", &input, &url];
    let push = Process::millstream("push", push);
    for playing in &players {
        // Well into the second of the four seconds that ffmpeg wants to look at.
        playing.wait_written(10_000);
    }
    players[2].wait_written(100_000);
    assert_stops_well(server);
    assert_lost(&push.finish(), &["the server ended the stream"]);
    for playing in players {
        let (_, got) = finish(playing);
        assert_begins("until the end", &sample(), &got);
    }
    let refused = waiting.process.finish();
    assert_eq!(refused.status.code(), Some(1), "{:?}", refused.stderr);
    assert!(!waiting.file.exists());
}

/// pull is killed: what it wrote is readable up to its last whole tag.
#[test]
fn pull_is_killed() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let mut playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let push = ["push", "--loop", &sample_path(), &url];
    let push = Process::millstream("push", push);
    playing.wait_written(60_000);
    playing.process.kill();
    let got = packets(&playing.file);
    let tolerance = Tolerance {
        tail_packets: usize::MAX,
        ..Tolerance::default()
    };
    let sent = packets(&Sample::BFrames.path());
    assert_same("the killed file", &sent, &got, tolerance);
    push.signal("INT");
    push.succeed();
    assert_stops_well(server);
}

/// A publisher whose cable is pulled says nothing any more, not even goodbye: its players are
/// not kept for ever.
#[test]
fn a_publisher_that_falls_silent() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "0.5"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let tags = sample();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    send_groups(&mut publisher, &tags, &playing);
    let finished = playing.process.finish();
    let said = finished.stderr.join("\n");
    assert_whole(&said, &tags, &flv::read(&playing.file).unwrap());
    publisher.wait_closed();
    server
        .process
        .wait_said(1, "publisher of live/cam vanished");
    assert_stops_well(server);
}

/// The peer of a push is gone without a word (here: a proxy that keeps the socket open and reads
/// nothing). A file is not read on for ever; the person who presses Ctrl-C is not kept waiting.
#[test]
fn push_into_a_server_that_stops_reading() {
    let server = Server::start(&[]);
    let url = server.url("live/cam");
    let push = ["push", "-v", "--loop", "--no-pace", &sample_path(), &url];
    let push = Process::millstream("push", push);
    push.wait_said(1, "step 3");
    server.process.signal("STOP");
    // The system's buffers are full when what waits in them neither grows nor shrinks.
    let mut steady = (0, 0);
    wait_for("push to be held up", || {
        let unsent = unsent_bytes(server.port);
        steady = match steady {
            (count, last) if last == unsent && unsent > 0 => (count + 1, last),
            _ => (0, unsent),
        };
        (steady.0 >= 30).then_some(())
    });
    push.signal("INT");
    let finished = push.finish();
    assert!(finished.status.code().is_some(), "{}", finished.status);
    server.process.signal("CONT");
    assert_stops_well(server);
}

/// What waits in the kernel to be sent to this port of 127.0.0.1 (`tx_queue`), bytes.
fn unsent_bytes(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!("0100007F:{port:04X}");
    let queue = |line: &str| {
        let mut fields = line.split_whitespace().skip(2);
        let is_it = fields.next() == Some(&remote);
        let queues = fields.nth(1)?;
        let (sending, _) = queues.split_once(':')?;
        is_it.then(|| u64::from_str_radix(sending, 16).unwrap())
    };
    table.lines().filter_map(queue).sum()
}
