//! Every publisher with every player, through our server: frames and times come through unchanged.

use crate::support::flv;
use crate::support::media::Sample;
use crate::support::packets::{Tolerance, assert_same, packets};
use crate::support::peers::{Player, Playing, Publisher};
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// One publisher, all players at once. The players come first and wait for the stream, so that
/// each of them has to get every packet.
#[track_caller]
fn publisher_meets_every_player(publisher: Publisher, sample: Sample) {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let players: Vec<Playing> = Player::ALL
        .iter()
        .map(|player| player.start(&url, dir.path()))
        .collect();
    server.wait_for_waiting(players.len());
    publisher.start(&sample.path(), &url).succeed();

    let sent = packets(&sample.path());
    for playing in players {
        let what = format!("{publisher:?} to {:?}", playing.player);
        let is_flv_whole = playing.player != Player::GstRtmp2Src;
        let tolerance = Tolerance {
            // rtmp2src drops what it has not handed on when the server says that it is over, and
            // rtmp2sink may leave its last message unsent.
            tail_packets: match (publisher, playing.player) {
                (Publisher::GstRtmp2Sink, _) | (_, Player::GstRtmp2Src) => 2,
                _ => 0,
            },
            ..Tolerance::default()
        };
        let file = playing.file.clone();
        let (_, got) = playing.finish();
        assert_same(&what, &sent, &got, tolerance);
        if is_flv_whole {
            flv::read(&file).unwrap_or_else(|e| panic!("{what}: {e}"));
        }
    }
    server.wait_for_connections(0);
    server.stop();
}

#[test]
fn ffmpeg() {
    publisher_meets_every_player(Publisher::Ffmpeg, Sample::BFrames);
}

/// Without B-frames, whose composition times GStreamer's muxer changes by itself.
#[test]
fn gstreamer_rtmp2sink() {
    publisher_meets_every_player(Publisher::GstRtmp2Sink, Sample::Plain);
}

#[test]
fn gstreamer_rtmpsink() {
    publisher_meets_every_player(Publisher::GstRtmpSink, Sample::Plain);
}

#[test]
fn push() {
    publisher_meets_every_player(Publisher::Push, Sample::BFrames);
}

/// Whoever comes late starts at a keyframe and misses nothing from there on.
#[test]
fn late_players_start_at_a_keyframe() {
    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let early_dir = TempDir::new();
    let early = Player::Ffmpeg.start(&url, early_dir.path());
    server.wait_for_waiting(1);
    let publisher = Publisher::Ffmpeg.start(&Sample::BFrames.path(), &url);
    // Well behind the first keyframe, well before the last one.
    early.wait_written(50_000);
    let players: Vec<Playing> = Player::ALL
        .iter()
        .map(|player| player.start(&url, dir.path()))
        .collect();
    publisher.succeed();

    let sent = packets(&Sample::BFrames.path());
    let tolerance = Tolerance {
        late_join: true,
        ..Tolerance::default()
    };
    let (_, got) = early.finish();
    assert_same("the early player", &sent, &got, Tolerance::default());
    for playing in players {
        let what = format!("late {:?}", playing.player);
        let tolerance = Tolerance {
            tail_packets: if playing.player == Player::GstRtmp2Src {
                2
            } else {
                0
            },
            ..tolerance
        };
        let (_, got) = playing.finish();
        assert_same(&what, &sent, &got, tolerance);
        // Each player starts near 0, however long the stream has run.
        let first = got.iter().map(|p| p.dts_ms).min().unwrap();
        assert!((0..1000).contains(&first), "{what} starts at {first} ms");
    }
    server.stop();
}

/// Our two clients, both containers, all codecs: what pull writes is what push read.
#[track_caller]
fn push_to_pull(sample: Sample, output: &str, rounding_ms: i64) {
    use crate::support::process::Process;

    let server = Server::start(&["--play-wait", "60"]);
    let url = server.url("live/cam");
    let dir = TempDir::new();
    let file = dir.join(output);
    let pull = Process::millstream("pull", ["pull", "-v", &url, file.to_str().unwrap()]);
    server.wait_for_waiting(1);
    let input = sample.path();
    Process::millstream("push", ["push", "-v", input.to_str().unwrap(), &url]).succeed();
    pull.succeed();
    let tolerance = Tolerance {
        rounding_ms,
        ..Tolerance::default()
    };
    let what = format!("{sample:?} to {output}");
    assert_same(&what, &packets(&input), &packets(&file), tolerance);
    server.stop();
}

#[test]
fn push_mp4_pull_flv() {
    // MP4 counts in other ticks than milliseconds.
    push_to_pull(Sample::Mp4, "out.flv", 1);
}

#[test]
fn push_flv_pull_mp4() {
    push_to_pull(Sample::BFrames, "out.mp4", 1);
}

#[test]
fn push_mp4_pull_mp4() {
    push_to_pull(Sample::Mp4, "out.mp4", 2);
}

#[test]
fn push_hevc_pull_mp4() {
    push_to_pull(Sample::HevcMp4, "out.mp4", 2);
}
