//! A recorded conversation from any bytes: read, led again, and written anew.

use std::time::{Duration, Instant};

use millstream::rtmp::flight::replay::replay;
use millstream::rtmp::flight::{Direction, Extent, Facts, Flight, Piece, encode};
use millstream::rtmp::session::ServerConfig;

/// A file; or, behind a byte below 0x0A, what the peer sent, as pieces of which each has its
/// length, and the milliseconds before it, in front.
pub fn flight(data: &[u8]) {
    if let [0..0x0A, pieces @ ..] = data {
        return converse(pieces);
    }
    if let Ok(flight) = Flight::decode(data) {
        check(&flight);
    }
}

fn check(flight: &Flight<'_>) {
    let outcome = replay(flight, &ServerConfig::default(), Instant::now());
    assert!(outcome.fed <= flight.facts.received.total);
    assert!(outcome.differences.len() <= 8);
    if let Some((at, _)) = outcome.fault {
        let last = flight.pieces.last().map_or(flight.facts.lasted, |p| p.at);
        assert!(at <= last.max(flight.facts.lasted), "a fault after the end");
    }
    let again = encode(&flight.facts, flight.pieces.iter().copied());
    let again = Flight::decode(&again).expect("what we wrote");
    assert_eq!(again.pieces, flight.pieces);
    assert_eq!(again.facts.received, flight.facts.received);
}

/// A session alone: the facts are in order, the pieces are any.
fn converse(data: &[u8]) {
    let facts = Facts {
        version: "0".to_owned(),
        peer: ([192, 0, 2, 7], 40_112).into(),
        listener: ([192, 0, 2, 1], 1935).into(),
        began: Duration::ZERO,
        stream: None,
        received: Extent::default(),
        sent: Extent::default(),
        resume: None,
        lasted: Duration::ZERO,
        end: "closed".to_owned(),
    };
    let mut flight = Flight {
        facts,
        pieces: Vec::new(),
    };
    let mut rest = data;
    while let [head, wait, behind @ ..] = rest {
        let (bytes, behind) = behind.split_at(behind.len().min(usize::from(head & 0x7F)));
        rest = behind;
        if bytes.is_empty() {
            continue;
        }
        flight.facts.lasted += Duration::from_millis(u64::from(*wait) * 100);
        let direction = match head & 0x80 {
            0 => Direction::Received,
            _ => Direction::Sent,
        };
        let extent = match direction {
            Direction::Received => &mut flight.facts.received,
            Direction::Sent => &mut flight.facts.sent,
        };
        extent.total += bytes.len() as u64;
        flight.pieces.push(Piece {
            direction,
            at: flight.facts.lasted,
            bytes,
        });
    }
    check(&flight);
}
