//! The mark in every frame of a load test: who sent it, which one it is, and when.
//!
//! ```text
//! <ms2 8c01f7e4 v 0003 0000002a 00000001d3c0f2a1 5b1e7f02>     without the spaces, 50 bytes
//!      │        │ │    │        │                └ check: FNV-1a of the 37 characters before it
//!      │        │ │    │        └ send time: ns since the test began
//!      │        │ │    └ sequence number within the track
//!      │        │ └ publisher
//!      │        └ v or a
//!      └ test: what an earlier one has left on the server is not taken for ours
//! ```
//! Hexadecimal, so that no byte of it looks like a start code or asks for emulation prevention.

use crate::rtmp::MediaKind;

/// Length of a written stamp, bytes.
pub(super) const STAMP_BYTES: usize = 50;

const START: &[u8; 4] = b"<ms2";
const FIELDS_END: usize = 41;

/// What a stamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Which test.
    pub(super) run: u32,
    pub(super) kind: MediaKind,
    pub(super) publisher: u16,
    pub(super) sequence: u32,
    /// Nanoseconds since the test began.
    pub(super) sent_ns: u64,
}

impl Stamp {
    /// The stamp as it goes into a frame.
    pub(super) fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let kind = match self.kind {
            MediaKind::Audio => b'a',
            MediaKind::Video => b'v',
        };
        let mut bytes = [b'>'; STAMP_BYTES];
        bytes[..4].copy_from_slice(START);
        write_hex(&mut bytes[4..12], u64::from(self.run));
        bytes[12] = kind;
        write_hex(&mut bytes[13..17], u64::from(self.publisher));
        write_hex(&mut bytes[17..25], u64::from(self.sequence));
        write_hex(&mut bytes[25..FIELDS_END], self.sent_ns);
        let check = check_of(&bytes[4..FIELDS_END]);
        write_hex(&mut bytes[FIELDS_END..49], u64::from(check));
        bytes
    }

    /// Reads a stamp; `None` when these bytes are none, or a damaged one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..STAMP_BYTES)?;
        let (fields, check) = bytes.split_at_checked(FIELDS_END)?;
        let fields = fields.strip_prefix(START)?;
        let (check, end) = check.split_at_checked(8)?;
        if end != b">" || read_hex(check)? != u64::from(check_of(fields)) {
            return None;
        }
        let (run, fields) = fields.split_at_checked(8)?;
        let (&kind, numbers) = fields.split_first()?;
        let (publisher, numbers) = numbers.split_at_checked(4)?;
        let (sequence, sent_ns) = numbers.split_at_checked(8)?;
        Some(Self {
            run: u32::try_from(read_hex(run)?).ok()?,
            kind: match kind {
                b'a' => MediaKind::Audio,
                b'v' => MediaKind::Video,
                _ => return None,
            },
            publisher: u16::try_from(read_hex(publisher)?).ok()?,
            sequence: u32::try_from(read_hex(sequence)?).ok()?,
            sent_ns: read_hex(sent_ns)?,
        })
    }
}

fn write_hex(out: &mut [u8], mut value: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::from(value.to_le_bytes()[0] & 15)];
        value >>= 4;
    }
}

fn read_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, digit| {
        // Lower case only: a flipped bit must not go unseen.
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

fn check_of(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        run: 0x8c01_f7e4,
        kind: MediaKind::Video,
        publisher: 3,
        sequence: 42,
        sent_ns: 0x1_d3c0_f2a1,
    };

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let bytes = STAMP.to_bytes();
        assert!(bytes.starts_with(b"<ms28c01f7e4v00030000002a00000001d3c0f2a1"));
        assert_eq!(Stamp::read(&bytes), Some(STAMP));
        let audio = Stamp {
            kind: MediaKind::Audio,
            sequence: u32::MAX,
            ..STAMP
        };
        assert_eq!(Stamp::read(&audio.to_bytes()), Some(audio));
    }

    #[test]
    fn one_flipped_bit_anywhere_makes_it_none() {
        for index in 0..STAMP_BYTES * 8 {
            let mut bytes = STAMP.to_bytes();
            bytes[index / 8] ^= 1 << (index % 8);
            assert_ne!(Stamp::read(&bytes), Some(STAMP), "bit {index}");
            assert_eq!(Stamp::read(&bytes), None, "bit {index}");
        }
        assert_eq!(Stamp::read(&STAMP.to_bytes()[..STAMP_BYTES - 1]), None);
        assert_eq!(Stamp::read(b""), None);
    }
}
