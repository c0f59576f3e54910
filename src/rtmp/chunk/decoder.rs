//! Bytes to messages.

use super::{ChunkStreamId, Message};

/// Bounds on what a peer may make the decoder hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Largest message body in bytes. 4 MiB: a 4K keyframe is below 3 MiB.
    pub message_size_max: usize,
    /// Distinct chunk streams per connection.
    pub chunk_streams_max: usize,
    /// Sum of the bodies that are half received, in bytes.
    pub partial_bytes_max: usize,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self {
            message_size_max: 4 << 20,
            chunk_streams_max: 32,
            partial_bytes_max: 8 << 20,
        }
    }
}

/// Why the peer's bytes cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A header that refers to an earlier one on a chunk stream that has none.
    #[error("fmt {fmt} chunk on unknown csid {csid}: the byte stream is out of step")]
    Desync {
        /// The header's format, 2 or 3.
        fmt: u8,
        /// The chunk stream.
        csid: u32,
    },
    // More variants as the decoder needs them (limits, chunk size 0).
}

/// Assembles messages from chunks that arrive in pieces of any size.
#[derive(Debug)]
pub struct ChunkDecoder {}

impl ChunkDecoder {
    /// A decoder at the start of a connection, chunk size 128.
    pub fn new(_limits: ChunkLimits) -> Self {
        todo!()
    }

    /// Reads from the front of `input` up to the end of the first complete message.
    ///
    /// Returns the bytes consumed and the message; without a message all of `input` was
    /// consumed. Call again with what is left: a Set Chunk Size message must be applied
    /// (with [`Self::set_chunk_size`]) before the bytes behind it are read.
    ///
    /// # Errors
    /// [`ChunkError`]: the connection cannot be read further.
    pub fn decode(&mut self, _input: &[u8]) -> Result<(usize, Option<Message>), ChunkError> {
        todo!()
    }

    /// Chunk size in bytes of what follows, clamped to 1..=0xFF_FFFF.
    pub fn set_chunk_size(&mut self, _chunk_size: u32) {
        todo!()
    }

    /// Drops the half-received message of a chunk stream; its header state stays.
    pub fn abort(&mut self, _csid: ChunkStreamId) {
        todo!()
    }
}
