//! Messages to bytes.

use super::{ChunkStreamId, MessageStreamId};
use crate::rtmp::message::MessageType;

/// Cuts messages into chunks; remembers the last header of each chunk stream it used.
///
/// Starts a message with fmt 0, 1 or 2, never with fmt 3 (peers disagree on its delta), and
/// repeats an extended timestamp on every continuation chunk.
#[derive(Debug, Default)]
pub struct ChunkEncoder {}

impl ChunkEncoder {
    /// An encoder at the start of a connection, chunk size 128.
    pub fn new() -> Self {
        todo!()
    }

    /// Chunk size of what is encoded from now on; the caller has sent Set Chunk Size.
    pub fn set_chunk_size(&mut self, _chunk_size: u32) {
        todo!()
    }

    /// Appends one message to `out`.
    pub fn encode(
        &mut self,
        _out: &mut Vec<u8>,
        _csid: ChunkStreamId,
        _msid: MessageStreamId,
        _message_type: MessageType,
        _timestamp: u32,
        _body: &[u8],
    ) {
        todo!()
    }
}
