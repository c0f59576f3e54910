//! A server that is going down sends its clients elsewhere (Enhanced RTMP, ReconnectRequest): push
//! and pull go there, and nothing of the stream is lost. Ours does so with `--drain-to`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millstream::media::flv::is_video_sequence_header;
use millstream::rtmp::MediaKind;
use millstream::rtmp::session::{ServerConfig, ServerEvent, ServerSession};

use crate::support::flv;
use crate::support::media::Sample;
use crate::support::peers::Player;
use crate::support::process::Process;
use crate::support::server::Server;
use crate::support::tempdir::TempDir;

/// Frames after which a publisher is sent elsewhere: in the middle of the second group of pictures.
const VIDEO_BEFORE: usize = 35;

/// What the server that is going down has seen of its one client.
struct Seen {
    declares_reconnect: bool,
    video_frames: usize,
    has_said_goodbye: bool,
}

/// Accepts one connection and whatever it asks for, and sends it to `tc_url`.
fn going_down(tc_url: String) -> (u16, JoinHandle<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (socket, _) = listener.accept().unwrap();
        serve(socket, &tc_url)
    };
    (port, std::thread::spawn(serve))
}

fn serve(mut socket: TcpStream, tc_url: &str) -> Seen {
    let mut session = ServerSession::new(ServerConfig::default(), 1, Instant::now());
    let mut seen = Seen {
        declares_reconnect: false,
        video_frames: 0,
        has_said_goodbye: false,
    };
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        let now = Instant::now();
        session.handle_input(now, &buffer[..count]).unwrap();
        while let Some(event) = session.poll_event() {
            match event {
                ServerEvent::Connect(request) => {
                    seen.declares_reconnect = request.capabilities.reconnect;
                    session.accept_connect();
                }
                ServerEvent::Publish { msid, .. } => session.accept_publish(now, msid),
                ServerEvent::Play { msid, .. } => {
                    session.accept_play(now, msid);
                    assert!(session.request_reconnect(Some(tc_url), "going down"));
                }
                ServerEvent::Media {
                    kind: MediaKind::Video,
                    payload,
                    ..
                } if !is_video_sequence_header(payload.as_slice()) => {
                    seen.video_frames += 1;
                    if seen.video_frames == VIDEO_BEFORE {
                        assert!(session.request_reconnect(Some(tc_url), "going down"));
                    }
                }
                ServerEvent::Unpublished(_) | ServerEvent::PlayStopped(_) => {
                    seen.has_said_goodbye = true;
                }
                _ => {}
            }
        }
        while let Some(output) = session.poll_output() {
            // Who has left does not read it.
            socket.write_all(&output).ok();
        }
    }
    seen
}

fn video_frames(tags: &[flv::Tag]) -> Vec<&flv::Tag> {
    let frames = tags
        .iter()
        .filter(|tag| tag.kind == flv::VIDEO && !tag.is_sequence_header());
    frames.collect()
}

#[test]
fn a_publisher_goes_on_elsewhere_with_its_next_keyframe() {
    let server = Server::start(&["--play-wait", "60"]);
    let dir = TempDir::new();
    let file = dir.join("out.flv");
    let pull = Process::millstream(
        "pull",
        ["pull", &server.url("live/cam"), file.to_str().unwrap()],
    );
    server.wait_for_waiting(1);
    let (port, old) = going_down(server.url("live"));
    let sample = Sample::BFrames.path();
    let url = format!("rtmp://127.0.0.1:{port}/live/cam");
    let push = Process::millstream("push", ["push", "-v", sample.to_str().unwrap(), &url]);
    let pushed = push.succeed();
    let seen = old.join().unwrap();
    assert!(seen.declares_reconnect && seen.has_said_goodbye);
    let said = pushed.stderr.join("\n");
    assert!(said.contains("the server asks to connect anew"), "{said}");

    pull.succeed();
    let (sent, received) = (flv::read(&sample).unwrap(), flv::read(&file).unwrap());
    let (sent, received) = (video_frames(&sent), video_frames(&received));
    assert!(received[0].is_keyframe());
    assert!(seen.video_frames > VIDEO_BEFORE);
    assert_eq!(seen.video_frames + received.len(), sent.len());
    for (before, after) in sent[seen.video_frames..].iter().zip(&received) {
        assert_eq!(before.body, after.body);
    }
    server.stop();
}

/// Our own server as the one that is going down, with a player that cannot be sent anywhere.
#[test]
fn a_server_that_stops_sends_on_whoever_understands() {
    let next = Server::start(&["--play-wait", "60"]);
    let to = format!("rtmp://127.0.0.1:{}", next.port);
    let old = Server::start(&["--play-wait", "60", "--drain-to", &to]);
    let dir = TempDir::new();
    let file = dir.join("out.flv");
    let url = old.url("live/cam?token=1");
    let pull = Process::millstream("pull", ["pull", &url, file.to_str().unwrap()]);
    let dump = Player::Rtmpdump.start(&old.url("live/cam"), dir.path());
    old.wait_for_waiting(2);
    let sample = Sample::BFrames.path();
    let push = Process::millstream("push", ["push", "-v", sample.to_str().unwrap(), &url]);
    old.process.wait_said(2, ": plays live/cam");
    std::thread::sleep(Duration::from_millis(700));
    let stopped = old.stop();
    let sent_on = stopped.stderr.iter();
    assert_eq!(
        sent_on
            .filter(|line| line.contains(": is sent to rtmp://"))
            .count(),
        2
    );
    assert!(dump.finish_flv().iter().any(flv::Tag::is_keyframe));

    push.succeed();
    pull.succeed();
    let (sent, received) = (flv::read(&sample).unwrap(), flv::read(&file).unwrap());
    let (sent, received) = (video_frames(&sent), video_frames(&received));
    let last = received.last().unwrap();
    assert_eq!(sent.last().unwrap().body, last.body);
    next.stop();
}

#[test]
fn a_player_goes_on_elsewhere() {
    let server = Server::start(&["--play-wait", "60"]);
    let (port, old) = going_down(server.url("live"));
    let dir = TempDir::new();
    let file = dir.join("out.flv");
    let url = format!("rtmp://127.0.0.1:{port}/live/cam");
    let pull = Process::millstream("pull", ["pull", "-v", &url, file.to_str().unwrap()]);
    server.wait_for_waiting(1);
    let seen = old.join().unwrap();
    assert!(seen.declares_reconnect && seen.has_said_goodbye);
    let sample = Sample::BFrames.path();
    let url = server.url("live/cam");
    let push = Process::millstream("push", ["push", sample.to_str().unwrap(), &url]);
    push.succeed();
    let pulled = pull.succeed();
    let said = pulled.stderr.join("\n");
    assert!(said.contains("the server asks to connect anew"), "{said}");
    let (sent, received) = (flv::read(&sample).unwrap(), flv::read(&file).unwrap());
    assert_eq!(video_frames(&sent).len(), video_frames(&received).len());
    server.stop();
}
