//! A second publisher for a name that has one: who gets it, and what the players see of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::flv::{self, Tag};
use crate::support::frames::assert_grows;
use crate::support::media::Sample;
use crate::support::onlookers::assert_stops_well;
use crate::support::peers::Player;
use crate::support::process::{Finished, Process};
use crate::support::raw::{RawPeer, shifted};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;
use crate::support::wait_for;

#[track_caller]
fn assert_says(finished: &Finished, words: &[&str]) {
    let said = finished.stderr.join("\n");
    assert_eq!(finished.status.code(), Some(1), "{said}");
    let last = finished.stderr.last().unwrap();
    for word in words {
        assert!(last.contains(word), "no {word:?} in:\n{said}");
    }
}

/// A camera that froze, as one that lost its power, is back from the same address: at once, while
/// its old connection still looks alive. The players stay.
#[test]
fn a_frozen_publisher_is_replaced_from_its_own_address() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let input = Sample::Plain.path();
    let input = input.to_str().unwrap();
    let first = ["push", "-v", "--loop", input, &url];
    let first = Process::millstream("first", first);
    playing.wait_written(20_000);
    first.signal("STOP");
    let second = ["push", "-v", "--loop", "--no-reconnect", input, &url];
    let second = Process::millstream("second", second);
    server.process.wait_said(1, "goes on with live/cam");
    let before = playing.written();
    playing.wait_written(before + 100_000);
    // The first one wakes up, is told, and does not take the name back.
    first.signal("CONT");
    assert_says(
        &first.finish(),
        &["somebody else publishes under this name"],
    );
    second.signal("INT");
    second.succeed();
    let tags = playing.finish_flv();
    assert_grows("the player", &tags, 60_000);
    assert_stops_well(server);
}

/// The same while the first one sends: two with one name end with the last one having it.
#[test]
fn always_means_the_last_one_wins() {
    let server = Server::start(&["--takeover", "always"]);
    let (url, other) = (server.url("live/cam?key=1"), server.url("live/cam?key=2"));
    let input = Sample::Plain.path();
    let input = input.to_str().unwrap();
    let first = Process::millstream("first", ["push", "--loop", input, &url]);
    server.process.wait_said(1, "publishes live/cam");
    let second = Process::millstream("second", ["push", "--loop", input, &other]);
    assert_says(
        &first.finish(),
        &["somebody else publishes under this name"],
    );
    second.signal("INT");
    second.succeed();
    assert_stops_well(server);
}

/// Somebody else, here by another query, is refused while the first one sends, and has the name
/// when it has been silent for a second.
#[test]
fn a_stranger_gets_the_name_of_a_silent_publisher_only() {
    let server = Server::start(&[]);
    let (url, other) = (server.url("live/cam?key=1"), server.url("live/cam?key=2"));
    let input = Sample::Plain.path();
    let input = input.to_str().unwrap();
    let first = Process::millstream("first", ["push", "--loop", input, &url]);
    server.process.wait_said(1, "publishes live/cam");
    let refused = Process::millstream("second", ["push", "--no-reconnect", input, &other]);
    assert_says(&refused.finish(), &["NetStream.Publish.BadName"]);
    first.signal("STOP");
    // Refused for as long as the silence is too short, it tries again.
    let second = Process::millstream("second", ["push", "-v", "--loop", input, &other]);
    server.process.wait_said(1, "goes on with live/cam");
    first.signal("CONT");
    assert_says(
        &first.finish(),
        &["somebody else publishes under this name"],
    );
    second.signal("INT");
    second.succeed();
    assert_stops_well(server);
}

