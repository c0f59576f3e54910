//! Chunk headers, fmt 0 to 3 (RTMP 1.0 §5.3.1), as we write them.
//!
//! ```text
//! basic header    csid 2..=63        csid 64..=319           csid 64..=65599
//!                 |fmt|  csid  |     |fmt|   0   | csid-64 |  |fmt|   1   | low | high |   (of csid-64)
//! fmt 0 (11)      timestamp u24, length u24, type u8, message stream id u32 LE
//! fmt 1 (7)       delta u24, length u24, type u8
//! fmt 2 (3)       delta u24
//! fmt 3 (0)       nothing: continues, or repeats everything
//! extended (4)    u32 behind each of them, when the u24 is 0xFFFFFF
//! ```

use super::{ChunkStreamId, MessageStreamId};
use crate::rtmp::message::MessageType;
use crate::wire::PutBytes;

/// The 24-bit field that says: the 32-bit value follows the header. Values from here on need it.
pub const TIMESTAMP_EXTENDED: u32 = 0xFF_FFFF;

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
