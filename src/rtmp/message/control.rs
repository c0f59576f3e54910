//! Protocol control messages: types 1, 2, 3, 5 and 6 (RTMP 1.0 §5.4).

use super::MessageType;
use crate::rtmp::chunk::ChunkStreamId;
use crate::wire::Truncated;

/// A protocol control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Type 1: u32, top bit masked away. Zero is passed on; the session refuses it.
    SetChunkSize(u32),
    /// Type 2: the chunk stream whose partial message is dropped.
    Abort(ChunkStreamId),
    /// Type 3: bytes received so far, wraps at 2^32.
    Acknowledgement(u32),
    /// Type 5: bytes.
    WindowAckSize(u32),
    /// Type 6: bytes, and how to take them.
    SetPeerBandwidth(u32, BandwidthLimit),
}

/// The limit type of Set Peer Bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandwidthLimit {
    /// 0.
    Hard,
    /// 1.
    Soft,
    /// 2; also what a missing or unknown byte is read as.
    Dynamic,
}

impl Control {
    /// Reads the body of a message of `message_type`; `None` for a type of another family.
    ///
    /// # Errors
    /// [`Truncated`] when the body is shorter than its type needs.
    pub fn decode(_message_type: MessageType, _body: &[u8]) -> Result<Option<Self>, Truncated> {
        todo!()
    }

    /// The type byte and body.
    pub fn encode(&self) -> (MessageType, Vec<u8>) {
        todo!()
    }
}
