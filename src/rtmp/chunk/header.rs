//! Chunk headers, fmt 0 to 3: fields to bytes and back (RTMP 1.0 §5.3.1).
//!
//! A chunk header is a basic header, a message header whose form `fmt` names, and, when the
//! time field reads [`TIMESTAMP_EXTENDED`], four more bytes with the real value. Which header a
//! message gets is the encoder's business, what a header means the decoder's.
//!
//! ```text
//! basic header      0 1 2 3 4 5 6 7
//!   csid 2..63     |fmt|   csid    |
//!   csid 64..319   |fmt|0 0 0 0 0 0|  csid - 64  |
//!   csid 64..65599 |fmt|0 0 0 0 0 1| low byte of (csid - 64) | high byte |
//!
//! message header
//!   fmt 0, 11 bytes | timestamp u24 | length u24 | type u8 | msid u32, little-endian |
//!   fmt 1,  7 bytes | delta u24     | length u24 | type u8 |
//!   fmt 2,  3 bytes | delta u24     |
//!   fmt 3,  0 bytes   continues a message, or starts one with everything inherited
//!
//! extended timestamp, 4 bytes | timestamp or delta u32 |
//! ```

use super::{ChunkStreamId, MessageStreamId};
use crate::rtmp::message::MessageType;
use crate::wire::{PutBytes, Reader, Truncated};

/// The 24-bit field that says: the 32-bit value follows the header. Values from here on need it.
pub const TIMESTAMP_EXTENDED: u32 = 0xFF_FFFF;

/// Bytes of the longest header: 3 basic, 11 message header, 4 extended timestamp.
pub(super) const HEADER_BYTES_MAX: usize = 18;

/// Bytes of the longest fmt 3 header: 3 basic, 4 extended timestamp.
pub(super) const SEPARATOR_BYTES_MAX: usize = 7;

/// Largest csid with a basic header of one byte.
const SHORT_CSID_MAX: u32 = 63;

/// Writes the basic header: `fmt` in the top two bits and the csid in 1, 2 or 3 bytes.
pub fn put_basic_header(out: &mut Vec<u8>, fmt: u8, csid: ChunkStreamId) {
    let fmt = fmt << 6;
    match csid.0 {
        ..=SHORT_CSID_MAX => out.put_u8(fmt | low_byte(csid.0)),
        64..=319 => {
            out.put_u8(fmt);
            out.put_u8(low_byte(csid.0 - 64));
        }
        _ => {
            out.put_u8(fmt | 1);
            out.put_u8(low_byte(csid.0 - 64));
            out.put_u8(low_byte((csid.0 - 64) >> 8));
        }
    }
}

/// A whole `fmt 0` header for a csid below 64.
///
/// `timestamp` is below [`TIMESTAMP_EXTENDED`] and `length` below 2^24; both are masked.
pub fn fmt0(
    csid: ChunkStreamId,
    timestamp: u32,
    length: usize,
    message_type: MessageType,
    msid: MessageStreamId,
) -> [u8; 12] {
    let [t2, t1, t0] = u24(timestamp);
    let [l2, l1, l0] = u24(length_u32(length));
    let [m0, m1, m2, m3] = msid.0.to_le_bytes();
    let basic = short_basic(0, csid);
    [
        basic,
        t2,
        t1,
        t0,
        l2,
        l1,
        l0,
        message_type.0,
        m0,
        m1,
        m2,
        m3,
    ]
}

/// A whole `fmt 1` header for a csid below 64. Arguments as for [`fmt0`].
pub fn fmt1(csid: ChunkStreamId, delta: u32, length: usize, message_type: MessageType) -> [u8; 8] {
    let [t2, t1, t0] = u24(delta);
    let [l2, l1, l0] = u24(length_u32(length));
    let basic = short_basic(1, csid);
    [basic, t2, t1, t0, l2, l1, l0, message_type.0]
}

