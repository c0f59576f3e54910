//! Appending integers of every width to a byte buffer.

/// Appends big-endian integers to a `Vec<u8>`.
pub trait PutBytes {
    /// One byte.
    fn put_u8(&mut self, value: u8);
    /// Two bytes.
    fn put_u16(&mut self, value: u16);
    /// The low three bytes of `value`; the caller keeps it below 2^24.
    fn put_u24(&mut self, value: u32);
    /// The low three bytes of `value`, two's complement; within -2^23..2^23.
    fn put_i24(&mut self, value: i32);
    /// Four bytes.
    fn put_u32(&mut self, value: u32);
    /// Four bytes, least significant first.
    fn put_u32_le(&mut self, value: u32);
    /// Eight bytes.
    fn put_u64(&mut self, value: u64);
    /// Eight bytes, IEEE 754 double.
    fn put_f64(&mut self, value: f64);
}

impl PutBytes for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }

    fn put_u16(&mut self, value: u16) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u24(&mut self, value: u32) {
        debug_assert!(value < 1 << 24, "{value} does not fit three bytes");
        let [_, low @ ..] = value.to_be_bytes();
        self.extend_from_slice(&low);
    }

    fn put_i24(&mut self, value: i32) {
        debug_assert!(
            (-(1 << 23)..1 << 23).contains(&value),
            "{value} does not fit three bytes"
        );
        let [_, low @ ..] = value.to_be_bytes();
        self.extend_from_slice(&low);
    }

    fn put_u32(&mut self, value: u32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_u32_le(&mut self, value: u32) {
        self.extend_from_slice(&value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_f64(&mut self, value: f64) {
        self.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Reader;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        out.put_u8(7);
        out.put_u16(0x0102);
        out.put_u24(0xFF_FFFF);
        out.put_i24(-40);
        out.put_u32(9);
        out.put_u32_le(0x0102_0304);
        out.put_u64(u64::MAX - 1);
        out.put_f64(29.97);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.u8(), Ok(7));
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.u24(), Ok(0xFF_FFFF));
        assert_eq!(reader.i24(), Ok(-40));
        assert_eq!(reader.u32(), Ok(9));
        assert_eq!(reader.u32_le(), Ok(0x0102_0304));
        assert_eq!(reader.u64(), Ok(u64::MAX - 1));
        assert_eq!(reader.f64(), Ok(29.97));
        assert!(reader.is_empty());
    }
}
