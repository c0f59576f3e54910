//! The decoder against tables of bytes, every legal chunking, and hostile peers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod any_chunking;
mod extended;
mod forms;
mod hostile;

use super::*;

/// Feeds `wire` in pieces of `step` bytes; see [`read_pieces`].
fn read(
    decoder: &mut ChunkDecoder,
    wire: &[u8],
    step: usize,
) -> (Vec<Message>, Option<ChunkError>) {
    read_pieces(decoder, wire.chunks(step))
}

/// Feeds pieces, obeys Set Chunk Size and Abort, and returns the messages and the error at which
/// reading ended.
fn read_pieces<'a>(
    decoder: &mut ChunkDecoder,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<ChunkError>) {
    let mut messages = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        loop {
            match decoder.decode(rest) {
                Err(error) => return (messages, Some(error)),
                Ok((consumed, None)) => {
                    assert_eq!(consumed, rest.len(), "without a message all is consumed");
                    break;
                }
                Ok((consumed, Some(message))) => {
                    rest = &rest[consumed..];
                    let value =
                        || u32::from_be_bytes(message.payload.as_slice().try_into().unwrap());
                    match message.message_type {
                        MessageType::SET_CHUNK_SIZE => decoder.set_chunk_size(value()),
                        MessageType::ABORT => decoder.abort(ChunkStreamId(value())),
                        _ => {}
                    }
                    messages.push(message);
                }
            }
        }
    }
    (messages, None)
}

/// csid, msid, type, timestamp, body.
type Expected<'a> = (u32, u32, u8, u32, &'a [u8]);

/// Decodes `wire`, which is a list of pieces only to be readable, however it is cut.
#[track_caller]
fn check(name: &str, wire: &[&[u8]], expected: &[Expected<'_>], error: Option<ChunkError>) {
    let wire = wire.concat();
    for step in [wire.len().max(1), 1, 2, 3, 5, 7, 11, 13] {
        let mut decoder = ChunkDecoder::new(ChunkLimits::default());
        let (messages, ended) = read(&mut decoder, &wire, step);
        let got: Vec<Expected<'_>> = messages
            .iter()
            .map(|message| {
                (
                    message.csid.0,
                    message.msid.0,
                    message.message_type.0,
                    message.timestamp,
                    message.payload.as_slice(),
                )
            })
            .collect();
        assert_eq!(got, expected, "{name}, {step} bytes at a time");
        assert_eq!(ended, error, "{name}, {step} bytes at a time");
    }
}

/// 128 bytes that no timestamp of these tests contains.
const FULL: &[u8] = &[0xA5; 128];

/// `FULL` and what follows it, as one body.
fn full_and(rest: &[u8]) -> Vec<u8> {
    [FULL, rest].concat()
}
