//! The chunk layer: messages cut into chunks and interleaved (RTMP 1.0 §5.3).

mod decoder;
mod encoder;
mod extended;
pub mod header;
mod payload;
#[cfg(test)]
pub(in crate::rtmp) mod testing;

pub use decoder::{ChunkDecoder, ChunkError, ChunkLimits, ChunkOddities, ChunkPlace, NoPlace};
pub use encoder::{ChunkEncoder, encode_message};
pub use payload::Payload;

use crate::rtmp::message::MessageType;

/// Chunk size of both directions until a Set Chunk Size message (RTMP 1.0 §5.4.1).
pub const CHUNK_SIZE_DEFAULT: u32 = 128;

/// Largest chunk size in use: no message, and so no chunk, is longer (RTMP 1.0 §5.4.1).
pub const CHUNK_SIZE_MAX: u32 = 0xFF_FFFF;

/// Longest message body that the 24-bit length field can state.
pub const MESSAGE_BYTES_MAX: usize = 0xFF_FFFF;

/// A chunk stream: one interleaved lane of a connection, 2..=65599 (RTMP 1.0 §5.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkStreamId(pub u32);

impl ChunkStreamId {
    /// Protocol control and user control messages.
    pub const CONTROL: Self = Self(2);
    /// Commands of the connection.
    pub const COMMAND: Self = Self(3);
    /// Audio that we send.
    pub const AUDIO: Self = Self(4);
    /// Data messages (metadata among them) that we send.
    pub const DATA: Self = Self(5);
    /// Video that we send.
    pub const VIDEO: Self = Self(6);
    /// `publish` and `play` commands that we send as a client.
    pub const STREAM_COMMAND: Self = Self(8);
}

/// A message stream: 0 is the connection itself, others come from `createStream`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageStreamId(pub u32);

impl MessageStreamId {
    /// The connection itself.
    pub const CONNECTION: Self = Self(0);
}

/// One whole message as it came off the chunk layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The lane it came on; of no meaning beyond the chunk layer.
    pub csid: ChunkStreamId,
    /// The message stream it belongs to.
    pub msid: MessageStreamId,
    /// What the payload is.
    pub message_type: MessageType,
    /// Absolute, milliseconds, wraps at 2^32.
    pub timestamp: u32,
    /// The body.
    pub payload: Payload,
}
