//! Messages to bytes: picks the header of each message and cuts its body into chunks
//! (RTMP 1.0 §5.3). Set Chunk Size is the caller's to send; this only obeys it.

use super::header::{HEADER_BYTES_MAX, SEPARATOR_BYTES_MAX, TIMESTAMP_EXTENDED, put_basic_header};
use super::{
    CHUNK_SIZE_DEFAULT, CHUNK_SIZE_MAX, ChunkStreamId, MESSAGE_BYTES_MAX, MessageStreamId,
};
use crate::rtmp::message::MessageType;
use crate::wire::PutBytes;

/// Cuts messages into chunks; remembers the last header of each chunk stream it used.
///
/// Starts a message with fmt 0, 1 or 2, never with fmt 3 (peers disagree on its delta), and
/// repeats an extended timestamp on every continuation chunk. A timestamp that steps back, or
/// ahead by so much that the delta would be extended, gets fmt 0.
#[derive(Debug, Clone)]
pub struct ChunkEncoder {
    chunk_size: u32,
    /// One for each csid in use: a handful.
    last: Vec<LastHeader>,
}

/// The last message of a chunk stream, as its header states it.
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

    /// Chunk size in bytes of what is encoded from now on, clamped to 1..=0xFF_FFFF; the caller
    /// has sent Set Chunk Size.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        self.chunk_size = chunk_size.clamp(1, CHUNK_SIZE_MAX);
    }

    /// Appends one message to `out`. A body beyond [`MESSAGE_BYTES_MAX`], which no header can
    /// state, is left out.
    pub fn encode(
        &mut self,
        out: &mut Vec<u8>,
        csid: ChunkStreamId,
        msid: MessageStreamId,
        message_type: MessageType,
        timestamp: u32,
        body: &[u8],
    ) {
        if body.len() > MESSAGE_BYTES_MAX {
            return;
        }
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

/// Appends one message that refers to no earlier one: fmt 0, then fmt 3. A chunk size of 0 is
/// taken for 1; a body beyond [`MESSAGE_BYTES_MAX`] is left out.
///
/// A [`ChunkEncoder`] that uses the same chunk stream does not learn of it: its next header there
/// would refer to the wrong message.
pub fn encode_message(
    out: &mut Vec<u8>,
    chunk_size: u32,
    csid: ChunkStreamId,
    msid: MessageStreamId,
    message_type: MessageType,
    timestamp: u32,
    body: &[u8],
) {
    if body.len() > MESSAGE_BYTES_MAX {
        return;
    }
    let this = LastHeader {
        csid,
        msid,
        message_type,
        timestamp,
        length: body.len(),
    };
    put_message(out, chunk_size, 0, timestamp, &this, body);
}

/// Appends the header and the first chunk of `body`, then the other chunks behind fmt 3 headers.
fn put_message(
    out: &mut Vec<u8>,
    chunk_size: u32,
    fmt: u8,
    time: u32,
    header: &LastHeader,
    body: &[u8],
) {
    let chunk_size = usize::try_from(chunk_size.max(1)).unwrap_or(usize::MAX);
    let extended = (time >= TIMESTAMP_EXTENDED).then_some(time);
    out.reserve(HEADER_BYTES_MAX + body.len() + body.len() / chunk_size * SEPARATOR_BYTES_MAX);
    put_basic_header(out, fmt, header.csid);
    out.put_u24(time.min(TIMESTAMP_EXTENDED));
    if fmt <= 1 {
        out.put_u24(u32::try_from(body.len()).unwrap_or(u32::MAX));
        out.put_u8(header.message_type.0);
    }
    if fmt == 0 {
        out.put_u32_le(header.msid.0);
    }
    if let Some(time) = extended {
        out.put_u32(time);
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    /// The headers of messages that are (msid, type, timestamp, body length) on csid 4.
    #[track_caller]
    fn check(messages: &[(u32, u8, u32, usize)], headers: &[&[u8]]) {
        let mut encoder = ChunkEncoder::new();
        encoder.set_chunk_size(1000);
        for (&(msid, message_type, timestamp, length), header) in messages.iter().zip(headers) {
            let mut out = Vec::new();
            encoder.encode(
                &mut out,
                ChunkStreamId(4),
                MessageStreamId(msid),
                MessageType(message_type),
                timestamp,
                &vec![0xA5; length],
            );
            assert_eq!(out[..out.len() - length], **header, "at {timestamp}");
        }
    }

    #[test]
    fn the_shortest_safe_header_is_taken() {
        check(
            &[
                (1, 8, 100, 2),
                (1, 8, 123, 2),
                (1, 8, 123, 2), // The same delta again still is fmt 2, never fmt 3.
                (1, 8, 146, 3),
                (1, 9, 146, 3),
                (2, 9, 146, 3),
                (2, 9, 145, 3), // Backwards.
            ],
            &[
                &[0x04, 0, 0, 100, 0, 0, 2, 8, 1, 0, 0, 0],
                &[0x84, 0, 0, 23],
                &[0x84, 0, 0, 0],
                &[0x44, 0, 0, 23, 0, 0, 3, 8],
                &[0x44, 0, 0, 0, 0, 0, 3, 9],
                &[0x04, 0, 0, 146, 0, 0, 3, 9, 2, 0, 0, 0],
                &[0x04, 0, 0, 145, 0, 0, 3, 9, 2, 0, 0, 0],
            ],
        );
    }

    #[test]
    fn only_fmt_0_is_ever_extended() {
        check(
            &[
                (1, 8, 0xFF_FFFE, 1),
                (1, 8, 0xFF_FFFF, 1),
                (1, 8, 0x200_0000, 1),
                (1, 8, u32::MAX, 1),
                (1, 8, 1, 1), // Around 2^32: 2 ms ahead.
            ],
            &[
                &[0x04, 0xFF, 0xFF, 0xFE, 0, 0, 1, 8, 1, 0, 0, 0],
                &[0x84, 0, 0, 1],
                &[0x04, 0xFF, 0xFF, 0xFF, 0, 0, 1, 8, 1, 0, 0, 0, 2, 0, 0, 0],
                &[
                    0x04, 0xFF, 0xFF, 0xFF, 0, 0, 1, 8, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
                ],
                &[0x84, 0, 0, 2],
            ],
        );
    }

    #[test]
    fn every_separator_repeats_an_extended_timestamp() {
        let mut out = Vec::new();
        encode_message(
            &mut out,
            2,
            ChunkStreamId(320),
            MessageStreamId(1),
            MessageType::VIDEO,
            0x0102_0304,
            b"abcde",
        );
        let separator = [0xC1, 0, 1, 1, 2, 3, 4];
        let start = [
            1, 0, 1, 0xFF, 0xFF, 0xFF, 0, 0, 5, 9, 1, 0, 0, 0, 1, 2, 3, 4,
        ];
        assert_eq!(
            out,
            [&start[..], b"ab", &separator, b"cd", &separator, b"e"].concat()
        );
    }

    #[test]
    fn a_body_beyond_24_bits_is_left_out() {
        let body = vec![0; MESSAGE_BYTES_MAX + 1];
        let mut out = Vec::new();
        for length in [MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX + 1] {
            out.clear();
            ChunkEncoder::new().encode(
                &mut out,
                ChunkStreamId(4),
                MessageStreamId(1),
                MessageType::VIDEO,
                0,
                &body[..length],
            );
            assert_eq!(out.is_empty(), length > MESSAGE_BYTES_MAX);
        }
    }

    #[test]
    fn chunk_sizes_are_clamped() {
        let mut encoder = ChunkEncoder::default();
        for (asked, used) in [
            (0, 1),
            (1, 1),
            (0xFF_FFFF, 0xFF_FFFF),
            (u32::MAX, 0xFF_FFFF),
        ] {
            encoder.set_chunk_size(asked);
            assert_eq!(encoder.chunk_size, used);
        }
    }
}
