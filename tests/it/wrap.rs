//! Timestamps at the edges: where 24 bits end, where 32 bits end, and hours of stream time.

use std::path::Path;

use crate::support::flv::{self, Tag};
use crate::support::media::Sample;
use crate::support::packets::{Packet, Tolerance, assert_same, packets};
use crate::support::peers::{Player, Playing};
use crate::support::process::Process;
use crate::support::raw::{RawPeer, shifted};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

const SERVER: [&str; 2] = ["--play-wait", "60"];

/// Players that end by themselves and write whole files.
const PLAYERS: [Player; 3] = [Player::Ffmpeg, Player::Rtmpdump, Player::Pull];

#[track_caller]
fn start_players(server: &Server, url: &str, folder: &Path) -> Vec<Playing> {
    let players: Vec<Playing> = PLAYERS
        .iter()
        .map(|player| player.start(url, folder))
        .collect();
    server.wait_for_waiting(players.len());
    players
}

/// Sends batch by batch, each when the players have taken the one before. A player begins at the
/// keyframe that is the latest when it is first served, and one that falls behind skips: both are
/// right for live video and not what is tested here.
#[track_caller]
fn send_steadily(server: &Server, publisher: &mut RawPeer, tags: &[Tag], batch_tags: usize) {
    for batch in tags.chunks(batch_tags) {
        publisher.send_tags(batch);
        server.wait_drained(publisher);
    }
}

/// Every player got every packet at the distances of `sent`, from near 0 on.
#[track_caller]
fn assert_all_arrived(what: &str, sent: &[Packet], players: Vec<Playing>) {
    for playing in players {
        let what = format!("{what} to {:?}", playing.player);
        let (_, got) = playing.finish();
        assert_same(&what, sent, &got, Tolerance::default());
        let first = got.iter().map(|p| p.dts_ms).min().unwrap();
        assert!((0..1000).contains(&first), "{what}: starts at {first} ms");
    }
}

/// A publisher whose clock stands at `start` when it begins.
#[track_caller]
fn publish_from(start: u32) {
    let server = Server::start(&SERVER);
    let dir = TempDir::new();
    let players = start_players(&server, &server.url("live/cam"), dir.path());
    let input = Sample::BFrames.path();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    send_steadily(
        &server,
        &mut publisher,
        &shifted(&flv::read(&input).unwrap(), start),
        20,
    );
    publisher.unpublish("cam");
    assert_all_arrived(&format!("from {start}"), &packets(&input), players);
    server.stop();
}

#[test]
fn starts_just_below_24_bits() {
    publish_from(16_777_000);
}

#[test]
fn starts_just_below_32_bits() {
    publish_from(4_294_960_000);
    // The sample lasts four seconds: this one wraps in the middle of it.
    publish_from(u32::MAX - 2000);
}

#[test]
fn starts_beyond_31_bits() {
    publish_from(0x8000_0000 - 1000);
}

/// The same by a real encoder's own chunking.
#[test]
fn ffmpeg_starts_just_below_24_bits() {
    let server = Server::start(&SERVER);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let players = start_players(&server, &url, dir.path());
    let input = Sample::BFrames.path();
    let path = input.to_str().unwrap();
    let arguments = [
        "-nostdin",
        "-re",
        "-i",
        path,
        "-c",
        "copy",
        "-output_ts_offset",
        "16777",
        "-f",
        "flv",
        &url,
    ];
    Process::start("ffmpeg", "ffmpeg", arguments).succeed();
    assert_all_arrived("ffmpeg from 16777 s", &packets(&input), players);
    server.stop();
}

/// Five hours of stream time, ten frames a second, as fast as the players take them.
#[test]
fn five_hours_of_stream_time() {
    const FRAME_MS: u32 = 100;
    const FRAMES: u32 = 5 * 3600 * 1000 / FRAME_MS;
    /// Four seconds; ten are as far as a player may fall behind.
    const BATCH_FRAMES: u32 = 40;

    // One worker serves all players in the same turn, so that what one has got is on its way to
    // the others too, and `wait_drained` sees the rest of it.
    let server = Server::start(&["--play-wait", "60", "--workers", "1"]);
    let dir = TempDir::new();
    let players = start_players(&server, &server.url("live/cam"), dir.path());
    let mut watcher = RawPeer::play(server.port, "live", "cam");
    server.wait_for_waiting(players.len() + 1);
    let (headers, video, audio) = tiny_frames();
    let mut publisher = RawPeer::publish(server.port, "live", "cam");
    let mut tags = headers;
    let mut sent_tags = 0;
    for number in 0..FRAMES {
        let index = number as usize;
        for tag in [&video[index % video.len()], &audio[index % audio.len()]] {
            let mut tag = tag.clone();
            tag.timestamp = number * FRAME_MS;
            if tag.kind == flv::VIDEO {
                mark(&mut tag, number);
            }
            tags.push(tag);
        }
        if (number + 1) % BATCH_FRAMES == 0 {
            publisher.send_tags(&tags[sent_tags..]);
            sent_tags = tags.len();
            watcher.wait_for(marker(number).as_bytes());
            watcher.acknowledge();
            server.wait_drained(&mut publisher);
        }
    }
    publisher.unpublish("cam");
    let input = dir.join("sent.flv");
    flv::write(&input, &tags);
    let sent = packets(&input);
    assert_eq!(sent.len(), 2 * FRAMES as usize);
    assert_all_arrived("five hours", &sent, players);
    drop(watcher);
    server.stop();
}

/// Sequence headers, video frames and audio frames of a sample with very small ones.
fn tiny_frames() -> (Vec<Tag>, Vec<Tag>, Vec<Tag>) {
    let mut tags = flv::read(&Sample::Tiny.path()).unwrap();
    // Neither metadata nor ffmpeg's mark at the end.
    tags.retain(|tag| tag.is_sequence_header() || (tag.kind != flv::SCRIPT && tag.body[1] == 1));
    let (headers, media): (Vec<Tag>, Vec<Tag>) =
        tags.into_iter().partition(Tag::is_sequence_header);
    let (video, audio) = media.into_iter().partition(|tag| tag.kind == flv::VIDEO);
    (headers, video, audio)
}

/// Makes a frame unlike all others: by a NAL unit of filler data, which nobody decodes.
fn mark(tag: &mut Tag, number: u32) {
    let marker = marker(number);
    let length = u32::try_from(1 + marker.len()).unwrap();
    tag.body.extend_from_slice(&length.to_be_bytes());
    tag.body.push(12);
    tag.body.extend_from_slice(marker.as_bytes());
}

fn marker(number: u32) -> String {
    format!("<frame {number}>")
}
