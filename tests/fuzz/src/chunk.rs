//! The chunk decoder against any bytes, and the encoder against what it read.

use millstream::rtmp::chunk::{
    ChunkDecoder, ChunkEncoder, ChunkError, ChunkLimits, ChunkStreamId, Message,
};
use millstream::rtmp::message::MessageType;
use millstream::rtmp::message::control::Control;

use super::pieces::pieces;

/// Small enough that a few hundred bytes reach them.
const LIMITS: ChunkLimits = ChunkLimits {
    message_size_max: 4096,
    chunk_streams_max: 8,
    partial_bytes_max: 8192,
};

/// First byte: where to cut; second: chunk size to write with.
pub fn chunk(data: &[u8]) {
    let [cut, size, input @ ..] = data else {
        return;
    };
    let whole = decode(std::iter::once(input), true);
    let split = decode(pieces(input, *cut), true);
    assert_eq!(whole, split, "depends on how the input is cut");
    assert!(
        whole
            .messages
            .iter()
            .all(|m| m.payload.len() <= LIMITS.message_size_max)
    );

    let chunk_size = 1 + u32::from(*size) * 4;
    let mut encoder = ChunkEncoder::new();
    encoder.set_chunk_size(chunk_size);
    let mut written = set_chunk_size(chunk_size);
    for message in &whole.messages {
        encoder.encode(
            &mut written,
            message.csid,
            message.msid,
            message.message_type,
            message.timestamp,
            message.payload.as_slice(),
        );
    }
    let again = decode(std::iter::once(written.as_slice()), false);
    assert_eq!(again.error, None, "cannot read what was written");
    assert_eq!(
        again.messages.get(1..),
        Some(whole.messages.as_slice()),
        "changed by writing"
    );
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    messages: Vec<Message>,
    error: Option<ChunkError>,
    partial_bytes: usize,
    restarted_messages: u64,
}

/// Decodes all pieces; the first Set Chunk Size is always obeyed, later ones and Abort only when
/// `obey`, since a message that is written again is not a command any more.
fn decode<'a>(input: impl Iterator<Item = &'a [u8]>, obey: bool) -> Outcome {
    // One more lane than was read with: for the Set Chunk Size in front.
    let mut limits = LIMITS;
    limits.chunk_streams_max += usize::from(!obey);
    let mut decoder = ChunkDecoder::new(limits);
    let mut outcome = Outcome {
        messages: Vec::new(),
        error: None,
        partial_bytes: 0,
        restarted_messages: 0,
    };
    for piece in input {
        let mut rest = piece;
        loop {
            let (consumed, message) = match decoder.decode(rest) {
                Ok(result) => result,
                Err(error) => {
                    outcome.error = Some(error);
                    return outcome;
                }
            };
            assert!(decoder.partial_bytes() <= LIMITS.partial_bytes_max);
            rest = &rest[consumed..];
            let Some(message) = message else {
                assert!(rest.is_empty(), "input left over without a message");
                break;
            };
            if obey || outcome.messages.is_empty() {
                obey_control(&mut decoder, &message);
            }
            outcome.messages.push(message);
        }
    }
    outcome.partial_bytes = decoder.partial_bytes();
    outcome.restarted_messages = decoder.restarted_messages();
    outcome
}

fn obey_control(decoder: &mut ChunkDecoder, message: &Message) {
    match Control::decode(message.message_type, message.payload.as_slice()) {
        Ok(Some(Control::SetChunkSize(size))) => decoder.set_chunk_size(size),
        Ok(Some(Control::Abort(csid))) => decoder.abort(csid),
        _ => {}
    }
}

/// Set Chunk Size as fmt 0 on csid 2, whose state a later message may go on from.
fn set_chunk_size(size: u32) -> Vec<u8> {
    let mut bytes = vec![
        2,
        0,
        0,
        0,
        0,
        0,
        4,
        MessageType::SET_CHUNK_SIZE.0,
        0,
        0,
        0,
        0,
    ];
    debug_assert_eq!(ChunkStreamId::CONTROL.0, 2);
    bytes.extend_from_slice(&size.to_be_bytes());
    bytes
}
