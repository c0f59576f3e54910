//! Protocol control messages: types 1, 2, 3, 5 and 6 (RTMP 1.0 §5.4).
//!
//! All fields are big-endian:
//!
//! ```text
//! 1 Set Chunk Size       0 and u31 bytes          5 Window Ack Size     u32 bytes
//! 2 Abort                u32 chunk stream         6 Set Peer Bandwidth  u32 bytes, u8 limit type
//! 3 Acknowledgement      u32 bytes received
//! ```
//! What the values lead to, and which of them are clamped, is the session's business. Bytes
//! behind the fields are ignored.

use super::MessageType;
use crate::rtmp::chunk::ChunkStreamId;
use crate::wire::{PutBytes, Reader, Truncated};

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

impl BandwidthLimit {
    fn from_byte(byte: Option<u8>) -> Self {
        match byte {
            Some(0) => Self::Hard,
            Some(1) => Self::Soft,
            _ => Self::Dynamic,
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::Hard => 0,
            Self::Soft => 1,
            Self::Dynamic => 2,
        }
    }
}

impl Control {
    /// Reads the body of a message of `message_type`; `None` for a type of another family.
    ///
    /// # Errors
    /// [`Truncated`] when the body is shorter than its type needs. Set Peer Bandwidth may lack
    /// its limit type.
    pub fn decode(message_type: MessageType, body: &[u8]) -> Result<Option<Self>, Truncated> {
        let mut reader = Reader::new(body);
        Ok(Some(match message_type {
            MessageType::SET_CHUNK_SIZE => Self::SetChunkSize(reader.u32()? & CHUNK_SIZE_MASK),
            MessageType::ABORT => Self::Abort(ChunkStreamId(reader.u32()?)),
            MessageType::ACKNOWLEDGEMENT => Self::Acknowledgement(reader.u32()?),
            MessageType::WINDOW_ACK_SIZE => Self::WindowAckSize(reader.u32()?),
            MessageType::SET_PEER_BANDWIDTH => {
                Self::SetPeerBandwidth(reader.u32()?, BandwidthLimit::from_byte(reader.peek_u8()))
            }
            _ => return Ok(None),
        }))
    }

    /// The type byte and body.
    pub fn encode(&self) -> (MessageType, Vec<u8>) {
        let mut body = Vec::with_capacity(5);
        let message_type = match *self {
            Self::SetChunkSize(bytes) => {
                body.put_u32(bytes & CHUNK_SIZE_MASK);
                MessageType::SET_CHUNK_SIZE
            }
            Self::Abort(ChunkStreamId(csid)) => {
                body.put_u32(csid);
                MessageType::ABORT
            }
            Self::Acknowledgement(bytes) => {
                body.put_u32(bytes);
                MessageType::ACKNOWLEDGEMENT
            }
            Self::WindowAckSize(bytes) => {
                body.put_u32(bytes);
                MessageType::WINDOW_ACK_SIZE
            }
            Self::SetPeerBandwidth(bytes, limit) => {
                body.put_u32(bytes);
                body.put_u8(limit.to_byte());
                MessageType::SET_PEER_BANDWIDTH
            }
        };
        (message_type, body)
    }
}

/// The top bit of a chunk size is always 0.
const CHUNK_SIZE_MASK: u32 = 0x7FFF_FFFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message_type: u8, body: &[u8], expected: Control) {
        let message_type = MessageType(message_type);
        assert_eq!(Control::decode(message_type, body), Ok(Some(expected)));
        assert_eq!(expected.encode(), (message_type, body.to_vec()));
        for length in 0..4 {
            assert_eq!(
                Control::decode(message_type, body.get(..length).expect("longer than 4")),
                Err(Truncated {
                    wanted: 4,
                    left: length
                })
            );
        }
    }

    #[test]
    fn every_form_is_read_and_written() {
        check(1, &[0, 0, 0, 128], Control::SetChunkSize(128));
        check(1, &[0, 0, 0, 0], Control::SetChunkSize(0));
        check(
            1,
            &[0x7F, 0xFF, 0xFF, 0xFF],
            Control::SetChunkSize(0x7FFF_FFFF),
        );
        check(2, &[0, 0, 0, 4], Control::Abort(ChunkStreamId(4)));
        check(3, &[0xF0, 0, 0, 1], Control::Acknowledgement(0xF000_0001));
        // 2 500 000, what most servers announce.
        check(5, &[0, 0x26, 0x25, 0xA0], Control::WindowAckSize(2_500_000));
        for (byte, limit) in [
            (0, BandwidthLimit::Hard),
            (1, BandwidthLimit::Soft),
            (2, BandwidthLimit::Dynamic),
        ] {
            check(
                6,
                &[0, 0x26, 0x25, 0xA0, byte],
                Control::SetPeerBandwidth(2_500_000, limit),
            );
        }
    }

    #[test]
    fn the_top_bit_of_a_chunk_size_is_masked() {
        assert_eq!(
            Control::decode(MessageType(1), &[0x80, 0, 0x10, 0]),
            Ok(Some(Control::SetChunkSize(4096)))
        );
        let (_, body) = Control::SetChunkSize(u32::MAX).encode();
        assert_eq!(body, [0x7F, 0xFF, 0xFF, 0xFF]);
    }

    #[test]
    fn a_missing_or_unknown_limit_type_is_dynamic() {
        for body in [
            &[0, 0, 0x10, 0][..],
            &[0, 0, 0x10, 0, 3],
            &[0, 0, 0x10, 0, 0xFF],
        ] {
            assert_eq!(
                Control::decode(MessageType(6), body),
                Ok(Some(Control::SetPeerBandwidth(
                    4096,
                    BandwidthLimit::Dynamic
                )))
            );
        }
    }

    #[test]
    fn bytes_behind_the_fields_are_ignored() {
        assert_eq!(
            Control::decode(MessageType(5), &[0, 0, 0, 7, 1, 2, 3]),
            Ok(Some(Control::WindowAckSize(7)))
        );
    }

    #[test]
    fn other_types_are_left_alone() {
        for message_type in (0..=255).filter(|t| ![1, 2, 3, 5, 6].contains(t)) {
            assert_eq!(Control::decode(MessageType(message_type), &[]), Ok(None));
            assert_eq!(
                Control::decode(MessageType(message_type), &[0; 8]),
                Ok(None)
            );
        }
    }
}