/// The new publisher comes with another picture size, on its own clock, on either worker: each
/// player gets the new headers before the new keyframe, its time goes on by one frame, and nothing
/// of the old publisher comes after that.
#[test]
fn players_go_on_with_the_new_headers_at_the_new_keyframe() {
    let server = Server::start(&["--workers", "2", "--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let files: Vec<_> = (0..4).map(|n| dir.join(&format!("{n}.flv"))).collect();
    let pulls: Vec<_> = files
        .iter()
        .map(|file| Process::millstream("pull", ["pull", &url, file.to_str().unwrap()]))
        .collect();
    server.wait_for_waiting(pulls.len());
    let old = media(&Sample::Plain.path());
    let new = media(&Sample::Tiny.path());
    let mut first = RawPeer::publish(server.port, "live", "cam");
    first.send_tags(&old);
    let sent = old.iter().map(|tag| tag.body.len() as u64).sum::<u64>();
    wait_for("the players to have it all", || {
        let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |file| file.len());
        files.iter().all(|file| size(file) >= sent).then_some(())
    });
    // Wrapped and far away: no clock of the first publisher's.
    let mut second = RawPeer::publish(server.port, "live", "cam");
    // A joiner in mid-GOP: pictures that cannot be decoded come first.
    let late: Vec<Tag> = shifted(&new, 4_000_000_000);
    let (headers, rest): (Vec<Tag>, Vec<Tag>) = late.into_iter().partition(Tag::is_sequence_header);
    second.send_tags(&headers);
    second.send_tags(&rest[5..]);
    second.unpublish("cam");
    for pull in pulls {
        pull.succeed();
    }
    let keyframe = rest[5..].iter().position(Tag::is_keyframe).unwrap();
    let expected: Vec<&Tag> = rest[5 + keyframe..]
        .iter()
        .filter(|tag| tag.kind == flv::VIDEO)
        .collect();
    for file in files {
        let got = flv::read(&file).unwrap();
        let video: Vec<&Tag> = got.iter().filter(|tag| tag.kind == flv::VIDEO).collect();
        let start = video.len() - expected.len();
        let same = |(got, sent): (&&Tag, &&Tag)| got.body == sent.body;
        assert!(video[start..].iter().zip(&expected).all(same));
        let header = headers.iter().find(|tag| tag.kind == flv::VIDEO).unwrap();
        assert!(
            video[start - 1].body == header.body,
            "the new header goes first"
        );
        let last_old = video[start - 2];
        assert!(old.iter().any(|tag| tag.body == last_old.body));
        let mut stamps = got.iter().map(|tag| tag.timestamp);
        let mut latest = stamps.next().unwrap();
        for stamp in stamps {
            // The two tracks are not in step, and sound comes before the new picture.
            assert!(
                stamp + 100 >= latest && stamp < latest + 1500,
                "{latest} to {stamp}"
            );
            latest = latest.max(stamp);
        }
    }
    drop(first);
    server.stop();
}

/// A publisher that vanished and comes back within its grace goes on; so do its players.
#[test]
fn a_publisher_that_vanished_comes_back() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "30"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let playing = Player::Pull.start(&url, dir.path());
    server.wait_for_waiting(1);
    let tags = media(&Sample::Plain.path());
    for round in 0..3 {
        let mut publisher = RawPeer::publish(server.port, "live", "cam");
        publisher.send_tags(&tags);
        playing.wait_written((round + 1) * 100_000);
        if round < 2 {
            drop(publisher);
            server
                .process
                .wait_said(usize::try_from(round).unwrap() + 1, "vanished");
        } else {
            publisher.unpublish("cam");
        }
    }
    let tags = playing.finish_flv();
    assert_grows("the player", &tags, 11_000);
    server.stop();
}

/// Sequence headers, sound and pictures of a file.
fn media(path: &Path) -> Vec<Tag> {
    let mut tags = flv::read(path).unwrap();
    tags.retain(|tag| tag.kind != flv::SCRIPT);
    tags
}

#[test]
fn four_thousand_players_stay_through_a_takeover() {
    let server = Server::start(&["--play-wait", "60"]);
    let tags = media(&Sample::Tiny.path());
    let mut first = RawPeer::publish(server.port, "live", "cam");
    first.send_tags(&tags);
    let mut players: Vec<RawPeer> = (0..4000)
        .map(|_| RawPeer::play(server.port, "live", "cam"))
        .collect();
    server.process.wait_said(4000, ": plays live/cam");
    let mut second = RawPeer::publish(server.port, "live", "cam");
    second.send_tags(&tags);
    second.unpublish("cam");
    for player in &mut players {
        player.wait_for(b"NetStream.Play.UnpublishNotify");
    }
    drop(players);
    drop(first);
    std::thread::sleep(Duration::from_millis(100));
    let said = server.stop().stderr.join("\n");
    assert!(!said.contains("(left)"), "a player left before the end");
}
