//! A bit reader over raw bytes or over a NAL unit with its emulation prevention bytes.
//!
//! Lenient on purpose: parameter sets in the wild end in stray zero bytes or hold sequences
//! that a strict reader refuses, and the fields that we want come before the damage.

use super::CodecError;

/// Reads bits, most significant first.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// The byte being read; its low `left` bits are unread.
    byte: u8,
    left: u32,
    /// Whether `00 00 03` stands for `00 00`.
    escaped: bool,
    /// Zero bytes read in a row, in escaped input.
    zeros: u32,
}

impl<'a> Bits<'a> {
    /// Over bytes as they are.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            byte: 0,
            left: 0,
            escaped: false,
            zeros: 0,
        }
    }

    /// Over a NAL unit from behind its header (ITU-T H.264 §7.4.1, H.265 §7.4.2).
    pub(super) fn of_nal(payload: &'a [u8]) -> Self {
        Self {
            escaped: true,
            ..Self::new(payload)
        }
    }

    /// One bit.
    pub(super) fn flag(&mut self) -> Result<bool, CodecError> {
        if self.left == 0 {
            self.next_byte()?;
        }
        self.left -= 1;
        Ok((self.byte >> self.left) & 1 == 1)
    }

    fn next_byte(&mut self) -> Result<(), CodecError> {
        let (&first, rest) = self.rest.split_first().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        self.byte = first;
        if self.escaped && self.zeros >= 2 && first == 3 {
            let (&second, rest) = rest.split_first().ok_or(CodecError::Truncated)?;
            self.rest = rest;
            self.byte = second;
            self.zeros = 0;
        }
        self.zeros = if self.byte == 0 { self.zeros + 1 } else { 0 };
        self.left = 8;
        Ok(())
    }

    /// `count` bits as a number; `count <= 32`.
    pub(super) fn u(&mut self, count: u32) -> Result<u32, CodecError> {
        debug_assert!(count <= 32);
        let mut value = 0;
        for _ in 0..count {
            value = (value << 1) | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// Eight bits.
    pub(super) fn u8(&mut self) -> Result<u8, CodecError> {
        self.small(8)
    }

    /// Up to eight bits; `count <= 8`.
    pub(super) fn small(&mut self, count: u32) -> Result<u8, CodecError> {
        debug_assert!(count <= 8);
        let [.., value] = self.u(count)?.to_be_bytes();
        Ok(value)
    }

    /// Steps over `count` bits.
    pub(super) fn skip(&mut self, count: u32) -> Result<(), CodecError> {
        for _ in 0..count {
            self.flag()?;
        }
        Ok(())
    }

    /// An unsigned Exp-Golomb number (ITU-T H.264 §9.1), at most 2^32 - 2.
    pub(super) fn ue(&mut self) -> Result<u32, CodecError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return Err(CodecError::OutOfRange {
                    field: "Exp-Golomb length",
                    value: zeros,
                });
            }
        }
        Ok(((1_u32 << zeros) - 1).saturating_add(self.u(zeros)?))
    }

    /// An unsigned Exp-Golomb number of at most `max`.
    pub(super) fn ue_max(&mut self, field: &'static str, max: u32) -> Result<u32, CodecError> {
        match self.ue()? {
            value if value > max => Err(CodecError::OutOfRange { field, value }),
            value => Ok(value),
        }
    }

    /// A signed Exp-Golomb number.
    pub(super) fn se(&mut self) -> Result<i32, CodecError> {
        let code = self.ue()?;
        // 1, 2, 3, 4 stand for 1, -1, 2, -2.
        let size = i32::try_from(code.div_ceil(2)).unwrap_or(i32::MAX);
        Ok(if code % 2 == 1 { size } else { -size })
    }

    /// Bits left, emulation prevention bytes counted as if they were data.
    pub(super) fn remaining(&self) -> usize {
        let left = usize::try_from(self.left).unwrap_or(0);
        self.rest.len().saturating_mul(8).saturating_add(left)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn numbers_of_every_kind() {
        // 101 | 1 (0) | 010 (1) | 00110 (5) | 00111 (signed -3) ...
        let mut bits = Bits::new(&[0b1011_0100, 0b0110_0011, 0b1000_0000]);
        assert_eq!(bits.u(3), Ok(5));
        assert_eq!(bits.ue(), Ok(0));
        assert_eq!(bits.ue(), Ok(1));
        assert_eq!(bits.ue(), Ok(5));
        assert_eq!(bits.se(), Ok(-3));
        assert_eq!(bits.remaining(), 7);
        assert_eq!(bits.u(7), Ok(0));
        assert_eq!(bits.flag(), Err(CodecError::Truncated));
    }

    #[test]
    fn exp_golomb_limits() {
        let largest = [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE];
        assert_eq!(Bits::new(&largest).ue(), Ok(u32::MAX - 1));
        assert!(matches!(
            Bits::new(&[0; 8]).ue(),
            Err(CodecError::OutOfRange { .. })
        ));
        assert_eq!(Bits::new(&[0, 0]).ue(), Err(CodecError::Truncated));
        assert!(Bits::new(&[0b0001_1100]).ue_max("x", 5).is_err());
    }

    #[test]
    fn emulation_prevention_bytes_are_dropped_from_nal_units_only() {
        let bytes = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3];
        let mut bits = Bits::of_nal(&bytes);
        let read: Vec<u8> = std::iter::from_fn(|| bits.u8().ok()).collect();
        assert_eq!(read, [0, 0, 1, 0, 0, 0, 0]);
        let mut bits = Bits::new(&bytes);
        assert_eq!(bits.u(32), Ok(0x0000_0301));
    }
}
