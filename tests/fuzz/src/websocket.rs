//! Frames of WebSocket clients.

use millstream::http::websocket::{Event, Fault, FrameReader, MESSAGE_BYTES_MAX};

use super::pieces::pieces;

/// First byte: where to cut; the rest is what a client sends.
pub fn websocket(data: &[u8]) {
    let [cut, input @ ..] = data else {
        return;
    };
    let whole = read(std::iter::once(input));
    let split = read(pieces(input, *cut));
    assert_eq!(whole, split, "depends on how the input is cut");
    for event in &whole.0 {
        match event {
            Event::Message(message) => assert!(message.len() <= MESSAGE_BYTES_MAX),
            Event::Ping(payload) => assert!(payload.len() <= 125),
            Event::Pong | Event::Close(_) => {}
        }
    }
}

fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Option<Fault>) {
    let mut reader = FrameReader::new();
    let mut events = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            match reader.handle_input(piece) {
                Ok((taken, event)) => {
                    assert!(taken > 0, "no progress");
                    piece = &piece[taken..];
                    events.extend(event);
                }
                Err(fault) => return (events, Some(fault)),
            }
        }
    }
    (events, None)
}
