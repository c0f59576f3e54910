//! `serve --trace`: the log tells the conversations of those who match, and of nobody else.

use std::io::Write;

use crate::support::media::Sample;
use crate::support::peers::{Player, Publisher};
use crate::support::raw::RawPeer;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// The story of ffmpeg, who pushes, and of a player, to the end.
#[test]
fn the_log_tells_the_story_of_a_publisher_and_its_player() {
    let dir = TempDir::new();
    let server = Server::start(&["--trace", "live/*"]);
    let url = server.url("live/cam?token=SECRET");
    let player = Player::Pull.start(&server.url("live/cam"), dir.path());
    let publisher = Publisher::Ffmpeg.start(&Sample::BFrames.path(), &url);
    publisher.succeed();
    player.process.succeed();
    for line in [
        " s peer: C0, C1: handshake, with a digest",
        " s peer: connect, app \"live\", tcUrl \"rtmp://127.0.0.1:",
        " s we: yes to createStream: stream 1",
        " s peer: publish \"cam?…\", as live",
        " s we: onStatus NetStream.Publish.Start (publishing)",
        " s peer: metadata: 320x180, 25 frames/s, H.264, AAC, 44100 Hz, by Lavf",
        " s peer: 1st video: H.264 sequence header, High 1.2, 320x180",
        " s peer: 1st audio: AAC sequence header, LC, 44100 Hz, mono",
        " s peer: FCUnpublish \"cam?…\"",
        "verdict: handshake fine; connect fine; publish fine; media fine: ",
        " s peer: play \"cam\"",
        " s we: media, not told message by message",
        "verdict: handshake fine; connect fine; play fine; media fine: ",
    ] {
        server.process.wait_said(1, line);
    }
    let finished = server.stop();
    let said = finished.stderr.join("\n");
    assert!(!said.contains("SECRET"), "{said}");
}

#[test]
fn who_does_not_match_is_not_told_of() {
    let server = Server::start(&["--trace", "live/door,192.0.2.*", "--play-wait", "0"]);
    let other = RawPeer::publish(server.port, "live", "cam");
    other.unpublish("cam");
    let mut player = RawPeer::play(server.port, "live", "door");
    player.wait_closed();
    drop(player);
    // Refused, with what was held back until its name was known.
    for line in [
        "0.000 s peer: C0, C1: handshake, simple",
        " s peer: play \"door\"",
        " s we: onStatus error NetStream.Play.StreamNotFound (nobody publishes live/door)",
        "verdict: handshake fine; connect fine; play refused: NetStream.Play.StreamNotFound \
         (nobody publishes live/door); nobody publishes it: check app and key",
    ] {
        server.process.wait_said(1, line);
    }
    let said = server.stop().stderr;
    let told = said.iter().filter(|line| line.contains("C0, C1"));
    assert_eq!(told.count(), 1, "{said:#?}");
}

#[test]
fn by_its_address_even_who_names_nothing_is_told_of() {
    let server = Server::start(&["--trace", "127.0.0.*"]);
    let mut browser = RawPeer::connect(server.port);
    browser.socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    browser.wait_closed();
    let mut scan = RawPeer::connect(server.port);
    scan.handshake();
    drop(scan);
    for line in [
        " s peer: no RTMP: this is HTTP",
        " s we close the connection: not RTMP: this is HTTP",
        "verdict: handshake failed: this is HTTP; ",
        "verdict: handshake fine; connect never came; ",
    ] {
        server.process.wait_said(1, line);
    }
    server.stop();
}