/// The whole `fmt 3` header for a csid below 64.
pub fn fmt3(csid: ChunkStreamId) -> u8 {
    short_basic(3, csid)
}

fn short_basic(fmt: u8, csid: ChunkStreamId) -> u8 {
    debug_assert!((2..=SHORT_CSID_MAX).contains(&csid.0));
    fmt << 6 | low_byte(csid.0) & 0x3F
}

fn u24(value: u32) -> [u8; 3] {
    let [_, low @ ..] = value.to_be_bytes();
    low
}

fn length_u32(length: usize) -> u32 {
    debug_assert!(length < 1 << 24, "{length} bytes do not fit a message");
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn low_byte(value: u32) -> u8 {
    let [.., low] = value.to_be_bytes();
    low
}

/// The fields of a message header of fmt 0, 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fields {
    /// Timestamp (fmt 0) or delta, the extended value where there is one.
    pub(super) time: u32,
    /// Whether `time` came from the extended field.
    pub(super) is_extended: bool,
    /// fmt 0 and 1.
    pub(super) length_and_type: Option<(u32, MessageType)>,
    /// fmt 0.
    pub(super) msid: Option<MessageStreamId>,
}

impl Fields {
    pub(super) fn extended(&self) -> Option<u32> {
        self.is_extended.then_some(self.time)
    }
}

/// Reads a basic header: fmt and csid.
///
/// # Errors
/// [`Truncated`]: more bytes are needed.
#[inline]
pub(super) fn read_basic_header(reader: &mut Reader<'_>) -> Result<(u8, ChunkStreamId), Truncated> {
    let first = reader.u8()?;
    let csid = match first & 0x3F {
        0 => 64 + u32::from(reader.u8()?),
        1 => 64 + u32::from(u16::from_le_bytes(reader.array()?)),
        csid => u32::from(csid),
    };
    Ok((first >> 6, ChunkStreamId(csid)))
}

/// Reads the message header of `fmt` 0, 1 or 2 and its extended timestamp.
///
/// # Errors
/// [`Truncated`]: more bytes are needed.
pub(super) fn read_fields(reader: &mut Reader<'_>, fmt: u8) -> Result<Fields, Truncated> {
    let mut time = reader.u24()?;
    let length_and_type = match fmt {
        0 | 1 => Some((reader.u24()?, MessageType(reader.u8()?))),
        _ => None,
    };
    let msid = match fmt {
        0 => Some(MessageStreamId(reader.u32_le()?)),
        _ => None,
    };
    let is_extended = time == TIMESTAMP_EXTENDED;
    if is_extended {
        time = reader.u32()?;
    }
    Ok(Fields {
        time,
        is_extended,
        length_and_type,
        msid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_headers_have_one_two_or_three_bytes() {
        for (fmt, csid, expected) in [
            (0, 2, &[0x02][..]),
            (3, 63, &[0xFF]),
            (1, 64, &[0x40, 0x00]),
            (2, 319, &[0x80, 0xFF]),
            (0, 320, &[0x01, 0x00, 0x01]),
            (3, 65_599, &[0xC1, 0xFF, 0xFF]),
        ] {
            let mut out = Vec::new();
            put_basic_header(&mut out, fmt, ChunkStreamId(csid));
            assert_eq!(out, expected, "fmt {fmt} csid {csid}");
        }
    }

    #[test]
    fn whole_headers() {
        assert_eq!(
            fmt0(
                ChunkStreamId(4),
                0x01_0203,
                0x04_0506,
                MessageType::AUDIO,
                MessageStreamId(1)
            ),
            [0x04, 1, 2, 3, 4, 5, 6, 8, 1, 0, 0, 0]
        );
        assert_eq!(
            fmt1(ChunkStreamId(6), 40, 1000, MessageType::VIDEO),
            [0x46, 0, 0, 40, 0, 3, 0xE8, 9]
        );
        assert_eq!(fmt3(ChunkStreamId(6)), 0xC6);
    }
}
