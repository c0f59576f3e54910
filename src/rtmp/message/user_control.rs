//! User control messages: type 4 (RTMP 1.0 §6.2, §7.1.7).

use crate::wire::Truncated;

/// A user control event: u16 event type, then its data. Stream ids are message stream ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserControl {
    /// 0.
    StreamBegin(u32),
    /// 1.
    StreamEof(u32),
    /// 2.
    StreamDry(u32),
    /// 3: stream id, milliseconds.
    SetBufferLength(u32, u32),
    /// 4.
    StreamIsRecorded(u32),
    /// 6: a value to be sent back.
    PingRequest(u32),
    /// 7: the value of the request.
    PingResponse(u32),
    /// Any other event (SWF verification 26/27, buffer states 31/32, ...): to be ignored.
    Other(u16),
}

impl UserControl {
    /// Reads the body of a type 4 message.
    ///
    /// # Errors
    /// [`Truncated`] when the event's data is missing.
    pub fn decode(_body: &[u8]) -> Result<Self, Truncated> {
        todo!()
    }

    /// The body; [`Self::Other`] has the event type only.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }
}
