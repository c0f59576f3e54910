//! Our two clients against a server that we did not write, nginx-rtmp; and that server as a relay
//! of awkward cameras, to our server and from it.

use crate::simulate;
use crate::support::flv;
use crate::support::media::Sample;
use crate::support::nginx::Nginx;
use crate::support::packets::{Tolerance, assert_same, packets};
use crate::support::peers::{Player, Playing, Publisher};
use crate::support::server::{Server, wait_for_connections};
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

/// Cameras that nginx takes, with something in their media that we put right, or in their chunks
/// and clocks that it passes on in its own way.
const CAMERAS: &[&str] = &[
    "annexb",
    "adts",
    "no-avc-header",
    "dji-osmo",
    "dji-fly",
    "empty-aac",
    "clock-jumps",
    "obs-multitrack",
];

/// nginx joins and leaves where it likes: one group of pictures may be missing.
const PICTURES_MIN: usize = 51;

/// Films with each camera at once, from `here` to a player at `there`, which `waits` for it.
fn film(here: &dyn Fn(&str) -> String, there: &dyn Fn(&str) -> String, waits: &dyn Fn(usize)) {
    let dir = TempDir::new();
    let playing: Vec<Playing> = CAMERAS
        .iter()
        .map(|camera| {
            let folder = dir.join(camera);
            std::fs::create_dir(&folder).unwrap();
            Player::Pull.start(&there(camera), &folder)
        })
        .collect();
    waits(CAMERAS.len());
    let cameras: Vec<_> = CAMERAS
        .iter()
        .map(|camera| simulate::simulate(&here(camera), camera, "3"))
        .collect();
    for camera in cameras {
        camera.succeed();
    }
    for (camera, playing) in CAMERAS.iter().zip(playing) {
        let file = playing.file.clone();
        let tags: Vec<flv::Tag> = playing.finish_flv();
        simulate::check_tags(camera, &tags);
        let pictures = simulate::decode(&file, "0:v");
        assert!(pictures >= PICTURES_MIN, "{camera}: {pictures} pictures");
        assert!(simulate::decode(&file, "0:a") > 0, "{camera}");
    }
}

#[test]
fn cameras_reach_us_through_nginx() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "0.3"]);
    let nginx = Nginx::relaying(&format!("push rtmp://127.0.0.1:{}/live;", server.port));
    film(
        &|camera| nginx.url(camera),
        &|camera| server.url(&format!("live/{camera}")),
        &|count| server.wait_for_waiting(count),
    );
    drop(nginx.process);
}

#[test]
fn cameras_reach_players_of_nginx_through_us() {
    let server = Server::start(&["--play-wait", "60", "--publisher-grace", "0.3"]);
    let nginx = Nginx::relaying(&format!("pull rtmp://127.0.0.1:{}/live;", server.port));
    film(
        &|camera| server.url(&format!("live/{camera}")),
        &|camera| nginx.url(camera),
        &|count| server.wait_for_waiting(count),
    );
    drop(nginx.process);
}
