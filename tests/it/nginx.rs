//! Our two clients against a server that we did not write: nginx-rtmp.

use crate::support::media::Sample;
use crate::support::nginx::Nginx;
use crate::support::packets::{Tolerance, assert_same, packets};
use crate::support::peers::{Player, Playing, Publisher};
use crate::support::server::wait_for_connections;
use crate::support::tempdir::TempDir;

#[track_caller]
fn through_nginx(publisher: Publisher, sample: Sample, players: &[Player]) {
    let nginx = Nginx::start();
    let url = nginx.url("cam");
    let dir = TempDir::new();
    // The connection that found out whether nginx listens is gone by then.
    wait_for_connections(nginx.port, 0);
    let players: Vec<Playing> = players
        .iter()
        .map(|player| player.start(&url, dir.path()))
        .collect();
    wait_for_connections(nginx.port, players.len());
    publisher.start(&sample.path(), &url).succeed();

    let sent = packets(&sample.path());
    for playing in players {
        let what = format!("{publisher:?} through nginx to {:?}", playing.player);
        let (_, got) = playing.finish();
        // Players may have been a moment too late for the first keyframe; nginx itself drops
        // what it has not sent to a player when the publisher leaves.
        let tolerance = Tolerance {
            late_join: true,
            tail_packets: 4,
            ..Tolerance::default()
        };
        assert_same(&what, &sent, &got, tolerance);
    }
    drop(nginx.process);
}

#[test]
fn push_to_ffmpeg_rtmpdump_and_pull() {
    through_nginx(
        Publisher::Push,
        Sample::BFrames,
        &[Player::Ffmpeg, Player::Rtmpdump, Player::Pull],
    );
}

#[test]
fn ffmpeg_to_pull() {
    through_nginx(Publisher::Ffmpeg, Sample::BFrames, &[Player::Pull]);
}

#[test]
fn gstreamer_to_pull() {
    through_nginx(Publisher::GstRtmp2Sink, Sample::Plain, &[Player::Pull]);
}
