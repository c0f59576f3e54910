//! A forward-only reader over a byte slice.

use byteorder::{BigEndian, ByteOrder, LittleEndian};

/// The input ended before the value did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes wanted, {left} left")]
pub struct Truncated {
    /// Bytes that the value needs.
    pub wanted: usize,
    /// Bytes that were left.
    pub left: usize,
}

/// Reads integers and slices from the front of a byte slice.
///
/// All integers are big-endian unless the method's name says otherwise. A failed read
/// consumes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Takes the next `count` bytes.
    ///
    /// # Errors
    /// [`Truncated`] when fewer are left; so do all the methods below.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Truncated {
            wanted: count,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes the next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated {
            wanted: N,
            left: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Two bytes, unsigned.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_be_bytes)
    }

    /// Two bytes, signed.
    pub fn i16(&mut self) -> Result<i16, Truncated> {
        self.array().map(i16::from_be_bytes)
    }

    /// Three bytes, unsigned.
    pub fn u24(&mut self) -> Result<u32, Truncated> {
        self.bytes(3).map(BigEndian::read_u24)
    }

    /// Three bytes, signed (two's complement).
    pub fn i24(&mut self) -> Result<i32, Truncated> {
        self.bytes(3).map(BigEndian::read_i24)
    }

    /// Four bytes, unsigned.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_be_bytes)
    }

    /// Four bytes, unsigned, least significant byte first.
    pub fn u32_le(&mut self) -> Result<u32, Truncated> {
        self.bytes(4).map(LittleEndian::read_u32)
    }

    /// Eight bytes, unsigned.
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_be_bytes)
    }

    /// Eight bytes, IEEE 754 double.
    pub fn f64(&mut self) -> Result<f64, Truncated> {
        self.array().map(f64::from_be_bytes)
    }

    /// The next byte, without taking it.
    pub fn peek_u8(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Everything that was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of bytes that were not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_width_in_order() {
        let bytes: Vec<u8> = (1..=30).collect();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8(), Ok(0x01));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.u24(), Ok(0x04_0506));
        assert_eq!(reader.u32(), Ok(0x0708_090A));
        assert_eq!(reader.u32_le(), Ok(0x0E0D_0C0B));
        assert_eq!(reader.u64(), Ok(0x0F10_1112_1314_1516));
        assert_eq!(reader.peek_u8(), Some(0x17));
        assert_eq!(reader.rest().len(), 8);
    }

    #[test]
    fn signed_values_keep_their_sign() {
        let mut reader = Reader::new(&[0xFF, 0xFF, 0xFE, 0xFF, 0xFD]);
        assert_eq!(reader.i24(), Ok(-2));
        assert_eq!(reader.i16(), Ok(-3));
    }

    #[test]
    fn a_failed_read_takes_nothing() {
        let mut reader = Reader::new(&[1, 2]);
        assert_eq!(reader.u24(), Err(Truncated { wanted: 3, left: 2 }));
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.u8(), Err(Truncated { wanted: 1, left: 0 }));
        assert!(reader.is_empty());
    }
}
