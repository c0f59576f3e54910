//! User control messages: type 4 (RTMP 1.0 §6.2, §7.1.7).
//!
//! A u16 event type, then four or eight bytes of data, all big-endian. Bytes behind the data are
//! ignored. Events of Adobe's servers that the specification lacks (SWF verification, buffer
//! states) are recognised as [`UserControl::Other`], so that they are never an error.

use crate::wire::{PutBytes, Reader, Truncated};

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

const STREAM_BEGIN: u16 = 0;
const STREAM_EOF: u16 = 1;
const STREAM_DRY: u16 = 2;
const SET_BUFFER_LENGTH: u16 = 3;
const STREAM_IS_RECORDED: u16 = 4;
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;

impl UserControl {
    /// Reads the body of a type 4 message.
    ///
    /// # Errors
    /// [`Truncated`] when the event's data is missing.
    pub fn decode(body: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(body);
        Ok(match reader.u16()? {
            STREAM_BEGIN => Self::StreamBegin(reader.u32()?),
            STREAM_EOF => Self::StreamEof(reader.u32()?),
            STREAM_DRY => Self::StreamDry(reader.u32()?),
            SET_BUFFER_LENGTH => Self::SetBufferLength(reader.u32()?, reader.u32()?),
            STREAM_IS_RECORDED => Self::StreamIsRecorded(reader.u32()?),
            PING_REQUEST => Self::PingRequest(reader.u32()?),
            PING_RESPONSE => Self::PingResponse(reader.u32()?),
            other => Self::Other(other),
        })
    }

    /// The body; [`Self::Other`] has the event type only.
    pub fn encode(&self) -> Vec<u8> {
        let (event, data) = match *self {
            Self::StreamBegin(msid) => (STREAM_BEGIN, Some(msid)),
            Self::StreamEof(msid) => (STREAM_EOF, Some(msid)),
            Self::StreamDry(msid) => (STREAM_DRY, Some(msid)),
            Self::SetBufferLength(msid, _) => (SET_BUFFER_LENGTH, Some(msid)),
            Self::StreamIsRecorded(msid) => (STREAM_IS_RECORDED, Some(msid)),
            Self::PingRequest(value) => (PING_REQUEST, Some(value)),
            Self::PingResponse(value) => (PING_RESPONSE, Some(value)),
            Self::Other(event) => (event, None),
        };
        let mut body = Vec::with_capacity(10);
        body.put_u16(event);
        if let Some(data) = data {
            body.put_u32(data);
        }
        if let Self::SetBufferLength(_, milliseconds) = *self {
            body.put_u32(milliseconds);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of every event with data.
    const EVENTS: [(&[u8], UserControl); 7] = [
        (&[0, 0, 0, 0, 0, 1], UserControl::StreamBegin(1)),
        (&[0, 1, 0, 0, 0, 1], UserControl::StreamEof(1)),
        (&[0, 2, 0, 0, 1, 0], UserControl::StreamDry(256)),
        (
            // What ffmpeg sends before `play`: stream 1, 3000 ms.
            &[0, 3, 0, 0, 0, 1, 0, 0, 0x0B, 0xB8],
            UserControl::SetBufferLength(1, 3000),
        ),
        (&[0, 4, 0, 0, 0, 1], UserControl::StreamIsRecorded(1)),
        (
            &[0, 6, 0xDE, 0xAD, 0xBE, 0xEF],
            UserControl::PingRequest(0xDEAD_BEEF),
        ),
        (
            &[0, 7, 0xDE, 0xAD, 0xBE, 0xEF],
            UserControl::PingResponse(0xDEAD_BEEF),
        ),
    ];

    #[test]
    fn every_event_is_read_and_written() {
        for (body, event) in EVENTS {
            assert_eq!(UserControl::decode(body), Ok(event));
            assert_eq!(event.encode(), body);
        }
    }

    #[test]
    fn every_shorter_body_is_truncated() {
        for (body, event) in EVENTS {
            for length in 0..body.len() {
                let cut = body.get(..length).expect("within the body");
                assert!(UserControl::decode(cut).is_err(), "{event:?} in {length}");
            }
        }
    }

    #[test]
    fn bytes_behind_the_data_are_ignored() {
        for (body, event) in EVENTS {
            let longer = [body, &[0xFF; 3]].concat();
            assert_eq!(UserControl::decode(&longer), Ok(event));
        }
    }

    #[test]
    fn unknown_events_need_no_data() {
        // SWF verification: a request with one byte, a response of 42 bytes.
        let response = [&[0, 27][..], &[1; 42]].concat();
        for (body, event) in [
            (&[0, 26, 1][..], 26),
            (&response, 27),
            (&[0, 31, 0, 0, 0, 1], 31),
            (&[0, 32, 0, 0, 0, 1], 32),
            (&[0, 5], 5),
            (&[0xFF, 0xFF], 0xFFFF),
        ] {
            assert_eq!(UserControl::decode(body), Ok(UserControl::Other(event)));
        }
        assert_eq!(UserControl::Other(32).encode(), [0, 32]);
    }
}
