//! Timers and acknowledgements.

use std::time::Duration;

use super::{CAM, METADATA};
use crate::rtmp::message::MessageType;
use crate::rtmp::session::testing::{Subject, handshake_bytes};
use crate::rtmp::session::{Refusal, ServerConfig, SessionError, TimerKind};

const SECOND: Duration = Duration::from_secs(1);

#[track_caller]
fn assert_times_out(subject: &mut Subject, after: u32, kind: TimerKind) {
    assert_eq!(subject.wait(SECOND * (after - 1)), Ok(()), "too early");
    assert_eq!(
        subject.session.poll_timeout(),
        Some(subject.now + SECOND),
        "the timer that poll_timeout announces"
    );
    assert_eq!(subject.wait(SECOND), Err(SessionError::Timeout(kind)));
}

/// A byte of a message that is not complete: a sign of life and no more.
fn keep_alive(subject: &mut Subject, seconds: u32) {
    let mut ping = vec![2, 0, 0, 0, 0, 0, 0xFF, 8, 0, 0, 0, 0];
    ping.extend([0; 100]);
    for byte in ping.iter().take(seconds.try_into().unwrap()) {
        subject.feed(&[*byte]).unwrap();
        subject.wait(SECOND).unwrap();
    }
}

#[test]
fn the_handshake_has_10_seconds() {
    let mut subject = Subject::new(ServerConfig::default());
    assert_times_out(&mut subject, 10, TimerKind::Handshake);
    let mut subject = Subject::new(ServerConfig::default());
    subject.wait(5 * SECOND).unwrap();
    let bytes = handshake_bytes();
    subject.feed(&bytes[..3000]).unwrap();
    assert_times_out(&mut subject, 5, TimerKind::Handshake);
}

#[test]
fn a_client_that_asks_for_nothing_is_given_20_seconds() {
    let mut subject = Subject::handshaken();
    keep_alive(&mut subject, 18);
    assert_times_out(&mut subject, 2, TimerKind::Request);
    let mut subject = Subject::connected();
    keep_alive(&mut subject, 18);
    assert_times_out(&mut subject, 2, TimerKind::Request);
    // The clock stands still while the answer is ours to give, and starts anew afterwards.
    let mut subject = Subject::connected();
    subject.accepting = false;
    subject.call(4, 1, "publish", 3.0, CAM);
    keep_alive(&mut subject, 60);
    let msid = crate::rtmp::chunk::MessageStreamId(1);
    let refusal = Refusal {
        code: "NetStream.Publish.BadName",
        description: String::new(),
    };
    subject.session.reject_publish(msid, &refusal);
    let deadline = subject.session.poll_timeout().unwrap();
    assert!(deadline <= subject.now + 20 * SECOND);
    keep_alive(&mut subject, 18);
    assert_times_out(&mut subject, 2, TimerKind::Request);
}

#[test]
fn the_request_clock_starts_again_when_the_last_stream_ends() {
    let mut subject = Subject::playing();
    keep_alive(&mut subject, 90);
    let mut subject = Subject::playing();
    subject.call(8, 1, "closeStream", 0.0, &[]);
    keep_alive(&mut subject, 18);
    assert_times_out(&mut subject, 2, TimerKind::Request);
}

#[test]
fn a_publisher_owes_media() {
    let mut subject = Subject::publishing();
    keep_alive(&mut subject, 28);
    assert_times_out(&mut subject, 2, TimerKind::FirstMedia);
    // Metadata is none.
    let mut subject = Subject::publishing();
    subject.message(4, 1, MessageType::DATA_AMF0, METADATA);
    keep_alive(&mut subject, 28);
    assert_times_out(&mut subject, 2, TimerKind::FirstMedia);
    // Silence is.
    let mut subject = Subject::publishing();
    subject.message(4, 1, MessageType::AUDIO, &[]);
    keep_alive(&mut subject, 18);
    assert_times_out(&mut subject, 2, TimerKind::MediaIdle);
    // Who said goodbye owes none.
    let mut subject = Subject::publishing();
    subject.message(4, 1, MessageType::AUDIO, &[0xAF, 1]);
    subject.wait(15 * SECOND).unwrap();
    subject.call(3, 0, "FCUnpublish", 6.0, CAM);
    keep_alive(&mut subject, 18);
    assert_times_out(&mut subject, 2, TimerKind::Request);
}

#[test]
fn a_silent_peer_is_pinged_then_given_up() {
    let mut subject = Subject::playing();
    subject.wait(14 * SECOND).unwrap();
    assert!(subject.replies().is_empty());
    subject.wait(SECOND).unwrap();
    assert_eq!(subject.replies(), ["PingRequest(0)"]);
    assert_times_out(&mut subject, 15, TimerKind::Ping);
    // Any byte is a sign of life; the answer to the ping is not asked for.
    let mut subject = Subject::playing();
    for _ in 0..5 {
        subject.wait(15 * SECOND).unwrap();
        assert_eq!(subject.replies(), ["PingRequest(0)"]);
        subject.wait(14 * SECOND).unwrap();
        let user_control_of_one_byte = [2, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0];
        subject.feed(&user_control_of_one_byte).unwrap();
    }
}

#[test]
fn full_windows_are_acknowledged_with_their_count() {
    let mut subject = Subject::publishing();
    let window = 40_000_u32.to_be_bytes();
    subject.message(2, 0, MessageType::WINDOW_ACK_SIZE, &window);
    let video = [0x27; 50_000];
    let replies = subject.message(6, 1, MessageType::VIDEO, &video);
    assert_eq!(replies, ["Acknowledgement(40000)"]);
    let replies = subject.message(6, 1, MessageType::VIDEO, &video);
    assert_eq!(replies, ["Acknowledgement(80000)"]);
    // Tiny windows are raised to 32 KiB; what is overdue is acknowledged once.
    let tiny = 1_u32.to_be_bytes();
    subject.message(2, 0, MessageType::WINDOW_ACK_SIZE, &tiny);
    let replies = subject.message(6, 1, MessageType::VIDEO, &video);
    assert!((1..=2).contains(&replies.len()), "{replies:?}");
    // 0: none at all.
    let none = 0_u32.to_be_bytes();
    subject.message(2, 0, MessageType::WINDOW_ACK_SIZE, &none);
    for _ in 0..3 {
        assert!(subject.message(6, 1, MessageType::VIDEO, &video).is_empty());
    }
    let replies = subject.message(2, 0, MessageType::WINDOW_ACK_SIZE, &tiny);
    assert_eq!(replies.len(), 1, "{replies:?}");
}
