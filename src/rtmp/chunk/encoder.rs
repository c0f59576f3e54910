//! Messages to bytes.

use super::header::{TIMESTAMP_EXTENDED, put_basic_header};
use super::{CHUNK_SIZE_DEFAULT, ChunkStreamId, MessageStreamId};
use crate::rtmp::message::MessageType;
use crate::wire::PutBytes;

/// Cuts messages into chunks; remembers the last header of each chunk stream it used.
///
/// Starts a message with fmt 0, 1 or 2, never with fmt 3 (peers disagree on its delta), and
/// repeats an extended timestamp on every continuation chunk.
#[derive(Debug, Clone)]
pub struct ChunkEncoder {
    chunk_size: u32,
    last: Vec<LastHeader>,
}

#[derive(Debug, Clone, Copy)]
struct LastHeader {
    csid: ChunkStreamId,
    msid: MessageStreamId,
    message_type: MessageType,
    timestamp: u32,
    length: usize,
}

impl ChunkEncoder {
    /// An encoder at the start of a connection, chunk size 128.
    pub fn new() -> Self {
        Self {
            chunk_size: CHUNK_SIZE_DEFAULT,
            last: Vec::new(),
        }
    }

    /// Chunk size of what is encoded from now on; the caller has sent Set Chunk Size.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        self.chunk_size = chunk_size.clamp(1, 0xFF_FFFF);
    }

    /// Appends one message to `out`.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        csid: ChunkStreamId,
        msid: MessageStreamId,
        message_type: MessageType,
        timestamp: u32,
        body: &[u8],
    ) {
        let this = LastHeader {
            csid,
            msid,
            message_type,
            timestamp,
            length: body.len(),
        };
        let known = self.last.iter_mut().find(|last| last.csid == csid);
        let previous = match known {
            Some(last) => Some(std::mem::replace(last, this)),
            None => {
                self.last.push(this);
                None
            }
        };
        let delta = previous
            .filter(|last| last.msid == msid)
            .map(|last| timestamp.wrapping_sub(last.timestamp))
            // Backwards, or a step that would need an extended delta.
            .filter(|delta| *delta < TIMESTAMP_EXTENDED);
        let (fmt, time) = match (delta, previous) {
            (Some(delta), Some(last))
                if last.length == body.len() && last.message_type == message_type =>
            {
                (2, delta)
            }
            (Some(delta), Some(_)) => (1, delta),
            _ => (0, timestamp),
        };
        put_message(out, self.chunk_size, fmt, time, &this, body);
    }
}

impl Default for ChunkEncoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends one message that refers to no earlier one: `fmt 0`, then `fmt 3`.
pub fn encode_message(
    out: &mut Vec<u8>,
    chunk_size: u32,
    csid: ChunkStreamId,
    msid: MessageStreamId,
    message_type: MessageType,
    timestamp: u32,
    body: &[u8],
) {
    let this = LastHeader {
        csid,
        msid,
        message_type,
        timestamp,
        length: body.len(),
    };
    put_message(out, chunk_size, 0, timestamp, &this, body);
}

fn put_message(
    out: &mut Vec<u8>,
    chunk_size: u32,
    fmt: u8,
    time: u32,
    header: &LastHeader,
    body: &[u8],
) {
    let extended = (time >= TIMESTAMP_EXTENDED).then_some(time);
    put_basic_header(out, fmt, header.csid);
    out.put_u24(time.min(TIMESTAMP_EXTENDED));
    if fmt <= 1 {
        out.put_u24(u32::try_from(body.len()).unwrap_or(u32::MAX) & 0xFF_FFFF);
        out.put_u8(header.message_type.0);
    }
    if fmt == 0 {
        out.put_u32_le(header.msid.0);
    }
    if let Some(time) = extended {
        out.put_u32(time);
    }
    let chunk_size = usize::try_from(chunk_size.max(1)).unwrap_or(usize::MAX);
    for (index, piece) in body.chunks(chunk_size).enumerate() {
        if index > 0 {
            put_basic_header(out, 3, header.csid);
            if let Some(time) = extended {
                out.put_u32(time);
            }
        }
        out.extend_from_slice(piece);
    }
}
