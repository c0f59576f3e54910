//! Publishers that send as fast as they can: who waited for them misses nothing, and who lags
//! when they leave is still sent the rest.

use std::time::{Duration, Instant};

use crate::support::flv::{self, Tag, VIDEO};
use crate::support::media::Sample;
use crate::support::packets::packets;
use crate::support::process::Process;
use crate::support::raw::RawPeer;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// Two workers, so that some of the players are fed by the publisher's worker and some by the
/// other one.
const SERVER: [&str; 4] = ["--play-wait", "60", "--workers", "2"];

/// Bytes of one picture: many of them are more than two kernels hold for a connection.
const PICTURE_BYTES: usize = 200_000;

#[test]
fn players_that_waited_get_every_frame_of_a_burst() {
    let server = Server::start(&SERVER);
    let dir = TempDir::new();
    let input = Sample::BFrames.path();
    let sent = packets(&input);
    for round in 0..3 {
        let url = server.url(&format!("live/{round}"));
        let pulls: Vec<_> = (0..4)
            .map(|number| {
                let file = dir.join(&format!("{round}-{number}.flv"));
                let path = file.to_str().unwrap();
                (Process::millstream("pull", ["pull", &url, path]), file)
            })
            .collect();
        server.wait_for_waiting(4 * (round + 1));
        let path = input.to_str().unwrap();
        let push = ["push", "--no-pace", path, &url];
        Process::millstream("push", push).succeed();
        for (pull, file) in pulls {
            pull.succeed();
            let got = packets(&file);
            assert_eq!(got.len(), sent.len(), "{}", file.display());
            assert!(got == sent, "{}", file.display());
        }
    }
    server.stop();
}

/// Sound alone, and sound that comes half a second before the first picture.
#[test]
fn players_that_waited_get_the_first_sound() {
    let server = Server::start(&SERVER);
    let dir = TempDir::new();
    let tags = flv::read(&Sample::Plain.path()).unwrap();
    let is_missed = |tag: &Tag| {
        let start = if tag.kind == VIDEO { 1000 } else { 500 };
        tag.timestamp < start && !tag.is_sequence_header()
    };
    let late_picture: Vec<Tag> = tags.iter().filter(|tag| !is_missed(tag)).cloned().collect();
    let sound: Vec<Tag> = tags
        .iter()
        .filter(|tag| tag.kind != VIDEO)
        .cloned()
        .collect();
    for (key, tags) in [("late", late_picture), ("sound", sound)] {
        let url = server.url(&format!("live/{key}"));
        let pulls = [0, 1].map(|number| {
            let file = dir.join(&format!("{key}-{number}.flv"));
            let path = file.to_str().unwrap();
            (Process::millstream("pull", ["pull", &url, path]), file)
        });
        server.wait_for_waiting(if key == "late" { 2 } else { 4 });
        let mut publisher = RawPeer::publish(server.port, "live", key);
        publisher.send_tags(&tags);
        publisher.unpublish(key);
        for (pull, file) in pulls {
            pull.succeed();
            let got = flv::read(&file).unwrap();
            for kind in [VIDEO, flv::AUDIO] {
                let bodies = |tags: &[Tag]| -> Vec<Vec<u8>> {
                    let of_kind = tags.iter().filter(|tag| tag.kind == kind);
                    of_kind.map(|tag| tag.body.clone()).collect()
                };
                assert_eq!(
                    bodies(&got).len(),
                    bodies(&tags).len(),
                    "{key}, kind {kind}"
                );
                assert!(bodies(&got) == bodies(&tags), "{key}, kind {kind}");
            }
        }
    }
    server.stop();
}

/// Two players that have not read a byte when the publisher says goodbye: one on each worker.
#[test]
fn players_that_lag_at_the_end_are_sent_the_rest() {
    const PICTURES: u32 = 40;
    let server = Server::start(&SERVER);
    let players: Vec<RawPeer> = (0..4)
        .map(|_| RawPeer::play(server.port, "live", "cam"))
        .collect();
    server.wait_for_waiting(players.len());
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    for number in 0..PICTURES {
        publisher.send_tag(&picture(number));
    }
    publisher.unpublish("cam");
    server.process.wait_said(1, "ended live/cam");
    // The name is free again, and a new live stream under it is none of their business.
    let next = RawPeer::publish(server.port, "live", "cam");
    for mut player in players {
        for number in 0..PICTURES {
            player.wait_for(marker(number).as_bytes());
        }
        player.wait_for(b"NetStream.Play.UnpublishNotify");
    }
    next.unpublish("cam");
    server.stop();
}

/// A player that never reads keeps nobody: the rest is dropped with its connection, and the server
/// ends in time.
#[test]
fn a_player_that_never_reads_the_rest_is_closed() {
    let server = Server::start(&SERVER);
    let player = RawPeer::play(server.port, "live", "cam");
    server.wait_for_waiting(1);
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    for number in 0..40 {
        publisher.send_tag(&picture(number));
    }
    publisher.unpublish("cam");
    server.process.wait_said(1, "closed: took nothing for");
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(3));
    drop(player);
}

/// A keyframe with its number at its end, 100 ms behind the one before.
fn picture(number: u32) -> Tag {
    let mut body = vec![0x17, 1, 0, 0, 0];
    body.resize(PICTURE_BYTES, 0);
    body.extend_from_slice(marker(number).as_bytes());
    Tag {
        kind: VIDEO,
        timestamp: number * 100,
        body,
    }
}

fn marker(number: u32) -> String {
    format!("<picture {number}>")
}
