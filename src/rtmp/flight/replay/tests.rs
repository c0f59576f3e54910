//! Conversations of two sessions, recorded and led again.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::rtmp::MediaKind;
use crate::rtmp::chunk::ChunkDecoder;
use crate::rtmp::chunk::ChunkError;
use crate::rtmp::flight::{Direction, Extent, Facts, Resume};
use crate::rtmp::handshake::{Guess, HandshakeError};
use crate::rtmp::session::{ClientConfig, ClientRole, ClientSession, SessionLimits, TimerKind};

/// A recording that owns its bytes.
struct Tape {
    pieces: Vec<(Direction, Duration, Vec<u8>)>,
    lasted: Duration,
    /// What was received and is not kept: where, and how much.
    gap: (u64, u64),
    resume: Option<Resume>,
}

impl Tape {
    fn new() -> Self {
        Self {
            pieces: Vec::new(),
            lasted: Duration::ZERO,
            gap: (0, 0),
            resume: None,
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        self.pieces
            .push((Direction::Received, self.lasted, bytes.to_vec()));
    }

    fn total(&self, wanted: Direction) -> u64 {
        let ours = self.pieces.iter().filter(|piece| piece.0 == wanted);
        ours.map(|piece| piece.2.len() as u64).sum()
    }

    fn replay(&self) -> Replay {
        let (missing_at, missing) = self.gap;
        let flight = Flight {
            facts: Facts {
                version: String::new(),
                peer: "192.0.2.7:1".parse().unwrap(),
                listener: "192.0.2.1:1935".parse().unwrap(),
                began: Duration::ZERO,
                stream: None,
                received: Extent {
                    total: self.total(Direction::Received) + missing,
                    missing,
                    missing_at,
                },
                sent: Extent {
                    total: self.total(Direction::Sent),
                    ..Extent::default()
                },
                resume: self.resume.clone(),
                lasted: self.lasted,
                end: String::new(),
            },
            pieces: self
                .pieces
                .iter()
                .map(|(direction, at, bytes)| Piece {
                    direction: *direction,
                    at: *at,
                    bytes,
                })
                .collect(),
        };
        replay(&flight, &ServerConfig::default(), Instant::now())
    }
}

/// A conversation of both sessions until neither has anything to say; the server grants what it
/// is asked for, or refuses with `refusal`.
fn converse(role: ClientRole, refusal: Option<&Refusal>) -> (Tape, ClientSession) {
    let start = Instant::now();
    let config = ClientConfig {
        role,
        app: "live".to_owned(),
        stream_name: "cam".to_owned(),
        tc_url: "rtmp://localhost/live".to_owned(),
        digest: None,
        chunk_size: 4096,
        limits: SessionLimits::default(),
    };
    let mut client = ClientSession::new(config, 1, start);
    let config = ServerConfig {
        chunk_size: 3000,
        window_ack_size: 77_777,
        ..ServerConfig::default()
    };
    let mut server = ServerSession::new(config, 2, start);
    let mut tape = Tape::new();
    while let Some(said) = client.poll_output() {
        tape.lasted += Duration::from_millis(7);
        let now = start + tape.lasted;
        tape.received(&said);
        server.handle_input(now, &said).unwrap();
        while let Some(event) = server.poll_event() {
            match (event, refusal) {
                (ServerEvent::Connect(_), _) => server.accept_connect(),
                (ServerEvent::Publish { msid, .. }, None) => server.accept_publish(now, msid),
                (ServerEvent::Play { msid, .. }, None) => server.accept_play(now, msid),
                (ServerEvent::Publish { msid, .. }, Some(why)) => server.reject_publish(msid, why),
                (ServerEvent::Play { msid, .. }, Some(why)) => server.reject_play(msid, why),
                _ => {}
            }
        }
        while let Some(answer) = server.poll_output() {
            client.handle_input(now, &answer).ok();
            tape.pieces.push((Direction::Sent, tape.lasted, answer));
        }
        while client.poll_event().is_some() {}
    }
    (tape, client)
}

fn nothing_else(fed: u64) -> Replay {
    Replay {
        fault: None,
        notes: Vec::new(),
        differences: Vec::new(),
        fed,
    }
}

#[test]
fn what_went_well_goes_well_again() {
    for role in [ClientRole::Publish, ClientRole::Play] {
        let (tape, _) = converse(role, None);
        let fed = tape.total(Direction::Received);
        assert_eq!(tape.replay(), nothing_else(fed), "{role:?}");
    }
}

#[test]
fn what_was_refused_is_refused_again() {
    for (role, code) in [
        (ClientRole::Publish, "NetStream.Publish.BadName"),
        (ClientRole::Publish, "NetStream.Publish.Denied"),
        (ClientRole::Play, "NetStream.Play.StreamNotFound"),
    ] {
        let refusal = Refusal {
            code,
            description: "for a reason".to_owned(),
        };
        let (tape, _) = converse(role, Some(&refusal));
        let outcome = tape.replay();
        assert_eq!(outcome.fault, None, "{code}");
        assert_eq!(outcome.differences, [], "{code}");
    }
}

#[test]
fn another_protocol_is_found_again() {
    let mut tape = Tape::new();
    tape.received(&[0x16, 3, 1]);
    let fault = SessionError::Handshake(HandshakeError::NotRtmp(Guess::Tls));
    assert_eq!(tape.replay().fault, Some((Duration::ZERO, fault)));
}

#[test]
fn garbage_behind_a_publish_is_found_again_and_at_its_time() {
    let (mut tape, _) = converse(ClientRole::Publish, None);
    tape.lasted += Duration::from_secs(3);
    tape.received(&[0xC5; 20]);
    let fault = SessionError::Chunk(ChunkError::Desync { fmt: 3, csid: 5 });
    let outcome = tape.replay();
    assert_eq!(outcome.fault, Some((tape.lasted, fault)));
    assert_eq!(outcome.differences, []);
}

#[test]
fn media_is_taken_as_granted_only_when_it_was() {
    let (mut tape, mut client) = converse(ClientRole::Publish, None);
    client.send_media(MediaKind::Video, 0, &[0x17, 0, 0, 0, 0, 1]);
    tape.received(&client.poll_output().unwrap());
    assert_eq!(tape.replay().notes, []);
    // The same without the answer to the publish, as a server says that waits for somebody.
    let answers = tape.pieces.iter_mut().rev();
    let last = answers.into_iter().find(|piece| piece.0 == Direction::Sent);
    last.unwrap().2.clear();
    // It waits, and what comes is held until then.
    assert_eq!(tape.replay().notes, [Note::TooEarly]);
    assert_eq!(tape.replay().fault, None);
}

#[test]
fn time_passes_as_it_did() {
    let mut tape = Tape::new();
    tape.received(&[3, 0, 0, 0]);
    for (lasted, fault) in [
        (9, None),
        (
            10,
            Some((
                Duration::from_secs(10),
                SessionError::Timeout(TimerKind::Handshake),
            )),
        ),
    ] {
        tape.lasted = Duration::from_secs(lasted);
        assert_eq!(tape.replay().fault, fault, "{lasted} s");
    }
    // Silent for years, and a session that would ping for ever.
    let (mut tape, _) = converse(ClientRole::Play, None);
    tape.lasted = super::super::LASTED_MAX;
    let (_, fault) = tape.replay().fault.unwrap();
    assert_eq!(fault, SessionError::Timeout(TimerKind::Ping));
}

#[test]
fn nothing_is_fed_from_behind_a_gap() {
    let (mut tape, _) = converse(ClientRole::Publish, None);
    let before = tape.total(Direction::Received);
    tape.gap = (before, 1_000_000);
    tape.lasted += Duration::from_secs(3600);
    tape.received(&[0xC5; 20]);
    assert_eq!(tape.replay(), nothing_else(before));
    tape.gap.0 = before - 5;
    assert_eq!(tape.replay(), nothing_else(before - 5));
}

#[test]
fn a_session_goes_on_behind_a_gap_at_a_known_place() {
    let (mut tape, mut client) = converse(ClientRole::Publish, None);
    let head = tape.total(Direction::Received);
    // Hours of media that were not kept, then the second half of a frame, and garbage.
    tape.gap = (head, 1_000_000);
    tape.lasted += Duration::from_secs(7200);
    client.send_media(MediaKind::Video, 7_200_000, &[0x17; 6000]);
    let frame = client.poll_output().unwrap();
    let (_, half) = frame.split_at(frame.len() - 3000);
    tape.received(&half[..1]);
    tape.received(&half[1..]);
    let whole_place = |tape: &Tape| {
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        // What the client announced when its publish began.
        decoder.set_chunk_size(4096);
        decoder.decode(&frame[..frame.len() - 2999]).unwrap();
        Resume {
            kept: tape.gap.0 + 1,
            place: decoder.place().unwrap(),
        }
    };
    tape.resume = Some(whole_place(&tape));
    assert_eq!(tape.replay(), nothing_else(head + 2999));
    tape.lasted += Duration::from_secs(3);
    tape.received(&[0xC5; 20]);
    let fault = SessionError::Chunk(ChunkError::Desync { fmt: 3, csid: 5 });
    assert_eq!(tape.replay().fault, Some((tape.lasted, fault)));
    // Silence behind the gap counts, the gap itself does not.
    tape.pieces.pop();
    tape.lasted += Duration::from_secs(20);
    let (at, fault) = tape.replay().fault.unwrap();
    assert_eq!(fault, SessionError::Timeout(TimerKind::MediaIdle));
    assert_eq!(at, tape.lasted - Duration::from_secs(3));
}

#[test]
fn how_the_peer_cut_its_bytes_does_not_matter() {
    let (tape, _) = converse(ClientRole::Publish, None);
    for size in [1, 2, 100, 1536] {
        let mut cut = Tape {
            pieces: Vec::new(),
            resume: None,
            ..tape
        };
        for (direction, at, bytes) in &tape.pieces {
            let parts = bytes
                .chunks(size)
                .map(|part| (*direction, *at, part.to_vec()));
            cut.pieces.extend(parts);
        }
        let fed = tape.total(Direction::Received);
        assert_eq!(cut.replay(), nothing_else(fed), "{size}");
    }
}

#[test]
fn other_answers_are_told() {
    let (mut tape, _) = converse(ClientRole::Publish, None);
    let sent = tape
        .pieces
        .iter_mut()
        .filter(|piece| piece.0 == Direction::Sent);
    let text = b"(publishing)";
    for (_, _, bytes) in sent {
        let word = &text[1..11];
        // In the last of them, which is the status.
        if let Some(at) = bytes.windows(word.len()).rposition(|part| part == word) {
            bytes[at..at + word.len()].copy_from_slice(b"PUBLISHING");
        }
    }
    let [difference] = &tape.replay().differences[..] else {
        panic!("one difference was expected");
    };
    let (then, now) = (difference.then.as_deref(), difference.now.as_deref());
    assert_eq!(then, Some("onStatus NetStream.Publish.Start (PUBLISHING)"));
    assert_eq!(now, Some("onStatus NetStream.Publish.Start (publishing)"));
}

#[test]
fn lists_are_compared_side_by_side() {
    let answers = |texts: &str| -> Vec<Answer> {
        let answer = |text: char| Answer {
            at: Duration::ZERO,
            text: text.to_string(),
            is_unasked: text.is_uppercase(),
        };
        texts.chars().map(answer).collect()
    };
    // `-a`: no more, `+a`: new, `ab`: b instead of a.
    for (then, now, expected) in [
        ("", "", ""),
        ("abc", "abc", ""),
        ("abc", "ab", ""),
        ("ab", "abc", ""),
        ("abc", "ac", "-b"),
        ("ac", "abc", "+b"),
        ("abc", "axc", "bx"),
        ("aBc", "ac", ""),
        ("aBcD", "ac", ""),
        ("aBc", "abc", "+b"),
        ("abcdefghijkl", "mnopqrstuvwx", "am bn co dp eq fr gs ht"),
    ] {
        let found: Vec<String> = differences(&answers(then), &answers(now))
            .iter()
            .map(|difference| match (&difference.then, &difference.now) {
                (Some(then), Some(now)) => format!("{then}{now}"),
                (Some(then), None) => format!("-{then}"),
                (None, Some(now)) => format!("+{now}"),
                (None, None) => "?".to_owned(),
            })
            .collect();
        assert_eq!(found.join(" "), expected, "{then} {now}");
    }
}
